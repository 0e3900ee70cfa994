import type { Time } from '../calendar.ts'
import { causeId, journalId } from '../ids.ts'
import { acceptanceEntry, hasSamePostings, paymentEntry, reversalEntry } from '../journal.ts'
import type { Correction, JournalEntry } from '../journal.ts'
import { isHoldingMoney } from '../payment/record.ts'
import type { PaymentRecord } from '../payment/record.ts'
import type { DifferenceKind, DifferenceRecord } from './difference.ts'

/** What a person can have done about a difference. */
export const difference_actions = ['check', 'ignore', 'reopen', 'refund', 'accept_wechat'] as const
export type DifferenceAction = (typeof difference_actions)[number]

/** Kinds that WeChat can be asked about. */
export const asked_kinds: readonly DifferenceKind[] = [
  ...(['missing_here', 'missing_there', 'phantom_payment', 'amount', 'state', 'number'] as const),
  ...(['refund_missing_here', 'refund_missing_there', 'refund_amount', 'refund_state'] as const),
]

/**
 * What accepting WeChat's word changes: what the merchant gets of a payment (S of docs/money.md §2), or that it was never
 * made (`null`); and nothing where the book says it already. `apart`: fen that it moves. `instead`: it cannot be booked,
 * and what can be done.
 */
export type Acceptance =
  | { changes: 'settled_total'; settled_total: number; apart: number }
  | { changes: 'denial'; apart: number }
  | { changes: 'nothing'; apart: number }
  | { instead: DifferenceAction }

/** As much of a difference as its acceptance follows from. */
type AcceptedDifference = Pick<DifferenceRecord, 'kind' | 'bill' | 'amount'>

/**
 * What accepting WeChat's word books, by kind; or what is done in place of it. Payments and refunds that one side lacks are
 * recorded by their own runs, from WeChat's signed answer and never from a line; what no record of ours can say (money
 * that went back without a number; a transaction under two numbers) is for people to end.
 */
const acceptances: Record<
  DifferenceKind,
  DifferenceAction | ((difference: AcceptedDifference, payment: PaymentRecord | null) => Acceptance)
> = {
  missing_here: 'check',
  missing_there: 'check',
  phantom_payment: denialOf,
  amount: settledTotalOf,
  state: 'ignore',
  number: 'ignore',
  refund_missing_here: 'check',
  refund_missing_there: 'check',
  refund_amount: 'check',
  refund_state: 'check',
  refund_number: 'ignore',
  duplicate: 'ignore',
  // What was charged is in the book as the bill says it: accepting it ends the question alone.
  fee: ({ amount }) => ({ changes: 'nothing', apart: amount }),
  malformed: 'ignore',
}

/** Kinds of which WeChat's word can be booked. */
export const acceptable_kinds = (Object.keys(acceptances) as DifferenceKind[]).filter(
  (kind) => typeof acceptances[kind] === 'function',
)

/** What accepting WeChat's word on a difference would book. */
export function acceptanceOf(difference: AcceptedDifference, payment: PaymentRecord | null): Acceptance {
  const given = acceptances[difference.kind]
  return typeof given === 'string' ? { instead: given } : given(difference, payment)
}

/**
 * Only what the merchant gets of a payment is taken from a bill: what the payer paid is what was asked for and what WeChat
 * signed, and another sum is another payment.
 */
function settledTotalOf({ bill }: AcceptedDifference, payment: PaymentRecord | null): Acceptance {
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
  return { changes: 'settled_total', settled_total, apart: Math.abs(settled_total - payment.settled_total) }
}

/** It was never made: both hosts said so, and a person has looked. Of what was never there, nothing can have gone back. */
function denialOf(_: AcceptedDifference, payment: PaymentRecord | null): Acceptance {
  if (payment === null) return { instead: 'check' }
  if (payment.refunds.some(({ state }) => isHoldingMoney(state))) return { instead: 'check' }
  return { changes: 'denial', apart: payment.amount.total }
}

/** Who corrected the book, why, by what evidence and when. */
type PaymentCorrection = Correction & { booked_time: Time; evidence_id?: string | null }

/**
 * The entries that bring the book to a payment as its record is now: what stands and is wrong is taken back exactly, and
 * what is missing is booked anew. Empty where the book says so already; repeated half-way it gives what is missing. Of a
 * payment that was never made nothing stands.
 */
export function paymentCorrections(
  payment: PaymentRecord,
  booked: readonly JournalEntry[],
  { booked_time, evidence_id, ...correction }: PaymentCorrection,
): JournalEntry[] {
  const taken_back = new Set(booked.map(({ reverses }) => reverses))
  return wantedEntries(payment, booked_time).flatMap(({ cause_id, wanted }) => {
    const standing = booked.filter(
      ({ _id, reverses }) => reverses === null && causeId(_id) === cause_id && !taken_back.has(_id),
    )
    const wrong = standing.filter(({ postings }) => wanted === null || !hasSamePostings(postings, wanted.postings))
    const reversals = wrong.map((entry) => {
      const times = { occurred_time: entry.occurred_time, booked_time, evidence_id: evidence_id ?? entry.evidence_id }
      return { ...reversalEntry(entry, times), correction }
    })
    if (wanted === null || standing.length > wrong.length) return reversals
    const said = { ...wanted, evidence_id: evidence_id ?? wanted.evidence_id }
    return [...reversals, { ...said, _id: freeId(cause_id, booked), correction }]
  })
}

/** What a payment's record calls for, by cause; null: nothing may stand. What a record does not speak of is left alone. */
function wantedEntries(payment: PaymentRecord, booked_time: Time): { cause_id: string; wanted: JournalEntry | null }[] {
  const { mchid, transaction_id, acceptance, denial } = payment
  const found = { cause_id: journalId.payment(mchid, transaction_id), wanted: paymentEntry(payment, booked_time) }
  const cause_id = journalId.acceptance(mchid, transaction_id)
  if (denial !== undefined) return [found, { cause_id }].map((one) => ({ cause_id: one.cause_id, wanted: null }))
  if (!acceptance || acceptance.amount <= 0) return [found]
  const times = { occurred_time: acceptance.time, booked_time }
  return [found, { cause_id, wanted: acceptanceEntry(payment, acceptance.amount, times) }]
}

function freeId(cause_id: string, booked: readonly JournalEntry[]): string {
  const taken = new Set(booked.map(({ _id }) => _id))
  let time = 1
  while (taken.has(journalId.anew(cause_id, time))) time += 1
  return journalId.anew(cause_id, time)
}
