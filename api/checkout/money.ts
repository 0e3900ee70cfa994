import type { Time } from '../../domain/calendar.ts'
import type { OrderRecord, OrderState } from '../../domain/order/record.ts'
import { isWhollyRefunded } from '../../domain/payment/record.ts'
import type { PaymentRecord } from '../../domain/payment/record.ts'
import type { RefundRecord, RefundState } from '../../domain/refund/record.ts'
import type { Scene } from './scene.ts'

/** What a payer has paid for an order, and what went back of it. Amounts in fen, those of the payer's own account. */
export interface PayerMoney {
  transaction_id: string
  success_time: Time
  /** null: WeChat Pay has not said how much of it the payer himself has paid */
  paid: number | null
  refunded: number
  refund_pending: number
  refunds: PayerRefund[]
}

export interface PayerRefund {
  /** `delayed`: the payer's account did not take it, and somebody has to see to it */
  state: 'pending' | 'delayed' | 'done'
  amount: number
  /** WeChat Pay's name of the account it goes to; null: not known yet, paid back by hand, or somebody else's perhaps */
  account: string | null
  /** the merchant has paid it back outside WeChat Pay */
  is_by_hand: boolean
  /** when it was done */
  time: Time | null
  /** of money that was paid once more for the same order */
  is_of_second: boolean
}

/** PaidOrder is all that is recorded of the money of one order. */
export interface PaidOrder {
  /** the order's own payment; null: its record is not there yet */
  payment: PaymentRecord | null
  /** all refunds under the order's number */
  refunds: readonly RefundRecord[]
}

/**
 * What goes back, or went, of money that was paid under other numbers of the same sale. Without its account: who paid there
 * may be another person than who sees it here.
 */
export function returnsElsewhere(refunds: readonly RefundRecord[]): PayerRefund[] {
  return refunds.flatMap((refund) => {
    const seen = payerRefund(refund, refund.transaction_id)
    return seen === null ? [] : { ...seen, account: null }
  })
}

/** How a refund looks to the payer; null: nothing of it concerns him, since it was not agreed or never made. */
const seen_states: Record<RefundState, PayerRefund['state'] | null> = {
  created: null,
  awaiting_approval: null,
  processing: 'pending',
  abnormal: 'delayed',
  returned_to_merchant: 'delayed',
  succeeded: 'done',
  closed: null,
  refused: null,
  rejected: null,
}

/** The order's money for its payer; null before it is paid. */
export function payerMoney(order: OrderRecord, { payment, refunds }: PaidOrder): PayerMoney | null {
  const own = order.payment
  if (own === null) return null
  const seen = refunds.flatMap((refund) => payerRefund(refund, own.transaction_id) ?? [])
  const sum = (states: readonly PayerRefund['state'][]) =>
    seen
      .filter(({ state, is_of_second }) => states.includes(state) && !is_of_second)
      .reduce((total, { amount }) => total + amount, 0)
  return {
    transaction_id: own.transaction_id,
    success_time: own.success_time,
    paid: payment && (payment.amount.payer_total ?? payment.amount.total),
    refunded: sum(['done']),
    refund_pending: sum(['pending', 'delayed']),
    refunds: seen,
  }
}

function payerRefund(refund: RefundRecord, own_id: string): PayerRefund | null {
  const { state, payout, facts, amount, transaction_id } = refund
  const seen: PayerRefund['state'] | null = payout ? 'done' : seen_states[state]
  if (seen === null) return null
  return {
    state: seen,
    amount: facts?.payer_refund ?? amount.refund,
    account: payout ? null : (facts?.user_received_account ?? null),
    is_by_hand: payout !== null,
    time: payout ? payout.time : seen === 'done' ? (facts?.success_time ?? null) : null,
    is_of_second: transaction_id !== own_id,
  }
}

const paid_states: readonly OrderState[] = ['paid', 'fulfilled', 'review', 'refunding', 'refunded']

/**
 * The scene that the money of a paid order calls for, whatever the merchant's side of it is; null: none but the state's.
 * The amounts decide: a merchant's refund leaves the order in its state.
 */
export function moneyScene(order: OrderRecord, { payment, refunds }: PaidOrder): Scene | null {
  const own_id = order.payment?.transaction_id
  if (own_id === undefined || !paid_states.includes(order.state)) return null
  if (order.state === 'refunded' || (payment !== null && isWhollyRefunded(payment))) return 'refunded'
  const own = refunds.filter(({ transaction_id }) => transaction_id === own_id)
  const seen = own.map(({ state, payout }) => (payout ? 'done' : seen_states[state]))
  if (seen.includes('delayed')) return 'delayed'
  if (order.state === 'refunding') return isLeftUnpaid(own) ? 'delayed' : null
  if (seen.includes('pending')) return 'returning'
  return seen.includes('done') && order.state !== 'review' ? 'part_refunded' : null
}

/** Whether money that is owed has no refund under way, and one has ended without it. */
function isLeftUnpaid(refunds: readonly RefundRecord[]): boolean {
  const is_over = ({ state }: RefundRecord) => state === 'succeeded' || failed_states.includes(state)
  return refunds.every(is_over) && refunds.some(({ state, payout }) => failed_states.includes(state) && !payout)
}

const failed_states: readonly RefundState[] = ['closed', 'refused', 'rejected']
