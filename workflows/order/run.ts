import { CancellationScope, condition, isCancellation, sleep } from '@temporalio/workflow'
import type { OrderKey } from '../../domain/ids.ts'
import type { OrderProgress, OrderWriteResult } from '../../domain/messages.ts'
import { default_policy } from '../../domain/policy.ts'
import type { Policy } from '../../domain/policy.ts'
import { OrderAttributes, showOrder } from '../details.ts'
import { Inbox, order_urgency } from '../inbox.ts'
import { orderProxies } from '../proxies.ts'
import type { OrderProxies } from '../proxies.ts'

/** What one run of an order holds. `order` is what the record last answered: undefined before it was read. */
export interface OrderRun {
  key: OrderKey
  inbox: Inbox
  activities: OrderProxies
  attributes: OrderAttributes
  policy: Policy
  order: OrderProgress | null | undefined
}

export function newOrderRun(key: OrderKey): OrderRun {
  return {
    key,
    inbox: new Inbox(order_urgency),
    activities: orderProxies(),
    attributes: new OrderAttributes(),
    policy: default_policy,
    order: undefined,
  }
}

/** Takes over what the record answered, and shows it. */
export function updateRun(run: OrderRun, order: OrderProgress): OrderProgress {
  run.order = order
  showOrder(order)
  run.attributes.upsert(order)
  return order
}

/** The record has answered: its notices get their runs, and the run goes on from what holds now. */
export async function applyRecorded(run: OrderRun, recorded: OrderWriteResult): Promise<OrderProgress> {
  const order = updateRun(run, recorded.order)
  await startOwedRuns(run, recorded)
  return order
}

/** What the record owes to others gets its runs. */
export async function startOwedRuns(
  run: OrderRun,
  { deliveries, refunds }: Pick<OrderWriteResult, 'deliveries' | 'refunds'>,
): Promise<void> {
  if (deliveries.length > 0) await run.activities.runs.startDeliveries({ order: run.key, deliveries })
  if (refunds.length > 0) await run.activities.runs.startRefunds({ order: run.key, refunds })
}

/**
 * Whether `isDone` came true within `delay_ms`; else a timer of that length has fired. The SDK's own condition with a
 * time-out does the same with twice the promises, and each keeps its stack: 10 KB for every order that waits.
 */
export async function waitWithin(delay_ms: number, isDone: () => boolean, summary: string): Promise<boolean> {
  const timer = new CancellationScope()
  const clock = { has_fired: false }
  timer
    .run(() => sleep(delay_ms, { summary }))
    .then(
      () => (clock.has_fired = true),
      () => undefined, // cancelled below
    )
  await condition(() => clock.has_fired || isDone())
  timer.cancel()
  return isDone()
}

/** `work`, or null when one of `kinds` came first and `work` was called off. Without kinds any item does. */
export async function runUntilInterrupted<T, I extends { kind: string }>(
  run: { inbox: Inbox<I> },
  work: () => Promise<T>,
  ...kinds: I['kind'][]
): Promise<T | null> {
  const isInterrupted = () => (kinds.length === 0 ? !run.inbox.isEmpty : run.inbox.has(...kinds))
  if (isInterrupted()) return null
  const scope = new CancellationScope()
  const outcome = scope.run(work)
  const was_interrupted = await Promise.race([outcome.then(() => false), condition(isInterrupted).then(() => true)])
  if (!was_interrupted) return await outcome
  scope.cancel()
  try {
    return await outcome
  } catch (failure) {
    if (isCancellation(failure)) return null
    throw failure
  }
}
