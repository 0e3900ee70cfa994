import { milliseconds } from '../calendar.ts'
import type { Time } from '../calendar.ts'
import { amountFlaw } from '../flaw.ts'
import type { Flaw } from '../flaw.ts'
import type { RefundLimits } from '../merchant/record.ts'
import type { Amount } from '../money.ts'

/**
 * What a payment is to Weft: `order` the money we asked for; `late` it came when the order had ended or its sale was
 * paid by another number; `second` the order already has one; `contradicted` it is not what we asked for; `orphan` no
 * such order.
 */
export const payment_roles = ['order', 'late', 'second', 'contradicted', 'orphan'] as const
export type PaymentRole = (typeof payment_roles)[number]

/** The account that a payment's money stands in: `suspense` while nobody has asked for it or accepted it. */
export type Income = 'sales' | 'suspense'

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
  refunds: RefundElement[]
  last_refund_time: Time | null
  /** a person took money that lay in suspense: `amount` is what was left of it there */
  acceptance: { time: Time; amount: number } | null
  /** a person accepted WeChat's word that it was never made, so nothing of it is in the book; absent: it stands */
  denial?: PaymentDenial
}

/** Who accepted that a payment was never made, why, and what WeChat had said. */
export interface PaymentDenial {
  time: Time
  by: string
  reason: string
  evidence_id: string
}

/**
 * A refund as its payment counts it: `reserved` here, `accepted` by WeChat, `succeeded`, `settled` by hand, `closed` by
 * WeChat, `released` because WeChat never took it.
 */
export interface RefundElement {
  out_refund_no: string
  /** fen */
  amount: number
  state: 'reserved' | 'accepted' | 'succeeded' | 'settled' | 'closed' | 'released'
  /** the account that each of its moves is booked against: the one the payment's money stood in then; absent before any */
  incomes?: Partial<Record<IncomeMove, Income>>
  /**
   * `exempt`: Weft owes it by itself; `needed`: it goes only with a second person's word. Absent of all others, which
   * one person has asked for, or made outside: these together stay below the merchant's limits.
   */
  approval?: 'exempt' | 'needed'
}

/** A refund that is to be reserved; `rest` takes what is left. */
export interface WantedRefund {
  out_refund_no: string
  amount: number | 'rest'
  /** `exempt`: nobody has to approve it; `above`: more than so many fen by one person's word alone need a second one */
  approval?: 'exempt' | { above: number } | null
}

/** What takes a refund's money from the payment's income, or gives it back. */
export type IncomeMove = 'accepted' | 'closed' | 'settled'

/** Holds money of the payment: it has gone back or may still go. */
const money_holding_states: readonly RefundElement['state'][] = ['reserved', 'accepted', 'succeeded', 'settled']

export function isHoldingMoney(state: RefundElement['state']): boolean {
  return money_holding_states.includes(state)
}

/** Where a refund's element goes from each state. Back only where the payer's bank sent the money back after SUCCESS. */
const element_edges: Record<RefundElement['state'], readonly RefundElement['state'][]> = {
  reserved: ['accepted', 'succeeded', 'closed', 'released'],
  accepted: ['succeeded', 'closed', 'settled'],
  succeeded: ['accepted', 'closed'],
  settled: [],
  closed: ['settled'],
  released: ['settled', 'accepted', 'succeeded'],
}

/** Why this payment, as it was read back, cannot be worked with; null: it can. At most 50 of its refunds count. */
export function paymentFlaw({ role, amount, settled_total, refunds }: PaymentRecord): Flaw {
  if (!payment_roles.includes(role)) return `its role is ${role}, which is none`
  const unknown = refunds.find(({ state }) => !(state in element_edges))
  if (unknown) return `its refund ${unknown.out_refund_no} is ${unknown.state}, which is no state`
  const refunded = refunds.map(({ out_refund_no, amount: fen }) => [`refund ${out_refund_no}`, fen] as const)
  return amountFlaw({ 'amount.total': amount.total, settled_total, ...Object.fromEntries(refunded) })
}

export function hasElementEdge(from: RefundElement['state'], to: RefundElement['state']): boolean {
  return element_edges[from].includes(to)
}

/** Where a payment's money was booked when it was found. */
export function incomeWhenFound({ role }: Pick<PaymentRecord, 'role'>): Income {
  return role === 'order' ? 'sales' : 'suspense'
}

/** Where it stands now. */
export function currentIncome(payment: Pick<PaymentRecord, 'role' | 'acceptance'>): Income {
  return payment.acceptance === null ? incomeWhenFound(payment) : 'sales'
}

/**
 * The element in its next state, with the account that its money leaves or comes back to. Both are decided in one write
 * to the payment, because a person may accept the payment at the same time.
 */
export function movedElement(
  payment: Pick<PaymentRecord, 'role' | 'acceptance'>,
  element: RefundElement,
  state: RefundElement['state'],
): RefundElement {
  const income = currentIncome(payment)
  switch (state) {
    case 'accepted':
    case 'succeeded':
      return { ...element, state, incomes: { accepted: income, ...element.incomes } }
    case 'closed':
      return { ...element, state, incomes: { accepted: income, ...element.incomes, closed: income } }
    case 'settled': {
      const has_left = isHoldingMoney(element.state)
      return { ...element, state, ...(!has_left && { incomes: { ...element.incomes, settled: income } }) }
    }
    default:
      return { ...element, state }
  }
}

/** The account that a move of a refund is booked against. One that was never decided has it where the money stands. */
export function incomeOfMove(
  payment: Pick<PaymentRecord, 'role' | 'acceptance' | 'refunds'>,
  out_refund_no: string,
  move: IncomeMove | undefined,
): Income {
  const element = payment.refunds.find((one) => one.out_refund_no === out_refund_no)
  return (move && element?.incomes?.[move]) ?? currentIncome(payment)
}

