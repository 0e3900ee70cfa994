import { beijingTime, milliseconds } from '../calendar.ts'
import type { Time } from '../calendar.ts'
import type { OrderOccurrence, OrderRecord, OrderState, OrderStep } from './record.ts'

/** What Weft itself does next, and when: the sweeper starts the run of an order whose moment has passed. */
export function nextOrderAction(
  order: OrderRecord,
  occurrence: OrderOccurrence,
  to: OrderState,
): { what: OrderStep; time: Time } | null {
  if (occurrence.event === 'placed' || occurrence.event === 'code_renewed') {
    return { what: 'ask_wechat', time: occurrence.next_query_time }
  }
  if (to === 'closing') return { what: 'close', time: occurrence.time }
  if (occurrence.event === 'payment_found' || occurrence.event === 'accepted')
    return actionAfterPayment(order, occurrence)
  if (to === 'paid') return { what: 'await_fulfilment', time: nextFulfilmentCheck(order, occurrence) }
  return to === order.state && order.next_action ? order.next_action : null
}

/** An answer that was promised is looked at when half of its time is gone, any other when it is overdue. */
function nextFulfilmentCheck({ fulfilment }: OrderRecord, { event, time }: OrderOccurrence): Time {
  const deadline_time = fulfilment.deadline_time ?? time
  if (event !== 'fulfilment_pending') return deadline_time
  return beijingTime((milliseconds(time) + milliseconds(deadline_time)) / 2)
}

/**
 * Mode `event`: deliver at once. Mode `confirm`: wait until the answer is overdue. Mode `none`: fulfil at once, which is
 * planned as `await_fulfilment` too.
 */
function actionAfterPayment(
  { fulfilment }: OrderRecord,
  { time, deadline_time }: { time: Time; deadline_time: Time },
): { what: OrderStep; time: Time } {
  if (fulfilment.mode === 'event') return { what: 'deliver', time }
  return { what: 'await_fulfilment', time: fulfilment.mode === 'confirm' ? deadline_time : time }
}
