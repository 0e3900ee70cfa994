import type { Actor } from '../actor.ts'
import type { Attention } from '../attention.ts'
import { milliseconds } from '../calendar.ts'
import type { Time } from '../calendar.ts'
import { amountFlaw, timelineFlaw } from '../flaw.ts'
import type { Flaw } from '../flaw.ts'
import { refundId } from '../ids.ts'
import type { PaymentRecord } from '../payment/record.ts'

/** What merchants are told about refunds: numbered with the events of the order, where there is one. */
export const refund_event_types = [
  'refund.succeeded',
  'refund.abnormal',
  'refund.closed',
  'refund.refused',
  'refund.returned_to_merchant',
] as const
export type RefundEventType = (typeof refund_event_types)[number]

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

/** Nothing more happens by itself: the run ends here. */
const resting_states: readonly RefundState[] = ['succeeded', 'closed', 'refused', 'rejected', 'returned_to_merchant']

export function isRefundResting(state: RefundState): boolean {
  return resting_states.includes(state)
}

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

/** Made by Weft itself, without anybody's request: it needs no approval and no merchant's number. */
export function isAutomaticOrigin(origin: RefundOrigin): boolean {
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
export interface RefundAtWeChat {
  refund_id: string
  channel: string | null
  user_received_account: string | null
  /** when WeChat took it */
  accepted_time: Time
  success_time: Time | null
  payer_refund: number | null
  /** what leaves the merchant's account: the refund less its share of free coupons (Q of docs/money.md) */
  settlement_refund: number | null
  /** when WeChat was asked for this; absent in what earlier versions wrote */
  asked_time?: Time
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
  /** the number that WeChat knows it by, where a refund of ours has that number here; absent: `out_refund_no` */
  wechat_refund_no?: string
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
  facts: RefundAtWeChat | null
  failure: RefundFailure | null
  close_reason: string | null
  payout: { proof: string; reason: string; by: Actor; time: Time } | null

  // Bookkeeping: set by this refund's activities outside the revision; decides no edge.
  /**
   * `begun_time`: since when it is sent and not taken, anew after the account was filled; `refusal`: how WeChat answered the
   * last attempt, where it said no
   */
  submission: {
    attempts: number
    unanswered: boolean
    last_attempt_time: Time | null
    begun_time?: Time
    refusal?: RefundFailure
  }
  /** `confirmed_time`: when WeChat was asked that last said again what the record holds */
  asked: { last_time: Time | null; confirmed_time?: Time }
  /** absent, not null, when nothing is planned: the index is sparse */
  next_action?: { what: RefundStep; time: Time }
  attention?: Attention
}

const answer_events: readonly RefundEvent[] = [
  'accepted',
  'resumed',
  'succeeded',
  'abnormal',
  'closed',
  'returned_to_merchant',
]

/**
 * Whether WeChat was asked, at `asked_time`, before it said what the refund holds: such an answer, which a reset run writes
 * down once more, moves nothing.
 */
export function isOvertaken(
  { facts, timeline, asked }: Pick<RefundRecord, 'facts' | 'timeline' | 'asked'>,
  asked_time: Time,
): boolean {
  if (facts === null) return false
  const written_time = facts.asked_time ?? timeline.findLast(({ event }) => answer_events.includes(event))?.time
  return [written_time, asked.confirmed_time].some(
    (known_time) => known_time !== undefined && milliseconds(asked_time) < milliseconds(known_time),
  )
}

/** The number that WeChat Pay knows the refund by. */
export function numberAtWeChat({
  out_refund_no,
  wechat_refund_no,
}: Pick<RefundRecord, 'out_refund_no' | 'wechat_refund_no'>): string {
  return wechat_refund_no ?? out_refund_no
}

const [known_states, known_events] = [new Set<string>(refund_states), new Set<string>(refund_events)]

/** Why this refund, as it was read back, cannot be worked with; null: it can. */
export function refundFlaw(refund: RefundRecord): Flaw {
  const { amount } = refund
  return (
    timelineFlaw(refund, known_states, known_events) ??
    amountFlaw({ 'amount.refund': amount.refund, 'amount.total': amount.total })
  )
}

/** What is known of a refund when it comes to be; `amount` in fen. */
export type RefundDraft = Pick<
  RefundRecord,
  'out_refund_no' | 'origin' | 'requested_by' | 'notify_url' | 'is_full' | 'create_time'
> &
  Partial<Pick<RefundRecord, 'sent' | 'reason' | 'metadata' | 'wechat_refund_no'>> & { amount: number }

/** The record of a refund of `payment` that is still to be reserved; of one made outside, which WeChat already has. */
export function newRefund(payment: PaymentRecord, draft: RefundDraft): RefundRecord {
  const { mchid, out_trade_no, transaction_id, order_id } = payment
  const { out_refund_no, create_time, amount } = draft
  const is_taken = draft.origin === 'outside'
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
    ...draft,
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
  | { event: 'not_reserved'; failure: RefundFailure }
  /** `attention`: why a person should look, beside the refusal itself */
  | { event: 'refused'; failure: RefundFailure; attention?: 'refund_number_taken' }
  /** with it all of the payment goes back, as things stand now */
  | { event: 'approved'; is_full: boolean }
  | { event: 'rejected' | 'approval_expired' }
  | { event: 'accepted'; facts: RefundAtWeChat; next_query_time: Time }
  | { event: 'resumed'; facts: RefundAtWeChat; next_query_time: Time }
  | { event: 'succeeded' | 'abnormal' | 'closed' | 'returned_to_merchant'; facts: RefundAtWeChat }
  | { event: 'paid_out'; payout: NonNullable<RefundRecord['payout']> }
)

export interface RefundChange {
  entry: RefundEntry
  set: Partial<Omit<RefundRecord, '_id' | 'timeline' | 'revision'>>
  unset: ('next_action' | 'attention')[]
}
