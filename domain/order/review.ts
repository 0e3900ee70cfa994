import { isAboutMoney, sortedByUrgency } from '../attention.ts'
import type { Attention, AttentionCode } from '../attention.ts'
import type { OrderChange, OrderEvent, OrderRecord, TimelineEntry } from './record.ts'
import { entryIntoState, owedTransactions, paymentDenial, undecidedSecondPayments } from './timeline.ts'

/** Something about the order's money that a person has to answer; `transaction_id`: of which payment, where it has one. */
export interface OpenReview extends Attention {
  transaction_id: string | null
}

/** What brought an order into review is what a person is asked. */
const review_reasons: Partial<Record<OrderEvent, AttentionCode>> = {
  payment_contradicted: 'payment_contradicted',
  payment_refunded_outside: 'refunded_outside',
  late_payment_found: 'late_payment_held',
  fulfilment_overdue: 'fulfilment_overdue',
  fulfilment_refused: 'fulfilment_overdue',
}

/**
 * What still waits for a person, those about money first, then the oldest: worked out from the timeline, so that an
 * answer takes away its own question and no other.
 */
export function openReviews(order: Pick<OrderRecord, 'state' | 'timeline' | 'payment'>): OpenReview[] {
  const entered = order.state === 'review' ? entryIntoState(order) : undefined
  const reason = entered && review_reasons[entered.event]
  const own = order.payment?.transaction_id ?? null
  const denial = paymentDenial(order)
  return sortedByUrgency([
    ...(denial ? [{ code: 'phantom_payment' as const, since_time: denial.time, transaction_id: own }] : []),
    ...(reason ? [{ code: reason, since_time: entered.time, transaction_id: own }] : []),
    ...undecidedSecondPayments(order).map((transaction_id) => secondPaymentReview(order, transaction_id)),
    ...owedTransactions(order).flatMap((transaction_id) => setbackReviews(order, transaction_id)),
  ])
}

/** The same with the order's own attention, where that is none of them. */
export function openAttentions(order: Pick<OrderRecord, 'state' | 'timeline' | 'payment' | 'attention'>): OpenReview[] {
  const { attention, payment } = order
  const reviews = openReviews(order)
  if (attention === undefined || reviews.some(({ code }) => code === attention.code)) return reviews
  return [{ ...attention, transaction_id: payment?.transaction_id ?? null }, ...reviews]
}

function secondPaymentReview({ timeline }: Pick<OrderRecord, 'timeline'>, transaction_id: string): OpenReview {
  const found = timeline.find(
    (entry) => entry.event === 'second_payment_found' && entry.transaction_id === transaction_id,
  )
  return { code: 'second_payment', since_time: found?.time ?? '', transaction_id }
}

/** The refund of an owed payment that ended without the payer having it, unless the payer has all of it by now. */
function setbackReviews(
  { timeline, payment }: Pick<OrderRecord, 'timeline' | 'payment'>,
  transaction_id: string,
): OpenReview[] {
  const own = payment?.transaction_id
  const news = timeline.filter((entry) => entry.out_refund_no && (entry.transaction_id ?? own) === transaction_id)
  const since_whole = news.slice(news.findLastIndex(({ is_whole }) => is_whole === true) + 1)
  const setback = since_whole.findLast((entry) => setbackOf(entry) !== null)
  const code = setback && setbackOf(setback)
  if (!code) return []
  return [{ code, since_time: setback.time, transaction_id }]
}

/** Which question the entry of a refund asks. One that was closed after SUCCESS is told by what was published of it. */
function setbackOf({ event, event_type }: TimelineEntry): 'refund_closed' | 'refund_refused' | null {
  if (event === 'refund_closed' || event === 'refund_refused') return event
  return event === 'refund_reversed' && event_type === 'refund.closed' ? 'refund_closed' : null
}

/** What a person decided, or what gave the money back: only these take away an attention that money waits behind. */
const resolving_events: readonly OrderEvent[] = [
  'accepted',
  'rejected',
  'refunded',
  'second_accepted',
  'second_rejected',
]

/** What is a question of the timeline's own: asked no more, it is over. Others are raised beside it as well. */
const derived_codes: readonly AttentionCode[] = ['refund_closed', 'refund_refused', 'phantom_payment']

/**
 * Money that went back outside is explained once its refund is known, unless a person still has to decide on the order.
 * What a refunded order's payer is owed, only the whole of it ends.
 */
function isResolved({ state }: OrderRecord, entry: TimelineEntry, code: AttentionCode): boolean {
  const { event } = entry
  if (code === 'refund_owed') return entry.is_whole === true && !entry.transaction_id
  if (resolving_events.includes(event) || derived_codes.includes(code)) return true
  return code === 'refunded_outside' && event === 'refund_changed' && state !== 'review'
}

/** Why a person should look, after this. A state that is left takes its reason along, but for one about money. */
export function orderAttention(order: OrderRecord, entry: TimelineEntry, set: OrderChange['set']): Attention | null {
  const { to } = entry
  const before = order.attention ?? null
  const [review] = openReviews({ ...order, ...set, state: to, timeline: [...order.timeline, entry] })
  if (review !== undefined && (isAboutMoney(review.code) || before === null || !isAboutMoney(before.code))) {
    return before?.code === review.code ? before : attentionOf(review)
  }
  // What is over uncovers a review that it had hidden: an order in review is never without a reason to look.
  if (before === null || isResolved(order, entry, before.code)) return review ? attentionOf(review) : null
  return isAboutMoney(before.code) || to === order.state ? before : null
}

function attentionOf({ code, since_time }: OpenReview): Attention {
  return { code, since_time }
}
