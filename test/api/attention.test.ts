import { afterAll, describe, expect, it } from 'vitest'
import { reasons } from '../../api/reasons.ts'
import { attention_codes } from '../../domain/attention.ts'
import type { RefundRecord } from '../../domain/refund.ts'
import { at, deliverySample, mchid, paymentSample } from '../store/samples.ts'
import { newNumber, openDesk, orderBecomes, paidOrder } from './desk.ts'

const desk = await openDesk()
afterAll(() => desk.close())

interface Shown {
  data: { kind: string; code: string; why: string; since_time: string }[]
  is_complete: boolean
}
const list = (query = '', headers = {}) => desk.call<Shown>('GET', `/v1/attention${query}`, undefined, { headers })

async function stuckRefund(since_time: string): Promise<RefundRecord> {
  const { order } = await paidOrder(desk)
  const out_refund_no = newNumber('R')
  await desk.call('POST', '/v1/refunds', { out_refund_no, out_trade_no: order.out_trade_no, amount: { refund: 90 } })
  await desk.store.refunds.noteAttention({ mchid, out_refund_no }, 'created', 'not_enough', since_time)
  return (await desk.store.refunds.find({ mchid, out_refund_no })) as RefundRecord
}

describe('the list of what waits for a person', () => {
  it('is empty when nothing does', async () => {
    expect((await list()).body).toMatchObject({ data: [], is_complete: true })
  })

  it('holds things of every kind, the longest first, with what, how much and why', async () => {
    const { order } = await paidOrder(desk, {
      order: { state: 'review', attention: { code: 'payment_contradicted', since_time: at(20) } },
      payment: { amount: { total: 1, currency: 'CNY', payer_total: 1 } },
    })
    const refund = await stuckRefund(at(10))
    await desk.store.merchants.noteAttention(mchid, 'orphan_payment', at(30))
    const delivery = deliverySample('TEA-9', 1, { state: 'undelivered', create_time: at(5) })
    await desk.store.deliveries.insertMissing([delivery])
    const { body } = await list()
    expect(body.is_complete).toBe(true)
    expect(body.data).toEqual([
      expect.objectContaining({ kind: 'delivery', code: 'undelivered', delivery_id: delivery.id, since_time: at(5) }),
      expect.objectContaining({
        kind: 'refund',
        code: 'not_enough',
        amount: 90,
        out_refund_no: refund.out_refund_no,
        out_trade_no: refund.out_trade_no,
        next_action: refund.next_action,
      }),
      expect.objectContaining({
        kind: 'order',
        code: 'payment_contradicted',
        amount: 1,
        out_trade_no: order.out_trade_no,
        transaction_id: order.payment?.transaction_id,
        why: reasons.en.payment_contradicted,
      }),
      expect.objectContaining({ kind: 'merchant', code: 'orphan_payment', amount: null, next_action: null }),
    ])
  })

  it('names of a second payment that payment, as a decision on it must', async () => {
    const out_trade_no = newNumber()
    const order_id = `${mchid}/${out_trade_no}`
    const second = paymentSample(newNumber('4200'), { out_trade_no, order_id, role: 'second' })
    await desk.store.payments.insert({ ...second, amount: { total: 70, currency: 'CNY', payer_total: 70 } })
    const { order } = await paidOrder(desk)
    const { transaction_id } = second
    await orderBecomes(desk, order, { event: 'second_payment_found', transaction_id, time: at(90) })
    const { body } = await list()
    expect(body.data.at(-1)).toMatchObject({ code: 'second_payment', transaction_id, amount: 70 })
  })

  it('says when there is more than it shows', async () => {
    const { body } = await list('?limit=2')
    expect([body.data.map(({ kind }) => kind), body.is_complete]).toEqual([['delivery', 'refund'], false])
  })

  it('speaks Chinese to those who read it', async () => {
    const { body } = await list('', { 'accept-language': 'zh-CN' })
    expect(body.data.map(({ why }) => why)).toContain(reasons['zh-CN'].not_enough)
    for (const code of attention_codes) expect(reasons['zh-CN'][code]).toMatch(/[\u4e00-\u9fff]/)
  })

  it('is for keys that read orders', async () => {
    const key = await desk.newKey({ scopes: ['events:read'] })
    expect((await desk.call('GET', '/v1/attention', undefined, { key })).body['required_scope']).toBe('orders:read')
  })
})
