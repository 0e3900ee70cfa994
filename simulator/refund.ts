import { wechatTime } from '../domain/calendar.ts'
import { couponsOf, discountsOf, payerTotal, settlementTotal } from './coupons.ts'
import type { Payment } from './records.ts'

export const refundStatuses = ['PROCESSING', 'SUCCESS', 'CLOSED', 'ABNORMAL'] as const
export type RefundStatus = (typeof refundStatuses)[number]

/** RefundPromotion is a coupon's part of a refund, as a response shows it. */
export interface RefundPromotion {
  promotion_id: string
  scope: 'GLOBAL'
  type: 'NOCASH' | 'CASH'
  amount: number
  refund_amount: number
}

/** RefundAmount is in integer fen. `settlement_…` is without the merchant's own coupons, `payer_…` without any. */
export interface RefundAmount {
  total: number
  refund: number
  payer_total: number
  payer_refund: number
  settlement_total: number
  settlement_refund: number
  discount_refund: number
  currency: string
  refund_fee: number
  from?: { account: string; amount: number }[]
}

/** Refund is a refund as the state keeps it: times are Unix milliseconds. */
export interface Refund {
  refund_id: string
  mchid: string
  out_refund_no: string
  transaction_id: string
  out_trade_no: string
  /** `console`: made by a person in the merchant console, under a number of the console's */
  source: 'api' | 'console'
  reason: string | null
  notify_url: string | null
  funds_account: string
  channel: 'ORIGINAL' | 'BALANCE' | 'OTHER_BALANCE' | 'OTHER_BANKCARD'
  user_received_account: string
  amount: RefundAmount
  promotion_detail: RefundPromotion[]
  /** the parameters of the first call in one spelling; empty for one made in the console */
  parameters: string
  create_time: number
  status: RefundStatus
  success_time: number | null
  /** when it ends by itself; null when it is over, or is ended by hand */
  finish_time: number | null
  /** how the merchant wants an abnormal refund to go on; null before it applied */
  abnormal_type: AbnormalType | null
  /** every status it has had, the first at its acceptance; empty of refunds older than this list */
  history: RefundTurn[]
}

/** RefundTurn is a refund's coming into a status. */
interface RefundTurn {
  time: number
  status: RefundStatus
  /** whether the money came back to the account that it was taken from */
  returned: boolean
}

type AbnormalType = 'USER_BANK_CARD' | 'MERCHANT_BANK_CARD'

/** Where the money of a refund can go other than back to the payer; the official names of these accounts. */
export const merchantAccounts = {
  merchant_basic_account: '商户基本账户',
  merchant_bank_account: '商户结算银行账户',
} as const

/** Whether the refund counts as money given back of its payment: a closed one does not. */
const isLive = (refund: Refund): boolean => refund.status !== 'CLOSED'

/** The status that a refund had at a moment. */
export function statusAt({ history, status }: Refund, time: number): RefundStatus {
  if (history.length === 0) return status
  return history.findLast((change) => change.time <= time)?.status ?? 'PROCESSING'
}

/** When the refund was closed, and its money came back. */
export function closedTimes({ history }: Refund): number[] {
  return history.filter(({ status }) => status === 'CLOSED').map(({ time }) => time)
}

/** When the refund succeeded to the merchant's own basic account. */
export function returnTimes({ history }: Refund): number[] {
  return history.filter(({ returned }) => returned).map(({ time }) => time)
}

/** Whether the money is the merchant's again, and not the payer's. */
export function isReturned({ status, user_received_account }: Refund): boolean {
  return status === 'SUCCESS' && Object.values<string>(merchantAccounts).includes(user_received_account)
}

/** Whether the order shows `REFUND` because of this refund: from acceptance on, or only once the money is back. */
export function isShownOnOrder(
  refund: Refund,
  { refund_shown }: { refund_shown: 'at_acceptance' | 'at_success' },
): boolean {
  return refund_shown === 'at_acceptance' || refund.success_time !== null
}

/** Σ of the live refunds of one payment, in fen. */
export function refundedSum(refunds: Refund[]): number {
  return refunds.filter(isLive).reduce((sum, { amount }) => sum + amount.refund, 0)
}

/** The amounts of a refund and its coupons' parts, given the refunds of the same payment before it. */
export function refundAmounts(
  payment: Payment,
  earlier: Refund[],
  refund: number,
): Pick<Refund, 'amount' | 'promotion_detail'> {
  const live = earlier.filter(isLive)
  const before = {
    refund: refundedSum(earlier),
    nocash: refundedDiscount(live, 'NOCASH'),
    cash: refundedDiscount(live, 'CASH'),
  }
  const { nocash, cash } = discountsOf(payment, before, refund)
  return {
    amount: {
      total: payment.total,
      refund,
      payer_total: payerTotal(payment),
      payer_refund: refund - nocash - cash,
      settlement_total: settlementTotal(payment),
      settlement_refund: refund - nocash,
      discount_refund: nocash + cash,
      currency: payment.currency,
      refund_fee: 0,
    },
    promotion_detail: couponsOf(payment).map(({ coupon_id, type, amount }) => ({
      promotion_id: coupon_id,
      scope: 'GLOBAL',
      type,
      amount,
      refund_amount: type === 'NOCASH' ? nocash : cash,
    })),
  }
}

function refundedDiscount(refunds: Refund[], type: RefundPromotion['type']): number {
  return refunds
    .flatMap(({ promotion_detail }) => promotion_detail)
    .filter((promotion) => promotion.type === type)
    .reduce((sum, { refund_amount }) => sum + refund_amount, 0)
}

/** The refund as the responses of create, query and the abnormal-refund call show it (docs/wechat-pay.md §2.4). */
export function refundResponse(refund: Refund): object {
  const { refund_id, out_refund_no, transaction_id, out_trade_no, channel, user_received_account } = refund
  return {
    ...{ refund_id, out_refund_no, transaction_id, out_trade_no, channel, user_received_account },
    ...(refund.success_time !== null && { success_time: wechatTime(refund.success_time) }),
    create_time: wechatTime(refund.create_time),
    status: refund.status,
    funds_account: refund.funds_account,
    amount: refund.amount,
    ...(refund.promotion_detail.length > 0 && { promotion_detail: refund.promotion_detail }),
  }
}

/** The refund as it stood when it was accepted: what a replica that lags behind still says. */
export function refundAsAccepted(refund: Refund): Refund {
  return { ...refund, status: 'PROCESSING', success_time: null, finish_time: null }
}

/**
 * The refund as a notification shows it (docs/wechat-pay.md §4.4): `refund_status` for `status`, and neither channel
 * nor settlement. `time` is the success time of a success that has not come about.
 */
export function refundResource(refund: Refund, refund_status: RefundStatus, time: number): object {
  const { mchid, out_trade_no, transaction_id, out_refund_no, refund_id, user_received_account, amount } = refund
  const { total, refund: refunded, payer_total, payer_refund } = amount
  return {
    ...{ mchid, out_trade_no, transaction_id, out_refund_no, refund_id, refund_status },
    ...(refund_status === 'SUCCESS' && { success_time: wechatTime(refund.success_time ?? time) }),
    user_received_account,
    amount: { total, refund: refunded, payer_total, payer_refund },
  }
}
