import { milliseconds } from '../../domain/calendar.ts'
import type { Time } from '../../domain/calendar.ts'
import { orderlessDelivery } from '../../domain/event/delivery.ts'
import type { DeliveryRecord } from '../../domain/event/delivery.ts'
import { orderEventBody, orderlessRefundEventBody } from '../../domain/event/event.ts'
import type { EventType } from '../../domain/event/event.ts'
import { deliveryId, eventId, orderlessEventId } from '../../domain/ids.ts'
import type { EndpointRecord, MerchantRecord } from '../../domain/merchant/record.ts'
import type { OrderRecord, TimelineEntry } from '../../domain/order/record.ts'
import { paidSequence } from '../../domain/order/timeline.ts'
import type { PaymentRecord } from '../../domain/payment/record.ts'
import { publishedRefundType } from '../../domain/refund/change.ts'
import type { RefundEntry, RefundRecord } from '../../domain/refund/record.ts'
import { publicId } from '../../store/ids.ts'
import type { ActivityContext } from '../context.ts'

/** What a step has read or written a moment ago, and need not be read again. */
export interface KnownRecords {
  merchant?: MerchantRecord
  payment?: PaymentRecord
}

/**
 * Derives the event that a timeline entry numbered, and its deliveries. Repeatable: deliveries first, the event last, so
 * that an event that is there has all its deliveries. Answers the notices that a `deliverEvent` must carry.
 */
export async function publishOrderEvent(
  context: ActivityContext,
  order: OrderRecord,
  entry: TimelineEntry,
  known: KnownRecords = {},
): Promise<string[]> {
  const { sequence, event_type } = entry
  if (sequence === null || event_type === null) return []
  const { store } = context
  const event_id = eventId(order, sequence)
  const [endpoints, merchant, payment, refund] = await Promise.all([
    store.endpoints.listEnabled(order.mchid),
    known.merchant ?? store.merchants.find(order.mchid),
    findOrderPayment(context, order, known),
    findEventRefund(context, order, entry),
  ])
  const fulfilment_endpoint_id = merchant?.fulfilment_endpoint_id ?? null
  const deciding_purpose = deliveryPurpose(order, entry)
  const deliveries = endpoints
    .filter((endpoint) => isSubscribed(endpoint, event_type, fulfilment_endpoint_id, entry))
    .map((endpoint) =>
      newDelivery(
        order,
        entry,
        event_id,
        endpoint,
        endpoint.id === fulfilment_endpoint_id ? deciding_purpose : 'notice',
      ),
    )
  if (deliveries.length > 0) await store.deliveries.insertMissing(deliveries)
  const id = publicId('evt', event_id)
  await store.events.insert({
    _id: event_id,
    id,
    mchid: order.mchid,
    out_trade_no: order.out_trade_no,
    sequence,
    type: event_type,
    timestamp: entry.time,
    body: orderEventBody(id, order, entry, payment, refund),
  })
  // All of them, not only those just inserted: the step that inserted them may have died before its answer.
  return deliveries.filter(({ purpose }) => purpose === 'notice').map(({ _id }) => _id)
}

/** The payment that the order stands on, which need not be the one that was just booked. */
async function findOrderPayment(
  { store }: ActivityContext,
  { mchid, payment }: OrderRecord,
  known: KnownRecords,
): Promise<PaymentRecord | null> {
  if (payment === null) return null
  if (known.payment?.transaction_id === payment.transaction_id) return known.payment
  return await store.payments.find(mchid, payment.transaction_id)
}

/** The fulfilment endpoint hears all but its own answer; observers hear what they chose, from when they were added. */
function isSubscribed(
  endpoint: EndpointRecord,
  type: EventType,
  fulfilment_endpoint_id: string | null,
  entry: TimelineEntry,
): boolean {
  if (milliseconds(endpoint.create_time) > milliseconds(entry.time)) return false
  if (endpoint.id === fulfilment_endpoint_id) return type !== 'order.fulfilled'
  return endpoint.event_types.includes('*') || endpoint.event_types.includes(type)
}

