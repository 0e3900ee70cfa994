import { beijingDay } from '../../domain/calendar.ts'
import { settlementTotal } from '../coupons.ts'
import type { Order, Payment } from '../records.ts'
import { statusAt } from '../refund.ts'
import type { Refund, RefundStatus } from '../refund.ts'
import type { SimulatorState } from '../state.ts'
import { paymentFee, returnedFee } from './fee.ts'
import { no_refund } from './row.ts'
import type { TradeDetail } from './row.ts'

/** The words of the trade bill for the states of a refund: not the API's (docs/wechat-pay.md §5). */
const refund_words: Record<RefundStatus, string> = {
  PROCESSING: 'PROCESSING',
  SUCCESS: 'SUCCESS',
  CLOSED: 'FAIL',
  ABNORMAL: 'CHANGE',
}

/** BillScope says of which merchant and day a bill is, and of which moment it is the picture. */
export interface BillScope {
  mchid: string
  bill_date: string
  /** Unix milliseconds: what happened later is not in it */
  as_of: number
  /** whether the fee of a closed refund is charged again */
  closed_fee: 'kept_back' | 'charged_again'
}

/**
 * The rows of a day: payments by the time of their success, whatever became of their order, and refunds by that of
 * their acceptance. Not sorted by time, as real bills are not.
 */
export function tradeDetails(state: SimulatorState, scope: BillScope): TradeDetail[] {
  const isInside = (mchid: string, time: number): boolean =>
    mchid === scope.mchid && time <= scope.as_of && beijingDay(time) === scope.bill_date
  const payments = [...state.payments.values()]
    .filter(({ mchid, success_time }) => isInside(mchid, success_time))
    .map((payment) => paymentDetail(payment, orderOf(state, payment)))
  const refunds = [...state.refunds.values()]
    .filter(({ mchid, create_time }) => isInside(mchid, create_time))
    .flatMap((refund) => {
      const payment = state.payments.get(refund.transaction_id)
      return payment === undefined ? [] : [refundDetail(refund, payment, state, scope)]
    })
  return [...payments, ...refunds].sort((one, other) => (orderingOf(one) < orderingOf(other) ? -1 : 1))
}

/** The last digits of a row's number, which follow nothing. */
function orderingOf({ kind, transaction_id, refund_id }: TradeDetail): string {
  return (kind === 'payment' ? transaction_id : refund_id).slice(-10)
}

function orderOf(state: SimulatorState, { mchid, out_trade_no }: Payment): Order | null {
  return state.orders.get(`${mchid}/${out_trade_no}`) ?? null
}

function paymentDetail(payment: Payment, order: Order | null): TradeDetail {
  return {
    kind: 'payment',
    time: payment.success_time,
    payment_time: payment.success_time,
    appid: order?.appid ?? '',
    mchid: payment.mchid,
    device_id: order?.device_id ?? '',
    transaction_id: payment.transaction_id,
    out_trade_no: payment.out_trade_no,
    openid: payment.openid,
    trade_type: order?.trade_type ?? 'NATIVE',
    trade_state: 'SUCCESS',
    bank_type: payment.bank_type,
    currency: payment.currency,
    settled_total: settlementTotal(payment),
    total: payment.total,
    coupon: payment.nocash_amount + payment.cash_amount,
    ...no_refund,
    description: order?.description ?? '',
    attach: order?.attach ?? '',
    fee: paymentFee(payment) * 1000,
    rate: payment.fee_rate,
  }
}

function refundDetail(
  refund: Refund,
  payment: Payment,
  state: SimulatorState,
  { as_of, closed_fee }: BillScope,
): TradeDetail {
  const status = statusAt(refund, as_of)
  const fee = returnedFee(payment, state.refundsOfPayment(payment), refund, closedRefunds(closed_fee))
  const cash = refund.promotion_detail.filter(({ type }) => type === 'CASH')
  return {
    ...paymentDetail(payment, orderOf(state, payment)),
    kind: 'refund',
    time: refund.create_time,
    trade_state: 'REFUND',
    settled_total: 0,
    total: 0,
    coupon: 0,
    refund_id: refund.refund_id,
    out_refund_no: refund.out_refund_no,
    settlement_refund: refund.amount.settlement_refund,
    refund: refund.amount.refund,
    coupon_refund: cash.reduce((sum, { refund_amount }) => sum + refund_amount, 0),
    refund_type: refund.channel,
    refund_status: refund_words[status],
    refund_success_time: status === 'SUCCESS' ? refund.success_time : null,
    fee: status === 'CLOSED' && closed_fee === 'charged_again' ? 0 : 0 - fee * 1000,
  }
}

/** How closed refunds count for the fee of later ones: one whose fee was charged again gave none back. */
export function closedRefunds(closed_fee: BillScope['closed_fee']): 'counts' | 'is_left_out' {
  return closed_fee === 'charged_again' ? 'is_left_out' : 'counts'
}
