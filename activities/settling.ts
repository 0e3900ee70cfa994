import { beijingTime } from '../domain/calendar.ts'
import { operationId, orderId } from '../domain/ids.ts'
import type { OrderKey } from '../domain/ids.ts'
import type { Decision, Recorded, RefundRequested } from '../domain/messages.ts'
import { paidSequence } from '../domain/order.ts'
import type { Occurrence, OrderRecord } from '../domain/order.ts'
import { refundableAmount } from '../domain/payment.ts'
import { entriesForOrder, refundEventType } from '../domain/refund.ts'
import type { RefundEntry, RefundRecord } from '../domain/refund.ts'
import { RecordMissing } from '../store/connection.ts'
import { merchantOf } from './context.ts'
import type { ActivityContext } from './context.ts'
import { recorded } from './recording.ts'

type Given<T> = T & { order: OrderKey }

/** A decision as the record took it; `decided`: what holds where it could not be taken. */
export type Decided = Recorded & { decided: 'accept' | 'reject' | null }

/** What a person decided of money in review, or of a second payment. */
export async function recordReview(context: ActivityContext, given: Given<Decision>): Promise<Decided> {
  const { order: key } = given
  const { settings } = await merchantOf(context, key.mchid)
  const deadline_ms = settings.fulfilment.deadline_in * 1000
  const is_gone = given.decision === 'accept' && (await isGivenBack(context, given))
  const cause = (order: OrderRecord) => (is_gone ? null : decisionOn(order, given, context.now(), deadline_ms))
  const applied = await context.store.orders.apply(key, cause)
  if (applied.entry?.event === 'accepted') await keepSale(context, applied.order)
  return { ...(await recorded(context, applied)), decided: decisionBefore(applied.order, given.transaction_id) }
}

function decisionOn(
  order: OrderRecord,
  given: Given<Decision>,
  now_ms: number,
  deadline_ms: number,
): Occurrence | null {
  const { operation_id, actor, reason, decision } = given
  const cause = { operation_id, actor, reason, time: beijingTime(now_ms) }
  const second = secondMeant(order, given.transaction_id)
  if (second !== null) {
    return { event: decision === 'accept' ? 'second_accepted' : 'second_rejected', transaction_id: second, ...cause }
  }
  // The table refuses what no longer fits; what this very command wrote before is found by its id, and followed up.
  if (decision === 'reject') return { event: 'rejected', ...cause }
  return { event: 'accepted', ...cause, deadline_time: beijingTime(now_ms + deadline_ms) }
}

/** Nothing is left of the money: to accept it would ship for nothing. */
async function isGivenBack({ store }: ActivityContext, given: Given<Decision>): Promise<boolean> {
  const { mchid } = given.order
  const order = await store.orders.find(given.order)
  const transaction_id = given.transaction_id ?? order?.payment?.transaction_id
  const payment = transaction_id === undefined ? null : await store.payments.find(mchid, transaction_id)
  return payment !== null && refundableAmount(payment) === 0
}

/** A second payment is meant only when it is named: a decision that comes twice must not fall on another one. */
function secondMeant(order: OrderRecord, transaction_id: string | null): string | null {
  return transaction_id === order.payment?.transaction_id ? null : transaction_id
}

function decisionBefore({ timeline, payment }: OrderRecord, transaction_id: string | null): 'accept' | 'reject' | null {
  const is_second = transaction_id !== null && transaction_id !== payment?.transaction_id
  const found = timeline.findLast((entry) =>
    is_second
      ? entry.transaction_id === transaction_id && entry.event !== 'second_payment_found'
      : decisions[entry.event] !== undefined,
  )
  return found === undefined ? null : (decisions[found.event] ?? null)
}

const decisions: Partial<Record<Occurrence['event'], 'accept' | 'reject'>> = {
  accepted: 'accept',
  second_accepted: 'accept',
  rejected: 'reject',
  second_rejected: 'reject',
}

/** Accepted money keeps the sale, unless another number of it does. */
async function keepSale({ store }: ActivityContext, { mchid, reference, out_trade_no }: OrderRecord): Promise<void> {
  if (reference !== null) await store.references.claim(mchid, reference, out_trade_no)
}

/**
 * A refund of the whole payment was asked for: the merchant's question is taken back first, and then the order is on its
 * way to be refunded. Anything but `paid` has nothing to stop.
 */
export async function recordRefundRequested(
  context: ActivityContext,
  given: Given<RefundRequested>,
): Promise<Recorded> {
  const { order: key, out_refund_no, actor, reason } = given
  const cause = () => ({ actor, reason, time: beijingTime(context.now()) })
  // Where it was written before, by this step or by Weft itself, it is followed up again; the table refuses the rest.
  const stopped = await context.store.orders.apply(key, (order) =>
    order.fulfilment.mode === 'event'
      ? { event: 'fulfilment_stopped', operation_id: operationId.stopped(paidSequence(order)), ...cause() }
      : null,
  )
  const before = await recorded(context, stopped)
  const applied = await context.store.orders.apply(key, () => ({
    event: 'full_refund_requested',
    operation_id: operationId.refundRequested(out_refund_no),
    out_refund_no,
    ...cause(),
  }))
  const after = await recorded(context, applied)
  return { ...after, deliveries: [...before.deliveries, ...after.deliveries] }
}

/** What became of a refund: all of it that the order has not heard yet, each under a number of its own. */
export async function recordRefundNews(
  context: ActivityContext,
  { order: key, out_refund_no }: Given<{ out_refund_no: string }>,
): Promise<Recorded> {
  const { store } = context
  const refund = await store.refunds.find({ mchid: key.mchid, out_refund_no })
  if (refund === null) throw new RecordMissing(`${key.mchid}/${out_refund_no}`)
  const news: Recorded[] = []
  for (const entry of entriesForOrder(refund)) {
    const applied = await store.orders.apply(key, (order) => newsOf(order, refund, entry, context.now()))
    news.push(await recorded(context, applied))
  }
  const last = news.at(-1)
  if (last !== undefined) return { ...last, deliveries: news.flatMap(({ deliveries }) => deliveries) }
  const order = await store.orders.find(key)
  if (order === null) throw new RecordMissing(orderId(key))
  return await recorded(context, { outcome: 'illegal', order, entry: null })
}

function newsOf(order: OrderRecord, refund: RefundRecord, entry: RefundEntry, now_ms: number): Occurrence {
  const { out_refund_no, transaction_id } = refund
  const is_relied_on = order.state === 'refunding' && order.payment?.transaction_id === transaction_id
  const event = !is_relied_on ? 'refund_changed' : (setbacks[entry.event] ?? 'refund_changed')
  return {
    event,
    operation_id: operationId.refund(out_refund_no, entry.revision),
    time: beijingTime(now_ms),
    actor: entry.actor,
    evidence_id: entry.evidence_id,
    reason: entry.reason,
    out_refund_no,
    event_type: refundEventType(entry.event),
  }
}

/** What leaves an order without the refund it relied on. */
const setbacks: Partial<Record<RefundEntry['event'], 'refund_closed' | 'refund_refused'>> = {
  closed: 'refund_closed',
  refused: 'refund_refused',
  rejected: 'refund_refused',
  approval_expired: 'refund_refused',
}
