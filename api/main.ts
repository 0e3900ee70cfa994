import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { beijingTime } from '../domain/calendar.ts'
import type Koa from 'koa'
import { default_policy, scaledPolicy } from '../domain/policy.ts'
import { authorityWarning, readAuthorities } from '../runtime/authorities.ts'
import { ConfigError, readConfig, shownTo } from '../runtime/config.ts'
import type { Config } from '../runtime/config.ts'
import { assertFitForLive, liveMistakes } from '../runtime/fitness.ts'
import { listenMistake, serveHealth } from '../runtime/health.ts'
import type { HealthState } from '../runtime/health.ts'
import { createLogger } from '../runtime/logger.ts'
import type { Logger } from '../runtime/logger.ts'
import { createMetrics } from '../runtime/metrics.ts'
import type { Metrics } from '../runtime/metrics.ts'
import { createSetupLog } from '../runtime/mistake.ts'
import { release } from '../runtime/release.ts'
import { closeInOrder, endOnFailure, startUntilSignal } from '../runtime/shutdown.ts'
import { connectForIntake, connectTemporal, temporalSetting, verifySearchAttributes } from '../runtime/temporal.ts'
import type { TemporalClient } from '../runtime/temporal.ts'
import { createSealer } from '../store/sealer.ts'
import { openStore } from '../store/store.ts'
import type { Store } from '../store/store.ts'
import { createAccounts } from '../wechat/accounts.ts'
import { createDispatcher } from '../wechat/connection.ts'
import { createOpenids } from '../wechat/openid.ts'
import { createTrusts } from '../wechat/trust.ts'
import { logAttempt } from '../wechat/transport.ts'
import { createApp } from './app.ts'
import { pageContext } from './checkout/context.ts'
import { checkoutRouter } from './checkout/router.ts'
import { readiness } from './health.ts'
import type { ApiContext } from './http/context.ts'
import { createRateLimiter } from './http/ratelimit.ts'
import { createApiServer } from './http/server.ts'
import { intakeRouter } from './notify/intake.ts'
import { createCommands } from './temporal/commands.ts'
import { createQuestions } from './temporal/question.ts'

export interface RunningApi {
  /** where it listens, `http://127.0.0.1:7700` */
  url: string
  /** where `/metrics` and `/readyz` are; null: nowhere */
  metrics_url: string | null
  /**
   * Says on `/readyz` that it ends and takes requests for `drain_ms` more; then waits for requests under way, ends open
   * streams, and closes what it opened; the database last.
   */
  close(): Promise<void>
}

export interface ApiParts {
  config: Config
  log: Logger
  /** Unix ms; on a time-skipping server the server's clock */
  now?: () => number
  /** count Node's own numbers too: only where the process is the API's alone */
  process_metrics?: boolean
  /** gives up the port that was held for the API: called in the moment before it listens there */
  freePort?: () => Promise<void>
  /** told when the database, away at the start, shows that these settings must not serve: only closing is left to do */
  on_failure?: (error: unknown) => void
}

/**
 * Serves the API in this process until closed. Temporal and the database may be away: requests then say so. Throws
 * ConfigError for settings that can never work.
 */
export async function startApi(parts: ApiParts): Promise<RunningApi> {
  const { config, log, now = Date.now } = parts
  const store = await openStore({
    uri: config.mongodb_uri,
    database: config.database,
    sealer: createSealer({ keys: config.master_keys }),
  })
  const temporal = connectTemporal(config.temporal)
  const intake_temporal = connectForIntake(config.temporal)
  const dispatcher = createDispatcher()
  const drain = new AbortController()
  const closeClients = () => Promise.all([temporal.close(), intake_temporal.close(), dispatcher.close()])
  try {
    await Promise.all([watchFitness(parts, store, drain.signal), assertSearchAttributes(parts, temporal)])
    const metrics = createMetrics({ process_metrics: parts.process_metrics ?? false })
    const { queue_prefix } = config
    const context: ApiContext = {
      config,
      store,
      commands: createCommands({
        client: temporal,
        intake: intake_temporal,
        sealer: store.sealer,
        queue_prefix,
        shown: shownTo(config),
        log,
        metrics,
      }),
      questions: createQuestions(now),
      accounts: createAccounts({
        load: (mchid) => store.merchants.openSetup(mchid),
        note_key: (mchid, news) => store.merchants.noteKey(mchid, news, beijingTime(now())),
        live_mistakes: liveMistakes(config, 'api'),
        trusts: createTrusts(readAuthorities(config)),
        test_wechat_url: config.test_wechat_url,
        dispatcher,
        now,
        user_agent: `Weft/${release()}`,
        log: (attempt) => logAttempt(log, attempt),
        on_mistake: createSetupLog(log, now),
      }),
      limiter: createRateLimiter(now),
      log,
      metrics,
      draining: drain.signal,
      policy: scaledPolicy(default_policy, config.time_scale),
      now,
    }
    const openids = createOpenids({ dispatcher, test_wechat_url: config.test_wechat_url })
    const pages = checkoutRouter(pageContext(context, openids))
    const app = createApp(context, [intakeRouter(context), pages], release())
    const state = { is_draining: false }
    const readyz = () => readiness(context, state)
    const health = await serveHealthIfSet(config, metrics, readyz)
    await parts.freePort?.()
    const { url, server } = await listenForRequests(app, config, state)
    log.info('api ready', { port: new URL(url).port, host: config.host })
    return {
      url,
      metrics_url: health && urlOf(config.host, health.port),
      close: () =>
        close({ config, log, store, state, drain, server, closeClients, closeHealth: () => health?.close() }),
    }
  } catch (error) {
    await Promise.allSettled([closeClients(), store.close()])
    throw error
  }
}

