import { setTimeout as pause } from 'node:timers/promises'
import { WithStartWorkflowOperation } from '@temporalio/client'
import type { Client, WorkflowStartOptions } from '@temporalio/client'
import { operationId, orderKey, workflowId } from '../domain/ids.ts'
import type { OrderKey, RefundKey } from '../domain/ids.ts'
import { deliveryStart, orderStart, refundStart, signals, updates } from '../domain/messages.ts'
import type { Answer, Command, RefundRequested, WorkflowStart } from '../domain/messages.ts'
import { open_states, weft } from '../domain/order.ts'
import type { OrderRecord } from '../domain/order.ts'
import { entriesForOrder } from '../domain/refund.ts'
import { notYet } from './calling.ts'
import type { ActivityContext } from './context.ts'

export type RunActivities = ReturnType<typeof createRuns>

/** How a start becomes the client's options; runtime/temporal makes it, so that every starter starts alike. */
export type ToStartOptions = <A extends unknown[]>(
  start: WorkflowStart<A>,
) => WorkflowStartOptions & { args: A; workflowIdConflictPolicy: 'USE_EXISTING' }

/** Starts and wakes other runs; nobody else does. Already started counts as done. */
export function createRuns(context: ActivityContext, client: Client, toOptions: ToStartOptions) {
  const { store } = context

  return {
    async startDeliveries({ order, deliveries }: { order: OrderKey; deliveries: string[] }): Promise<void> {
      for (const delivery_id of deliveries) {
        const start = deliveryStart({ delivery_id, ...order })
        await client.workflow.start(start.workflow_type, toOptions(start))
      }
    },

    async startRefunds({ order, refunds }: { order: OrderKey; refunds: string[] }): Promise<void> {
      for (const out_refund_no of refunds) {
        const start = refundStart({ ...order, out_refund_no })
        await client.workflow.start(start.workflow_type, toOptions(start))
      }
    },

    /** The order hears what became of a refund. Repeated until its record shows that it has. */
    async tellOrder({ refund: key }: { refund: RefundKey }): Promise<void> {
      const refund = await store.refunds.find(key)
      if (refund === null || refund.order_id === null) return
      const order_key = orderKey(refund.order_id)
      const last = entriesForOrder(refund).at(-1)
      const order = await store.orders.find(order_key)
      if (last === undefined || hasHeard(order, refund.out_refund_no, last.revision)) return
      const start = orderStart(order_key)
      await client.workflow.signalWithStart(start.workflow_type, {
        ...toOptions(start),
        signal: signals.refund_changed,
        signalArgs: [{ out_refund_no: refund.out_refund_no }],
      })
      const heard = await untilHeard(context, order_key, refund.out_refund_no, last.revision)
      if (!heard) throw notYet('the order has not written down yet what became of the refund', 1_000)
    },

    /** Before a refund of everything is sent, the order stops what it is about (architecture §8). */
    async askOrderToRefund({ refund: key }: { refund: RefundKey }): Promise<void> {
      const refund = await store.refunds.find(key)
      if (refund === null || refund.order_id === null) return
      const order_key = orderKey(refund.order_id)
      const command: RefundRequested = {
        operation_id: operationId.refundRequested(refund.out_refund_no),
        actor: refund.requested_by,
        reason: null,
        out_refund_no: refund.out_refund_no,
      }
      const start = orderStart(order_key)
      await client.workflow.executeUpdateWithStart<(key: OrderKey) => Promise<unknown>, Answer, [RefundRequested]>(
        updates.request_refund,
        {
          args: [command],
          updateId: command.operation_id,
          startWorkflowOperation: new WithStartWorkflowOperation(start.workflow_type, toOptions(start)),
        },
      )
    },

    /** A payment that a refund made outside speaks of, and that is not booked here: its order's run asks WeChat for it. */
    async lookForPayment({ order, evidence_id }: { order: OrderKey; evidence_id: string }): Promise<void> {
      const start = orderStart(order)
      await client.workflow.signalWithStart(start.workflow_type, {
        ...toOptions(start),
        signal: signals.payment_found,
        signalArgs: [{ evidence_id }],
      })
    },

    /**
     * Before a number of a sale is placed, its older unpaid numbers are closed: two numbers of one sale are never both
     * kept (architecture §5, Second sale). Repeated until each has come to an end.
     */
    async closeOlder({
      order: key,
    }: {
      order: OrderKey
    }): Promise<{ kind: 'clear' } | { kind: 'reference_paid'; by: string }> {
      const order = await store.orders.find(key)
      if (order === null || order.reference === null) return { kind: 'clear' }
      const holder = await store.references.holder(order.mchid, order.reference)
      if (holder !== null && holder !== order.out_trade_no) return { kind: 'reference_paid', by: holder }
      const older = await store.orders.olderUnpaid({ ...order, reference: order.reference })
      const open = older.filter(({ state }) => open_states.includes(state) && state !== 'paid')
      if (open.length === 0) return { kind: 'clear' }
      for (const sibling of open) await askToClose(client, toOptions, orderKey(sibling._id), order.out_trade_no)
      throw notYet('older numbers of the same sale are being closed', 1_000)
    },
  }
}

function hasHeard(order: OrderRecord | null, out_refund_no: string, revision: number): boolean {
  const operation_id = operationId.refund(out_refund_no, revision)
  return order?.timeline.some((entry) => entry.operation_id === operation_id) ?? false
}

/** Usually a few milliseconds; who waits longer comes again. */
async function untilHeard(
  { store }: ActivityContext,
  order: OrderKey,
  out_refund_no: string,
  revision: number,
): Promise<boolean> {
  for (const pause_ms of [50, 100, 200, 400, 800]) {
    await pause(pause_ms)
    if (hasHeard(await store.orders.find(order), out_refund_no, revision)) return true
  }
  return false
}

async function askToClose(
  client: Client,
  toOptions: ToStartOptions,
  sibling: OrderKey,
  for_number: string,
): Promise<void> {
  const command: Command = {
    operation_id: `superseded:${for_number}`,
    actor: weft,
    reason: `order ${for_number} is the newer number of the same sale`,
  }
  const start = orderStart(sibling)
  await client.workflow.start(start.workflow_type, toOptions(start))
  const handle = client.workflow.getHandle(workflowId.order(sibling))
  // Only accepted, not awaited: the close may take minutes, and the caller looks at the record again.
  await handle.startUpdate(updates.close, { args: [command], updateId: command.operation_id, waitForStage: 'ACCEPTED' })
}
