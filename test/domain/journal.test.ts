import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { assertBalanced, hasSamePostings, paymentEntry } from '../../domain/journal.ts'
import type { PaymentRecord, PaymentRole } from '../../domain/payment/record.ts'
import { at } from '../store/samples.ts'

function paid(role: PaymentRole, total: number, nocash: number): PaymentRecord {
  return {
    _id: '1900000001/4200001',
    mchid: '1900000001',
    transaction_id: '4200001',
    out_trade_no: 'T1',
    order_id: '1900000001/T1',
    role,
    revision: 0,
    evidence_id: 'e',
    appid: 'wx1',
    trade_type: null,
    bank_type: null,
    success_time: at(0),
    amount: { total, currency: 'CNY', payer_total: null },
    settled_total: total - nocash,
    refunds: [],
    last_refund_time: null,
    acceptance: null,
  }
}

describe('the booking of a payment', () => {
  it('sums to zero whatever the amount, the coupon and the role', () => {
    const roles = fc.constantFrom<PaymentRole>('order', 'late', 'second', 'contradicted', 'orphan')
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1e11 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        roles,
        (total, share, role) => {
          const entry = paymentEntry(paid(role, total, Math.floor(total * share)), at(1))
          expect(entry.postings.reduce((sum, { amount }) => sum + amount, 0)).toBe(0)
          expect(entry.postings.every(({ amount }) => amount !== 0)).toBe(true)
        },
      ),
    )
  })

  it('is a sale for what we asked for, and suspense for everything else', () => {
    expect(paymentEntry(paid('order', 990, 0), at(1)).postings).toEqual([
      { account: 'wechat.pending', key: '4200001', amount: 990 },
      { account: 'sales', key: 'T1', amount: -990 },
    ])
    for (const role of ['late', 'second', 'contradicted', 'orphan'] as const) {
      expect(paymentEntry(paid(role, 990, 0), at(1)).postings[1]).toEqual({
        account: 'suspense',
        key: '4200001',
        amount: -990,
      })
    }
  })

  it('books a coupon of the merchant’s own as what it gave away', () => {
    expect(paymentEntry(paid('order', 1000, 300), at(1)).postings).toEqual([
      { account: 'wechat.pending', key: '4200001', amount: 700 },
      { account: 'discount.nocash', key: 'T1', amount: 300 },
      { account: 'sales', key: 'T1', amount: -1000 },
    ])
  })

  it('has one id per transaction, whatever found it', () => {
    expect(paymentEntry(paid('order', 1, 0), at(1))._id).toBe(paymentEntry(paid('late', 2, 0), at(9))._id)
  })
})

describe('postings', () => {
  it('that do not balance, or are not whole fen, are refused', () => {
    expect(() =>
      assertBalanced([
        { account: 'sales', key: 'T1', amount: 1 },
        { account: 'suspense', key: 'x', amount: -2 },
      ]),
    ).toThrow('balance')
    expect(() =>
      assertBalanced([
        { account: 'sales', key: 'T1', amount: 0.5 },
        { account: 'suspense', key: 'x', amount: -0.5 },
      ]),
    ).toThrow('integer')
  })

  it('are the same in any order, and not with another amount', () => {
    const one = { account: 'sales', key: 'T1', amount: -1 } as const
    const two = { account: 'wechat.pending', key: 'x', amount: 1 } as const
    expect(hasSamePostings([one, two], [two, one])).toBe(true)
    expect(hasSamePostings([one, two], [one, { ...two, amount: 2 }])).toBe(false)
  })
})
