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
  if (outcome === 'linked' && (await isSucceeded(context, refund))) {
    const said = await refundStatusSaid(context, evidence)
    const is_well = said !== null && statuses_after_success.has(said)
    // What WeChat answered to a question is asked once more as well: only an answer of this run's own is written down.
    if (!is_asked && (!is_well || !isNotification(evidence))) return 'ask'
    if (is_asked && !is_well) {
      // A query may lag behind its notification, and a refund that has succeeded is not asked about by itself.
      const told = said === null ? 'of a refund cannot be read any more' : `said that a refund is ${said}`
      context.log.error(`A message of WeChat ${told}, and its query says nothing new`, { ...refund, evidence_id })
      await context.store.merchants.noteAttention(refund.mchid, 'evidence_unapplied', currentTime(context))
    }
  }
  await context.store.evidence.recordOutcome(evidence_id, {
    outcome,
    applied_to: refundId(refund),
    time: currentTime(context),
  })
  return null
}

/** What WeChat may say of a refund that has succeeded without meaning that the payer's bank sent it back. */
const statuses_after_success: ReadonlySet<string> = new Set(['SUCCESS', 'PROCESSING'])

async function isSucceeded(context: ActivityContext, key: RefundKey): Promise<boolean> {
  return (await context.store.refunds.find(key))?.state === 'succeeded'
}

function isNotification({ raw }: EvidenceRecord): boolean {
  return 'body' in raw
}

/** The status that a notification or an answer names; null: a notification that cannot be read now, which may say anything. */
async function refundStatusSaid(context: ActivityContext, evidence: EvidenceRecord): Promise<string | null> {
  if (isNotification(evidence)) return (await readNotifiedRefund(context, evidence))?.refund_status ?? null
  return (await readRefundAnswer(context, evidence._id)).refund.status
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
