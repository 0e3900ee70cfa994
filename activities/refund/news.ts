import { wechat_actor } from '../../domain/actor.ts'
import { refundId } from '../../domain/ids.ts'
import type { RefundChanged, RefundProgress } from '../../domain/messages.ts'
import { isAllGoingBack } from '../../domain/refund/cover.ts'
import { newRefund } from '../../domain/refund/record.ts'
import { currentTime, requireMerchant } from '../context.ts'
import type { ActivityContext } from '../context.ts'
import { archiveEnvelope, readRefundAnswer } from '../evidence.ts'
import { refundProgress } from '../progress.ts'
import type { RefundStepInput } from './consequence.ts'

/** Archives a notification that travelled in a signal, of a number that nobody knows yet: the sweeper signals it again. */
export async function keepNews(
  context: ActivityContext,
  { refund, found }: RefundStepInput<{ found: RefundChanged }>,
): Promise<void> {
  if ('envelope' in found) await archiveEnvelope(context, refund.mchid, found.envelope, 'refund')
}

/** Records the outcome of signalled evidence: it had its effect, or added nothing to what was known. */
export async function settleNews(
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
 * Inserts a refund that somebody made outside Weft, as WeChat's answer to a query describes it. Null where its payment is
 * not known here yet: the run then has that looked for first.
 */
export async function adoptRefund(
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
