import { randomUUID } from 'node:crypto'
import { beijingTime } from '../domain/calendar.ts'
import { workflowId } from '../domain/ids.ts'
import { queueName } from '../domain/messages.ts'
import { order_states } from '../domain/order/record.ts'
import { runSubject } from '../domain/run.ts'
import type { Logger } from '../runtime/logger.ts'
import { maskText } from '../runtime/mask.ts'
import { createOutageLog } from '../runtime/outage.ts'
import type { OutageLog } from '../runtime/outage.ts'
import { boundedCall } from '../runtime/temporal.ts'
import type { TemporalClient } from '../runtime/temporal.ts'
import { findTrouble } from '../runtime/trouble.ts'
import type { RunTrouble } from '../runtime/trouble.ts'
import type { Store } from '../store/store.ts'

export interface WatchPatience {
  every_ms: number
  /** how long a run must have failed before a person is told, and how late a record must be to have its run looked at */
  stuck_ms: number
}

export const watch_patience: WatchPatience = { every_ms: 30_000, stuck_ms: 60_000 }

export interface WatchSettings {
  store: Store
  temporal: TemporalClient
  queue_prefix: string
  patience: WatchPatience
  now: () => number
  log: Logger
  /** told after each round how many runs are stuck */
  stuck: (count: number) => void
}

const lease_name = 'watch'
const call_limit_ms = 5_000
/** runs that one round looks at, of each of its kinds; each costs one call to Temporal of about a millisecond */
const most_looks = 50

/**
 * Finds runs that cannot go on: whose workflow task, or an activity of which, fails again and again for another reason
 * than that it waits. It looks from outside, at what Temporal tells of a run, since the run itself may be what is
 * broken: first at those it suspects, then at those whose record or evidence is late, then at days and at all open ones in
 * turn.
 */
export function createWatch(settings: WatchSettings) {
  const { store, patience, now } = settings
  const holder = randomUUID()
  const suspects: Suspects = new Map()
  const lists: OpenList[] = [
    { condition: days_condition, page: null },
    { condition: '', page: null },
  ]
  const watched = { ...settings, say: createOutageLog(now) }

  /** One round. False: another worker's watch holds the lease. */
  async function watch(ending?: AbortSignal): Promise<boolean> {
    const lease = await store.leases.hold(lease_name, holder, { ttl_ms: patience.every_ms * 3, now })
    if (lease === null) return leaveToOther()
    const stuck = await store.stuck_runs.longestUnseen(most_looks)
    const late = await orNone(watched, 'what is late', () => findLate(settings))
    const open: string[] = []
    for (const list of lists) open.push(...(await orNone(watched, 'open runs', () => nextOpen(settings, list))))
    const known = stuck.map(({ _id }) => _id)
    for (const id of new Set([...known, ...suspects.keys(), ...late, ...open])) {
      if (ending?.aborted === true) return true
      // Where Temporal is slow, a round lasts longer than a lease.
      if (!(await lease.keep())) return leaveToOther()
      await look(watched, suspects, { id, is_known: known.includes(id) })
    }
    settings.stuck((await store.stuck_runs.longestUnseen(most_counted)).length)
    return true
  }

  /** Another worker's watch has the lease: what is known here is only good in an unbroken row of rounds. */
  function leaveToOther(): false {
    suspects.clear()
    return false
  }

  return {
    watch,
    /** Gives the lease back, behind the last round. */
    release: () => store.leases.release(lease_name, holder),
  }
}

export type Watch = ReturnType<typeof createWatch>

/** Since when a run was seen failing at every look, by workflow id; Unix ms. */
type Suspects = Map<string, number>

