import { beijingTime } from '../../domain/calendar.ts'
import type { OrderWriteResult, ReviewDecision } from '../../domain/messages.ts'
import type { OrderOccurrence, OrderRecord } from '../../domain/order/record.ts'
import { requireMerchant } from '../context.ts'
import type { ActivityContext } from '../context.ts'
import { isPaymentGoingBack } from '../refund/owed.ts'
import { followUpWrite } from './consequence.ts'
import type { OrderStepInput } from './consequence.ts'

/** What came of a review decision; `decided` is the decision that holds, which may be an earlier one. */
export type ReviewResult = OrderWriteResult & { decided: 'accept' | 'reject' | null }

/** Records a person's decision on money in review, or on a second payment. */
export async function recordReview(
  context: ActivityContext,
  given: OrderStepInput<ReviewDecision>,
): Promise<ReviewResult> {
  const { order: key } = given
  const { settings } = await requireMerchant(context, key.mchid)
  const deadline_ms = settings.fulfilment.deadline_in * 1000
  const is_going_back = given.decision === 'accept' && (await isMoneyGoingBack(context, given))
  const cause = (order: OrderRecord) =>
    is_going_back ? null : reviewOccurrence(order, given, context.now(), deadline_ms)
  const applied = await context.store.orders.apply(key, cause)
  return { ...(await followUpWrite(context, applied)), decided: earlierDecision(applied.order, given.transaction_id) }
}

function reviewOccurrence(
  order: OrderRecord,
  given: OrderStepInput<ReviewDecision>,
  now_ms: number,
  deadline_ms: number,
): OrderOccurrence | null {
  const { operation_id, actor, reason, decision } = given
  const cause = { operation_id, actor, reason, time: beijingTime(now_ms) }
  const second = namedSecondPayment(order, given.transaction_id)
  if (second !== null) {
    return { event: decision === 'accept' ? 'second_accepted' : 'second_rejected', transaction_id: second, ...cause }
  }
  // The table refuses what no longer fits; what this very command wrote before is found by its id, and followed up.
  if (decision === 'reject') return { event: 'rejected', ...cause }
  return { event: 'accepted', ...cause, deadline_time: beijingTime(now_ms + deadline_ms) }
}

/** Whether all of the money is back or on its way: to accept it then would ship for nothing. */
async function isMoneyGoingBack(context: ActivityContext, given: OrderStepInput<ReviewDecision>): Promise<boolean> {
  const { mchid } = given.order
  const order = await context.store.orders.find(given.order)
  const transaction_id = given.transaction_id ?? order?.payment?.transaction_id
  return transaction_id !== undefined && (await isPaymentGoingBack(context, { mchid, transaction_id }))
}

/** The second payment that a decision names; null where it means the order's own. A repeated decision must not fall on another one. */
function namedSecondPayment(order: OrderRecord, transaction_id: string | null): string | null {
  return transaction_id === order.payment?.transaction_id ? null : transaction_id
}

function earlierDecision(
  { timeline, payment }: OrderRecord,
  transaction_id: string | null,
): 'accept' | 'reject' | null {
  const is_second = transaction_id !== null && transaction_id !== payment?.transaction_id
  const found = timeline.findLast(
    (entry) =>
      decisions[entry.event] !== undefined && (entry.transaction_id ?? null) === (is_second ? transaction_id : null),
  )
  return found === undefined ? null : (decisions[found.event] ?? null)
}

const decisions: Partial<Record<OrderOccurrence['event'], 'accept' | 'reject'>> = {
  accepted: 'accept',
  second_accepted: 'accept',
  rejected: 'reject',
  second_rejected: 'reject',
}
