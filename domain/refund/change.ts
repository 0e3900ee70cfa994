import type { Attention, AttentionCode } from '../attention.ts'
import type { Time } from '../calendar.ts'
import type { RefundEventType } from '../event/event.ts'
import { refundId } from '../ids.ts'
import type { Actor, OrderEvent } from '../order/change.ts'
import { refundableAmount } from '../payment/record.ts'
import type { PaymentRecord } from '../payment/record.ts'

export const refund_states = [
  'created',
  'awaiting_approval',
  'processing',
  'abnormal',
  'succeeded',
  'closed',
  'refused',
  'rejected',
  'returned_to_merchant',
] as const
export type RefundState = (typeof refund_states)[number]

export const refund_events = [
  'reserved',
  'not_reserved',
  'approved',
  'rejected',
  'approval_expired',
  'accepted',
  'resumed',
  'succeeded',
  'abnormal',
  'closed',
  'refused',
  'returned_to_merchant',
  'paid_out',
] as const
export type RefundEvent = (typeof refund_events)[number]

/** A merchant's policy decides whether a reserved refund waits for a second person. */
type Reserved = { asks: RefundState; sends: RefundState }
type Edges = Partial<Record<RefundEvent, RefundState | Reserved>>

/** How WeChat ends a refund, from any state in which it has it. */
const endings: Edges = { succeeded: 'succeeded', closed: 'closed', returned_to_merchant: 'returned_to_merchant' }

/** Where each event takes a refund. A pair that is not listed is illegal: SUCCESS never regresses. */
const edges: Record<RefundState, Edges> = {
  created: { reserved: { asks: 'awaiting_approval', sends: 'processing' }, not_reserved: 'refused' },
  awaiting_approval: { approved: 'processing', rejected: 'rejected', approval_expired: 'rejected' },
  processing: { accepted: 'processing', abnormal: 'abnormal', refused: 'refused', ...endings },
  abnormal: { resumed: 'processing', ...endings },
  succeeded: {},
  closed: { paid_out: 'closed' },
  // A refusal that a lagging query seemed to prove is taken back by WeChat's own word.
  refused: { paid_out: 'refused', accepted: 'processing' },
  rejected: {},
  returned_to_merchant: { paid_out: 'returned_to_merchant' },
}

/** Where `event` takes a refund in `state`, or null: illegal. */
export function refundDestination(state: RefundState, event: RefundEvent, needs_approval: boolean): RefundState | null {
  const edge = edges[state][event]
  if (edge === undefined) return null
  return typeof edge === 'string' ? edge : needs_approval ? edge.asks : edge.sends
}

/** Nothing more happens by itself: the run ends here. */
const resting: readonly RefundState[] = ['succeeded', 'closed', 'refused', 'rejected', 'returned_to_merchant']

export function isRefundResting(state: RefundState): boolean {
  return resting.includes(state)
}

export const open_refund_states: readonly RefundState[] = refund_states.filter((state) => !resting.includes(state))

export const refund_origins = [
  'api',
  'operator',
  'late_payment',
  'second_payment',
  'fulfilment_refused',
  'fulfilment_overdue',
  'review_rejected',
  'outside',
] as const
export type RefundOrigin = (typeof refund_origins)[number]

/** Which refund Weft makes by itself after an event of the order; the others owe nobody a new one. */
const automatic: Partial<Record<OrderEvent, RefundOrigin>> = {
  late_payment_found: 'late_payment',
  fulfilment_refused: 'fulfilment_refused',
  fulfilment_overdue: 'fulfilment_overdue',
  rejected: 'review_rejected',
  second_rejected: 'second_payment',
}

export function automaticOrigin(event: OrderEvent): RefundOrigin | null {
  return automatic[event] ?? null
}

/** Made by Weft itself, without anybody's request: it needs no approval and no merchant's number. */
export function isAutomatic(origin: RefundOrigin): boolean {
  return origin !== 'api' && origin !== 'operator' && origin !== 'outside'
}

export interface RefundEntry {
  revision: number
  operation_id: string
  event: RefundEvent
  from: RefundState
  to: RefundState
  time: Time
  actor: Actor
  evidence_id: string | null
  reason: string | null
}

export type RefundStep = 'reserve' | 'await_approval' | 'submit' | 'ask_wechat' | 'tell_order'

