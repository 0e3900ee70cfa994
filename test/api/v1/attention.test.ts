import { afterAll, describe, expect, it } from 'vitest'
import { attention_reasons } from '../../../domain/reason.ts'
import { attention_codes } from '../../../domain/attention.ts'
import { beijingTime, milliseconds } from '../../../domain/calendar.ts'
import type { RefundRecord } from '../../../domain/refund/record.ts'
import { at, checkoutSample, deliverySample, evidenceSample, mchid, paymentSample } from '../../store/samples.ts'
import { newNumber, openApiStage, orderBecomes, paidOrder } from '../apistage.ts'
import type { Key } from '../apistage.ts'

const stage = await openApiStage()
afterAll(() => stage.close())

interface Shown {
  data: {
    kind: string
    code: string
    why: string
    since_time: string
    next_action: { what: string; time: string } | null
  }[]
  is_complete: boolean
}
const day_ms = 24 * 60 * 60_000
const list = (query = '', headers = {}) => stage.call<Shown>('GET', `/v1/attention${query}`, undefined, { headers })

async function stuckRefund(since_time: string): Promise<RefundRecord> {
  const { order } = await paidOrder(stage)
  const out_refund_no = newNumber('R')
  await stage.call('POST', '/v1/refunds', { out_refund_no, out_trade_no: order.out_trade_no, amount: { refund: 90 } })
  await stage.store.refunds.noteAttention({ mchid, out_refund_no }, 'created', { code: 'not_enough', since_time })
  return (await stage.store.refunds.find({ mchid, out_refund_no })) as RefundRecord
}

