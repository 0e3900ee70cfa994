import { wechat_actor, weft_actor } from '../../domain/actor.ts'
import { beijingDay, beijingTime, milliseconds } from '../../domain/calendar.ts'
import { operationId, workflowId } from '../../domain/ids.ts'
import type { RefundKey } from '../../domain/ids.ts'
import type {
  LoadedRefund,
  PayoutCommand,
  RefundApproval,
  RefundChanged,
  RefundProgress,
  RefundWriteResult,
} from '../../domain/messages.ts'
import type { RefundLimits } from '../../domain/merchant/record.ts'
import { hasRoomFor } from '../../domain/payment/record.ts'
import type { RefundElement, WantedRefund } from '../../domain/payment/record.ts'
import { missingRefundPlan } from '../../domain/refund/change.ts'
import { isAutomaticOrigin } from '../../domain/refund/record.ts'
import type { RefundFailure, RefundRecord } from '../../domain/refund/record.ts'
import { openWords } from '../../store/words.ts'
import { refundBody, refundPath } from '../../wechat/refunds.ts'
import { currentTime, requireMerchant } from '../context.ts'
import type { ActivityContext } from '../context.ts'
import { refundProgress } from '../progress.ts'
import { recordRefundAnswer } from './answer.ts'
import { followUpRefundEntry, writeAndFollowUp } from './consequence.ts'
import type { RefundStepInput } from './consequence.ts'
import type { RefundAnswerFound } from './gateway.ts'
import { adoptRefund, keepNews, settleNews } from './news.ts'
import { isPaymentGoingBack } from './owed.ts'
import { requireRefund } from './record.ts'

export type RefundActivities = ReturnType<typeof createRefunds>

/**
 * The activities that write a refund's record: one conditional, repeatable write each, followed up on the payment's
 * element, in the journal, and by an event where the payment belongs to no order.
 */
export function createRefunds(context: ActivityContext) {
  const opened = <T extends RefundStepInput>(given: T) =>
    openWords(context.sealer, workflowId.refund(given.refund), given)
  return {
    loadRefund: (key: RefundKey) => loadRefund(context, key),
    reserveRefund: (given: RefundStepInput) => reserveRefund(context, given),
    recordApproval: (given: RefundStepInput<RefundApproval>) => recordApproval(context, opened(given)),
    recordApprovalExpired: (given: RefundStepInput) => recordApprovalExpired(context, given),
    recordRefundAnswer: (given: RefundStepInput<RefundAnswerFound>) => recordRefundAnswer(context, given),
    recordRefundRefused: (given: RefundStepInput<{ failure: RefundFailure }>) => recordRefundRefused(context, given),
    recordPayout: (given: RefundStepInput<PayoutCommand>) => recordPayout(context, opened(given)),
    settleNews: (given: RefundStepInput<{ found: RefundChanged; outcome: 'applied' | 'linked'; is_asked?: boolean }>) =>
      settleNews(context, given),
    keepNews: (given: RefundStepInput<{ found: RefundChanged }>) => keepNews(context, given),
    adoptRefund: (given: RefundStepInput<{ evidence_id: string }>) => adoptRefund(context, given),
    noteToldToOrder: (given: RefundStepInput<{ revision: number }>) => noteToldToOrder(context, given),
    noteNotEnough: (given: RefundStepInput<{ next_time: string }>) => noteNotEnough(context, given),
  }
}

/**
 * Loads the record for a run that starts, follows up all of its entries again, and plans what has no plan: an earlier run
 * may have been lost.
 */
async function loadRefund(context: ActivityContext, key: RefundKey): Promise<LoadedRefund> {
  const refund = await context.store.refunds.find(key)
  if (refund === null) return { refund: null, policy: context.policy, deliveries: [] }
  const deliveries: string[] = []
  for (const entry of refund.timeline) deliveries.push(...(await followUpRefundEntry(context, refund, entry)))
  return { refund: refundProgress(await planWhereMissing(context, refund)), policy: context.policy, deliveries }
}

/** Plans the next step of an open refund that has none, or the sweeper would not find it once this run is lost too. */
async function planWhereMissing(context: ActivityContext, refund: RefundRecord): Promise<RefundRecord> {
  const next_action = refund.next_action === undefined ? missingRefundPlan(refund, currentTime(context)) : null
  if (next_action === null) return refund
  await context.store.refunds.noteNextAction(refund, refund.state, next_action)
  return { ...refund, next_action }
}

