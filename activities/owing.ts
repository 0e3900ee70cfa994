import { beijingTime } from '../domain/calendar.ts'
import { automaticRefundNo, journalId, refundId } from '../domain/ids.ts'
import { acceptanceEntry } from '../domain/journal.ts'
import { weft } from '../domain/order.ts'
import type { OrderRecord, TimelineEntry } from '../domain/order.ts'
import { refundableAmount } from '../domain/payment.ts'
import type { PaymentRecord } from '../domain/payment.ts'
import { automaticOrigin, isRefundResting } from '../domain/refund.ts'
import type { RefundOrigin, RefundRecord } from '../domain/refund.ts'
import { merchantOf } from './context.ts'
import type { ActivityContext } from './context.ts'

/**
 * The refund that an entry of the order's timeline makes owed, inserted once: its number is the entry's. Answers the
 * numbers that a `refundPayment` must carry; none where nothing is owed or nothing is left to give back.
 */
export async function oweRefund(context: ActivityContext, order: OrderRecord, entry: TimelineEntry): Promise<string[]> {
  const origin = automaticOrigin(entry.event)
  if (origin === null || (entry.to !== 'refunding' && entry.event !== 'second_rejected')) return []
  const transaction_id = entry.transaction_id ?? order.payment?.transaction_id
  if (transaction_id === undefined) return []
  const { store } = context
  const out_refund_no = automaticRefundNo(order.out_trade_no, entry.revision)
  const before = await store.refunds.find({ mchid: order.mchid, out_refund_no })
  if (before !== null) return isRefundResting(before.state) ? [] : [out_refund_no]
  const payment = await store.payments.find(order.mchid, transaction_id)
  if (payment === null || refundableAmount(payment) === 0) return []
  const { notify_url } = await merchantOf(context, order.mchid)
  const refund = owedRefund({ order, entry, payment, origin, out_refund_no, notify_url })
  await store.refunds.insert(refund)
  return [out_refund_no]
}

function owedRefund(given: {
  order: OrderRecord
  entry: TimelineEntry
  payment: PaymentRecord
  origin: RefundOrigin
  out_refund_no: string
  notify_url: string
}): RefundRecord {
  const { order, entry, payment, origin, out_refund_no, notify_url } = given
  const { mchid } = order
  return {
    _id: refundId({ mchid, out_refund_no }),
    mchid,
    out_refund_no,
    out_trade_no: payment.out_trade_no,
    transaction_id: payment.transaction_id,
    order_id: order._id,
    state: 'created',
    revision: 0,
    timeline: [],
    origin,
    requested_by: entry.actor.kind === 'operator' || entry.actor.kind === 'merchant' ? entry.actor : weft,
    sent: null,
    notify_url,
    wechat_request: null,
    amount: {
      refund: refundableAmount(payment),
      total: payment.amount.total,
      currency: payment.amount.currency,
    },
    is_full: true,
    income: null,
    reason: null,
    metadata: {},
    create_time: entry.time,
    approval: null,
    facts: null,
    failure: null,
    close_reason: null,
    payout: null,
    submission: { attempts: 0, unanswered: false, last_attempt_time: null },
    asked: { last_time: null },
    next_action: { what: 'reserve', time: entry.time },
  }
}

/**
 * A person accepted money that lay in suspense: what is left of it becomes a sale. What refunds have taken out of
 * suspense meanwhile is not there any more.
 */
export async function bookAcceptance(
  { store, now }: ActivityContext,
  mchid: string,
  transaction_id: string,
  entry: TimelineEntry,
): Promise<void> {
  const payment = await store.payments.find(mchid, transaction_id)
  if (payment === null || payment.role === 'order') return
  if ((await store.journal.find(mchid, journalId.acceptance(mchid, transaction_id))) !== null) return
  const amount = await store.journal.suspended(mchid, transaction_id)
  if (amount <= 0) return
  const booking = { occurred_time: entry.time, booked_time: beijingTime(now()) }
  await store.journal.post(acceptanceEntry(payment, amount, booking))
}
