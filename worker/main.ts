import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { constants, setPriority } from 'node:os'
import { fileURLToPath } from 'node:url'
import { NativeConnection, Runtime } from '@temporalio/worker'
import type { Worker } from '@temporalio/worker'
import { removeLeftScratch, scratch_every_ms } from '../activities/bill/scratch.ts'
import { createBills } from '../activities/bill/steps.ts'
import type { ActivityContext } from '../activities/context.ts'
import { createMerchant } from '../activities/delivery/attempt.ts'
import { createCourier } from '../activities/delivery/courier.ts'
import type { Courier } from '../activities/delivery/courier.ts'
import { createGateway } from '../activities/order/gateway.ts'
import { createRecords } from '../activities/order/steps.ts'
import { createRefundGateway } from '../activities/refund/gateway.ts'
import { createRefunds } from '../activities/refund/steps.ts'
import { createRuns } from '../activities/runs.ts'
import { createCallSlots } from '../activities/slots.ts'
import { default_bill_policy, scaledBillPolicy } from '../domain/bill/reconciliation.ts'
import { beijingTime } from '../domain/calendar.ts'
import type { Queue } from '../domain/messages.ts'
import { default_policy, scaledPolicy } from '../domain/policy.ts'
import { auditor_every_ms, createAuditor } from '../proof/auditor.ts'
import type { Auditor } from '../proof/auditor.ts'
import { proof_patience, scaledPatience } from '../proof/finding.ts'
import { authorityWarning, readAuthorities } from '../runtime/authorities.ts'
import { readConfig, shownTo } from '../runtime/config.ts'
import type { Config } from '../runtime/config.ts'
import { assertFitForLive, liveMistakes } from '../runtime/fitness.ts'
import { serveHealth } from '../runtime/health.ts'
import type { HealthState } from '../runtime/health.ts'
import { createLogger, temporalLogger } from '../runtime/logger.ts'
import type { Logger } from '../runtime/logger.ts'
import { createMetrics } from '../runtime/metrics.ts'
import { createSetupLog } from '../runtime/mistake.ts'
import type { Metrics } from '../runtime/metrics.ts'
import { createRunStarter } from '../runtime/runs.ts'
import { ensureSchedule, schedule_every_ms } from '../runtime/schedule.ts'
import { endOnFailure, startUntilSignal } from '../runtime/shutdown.ts'
import { connectionOptions, connectTemporal, temporalSetting, verifySearchAttributes } from '../runtime/temporal.ts'
import type { TemporalClient } from '../runtime/temporal.ts'
import { createSealer } from '../store/sealer.ts'
import { openStore } from '../store/store.ts'
import type { Store } from '../store/store.ts'
import { createAccounts } from '../wechat/accounts.ts'
import { createDispatcher } from '../wechat/connection.ts'
import { createTrusts } from '../wechat/trust.ts'
import { logAttempt } from '../wechat/transport.ts'
import { workflowBundle } from './bundle.ts'
import { endWorker } from './end.ts'
import { refresh_every_ms, refreshKeys } from './keys.ts'
import { createWorkers } from './queues.ts'
import type { WorkerSettings } from './queues.ts'
import { createMembership, member_every_ms } from './membership.ts'
import type { Membership } from './membership.ts'
import { createProbeRounds } from './probes.ts'
import { createRounds } from './rounds.ts'
import type { Rounds } from './rounds.ts'
import { refreshShares, share_every_ms } from './share.ts'
import { createSweeper, startRuns, sweeper_patience } from './sweeper.ts'
import type { Sweeper, SweeperPatience } from './sweeper.ts'
import { createTasks } from './tasks.ts'
import { createWatch, watch_patience } from './watch.ts'
import type { Watch } from './watch.ts'

export interface RunningWorker {
  sweeper: Sweeper
  auditor: Auditor
  watch: Watch
  /** Takes no more tasks; resolves when those under way have ended or the force time is over. Once, however often called. */
  close(): Promise<void>
}