/** What a person can still accept of money in suspense: all that no refund has taken from there. */
export function acceptableAmount(payment: Pick<PaymentRecord, 'amount' | 'refunds'>): number {
  return Math.max(0, payment.amount.total - amountIn(payment.refunds, ['accepted', 'succeeded', 'settled']))
}

function amountIn(refunds: readonly RefundElement[], states: readonly RefundElement['state'][]): number {
  return refunds.filter(({ state }) => states.includes(state)).reduce((total, { amount }) => total + amount, 0)
}

/** Fen given back, and fen still on their way. */
export function refundedAmounts(payment: Pick<PaymentRecord, 'refunds'> | null): {
  refunded: number
  refund_pending: number
} {
  const refunds = payment?.refunds ?? []
  return {
    refunded: amountIn(refunds, ['succeeded', 'settled']),
    refund_pending: amountIn(refunds, ['reserved', 'accepted']),
  }
}

/**
 * Whether a second person has to name the account that a refund of this payment goes to instead of the payer's: where
 * all that has gone back of it, or may still go, is more than the merchant's limit, of a payment or of a day, so that
 * splitting it avoids nothing here either; and where a second person let this refund go, which was to the payer.
 */
export function needsSecondPerson(
  { refunds }: Pick<PaymentRecord, 'refunds'>,
  out_refund_no: string,
  limits: RefundLimits | null,
): boolean {
  const element = refunds.find((one) => one.out_refund_no === out_refund_no)
  if (element?.approval === 'needed') return true
  const { above, above_per_day } = limits ?? { above: null }
  return amountIn(refunds, money_holding_states) > Math.min(above ?? Infinity, above_per_day ?? Infinity)
}

/**
 * Fen that no refund holds yet. Never negative: a refund made outside may have taken what one of ours had reserved. Of
 * money that was never there, nothing can go back.
 */
export function refundableAmount(payment: Pick<PaymentRecord, 'amount' | 'refunds' | 'denial'>): number {
  if (payment.denial !== undefined) return 0
  return Math.max(0, payment.amount.total - amountIn(payment.refunds, money_holding_states))
}

/** The refunds of a payment with this one as it is now, in its place or behind the others. */
export function withElement(refunds: readonly RefundElement[], element: RefundElement): RefundElement[] {
  const is_known = refunds.some(({ out_refund_no }) => out_refund_no === element.out_refund_no)
  if (!is_known) return [...refunds, element]
  return refunds.map((one) => (one.out_refund_no === element.out_refund_no ? element : one))
}

/** Whether `amount` fen can be paid by hand for this refund: what it holds already needs no more room. */
export function hasRoomFor(
  payment: Pick<PaymentRecord, 'amount' | 'refunds' | 'denial'>,
  out_refund_no: string,
  amount: number,
): boolean {
  const element = payment.refunds.find((one) => one.out_refund_no === out_refund_no)
  return (element !== undefined && isHoldingMoney(element.state)) || amount <= refundableAmount(payment)
}

/** The payer has all of it back, or never gave it. */
export function isWhollyRefunded(payment: Pick<PaymentRecord, 'amount' | 'refunds' | 'denial'>): boolean {
  return payment.denial !== undefined || refundedAmounts(payment).refunded >= payment.amount.total
}

/** Why a refund cannot be reserved; each is a problem's code (api.md §6). */
export type ReservationRefusal = 'refund_exceeds_payment' | 'refund_limit_reached' | 'refund_window_closed'

/** WeChat's limits of refunds (docs/wechat-pay.md §2.4). */
export const refund_limits = { count: 50, window_ms: 365 * 24 * 60 * 60 * 1000 } as const

/**
 * Whether `amount` fen may be reserved at `now_ms`, and if so which element the payment gains; `rest` takes what is
 * left. What WeChat counts counts here: closed refunds too, released ones not.
 */
export function reservationOf(
  payment: Pick<PaymentRecord, 'amount' | 'refunds' | 'success_time' | 'denial'>,
  { out_refund_no, amount, approval = null }: WantedRefund,
  now_ms: number,
): { element: RefundElement } | { refusal: ReservationRefusal } {
  const refundable = refundableAmount(payment)
  const wanted_amount = amount === 'rest' ? refundable : amount
  if (wanted_amount < 1 || wanted_amount > refundable) return { refusal: 'refund_exceeds_payment' }
  const refusal = limitRefusal(payment, now_ms)
  if (refusal !== null) return { refusal }
  const element: RefundElement = { out_refund_no, amount: wanted_amount, state: 'reserved' }
  if (approval === null) return { element }
  if (approval === 'exempt') return { element: { ...element, approval } }
  // The sum, and not each alone: whoever may refund 100 could else refund it ten times.
  const is_above = unapprovedAmount(payment) + wanted_amount > approval.above
  return { element: is_above ? { ...element, approval: 'needed' } : element }
}

/** Fen that have gone back, or may still go, by one person's word. */
function unapprovedAmount({ refunds }: Pick<PaymentRecord, 'refunds'>): number {
  return amountIn(
    refunds.filter(({ approval }) => approval === undefined),
    money_holding_states,
  )
}

/** What may have changed between reserving and sending: WeChat's count and its year. */
export function limitRefusal(
  payment: Pick<PaymentRecord, 'refunds' | 'success_time'>,
  now_ms: number,
): ReservationRefusal | null {
  const counted = payment.refunds.filter(({ state }) => state !== 'released')
  if (counted.length >= refund_limits.count) return 'refund_limit_reached'
  if (now_ms - milliseconds(payment.success_time) > refund_limits.window_ms) return 'refund_window_closed'
  return null
}
