import { contradictions } from '../payment/fact.ts'
import type { Contradiction, Expectation, MoneyFact } from '../payment/fact.ts'
import type { PaymentRole } from '../payment/record.ts'
import type { OrderEvent, OrderState } from './record.ts'

/** What the role decision looks at of an order. */
export interface JudgedOrder extends Expectation {
  state: OrderState
  payment: { transaction_id: string } | null
  placement: { attempts: number; unanswered: boolean }
  code: object | null
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
export function judgePayment(order: JudgedOrder | null, fact: MoneyFact, reference_paid_by_other: boolean): Judgement {
  if (order === null) return { role: 'orphan', event: null, contradictions: [] }
  if (order.payment !== null && order.payment.transaction_id !== fact.transaction_id) {
    return { role: 'second', event: 'second_payment_found', contradictions: [] }
  }
  const differing = contradictions(order, fact)
  if (differing.length > 0 || !hasPlacement(order)) {
    return { role: 'contradicted', event: 'payment_contradicted', contradictions: differing }
  }
  if (fact.trade_state === 'REFUND')
    return { role: 'contradicted', event: 'payment_refunded_outside', contradictions: [] }
  if (order.state === 'closed' || order.state === 'failed' || reference_paid_by_other) {
    return { role: 'late', event: 'late_payment_found', contradictions: [] }
  }
  return { role: 'order', event: 'payment_found', contradictions: [] }
}

/** No placement of ours was accepted or left unanswered: then the number is someone else's, and so is the money. */
function hasPlacement(order: JudgedOrder): boolean {
  return order.code !== null || order.placement.unanswered
}

/** Whether an order in this state may hold the claim of its reference: its money stays, is coming, or may still come. */
export function keepsSale(state: OrderState): boolean {
  return state !== 'closed' && state !== 'failed' && state !== 'refunding' && state !== 'refunded'
}

/** Whether an order that was ended has money that will still make it a sale, because its role was decided before. */
export function isSaleComing(state: OrderState, payments: readonly { role: PaymentRole }[]): boolean {
  return (state === 'closed' || state === 'failed') && payments.some(({ role }) => role === 'order')
}
