/** What the control side shows of the state. Times are RFC 3339, amounts integer fen. */
import { beijingTime } from '../domain/calendar.ts'
import type { CallRecord } from './calls.ts'
import { payerTotal } from './coupons.ts'
import { newestCode, products } from './product.ts'
import type { NotificationAttempt, Order, OutgoingNotification, Payment } from './records.ts'
import type { Refund, RefundAmount, RefundPromotion, RefundStatus } from './refund.ts'

/** SimulatedNotificationView is a notification with every delivery and what the receiver answered. */
export interface SimulatedNotificationView {
  id: string
  mchid: string
  event_type: string
  out_trade_no: string | null
  transaction_id: string | null
  out_refund_no: string | null
  url: string
  state: OutgoingNotification['state']
  create_time: string
  next_time: string | null
  body: string
  attempts: (Omit<NotificationAttempt, 'time'> & { time: string })[]
}

interface SimulatedOrderView {
  mchid: string
  out_trade_no: string
  appid: string
  description: string
  attach: string | null
  notify_url: string
  amount: { total: number; currency: string }
  trade_state: Order['trade_state']
  transaction_id: string | null
  trade_type: Order['trade_type']
  /** the newest of what placing handed out; null where it hands out something else */
  code_url: string | null
  prepay_id: string | null
  h5_url: string | null
  create_time: string
  time_expire: string
  close_time: string | null
  armed: string | null
}

interface SimulatedPaymentView {
  transaction_id: string
  mchid: string
  out_trade_no: string
  payer: { openid: string }
  amount: { total: number; payer_total: number; currency: string }
  success_time: string
}

export interface SimulatedRefundView {
  refund_id: string
  mchid: string
  out_refund_no: string
  transaction_id: string
  out_trade_no: string
  source: Refund['source']
  status: RefundStatus
  channel: Refund['channel']
  user_received_account: string
  reason: string | null
  notify_url: string | null
  amount: RefundAmount
  promotion_detail: RefundPromotion[]
  create_time: string
  success_time: string | null
  /** when it ends by itself; null when it is over, or is ended by hand */
  finish_time: string | null
}

/**
 * StateView is the response of `GET /control/book`: the truth at WeChat Pay, what an audit compares with. `calls` are
 * the latest 10,000 only.
 */
export interface StateView {
  orders: SimulatedOrderView[]
  payments: SimulatedPaymentView[]
  /** the oldest first */
  refunds: SimulatedRefundView[]
  /** what the merchant can refund from, fen; null never runs short */
  balance: number | null
  notifications: SimulatedNotificationView[]
  calls: CallRecord[]
}

const timeOrNull = (ms: number | null): string | null => (ms === null ? null : beijingTime(ms))

export function orderView(order: Order): SimulatedOrderView {
  const { mchid, out_trade_no, appid, description, attach, notify_url, trade_state, transaction_id } = order
  const given = { code_url: null, prepay_id: null, h5_url: null, [products[order.trade_type].gives]: newestCode(order) }
  return {
    ...{ mchid, out_trade_no, appid, description, attach, notify_url, trade_state, transaction_id, ...given },
    trade_type: order.trade_type,
    amount: { total: order.total, currency: order.currency },
    create_time: beijingTime(order.create_time),
    time_expire: beijingTime(order.time_expire),
    close_time: timeOrNull(order.close_time),
    armed: order.armed?.story ?? null,
  }
}

export function paymentView(payment: Payment): SimulatedPaymentView {
  const { transaction_id, mchid, out_trade_no, total, currency } = payment
  return {
    ...{ transaction_id, mchid, out_trade_no },
    payer: { openid: payment.openid },
    amount: { total, payer_total: payerTotal(payment), currency },
    success_time: beijingTime(payment.success_time),
  }
}

export function refundView(refund: Refund): SimulatedRefundView {
  const { refund_id, mchid, out_refund_no, transaction_id, out_trade_no, source, status, channel } = refund
  const { user_received_account, reason, notify_url, amount, promotion_detail } = refund
  return {
    ...{ refund_id, mchid, out_refund_no, transaction_id, out_trade_no, source, status, channel },
    ...{ user_received_account, reason, notify_url, amount, promotion_detail },
    create_time: beijingTime(refund.create_time),
    success_time: timeOrNull(refund.success_time),
    finish_time: timeOrNull(refund.finish_time),
  }
}

export function notificationView(notification: OutgoingNotification): SimulatedNotificationView {
  const { id, mchid, event_type, out_trade_no, transaction_id, out_refund_no, url, state, body } = notification
  return {
    ...{ id, mchid, event_type, out_trade_no, transaction_id, out_refund_no, url, state, body },
    create_time: beijingTime(notification.create_time),
    next_time: timeOrNull(notification.next_time),
    attempts: notification.attempts.map((attempt) => ({ ...attempt, time: beijingTime(attempt.time) })),
  }
}
