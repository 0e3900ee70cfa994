import { assertPostconditions, timelinePostconditions } from '../postcondition.ts'
import type { Postcondition } from '../postcondition.ts'
import { isOrderResting } from './record.ts'
import type { OrderChange, OrderRecord, OrderState } from './record.ts'

/**
 * Asserts what every change of an order fulfils, before it is written. It looks at what the change itself makes, never
 * at how the order came here: an old record must not be stopped by a rule that is younger. Throws `PostconditionBroken`.
 */
export function assertOrderChange(order: OrderRecord, change: OrderChange): void {
  const { entry } = change
  const is_entering = entry.to !== entry.from
  assertPostconditions(order._id, entry.event, [
    ...timelinePostconditions(order, change),
    ...eventPostconditions(order, change),
    ...paymentPostconditions(order, change),
    ...planPostconditions(order, change),
    ...(is_entering ? (statePostconditions[entry.to]?.(order, change) ?? []) : []),
  ])
}

/** Event numbers have no gap: merchants order what they receive by them. */
function eventPostconditions({ sequence }: OrderRecord, { entry, set }: OrderChange): Postcondition[] {
  const is_published = entry.event_type !== null
  const is_silent_end = entry.to !== entry.from && isOrderResting(entry.to) && !is_published
  return [
    ['an event takes the next number', entry.sequence === (is_published ? sequence + 1 : null)],
    ['the order keeps its last number', set.sequence === sequence + (is_published ? 1 : 0)],
    ['a state that waits for nothing more is published', !is_silent_end],
  ]
}

/** An order names one payment for ever: another transaction is a second payment, which is no part of its record. */
function paymentPostconditions(order: OrderRecord, { set }: OrderChange): Postcondition[] {
  const is_kept = !('payment' in set) || order.payment === null || named(set) === order.payment.transaction_id
  return [['the payment is not replaced', is_kept]]
}

const named = (set: OrderChange['set']) => set.payment?.transaction_id

/** In an open state Weft has something to do; in a resting one only a refund that it owes, or what was planned before. */
function planPostconditions(order: OrderRecord, { entry, set }: OrderChange): Postcondition[] {
  if (entry.to === entry.from) return []
  const { next_action } = set
  const agrees = isOrderResting(entry.to) ? !next_action || next_action.what === 'refund' : next_action !== undefined
  return [[`next_action suits ${entry.to}`, agrees]]
}

const hasPayment = (order: OrderRecord, { set }: OrderChange): Postcondition => [
  'there is a payment',
  named(set) !== undefined || order.payment !== null,
]

/** What holds in the moment of entering a state, whichever edge leads there. */
const statePostconditions: Partial<Record<OrderState, (order: OrderRecord, change: OrderChange) => Postcondition[]>> = {
  awaiting_payment: (_, { set }) => [['there is a code to pay by', Boolean(set.code)]],
  closing: (_, { set }) => [['there is a close_reason', Boolean(set.close_reason)]],
  failed: (_, { set }) => [['there is a failure', Boolean(set.failure)]],
  paid: (order, change) => {
    const { fulfilment } = change.set
    const asks = fulfilment?.result === null && fulfilment.deadline_time !== null
    return [hasPayment(order, change), ['the fulfilment is asked for, with a deadline', asks]]
  },
  fulfilled: (order, change) => [
    hasPayment(order, change),
    ['the fulfilment says so', change.set.fulfilment?.result === 'fulfilled'],
  ],
  review: (order, change) => [
    hasPayment(order, change),
    ['a person is asked to look', change.set.attention !== undefined],
  ],
  refunding: (order, change) => [hasPayment(order, change)],
  refunded: (order, change) => [hasPayment(order, change)],
}
