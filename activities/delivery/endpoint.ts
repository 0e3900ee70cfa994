import { beijingTime, milliseconds } from '../../domain/calendar.ts'
import type { Time } from '../../domain/calendar.ts'
import type { DeliveryAttempt, DeliveryRecord } from '../../domain/event/delivery.ts'
import { orderlessEventId } from '../../domain/ids.ts'
import type { DisableReason, EndpointRecord } from '../../domain/merchant/record.ts'
import { limits, observer_patience_ms } from '../../domain/policy.ts'
import type { ActivityContext } from '../context.ts'
import type { EndpointReply } from './courier.ts'
import { publishOrderlessEvent } from './event.ts'

/**
 * Notes that an endpoint took an event, and lifts `delivery_failing`. Deliveries given up meanwhile still need a
 * person.
 */
export async function noteEndpointSuccess(
  { store }: ActivityContext,
  endpoint: EndpointRecord,
  kept: DeliveryAttempt,
): Promise<void> {
  if (endpoint.failing_since_time !== null || kept.number > limits.delivery_failing_attempts)
    await store.merchants.liftAttention(endpoint.mchid, 'delivery_failing')
  await store.endpoints.noteSuccess(endpoint._id, kept.time)
}

/** Notes a failed attempt on the endpoint, and where it may need a person on the order or the merchant. */
export async function noteDeliveryFailure(
  context: ActivityContext,
  delivery: DeliveryRecord,
  endpoint: EndpointRecord,
  reply: EndpointReply,
  number: number,
  state: 'waiting' | 'undelivered' | 'delivered',
  next_attempt_time: Time | null,
): Promise<void> {
  const { store, now } = context
  const time = beijingTime(now())
  await store.endpoints.noteFailure(endpoint._id, time)
  const { mchid, out_trade_no, purpose } = delivery
  if (purpose !== 'notice' && out_trade_no !== null && next_attempt_time !== null)
    await store.orders.noteNextAction({ mchid, out_trade_no }, 'paid', { what: 'deliver', time: next_attempt_time })
  if (purpose === 'fulfilment' && out_trade_no !== null) {
    const order = { mchid, out_trade_no }
    if (state === 'undelivered') await store.orders.noteAttention(order, 'paid', { code: 'undelivered', since_time: time })
    else if (number >= limits.delivery_failing_attempts)
      await store.orders.noteAttention(order, 'paid', { code: 'delivery_failing', since_time: time })
    return
  }
  // A notice is about an order that goes on without it, so it is the merchant that needs a look; one that is given up
  // stands among what is stuck itself.
  if (state === 'waiting' && number >= limits.delivery_failing_attempts)
    await store.merchants.noteAttention(delivery.mchid, 'delivery_failing', time)
  const since = endpoint.failing_since_time
  const has_failed_too_long = since !== null && now() - milliseconds(since) >= observer_patience_ms
  if (endpoint.role === 'observer' && (reply.status === 410 || has_failed_too_long)) {
    await disableEndpoint(context, endpoint, reply.status === 410 ? 'answered 410 Gone' : 'failed for 5 days')
  }
}

/** Disables an observer that is gone, and tells of it. */
async function disableEndpoint(
  context: ActivityContext,
  { _id }: EndpointRecord,
  reason: DisableReason,
): Promise<void> {
  const { endpoints } = context.store
  await endpoints.disable(_id, reason, beijingTime(context.now()))
  const disabled = await endpoints.find(_id)
  if (disabled !== null) await tellDisabled(context, disabled)
}

/**
 * Publishes `endpoint.disabled` to the merchant's other endpoints, once for each time that this one was disabled; the
 * sweeper starts those deliveries. Whoever meets a disabled endpoint says so again, since the worker that disabled it may
 * have died right after.
 */
export async function tellDisabled(context: ActivityContext, endpoint: EndpointRecord): Promise<void> {
  const { id: endpoint_id, mchid, url, state, disable_reason, disabled_time, create_time } = endpoint
  if (state !== 'disabled') return
  const type = 'endpoint.disabled' as const
  // Earlier versions did not say when. One that was deleted and made anew has the same id, and is disabled anew.
  const subject_id = `${endpoint_id}:${milliseconds(disabled_time ?? create_time)}`
  if ((await context.store.events.find(orderlessEventId(mchid, type, subject_id))) !== null) return
  const timestamp = disabled_time ?? beijingTime(context.now())
  const data = { endpoint: { id: endpoint_id, url, state, disable_reason } }
  await publishOrderlessEvent(context, {
    ...{ mchid, type, subject_id, timestamp },
    bodyOf: (id) => JSON.stringify({ type, timestamp, id, api_version: 'v1', mchid, sequence: null, data }),
  })
}
