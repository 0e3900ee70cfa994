import type { Time } from '../calendar.ts'
import { causeId, journalId } from '../ids.ts'
import { hasSamePostings, paymentEntry, reversalEntry } from '../journal.ts'
import type { Correction, JournalEntry } from '../journal.ts'
import type { PaymentRecord } from '../payment/record.ts'
import type { DifferenceKind, DifferenceRecord } from './difference.ts'

/** What a person can have done about a difference. */
export const difference_actions = ['check', 'ignore', 'reopen', 'refund', 'accept_wechat'] as const
export type DifferenceAction = (typeof difference_actions)[number]

/** Kinds that WeChat can be asked about. */
export const asked_kinds: readonly DifferenceKind[] = [
  ...(['missing_here', 'missing_there', 'amount', 'state', 'number'] as const),
  ...(['refund_missing_here', 'refund_missing_there', 'refund_amount', 'refund_state'] as const),
]

/**
 * What is done in place of accepting WeChat's word, by kind; null: it can be booked. Payments and refunds that one side
 * lacks are recorded by their own runs, from WeChat's signed answer and never from a line; what no record of ours can say
 * (money that was never paid, or went back without a number; a transaction under two numbers) is for people to end.
 */
const accepted_otherwise: Record<DifferenceKind, DifferenceAction | null> = {
  missing_here: 'check',
  missing_there: 'check',
  phantom_payment: 'ignore',
  amount: null,
  state: 'ignore',
  number: 'ignore',
  refund_missing_here: 'check',
  refund_missing_there: 'check',
  refund_amount: 'check',
  refund_state: 'check',
  refund_number: 'ignore',
  duplicate: 'ignore',
  fee: 'ignore',
  malformed: 'ignore',
}

/** What accepting WeChat's word changes: S of docs/money.md §2. `instead`: it cannot be booked, and what can be done. */
export type Acceptance = { settled_total: number; apart: number } | { instead: DifferenceAction }

/**
 * What accepting WeChat's word on a difference would book. Only what the merchant gets of a payment is taken from a
 * bill: what the payer paid is what was asked for and what WeChat signed, and another sum is another payment.
 */
export function acceptanceOf(
  { kind, bill }: Pick<DifferenceRecord, 'kind' | 'bill'>,
  payment: PaymentRecord | null,
): Acceptance {
  const instead = accepted_otherwise[kind]
  if (instead !== null) return { instead }
  if (payment === null || bill === null) return { instead: 'check' }
  const { transaction_id, total, currency, settled_total } = bill
  const is_same_sum =
    transaction_id === payment.transaction_id &&
    currency === payment.amount.currency &&
    (total === null || total === payment.amount.total)
  const is_amount = typeof settled_total === 'number' && Number.isSafeInteger(settled_total)
  if (!is_same_sum || !is_amount || settled_total < 0 || settled_total > payment.amount.total)
    return { instead: 'ignore' }
  // What was paid back by hand without WeChat was booked by the old sum, and nobody can say by which it should be.
  if (payment.refunds.some(({ state }) => state === 'settled')) return { instead: 'ignore' }
  return { settled_total, apart: Math.abs(settled_total - payment.settled_total) }
}

/**
 * The entries that bring the book to a payment as it was corrected: what stands and is wrong is taken back exactly, and
 * the payment is booked anew. Empty where the book says so already; repeated half-way it gives what is missing.
 */
export function acceptanceEntries(
  payment: PaymentRecord,
  booked: readonly JournalEntry[],
  { booked_time, ...correction }: Correction & { booked_time: Time },
): JournalEntry[] {
  const wanted = paymentEntry(payment, booked_time)
  const taken_back = new Set(booked.map(({ reverses }) => reverses))
  const standing = booked.filter(
    ({ _id, reverses }) => reverses === null && causeId(_id) === wanted._id && !taken_back.has(_id),
  )
  const wrong = standing.filter(({ postings }) => !hasSamePostings(postings, wanted.postings))
  const reversals = wrong.map((entry) => ({
    ...reversalEntry(entry, { occurred_time: entry.occurred_time, booked_time, evidence_id: entry.evidence_id }),
    correction,
  }))
  if (standing.length > wrong.length) return reversals
  return [...reversals, { ...wanted, _id: freeId(wanted._id, booked), correction }]
}

function freeId(cause_id: string, booked: readonly JournalEntry[]): string {
  const taken = new Set(booked.map(({ _id }) => _id))
  let time = 1
  while (taken.has(journalId.anew(cause_id, time))) time += 1
  return journalId.anew(cause_id, time)
}
