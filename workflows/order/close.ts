import type { OrderProgress } from '../../domain/messages.ts'
import { applyQueryAnswer } from './placement.ts'
import { askUntilInterrupted } from './run.ts'
import type { OrderRun } from './run.ts'

/**
 * `closing`: query, close, query again, without an end, until an answer proves one or the other (architecture §5).
 * Whoever waits for a close goes before the closes of orders that merely expired.
 */
export async function closeAtWeChat(run: OrderRun, order: OrderProgress): Promise<OrderProgress> {
  const isAwaited = order.close_reason !== 'expired'
  const close = isAwaited ? run.activities.closeForSomebody : run.activities.closeInBackground
  const says = await askUntilInterrupted(run, () => close({ order: run.key }))
  return says === null ? order : await applyQueryAnswer(run, order, says)
}
