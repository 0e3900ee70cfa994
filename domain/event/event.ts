import { bill_event_types, differenceView, reconciliationView } from '../bill/view.ts'
import type { DifferenceSurroundings } from '../bill/view.ts'
import type { BillEventType } from '../bill/view.ts'
import type { DifferenceRecord } from '../bill/difference.ts'
import type { ReconciliationRecord } from '../bill/reconciliation.ts'
import type { Time } from '../calendar.ts'
import { checkout_event_types } from '../checkout/record.ts'
import type { CheckoutEventType, CheckoutRecord } from '../checkout/record.ts'
import { checkoutView } from '../checkout/view.ts'
import type { EndpointRecord } from '../merchant/record.ts'
import { order_event_types } from '../order/record.ts'
import type { OrderEventType, OrderRecord, TimelineEntry } from '../order/record.ts'
import type { PaymentRecord } from '../payment/record.ts'
import { refund_event_types } from '../refund/record.ts'
import type { RefundEventType, RefundRecord } from '../refund/record.ts'
import { orderView, refundView } from './view.ts'

/** Events that belong to no order. `test.ping` is sent to one endpoint, on request. */
export const orderless_event_types = ['endpoint.disabled', 'test.ping'] as const
export type EventType =
  OrderEventType | CheckoutEventType | RefundEventType | BillEventType | (typeof orderless_event_types)[number]

export const event_types: readonly EventType[] = [
  ...order_event_types,
  ...checkout_event_types,
  ...refund_event_types,
  ...bill_event_types,
  ...orderless_event_types,
]

export interface EventRecord {
  /** <mchid>/<out_trade_no>/<sequence>, else <mchid>/<type>/<subject id> */
  _id: string
  /** evt_…, the webhook-id: the same for ever */
  id: string
  mchid: string
  out_trade_no: string | null
  sequence: number | null
  type: EventType
  timestamp: Time
  /** the bytes sent on every attempt */
  body: string
  /** its place in the merchant's feed; absent on what earlier versions wrote */
  position?: number
}

/**
 * The bytes of an order's event, built from the document that the state change returned, so that the payload is the
 * state at event time. `id` is the event's public id.
 */
export function orderEventBody(
  id: string,
  order: OrderRecord,
  entry: TimelineEntry,
  payment: PaymentRecord | null,
  refund: RefundRecord | null = null,
): string {
  return JSON.stringify({
    type: entry.event_type,
    timestamp: entry.time,
    id,
    api_version: 'v1',
    mchid: order.mchid,
    sequence: entry.sequence,
    data: { ...(refund && { refund: refundView(refund) }), order: orderView(order, payment) },
  })
}

/** The bytes of an event about a refund that belongs to no order. */
export function orderlessRefundEventBody(
  id: string,
  type: RefundEventType,
  refund: RefundRecord,
  timestamp: Time,
): string {
  const { mchid } = refund
  return JSON.stringify({
    type,
    timestamp,
    id,
    api_version: 'v1',
    mchid,
    sequence: null,
    data: { refund: refundView(refund) },
  })
}

/** The bytes of an event about a checkout. */
export function checkoutEventBody(
  id: string,
  type: CheckoutEventType,
  checkout: CheckoutRecord,
  timestamp: Time,
): string {
  const { mchid } = checkout
  const data = { checkout: checkoutView(checkout) }
  return JSON.stringify({ type, timestamp, id, api_version: 'v1', mchid, sequence: null, data })
}

/** What an event about a merchant's day is about. */
export type BillSubject =
  | { type: 'reconciliation.completed'; day: ReconciliationRecord }
  | ({ type: 'difference.opened'; difference: DifferenceRecord } & DifferenceSurroundings)

/** The bytes of an event about a day, or about a difference of one. */
export function billEventBody(id: string, subject: BillSubject, timestamp: Time): string {
  const { type } = subject
  const data =
    type === 'reconciliation.completed'
      ? { reconciliation: reconciliationView(subject.day) }
      : { difference: differenceView(subject.difference, subject) }
  const { mchid } = type === 'reconciliation.completed' ? subject.day : subject.difference
  return JSON.stringify({ type, timestamp, id, api_version: 'v1', mchid, sequence: null, data })
}

/** The bytes of a `test.ping`: only where it was sent to, so that nothing in a shop can take it for a sale. */
export function pingBody(
  { id, mchid, timestamp }: Pick<EventRecord, 'id' | 'mchid' | 'timestamp'>,
  endpoint: PingedEndpoint,
): string {
  const data = { endpoint: { id: endpoint.id, url: endpoint.url } }
  return JSON.stringify({ type: 'test.ping', timestamp, id, api_version: 'v1', mchid, sequence: null, data })
}

type PingedEndpoint = Pick<EndpointRecord, 'id' | 'url'>
