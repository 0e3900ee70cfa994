import { describe, expect, it } from 'vitest'
import { isSaleComing, judgePayment, keepsSale } from '../../../domain/order/judgement.ts'
import type { JudgedOrder } from '../../../domain/order/judgement.ts'
import { automaticOrigin, automaticReason } from '../../../domain/order/owed.ts'
import { order_events, order_states } from '../../../domain/order/record.ts'
import { contradictions } from '../../../domain/payment/fact.ts'
import { payment_roles } from '../../../domain/payment/record.ts'
import { isAutomaticOrigin, refund_origins } from '../../../domain/refund/record.ts'
import { factSample as fact } from '../../store/samples.ts'

const order: JudgedOrder = {
  mchid: '1900000001',
  appid: 'wx1',
  out_trade_no: 'T1',
  amount: { total: 990, currency: 'CNY' },
  state: 'awaiting_payment',
  payment: null,
  placement: { attempts: 1, unanswered: false },
  code: { url: 'weixin://x' },
}

describe('the role of money', () => {
  it('is order when it is what was asked for', () => {
    expect(judgePayment(order, fact, false)).toEqual({ role: 'order', event: 'payment_found', contradictions: [] })
  })

  it('does not change with what the payer really paid or how: coupons and trade types contradict nothing', () => {
    const couponed = { ...fact, trade_type: 'JSAPI', amount: { ...fact.amount, payer_total: 1 } }
    expect(judgePayment(order, couponed, false).role).toBe('order')
  })

  it.each([
    ['mchid', { mchid: '1900000002' }],
    ['appid', { appid: 'wx2' }],
    ['out_trade_no', { out_trade_no: 'T2' }],
    ['amount.total', { amount: { total: 991, currency: 'CNY', payer_total: null } }],
    ['amount.currency', { amount: { total: 990, currency: 'USD', payer_total: null } }],
  ])('is contradicted when %s differs, and says so', (field, difference) => {
    expect(contradictions(order, { ...fact, ...difference })).toEqual([field])
    expect(judgePayment(order, { ...fact, ...difference }, false)).toMatchObject({
      role: 'contradicted',
      event: 'payment_contradicted',
    })
  })

  it('is contradicted on a number of which no placement of ours was ever taken or left unanswered', () => {
    const never = { ...order, state: 'created' as const, code: null }
    expect(judgePayment(never, fact, false).role).toBe('contradicted')
    expect(judgePayment({ ...never, placement: { attempts: 1, unanswered: true } }, fact, false).role).toBe('order')
  })

  it('is second when the order has another payment, even a contradicting one', () => {
    const paid = { ...order, state: 'paid' as const, payment: { transaction_id: '4200000' } }
    const second = { role: 'second', event: 'second_payment_found', contradictions: [] }
    expect(judgePayment(paid, { ...fact, amount: { ...fact.amount, total: 1 } }, false)).toEqual(second)
    expect(judgePayment(paid, { ...fact, transaction_id: '4200000' }, false).role, 'its own').toBe('order')
  })

  it.each(['closed', 'failed'] as const)('is late when the order is %s', (state) => {
    const late = { role: 'late', event: 'late_payment_found', contradictions: [] }
    expect(judgePayment({ ...order, state }, fact, false)).toEqual(late)
  })

  it('is late when another number of the same sale holds the claim', () => {
    expect(judgePayment(order, fact, true).role).toBe('late')
  })

  it('goes to a person when it was first seen as already refunded', () => {
    const refunded = { ...fact, trade_state: 'REFUND' as const }
    const outside = { role: 'contradicted', event: 'payment_refunded_outside', contradictions: [] }
    expect(judgePayment(order, refunded, false)).toEqual(outside)
  })

  it('is orphan when there is no order', () => {
    expect(judgePayment(null, fact, false)).toEqual({ role: 'orphan', event: null, contradictions: [] })
  })
})

describe('the refund that Weft makes by itself', () => {
  it('follows from what leaves the payer without goods, and from nothing else', () => {
    const owing = order_events.flatMap((event) => {
      const origin = automaticOrigin(event)
      return origin === null ? [] : [[event, origin]]
    })
    expect(Object.fromEntries(owing)).toEqual({
      late_payment_found: 'late_payment',
      fulfilment_refused: 'fulfilment_refused',
      fulfilment_overdue: 'fulfilment_overdue',
      rejected: 'review_rejected',
      second_rejected: 'second_payment',
    })
  })

  it('tells the payer why, each in words of its own that fit into WeChat’s 80 bytes', () => {
    const owed = refund_origins.filter(isAutomaticOrigin) as Parameters<typeof automaticReason>[0][]
    const words = owed.map(automaticReason)
    expect(new Set(words).size).toBe(5)
    for (const word of words) expect(word).toMatch(/^\p{Script=Han}{4,26}$/u)
  })
})

describe('the claim of a sale', () => {
  it('is kept by an order whose money stays, is coming, or may still come', () => {
    expect(order_states.filter(keepsSale)).toEqual([
      'created',
      'awaiting_payment',
      'closing',
      'paid',
      'fulfilled',
      'review',
    ])
  })

  it('comes back to an ended order only with money whose role was decided before', () => {
    for (const state of order_states)
      for (const role of payment_roles)
        expect([state, role, isSaleComing(state, [{ role: 'second' }, { role }])]).toEqual([
          state,
          role,
          (state === 'closed' || state === 'failed') && role === 'order',
        ])
    expect(isSaleComing('closed', [])).toBe(false)
  })
})
