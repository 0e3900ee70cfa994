import { milliseconds } from '../domain/calendar.ts'
import type { Time } from '../domain/calendar.ts'
import type { CheckoutRecord } from '../domain/checkout/record.ts'
import type { EventRecord } from '../domain/event/event.ts'
import type { JournalEntry } from '../domain/journal.ts'
import type { OrderRecord } from '../domain/order/record.ts'
import type { EvidenceRecord } from '../domain/payment/evidence.ts'
import type { PaymentRecord } from '../domain/payment/record.ts'
import type { RefundRecord } from '../domain/refund/record.ts'
import type { OpenDelivery } from '../store/deliveries.ts'

/** The kinds of disagreement, each with its sentence. Found in proof/records, proof/journal and proof/wechat. */
export const finding_kinds = {
  timeline_broken: 'The revisions of an order or refund have a gap, or its state is not where its timeline ends.',
  event_gap: 'The numbers of an order’s events do not run from 1 to the last one without a gap.',
  event_missing: 'An event was numbered and does not exist.',
  event_unexplained: 'An event exists that its order never numbered.',
  state_untold: 'An order came to rest and no event was numbered for it.',
  payment_missing: 'An order or a refund stands on a payment that is not recorded.',
  payment_differs: 'An order and its payment disagree: on role, owner or amount.',
  payment_doubled: 'Two payments of one order both count as what it asked for.',
  payment_untold: 'A payment is recorded and its order does not know of it.',
  refund_uncounted: 'A refund holds money that its payment does not count.',
  refund_unrecorded: 'A payment counts a refund that is not recorded.',
  refund_differs: 'A refund and its payment’s count of it disagree on amount or state.',
  refunds_exceed_payment: 'More is given back of a payment than was paid.',
  order_not_refunded: 'An order says refunded and the payer has not all of it back, or the reverse.',
  refunding_idle: 'An order is refunding and no refund is under way, nor is anybody told.',
  plan_missing:
    'An order, checkout or refund is open, and no next step of it is planned, or of a checkout it is long past: nobody would go on with it.',
  delivery_idle: 'A delivery is open, and its next attempt is not planned or long past: later events wait behind it.',
  question_over: 'A delivery is open whose answer its order waits for no more: all later events wait behind it.',
  checkout_differs: 'A checkout and its orders disagree: on what it made, or on whether it is paid or over.',
  sale_doubled: 'Two orders of one checkout are both kept.',
  claim_idle: 'A number holds a sale for which it has no money, or a payment’s refund minute lies ahead of all clocks.',
  evidence_lost: 'Verified evidence has no outcome, and nothing looks for it any more.',
  evidence_unapplied: 'Verified evidence has waited too long for its effect.',
  evidence_without_effect: 'Evidence counts as applied and what it proves is not recorded.',
  amount_unusable: 'A record holds amounts of which no balanced entry can be made.',
  entry_unbalanced: 'A journal entry does not sum to zero, or holds what is no amount.',
  entry_foreign: 'A journal entry lies in another merchant’s book than its number says.',
  entry_missing: 'What the records say has happened is not booked.',
  entry_differs: 'A journal entry is booked with other postings than the records call for.',
  entry_doubled: 'One cause is booked twice and neither booking is reversed.',
  entry_unexplained: 'A journal entry stands that no record explains.',
  income_differs: 'Sales and suspense of an order are not what was paid less what went back.',
  suspense_open: 'Suspense holds other than what is undecided of a payment; decided, that is nothing.',
  payable_open: 'The book owes the payer other than what the refund still owes; ended, that is nothing.',
  totals_differ: 'An account of the book is not the sum of what the merchant’s records call for.',
  sheets_differ: 'The sheets of a day’s bills in the book are not what was posted of that day.',
  balance_differs:
    'The account at WeChat holds other than the last bill in the book says, or days between are not in it.',
  clearing_open: 'Money or a fee still waits for the fund flow, whose bills of three more days are in the book.',
  paid_there_unknown_here: 'WeChat took money that is not recorded here.',
  payment_unknown_there: 'A payment is recorded here that WeChat never took.',
  payment_differs_there: 'WeChat and the payment recorded here disagree on amount or order.',
  payable_there: 'An order has ended here and can still be paid at WeChat.',
  closed_there: 'An order is closed at WeChat and waits for money here.',
  order_unknown_there: 'An order waits for money here and WeChat does not know it.',
  refund_unknown_here: 'WeChat has a refund that is not recorded here.',
  refund_unknown_there: 'A refund was taken by WeChat according to the records, and WeChat does not know it.',
  refund_amount_there: 'WeChat and the refund recorded here disagree on amount or number.',
  refund_state_there: 'WeChat and the refund recorded here disagree on what became of it.',
} as const
export type FindingKind = keyof typeof finding_kinds