/** The refund that an event is about; other events speak of the order alone. */
async function findEventRefund(
  { store }: ActivityContext,
  { mchid }: OrderRecord,
  { event_type, out_refund_no }: TimelineEntry,
): Promise<RefundRecord | null> {
  if (out_refund_no === undefined || !event_type?.startsWith('refund.')) return null
  return await store.refunds.find({ mchid, out_refund_no })
}

/**
 * What the fulfilment endpoint's answer to this event decides. Mode `event`: that to this very `order.paid` is the
 * fulfilment. Weft took the question back by itself: that this is heard lets the money go back. The order's own run
 * delivers both.
 */
function deliveryPurpose(order: OrderRecord, entry: TimelineEntry): DeliveryRecord['purpose'] {
  if (order.fulfilment.mode !== 'event') return 'notice'
  if (entry.event === 'fulfilment_stopped') return entry.actor.kind === 'weft' ? 'cancellation' : 'notice'
  return entry.to === 'paid' && entry.sequence === paidSequence(order) ? 'fulfilment' : 'notice'
}

function newDelivery(
  order: OrderRecord,
  entry: TimelineEntry,
  event_id: string,
  endpoint: EndpointRecord,
  purpose: DeliveryRecord['purpose'],
): DeliveryRecord {
  const _id = deliveryId(event_id, endpoint.id)
  // Derived after the question was answered another way: it is kept, and not asked any more.
  const is_over = purpose !== 'notice' && order.state !== 'paid'
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
    purpose,
    state: is_over ? 'cancelled' : 'waiting',
    revision: 0,
    attempts: [],
    create_time: entry.time,
    ...(!is_over && { next_attempt_time: entry.time }),
  }
}

/** The event of a refund whose payment belongs to no order. */
export async function publishOrderlessRefundEvent(
  context: ActivityContext,
  refund: RefundRecord,
  { event, revision, time: timestamp }: RefundEntry,
): Promise<string[]> {
  const type = publishedRefundType(event)
  if (type === null) return []
  const { mchid, out_refund_no } = refund
  // SUCCESS may come again after the bank sent the money back. `#` stands in no refund's number.
  const times = refund.timeline.filter((one) => one.event === event && one.revision <= revision).length
  const subject_id = times <= 1 ? out_refund_no : `${out_refund_no}#${times}`
  const bodyOf = (id: string) => orderlessRefundEventBody(id, type, refund, timestamp)
  return await publishOrderlessEvent(context, { mchid, type, subject_id, timestamp, bodyOf })
}

/** What no order numbers. */
export interface OrderlessEvent {
  mchid: string
  type: EventType
  /** what it is about: the same subject is told the same once */
  subject_id: string
  timestamp: Time
  bodyOf: (id: string) => string
}

/** An event of no order, named by what it is about. As in `publishOrderEvent`, deliveries come first; repeatable; answers the notices. */
export async function publishOrderlessEvent(
  { store }: Pick<ActivityContext, 'store'>,
  { mchid, type, subject_id, timestamp, bodyOf }: OrderlessEvent,
): Promise<string[]> {
  const _id = orderlessEventId(mchid, type, subject_id)
  const id = publicId('evt', _id)
  const endpoints = (await store.endpoints.listEnabled(mchid)).filter(
    ({ role, event_types }) => role === 'fulfilment' || event_types.includes('*') || event_types.includes(type),
  )
  const event = { _id, id, mchid, out_trade_no: null, sequence: null, type, timestamp }
  const deliveries = endpoints.map((endpoint) =>
    orderlessDelivery(event, endpoint.id, 'notice', (delivery_id) => publicId('dlv', delivery_id)),
  )
  if (deliveries.length > 0) await store.deliveries.insertMissing(deliveries)
  await store.events.insert({ ...event, body: bodyOf(id) })
  return deliveries.map((delivery) => delivery._id)
}
