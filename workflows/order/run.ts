import { patched } from '@temporalio/workflow'
import type { OrderKey } from '../../domain/ids.ts'
import type { OrderProgress, OrderWriteResult } from '../../domain/messages.ts'
import { default_policy } from '../../domain/policy.ts'
import { OrderAttributes, showOrder } from '../details.ts'
import { Inbox, order_urgency } from '../inbox.ts'
import type { OrderItem } from '../inbox.ts'
import { orderProxies } from '../proxies.ts'
import type { OrderProxies } from '../proxies.ts'
import type { Run } from '../run.ts'
import { runUntilInterrupted } from '../wait.ts'

/** What one run of an order holds. */
export interface OrderRun extends Run<OrderKey, OrderProgress, OrderItem> {
  activities: OrderProxies
  attributes: OrderAttributes
  /** once a question or a close was called off: WeChat's answer may be kept as evidence, and this run no longer waits for it */
  has_open_question?: true
}

export function newOrderRun(key: OrderKey): OrderRun {
  return {
    key,
    inbox: new Inbox(order_urgency),
    activities: orderProxies(),
    attributes: new OrderAttributes(),
    policy: default_policy,
    current: undefined,
  }
}

/**
 * Asks WeChat; null when one of `kinds` came first, any item without them. The step that books money then looks for the
 * answer.
 */
export async function askUntilInterrupted<T>(
  run: OrderRun,
  ask: () => Promise<T>,
  ...kinds: OrderItem['kind'][]
): Promise<T | null> {
  const says = await runUntilInterrupted(run, ask, ...kinds)
  if (says === null) run.has_open_question = true
  return says
}

/** Updates the run with the record, and shows it in Temporal UI. */
export function updateRun(run: OrderRun, order: OrderProgress): OrderProgress {
  run.current = order
  showOrder(order, run.policy)
  run.attributes.upsert(order)
  return order
}

/** Applies what a record step returned: updates the run, and starts the runs that it owes. */
export async function applyRecorded(run: OrderRun, recorded: OrderWriteResult): Promise<OrderProgress> {
  const order = updateRun(run, recorded.order)
  await startOwedRuns(run, recorded)
  return order
}

/**
 * Starts the runs of the deliveries and refunds that a record step owes, and has the numbers closed that it names. The step
 * may have run on a worker of this version while one of before, which closes none, went on with its answer: hence the patch,
 * which costs a run events only where there are such numbers. What went unheard so is named again by the next run's `load`.
 */
export async function startOwedRuns(
  run: OrderRun,
  { deliveries, refunds, siblings = [] }: Pick<OrderWriteResult, 'deliveries' | 'refunds' | 'siblings'>,
): Promise<void> {
  if (deliveries.length > 0) await run.activities.runs.startDeliveries({ order: run.key, deliveries })
  if (refunds.length > 0) await run.activities.runs.startRefunds({ order: run.key, refunds })
  if (siblings.length > 0 && patched('closeSiblings'))
    await run.activities.runs.closeSiblings({ order: run.key, siblings })
}
