import { describe, expect, it } from 'vitest'
import { missingPlan, nextOrderAction } from '../../../domain/order/plan.ts'
import { order_events, order_states } from '../../../domain/order/record.ts'
import type { OrderEvent, OrderPayment, OrderRecord, OrderState, TimelineEntry } from '../../../domain/order/record.ts'
import { openAttentions, openReviews } from '../../../domain/order/review.ts'
import {
  askedSequence,
  isMoneyMoving,
  owedTransactions,
  paidSequence,
  paymentDenial,
  stoppedSequence,
  undecidedSecondPayments,
} from '../../../domain/order/timeline.ts'
import { at, orderSample, paymentFound } from '../../store/samples.ts'

const payment: OrderPayment = {
  transaction_id: 't1',
  role: 'order',
  success_time: at(5),
  found_by: 'query',
  found_time: at(6),
  bank_type: null,
}

/** An entry of the timeline, at so many seconds as it has of revision. */
function entry(revision: number, event: OrderEvent, given: Partial<TimelineEntry> = {}): TimelineEntry {
  return {
    ...{ revision, operation_id: `op${revision}`, event, from: 'paid', to: 'paid', time: at(revision) },
    ...{ actor: { kind: 'weft', id: null }, evidence_id: null, reason: null, sequence: null, event_type: null },
    ...given,
  }
}
const paid = (revision: number, sequence: number, from: OrderState = 'awaiting_payment') =>
  entry(revision, 'payment_found', { from, to: 'paid', sequence })
const stopped = (revision: number, sequence: number) => entry(revision, 'fulfilment_stopped', { sequence })

const order = (state: OrderState, timeline: TimelineEntry[], given: Partial<OrderRecord> = {}) =>
  orderSample('TEA-1', { state, timeline, payment, ...given })
const asking = (mode: 'event' | 'confirm' | 'none', result: 'pending' | null = null) => ({
  fulfilment: { mode, result, reason: null, deadline_time: at(999) },
})

describe('the question that an order asks its shop', () => {
  it('is its last entry into paid, until that is taken back', () => {
    const once = order('paid', [paid(1, 1)], asking('event'))
    expect([paidSequence(once), stoppedSequence(once), askedSequence(once)]).toEqual([1, 0, 1])
    const taken_back = order('paid', [paid(1, 1), stopped(2, 2)], asking('event'))
    expect([paidSequence(taken_back), stoppedSequence(taken_back), askedSequence(taken_back)]).toEqual([1, 2, 2])
    const anew = order('paid', [paid(1, 1), stopped(2, 2), paid(3, 3, 'review')], asking('event'))
    expect([paidSequence(anew), stoppedSequence(anew), askedSequence(anew)]).toEqual([3, 0, 3])
  })

  it('is none where it is paid by nobody, asks by no event, or was promised an answer', () => {
    expect(paidSequence(order('created', []))).toBe(0)
    expect(
      paidSequence(order('fulfilled', [paid(1, 1), entry(2, 'fulfilled', { to: 'fulfilled', sequence: 2 })])),
    ).toBe(1)
    for (const mode of ['confirm', 'none'] as const)
      expect(askedSequence(order('paid', [paid(1, 1)], asking(mode)))).toBe(0)
    expect(askedSequence(order('paid', [paid(1, 1)], asking('event', 'pending')))).toBe(0)
    expect(askedSequence(order('paid', [paid(1, 1), stopped(2, 2)], asking('event', 'pending')))).toBe(2)
    for (const state of order_states.filter((one) => one !== 'paid'))
      expect([state, askedSequence(order(state, [paid(1, 1)], asking('event')))]).toEqual([state, 0])
  })
})

describe('what an order owes the payer', () => {
  it('is its own payment while that is given back, and every second one that was rejected', () => {
    const rejected = entry(2, 'second_rejected', { transaction_id: 't2' })
    const accepted = entry(3, 'second_accepted', { transaction_id: 't3' })
    for (const state of order_states) {
      const own = state === 'refunding' ? ['t1'] : []
      expect([state, ...owedTransactions(order(state, [rejected, accepted]))]).toEqual([state, ...own, 't2'])
    }
    expect(owedTransactions(order('refunding', [], { payment: null }))).toEqual([])
  })

  it('is brought about by a decision on money, and by what leads into refunding', () => {
    for (const event of order_events) {
      const decides = event === 'accepted' || event === 'second_accepted' || event === 'second_rejected'
      expect([event, isMoneyMoving({ event, from: 'paid', to: 'paid' })]).toEqual([event, decides])
      expect(isMoneyMoving({ event, from: 'paid', to: 'refunding' })).toBe(true)
      expect([event, isMoneyMoving({ event, from: 'refunding', to: 'refunding' })]).toEqual([event, decides])
    }
  })
})

