import { CancellationScope } from '@temporalio/workflow'
import type { OrderKey } from '../../domain/ids.ts'
import type { OrderProgress } from '../../domain/messages.ts'
import { orderEnd } from '../details.ts'
import { runToRest } from '../run.ts'
import type { RunPlan } from '../run.ts'
import { assertReadable } from '../shape.ts'
import { viewer } from '../shown.ts'
import { closeAtWeChat } from './close.ts'
import { bookOrphans, takeOrderItem } from './commands.ts'
import { fulfil } from './fulfilment.ts'
import { setOrderHandlers } from './handlers.ts'
import { awaitPayment, placeOrder } from './placement.ts'
import { newOrderRun, startOwedRuns, updateRun } from './run.ts'
import type { OrderRun } from './run.ts'

/** What an order does by itself in each state, behind its inbox. */
const plan: RunPlan<OrderRun, OrderProgress> = {
  steps: { created: placeOrder, awaiting_payment: awaitPayment, closing: closeAtWeChat, paid: fulfil },
  urgentStep: (run) => (run.inbox.isEmpty ? undefined : takeOrderItem),
  update: updateRun,
}

/**
 * `payOrder`: one order from placing to its end. The record decides and this run only moves it: every run loads the
 * record, goes on from the state found there, and may be ended and started again at any line (architecture §4.1).
 */
export async function payOrder(key: OrderKey): Promise<string> {
  assertReadable('payOrder', key)
  const run = newOrderRun(key)
  setOrderHandlers(run)
  // A payment may be on its way: a cancel in Temporal UI asks for a close and stops nothing (handlers.ts).
  return await CancellationScope.nonCancellable(() => runToEnd(run))
}

async function runToEnd(run: OrderRun): Promise<string> {
  const loaded = await run.activities.records.load(run.key)
  run.policy = loaded.policy
  if (loaded.order === null) return await bookOrphans(run)
  const order = updateRun(run, loaded.order)
  await startOwedRuns(run, loaded)
  return orderEnd(await runToRest(run, order, plan), viewer())
}
