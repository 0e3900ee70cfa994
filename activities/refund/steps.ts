import { wechat_actor, weft_actor } from '../../domain/actor.ts'
import { beijingTime, milliseconds } from '../../domain/calendar.ts'
import { refundId } from '../../domain/ids.ts'
import type { RefundKey } from '../../domain/ids.ts'
import type {
  LoadedRefund,
  PayoutCommand,
  RefundApproval,
  RefundChanged,
  RefundProgress,
  RefundWriteResult,
} from '../../domain/messages.ts'
import { hasRoomFor, isWhollyRefunded } from '../../domain/payment/record.ts'
import type { RefundElement } from '../../domain/payment/record.ts'
import { nextRefundQueryDelay } from '../../domain/policy.ts'
import { isAllGoingBack } from '../../domain/refund/cover.ts'
import { isAutomaticOrigin, isRefundResting, newRefund } from '../../domain/refund/record.ts'
import type {
  RefundAtWeChat,
  RefundEvent,
  RefundFailure,
  RefundOccurrence,
  RefundRecord,
} from '../../domain/refund/record.ts'
import { RecordMissing } from '../../store/connection.ts'
import { refundBody, refundPath } from '../../wechat/refunds.ts'
import type { WeChatRefund as WeChatRefund } from '../../wechat/refunds.ts'
import { requireMerchant } from '../context.ts'
import type { ActivityContext } from '../context.ts'
import { publishOrderlessRefundEvent } from '../delivery/event.ts'
import { archiveEnvelope, readRefundAnswer } from '../evidence.ts'
import { againFailure } from '../failure.ts'
import { refundProgress } from '../progress.ts'
import { postRefundEntry } from './journal.ts'
import { isPaymentGoingBack } from './owed.ts'

export type RefundActivities = ReturnType<typeof createRefunds>

type RefundStepInput<T = unknown> = T & { refund: RefundKey }

/**
 * The steps that write a refund's record: one conditional write each, repeatable, and then what follows from it (the
 * payment's element, the book, an event where no order tells it). As activities/order/steps is for orders.
 */
export function createRefunds(context: ActivityContext) {
  return {
    loadRefund: (key: RefundKey) => loadRefund(context, key),
    reserveRefund: (given: RefundStepInput) => reserveRefund(context, given),
    recordApproval: (given: RefundStepInput<RefundApproval>) => recordApproval(context, given),
    recordApprovalExpired: (given: RefundStepInput) => recordApprovalExpired(context, given),
    recordRefundAnswer: (given: RefundStepInput<{ evidence_id: string }>) => recordRefundAnswer(context, given),
    recordRefundRefused: (given: RefundStepInput<{ failure: RefundFailure }>) => recordRefundRefused(context, given),
    recordPayout: (given: RefundStepInput<PayoutCommand>) => recordPayout(context, given),
    settleNews: (given: RefundStepInput<{ found: RefundChanged; outcome: 'applied' | 'linked' }>) =>
      settleNews(context, given),
    keepNews: (given: RefundStepInput<{ found: RefundChanged }>) => keepNews(context, given),
    adoptRefund: (given: RefundStepInput<{ evidence_id: string }>) => adoptRefund(context, given),
    noteToldToOrder: (given: RefundStepInput<{ revision: number }>) => noteToldToOrder(context, given),
    noteNotEnough: (given: RefundStepInput<{ next_time: string }>) => noteNotEnough(context, given),
  }
}

/** The first step of every run: the record, and once more all that its entries bring about, each step idempotent. */
async function loadRefund(context: ActivityContext, key: RefundKey): Promise<LoadedRefund> {
  const refund = await context.store.refunds.find(key)
  if (refund === null) return { refund: null, policy: context.policy, deliveries: [] }
  const deliveries: string[] = []
  for (const { event } of refund.timeline) deliveries.push(...(await followUpRefundEvent(context, refund, event)))
  return { refund: refundProgress(refund), policy: context.policy, deliveries }
}

