import { beijingTime } from '../../domain/calendar.ts'
import { isOpenDelivery } from '../../domain/event/delivery.ts'
import type { DeliveryRecord } from '../../domain/event/delivery.ts'
import { deliveryId } from '../../domain/ids.ts'
import type { OrderKey } from '../../domain/ids.ts'
import type { EndpointRecord } from '../../domain/merchant/record.ts'
import { askedSequence } from '../../domain/order/timeline.ts'
import { limits } from '../../domain/policy.ts'
import { publicId } from '../../store/ids.ts'
import type { ActivityContext } from '../context.ts'

/**
 * Asks the endpoint whose answers decide now what another was asked and can answer no more: the delivery there, or null
 * where the one that was asked goes on. Else the order would be overdue without the shop ever having heard of it, and the
 * endpoint that decides now would be told that the money goes back. Repeatable: one delivery per event and endpoint.
 */
export async function redirectDelivery(
  context: ActivityContext,
  { order, sequence }: { order: OrderKey; sequence: number },
  delivery: DeliveryRecord,
): Promise<DeliveryRecord | null> {
  const { store, now } = context
  // That nobody heard of a withdrawal is a person's matter: who was never asked to ship cannot answer it.
  if (delivery.purpose !== 'fulfilment') return null
  if (!isOpenDelivery(delivery.state) && delivery.state !== 'cancelled') return null
  const [merchant, asked] = await Promise.all([
    store.merchants.find(delivery.mchid),
    store.endpoints.findPublic(delivery.mchid, delivery.endpoint_id),
  ])
  const deciding_id = merchant?.fulfilment_endpoint_id ?? null
  if (deciding_id === null || deciding_id === delivery.endpoint_id || canStillAnswer(delivery, asked)) return null
  const [deciding, record] = await Promise.all([
    store.endpoints.findPublic(delivery.mchid, deciding_id),
    store.orders.find(order),
  ])
  const is_asking = record !== null && askedSequence(record) === sequence
  if (!is_asking || deciding?.state !== 'enabled') return null
  const _id = deliveryId(delivery.event_id, deciding.id)
  const time = beijingTime(now())
  const { next_attempt_time: _, ...told } = delivery
  const begun = { state: 'waiting', revision: 0, attempts: [], create_time: time, next_attempt_time: time } as const
  await store.deliveries.insertMissing([
    { ...told, _id, id: publicId('dlv', _id), endpoint_id: deciding.id, ...begun, attempts: [] },
  ])
  const there = await store.deliveries.find(_id)
  // It hears of the event as an observer: what it answers to that decides nothing, and it is not asked twice.
  if (there?.purpose !== 'fulfilment') return null
  // Last: where the worker dies before, the old one is still there to lead here again.
  await store.deliveries.end(delivery._id, 'cancelled')
  return there
}

/** What was sent to an endpoint is answered there, unless that has gone, or decides nothing any more and stays silent. */
function canStillAnswer({ state, attempts }: DeliveryRecord, asked: EndpointRecord | null): boolean {
  if (asked === null || asked.state === 'disabled') return false
  return state === 'cancelled' || attempts.length < limits.delivery_failing_attempts
}
