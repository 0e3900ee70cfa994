import { weft_actor } from '../../domain/actor.ts'
import { beijingTime, milliseconds } from '../../domain/calendar.ts'
import type { CheckoutRecord } from '../../domain/checkout/record.ts'
import type { DeliveryRecord } from '../../domain/event/delivery.ts'
import { eventId, isAnswerToDelivery, operationId, orderKey } from '../../domain/ids.ts'
import type { OrderKey } from '../../domain/ids.ts'
import type { OrderProgress, OrderWriteResult } from '../../domain/messages.ts'
import { isSaleComing, keepsSale } from '../../domain/order/judgement.ts'
import { isOrderResting } from '../../domain/order/record.ts'
import type { OrderRecord, TimelineEntry } from '../../domain/order/record.ts'
import { askedSequence, isInReviewByDenial, isMoneyMoving } from '../../domain/order/timeline.ts'
import { isWhollyRefunded } from '../../domain/payment/record.ts'
import type { PaymentRecord } from '../../domain/payment/record.ts'
import { entriesForOrder } from '../../domain/refund/change.ts'
import { StoreUnavailable } from '../../store/connection.ts'
import type { AppliedToOrder } from '../../store/orders.ts'
import { tellEnd } from '../checkout/event.ts'
import type { ActivityContext } from '../context.ts'
import { publishOrderEvent } from '../delivery/event.ts'
import type { KnownRecords } from '../delivery/event.ts'
import { orderProgress } from '../progress.ts'
import { createOwedRefund, postAcceptance } from '../refund/owed.ts'

/**
 * Runs the side effects of a record write: publishes the event, ends deliveries that are over, moves money. Events and
 * deliveries also on `done_before`, because the worker that wrote may have crashed first; money once per entry
 * (`followed_revision`).
 */
export async function followUpWrite(
  context: ActivityContext,
  { outcome, order, entry }: AppliedToOrder,
  known: KnownRecords = {},
): Promise<OrderWriteResult> {
  const followed = entry === null ? nothing_owed : await followUpEntry(context, order, entry, known)
  const completed = isRefundedCheckDue(order, outcome, entry) ? await completeRefunding(context, order) : null
  if (completed === null) return { outcome, order: orderProgress(order), ...followed }
  const deliveries = [...followed.deliveries, ...completed.deliveries]
  return { ...followed, outcome, order: completed.order, deliveries }
}

/** What other runs must carry on: notices for `deliverEvent`, numbers for `refundPayment`, other numbers that `payOrder` closes. */
export type OwedRuns = Pick<OrderWriteResult, 'deliveries' | 'refunds' | 'siblings'>
const nothing_owed: OwedRuns = { deliveries: [], refunds: [] }

/**
 * Does all that a timeline entry brings about beyond the order's own record. The event comes last, and behind it only that
 * a checkout has ended, which the sweeper tells as well.
 */
async function followUpEntry(
  context: ActivityContext,
  order: OrderRecord,
  entry: TimelineEntry,
  known: KnownRecords = {},
): Promise<OwedRuns> {
  const notices = isFulfilmentOver(order, entry)
    ? await endOldQuestions(context, order, await openDeliveries(context, order))
    : []
  const refunds = hasMoneyToMove(order, entry) ? await moveMoney(context, order, entry) : []
  const checkout = await settleCheckout(context, order, entry)
  const own = await publishOrderEvent(context, order, entry, known)
  const ends = checkout === null ? [] : await triedEnd(context, checkout)
  const siblings = entry.event === 'accepted' ? await payableSiblings(context, order) : []
  return { deliveries: [...notices, ...own, ...ends], refunds, ...(siblings.length > 0 && { siblings }) }
}

/**
 * The newer numbers of a sale whose late money a person has accepted: its payer shall not pay once more. Those that are
 * older than a number were closed before it was placed.
 */
async function payableSiblings({ store }: ActivityContext, order: OrderRecord): Promise<string[]> {
  const { mchid, reference, out_trade_no } = order
  if (reference === null || (await store.references.findHolder(mchid, reference)) !== out_trade_no) return []
  const payable = await store.orders.findPayableBeside(order)
  return payable.map((sibling) => sibling.out_trade_no)
}

/** What the order itself has to do must not wait for its checkout: an end that cannot be told is left to the sweeper. */
async function triedEnd(context: ActivityContext, checkout: CheckoutRecord): Promise<string[]> {
  try {
    return await tellEnd(context, checkout)
  } catch (error) {
    if (error instanceof StoreUnavailable) throw error
    const { mchid, out_trade_no } = checkout
    context.log.warn('the end of a checkout could not be told; the sweeper tries again', { mchid, out_trade_no, error })
    return []
  }
}