/** Reserves the money on its payment. An automatic refund takes what is left; its exact bytes are frozen here. */
async function reserveRefund(context: ActivityContext, { refund: key }: RefundStepInput): Promise<RefundWriteResult> {
  const { store } = context
  const current = await requireRefund(context, key)
  if (current.state !== 'created') return { outcome: 'done_before', refund: refundProgress(current), deliveries: [] }
  const amount = isAutomaticOrigin(current.origin) ? ('rest' as const) : current.amount.refund
  const { out_refund_no, transaction_id } = current
  const reserved = await store.payments.reserveRefund(current, { out_refund_no, amount }, context.now())
  const operation_id = `reserved:${current.revision}`
  const cause = { operation_id, time: currentTime(context), actor: weft_actor }
  if ('refusal' in reserved) {
    const failure = { code: reserved.refusal, message: `payment ${transaction_id} cannot be refunded so` }
    return await writeAndFollowUp(context, key, () => ({ event: 'not_reserved', failure, ...cause }))
  }
  const { payment, element } = reserved
  const { settings } = await requireMerchant(context, key.mchid)
  const above = settings.refund_approval?.above ?? Infinity
  const needs_approval = !isAutomaticOrigin(current.origin) && element.amount > above
  const total = payment.amount.total
  const { currency } = payment.amount
  const exact = { refund: element.amount, total, currency }
  const { reason, notify_url } = current
  const is_full = await isPaymentGoingBack(context, current, current.out_refund_no)
  return await writeAndFollowUp(context, key, () => ({
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
async function recordApproval(
  context: ActivityContext,
  given: RefundStepInput<RefundApproval>,
): Promise<RefundWriteResult> {
  const { refund: key, decision, operation_id, actor, reason } = given
  const cause = { operation_id, actor, reason, time: currentTime(context) }
  const is_full = await isPaymentGoingBack(context, await requireRefund(context, key), key.out_refund_no)
  return await writeAndFollowUp(context, key, (current) => {
    if (current.requested_by.kind === actor.kind && current.requested_by.id === actor.id) return null
    return decision === 'approve' ? { event: 'approved', is_full, ...cause } : { event: 'rejected', ...cause }
  })
}

async function recordApprovalExpired(
  context: ActivityContext,
  { refund }: RefundStepInput,
): Promise<RefundWriteResult> {
  const operation_id = 'approval_expired'
  return await writeAndFollowUp(context, refund, () => ({
    event: 'approval_expired',
    operation_id,
    actor: weft_actor,
    time: currentTime(context),
  }))
}

/** What WeChat says of the refund: first that it has taken it, then where it stands. Each is written once. */
async function recordRefundAnswer(
  context: ActivityContext,
  { refund: key, evidence_id }: RefundStepInput<{ evidence_id: string }>,
): Promise<RefundWriteResult> {
  const { store } = context
  const current = await requireRefund(context, key)
  const answer = await readRefundAnswer(context, evidence_id)
  const cause = { time: currentTime(context), actor: wechat_actor, evidence_id }
  let recorded: RefundWriteResult = { outcome: 'done_before', refund: refundProgress(current), deliveries: [] }
  // Whoever wrote the last entry may have died right after: what follows from it is done before anything new.
  const last = current.timeline.at(-1)
  if (last !== undefined) recorded.deliveries.push(...(await followUpRefundEvent(context, current, last.event)))
  if (!isSameRefund(current, answer)) await rejectOtherRefundsAnswer(context, current, evidence_id)
  if (current.facts === null) {
    const next_query_time = beijingTime(context.now() + nextRefundQueryDelay(context.policy, 0, false))
    const taken = {
      event: 'accepted',
      operation_id: 'accepted',
      facts: refundAtWeChat(answer),
      next_query_time,
    } as const
    recorded = await writeAndFollowUp(context, key, () => ({ ...taken, ...cause }))
    if (recorded.outcome === 'illegal') await flagDoubleRefund(context, current, evidence_id)
  }
  const event = answeredEvent(answer, recorded.refund.state)
  if (event !== null) {
    const operation_id = `${event}:${answer.refund_id}:${recorded.refund.revision}`
    const next_query_time = beijingTime(context.now() + nextRefundQueryDelay(context.policy, 0, false))
    const before = recorded.deliveries
    recorded = await writeAndFollowUp(context, key, (refund) =>
      answeredEvent(answer, refund.state) === event
        ? { event, operation_id, facts: refundAtWeChat(answer), next_query_time, ...cause }
        : null,
    )
    recorded.deliveries.push(...before)
  }
  const outcome = recorded.outcome === 'done' ? 'applied' : 'linked'
  await store.evidence.recordOutcome(evidence_id, { outcome, applied_to: refundId(key), time: currentTime(context) })
  return recorded
}

/** WeChat and a person gave back the same money, or WeChat made what was given up here: the payer may have it twice. */
async function flagDoubleRefund(
  context: ActivityContext,
  { mchid, out_refund_no }: RefundRecord,
  proof: string,
): Promise<void> {
  await context.store.merchants.noteAttention(mchid, 'evidence_unapplied', currentTime(context))
  context.log.error('a refund was given back in two ways', { mchid, out_refund_no, proof })
}

/** Never settled by what is said of something else: a person looks, and WeChat is asked again, slowly. */
async function rejectOtherRefundsAnswer(
  context: ActivityContext,
  { mchid, out_refund_no }: RefundRecord,
  evidence_id: string,
) {
  await context.store.merchants.noteAttention(mchid, 'evidence_unapplied', currentTime(context))
  context.log.error('WeChat answers about another refund than the one asked for', { mchid, out_refund_no, evidence_id })
  throw againFailure('WeChat’s answer is about another refund', context.policy.setup_retry_ms)
}

/** An answer about another refund must never settle this one: amount and payment have to agree. */
function isSameRefund(refund: RefundRecord, said: WeChatRefund): boolean {
  return refund.transaction_id === said.transaction_id && refund.amount.refund === said.amount.refund
}

type AnsweredEvent = 'succeeded' | 'abnormal' | 'closed' | 'returned_to_merchant' | 'resumed'

/** What an answer changes for a refund in `state`; null: it says what is known. */
function answeredEvent(said: WeChatRefund, state: RefundRecord['state']): AnsweredEvent | null {
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

function refundAtWeChat(said: WeChatRefund): RefundAtWeChat {
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
  { refund, failure }: RefundStepInput<{ failure: RefundFailure }>,
): Promise<RefundWriteResult> {
  return await writeAndFollowUp(context, refund, (current) =>
    current.facts !== null
      ? null
      : { event: 'refused', operation_id: 'refused', failure, actor: wechat_actor, time: currentTime(context) },
  )
}

/**
 * Paid to the payer by hand. Where WeChat holds nothing of it any more, the payment must have the room: `illegal` says
 * that it has none, or that this refund cannot be paid by hand.
 */
async function recordPayout(
  context: ActivityContext,
  given: RefundStepInput<PayoutCommand>,
): Promise<RefundWriteResult> {
  const { refund: key, operation_id, actor, proof } = given
  const current = await requireRefund(context, key)
  if (current.payout === null && !(await hasRoomForPayout(context, current))) {
    return { outcome: 'illegal', refund: refundProgress(current), deliveries: [] }
  }
  const time = currentTime(context)
  const reason = given.reason ?? ''
  const payout = { proof, reason, by: actor, time }
  return await writeAndFollowUp(context, key, () => ({ event: 'paid_out', operation_id, actor, reason, time, payout }))
}

/** Whether the payment still holds what is to be paid by hand; what WeChat returned to the merchant is held already. */
async function hasRoomForPayout({ store }: ActivityContext, refund: RefundRecord): Promise<boolean> {
  const payment = await store.payments.find(refund.mchid, refund.transaction_id)
  return payment !== null && hasRoomFor(payment, refund.out_refund_no, refund.amount.refund)
}

/** Keeps a notification that travelled in a signal, for a number that nobody knows yet: the sweeper hands it over again. */
async function keepNews(
  context: ActivityContext,
  { refund, found }: RefundStepInput<{ found: RefundChanged }>,
): Promise<void> {
  if ('envelope' in found) await archiveEnvelope(context, refund.mchid, found.envelope, 'refund')
}

/** What was signalled had its effect, or added nothing to what was known. */
async function settleNews(
  context: ActivityContext,
  given: RefundStepInput<{ found: RefundChanged; outcome: 'applied' | 'linked' }>,
): Promise<void> {
  const { found, refund } = given
  const evidence_id =
    'envelope' in found
      ? ((await archiveEnvelope(context, refund.mchid, found.envelope, 'refund'))?._id ?? null)
      : found.evidence_id
  if (evidence_id === null) return
  const { outcome } = given
  await context.store.evidence.recordOutcome(evidence_id, {
    outcome,
    applied_to: refundId(refund),
    time: currentTime(context),
  })
}

/**
 * A refund that somebody made outside Weft, as WeChat's answer to a query tells it. `null`: its payment is not known
 * here yet; whoever asked has it looked for first.
 */
async function adoptRefund(
  context: ActivityContext,
  { refund: key, evidence_id }: RefundStepInput<{ evidence_id: string }>,
): Promise<RefundProgress | null> {
  const { store } = context
  const answer = await readRefundAnswer(context, evidence_id)
  const payment = await store.payments.find(key.mchid, answer.transaction_id)
  if (payment === null) return null
  const { notify_url } = await requireMerchant(context, key.mchid)
  const { refund: amount } = answer.amount
  const adopted_payment = await store.payments.adoptRefund(payment, { out_refund_no: key.out_refund_no, amount })
  const adopted = newRefund(payment, {
    out_refund_no: key.out_refund_no,
    origin: 'outside',
    requested_by: wechat_actor,
    notify_url,
    amount,
    is_full: isAllGoingBack(adopted_payment, await store.refunds.ofOrder(key.mchid, payment.out_trade_no)),
    create_time: currentTime(context),
  })
  const inserted = await store.refunds.insert(adopted)
  return refundProgress(inserted.inserted ? adopted : inserted.existing)
}

async function noteToldToOrder(
  context: ActivityContext,
  { refund: key, revision }: RefundStepInput<{ revision: number }>,
): Promise<RefundProgress> {
  const { refunds } = context.store
  const { state } = await requireRefund(context, key)
  // One that has not ended goes on being asked about, also where this run is lost before it plans that itself.
  if (await refunds.noteOrderSignalled(key, revision)) {
    if (!isRefundResting(state))
      await refunds.noteNextAction(key, state, { what: 'ask_wechat', time: currentTime(context) })
  }
  return refundProgress(await requireRefund(context, key))
}

/** The merchant's balance is too low: a person is told, and the same request goes again by plan. */
async function noteNotEnough(
  context: ActivityContext,
  { refund: key, next_time }: RefundStepInput<{ next_time: string }>,
): Promise<RefundProgress> {
  const { refunds } = context.store
  const current = await requireRefund(context, key)
  // An attempt that was given up on and comes late: WeChat has it by now.
  if (current.facts !== null) return refundProgress(current)
  await refunds.noteAttention(key, 'processing', 'not_enough', currentTime(context))
  await refunds.noteNextAction(key, 'processing', { what: 'submit', time: next_time })
  return refundProgress(await requireRefund(context, key))
}

/** Writes one occurrence, then does what follows from it; done before is followed up again. */
async function writeAndFollowUp(
  context: ActivityContext,
  key: RefundKey,
  cause: (refund: RefundRecord) => RefundOccurrence | null,
): Promise<RefundWriteResult> {
  const { outcome, refund, entry } = await context.store.refunds.apply(key, cause)
  const deliveries = entry === null ? [] : await followUpRefundEvent(context, refund, entry.event)
  return { outcome, refund: refundProgress(refund), deliveries }
}

/** The payment's element, the book, and the event where there is no order to number it. All of it may be repeated. */
async function followUpRefundEvent(
  context: ActivityContext,
  refund: RefundRecord,
  event: RefundEvent,
): Promise<string[]> {
  const element = element_states[event]
  const payment = element && (await context.store.payments.moveRefund(refund, element))
  // Another refund took the room in the very moment: more goes back than was paid, which only a person can mend.
  if (payment === null) await flagDoubleRefund(context, refund, refund.payout?.proof ?? '-')
  if (payment && isWhollyRefunded(payment)) await context.store.refunds.liftSetbacks(refund)
  await postRefundEntry(context, refund, event)
  return refund.order_id === null ? await publishOrderlessRefundEvent(context, refund, event) : []
}

/** What each event makes of the payment's element. */
const element_states: Partial<Record<RefundEvent, RefundElement['state']>> = {
  accepted: 'accepted',
  succeeded: 'succeeded',
  closed: 'closed',
  not_reserved: 'released',
  refused: 'released',
  rejected: 'released',
  approval_expired: 'released',
  paid_out: 'settled',
}

export async function requireRefund({ store }: ActivityContext, key: RefundKey): Promise<RefundRecord> {
  const refund = await store.refunds.find(key)
  if (refund === null) throw new RecordMissing(refundId(key))
  return refund
}

function currentTime({ now }: ActivityContext): string {
  return beijingTime(now())
}

/** Unix ms at which WeChat took the refund; now, when it has not yet. */
export function acceptedAtMs({ now }: ActivityContext, { facts }: RefundRecord): number {
  return facts === null ? now() : milliseconds(facts.accepted_time)
}