/** The numbers a finding is about. */
export interface FindingSubject {
  out_trade_no?: string
  transaction_id?: string
  out_refund_no?: string
}

export interface Finding extends FindingSubject {
  kind: FindingKind
  mchid: string
  /** fen adrift */
  amount?: number
  detail: string
  /** Weft will put this right by itself: not adrift yet */
  under_way: boolean
}

/** A finding about this dossier; not under way unless said so. */
export function newFinding(
  { mchid, out_trade_no }: Pick<Dossier, 'mchid' | 'out_trade_no'>,
  kind: FindingKind,
  about: FindingSubject & { amount?: number; detail: string; under_way?: boolean },
): Finding {
  return { kind, mchid, ...(out_trade_no !== null && { out_trade_no }), under_way: false, ...about }
}

/** Of an event, what its order must have numbered. */
export type DossierEvent = Pick<EventRecord, 'sequence' | 'type'>
export type DossierEvidence = Pick<
  EvidenceRecord,
  | '_id'
  | 'subject'
  | 'transaction_id'
  | 'out_refund_no'
  | 'verdict'
  | 'receive_time'
  | 'unapplied'
  | 'outcome'
  | 'applied_to'
>

/** All that is recorded under one out_trade_no: what the proofs look at together. */
export interface Dossier {
  mchid: string
  /** null: journal entries that name no order */
  out_trade_no: string | null
  order: OrderRecord | null
  /** the one that made the order; null: none did, or it is not recorded */
  checkout: CheckoutRecord | null
  payments: PaymentRecord[]
  refunds: RefundRecord[]
  entries: JournalEntry[]
  events: DossierEvent[]
  evidence: DossierEvidence[]
  /** what is still under way to an endpoint */
  open_deliveries: OpenDelivery[]
  /** the order holds the claim of its reference: no other number of the sale can be paid */
  holds_sale: boolean
}

/** How long what is still being written down counts as under way, in milliseconds. */
export interface ProofPatience {
  /** from its cause to the last write that follows from it */
  writing_ms: number
  /** past its planned moment; the sweeper takes up what is late within this */
  overdue_ms: number
  /** from evidence to its effect: orphans and stubborn evidence are looked at hourly */
  evidence_ms: number
}

export const proof_patience: ProofPatience = { writing_ms: 120_000, overdue_ms: 300_000, evidence_ms: 2 * 60 * 60_000 }

/** The same, `scale` times faster, but never so fast that a slow write would be an alarm. */
export function scaledPatience(given: ProofPatience, scale: number): ProofPatience {
  const shrink = (ms: number) => Math.max(5_000, Math.round(ms / scale))
  return {
    writing_ms: shrink(given.writing_ms),
    overdue_ms: shrink(given.overdue_ms),
    evidence_ms: shrink(given.evidence_ms),
  }
}

/** The moment of the proof, and how long what is still being written is excused; null: nothing is under way. */
export interface ProofMoment {
  now_ms: number
  patience: ProofPatience | null
}

/** Younger than it takes to write all that follows from it. */
export function isFresh(since: Time | null, { now_ms, patience: given }: ProofMoment): boolean {
  return given !== null && since !== null && now_ms - milliseconds(since) < given.writing_ms
}

/** Weft's own next step is planned, and not so late that nobody carries it. */
export function isPlanned(plan: { time: Time } | undefined, { now_ms, patience: given }: ProofMoment): boolean {
  return given !== null && plan !== undefined && now_ms - milliseconds(plan.time) < given.overdue_ms
}

/** Nothing is planned for what is open, or it should have been done long ago. */
export function isUncarried(plan: { time: Time } | undefined, { now_ms, patience: given }: ProofMoment): boolean {
  return plan === undefined || now_ms - milliseconds(plan.time) >= (given?.overdue_ms ?? 0)
}

/** Evidence in hand that has not waited too long. */
export function isAwaitingEffect(evidence: DossierEvidence, { now_ms, patience: given }: ProofMoment): boolean {
  const is_waiting = evidence.unapplied === true && (evidence.outcome === null || evidence.outcome === 'orphan')
  return given !== null && is_waiting && now_ms - milliseconds(evidence.receive_time) < given.evidence_ms
}

/** The last thing that is known to have happened to a record, from its timeline. */
export function latestTime({
  timeline,
  create_time,
}: {
  timeline: readonly { time: Time }[]
  create_time: Time
}): Time {
  return timeline.at(-1)?.time ?? create_time
}
