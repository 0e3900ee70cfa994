import { allHandlersFinished, CancellationScope, condition } from '@temporalio/workflow'
import type { RefundKey } from '../../domain/ids.ts'
import type { RefundProgress } from '../../domain/messages.ts'
import { refundEnd } from '../details.ts'
import { runToRest } from '../run.ts'
import type { RunPlan } from '../run.ts'
import { assertReadable } from '../shape.ts'
import { viewer } from '../shown.ts'
import { setRefundHandlers } from './handlers.ts'
import { adoptOutsideRefund, newRefundRun, signalOrder, startRefundDeliveries, updateRefundRun } from './run.ts'
import type { RefundRun } from './run.ts'
import { awaitApproval, awaitOutcome, reserveAmount, submitRefund, takeRefundItem } from './steps.ts'

/** What a refund does by itself in each state: first it signals its order, then it takes what its inbox holds. */
const plan: RunPlan<RefundRun, RefundProgress> = {
  steps: {
    created: reserveAmount,
    awaiting_approval: awaitApproval,
    processing: (run, refund) =>
      (refund.is_accepted || refund.origin === 'outside' ? awaitOutcome : submitRefund)(run, refund),
    abnormal: awaitOutcome,
  },
  urgentStep: (run, refund) => {
    if (refund.next_action?.what === 'tell_order') return signalOrder
    return run.inbox.isEmpty ? undefined : takeRefundItem
  },
  update: updateRefundRun,
}

/**
 * `refundPayment`: one refund from its reservation to its end. As with an order the record decides: every run loads it
 * first, goes on from the state found there, and may be ended and started again at any line (architecture §8).
 */
export async function refundPayment(key: RefundKey): Promise<string> {
  assertReadable('refundPayment', key)
  const run = newRefundRun(key)
  setRefundHandlers(run)
  // Money may be on its way: a cancel in Temporal UI stops nothing.
  return await CancellationScope.nonCancellable(() => runToEnd(run))
}

async function runToEnd(run: RefundRun): Promise<string> {
  const loaded = await run.activities.records.loadRefund(run.key)
  run.policy = loaded.policy
  // Looked at once more: it may have been asked for here while WeChat was asked.
  const known =
    loaded.refund ?? (await adoptOutsideRefund(run)) ?? (await run.activities.records.loadRefund(run.key)).refund
  if (known === null) return await runUnknown(run)
  const refund = updateRefundRun(run, known)
  await startRefundDeliveries(run, refund, loaded.deliveries)
  return refundEnd(await runToRest(run, refund, plan), viewer())
}

/** Answers all that comes for a number that neither Weft nor WeChat knows: updates are refused, notifications kept. */
async function runUnknown(run: RefundRun): Promise<string> {
  run.current = null
  for (;;) {
    for (let item = run.inbox.first; item !== undefined; item = run.inbox.first) {
      if (item.kind === 'news') await run.activities.records.keepNews({ refund: run.key, found: item.found })
      run.inbox.remove(item)
    }
    await condition(allHandlersFinished)
    // No await between this look and the return, as in runToRest.
    if (run.inbox.isEmpty) return 'unknown'
  }
}
