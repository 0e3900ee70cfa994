import { setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow'
import { search_attributes } from '../domain/messages.ts'
import type { OrderProgress } from '../domain/messages.ts'
import { readableAmount } from '../domain/money.ts'
import type { OrderState } from '../domain/order.ts'

/** One sentence per state, for someone who has never seen the code. */
const sentences: Record<OrderState, string> = {
  created: 'Being placed at WeChat Pay. The same request is sent again until WeChat answers.',
  awaiting_payment: 'Waiting for the payer. A notification ends the wait; without one Weft asks WeChat by plan.',
  closing: 'Being closed. Only WeChat’s answer to a query closes it; a payment found meanwhile wins.',
  paid: 'Paid and booked. The merchant is told, and its answer is the fulfilment.',
  fulfilled: 'Done: paid, and the merchant has fulfilled.',
  closed: 'Closed at WeChat without a payment. Money that still arrives starts this order again.',
  failed: 'WeChat refused the order. Nothing can be paid on it.',
  review: 'A person must decide. Nothing is shipped or refunded until then.',
  refunding: 'Money is owed to the payer.',
  refunded: 'The payer has the money back.',
}

const next_steps: Record<string, string> = {
  place: 'place the order at WeChat',
  ask_wechat: 'ask WeChat whether it was paid',
  close: 'close the order at WeChat',
  deliver: 'tell the merchant',
  await_fulfilment: 'wait for the merchant’s answer',
  refund: 'refund',
}

/** What Temporal UI shows of an order at this moment. Costs no event: it is read by a query. */
export function showProgress(order: OrderProgress): void {
  setCurrentDetails(progressText(order))
}

export function progressText(order: OrderProgress): string {
  const lines = [`**${order.state}** · ${readableAmount(order.amount)}`, '', sentences[order.state], '']
  // First what a hurried reader looks for: the UI shows few lines without scrolling.
  if (order.attention) lines.push(`- **attention: ${order.attention}**`)
  if (order.next_action)
    lines.push(`- next: ${next_steps[order.next_action.what] ?? order.next_action.what}, ${order.next_action.time}`)
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

/**
 * Search attributes follow major changes only, since each upsert is an event in history: a start says
 * `awaiting_payment`, and `fulfilled` after `paid` is told by the run's completion.
 */
export class Attributes {
  private state: OrderState = 'awaiting_payment'
  private attention: string | null = null

  /** Called before the run waits for something outside; does nothing while nothing worth a search has changed. */
  follow(order: OrderProgress): void {
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

/** Changes that a reader sees anyway: from the run having just begun, and from it having ended. */
const usual_changes: readonly [OrderState, OrderState][] = [
  ['awaiting_payment', 'created'],
  ['paid', 'fulfilled'],
]
