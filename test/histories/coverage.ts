import type { DeliveryOutcome } from '../../activities/delivery/attempt.ts'
import type { PlacementOutcome, QueryOutcome } from '../../activities/order/gateway.ts'
import type { AbnormalHandlingOutcome, RefundQueryOutcome, SubmissionOutcome } from '../../activities/refund/gateway.ts'
import type { NotTried } from '../../activities/slots.ts'
import type { ReconciliationState } from '../../domain/bill/reconciliation.ts'
import type { OrderProgress, RefundProgress } from '../../domain/messages.ts'
import { orderDestination } from '../../domain/order/change.ts'
import { order_events, order_states } from '../../domain/order/record.ts'
import type { OrderEvent, OrderState } from '../../domain/order/record.ts'
import { refundDestination } from '../../domain/refund/change.ts'
import { refund_events, refund_states } from '../../domain/refund/record.ts'
import type { RefundEvent, RefundState } from '../../domain/refund/record.ts'

/*
 * What stored histories go through, read from the histories alone: which steps were asked for, what came from outside,
 * what the records wrote down, how WeChat and the merchant answered, and how the runs ended. The tables are total over
 * the types of the rooms, so that a new event, answer or state asks for its mark here, and then for a history.
 */

type Body = Record<string, unknown>
export interface History {
  events: Record<string, unknown>[]
}

/** A step that has answered. `given` is unknown of local steps, whose histories keep no arguments. */
interface Step {
  name: string
  given: Body
  result: unknown
}

/** What a step made of the record of its run. */
interface Move<P> extends Step {
  before: P | null
  after: P
}

type Mark<P> = (move: Move<P>) => boolean

const step =
  <P>(name: string, is: Mark<P> = () => true): Mark<P> =>
  (move) =>
    move.name === name && is(move)

const becomes = (name: string, state: OrderState): Mark<OrderProgress> =>
  step(name, ({ before, after }) => after.state === state && before?.state !== state)

const attends = (name: string, attention: string): Mark<OrderProgress> =>
  step(name, ({ before, after }) => after.attention === attention && before?.attention !== attention)

const decides = (decision: 'accept' | 'reject', of: 'own' | 'second'): Mark<OrderProgress> =>
  step(
    'recordReview',
    ({ given, after }) =>
      given.decision === decision &&
      [null, after.payment?.transaction_id].includes(given.transaction_id as string | null) === (of === 'own'),
  )

/** How a history shows that an event of an order was written down. */
const order_marks: Record<OrderEvent, Mark<OrderProgress>> = {
  placed: becomes('recordPlaced', 'awaiting_payment'),
  code_renewed: step('recordRenewed'),
  placement_refused: becomes('recordPlacementRefused', 'failed'),
  payment_found: becomes('recordPayment', 'paid'),
  payment_contradicted: attends('recordPayment', 'payment_contradicted'),
  payment_refunded_outside: attends('recordPayment', 'refunded_outside'),
  late_payment_found: step('recordPayment', ({ before, after }) => !before?.payment && after.payment?.role === 'late'),
  second_payment_found: attends('recordPayment', 'second_payment'),
  close_asked: becomes('recordCloseAsked', 'closing'),
  closed_at_wechat: becomes('recordClosed', 'closed'),
  fulfilled: becomes('recordFulfilment', 'fulfilled'),
  fulfilment_pending: step('recordFulfilment', ({ after }) => after.fulfilment.result === 'pending'),
  fulfilment_refused: step('recordFulfilment', ({ after }) => after.fulfilment.result === 'refused'),
  fulfilment_overdue: step(
    'recordFulfilment',
    ({ given, after }) => given.event === 'fulfilment_overdue' && after.state !== 'paid',
  ),
  fulfilment_stopped: ({ before, after }) => before !== null && after.stopped_sequence > before.stopped_sequence,
  full_refund_requested: becomes('recordRefundRequested', 'refunding'),
  refund_changed: step(
    'recordRefundNews',
    ({ before, after }) => after.state === before?.state && after.revision > before.revision,
  ),
  refunded: becomes('recordRefundNews', 'refunded'),
  refund_closed: attends('recordRefundNews', 'refund_closed'),
  refund_refused: attends('recordRefundNews', 'refund_refused'),
  refund_reversed: step('recordRefundNews', ({ before, after }) => before?.state === 'refunded' && after.state === 'refunding'),
  accepted: decides('accept', 'own'),
  rejected: decides('reject', 'own'),
  second_accepted: decides('accept', 'second'),
  second_rejected: decides('reject', 'second'),
  payment_denied: attends('recordPayment', 'phantom_payment'),
  payment_restored: step('recordPayment', ({ before, after }) => before?.state === 'review' && after.state === 'paid'),
  denial_ended: step('recordPayment', ({ before, after }) => before?.attention === 'phantom_payment' && after.attention === null),
}

const reaches = (name: string, state: RefundState): Mark<RefundProgress> =>
  step(name, ({ before, after }) => after.state === state && before?.state !== state)

