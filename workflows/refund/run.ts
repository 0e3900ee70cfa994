import { orderKey } from '../../domain/ids.ts'
import type { RefundKey } from '../../domain/ids.ts'
import type { RefundProgress, RefundWriteResult } from '../../domain/messages.ts'
import { default_policy } from '../../domain/policy.ts'
import type { Policy } from '../../domain/policy.ts'
import { followRefund, showRefund } from '../details.ts'
import { Inbox, refund_urgency } from '../inbox.ts'
import type { RefundItem } from '../inbox.ts'
import { within } from '../order/run.ts'
import { refundProxies } from '../proxies.ts'
import type { RefundProxies } from '../proxies.ts'

/** What one run of a refund holds. `refund` is what the record last answered: undefined before it was read. */
export interface RefundRun {
  key: RefundKey
  inbox: Inbox<RefundItem>
  does: RefundProxies
  policy: Policy
  refund: RefundProgress | null | undefined
}

export function beginRefundRun(key: RefundKey): RefundRun {
  return { key, inbox: new Inbox(refund_urgency), does: refundProxies(), policy: default_policy, refund: undefined }
}

/** Takes over what the record answered, and shows it. */
export function hold(run: RefundRun, refund: RefundProgress): RefundProgress {
  followRefund(run.refund ?? null, refund)
  run.refund = refund
  showRefund(refund)
  return refund
}

/** The record has answered: its notices get their runs, and the run goes on from what holds now. */
export async function settleRefund(run: RefundRun, recorded: RefundWriteResult): Promise<RefundProgress> {
  const refund = hold(run, recorded.refund)
  await startNotices(run, refund, recorded.deliveries)
  return refund
}

export async function startNotices(run: RefundRun, refund: RefundProgress, deliveries: string[]): Promise<void> {
  if (deliveries.length === 0) return
  const order = refund.order_id === null ? refund : orderKey(refund.order_id)
  await run.does.runs.startDeliveries({
    order: { mchid: order.mchid, out_trade_no: order.out_trade_no },
    deliveries,
  })
}

/** The order writes down what became of the refund, under a number of its own, before anything else happens here. */
export async function tellOrder(run: RefundRun, refund: RefundProgress): Promise<RefundProgress> {
  // Made outside, and all of it: what the order is about stops now, since nobody asked before.
  if (refund.origin === 'outside' && refund.is_full) await run.does.runs.askOrderToRefund({ refund: run.key })
  await run.does.runs.tellOrder({ refund: run.key })
  return await run.does.records.noteToldToOrder({ refund: run.key, revision: refund.revision })
}

/**
 * A number that Weft does not know: WeChat is asked, and what it knows was made outside. Null: WeChat does not know it
 * either. Its payment may be unknown here too; then its order's run finds that first.
 */
export async function adoptOutside(run: RefundRun): Promise<RefundProgress | null> {
  const { does, key } = run
  const says = await does.prove({ refund: key })
  if (says.kind !== 'found') return null
  const { evidence_id } = says
  for (let looks = 0; looks < most_looks; looks += 1) {
    const adopted = await does.records.adoptRefund({ refund: key, evidence_id })
    if (adopted !== null) {
      const recorded = await does.records.recordRefundAnswer({ refund: key, evidence_id })
      await startNotices(run, recorded.refund, recorded.deliveries)
      return recorded.refund
    }
    const payment = await does.findPaymentOf({ refund: key })
    if (payment === null) return null
    const { out_trade_no } = payment
    const order = { mchid: key.mchid, out_trade_no }
    await does.runs.lookForPayment({ order, evidence_id: payment.evidence_id })
    await within(look_again_ms, () => false, 'Until the payment of a refund made outside is booked')
  }
  // The evidence stays unapplied: the sweeper hands it over again, and a person hears of it.
  return null
}

const most_looks = 5
const look_again_ms = 2_000
