import { weft } from '../../domain/actor.ts'
import { beijingTime } from '../../domain/calendar.ts'
import { eventId, operationId } from '../../domain/ids.ts'
import type { Recorded } from '../../domain/messages.ts'
import type { OrderRecord, TimelineEntry } from '../../domain/order/record.ts'
import { movesMoney, paidSequence, stoppedSequence } from '../../domain/order/timeline.ts'
import { isWhollyRefunded } from '../../domain/payment/record.ts'
import type { PaymentRecord } from '../../domain/payment/record.ts'
import { entriesForOrder } from '../../domain/refund/change.ts'
import type { ActivityContext } from '../context.ts'
import { tell } from '../delivery/event.ts'
import type { Known } from '../delivery/event.ts'
import { progressOf } from '../progress.ts'
import { bookAcceptance, oweRefund } from '../refund/owed.ts'

/** What a conditional write answers (store/orders `apply`). */
export interface Applied {
  outcome: Recorded['outcome']
  order: OrderRecord
  /** the entry it wrote, or found written before; null when illegal */
  entry: TimelineEntry | null
}

/**
 * What follows from a write: its event told, a claim given back. A write that was done before is followed up again,
 * since whoever did it may have died right after.
 */
export async function recorded(
  context: ActivityContext,
  { outcome, order, entry }: Applied,
  known: Known = {},
): Promise<Recorded> {
  const followed = entry === null ? nothing : await followUp(context, order, entry, known)
  const whole = mayBeDone(order, outcome, entry) ? await completeRefunding(context, order) : null
  if (whole === null) return { outcome, order: progressOf(order), ...followed }
  const deliveries = [...followed.deliveries, ...whole.deliveries]
  return { outcome, order: whole.order, deliveries, refunds: followed.refunds }
}

/** What others must carry on with: notices for `deliverEvent`, numbers for `refundPayment`. */
export type Followed = Pick<Recorded, 'deliveries' | 'refunds'>
const nothing: Followed = { deliveries: [], refunds: [] }

/** All that an entry of the timeline brings about beyond the order's own record. The event comes last. */
async function followUp(
  context: ActivityContext,
  order: OrderRecord,
  entry: TimelineEntry,
  known: Known = {},
): Promise<Followed> {
  if (isQuestionOver(entry)) await withdrawQuestion(context, order, entry)
  const refunds = hasMoneyToMove(order, entry) ? await moveMoney(context, order, entry) : []
  return { deliveries: await tell(context, order, entry, known), refunds }
}

/** Whether a refund is owed depends on what else holds the money at that moment, so it is decided once. */
function hasMoneyToMove({ followed_revision = 0 }: OrderRecord, entry: TimelineEntry): boolean {
  return movesMoney(entry) && entry.revision > followed_revision
}

async function moveMoney(context: ActivityContext, order: OrderRecord, entry: TimelineEntry): Promise<string[]> {
  const { mchid, payment } = order
  if (entry.to === 'refunding') await releaseReference(context, order)
  if (entry.event === 'accepted') await keepSale(context, order)
  const accepted_id = acceptedPayment(entry, payment?.transaction_id ?? null)
  if (accepted_id !== null) await bookAcceptance(context, mchid, accepted_id, entry)
  const refunds = await oweRefund(context, order, entry)
  await context.store.orders.noteFollowed(order, entry.revision)
  return refunds
}

/** Accepted money keeps the sale, unless another number of it does. */
async function keepSale({ store }: ActivityContext, { mchid, reference, out_trade_no }: OrderRecord): Promise<void> {
  if (reference !== null) await store.references.claim(mchid, reference, out_trade_no)
}

/**
 * What a lost run still owed: events that it numbered and did not derive, and, since not all that money brings about
 * has an event, refunds and bookings. After every usual run there is nothing to do.
 */
