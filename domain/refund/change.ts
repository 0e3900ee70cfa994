import type { AttentionCode } from '../attention.ts'
import type { Time } from '../calendar.ts'
import { assertRefundChange } from './postcondition.ts'
import { isAutomaticOrigin } from './record.ts'
import type {
  RefundAtWeChat,
  RefundChange,
  RefundEntry,
  RefundEvent,
  RefundEventType,
  RefundOccurrence,
  RefundOrigin,
  RefundRecord,
  RefundState,
  RefundStep,
} from './record.ts'

/** A merchant's policy decides whether a reserved refund waits for a second person. */
type ApprovalEdge = { asks: RefundState; sends: RefundState }
type RefundEdges = Partial<Record<RefundEvent, RefundState | ApprovalEdge>>

/** How WeChat ends a refund, from any state in which it has it. */
const ending_edges: RefundEdges = {
  succeeded: 'succeeded',
  closed: 'closed',
  returned_to_merchant: 'returned_to_merchant',
}

/** Where each event takes a refund. A pair that is not listed is illegal. */
const refund_edges: Record<RefundState, RefundEdges> = {
  created: { reserved: { asks: 'awaiting_approval', sends: 'processing' }, not_reserved: 'refused' },
  awaiting_approval: { approved: 'processing', rejected: 'rejected', approval_expired: 'rejected' },
  processing: { accepted: 'processing', abnormal: 'abnormal', refused: 'refused', ...ending_edges },
  abnormal: { resumed: 'processing', ...ending_edges },
  // The payer's bank may send back what WeChat had paid out: its own later word goes before its earlier one. By then a
  // person may have had it sent to the merchant's own account, in WeChat's console.
  succeeded: { abnormal: 'abnormal', closed: 'closed', returned_to_merchant: 'returned_to_merchant' },
  closed: { paid_out: 'closed' },
  // A refusal that a lagging query seemed to prove is taken back by WeChat's own word.
  refused: { paid_out: 'refused', accepted: 'processing' },
  rejected: {},
  returned_to_merchant: { paid_out: 'returned_to_merchant' },
}

/** Where `event` takes a refund in `state`, or null: illegal. */
export function refundDestination(state: RefundState, event: RefundEvent, needs_approval: boolean): RefundState | null {
  const edge = refund_edges[state][event]
  if (edge === undefined) return null
  return typeof edge === 'string' ? edge : needs_approval ? edge.asks : edge.sends
}

/**
 * What `occurrence` does to `refund`, or null when the table says it is illegal. Pure: store/refunds writes the change
 * on the condition that the revision is still the one seen here. Throws `PostconditionBroken` rather than answer a
 * change that must not be written.
 */
export function applyRefundEvent(refund: RefundRecord, occurrence: RefundOccurrence): RefundChange | null {
  const needs_approval = occurrence.event === 'reserved' && occurrence.approval_expire_time !== null
  const to = refundDestination(refund.state, occurrence.event, needs_approval)
  if (to === null || refund.payout !== null) return null // what was paid by hand moves no more
  const attention = refundAttention(refund, occurrence, to)
  const next_action = nextRefundAction(refund, occurrence, to)
  const change: RefundChange = {
    entry: {
      revision: refund.revision + 1,
      operation_id: occurrence.operation_id,
      event: occurrence.event,
      from: refund.state,
      to,
      time: occurrence.time,
      actor: occurrence.actor,
      evidence_id: occurrence.evidence_id ?? null,
      reason: occurrence.reason ?? null,
    },
    set: {
      state: to,
      ...changedFields(refund, occurrence),
      ...(next_action && { next_action }),
      ...(attention && { attention: { code: attention, since_time: occurrence.time } }),
    },
    unset: [...(next_action ? [] : (['next_action'] as const)), ...(attention ? [] : (['attention'] as const))],
  }
  assertRefundChange(refund, change)
  return change
}

function changedFields(refund: RefundRecord, occurrence: RefundOccurrence): RefundChange['set'] {
  switch (occurrence.event) {
    case 'reserved': {
      const { amount, is_full, wechat_request, approval_expire_time } = occurrence
      const approval = approval_expire_time && {
        expire_time: approval_expire_time,
        decision: null,
        by: null,
        reason: null,
      }
      return { amount, is_full, wechat_request, approval: approval || null }
    }
    case 'not_reserved':
    case 'refused':
      return { failure: occurrence.failure }
    case 'approved':
    case 'rejected':
    case 'approval_expired':
      return approvalFields(refund, occurrence)
    case 'accepted':
    case 'resumed':
    case 'succeeded':
    case 'abnormal':
    case 'closed':
    case 'returned_to_merchant':
      return {
        facts: { ...occurrence.facts, settlement_refund: bookedSettlement(refund, occurrence.facts) },
        submission: { ...refund.submission, unanswered: false },
        ...(occurrence.event === 'accepted' && { failure: null }),
        ...(occurrence.event === 'closed' && { close_reason: 'closed_by_wechat' }),
      }
    case 'paid_out':
      return { payout: occurrence.payout }
  }
}