/**
 * Whether an entry's money is still to be moved. Once per entry: what is owed depends on what else holds the money
 * then.
 */
function hasMoneyToMove({ followed_revision = 0 }: OrderRecord, entry: TimelineEntry): boolean {
  return isMoneyMoving(entry) && entry.revision > followed_revision
}

async function moveMoney(context: ActivityContext, order: OrderRecord, entry: TimelineEntry): Promise<string[]> {
  const { mchid, payment } = order
  if (entry.to === 'refunding') await releaseReference(context, order)
  if (entry.event === 'accepted') await claimReference(context, order)
  const accepted_id = acceptedTransaction(entry, payment?.transaction_id ?? null)
  if (accepted_id !== null) await postAcceptance(context, mchid, accepted_id, entry)
  const refunds = await createOwedRefund(context, order, entry)
  await context.store.orders.noteFollowed(order, entry.revision)
  return refunds
}

/** Has the checkout say what its order has come to: paid, or that nothing of it can be paid any more. */
async function settleCheckout(
  { store, now }: ActivityContext,
  order: OrderRecord,
  entry: TimelineEntry,
): Promise<CheckoutRecord | null> {
  if (!order.checkout_id || entry.from === entry.to) return null
  if (entry.to !== 'paid' && !isOrderResting(entry.to)) return null
  return await store.checkouts.settle(orderKey(order.checkout_id), beijingTime(now()))
}

/** Claims the reference for accepted money: it keeps the sale, unless another number does. */
async function claimReference(
  { store }: ActivityContext,
  { mchid, reference, out_trade_no }: OrderRecord,
): Promise<void> {
  if (reference !== null) await store.references.claim(mchid, reference, out_trade_no)
}

/**
 * Follows up what a lost run still owed: events that it numbered and did not derive, refunds, postings and closes of
 * other numbers, since not all of those have an event, and that the payer has everything back. `order`: as that leaves
 * it; null: as it was. After a usual run there is nothing to do.
 */
export async function followUpMissed(
  context: ActivityContext,
  order: OrderRecord,
): Promise<OwedRuns & { order: OrderProgress | null }> {
  const owed: OwedRuns = { deliveries: [], refunds: [] }
  for (const entry of order.timeline) {
    const event_id = entry.sequence === null ? null : eventId(order, entry.sequence)
    const is_published = event_id === null || (await context.store.events.find(event_id)) !== null
    if (is_published && !hasMoneyToMove(order, entry)) continue
    const followed = await followUpEntry(context, order, entry)
    if (!is_published) owed.deliveries.push(...followed.deliveries)
    owed.refunds.push(...followed.refunds)
  }
  const open = await openDeliveries(context, order)
  const notices = await endOldQuestions(context, order, open)
  await endIdleClaim(context, order)
  const idle = open.filter((delivery) => isIdleNotice(delivery, context.now())).map(({ _id }) => _id)
  // Its refunds signal no more: they saw in the timeline that the order knows of them.
  const completed = order.state === 'refunding' ? await completeRefunding(context, order) : null
  const deliveries = [...owed.deliveries, ...notices, ...idle, ...(completed?.deliveries ?? [])]
  const was_accepted = order.timeline.some(({ event }) => event === 'accepted')
  const siblings = was_accepted ? await payableSiblings(context, order) : []
  return {
    order: completed?.order ?? null,
    deliveries: [...new Set(deliveries)],
    refunds: owed.refunds,
    ...(siblings.length > 0 && { siblings }),
  }
}

/** A notice whose moment has passed, or that has none: its run may be lost, and is started again. */
function isIdleNotice({ purpose, next_attempt_time }: DeliveryRecord, now_ms: number): boolean {
  return purpose === 'notice' && (next_attempt_time === undefined || milliseconds(next_attempt_time) <= now_ms)
}

/**
 * Releases the claim of a reference that keeps no sale: a run that was lost may have claimed it and booked nothing, and no
 * other number of the sale could be paid.
 */
async function endIdleClaim(context: ActivityContext, order: OrderRecord): Promise<void> {
  if (order.reference === null || keepsSale(order.state)) return
  const payments = await context.store.payments.ofOrder(order.mchid, order._id)
  if (!isSaleComing(order.state, payments)) await releaseReference(context, order)
}

/** The transaction whose money a person has just accepted, or null. */
function acceptedTransaction({ event, transaction_id }: TimelineEntry, own: string | null): string | null {
  if (event === 'accepted') return own
  return event === 'second_accepted' ? (transaction_id ?? null) : null
}

