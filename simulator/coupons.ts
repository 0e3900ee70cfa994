import type { Payment } from './records.ts'

/** Coupon covered part of a payment; its amount is integer fen. */
interface Coupon {
  coupon_id: string
  name: string
  /** `NOCASH`: the merchant's own discount, never settled to it; `CASH`: money somebody paid for beforehand */
  type: 'NOCASH' | 'CASH'
  amount: number
}

/** Discounts is what a refund gives back of the coupons, in fen. */
interface Discounts {
  nocash: number
  cash: number
}

/** The coupons of a payment, those it was not paid with left out. */
export function couponsOf(payment: Payment): Coupon[] {
  const end = payment.transaction_id.slice(-10)
  const coupons: Coupon[] = [
    { coupon_id: `1${end}`, name: '商户代金券', type: 'NOCASH', amount: payment.nocash_amount },
    { coupon_id: `2${end}`, name: '充值代金券', type: 'CASH', amount: payment.cash_amount },
  ]
  return coupons.filter(({ amount }) => amount > 0)
}

/** What the payer paid after every discount (docs/wechat-pay.md §2.2). */
export function payerTotal({ total, nocash_amount, cash_amount }: Payment): number {
  return total - nocash_amount - cash_amount
}

/** What WeChat Pay settles to the merchant: all but the merchant's own discounts. */
export function settlementTotal({ total, nocash_amount }: Payment): number {
  return total - nocash_amount
}

/**
 * The discounts' part of a refund of `refund` fen, after refunds that gave back `before` in all: in proportion,
 * reckoned over everything refunded so far and rounded down, so that whatever the sizes no coupon and no payer ever
 * gets back more than went in, and the refund of the last fen takes all that is left.
 */
export function discountsOf(payment: Payment, before: Discounts & { refund: number }, refund: number): Discounts {
  const { total, nocash_amount, cash_amount } = payment
  const share = (amount: number): number => Math.floor((amount * (before.refund + refund)) / total)
  // a refund closed since may have left more or less given back than is due: nothing is taken back for that
  const discount = clamp(share(nocash_amount + cash_amount) - before.nocash - before.cash, 0, refund)
  const nocash = clamp(share(nocash_amount) - before.nocash, 0, discount)
  return { nocash, cash: discount - nocash }
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most)
}