/** What was booked at acceptance stays: a later answer that leaves the amount out must not unbalance the journal. */
function bookedSettlement(refund: RefundRecord, facts: RefundAtWeChat): number {
  return refund.facts?.settlement_refund ?? facts.settlement_refund ?? refund.amount.refund
}

function approvalFields(refund: RefundRecord, occurrence: RefundOccurrence): RefundChange['set'] {
  const { event, actor, reason } = occurrence
  if (refund.approval === null) return {}
  if (event === 'approval_expired') return { close_reason: 'approval_expired' }
  const decision = event === 'approved' ? 'approve' : 'reject'
  const approval = { ...refund.approval, decision, by: actor, reason: reason ?? null } as const
  return { approval, ...(occurrence.event === 'approved' && { is_full: occurrence.is_full }) }
}

/** Why a person should look at the refund in this state; one state, one reason. */
function refundAttention(refund: RefundRecord, occurrence: RefundOccurrence, to: RefundState): AttentionCode | null {
  switch (occurrence.event) {
    case 'abnormal':
      return 'refund_abnormal'
    case 'returned_to_merchant':
      return 'returned_to_merchant'
    case 'closed':
      // After SUCCESS the payer was promised the money, whoever had asked for it.
      return isAutomaticOrigin(refund.origin) || refund.state === 'succeeded' ? 'refund_closed' : null
    case 'refused':
      return isAutomaticOrigin(refund.origin) ? 'refund_refused' : (occurrence.attention ?? null)
    case 'not_reserved':
      return isLeftUnpaid(refund.origin, occurrence.failure.code) ? 'refund_refused' : null
    default:
      return to === 'awaiting_approval' ? 'approval_waiting' : null
  }
}

/** What Weft does next by itself. After an event that its order is signalled, that signal is planned until it is done. */
function nextRefundAction(
  refund: RefundRecord,
  occurrence: RefundOccurrence,
  to: RefundState,
): RefundRecord['next_action'] | null {
  const { event, time } = occurrence
  if (event === 'accepted' || event === 'resumed') return { what: 'ask_wechat', time: occurrence.next_query_time }
  if (event === 'reserved' && occurrence.approval_expire_time !== null) {
    return { what: 'await_approval', time: occurrence.approval_expire_time }
  }
  if (to === 'processing') return { what: 'submit', time }
  const failure = occurrence.event === 'not_reserved' ? occurrence.failure : refund.failure
  if (isSignalledToOrder({ ...refund, failure }, event)) return { what: 'tell_order', time }
  return to === 'abnormal' ? { what: 'ask_wechat', time } : null
}

/** What a refund does next in which nothing is planned, by its record alone; null: it rests. */
export function missingRefundPlan(refund: RefundRecord, time: Time): { what: RefundStep; time: Time } | null {
  const { state, approval, facts, origin } = refund
  switch (state) {
    case 'created':
      return { what: 'reserve', time }
    case 'awaiting_approval':
      return { what: 'await_approval', time: approval?.expire_time ?? time }
    case 'processing':
      return { what: facts !== null || origin === 'outside' ? 'ask_wechat' : 'submit', time }
    case 'abnormal':
      return { what: 'ask_wechat', time }
    default:
      return null
  }
}

/** What each event of a refund publishes to the merchant; null: nothing (api.md §7). */
const published_types: Record<RefundEvent, RefundEventType | null> = {
  reserved: null,
  not_reserved: null, // the request itself is answered so
  approved: null,
  rejected: null,
  approval_expired: null,
  accepted: null,
  resumed: null,
  succeeded: 'refund.succeeded',
  abnormal: 'refund.abnormal',
  closed: 'refund.closed',
  refused: 'refund.refused',
  returned_to_merchant: 'refund.returned_to_merchant',
  paid_out: null,
}

export function publishedRefundType(event: RefundEvent): RefundEventType | null {
  return published_types[event]
}

/** Signalled to the order though not published: what may complete its refund, and what leaves it without one. */
const order_only_events: readonly RefundEvent[] = ['paid_out', 'rejected', 'approval_expired']

/**
 * What Weft owes by itself and WeChat's limits forbid. That other refunds hold all of the payment already leaves nobody
 * without money.
 */
function isLeftUnpaid(origin: RefundOrigin, code: string | undefined): boolean {
  return isAutomaticOrigin(origin) && code !== 'refund_exceeds_payment'
}

/** What the order looks at of a refund. */
type SignalledRefund = Pick<RefundRecord, 'order_id' | 'origin' | 'failure'>

/** Whether the refund's order is signalled this event. */
export function isSignalledToOrder({ order_id, origin, failure }: SignalledRefund, event: RefundEvent): boolean {
  if (order_id === null) return false
  if (event === 'not_reserved') return isLeftUnpaid(origin, failure?.code)
  return published_types[event] !== null || order_only_events.includes(event)
}

/** The entries that the refund's order is signalled, oldest first. */
export function entriesForOrder(refund: SignalledRefund & Pick<RefundRecord, 'timeline'>): RefundEntry[] {
  return refund.timeline.filter(({ event }) => isSignalledToOrder(refund, event))
}
