import { describe, expect, it } from 'vitest'
import { acceptable_kinds, acceptanceOf, actionStates, paymentCorrections } from '../../../domain/bill/acceptance.ts'
import { difference_kinds } from '../../../domain/bill/difference.ts'
import type { DifferenceKind } from '../../../domain/bill/difference.ts'
import { acceptanceEntry, assertBalanced, paymentEntry } from '../../../domain/journal.ts'
import type { JournalEntry } from '../../../domain/journal.ts'
import type { PaymentRecord } from '../../../domain/payment/record.ts'
import { at, paymentSample } from '../../store/samples.ts'

const payment = paymentSample('4200a', { out_trade_no: 'TEA-1', settled_total: 990 })
const line = { transaction_id: '4200a', currency: 'CNY', total: 990, settled_total: 980 }
const of = (bill: object | null, paid: PaymentRecord | null = payment) =>
  acceptanceOf({ kind: 'amount', amount: 10, bill: bill && { ...bill } }, { payment: paid })

describe('an action about a difference', () => {
  it.each([
    ['check', ['waiting', 'open', 'settling']],
    ['ignore', ['waiting', 'open']],
    ['reopen', ['ignored', 'settled']],
    ['refund', ['waiting', 'open']],
    ['accept_wechat', ['open']],
  ] as const)('%s goes from %s', (action, states) => {
    expect(actionStates(action)).toEqual(states)
  })
})

describe('WeChat’s word on a difference', () => {
  it('is booked where it says what the merchant gets of what was paid', () => {
    expect(of(line)).toEqual({ changes: 'settled_total', settled_total: 980, apart: 10 })
    expect(of({ ...line, total: null })).toEqual({ changes: 'settled_total', settled_total: 980, apart: 10 })
    expect(of({ ...line, settled_total: 990 }), 'the record says so already').toMatchObject({
      settled_total: 990,
      apart: 0,
    })
  })

  it.each([
    ['another sum was paid', 'other_total', { ...line, total: 991 }],
    ['another currency', 'other_currency', { ...line, currency: 'HKD' }],
    ['another payment', 'other_number', { ...line, transaction_id: '4200b' }],
    ['more than was paid', 'no_amount', { ...line, settled_total: 991 }],
    ['less than nothing', 'no_amount', { ...line, settled_total: -1 }],
    ['no amount of fen', 'no_amount', { ...line, settled_total: 9.8 }],
    ['no amount', 'no_amount', { ...line, settled_total: '980' }],
  ])('is not where it is %s, and says so: %s', (_what, because, bill) => {
    expect(of(bill)).toEqual({ instead: 'ignore', because })
  })

  it('is not where there is no record, no line, or money that was paid back by hand', () => {
    expect(of(line, null)).toEqual({ instead: 'check', because: 'nothing_recorded' })
    expect(of(null)).toEqual({ instead: 'check', because: 'nothing_recorded' })
    const by_hand = { out_refund_no: 'R-1', amount: 90, state: 'settled' } as const
    expect(of(line, { ...payment, refunds: [by_hand] })).toEqual({ instead: 'ignore', because: 'paid_by_hand' })
  })

  it('is that a payment was never made, where nothing of it has gone back or may go', () => {
    const denied = (refunds: PaymentRecord['refunds'], paid: PaymentRecord | null = { ...payment, refunds }) =>
      acceptanceOf({ kind: 'phantom_payment', amount: 990, bill: null }, { payment: paid })
    expect(denied([])).toEqual({ changes: 'denial', apart: 990 })
    expect(denied([], null)).toEqual({ instead: 'check', because: 'nothing_recorded' })
    const refund = (state: 'reserved' | 'settled' | 'closed' | 'released') => ({ out_refund_no: 'R', amount: 9, state })
    expect(denied([refund('reserved')])).toEqual({ instead: 'check', because: 'refunded' })
    expect(denied([refund('settled')])).toEqual({ instead: 'check', because: 'refunded' })
    expect(denied([refund('closed'), refund('released')])).toEqual({ changes: 'denial', apart: 990 })
  })

  it('is in the book already of a fee, and of no other kind; each says what can be done', () => {
    expect(acceptanceOf({ kind: 'fee', amount: 7, bill: null }, { payment: null })).toEqual({
      changes: 'nothing',
      apart: 7,
    })
    const of_kind = (kind: DifferenceKind) => acceptanceOf({ kind, amount: 7, bill: line }, { payment })
    const refused = difference_kinds.filter((kind) => 'instead' in of_kind(kind))
    expect(acceptable_kinds).toEqual(['phantom_payment', 'amount', 'refund_amount', 'fee'])
    const others = difference_kinds.filter((kind) => !acceptable_kinds.includes(kind))
    expect(
      refused.filter((kind) => kind !== 'refund_amount'),
      'a payment is no refund',
    ).toEqual(others)
  })
})

