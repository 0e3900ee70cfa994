import { wechat, weft } from '../../domain/actor.ts'
import { beijingTime, milliseconds } from '../../domain/calendar.ts'
import { refundId } from '../../domain/ids.ts'
import type { RefundKey } from '../../domain/ids.ts'
import type {
  Approval,
  Payout,
  RefundChanged,
  RefundLoaded,
  RefundProgress,
  RefundRecorded,
} from '../../domain/messages.ts'
import { hasRoomFor, isWhollyRefunded } from '../../domain/payment/record.ts'
import type { RefundElement } from '../../domain/payment/record.ts'
import { nextRefundQueryDelay } from '../../domain/policy.ts'
import { isAllGoingBack } from '../../domain/refund/cover.ts'
import { isAutomatic, isRefundResting, newRefund } from '../../domain/refund/record.ts'
import type {
  RefundEvent,
  RefundFacts,
  RefundFailure,
  RefundOccurrence,
  RefundRecord,
} from '../../domain/refund/record.ts'
import { RecordMissing } from '../../store/connection.ts'
import { refundBody, refundPath } from '../../wechat/refunds.ts'
import type { RefundState as WeChatRefund } from '../../wechat/refunds.ts'
import { merchantOf } from '../context.ts'
import type { ActivityContext } from '../context.ts'
import { tellLooseRefund } from '../delivery/event.ts'
import { archiveEnvelope, readRefundAnswer } from '../evidence.ts'
import { again } from '../failure.ts'
import { progressOfRefund } from '../progress.ts'
import { bookRefundEntry } from './journal.ts'
import { isGoingBack } from './owed.ts'

export type RefundActivities = ReturnType<typeof createRefunds>

type Given<T = unknown> = T & { refund: RefundKey }

/**
 * The steps that write a refund's record: one conditional write each, repeatable, and then what follows from it (the
 * payment's element, the book, an event where no order tells it). As activities/order/steps is for orders.
 */
export function createRefunds(context: ActivityContext) {
  return {
    loadRefund: (key: RefundKey) => loadRefund(context, key),
    reserveRefund: (given: Given) => reserveRefund(context, given),
    recordApproval: (given: Given<Approval>) => recordApproval(context, given),
    recordApprovalExpired: (given: Given) => recordApprovalExpired(context, given),
    recordRefundAnswer: (given: Given<{ evidence_id: string }>) => recordRefundAnswer(context, given),
    recordRefundRefused: (given: Given<{ failure: RefundFailure }>) => recordRefundRefused(context, given),
    recordPayout: (given: Given<Payout>) => recordPayout(context, given),
    settleNews: (given: Given<{ found: RefundChanged; outcome: 'applied' | 'linked' }>) => settleNews(context, given),
    keepNews: (given: Given<{ found: RefundChanged }>) => keepNews(context, given),
    adoptRefund: (given: Given<{ evidence_id: string }>) => adoptRefund(context, given),
    noteToldToOrder: (given: Given<{ revision: number }>) => noteToldToOrder(context, given),
    noteNotEnough: (given: Given<{ next_time: string }>) => noteNotEnough(context, given),
  }
}

/** The first step of every run: the record, and once more all that its entries bring about, each step idempotent. */
async function loadRefund(context: ActivityContext, key: RefundKey): Promise<RefundLoaded> {
  const refund = await context.store.refunds.find(key)
  if (refund === null) return { refund: null, policy: context.policy, deliveries: [] }
  const deliveries: string[] = []
  for (const { event } of refund.timeline) deliveries.push(...(await followUp(context, refund, event)))
  return { refund: progressOfRefund(refund), policy: context.policy, deliveries }
}

