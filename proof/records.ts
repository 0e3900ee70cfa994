import { isOrderResting } from '../domain/order/record.ts'
import type { OrderRecord, OrderState } from '../domain/order/record.ts'
import { entryIntoState, owedTransactions } from '../domain/order/timeline.ts'
import { isHoldingMoney, isWhollyRefunded } from '../domain/payment/record.ts'
import type { PaymentRecord, RefundElement } from '../domain/payment/record.ts'
import { isRefundResting } from '../domain/refund/record.ts'
import type { RefundRecord, RefundState } from '../domain/refund/record.ts'
import { madeByFindings } from './checkout.ts'
import { isAwaitingEffect, isFresh, isPlanned, latestTime, newFinding } from './finding.ts'
import type { Dossier, Finding, FindingSubject, ProofMoment } from './finding.ts'
import { journalFindings } from './journal.ts'
import { obstacleFindings } from './obstacle.ts'
import { wechatFindings } from './wechat.ts'
import type { WeChatRecords } from './wechat.ts'

/**
 * What of these records is adrift (docs/money.md §3): with each other, with the journal, and, where `truth` is given, with
 * what WeChat knows. Pure; `under_way` marks what Weft will put right by itself.
 */
export function dossierFindings(dossier: Dossier, moment: ProofMoment, truth: WeChatRecords | null = null): Finding[] {
  return [
    ...recordFindings(dossier, moment),
    ...journalFindings(dossier, moment),
    ...(truth === null ? [] : wechatFindings(dossier, truth, moment)),
  ]
}

/** The records with each other. */
export function recordFindings(dossier: Dossier, moment: ProofMoment): Finding[] {
  const { order, payments, refunds } = dossier
  return [
    ...(order === null ? [] : orderFindings(order, dossier, moment)),
    ...madeByFindings(dossier),
    ...payments.flatMap((payment) => paymentFindings(payment, dossier, moment)),
    ...doubledPaymentFindings(dossier),
    ...refunds.flatMap((refund) => refundFindings(refund, dossier, moment)),
    ...evidenceFindings(dossier, moment),
    ...obstacleFindings(dossier, moment),
  ]
}

// The order.

/** States that money leads into: none is without a payment. The others have none. */
const paid_states: readonly OrderState[] = ['paid', 'fulfilled', 'review', 'refunding', 'refunded']

function orderFindings(order: OrderRecord, dossier: Dossier, moment: ProofMoment): Finding[] {
  return [
    ...timelineFindings(order, order.state, dossier, {}),
    ...eventFindings(order, dossier, moment),
    ...orderPaymentFindings(order, dossier),
    ...refundingFindings(order, dossier, moment),
    ...rejectedFindings(order, dossier, moment),
  ]
}

function timelineFindings(
  record: { revision: number; timeline: readonly { revision: number; to: string }[] },
  state: string,
  dossier: Dossier,
  about: FindingSubject,
): Finding[] {
  const { timeline, revision } = record
  const [first, last] = [timeline[0], timeline.at(-1)]
  const broken = (detail: string) => newFinding(dossier, 'timeline_broken', { ...about, detail })
  if (first === undefined || last === undefined) return []
  const gap = timeline.findIndex((entry, place) => entry.revision !== first.revision + place)
  return [
    ...(gap >= 0 ? [broken(`after revision ${timeline[gap - 1]?.revision} comes ${timeline[gap]?.revision}`)] : []),
    ...(last.revision !== revision ? [broken(`revision ${revision}, and the timeline ends at ${last.revision}`)] : []),
    ...(last.to !== state ? [broken(`is ${state}, and the timeline ends in ${last.to}`)] : []),
  ]
}

