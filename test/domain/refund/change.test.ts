import { describe, expect, it } from 'vitest'
import {
  applyRefundEvent,
  entriesForOrder,
  isSignalledToOrder,
  missingRefundPlan,
  publishedRefundType,
  refundDestination,
} from '../../../domain/refund/change.ts'
import { isOvertaken, newRefund, refund_events, refund_origins, refund_states } from '../../../domain/refund/record.ts'
import type {
  RefundChange,
  RefundEvent,
  RefundOccurrence,
  RefundOrigin,
  RefundRecord,
  RefundState,
} from '../../../domain/refund/record.ts'
import { at, paymentSample } from '../../store/samples.ts'

/** The table of docs/architecture.md §8, typed out a second time: two independent copies must agree. */
const written: [RefundState[], RefundEvent, RefundState | 'same' | 'by_approval'][] = [
  [['created'], 'reserved', 'by_approval'],
  [['created'], 'not_reserved', 'refused'],
  [['awaiting_approval'], 'approved', 'processing'],
  [['awaiting_approval'], 'rejected', 'rejected'],
  [['awaiting_approval'], 'approval_expired', 'rejected'],
  [['processing', 'refused'], 'accepted', 'processing'],
  [['processing', 'succeeded'], 'abnormal', 'abnormal'],
  [['processing'], 'refused', 'refused'],
  [['abnormal'], 'resumed', 'processing'],
  [['processing', 'abnormal'], 'succeeded', 'succeeded'],
  [['processing', 'abnormal', 'succeeded'], 'closed', 'closed'],
  [['processing', 'abnormal', 'succeeded'], 'returned_to_merchant', 'returned_to_merchant'],
  [['closed', 'refused', 'returned_to_merchant'], 'paid_out', 'same'],
]

function expected(state: RefundState, event: RefundEvent, needs_approval: boolean): RefundState | null {
  const to = written.find(([states, name]) => name === event && states.includes(state))?.[2] ?? null
  if (to === 'same') return state
  return to === 'by_approval' ? (needs_approval ? 'awaiting_approval' : 'processing') : to
}

describe('the refund table', () => {
  it('says where every event takes every state, and that all other pairs are illegal', () => {
    for (const state of refund_states) {
      for (const event of refund_events) {
        for (const needs_approval of [true, false]) {
          const to = refundDestination(state, event, needs_approval)
          expect([state, event, needs_approval, to]).toEqual([
            state,
            event,
            needs_approval,
            expected(state, event, needs_approval),
          ])
        }
      }
    }
  })
})

const actor = { kind: 'weft', id: null } as const
const cause = { operation_id: 'op', time: at(50), actor } as const
const failure = { code: 'TRADE_OVERDUE', message: 'too old' }
const facts = {
  ...{ refund_id: 'w-1', channel: null, user_received_account: null, accepted_time: at(50) },
  ...{ success_time: null, payer_refund: null, settlement_refund: 980 },
}
const payout = { proof: 'slip 7', reason: '', by: actor, time: at(50) }
const frozen = { path: '/v3/refund/domestic/refunds', body: '{}' }
const amount = { refund: 600, total: 990, currency: 'CNY' }
const reserved: RefundOccurrence = {
  ...({ event: 'reserved', ...cause } as const),
  ...{ amount, is_full: false, wechat_request: frozen, approval_expire_time: null },
}
const waiting: RefundOccurrence = { ...reserved, approval_expire_time: at(999) }

/** One occurrence of each event, and from which states it is told here. */
const occurrences: Record<RefundEvent, RefundOccurrence> = {
  reserved,
  not_reserved: { event: 'not_reserved', ...cause, failure },
  approved: { event: 'approved', ...cause, is_full: true },
  rejected: { event: 'rejected', ...cause, reason: 'no' },
  approval_expired: { event: 'approval_expired', ...cause },
  accepted: { event: 'accepted', ...cause, facts, next_query_time: at(110) },
  resumed: { event: 'resumed', ...cause, facts, next_query_time: at(110) },
  succeeded: { event: 'succeeded', ...cause, facts },
  abnormal: { event: 'abnormal', ...cause, facts },
  closed: { event: 'closed', ...cause, facts },
  refused: { event: 'refused', ...cause, failure },
  returned_to_merchant: { event: 'returned_to_merchant', ...cause, facts },
  paid_out: { event: 'paid_out', ...cause, payout },
}

