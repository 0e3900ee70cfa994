import { assertPostconditions, timelinePostconditions } from '../postcondition.ts'
import type { Postcondition } from '../postcondition.ts'
import { isRefundResting } from './record.ts'
import type { RefundChange, RefundEvent, RefundRecord } from './record.ts'

/**
 * Asserts what every change of a refund fulfils, before it is written. It looks at what the change itself makes, never
 * at how the refund came here: an old record must not be stopped by a rule that is younger. Throws `PostconditionBroken`.
 */
export function assertRefundChange(refund: RefundRecord, change: RefundChange): void {
  const { event } = change.entry
  assertPostconditions(refund._id, event, [
    ...timelinePostconditions(refund, change),
    ...planPostconditions(change),
    ...(eventPostconditions[event]?.(refund, change) ?? []),
  ])
}

/** A refund that has not ended is carried on by Weft, so that each change plans how; one that has only tells its order. */
function planPostconditions({ entry, set }: RefundChange): Postcondition[] {
  const { next_action } = set
  const only_signals = !next_action || next_action.what === 'tell_order'
  return [
    [`next_action is there in ${entry.to}`, isRefundResting(entry.to) || next_action !== undefined],
    [`nothing but a signal is planned in ${entry.to}`, !isRefundResting(entry.to) || only_signals],
  ]
}

type Check = (refund: RefundRecord, change: RefundChange) => Postcondition[]

const hasFailure: Check = (_, { set }) => [['there is a failure', Boolean(set.failure)]]

/** What WeChat took leaves the account by the amount that was booked first, or the journal would not balance. */
const hasFacts: Check = ({ facts: before }, { set: { facts } }) => {
  const booked = before?.settlement_refund ?? null
  return [
    ['WeChat’s facts are there, with what leaves the account', Number.isSafeInteger(facts?.settlement_refund)],
    ['what was booked stays', booked === null || facts?.settlement_refund === booked],
  ]
}

const isDecided =
  (decision: 'approve' | 'reject'): Check =>
  ({ approval }, { set }) => [['the decision is kept', approval === null || set.approval?.decision === decision]]

/** What holds after an event, in whichever state it finds the refund. */
const eventPostconditions: Partial<Record<RefundEvent, Check>> = {
  reserved: (_, { set, entry }) => [
    ['the amount is within the payment', isWithin(set.amount)],
    ['the request to WeChat is frozen', Boolean(set.wechat_request)],
    ['who waits has an approval to wait for', (entry.to === 'awaiting_approval') === Boolean(set.approval)],
  ],
  not_reserved: hasFailure,
  refused: hasFailure,
  approved: isDecided('approve'),
  rejected: isDecided('reject'),
  accepted: (refund, change) => [
    ...hasFacts(refund, change),
    ['a failure that WeChat disproves is taken away', change.set.failure === null],
  ],
  resumed: hasFacts,
  succeeded: hasFacts,
  abnormal: (refund, change) => [...hasFacts(refund, change), asksPerson(change)],
  closed: (refund, change) => [
    ...hasFacts(refund, change),
    ['there is a close_reason', Boolean(change.set.close_reason)],
  ],
  returned_to_merchant: (refund, change) => [...hasFacts(refund, change), asksPerson(change)],
  paid_out: ({ payout }, { set, entry }) => [
    ['the payout is the first', payout === null && Boolean(set.payout)],
    ['the state stays', entry.to === entry.from],
  ],
}

function asksPerson({ set }: RefundChange): Postcondition {
  return ['a person is asked to look', set.attention !== undefined]
}

function isWithin(amount: RefundRecord['amount'] | undefined): boolean {
  if (amount === undefined) return false
  const { refund, total } = amount
  return Number.isSafeInteger(refund) && Number.isSafeInteger(total) && refund >= 1 && refund <= total
}