/** Looks at one run; what cannot be asked now keeps no other from its turn. */
async function look(
  settings: WatchSettings & { say: OutageLog },
  suspects: Suspects,
  { id, is_known }: { id: string; is_known: boolean },
): Promise<void> {
  const { store, temporal, patience, now, log, say } = settings
  try {
    const trouble = await boundedCall(temporal.connection, call_limit_ms, () =>
      findTrouble(temporal.client.workflowService, temporal.namespace, id),
    )
    if (trouble === null) {
      suspects.delete(id)
      if (is_known && (await store.stuck_runs.lift(id))) log.info('a stuck run goes on', { workflow_id: id })
      return
    }
    const since_ms = suspects.get(id) ?? now()
    if (suspects.size < most_suspects) suspects.set(id, since_ms)
    if (is_known || now() - since_ms >= patience.stuck_ms) await tell(settings, id, trouble, since_ms)
  } catch (error) {
    say(log, 'a run could not be looked at; the next round tries again', { workflow_id: id, error })
  }
}

async function tell(
  { store, now, log }: WatchSettings,
  _id: string,
  trouble: RunTrouble,
  since_ms: number,
): Promise<void> {
  const seen = { ...runSubject(_id), ...trouble, error: maskText(trouble.error) }
  const times = { since_time: beijingTime(since_ms), seen_time: beijingTime(now()) }
  const is_new = await store.stuck_runs.note({ _id, ...seen, ...times })
  if (is_new) log.error('a run cannot go on: mend the cause, then terminate it', { workflow_id: _id, ...seen })
}

async function orNone(
  { log, say }: { log: Logger; say: OutageLog },
  what: string,
  find: () => Promise<string[]>,
): Promise<string[]> {
  try {
    return await find()
  } catch (error) {
    say(log, `a part of the watch failed: ${what}`, { error })
    return []
  }
}

const most_suspects = 200
const most_counted = 1_000

/** Open runs that are looked at in turn. `page`: where the next of them begin; null: at the first again. */
interface OpenList {
  condition: string
  page: Uint8Array | null
}

/** Of days no record is late, and behind thousands of orders that wait their turn would come in hours. */
const days_condition = ` AND (${['reconcileDay', 'concludeDay', 'reconcileDays'].map((type) => `WorkflowType = "${type}"`).join(' OR ')})`

/** Workflow ids whose record should have moved by now, or whose evidence has had no effect. */
async function findLate({ store, patience, now }: WatchSettings): Promise<string[]> {
  const before = beijingTime(now() - patience.stuck_ms)
  const received_after = beijingTime(now() - 60 * patience.stuck_ms)
  const unapplied = { received_before: before, received_after, outcome: null, limit: most_looks }
  const [orders, refunds, deliveries, evidence] = await Promise.all([
    store.orders.findDue(order_states, before, most_looks),
    store.refunds.findDue(before, most_looks),
    store.deliveries.findDue(before, most_looks),
    store.evidence.findUnapplied(unapplied),
  ])
  return [
    ...orders.map(workflowId.order),
    ...refunds.map(workflowId.refund),
    ...deliveries.map(({ _id }) => workflowId.delivery(_id)),
    ...evidence.flatMap(({ mchid, out_trade_no, out_refund_no }) => {
      if (out_refund_no !== null) return [workflowId.refund({ mchid, out_refund_no })]
      return out_trade_no === null ? [] : [workflowId.order({ mchid, out_trade_no })]
    }),
  ]
}

/** The next open runs of this installation that are on the list. */
async function nextOpen({ temporal, queue_prefix }: WatchSettings, list: OpenList): Promise<string[]> {
  const { client, connection, namespace } = temporal
  const query = `ExecutionStatus = "Running" AND TaskQueue = "${queueName('orders', queue_prefix)}"${list.condition}`
  const { executions, nextPageToken } = await boundedCall(connection, call_limit_ms, () =>
    client.workflowService.listWorkflowExecutions({
      namespace,
      query,
      pageSize: most_looks,
      ...(list.page && { nextPageToken: list.page }),
    }),
  )
  list.page = nextPageToken?.length ? nextPageToken : null
  return executions?.flatMap(({ execution }) => execution?.workflowId ?? []) ?? []
}
