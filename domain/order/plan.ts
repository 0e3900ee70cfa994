import { beijingTime, milliseconds } from '../calendar.ts'
import type { Time } from '../calendar.ts'
import { askedSequence } from './timeline.ts'
import type { OrderOccurrence, OrderRecord, OrderState, OrderStep } from './record.ts'

/**
 * What Weft itself does next, and when: the sweeper starts the run of an order whose moment has passed. What happens
 * beside the order's own way, as a part refunded or a second payment, leaves the plan as it is: what was still to be
 * done first is still to be done first.
 */
export function nextOrderAction(
  order: OrderRecord,
  occurrence: OrderOccurrence,
  to: OrderState,
): OrderRecord['next_action'] | null {
  const { event, time } = occurrence
  switch (event) {
    case 'placed':
    case 'code_renewed':
      return { what: 'ask_wechat', time: occurrence.next_query_time }
    case 'payment_found':
    case 'accepted':
    case 'payment_restored':
      return actionAfterPayment(order, occurrence)
    case 'fulfilment_stopped':
      return { what: 'deliver', time }
    case 'fulfilment_pending':
      return { what: 'await_fulfilment', time: halfTime(order, time) }
    default:
      if (to === order.state) return order.next_action ?? missingPlan(order, time)
      return to === 'closing' ? { what: 'close', time } : null
  }
}

/** What an order does next in which nothing is planned, by its state alone; null: it rests. */
export function missingPlan(order: OrderRecord, time: Time): { what: OrderStep; time: Time } | null {
  switch (order.state) {
    case 'created':
      return { what: 'place', time }
    case 'awaiting_payment':
      return { what: 'ask_wechat', time }
    case 'closing':
      return { what: 'close', time }
    case 'paid':
      if (askedSequence(order) > 0) return { what: 'deliver', time }
      return { what: 'await_fulfilment', time: order.fulfilment.deadline_time ?? time }
    default:
      return null
  }
}

/** An answer that was promised is looked at when half of its time is gone, and again when it is overdue. */
function halfTime({ fulfilment }: OrderRecord, time: Time): Time {
  return beijingTime((milliseconds(time) + milliseconds(fulfilment.deadline_time ?? time)) / 2)
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
