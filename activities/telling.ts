import { orderEventBody } from '../domain/event.ts'
import type { OrderEventType } from '../domain/event.ts'
import type { DeliveryRecord } from '../domain/delivery.ts'
import { deliveryId, eventId } from '../domain/ids.ts'
import { milliseconds } from '../domain/calendar.ts'
import type { EndpointRecord, MerchantRecord } from '../domain/merchant.ts'
import { paidSequence } from '../domain/order.ts'
import type { OrderRecord, TimelineEntry } from '../domain/order.ts'
import type { PaymentRecord } from '../domain/payment.ts'
import { publicId } from '../store/ids.ts'
import type { ActivityContext } from './context.ts'

/** What a step has read or written a moment ago, and need not be read again. */
export interface Known {
  merchant?: MerchantRecord
  payment?: PaymentRecord
}

/**
 * Derives the event that a timeline entry numbered, and its deliveries. Repeatable: deliveries first, the event last, so
 * that an event that is there has all its deliveries. Answers the notices that a `deliverEvent` must carry.
 */
export async function tell(
  context: ActivityContext,
  order: OrderRecord,
  entry: TimelineEntry,
  known: Known = {},
): Promise<string[]> {
  const { sequence, event_type } = entry
  if (sequence === null || event_type === null) return []
  const { store } = context
  const event_id = eventId(order, sequence)
  const [endpoints, merchant, payment] = await Promise.all([
    store.endpoints.enabledOf(order.mchid),
    known.merchant ?? store.merchants.find(order.mchid),
    paymentOf(context, order, known),
  ])
  const fulfilment_endpoint_id = merchant?.fulfilment_endpoint_id ?? null
  const decides = isDecidedByDelivery(order, entry)
  const deliveries = endpoints
    .filter((endpoint) => wants(endpoint, event_type, fulfilment_endpoint_id, entry))
    .map((endpoint) => deliveryOf(order, entry, event_id, endpoint, decides && endpoint.id === fulfilment_endpoint_id))
  if (deliveries.length > 0) await store.deliveries.insertMissing(deliveries)
  const id = publicId('evt', event_id)
  await store.events.record({
    _id: event_id,
    id,
    mchid: order.mchid,
    out_trade_no: order.out_trade_no,
    sequence,
    type: event_type,
    timestamp: entry.time,
    body: orderEventBody(id, order, entry, payment),
  })
  // All of them, not only those just inserted: the step that inserted them may have died before its answer.
  return deliveries.filter(({ purpose }) => purpose === 'notice').map(({ _id }) => _id)
}

/** The payment that the order stands on, which need not be the one that was just booked. */
async function paymentOf(
  { store }: ActivityContext,
  { mchid, payment }: OrderRecord,
  known: Known,
): Promise<PaymentRecord | null> {
  if (payment === null) return null
  if (known.payment?.transaction_id === payment.transaction_id) return known.payment
  return await store.payments.find(mchid, payment.transaction_id)
}

/** Events that a lost run numbered and did not derive; after every usual run there are none. */
export async function tellMissing(context: ActivityContext, order: OrderRecord): Promise<string[]> {
  const deliveries: string[] = []
  for (const entry of order.timeline) {
    if (entry.sequence === null) continue
    const event = await context.store.events.find(eventId(order, entry.sequence))
    if (event === null) deliveries.push(...(await tell(context, order, entry)))
  }
  return deliveries
}

/** The fulfilment endpoint hears all but its own answer; observers hear what they chose, from when they were added. */
function wants(
  endpoint: EndpointRecord,
  type: OrderEventType,
  fulfilment_endpoint_id: string | null,
  entry: TimelineEntry,
): boolean {
  if (milliseconds(endpoint.create_time) > milliseconds(entry.time)) return false
  if (endpoint.id === fulfilment_endpoint_id) return type !== 'order.fulfilled'
  return endpoint.event_types.includes('*') || endpoint.event_types.includes(type)
}

/** Mode `event`: the answer to this very `order.paid` is the fulfilment, so the order's own run delivers it. */
function isDecidedByDelivery(order: OrderRecord, entry: TimelineEntry): boolean {
  return order.fulfilment.mode === 'event' && entry.to === 'paid' && entry.sequence === paidSequence(order)
}

function deliveryOf(
  order: OrderRecord,
  entry: TimelineEntry,
  event_id: string,
  endpoint: EndpointRecord,
  is_fulfilment: boolean,
): DeliveryRecord {
  const _id = deliveryId(event_id, endpoint.id)
  // Derived after the question was answered another way: it is kept, and not asked any more.
  const is_over = is_fulfilment && order.state !== 'paid'
  return {
    _id,
    id: publicId('dlv', _id),
    mchid: order.mchid,
    event_id,
    event_public_id: publicId('evt', event_id),
    event_type: entry.event_type ?? 'order.paid',
    endpoint_id: endpoint.id,
    out_trade_no: order.out_trade_no,
    sequence: entry.sequence,
    purpose: is_fulfilment ? 'fulfilment' : 'notice',
    state: is_over ? 'cancelled' : 'waiting',
    revision: 0,
    attempts: [],
    create_time: entry.time,
    ...(!is_over && { next_attempt_time: entry.time }),
  }
}