/** Reserves the money on its payment. An automatic refund takes what is left; its exact bytes are frozen here. */
async function reserveRefund(context: ActivityContext, { refund: key }: Given): Promise<RefundRecorded> {
  const { store } = context
  const held = await refundOf(context, key)
  if (held.state !== 'created') return { outcome: 'done_before', refund: progressOfRefund(held), deliveries: [] }
  const amount = isAutomatic(held.origin) ? ('rest' as const) : held.amount.refund
  const { out_refund_no, transaction_id } = held
  const reserved = await store.payments.reserve(held, { out_refund_no, amount }, context.now())
  const operation_id = `reserved:${held.revision}`
  const cause = { operation_id, time: moment(context), actor: weft }
  if ('refusal' in reserved) {
    const failure = { code: reserved.refusal, message: `payment ${transaction_id} cannot be refunded so` }
    return await record(context, key, () => ({ event: 'not_reserved', failure, ...cause }))
  }
  const { payment, element } = reserved
  const { settings } = await merchantOf(context, key.mchid)
  const above = settings.refund_approval?.above ?? Infinity
  const needs_approval = !isAutomatic(held.origin) && element.amount > above
  const total = payment.amount.total
  const { currency } = payment.amount
  const exact = { refund: element.amount, total, currency }
  const { reason, notify_url } = held
  const is_full = await isGoingBack(context, held, held.out_refund_no)
  return await record(context, key, () => ({
    event: 'reserved',
    ...cause,
    amount: exact,
    is_full,
    wechat_request: {
      path: refundPath,
      body: refundBody({ transaction_id, out_refund_no, reason, notify_url, amount: exact }),
    },
    approval_expire_time: needs_approval ? beijingTime(context.now() + context.policy.refund.approval_ms) : null,
  }))
}

/** A second person's word. The answer names the record that now holds; `illegal` when it was decided already. */
async function recordApproval(context: ActivityContext, given: Given<Approval>): Promise<RefundRecorded> {
  const { refund: key, decision, operation_id, actor, reason } = given
  const cause = { operation_id, actor, reason, time: moment(context) }
  const is_full = await isGoingBack(context, await refundOf(context, key), key.out_refund_no)
  return await record(context, key, (held) => {
    if (held.requested_by.kind === actor.kind && held.requested_by.id === actor.id) return null
    return decision === 'approve' ? { event: 'approved', is_full, ...cause } : { event: 'rejected', ...cause }
  })
}

async function recordApprovalExpired(context: ActivityContext, { refund }: Given): Promise<RefundRecorded> {
  const operation_id = 'approval_expired'
  return await record(context, refund, () => ({
    event: 'approval_expired',
    operation_id,
    actor: weft,
    time: moment(context),
  }))
}

/** What WeChat says of the refund: first that it has taken it, then where it stands. Each is written once. */
async function recordRefundAnswer(
  context: ActivityContext,
  { refund: key, evidence_id }: Given<{ evidence_id: string }>,
): Promise<RefundRecorded> {
  const { store } = context
  const held = await refundOf(context, key)
  const said = await readRefundAnswer(context, evidence_id)
  const cause = { time: moment(context), actor: wechat, evidence_id }
  let recorded: RefundRecorded = { outcome: 'done_before', refund: progressOfRefund(held), deliveries: [] }
  // Whoever wrote the last entry may have died right after: what follows from it is done before anything new.
  const last = held.timeline.at(-1)
  if (last !== undefined) recorded.deliveries.push(...(await followUp(context, held, last.event)))
  if (!isSame(held, said)) await refuseAnswer(context, held, evidence_id)
  if (held.facts === null) {
    const next_query_time = beijingTime(context.now() + nextRefundQueryDelay(context.policy, 0, false))
    const taken = { event: 'accepted', operation_id: 'accepted', facts: factsOf(said), next_query_time } as const
    recorded = await record(context, key, () => ({ ...taken, ...cause }))
    if (recorded.outcome === 'illegal') await noteContradiction(context, held, evidence_id)
  }
  const event = eventOf(said, recorded.refund.state)
  if (event !== null) {
    const operation_id = `${event}:${said.refund_id}:${recorded.refund.revision}`
    const next_query_time = beijingTime(context.now() + nextRefundQueryDelay(context.policy, 0, false))
    const before = recorded.deliveries
    recorded = await record(context, key, (refund) =>
      eventOf(said, refund.state) === event
        ? { event, operation_id, facts: factsOf(said), next_query_time, ...cause }
        : null,
    )
    recorded.deliveries.push(...before)
  }
  const outcome = recorded.outcome === 'done' ? 'applied' : 'linked'
  await store.evidence.settle(evidence_id, { outcome, applied_to: refundId(key), time: moment(context) })
  return recorded
}

/** WeChat and a person gave back the same money, or WeChat made what was given up here: the payer may have it twice. */
async function noteContradiction(
  context: ActivityContext,
  { mchid, out_refund_no }: RefundRecord,
  proof: string,
): Promise<void> {
  await context.store.merchants.noteAttention(mchid, 'evidence_unapplied', moment(context))
  context.log.error('a refund was given back in two ways', { mchid, out_refund_no, proof })
}

