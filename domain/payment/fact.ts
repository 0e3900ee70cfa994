import type { Time } from '../calendar.ts'

/** What WeChat can say of an order (docs/wechat-pay.md §3.1). */
export type TradeState = 'SUCCESS' | 'REFUND' | 'NOTPAY' | 'CLOSED' | 'REVOKED' | 'USERPAYING' | 'PAYERROR'

/** WeChat's statement about a payment: from a notification or from the answer to a query. Amounts in fen. */
export interface PaymentFact {
  mchid: string
  appid: string
  out_trade_no: string
  transaction_id: string | null
  trade_state: TradeState
  trade_type: string | null
  bank_type: string | null
  success_time: Time | null
  amount: { total: number; currency: string; payer_total: number | null } | null
  /** Σ of promotions of type NOCASH: what the merchant himself gave away and is not paid */
  nocash_amount: number
  /** some could not be understood and count as none: `nocash_amount` may be too little */
  has_unread_promotions?: true
}

/** WeChat's statement about a refund, as its notification makes it; null: it did not say. Amounts in fen. */
export interface RefundFact {
  mchid: string
  out_refund_no: string
  out_trade_no: string | null
  transaction_id: string | null
  refund_id: string | null
  refund_status: 'SUCCESS' | 'CLOSED' | 'ABNORMAL' | 'PROCESSING' | null
  success_time: Time | null
  user_received_account: string | null
  amount: Record<'total' | 'refund' | 'payer_total' | 'payer_refund', number | null>
}

/** A fact that money was taken, with all that a booking needs. */
export interface MoneyFact extends PaymentFact {
  transaction_id: string
  success_time: Time
  amount: { total: number; currency: string; payer_total: number | null }
  trade_state: 'SUCCESS' | 'REFUND'
}

/** Money was taken: SUCCESS, and REFUND too, which only says that some of it went back. */
export function isMoneyFact(fact: PaymentFact): fact is MoneyFact {
  const is_taken = fact.trade_state === 'SUCCESS' || fact.trade_state === 'REFUND'
  const is_named = fact.transaction_id !== null && fact.success_time !== null
  // WeChat takes no less than one fen: what says so is not understood, and is nothing that a book could hold.
  return is_taken && is_named && (fact.amount?.total ?? 0) > 0
}

/** WeChat's word that no money is there: of a payment that is booked, that it was never made or was taken back. */
export function isDenial({ trade_state }: Pick<PaymentFact, 'trade_state'>): boolean {
  return trade_state !== 'SUCCESS' && trade_state !== 'REFUND'
}

/** What an order and a payment must agree on. Never payer_total (coupons) and never trade_type (one number, many ways to pay). */
export interface Expectation {
  mchid: string
  appid: string
  out_trade_no: string
  amount: { total: number; currency: string }
}

export type Contradiction = 'mchid' | 'appid' | 'out_trade_no' | 'amount.total' | 'amount.currency'

/** The names of the fields in which a payment differs from what was asked for; empty when it is the payment we wanted. */
export function contradictions(expected: Expectation, fact: MoneyFact): Contradiction[] {
  const differs: [Contradiction, boolean][] = [
    ['mchid', fact.mchid !== expected.mchid],
    ['appid', fact.appid !== expected.appid],
    ['out_trade_no', fact.out_trade_no !== expected.out_trade_no],
    ['amount.total', fact.amount.total !== expected.amount.total],
    ['amount.currency', fact.amount.currency !== expected.amount.currency],
  ]
  return differs.filter(([, is_different]) => is_different).map(([field]) => field)
}
