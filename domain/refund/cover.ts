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

/** So WeChat refuses what is more than is left of a payment; it refuses other things so too. */
const too_much_codes: readonly string[] = ['INVALID_REQUEST', 'PARAM_ERROR']

/**
 * Whether the refunds that are known here say how money of a payment went back, of which WeChat says that some did. They do
 * not where none has taken any; nor where WeChat has refused `refused_no`, for which they leave room, as too much.
 */
export function isRefundKnown(
  payment: PaymentRecord,
  refunds: readonly RefundRecord[],
  refused_no: string | null,
): boolean {
  if (payment.refunds.every(({ state }) => state === 'released')) return false
  const refused = refunds.find(({ out_refund_no }) => out_refund_no === refused_no)
  if (refused === undefined || refused.facts !== null) return true
  if (!too_much_codes.includes(refused.submission.refusal?.code ?? '')) return true
  // Refused since WeChat has another refund under its number, which stands here by now.
  if (refunds.some(({ wechat_refund_no }) => wechat_refund_no === refused_no)) return true
  const others = payment.refunds.filter(({ out_refund_no }) => out_refund_no !== refused_no)
  return refused.amount.refund > refundableAmount({ ...payment, refunds: others })
}
