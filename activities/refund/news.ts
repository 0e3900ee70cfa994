import { wechat_actor } from '../../domain/actor.ts'
import { outsideRefundNo, refundId } from '../../domain/ids.ts'
import type { RefundKey } from '../../domain/ids.ts'
import type { RefundChanged, RefundProgress } from '../../domain/messages.ts'
import type { EvidenceRecord } from '../../domain/payment/evidence.ts'
import { isAllGoingBack } from '../../domain/refund/cover.ts'
import { newRefund } from '../../domain/refund/record.ts'
import type { RefundRecord } from '../../domain/refund/record.ts'
import type { WeChatRefund } from '../../wechat/refunds.ts'
import { currentTime, requireMerchant } from '../context.ts'
import type { ActivityContext } from '../context.ts'
import { archiveEnvelope, readNotifiedRefund, readRefundAnswer } from '../evidence.ts'
import { refundProgress } from '../progress.ts'
import type { RefundStepInput } from './consequence.ts'

/**
 * Archives a notification that travelled in a signal, of a number that nobody knows yet: the sweeper signals it again.
 */
export async function keepNews(
  context: ActivityContext,
  { refund, found }: RefundStepInput<{ found: RefundChanged }>,
): Promise<void> {
  if ('envelope' in found) await archiveEnvelope(context, refund.mchid, found.envelope, 'refund')
}

/**
 * Records the outcome of signalled evidence: it had its effect, or added nothing to what was known. `ask`: it says of a
 * refund that succeeded that it did not stay so, and nobody has asked WeChat yet; then nothing is recorded.
 */
export async function settleNews(
  context: ActivityContext,
  given: RefundStepInput<{ found: RefundChanged; outcome: 'applied' | 'linked'; is_asked?: boolean }>,
): Promise<'ask' | null> {
  const { found, refund, outcome, is_asked = false } = given
  const evidence =
    'envelope' in found
      ? await archiveEnvelope(context, refund.mchid, found.envelope, 'refund')
      : found.evidence_id === null
        ? null
        : await context.store.evidence.find(found.evidence_id)
  if (evidence === null) return null
  const evidence_id = evidence._id
  if (!is_asked && outcome === 'linked' && (await isReversal(context, refund, evidence))) return 'ask'
  if (is_asked && outcome === 'linked') {
    // A query may lag behind its notification, and a refund that has succeeded is not asked about by itself.
    context.log.error('WeChat said that a refund came back, and its query does not say so', { ...refund, evidence_id })
    await context.store.merchants.noteAttention(refund.mchid, 'evidence_unapplied', currentTime(context))
  }
  await context.store.evidence.recordOutcome(evidence_id, {
    outcome,
    applied_to: refundId(refund),
    time: currentTime(context),
  })
  return null
}

/**
 * Whether a notification says that the payer's bank sent back what had succeeded. One that cannot be read now may: asking
 * does no harm.
 */
async function isReversal(context: ActivityContext, key: RefundKey, evidence: EvidenceRecord): Promise<boolean> {
  if ((await context.store.refunds.find(key))?.state !== 'succeeded') return false
  const said = await readNotifiedRefund(context, evidence)
  return said === null || (said.refund_status !== 'SUCCESS' && said.refund_status !== 'PROCESSING')
}

/**
 * Inserts a refund that somebody made outside Weft, as WeChat's answer to a query describes it. Null where its payment is
 * not known here yet: the run then has that looked for first.
 */
export async function adoptRefund(
  context: ActivityContext,
  { refund: key, evidence_id }: RefundStepInput<{ evidence_id: string }>,
): Promise<RefundProgress | null> {
  return await adoptAnswer(context, key, (await readRefundAnswer(context, evidence_id)).refund)
}

/**
 * Inserts the refund that WeChat has under the number of `ours`, which asked for something else. It stands beside ours under
 * a number of its own. Null where its payment is not known here.
 */
export async function adoptBeside(
  context: ActivityContext,
  ours: RefundRecord,
  answer: WeChatRefund,
): Promise<RefundProgress | null> {
  const key = { mchid: ours.mchid, out_refund_no: outsideRefundNo(answer.refund_id) }
  return await adoptAnswer(context, key, answer, ours.out_refund_no)
}

/** `taken_from`: the number at WeChat, which a refund of ours has here and which will never hold any money there. */
async function adoptAnswer(
  context: ActivityContext,
  key: RefundKey,
  answer: WeChatRefund,
  taken_from: string | null = null,
): Promise<RefundProgress | null> {
  const { store } = context
  const payment = await store.payments.find(key.mchid, answer.transaction_id)
  if (payment === null) return null
  const { notify_url } = await requireMerchant(context, key.mchid)
  const { refund: amount } = answer.amount
  const adopted_payment = await store.payments.adoptRefund(payment, { out_refund_no: key.out_refund_no, amount })
  const counted = adopted_payment.refunds.filter(({ out_refund_no }) => out_refund_no !== taken_from)
  const refunds = await store.refunds.ofOrder(key.mchid, payment.out_trade_no)
  const adopted = newRefund(payment, {
    out_refund_no: key.out_refund_no,
    ...(taken_from !== null && { wechat_refund_no: taken_from }),
    origin: 'outside',
    requested_by: wechat_actor,
    notify_url,
    amount,
    is_full: isAllGoingBack({ ...adopted_payment, refunds: counted }, refunds),
    create_time: currentTime(context),
  })
  const inserted = await store.refunds.insert(adopted)
  return refundProgress(inserted.inserted ? adopted : inserted.existing)
}
