import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { attention_codes } from '../../../domain/attention.ts'
import { applyOrderEvent } from '../../../domain/order/change.ts'
import { assertOrderChange } from '../../../domain/order/postcondition.ts'
import type { OrderChange, OrderOccurrence, OrderRecord } from '../../../domain/order/record.ts'
import { PostconditionBroken } from '../../../domain/postcondition.ts'
import { at, closeAsked, closedAtWeChat, orderSample, paymentFound, placed } from '../../store/samples.ts'

const cause = { time: at(50), actor: { kind: 'weft', id: null } } as const
const renewed = { url: 'weixin://y', placed_time: at(2) }
const failure = { code: 'RULE_LIMIT', message: '', number_taken: false }

/** Each event in each of its forms; those of refunds and second payments name one or the other of two. */
const occurrences: Omit<OrderOccurrence, 'operation_id'>[] = [
  placed(),
  { event: 'code_renewed', ...cause, code: renewed, next_query_time: at(60) },
  { event: 'placement_refused', ...cause, failure },
  ...(['payment_found', 'payment_contradicted', 'payment_refunded_outside', 'late_payment_found'] as const).flatMap(
    (event) => (['refund', 'hold'] as const).map((choice) => ({ ...paymentFound('t1'), event, choice })),
  ),
  closeAsked(),
  closedAtWeChat(),
  ...(['fulfilled', 'fulfilment_pending', 'fulfilment_stopped', 'refunded', 'rejected'] as const).map((event) => ({
    event,
    ...cause,
  })),
  ...(['fulfilment_refused', 'fulfilment_overdue'] as const).flatMap((event) =>
    (['refund', 'hold'] as const).map((choice) => ({ event, ...cause, choice })),
  ),
  { event: 'accepted', ...cause, deadline_time: at(999) },
  ...(['second_payment_found', 'second_accepted', 'second_rejected'] as const).flatMap((event) =>
    ['t2', 't3'].map((transaction_id) => ({ event, ...cause, transaction_id })),
  ),
  { event: 'full_refund_requested', ...cause, out_refund_no: 'R1' },
  ...(['refund_changed', 'refund_closed', 'refund_refused'] as const).flatMap((event) =>
    [{}, { transaction_id: 't2' }, { transaction_id: 't2', is_whole: true }].map((given) => ({
      ...{ event, ...cause, out_refund_no: 'R1', event_type: 'refund.succeeded' as const },
      ...given,
    })),
  ),
] as Omit<OrderOccurrence, 'operation_id'>[]

/** `order` as it is once `change` is written. */
function written(order: OrderRecord, change: OrderChange): OrderRecord {
  const { entry, set, unset } = change
  const next = { ...order, ...set, revision: entry.revision, timeline: [...order.timeline, entry] }
  for (const field of unset) delete next[field]
  return next
}

function changeOf(order: OrderRecord, occurrence: OrderOccurrence): OrderChange {
  const change = applyOrderEvent(order, occurrence)
  if (change === null) throw new Error(`${occurrence.event} is illegal in ${order.state}`)
  return change
}

const created = orderSample('TEA-1')
const awaiting = written(created, changeOf(created, placed()))
const paid = written(awaiting, changeOf(awaiting, paymentFound('t1')))
const op = 'op'

describe('what every change of an order fulfils', () => {
  it('holds after all events, whatever comes in whatever order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom(...occurrences), fc.option(fc.constantFrom(...attention_codes))), {
          maxLength: 24,
        }),
        fc.constantFrom('event' as const, 'confirm' as const, 'none' as const),
        (happened, mode) => {
          let order = orderSample('TEA-1', { fulfilment: { ...created.fulfilment, mode } })
          for (const [index, [occurrence, noted]] of happened.entries()) {
            const change = applyOrderEvent(order, { ...occurrence, operation_id: `op${index}` } as OrderOccurrence)
            if (change !== null) order = written(order, change)
            if (noted !== null) order = { ...order, attention: { code: noted, since_time: at(40) } }
          }
        },
      ),
      { numRuns: 2_000 },
    )
  })

  const fulfilled = changeOf(paid, { event: 'fulfilled', operation_id: op, ...cause })
  const overdue = changeOf(paid, { event: 'fulfilment_overdue', operation_id: op, choice: 'hold', ...cause })
  const found = changeOf(awaiting, paymentFound('t1'))
  const closing = changeOf(awaiting, closeAsked())
  const failed = changeOf(created, { event: 'placement_refused', operation_id: op, failure, ...cause })

  it.each<[string, OrderRecord, OrderChange]>([
    ['the revision grows by one', paid, { ...fulfilled, entry: { ...fulfilled.entry, revision: 9 } }],
    ['the entry leaves the state that holds', awaiting, { ...fulfilled, entry: { ...fulfilled.entry } }],
    ['the state is the one', paid, { ...fulfilled, set: { ...fulfilled.set, state: 'paid' } }],
    ['next_action is either set or taken away', paid, { ...fulfilled, unset: [] }],
    ['attention is either set or taken away', paid, { ...fulfilled, unset: ['next_action'] }],
    ['an event takes the next number', paid, { ...fulfilled, entry: { ...fulfilled.entry, sequence: 7 } }],
    ['the order keeps its last number', paid, { ...fulfilled, set: { ...fulfilled.set, sequence: 1 } }],
    [
      'a state that waits for nothing more is published',
      paid,
      { ...fulfilled, entry: { ...fulfilled.entry, event_type: null, sequence: null } },
    ],
    [
      'the payment is not replaced',
      paid,
      {
        ...fulfilled,
        set: {
          ...fulfilled.set,
          payment: { ...(found.set.payment as never as object), transaction_id: 't9' } as never,
        },
      },
    ],
    [
      'next_action suits paid',
      awaiting,
      { ...found, set: { ...found.set, next_action: undefined as never }, unset: ['next_action', 'attention'] },
    ],
    [
      'next_action suits fulfilled',
      paid,
      {
        ...fulfilled,
        set: { ...fulfilled.set, next_action: { what: 'deliver', time: at(1) } },
        unset: ['attention'],
      },
    ],
    ['there is a payment', { ...paid, payment: null }, fulfilled],
    ['the fulfilment says so', paid, { ...fulfilled, set: { ...fulfilled.set, fulfilment: paid.fulfilment } }],
    ['the fulfilment is asked for', awaiting, { ...found, set: { ...found.set, fulfilment: awaiting.fulfilment } }],
    [
      'a person is asked to look',
      paid,
      { ...overdue, set: { ...overdue.set, attention: undefined as never }, unset: ['next_action', 'attention'] },
    ],
    ['there is a close_reason', awaiting, { ...closing, set: { ...closing.set, close_reason: null } }],
    ['there is a failure', created, { ...failed, set: { ...failed.set, failure: null } }],
    [
      'there is a code to pay by',
      created,
      { ...changeOf(created, placed()), set: { ...changeOf(created, placed()).set, code: null } },
    ],
  ])('refuses a change of which it cannot be said that %s', (says, order, change) => {
    expect(() => assertOrderChange(order, change)).toThrow(PostconditionBroken)
    expect(() => assertOrderChange(order, change)).toThrow(`would leave ${order._id} unsound`)
    expect(() => assertOrderChange(order, change)).toThrow(says)
  })

  it('is asserted by applyOrderEvent itself', () => {
    const event = { event: 'placed', operation_id: op, ...cause, code: null as never, next_query_time: at(31) } as const
    expect(() => applyOrderEvent(created, event)).toThrow(PostconditionBroken)
  })
})
