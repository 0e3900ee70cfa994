import type { Actor } from '../actor.ts'
import type { Attention } from '../attention.ts'
import type { Time } from '../calendar.ts'
import { amountFlaw, timelineFlaw } from '../flaw.ts'
import type { Flaw } from '../flaw.ts'
import type { Amount } from '../money.ts'
import type { TradeType } from '../merchant/product.ts'
import type { PayerLocale } from '../order/record.ts'

/** What merchants are told about a checkout that ends unpaid (api.md §7). That it is paid, its order’s `order.paid` says. */
export const checkout_event_types = ['checkout.expired', 'checkout.cancelled'] as const
export type CheckoutEventType = (typeof checkout_event_types)[number]

/** The ways to pay that its page can offer: APP is not among them, since an app opens no page. */
export const checkout_methods = ['NATIVE', 'JSAPI', 'MWEB'] as const satisfies readonly TradeType[]

export const checkout_states = ['open', 'closing', 'paid', 'expired', 'cancelled'] as const
export type CheckoutState = (typeof checkout_states)[number]

export const checkout_events = ['order_opened', 'cancel_asked', 'paid', 'expired', 'cancelled'] as const
export type CheckoutEvent = (typeof checkout_events)[number]

/** A number of the checkout, claimed for one payer’s way to pay. Its order is inserted behind the claim. */
export interface CheckoutOrder {
  out_trade_no: string
  trade_type: TradeType
  /** a digest of the way to pay and of its payer: whoever comes back with the same is given the same order */
  payer: string
  /** a digest of the payer’s address, where WeChat Pay compares it; absent: it does not, or an earlier version claimed */
  address?: string
  /** of the claim, later than that of the number before: the order’s `create_time`, by which older ones are told */
  time: Time
}

export interface CheckoutEntry {
  revision: number
  operation_id: string
  event: CheckoutEvent
  from: CheckoutState
  to: CheckoutState
  time: Time
  actor: Actor
  reason: string | null
  /** null: the merchant is told nothing */
  event_type: CheckoutEventType | null
  /** the order that this is about */
  out_trade_no?: string
}

/** `end`: look whether all of its orders have ended; `tell`: derive the event of its end. */
export type CheckoutStep = 'end' | 'tell'

/**
 * CheckoutRecord is one sale whose payer chooses how to pay where it is opened. It places nothing by itself: each way to
 * pay is an order of its own number, all of them of one `reference`, so that two of them are never both kept.
 */
export interface CheckoutRecord {
  /** <mchid>/<out_trade_no> */
  _id: string
  mchid: string
  /** the merchant’s number of the sale, and of its first order; at most 28 characters */
  out_trade_no: string
  reference: string
  state: CheckoutState
  /** counts writes that matter; every one of them is conditional on it */
  revision: number
  timeline: CheckoutEntry[]
  /** the merchant’s request as sent: a repeat is compared with it */
  sent: { body: string; sha256: string }
  /** the secret of its page, `/pay/<token>` */
  token: string
  checkout_url: string
  description: string
  attach: string | null
  metadata: Record<string, string>
  return_url: string | null
  locale: PayerLocale | null
  amount: Amount
  /** the ways to pay that its page may offer, in no order */
  methods: TradeType[]
  create_time: Time
  /** until then orders are made of it */
  expire_time: Time
  /** in the order of their claims */
  orders: CheckoutOrder[]
  /** the number that keeps the sale; it stays when the money goes back */
  paid_by: string | null
  /** absent, not null, when nothing is planned: the index is sparse */
  next_action?: { what: CheckoutStep; time: Time }
  /** why a person should look; absent when there is no reason */
  attention?: Attention
}

const [known_states, known_events] = [new Set<string>(checkout_states), new Set<string>(checkout_events)]

/** Why this checkout, as it was read back, cannot be worked with; null: it can. */
export function checkoutFlaw(checkout: CheckoutRecord): Flaw {
  return timelineFlaw(checkout, known_states, known_events) ?? amountFlaw({ 'amount.total': checkout.amount.total })
}

/** The number whose order shows how the checkout stands: the one that is paid, else the newest; null: none was opened. */
export function currentNumber({ paid_by, orders }: Pick<CheckoutRecord, 'paid_by' | 'orders'>): string | null {
  return paid_by ?? orders.at(-1)?.out_trade_no ?? null
}

/** Something that happened to a checkout, with all that its write needs. */
export type CheckoutOccurrence = {
  operation_id: string
  time: Time
  actor: Actor
  reason?: string | null
} & (
  | { event: 'order_opened'; order: Omit<CheckoutOrder, 'time'> }
  | { event: 'paid'; out_trade_no: string }
  | { event: 'cancel_asked' | 'expired' | 'cancelled' }
)

/** A state change worked out: what to set, what to take away, and the timeline entry that goes with it. */
export interface CheckoutChange {
  entry: CheckoutEntry
  set: Partial<Omit<CheckoutRecord, '_id' | 'timeline' | 'revision'>>
  unset: ('next_action' | 'attention')[]
}
