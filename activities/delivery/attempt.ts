import { heartbeat } from '@temporalio/activity'
import { beijingTime, milliseconds } from '../../domain/calendar.ts'
import type { Time } from '../../domain/calendar.ts'
import { readAnswer, readAnswerOf, readPurpose } from '../../domain/event/answer.ts'
import type { AnswerReading, FulfilmentAnswer } from '../../domain/event/answer.ts'
import { decidingDelivery, isOpenDelivery } from '../../domain/event/delivery.ts'
import type { DeliveryAttempt, DeliveryRecord } from '../../domain/event/delivery.ts'
import { eventId, workflowId } from '../../domain/ids.ts'
import type { OrderKey } from '../../domain/ids.ts'
import type { EndpointRecord } from '../../domain/merchant/record.ts'
import { limits } from '../../domain/policy.ts'
import { sealWords } from '../../store/words.ts'
import type { ActivityContext } from '../context.ts'
import { againFailure, notYetFailure } from '../failure.ts'
import type { CallSlots, NotTried } from '../slots.ts'
import { webhookHeaders } from './courier.ts'
import type { Courier, EndpointReply } from './courier.ts'
import { noteDeliveryFailure, noteEndpointSuccess, tellDisabled } from './endpoint.ts'
import { boundedWait, createPace, shortest_wait_ms } from './pace.ts'
import type { DeliveryPace } from './pace.ts'
import { redirectDelivery } from './redirection.ts'

export type MerchantActivities = ReturnType<typeof createMerchant>

export type DeliveryOutcome =
  | { kind: 'answered'; answer: NonNullable<FulfilmentAnswer> }
  /** a notice was taken */
  | { kind: 'heard' }
  /** the whole schedule is through */
  | { kind: 'undelivered' }
  /** the answer was due before it came */
  | { kind: 'overdue' }
  | { kind: 'cancelled' }
  | { kind: 'no_endpoint' }

/** How often an attempt at a slow endpoint tells Temporal that it is alive. */
const heartbeat_every_ms = 3_000

/**
 * Tells merchants, one attempt per call: the schedule, the order of events and all attempts lie in the delivery's
 * record, and a failure that says "not yet" is the wait for the next one.
 */
export function createMerchant(context: ActivityContext, courier: Courier, slots: CallSlots) {
  const { store } = context
  const pace = createPace(context.now, longestWait(context))
  const attempt_context: AttemptContext = { context, courier, pace, slots, has_heartbeat: true }

  return {
    async deliver({
      delivery_id,
      deadline_time,
    }: {
      delivery_id: string
      deadline_time: Time | null
    }): Promise<DeliveryOutcome> {
      const delivery = await store.deliveries.find(delivery_id)
      if (delivery === null) throw againFailure(`delivery ${delivery_id} is not in the database; restore it`)
      return await attemptDelivery(attempt_context, delivery, deadline_time)
    },

    /** Sends an event once more on request: outside the order of events, and with no effect on the order. */
    async redeliver({ delivery_id }: { delivery_id: string }): Promise<DeliveryOutcome> {
      const delivery = await store.deliveries.find(delivery_id)
      if (delivery === null) throw againFailure(`delivery ${delivery_id} is not in the database; restore it`)
      return await repeatDelivery(attempt_context, delivery)
    },

    /**
     * Delivers the event of `sequence` that the order's own run carries: `order.paid`, or `order.fulfilment_cancelled`.
     */
    async deliverPaid(given: DecidingDelivery): Promise<DeliveryOutcome> {
      return await deliverDeciding(context, given, (delivery) =>
        attemptDelivery(attempt_context, delivery, given.deadline_time),
      )
    },

    /**
     * The first attempt of the same delivery in line, as a local activity without heartbeats: the same bytes, checks and
     * record. Where it fails, as when it was not heard, the regular activity goes on from the record.
     */
    deliverPaidInLine: async (given: DecidingDelivery): Promise<DeliveryOutcome | NotTried> =>
      await deliverDeciding(context, given, (delivery) =>
        attemptInLine({ ...attempt_context, has_heartbeat: false }, delivery, given.deadline_time),
      ),
  }
}

