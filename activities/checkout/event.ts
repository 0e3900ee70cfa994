import type { CheckoutRecord } from '../../domain/checkout/record.ts'
import { checkoutEventBody } from '../../domain/event/event.ts'
import type { ActivityContext } from '../context.ts'
import { publishOrderlessEvent } from '../delivery/event.ts'

/**
 * Tells merchants that a checkout has ended, where that was not told yet; answers the notices that a `deliverEvent` must
 * carry. Repeatable: who dies before they are carried leaves them to the sweeper, which finds them late.
 */
export async function tellEnd(
  context: Pick<ActivityContext, 'store' | 'now'>,
  checkout: CheckoutRecord,
): Promise<string[]> {
  if (checkout.next_action?.what !== 'tell') return []
  const notices: string[] = []
  // Each end that it has come to, named by its type: that of before may have been left untold.
  for (const { event_type: type, time: timestamp } of checkout.timeline) {
    if (type === null) continue
    const { mchid, out_trade_no: subject_id } = checkout
    const bodyOf = (id: string) => checkoutEventBody(id, type, checkout, timestamp)
    notices.push(...(await publishOrderlessEvent(context, { mchid, type, subject_id, timestamp, bodyOf })))
  }
  await context.store.checkouts.noteDone(checkout, 'tell')
  return notices
}
