import { wechat_actor } from '../../domain/actor.ts'
import { beijingTime } from '../../domain/calendar.ts'
import type { Time } from '../../domain/calendar.ts'
import { operationId, outsideRefundNo, refundId } from '../../domain/ids.ts'
import type { RefundWriteResult } from '../../domain/messages.ts'
import { nextRefundQueryDelay } from '../../domain/policy.ts'
import { isOvertaken, isRefundResting } from '../../domain/refund/record.ts'
import type { RefundAtWeChat, RefundRecord } from '../../domain/refund/record.ts'
import { refundStanding } from '../../wechat/refunds.ts'
import type { RefundStanding, WeChatRefund } from '../../wechat/refunds.ts'
import { currentTime } from '../context.ts'
import type { ActivityContext } from '../context.ts'
import { readRefundAnswer } from '../evidence.ts'
import { refundProgress } from '../progress.ts'
import { flagDoubleRefund, followUpRefundEntry, writeAndFollowUp } from './consequence.ts'
import type { RefundStepInput } from './consequence.ts'
import type { RefundAnswerFound } from './gateway.ts'
import { assertWritableAnswer, isOurRefund } from './judgement.ts'
import { adoptBeside } from './news.ts'
import { requireRefund } from './record.ts'

/**
 * Records what WeChat answered about a refund: first that it has taken it, then where it stands, each once. What WeChat was
 * asked before it said what the record holds moves nothing.
 */
export async function recordRefundAnswer(
  context: ActivityContext,
  { refund: key, evidence_id, ...given }: RefundStepInput<RefundAnswerFound>,
): Promise<RefundWriteResult> {
  const { store } = context
  const current = await requireRefund(context, key)
  const { refund: answer, receive_time } = await readRefundAnswer(context, evidence_id)
  // A run of an earlier version does not say when it asked; the words may be as old as the first time they were heard.
  const asked_time = given.asked_time ?? receive_time
  const facts = refundAtWeChat(answer, asked_time)
  const cause = { time: currentTime(context), actor: wechat_actor, evidence_id }
  let recorded: RefundWriteResult = { outcome: 'done_before', refund: refundProgress(current), deliveries: [] }
  // Whoever wrote the last entry may have died right after: what follows from it is done before anything new.
  const last = current.timeline.at(-1)
  if (last !== undefined) recorded.deliveries.push(...(await followUpRefundEntry(context, current, last)))
  // A run that began before the gateway looked at this brings it here.
  await assertWritableAnswer(context, current, answer, evidence_id)
  if (!isOurRefund(current, answer) || (await isTakenIn(context, current, answer)))
    return await recordOtherRefund(context, current, answer, evidence_id)
  if (current.facts === null) {
    const next_query_time = beijingTime(context.now() + nextRefundQueryDelay(context.policy, 0, false))
    const taken = {
      event: 'accepted',
      operation_id: operationId.refundAccepted(),
      facts,
      next_query_time,
    } as const
    recorded = await writeAndFollowUp(context, key, () => ({ ...taken, ...cause }))
    if (recorded.outcome === 'illegal') await flagDoubleRefund(context, current, evidence_id)
  }
  const event = answeredEvent(answer, recorded.refund.state)
  if (event !== null) {
    const operation_id = operationId.refundAnswered(event, answer.refund_id, recorded.refund.revision)
    const next_query_time = beijingTime(context.now() + nextRefundQueryDelay(context.policy, 0, false))
    const before = recorded.deliveries
    recorded = await writeAndFollowUp(context, key, (refund) =>
      answeredEvent(answer, refund.state) === event && !isOvertaken(refund, asked_time)
        ? { event, operation_id, facts, next_query_time, ...cause }
        : null,
    )
    recorded.deliveries.push(...before)
  }
  const outcome = recorded.outcome === 'done' ? 'applied' : 'linked'
  await store.evidence.recordOutcome(evidence_id, { outcome, applied_to: refundId(key), time: currentTime(context) })
  return recorded
}

/**
 * Records that WeChat has another refund under this number, so that ours can never be made: the other one is adopted where
 * its money was ours, and ours is refused. In this order, since the run that carries ours comes again until it has ended.
 */