describe('the list of what waits for a person', () => {
  it('is empty when nothing does', async () => {
    expect((await list()).body).toMatchObject({ data: [], is_complete: true })
  })

  it('holds things of every kind, the longest first, with what, how much and why', async () => {
    const { order } = await paidOrder(stage, {
      order: { state: 'review', attention: { code: 'payment_contradicted', since_time: at(20) } },
      payment: { amount: { total: 1, currency: 'CNY', payer_total: 1 } },
    })
    const refund = await stuckRefund(at(10))
    await stage.store.merchants.noteAttention(mchid, 'evidence_unapplied', at(30))
    await stage.store.merchants.noteAttention(mchid, 'orphan_payment', at(30))
    const delivery = deliverySample('TEA-9', 1, { state: 'undelivered', create_time: at(5) })
    await stage.store.deliveries.insertMissing([delivery])
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
        why: attention_reasons.en.payment_contradicted,
      }),
      expect.objectContaining({ kind: 'merchant', code: 'evidence_unapplied', amount: null, next_action: null }),
    ])
  })

  it('names all money without an owner, each by itself, until it is somebody’s or went back', async () => {
    const orphans = async () => (await list()).body.data.filter(({ code }) => code === 'orphan_payment')
    const out_trade_no = newNumber()
    const heard = { out_trade_no, transaction_id: `4200${out_trade_no}`, outcome: 'orphan', unapplied: true } as const
    await stage.store.evidence.archive(
      evidenceSample(out_trade_no, { ...heard, receive_time: beijingTime(Date.now()) }),
    )
    const [reported] = await orphans()
    expect(reported).toMatchObject({ kind: 'payment', amount: null, transaction_id: heard.transaction_id })
    expect(reported?.next_action?.what).toBe('ask_wechat')
    expect(milliseconds(reported?.next_action?.time ?? '')).toBeGreaterThan(Date.now())

    const amount = { total: 70, currency: 'CNY', payer_total: 70 }
    const orphan = paymentSample(heard.transaction_id, { out_trade_no, order_id: null, role: 'orphan', amount })
    await stage.store.payments.insert(orphan)
    expect(await orphans()).toEqual([
      expect.objectContaining({ kind: 'payment', amount: 70, out_trade_no, transaction_id: heard.transaction_id }),
    ])
    await stage.store.payments.assignToOrder(orphan, `${mchid}/${out_trade_no}`)
    const { _id } = evidenceSample(out_trade_no)
    await stage.store.evidence.recordOutcome(_id, { outcome: 'applied', applied_to: null, time: at(50) })
    expect(await orphans()).toEqual([])
  })

  it('names a key that runs out within two weeks, and none that is younger, revoked or long gone', async () => {
    const { id: key_id } = await stage.newKey({ expire_time: beijingTime(Date.now() + 13 * day_ms) })
    await stage.newKey({ expire_time: beijingTime(Date.now() + 15 * day_ms) })
    await stage.newKey({ expire_time: beijingTime(Date.now() - 15 * day_ms) })
    const revoked = await stage.newKey({ expire_time: beijingTime(Date.now() + 13 * day_ms) })
    await stage.store.keys.revoke(mchid, revoked.id, at(1))
    const { body } = await list()
    expect(body.data.filter(({ code }) => code === 'key_expiring')).toEqual([
      expect.objectContaining({ kind: 'key', key_id }),
    ])
  })

  it('quotes what WeChat Pay answered, here and on the refund, and names which product of the merchant is meant', async () => {
    const refund = await stuckRefund(at(70))
    const told = { code: 'not_enough', since_time: at(70), detail: '403 NOT_ENOUGH: 基本账户余额不足' } as const
    await stage.store.refunds.noteAttention(refund, 'created', told)
    const found = (await list()).body.data.filter(({ since_time }) => since_time === told.since_time)
    expect(found).toEqual([expect.objectContaining(told)])
    const { body } = await stage.call('GET', `/v1/refunds/${refund.out_refund_no}`)
    expect(body['attention']).toEqual(told)
    await stage.store.merchants.noteProductRefused(mchid, 'MWEB', at(80))
    const merchant = (await stage.call('GET', `/v1/merchants/${mchid}`)).body['attentions']
    expect(merchant).toContainEqual({ code: 'product_not_enabled', since_time: at(80), detail: 'MWEB' })
    expect(merchant).toContainEqual({ code: 'evidence_unapplied', since_time: at(30), detail: null })
    await stage.store.merchants.liftProductRefused(mchid, 'MWEB')
  })

  it('names a checkout of which a payer was refused, with what is to be paid and what comes next', async () => {
    const out_trade_no = newNumber()
    const checkout = checkoutSample(out_trade_no)
    await stage.store.checkouts.insert(checkout)
    expect(await stage.store.checkouts.noteExhausted(checkout, at(40))).toBe(true)
    expect(await stage.store.checkouts.noteExhausted(checkout, at(50))).toBe(false)
    const found = (await list()).body.data.filter(({ kind }) => kind === 'checkout')
    const { next_action } = checkout
    expect(found).toEqual([
      expect.objectContaining({
        ...{ code: 'checkout_exhausted', out_trade_no, amount: 990, since_time: at(40), next_action },
        why: attention_reasons.en.checkout_exhausted,
      }),
    ])
    await stage.call('POST', `/v1/checkouts/${out_trade_no}/cancel`)
    expect((await list()).body.data.filter(({ kind }) => kind === 'checkout')).toEqual([])
  })

  it('names no delivery whose answer would decide: its order is what waits', async () => {
    const given_up = { state: 'undelivered', create_time: at(1) } as const
    await stage.store.deliveries.insertMissing([deliverySample('TEA-8', 1, { ...given_up, purpose: 'fulfilment' })])
    const { body } = await list()
    expect(body.data.filter(({ kind }) => kind === 'delivery')).toHaveLength(1)
  })

  it('loses what is said of the merchant when a person says to have looked, and nothing else', async () => {
    const before = (await list()).body.data.length
    const settle = (code: string, key?: Key) =>
      stage.call<Shown>('POST', `/v1/attention/${code}/settlement`, { reason: 'explained' }, key && { key })
    const reader = await stage.newKey({ scopes: ['orders:read'] })
    expect((await settle('evidence_unapplied', reader)).status).toBe(403)
    expect((await settle('not_enough')).body.data).toHaveLength(before)
    const settled = await settle('evidence_unapplied')
    expect([settled.status, settled.body.data.length]).toEqual([200, before - 1])
    expect((await settle('evidence_unapplied')).status).toBe(200)
    expect((await settle('no_such_code')).status).toBe(400)
  })

  it('names of a second payment that payment, as a decision on it must', async () => {
    const out_trade_no = newNumber()
    const order_id = `${mchid}/${out_trade_no}`
    const second = paymentSample(newNumber('4200'), { out_trade_no, order_id, role: 'second' })
    await stage.store.payments.insert({ ...second, amount: { total: 70, currency: 'CNY', payer_total: 70 } })
    const { order } = await paidOrder(stage)
    const { transaction_id } = second
    await orderBecomes(stage, order, { event: 'second_payment_found', transaction_id, time: at(90) })
    const { body } = await list()
    const second_payments = body.data.filter(({ code }) => code === 'second_payment')
    expect(second_payments).toEqual([expect.objectContaining({ transaction_id, amount: 70 })])
  })

  it('says when there is more than it shows', async () => {
    const { body } = await list('?limit=2')
    expect([body.data.map(({ kind }) => kind), body.is_complete]).toEqual([['delivery', 'refund'], false])
  })

  it('speaks Chinese to those who read it', async () => {
    const { body } = await list('', { 'accept-language': 'zh-CN' })
    expect(body.data.map(({ why }) => why)).toContain(attention_reasons['zh-CN'].not_enough)
    for (const code of attention_codes) expect(attention_reasons['zh-CN'][code]).toMatch(/[\u4e00-\u9fff]/)
  })

  it('is for keys that read orders', async () => {
    const key = await stage.newKey({ scopes: ['events:read'] })
    expect((await stage.call('GET', '/v1/attention', undefined, { key })).body['required_scope']).toBe('orders:read')
  })
})
