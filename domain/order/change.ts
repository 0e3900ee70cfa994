import type { RefundOrHold } from '../merchant/record.ts'
import type { RefundEventType } from '../refund/record.ts'
import { nextOrderAction } from './plan.ts'
import { assertOrderChange } from './postcondition.ts'
import { isOrderResting } from './record.ts'
import type {
  OrderChange,
  OrderEvent,
  OrderEventType,
  OrderOccurrence,
  OrderRecord,
  OrderState,
  TimelineEntry,
} from './record.ts'
import { orderAttention } from './review.ts'
import {
  entryIntoState,
  isInReviewByDenial,
  isMoneyMoving,
  paymentDenial,
  stoppedSequence,
  undecidedSecondPayments,
} from './timeline.ts'

/** Where a policy of the merchant decides between giving the money back and holding it for a person. */
export type ChoiceEdge = Record<RefundOrHold, OrderState>
type OrderEdges = Partial<Record<OrderEvent, OrderState | ChoiceEdge>>

const refunding_or_review: ChoiceEdge = { refund: 'refunding', hold: 'review' }

/** What may come to an order that has not ended: money in all its forms, and the wish to close. */
const edges_before_payment: OrderEdges = {
  payment_found: 'paid',
  payment_contradicted: 'review',
  payment_refunded_outside: 'review',
  late_payment_found: refunding_or_review,
}

/** Where each event takes an order. A pair that is not listed is illegal, and `destination` says so. */
const order_edges: Record<OrderState, OrderEdges> = {
  created: { ...edges_before_payment, placed: 'awaiting_payment', placement_refused: 'failed', close_asked: 'closing' },
  awaiting_payment: {
    ...edges_before_payment,
    code_renewed: 'awaiting_payment',
    close_asked: 'closing',
    closed_at_wechat: 'closed',
  },
  closing: { ...edges_before_payment, closed_at_wechat: 'closed' },
  paid: {
    fulfilled: 'fulfilled',
    fulfilment_pending: 'paid',
    fulfilment_refused: refunding_or_review,
    fulfilment_overdue: refunding_or_review,
    fulfilment_stopped: 'paid',
    full_refund_requested: 'refunding',
    payment_denied: 'review',
  },
  fulfilled: { payment_denied: 'fulfilled', denial_ended: 'fulfilled' },
  closed: {
    late_payment_found: refunding_or_review,
    payment_contradicted: 'review',
    payment_refunded_outside: 'review',
  },
  failed: { late_payment_found: 'review', payment_contradicted: 'review', payment_refunded_outside: 'review' },
  review: {
    accepted: 'paid',
    rejected: 'refunding',
    fulfilled: 'fulfilled',
    payment_denied: 'review',
    payment_restored: 'paid',
    denial_ended: 'review',
  },
  refunding: { refunded: 'refunded', payment_denied: 'refunding', denial_ended: 'refunding' },
  refunded: { refund_reversed: 'refunding', payment_denied: 'refunded', denial_ended: 'refunded' },
}

/** Legal in every state, and leaves it. */
const events_legal_everywhere: readonly OrderEvent[] = [
  'refund_changed',
  'refund_closed',
  'refund_refused',
  'second_payment_found',
  'second_accepted',
  'second_rejected',
]

/** Where `event` takes an order in `state`, or null: illegal. Total over states × events. */
export function orderDestination(state: OrderState, event: OrderEvent, choice: RefundOrHold): OrderState | null {
  if (events_legal_everywhere.includes(event)) return state
  const edge = order_edges[state][event]
  if (edge === undefined) return null
  return typeof edge === 'string' ? edge : edge[choice]
}

/**
 * What `occurrence` does to `order`, or null when the table says it is illegal. Pure: store/orders writes the change on
 * the condition that the revision is still the one seen here. Throws `PostconditionBroken` rather than answer a change
 * that must not be written.
 */
export function applyOrderEvent(order: OrderRecord, occurrence: OrderOccurrence): OrderChange | null {
  const choice = 'choice' in occurrence ? occurrence.choice : 'hold'
  const to = orderDestination(order.state, occurrence.event, choice)
  if (to === null || !isAllowedByTimeline(order, occurrence)) return null
  const event_type = publishedType(order.state, occurrence, to)
  const sequence = event_type === null ? null : order.sequence + 1
  const { event, time } = occurrence
  const is_owing = isOrderResting(to) && isMoneyMoving({ event, from: order.state, to })
  const next_action = is_owing ? ({ what: 'refund', time } as const) : nextOrderAction(order, occurrence, to)
  const entry: TimelineEntry = {
    revision: order.revision + 1,
    operation_id: occurrence.operation_id,
    event: occurrence.event,
    from: order.state,
    to,
    time: occurrence.time,
    actor: occurrence.actor,
    evidence_id: occurrence.evidence_id ?? null,
    reason: occurrence.reason ?? null,
    sequence,
    event_type,
    ...('out_refund_no' in occurrence && { out_refund_no: occurrence.out_refund_no }),
    ...('transaction_id' in occurrence && occurrence.transaction_id && { transaction_id: occurrence.transaction_id }),
    ...('is_whole' in occurrence && occurrence.is_whole && { is_whole: true }),
  }
  const fields = changedFields(order, occurrence)
  const attention = orderAttention(order, entry, fields)
  const change: OrderChange = {
    entry,
    set: {
      state: to,
      sequence: sequence ?? order.sequence,
      ...fields,
      ...(next_action && { next_action }),
      ...(attention && { attention }),
    },
    unset: [...(next_action ? [] : (['next_action'] as const)), ...(attention ? [] : (['attention'] as const))],
  }
  assertOrderChange(order, change)
  return change
}

