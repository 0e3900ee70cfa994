import { allHandlersFinished, CancellationScope, condition, continueAsNew, workflowInfo } from '@temporalio/workflow'
import type { OrderKey } from '../../domain/ids.ts'
import type { OrderProgress } from '../../domain/messages.ts'
import { isOrderResting } from '../../domain/order/record.ts'
import type { OrderState } from '../../domain/order/record.ts'
import { closeAtWeChat } from './close.ts'
import { bookOrphans, takeOrderItem } from './commands.ts'
import { fulfil } from './fulfilment.ts'
import { setOrderHandlers } from './handlers.ts'
import { awaitPayment, placeOrder } from './placement.ts'
import { newOrderRun, startOwedRuns, updateRun } from './run.ts'
import type { OrderRun } from './run.ts'

/** What an order does by itself in each state; a state without a step is at rest. */
const steps: Partial<Record<OrderState, (run: OrderRun, order: OrderProgress) => Promise<OrderProgress>>> = {
  created: placeOrder,
  awaiting_payment: awaitPayment,
  closing: closeAtWeChat,
  paid: fulfil,
}

/**
 * `payOrder`: one order from placing to its end. The record decides and this run only moves it: every run loads the
 * record, goes on from the state found there, and may be ended and started again at any line (architecture §4.1).
 */
export async function payOrder(key: OrderKey): Promise<string> {
  const run = newOrderRun(key)
  setOrderHandlers(run)
  // A payment may be on its way: a cancel in Temporal UI asks for a close and stops nothing (handlers.ts).
  return await CancellationScope.nonCancellable(() => runToEnd(run))
}

async function runToEnd(run: OrderRun): Promise<string> {
  const loaded = await run.activities.records.load(run.key)
  run.policy = loaded.policy
  if (loaded.order === null) return await bookOrphans(run)
  let order = updateRun(run, loaded.order)
  await startOwedRuns(run, loaded)
  for (;;) {
    order = await moveToRest(run, order)
    await condition(allHandlersFinished)
    // No await between this look and the return: a fact signalled during the last step is still taken.
    if (run.inbox.isEmpty) return order.state
  }
}

async function moveToRest(run: OrderRun, current: OrderProgress): Promise<OrderProgress> {
  let order = current
  while (!run.inbox.isEmpty || !isOrderResting(order.state)) {
    const step = run.inbox.isEmpty ? steps[order.state] : takeOrderItem
    if (step === undefined) return order
    order = updateRun(run, await step(run, order))
    await renewHistory(run, order)
  }
  return order
}

/** Thousands of questions asked on one order would outgrow a history. The record knows everything a new run needs. */
async function renewHistory(run: OrderRun, order: OrderProgress): Promise<void> {
  if (!workflowInfo().continueAsNewSuggested || order.state === 'created' || isOrderResting(order.state)) return
  // A handler that waits for its item waits for the body: so the body waits for handlers only while there is none.
  await condition(() => allHandlersFinished() || !run.inbox.isEmpty)
  if (run.inbox.isEmpty) await continueAsNew<typeof payOrder>(run.key)
}
