import { setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow'
import { flawTexts } from '../domain/bill/flaw.ts'
import type { ClassCounts, DaySums, ReconciliationRecord, ReconciliationState } from '../domain/bill/reconciliation.ts'
import { search_attributes } from '../domain/messages.ts'
import type { OrderProgress, RefundProgress } from '../domain/messages.ts'
import { readableAmount } from '../domain/money.ts'
import type { OrderState } from '../domain/order/record.ts'
import type { RefundState } from '../domain/refund/record.ts'

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

const next_action_texts: Record<string, string> = {
  place: 'place the order at WeChat',
  ask_wechat: 'ask WeChat whether it was paid',
  close: 'close the order at WeChat',
  deliver: 'tell the merchant',
  await_fulfilment: 'wait for the merchant’s answer',
  refund: 'refund',
}

/** Tells Temporal UI what to show of an order now. It costs no event, since a query reads it. */
export function showOrder(order: OrderProgress): void {
  setCurrentDetails(orderDetails(order))
}

export function orderDetails(order: OrderProgress): string {
  const lines = [`**${order.state}** · ${readableAmount(order.amount)}`, '', order_sentences[order.state], '']
  // What a hurried reader looks for comes first, since the UI shows few lines without scrolling.
  if (order.attention) lines.push(`- **attention: ${order.attention}**`)
  if (order.next_action)
    lines.push(
      `- next: ${next_action_texts[order.next_action.what] ?? order.next_action.what}, ${order.next_action.time}`,
    )
  lines.push(
    `- order \`${order.out_trade_no}\` of merchant \`${order.mchid}\``,
    `- created ${order.create_time}, can be paid until ${order.time_expire}`,
  )
  if (order.payment) {
    lines.push(
      `- payment \`${order.payment.transaction_id}\`, role ${order.payment.role}, found by ${order.payment.found_by}`,
    )
  }
  if (order.state === 'paid')
    lines.push(`- fulfilment: mode ${order.fulfilment.mode}, answer ${order.fulfilment.result ?? 'none yet'}`)
  if (order.fulfilment.deadline_time) lines.push(`- fulfilment overdue at ${order.fulfilment.deadline_time}`)
  if (order.close_reason) lines.push(`- close reason: ${order.close_reason}`)
  return lines.join('\n')
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

/** Tells Temporal UI what to show of a refund now. */
export function showRefund(refund: RefundProgress): void {
  const { refund: fen, total, currency } = refund.amount
  const money = `${readableAmount({ total: fen, currency })} of ${readableAmount({ total, currency })}`
  const lines = [`**${refund.state}** · ${money}`, '', refund_sentences[refund.state], '']
  if (refund.attention) lines.push(`- **attention: ${refund.attention}**`)
  if (refund.next_action) lines.push(`- next: ${refund.next_action.what}, ${refund.next_action.time}`)
  lines.push(
    `- refund \`${refund.out_refund_no}\` of order \`${refund.out_trade_no}\`, merchant \`${refund.mchid}\``,
    `- payment \`${refund.transaction_id}\`, origin ${refund.origin}`,
  )
  setCurrentDetails(lines.join('\n'))
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