function eventFindings(order: OrderRecord, dossier: Dossier, moment: ProofMoment): Finding[] {
  const numbered = order.timeline.filter((entry) => entry.sequence !== null)
  const event_types = new Map(dossier.events.map(({ sequence, type }) => [sequence, type]))
  const gap = numbered.findIndex((entry, place) => entry.sequence !== place + 1)
  const gaps = gap >= 0 || numbered.length !== order.sequence
  const unnumbered = order.timeline.filter(
    ({ from, to, sequence }) => from !== to && isOrderResting(to) && sequence === null,
  )
  const underived = numbered.filter(({ sequence, event_type }) => event_types.get(sequence) !== event_type)
  const unexplained = dossier.events.filter(
    (event) => !numbered.some(({ sequence }) => sequence === event.sequence) && event.sequence !== null,
  )
  const numbers = numbered.map(({ sequence }) => sequence).join(', ') || 'none'
  return [
    ...(gaps
      ? [newFinding(dossier, 'event_gap', { detail: `numbered ${numbers}; the last is ${order.sequence}` })]
      : []),
    ...unnumbered.map(({ to, revision }) =>
      newFinding(dossier, 'state_untold', { detail: `came to ${to} by revision ${revision} without an event` }),
    ),
    ...underived.map(({ sequence, event_type, time }) =>
      newFinding(dossier, 'event_missing', {
        detail: `event ${sequence}, ${event_type}, is ${event_types.get(sequence) ?? 'not there'}`,
        under_way: isFresh(time, moment) || isPlanned(order.next_action, moment),
      }),
    ),
    ...unexplained.map(({ sequence, type }) =>
      newFinding(dossier, 'event_unexplained', { detail: `event ${sequence}, ${type}` }),
    ),
  ]
}

function orderPaymentFindings(order: OrderRecord, dossier: Dossier): Finding[] {
  const { payment: named } = order
  if (named === null) {
    if (!paid_states.includes(order.state)) return []
    const detail = `is ${order.state} and names no payment`
    return [newFinding(dossier, 'payment_missing', { amount: order.amount.total, detail })]
  }
  const { transaction_id } = named
  const payment = dossier.payments.find((one) => one.transaction_id === transaction_id)
  if (payment === undefined) {
    const detail = `is ${order.state} by a payment that is not recorded`
    return [newFinding(dossier, 'payment_missing', { transaction_id, amount: order.amount.total, detail })]
  }
  const differs = (detail: string, amount?: number) =>
    newFinding(dossier, 'payment_differs', { transaction_id, detail, ...(amount !== undefined && { amount }) })
  const asks_the_same = payment.role === 'order' || payment.role === 'late'
  const by = payment.amount.total - order.amount.total
  return [
    ...(paid_states.includes(order.state)
      ? []
      : [differs(`is ${order.state} and names a payment`, order.amount.total)]),
    ...(named.role === payment.role ? [] : [differs(`the order calls it ${named.role}, the payment ${payment.role}`)]),
    ...(asks_the_same && by !== 0
      ? [differs(`${order.amount.total} fen asked for, ${payment.amount.total} paid as ${payment.role}`, Math.abs(by))]
      : []),
  ]
}

function refundingFindings(order: OrderRecord, dossier: Dossier, moment: ProofMoment): Finding[] {
  const payment = dossier.payments.find((one) => one.transaction_id === order.payment?.transaction_id)
  if (payment === undefined) return []
  const { transaction_id } = payment
  const under_way = isFresh(latestTime(order), moment)
  const is_back = isWhollyRefunded(payment)
  const left = payment.amount.total - refundedAmount(payment)
  if (order.state === 'refunded' && !is_back) {
    const detail = `is refunded, and ${left} of ${payment.amount.total} fen are not back`
    return [newFinding(dossier, 'order_not_refunded', { transaction_id, amount: left, detail })]
  }
  if (order.state !== 'refunding') return []
  const refunds = dossier.refunds.filter((refund) => refund.transaction_id === transaction_id)
  if (is_back) {
    // The last refund has still to signal the order's run.
    const is_signalled = refunds.every(({ next_action }) => !isPlanned(next_action, moment))
    const has_just_ended = refunds.some((refund) => isFresh(latestTime(refund), moment))
    return [
      newFinding(dossier, 'order_not_refunded', {
        transaction_id,
        detail: `all of ${payment.amount.total} fen are back, and it is refunding`,
        under_way: under_way || has_just_ended || !is_signalled,
      }),
    ]
  }
  return idleFindings(order, payment, dossier, moment)
}

/** Rejected second payments go back whole as well, whatever becomes of the order. */
function rejectedFindings(order: OrderRecord, dossier: Dossier, moment: ProofMoment): Finding[] {
  const rejected = owedTransactions(order).filter((transaction_id) => transaction_id !== order.payment?.transaction_id)
  return dossier.payments
    .filter((payment) => rejected.includes(payment.transaction_id) && !isWhollyRefunded(payment))
    .flatMap((payment) => idleFindings(order, payment, dossier, moment))
}