export interface WorkerParts {
  config: Config
  log: Logger
  /** Unix ms; on a time-skipping server the server's clock */
  now?: () => number
  /** started by default; tests sweep by hand */
  sweeps?: boolean
  /** makes the schedule of every day by default; test suites share a Temporal and would leave theirs behind */
  schedules?: boolean
  /** count Node's own numbers too: only where the process is the worker's alone */
  process_metrics?: boolean
  /** the workflow code; made from its source when absent, or read where `npm run build` has left it */
  bundle?: Awaited<ReturnType<typeof workflowBundle>>
  /** told when a worker stopped by itself: its queue is served no more, and only closing is left to do */
  on_failure?: (error: unknown) => void
  /** where the SDK serves its own numbers, when it does: they are shown with ours */
  sdk_metrics_url?: string
}

/** Runs workflows and activities of all queues in this process until closed. */
export async function startWorker(parts: WorkerParts): Promise<RunningWorker> {
  const { config, log, now = Date.now, sweeps = true, schedules = true, process_metrics = false } = parts
  const sealer = createSealer({ keys: config.master_keys })
  const store = await openStore({ uri: config.mongodb_uri, database: config.database, sealer })
  await retryUntilThere(log, { what: 'the database' }, async () => {
    await store.ensureIndexes()
    const merchants = await store.merchants.list()
    assertFitForLive({ config, role: 'worker', merchants, openSealed: () => store.merchants.assertOpen(merchants) })
    const warning = authorityWarning(config, merchants, now())
    if (warning !== null) log.warn(warning)
  })
  const temporal = connectTemporal(config.temporal)
  const dispatcher = createDispatcher()
  const metrics = createMetrics({ process_metrics })
  const membership = createMembership({ members: store.members, counted: (count) => metrics.wechat_members.set(count) })
  await retryUntilThere(log, { what: 'the database' }, membership.look) // before any task is taken
  const looks = createRounds({ name: 'the membership', every_ms: member_every_ms, round: membership.look, log })
  looks.start()
  const accounts = createWorkerAccounts(parts, store, metrics, dispatcher, membership)
  const scaled_policy = scaledPolicy(default_policy, config.time_scale)
  const context: ActivityContext = { store, sealer, accounts, policy: scaled_policy, now, log }
  const courier = createCourier({ allow_private: config.allow_private_endpoints })
  const settings = {
    namespace: config.temporal.namespace,
    queue_prefix: config.queue_prefix,
    deployment: config.deployment,
    bundle: parts.bundle ?? (await workflowBundle()),
    activities: activitiesByQueue(context, courier, temporal, config),
  }
  const { connection, workers } = await retryUntilThere(
    log,
    { what: 'Temporal', ...temporalSetting(config.temporal) },
    () => connectWorkers(config, temporal, settings),
  )
  const tasks = createTasks(workers, { log, on_failure: parts.on_failure })
  // Before any task is taken: a port that is taken ends the start.
  const health = await serveHealthIfSet(parts, metrics, tasks.health)
  const scratch = await tidyScratch(log)
  tasks.run()

  const { sweeper, auditor, watch, rounds } = createWatchers(parts, store, temporal, metrics)
  const refresh = (ending: AbortSignal) => refreshKeys({ store, accounts, log }, ending)
  rounds.push(createRounds({ name: 'the certificates', every_ms: refresh_every_ms, round: refresh, log }))
  rounds.push(createProbeRounds({ store, accounts, now, log }), scratch)
  if (schedules) {
    // Orders do not wait for it: a Temporal that takes no schedule today is asked again.
    const schedule = () => ensureSchedule(temporal, config.queue_prefix, shownTo(config))
    await schedule().catch((error: unknown) => log.warn('the schedule of bills could not be made', { error }))
    rounds.push(createRounds({ name: 'the schedule of bills', every_ms: schedule_every_ms, round: schedule, log }))
  }
  if (sweeps) for (const each of rounds) each.start()
  log.info('worker ready', { queues: workers.length })

  const ended: { by: Promise<void> | null } = { by: null }
  const leave = () =>
    membership.leave().catch((error: unknown) => log.debug('the membership was not given back', { error }))
  const whole = {
    tasks,
    rounds,
    leave: () => looks.close().then(leave),
    closeConnections: () =>
      Promise.all([connection.close().then(() => temporal.close()), courier.close(), dispatcher.close()]),
    closeHealth: () => health?.close(),
    closeStore: () => store.close(),
  }
  return { sweeper, auditor, watch, close: () => (ended.by ??= endWorker(whole, log)) }
}