/**
 * Whether to check that the payer has everything back. Not after a request for the whole: the refund's own event goes to
 * the merchant first. Once more on a repeated step: the worker that wrote `refunded` may have died before publishing.
 */
function isRefundedCheckDue(
  { state }: OrderRecord,
  outcome: AppliedToOrder['outcome'],
  entry: TimelineEntry | null,
): boolean {
  if (entry?.event === 'full_refund_requested' || entry?.event === 'fulfilment_stopped') return false
  return state === 'refunding' || (state === 'refunded' && outcome === 'done_before')
}

/** Takes an order to `refunded` once the payer has everything back; null where that is not so yet. */
async function completeRefunding(
  context: ActivityContext,
  order: OrderRecord,
): Promise<Pick<OrderWriteResult, 'order' | 'deliveries'> | null> {
  const { store, now } = context
  const payment = order.payment && (await store.payments.find(order.mchid, order.payment.transaction_id))
  if (payment === null || !isWhollyRefunded(payment)) return null
  if (await hasUnsignalledEntries(context, order, payment)) return null
  const cause = { event: 'refunded', actor: weft_actor } as const
  const applied = await store.orders.apply(
    order,
    ({ timeline }) => {
      const times = timeline.filter(({ event }) => event === 'refund_reversed').length
      return { ...cause, operation_id: operationId.refunded(times), time: beijingTime(now()) }
    },
    order,
  )
  if (applied.entry === null) return null
  return {
    order: orderProgress(applied.order),
    deliveries: await publishOrderEvent(context, applied.order, applied.entry, { payment }),
  }
}

/**
 * Whether a refund of this payment has entries that the order lacks: the merchant gets those before `order.refunded`.
 */
async function hasUnsignalledEntries(
  { store }: ActivityContext,
  order: OrderRecord,
  payment: PaymentRecord,
): Promise<boolean> {
  const refunds = await store.refunds.ofOrder(order.mchid, payment.out_trade_no)
  const written = new Set(order.timeline.map(({ operation_id }) => operation_id))
  return refunds
    .filter(({ transaction_id }) => transaction_id === payment.transaction_id)
    .some((refund) =>
      entriesForOrder(refund).some(({ revision }) => !written.has(operationId.refund(refund.out_refund_no, revision))),
    )
}

/** An answer that came by the delivery itself has ended that already. */
function isFulfilmentOver({ fulfilment }: OrderRecord, { event, from, to, operation_id }: TimelineEntry): boolean {
  if (fulfilment.mode !== 'event' || isAnswerToDelivery(operation_id)) return false
  return event === 'fulfilment_stopped' || (from === 'paid' && to !== 'paid')
}

function openDeliveries({ store }: ActivityContext, { mchid, out_trade_no }: OrderRecord): Promise<DeliveryRecord[]> {
  return store.deliveries.openOfOrder(mchid, out_trade_no)
}

/** Releases the reference: a sale that goes back to the payer may be paid by its other number. */
async function releaseReference(context: ActivityContext, order: OrderRecord): Promise<void> {
  if (order.reference === null) return
  await context.store.references.release(order.mchid, order.reference, order.out_trade_no)
}

/**
 * Ends open deliveries whose answer the order waits for no more, so that later events may go: it is there, or no longer
 * wanted. What was answered counts as delivered. That the question was taken back is still told where money goes back, or
 * was never there: answers the deliveries that tell it, which are notices from now on.
 */
async function endOldQuestions(
  { store }: ActivityContext,
  order: OrderRecord,
  open: readonly DeliveryRecord[],
): Promise<string[]> {
  const asked = askedSequence(order)
  const notices: string[] = []
  for (const { _id, purpose, sequence } of open) {
    if (purpose === 'notice' || sequence === null || sequence === asked) continue
    const is_taken_back = order.state === 'refunding' || isInReviewByDenial(order)
    const is_still_told = purpose === 'cancellation' && is_taken_back && !isAnswered(order, sequence)
    if (is_still_told && (await store.deliveries.becomeNotice(_id))) notices.push(_id)
    if (!is_still_told) await store.deliveries.end(_id, isAnswered(order, sequence) ? 'delivered' : 'cancelled')
  }
  return notices
}

/** Whether the order has written down what was answered to its event of this number. */
function isAnswered({ timeline }: OrderRecord, sequence: number): boolean {
  return timeline.some(({ operation_id }) => operation_id.startsWith(operationId.answered(sequence, '')))
}

/** What every step of an order is given: its key, beside what the step needs. */
export type OrderStepInput<T> = T & { order: OrderKey }
