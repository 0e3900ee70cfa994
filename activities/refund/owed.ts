import { weft_actor } from '../../domain/actor.ts'
import { beijingTime } from '../../domain/calendar.ts'
import { automaticRefundNo } from '../../domain/ids.ts'
import { acceptanceEntry } from '../../domain/journal.ts'
import { automaticOrigin, automaticReason } from '../../domain/order/owed.ts'
import type { OrderRecord, TimelineEntry } from '../../domain/order/record.ts'
import { refundableAmount } from '../../domain/payment/record.ts'
import type { PaymentRecord } from '../../domain/payment/record.ts'
import { isAllGoingBack } from '../../domain/refund/cover.ts'
import { isRefundResting, newRefund } from '../../domain/refund/record.ts'
import { requireMerchant } from '../context.ts'
import type { ActivityContext } from '../context.ts'

/**
 * The refund that an entry of the order's timeline makes owed, inserted once: its number is the entry's. Answers the
 * numbers that a `refundPayment` must carry; none where nothing is owed or nothing is left to give back.
 */
export async function createOwedRefund(
  context: ActivityContext,
  order: OrderRecord,
  entry: TimelineEntry,
): Promise<string[]> {
  const origin = automaticOrigin(entry.event)
  if (origin === null || (entry.to !== 'refunding' && entry.event !== 'second_rejected')) return []
  const transaction_id = entry.transaction_id ?? order.payment?.transaction_id
  if (transaction_id === undefined) return []
  const { store } = context
  const out_refund_no = automaticRefundNo(order.out_trade_no, entry.revision)
  const existing = await store.refunds.find({ mchid: order.mchid, out_refund_no })
  if (existing !== null) return isRefundResting(existing.state) ? [] : [out_refund_no]
  const payment = await store.payments.find(order.mchid, transaction_id)
  if (payment === null || refundableAmount(payment) === 0) return []
  const { notify_url } = await requireMerchant(context, order.mchid)
  const refund = newRefund(payment, {
    out_refund_no,
    origin,
    requested_by: entry.actor.kind === 'operator' || entry.actor.kind === 'merchant' ? entry.actor : weft_actor,
    notify_url,
    amount: refundableAmount(payment),
    is_full: true,
    reason: automaticReason(origin),
    create_time: entry.time,
  })
  await store.refunds.insert(refund)
  return [out_refund_no]
}

/** A person accepted money that lay in suspense: what is left of it becomes a sale. */
export async function postAcceptance(
  { store, now }: ActivityContext,
  mchid: string,
  transaction_id: string,
  entry: TimelineEntry,
): Promise<void> {
  const payment = await store.payments.find(mchid, transaction_id)
  if (payment === null || payment.role === 'order') return
  const { acceptance } = await store.payments.acceptSuspense(payment, entry.time)
  // All of it may have gone back before.
  if (acceptance === null || acceptance.amount === 0) return
  const times = { occurred_time: acceptance.time, booked_time: beijingTime(now()) }
  await store.journal.post(acceptanceEntry(payment, acceptance.amount, times))
}

/**
 * Whether all of a payment is back or being sent, as far as its refunds are decided; `but`: one that is being decided.
 */
export async function isPaymentGoingBack(
  { store }: ActivityContext,
  { mchid, transaction_id }: Pick<PaymentRecord, 'mchid' | 'transaction_id'>,
  except: string | null = null,
): Promise<boolean> {
  const payment = await store.payments.find(mchid, transaction_id)
  return payment !== null && isAllGoingBack(payment, await store.refunds.ofOrder(mchid, payment.out_trade_no), except)
}
