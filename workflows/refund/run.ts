import type { RefundAnswerFound } from '../../activities/refund/gateway.ts'
import { orderKey } from '../../domain/ids.ts'
import type { RefundKey } from '../../domain/ids.ts'
import type { RefundProgress, RefundWriteResult } from '../../domain/messages.ts'
import { default_policy } from '../../domain/policy.ts'
import { showRefund, upsertRefundAttributes } from '../details.ts'
import { Inbox, refund_urgency } from '../inbox.ts'
import type { RefundItem } from '../inbox.ts'
import { refundProxies } from '../proxies.ts'
import type { RefundProxies } from '../proxies.ts'
import type { Run } from '../run.ts'
import { waitWithin } from '../wait.ts'
import { timer_texts } from '../words.ts'

/** What one run of a refund holds. */
export interface RefundRun extends Run<RefundKey, RefundProgress, RefundItem> {
  activities: RefundProxies
}

export function newRefundRun(key: RefundKey): RefundRun {
  return {
    key,
    inbox: new Inbox(refund_urgency),
    activities: refundProxies(),
    policy: default_policy,
    current: undefined,
  }
}

/** Updates the run with the record, and shows it in Temporal UI. */
export function updateRefundRun(run: RefundRun, refund: RefundProgress): RefundProgress {
  upsertRefundAttributes(run.current ?? null, refund)
  run.current = refund
  showRefund(refund, run.policy)
  return refund
}

/** Applies what a record step returned: updates the run, and starts its deliveries. */
export async function applyRefundRecorded(run: RefundRun, recorded: RefundWriteResult): Promise<RefundProgress> {
  const refund = updateRefundRun(run, recorded.refund)
  await startRefundDeliveries(run, refund, recorded.deliveries)
  if (recorded.adopted !== undefined) await tellAdopted(run, refund, recorded.adopted, recorded.adopted_by)
  return refund
}

/**
 * Tells the run of a refund made outside that WeChat has under this one's number. All that WeChat says of it comes to this
 * run, by that number: also that the payer's bank sent it back, long after it had succeeded.
 */
async function tellAdopted(
  run: RefundRun,
  { mchid, out_trade_no }: RefundProgress,
  out_refund_no: string,
  evidence_id: string | undefined,
) {
  const told = { order: { mchid, out_trade_no }, refunds: [out_refund_no] }
  await run.activities.runs.startRefunds({ ...told, ...(evidence_id !== undefined && { evidence_id }) })
}

export async function startRefundDeliveries(
  run: RefundRun,
  refund: RefundProgress,
  deliveries: string[],
): Promise<void> {
  if (deliveries.length === 0) return
  const order = refund.order_id === null ? refund : orderKey(refund.order_id)
  await run.activities.runs.startDeliveries({
    order: { mchid: order.mchid, out_trade_no: order.out_trade_no },
    deliveries,
  })
}

/**
 * Signals the order that the refund has changed, and notes on the refund that the order has recorded it: each change is a
 * timeline entry of the order before this run goes on.
 */
export async function signalOrder(run: RefundRun, refund: RefundProgress): Promise<RefundProgress> {
  // Made outside, and all of it: what the order is about stops now, since nobody asked before.
  if (refund.origin === 'outside' && refund.is_full) await run.activities.runs.askOrderToRefund({ refund: run.key })
  await run.activities.runs.tellOrder({ refund: run.key })
  return await run.activities.records.noteToldToOrder({ refund: run.key, revision: refund.revision })
}

/**
 * Adopts a refund of a number that Weft does not know: what WeChat knows of it was made outside. Null where WeChat does
 * not know it either. Its payment may be unknown here too; then its order's run books that first.
 */
export async function adoptOutsideRefund(run: RefundRun): Promise<RefundProgress | null> {
  const { activities: does, key } = run
  const says = await does.prove({ refund: key })
  if (says.kind !== 'found') return null
  const { evidence_id } = says
  for (let lookup = 0; lookup < max_lookups; lookup += 1) {
    const adopted = await does.records.adoptRefund({ refund: key, evidence_id })
    if (adopted !== null) {
      const recorded = await does.records.recordRefundAnswer({ refund: key, ...answerFound(says) })
      await startRefundDeliveries(run, recorded.refund, recorded.deliveries)
      return recorded.refund
    }
    const payment = await does.findPaymentOf({ refund: key })
    if (payment === null) return null
    const { out_trade_no } = payment
    const order = { mchid: key.mchid, out_trade_no }
    await does.runs.lookForPayment({ order, evidence_id: payment.evidence_id })
    await waitWithin(lookup_delay_ms, () => false, timer_texts.outside_payment)
  }
  // The evidence stays unapplied: the sweeper signals it again, and raises attention when it gets old.
  return null
}

/** What a step that records an answer is given of the one that brought it. */
export function answerFound({ evidence_id, asked_time }: RefundAnswerFound): RefundAnswerFound {
  return { evidence_id, ...(asked_time !== undefined && { asked_time }) }
}

const max_lookups = 5
const lookup_delay_ms = 2_000
