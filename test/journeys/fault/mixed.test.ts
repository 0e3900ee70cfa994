import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { OrderKey } from '../../../domain/ids.ts'
import type { OrderState } from '../../../domain/order/record.ts'
import type { RefundState } from '../../../domain/refund/record.ts'
import { expectAuditClean } from '../../stage/proof.ts'
import { Stage } from '../../stage/stage.ts'
import { until } from '../../stage/until.ts'

/** `WEFT_TEST_MIXED=2000` for a night's load: the same mixture, more of it. */
const count = Number(process.env.WEFT_TEST_MIXED ?? 28)
const at_once = 12
const patience = { within_ms: Math.max(200_000, count * 500) }

/** What becomes of an order, one after the other, so that every mixture has all of them. */
const stories = [
  'pay',
  'lose_notification',
  'notify_three_times',
  'notify_late',
  'forged',
  'late',
  'refunded',
  'in_parts',
  'abnormal',
  'closed',
  'returned',
  'cannot_ship',
  'second',
  'unpaid',
] as const
type Story = (typeof stories)[number]

describe('a mixed load with WeChat misbehaving at random', () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await Stage.open({
      time_scale: 60,
      simulator: { time_scale: 60 },
      settings: { fulfilment: { mode: 'event' } },
    })
    const { control } = stage.simulator
    const { mchid } = stage
    for (const operation of ['place', 'query', 'close', 'refund', 'query_refund'] as const) {
      for (const fault of ['timeout_after', 'timeout_before'] as const)
        control.addFault({ operation, fault, rate: 0.02, mchid })
      control.addFault({ operation, fault: 'error', status: 500, code: 'SYSTEM_ERROR', rate: 0.04, mchid })
      control.addFault({ operation, fault: 'error', status: 429, code: 'FREQUENCY_LIMITED', rate: 0.02, mchid })
    }
    for (const fault of ['drop', 'duplicate', 'wrong_signature'] as const)
      control.addFault({ operation: 'notify', fault, rate: 0.05, mchid })
    control.addFault({ operation: 'notify', fault: 'slow', delay_ms: 1_000, rate: 0.05, mchid })
    // Of payments only where a story says so: nobody asks about an order that is closed, or paid already.
    control.addFault({ operation: 'notify', fault: 'lose', original_type: 'refund', rate: 0.1, mchid })
    stage.shop.answer = ({ type, data }) =>
      type === 'order.paid' && data.order?.['attach'] === 'cannot_ship'
        ? { status: 200, body: '{"fulfilment":"refused","reason":"sold out"}' }
        : { status: 200, body: '{"fulfilment":"fulfilled"}' }
  })
  afterAll(async () => await stage.close())

  async function ordered(story: string): Promise<OrderKey> {
    const request = { out_trade_no: stage.number(), description: '龙井茶', amount: { total: 990 }, attach: story }
    const order = { mchid: stage.mchid, out_trade_no: request.out_trade_no }
    await stage.call('POST', '/v1/orders', request)
    await until('it can be paid', async () => (await stage.record(order)).code, patience)
    return order
  }

  const reaches = (order: OrderKey, state: OrderState) => stage.reaches(order, state, patience.within_ms)
  const refundReaches = (number: string, state: RefundState) => stage.refundReaches(number, state, patience.within_ms)

  async function fulfilled(order: OrderKey, story?: Parameters<Stage['pay']>[1]): Promise<void> {
    stage.pay(order, story)
    await reaches(order, 'fulfilled')
  }

  /** Refunds of these parts of a fulfilled order; `end` is what WeChat makes of them in place of SUCCESS. */
  async function refunded(
    order: OrderKey,
    parts: number[],
    end?: 'ABNORMAL' | 'CLOSED' | 'RETURNED',
  ): Promise<string[]> {
    await fulfilled(order)
    const { mchid, out_trade_no } = order
    if (end) stage.simulator.control.addFault({ operation: 'end_refund', fault: end, times: 1, mchid, out_trade_no })
    const numbers = parts.map(() => stage.refundNumber())
    const ask = (refund: number, index: number) =>
      stage.refund({ out_refund_no: numbers[index], out_trade_no, amount: { refund } })
    await Promise.all(parts.map(ask))
    return numbers
  }

  const tellings: Record<Story, (order: OrderKey) => Promise<unknown>> = {
    pay: (order) => fulfilled(order),
    lose_notification: (order) => fulfilled(order, 'lose_notification'),
    notify_three_times: (order) => fulfilled(order, 'notify_three_times'),
    notify_late: (order) => fulfilled(order, 'notify_late'),
    forged: async (order) => {
      stage.pay(order, 'forge_notification')
      await fulfilled(order)
    },
    late: async (order) => {
      await stage.call('POST', `/v1/orders/${order.out_trade_no}/close`)
      await reaches(order, 'closed')
      stage.pay(order, 'pay_after_close')
      await reaches(order, 'refunded')
    },
    refunded: async (order) => {
      for (const number of await refunded(order, [990])) await refundReaches(number, 'succeeded')
    },
    in_parts: async (order) => {
      for (const number of await refunded(order, [300, 200])) await refundReaches(number, 'succeeded')
    },
    abnormal: async (order) => {
      const [number = ''] = await refunded(order, [990], 'ABNORMAL')
      await refundReaches(number, 'abnormal')
      stage.simulator.control.finishRefund({ mchid: order.mchid, out_refund_no: number, status: 'SUCCESS' })
      // Asked for by a person, too: by itself Weft asks only every six hours what the notification may have told.
      const isBack = async () => {
        await stage.call('POST', `/v1/refunds/${number}/check`)
        return (await stage.refundRecord(number)).state === 'succeeded'
      }
      await until('the payer has it after all', isBack, { ...patience, every_ms: 500 })
    },
    closed: async (order) => {
      const [number = ''] = await refunded(order, [990], 'CLOSED')
      await refundReaches(number, 'closed')
      const again = stage.refundNumber()
      await stage.refund({ out_refund_no: again, out_trade_no: order.out_trade_no, amount: { refund: 990 } })
      await refundReaches(again, 'succeeded')
    },
    returned: async (order) => {
      const [number = ''] = await refunded(order, [990], 'RETURNED')
      await refundReaches(number, 'returned_to_merchant')
      const paid_out = { proof: 'transfer 7', reason: 'WeChat paid us' }
      // Until it is answered: the oracle knows decisions by their answers.
      await stage.insist('POST', `/v1/refunds/${number}/payout`, paid_out)
      await until('paid by hand', async () => (await stage.refundRecord(number)).payout)
    },
    cannot_ship: async (order) => {
      stage.pay(order)
      await reaches(order, 'refunded')
    },
    second: async (order) => {
      await fulfilled(order)
      stage.pay(order, 'second_payment')
      const isAsked = async () => (await stage.record(order)).attention?.code === 'second_payment'
      await until('a person is asked', isAsked, patience)
    },
    unpaid: () => Promise.resolve(),
  }

  it(
    `leaves the book of ${count} orders without a fen adrift`,
    async () => {
      const left = Array.from({ length: count }, (_, index) => stories[index % stories.length] ?? 'pay')
      const work = async () => {
        for (let story = left.shift(); story !== undefined; story = left.shift())
          await tellings[story](await ordered(story))
      }
      await Promise.all(Array.from({ length: at_once }, work))
      // At rest: nothing is under way any more, not even evidence that only the sweeper hands over.
      expect(await expectAuditClean(stage, 'settled')).toMatchObject({ orders: count, under_way: 0 })
    },
    patience.within_ms * 2,
  )
})
