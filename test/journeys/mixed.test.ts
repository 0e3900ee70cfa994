import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { OrderKey } from '../../domain/ids.ts'
import { expectAuditClean } from '../stage/audit.ts'
import { Stage } from '../stage/stage.ts'
import { until } from '../stage/until.ts'

/** `WEFT_TEST_MIXED=2000` for a night's load: the same mixture, more of it. */
const count = Number(process.env.WEFT_TEST_MIXED ?? 27)
const at_once = 12
const patience = { within_ms: Math.max(120_000, count * 500) }

/** What becomes of an order, one after the other, so that every mixture has all of them. */
const stories = [
  'pay',
  'lose_notification',
  'notify_three_times',
  'late',
  'refunded',
  'in_parts',
  'cannot_ship',
  'second',
  'unpaid',
] as const

describe('a mixed load with WeChat misbehaving at random', () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await Stage.open({
      time_scale: 60,
      simulator: { time_scale: 60 },
      settings: { fulfilment: { mode: 'event' } },
    })
    const { control } = stage.simulator
    for (const operation of ['place', 'query', 'close', 'refund', 'query_refund'] as const) {
      for (const fault of ['timeout_after', 'timeout_before'] as const)
        control.addFault({ operation, fault, rate: 0.02, mchid: stage.mchid })
      control.addFault({ operation, fault: 'error', status: 500, code: 'SYSTEM_ERROR', rate: 0.04, mchid: stage.mchid })
      control.addFault({
        operation,
        fault: 'error',
        status: 429,
        code: 'FREQUENCY_LIMITED',
        rate: 0.02,
        mchid: stage.mchid,
      })
    }
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

  async function tell(story: (typeof stories)[number]): Promise<void> {
    const order = await ordered(story)
    const { out_trade_no } = order
    switch (story) {
      case 'unpaid':
        return
      case 'late':
        await stage.call('POST', `/v1/orders/${out_trade_no}/close`)
        await stage.reaches(order, 'closed', patience.within_ms)
        stage.pay(order, 'pay_after_close')
        return void (await stage.reaches(order, 'refunded', patience.within_ms))
      case 'cannot_ship':
        stage.pay(order)
        return void (await stage.reaches(order, 'refunded', patience.within_ms))
      case 'pay':
      case 'lose_notification':
      case 'notify_three_times':
        stage.pay(order, story)
        return void (await stage.reaches(order, 'fulfilled', patience.within_ms))
      case 'second':
        stage.pay(order)
        await stage.reaches(order, 'fulfilled', patience.within_ms)
        stage.pay(order, 'second_payment')
        return void (await until(
          'a person is asked',
          async () => (await stage.record(order)).attention?.code === 'second_payment',
          patience,
        ))
      case 'refunded':
      case 'in_parts': {
        stage.pay(order)
        await stage.reaches(order, 'fulfilled', patience.within_ms)
        const parts = story === 'refunded' ? [990] : [300, 200]
        const refunds = await Promise.all(parts.map((refund) => stage.refund({ out_trade_no, amount: { refund } })))
        for (const { body } of refunds) await stage.refundReaches(body.out_refund_no, 'succeeded', patience.within_ms)
      }
    }
  }

  it(
    `leaves the book of ${count} orders without a fen adrift`,
    async () => {
      const left = Array.from({ length: count }, (_, index) => stories[index % stories.length] ?? 'pay')
      const work = async () => {
        for (let story = left.shift(); story !== undefined; story = left.shift()) await tell(story)
      }
      await Promise.all(Array.from({ length: at_once }, work))
      const tally = await expectAuditClean(stage, 'meanwhile')
      expect(tally).toMatchObject({ orders: count })
    },
    patience.within_ms * 2,
  )
})