function refundIn(state: RefundState, given: Partial<RefundRecord> = {}): RefundRecord {
  const draft = { out_refund_no: 'R1', origin: 'api', requested_by: actor, notify_url: 'http://localhost' } as const
  const made = newRefund(paymentSample('t1'), { ...draft, is_full: false, create_time: at(40), amount: 600 })
  return { ...made, state, ...given }
}

function changeOf(state: RefundState, event: RefundEvent, given: Partial<RefundRecord> = {}): RefundChange {
  const change = applyRefundEvent(refundIn(state, given), occurrences[event])
  if (change === null) throw new Error(`${event} is illegal in ${state}`)
  return change
}

/** A state from which each event is legal. */
const before: Record<RefundEvent, RefundState> = {
  ...{ reserved: 'created', not_reserved: 'created' },
  ...{ approved: 'awaiting_approval', rejected: 'awaiting_approval', approval_expired: 'awaiting_approval' },
  ...{ accepted: 'processing', resumed: 'abnormal', succeeded: 'processing', abnormal: 'processing' },
  ...{ closed: 'processing', refused: 'processing', returned_to_merchant: 'processing', paid_out: 'closed' },
}
const automatic: RefundOrigin[] = [
  'late_payment',
  'second_payment',
  'fulfilment_refused',
  'fulfilment_overdue',
  'review_rejected',
]

describe('an event of a refund', () => {
  it.each(refund_events)('%s is written with who, when and why', (event) => {
    const { entry } = changeOf(before[event], event, { revision: 4 })
    expect(entry).toMatchObject({ revision: 5, operation_id: 'op', event, from: before[event], time: at(50), actor })
    expect([entry.evidence_id, entry.reason]).toEqual([null, event === 'rejected' ? 'no' : null])
    const told = { ...occurrences[event], evidence_id: 'e', reason: 'why' }
    expect(applyRefundEvent(refundIn(before[event]), told)?.entry).toMatchObject({ evidence_id: 'e', reason: 'why' })
  })

  it('freezes the request and the amount with the reservation, and what is waited for', () => {
    const { set } = changeOf('created', 'reserved')
    expect(set).toMatchObject({ amount, is_full: false, wechat_request: frozen, approval: null, state: 'processing' })
    const approval = { expire_time: at(999), decision: null, by: null, reason: null }
    expect(applyRefundEvent(refundIn('created'), waiting)?.set).toMatchObject({ approval, state: 'awaiting_approval' })
  })

  it('keeps a second person’s decision', () => {
    const approval = { expire_time: at(999), decision: null, by: null, reason: null }
    const decided = (event: 'approved' | 'rejected') => changeOf('awaiting_approval', event, { approval }).set
    expect(decided('approved')).toMatchObject({
      approval: { expire_time: at(999), decision: 'approve', by: actor, reason: null },
      is_full: true,
    })
    expect(decided('rejected').approval).toEqual({ expire_time: at(999), decision: 'reject', by: actor, reason: 'no' })
    expect(decided('rejected')).not.toHaveProperty('is_full')
    const expired = changeOf('awaiting_approval', 'approval_expired', { approval }).set
    expect([expired.close_reason, expired.approval]).toEqual(['approval_expired', undefined])
  })

  it('keeps why it failed, until WeChat takes it after all', () => {
    expect(changeOf('created', 'not_reserved').set.failure).toEqual(failure)
    expect(changeOf('processing', 'refused').set.failure).toEqual(failure)
    expect(changeOf('refused', 'accepted', { failure }).set.failure).toBeNull()
    for (const event of ['succeeded', 'abnormal', 'closed', 'returned_to_merchant'] as const)
      expect(changeOf('processing', event).set).not.toHaveProperty('failure')
  })

  it.each(['accepted', 'resumed', 'succeeded', 'abnormal', 'closed', 'returned_to_merchant'] as const)(
    '%s keeps what WeChat says, but for the amount that was booked first',
    (event) => {
      const submission = { attempts: 2, unanswered: true, last_attempt_time: at(45) }
      const { set } = changeOf(before[event], event, { submission })
      expect(set).toMatchObject({ facts, submission: { ...submission, unanswered: false } })
      const booked = { facts: { ...facts, settlement_refund: 970 } }
      expect(changeOf(before[event], event, booked).set.facts?.settlement_refund).toBe(970)
      const silent = { ...occurrences[event], facts: { ...facts, settlement_refund: null } } as RefundOccurrence
      expect(applyRefundEvent(refundIn(before[event]), silent)?.set.facts?.settlement_refund).toBe(600)
      expect(set.close_reason).toBe(event === 'closed' ? 'closed_by_wechat' : undefined)
    },
  )

  it.each(refund_states)('moves nothing that was paid by hand from %s', (state) => {
    for (const event of refund_events)
      expect(applyRefundEvent(refundIn(state, { payout, facts }), occurrences[event])).toBeNull()
  })

  it('keeps how it was paid by hand', () => {
    for (const state of ['closed', 'refused', 'returned_to_merchant'] as const)
      expect(changeOf(state, 'paid_out').set.payout).toEqual(payout)
  })
})