/** Serves `app`; answers of a process that drains end their connection, so that the next request goes elsewhere. */
async function listenForRequests(
  app: Koa,
  config: Config,
  state: { is_draining: boolean },
): Promise<{ url: string; server: Server }> {
  const handle = app.callback()
  const server = createApiServer((request, response) => {
    if (state.is_draining) response.setHeader('Connection', 'close')
    void handle(request, response)
  })
  await startListening(server, config)
  const { port } = server.address() as AddressInfo
  return { url: urlOf(config.host, port), server }
}

function urlOf(host: string, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}

async function serveHealthIfSet(
  { host, metrics_port }: Config,
  metrics: Metrics,
  readyz: () => Promise<HealthState>,
): Promise<Awaited<ReturnType<typeof serveHealth>> | null> {
  if (metrics_port === null) return null
  return await serveHealth({ host, port: metrics_port, metrics, paths: { '/readyz': readyz } })
}

interface ApiEnd {
  config: Config
  log: Logger
  store: Store
  state: { is_draining: boolean }
  drain: AbortController
  server: Server
  closeClients: () => Promise<unknown>
  closeHealth: () => Promise<unknown> | undefined
}

/** Requests under way have 24 s, more than any of them takes: commands wait 8 s, the slowest page 15 s. */
async function close({ config, log, store, state, drain, server, closeClients, closeHealth }: ApiEnd): Promise<void> {
  state.is_draining = true
  await new Promise((resolve) => setTimeout(resolve, config.drain_ms))
  drain.abort()
  const steps = [
    { name: 'requests', limit_ms: 24_000, close: () => closeWhenIdle(server) },
    { name: 'late requests', limit_ms: 1_000, close: () => server.closeAllConnections() },
    { name: 'connections', limit_ms: 5_000, close: closeClients },
    { name: 'metrics', limit_ms: 1_000, close: closeHealth },
    { name: 'database', limit_ms: 5_000, close: () => store.close() },
  ]
  await closeInOrder(steps, log)
}

/**
 * Closes the server once its requests have ended (a command takes up to 8 s); idle connections are closed every 50 ms.
 */
async function closeWhenIdle(server: Server): Promise<void> {
  const idle_timer = setInterval(() => server.closeIdleConnections(), 50)
  await new Promise<void>((resolve) => server.close(() => resolve()))
  clearInterval(idle_timer)
}

async function startListening(server: Server, { host, port }: Config): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenMistake(error, host, 'WEFT_PORT', port)))
    server.listen(port, host, resolve)
  })
}

/** Looks at the settings and the master key once the database can be read. Throws ConfigError, StoreUnavailable. */
async function assertFit({ config, log, now = Date.now }: ApiParts, store: Store): Promise<void> {
  const merchants = await store.merchants.list()
  assertFitForLive({ config, role: 'api', merchants, openSealed: () => store.merchants.assertOpen(merchants) })
  const warning = authorityWarning(config, merchants, now())
  if (warning !== null) log.warn(warning)
}

/**
 * Looks at once where the database is there. Where it is away the API starts all the same, for it takes notifications
 * then; it looks again each second, and `on_failure` hears of settings that must not serve. Under scaled time it waits.
 */
async function watchFitness(parts: ApiParts, store: Store, ended: AbortSignal): Promise<void> {
  const { config, log, on_failure } = parts
  /** Answers why it could not look; null: it looked. */
  const attempt = async (): Promise<unknown> => {
    try {
      await assertFit(parts, store)
      return null
    } catch (error) {
      if (error instanceof ConfigError) throw error
      return error
    }
  }
  const again = async () => {
    while (!ended.aborted && (await attempt()) !== null)
      await new Promise((resolve) => setTimeout(resolve, 1_000).unref())
  }
  const error = await attempt()
  if (error === null) return
  log.warn('the database is not there yet; the settings are held against its merchants once it is', { error })
  if (config.time_scale !== 1) await again()
  else again().catch((error: unknown) => on_failure?.(error))
}

async function assertSearchAttributes({ config, log }: ApiParts, temporal: TemporalClient): Promise<void> {
  try {
    await verifySearchAttributes(temporal, 3_000)
  } catch (error) {
    if (error instanceof ConfigError) throw error
    log.warn('Temporal is not there yet; orders are taken once it is', { ...temporalSetting(config.temporal), error })
  }
}

/** The process `weft api`. */
async function main(): Promise<void> {
  const config = readConfig(process.env)
  const log = createLogger({ level: config.log_level, service: 'api' })
  const failed = new AbortController()
  const on_failure = (error: unknown) => {
    log.error('these settings must not serve', { error })
    failed.abort()
  }
  const start = () => startApi({ config, log, process_metrics: true, on_failure })
  // All steps of close, each at its limit; an orchestrator kills after 60 s at the earliest.
  const stepsOf = (api: RunningApi) => [{ name: 'api', limit_ms: config.drain_ms + 37_000, close: () => api.close() }]
  const steps = await startUntilSignal(start, stepsOf, log)
  endOnFailure(failed.signal, steps, log)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  main().catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    process.exit(1)
  })
}
