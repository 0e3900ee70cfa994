import type { RefundRecord } from '../../domain/refund/record.ts'
import type { WeChatRefund } from '../../wechat/refunds.ts'
import { currentTime } from '../context.ts'
import type { ActivityContext } from '../context.ts'
import { againFailure } from '../failure.ts'

/**
 * Whether an answer is about this refund: amount and payment have to agree, else it must not end this one. What a second
 * person has not let go was never sent: whatever WeChat has under its number was made past Weft.
 */
export function isOurRefund(refund: RefundRecord, said: WeChatRefund): boolean {
  if (refund.state === 'rejected') return false
  return refund.transaction_id === said.transaction_id && refund.amount.refund === said.amount.refund
}

/**
 * Whether an answer can be written down at all. Of what is in another currency nothing can be booked, and of a refund that
 * WeChat has taken an answer about another one says nothing.
 */
export function isWritableAnswer(refund: RefundRecord, said: WeChatRefund): boolean {
  if (said.amount.currency !== refund.amount.currency) return false
  return refund.facts === null || isOurRefund(refund, said)
}

/**
 * Throws where an answer is not writable, once a person has been called: the failure with which WeChat is asked again,
 * slowly. The refund goes on by itself once WeChat says something else.
 */
export async function assertWritableAnswer(
  context: ActivityContext,
  refund: RefundRecord,
  said: WeChatRefund,
  evidence_id: string,
): Promise<void> {
  if (isWritableAnswer(refund, said)) return
  await flagUnwritableAnswer(context, refund, said, evidence_id)
  throw againFailure('WeChat’s answer is about another refund', context.policy.setup_retry_ms)
}

/** Calls a person because of an answer that is not writable: at the merchant, and at a refund that WeChat may have in hand. */
export async function flagUnwritableAnswer(
  { store, log, now }: ActivityContext,
  refund: RefundRecord,
  { transaction_id, amount }: WeChatRefund,
  evidence_id: string,
): Promise<void> {
  const { mchid, out_refund_no, state } = refund
  const since_time = currentTime({ now })
  const detail = `WeChat Pay answers ${amount.refund} ${amount.currency} of ${transaction_id}`
  await store.merchants.noteAttention(mchid, 'evidence_unapplied', since_time)
  if (state === 'processing' || state === 'abnormal')
    await store.refunds.noteAttention(refund, state, { code: 'evidence_unapplied', since_time, detail })
  log.error('WeChat answers about another refund than the one asked for', { mchid, out_refund_no, evidence_id })
}
