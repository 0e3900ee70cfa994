import { beijingTime } from '../domain/calendar.ts'
import { orderlessDelivery } from '../domain/event/delivery.ts'
import type { DeliveryRecord } from '../domain/event/delivery.ts'
import { pingBody } from '../domain/event/event.ts'
import { orderlessEventId } from '../domain/ids.ts'
import type { EndpointRecord } from '../domain/merchant/record.ts'
import { publicId } from './ids.ts'
import type { Store } from './store.ts'

/**
 * Records a `test.ping` to an endpoint; `request_id` makes it another one each time. The event first: nobody writes it
 * again, and its delivery cannot be made without it. Where the process dies before the run is started, the sweeper
 * starts it.
 */
export async function recordPing(
  { events, deliveries }: Pick<Store, 'events' | 'deliveries'>,
  endpoint: EndpointRecord,
  { request_id, now }: { request_id: string; now: number },
): Promise<DeliveryRecord> {
  const { mchid, id: endpoint_id } = endpoint
  const type = 'test.ping' as const
  const _id = orderlessEventId(mchid, type, `${endpoint_id}:${request_id}`)
  const timestamp = beijingTime(now)
  const event = { _id, id: publicId('evt', _id), mchid, out_trade_no: null, sequence: null, type, timestamp }
  const delivery = orderlessDelivery(event, endpoint_id, 'ping', (delivery_id) => publicId('dlv', delivery_id))
  await events.insert({ ...event, body: pingBody(event, endpoint) })
  await deliveries.insertMissing([delivery])
  return delivery
}
