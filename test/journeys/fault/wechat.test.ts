import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { OrderKey } from '../../../domain/ids.ts'
import type { FaultRequest } from '../../../simulator/control.ts'
import { Stage } from '../../stage/stage.ts'
import { until } from '../../stage/until.ts'

type Misbehaviour = [name: string, fault: Partial<FaultRequest> & { fault: string }]

/** Everything WeChat Pay is known to do instead of answering (docs/wechat-pay.md §1.2, §1.5, §7). */
const passing: Misbehaviour[] = [
  ['is silent before it acted', { fault: 'timeout_before' }],
  ['is silent after it acted', { fault: 'timeout_after' }],
  ['cuts the connection', { fault: 'disconnect' }],
  ['cuts the connection after it acted', { fault: 'disconnect_after' }],
  ['answers 500', { fault: '500' }],
  ['answers 500 although it acted', { fault: '500', acted: true }],
  ['answers 502', { fault: 'error', status: 502, code: 'SERVICE_UNAVAILABLE' }],
  ['answers 429', { fault: '429' }],
  ['answers SIGN_ERROR', { fault: 'SIGN_ERROR' }],
  ['signs with a stranger’s key', { fault: 'wrong_signature' }],
  ['sends a signature probe', { fault: 'probe' }],
]

describe('while WeChat Pay misbehaves', () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await Stage.open({ time_scale: 60 })
  })
  afterAll(async () => await stage.close())

  /** Of one order only, so that all stories run side by side: most of their time is waiting for a silent WeChat. */
  const misbehave = (order: OrderKey, operation: FaultRequest['operation'], fault: Misbehaviour[1], times = 1) =>
    stage.simulator.control.addFault({ operation, times, ...order, ...fault })
  const placings = ({ out_trade_no }: OrderKey) =>
    stage.wechat.calls.filter((call) => call.out_trade_no === out_trade_no && call.operation === 'place')
  const newOrder = (): OrderKey => ({ mchid: stage.mchid, out_trade_no: stage.number() })

  describe.concurrent.each(passing)('and %s', (_, fault) => {
    it.concurrent('an order is placed all the same, always by the same bytes', async () => {
      const order = newOrder()
      misbehave(order, 'place', fault)
      await stage.create({ out_trade_no: order.out_trade_no })
      const record = await stage.reaches(order, 'awaiting_payment')
      expect(record.timeline.map(({ event }) => event)).toEqual(['placed'])
      expect(new Set(placings(order).map(({ body_sha256 }) => body_sha256)).size).toBe(1)
      // The code that is shown is the one that can be paid: an earlier, unanswered one has died.
      stage.simulator.control.pay({ code_url: record.code?.url ?? 'none' })
      await stage.reaches(order, 'fulfilled')
    })

    it.concurrent('a payment is found by asking all the same', async () => {
      const order = await stage.ordered()
      misbehave(order, 'query', fault)
      stage.pay(order, 'lose_notification')
      const record = await stage.reaches(order, 'fulfilled')
      expect(record.payment?.found_by).toBe('query')
    })

    it.concurrent('an order is closed only once a query has said so', async () => {
      const order = await stage.ordered()
      misbehave(order, 'close', fault)
      await stage.insist('POST', `/v1/orders/${order.out_trade_no}/close`)
      const record = await stage.reaches(order, 'closed')
      expect(record.timeline.at(-1)).toMatchObject({ event: 'closed_at_wechat' })
      const wechat = stage.wechat.orders.find(({ out_trade_no }) => out_trade_no === order.out_trade_no)
      expect(wechat?.trade_state).toBe('CLOSED')
    })
  })

  it('by refusing an order, the order fails with WeChat’s reason', async () => {
    const order = newOrder()
    misbehave(order, 'place', { fault: 'RULE_LIMIT' })
    const { status, body } = await stage.call('POST', '/v1/orders', {
      out_trade_no: order.out_trade_no,
      description: '龙井茶',
      amount: { total: 1 },
    })
    expect((await stage.reaches(order, 'failed')).failure).toMatchObject({ code: 'RULE_LIMIT', number_taken: false })
    if (status === 202) return // on a busy machine it is refused only after the answer
    expect([status, body.code]).toEqual([422, 'wechat_refused'])
    expect(body).toMatchObject({ wechat: { code: 'RULE_LIMIT', status: expect.any(Number) as number } })
  })

  // Once: the call itself goes out again, and what the repeat is told says nothing of the first. Twice: the next call.
  it.each([1, 2])(
    'by refusing an order after %i attempts that were never answered, the number is closed before it is given up',
    async (times) => {
      const order = newOrder()
      misbehave(order, 'place', { fault: 'disconnect_after' }, times)
      misbehave(order, 'place', { fault: 'RULE_LIMIT' })
      await stage.create({ out_trade_no: order.out_trade_no })
      const record = await stage.reaches(order, 'closed')
      expect(record.close_reason).toBe('placement_refused')
      const wechat = stage.wechat.orders.find(({ out_trade_no }) => out_trade_no === order.out_trade_no)
      expect(wechat?.trade_state).toBe('CLOSED')
    },
  )

  it('over the merchant’s set-up, the order waits with attention and goes on when it is mended', async () => {
    const order = newOrder()
    const { fault_id } = stage.simulator.control.addFault({
      operation: 'place',
      ...order,
      fault: 'APPID_MCHID_NOT_MATCH',
    })
    const creating = stage.create({ out_trade_no: order.out_trade_no })
    await until('attention', async () => (await stage.record(order)).attention?.code === 'wechat_setup')
    stage.simulator.control.removeFaults(fault_id)
    const record = await stage.reaches(order, 'awaiting_payment')
    expect(record.attention).toBeUndefined()
    expect([201, 202]).toContain((await creating).status)
  })

  it('by lagging, a payment that it does not see yet is found at the next question', async () => {
    const order = await stage.ordered()
    misbehave(order, 'query', { fault: 'lagging' }, 2)
    stage.pay(order, 'lose_notification')
    expect((await stage.reaches(order, 'fulfilled')).payment?.found_by).toBe('query')
  })
})
