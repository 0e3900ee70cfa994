import { setTimeout as pause } from 'node:timers/promises'
import { weft_actor } from '../domain/actor.ts'
import { milliseconds } from '../domain/calendar.ts'
import { saleKeptCommand } from '../domain/checkout/change.ts'
import { operationId, orderKey } from '../domain/ids.ts'
import type { OrderKey, RefundKey } from '../domain/ids.ts'
import { deliveryStart, order_updates, orderStart, refundStart, signals } from '../domain/messages.ts'
import type { Command, FullRefundCommand, OrderAnswer } from '../domain/messages.ts'
import { open_order_states } from '../domain/order/record.ts'
import type { OrderRecord } from '../domain/order/record.ts'
import { entriesForOrder } from '../domain/refund/change.ts'
import { requestUpdate, signalRun, startRun, updateRun } from '../runtime/runs.ts'
import type { RunStarter } from '../runtime/runs.ts'
import type { Store } from '../store/store.ts'
import type { ActivityContext } from './context.ts'
import { againFailure, notYetFailure } from './failure.ts'

export type RunActivities = ReturnType<typeof createRuns>

/** What these activities work with. */
interface RunContext {
  context: ActivityContext
  starter: RunStarter
}

/**
 * Starts and signals other runs for activities. The API and the sweeper do so too; a run that exists counts as started.
 */
export function createRuns(context: ActivityContext, starter: RunStarter) {
  const run_context: RunContext = { context, starter }
  return {
    startDeliveries: (given: { order: OrderKey; deliveries: string[] }) => startDeliveries(run_context, given),
    startRefunds: (given: StartedRefunds) => startRefunds(run_context, given),
    tellOrder: (given: { refund: RefundKey }) => tellOrder(run_context, given),
    askOrderToRefund: (given: { refund: RefundKey }) => askOrderToRefund(run_context, given),
    lookForPayment: (given: { order: OrderKey; evidence_id: string }) => lookForPayment(run_context, given),
    closeOlder: (given: { order: OrderKey }) => closeOlder(run_context, given),
    closeSiblings: (given: { order: OrderKey; siblings: string[] }) => closeSiblings(run_context, given),
  }
}

async function startDeliveries(
  { starter }: RunContext,
  { order, deliveries }: { order: OrderKey; deliveries: string[] },
): Promise<void> {
  for (const delivery_id of deliveries) {
    await startRun(starter, deliveryStart({ delivery_id, ...order }))
  }
}

/** Refunds whose runs are started; `evidence_id`: of what WeChat has said of them, which they have to look at. */
interface StartedRefunds {
  order: OrderKey
  refunds: string[]
  evidence_id?: string
}

async function startRefunds({ starter }: RunContext, { order, refunds, evidence_id }: StartedRefunds): Promise<void> {
  for (const out_refund_no of refunds) {
    const start = refundStart({ ...order, out_refund_no })
    if (evidence_id === undefined) await startRun(starter, start)
    else await signalRun(starter, start, signals.refund_changed, { evidence_id })
  }
}

/** Signals the order that a refund has changed, and is retried until the order's record shows it. */
async function tellOrder({ context, starter }: RunContext, { refund: key }: { refund: RefundKey }): Promise<void> {
  const { store } = context
  const refund = await store.refunds.find(key)
  if (refund === null || refund.order_id === null) return
  const order = orderKey(refund.order_id)
  const last = entriesForOrder(refund).at(-1)
  if (last === undefined) return
  const operation_id = operationId.refund(refund.out_refund_no, last.revision)
  if (await hasTimelineEntry(store, order, operation_id)) return
  await signalRun(starter, orderStart(order), signals.refund_changed, { out_refund_no: refund.out_refund_no })
  // Usually a few milliseconds; who waits longer comes again.
  for (const pause_ms of [50, 100, 200, 400, 800]) {
    await pause(pause_ms)
    if (await hasTimelineEntry(store, order, operation_id)) return
  }
  throw notYetFailure('the order has not written down yet what became of the refund', 1_000)
}

async function hasTimelineEntry({ orders }: Store, order: OrderKey, operation_id: string): Promise<boolean> {
  const record = await orders.find(order)
  return record?.timeline.some((entry) => entry.operation_id === operation_id) ?? false
}

/**
 * Asks the order to stop its fulfilment before a refund of everything is sent, and waits until the shop has heard of it, or
 * was told for as long as the policy has it: then the money goes back all the same, as was asked (architecture §8).
 */
