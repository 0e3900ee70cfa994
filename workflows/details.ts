import { setCurrentDetails, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow'
import { flawTexts } from '../domain/bill/flaw.ts'
import type { ClassCounts, DaySums, ReconciliationRecord, ReconciliationState } from '../domain/bill/reconciliation.ts'
import { attention_texts } from '../domain/attention.ts'
import { orderKey, workflowId } from '../domain/ids.ts'
import { search_attributes } from '../domain/messages.ts'
import type { OrderProgress, RefundProgress } from '../domain/messages.ts'
import { readableAmount } from '../domain/money.ts'
import type { OrderState, OrderStep } from '../domain/order/record.ts'
import type { Policy } from '../domain/policy.ts'
import type { RefundState, RefundStep } from '../domain/refund/record.ts'
import { remedyCall } from '../domain/remedy.ts'
import type { RemedySubject } from '../domain/remedy.ts'

/** One sentence per state, for someone who has never seen the code. */
const order_sentences: Record<OrderState, string> = {
  created: 'Being placed at WeChat Pay. The same request is sent again until WeChat answers.',
  awaiting_payment: 'Waiting for the payer. A notification ends the wait; without one Weft asks WeChat by plan.',
  closing: 'Being closed. Only WeChat’s answer to a query closes it; a payment found meanwhile wins.',
  paid: 'Paid and booked. The merchant is told, and its answer is the fulfilment.',
  fulfilled: 'Done: paid, and the merchant has fulfilled.',
  closed: 'Closed at WeChat without a payment. Money that still arrives starts this order again.',
  failed: 'WeChat refused the order. Nothing can be paid on it.',
  review: 'A person must decide. Nothing is shipped or refunded until then.',
  refunding: 'The money is on its way back to the payer, by a refund of its own run.',
  refunded: 'The payer has the money back.',
}

/** A link within Temporal UI to the latest run of this id. */
function runLink(name: string, id: string, namespace: string): string {
  const text = name.replace(/[|*_]/g, (sign) => `\\${sign}`)
  return `[${text}](/namespaces/${encodeURIComponent(namespace)}/workflows/${encodeURIComponent(id)})`
}

/** `30 s, 1 min, 3 min`: a plan as people read it. */
function spansText(spans_ms: readonly number[]): string {
  return spans_ms.map(spanText).join(', ')
}

function spanText(ms: number): string {
  if (ms < 60_000) return `${ms / 1_000} s`
  return ms < 3_600_000 ? `${ms / 60_000} min` : `${ms / 3_600_000} h`
}

/**
 * What Weft does next, as the plan that it follows. Never the moment of the next try: retries are decided in activities,
 * which a run hears nothing of, so a moment told here would stand when it has long passed. A deadline stays what it is.
 */
const order_plans: Record<OrderStep, (order: OrderProgress, policy: Policy) => string> = {
  place: (_, { place_retry_ms }) =>
    `the same request is sent to WeChat until it answers, at most ${spanText(place_retry_ms.at(-1) ?? 0)} apart`,
  ask_wechat: (_, { query_plan_ms, query_every_ms }) =>
    `WeChat is asked ${spansText(query_plan_ms)} after placing, then every ${spanText(query_every_ms)}`,
  close: (_, { close_retry_ms }) =>
    `WeChat is asked until it says closed or paid, at most ${spanText(close_retry_ms.at(-1) ?? 0)} apart`,
  deliver: (_, { delivery_retry_ms }) =>
    `the merchant is told until it answers: at once, then after ${spansText(delivery_retry_ms)}`,
  await_fulfilment: ({ fulfilment }) =>
    fulfilment.deadline_time === null
      ? 'the order is fulfilled at once'
      : `the merchant’s answer is waited for until ${fulfilment.deadline_time}`,
  refund: () => 'the refund goes its way in a run of its own',
}

/** Tells Temporal UI what to show of an order now. It costs no event, since a query reads it. */
export function showOrder(order: OrderProgress, policy: Policy): void {
  setCurrentDetails(orderDetails(order, policy, workflowInfo().namespace))
}

/** What a hurried reader looks for comes first, since the UI shows some eight lines without scrolling. */
export function orderDetails(order: OrderProgress, policy: Policy, namespace: string): string {
  const { mchid, out_trade_no, state, amount, payment, fulfilment, next_action } = order
  const lines = [
    ...orderCalls(order),
    `**${state}** · ${readableAmount(amount)} · order \`${out_trade_no}\` of merchant \`${mchid}\``,
    order_sentences[state],
  ]
  const plan =
    next_action && (order_plans as Record<string, (typeof order_plans)[OrderStep] | undefined>)[next_action.what]
  if (plan) lines.push(`Next: ${plan(order, policy)}.`)
  if (payment) lines.push(`Payment \`${payment.transaction_id}\`, role ${payment.role}, found by ${payment.found_by}.`)
  if (state === 'paid') lines.push(`Fulfilment: mode ${fulfilment.mode}, answer ${fulfilment.result ?? 'none yet'}.`)
  if (order.refund_nos !== undefined) {
    const links = order.refund_nos.map((no) => runLink(no, workflowId.refund({ mchid, out_refund_no: no }), namespace))
    lines.push(`Refunds: ${links.join(', ')}.`)
  }
  if (order.close_reason) lines.push(`Close reason: ${order.close_reason}.`)
  lines.push(`Created ${order.create_time}, can be paid until ${order.time_expire}.`)
  return lines.join('  \n')
}

/** What a person must do about an order, a sentence for each: about what, why, and the call that settles it. */
export function orderCalls(order: OrderProgress): string[] {
  const { out_trade_no, amount, attention, payment, reviews } = order
  const own = payment?.transaction_id ?? null
  const open = reviews ?? (attention === null ? [] : [{ code: attention, transaction_id: own }])
  return open.map(({ code, transaction_id }) => {
    const is_other = transaction_id !== null && transaction_id !== own
    // What the order is worth is not what another payment brought.
    const money = is_other ? '' : `, ${readableAmount(amount)}`
    const of_payment = transaction_id === null ? '' : `, payment \`${transaction_id}\``
    return callText(code, `order \`${out_trade_no}\`${money}${of_payment}`, { out_trade_no, transaction_id })
  })
}

function callText(code: string, about: string, subject: RemedySubject): string {
  const call = remedyCall(code, subject)
  const text = (attention_texts as Record<string, string | undefined>)[code] ?? ''
  return `**Look at ${about}: ${text}** (${code})${call === null ? '' : ` \`${call}\``}`
}

/** How a run ends: its record's state, and behind it what a person must do, so that "Completed" does not say it is well. */
export function orderEnd(order: OrderProgress): string {
  return [order.state, ...orderCalls(order)].join(' · ')
}

const refund_sentences: Record<RefundState, string> = {
  created: 'Being reserved on its payment, so that all refunds together never exceed it.',
  awaiting_approval: 'Waits for a second person’s approval.',
  processing: 'On its way. WeChat is asked until it says that the refund has ended.',
  abnormal: 'The payer’s account does not take the money. A person names another way; Weft keeps asking.',
  succeeded: 'Done: the payer has the money.',
  closed: 'WeChat closed it: the money is back with the merchant. A new try needs a new number.',
  refused: 'WeChat never took it. The reservation is given back.',
  rejected: 'Not approved. The reservation is given back.',
  returned_to_merchant: 'WeChat paid it to the merchant’s own account: the payer is still owed.',
}

const refund_plans: Record<RefundStep, (refund: RefundProgress, policy: Policy) => string> = {
  reserve: () => 'it is reserved on its payment',
  await_approval: ({ approval_expire_time }) => `approval is waited for until ${approval_expire_time}`,
  submit: (_, { refund }) =>
    `the same request is sent to WeChat until it answers, at least ${spanText(refund.spacing_ms)} after another refund of the payment`,
  ask_wechat: ({ state }, { refund }) =>
    state === 'abnormal'
      ? `WeChat is asked every ${spanText(refund.abnormal_query_every_ms)}`
      : `WeChat is asked ${spansText(refund.query_plan_ms)} after it took it, then every ${spanText(refund.query_every_ms)}`,
  tell_order: () => 'its order is told',
}

/** Tells Temporal UI what to show of a refund now. */
export function showRefund(refund: RefundProgress, policy: Policy): void {
  setCurrentDetails(refundDetails(refund, policy, workflowInfo().namespace))
}

export function refundDetails(refund: RefundProgress, policy: Policy, namespace: string): string {
  const { out_refund_no, mchid, transaction_id, state, attention, next_action, origin } = refund
  const { total, currency } = refund.amount
  const back = readableAmount({ total: refund.amount.refund, currency })
  const lines = [
    ...refundCalls(refund),
    `**${state}** · ${back} of ${readableAmount({ total, currency })} · refund \`${out_refund_no}\``,
    refund_sentences[state],
  ]
  const plan =
    next_action && (refund_plans as Record<string, (typeof refund_plans)[RefundStep] | undefined>)[next_action.what]
  // A balance that is too low is asked about apart from all plans.
  if (attention === 'not_enough')
    lines.push(`Next: the same request is sent every ${spanText(policy.refund.not_enough_ms)}.`)
  else if (plan) lines.push(`Next: ${plan(refund, policy)}.`)
  lines.push(
    `Of order ${orderLink(refund, namespace)}, payment \`${transaction_id}\`, merchant \`${mchid}\`, origin ${origin}.`,
  )
  return lines.join('  \n')
}

