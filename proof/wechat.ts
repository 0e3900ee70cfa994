import type { Time } from '../domain/calendar.ts'
import { isOrderResting } from '../domain/order/record.ts'
import { numberAtWeChat } from '../domain/refund/record.ts'
import type { RefundRecord, RefundState } from '../domain/refund/record.ts'
import { isAwaitingEffect, isFresh, isPlanned, newFinding } from './finding.ts'
import type { Dossier, Finding, ProofMoment } from './finding.ts'

export const trade_states = ['NOTPAY', 'SUCCESS', 'REFUND', 'CLOSED'] as const
export const refund_statuses = ['PROCESSING', 'SUCCESS', 'CLOSED', 'ABNORMAL'] as const

/** What WeChat knows under one out_trade_no. Only a simulator shows all of it. Amounts in fen. */
export interface WeChatRecords {
  order: { trade_state: (typeof trade_states)[number]; amount: { total: number } } | null
  payments: { transaction_id: string; amount: { total: number }; success_time: Time }[]
  refunds: WeChatRefundRecord[]
}

export interface WeChatRefundRecord {
  out_refund_no: string
  refund_id: string
  transaction_id: string
  status: (typeof refund_statuses)[number]
  user_received_account: string
  amount: { refund: number; settlement_refund: number }
  create_time: Time
  success_time: Time | null
}

/** The records with WeChat's own. */
export function wechatFindings(dossier: Dossier, truth: WeChatRecords, moment: ProofMoment): Finding[] {
  return [
    ...wechatPaymentFindings(dossier, truth, moment),
    ...unknownPaymentFindings(dossier, truth),
    ...orderFindings(dossier, truth, moment),
    ...wechatRefundFindings(dossier, truth, moment),
    ...unknownRefundFindings(dossier, truth),
  ]
}

/** Weft will learn of it by itself: by a notification, or by a query at a planned moment. */
function isCarried({ order, evidence }: Dossier, moment: ProofMoment): boolean {
  const is_asking = order !== null && !isOrderResting(order.state) && isPlanned(order.next_action, moment)
  return is_asking || evidence.some((one) => one.subject === 'payment' && isAwaitingEffect(one, moment))
}

function wechatPaymentFindings(dossier: Dossier, truth: WeChatRecords, moment: ProofMoment): Finding[] {
  return truth.payments.flatMap(({ transaction_id, amount, success_time }) => {
    const payment = dossier.payments.find((one) => one.transaction_id === transaction_id)
    if (payment === undefined || payment.denial !== undefined) {
      const state = dossier.order?.state ?? 'not recorded'
      const denied = payment === undefined ? '' : ', and a person accepted that it was never paid'
      const detail = `paid at WeChat ${success_time}; the order here is ${state}${denied}`
      const under_way = isFresh(success_time, moment) || isCarried(dossier, moment)
      return [
        newFinding(dossier, 'paid_there_unknown_here', { transaction_id, amount: amount.total, detail, under_way }),
      ]
    }
    const by = Math.abs(payment.amount.total - amount.total)
    if (by === 0) return []
    const detail = `${amount.total} fen at WeChat, ${payment.amount.total} here as ${payment.role}`
    return [newFinding(dossier, 'payment_differs_there', { transaction_id, amount: by, detail })]
  })
}

function unknownPaymentFindings(dossier: Dossier, truth: WeChatRecords): Finding[] {
  const unknown = dossier.payments.filter(
    ({ transaction_id, denial }) =>
      denial === undefined && !truth.payments.some((one) => one.transaction_id === transaction_id),
  )
  return unknown.map(({ transaction_id, amount, role }) => {
    const detail = `recorded as ${role}; WeChat knows no such payment under this number`
    return newFinding(dossier, 'payment_unknown_there', { transaction_id, amount: amount.total, detail })
  })
}

function orderFindings(dossier: Dossier, truth: WeChatRecords, moment: ProofMoment): Finding[] {
  const { order } = dossier
  if (order === null) return []
  const there = truth.order?.trade_state ?? null
  const { total } = order.amount
  const is_planned = isPlanned(order.next_action, moment)
  // A number that was somebody else's is somebody else's to close.
  const is_ours = order.failure?.number_taken !== true
  if ((order.state === 'closed' || order.state === 'failed') && there === 'NOTPAY' && is_ours) {
    return [
      newFinding(dossier, 'payable_there', { amount: total, detail: `is ${order.state} here and NOTPAY at WeChat` }),
    ]
  }
  const is_waiting = order.state === 'awaiting_payment' || order.state === 'closing'
  if (is_waiting && there === 'CLOSED') {
    const detail = `is CLOSED at WeChat and ${order.state} here`
    return [newFinding(dossier, 'closed_there', { amount: total, detail, under_way: is_planned })]
  }
  if (is_waiting && there === null && order.code !== null) {
    const detail = `is ${order.state} here with a code, and WeChat does not know the number`
    const under_way = order.state === 'closing' && is_planned
    return [newFinding(dossier, 'order_unknown_there', { amount: total, detail, under_way })]
  }
  return []
}