describe('a person is asked to look', () => {
  const asked = (event: RefundEvent, origin: RefundOrigin, state = before[event], occurrence = occurrences[event]) => {
    const change = applyRefundEvent(refundIn(state, { origin }), occurrence)
    expect(change?.unset.includes('attention')).toBe(change?.set.attention === undefined)
    return change?.set.attention ?? null
  }

  it.each(refund_origins)('by what becomes of a refund of origin %s', (origin) => {
    const is_owed = automatic.includes(origin)
    const looked = refund_events.map((event) => [event, asked(event, origin)?.code ?? null])
    expect(Object.fromEntries(looked)).toEqual({
      ...Object.fromEntries(refund_events.map((event) => [event, null])),
      ...{ abnormal: 'refund_abnormal', returned_to_merchant: 'returned_to_merchant' },
      ...(is_owed && { closed: 'refund_closed', refused: 'refund_refused', not_reserved: 'refund_refused' }),
    })
    expect(asked('reserved', origin, 'created', waiting)).toEqual({ code: 'approval_waiting', since_time: at(50) })
    expect(asked('closed', origin, 'succeeded')?.code, 'the payer was promised it').toBe('refund_closed')
    const covered = { ...occurrences.not_reserved, failure: { code: 'refund_exceeds_payment', message: '' } }
    expect(asked('not_reserved', origin, 'created', covered as RefundOccurrence), 'others hold all of it').toBeNull()
    const taken = { ...occurrences.refused, attention: 'refund_number_taken' } as RefundOccurrence
    expect(asked('refused', origin, 'processing', taken)?.code).toBe(is_owed ? 'refund_refused' : 'refund_number_taken')
  })
})

