import { describe, expect, it } from 'vitest'
import { operationId } from '../../../domain/ids.ts'
import type { LoadedOrder } from '../../../domain/messages.ts'
import { default_policy, limits } from '../../../domain/policy.ts'
import { done, findingsIn, later, paidOrder } from '../../stage/acts.ts'
import type { World } from '../../stage/world.ts'

const day_ms = 24 * 60 * 60_000
const weft = { kind: 'weft', id: null } as const

async function openDeliveries({ store, key }: World) {
  return await store.deliveries.openOfOrder(key.mchid, key.out_trade_no)
}

const load = async (world: World) => await done<LoadedOrder>(world, 'load', world.key)

/** The order says that the shop answered, and the delivery that asked it is still open. */
async function answeredOpen(): Promise<World> {
  const world = await paidOrder({ mode: 'event' })
  const operation_id = operationId.answered(1, 'fulfilled')
  await done(world, 'recordFulfilment', {
    order: world.key,
    event: 'fulfilled',
    operation_id,
    actor: weft,
    reason: null,
  })
  return world
}

describe('the first step of a run', () => {
  it('ends a question that the order has an answer to: the audit names it, and nothing waits behind it any more', async () => {
    const world = await answeredOpen()
    expect(await openDeliveries(world)).toMatchObject([{ purpose: 'fulfilment', state: 'waiting' }])
    later(world, 60_000)
    expect(await findingsIn(world)).toEqual([expect.stringContaining('question_over')])
    const due = await world.store.deliveries.findDue(later(world, 1_000), 10)
    expect(due).toHaveLength(1)
    await load(world)
    expect(await openDeliveries(world)).toEqual([])
    const [ended] = await world.store.deliveries.ofEvent(world.key.mchid, `${world.key.mchid}/TEA-1/1`)
    expect(ended?.state).toBe('delivered')
    expect(await findingsIn(world)).toEqual([])
  })

  it('leaves the question open that the order still asks', async () => {
    const world = await paidOrder({ mode: 'event' })
    await load(world)
    expect(await openDeliveries(world)).toHaveLength(1)
  })

  it('starts notices again whose moment has passed', async () => {
    const world = await paidOrder()
    const [notice] = await openDeliveries(world)
    expect((await load(world)).deliveries).toEqual([notice?._id])
    await world.store.deliveries.noteNextAttempt(notice?._id ?? '', later(world, day_ms))
    later(world, -day_ms)
    expect((await load(world)).deliveries).toEqual([])
  })

  it('frees a sale that its number claimed and never got money for', async () => {
    const world = await paidOrder()
    const { mchid } = world.key
    await world.store.references.claim(mchid, 'sale-1', 'TEA-1')
    await world.store.orders.noteAttention(world.key, 'paid', null, later(world, day_ms))
    const record = { ...(await world.record()), reference: 'sale-1', state: 'refunding' as const }
    world.store.orders.find = () => Promise.resolve(record)
    await load(world)
    expect(await world.store.references.findHolder(mchid, 'sale-1')).toBeNull()
  })
})

describe('a shop that was never asked before its deadline', () => {
  const deadline = async (world: World) => (await world.record()).fulfilment.deadline_time
  const tell = async (world: World) => {
    const deadline_time = await deadline(world)
    return await world.perform('deliverPaid', { order: world.key, sequence: 1, deadline_time })
  }

  it('is asked all the same: the run was lost, and the shop answers', async () => {
    const world = await paidOrder({ mode: 'event' })
    later(world, 3 * day_ms)
    expect(await tell(world)).toEqual({ value: { kind: 'answered', answer: { result: 'fulfilled', reason: null } } })
  })

  it('is overdue only after the first attempts, and at once when it was asked in time', async () => {
    const world = await paidOrder({ mode: 'event' })
    world.shop.push(...Array.from({ length: 20 }, () => 'away' as const))
    later(world, 3 * day_ms)
    for (let attempt = 1; attempt <= limits.delivery_failing_attempts; attempt += 1) {
      expect(await tell(world)).toHaveProperty('failure')
      later(world, (default_policy.delivery_retry_ms[attempt - 1] ?? 0) * 1.2)
    }
    expect(await tell(world)).toEqual({ value: { kind: 'overdue' } })
    const asked = await paidOrder({ mode: 'event' })
    asked.shop.push('away')
    expect(await tell(asked)).toHaveProperty('failure')
    later(asked, 3 * day_ms)
    expect(await tell(asked)).toEqual({ value: { kind: 'overdue' } })
  })
})
