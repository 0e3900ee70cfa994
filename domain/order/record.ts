import type { Actor } from '../actor.ts'
import type { Attention } from '../attention.ts'
import type { Time } from '../calendar.ts'
import { amountFlaw, timelineFlaw } from '../flaw.ts'
import type { Flaw } from '../flaw.ts'
import type { AppKind, TradeType } from '../merchant/product.ts'
import type { FulfilmentMode, RefundOrHold, Sealed } from '../merchant/record.ts'
import type { Amount } from '../money.ts'
import type { PaymentRole } from '../payment/record.ts'
import type { RefundEventType } from '../refund/record.ts'

/** What merchants are told about orders (api.md §7). */
export const order_event_types = [
  'order.paid',
  'order.fulfilled',
  'order.fulfilment_cancelled',
  'order.closed',
  'order.failed',
  'order.review',
  'order.late_payment',
  'order.second_payment',
  'order.refunding',
  'order.refunded',
] as const
export type OrderEventType = (typeof order_event_types)[number]

export const order_states = [
  'created',
  'awaiting_payment',
  'closing',
  'paid',
  'fulfilled',
  'closed',
  'failed',
  'review',
  'refunding',
  'refunded',
] as const
export type OrderState = (typeof order_states)[number]

export const order_events = [
  'placed',
  'code_renewed',
  'placement_refused',
  'payment_found',
  'payment_contradicted',
  'payment_refunded_outside',
  'late_payment_found',
  'second_payment_found',
  'close_asked',
  'closed_at_wechat',
  'fulfilled',
  'fulfilment_pending',
  'fulfilment_refused',
  'fulfilment_overdue',
  'fulfilment_stopped',
  'full_refund_requested',
  'refund_changed',
  'refunded',
  'refund_closed',
  'refund_refused',
  'refund_reversed',
  'accepted',
  'rejected',
  'second_accepted',
  'second_rejected',
  'payment_denied',
  'payment_restored',
  'denial_ended',
] as const
export type OrderEvent = (typeof order_events)[number]

/** Nothing more happens by itself in these states: the run ends there, and the next fact starts it again. */
const resting_states: readonly OrderState[] = ['fulfilled', 'closed', 'failed', 'review', 'refunding', 'refunded']

export function isOrderResting(state: OrderState): boolean {
  return resting_states.includes(state)
}

export const open_order_states: readonly OrderState[] = order_states.filter((state) => !resting_states.includes(state))

export interface TimelineEntry {
  revision: number
  operation_id: string
  event: OrderEvent
  from: OrderState
  to: OrderState
  time: Time
  actor: Actor
  evidence_id: string | null
  reason: string | null
  /** null, like event_type, when the merchant is told nothing */
  sequence: number | null
  event_type: OrderEventType | RefundEventType | null
  /** the refund that this is about */
  out_refund_no?: string
  /** the payment that this is about, where it is not the order's own */
  transaction_id?: string
  /** with this refund the payer has all of that payment back */
  is_whole?: true
}

/** The languages that the checkout page speaks. */
export type PayerLocale = 'zh-CN' | 'en'

export type OrderStep = 'place' | 'ask_wechat' | 'close' | 'deliver' | 'await_fulfilment' | 'refund'

export interface OrderPayment {
  transaction_id: string
  role: PaymentRole
  success_time: Time
  found_by: 'notification' | 'query' | 'bill' | 'operator'
  found_time: Time
  bank_type: string | null
}

/** Why an order was not placed; `status`: WeChat's HTTP status, where it was WeChat that said so. */
export interface PlacementFailure {
  code: string
  message: string
  number_taken: boolean
  status?: number | null
}

/** PlacedCode is what the payer's client was handed for an order: a QR code's text, a prepay_id, or H5's address. */
export type PlacedCode = { placed_time: Time } & (
  | { url: string; prepay_id?: never; h5_url?: never }
  | { url?: never; prepay_id: string; h5_url?: never }
  | { url?: never; prepay_id?: never; h5_url: string }
)

