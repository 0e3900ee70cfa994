import { weft_actor } from '../../domain/actor.ts'
import { beijingTime } from '../../domain/calendar.ts'
import { ordersToClose } from '../../domain/checkout/change.ts'
import type { CheckoutRecord } from '../../domain/checkout/record.ts'
import { checkoutEventBody } from '../../domain/event/event.ts'
import { operationId, orderId } from '../../domain/ids.ts'
import { deliveryStart, order_updates, orderStart } from '../../domain/messages.ts'
import type { Command } from '../../domain/messages.ts'
import { requestUpdate, startRun } from '../../runtime/runs.ts'
import type { RunStarter } from '../../runtime/runs.ts'
import type { ActivityContext } from '../context.ts'
import { publishOrderlessEvent } from '../delivery/event.ts'

type EndingContext = Pick<ActivityContext, 'store' | 'now'>

/**
 * Writes down how a checkout stands, and does what follows from it: the orders of one that is being cancelled are closed,
 * and the end of one that is over is told. Repeatable, and nobody waits for it: what it leaves undone is due again.
 */
export async function seeCheckoutThrough(
  context: EndingContext,
  starter: RunStarter,
  { mchid, out_trade_no }: Pick<CheckoutRecord, 'mchid' | 'out_trade_no'>,
): Promise<void> {
  const { store, now } = context
  const checkout = await store.checkouts.settle({ mchid, out_trade_no }, beijingTime(now()))
  if (checkout === null) return
  if (checkout.state === 'closing') await closeOrders(context, starter, checkout)
  if (checkout.next_action?.what !== 'tell') return
  const deliveries = await publishEnds(context, checkout)
  await store.checkouts.noteTold(checkout)
  for (const delivery_id of deliveries) await startRun(starter, deliveryStart({ delivery_id, mchid, out_trade_no: '' }))
}

/** Only accepted, not awaited: a close may take minutes, and the checkout is looked at again. */
async function closeOrders({ store }: EndingContext, starter: RunStarter, checkout: CheckoutRecord): Promise<void> {
  const { mchid, orders } = checkout
  const found = await store.orders.findAll(orders.map(({ out_trade_no }) => orderId({ mchid, out_trade_no })))
  const asked = checkout.timeline.findLast(({ event }) => event === 'cancel_asked')
  const command: Command = {
    operation_id: operationId.orderOfCancelled(checkout.out_trade_no),
    actor: asked?.actor ?? weft_actor,
    reason: null,
  }
  for (const { out_trade_no } of ordersToClose(checkout, found)) {
    const update = { name: order_updates.close, update_id: command.operation_id, args: [command] as [unknown] }
    await requestUpdate(starter, orderStart({ mchid, out_trade_no }), update)
  }
}

/** The event of each end that the checkout has come to; answers the notices. Repeatable, as each is named by its type. */
async function publishEnds(context: EndingContext, checkout: CheckoutRecord): Promise<string[]> {
  const notices: string[] = []
  for (const { event_type: type, time: timestamp } of checkout.timeline) {
    if (type === null) continue
    const { mchid, out_trade_no: subject_id } = checkout
    const bodyOf = (id: string) => checkoutEventBody(id, type, checkout, timestamp)
    notices.push(...(await publishOrderlessEvent(context, { mchid, type, subject_id, timestamp, bodyOf })))
  }
  return notices
}