/** Names the event whose answer decides, and when that answer is overdue. */
interface DecidingDelivery {
  order: OrderKey
  sequence: number
  deadline_time: Time | null
}

interface AttemptContext {
  context: ActivityContext
  courier: Courier
  pace: DeliveryPace
  slots: CallSlots
  has_heartbeat: boolean
}

/** Where nobody answers the order's event by its delivery, the order's record plans to wait for an answer by API. */
async function deliverDeciding<O extends DeliveryOutcome | NotTried>(
  context: ActivityContext,
  given: DecidingDelivery,
  attempt: (delivery: DeliveryRecord) => Promise<O>,
): Promise<DeliveryOutcome | O> {
  const delivery = await findDecidingDelivery(context, given)
  let outcome: DeliveryOutcome | O = delivery === null ? { kind: 'no_endpoint' } : await attempt(delivery)
  if (delivery !== null && outcome.kind === 'cancelled') {
    // Its endpoint may have gone a moment ago.
    const next = await findDecidingDelivery(context, given)
    if (next !== null && next._id !== delivery._id) outcome = await attempt(next)
  }
  const is_over = outcome.kind !== 'answered' && outcome.kind !== 'not_tried'
  if (is_over && given.deadline_time !== null) {
    const next_action = { what: 'await_fulfilment', time: given.deadline_time } as const
    await context.store.orders.noteNextAction(given.order, 'paid', next_action)
  }
  return outcome
}

/** The delivery whose answer decides, at the endpoint that can still give one. */
async function findDecidingDelivery(context: ActivityContext, given: DecidingDelivery): Promise<DeliveryRecord | null> {
  const deliveries = await context.store.deliveries.ofEvent(given.order.mchid, eventId(given.order, given.sequence))
  const known = decidingDelivery(deliveries)
  return known && ((await redirectDelivery(context, given, known)) ?? known)
}

/** An attempt that was made before has taught all that a quick one could: the schedule is the regular activity's. */
async function attemptInLine(
  attempt_context: AttemptContext,
  delivery: DeliveryRecord,
  deadline_time: Time | null,
): Promise<DeliveryOutcome | NotTried> {
  const { context, pace, slots } = attempt_context
  const { mchid, endpoint_id } = delivery
  if (!isOpenDelivery(delivery.state)) return deliveryOutcome(context, delivery)
  // Who is refused by the pace is given a moment of its own: that is the regular activity's, and one is enough.
  if (delivery.attempts.length > 0 || pace.isBusy(mchid, endpoint_id)) return { kind: 'not_tried' }
  const release = slots.take(mchid, { kind: 'endpoint', id: endpoint_id })
  if (release === null) return { kind: 'not_tried' }
  try {
    return await attemptDelivery(attempt_context, delivery, deadline_time)
  } finally {
    release()
  }
}

async function attemptDelivery(
  attempt_context: AttemptContext,
  delivery: DeliveryRecord,
  deadline_time: Time | null,
): Promise<DeliveryOutcome> {
  const { context, pace } = attempt_context
  const { store, now } = context
  if (!isOpenDelivery(delivery.state)) return deliveryOutcome(context, delivery)
  const left_ms = timeLeft(delivery, deadline_time, now())
  if (left_ms <= 0) {
    // Not given up: it is the question that is over, and the order says so.
    await store.deliveries.end(delivery._id, 'cancelled')
    return { kind: 'overdue' }
  }
  const wait_ms = delivery.next_attempt_time ? milliseconds(delivery.next_attempt_time) - now() : 0
  if (wait_ms > 0) throw notYetFailure('the next attempt is due later', Math.min(wait_ms, left_ms))
  const before = await store.deliveries.openBefore(delivery)
  if (before !== null)
    throw await postponeAttempt(
      context,
      delivery,
      'an earlier event of this order is open',
      earlierEventDelay(context, before),
      left_ms,
    )
  const endpoint = await store.endpoints.findPublic(delivery.mchid, delivery.endpoint_id)
  if (endpoint === null || endpoint.state === 'disabled') {
    if (endpoint !== null) await tellDisabled(context, endpoint)
    await store.deliveries.end(delivery._id, 'cancelled')
    return { kind: 'cancelled' }
  }
  const turn = pace.takeSlot(delivery.mchid, endpoint.id)
  if ('wait_ms' in turn)
    throw await postponeAttempt(context, delivery, 'this merchant’s endpoint is busy', turn.wait_ms, left_ms)
  let was_heard = false
  try {
    const reply = await sendEvent(attempt_context, delivery, endpoint)
    was_heard = readAnswer(readPurpose(delivery, endpoint), reply).read_as !== 'not heard'
    return await recordAttempt(context, delivery, endpoint, reply, left_ms)
  } finally {
    turn.end(was_heard)
  }
}