/** Reserves the amount on its payment and freezes the request to WeChat. An automatic refund takes what is left. */
async function reserveRefund(context: ActivityContext, { refund: key }: RefundStepInput): Promise<RefundWriteResult> {
  const { store } = context
  const current = await requireRefund(context, key)
  if (current.state !== 'created') return { outcome: 'done_before', refund: refundProgress(current), deliveries: [] }
  const is_automatic = isAutomaticOrigin(current.origin)
  const { out_refund_no, transaction_id } = current
  // Merchants of an earlier version have none.
  const limits = (await requireMerchant(context, key.mchid)).settings.refund_approval ?? null
  const above = limits?.above ?? null
  const wanted: WantedRefund = is_automatic
    ? { out_refund_no, amount: 'rest', approval: 'exempt' }
    : { out_refund_no, amount: current.amount.refund, approval: above === null ? null : { above } }
  const reserved = await store.payments.reserveRefund(current, wanted, context.now())
  const operation_id = operationId.reserved(current.revision)
  const cause = { operation_id, time: currentTime(context), actor: weft_actor }
  if ('refusal' in reserved) {
    const failure = { code: reserved.refusal, message: `payment ${transaction_id} cannot be refunded so` }
    return await writeAndFollowUp(context, key, () => ({ event: 'not_reserved', failure, ...cause }))
  }
  const { payment, element } = reserved
  const needs_approval = await needsApproval(context, current, element, limits)
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

/**
 * Whether a reserved refund waits for a second person. The payment's limit was decided with the reservation; the day's
 * is claimed behind it, because a refund that has no room takes nothing of the day. A worker that dies in between leaves
 * the refund `created`: the claim is made again, under the same name, before anything is sent.
 */
async function needsApproval(
  { store }: ActivityContext,
  refund: RefundRecord,
  element: RefundElement,
  limits: RefundLimits | null,
): Promise<boolean> {
  if (element.approval !== undefined) return element.approval === 'needed'
  if (limits === null || isAutomaticOrigin(refund.origin)) return false
  const { mchid, out_refund_no, revision, create_time } = refund
  const { above, above_per_day = null } = limits
  // An element of an earlier version does not say; it alone is compared with the payment's limit.
  if (above === null || element.amount <= above) {
    if (above_per_day === null) return false
    const claim = { claim: `${out_refund_no}/${revision}`, amount: element.amount }
    const limit = { mchid, day: beijingDay(milliseconds(create_time)), above: above_per_day }
    if (await store.allowances.claim(claim, limit)) return false
  }
  await store.payments.requireApproval(refund, out_refund_no)
  return true
}

/** Records a second person's decision. `illegal` where it was decided already, or by the person who asked. */
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
  const operation_id = operationId.approvalExpired()
  return await writeAndFollowUp(context, refund, () => ({
    event: 'approval_expired',
    operation_id,
    actor: weft_actor,
    time: currentTime(context),
  }))
}

/** Records that WeChat never took the refund, as a query has proven, and releases the reservation. */
async function recordRefundRefused(
  context: ActivityContext,
  { refund, failure }: RefundStepInput<{ failure: RefundFailure }>,
): Promise<RefundWriteResult> {
  return await writeAndFollowUp(context, refund, (current) =>
    current.facts !== null
      ? null
      : {
          event: 'refused',
          operation_id: operationId.refundRefused(),
          failure,
          actor: wechat_actor,
          time: currentTime(context),
        },
  )
}

/**
 * Records that the payer was paid by hand. `illegal` where the payment has no room left for it, since WeChat may hold
 * nothing of the refund any more, or where this refund cannot be paid by hand.
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

/** Notes on the refund that its order has recorded everything up to `revision`. */
async function noteToldToOrder(
  context: ActivityContext,
  { refund: key, revision }: RefundStepInput<{ revision: number }>,
): Promise<RefundProgress> {
  const { refunds } = context.store
  // One that has not ended goes on being asked about, also where this run is lost before it plans that itself.
  await refunds.noteOrderSignalled(
    key,
    revision,
    missingRefundPlan(await requireRefund(context, key), currentTime(context)),
  )
  return refundProgress(await requireRefund(context, key))
}

/** Raises attention because the merchant's balance is too low, and plans the same request again. */
async function noteNotEnough(
  context: ActivityContext,
  { refund: key, next_time }: RefundStepInput<{ next_time: string }>,
): Promise<RefundProgress> {
  const { refunds } = context.store
  const current = await requireRefund(context, key)
  // An attempt that was given up on and comes late: WeChat has it by now.
  if (current.facts !== null) return refundProgress(current)
  await refunds.noteAttention(key, 'processing', { code: 'not_enough', since_time: currentTime(context) })
  await refunds.noteNextAction(key, 'processing', { what: 'submit', time: next_time })
  return refundProgress(await requireRefund(context, key))
}
