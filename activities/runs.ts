import { setTimeout as pause } from 'node:timers/promises'
import { WithStartWorkflowOperation } from '@temporalio/client'
import type { Client, WorkflowStartOptions } from '@temporalio/client'
import { weft_actor } from '../domain/actor.ts'
import { operationId, orderKey, workflowId } from '../domain/ids.ts'
import type { OrderKey, RefundKey } from '../domain/ids.ts'
import { deliveryStart, order_updates, orderStart, refundStart, signals } from '../domain/messages.ts'
import type { Command, FullRefundCommand, OrderAnswer, WorkflowStart } from '../domain/messages.ts'
import { open_order_states } from '../domain/order/record.ts'
import { entriesForOrder } from '../domain/refund/change.ts'
import type { Store } from '../store/store.ts'
import type { ActivityContext } from './context.ts'
import { notYetFailure } from './failure.ts'

export type RunActivities = ReturnType<typeof createRuns>

/** How a start becomes the client's options; runtime/temporal makes it, so that every starter starts alike. */
export type ToStartOptions = <A extends unknown[]>(
  start: WorkflowStart<A>,
) => WorkflowStartOptions & { args: A; workflowIdConflictPolicy: 'USE_EXISTING' }

/** What starting and waking other runs takes. */
interface RunStarter {
  context: ActivityContext
  client: Client
  toOptions: ToStartOptions
}

/** Starts and wakes other runs; nobody else does. Already started counts as done. */
export function createRuns(context: ActivityContext, client: Client, toOptions: ToStartOptions) {
  const starter: RunStarter = { context, client, toOptions }
  return {
    startDeliveries: (given: { order: OrderKey; deliveries: string[] }) => startDeliveries(starter, given),
    startRefunds: (given: { order: OrderKey; refunds: string[] }) => startRefunds(starter, given),
    tellOrder: (given: { refund: RefundKey }) => tellOrder(starter, given),
    askOrderToRefund: (given: { refund: RefundKey }) => askOrderToRefund(starter, given),
    lookForPayment: (given: { order: OrderKey; evidence_id: string }) => lookForPayment(starter, given),
    closeOlder: (given: { order: OrderKey }) => closeOlder(starter, given),
  }
}

async function startDeliveries(
  { client, toOptions }: RunStarter,
  { order, deliveries }: { order: OrderKey; deliveries: string[] },
): Promise<void> {
  for (const delivery_id of deliveries) {
    const start = deliveryStart({ delivery_id, ...order })
    await client.workflow.start(start.workflow_type, toOptions(start))
  }
}

async function startRefunds(
  { client, toOptions }: RunStarter,
  { order, refunds }: { order: OrderKey; refunds: string[] },
): Promise<void> {
  for (const out_refund_no of refunds) {
    const start = refundStart({ ...order, out_refund_no })
    await client.workflow.start(start.workflow_type, toOptions(start))
  }
}

/** The order hears what became of a refund. Repeated until its record shows that it has. */
async function tellOrder(starter: RunStarter, { refund: key }: { refund: RefundKey }): Promise<void> {
  const { store } = starter.context
  const refund = await store.refunds.find(key)
  if (refund === null || refund.order_id === null) return
  const order = orderKey(refund.order_id)
  const last = entriesForOrder(refund).at(-1)
  if (last === undefined) return
  const operation_id = operationId.refund(refund.out_refund_no, last.revision)
  if (await hasTimelineEntry(store, order, operation_id)) return
  await signalOrder(starter, order, signals.refund_changed, { out_refund_no: refund.out_refund_no })
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

/** Before a refund of everything is sent, the order stops what it is about (architecture §8). */
async function askOrderToRefund(
  { context, client, toOptions }: RunStarter,
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
  const start = orderStart(orderKey(refund.order_id))
  const startWorkflowOperation = new WithStartWorkflowOperation(start.workflow_type, toOptions(start))
  await client.workflow.executeUpdateWithStart<(key: OrderKey) => Promise<unknown>, OrderAnswer, [FullRefundCommand]>(
    order_updates.request_refund,
    { args: [command], updateId: command.operation_id, startWorkflowOperation },
  )
}

/** A payment that a refund made outside speaks of, and that is not booked here: its order's run books it. */
async function lookForPayment(
  starter: RunStarter,
  { order, evidence_id }: { order: OrderKey; evidence_id: string },
): Promise<void> {
  await signalOrder(starter, order, signals.payment_found, { evidence_id })
}

async function signalOrder(
  { client, toOptions }: RunStarter,
  order: OrderKey,
  signal: string,
  fact: object,
): Promise<void> {
  const start = orderStart(order)
  await client.workflow.signalWithStart(start.workflow_type, { ...toOptions(start), signal, signalArgs: [fact] })
}

/**
 * Before a number of a sale is placed, its older unpaid numbers are closed: two numbers of one sale are never both
 * kept (architecture §5, Second sale). Repeated until each has come to an end.
 */
async function closeOlder(
  { context: { store }, client, toOptions }: RunStarter,
  { order: key }: { order: OrderKey },
): Promise<{ kind: 'clear' } | { kind: 'reference_paid'; by: string }> {
  const order = await store.orders.find(key)
  if (order === null || order.reference === null) return { kind: 'clear' }
  const holder = await store.references.findHolder(order.mchid, order.reference)
  if (holder !== null && holder !== order.out_trade_no) return { kind: 'reference_paid', by: holder }
  const older = await store.orders.findOlderUnpaid({ ...order, reference: order.reference })
  const open = older.filter(({ state }) => open_order_states.includes(state) && state !== 'paid')
  if (open.length === 0) return { kind: 'clear' }
  for (const sibling of open) await requestClose(client, toOptions, orderKey(sibling._id), order.out_trade_no)
  throw notYetFailure('older numbers of the same sale are being closed', 1_000)
}

async function requestClose(
  client: Client,
  toOptions: ToStartOptions,
  sibling: OrderKey,
  for_number: string,
): Promise<void> {
  const command: Command = {
    operation_id: `superseded:${for_number}`,
    actor: weft_actor,
    reason: `order ${for_number} is the newer number of the same sale`,
  }
  const start = orderStart(sibling)
  await client.workflow.start(start.workflow_type, toOptions(start))
  const handle = client.workflow.getHandle(workflowId.order(sibling))
  // Only accepted, not awaited: the close may take minutes, and the caller looks at the record again.
  await handle.startUpdate(order_updates.close, {
    args: [command],
    updateId: command.operation_id,
    waitForStage: 'ACCEPTED',
  })
}
