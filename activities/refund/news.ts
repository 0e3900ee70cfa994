import { wechat_actor } from '../../domain/actor.ts'
import { outsideRefundNo, refundId } from '../../domain/ids.ts'
import type { RefundKey } from '../../domain/ids.ts'
import type { RefundChanged, RefundProgress } from '../../domain/messages.ts'
import type { EvidenceRecord } from '../../domain/payment/evidence.ts'
import { isAllGoingBack } from '../../domain/refund/cover.ts'
import { newRefund } from '../../domain/refund/record.ts'
import type { RefundRecord, RefundState } from '../../domain/refund/record.ts'
import { refundStanding } from '../../wechat/refunds.ts'
import type { RefundStanding, WeChatRefund } from '../../wechat/refunds.ts'
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
 * refund that has ended another end, and nobody has asked WeChat yet; then nothing is recorded. Neither is it while a
 * refund of ours under this number may still be sent: the sweeper hands the evidence over again, until that is decided.
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
  const record = await context.store.refunds.find(refund)
  if (evidence === null || !isAbout(evidence, refund, record)) return null
  const evidence_id = evidence._id
  const state = record?.state
  if (state !== undefined && undecided_states.includes(state)) return null
  const known_words = outcome === 'linked' && state !== undefined ? words_after_end[state] : undefined
  if (known_words !== undefined) {
    const said = await refundSaid(context, evidence)
    const is_well = said !== null && (known_words.has(said.status) || (await isAdoptedBeside(context, refund, said)))
    // What WeChat answered to a question is asked once more as well: only an answer of this run's own is written down.
    if (!is_asked && (!is_well || !isNotification(evidence))) return 'ask'
    if (is_asked && !is_well) {
      // A query may lag behind its notification, and a refund that has ended is not asked about by itself.
      const told = said === null ? 'cannot be read any more' : `said that it is ${said.status}`
      context.log.error(`a message of WeChat about a refund that is ${state} ${told}, and its query says nothing new`, {
        ...refund,
        evidence_id,
      })
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

/** Whether evidence is about this refund, here or at WeChat: whoever sends a signal may name anything. */
function isAbout(
  { mchid, subject, out_refund_no }: EvidenceRecord,
  refund: RefundKey,
  record: RefundRecord | null,
): boolean {
  const numbers = [refund.out_refund_no, record?.wechat_refund_no]
  return subject === 'refund' && mchid === refund.mchid && out_refund_no !== null && numbers.includes(out_refund_no)
}

/** Not sent yet: that WeChat has a refund of this number already is a matter of what is decided about ours. */
const undecided_states: readonly RefundState[] = ['created', 'awaiting_approval']

/**
 * What WeChat may say of a refund that has ended so, without saying anything new: the same, or what was true before. Of
 * one that never went to WeChat, or that WeChat refused, it can only say that no money went back.
 */
const words_after_end: Partial<Record<RefundState, ReadonlySet<RefundStanding>>> = {
  succeeded: new Set(['SUCCESS', 'PROCESSING']),
  returned_to_merchant: new Set(['RETURNED', 'SUCCESS', 'PROCESSING', 'ABNORMAL']),
  closed: new Set(['CLOSED', 'PROCESSING', 'ABNORMAL']),
  refused: new Set(['CLOSED']),
  rejected: new Set(['CLOSED']),
}

function isNotification({ raw }: EvidenceRecord): boolean {
  return 'body' in raw
}

/** What a message says of a refund; `refund_id` is WeChat's number of it, where it names one. */
interface RefundWord {
  status: RefundStanding
  refund_id: string | null
}

/** What a notification or an answer says; null: a notification that cannot be read now, which may say anything. */
async function refundSaid(context: ActivityContext, evidence: EvidenceRecord): Promise<RefundWord | null> {
  if (!isNotification(evidence)) {
    const { refund } = await readRefundAnswer(context, evidence._id)
    return { status: refundStanding(refund), refund_id: refund.refund_id }
  }
  const fact = await readNotifiedRefund(context, evidence)
  if (fact === null || fact.refund_status === null) return null
  const { refund_status: status, user_received_account, refund_id } = fact
  return { status: refundStanding({ status, user_received_account }), refund_id: refund_id ?? null }
}

/** Whether it is another refund's word, which stands beside ours: the run of that one is told. */
async function isAdoptedBeside(
  { store }: ActivityContext,
  { mchid, out_refund_no }: RefundKey,
  { refund_id }: RefundWord,
): Promise<boolean> {
  if (refund_id === null) return false
  const beside = await store.refunds.find({ mchid, out_refund_no: outsideRefundNo(refund_id) })
  return beside?.wechat_refund_no === out_refund_no
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