/**
 * Milliseconds in which the answer is still waited for. A shop that was asked only after the deadline, because the run was
 * lost, has its first attempts all the same: nothing is overdue that was never asked.
 */
function timeLeft({ attempts }: DeliveryRecord, deadline_time: Time | null, now_ms: number): number {
  if (deadline_time === null) return Infinity
  const left_ms = milliseconds(deadline_time) - now_ms
  const [first] = attempts
  const was_asked_in_time = first !== undefined && milliseconds(first.time) <= milliseconds(deadline_time)
  const is_asked_enough = was_asked_in_time || attempts.length >= limits.delivery_failing_attempts
  return left_ms > 0 || is_asked_enough ? left_ms : Infinity
}

/** One attempt of a delivery that had ended. One that is still open goes its way, and needs no other. */
async function repeatDelivery(attempt_context: AttemptContext, delivery: DeliveryRecord): Promise<DeliveryOutcome> {
  const { context, pace } = attempt_context
  const { store } = context
  const endpoint = await store.endpoints.findPublic(delivery.mchid, delivery.endpoint_id)
  if (isOpenDelivery(delivery.state) || endpoint === null || endpoint.state === 'disabled')
    return deliveryOutcome(context, delivery)
  const turn = pace.takeSlot(delivery.mchid, endpoint.id)
  if ('wait_ms' in turn) throw notYetFailure('this merchant’s endpoint is busy', turn.wait_ms)
  let was_heard = false
  try {
    const reply = await sendEvent(attempt_context, delivery, endpoint)
    const reading = readAnswer('notice', reply)
    was_heard = reading.read_as === 'heard'
    const kept = newAttempt(context, delivery, reply, reading)
    if (was_heard) await noteEndpointSuccess(context, endpoint, kept)
    else await store.endpoints.noteFailure(endpoint._id, kept.time)
    return deliveryOutcome(context, await store.deliveries.noteRepeat(delivery._id, kept))
  } finally {
    turn.end(was_heard)
  }
}

/** The wait as a plan in the record: the sweeper takes nobody who waits for one who is lost. */
async function postponeAttempt(
  { store, now }: ActivityContext,
  delivery: DeliveryRecord,
  reason: string,
  wait_ms: number,
  left_ms: number,
): Promise<Error> {
  const delay_ms = Math.min(wait_ms, left_ms)
  await store.deliveries.noteNextAttempt(delivery._id, beijingTime(now() + delay_ms))
  return notYetFailure(reason, delay_ms)
}

/** Milliseconds until just after the earlier event's next attempt; the later that is overdue, the longer. */
function earlierEventDelay(context: ActivityContext, { next_attempt_time }: DeliveryRecord): number {
  const planned_ms = next_attempt_time ? milliseconds(next_attempt_time) - context.now() : 0
  return boundedWait(planned_ms > 0 ? planned_ms + shortest_wait_ms : -planned_ms / 2, longestWait(context))
}

/** The longest wait for other deliveries, in ms: a step of the plan of attempts, so that it is scaled with it. */
function longestWait({ policy }: ActivityContext): number {
  return policy.delivery_retry_ms[3] ?? shortest_wait_ms
}

