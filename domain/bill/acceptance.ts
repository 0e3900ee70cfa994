import type { Time } from '../calendar.ts'
import { causeId, journalId } from '../ids.ts'
import {
  acceptanceEntry,
  hasSamePostings,
  paymentEntry,
  refund_entries,
  refund_income_moves,
  reversalEntry,
} from '../journal.ts'
import type { Correction, JournalEntry } from '../journal.ts'
import { incomeOfMove, isHoldingMoney } from '../payment/record.ts'
import type { PaymentRecord } from '../payment/record.ts'
import { isRefundResting } from '../refund/record.ts'
import type { RefundRecord } from '../refund/record.ts'
import { statesBefore } from './difference.ts'
import type { DifferenceEvent, DifferenceKind, DifferenceRecord, DifferenceState } from './difference.ts'
import type { Obstacle } from './obstacle.ts'

/** What a person can have done about a difference. */
export const difference_actions = ['check', 'ignore', 'reopen', 'refund', 'accept_wechat'] as const
export type DifferenceAction = (typeof difference_actions)[number]

/** What each action does to a difference first: where that event can happen, the action can be done. */
const action_events: Record<DifferenceAction, DifferenceEvent> = {
  check: 'check_asked',
  ignore: 'ignored',
  reopen: 'reopened',
  refund: 'refund_asked',
  accept_wechat: 'accept_asked',
}

/** The states of a difference from which an action goes, of one as of many at once. */
export function actionStates(action: DifferenceAction): DifferenceState[] {
  return statesBefore(action_events[action])
}

/** Kinds that WeChat can be asked about. */
export const asked_kinds: readonly DifferenceKind[] = [
  ...(['missing_here', 'missing_there', 'phantom_payment', 'amount', 'state', 'number'] as const),
  ...(['refund_missing_here', 'refund_missing_there', 'refund_amount', 'refund_state'] as const),
]

/**
 * What accepting WeChat's word changes: what the merchant gets of a payment or gives with a refund (S and Q of
 * docs/money.md §2), or that a payment was never made; and nothing where the book says it already. `apart`: fen that it
 * moves. A refusal: it cannot be booked.
 */
export type Acceptance =
  | { changes: 'settled_total'; settled_total: number; apart: number }
  | { changes: 'settlement_refund'; settlement_refund: number; apart: number }
  | { changes: 'denial'; apart: number }
  | { changes: 'nothing'; apart: number }
  | Refusal

/** Why WeChat's word is not booked, and what can be done in place of it. */
export interface Refusal {
  instead: DifferenceAction
  because: Obstacle
}

/**
 * What accepting WeChat's word comes to, as text. It is kept with what a person says, since a look may change the sides of
 * a difference afterwards: nobody has agreed to more than he saw.
 */
export function acceptedMatter(acceptance: Exclude<Acceptance, Refusal>): string {
  if (acceptance.changes === 'settled_total') return `settled_total ${acceptance.settled_total}`
  if (acceptance.changes === 'settlement_refund') return `settlement_refund ${acceptance.settlement_refund}`
  return `${acceptance.changes} ${acceptance.apart}`
}

/** As much of a difference as its acceptance follows from. */
type AcceptedDifference = Pick<DifferenceRecord, 'kind' | 'bill' | 'amount'>

/** What is recorded here of the payment or refund that a difference is about. */
export interface AcceptedRecords {
  payment: PaymentRecord | null
  refund?: RefundRecord | null
}

const by_its_run: Refusal = { instead: 'check', because: 'signed_answer' }
const by_people: Refusal = { instead: 'ignore', because: 'no_record_says_so' }

/**
 * What accepting WeChat's word books, by kind; or what is done in place of it. Payments and refunds that one side lacks are
 * recorded by their own runs, from WeChat's signed answer and never from a line; what no record of ours can say (money
 * that went back without a number; a transaction under two numbers) is for people to end.
 */
