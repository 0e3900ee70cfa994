import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RefundView } from '../../../domain/event/view.ts'
import { callsOf } from '../../stage/audit.ts'
import { expectBook, expectHeard } from '../../stage/money.ts'
import { Stage } from '../../stage/stage.ts'
import { until } from '../../stage/until.ts'

/** What the book says of a payment of 990 fen that went back whole. */
const all_given_back = { 'wechat.pending': 990, 'wechat.refund_transit': -990 }

describe('a refund that the merchant asks for', () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await Stage.open({ time_scale: 60, simulator: { time_scale: 60 } })
  })
  afterAll(async () => await stage.close())

  it('of everything gives the payer the money back and tells the merchant', async () => {
    const order = await stage.fulfilled()
    const request = { out_refund_no: stage.refundNumber(), out_trade_no: order.out_trade_no, amount: { refund: 990 } }
    const { status, headers, body } = await stage.insist<RefundView>('POST', '/v1/refunds', request)
    expect([status, body.amount.refund]).toEqual([headers.get('weft-replay') === null ? 201 : 200, 990])
    const refund = await stage.refundReaches(body.out_refund_no, 'succeeded')
    expect(refund.facts?.success_time).not.toBeNull()
    await expectHeard(stage, order, 'order.paid', 'order.fulfilled', 'refund.succeeded')
    const answer = await stage.call<{ state: string; amount: object }>('GET', `/v1/orders/${order.out_trade_no}`)
    expect(answer.body).toMatchObject({ state: 'fulfilled', amount: { total: 990, refunded: 990, refund_pending: 0 } })
    expect(stage.wechat.refunds).toMatchObject([{ out_refund_no: body.out_refund_no, status: 'SUCCESS' }])
    await expectBook(stage, order, all_given_back)
  })

  it('of parts takes each once, waits for WeChat’s minute between them, and stops at what was paid', async () => {
    const order = await stage.fulfilled()
    const { out_trade_no } = order
    const parts = await Promise.all([300, 300].map((refund) => stage.refunding({ out_trade_no, amount: { refund } })))
    const request = { out_refund_no: stage.refundNumber(), out_trade_no, amount: { refund: 391 } }
    const beyond = await stage.insist<{ code: string }>('POST', '/v1/refunds', request)
    expect([beyond.status, beyond.body.code]).toEqual([409, 'refund_exceeds_payment'])
    const rest = await stage.refunding({ out_trade_no, amount: { refund: 390 } })
    for (const number of [...parts, rest]) await stage.refundReaches(number, 'succeeded')
    await until(
      'all three are told',
      () => stage.shop.typesOf(out_trade_no).filter((type) => type === 'refund.succeeded').length === 3,
    )
    const sequences = stage.shop.of(out_trade_no).map(({ sequence }) => sequence)
    expect([...sequences].sort((a, b) => a - b)).toEqual(sequences)
    await expectBook(stage, order, all_given_back)
  })

  it('asked for by twenty callers at once never exceeds the payment, and each is told exactly', async () => {
    const order = await stage.fulfilled()
    const { mchid, out_trade_no, transaction_id } = order
    const keys = [stage.key, await stage.anotherKey(), await stage.anotherKey(), await stage.anotherKey()]
    const ports = [stage.config.port, await stage.anotherApi()]
    // Every key at every API: callers that share nothing but the payment.
    const answers = await Promise.all(
      Array.from({ length: 20 }, async (_, caller) => {
        const request = { out_refund_no: stage.refundNumber(), out_trade_no, amount: { refund: 100 } }
        const [key, port] = [keys[caller % 4], ports[Math.floor(caller / 4) % 2]]
        return { ...request, ...(await stage.call<RefundView>('POST', '/v1/refunds', request, key, port)) }
      }),
    )
    const refunds = await until('all are decided', async () => {
      const all = await stage.store.refunds.ofOrder(mchid, out_trade_no)
      return all.length === 20 && all.every(({ state }) => state !== 'created') && all
    })
    const reserved = refunds.filter(({ state }) => state !== 'refused').map(({ out_refund_no }) => out_refund_no)
    const refused = refunds.filter(({ state }) => state === 'refused').map(({ out_refund_no }) => out_refund_no)
    expect([reserved.length, refused.length]).toEqual([9, 11])
    for (const { out_refund_no, status, body } of answers) {
      // 202: not decided yet when the answer had to go.
      if (status === 202) continue
      expect(status).toBe(reserved.includes(out_refund_no) ? 201 : 409)
      if (status === 409) expect(body).toMatchObject({ code: 'refund_exceeds_payment', refund: 100, refundable: 90 })
    }
    const payment = await stage.store.payments.find(mchid, transaction_id)
    const held = payment?.refunds.map(({ out_refund_no, amount }) => [out_refund_no, amount])
    expect(held?.sort()).toEqual(reserved.map((number) => [number, 100]).sort())

    for (const number of reserved) await stage.refundReaches(number, 'succeeded')
    const there = stage.simulator.control.view(mchid, out_trade_no).refunds
    expect(there.map(({ out_refund_no, amount }) => [out_refund_no, amount.refund]).sort()).toEqual(held)
    const asked = callsOf(stage, order, 'refund').map(({ out_refund_no }) => out_refund_no)
    expect([...new Set(asked)].sort()).toEqual(reserved.sort())
  })

  it('while the merchant has not answered yet stops the fulfilment first', async () => {
    const slow = await Stage.open({
      time_scale: 60,
      settings: { fulfilment: { mode: 'event' } },
      simulator: { time_scale: 60 },
    })
    slow.shop.answer = (event) => (event.type === 'order.paid' ? { status: 500 } : { status: 204 })
    const order = await slow.ordered()
    slow.pay(order)
    await slow.reaches(order, 'paid')
    const { body } = await slow.refund({ out_trade_no: order.out_trade_no, amount: { refund: 990 } })
    await slow.refundReaches(body.out_refund_no, 'succeeded')
    await slow.reaches(order, 'refunded')
    // Whether order.paid was sent before it was taken back is a matter of speed.
    const stopped = ['order.fulfilment_cancelled', 'order.refunding', 'refund.succeeded', 'order.refunded']
    await until('the merchant heard that all goes back', () => {
      const heard = new Set(slow.shop.typesOf(order.out_trade_no))
      return stopped.every((type) => heard.has(type))
    })
    const { timeline } = await slow.record(order)
    expect(timeline.map(({ event }) => event)).toEqual([
      'placed',
      'payment_found',
      'fulfilment_stopped',
      'full_refund_requested',
      'refund_changed',
      'refunded',
    ])
    await slow.close()
  })
})

