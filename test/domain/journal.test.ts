import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  acceptanceEntry,
  assertBalanced,
  cashPart,
  hasSamePostings,
  isPostedRefundEvent,
  paymentEntry,
  refund_entries,
  refund_income_moves,
  reversalEntry,
} from '../../domain/journal.ts'
import type { PostedRefundEvent } from '../../domain/journal.ts'
import type { Income, PaymentRecord, PaymentRole } from '../../domain/payment/record.ts'
import { newRefund, refund_events } from '../../domain/refund/record.ts'
import type { RefundState } from '../../domain/refund/record.ts'
import { at, paymentSample } from '../store/samples.ts'

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

  it('says when and by what evidence it happened', () => {
    expect(paymentEntry(paid('order', 990, 0), at(1))).toMatchObject({
      ...{ kind: 'payment', mchid: '1900000001', out_trade_no: 'T1', out_refund_no: null },
      ...{ occurred_time: at(0), booked_time: at(1), evidence_id: 'e', reverses: null },
    })
  })
})

describe('the booking of money that a person accepted', () => {
  it('moves what is left of it out of suspense, once', () => {
    const entry = acceptanceEntry(paid('late', 990, 0), 390, { occurred_time: at(5), booked_time: at(6) })
    expect(entry).toEqual({
      ...{ _id: 'accept:1900000001:4200001', kind: 'acceptance', mchid: '1900000001' },
      ...{ out_trade_no: 'T1', out_refund_no: null, evidence_id: 'e', reverses: null },
      ...{ occurred_time: at(5), booked_time: at(6) },
      postings: [
        { account: 'suspense', key: '4200001', amount: 390 },
        { account: 'sales', key: 'T1', amount: -390 },
      ],
    })
  })
})

/** The rows of docs/money.md §2 that a refund makes, typed out a second time; `x`: the account that its payment stands in. */
type Row = [step: string, kind: string, postings: Record<string, 'R' | '-R' | 'Q' | '-Q' | 'R-Q' | 'Q-R'>]
const booked: [event: PostedRefundEvent, state: RefundState, ...Row][] = [
  [
    ...(['accepted', 'processing', 'refund:…:accepted', 'refund_accepted'] as const),
    { x: 'R', 'refund.payable/R1': '-Q', 'discount.nocash/TEA-1': 'Q-R' },
  ],
  [
    ...(['succeeded', 'succeeded', 'refund:…:success', 'refund_succeeded'] as const),
    { 'refund.payable/R1': 'Q', 'wechat.refund_transit/w-1': '-Q' },
  ],
  [
    ...(['returned_to_merchant', 'returned_to_merchant', 'refund:…:returned', 'refund_returned'] as const),
    { 'merchant.bank/-': 'Q', 'wechat.refund_transit/w-1': '-Q' },
  ],
  [
    ...(['closed', 'closed', 'refund:…:closed', 'refund_closed'] as const),
    { 'refund.payable/R1': 'Q', 'discount.nocash/TEA-1': 'R-Q', x: '-R' },
  ],
  [
    ...(['paid_out', 'returned_to_merchant', 'payout:…', 'payout'] as const),
    { 'refund.payable/R1': 'Q', 'merchant.bank/-': '-Q' },
  ],
  ...(['closed', 'refused'] as const).map((state): [PostedRefundEvent, RefundState, ...Row] => [
    ...(['paid_out', state, 'payout:…', 'payout'] as const),
    { x: 'R', 'merchant.bank/-': '-Q', 'discount.nocash/TEA-1': 'Q-R' },
  ]),
]

