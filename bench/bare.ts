/**
 * The yardsticks: what Temporal takes for the same work with nothing of Weft's around it. Bundled and run like Weft's
 * own workflows, by bareworker.ts.
 */
import {
  condition,
  defineSignal,
  proxyActivities,
  proxyLocalActivities,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow'
import type { MerchantActivities } from '../activities/delivery/attempt.ts'
import type { RecordActivities } from '../activities/order/steps.ts'
import { operationId } from '../domain/ids.ts'
import type { OrderKey } from '../domain/ids.ts'
import { queueName, queues, signals } from '../domain/messages.ts'

interface FoundEvidence {
  evidence_id: string
}

const paymentFound = defineSignal<[FoundEvidence]>(signals.payment_found)

/** Waits for one signal, with a timer beside it as a waiting order has one. */
export async function waitForSignal(_order: OrderKey): Promise<string> {
  return (await untilSignalled()).evidence_id
}

async function untilSignalled(): Promise<FoundEvidence> {
  const found_evidence: FoundEvidence[] = []
  setHandler(paymentFound, (found) => void found_evidence.push(found))
  await condition(() => found_evidence.length > 0, '10 minutes')
  return found_evidence[0] ?? { evidence_id: 'none' }
}

/**
 * A paid order without Weft's workflow: the same activities with the same arguments, the same kinds and the same queues
 * (two local record steps around one regular delivery), one after the other, and nothing else: no inbox, no handlers,
 * no search attributes, no details, no fall-back.
 */
export async function fulfilBare(order: OrderKey): Promise<string> {
  const prefix = workflowInfo().taskQueue.slice(0, -queues.orders.length)
  const records = proxyLocalActivities<RecordActivities>({ startToCloseTimeout: '900ms' })
  const merchant = proxyActivities<MerchantActivities>({
    taskQueue: queueName('merchant', prefix),
    startToCloseTimeout: '20s',
    heartbeatTimeout: '10s',
  })
  await records.load(order)
  const found = await untilSignalled()
  const paid = await records.recordPayment({ order, found })
  if (paid === 'unproven') return paid
  const { paid_sequence: sequence, fulfilment } = paid.order
  await merchant.deliverPaid({ order, sequence, deadline_time: fulfilment.deadline_time })
  const fulfilled = await records.recordFulfilment({
    order,
    event: 'fulfilled',
    operation_id: operationId.answered(sequence, 'fulfilled'),
    actor: { kind: 'merchant', id: null },
    reason: null,
  })
  return fulfilled.order.state
}