/** A payment that belongs to no order has no run to lead to. */
function orderLink({ out_trade_no, order_id }: RefundProgress, namespace: string): string {
  return order_id === null
    ? `\`${out_trade_no}\``
    : runLink(out_trade_no, workflowId.order(orderKey(order_id)), namespace)
}

function refundCalls({ out_refund_no, transaction_id, amount, attention }: RefundProgress): string[] {
  if (attention === null) return []
  const money = readableAmount({ total: amount.refund, currency: amount.currency })
  return [callText(attention, `refund \`${out_refund_no}\`, ${money}`, { out_refund_no, transaction_id })]
}

/** As `orderEnd`. */
export function refundEnd(refund: RefundProgress): string {
  return [refund.state, ...refundCalls(refund)].join(' · ')
}

const day_sentences: Record<ReconciliationState, string> = {
  waiting_for_bill: 'Waiting for WeChat’s bills, which it makes after 9:00 of the next day.',
  running: 'Compared with what is recorded; WeChat is asked about what differs.',
  balanced: 'Every row of the bill and every record of the day is accounted for.',
  different: 'Bill and records differ. What may heal by itself waits; the rest is for a person.',
}

/** What Temporal UI shows of a day at this moment: a report. */
export function showDay(day: ReconciliationRecord): void {
  setCurrentDetails(dayDetails(day))
}