export async function followUpMissing(context: ActivityContext, order: OrderRecord): Promise<Followed> {
  const owed: Followed = { deliveries: [], refunds: [] }
  for (const entry of order.timeline) {
    const event_id = entry.sequence === null ? null : eventId(order, entry.sequence)
    const is_told = event_id === null || (await context.store.events.find(event_id)) !== null
    if (is_told && !hasMoneyToMove(order, entry)) continue
    const followed = await followUp(context, order, entry)
    if (!is_told) owed.deliveries.push(...followed.deliveries)
    owed.refunds.push(...followed.refunds)
  }
  return owed
}

/** The transaction whose money a person has just accepted, or null. */
function acceptedPayment({ event, transaction_id }: TimelineEntry, own: string | null): string | null {
  if (event === 'accepted') return own
  return event === 'second_accepted' ? (transaction_id ?? null) : null
}

/**
 * A request for the whole is followed by the refund's own news, which the merchant hears first. What is refunded already
 * is told again by a repeated step: whoever wrote it may have died before telling.
 */
function mayBeDone({ state }: OrderRecord, outcome: Applied['outcome'], entry: TimelineEntry | null): boolean {
  if (entry?.event === 'full_refund_requested' || entry?.event === 'fulfilment_stopped') return false
  return state === 'refunding' || (state === 'refunded' && outcome === 'done_before')
}

/** The payer has all of it back: an order that was only waiting for this is done. */
async function completeRefunding(
  context: ActivityContext,
  order: OrderRecord,
): Promise<Pick<Recorded, 'order' | 'deliveries'> | null> {
  const { store, now } = context
  const payment = order.payment && (await store.payments.find(order.mchid, order.payment.transaction_id))
  if (payment === null || !isWhollyRefunded(payment)) return null
  if (await hasUntoldNews(context, order, payment)) return null
  const cause = { event: 'refunded', operation_id: operationId.refunded(), actor: weft } as const
  const applied = await store.orders.apply(order, () => ({ ...cause, time: beijingTime(now()) }), order)
  if (applied.entry === null) return null
  return {
    order: progressOf(applied.order),
    deliveries: await tell(context, applied.order, applied.entry, { payment }),
  }
}

/** A refund that gave it back has still to tell its own end: the merchant hears that first, and then that this was all. */
async function hasUntoldNews({ store }: ActivityContext, order: OrderRecord, payment: PaymentRecord): Promise<boolean> {
  const refunds = await store.refunds.ofOrder(order.mchid, payment.out_trade_no)
  const told = new Set(order.timeline.map(({ operation_id }) => operation_id))
  return refunds
    .filter(({ transaction_id }) => transaction_id === payment.transaction_id)
    .some((refund) =>
      entriesForOrder(refund).some(({ revision }) => !told.has(operationId.refund(refund.out_refund_no, revision))),
    )
}

function isQuestionOver({ event, from, to }: TimelineEntry): boolean {
  return event === 'fulfilment_stopped' || (from === 'paid' && to !== 'paid')
}

/** A sale that goes back to the payer may be paid by its other number. */
async function releaseReference(context: ActivityContext, order: OrderRecord): Promise<void> {
  if (order.reference === null) return
  await context.store.references.release(order.mchid, order.reference, order.out_trade_no)
}

/**
 * The question that `order.paid` asked is answered, or over: where its delivery is still open it is not sent again, and
 * what comes after it may go. An answer that came by the delivery itself has closed it already.
 */
async function withdrawQuestion(context: ActivityContext, order: OrderRecord, entry: TimelineEntry): Promise<void> {
  if (order.fulfilment.mode !== 'event' || entry.operation_id.startsWith('answered:')) return
  const { deliveries } = context.store
  const questions = [paidSequence(order), ...(entry.event === 'fulfilment_stopped' ? [] : [stoppedSequence(order)])]
  for (const sequence of questions.filter((one) => one > 0)) {
    for (const delivery of await deliveries.ofEvent(order.mchid, eventId(order, sequence))) {
      if (delivery.purpose !== 'notice') await deliveries.finish(delivery._id, 'cancelled')
    }
  }
}
