/** The yardstick for refunds, bundled and run by bareworker.ts in place of bare.ts. */
import {
  CancellationScope,
  condition,
  defineSignal,
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow'
import type { RefundGatewayActivities } from '../activities/refund/gateway.ts'
import type { RefundActivities } from '../activities/refund/steps.ts'
import type { RunActivities } from '../activities/runs.ts'
import type { RefundKey } from '../domain/ids.ts'
import { queueName, queues, signals } from '../domain/messages.ts'
import type { Queue, RefundChanged } from '../domain/messages.ts'

/** A refund's end signals its order, whose run publishes events: those workflows are Weft's, on both sides. */
export { deliverEvent } from '../workflows/delivery/workflow.ts'
export { payOrder } from '../workflows/order/workflow.ts'

const refundChanged = defineSignal<[RefundChanged]>(signals.refund_changed)

/**
 * A refund without Weft's workflow: the same activities with the same arguments, the same kinds and the same queues,
 * one after the other, and the same poll that ends with the signal; and nothing else: no inbox, no updates, no other
 * way than the usual one.
 */
export async function refundBare(refund: RefundKey): Promise<string> {
  const prefix = workflowInfo().taskQueue.slice(0, -queues.orders.length)
  const calls = (queue: Queue) =>
    proxyActivities<RefundGatewayActivities>({ taskQueue: queueName(queue, prefix), startToCloseTimeout: '15s' })
  const local = proxyLocalActivities<RefundActivities>({ startToCloseTimeout: '900ms' })
  const regular = proxyActivities<RefundActivities>({ startToCloseTimeout: '5s' })
  const runs = proxyActivities<RunActivities>({ startToCloseTimeout: '15s' })
  const gateway = calls('gateway')

  const changes: RefundChanged[] = []
  setHandler(refundChanged, (change) => void changes.push(change))
  await local.loadRefund(refund)
  await local.reserveRefund({ refund })
  const submitted = await gateway.submitRefund({ refund })
  if (submitted.kind !== 'taken') return submitted.kind
  await regular.recordRefundAnswer({ refund, evidence_id: submitted.evidence_id })

  const polling = new CancellationScope()
  const polled = polling.run(() => calls('gateway_poll').pollRefund({ refund })).catch(throwUnlessCancelled)
  await condition(() => changes.length > 0)
  polling.cancel()
  await polled

  const says = await gateway.askRefundUntilAnswered({ refund })
  if (says.kind !== 'found') return says.kind
  const { refund: ended } = await regular.recordRefundAnswer({ refund, evidence_id: says.evidence_id })
  await local.settleNews({ refund, found: changes[0] ?? { evidence_id: null }, outcome: 'applied' })
  await runs.tellOrder({ refund })
  await local.noteToldToOrder({ refund, revision: ended.revision })
  return ended.state
}

function throwUnlessCancelled(failure: unknown): void {
  if (!isCancellation(failure)) throw failure
}