/** Every step here needs Temporal, which may go away again after any of them: then all are taken anew. */
async function connectWorkers(
  config: Config,
  temporal: TemporalClient,
  settings: Omit<WorkerSettings, 'connection'>,
): Promise<{ connection: NativeConnection; workers: Worker[] }> {
  const connection = await NativeConnection.connect(connectionOptions(config.temporal))
  try {
    await verifySearchAttributes(temporal)
    return { connection, workers: await createWorkers({ connection, ...settings }) }
  } catch (error) {
    await connection.close().catch(() => undefined) // a worker that was made already holds it
    throw error
  }
}

/** What each queue can do. Questions that wait have a queue of their own for what the others do too. */
function activitiesByQueue(
  context: ActivityContext,
  courier: Courier,
  { client }: TemporalClient,
  config: Config,
): Record<Queue, object> {
  const starter = createRunStarter(client, config.queue_prefix, shownTo(config))
  const runs = createRuns(context, starter)
  // One for both: what it bounds is the workflow tasks of this process.
  const slots = createCallSlots()
  const gateway = { ...createGateway(context, slots), ...createRefundGateway(context) }
  // One of them, since it keeps one merchant's endpoints from all others; what is under way goes on at its old queue.
  const merchant = createMerchant(context, courier, slots)
  const { placeInLine } = gateway
  const { deliverPaidInLine } = merchant
  return {
    orders: { ...createRecords(context), ...createRefunds(context), ...runs, placeInLine, deliverPaidInLine },
    gateway,
    gateway_poll: gateway,
    merchant,
    notice: merchant,
    bills: createBills(context, starter, scaledBillPolicy(default_bill_policy, config.time_scale)),
  }
}

/** Removes what killed comparisons left on the disk, now and from time to time. */
async function tidyScratch(log: Logger): Promise<Rounds> {
  // The clock of the disk, not one that a test has set forward.
  const tidy = () => removeLeftScratch({ log, now: Date.now })
  await tidy()
  return createRounds({ name: 'the scratch of comparisons', every_ms: scratch_every_ms, round: tidy, log })
}

/** Those that look after what nobody carries, after the book, and after runs that cannot go on. */
function createWatchers(
  { config, log, now = Date.now }: WorkerParts,
  store: Store,
  temporal: TemporalClient,
  metrics: Metrics,
): { sweeper: Sweeper; auditor: Auditor; watch: Watch; rounds: Rounds[] } {
  const sweep_patience = scaledSweeperPatience(config.time_scale)
  // However fast time runs, reading all records has its cost.
  const audit_every_ms = Math.max(5_000, Math.round(auditor_every_ms / config.time_scale))
  const watch_every_ms = Math.max(5_000, Math.round(watch_patience.every_ms / config.time_scale))
  const sweeper = createSweeper({
    store,
    temporal,
    queue_prefix: config.queue_prefix,
    shown: shownTo(config),
    patience: sweep_patience,
    now,
    log,
    swept: (kind, count) => metrics.swept.inc({ kind }, count),
  })
  const auditor = createAuditor({
    store,
    every_ms: audit_every_ms,
    patience: scaledPatience(proof_patience, config.time_scale),
    wake: (finding) => startRuns({ temporal, queue_prefix: config.queue_prefix, shown: shownTo(config) }, finding),
    now,
    log,
  })
  const watch = createWatch({
    store,
    temporal,
    queue_prefix: config.queue_prefix,
    patience: { every_ms: watch_every_ms, stuck_ms: Math.round(watch_patience.stuck_ms / config.time_scale) },
    now,
    log,
    stuck: (count) => metrics.stuck_runs.set(count),
  })
  const sweep = {
    name: 'the sweeper',
    every_ms: sweep_patience.every_ms,
    round: sweeper.sweep,
    release: sweeper.release,
  }
  const audit = { name: 'the auditor', every_ms: audit_every_ms, round: auditor.audit, release: auditor.release }
  const look = { name: 'the watch', every_ms: watch_every_ms, round: watch.watch, release: watch.release }
  const told = (mchid: string, share: number) => metrics.found_by_query_share.set({ mchid }, share)
  const tell = {
    name: 'the reports',
    every_ms: Math.max(5_000, Math.round(share_every_ms / config.time_scale)),
    round: () => refreshShares({ store, told }),
  }
  return { sweeper, auditor, watch, rounds: [sweep, audit, look, tell].map((each) => createRounds({ ...each, log })) }
}

