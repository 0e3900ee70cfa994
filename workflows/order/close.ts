import type { OrderProgress } from '../../domain/messages.ts'
import { follow } from './placement.ts'
import { untilInterrupted } from './run.ts'
import type { Run } from './run.ts'

/**
 * `closing`: query, close, query again, without an end, until an answer proves one or the other (architecture §5).
 * Whoever waits for a close goes before the closes of orders that merely expired.
 */
export async function closeAtWeChat(run: Run, order: OrderProgress): Promise<OrderProgress> {
  const isAwaited = order.close_reason !== 'expired'
  const close = isAwaited ? run.does.closeForSomebody : run.does.closeInBackground
  const says = await untilInterrupted(run, () => close({ order: run.key }))
  return says === null ? order : await follow(run, order, says)
}
