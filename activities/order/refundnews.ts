import { beijingTime } from '../../domain/calendar.ts'
import { operationId, orderId } from '../../domain/ids.ts'
import type { OrderKey } from '../../domain/ids.ts'
import type { FullRefundCommand, OrderWriteResult } from '../../domain/messages.ts'
import type { OrderOccurrence, OrderRecord } from '../../domain/order/record.ts'
import { owedTransactions, paidSequence } from '../../domain/order/timeline.ts'
import { isWhollyRefunded } from '../../domain/payment/record.ts'
import { entriesForOrder, publishedRefundType } from '../../domain/refund/change.ts'
import { uncoveredAmount } from '../../domain/refund/cover.ts'
import type { RefundEntry, RefundRecord } from '../../domain/refund/record.ts'
import { RecordMissing } from '../../store/connection.ts'
import type { ActivityContext } from '../context.ts'
import { isPaymentGoingBack } from '../refund/owed.ts'
import { followUpWrite } from './consequence.ts'
import type { OrderStepInput } from './consequence.ts'

/**
 * Records that a refund of the whole payment was asked for: stops an open fulfilment, then takes the order to
 * `refunding`. Changes nothing in other states than `paid`, nor for a part: what made the refund look whole when it was
 * reserved may have been given up since.
 */
export async function recordRefundRequested(
  context: ActivityContext,
  given: OrderStepInput<FullRefundCommand>,
): Promise<OrderWriteResult> {
  const { order: key, out_refund_no, actor, reason } = given
  const transaction_id = await transactionGoingBack(context, key, out_refund_no)
  // A second payment that goes back whole stops nothing, whoever signals it: the order stands on its own.
  const isWhole = ({ payment }: OrderRecord) => payment !== null && payment.transaction_id === transaction_id
  const cause = () => ({ actor, reason, time: beijingTime(context.now()) })
  // Where it was written before, by this step or by Weft itself, it is followed up again; the table refuses the rest.
  const stopped = await context.store.orders.apply(key, (order) =>
    order.fulfilment.mode === 'event' && isWhole(order)
      ? { event: 'fulfilment_stopped', operation_id: operationId.stopped(paidSequence(order)), ...cause() }
      : null,
  )
  const before = await followUpWrite(context, stopped)
  const operation_id = operationId.refundRequested(out_refund_no)
  const applied = await context.store.orders.apply(key, (order) =>
    isWhole(order) ? { event: 'full_refund_requested', operation_id, out_refund_no, ...cause() } : null,
  )
  const after = await followUpWrite(context, applied)
  return { ...after, deliveries: [...before.deliveries, ...after.deliveries] }
}

/** The payment of this refund, where all of it goes back with the refund as records stand now; else null. */
async function transactionGoingBack(
  context: ActivityContext,
  key: OrderKey,
  out_refund_no: string,
): Promise<string | null> {
  const refund = await findRefundOf(context, key, out_refund_no)
  return refund !== null && (await isPaymentGoingBack(context, refund)) ? refund.transaction_id : null
}

/** How much of a payment its refunds cover. */
interface RefundCoverage {
  /** fen that no refund holds or is about to */
  uncovered: number
  is_whole: boolean
}

/**
 * Records on the order what became of a refund: each of the refund's entries for the order once, by its operation id.
 */
export async function recordRefundNews(
  context: ActivityContext,
  { order: key, out_refund_no }: OrderStepInput<{ out_refund_no: string }>,
): Promise<OrderWriteResult> {
  const { store } = context
  const refund = await findRefundOf(context, key, out_refund_no)
  if (refund === null) {
    // A signal carries no belief, and anybody may send one from Temporal UI: the order waits for no such refund.
    context.log.warn('an order was told of a refund that it does not have', { ...key, out_refund_no })
    return await unchanged(context, key)
  }
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
  return await unchanged(context, key)
}

async function unchanged(context: ActivityContext, key: OrderKey): Promise<OrderWriteResult> {
  const order = await context.store.orders.find(key)
  if (order === null) throw new RecordMissing(orderId(key))
  return await followUpWrite(context, { outcome: 'illegal', order, entry: null })
}

/** The refund, if it is one of this order's money; null: of another's, or there is none. */
async function findRefundOf(
  { store }: ActivityContext,
  key: OrderKey,
  out_refund_no: string,
): Promise<RefundRecord | null> {
  const refund = await store.refunds.find({ mchid: key.mchid, out_refund_no })
  const is_own = refund?.order_id === orderId(key) || refund?.out_trade_no === key.out_trade_no
  return is_own ? refund : null
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
  const is_own = order.payment?.transaction_id === transaction_id
  const is_reversed = is_own && order.state === 'refunded' && entry.from === 'succeeded' && !is_whole
  const setback = is_owed ? setback_events[entry.event] : undefined
  const event = is_reversed ? 'refund_reversed' : (setback ?? 'refund_changed')
  return {
    event,
    operation_id: operationId.refund(out_refund_no, entry.revision),
    time: beijingTime(now_ms),
    actor: entry.actor,
    evidence_id: entry.evidence_id,
    reason: entry.reason,
    out_refund_no,
    is_whole,
    ...(!is_own && { transaction_id }),
    event_type: publishedRefundType(entry.event),
  }
}

/** The order events for refund events that leave a payer without the refund that is owed. */
const setback_events: Partial<Record<RefundEntry['event'], 'refund_closed' | 'refund_refused'>> = {
  closed: 'refund_closed',
  refused: 'refund_refused',
  not_reserved: 'refund_refused',
  rejected: 'refund_refused',
  approval_expired: 'refund_refused',
}