/** Money that is owed to the payer is carried by a refund, or attention is raised. */
function idleFindings(order: OrderRecord, payment: PaymentRecord, dossier: Dossier, moment: ProofMoment): Finding[] {
  const { transaction_id, amount } = payment
  const refunds = dossier.refunds.filter((refund) => refund.transaction_id === transaction_id)
  const is_carried = refunds.some(({ state, attention }) => !isRefundResting(state) || attention !== undefined)
  if (is_carried || order.attention !== undefined) return []
  const left = amount.total - refundedAmount(payment)
  const is_planned = [order, ...refunds].some(({ next_action }) => isPlanned(next_action, moment))
  const detail = `${left} fen are owed to the payer since ${entryIntoState(order)?.time ?? 'ever'}`
  const under_way = is_planned || isFresh(latestTime(order), moment)
  return [newFinding(dossier, 'refunding_idle', { transaction_id, amount: left, detail, under_way })]
}

function refundedAmount({ refunds }: PaymentRecord): number {
  return sumOfAmounts(refunds.filter(({ state }) => state === 'succeeded' || state === 'settled'))
}

const sumOfAmounts = (refunds: readonly { amount: number }[]) => refunds.reduce((sum, { amount }) => sum + amount, 0)

// Payments.

function paymentFindings(payment: PaymentRecord, dossier: Dossier, moment: ProofMoment): Finding[] {
  return [...orderLinkFindings(payment, dossier, moment), ...refundElementFindings(payment, dossier)]
}

/** Whether order and payment name each other. The payment is written first, the order next. */
function orderLinkFindings(payment: PaymentRecord, dossier: Dossier, moment: ProofMoment): Finding[] {
  const { order, evidence } = dossier
  const { transaction_id, role, amount } = payment
  const about = { transaction_id, amount: amount.total }
  const is_coming = evidence.some((one) => one.transaction_id === transaction_id && isAwaitingEffect(one, moment))
  if (order === null) {
    if (payment.order_id === null && role === 'orphan') return []
    return [newFinding(dossier, 'payment_differs', { ...about, detail: `has role ${role} and no order is recorded` })]
  }
  const is_known =
    order.payment?.transaction_id === transaction_id ||
    order.timeline.some((entry) => entry.transaction_id === transaction_id)
  // The order's table has no edge for this money, and attention is raised.
  const is_flagged = order.attention?.code === 'second_payment'
  const is_open = !isOrderResting(order.state) && isPlanned(order.next_action, moment)
  if (payment.order_id !== order._id) {
    const detail = `belongs to ${payment.order_id ?? 'nobody'}, and its order is there`
    return [newFinding(dossier, 'payment_differs', { ...about, detail, under_way: is_coming || is_open })]
  }
  if (is_known || is_flagged) return []
  const is_fresh = isFresh(newestTime(evidence.map(({ receive_time }) => receive_time)), moment)
  const detail = `its order is ${order.state} and does not know of it`
  return [newFinding(dossier, 'payment_untold', { ...about, detail, under_way: is_coming || is_open || is_fresh })]
}

function newestTime(times: readonly string[]): string | null {
  return times.reduce<string | null>((newest, time) => (newest === null || time > newest ? time : newest), null)
}

function doubledPaymentFindings(dossier: Dossier): Finding[] {
  const own = dossier.payments.filter(({ role }) => role === 'order')
  return own.slice(1).map(({ transaction_id, amount }) =>
    newFinding(dossier, 'payment_doubled', {
      transaction_id,
      amount: amount.total,
      detail: `counts as what the order asked for, and so does ${own[0]?.transaction_id}`,
    }),
  )
}

/** The payment's own count of what goes back. */
function refundElementFindings(payment: PaymentRecord, dossier: Dossier): Finding[] {
  const { transaction_id, amount, refunds: elements } = payment
  const total = amount.total
  const taken = elements.filter(({ state }) => isHoldingMoney(state) && state !== 'reserved')
  const live = elements.filter(({ state }) => isHoldingMoney(state))
  // What was refunded outside may have taken what one of ours had reserved; that one is then refused.
  const by = Math.max(sumOfAmounts(taken), sumOfAmounts(live)) - total
  const unrecorded = elements.filter(
    ({ out_refund_no }) => !dossier.refunds.some((refund) => refund.out_refund_no === out_refund_no),
  )
  return [
    ...(by > 0
      ? [
          newFinding(dossier, 'refunds_exceed_payment', {
            transaction_id,
            amount: by,
            detail: `${total} fen paid, ${sumOfAmounts(live)} given back or on their way`,
            under_way:
              sumOfAmounts(taken) <= total && dossier.refunds.some(({ next_action }) => next_action !== undefined),
          }),
        ]
      : []),
    ...unrecorded.map((element) =>
      newFinding(dossier, 'refund_unrecorded', {
        transaction_id,
        out_refund_no: element.out_refund_no,
        amount: element.amount,
        detail: `counted as ${element.state} and not recorded`,
      }),
    ),
  ]
}

