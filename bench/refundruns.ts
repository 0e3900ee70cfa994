import { randomInt } from 'node:crypto'
import { beijingTime } from '../domain/calendar.ts'
import { evidenceId, orderId, paymentId, workflowId } from '../domain/ids.ts'
import type { RefundKey } from '../domain/ids.ts'
import { refundStart } from '../domain/messages.ts'
import type { OrderRecord } from '../domain/order/record.ts'
import type { PaymentRecord } from '../domain/payment/record.ts'
import { newRefund } from '../domain/refund/record.ts'
import type { RefundRecord } from '../domain/refund/record.ts'
import { startOptions } from '../runtime/temporal.ts'
import type { TemporalClient } from '../runtime/temporal.ts'
import type { Installation } from './installation.ts'
import { runConcurrently, until } from './load.ts'
import type { BenchMerchant } from './merchants.ts'
import { newNumber, placedOrder, price } from './orderruns.ts'

/** Part of the payment: nothing of the order has to stop for it. */
const refund_amount = 300

export interface WaitingRefund extends RefundKey {
  out_trade_no: string
  transaction_id: string
}

/** Returns the order number of a payment made here. */
export function orderNumberOf(transaction_id: string): string {
  return `B${transaction_id}`
}

/**
 * `count` refunds that WeChat has taken and not ended, each with its run, which asks by plan. Their orders and payments
 * are written here; from the reservation on everything is real.
 */
export async function startWaitingRefunds(
  installation: Installation,
  merchant: BenchMerchant,
  count: number,
): Promise<WaitingRefund[]> {
  return await startRefunds(installation, merchant, { count, type: null, prefix: installation.config.queue_prefix })
}

/** As `startWaitingRefunds`, by runs of workflow `type` on the queues of `prefix`; null: Weft's own. */
export async function startRefunds(
  installation: Installation,
  merchant: BenchMerchant,
  { count, type, prefix }: { count: number; type: string | null; prefix: string },
): Promise<WaitingRefund[]> {
  const { store, config, temporal } = installation
  const refunds = Array.from({ length: count }, () => newRefundRecords(merchant, config.public_url))
  await runConcurrently(refunds, 16, async ({ order, payment, refund }) => {
    await store.orders.insert(order)
    await store.payments.insert(payment)
    await store.refunds.insert(refund)
  })
  const keys = refunds.map(({ refund }) => refund)
  await runConcurrently(keys, 32, (key) => {
    const start = refundStart(key)
    return temporal.client.workflow.start(type ?? start.workflow_type, startOptions(start, prefix))
  })
  await untilPolling(temporal, keys)
  return keys.map(({ mchid, out_refund_no, out_trade_no, transaction_id }) => {
    return { mchid, out_refund_no, out_trade_no, transaction_id }
  })
}

/** Waits until every run's poll has made one query and is delayed: then nothing is left to do. */
async function untilPolling({ client }: TemporalClient, keys: RefundKey[]): Promise<void> {
  const busy = new Set(keys.map((key) => workflowId.refund(key)))
  await until(`${keys.length} refunds wait`, 240_000, async () => {
    for (const id of busy) {
      const { raw } = await client.workflow.getHandle(id).describe()
      const [poll] = raw.pendingActivities ?? []
      if (poll?.activityType?.name !== 'pollRefund' || (poll.attempt ?? 0) < 2) return false
      busy.delete(id)
    }
    return true
  })
}

function newRefundRecords(merchant: BenchMerchant, public_url: string) {
  const { mchid, appid } = merchant
  const transaction_id = `4200${String(randomInt(1e12)).padStart(12, '0')}${String(randomInt(1e12)).padStart(12, '0')}`
  const key = { mchid, out_trade_no: orderNumberOf(transaction_id) }
  const time = beijingTime(Date.now())
  const amount = { total: price, currency: 'CNY' as const }
  const paid = { transaction_id, role: 'order' as const, success_time: time, bank_type: 'OTHERS' }
  // The order is over and its events are published: the signal about its refund is all that its run has to do.
  const order: OrderRecord = {
    ...placedOrder(merchant, public_url),
    ...key,
    _id: orderId(key),
    state: 'fulfilled',
    timeline: [],
    payment: { ...paid, found_by: 'notification', found_time: time },
  }
  delete order.next_action
  const payment: PaymentRecord = {
    _id: paymentId(mchid, transaction_id),
    ...key,
    ...paid,
    order_id: order._id,
    revision: 0,
    evidence_id: evidenceId.notification(mchid, transaction_id),
    appid,
    trade_type: 'NATIVE',
    amount: { ...amount, payer_total: price },
    settled_total: price,
    refunds: [],
    last_refund_time: null,
    acceptance: null,
  }
  return { order, payment, refund: newRefundRecord(payment, `${public_url}/wechat/notify/${mchid}`) }
}

/** Returns a refund as POST /v1/refunds leaves it. */
function newRefundRecord(payment: PaymentRecord, notify_url: string): RefundRecord {
  return newRefund(payment, {
    out_refund_no: newNumber('R'),
    origin: 'api',
    requested_by: { kind: 'merchant', id: 'bench' },
    notify_url,
    amount: refund_amount,
    is_full: false,
    create_time: beijingTime(Date.now()),
  })
}