describe('money that Weft owes back by itself', () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await Stage.open({
      time_scale: 60,
      settings: { fulfilment: { mode: 'event' } },
      simulator: { time_scale: 60 },
    })
  })
  afterAll(async () => await stage.close())

  it('is a late payment’s, found after the order was closed', async () => {
    const order = await stage.ordered()
    await stage.insist('POST', `/v1/orders/${order.out_trade_no}/close`)
    await stage.reaches(order, 'closed')
    const { transaction_id } = stage.pay(order, 'pay_after_close')
    await stage.reaches(order, 'refunded')
    expect(await stage.owedRefund(order)).toMatchObject({
      origin: 'late_payment',
      transaction_id,
      state: 'succeeded',
      amount: { refund: 990 },
    })
    await expectHeard(stage, order, 'order.closed', 'order.late_payment', 'refund.succeeded', 'order.refunded')
    await expectBook(stage, order, all_given_back)
  })

  it('is that of an order which the merchant cannot ship', async () => {
    stage.shop.answer = (event) =>
      event.type === 'order.paid'
        ? { status: 200, body: '{"fulfilment":"refused","reason":"sold out"}' }
        : { status: 204 }
    const order = await stage.ordered()
    stage.pay(order)
    await stage.reaches(order, 'refunded')
    expect((await stage.owedRefund(order)).origin).toBe('fulfilment_refused')
    await expectHeard(stage, order, 'order.paid', 'order.refunding', 'refund.succeeded', 'order.refunded')
    await expectBook(stage, order, all_given_back)
  })
})