/** What WeChat says of a refund it has taken. Amounts in fen; null: it did not say. */
export interface RefundFacts {
  refund_id: string
  channel: string | null
  user_received_account: string | null
  /** when WeChat took it */
  accepted_time: Time
  success_time: Time | null
  payer_refund: number | null
  /** what leaves the merchant's account: the refund less its share of free coupons (Q of docs/money.md) */
  settlement_refund: number | null
}

/** Why WeChat, or Weft itself, does not make a refund; `status`: WeChat's HTTP status, where WeChat said so. */
export interface RefundFailure {
  code: string
  message: string
  status?: number | null
}

export interface RefundRecord {
  /** <mchid>/<out_refund_no> */
  _id: string
  mchid: string
  out_refund_no: string
  out_trade_no: string
  transaction_id: string
  /** null: the payment is an orphan's */
  order_id: string | null
  state: RefundState
  revision: number
  timeline: RefundEntry[]
  origin: RefundOrigin
  requested_by: Actor
  /** the merchant's request as sent, for replays; null when nobody asked over the API */
  sent: { body: string; sha256: string } | null
  notify_url: string
  /** frozen with the reservation and sent to WeChat byte for byte for ever; null before it, and of refunds made outside */
  wechat_request: { path: string; body: string } | null
  /** `total` is the payment's; an automatic refund's `refund` is final with its reservation */
  amount: { refund: number; total: number; currency: string }
  /** when it was decided, all of the payment went back with it: the order may have to stop first */
  is_full: boolean
  reason: string | null
  metadata: Record<string, string>
  create_time: Time
  approval: {
    expire_time: Time
    decision: 'approve' | 'reject' | null
    by: Actor | null
    reason: string | null
  } | null
  facts: RefundFacts | null
  failure: RefundFailure | null
  close_reason: string | null
  payout: { proof: string; reason: string; by: Actor; time: Time } | null

  // Bookkeeping: set by this refund's activities outside the revision; decides no edge.
  submission: { attempts: number; unanswered: boolean; last_attempt_time: Time | null }
  asked: { last_time: Time | null }
  /** absent, not null, when nothing is planned: the index is sparse */
  next_action?: { what: RefundStep; time: Time }
  attention?: Attention
}

/** What is known of a refund when it comes to be; `amount` in fen. */
export type RefundBeginning = Pick<
  RefundRecord,
  'out_refund_no' | 'origin' | 'requested_by' | 'notify_url' | 'is_full' | 'create_time'
> &
  Partial<Pick<RefundRecord, 'sent' | 'reason' | 'metadata'>> & { amount: number }

/** The record of a refund of `payment` that is still to be reserved; of one made outside, which WeChat already has. */
export function newRefund(payment: PaymentRecord, beginning: RefundBeginning): RefundRecord {
  const { mchid, out_trade_no, transaction_id, order_id } = payment
  const { out_refund_no, create_time, amount } = beginning
  const is_taken = beginning.origin === 'outside'
  return {
    _id: refundId({ mchid, out_refund_no }),
    mchid,
    out_trade_no,
    transaction_id,
    order_id,
    state: is_taken ? 'processing' : 'created',
    revision: 0,
    timeline: [],
    wechat_request: null,
    sent: null,
    reason: null,
    metadata: {},
    ...beginning,
    amount: { refund: amount, total: payment.amount.total, currency: payment.amount.currency },
    approval: null,
    facts: null,
    failure: null,
    close_reason: null,
    payout: null,
    submission: { attempts: 0, unanswered: false, last_attempt_time: null },
    asked: { last_time: null },
    next_action: { what: is_taken ? 'ask_wechat' : 'reserve', time: create_time },
  }
}

/** Reserved, and not yet decided on: it may never be sent. */
const undecided_states: readonly RefundState[] = ['created', 'awaiting_approval']

/** All of the payment is back or being sent, as far as anything has been decided; `but`: a refund that is being decided. */
export function isAllGoingBack(
  payment: PaymentRecord,
  refunds: readonly RefundRecord[],
  but: string | null = null,
): boolean {
  const undecided = refunds.filter(
    ({ state, out_refund_no }) => undecided_states.includes(state) && out_refund_no !== but,
  )
  const numbers = new Set(undecided.map(({ out_refund_no }) => out_refund_no))
  const holding = payment.refunds.some(({ out_refund_no, state }) => state === 'reserved' && numbers.has(out_refund_no))
  return refundableAmount(payment) === 0 && !holding
}

