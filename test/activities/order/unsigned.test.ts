import { describe, expect, it } from 'vitest'
import { done, paidOrder, refundIn, reserved, sent } from '../../stage/acts.ts'
import { World } from '../../stage/world.ts'
import { placed } from '../../store/samples.ts'

/** An order that is being closed, a while after it was placed. */
async function closing(): Promise<World> {
  const world = await World.open('confirm', [])
  await world.store.orders.apply(world.key, placed())
  const asked = { operation_id: 'close', actor: { kind: 'merchant', id: 'key-1' }, reason: null, close_reason: 'asked' }
  await done(world, 'recordCloseAsked', { order: world.key, ...asked })
  world.now_ms += 120_000
  return world
}

const closed = (world: World) =>
  done<{ kind: string; evidence_id: string }>(world, 'closeAtWeChat', { order: world.key })

describe('that WeChat does not know a number, which it never signs', () => {
  it('closes an order when both hosts say so, with evidence that says that it is unsigned', async () => {
    const world = await closing()
    const { kind, evidence_id } = await closed(world)
    expect(kind).toBe('closed')
    expect(await world.store.evidence.find(evidence_id)).toMatchObject({ kind: 'query', verdict: 'unsigned' })
  })

  it('closes nothing when the other host knows that it is paid', async () => {
    const world = await closing()
    world.wechat.is_placed = true
    world.wechat.transactions.push({ id: 'T1', total: 990 })
    world.wechat.is_first_host_blind = true
    const { kind, evidence_id } = await closed(world)
    expect(kind).toBe('payment')
    expect(await world.store.evidence.find(evidence_id)).toMatchObject({ verdict: 'verified', transaction_id: 'T1' })
  })

  it('ends no refund when the other host has it', async () => {
    const world = await paidOrder()
    const refund = await reserved(world, 'R-1', 'T1', 400)
    await sent(world, refund)
    world.wechat.is_first_host_blind = true
    world.wechat.progress()
    expect(await done(world, 'askRefundUntilAnswered', { refund })).toMatchObject({ kind: 'found' })
    expect((await refundIn(world, refund)).state).toBe('processing')
  })
})