async function askOrderToRefund(
  { context, starter }: RunContext,
  { refund: key }: { refund: RefundKey },
): Promise<void> {
  const refund = await context.store.refunds.find(key)
  if (refund === null || refund.order_id === null) return
  // A second payment that goes back whole stops nothing: the order stands on its own.
  const order = await context.store.orders.find(orderKey(refund.order_id))
  if (order?.payment?.transaction_id !== refund.transaction_id) return
  const command: FullRefundCommand = {
    operation_id: operationId.refundRequested(refund.out_refund_no),
    actor: refund.requested_by,
    reason: null,
    out_refund_no: refund.out_refund_no,
  }
  if (!order.timeline.some(({ operation_id }) => operation_id === command.operation_id)) {
    const update = { name: order_updates.request_refund, update_id: command.operation_id, args: [command] as [unknown] }
    await updateRun<OrderAnswer, [OrderKey]>(starter, orderStart(orderKey(refund.order_id)), update)
  }
  if (refund.origin !== 'outside') await awaitStopHeard(context, order)
}

/** Throws until the fulfilment endpoint has taken `order.fulfilment_cancelled`, or had its time for it. */
async function awaitStopHeard(
  { store, policy, now }: ActivityContext,
  { mchid, out_trade_no }: OrderKey,
): Promise<void> {
  const merchant = await store.merchants.find(mchid)
  const open = await store.deliveries.openOfOrder(mchid, out_trade_no)
  const stop = open.find(
    ({ event_type, endpoint_id }) =>
      event_type === 'order.fulfilment_cancelled' && endpoint_id === merchant?.fulfilment_endpoint_id,
  )
  if (stop === undefined) return
  const left_ms = milliseconds(stop.create_time) + policy.refund.stop_hearing_ms - now()
  if (left_ms > 0) throw notYetFailure('the shop has not heard yet that it must not ship', Math.min(left_ms, 1_000))
}

/** Signals the order whose payment a refund made outside speaks of: its run books what is not booked here. */
async function lookForPayment(
  { starter }: RunContext,
  { order, evidence_id }: { order: OrderKey; evidence_id: string },
): Promise<void> {
  await signalRun(starter, orderStart(order), signals.payment_found, { evidence_id })
}

/**
 * Closes the older unpaid orders of a reference before a newer one is placed: two numbers of one sale are never both kept
 * (architecture §5, Second sale). Retried until each has come to an end.
 */
async function closeOlder(
  { context: { store }, starter }: RunContext,
  { order: key }: { order: OrderKey },
): Promise<{ kind: 'clear' } | { kind: 'reference_paid'; by: string } | { kind: 'not_wanted' }> {
  const order = await store.orders.find(key)
  if (order === null || order.reference === null) return { kind: 'clear' }
  if (!(await isWantedByCheckout(store, order))) return { kind: 'not_wanted' }
  const holder = await store.references.findHolder(order.mchid, order.reference)
  if (holder !== null && holder !== order.out_trade_no) return { kind: 'reference_paid', by: holder }
  const older = await store.orders.findOlderUnpaid({ ...order, reference: order.reference })
  const open = older.filter(({ state }) => open_order_states.includes(state) && state !== 'paid')
  if (open.length === 0) return { kind: 'clear' }
  const command: Command = {
    operation_id: operationId.superseded(order.out_trade_no),
    actor: weft_actor,
    reason: `order ${order.out_trade_no} is the newer number of the same sale`,
  }
  for (const sibling of open) await requestClose(starter, orderKey(sibling._id), command)
  throw notYetFailure('older numbers of the same sale are being closed', 1_000)
}

/**
 * Whether the checkout that made an order still wants it placed: it is open, and the order's number is its newest. Whoever
 * claimed the number may have been slow or have died, and come back after a cancel, or behind another payer's number.
 */
async function isWantedByCheckout({ checkouts }: Store, { checkout_id, out_trade_no }: OrderRecord): Promise<boolean> {
  if (!checkout_id) return true
  const checkout = await checkouts.findById(checkout_id)
  if (checkout === null) throw againFailure(`checkout ${checkout_id} is not in the database; restore it`)
  return checkout.state === 'open' && checkout.orders.at(-1)?.out_trade_no === out_trade_no
}

/** Closes other numbers of a sale that this one keeps. Money that is there before it stays late, so nobody waits for it. */
async function closeSiblings(
  { starter }: RunContext,
  { order: { mchid, out_trade_no: kept }, siblings }: { order: OrderKey; siblings: string[] },
): Promise<void> {
  const command = saleKeptCommand(kept)
  for (const out_trade_no of siblings) await requestClose(starter, { mchid, out_trade_no }, command)
}

/** Only accepted, not awaited: a close may take minutes. */
async function requestClose(starter: RunStarter, sibling: OrderKey, command: Command): Promise<void> {
  const update = { name: order_updates.close, update_id: command.operation_id, args: [command] as [unknown] }
  await requestUpdate(starter, orderStart(sibling), update)
}
