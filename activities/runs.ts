import type { Client, WorkflowStartOptions } from '@temporalio/client'
import { orderKey, workflowId } from '../domain/ids.ts'
import type { OrderKey } from '../domain/ids.ts'
import { deliveryStart, orderStart, updates } from '../domain/messages.ts'
import type { Command, WorkflowStart } from '../domain/messages.ts'
import { open_states, weft } from '../domain/order.ts'
import { notYet } from './calling.ts'
import type { ActivityContext } from './context.ts'

export type RunActivities = ReturnType<typeof createRuns>

/** How a start becomes the client's options; runtime/temporal makes it, so that every starter starts alike. */
export type ToStartOptions = <A extends unknown[]>(start: WorkflowStart<A>) => WorkflowStartOptions & { args: A }

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
