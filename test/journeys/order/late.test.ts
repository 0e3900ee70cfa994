import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { OrderKey } from '../../../domain/ids.ts'
import type { OrderState } from '../../../domain/order/record.ts'
import { expectBook, expectHeard, expectProven } from '../../stage/money.ts'
import { Stage } from '../../stage/stage.ts'
import { until } from '../../stage/until.ts'

const times = { time_scale: 60, simulator: { time_scale: 60 } }
const undecided = { suspense: -990, 'wechat.pending': 990 }
const given_back = { 'wechat.pending': 990, 'wechat.refund_transit': -990 }

/** What has happened to an order before the money that is too late for it: it is closed once another has made the sale. */
const before = {
  created: ['close_asked'],
  awaiting_payment: ['placed', 'close_asked'],
} satisfies Partial<Record<OrderState, string[]>>
type Open = keyof typeof before

describe.each(['refund', 'hold'] as const)('money that comes too late, where the merchant’s wish is: %s,', (policy) => {
  let stage: Stage
  beforeAll(async () => {
    stage = await Stage.open({ ...times, settings: { late_payment: policy } })
  })
  afterAll(async () => await stage.close())

  const decide = async ({ out_trade_no }: OrderKey, decision: 'accept' | 'reject') => {
    const { status } = await stage.insist('POST', `/v1/orders/${out_trade_no}/review`, {
      decision,
      reason: 'looked at',
    })
    expect(status).toBe(200)
  }

  /** Late money goes back by itself, or once a person has said so; nothing is shipped. `heard` came before. */
  async function expectGivenBack(order: OrderKey, transaction_id: string | null, heard: string[]): Promise<void> {
    if (policy === 'hold') {
      const held = await stage.reaches(order, 'review')
      expect(held.attention?.code).toBe('late_payment_held')
      expect(held.payment).toMatchObject({ transaction_id, role: 'late' })
      await expectHeard(stage, order, ...heard, 'order.late_payment')
      await expectBook(stage, order, undecided)
      expect(await stage.store.refunds.ofOrder(order.mchid, order.out_trade_no)).toEqual([])
      await decide(order, 'reject')
    }
    const { payment } = await stage.reaches(order, 'refunded')
    expect(payment).toMatchObject({ transaction_id, role: 'late' })
    const origin = policy === 'hold' ? 'review_rejected' : 'late_payment'
    expect(await stage.owedRefund(order)).toMatchObject({ origin, transaction_id, state: 'succeeded' })
    const decided = policy === 'hold' ? ['order.refunding'] : []
    await expectHeard(stage, order, ...heard, 'order.late_payment', ...decided, 'refund.succeeded', 'order.refunded')
    await expectBook(stage, order, given_back)
    await expectProven(stage, order)
  }

  it.concurrent('for an order that has expired', async () => {
    const { order } = await stage.expiring(() => 'placed')
    expect((await stage.reaches(order, 'closed')).close_reason).toBe('expired')
    const { transaction_id } = stage.pay(order, 'pay_after_close')
    await expectGivenBack(order, transaction_id, ['order.closed'])
  })

  it.concurrent('for an order that its merchant has closed', async () => {
    const order = await stage.ordered()
    await stage.insist('POST', `/v1/orders/${order.out_trade_no}/close`)
    await stage.reaches(order, 'closed')
    const { transaction_id } = stage.pay(order, 'pay_after_close')
    await expectGivenBack(order, transaction_id, ['order.closed'])
  })

  describe.concurrent('since another number has made the sale,', () => {
    /** A number of the sale whose money a person has yet to accept: meanwhile a newer number may be open. */
    async function undecidedSale(): Promise<{ first: OrderKey; reference: string }> {
      const reference = `sale-${stage.number()}`
      const first = await stage.ordered({ reference })
      stage.pay(first, 'wrong_amount')
      await stage.reaches(first, 'review')
      return { first, reference }
    }

    /** Brings a newer number of the sale to where a payment can find it in `state`. */
    async function open(state: Open, reference: string): Promise<OrderKey> {
      if (state !== 'created') return await stage.ordered({ reference })
      const order = { mchid: stage.mchid, out_trade_no: stage.number() }
      // Never answered, however often: it stays created until the money is found.
      stage.simulator.control.addFault({ operation: 'place', fault: 'timeout_after', ...order })
      void stage.create({ out_trade_no: order.out_trade_no, reference }).catch(() => undefined)
      await until('WeChat has the order', () =>
        stage.wechat.orders.some(({ out_trade_no }) => out_trade_no === order.out_trade_no),
      )
      return order
    }

    it.each(Object.keys(before) as Open[])('for a number that is %s until then', async (state) => {
      const { first, reference } = await undecidedSale()
      const order = await open(state, reference)
      const { transaction_id } = stage.pay(order, 'pay_while_closing')
      await decide(first, 'accept')
      await stage.reaches(first, 'fulfilled')
      await expectGivenBack(order, transaction_id, [])
      const { timeline } = await stage.record(order)
      const found = timeline.findIndex(({ event }) => event === 'late_payment_found')
      expect(timeline.slice(0, found).map(({ event }) => event)).toEqual(before[state])
      expect(timeline[found]?.from).toBe('closing')
      expect(await stage.store.references.findHolder(stage.mchid, reference)).toBe(first.out_trade_no)
      await expectProven(stage, first)
    })
  })
})
