import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { refund_or_hold } from '../../../domain/merchant/record.ts'
import type { RefundOrHold } from '../../../domain/merchant/record.ts'
import { applyOrderEvent, orderDestination } from '../../../domain/order/change.ts'
import { isOrderResting, open_order_states, order_events, order_states } from '../../../domain/order/record.ts'
import type { OrderEvent, OrderOccurrence, OrderRecord, OrderState } from '../../../domain/order/record.ts'
import { at, orderSample } from '../../store/samples.ts'

/** The table of docs/architecture.md §5, typed out a second time: two independent copies must agree. */
const written: [OrderState[], OrderEvent, OrderState | 'same' | 'policed'][] = [
  [['created'], 'placed', 'awaiting_payment'],
  [['created'], 'placement_refused', 'failed'],
  [['created', 'awaiting_payment', 'closing'], 'payment_found', 'paid'],
  [['created', 'awaiting_payment', 'closing', 'closed', 'failed'], 'payment_contradicted', 'review'],
  [['created', 'awaiting_payment', 'closing', 'closed', 'failed'], 'payment_refunded_outside', 'review'],
  [['created', 'awaiting_payment'], 'close_asked', 'closing'],
  [['awaiting_payment', 'closing'], 'closed_at_wechat', 'closed'],
  [['awaiting_payment'], 'code_renewed', 'same'],
  [['paid', 'review'], 'fulfilled', 'fulfilled'],
  [['paid'], 'fulfilment_pending', 'same'],
  [['paid'], 'fulfilment_refused', 'policed'],
  [['paid'], 'fulfilment_overdue', 'policed'],
  [['paid'], 'full_refund_requested', 'refunding'],
  [['created', 'awaiting_payment', 'closing', 'closed'], 'late_payment_found', 'policed'],
  [['failed'], 'late_payment_found', 'review'],
  [['refunding'], 'refunded', 'refunded'],
  [['review'], 'accepted', 'paid'],
  [['review'], 'rejected', 'refunding'],
  [[...order_states], 'refund_changed', 'same'],
  [[...order_states], 'refund_closed', 'same'],
  [[...order_states], 'refund_refused', 'same'],
  [['refunded'], 'refund_reversed', 'refunding'],
  [[...order_states], 'second_payment_found', 'same'],
  [['paid'], 'fulfilment_stopped', 'same'],
  [[...order_states], 'second_accepted', 'same'],
  [[...order_states], 'second_rejected', 'same'],
  [['paid'], 'payment_denied', 'review'],
  [['fulfilled', 'review', 'refunding', 'refunded'], 'payment_denied', 'same'],
  [['review'], 'payment_restored', 'paid'],
  [['fulfilled', 'review', 'refunding', 'refunded'], 'denial_ended', 'same'],
]

function expected(state: OrderState, event: OrderEvent, choice: RefundOrHold): OrderState | null {
  const row = written.find(([states, name]) => name === event && states.includes(state))
  if (!row) return null
  const [, , to] = row
  if (to === 'same') return state
  return to === 'policed' ? (choice === 'refund' ? 'refunding' : 'review') : to
}

const cause = { operation_id: 'op', time: at(9), actor: { kind: 'weft', id: null } } as const
const payment = {
  transaction_id: '4200001',
  role: 'order',
  success_time: at(5),
  found_by: 'notification',
  found_time: at(6),
  bank_type: null,
} as const

const failure = { code: 'RULE_LIMIT', message: '', number_taken: false }
const found = { ...cause, payment, choice: 'refund', deadline_time: at(999) } as const
const news = { ...cause, out_refund_no: 'R1', event_type: 'refund.succeeded' } as const

/** One occurrence of each event that writes something in this release. */
const occurrences: OrderOccurrence[] = [
  { event: 'placed', ...cause, code: { url: 'weixin://x', placed_time: at(1) }, next_query_time: at(31) },
  { event: 'placement_refused', ...cause, failure: { code: 'RULE_LIMIT', message: '', number_taken: false } },
  { event: 'payment_found', ...cause, payment, choice: 'refund', deadline_time: at(999) },
  { event: 'payment_contradicted', ...cause, payment, choice: 'refund', deadline_time: at(999) },
  { event: 'late_payment_found', ...cause, payment, choice: 'refund', deadline_time: at(999) },
  { event: 'second_payment_found', transaction_id: 'second', ...cause },
  { event: 'close_asked', ...cause, close_reason: 'merchant' },
  { event: 'closed_at_wechat', ...cause },
  { event: 'fulfilled', ...cause },
  { event: 'fulfilment_pending', ...cause },
  { event: 'fulfilment_refused', ...cause, choice: 'refund' },
  { event: 'fulfilment_overdue', ...cause, choice: 'hold' },
]