async function sendEvent(
  { context, courier, slots, has_heartbeat }: AttemptContext,
  delivery: DeliveryRecord,
  endpoint: EndpointRecord,
): Promise<EndpointReply> {
  const { store, now } = context
  const event = await store.events.find(delivery.event_id)
  if (event === null) throw againFailure(`event ${delivery.event_id} is being written`)
  const secrets = store.endpoints.openSecrets(endpoint, now())
  const headers = webhookHeaders(event.id, Math.floor(now() / 1000), event.body, secrets)
  const all_headers = { ...headers, 'weft-attempt': String(nextAttemptNumber(delivery)) }
  const beat = has_heartbeat ? setInterval(() => heartbeat(), heartbeat_every_ms) : undefined
  try {
    return await slots.watch(
      { kind: 'endpoint', id: endpoint.id },
      () => courier.send(endpoint.url, all_headers, event.body),
      (reply) => readAnswer(readPurpose(delivery, endpoint), reply).read_as !== 'not heard',
    )
  } finally {
    clearInterval(beat)
  }
}

/**
 * Writes the attempt down, then says what the record makes of it: another attempt may have ended the delivery
 * meanwhile.
 */
async function recordAttempt(
  context: ActivityContext,
  delivery: DeliveryRecord,
  endpoint: EndpointRecord,
  reply: EndpointReply,
  left_ms: number,
): Promise<DeliveryOutcome> {
  const { store, now } = context
  const number = nextAttemptNumber(delivery)
  // Said once, from all that came; the record keeps what was read, since it does not keep all that came.
  const reading = readAnswer(readPurpose(delivery, endpoint), reply)
  const was_heard = reading.read_as !== 'not heard'
  const is_last = delivery.purpose === 'ping' || number > context.policy.delivery_retry_ms.length
  const is_given_up = !was_heard && is_last
  const state = was_heard ? 'delivered' : is_given_up ? 'undelivered' : 'waiting'
  const delay_ms = attemptDelay(context, number, reply)
  const next_attempt_time = state === 'waiting' ? beijingTime(now() + delay_ms) : null
  const kept = newAttempt(context, delivery, reply, reading)
  // What follows comes first: a delivery that is no longer open comes here no more.
  if (was_heard) await noteEndpointSuccess(context, endpoint, kept)
  else if (delivery.purpose !== 'ping')
    await noteDeliveryFailure(context, delivery, endpoint, reply, number, state, next_attempt_time)
  const current = await store.deliveries.noteAttempt(delivery._id, kept, { state, next_attempt_time })
  if (isOpenDelivery(current.state))
    throw notYetFailure(
      `not heard: ${reply.error ?? reading.remark ?? `status ${reply.status}`}`,
      Math.min(delay_ms, left_ms),
    )
  return deliveryOutcome(context, current)
}

/** Attempts that are no longer kept count as well. */
function nextAttemptNumber({ attempts }: DeliveryRecord): number {
  return (attempts.at(-1)?.number ?? 0) + 1
}

function newAttempt(
  { now }: ActivityContext,
  delivery: DeliveryRecord,
  { duration_ms, status, error, answer }: EndpointReply,
  reading: AnswerReading,
): DeliveryAttempt {
  const came = { duration_ms, status, error, answer }
  return { number: nextAttemptNumber(delivery), time: beijingTime(now()), ...came, ...reading }
}

/** The plan ±10 %, so that endpoints that come back are not met by all at once; or longer, when they ask for it. */
function attemptDelay({ policy }: ActivityContext, number: number, reply: EndpointReply): number {
  const planned_ms = policy.delivery_retry_ms[Math.min(number, policy.delivery_retry_ms.length) - 1] ?? 0
  return Math.max(planned_ms * (0.9 + Math.random() * 0.2), reply.retry_after_ms ?? 0)
}

/** Its words go through Temporal, and back into a record step, sealed. */
function deliveryOutcome({ sealer }: ActivityContext, delivery: DeliveryRecord): DeliveryOutcome {
  if (delivery.state === 'cancelled') return { kind: 'cancelled' }
  if (delivery.state !== 'delivered') return { kind: 'undelivered' }
  if (delivery.purpose === 'notice' || delivery.purpose === 'ping') return { kind: 'heard' }
  const answer = readAnswerOf(delivery)
  const { mchid, out_trade_no } = delivery
  if (answer !== null && out_trade_no !== null)
    return { kind: 'answered', answer: sealWords(sealer, workflowId.order({ mchid, out_trade_no }), answer) }
  return { kind: delivery.purpose === 'cancellation' ? 'heard' : 'undelivered' }
}
