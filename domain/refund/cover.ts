import { refundableAmount } from '../payment/record.ts'
import type { PaymentRecord } from '../payment/record.ts'
import { isAutomaticOrigin } from './record.ts'
import type { RefundRecord, RefundState } from './record.ts'

/** Reserved, and not yet decided on: it may never be sent. */
const undecided_states: readonly RefundState[] = ['created', 'awaiting_approval']

/**
 * Whether all of the payment is back or being sent, as far as anything has been decided. `except`: a refund that is just
 * being decided, which counts as sent.
 */
export function isAllGoingBack(
  payment: PaymentRecord,
  refunds: readonly RefundRecord[],
  except: string | null = null,
): boolean {
  const undecided = refunds.filter(
    ({ state, out_refund_no }) => undecided_states.includes(state) && out_refund_no !== except,
  )
  const numbers = new Set(undecided.map(({ out_refund_no }) => out_refund_no))
  const holding = payment.refunds.some(({ out_refund_no, state }) => state === 'reserved' && numbers.has(out_refund_no))
  return refundableAmount(payment) === 0 && !holding
}

/**
 * Fen of a payment that no refund covers. Zero while an automatic refund is still `created`, since it will reserve all
 * that is left.
 */
export function uncoveredAmount(payment: PaymentRecord, refunds: readonly RefundRecord[]): number {
  const is_coming = refunds.some(
    ({ transaction_id, state, origin }) =>
      transaction_id === payment.transaction_id && state === 'created' && isAutomaticOrigin(origin),
  )
  return is_coming ? 0 : refundableAmount(payment)
}
