import { beijingTime } from '../../domain/calendar.ts'
import { unwantedOrders } from '../../domain/checkout/change.ts'
import type { CheckoutRecord } from '../../domain/checkout/record.ts'
import { deliveryStart, order_updates, orderStart } from '../../domain/messages.ts'
import { isOrderResting } from '../../domain/order/record.ts'
import type { OrderRecord } from '../../domain/order/record.ts'
import { requestUpdate, startRun } from '../../runtime/runs.ts'
import type { RunStarter } from '../../runtime/runs.ts'
import type { ActivityContext } from '../context.ts'
import { tellEnd } from './event.ts'

type EndingContext = Pick<ActivityContext, 'store' | 'now'>

/**
 * Writes down how a checkout stands, and does what follows from it: orders of it that nobody shall pay any more are closed,
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
  if (checkout.next_action?.what === 'end' && checkout.state !== 'open') await closeOrders(context, starter, checkout)
  const deliveries = await tellEnd(context, checkout)
  for (const delivery_id of deliveries) await startRun(starter, deliveryStart({ delivery_id, mchid, out_trade_no: '' }))
}

/** Only accepted, not awaited: a close may take minutes, and the checkout is looked at again until there is none. */
async function closeOrders({ store }: EndingContext, starter: RunStarter, checkout: CheckoutRecord): Promise<void> {
  const { mchid, state, paid_by } = checkout
  const orders = await store.checkouts.ordersOf(checkout)
  for (const { order, command } of unwantedOrders(checkout, orders)) {
    const { out_trade_no } = order
    const update = { name: order_updates.close, update_id: command.operation_id, args: [command] as [unknown] }
    await requestUpdate(starter, orderStart({ mchid, out_trade_no }), update)
  }
  const others = orders.filter(({ out_trade_no }) => out_trade_no !== paid_by)
  if (state === 'paid' && others.every(isOverOrPaid)) await store.checkouts.noteDone(checkout, 'end')
}

/** Nobody has to close it any more. */
function isOverOrPaid({ state }: Pick<OrderRecord, 'state'>): boolean {
  return state === 'paid' || isOrderResting(state)
}
