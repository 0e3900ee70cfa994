import type { OrderEvent, OrderRecord, TimelineEntry } from './record.ts'

/** What an order's timeline says: who asked, what was decided, what is still open. All of it is derived, nothing is kept. */

/** Transactions of second payments on which nobody has decided yet, oldest first. */
export function undecidedSecondPayments({ timeline }: Pick<OrderRecord, 'timeline'>): string[] {
  const transactionsOf = (...events: OrderEvent[]) =>
    timeline.flatMap(({ event, transaction_id }) => (events.includes(event) && transaction_id ? [transaction_id] : []))
  const decided = transactionsOf('second_accepted', 'second_rejected')
  return transactionsOf('second_payment_found').filter((transaction_id) => !decided.includes(transaction_id))
}

/** The entry that brought the order into the state it is in. */
export function entryIntoState(order: Pick<OrderRecord, 'state' | 'timeline'>): TimelineEntry | undefined {
  return order.timeline.findLast((entry) => entry.to === order.state && entry.from !== order.state)
}

/** What ends WeChat's denial of a payment: a person's decision, or WeChat's own later word. */
const events_after_denial: readonly OrderEvent[] = ['accepted', 'rejected', 'payment_restored', 'denial_ended']

/** WeChat's word that the order's own payment was never made, while it stands and nobody has decided; else null. */
export function paymentDenial({ timeline }: Pick<OrderRecord, 'timeline'>): TimelineEntry | null {
  const last = timeline.findLast(({ event }) => event === 'payment_denied' || events_after_denial.includes(event))
  return last?.event === 'payment_denied' ? last : null
}

/** Whether WeChat's denial of its payment took the order out of `paid`. */
export function isInReviewByDenial(order: Pick<OrderRecord, 'state' | 'timeline'>): boolean {
  return order.state === 'review' && entryIntoState(order)?.event === 'payment_denied'
}

/** The `order.paid` that a fulfilment now answers: 0 when the order was never paid. */
export function paidSequence(order: Pick<OrderRecord, 'timeline'>): number {
  return order.timeline.findLast((entry) => entry.to === 'paid' && entry.from !== 'paid')?.sequence ?? 0
}

/** The `order.fulfilment_cancelled` of the order's present time in `paid`: 0 when its question still stands. */
export function stoppedSequence(order: Pick<OrderRecord, 'timeline'>): number {
  const stopped = order.timeline.findLast((entry) => entry.event === 'fulfilment_stopped')?.sequence ?? 0
  return stopped > paidSequence(order) ? stopped : 0
}

/** The event whose answer the order waits for in mode `event`, by its number: 0 when it waits for none by delivery. */
export function askedSequence(order: Pick<OrderRecord, 'state' | 'timeline' | 'fulfilment'>): number {
  if (order.fulfilment.mode !== 'event' || order.state !== 'paid') return 0
  const stopped = stoppedSequence(order)
  if (stopped > 0) return stopped
  return order.fulfilment.result === 'pending' ? 0 : paidSequence(order)
}

/** Payments that the payer is owed whole: the order's own while it is being refunded, and rejected second ones. */
export function owedTransactions({
  state,
  timeline,
  payment,
}: Pick<OrderRecord, 'state' | 'timeline' | 'payment'>): string[] {
  const rejected = timeline.filter(({ event }) => event === 'second_rejected')
  return [
    ...(state === 'refunding' && payment !== null ? [payment.transaction_id] : []),
    ...rejected.flatMap(({ transaction_id }) => transaction_id ?? []),
  ]
}

/** What brings a refund, a booking or a claim about beyond the order's own record: it is seen through once. */
export function isMoneyMoving({ event, from, to }: Pick<TimelineEntry, 'event' | 'from' | 'to'>): boolean {
  if (event === 'accepted' || event === 'second_accepted' || event === 'second_rejected') return true
  return to === 'refunding' && from !== 'refunding'
}