const acceptances: Record<
  DifferenceKind,
  Refusal | ((difference: AcceptedDifference, records: AcceptedRecords) => Acceptance)
> = {
  missing_here: by_its_run,
  missing_there: by_its_run,
  phantom_payment: denialOf,
  amount: settledTotalOf,
  state: by_people,
  number: by_people,
  refund_missing_here: by_its_run,
  refund_missing_there: by_its_run,
  refund_amount: settlementOf,
  refund_state: by_its_run,
  refund_number: by_people,
  duplicate: by_people,
  // What was charged is in the book as the bill says it: accepting it ends the question alone.
  fee: ({ amount }) => ({ changes: 'nothing', apart: amount }),
  malformed: by_people,
}

/** Why WeChat's word is booked of no difference of this kind; null: of some it is. */
export function kindRefusal(kind: DifferenceKind): Refusal | null {
  const given = acceptances[kind]
  return typeof given === 'function' ? null : given
}

/** Kinds of which WeChat's word can be booked. */
export const acceptable_kinds = (Object.keys(acceptances) as DifferenceKind[]).filter(
  (kind) => kindRefusal(kind) === null,
)

/** What accepting WeChat's word on a difference would book. */
export function acceptanceOf(difference: AcceptedDifference, records: AcceptedRecords): Acceptance {
  const given = acceptances[difference.kind]
  return typeof given === 'function' ? given(difference, records) : given
}

/**
 * Only what the merchant gets of a payment is taken from a bill: what the payer paid is what was asked for and what WeChat
 * signed, and another sum is another payment.
 */
function settledTotalOf({ bill }: AcceptedDifference, { payment }: AcceptedRecords): Acceptance {
  if (payment === null || bill === null) return { instead: 'check', because: 'nothing_recorded' }
  const { transaction_id, total, currency, settled_total } = bill
  if (transaction_id !== payment.transaction_id) return { instead: 'ignore', because: 'other_number' }
  if (currency !== payment.amount.currency) return { instead: 'ignore', because: 'other_currency' }
  if (total !== null && total !== payment.amount.total) return { instead: 'ignore', because: 'other_total' }
  if (!isPartOf(payment.amount.total, settled_total)) return { instead: 'ignore', because: 'no_amount' }
  // What was paid back by hand without WeChat was booked by the old sum, and nobody can say by which it should be.
  if (payment.refunds.some(({ state }) => state === 'settled')) return { instead: 'ignore', because: 'paid_by_hand' }
  return { changes: 'settled_total', settled_total, apart: Math.abs(settled_total - payment.settled_total) }
}

/**
 * Only what a refund that has ended took from the merchant's account is taken from a bill, for the same reason. What was
 * paid out by hand went by the old sum.
 */
function settlementOf({ bill }: AcceptedDifference, { payment, refund = null }: AcceptedRecords): Acceptance {
  if (payment === null || bill === null || refund === null) return { instead: 'check', because: 'nothing_recorded' }
  if (refund.facts === null || !isRefundResting(refund.state)) return { instead: 'check', because: 'not_ended' }
  const { refund_id, currency, refund: asked_for, settlement_refund } = bill
  if (refund_id !== refund.facts.refund_id) return { instead: 'check', because: 'other_number' }
  if (currency !== refund.amount.currency) return { instead: 'check', because: 'other_currency' }
  if (asked_for !== null && asked_for !== refund.amount.refund) return { instead: 'check', because: 'other_refund' }
  if (!isPartOf(refund.amount.refund, settlement_refund)) return { instead: 'check', because: 'no_amount' }
  if (refund.payout !== null) return { instead: 'ignore', because: 'paid_by_hand' }
  const booked = refund.facts.settlement_refund ?? refund.amount.refund
  return { changes: 'settlement_refund', settlement_refund, apart: Math.abs(settlement_refund - booked) }
}

function isPartOf(whole: number, amount: unknown): amount is number {
  return typeof amount === 'number' && Number.isSafeInteger(amount) && amount >= 0 && amount <= whole
}