describe('what a refund does next', () => {
  const next = (event: RefundEvent, given: Partial<RefundRecord> = {}, occurrence = occurrences[event]) => {
    const change = applyRefundEvent(refundIn(before[event], given), occurrence)
    expect(change?.unset.includes('next_action')).toBe(change?.set.next_action === undefined)
    return change?.set.next_action ?? null
  }
  const now = at(50)

  it('follows from the event: send, ask, wait, or tell the order what it has to hear', () => {
    const tell_order = { what: 'tell_order', time: now }
    const asks = { what: 'ask_wechat', time: at(110) }
    expect(Object.fromEntries(refund_events.map((event) => [event, next(event)]))).toEqual({
      ...{ reserved: { what: 'submit', time: now }, approved: { what: 'submit', time: now } },
      ...{ accepted: asks, resumed: asks, not_reserved: null },
      ...{ rejected: tell_order, approval_expired: tell_order, succeeded: tell_order, abnormal: tell_order },
      ...{ closed: tell_order, refused: tell_order, returned_to_merchant: tell_order, paid_out: tell_order },
    })
    expect(next('reserved', {}, waiting)).toEqual({ what: 'await_approval', time: at(999) })
    expect(next('not_reserved', { origin: 'late_payment' })).toEqual(tell_order)
  })

  it('is nothing once it has ended, and a question where it has not, of one without an order', () => {
    for (const event of ['succeeded', 'closed', 'refused', 'returned_to_merchant', 'paid_out', 'rejected'] as const)
      expect(next(event, { order_id: null })).toBeNull()
    expect(next('abnormal', { order_id: null })).toEqual({ what: 'ask_wechat', time: now })
  })

  it('is known from the record alone where nothing is planned', () => {
    const approval = { expire_time: at(999), decision: null, by: null, reason: null }
    const plan = (state: RefundState, given: Partial<RefundRecord> = {}) =>
      missingRefundPlan(refundIn(state, given), now)
    expect(Object.fromEntries(refund_states.map((state) => [state, plan(state)?.what ?? null]))).toEqual({
      ...{ created: 'reserve', awaiting_approval: 'await_approval', processing: 'submit', abnormal: 'ask_wechat' },
      ...{ succeeded: null, closed: null, refused: null, rejected: null, returned_to_merchant: null },
    })
    expect(plan('awaiting_approval')?.time).toBe(now)
    expect(plan('awaiting_approval', { approval })?.time).toBe(at(999))
    expect(plan('processing', { facts })).toEqual({ what: 'ask_wechat', time: now })
    expect(plan('processing', { origin: 'outside' })).toEqual({ what: 'ask_wechat', time: now })
  })
})

describe('what others hear of a refund', () => {
  it('is published by these names', () => {
    const published = refund_events.flatMap((event) => publishedRefundType(event) ?? [])
    expect(published).toEqual([
      'refund.succeeded',
      'refund.abnormal',
      'refund.closed',
      'refund.refused',
      'refund.returned_to_merchant',
    ])
  })

  it('is signalled to its order, where it has one', () => {
    const signalled = (given: Partial<RefundRecord>) =>
      refund_events.filter((event) => isSignalledToOrder(refundIn('created', given), event))
    const heard = ['rejected', 'approval_expired', 'succeeded', 'abnormal', 'closed', 'refused'] as const
    expect(signalled({})).toEqual([...heard, 'returned_to_merchant', 'paid_out'])
    expect(signalled({ order_id: null })).toEqual([])
    const owed = { origin: 'second_payment' } as const
    expect(signalled({ ...owed, failure })).toEqual(['not_reserved', ...heard, 'returned_to_merchant', 'paid_out'])
    const covered = { ...owed, failure: { code: 'refund_exceeds_payment', message: '' } }
    expect(signalled(covered)).not.toContain('not_reserved')
    const timeline = (['reserved', 'accepted', 'succeeded'] as const).map((event) => ({
      ...changeOf(before[event], event).entry,
    }))
    expect(entriesForOrder(refundIn('succeeded', { timeline })).map(({ event }) => event)).toEqual(['succeeded'])
  })
})

describe('an answer of WeChat about a refund', () => {
  const entry = (event: RefundEvent, time: string) => ({ ...changeOf(before[event], event).entry, time })
  const overtaken = (seconds: number, given: Partial<RefundRecord>) => {
    const timeline = [entry('reserved', at(10)), entry('accepted', at(20)), entry('refused', at(90))]
    return isOvertaken(refundIn('processing', { timeline, facts, ...given }), at(seconds))
  }

  it('is overtaken by one that WeChat was asked for later, which the record holds', () => {
    const said = { ...facts, asked_time: at(50) }
    expect([49, 50, 51].map((seconds) => overtaken(seconds, { facts: said }))).toEqual([true, false, false])
    const confirmed = { last_time: null, confirmed_time: at(60) }
    expect([59, 60].map((seconds) => overtaken(seconds, { facts: said, asked: confirmed }))).toEqual([true, false])
    expect(overtaken(0, { facts: null })).toBe(false)
  })

  it('is held against the last answer that was written, where the record is from before that was kept', () => {
    expect([19, 20].map((seconds) => overtaken(seconds, {}))).toEqual([true, false])
    expect(overtaken(0, { timeline: [] })).toBe(false)
  })
})
