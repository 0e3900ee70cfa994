import { beijingTime } from '../../domain/calendar.ts'
import { operationId, orderId } from '../../domain/ids.ts'
import type { OrderKey } from '../../domain/ids.ts'
import type { FullRefundCommand, OrderWriteResult, ReviewDecision } from '../../domain/messages.ts'
import type { OrderOccurrence, OrderRecord } from '../../domain/order/record.ts'
import { owedTransactions, paidSequence } from '../../domain/order/timeline.ts'
import { isWhollyRefunded } from '../../domain/payment/record.ts'
import { entriesForOrder, publishedRefundType } from '../../domain/refund/change.ts'
import { uncoveredAmount } from '../../domain/refund/cover.ts'
import type { RefundEntry, RefundRecord } from '../../domain/refund/record.ts'
import { RecordMissing } from '../../store/connection.ts'
import { requireMerchant } from '../context.ts'
import type { ActivityContext } from '../context.ts'
import { isPaymentGoingBack } from '../refund/owed.ts'
import { followUpWrite } from './consequence.ts'

type OrderStepInput<T> = T & { order: OrderKey }

/** A decision as the record took it; `decided`: what holds where it could not be taken. */
export type ReviewResult = OrderWriteResult & { decided: 'accept' | 'reject' | null }

/** What a person decided of money in review, or of a second payment. */
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

/** All of the money is back, or on its way: to accept it would ship for nothing. */
async function isMoneyGoingBack(context: ActivityContext, given: OrderStepInput<ReviewDecision>): Promise<boolean> {
  const { mchid } = given.order
  const order = await context.store.orders.find(given.order)
  const transaction_id = given.transaction_id ?? order?.payment?.transaction_id
  return transaction_id !== undefined && (await isPaymentGoingBack(context, { mchid, transaction_id }))
}

/** A second payment is meant only when it is named: a decision that comes twice must not fall on another one. */
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

/**
 * A refund of the whole payment was asked for: the merchant's question is taken back first, and then the order is on its
 * way to be refunded. Anything but `paid` has nothing to stop, and nothing is stopped for a part: what made it look
 * whole when it was reserved may have been given up since.
 */
export async function recordRefundRequested(
  context: ActivityContext,
  given: OrderStepInput<FullRefundCommand>,
): Promise<OrderWriteResult> {
  const { order: key, out_refund_no, actor, reason } = given
  const is_whole = await isFullRefund(context, key, out_refund_no)
  const cause = () => ({ actor, reason, time: beijingTime(context.now()) })
  // Where it was written before, by this step or by Weft itself, it is followed up again; the table refuses the rest.
  const stopped = await context.store.orders.apply(key, (order) =>
    order.fulfilment.mode === 'event' && is_whole
      ? { event: 'fulfilment_stopped', operation_id: operationId.stopped(paidSequence(order)), ...cause() }
      : null,
  )
  const before = await followUpWrite(context, stopped)
  const operation_id = operationId.refundRequested(out_refund_no)
  const applied = await context.store.orders.apply(key, () =>
    is_whole ? { event: 'full_refund_requested', operation_id, out_refund_no, ...cause() } : null,
  )
  const after = await followUpWrite(context, applied)
  return { ...after, deliveries: [...before.deliveries, ...after.deliveries] }
}

/** With this refund all of its payment goes back, as things stand now. */
async function isFullRefund(context: ActivityContext, { mchid }: OrderKey, out_refund_no: string): Promise<boolean> {
  const refund = await context.store.refunds.find({ mchid, out_refund_no })
  return refund !== null && (await isPaymentGoingBack(context, refund))
}

/** How the payment of a refund stands, for the news of it. */
interface RefundCoverage {
  /** fen of it that no refund holds or is about to */
  uncovered: number
  is_whole: boolean
}

/** What became of a refund: all of it that the order has not heard yet, each under a number of its own. */
export async function recordRefundNews(
  context: ActivityContext,
  { order: key, out_refund_no }: OrderStepInput<{ out_refund_no: string }>,
): Promise<OrderWriteResult> {
  const { store } = context
  const refund = await store.refunds.find({ mchid: key.mchid, out_refund_no })
  if (refund === null) throw new RecordMissing(`${key.mchid}/${out_refund_no}`)
  const coverage = await refundCoverage(context, refund)
  const news: OrderWriteResult[] = []
  for (const entry of entriesForOrder(refund)) {
    const applied = await store.orders.apply(key, (order) =>
      newsOccurrence(order, refund, entry, coverage, context.now()),
    )
    news.push(await followUpWrite(context, applied))
  }
  const last = news.at(-1)
  if (last !== undefined) return { ...last, deliveries: news.flatMap(({ deliveries }) => deliveries) }
  const order = await store.orders.find(key)
  if (order === null) throw new RecordMissing(orderId(key))
  return await followUpWrite(context, { outcome: 'illegal', order, entry: null })
}

async function refundCoverage({ store }: ActivityContext, refund: RefundRecord): Promise<RefundCoverage> {
  const { mchid, transaction_id, out_trade_no } = refund
  const payment = await store.payments.find(mchid, transaction_id)
  if (payment === null) return { uncovered: refund.amount.refund, is_whole: false }
  const refunds = await store.refunds.ofOrder(mchid, out_trade_no)
  return { uncovered: uncoveredAmount(payment, refunds), is_whole: isWhollyRefunded(payment) }
}

function newsOccurrence(
  order: OrderRecord,
  refund: RefundRecord,
  entry: RefundEntry,
  { uncovered, is_whole }: RefundCoverage,
  now_ms: number,
): OrderOccurrence {
  const { out_refund_no, transaction_id } = refund
  const is_owed = uncovered > 0 && owedTransactions(order).includes(transaction_id)
  const event = is_owed ? (setback_events[entry.event] ?? 'refund_changed') : 'refund_changed'
  return {
    event,
    operation_id: operationId.refund(out_refund_no, entry.revision),
    time: beijingTime(now_ms),
    actor: entry.actor,
    evidence_id: entry.evidence_id,
    reason: entry.reason,
    out_refund_no,
    is_whole,
    ...(order.payment?.transaction_id !== transaction_id && { transaction_id }),
    event_type: publishedRefundType(entry.event),
  }
}

/** What leaves a payer without the refund that is owed. */
const setback_events: Partial<Record<RefundEntry['event'], 'refund_closed' | 'refund_refused'>> = {
  closed: 'refund_closed',
  refused: 'refund_refused',
  not_reserved: 'refund_refused',
  rejected: 'refund_refused',
  approval_expired: 'refund_refused',
}