// Refunds.

/** Which states here agree with each status there. What WeChat paid to the merchant is not yet the payer's. */
const agreeing_states: Record<WeChatRefundRecord['status'], readonly RefundState[]> = {
  PROCESSING: ['processing', 'abnormal'], // abnormal: another account was named, and the next question shows it
  SUCCESS: ['succeeded', 'returned_to_merchant'],
  CLOSED: ['closed'],
  ABNORMAL: ['abnormal'],
}

/** The statuses that a query will bring a refund to: behind WeChat, never ahead of it. */
const following_states: readonly RefundState[] = ['processing', 'abnormal']

function wechatRefundFindings(dossier: Dossier, truth: WeChatRecords, moment: ProofMoment): Finding[] {
  return truth.refunds.flatMap((there) => {
    const { out_refund_no, transaction_id, refund_id, status } = there
    const about = { transaction_id, out_refund_no, amount: there.amount.refund }
    // A refund made outside under a number of ours is recorded beside ours.
    const here =
      dossier.refunds.find((refund) => refund.wechat_refund_no === out_refund_no) ??
      dossier.refunds.find((refund) => refund.out_refund_no === out_refund_no)
    if (here === undefined) {
      const is_told = dossier.evidence.some(
        (one) => one.out_refund_no === out_refund_no && isAwaitingEffect(one, moment),
      )
      const under_way = isFresh(there.create_time, moment) || is_told
      const detail = `${refund_id} is ${status} at WeChat since ${there.create_time}`
      return [newFinding(dossier, 'refund_unknown_here', { ...about, detail, under_way })]
    }
    return [...amountFindings(dossier, here, there), ...stateFindings(dossier, here, there, moment)]
  })
}

function amountFindings(dossier: Dossier, here: RefundRecord, there: WeChatRefundRecord): Finding[] {
  const { out_refund_no, transaction_id } = there
  const differs = (detail: string, amount: number) =>
    newFinding(dossier, 'refund_amount_there', { transaction_id, out_refund_no, amount, detail })
  const by = Math.abs(here.amount.refund - there.amount.refund)
  const booked = here.facts?.settlement_refund ?? here.amount.refund
  const cash_by = here.facts === null ? 0 : Math.abs(booked - there.amount.settlement_refund)
  const is_other =
    here.transaction_id !== transaction_id || (here.facts !== null && here.facts.refund_id !== there.refund_id)
  return [
    ...(by > 0 ? [differs(`${there.amount.refund} fen at WeChat, ${here.amount.refund} here`, by)] : []),
    ...(cash_by > 0
      ? [differs(`${there.amount.settlement_refund} fen leave the account at WeChat, ${booked} here`, cash_by)]
      : []),
    ...(is_other
      ? [
          differs(
            `is ${there.refund_id} of ${transaction_id} at WeChat, ${here.facts?.refund_id ?? 'without a number'} of ${here.transaction_id} here`,
            there.amount.refund,
          ),
        ]
      : []),
  ]
}

function stateFindings(
  dossier: Dossier,
  here: RefundRecord,
  there: WeChatRefundRecord,
  moment: ProofMoment,
): Finding[] {
  const { out_refund_no, transaction_id, status } = there
  const { state, facts, next_action } = here
  const is_agreed = agreeing_states[status].includes(state) && facts !== null
  const is_merchants = /^\s*商户(基本账户|结算银行账户)/.test(there.user_received_account)
  const is_misplaced = is_agreed && status === 'SUCCESS' && (state === 'returned_to_merchant') !== is_merchants
  if (is_agreed && !is_misplaced) return []
  const since = there.success_time ?? there.create_time
  const may_heal = following_states.includes(state) && (isPlanned(next_action, moment) || isFresh(since, moment))
  const detail = is_misplaced
    ? `went to ${there.user_received_account} at WeChat and is ${state} here`
    : `is ${status} at WeChat and ${state} here${facts === null ? ', not yet heard of' : ''}`
  const about = { transaction_id, out_refund_no, amount: there.amount.refund, detail }
  return [newFinding(dossier, 'refund_state_there', { ...about, under_way: may_heal })]
}

function unknownRefundFindings(dossier: Dossier, truth: WeChatRecords): Finding[] {
  const unknown = dossier.refunds.filter(
    (refund) => refund.facts !== null && !truth.refunds.some((there) => there.out_refund_no === numberAtWeChat(refund)),
  )
  return unknown.map(({ out_refund_no, transaction_id, amount, state }) => {
    const detail = `is ${state} here and WeChat knows no such refund`
    return newFinding(dossier, 'refund_unknown_there', { transaction_id, out_refund_no, amount: amount.refund, detail })
  })
}
