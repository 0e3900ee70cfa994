import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { OrderView } from '../../../domain/event/view.ts'
import { Stage } from '../../stage/stage.ts'
import { until } from '../../stage/until.ts'

describe('closing an order', () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await Stage.open({ time_scale: 30 })
  })
  afterAll(async () => await stage.close())

  const close = (out_trade_no: string) => stage.insist<OrderView>('POST', `/v1/orders/${out_trade_no}/close`)
  const traded = (out_trade_no: string) =>
    stage.wechat.orders.find((order) => order.out_trade_no === out_trade_no)?.trade_state

  it('by the merchant ends closed at WeChat, proven by a query', async () => {
    const order = await stage.ordered()
    const { status, body } = await close(order.out_trade_no)
    expect([status, body.state, body.close_reason]).toEqual([200, 'closed', 'merchant'])
    expect(traded(order.out_trade_no)).toBe('CLOSED')
    const { timeline } = await stage.record(order)
    expect(timeline.map(({ event }) => event)).toEqual(['placed', 'close_asked', 'closed_at_wechat'])
    expect(timeline.at(-1)?.evidence_id).not.toBeNull()
    await until('the merchant is told', () => stage.shop.typesOf(order.out_trade_no).includes('order.closed'))
  })

  it('again says the same, and nothing happens', async () => {
    const order = await stage.ordered()
    await close(order.out_trade_no)
    const before = await stage.record(order)
    const { status, body } = await close(order.out_trade_no)
    expect([status, body.state]).toEqual([200, 'closed'])
    expect((await stage.record(order)).revision).toBe(before.revision)
  })

  it('of a paid order is refused with the reason', async () => {
    const order = await stage.ordered()
    stage.pay(order)
    await stage.reaches(order, 'fulfilled')
    const { status, body } = await stage.insist('POST', `/v1/orders/${order.out_trade_no}/close`)
    expect([status, body.code]).toEqual([409, 'order_paid'])
  })

  it('loses to a payer who pays while WeChat is closing', async () => {
    const order = await stage.ordered()
    stage.pay(order, 'pay_while_closing')
    const { status } = await stage.insist('POST', `/v1/orders/${order.out_trade_no}/close`)
    expect(status).toBe(409)
    const record = await stage.reaches(order, 'fulfilled')
    expect(record.payment?.role).toBe('order')
    expect(record.timeline.map(({ event }) => event)).toEqual(['placed', 'close_asked', 'payment_found', 'fulfilled'])
  })

  it('loses to a payer who pays after the close was sent and never answered', async () => {
    const order = await stage.ordered()
    stage.pay(order, 'pay_after_close_sent')
    await stage.call('POST', `/v1/orders/${order.out_trade_no}/close`)
    const record = await stage.reaches(order, 'fulfilled')
    expect(record.payment?.role).toBe('order')
  })

  it('gives money that arrives afterwards an owner: late, booked in suspense, and back to the payer', async () => {
    const order = await stage.ordered()
    await close(order.out_trade_no)
    await stage.reaches(order, 'closed')
    const { transaction_id } = stage.pay(order, 'pay_after_close')
    const record = await stage.reaches(order, 'refunded')
    expect(record.payment).toMatchObject({ transaction_id, role: 'late' })
    const [entry] = await stage.store.journal.ofOrder(order.mchid, order.out_trade_no)
    expect(entry?.postings).toContainEqual({ account: 'suspense', key: transaction_id, amount: -990 })
    await until('the merchant is told', () => stage.shop.typesOf(order.out_trade_no).includes('order.late_payment'))
    expect(stage.shop.typesOf(order.out_trade_no)).not.toContain('order.paid')
  })
})

describe('an order whose time runs out', () => {
  it('is paid and fulfilled when the payer pays while WeChat is closing it', async () => {
    const stage = await Stage.open({ time_scale: 60 })
    try {
      const { order, met } = await stage.expiring((placed) => stage.pay(placed, 'pay_while_closing'))
      const record = await stage.reaches(order, 'fulfilled')
      expect(record.close_reason).toBe('expired')
      expect(record.payment).toMatchObject({ transaction_id: met.transaction_id, role: 'order' })
      expect(record.timeline.map(({ event }) => event)).toEqual(['placed', 'close_asked', 'payment_found', 'fulfilled'])
      expect(Date.parse(record.payment?.success_time ?? '')).toBeGreaterThanOrEqual(Date.parse(record.time_expire))
    } finally {
      await stage.close()
    }
  })
})

describe('an order that nobody pays', () => {
  it('expires, is closed at WeChat, and only then says closed', async () => {
    // Time runs 60 times faster, so the shortest life of an order is two seconds instead of two minutes.
    const stage = await Stage.open({ time_scale: 60 })
    try {
      const { order } = await stage.expiring(() => 'placed')
      const record = await stage.reaches(order, 'closed')
      expect(record.close_reason).toBe('expired')
      expect(record.timeline.map(({ event }) => event)).toEqual(['placed', 'close_asked', 'closed_at_wechat'])
      const there = stage.wechat.orders.filter(({ out_trade_no }) => out_trade_no === order.out_trade_no)
      expect(there.map(({ trade_state }) => trade_state)).toEqual(['CLOSED'])
    } finally {
      await stage.close()
    }
  })
})
