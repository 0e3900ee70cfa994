import type { Time } from './calendar.ts'
import { contradictions } from './fact.ts'
import type { Contradiction, Expectation, MoneyFact } from './fact.ts'
import type { Amount } from './money.ts'
import type { OrderEvent, OrderState } from './order.ts'

/**
 * What a payment is to Weft: `order` the money we asked for; `late` it came when the order had ended or its sale was
 * paid by another number; `second` the order already has one; `contradicted` it is not what we asked for; `orphan` no
 * such order.
 */
export type PaymentRole = 'order' | 'late' | 'second' | 'contradicted' | 'orphan'

export interface PaymentRecord {
  /** <mchid>/<transaction_id> */
  _id: string
  mchid: string
  transaction_id: string
  out_trade_no: string
  /** null: orphan */
  order_id: string | null
  role: PaymentRole
  revision: number
  evidence_id: string
  appid: string
  trade_type: string | null
  bank_type: string | null
  success_time: Time
  amount: Amount & { payer_total: number | null }
  /** S of money.md: total − Σ NOCASH promotions */
  settled_total: number
  refunds: {
    out_refund_no: string
    amount: number
    state: 'reserved' | 'accepted' | 'succeeded' | 'closed' | 'released'
  }[]
  last_refund_time: Time | null
}

/** What the role decision looks at of an order. */
export interface JudgedOrder extends Expectation {
  state: OrderState
  payment: { transaction_id: string } | null
  placement: { attempts: number; unanswered: boolean }
  code: { url: string } | null
}

export interface Judgement {
  role: PaymentRole
  /** what happens to the order; null where there is none */
  event: OrderEvent | null
  contradictions: Contradiction[]
}

/**
 * Which role money has, decided once, in this order (architecture §4.6). `reference_held_by_other`: another number of
 * the same sale holds the claim. Money that is already booked never comes here.
 */
export function judgePayment(order: JudgedOrder | null, fact: MoneyFact, reference_held_by_other: boolean): Judgement {
  if (order === null) return { role: 'orphan', event: null, contradictions: [] }
  if (order.payment !== null && order.payment.transaction_id !== fact.transaction_id) {
    return { role: 'second', event: 'second_payment_found', contradictions: [] }
  }
  const differing = contradictions(order, fact)
  if (differing.length > 0 || !wasEverAskedFor(order)) {
    return { role: 'contradicted', event: 'payment_contradicted', contradictions: differing }
  }
  if (fact.trade_state === 'REFUND')
    return { role: 'contradicted', event: 'payment_refunded_outside', contradictions: [] }
  if (order.state === 'closed' || order.state === 'failed' || reference_held_by_other) {
    return { role: 'late', event: 'late_payment_found', contradictions: [] }
  }
  return { role: 'order', event: 'payment_found', contradictions: [] }
}

/** No placement of ours was accepted or left unanswered: then the number is someone else's, and so is the money. */
function wasEverAskedFor(order: JudgedOrder): boolean {
  return order.code !== null || order.placement.unanswered
}

/** Fen given back or on their way back, and fen still on their way. */
export function refundedAmounts(payment: Pick<PaymentRecord, 'refunds'> | null): {
  refunded: number
  refund_pending: number
} {
  const sum = (states: string[]) =>
    (payment?.refunds ?? [])
      .filter((refund) => states.includes(refund.state))
      .reduce((total, refund) => total + refund.amount, 0)
  return { refunded: sum(['succeeded']), refund_pending: sum(['reserved', 'accepted']) }
}