/** Never settled by what is said of something else: a person looks, and WeChat is asked again, slowly. */
async function refuseAnswer(context: ActivityContext, { mchid, out_refund_no }: RefundRecord, evidence_id: string) {
  await context.store.merchants.noteAttention(mchid, 'evidence_unapplied', moment(context))
  context.log.error('WeChat answers about another refund than the one asked for', { mchid, out_refund_no, evidence_id })
  throw again('WeChat’s answer is about another refund', context.policy.setup_retry_ms)
}

/** An answer about another refund must never settle this one: amount and payment have to agree. */
function isSame(refund: RefundRecord, said: WeChatRefund): boolean {
  return refund.transaction_id === said.transaction_id && refund.amount.refund === said.amount.refund
}

type Said = 'succeeded' | 'abnormal' | 'closed' | 'returned_to_merchant' | 'resumed'

/** What an answer changes for a refund in `state`; null: it says what is known. */
function eventOf(said: WeChatRefund, state: RefundRecord['state']): Said | null {
  if (state !== 'processing' && state !== 'abnormal') return null
  switch (said.status) {
    case 'SUCCESS':
      return said.returned_to_merchant ? 'returned_to_merchant' : 'succeeded'
    case 'CLOSED':
      return 'closed'
    case 'ABNORMAL':
      return state === 'abnormal' ? null : 'abnormal'
    case 'PROCESSING':
      return state === 'abnormal' ? 'resumed' : null
  }
}

function factsOf(said: WeChatRefund): RefundFacts {
  return {
    refund_id: said.refund_id,
    channel: said.channel,
    user_received_account: said.user_received_account,
    accepted_time: said.create_time,
    success_time: said.success_time,
    payer_refund: said.amount.payer_refund,
    settlement_refund: said.amount.settlement_refund,
  }
}

/** WeChat never took it, and a query has said so: the reservation is given back. */
async function recordRefundRefused(
  context: ActivityContext,
  { refund, failure }: Given<{ failure: RefundFailure }>,
): Promise<RefundRecorded> {
  return await record(context, refund, (held) =>
    held.facts !== null
      ? null
      : { event: 'refused', operation_id: 'refused', failure, actor: wechat, time: moment(context) },
  )
}

/**
 * Paid to the payer by hand. Where WeChat holds nothing of it any more, the payment must have the room: `illegal` says
 * that it has none, or that this refund cannot be paid by hand.
 */
async function recordPayout(context: ActivityContext, given: Given<Payout>): Promise<RefundRecorded> {
  const { refund: key, operation_id, actor, proof } = given
  const held = await refundOf(context, key)
  if (held.payout === null && !(await hasRoom(context, held))) {
    return { outcome: 'illegal', refund: progressOfRefund(held), deliveries: [] }
  }
  const time = moment(context)
  const reason = given.reason ?? ''
  const payout = { proof, reason, by: actor, time }
  return await record(context, key, () => ({ event: 'paid_out', operation_id, actor, reason, time, payout }))
}

/** Whether the payment still holds what is to be paid by hand; what WeChat returned to the merchant is held already. */
async function hasRoom({ store }: ActivityContext, refund: RefundRecord): Promise<boolean> {
  const payment = await store.payments.find(refund.mchid, refund.transaction_id)
  return payment !== null && hasRoomFor(payment, refund.out_refund_no, refund.amount.refund)
}

/** Keeps a notification that travelled in a signal, for a number that nobody knows yet: the sweeper hands it over again. */
async function keepNews(context: ActivityContext, { refund, found }: Given<{ found: RefundChanged }>): Promise<void> {
  if ('envelope' in found) await archiveEnvelope(context, refund.mchid, found.envelope, 'refund')
}

/** What was signalled had its effect, or added nothing to what was known. */
async function settleNews(
  context: ActivityContext,
  given: Given<{ found: RefundChanged; outcome: 'applied' | 'linked' }>,
): Promise<void> {
  const { found, refund } = given
  const evidence_id =
    'envelope' in found
      ? ((await archiveEnvelope(context, refund.mchid, found.envelope, 'refund'))?._id ?? null)
      : found.evidence_id
  if (evidence_id === null) return
  const { outcome } = given
  await context.store.evidence.settle(evidence_id, { outcome, applied_to: refundId(refund), time: moment(context) })
}