describe('what an order still asks a person', () => {
  const reviews = (...given: Parameters<typeof order>) =>
    openReviews(order(...given)).map(({ code, transaction_id, since_time }) => [code, transaction_id, since_time])
  const into = (event: OrderEvent) => entry(1, event, { from: 'paid', to: 'review' })

  it.each([
    ['payment_contradicted', 'payment_contradicted'],
    ['payment_refunded_outside', 'refunded_outside'],
    ['late_payment_found', 'late_payment_held'],
    ['fulfilment_overdue', 'fulfilment_overdue'],
    ['fulfilment_refused', 'fulfilment_overdue'],
  ] as const)('is what brought it into review: %s', (event, code) => {
    expect(reviews('review', [into(event)])).toEqual([[code, 't1', at(1)]])
    expect(reviews('review', [into(event)], { payment: null })).toEqual([[code, null, at(1)]])
    expect(reviews('paid', [into(event), paid(2, 2, 'review')]), 'decided').toEqual([])
  })

  it('is each second payment that nobody has decided', () => {
    const found = (revision: number, transaction_id: string) =>
      entry(revision, 'second_payment_found', { transaction_id })
    const timeline = [
      found(1, 't2'),
      found(2, 't3'),
      entry(3, 'second_accepted', { transaction_id: 't2' }),
      found(4, 't4'),
    ]
    expect(undecidedSecondPayments({ timeline })).toEqual(['t3', 't4'])
    expect(reviews('fulfilled', timeline)).toEqual([
      ['second_payment', 't3', at(2)],
      ['second_payment', 't4', at(4)],
    ])
  })

  it('is WeChat’s denial of its payment, until that is over', () => {
    const denied = entry(1, 'payment_denied')
    expect(paymentDenial({ timeline: [denied] })).toEqual(denied)
    expect(reviews('fulfilled', [denied])).toEqual([['phantom_payment', 't1', at(1)]])
    for (const event of ['accepted', 'rejected', 'payment_restored', 'denial_ended'] as const)
      expect(reviews('fulfilled', [denied, entry(2, event)])).toEqual([])
    expect(reviews('fulfilled', [denied, entry(2, 'denial_ended'), entry(3, 'payment_denied')])).toHaveLength(1)
  })

  describe('of money that is owed and whose refund ended without the payer having it', () => {
    const news = (revision: number, event: OrderEvent, given: Partial<TimelineEntry> = {}) =>
      entry(revision, event, { out_refund_no: 'R1', ...given })
    const setback = (...timeline: TimelineEntry[]) => reviews('refunding', timeline)

    it.each([
      ['refund_closed', {}, 'refund_closed'],
      ['refund_refused', {}, 'refund_refused'],
      ['refund_reversed', { event_type: 'refund.closed' }, 'refund_closed'],
    ] as const)('is that: %s', (event, given, code) => {
      expect(setback(news(1, event, given))).toEqual([[code, 't1', at(1)]])
      expect(reviews('fulfilled', [news(1, event, given)]), 'nothing is owed').toEqual([])
    })

    it('is nothing of a refund that is still under way, or was sent back to be made again', () => {
      expect(setback(news(1, 'refund_changed', { event_type: 'refund.abnormal' }))).toEqual([])
      expect(setback(news(1, 'refund_reversed', { event_type: 'refund.abnormal' }))).toEqual([])
      expect(setback(entry(1, 'refund_closed')), 'of no refund').toEqual([])
    })

    it('is the last of them, and none once the payer has all of it', () => {
      const [closed, refused] = [news(1, 'refund_closed'), news(2, 'refund_refused')]
      expect(setback(closed, refused)).toEqual([['refund_refused', 't1', at(2)]])
      const whole = news(3, 'refund_changed', { is_whole: true })
      expect(setback(closed, refused, whole)).toEqual([])
      expect(setback(closed, whole, news(4, 'refund_reversed', { event_type: 'refund.closed' }))).toEqual([
        ['refund_closed', 't1', at(4)],
      ])
    })

    it('is asked of each payment by itself', () => {
      const rejected = entry(1, 'second_rejected', { transaction_id: 't2' })
      const of_second = news(2, 'refund_closed', { transaction_id: 't2' })
      expect(setback(rejected, of_second)).toEqual([['refund_closed', 't2', at(2)]])
      expect(setback(rejected, of_second, news(3, 'refund_changed', { is_whole: true }))).toHaveLength(1)
      expect(setback(rejected, news(2, 'refund_closed'))).toEqual([['refund_closed', 't1', at(2)]])
    })
  })

  it('is told with the reason that stands beside it, once', () => {
    const timeline = [into('late_payment_found')]
    const late = { code: 'late_payment_held', since_time: at(1), transaction_id: 't1' }
    const beside = (attention?: OrderRecord['attention'], given: Partial<OrderRecord> = {}) =>
      openAttentions(order('review', timeline, { ...(attention && { attention }), ...given }))
    expect(beside()).toEqual([late])
    expect(beside({ code: 'late_payment_held', since_time: at(9) })).toEqual([late])
    const failing = { code: 'delivery_failing', since_time: at(9) } as const
    expect(beside(failing)).toEqual([{ ...failing, transaction_id: 't1' }, late])
    expect(beside(failing, { payment: null })[0]).toEqual({ ...failing, transaction_id: null })
  })
})

