import { describe, expect, it } from 'vitest'
import {
  acceptable_kinds,
  acceptanceOf,
  actionStates,
  paymentCorrections,
  refundCorrections,
} from '../../../domain/bill/acceptance.ts'
import { difference_kinds } from '../../../domain/bill/difference.ts'
import type { DifferenceKind } from '../../../domain/bill/difference.ts'
import { acceptanceEntry, assertBalanced, paymentEntry } from '../../../domain/journal.ts'
import type { JournalEntry } from '../../../domain/journal.ts'
import type { PaymentRecord } from '../../../domain/payment/record.ts'
import { refund_states } from '../../../domain/refund/record.ts'
import { refundedStory } from '../../stage/dossiers.ts'
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

describe('WeChat’s word on what left the account with a refund', () => {
  const [refund] = refundedStory().dossier.refunds
  if (!refund?.facts) throw new Error('no refund')
  const { facts } = refund
  const said = { refund_id: facts.refund_id, currency: 'CNY', refund: 990, settlement_refund: 980 }
  const word = (bill: object | null, given: Partial<typeof refund> = {}) =>
    acceptanceOf(
      { kind: 'refund_amount', amount: 10, bill: bill && { ...bill } },
      { payment, refund: { ...refund, ...given } },
    )

  it('is booked of one that has ended', () => {
    expect(word(said)).toEqual({ changes: 'settlement_refund', settlement_refund: 980, apart: 10 })
    expect(word({ ...said, refund: null }), 'an old layout does not say it').toMatchObject({ apart: 10 })
    expect(word({ ...said, settlement_refund: 0 })).toMatchObject({ settlement_refund: 0, apart: 990 })
    expect(word({ ...said, settlement_refund: 990 })).toMatchObject({ settlement_refund: 990, apart: 0 })
    const silent = { ...facts, settlement_refund: null }
    expect(word(said, { facts: silent }), 'then all of it was booked').toMatchObject({ apart: 10 })
    const ended = refund_states.filter((state) => 'changes' in word(said, { state }))
    expect(ended).toEqual(['succeeded', 'closed', 'refused', 'rejected', 'returned_to_merchant'])
  })

  it.each([
    ['another refund', 'other_number', { ...said, refund_id: 'w-2' }],
    ['another currency', 'other_currency', { ...said, currency: 'HKD' }],
    ['another amount', 'other_refund', { ...said, refund: 980 }],
    ['more than went back', 'no_amount', { ...said, settlement_refund: 991 }],
    ['less than nothing', 'no_amount', { ...said, settlement_refund: -1 }],
    ['no amount of fen', 'no_amount', { ...said, settlement_refund: 9.5 }],
    ['no line', 'nothing_recorded', null],
  ])('is not where it is of %s: %s', (_what, because, bill) => {
    expect(word(bill)).toEqual({ instead: 'check', because })
  })

  it('is not where nothing is recorded, WeChat never took it, or it was paid by hand', () => {
    const difference = { kind: 'refund_amount', amount: 10, bill: said } as const
    for (const records of [{ payment: null, refund }, { payment, refund: null }, { payment }])
      expect(acceptanceOf(difference, records)).toEqual({ instead: 'check', because: 'nothing_recorded' })
    expect(word(said, { facts: null })).toEqual({ instead: 'check', because: 'not_ended' })
    const payout = { proof: 'slip 7', reason: '', by: { kind: 'operator', id: 'li' }, time: at(1) } as const
    expect(word(said, { payout })).toEqual({ instead: 'ignore', because: 'paid_by_hand' })
  })
})

describe('the book of a refund after it', () => {
  /** All of a payment went back, of which coupons bore so much. */
  const told = (nocash: number) => refundedStory('TEA-1', nocash).dossier
  const correction = { by: 'key_a', reason: 'dif_1: a coupon', booked_time: at(9_000) }
  const corrected = (before: number, after: number, entries = told(before).entries) => {
    const [refund] = told(before).refunds
    if (!refund?.facts) throw new Error('no refund')
    const facts = { ...refund.facts, settlement_refund: 990 - after }
    return refundCorrections(
      { refund: { ...refund, facts }, payment: told(before).payments[0] ?? payment },
      entries,
      correction,
    )
  }
  const ids = (entries: readonly JournalEntry[]) => entries.map(({ _id }) => _id.replace('refund:1900000001:R1:', ''))

  it.each([
    [0, 10, ['rev:accepted', 'accepted#2', 'rev:success', 'success#2']],
    [10, 0, ['rev:accepted', 'accepted#2', 'rev:success', 'success#2']],
    [0, 990, ['rev:accepted', 'accepted#2', 'rev:success']],
    [990, 0, ['rev:accepted', 'accepted#2', 'success']],
    [990, 990, []],
    [0, 0, []],
  ])('says %i fen of coupons no more, but %i, wherever the step died', (before, after, wanted) => {
    const plan = corrected(before, after)
    expect(ids(plan)).toEqual(wanted)
    for (const { postings } of plan) assertBalanced(postings)
    for (let done = 0; done <= plan.length; done += 1) {
      const entries = [...told(before).entries, ...plan.slice(0, done)]
      expect([...plan.slice(0, done), ...corrected(before, after, entries)]).toEqual(plan)
    }
    const balances = new Map<string, number>()
    for (const { account, amount } of [...told(before).entries, ...plan].flatMap(({ postings }) => postings))
      balances.set(account, (balances.get(account) ?? 0) + amount)
    expect(balances.get('refund.payable') ?? 0).toBe(0)
    expect(0 - (balances.get('wechat.refund_transit') ?? 0)).toBe(990 - after)
  })
})