/**
 * A refund that somebody made outside Weft, as WeChat's answer to a query tells it. `null`: its payment is not known
 * here yet; whoever asked has it looked for first.
 */
async function adoptRefund(
  context: ActivityContext,
  { refund: key, evidence_id }: Given<{ evidence_id: string }>,
): Promise<RefundProgress | null> {
  const { store } = context
  const said = await readRefundAnswer(context, evidence_id)
  const payment = await store.payments.find(key.mchid, said.transaction_id)
  if (payment === null) return null
  const { notify_url } = await merchantOf(context, key.mchid)
  const { refund: amount } = said.amount
  const held = await store.payments.adopt(payment, { out_refund_no: key.out_refund_no, amount })
  const adopted = newRefund(payment, {
    out_refund_no: key.out_refund_no,
    origin: 'outside',
    requested_by: wechat,
    notify_url,
    amount,
    is_full: isAllGoingBack(held, await store.refunds.ofOrder(key.mchid, payment.out_trade_no)),
    create_time: moment(context),
  })
  const inserted = await store.refunds.insert(adopted)
  return progressOfRefund(inserted.inserted ? adopted : inserted.existing)
}

async function noteToldToOrder(
  context: ActivityContext,
  { refund: key, revision }: Given<{ revision: number }>,
): Promise<RefundProgress> {
  const { refunds } = context.store
  const { state } = await refundOf(context, key)
  // One that has not ended goes on being asked about, also where this run is lost before it plans that itself.
  if (await refunds.noteTold(key, revision)) {
    if (!isRefundResting(state)) await refunds.noteNextAction(key, state, { what: 'ask_wechat', time: moment(context) })
  }
  return progressOfRefund(await refundOf(context, key))
}

/** The merchant's balance is too low: a person is told, and the same request goes again by plan. */
async function noteNotEnough(
  context: ActivityContext,
  { refund: key, next_time }: Given<{ next_time: string }>,
): Promise<RefundProgress> {
  const { refunds } = context.store
  const held = await refundOf(context, key)
  // An attempt that was given up on and comes late: WeChat has it by now.
  if (held.facts !== null) return progressOfRefund(held)
  await refunds.noteAttention(key, 'processing', 'not_enough', moment(context))
  await refunds.noteNextAction(key, 'processing', { what: 'submit', time: next_time })
  return progressOfRefund(await refundOf(context, key))
}

/** Writes one occurrence, then does what follows from it; done before is followed up again. */
async function record(
  context: ActivityContext,
  key: RefundKey,
  cause: (refund: RefundRecord) => RefundOccurrence | null,
): Promise<RefundRecorded> {
  const { outcome, refund, entry } = await context.store.refunds.apply(key, cause)
  const deliveries = entry === null ? [] : await followUp(context, refund, entry.event)
  return { outcome, refund: progressOfRefund(refund), deliveries }
}

/** The payment's element, the book, and the event where there is no order to number it. All of it may be repeated. */
async function followUp(context: ActivityContext, refund: RefundRecord, event: RefundEvent): Promise<string[]> {
  const element = elements[event]
  const payment = element && (await context.store.payments.settleRefund(refund, element))
  // Another refund took the room in the very moment: more goes back than was paid, which only a person can mend.
  if (payment === null) await noteContradiction(context, refund, refund.payout?.proof ?? '-')
  if (payment && isWhollyRefunded(payment)) await context.store.refunds.liftSetbacks(refund)
  await bookRefundEntry(context, refund, event)
  return refund.order_id === null ? await tellLooseRefund(context, refund, event) : []
}

/** What each event makes of the payment's element. */
const elements: Partial<Record<RefundEvent, RefundElement['state']>> = {
  accepted: 'accepted',
  succeeded: 'succeeded',
  closed: 'closed',
  not_reserved: 'released',
  refused: 'released',
  rejected: 'released',
  approval_expired: 'released',
  paid_out: 'settled',
}

export async function refundOf({ store }: ActivityContext, key: RefundKey): Promise<RefundRecord> {
  const refund = await store.refunds.find(key)
  if (refund === null) throw new RecordMissing(refundId(key))
  return refund
}

function moment({ now }: ActivityContext): string {
  return beijingTime(now())
}

/** Unix ms at which WeChat took the refund; now, when it has not yet. */
export function takenAt({ now }: ActivityContext, { facts }: RefundRecord): number {
  return facts === null ? now() : milliseconds(facts.accepted_time)
}