/** What leads into review though the merchant may have shipped: its word that it did still counts. */
const events_before_shipping_is_known: readonly (OrderEvent | undefined)[] = ['fulfilment_overdue', 'payment_denied']

/**
 * Edges that depend on how the order came here: `review` is left by an answer only when a missing answer or a denied
 * payment led into it, a second payment is decided once, a fulfilment is stopped once, and a payment is denied once until
 * that is over.
 */
function isAllowedByTimeline(order: OrderRecord, occurrence: OrderOccurrence): boolean {
  switch (occurrence.event) {
    case 'fulfilled':
      return order.state !== 'review' || events_before_shipping_is_known.includes(entryIntoState(order)?.event)
    case 'payment_denied':
      return order.payment !== null && paymentDenial(order) === null
    case 'payment_restored':
      return paymentDenial(order) !== null && isInReviewByDenial(order)
    case 'denial_ended':
      // What a denial brought into review, only a person or the payment itself takes out of it.
      return paymentDenial(order) !== null && !isInReviewByDenial(order)
    case 'second_accepted':
    case 'second_rejected':
      return undecidedSecondPayments(order).includes(occurrence.transaction_id)
    case 'fulfilment_stopped':
      return stoppedSequence(order) === 0
    default:
      return true
  }
}

/** What each event publishes to the merchant; null: nothing (api.md §7). Those of refunds carry it themselves. */
const published_types: Record<OrderEvent, OrderEventType | null> = {
  placed: null,
  code_renewed: null,
  placement_refused: 'order.failed',
  payment_found: 'order.paid',
  payment_contradicted: 'order.review',
  payment_refunded_outside: 'order.review',
  late_payment_found: 'order.late_payment',
  second_payment_found: 'order.second_payment',
  close_asked: null,
  closed_at_wechat: 'order.closed',
  fulfilled: 'order.fulfilled',
  fulfilment_pending: null,
  fulfilment_refused: 'order.refunding', // or order.review, as the merchant's policy goes
  fulfilment_overdue: 'order.review', // or order.refunding
  fulfilment_stopped: 'order.fulfilment_cancelled',
  full_refund_requested: 'order.refunding',
  refund_changed: null,
  refunded: 'order.refunded',
  refund_closed: null,
  refund_refused: null,
  refund_reversed: null,
  accepted: 'order.paid',
  rejected: 'order.refunding',
  second_accepted: null,
  second_rejected: null,
  payment_denied: 'order.review', // where that is where it leads; else nothing
  payment_restored: 'order.paid',
  denial_ended: null,
}

function publishedType(
  from: OrderState,
  occurrence: OrderOccurrence,
  to: OrderState,
): OrderEventType | RefundEventType | null {
  if ('event_type' in occurrence) return occurrence.event_type
  const { event } = occurrence
  if (event === 'payment_denied' && to === from) return null
  const is_choice = event === 'fulfilment_refused' || event === 'fulfilment_overdue'
  if (is_choice) return to === 'refunding' ? 'order.refunding' : 'order.review'
  return published_types[event]
}

function changedFields(order: OrderRecord, occurrence: OrderOccurrence): OrderChange['set'] {
  switch (occurrence.event) {
    case 'placed':
    case 'code_renewed':
      return { code: occurrence.code, placement: { ...order.placement, unanswered: false } }
    case 'placement_refused':
      return { failure: occurrence.failure, placement: { ...order.placement, unanswered: false } }
    case 'close_asked':
      return { close_reason: occurrence.close_reason }
    case 'payment_found':
      return {
        payment: occurrence.payment,
        fulfilment: { ...order.fulfilment, result: null, reason: null, deadline_time: occurrence.deadline_time },
      }
    case 'payment_contradicted':
    case 'payment_refunded_outside':
    case 'late_payment_found':
      return { payment: occurrence.payment }
    case 'fulfilled':
      return { fulfilment: { ...order.fulfilment, result: 'fulfilled', reason: occurrence.reason ?? null } }
    case 'fulfilment_pending':
      return { fulfilment: { ...order.fulfilment, result: 'pending', reason: occurrence.reason ?? null } }
    case 'fulfilment_refused':
      return { fulfilment: { ...order.fulfilment, result: 'refused', reason: occurrence.reason ?? null } }
    case 'accepted':
    case 'payment_restored':
      // Each entry into `paid` asks anew, and gives a new time to answer.
      return {
        fulfilment: { ...order.fulfilment, result: null, reason: null, deadline_time: occurrence.deadline_time },
      }
    case 'second_payment_found':
    case 'second_accepted':
    case 'second_rejected':
    case 'closed_at_wechat':
    case 'fulfilment_overdue':
    case 'fulfilment_stopped':
    case 'full_refund_requested':
    case 'refund_changed':
    case 'refunded':
    case 'refund_closed':
    case 'refund_refused':
    case 'refund_reversed':
    case 'rejected':
    case 'payment_denied':
    case 'denial_ended':
      return {}
  }
}