async function recordOtherRefund(
  context: ActivityContext,
  current: RefundRecord,
  answer: WeChatRefund,
  evidence_id: string,
): Promise<RefundWriteResult> {
  // Not sent yet: WeChat will say so itself when it is.
  const is_to_be_sent = current.submission.attempts === 0 && !isRefundResting(current.state)
  if (is_to_be_sent) return await linkAnswer(context, current, evidence_id)
  const adopted = await adoptBeside(context, current, answer)
  const failure = current.submission.refusal ?? {
    code: 'refund_number_taken',
    message: `WeChat Pay has refund ${answer.refund_id} of ${answer.amount.refund} fen under this number`,
  }
  const operation_id = operationId.refundRefused()
  const cause = { operation_id, failure, actor: wechat_actor, time: currentTime(context), evidence_id }
  const recorded = await writeAndFollowUp(context, current, (refund) =>
    refund.facts === null ? { event: 'refused', attention: 'refund_number_taken', ...cause } : null,
  )
  if (adopted === null) {
    // Its payment may still come: the sweeper hands the evidence over again, and in the end a person looks.
    const { mchid, out_refund_no } = current
    context.log.error('a refund of a payment that is not known here has our number', {
      mchid,
      out_refund_no,
      evidence_id,
    })
    await context.store.merchants.noteAttention(mchid, 'evidence_unapplied', currentTime(context))
    return recorded
  }
  await context.store.evidence.recordOutcome(evidence_id, {
    outcome: recorded.outcome === 'done' ? 'applied' : 'linked',
    applied_to: refundId(current),
    time: currentTime(context),
  })
  return { ...recorded, adopted: adopted.out_refund_no, adopted_by: evidence_id }
}

async function linkAnswer(
  context: ActivityContext,
  refund: RefundRecord,
  evidence_id: string,
): Promise<RefundWriteResult> {
  const linked = { outcome: 'linked', applied_to: refundId(refund), time: currentTime(context) } as const
  await context.store.evidence.recordOutcome(evidence_id, linked)
  return { outcome: 'done_before', refund: refundProgress(refund), deliveries: [] }
}

/** Whether a refund that WeChat tells of for the first time stands here already, beside ours: it is counted once. */
async function isTakenIn(
  { store }: ActivityContext,
  { mchid, out_refund_no, facts }: RefundRecord,
  { refund_id }: WeChatRefund,
): Promise<boolean> {
  const beside = outsideRefundNo(refund_id)
  if (facts !== null || beside === out_refund_no) return false
  return (await store.refunds.find({ mchid, out_refund_no: beside })) !== null
}

type AnsweredEvent = 'succeeded' | 'abnormal' | 'closed' | 'returned_to_merchant' | 'resumed'

/** The event that an answer is for a refund in `state`; null where it says what is known. */
function answeredEvent(said: WeChatRefund, state: RefundRecord['state']): AnsweredEvent | null {
  const standing = refundStanding(said)
  if (state === 'succeeded') return answersAfterSuccess[standing] ?? null
  if (state !== 'processing' && state !== 'abnormal') return null
  switch (standing) {
    case 'SUCCESS':
      return 'succeeded'
    case 'RETURNED':
      return 'returned_to_merchant'
    case 'CLOSED':
      return 'closed'
    case 'ABNORMAL':
      return state === 'abnormal' ? null : 'abnormal'
    case 'PROCESSING':
      return state === 'abnormal' ? 'resumed' : null
  }
}

/** The payer's bank sent it back. Any other answer is an older one that comes late. */
const answersAfterSuccess: Partial<Record<RefundStanding, AnsweredEvent>> = {
  ABNORMAL: 'abnormal',
  CLOSED: 'closed',
  RETURNED: 'returned_to_merchant',
}

/** More than the refund itself is not understood, and counts as unsaid: the book must not hold money that never went. */
function partOfRefund({ amount }: WeChatRefund, part: number | null): number | null {
  return part !== null && part <= amount.refund ? part : null
}

function refundAtWeChat(said: WeChatRefund, asked_time: Time): RefundAtWeChat {
  return {
    refund_id: said.refund_id,
    channel: said.channel,
    user_received_account: said.user_received_account,
    accepted_time: said.create_time,
    success_time: said.success_time,
    payer_refund: partOfRefund(said, said.amount.payer_refund),
    settlement_refund: partOfRefund(said, said.amount.settlement_refund),
    asked_time,
  }
}
