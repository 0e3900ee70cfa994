import { describe, expect, it } from 'vitest'
import { operationId } from '../../../domain/ids.ts'
import type { LoadedOrder } from '../../../domain/messages.ts'
import type { OrderState, OrderStep } from '../../../domain/order/record.ts'
import { default_policy, limits } from '../../../domain/policy.ts'
import {
  asked,
  done,
  findingsIn,
  interrupted,
  later,
  orphanRefund,
  paidOrder,
  refundIn,
  reserved,
} from '../../stage/acts.ts'
import { placed } from '../../store/samples.ts'
import { World } from '../../stage/world.ts'

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
    await world.store.orders.noteAttention(world.key, 'paid', null)
    const record = { ...(await world.record()), reference: 'sale-1', state: 'refunding' as const }
    world.store.orders.find = () => Promise.resolve(record)
    await load(world)
    expect(await world.store.references.findHolder(mchid, 'sale-1')).toBeNull()
  })
})

describe('what is open and has no plan', () => {
  it.each<[string, OrderStep, () => Promise<World>]>([
    ['created', 'place', () => World.open('none', [])],
    [
      'awaiting_payment',
      'ask_wechat',
      async () => {
        const world = await World.open('none', [])
        await world.store.orders.apply(world.key, placed())
        return world
      },
    ],
    ['paid', 'deliver', () => paidOrder({ mode: 'event' })],
    ['paid', 'await_fulfilment', () => paidOrder({ mode: 'confirm' })],
  ])('an order that is %s is planned anew, to %s, by the run that the audit starts', async (state, what, open) => {
    const world = await open()
    await world.store.orders.noteNextAction(world.key, state as OrderState, null)
    const plan_missing = expect.stringContaining('plan_missing') as string
    expect(await findingsIn(world)).toContainEqual(plan_missing)
    await load(world)
    expect((await world.record()).next_action?.what).toBe(what)
    expect(await findingsIn(world)).not.toContainEqual(plan_missing)
  })

  it('a refund is planned anew as well', async () => {
    const world = await paidOrder({ refund_approval: { above: 500 } })
    const small = await reserved(world, 'R1', 'T1', 300)
    const large = await reserved(world, 'R2', 'T1', 300)
    await world.store.refunds.noteNextAction(small, 'processing', null)
    await world.store.refunds.noteNextAction(large, 'awaiting_approval', null)
    expect(await findingsIn(world)).toHaveLength(2)
    for (const refund of [small, large]) await done(world, 'loadRefund', refund)
    expect((await refundIn(world, small)).next_action?.what).toBe('submit')
    const { next_action, approval } = await refundIn(world, large)
    expect(next_action).toEqual({ what: 'await_approval', time: approval?.expire_time })
    expect(await findingsIn(world)).toEqual([])
  })

  it('is no refund that has become abnormal, of whichever payment: WeChat is asked on', async () => {
    const world = await World.open('none', [])
    const refund = await orphanRefund(world, 'R1', 300)
    world.wechat.fates.push(['ABNORMAL'])
    await done(world, 'submitRefund', { refund })
    world.wechat.progress()
    const { kind: _, ...answer } = await done<{ kind: string }>(world, 'askRefundUntilAnswered', { refund })
    await done(world, 'recordRefundAnswer', { refund, ...answer })
    const abnormal = await refundIn(world, refund)
    expect([abnormal.state, abnormal.next_action?.what]).toEqual(['abnormal', 'ask_wechat'])
  })

  it('is no abnormal refund whose worker dies while it notes that the order has heard of it', async () => {
    const world = await paidOrder()
    const refund = await reserved(world, 'R1', 'T1', 300)
    world.wechat.fates.push(['ABNORMAL'])
    await done(world, 'submitRefund', { refund })
    world.wechat.progress()
    await asked(world, refund)
    const { revision } = await refundIn(world, refund)
    await interrupted(world, 1, 'noteToldToOrder', { refund, revision })
    expect((await refundIn(world, refund)).next_action?.what).toBe('ask_wechat')
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
