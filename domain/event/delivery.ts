import type { Time } from '../calendar.ts'
import { deliveryId } from '../ids.ts'
import type { EventRecord, EventType } from './event.ts'

export type DeliveryState = 'waiting' | 'delivering' | 'delivered' | 'undelivered' | 'cancelled'

/** How an answer was read: what it decides, that a notice was taken, or that the event is told again. */
export type AnswerMeaning = 'fulfilled' | 'pending' | 'refused' | 'heard' | 'not heard'

export interface DeliveryAttempt {
  number: number
  time: Time
  duration_ms: number
  /** HTTP status; null: no answer came */
  status: number | null
  error: string | null
  /** the beginning of the answer's body, at most 1 KiB: for people, never read again */
  answer: string | null
  read_as: AnswerMeaning
  /** why it was refused, at most 200 characters */
  reason: string | null
  /** why the answer could not be read, or that it looks like an error; absent on attempts of earlier versions */
  remark?: string | null
}

export interface DeliveryRecord {
  /** <event _id>/<endpoint id> */
  _id: string
  /** dlv_… */
  id: string
  mchid: string
  event_id: string
  /** evt_… of the event, which is also the webhook-id */
  event_public_id: string
  event_type: EventType
  endpoint_id: string
  out_trade_no: string | null
  sequence: number | null
  /**
   * `fulfilment`: the answer to this `order.paid` decides; `cancellation`: that it is heard decides. The order's own run
   * delivers both, and nobody waits for a `notice`. A `ping` is told once, and decides nothing.
   */
  purpose: 'fulfilment' | 'cancellation' | 'notice' | 'ping'
  state: DeliveryState
  revision: number
  attempts: DeliveryAttempt[]
  create_time: Time
  /** absent when nothing is planned: the index is sparse */
  next_attempt_time?: Time
}

/** An event of no order on its way to one endpoint. `publicId` makes the public id of a delivery's `_id`. */
export function orderlessDelivery(
  event: Omit<EventRecord, 'body' | 'position'>,
  endpoint_id: string,
  purpose: 'notice' | 'ping',
  publicId: (_id: string) => string,
): DeliveryRecord {
  const _id = deliveryId(event._id, endpoint_id)
  return {
    _id,
    id: publicId(_id),
    mchid: event.mchid,
    event_id: event._id,
    event_public_id: event.id,
    event_type: event.type,
    endpoint_id,
    out_trade_no: null,
    sequence: null,
    purpose,
    state: 'waiting',
    revision: 0,
    attempts: [],
    create_time: event.timestamp,
    next_attempt_time: event.timestamp,
  }
}

/** A delivery that may still be attempted: events behind it wait (api.md §7). */
export function isOpenDelivery(state: DeliveryState): boolean {
  return state === 'waiting' || state === 'delivering'
}

/**
 * Of an event's deliveries the one whose answer decides: what is open, else what was heard, else the last that was given
 * up. There are several where the endpoint that was asked first has gone since.
 */
export function decidingDelivery(deliveries: readonly DeliveryRecord[]): DeliveryRecord | null {
  const deciding = deliveries.filter(({ purpose }) => purpose === 'fulfilment' || purpose === 'cancellation')
  const is_heard = ({ state }: DeliveryRecord) => state === 'delivered'
  return deciding.find(({ state }) => isOpenDelivery(state)) ?? deciding.find(is_heard) ?? deciding.at(-1) ?? null
}

/** Whether these are one attempt, whatever number each was given: one worker made it in this moment. */
export function isSameAttempt(one: DeliveryAttempt, other: DeliveryAttempt): boolean {
  return one.time === other.time && one.duration_ms === other.duration_ms && one.status === other.status
}

export const open_delivery_states: readonly DeliveryState[] = ['waiting', 'delivering']
