import type { Actor } from '../actor.ts'
import { attentionView } from '../attention.ts'
import type { AttentionView } from '../attention.ts'
import { beijingTime, milliseconds } from '../calendar.ts'
import type { Time } from '../calendar.ts'
import { orderKey } from '../ids.ts'
import type { FulfilmentMode } from '../merchant/record.ts'
import { codeTerms } from '../order/method.ts'
import type { OrderRecord, OrderState, OrderStep, PayerLocale } from '../order/record.ts'
import { refundedAmounts } from '../payment/record.ts'
import type { PaymentRecord } from '../payment/record.ts'
import { default_policy } from '../policy.ts'
import type { RefundOrigin, RefundRecord, RefundState, RefundStep } from '../refund/record.ts'

/** An order as merchants see it, in answers and in events (api.md §3). Known fields are always present. */
export interface OrderView {
  object: 'order'
  mchid: string
  appid: string
  out_trade_no: string
  reference: string | null
  /** the number of the checkout that made it */
  checkout: string | null
  transaction_id: string | null
  state: OrderState
  attention: AttentionView | null
  next_action: { what: OrderStep; time: Time } | null
  description: string
  attach: string | null
  metadata: Record<string, string>
  trade_type: string
  code_url: string | null
  code_expire_time: Time | null
  checkout_url: string
  return_url: string | null
  locale: PayerLocale | null
  time_expire: Time
  create_time: Time
  success_time: Time | null
  found_by: 'notification' | 'query' | 'bill' | 'operator' | null
  found_time: Time | null
  last_check_time: Time | null
  bank_type: string | null
  late: boolean
  close_reason: string | null
  failure: { code: string; message: string } | null
  sequence: number
  amount: { total: number; currency: string; payer_total: number | null; refunded: number; refund_pending: number }
  fulfilment: {
    mode: FulfilmentMode
    result: 'pending' | 'fulfilled' | 'refused' | null
    reason: string | null
    deadline_time: Time | null
  }
}

/** `payment` is the record of `order.payment`, or null when there is none. */
export function orderView(order: OrderRecord, payment: PaymentRecord | null): OrderView {
  const found = order.payment
  return {
    object: 'order',
    mchid: order.mchid,
    appid: order.appid,
    out_trade_no: order.out_trade_no,
    reference: order.reference,
    checkout: order.checkout_id ? orderKey(order.checkout_id).out_trade_no : null,
    transaction_id: found?.transaction_id ?? null,
    state: order.state,
    attention: order.attention ? attentionView(order.attention) : null,
    next_action: order.next_action ?? null,
    description: order.description,
    attach: order.attach,
    metadata: order.metadata,
    trade_type: order.trade_type,
    code_url: order.state === 'awaiting_payment' ? (order.code?.url ?? null) : null,
    code_expire_time: order.state === 'awaiting_payment' ? codeExpireTime(order) : null,
    checkout_url: order.checkout_url,
    return_url: order.return_url,
    locale: order.locale ?? null,
    time_expire: order.time_expire,
    create_time: order.create_time,
    success_time: found?.success_time ?? null,
    found_by: found?.found_by ?? null,
    found_time: found?.found_time ?? null,
    last_check_time: order.asked.last_time,
    bank_type: found?.bank_type ?? null,
    late: found?.role === 'late',
    close_reason: order.close_reason,
    failure: order.failure && { code: order.failure.code, message: order.failure.message },
    sequence: order.sequence,
    amount: { ...order.amount, payer_total: payment?.amount.payer_total ?? null, ...refundedAmounts(payment) },
    fulfilment: order.fulfilment,
  }
}

/** When what was handed out dies: by the life of its method, or with the order. */
function codeExpireTime(order: OrderRecord): Time | null {
  if (order.code === null) return null
  const code_life = milliseconds(order.code.placed_time) + codeTerms(default_policy, order.trade_type).life_ms
  return beijingTime(Math.min(code_life, milliseconds(order.time_expire)))
}

/** A refund as merchants see it, in answers and in events (api.md §4). Known fields are always present. */
export interface RefundView {
  object: 'refund'
  mchid: string
  out_refund_no: string
  refund_id: string | null
  out_trade_no: string
  transaction_id: string
  state: RefundState
  close_reason: string | null
  failure: { code: string; message: string } | null
  attention: AttentionView | null
  next_action: { what: RefundStep; time: Time } | null
  channel: string | null
  user_received_account: string | null
  reason: string | null
  metadata: Record<string, string>
  origin: RefundOrigin
  requested_by: Actor
  create_time: Time
  success_time: Time | null
  last_check_time: Time | null
  amount: {
    refund: number
    total: number
    currency: string
    payer_refund: number | null
    settlement_refund: number | null
  }
  approval: {
    decision: 'approve' | 'reject' | null
    by: Actor | null
    reason: string | null
    expire_time: Time
  } | null
  payout: { proof: string; reason: string; by: Actor; time: Time } | null
}

export function refundView(refund: RefundRecord): RefundView {
  const { facts } = refund
  return {
    object: 'refund',
    mchid: refund.mchid,
    out_refund_no: refund.out_refund_no,
    refund_id: facts?.refund_id ?? null,
    out_trade_no: refund.out_trade_no,
    transaction_id: refund.transaction_id,
    state: refund.state,
    close_reason: refund.close_reason,
    failure: refund.failure && { code: refund.failure.code, message: refund.failure.message },
    attention: refund.attention ? attentionView(refund.attention) : null,
    next_action: refund.next_action ?? null,
    channel: facts?.channel ?? null,
    user_received_account: facts?.user_received_account ?? null,
    reason: refund.reason,
    metadata: refund.metadata,
    origin: refund.origin,
    requested_by: refund.requested_by,
    create_time: refund.create_time,
    success_time: facts?.success_time ?? null,
    last_check_time: refund.asked.last_time,
    amount: {
      ...refund.amount,
      payer_refund: facts?.payer_refund ?? null,
      settlement_refund: facts?.settlement_refund ?? null,
    },
    approval: refund.approval,
    payout: refund.payout,
  }
}
