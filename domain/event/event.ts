import { beijingTime } from '../calendar.ts'
import type { Time } from '../calendar.ts'
import type { OrderRecord, TimelineEntry } from '../order/change.ts'
import type { PaymentRecord } from '../payment/record.ts'
import type { RefundRecord } from '../refund/change.ts'
import { orderView, refundView } from './view.ts'

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

/** What they are told about refunds: numbered with the events of the order, where there is one. */
export const refund_event_types = [
  'refund.succeeded',
  'refund.abnormal',
  'refund.closed',
  'refund.refused',
  'refund.returned_to_merchant',
] as const
export type RefundEventType = (typeof refund_event_types)[number]

export const loose_event_types = ['endpoint.disabled', 'test.ping'] as const
export type EventType = OrderEventType | RefundEventType | (typeof loose_event_types)[number]

export const event_types: readonly EventType[] = [...order_event_types, ...refund_event_types, ...loose_event_types]

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
export function looseRefundEventBody(id: string, type: RefundEventType, refund: RefundRecord, timestamp: Time): string {
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

/** How a fulfilment endpoint's answer was read. `null`: not an answer, so the event is sent again. */
export type FulfilmentAnswer = { result: 'fulfilled' | 'pending' | 'refused'; reason: string | null } | null

/**
 * Status says heard, body says decided (api.md §7). `body` is all that came; null is one too long to be read, which is
 * no answer, since it might refuse.
 */
export function readAnswer(status: number, body: string | null): FulfilmentAnswer {
  if (!isHeard(status) || body === null) return null
  const stated = statedFulfilment(body)
  if (stated) return stated
  return { result: status === 202 ? 'pending' : 'fulfilled', reason: null }
}

/** Whether an endpoint has taken an event: of a notice nothing more is asked. */
export function isHeard(status: number): boolean {
  return status >= 200 && status <= 299
}

/** Whether an answer says in so many words that the merchant has fulfilled. */
export function isStatedFulfilled(body: string | null): boolean {
  return body !== null && statedFulfilment(body)?.result === 'fulfilled'
}

function statedFulfilment(body: string): FulfilmentAnswer {
  let parsed: unknown
  try {
    parsed = JSON.parse(body)
  } catch {
    return null // an "ok" or an HTML page decides nothing: the status does
  }
  if (typeof parsed !== 'object' || parsed === null || !('fulfilment' in parsed)) return null
  const { fulfilment } = parsed
  if (fulfilment !== 'fulfilled' && fulfilment !== 'pending' && fulfilment !== 'refused') return null
  const reason = 'reason' in parsed && typeof parsed.reason === 'string' ? parsed.reason.slice(0, 200) : null
  return { result: fulfilment, reason }
}

/** The moment written into signatures and payloads is ours, in the form used everywhere. */
export function eventTime(ms: number): Time {
  return beijingTime(ms)
}
