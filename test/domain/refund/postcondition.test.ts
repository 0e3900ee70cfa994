import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PostconditionBroken } from '../../../domain/postcondition.ts'
import { applyRefundEvent } from '../../../domain/refund/change.ts'
import { assertRefundChange } from '../../../domain/refund/postcondition.ts'
import { newRefund } from '../../../domain/refund/record.ts'
import type { RefundChange, RefundOccurrence, RefundRecord } from '../../../domain/refund/record.ts'
import { at, mchid, paymentSample } from '../../store/samples.ts'

const cause = { operation_id: 'op', time: at(50), actor: { kind: 'weft', id: null } } as const
const amount = { refund: 990, total: 990, currency: 'CNY' }
const wechat_request = { path: '/v3/refund/domestic/refunds', body: '{}' }
const failure = { code: 'USER_ACCOUNT_ABNORMAL', message: '' }
const facts = {
  refund_id: 'w-1',
  channel: null,
  user_received_account: null,
  accepted_time: at(50),
  success_time: null,
  payer_refund: null,
  settlement_refund: null,
}
const payout = { proof: 'slip 7', reason: '', by: cause.actor, time: at(50) }

const reserved = {
  event: 'reserved',
  ...cause,
  amount,
  is_full: true,
  wechat_request,
  approval_expire_time: null,
} as const
const accepted = { event: 'accepted', ...cause, facts, next_query_time: at(60) } as const

const occurrences: RefundOccurrence[] = [
  reserved,
  { ...reserved, approval_expire_time: at(999) },
  { event: 'not_reserved', ...cause, failure },
  { event: 'not_reserved', ...cause, failure: { code: 'refund_exceeds_payment', message: '' } },
  { event: 'approved', ...cause, is_full: true },
  { event: 'rejected', ...cause },
  { event: 'approval_expired', ...cause },
  accepted,
  { event: 'resumed', ...cause, facts, next_query_time: at(60) },
  ...(['succeeded', 'abnormal', 'closed', 'returned_to_merchant'] as const).flatMap((event) =>
    [null, 980].map((settlement_refund) => ({ event, ...cause, facts: { ...facts, settlement_refund } })),
  ),
  { event: 'refused', ...cause, failure },
  { event: 'paid_out', ...cause, payout },
]

function refundOf(origin: RefundRecord['origin'], order_id: string | null = `${mchid}/TEA-1`): RefundRecord {
  const draft = {
    out_refund_no: 'R1',
    origin,
    requested_by: cause.actor,
    notify_url: 'http://localhost',
    is_full: true,
  }
  return newRefund(paymentSample('t1', { order_id }), { ...draft, create_time: at(40), amount: 990 })
}

/** `refund` as it is once `change` is written. */
function written(refund: RefundRecord, { entry, set, unset }: RefundChange): RefundRecord {
  const next = { ...refund, ...set, revision: entry.revision, timeline: [...refund.timeline, entry] }
  for (const field of unset) delete next[field]
  return next
}

function changeOf(refund: RefundRecord, occurrence: RefundOccurrence): RefundChange {
  const change = applyRefundEvent(refund, occurrence)
  if (change === null) throw new Error(`${occurrence.event} is illegal in ${refund.state}`)
  return change
}

const created = refundOf('api')
const sent = written(created, changeOf(created, reserved))
const taken = written(sent, changeOf(sent, accepted))
const waiting = written(created, changeOf(created, { ...reserved, approval_expire_time: at(999) }))

