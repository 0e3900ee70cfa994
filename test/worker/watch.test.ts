import { expect, it } from 'vitest'
import type { Logger } from '../../runtime/logger.ts'
import { workflowId } from '../../domain/ids.ts'
import type { StuckRunRecord } from '../../domain/run.ts'
import { createWatch } from '../../worker/watch.ts'
import type { WatchSettings } from '../../worker/watch.ts'

const mchid = '1900000001'
const day = { mchid, bill_date: '2026-05-01' }

/** A watch over runs of which every one has an activity that fails, and what it wrote down and logged. */
function watchOver(ids: string[], { is_away = false } = {}) {
  const noted = new Map<string, StuckRunRecord>()
  const logged: unknown[] = []
  const leased = { is_held: true }
  const asked: string[] = []
  const clock = { now: Date.parse('2026-05-02T12:00:00+08:00') }
  const none = async () => []
  const failing = { activityType: { name: 'matchDay' }, attempt: 4, lastFailure: { message: 'no such column' } }
  const store = {
    leases: { hold: async () => ({ keep: async () => leased.is_held }), release: async () => undefined },
    stuck_runs: {
      longestUnseen: async () => [...noted.values()],
      lift: async () => false,
      note: async (run: StuckRunRecord) => !noted.has(run._id) && Boolean(noted.set(run._id, run)),
    },
    orders: { findDue: none },
    refunds: { findDue: none },
    deliveries: { findDue: none },
    evidence: { findUnapplied: none },
  }
  const workflowService = {
    listWorkflowExecutions: async ({ query }: { query: string }) => {
      asked.push(query)
      const listed = query.includes('WorkflowType') ? ids.filter((id) => id.startsWith('reconcile')) : ids.slice(0, 50)
      return { executions: listed.map((id) => ({ execution: { workflowId: id } })) }
    },
    describeWorkflowExecution: async () => {
      if (is_away) throw new Error('Temporal is away')
      return { workflowExecutionInfo: {}, pendingActivities: [failing] }
    },
  }
  const temporal = {
    client: { workflowService },
    connection: { withDeadline: async (_: unknown, call: () => Promise<unknown>) => await call() },
    namespace: 'default',
  }
  const log = {
    error: (...said: unknown[]) => logged.push(said),
    warn: (...said: unknown[]) => logged.push(said),
    info: () => undefined,
    debug: () => undefined,
  }
  const watch = createWatch({
    store: store as unknown as WatchSettings['store'],
    temporal: temporal as unknown as WatchSettings['temporal'],
    queue_prefix: '',
    patience: { every_ms: 30_000, stuck_ms: 60_000 },
    now: () => clock.now,
    log: log as unknown as Logger,
    stuck: () => undefined,
  })
  return { watch, noted, logged, clock, leased, asked }
}

it.each([
  ['a day', workflowId.day(day), mchid],
  ['what people asked for about a day', workflowId.conclusion(day), mchid],
  ['an order', workflowId.order({ mchid, out_trade_no: 'T1' }), mchid],
  ['all merchants', 'reconcile-2026-05-02T02:30:00Z', ''],
])('a run about %s that cannot go on is seen after a minute, once', async (_about, id, whose) => {
  const { watch, noted, logged, clock } = watchOver([id])
  await watch.watch()
  expect(noted.size).toBe(0)
  for (let round = 0; round < 3; round += 1) {
    clock.now += 60_000
    await watch.watch()
  }
  expect([...noted.values()]).toEqual([
    expect.objectContaining({ _id: id, mchid: whose, step: 'matchDay', error: 'no such column' }),
  ])
  expect(logged).toHaveLength(1)
})

it('a day that cannot go on is seen as soon behind any number of orders that wait', async () => {
  const waiting = Array.from({ length: 300 }, (_, number) => workflowId.order({ mchid, out_trade_no: `T${number}` }))
  const { watch, noted, clock, asked } = watchOver([...waiting, workflowId.day(day)])
  await watch.watch()
  clock.now += 60_000
  await watch.watch()
  expect([...noted.keys()]).toContain(workflowId.day(day))
  expect(asked[0]).toContain('WorkflowType = "reconcileDay" OR WorkflowType = "concludeDay"')
})

it('a round that lasts longer than its lease leaves the rest to whoever has it', async () => {
  const { watch, noted, clock, leased } = watchOver([workflowId.day(day)])
  await watch.watch()
  clock.now += 60_000
  leased.is_held = false
  await watch.watch()
  expect(noted.size).toBe(0)
})

it('says once a minute that runs cannot be looked at, however many there are', async () => {
  const ids = Array.from({ length: 40 }, (_, n) => workflowId.order({ mchid, out_trade_no: `T${n}` }))
  const { watch, logged, clock } = watchOver(ids, { is_away: true })
  await watch.watch()
  clock.now += 30_000
  await watch.watch()
  expect(logged).toHaveLength(1)
})

it('looks at no more runs once its worker is to end', async () => {
  const { watch, noted, logged, clock } = watchOver([workflowId.day(day)])
  await watch.watch(AbortSignal.abort())
  clock.now += 60_000
  await watch.watch(AbortSignal.abort())
  expect([noted.size, logged]).toEqual([0, []])
})