describe('the booking of a refund', () => {
  const draft = { out_refund_no: 'R1', origin: 'api', requested_by: { kind: 'weft', id: null } } as const
  const sample = { ...draft, notify_url: '', is_full: false, create_time: at(1), amount: 600 }
  const refund = newRefund(paymentSample('t1'), sample)

  it.each(booked)('that is %s in %s is %s', (event, state, name, kind, row) => {
    for (const income of ['sales', 'suspense'] as const satisfies Income[]) {
      for (const settlement_refund of [540, 600, 0]) {
        const times = { occurred_time: at(7), booked_time: at(8) }
        const step = { ...times, income, settlement_refund, refund_id: 'w-1', evidence_id: 'e' }
        const [R, Q] = [600, settlement_refund]
        const fen = { R, '-R': -R, Q, '-Q': -Q, 'R-Q': R - Q, 'Q-R': Q - R }
        const x = income === 'sales' ? 'sales/TEA-1' : 'suspense/t1'
        const wanted = Object.entries(row).map(([account, amount]) => [account === 'x' ? x : account, fen[amount]])
        const moved = wanted.filter(([, amount]) => amount !== 0)
        const entry = refund_entries[event]({ ...refund, state }, step)
        if (entry === null) {
          expect(moved, 'what moves nothing is no entry').toEqual([])
          continue
        }
        expect(entry).toMatchObject({
          ...{ _id: name.replace('…', '1900000001:R1'), kind, out_trade_no: 'TEA-1', out_refund_no: 'R1' },
          ...{ mchid: '1900000001', evidence_id: 'e', reverses: null, ...times },
        })
        const given = entry.postings.map(({ account, key, amount }) => [`${account}/${key}`, amount])
        expect(Object.fromEntries(given)).toEqual(Object.fromEntries(moved))
        expect(given).toHaveLength(moved.length)
        expect(entry.postings.reduce((sum, { amount }) => sum + amount, 0)).toBe(0)
      }
    }
  })

  it('is made by these events and no other, of which three move its payment’s income', () => {
    const events = ['accepted', 'succeeded', 'closed', 'returned_to_merchant', 'paid_out']
    expect(refund_events.filter(isPostedRefundEvent)).toEqual(events)
    expect(refund_income_moves).toEqual({ accepted: 'accepted', closed: 'closed', paid_out: 'settled' })
  })

  it.each([
    [990, 890, 990, 890],
    [990, 890, 1, 1],
    [990, 890, 600, 540],
    [990, 990, 600, 600],
    [990, 0, 600, 0],
  ])('that WeChat never took leaves of %i fen, of which %i were paid, by %i fen: %i in cash', (total, S, R, cash) => {
    const amount = { total, currency: 'CNY', payer_total: null }
    expect(cashPart({ amount, settled_total: S }, R)).toBe(cash)
  })
})

describe('the reversal of an entry', () => {
  it('takes back exactly what that one posted, and names it', () => {
    const entry = paymentEntry(paid('order', 1000, 300), at(1))
    const times = { occurred_time: at(2), booked_time: at(3), evidence_id: 'why' }
    expect(reversalEntry(entry, times)).toEqual({
      ...{ ...entry, ...times, _id: 'rev:pay:1900000001:4200001', reverses: 'pay:1900000001:4200001' },
      postings: [
        { account: 'wechat.pending', key: '4200001', amount: -700 },
        { account: 'discount.nocash', key: 'T1', amount: -300 },
        { account: 'sales', key: 'T1', amount: 1000 },
      ],
    })
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
    expect(() => assertBalanced([])).toThrow('balance')
    expect(() => assertBalanced([{ account: 'sales', key: 'T1', amount: 0 }])).toThrow('balance')
  })

  it('are the same in any order, and not with another amount', () => {
    const one = { account: 'sales', key: 'T1', amount: -1 } as const
    const two = { account: 'wechat.pending', key: 'x', amount: 1 } as const
    expect(hasSamePostings([one, two], [two, one])).toBe(true)
    expect(hasSamePostings([one, two], [one, { ...two, amount: 2 }])).toBe(false)
    expect(hasSamePostings([one, two], [one, { ...two, key: 'y' }])).toBe(false)
    expect(hasSamePostings([one, two], [one, { ...two, account: 'suspense' }])).toBe(false)
    expect(hasSamePostings([one, two], [one])).toBe(false)
  })
})
