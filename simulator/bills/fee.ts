/** What WeChat Pay takes for a payment and gives back with a refund; amounts in fen. */
import type { Payment } from '../records.ts'
import { settlementTotal } from '../coupons.ts'
import { statusAt } from '../refund.ts'
import type { Refund } from '../refund.ts'
import { feeOf } from './form.ts'

export function paymentFee(payment: Payment): number {
  return feeOf(settlementTotal(payment), payment.fee_rate)
}

/**
 * What of the fee a refund gives back: the fee of what was left before it less the fee of what is left after it, so
 * that refunds of all of a payment give back all of its fee. `refunds` are those of the payment, the oldest first.
 * Whether one that was closed since still counts as gone is `closed`.
 */
export function returnedFee(
  payment: Payment,
  refunds: readonly Refund[],
  refund: Refund,
  closed: 'counts' | 'is_left_out',
): number {
  const earlier = refunds
    .slice(0, refunds.indexOf(refund))
    .filter((one) => closed === 'counts' || statusAt(one, refund.create_time) !== 'CLOSED')
  const before = settlementTotal(payment) - earlier.reduce((sum, { amount }) => sum + amount.settlement_refund, 0)
  const fee = (amount: number): number => feeOf(Math.max(amount, 0), payment.fee_rate)
  return fee(before) - fee(before - refund.amount.settlement_refund)
}