// Refunds.

/** What a payment counts of a refund in each state; `none`: it never came to a reservation. */
const element_states: Record<RefundState, readonly (RefundElement['state'] | 'none')[]> = {
  created: ['none'],
  awaiting_approval: ['reserved'],
  processing: ['reserved'], // or accepted, once WeChat has it
  abnormal: ['accepted'],
  succeeded: ['succeeded'],
  closed: ['closed'],
  refused: ['none', 'released'],
  rejected: ['released'],
  returned_to_merchant: ['accepted'],
}

function expectedElementStates({
  state,
  facts,
  payout,
  origin,
}: RefundRecord): readonly (RefundElement['state'] | 'none')[] {
  if (payout !== null) return ['settled']
  // One made outside is counted as accepted before its own answer is written down.
  return state === 'processing' && (facts !== null || origin === 'outside') ? ['accepted'] : element_states[state]
}

function refundFindings(refund: RefundRecord, dossier: Dossier, moment: ProofMoment): Finding[] {
  const { out_refund_no, transaction_id, state, amount, next_action } = refund
  const about = { transaction_id, out_refund_no, amount: amount.refund }
  const broken = timelineFindings(refund, state, dossier, about)
  const payment = dossier.payments.find((one) => one.transaction_id === transaction_id)
  if (payment === undefined) {
    return [...broken, newFinding(dossier, 'payment_missing', { ...about, detail: `refund of an unrecorded payment` })]
  }
  const element = payment.refunds.find((one) => one.out_refund_no === out_refund_no)
  const wanted = expectedElementStates(refund)
  // Only asking WeChat and waiting for a person may take days; all other steps are writes.
  const is_writing = next_action?.what !== 'ask_wechat' && next_action?.what !== 'await_approval'
  const under_way = isFresh(latestTime(refund), moment) || (is_writing && isPlanned(next_action, moment))
  if (element === undefined) {
    if (wanted.includes('none')) return broken
    return [...broken, newFinding(dossier, 'refund_uncounted', { ...about, detail: `is ${state}`, under_way })]
  }
  const differs = (detail: string, by: number, heals: boolean) =>
    newFinding(dossier, 'refund_differs', { ...about, amount: by, detail, under_way: heals && under_way })
  const by = Math.abs(element.amount - amount.refund)
  return [
    ...broken,
    // An automatic refund takes what is left, and knows how much only with its reservation.
    ...(by > 0 ? [differs(`${amount.refund} fen, counted as ${element.amount}`, by, state === 'created')] : []),
    ...(wanted.includes(element.state)
      ? []
      : [differs(`is ${state}, counted as ${element.state}`, element.amount, true)]),
  ]
}

// Evidence.

function evidenceFindings(dossier: Dossier, moment: ProofMoment): Finding[] {
  return dossier.evidence.flatMap((evidence) => {
    const { _id, verdict, outcome, unapplied, transaction_id, out_refund_no } = evidence
    const about = { ...(transaction_id && { transaction_id }), ...(out_refund_no && { out_refund_no }) }
    if (verdict !== 'verified') return []
    if (outcome === null || outcome === 'orphan') {
      const kind = unapplied === true ? 'evidence_unapplied' : 'evidence_lost'
      const under_way = isAwaitingEffect(evidence, moment)
      return under_way
        ? []
        : [newFinding(dossier, kind, { ...about, detail: `heard ${evidence.receive_time}: ${_id}` })]
    }
    if ((outcome !== 'applied' && outcome !== 'linked') || hasRecordedEffect(dossier, evidence)) return []
    return [newFinding(dossier, 'evidence_without_effect', { ...about, detail: `${outcome}: ${_id}` })]
  })
}

function hasRecordedEffect({ payments, refunds }: Dossier, evidence: Dossier['evidence'][number]): boolean {
  const { subject, transaction_id, out_refund_no } = evidence
  if (subject === 'refund') {
    return out_refund_no === null || refunds.some((refund) => refund.out_refund_no === out_refund_no)
  }
  return transaction_id === null || payments.some((payment) => payment.transaction_id === transaction_id)
}