/** The same of a refund. */
const refund_marks: Record<RefundEvent, Mark<RefundProgress>> = {
  reserved: step('reserveRefund', ({ after }) => after.state !== 'refused'),
  not_reserved: reaches('reserveRefund', 'refused'),
  approved: reaches('recordApproval', 'processing'),
  rejected: reaches('recordApproval', 'rejected'),
  approval_expired: reaches('recordApprovalExpired', 'rejected'),
  accepted: step('recordRefundAnswer', ({ before, after }) => !before?.is_accepted && after.is_accepted),
  resumed: step('recordRefundAnswer', ({ before, after }) => before?.state === 'abnormal' && after.state === 'processing'),
  succeeded: reaches('recordRefundAnswer', 'succeeded'),
  abnormal: reaches('recordRefundAnswer', 'abnormal'),
  closed: reaches('recordRefundAnswer', 'closed'),
  refused: reaches('recordRefundRefused', 'refused'),
  returned_to_merchant: reaches('recordRefundAnswer', 'returned_to_merchant'),
  paid_out: step('recordPayout', ({ result }) => (result as Body).outcome === 'done'),
}

/** Whose answers the workflows tell apart, by their `kind`. */
const answers = {
  placing: {
    of: ['place', 'placeInLine'],
    kinds: all<(PlacementOutcome | NotTried)['kind']>({ placed: 1, refused: 1, about_number: 1, too_late: 1, state: 1, not_tried: 1 }),
  },
  asking: {
    of: ['pollPayment', 'askOnRequest', 'askUntilAnswered', 'closeAtWeChat'],
    kinds: all<QueryOutcome['kind']>({ payment: 1, closed: 1, unpaid: 1, expired: 1, nothing_new: 1, state: 1 }),
  },
  delivering: {
    of: ['deliver', 'deliverPaid', 'deliverPaidInLine'],
    kinds: all<(DeliveryOutcome | NotTried)['kind']>({
      answered: 1,
      heard: 1,
      undelivered: 1,
      overdue: 1,
      cancelled: 1,
      no_endpoint: 1,
      not_tried: 1,
    }),
  },
  submitting: {
    of: ['submitRefund'],
    kinds: all<SubmissionOutcome['kind']>({ taken: 1, refused: 1, unsent: 1, not_enough: 1, state: 1 }),
  },
  asking_of_refunds: {
    of: ['pollRefund', 'askRefund', 'askRefundUntilAnswered'],
    kinds: all<RefundQueryOutcome['kind']>({ found: 1, not_found: 1, nothing_new: 1 }),
  },
  handling: { of: ['handleAbnormal'], kinds: all<AbnormalHandlingOutcome['kind']>({ taken: 1, refused: 1, state: 1 }) },
}

function all<K extends string>(kinds: Record<K, 1>): string[] {
  return Object.keys(kinds)
}

/** The other states that an event can take an order to, whatever the merchant's policy. */
function orderEnds(event: OrderEvent): OrderState[] {
  const policies = ['refund', 'hold'] as const
  const ends = order_states.flatMap((state) =>
    policies.map((policy) => orderDestination(state, event, policy)).filter((to) => to !== null && to !== state),
  )
  return [...new Set(ends)].filter((to) => to !== null)
}

/** The states in which an event can leave a refund, with an approval and without. */
function refundEnds(event: RefundEvent): RefundState[] {
  const ends = refund_states.flatMap((state) =>
    [true, false].map((needs_approval) => refundDestination(state, event, needs_approval)),
  )
  return [...new Set(ends)].filter((to) => to !== null)
}

/** What a look at a day leaves it in. */
const day_ends = all<Exclude<ReconciliationState, 'waiting_for_bill' | 'running'>>({ balanced: 1, different: 1 })

/** Everything beside steps and handlers, which the workflow code names itself, that can happen to a run. */
export const happenings: string[] = [
  ...order_events.map((event) => `order: ${event}`),
  ...order_events.flatMap((event) => orderEnds(event).map((to) => `order: ${event} to ${to}`)),
  ...refund_events.flatMap((event) => refundEnds(event).map((to) => `refund: ${event} to ${to}`)),
  ...Object.entries(answers).flatMap(([name, { kinds }]) => kinds.map((kind) => `${name}: ${kind}`)),
  ...order_states.map((state) => `an order in ${state}`),
  ...refund_states.map((state) => `a refund in ${state}`),
  'a stop that was never heard',
  'payOrder ends: orphan',
  'refundPayment ends: unknown',
  ...day_ends.map((state) => `reconcileDay ends: ${state}`),
  'a day compared twice',
  'a day whose questions were given up',
  'payOrder goes on in a new run',
  'refundPayment goes on in a new run',
  'a step that failed locally',
  'placeInLine failed',
  'deliverPaidInLine failed',
  'a cancel',
]

export const activity = (name: string) => `activity ${name}`
export const handler = (workflow: string, name: string) => `${workflow} hears ${name}`

