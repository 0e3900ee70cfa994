import type { RefundKey } from '../../domain/ids.ts'
import type { RefundWriteResult } from '../../domain/messages.ts'
import { isWhollyRefunded } from '../../domain/payment/record.ts'
import type { RefundElement } from '../../domain/payment/record.ts'
import type { RefundEntry, RefundEvent, RefundOccurrence, RefundRecord } from '../../domain/refund/record.ts'
import { currentTime } from '../context.ts'
import type { ActivityContext } from '../context.ts'
import { publishOrderlessRefundEvent } from '../delivery/event.ts'
import { refundProgress } from '../progress.ts'
import { postRefundEntry } from './journal.ts'

/** What every step of a refund is given: its key, beside what the step needs. */
export type RefundStepInput<T = unknown> = T & { refund: RefundKey }

/**
 * Raises attention for money that may have gone back twice: WeChat and a person both gave it, or WeChat made a refund
 * that was given up here.
 */
export async function flagDoubleRefund(
  context: ActivityContext,
  { mchid, out_refund_no }: RefundRecord,
  proof: string,
): Promise<void> {
  await context.store.merchants.noteAttention(mchid, 'evidence_unapplied', currentTime(context))
  context.log.error('a refund was given back in two ways', { mchid, out_refund_no, proof })
}

/** Applies one RefundOccurrence to the record and follows it up. What was done before is followed up again. */
export async function writeAndFollowUp(
  context: ActivityContext,
  key: RefundKey,
  cause: (refund: RefundRecord) => RefundOccurrence | null,
): Promise<RefundWriteResult> {
  const { outcome, refund, entry } = await context.store.refunds.apply(key, cause)
  const deliveries = entry === null ? [] : await followUpRefundEntry(context, refund, entry)
  return { outcome, refund: refundProgress(refund), deliveries }
}

/**
 * Follows up a RefundEntry: moves the payment's element, posts to the journal, and publishes the event where there is no
 * order to number it. Repeatable, since the worker that wrote the record may have died right after. Returns deliveries.
 */
export async function followUpRefundEntry(
  context: ActivityContext,
  refund: RefundRecord,
  entry: RefundEntry,
): Promise<string[]> {
  // By the last entry that moves it, since an earlier one is followed up again as well.
  const last = refund.timeline.findLast(({ event }) => event in element_states)
  const element = last && element_states[last.event]
  const payment = element && (await context.store.payments.moveRefund(refund, element))
  // Another refund took the room in the very moment: more goes back than was paid, which only a person can mend.
  if (payment === null) await flagDoubleRefund(context, refund, refund.payout?.proof ?? '-')
  if (payment && isWhollyRefunded(payment)) await context.store.refunds.liftSetbacks(refund)
  await postRefundEntry(context, refund, entry)
  return refund.order_id === null ? await publishOrderlessRefundEvent(context, refund, entry) : []
}

/** The state that each RefundEvent gives the payment's element; the others leave it. */
const element_states: Partial<Record<RefundEvent, RefundElement['state']>> = {
  accepted: 'accepted',
  succeeded: 'succeeded',
  abnormal: 'accepted',
  returned_to_merchant: 'accepted',
  closed: 'closed',
  not_reserved: 'released',
  refused: 'released',
  rejected: 'released',
  approval_expired: 'released',
  paid_out: 'settled',
}