/** It was never made: both hosts said so, and a person has looked. Of what was never there, nothing can have gone back. */
function denialOf(_: AcceptedDifference, { payment }: AcceptedRecords): Acceptance {
  if (payment === null) return { instead: 'check', because: 'nothing_recorded' }
  if (payment.refunds.some(({ state }) => isHoldingMoney(state))) return { instead: 'check', because: 'refunded' }
  return { changes: 'denial', apart: payment.amount.total }
}

/** Who corrected the book, why, by what evidence and when. */
type PaymentCorrection = Correction & { booked_time: Time; evidence_id?: string | null | undefined }

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
    const reversals = wrong.map((entry) => takenBack(entry, { booked_time, evidence_id, ...correction }))
    if (wanted === null || standing.length > wrong.length) return reversals
    const said = { ...wanted, evidence_id: evidence_id ?? wanted.evidence_id }
    return [...reversals, { ...said, _id: freeId(cause_id, booked), correction }]
  })
}

function takenBack(entry: JournalEntry, { booked_time, evidence_id, ...correction }: PaymentCorrection): JournalEntry {
  const times = { occurred_time: entry.occurred_time, booked_time, evidence_id: evidence_id ?? entry.evidence_id }
  return { ...reversalEntry(entry, times), correction }
}

/**
 * Events of a refund whose entry names what leaves the merchant's account, with the step that its id names; what was paid
 * out by hand is not corrected.
 */
const settled_steps = [
  ['accepted', 'accepted'],
  ['succeeded', 'success'],
  ['closed', 'closed'],
  ['returned_to_merchant', 'returned'],
] as const

/**
 * The same of a refund whose record names another settlement now: what stands of it is taken back, and booked anew. What
 * this very correction has taken back before is booked anew as well, and so is how the refund has ended where that moved no
 * money by the settlement before, and stands nowhere.
 */
export function refundCorrections(
  { refund, payment }: { refund: RefundRecord; payment: PaymentRecord },
  booked: readonly JournalEntry[],
  { booked_time, evidence_id: _, ...correction }: PaymentCorrection,
): JournalEntry[] {
  const taken_back = new Set(booked.map(({ reverses }) => reverses))
  const { mchid, facts, out_refund_no, amount, state, timeline } = refund
  return settled_steps.flatMap(([event, step_name]) => {
    const step = {
      ...{ occurred_time: booked_time, booked_time, evidence_id: '-', refund_id: facts?.refund_id ?? '-' },
      income: incomeOfMove(payment, out_refund_no, refund_income_moves[event]),
      settlement_refund: facts?.settlement_refund ?? amount.refund,
    }
    const wanted = refund_entries[event](refund, step)
    const cause_id = journalId.refund(mchid, out_refund_no, step_name)
    const of_cause = booked.filter(({ _id, reverses }) => reverses === null && causeId(_id) === cause_id)
    const last = of_cause.findLast((entry) => !taken_back.has(entry._id))
    if (last && wanted && hasSamePostings(last.postings, wanted.postings)) return []
    const reversals = last ? [takenBack(last, { booked_time, ...correction })] : []
    if (wanted === null) return reversals
    const is_ours = ({ reverses, correction: said }: JournalEntry, { _id }: JournalEntry) =>
      reverses === _id && said?.by === correction.by && said.reason === correction.reason
    const left = last ?? of_cause.findLast((entry) => booked.some((one) => is_ours(one, entry)))
    if (left === undefined && state !== event) return []
    const happened = timeline.findLast((entry) => entry.event === event)
    const occurred_time = left?.occurred_time ?? happened?.time ?? booked_time
    const evidence_id = left?.evidence_id ?? happened?.evidence_id ?? payment.evidence_id
    return [...reversals, { ...wanted, occurred_time, evidence_id, _id: freeId(cause_id, booked), correction }]
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