function createWorkerAccounts(
  { config, log, now = Date.now }: WorkerParts,
  store: Store,
  metrics: Metrics,
  dispatcher: ReturnType<typeof createDispatcher>,
  membership: Membership,
) {
  return createAccounts({
    load: (mchid) => store.merchants.openSetup(mchid),
    // The API proves the notifications of orders placed here: what was fetched for these is there for it at once.
    note_key: (mchid, news) => store.merchants.noteKey(mchid, news, beijingTime(now())),
    live_mistakes: liveMistakes(config, 'worker'),
    trusts: createTrusts(readAuthorities(config)),
    test_wechat_url: config.test_wechat_url,
    dispatcher,
    now,
    user_agent: 'Weft',
    share: membership.share,
    log: (attempt) => {
      const { operation, reason, code, status, duration_ms } = attempt
      metrics.gateway_calls.observe({ operation, outcome: reason ?? code ?? String(status) }, duration_ms / 1_000)
      logAttempt(log, attempt)
    },
    on_mistake: createSetupLog(log, now),
  })
}

async function serveHealthIfSet(
  { config, sdk_metrics_url }: WorkerParts,
  metrics: Metrics,
  healthz: () => HealthState,
): Promise<Awaited<ReturnType<typeof serveHealth>> | null> {
  const { host, metrics_port } = config
  if (metrics_port === null) return null
  return await serveHealth({
    host,
    port: metrics_port,
    metrics,
    paths: { '/healthz': healthz },
    ...(sdk_metrics_url && { sdk_metrics_url }),
  })
}

function scaledSweeperPatience(scale: number): SweeperPatience {
  const shrink = (ms: number) => Math.max(200, Math.round(ms / scale))
  return {
    // However fast time runs, a round asks the database a dozen times: at 500 ms it was most of what a test's worker did.
    every_ms: Math.max(2_000, shrink(sweeper_patience.every_ms)),
    evidence_ms: shrink(sweeper_patience.evidence_ms),
    orphan_ms: shrink(sweeper_patience.orphan_ms),
    orphan_every_ms: shrink(sweeper_patience.orphan_every_ms),
    evidence_old_ms: shrink(sweeper_patience.evidence_old_ms),
    created_ms: shrink(sweeper_patience.created_ms),
    due_ms: shrink(sweeper_patience.due_ms),
  }
}

/** A worker that comes up before its servers waits for them; a mistake in the settings ends it at once. */
async function retryUntilThere<T>(
  log: Logger,
  { what, ...where }: { what: string; setting?: string; address?: string },
  attempt: () => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt()
    } catch (error) {
      if (error instanceof Error && error.name === 'ConfigError') throw error
      const wait_ms = Math.min(500 * 2 ** tries, 4_000)
      log.warn(`${what} is not there yet`, { ...where, error, next_try_ms: wait_ms })
      await new Promise((resolve) => setTimeout(resolve, wait_ms))
    }
  }
}

/** A port on which the SDK can serve its numbers to this process alone. */
async function freeLoopbackPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** The process `weft worker`. */
async function main(): Promise<void> {
  const config = readConfig(process.env)
  const log = createLogger({ level: config.log_level, service: 'worker' })
  const sdk_port = config.metrics_port === null ? null : await freeLoopbackPort()
  Runtime.install({
    logger: temporalLogger(log),
    shutdownSignals: [],
    ...(sdk_port && { telemetryOptions: { metrics: { prometheus: { bindAddress: `127.0.0.1:${sdk_port}` } } } }),
  })
  // On a machine that it shares with the API it yields: WeChat Pay and merchants wait there, and orders are durable here.
  setPriority(constants.priority.PRIORITY_BELOW_NORMAL)
  const failed = new AbortController()
  const on_failure = () => failed.abort()
  const sdk_metrics = sdk_port ? { sdk_metrics_url: `http://127.0.0.1:${sdk_port}/metrics` } : {}
  const start = () => startWorker({ config, log, process_metrics: true, on_failure, ...sdk_metrics })
  const stepsOf = (worker: RunningWorker) => [{ name: 'worker', limit_ms: 50_000, close: () => worker.close() }]
  const steps = await startUntilSignal(start, stepsOf, log)
  endOnFailure(failed.signal, steps, log)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  main().catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    process.exit(1)
  })
}
