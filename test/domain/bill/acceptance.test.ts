import { describe, expect, it } from 'vitest'
import { acceptanceEntries, acceptanceOf } from '../../../domain/bill/acceptance.ts'
import { difference_kinds } from '../../../domain/bill/difference.ts'
import { assertBalanced, paymentEntry } from '../../../domain/journal.ts'
import type { JournalEntry } from '../../../domain/journal.ts'
import type { PaymentRecord } from '../../../domain/payment/record.ts'
import { at, paymentSample } from '../../store/samples.ts'

const payment = paymentSample('4200a', { out_trade_no: 'TEA-1', settled_total: 990 })
const line = { transaction_id: '4200a', currency: 'CNY', total: 990, settled_total: 980 }
const of = (bill: object | null, paid: PaymentRecord | null = payment) =>
  acceptanceOf({ kind: 'amount', bill: bill && { ...bill } }, paid)

describe('WeChat’s word on a difference', () => {
  it('is booked where it says what the merchant gets of what was paid', () => {
    expect(of(line)).toEqual({ settled_total: 980, apart: 10 })
    expect(of({ ...line, total: null })).toEqual({ settled_total: 980, apart: 10 })
    expect(of({ ...line, settled_total: 990 }), 'the record says so already').toEqual({ settled_total: 990, apart: 0 })
  })

  it.each([
    ['another sum was paid', { ...line, total: 991 }],
    ['another currency', { ...line, currency: 'HKD' }],
    ['another payment', { ...line, transaction_id: '4200b' }],
    ['more than was paid', { ...line, settled_total: 991 }],
    ['less than nothing', { ...line, settled_total: -1 }],
    ['no amount of fen', { ...line, settled_total: 9.8 }],
    ['no amount', { ...line, settled_total: '980' }],
  ])('is not where it is %s', (_what, bill) => {
    expect(of(bill)).toEqual({ instead: 'ignore' })
  })

  it('is not where there is no record, no line, or money that was paid back by hand', () => {
    expect(of(line, null)).toEqual({ instead: 'check' })
    expect(of(null)).toEqual({ instead: 'check' })
    const by_hand = { out_refund_no: 'R-1', amount: 90, state: 'settled' } as const
    expect(of(line, { ...payment, refunds: [by_hand] })).toEqual({ instead: 'ignore' })
  })

  it('is of no other kind, and each says what can be done', () => {
    const refused = difference_kinds.filter((kind) => 'instead' in acceptanceOf({ kind, bill: line }, payment))
    expect(refused).toEqual(difference_kinds.filter((kind) => kind !== 'amount'))
  })
})

describe('the book after it', () => {
  const corrected = { ...payment, settled_total: 980 }
  const correction = { by: 'key_a, key_b', reason: 'dif_1: a coupon', booked_time: at(9) }
  const booked = [paymentEntry(payment, at(1))]
  const next = (entries: readonly JournalEntry[]) => acceptanceEntries(corrected, entries, correction)
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
    const twice = acceptanceEntries(payment, [...booked, ...next(booked)], correction)
    expect(ids(twice)).toEqual([`rev:${pay}#2`, `${pay}#3`])
  })
})