describe('what every change of a refund fulfils', () => {
  it('holds after all events, whatever comes in whatever order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...occurrences), { maxLength: 16 }),
        fc.constantFrom('api' as const, 'late_payment' as const, 'outside' as const),
        fc.constantFrom(null, `${mchid}/TEA-1`),
        (happened, origin, order_id) => {
          let refund = refundOf(origin, order_id)
          for (const [index, occurrence] of happened.entries()) {
            const change = applyRefundEvent(refund, { ...occurrence, operation_id: `op${index}` })
            if (change !== null) refund = written(refund, change)
          }
        },
      ),
      { numRuns: 2_000 },
    )
  })

  const rejected = changeOf(waiting, { event: 'rejected', ...cause })
  const closed = changeOf(taken, { event: 'closed', ...cause, facts })
  const abnormal = changeOf(taken, { event: 'abnormal', ...cause, facts })
  const refused = changeOf(sent, { event: 'refused', ...cause, failure })
  const paid_out = changeOf(written(taken, closed), { event: 'paid_out', ...cause, payout })
  const sending = changeOf(created, reserved)
  const taking = changeOf(sent, accepted)

  it.each<[string, RefundRecord, RefundChange]>([
    ['the revision grows by one', taken, { ...closed, entry: { ...closed.entry, revision: 9 } }],
    ['the entry leaves the state that holds', created, closed],
    ['the state is the one', taken, { ...closed, set: { ...closed.set, state: 'processing' } }],
    ['next_action is either set or taken away', sent, { ...taking, unset: ['next_action', 'attention'] }],
    ['attention is either set or taken away', sent, { ...taking, unset: [] }],
    ['next_action is there in processing', created, without(sending, 'next_action')],
    ['nothing but a signal is planned in closed', taken, planned(closed, 'submit')],
    [
      'the amount is within the payment',
      created,
      { ...sending, set: { ...sending.set, amount: { ...amount, refund: 991 } } },
    ],
    [
      'the amount is within the payment',
      created,
      { ...sending, set: { ...sending.set, amount: { ...amount, refund: 9.5 } } },
    ],
    ['the request to WeChat is frozen', created, { ...sending, set: { ...sending.set, wechat_request: null } }],
    [
      'who waits has an approval to wait for',
      created,
      { ...sending, set: { ...sending.set, approval: waiting.approval } },
    ],
    ['there is a failure', sent, { ...refused, set: { ...refused.set, failure: null } }],
    ['the decision is kept', waiting, { ...rejected, set: { ...rejected.set, approval: waiting.approval } }],
    ['WeChat’s facts are there', sent, { ...taking, set: { ...taking.set, facts: null } }],
    [
      'what was booked stays',
      taken,
      { ...closed, set: { ...closed.set, facts: { ...facts, settlement_refund: 980 } } },
    ],
    ['a failure that WeChat disproves', sent, { ...taking, set: { ...taking.set, failure } }],
    ['a person is asked to look', taken, without(abnormal, 'attention')],
    ['there is a close_reason', taken, { ...closed, set: { ...closed.set, close_reason: null } }],
    ['the payout is the first', { ...written(taken, closed), payout }, paid_out],
    ['the state stays', written(taken, closed), { ...paid_out, entry: { ...paid_out.entry, to: 'refused' } }],
  ])('refuses a change of which it cannot be said that %s', (says, refund, change) => {
    expect(() => assertRefundChange(refund, change)).toThrow(PostconditionBroken)
    expect(() => assertRefundChange(refund, change)).toThrow(`would leave ${refund._id} unsound`)
    expect(() => assertRefundChange(refund, change)).toThrow(says)
  })

  it('is asserted by applyRefundEvent itself', () => {
    const unfrozen: RefundOccurrence = { ...reserved, wechat_request: null }
    expect(() => applyRefundEvent(created, unfrozen)).toThrow(PostconditionBroken)
  })
})

function without(change: RefundChange, field: 'next_action' | 'attention'): RefundChange {
  const { [field]: _, ...set } = change.set
  return { ...change, set, unset: [...change.unset, field] }
}

function planned(change: RefundChange, what: 'submit'): RefundChange {
  const unset = change.unset.filter((field) => field !== 'next_action')
  return { ...change, set: { ...change.set, next_action: { what, time: at(60) } }, unset }
}