export interface OrderRecord {
  /** <mchid>/<out_trade_no> */
  _id: string
  mchid: string
  out_trade_no: string
  appid: string
  /** what the appid is of, as it was said when the order was made; absent or null: nobody had said */
  app_kind?: AppKind | null
  reference: string | null
  state: OrderState
  /** counts writes that matter; every one of them is conditional on it */
  revision: number
  /** the number of the last event told to the merchant; 0 before the first */
  sequence: number
  timeline: TimelineEntry[]
  /** the merchant's request as sent, but for the openid: a repeat is compared with it */
  sent: { body: string; sha256: string }
  /** frozen at insert and sent to WeChat byte for byte for ever, the openid put in its place */
  wechat_request: { path: string; body: string }
  description: string
  attach: string | null
  metadata: Record<string, string>
  return_url: string | null
  /** the language of the checkout page; absent or null: the browser's */
  locale?: PayerLocale | null
  trade_type: TradeType
  /** who alone may pay, of JSAPI: this appid's openid, sealed to its place (store/openid); absent or null: anybody */
  payer?: { openid: Sealed } | null
  /** the checkout that made it; absent or null: the merchant itself did */
  checkout_id?: string | null
  amount: Amount
  create_time: Time
  time_expire: Time
  checkout_token: string
  checkout_url: string
  code: PlacedCode | null
  payment: OrderPayment | null
  fulfilment: {
    mode: FulfilmentMode
    result: 'pending' | 'fulfilled' | 'refused' | null
    reason: string | null
    deadline_time: Time | null
  }
  close_reason: string | null
  failure: PlacementFailure | null

  // Bookkeeping: set by this order's activities outside the revision; decides no edge.
  placement: { attempts: number; unanswered: boolean; last_attempt_time: Time | null }
  close_sent_time: Time | null
  /** `on_request`: how often the payer had it asked, which is limited */
  asked: { last_time: Time | null; on_request: number }
  /** up to this entry of the timeline all that moves money has been seen through; absent: none of it has */
  followed_revision?: number
  /** absent, not null, when nothing is planned: the index is sparse */
  next_action?: { what: OrderStep; time: Time }
  attention?: Attention
}

const [known_states, known_events] = [new Set<string>(order_states), new Set<string>(order_events)]

/** Why this order, as it was read back, cannot be worked with; null: it can. */
export function orderFlaw(order: OrderRecord): Flaw {
  return timelineFlaw(order, known_states, known_events) ?? amountFlaw({ 'amount.total': order.amount.total })
}

/** Something that happened to an order, with all that its write needs. */
export type OrderOccurrence = {
  operation_id: string
  time: Time
  actor: Actor
  evidence_id?: string | null
  reason?: string | null
} & (
  | { event: 'placed' | 'code_renewed'; code: PlacedCode; next_query_time: Time }
  | { event: 'placement_refused'; failure: PlacementFailure }
  | {
      event: 'payment_found' | 'payment_contradicted' | 'payment_refunded_outside' | 'late_payment_found'
      payment: OrderPayment
      choice: RefundOrHold
      /** when a missing answer is overdue */
      deadline_time: Time
    }
  | { event: 'second_payment_found' | 'second_accepted' | 'second_rejected'; transaction_id: string }
  | { event: 'close_asked'; close_reason: string }
  | { event: 'closed_at_wechat' }
  | { event: 'fulfilled' | 'fulfilment_pending' | 'fulfilment_stopped' }
  | { event: 'full_refund_requested'; out_refund_no: string }
  | {
      event: 'refund_changed' | 'refund_closed' | 'refund_refused' | 'refund_reversed'
      out_refund_no: string
      /** the payment, where it is not the order's own */
      transaction_id?: string
      /** the payer has all of that payment back */
      is_whole?: boolean
      /** what the merchant is told of the refund; null: nothing */
      event_type: RefundEventType | null
    }
  | { event: 'refunded' | 'rejected' }
  | { event: 'payment_denied' | 'denial_ended' }
  | { event: 'accepted' | 'payment_restored'; deadline_time: Time }
  | { event: 'fulfilment_refused' | 'fulfilment_overdue'; choice: RefundOrHold }
)

/** A state change worked out: what to set, what to take away, and the timeline entry that goes with it. */
export interface OrderChange {
  entry: TimelineEntry
  set: Partial<Omit<OrderRecord, '_id' | 'timeline' | 'revision'>>
  unset: ('next_action' | 'attention')[]
}