describe('what an order does next', () => {
  it('is known from its state alone where nothing is planned', () => {
    const plan = (state: OrderState, given: Partial<OrderRecord> = {}) =>
      missingPlan(order(state, [paid(1, 1)], { ...asking('event'), ...given }), at(50))
    expect(Object.fromEntries(order_states.map((state) => [state, plan(state)?.what ?? null]))).toEqual({
      ...{ created: 'place', awaiting_payment: 'ask_wechat', closing: 'close', paid: 'deliver' },
      ...{ fulfilled: null, closed: null, failed: null, review: null, refunding: null, refunded: null },
    })
    expect(plan('closing')?.time).toBe(at(50))
    expect(plan('paid', asking('confirm'))).toEqual({ what: 'await_fulfilment', time: at(999) })
    const { fulfilment } = asking('confirm')
    const undated = { fulfilment: { ...fulfilment, deadline_time: null } }
    expect(plan('paid', undated)).toEqual({ what: 'await_fulfilment', time: at(50) })
  })

  const cause = { operation_id: 'op', time: at(50), actor: { kind: 'weft', id: null } } as const

  it.each([
    ['event', { what: 'deliver', time: at(20) }],
    ['confirm', { what: 'await_fulfilment', time: at(172_820) }],
    ['none', { what: 'await_fulfilment', time: at(20) }],
  ] as const)('once it is paid follows from how it is fulfilled: %s', (mode, next_action) => {
    const waiting = order('awaiting_payment', [], { ...asking(mode), payment: null })
    expect(nextOrderAction(waiting, paymentFound('t1'), 'paid')).toEqual(next_action)
    for (const event of ['accepted', 'payment_restored'] as const) {
      const again = { event, ...cause, time: at(20), deadline_time: at(172_820) }
      expect(nextOrderAction(order('review', [], asking(mode)), again, 'paid')).toEqual(next_action)
    }
  })

  it('is a question to WeChat once it has a code, and the close once that is wished', () => {
    const code = { url: 'weixin://1', placed_time: at(50) }
    for (const event of ['placed', 'code_renewed'] as const) {
      const given = { event, ...cause, code, next_query_time: at(80) }
      expect(nextOrderAction(order('created', []), given, 'awaiting_payment')).toEqual({
        ...{ what: 'ask_wechat', time: at(80) },
      })
    }
    const close = { event: 'close_asked', ...cause, close_reason: 'merchant' } as const
    expect(nextOrderAction(order('awaiting_payment', []), close, 'closing')).toEqual({ what: 'close', time: at(50) })
    expect(nextOrderAction(order('closing', []), { event: 'closed_at_wechat', ...cause }, 'closed')).toBeNull()
  })
})