describe('the order table', () => {
  it('says where every event takes every state, and that all other pairs are illegal', () => {
    for (const state of order_states) {
      for (const event of order_events) {
        for (const choice of refund_or_hold) {
          expect([state, event, orderDestination(state, event, choice)]).toEqual([
            state,
            event,
            expected(state, event, choice),
          ])
        }
      }
    }
  })

  it('lets nothing leave a finished state but money, decisions, and money that came back', () => {
    for (const event of order_events)
      expect([null, 'refunded', ...(event === 'refund_reversed' ? ['refunding'] : [])]).toContain(
        orderDestination('refunded', event, 'refund'),
      )
    expect(open_order_states).toEqual(['created', 'awaiting_payment', 'closing', 'paid'])
    expect(isOrderResting('review')).toBe(true)
  })
})

describe('applying an event', () => {
  it('moves state, revision, sequence and timeline together, whatever comes in whatever order', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...occurrences), { maxLength: 12 }), (happened) => {
        let order: OrderRecord = orderSample('T1')
        for (const [index, occurrence] of happened.entries()) {
          const change = applyOrderEvent(order, { ...occurrence, operation_id: `op${index}` })
          if (change === null) continue
          expect(change.entry.from).toBe(order.state)
          expect(change.entry.to).toBe(change.set.state)
          expect(change.entry.revision).toBe(order.revision + 1)
          const numbered = change.entry.sequence !== null
          expect(numbered).toBe(change.entry.event_type !== null)
          expect(change.set.sequence).toBe(order.sequence + (numbered ? 1 : 0))
          order = {
            ...order,
            ...change.set,
            revision: change.entry.revision,
            timeline: [...order.timeline, change.entry],
          }
        }
        const numbers = order.timeline.flatMap(({ sequence }) => (sequence === null ? [] : [sequence]))
        expect(numbers).toEqual(numbers.map((_, index) => index + 1))
      }),
    )
  })

  it.each<[OrderOccurrence, OrderState, string | null, OrderRecord['fulfilment']['result']?]>([
    [{ event: 'placement_refused', ...cause, failure }, 'created', 'order.failed'],
    [{ event: 'payment_found', ...found }, 'awaiting_payment', 'order.paid', null],
    [{ event: 'payment_contradicted', ...found }, 'awaiting_payment', 'order.review'],
    [{ event: 'payment_refunded_outside', ...found }, 'awaiting_payment', 'order.review'],
    [{ event: 'late_payment_found', ...found }, 'closed', 'order.late_payment'],
    [{ event: 'second_payment_found', transaction_id: 't2', ...cause }, 'paid', 'order.second_payment'],
    [{ event: 'close_asked', close_reason: 'merchant', ...cause }, 'awaiting_payment', null],
    [{ event: 'closed_at_wechat', ...cause }, 'closing', 'order.closed'],
    [{ event: 'fulfilled', ...cause }, 'paid', 'order.fulfilled', 'fulfilled'],
    [{ event: 'fulfilment_pending', ...cause }, 'paid', null, 'pending'],
    [{ event: 'fulfilment_refused', choice: 'refund', ...cause }, 'paid', 'order.refunding', 'refused'],
    [{ event: 'fulfilment_stopped', ...cause }, 'paid', 'order.fulfilment_cancelled'],
    [{ event: 'full_refund_requested', out_refund_no: 'R1', ...cause }, 'paid', 'order.refunding'],
    [{ event: 'refund_changed', ...news }, 'fulfilled', 'refund.succeeded'],
    [{ event: 'refund_reversed', ...news, event_type: 'refund.closed' }, 'refunded', 'refund.closed'],
    [{ event: 'refunded', ...cause }, 'refunding', 'order.refunded'],
    [{ event: 'accepted', deadline_time: at(99), ...cause }, 'review', 'order.paid', null],
    [{ event: 'rejected', ...cause }, 'review', 'order.refunding'],
  ])('tells the merchant what it leads to: %j from %s', (occurrence, state, event_type, result) => {
    const why = { ...occurrence, evidence_id: 'e', reason: 'why' }
    const given = state === 'created' || state === 'awaiting_payment' || state === 'closing' ? {} : { payment }
    const change = applyOrderEvent(orderSample('T1', { state, sequence: 4, ...given }), why)
    expect(change?.entry).toMatchObject({ event_type, sequence: event_type && 5, evidence_id: 'e', reason: 'why' })
    expect(change?.entry.out_refund_no).toBe('out_refund_no' in occurrence ? 'R1' : undefined)
    if (result !== undefined)
      expect(change?.set.fulfilment).toMatchObject({ result, reason: result === null ? null : 'why' })
    if (occurrence.event === 'close_asked') expect(change?.set.close_reason).toBe('merchant')
    if ('payment' in occurrence) expect(change?.set.payment).toEqual(payment)
  })

  it('keeps of a refund’s news which payment it is of, and whether all of that is back', () => {
    const sold = orderSample('T1', { payment, state: 'fulfilled' })
    const told = (given: object) => applyOrderEvent(sold, { event: 'refund_changed', ...news, ...given })?.entry
    expect(told({ transaction_id: 't2', is_whole: true })).toMatchObject({ transaction_id: 't2', is_whole: true })
    expect(told({ is_whole: false })).not.toHaveProperty('is_whole')
    expect(told({})).not.toHaveProperty('transaction_id')
  })

  it('carries at once what it owes: the refund is planned where nothing else is', () => {
    const review = orderSample('T1', { payment, state: 'review', timeline: [entryInto('review')] })
    const rejected = applyOrderEvent(review, { event: 'rejected', ...cause })
    expect(rejected?.set.next_action).toEqual({ what: 'refund', time: at(9) })
    const back = applyOrderEvent(orderSample('T1', { payment, state: 'refunding' }), { event: 'refunded', ...cause })
    expect(back?.unset).toContain('next_action')
  })

  it('knows by WeChat’s answer that a placement is silent no more', () => {
    const silent = { state: 'created', placement: { attempts: 1, unanswered: true, last_attempt_time: at(1) } } as const
    for (const event of ['placed', 'placement_refused'] as const) {
      const answer = occurrences.find((one) => one.event === event)
      const change = answer && applyOrderEvent(orderSample('T1', silent), answer)
      expect(change?.set.placement).toEqual({ attempts: 1, unanswered: false, last_attempt_time: at(1) })
    }
  })

  it('takes a fulfilment out of review only when a missing answer led there', () => {
    const overdue = orderSample('T1', {
      payment,
      state: 'review',
      timeline: [{ ...entryInto('review'), event: 'fulfilment_overdue' }],
    })
    const contradicted = orderSample('T2', {
      payment,
      state: 'review',
      timeline: [{ ...entryInto('review'), event: 'payment_contradicted' }],
    })
    const fulfilled: OrderOccurrence = { event: 'fulfilled', ...cause }
    expect(applyOrderEvent(overdue, fulfilled)?.entry.to).toBe('fulfilled')
    expect(applyOrderEvent(contradicted, fulfilled)).toBeNull()
  })

  it('denies a payment once until that is over, and asks a person in whatever state', () => {
    const denied = { event: 'payment_denied', ...cause } as const
    for (const state of ['fulfilled', 'review', 'refunding', 'refunded'] as const) {
      const order = orderSample('T1', { payment, state, timeline: [entryInto(state)] })
      const change = applyOrderEvent(order, denied)
      expect(change?.entry).toMatchObject({ from: state, to: state, event_type: null })
      expect(change?.set.attention).toMatchObject({ code: 'phantom_payment' })
      const after = { ...order, ...change?.set, timeline: [...order.timeline, change?.entry ?? entryInto(state)] }
      expect(applyOrderEvent(after, denied)).toBeNull()
      expect(applyOrderEvent(after, { event: 'payment_restored', ...cause, deadline_time: at(99) })).toBeNull()
      const ended = applyOrderEvent(after, { event: 'denial_ended', ...cause })
      expect([ended?.entry.to, ended?.unset.includes('attention')]).toEqual([state, true])
      expect(applyOrderEvent(order, { event: 'denial_ended', ...cause })).toBeNull()
    }
    expect(applyOrderEvent(orderSample('T1', { state: 'closed' }), denied)).toBeNull()
  })

  it('takes a denied sale into review, and out of it by its money, a person, or a merchant who had shipped', () => {
    const paid = orderSample('T1', { payment, state: 'paid', timeline: [entryInto('paid')], sequence: 1 })
    const change = applyOrderEvent(paid, { event: 'payment_denied', ...cause })
    expect(change?.entry).toMatchObject({ to: 'review', event_type: 'order.review', sequence: 2 })
    expect(change?.set.attention).toMatchObject({ code: 'phantom_payment' })
    const denied = { ...paid, ...change?.set, timeline: [...paid.timeline, change?.entry ?? entryInto('review')] }
    expect(applyOrderEvent(denied, { event: 'denial_ended', ...cause }), 'nothing but these').toBeNull()
    const restored = applyOrderEvent(denied, { event: 'payment_restored', ...cause, deadline_time: at(99) })
    expect(restored?.entry).toMatchObject({ to: 'paid', event_type: 'order.paid', sequence: 3 })
    expect([restored?.set.next_action !== undefined, restored?.unset]).toEqual([true, ['attention']])
    const shipped = applyOrderEvent(denied, { event: 'fulfilled', ...cause })
    expect([shipped?.entry.to, shipped?.set.attention?.code]).toEqual(['fulfilled', 'phantom_payment'])
    for (const event of ['accepted', 'rejected'] as const)
      expect(applyOrderEvent(denied, { event, ...cause, deadline_time: at(99) })?.unset).toContain('attention')
  })

  it('keeps what money waits behind, whatever comes after, until a person has decided', () => {
    const paid = orderSample('T1', { payment, state: 'paid', attention: { code: 'second_payment', since_time: at(1) } })
    for (const event of ['fulfilled', 'fulfilment_pending'] as const) {
      const change = applyOrderEvent(paid, { event, ...cause })
      expect(change?.set.attention).toEqual({ code: 'second_payment', since_time: at(1) })
      expect(change?.unset).not.toContain('attention')
    }
    const overdue = applyOrderEvent(paid, { event: 'fulfilment_overdue', ...cause, choice: 'hold' })
    expect(overdue?.set.attention?.code).toBe('second_payment')
    const outside = { code: 'refunded_outside', since_time: at(1) } as const
    const known = { event: 'refund_changed', out_refund_no: 'R1', event_type: null, ...cause } as const
    const sold = orderSample('T3', { payment, state: 'fulfilled', attention: outside })
    expect(applyOrderEvent(sold, known)?.unset).toContain('attention')
    const undecided = orderSample('T4', { payment, state: 'review', attention: outside })
    expect(applyOrderEvent(undecided, known)?.set.attention).toEqual(outside)
    const held = orderSample('T2', {
      payment,
      state: 'review',
      attention: { code: 'payment_contradicted', since_time: at(1) },
    })
    expect(applyOrderEvent(held, { event: 'accepted', ...cause, deadline_time: at(99) })?.unset).toContain('attention')
  })

  it('decides a second payment once, and only one that was found', () => {
    const found = { ...entryInto('paid'), event: 'second_payment_found' as const, transaction_id: 'second' }
    const order = orderSample('T1', { payment, state: 'fulfilled', timeline: [found] })
    for (const event of ['second_accepted', 'second_rejected'] as const) {
      expect(applyOrderEvent(order, { event, transaction_id: 'other', ...cause })).toBeNull()
      const change = applyOrderEvent(order, { event, transaction_id: 'second', ...cause })
      expect(change?.entry).toMatchObject({ to: 'fulfilled', transaction_id: 'second', sequence: null })
      const decided = { ...order, timeline: [found, change?.entry ?? found] }
      expect(applyOrderEvent(decided, { event: 'second_accepted', transaction_id: 'second', ...cause })).toBeNull()
    }
  })

  it('withdraws a question once in each time in paid', () => {
    const paid = { ...entryInto('paid'), from: 'created' as const }
    const stopped = { ...entryInto('paid'), event: 'fulfilment_stopped' as const, sequence: 2 }
    const again = { ...entryInto('paid'), from: 'review' as const, sequence: 3 }
    const stop = (...timeline: OrderRecord['timeline']) =>
      applyOrderEvent(orderSample('T1', { payment, state: 'paid', timeline }), {
        event: 'fulfilment_stopped',
        ...cause,
      })
    expect(stop(paid)?.entry.to).toBe('paid')
    expect(stop(paid, stopped)).toBeNull()
    expect(stop(paid, stopped, again)?.entry.to).toBe('paid')
  })

  it.each(['accepted', 'rejected', 'refunded'] as const)(
    'still wants a person for a second payment after %s',
    (event) => {
      const found = { ...entryInto('review'), event: 'second_payment_found' as const, transaction_id: 'second' }
      const state = event === 'refunded' ? 'refunding' : 'review'
      const attention = { code: 'second_payment', since_time: at(1) } as const
      const order = orderSample('T1', { payment, state, timeline: [found], attention })
      const change = applyOrderEvent(order, { event, ...cause, deadline_time: at(99) })
      expect(change?.set.attention?.code).toBe('second_payment')
      expect(applyOrderEvent({ ...order, timeline: [] }, { event, ...cause, deadline_time: at(99) })?.unset).toContain(
        'attention',
      )
    },
  )

  it('leaves a reason that is not about money behind with the state it belonged to', () => {
    const silent = orderSample('T1', { state: 'created', attention: { code: 'not_placed', since_time: at(1) } })
    const placed = occurrences.find(({ event }) => event === 'placed')
    expect(placed && applyOrderEvent(silent, placed)?.unset).toContain('attention')
  })

  it.each([
    ['fulfilment_refused', 'refund', 'refunding', 'order.refunding'],
    ['fulfilment_refused', 'hold', 'review', 'order.review'],
    ['fulfilment_overdue', 'refund', 'refunding', 'order.refunding'],
    ['fulfilment_overdue', 'hold', 'review', 'order.review'],
  ] as const)('tells %s with choice %s by what it leads to', (event, choice, to, event_type) => {
    const change = applyOrderEvent(orderSample('T1', { payment, state: 'paid' }), { event, ...cause, choice })
    expect(change?.entry).toMatchObject({ to, event_type })
  })

  it('asks for a new answer, in a new time, when a person accepts the money', () => {
    const held = orderSample('T1', {
      payment,
      state: 'review',
      fulfilment: { mode: 'event', result: 'refused', reason: 'no', deadline_time: at(1) },
    })
    const change = applyOrderEvent(held, { event: 'accepted', ...cause, deadline_time: at(99) })
    expect(change?.set.fulfilment).toEqual({ mode: 'event', result: null, reason: null, deadline_time: at(99) })
    expect(change?.entry).toMatchObject({ to: 'paid', event_type: 'order.paid', sequence: 1 })
  })

  it('plans to look at a promised answer when half of its time is gone, and leaves the plan to what happens beside it', () => {
    const fulfilment = { mode: 'event', result: null, reason: null, deadline_time: at(1_000) } as const
    const next_action = { what: 'deliver', time: at(90) } as const
    const paid = orderSample('T1', { payment, state: 'paid', sequence: 1, fulfilment, next_action })
    const promised = applyOrderEvent(paid, { event: 'fulfilment_pending', ...cause, time: at(100) })
    expect(promised?.set.next_action).toEqual({ what: 'await_fulfilment', time: at(550) })
    const second = { event: 'second_payment_found', transaction_id: 'second', ...cause, time: at(100) } as const
    expect(applyOrderEvent(paid, second)?.set.next_action).toEqual(next_action)
    const { next_action: _, ...unplanned } = paid
    const overdue = { what: 'await_fulfilment', time: at(1_000) }
    expect(applyOrderEvent(unplanned, second)?.set.next_action).toEqual(overdue)
  })

  it('plans nothing for an order that rests, and names why a person should look at money without a home', () => {
    const closed = orderSample('T1', { state: 'closed' })
    const late = applyOrderEvent(closed, {
      event: 'late_payment_found',
      ...cause,
      payment,
      choice: 'hold',
      deadline_time: at(1),
    })
    expect(late?.set.attention?.code).toBe('late_payment_held')
    expect(late?.unset).toContain('next_action')
  })
})

function entryInto(to: OrderState) {
  return {
    revision: 1,
    operation_id: 'x',
    event: 'payment_found' as OrderEvent,
    from: 'paid' as OrderState,
    to,
    time: at(1),
    actor: { kind: 'weft' as const, id: null },
    evidence_id: null,
    reason: null,
    sequence: 1,
    event_type: 'order.review' as const,
  }
}