/** Fen of a payment that no refund holds, nor will: an automatic one takes all that is left with its reservation. */
export function uncoveredAmount(payment: PaymentRecord, refunds: readonly RefundRecord[]): number {
  const is_coming = refunds.some(
    ({ transaction_id, state, origin }) =>
      transaction_id === payment.transaction_id && state === 'created' && isAutomatic(origin),
  )
  return is_coming ? 0 : refundableAmount(payment)
}

/** Something that happened to a refund, with all that its write needs. */
export type RefundOccurrence = {
  operation_id: string
  time: Time
  actor: Actor
  evidence_id?: string | null
  reason?: string | null
} & (
  | {
      event: 'reserved'
      amount: RefundRecord['amount']
      is_full: boolean
      wechat_request: RefundRecord['wechat_request']
      /** when an approval that the policy asks for runs out; null: none is asked for */
      approval_expire_time: Time | null
    }
  | { event: 'not_reserved' | 'refused'; failure: RefundFailure }
  /** with it all of the payment goes back, as things stand now */
  | { event: 'approved'; is_full: boolean }
  | { event: 'rejected' | 'approval_expired' }
  | { event: 'accepted'; facts: RefundFacts; next_query_time: Time }
  | { event: 'resumed'; facts: RefundFacts; next_query_time: Time }
  | { event: 'succeeded' | 'abnormal' | 'closed' | 'returned_to_merchant'; facts: RefundFacts }
  | { event: 'paid_out'; payout: NonNullable<RefundRecord['payout']> }
)

export interface RefundChange {
  entry: RefundEntry
  set: Partial<Omit<RefundRecord, '_id' | 'timeline' | 'revision'>>
  unset: ('next_action' | 'attention')[]
}

/** What `occurrence` does to `refund`, or null when the table says it is illegal. Pure, as `applyOrderEvent` is. */
export function applyRefundEvent(refund: RefundRecord, occurrence: RefundOccurrence): RefundChange | null {
  const needs_approval = occurrence.event === 'reserved' && occurrence.approval_expire_time !== null
  const to = refundDestination(refund.state, occurrence.event, needs_approval)
  if (to === null || (refund.payout !== null && refund.state !== 'returned_to_merchant')) return null
  if (occurrence.event === 'paid_out' && refund.payout !== null) return null
  const attention = attentionAfter(refund, occurrence, to)
  const next_action = nextActionAfter(refund, occurrence, to)
  return {
    entry: {
      revision: refund.revision + 1,
      operation_id: occurrence.operation_id,
      event: occurrence.event,
      from: refund.state,
      to,
      time: occurrence.time,
      actor: occurrence.actor,
      evidence_id: occurrence.evidence_id ?? null,
      reason: occurrence.reason ?? null,
    },
    set: {
      state: to,
      ...fieldsOf(refund, occurrence),
      ...(next_action && { next_action }),
      ...(attention && { attention: { code: attention, since_time: occurrence.time } }),
    },
    unset: [...(next_action ? [] : (['next_action'] as const)), ...(attention ? [] : (['attention'] as const))],
  }
}

function fieldsOf(refund: RefundRecord, occurrence: RefundOccurrence): RefundChange['set'] {
  switch (occurrence.event) {
    case 'reserved': {
      const { amount, is_full, wechat_request, approval_expire_time } = occurrence
      const approval = approval_expire_time && {
        expire_time: approval_expire_time,
        decision: null,
        by: null,
        reason: null,
      }
      return { amount, is_full, wechat_request, approval: approval || null }
    }
    case 'not_reserved':
    case 'refused':
      return { failure: occurrence.failure }
    case 'approved':
    case 'rejected':
    case 'approval_expired':
      return decided(refund, occurrence)
    case 'accepted':
    case 'resumed':
    case 'succeeded':
    case 'abnormal':
    case 'closed':
    case 'returned_to_merchant':
      return {
        facts: { ...occurrence.facts, settlement_refund: settlementOf(refund, occurrence.facts) },
        submission: { ...refund.submission, unanswered: false },
        ...(occurrence.event === 'accepted' && { failure: null }),
        ...(occurrence.event === 'closed' && { close_reason: 'closed_by_wechat' }),
      }
    case 'paid_out':
      return { payout: occurrence.payout }
  }
}