/** The panel shows some eight lines: what a person looks for stands first. */
export function dayDetails(day: ReconciliationRecord): string {
  const { state, bill_date, mchid, is_proven, rows, records, wechat, weft, healed_count, differences, flaws } = day
  const proof = day.end_time === null ? '' : is_proven ? ' · proven' : ' · not proven'
  const lines = [`**${state}**${proof} · ${bill_date} · merchant \`${mchid}\``, '', day_sentences[state], '']
  const kinds = Object.entries(differences).map(([kind, count]) => `${count} ${kind}`)
  if (kinds.length > 0) lines.push(`- **differences: ${kinds.join(', ')}**`)
  lines.push(...flawTexts(flaws).map((flaw) => `- not proven: ${flaw}`))
  for (const { type, version, added, removed, changed } of day.changes ?? [])
    lines.push(`- version ${version} of the ${type} bill: ${added} lines added, ${removed} removed, ${changed} changed`)
  if (healed_count > 0) lines.push(`- healed: ${healed_count}`)
  if (rows !== null && wechat !== null) lines.push(`- WeChat: ${sumsText(wechat)}; ${classesText('lines', rows)}`)
  if (records !== null && weft !== null) lines.push(`- here: ${sumsText(weft)}; ${classesText('records', records)}`)
  return lines.join('\n')
}

function sumsText({ payment_count, payment_amount, refund_count, refund_amount }: DaySums): string {
  const paid = readableAmount({ total: payment_amount, currency: 'CNY' })
  const back = readableAmount({ total: refund_amount, currency: 'CNY' })
  return `${payment_count} payments ${paid}, ${refund_count} refunds ${back}`
}

function classesText(what: string, { all, ...classes }: ClassCounts): string {
  const named = Object.entries(classes).flatMap(([name, count]) => (count === 0 ? [] : [`${count} ${name}`]))
  return [`${all} ${what}`, named.join(', ')].filter((text) => text !== '').join(': ')
}

/** Sets a refund's search attributes on major changes only, as `OrderAttributes` does; its start says `processing`. */
export function upsertRefundAttributes(before: RefundProgress | null, refund: RefundProgress): void {
  const previous = before ?? { state: 'processing', attention: null }
  const is_usual = refund.state === 'created' || refund.state === 'succeeded'
  if (refund.attention === previous.attention && (refund.state === previous.state || is_usual)) return
  upsertSearchAttributes([
    { key: search_attributes.state, value: refund.state },
    { key: search_attributes.attention, value: refund.attention },
  ])
}

/**
 * OrderAttributes sets an order's search attributes on major changes only, since each upsert is an event in history: a
 * start says `awaiting_payment`, and that the run has completed tells `fulfilled` after `paid`.
 */
export class OrderAttributes {
  private state: OrderState = 'awaiting_payment'
  private attention: string | null = null

  /** Sets what has changed, before the run waits for something outside; nothing where it is not worth a search. */
  upsert(order: OrderProgress): void {
    const is_usual = usual_changes.some(([from, to]) => from === this.state && to === order.state)
    if (order.attention === this.attention && (order.state === this.state || is_usual)) return
    this.state = order.state
    this.attention = order.attention
    upsertSearchAttributes([
      { key: search_attributes.state, value: order.state },
      { key: search_attributes.attention, value: order.attention },
    ])
  }
}

/** A reader sees these changes anyway: that the run has just begun, and that it has ended. */
const usual_changes: readonly [OrderState, OrderState][] = [
  ['awaiting_payment', 'created'],
  ['paid', 'fulfilled'],
]