/** All that a history goes through, in the words of `activity`, `handler` and `happenings`. */
export function seenIn({ events }: History): Set<string> {
  const type = workflowType(events)
  const seen = new Set<string>()
  for (const event of events) {
    const signal = of(event, 'workflowExecutionSignaledEventAttributes')
    if (signal) seen.add(handler(type, String(signal.signalName)))
    const update = of(event, 'workflowExecutionUpdateAcceptedEventAttributes')
    if (update) seen.add(handler(type, String(field(field(update, 'acceptedRequest'), 'input').name)))
    const scheduled = of(event, 'activityTaskScheduledEventAttributes')
    if (scheduled) seen.add(activity(String(field(scheduled, 'activityType').name)))
    const ended = of(event, 'workflowExecutionCompletedEventAttributes')
    if (ended) seen.add(`${type} ends: ${String(opened(ended.result))}`)
    if (of(event, 'workflowExecutionContinuedAsNewEventAttributes')) seen.add(`${type} goes on in a new run`)
    if (of(event, 'workflowExecutionCancelRequestedEventAttributes')) seen.add('a cancel')
    const marker = of(event, 'markerRecordedEventAttributes')
    if (marker?.failure) {
      const { data } = field(marker, 'details')
      seen.add('a step that failed locally').add(`${String((opened(data) as Body).activity_type)} failed`)
    }
  }
  for (const word of stepWords(events)) seen.add(word)
  return seen
}

/** What the steps of a run answered, and what that made of its record. */
function stepWords(events: History['events']): string[] {
  const words: string[] = []
  const held: { order: OrderProgress | null; refund: RefundProgress | null } = { order: null, refund: null }
  for (const taken of stepsOf(events)) {
    if (taken.name === 'matchDay' && words.includes(activity('matchDay'))) words.push('a day compared twice')
    words.push(activity(taken.name))
    if (taken.given.given_up) words.push('a day whose questions were given up')
    if (taken.given.unheard) words.push('a stop that was never heard')
    const kind = (taken.result as Body | null)?.kind
    for (const [name, { of: names }] of Object.entries(answers))
      if (names.includes(taken.name)) words.push(`${name}: ${String(kind)}`)
    const order = progressIn<OrderProgress>(taken.result, 'order')
    if (order?.fulfilment) words.push(`an order in ${order.state}`, ...written('order', order_marks, taken, held.order, order))
    const refund = progressIn<RefundProgress>(taken.result, 'refund')
    if (refund?.origin) words.push(`a refund in ${refund.state}`, ...written('refund', refund_marks, taken, held.refund, refund))
    held.order = order?.fulfilment ? order : held.order
    held.refund = refund?.origin ? refund : held.refund
  }
  return words
}

function written<P extends { state: string }>(noun: string, marks: Record<string, Mark<P>>, taken: Step, before: P | null, after: P): string[] {
  return Object.entries(marks)
    .filter(([, shows]) => shows({ ...taken, before, after }))
    .flatMap(([event]) => [`${noun}: ${event}`, `${noun}: ${event} to ${after.state}`])
}

/** The record that a step answered with: on its own, or beside an outcome. */
function progressIn<P>(result: unknown, noun: 'order' | 'refund'): P | null {
  if (typeof result !== 'object' || result === null) return null
  const beside = (result as Body)[noun]
  return (typeof beside === 'object' ? beside : result) as P | null
}

function stepsOf(events: History['events']): Step[] {
  const scheduled = new Map<string, Step>()
  const steps: Step[] = []
  for (const event of events) {
    const asked = of(event, 'activityTaskScheduledEventAttributes')
    if (asked) {
      const name = String(field(asked, 'activityType').name)
      scheduled.set(String(event.eventId), { name, given: opened(asked.input) as Body, result: null })
    }
    const done = of(event, 'activityTaskCompletedEventAttributes')
    const begun = done && scheduled.get(String(done.scheduledEventId))
    if (begun) steps.push({ ...begun, result: opened(done.result) })
    const marker = of(event, 'markerRecordedEventAttributes')
    if (marker?.markerName === 'core_local_activity' && !marker.failure) {
      const { data, result } = field(marker, 'details')
      steps.push({ name: String((opened(data) as Body).activity_type), given: {}, result: opened(result) })
    }
  }
  return steps
}

function workflowType(events: History['events']): string {
  return String(field(field(events[0] ?? {}, 'workflowExecutionStartedEventAttributes'), 'workflowType').name)
}

function of(event: Body, attributes: string): Body | undefined {
  return event[attributes] as Body | undefined
}

function field(body: Body, name: string): Body {
  return (body[name] ?? {}) as Body
}

/** The first payload as the value it holds. */
function opened(payloads: unknown): unknown {
  const [first] = ((payloads as Body | undefined)?.payloads ?? []) as { data?: string }[]
  return first?.data ? JSON.parse(Buffer.from(first.data, 'base64').toString('utf8')) : null
}