describe('the book after it', () => {
  const corrected = { ...payment, settled_total: 980 }
  const correction = { by: 'key_a, key_b', reason: 'dif_1: a coupon', booked_time: at(9) }
  const booked = [paymentEntry(payment, at(1))]
  const next = (entries: readonly JournalEntry[]) => paymentCorrections(corrected, entries, correction)
  const ids = (entries: readonly JournalEntry[]) => entries.map(({ _id }) => _id)
  const pay = 'pay:1900000001:4200a'

  it('takes back what is wrong exactly, and books the payment anew', () => {
    const [reversal, anew] = next(booked)
    expect(ids(next(booked))).toEqual([`rev:${pay}`, `${pay}#2`])
    expect(reversal).toMatchObject({ reverses: pay, booked_time: at(9), correction: { by: 'key_a, key_b' } })
    expect(reversal?.postings).toEqual(booked[0]?.postings.map((one) => ({ ...one, amount: -one.amount })))
    expect(anew).toMatchObject({
      correction: { reason: 'dif_1: a coupon' },
      postings: [
        { account: 'wechat.pending', key: '4200a', amount: 980 },
        { account: 'discount.nocash', key: 'TEA-1', amount: 10 },
        { account: 'sales', key: 'TEA-1', amount: -990 },
      ],
    })
    for (const { postings } of next(booked)) assertBalanced(postings)
  })

  it('is the same wherever the step died', () => {
    const plan = next(booked)
    expect(ids(next([...booked, ...plan.slice(0, 1)]))).toEqual([`${pay}#2`])
    expect(next([...booked, ...plan])).toEqual([])
    expect(ids(next([])), 'it was never booked').toEqual([pay])
  })

  it('is corrected a second time under the next numbers', () => {
    const twice = paymentCorrections(payment, [...booked, ...next(booked)], correction)
    expect(ids(twice)).toEqual([`rev:${pay}#2`, `${pay}#3`])
  })

  const at_nine = { by: 'key_a', reason: 'dif_1: never made', booked_time: at(9), evidence_id: 'said' }
  const denied = { ...payment, denial: { time: at(8), by: 'key_a', reason: 'dif_1: never made', evidence_id: 'said' } }

  it('holds nothing of what was never made, by what WeChat said; and is what it was when it was made after all', () => {
    const [reversal, ...more] = paymentCorrections(denied, booked, at_nine)
    expect(more).toEqual([])
    expect(reversal).toMatchObject({ _id: `rev:${pay}`, reverses: pay, evidence_id: 'said' })
    const empty = [...booked, ...paymentCorrections(denied, booked, at_nine)]
    expect(paymentCorrections(denied, empty, at_nine), 'once').toEqual([])
    const back = paymentCorrections(payment, empty, at_nine)
    expect(ids(back)).toEqual([`${pay}#2`])
    expect(back[0]?.postings).toEqual(booked[0]?.postings)
    expect(ids(paymentCorrections(denied, [...empty, ...back], at_nine)), 'and once more').toEqual([`rev:${pay}#2`])
  })

  it('holds nothing of it in sales either, where a person had accepted it there', () => {
    const second = { ...payment, role: 'second', acceptance: { time: at(3), amount: 990 } } as const
    const both = [
      paymentEntry(second, at(1)),
      acceptanceEntry(second, 990, { occurred_time: at(3), booked_time: at(3) }),
    ]
    const { denial } = denied
    const reversals = paymentCorrections({ ...second, denial }, both, at_nine)
    const accept = 'accept:1900000001:4200a'
    expect(ids(reversals)).toEqual([`rev:${pay}`, `rev:${accept}`])
    expect(ids(paymentCorrections(second, [...both, ...reversals], at_nine))).toEqual([`${pay}#2`, `${accept}#2`])
    expect(paymentCorrections(second, both, at_nine)).toEqual([])
  })
})