/** What was booked at acceptance stays: a later answer that leaves the amount out must not unbalance the book. */
function settlementOf(refund: RefundRecord, facts: RefundFacts): number {
  return refund.facts?.settlement_refund ?? facts.settlement_refund ?? refund.amount.refund
}

function decided(refund: RefundRecord, occurrence: RefundOccurrence): RefundChange['set'] {
  const { event, actor, reason } = occurrence
  if (refund.approval === null) return {}
  if (event === 'approval_expired') return { close_reason: 'approval_expired' }
  const decision = event === 'approved' ? 'approve' : 'reject'
  const approval = { ...refund.approval, decision, by: actor, reason: reason ?? null } as const
  return { approval, ...(occurrence.event === 'approved' && { is_full: occurrence.is_full }) }
}

/** Why a person should look at the refund in this state; one state, one reason. */
function attentionAfter(refund: RefundRecord, occurrence: RefundOccurrence, to: RefundState): AttentionCode | null {
  switch (occurrence.event) {
    case 'abnormal':
      return 'refund_abnormal'
    case 'returned_to_merchant':
      return 'returned_to_merchant'
    case 'closed':
      return isAutomatic(refund.origin) ? 'refund_closed' : null
    case 'refused':
      return isAutomatic(refund.origin) ? 'refund_refused' : null
    case 'not_reserved':
      return isLeftUnpaid(refund.origin, occurrence.failure.code) ? 'refund_refused' : null
    default:
      return to === 'awaiting_approval' ? 'approval_waiting' : null
  }
}

/** What Weft does next by itself. After what the order must hear, telling it is the next thing, until it has heard. */
function nextActionAfter(
  refund: RefundRecord,
  occurrence: RefundOccurrence,
  to: RefundState,
): RefundRecord['next_action'] | null {
  const { event, time } = occurrence
  if (event === 'accepted' || event === 'resumed') return { what: 'ask_wechat', time: occurrence.next_query_time }
  if (event === 'reserved' && occurrence.approval_expire_time !== null) {
    return { what: 'await_approval', time: occurrence.approval_expire_time }
  }
  if (to === 'processing') return { what: 'submit', time }
  const failure = occurrence.event === 'not_reserved' ? occurrence.failure : refund.failure
  if (isToldToOrder({ ...refund, failure }, event)) return { what: 'tell_order', time }
  return null
}

/** What each event of a refund tells the merchant; null: nothing (api.md §7). */
const event_types: Record<RefundEvent, RefundEventType | null> = {
  reserved: null,
  not_reserved: null, // the request itself is answered so
  approved: null,
  rejected: null,
  approval_expired: null,
  accepted: null,
  resumed: null,
  succeeded: 'refund.succeeded',
  abnormal: 'refund.abnormal',
  closed: 'refund.closed',
  refused: 'refund.refused',
  returned_to_merchant: 'refund.returned_to_merchant',
  paid_out: null,
}

export function refundEventType(event: RefundEvent): RefundEventType | null {
  return event_types[event]
}

/** Told to the order though not to the merchant: what may complete its refund, and what leaves it without one. */
const silent: readonly RefundEvent[] = ['paid_out', 'rejected', 'approval_expired']

/**
 * What Weft owes by itself and WeChat's limits forbid. That other refunds hold all of the payment already leaves nobody
 * without money.
 */
function isLeftUnpaid(origin: RefundOrigin, code: string | undefined): boolean {
  return isAutomatic(origin) && code !== 'refund_exceeds_payment'
}

/** What the order looks at of a refund. */
type Told = Pick<RefundRecord, 'order_id' | 'origin' | 'failure'>

/** Whether the order hears of it. */
export function isToldToOrder({ order_id, origin, failure }: Told, event: RefundEvent): boolean {
  if (order_id === null) return false
  if (event === 'not_reserved') return isLeftUnpaid(origin, failure?.code)
  return event_types[event] !== null || silent.includes(event)
}

/** The entries of which the order has to hear, oldest first. */
export function entriesForOrder(refund: Told & Pick<RefundRecord, 'timeline'>): RefundEntry[] {
  return refund.timeline.filter(({ event }) => isToldToOrder(refund, event))
}
