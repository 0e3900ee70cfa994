import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { default_policy, scaledPolicy } from '../domain/policy.ts'
import { assertTimeScaleAllowed, ConfigError, readConfig } from '../runtime/config.ts'
import type { Config } from '../runtime/config.ts'
import { createLogger } from '../runtime/logger.ts'
import type { Logger } from '../runtime/logger.ts'
import { createMetrics } from '../runtime/metrics.ts'
import { createSetupLog } from '../runtime/mistake.ts'
import { release } from '../runtime/release.ts'
import { closeInOrder, closeOnSignal } from '../runtime/shutdown.ts'
import { connectForIntake, connectTemporal, verifySearchAttributes } from '../runtime/temporal.ts'
import type { TemporalClient } from '../runtime/temporal.ts'
import { createSealer } from '../store/sealer.ts'
import { openStore } from '../store/store.ts'
import type { Store } from '../store/store.ts'
import { createAccounts } from '../wechat/accounts.ts'
import { createDispatcher } from '../wechat/connection.ts'
import { createApp } from './app.ts'
import { checkoutRouter } from './checkout/router.ts'
import type { ApiContext } from './http/context.ts'
import { createRateLimiter } from './http/ratelimit.ts'
import { intakeRouter } from './notify/intake.ts'
import { createCommands } from './temporal/commands.ts'

export interface RunningApi {
  /** where it listens, `http://127.0.0.1:7700` */
  url: string
  /** Waits for requests under way, ends open streams, and closes what it opened; the database last. */
  close(): Promise<void>
}

export interface ApiParts {
  config: Config
  log: Logger
  /** Unix ms; on a time-skipping server the server's clock */
  now?: () => number
  /** count Node's own numbers too: only where the process is the API's alone */
  process_metrics?: boolean
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
    await Promise.all([assertTimeScale(config, store, log), assertSearchAttributes(temporal, log)])
    const metrics = createMetrics({ process_metrics: parts.process_metrics ?? false })
    const { queue_prefix } = config
    const context: ApiContext = {
      config,
      store,
      commands: createCommands({ client: temporal, intake: intake_temporal, queue_prefix, log, metrics }),
      accounts: createAccounts({
        load: (mchid) => store.merchants.openSetup(mchid),
        keep_certificates: (mchid, certificates) => store.merchants.setCertificates(mchid, certificates),
        test_wechat_url: config.test_wechat_url,
        dispatcher,
        now,
        user_agent: `Weft/${release()}`,
        on_mistake: createSetupLog(log, now),
      }),
      limiter: createRateLimiter(now),
      log,
      metrics,
      draining: drain.signal,
      policy: scaledPolicy(default_policy, config.time_scale),
      now,
    }
    const app = createApp(context, [intakeRouter(context), checkoutRouter(context)], release())
    const handle = app.callback()
    const server = await startListening(
      createServer((request, response) => void handle(request, response)),
      config,
    )
    const { port } = server.address() as AddressInfo
    log.info('api ready', { port, host: config.host })
    return {
      url: `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`,
      close: () => close(server, drain, closeClients, store, log),
    }
  } catch (error) {
    await Promise.allSettled([closeClients(), store.close()])
    throw error
  }
}

async function close(
  server: Server,
  drain: AbortController,
  closeClients: () => Promise<unknown>,
  store: Store,
  log: Logger,
): Promise<void> {
  drain.abort()
  const steps = [
    { name: 'requests', limit_ms: 12_000, close: () => closeWhenIdle(server) },
    { name: 'late requests', limit_ms: 1_000, close: () => server.closeAllConnections() },
    { name: 'connections', limit_ms: 5_000, close: closeClients },
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

async function startListening(server: Server, { host, port }: Config): Promise<Server> {
  server.requestTimeout = 30_000
  server.headersTimeout = 10_000
  // Longer than load balancers keep theirs, so that none sends a request into a connection that is just closing.
  server.keepAliveTimeout = 65_000
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenMistake(error, host, port)))
    server.listen(port, host, resolve)
  })
  return server
}

function listenMistake(error: NodeJS.ErrnoException, host: string, port: number): Error {
  if (error.code === 'EADDRINUSE')
    return new ConfigError(`WEFT_PORT ${port} is taken by another program; choose another`)
  if (error.code === 'EACCES')
    return new ConfigError(`WEFT_PORT ${port} may not be opened by this user; choose one above 1023`)
  if (error.code === 'EADDRNOTAVAIL')
    return new ConfigError(`WEFT_HOST ${host} is no address of this machine; use 0.0.0.0 or 127.0.0.1`)
  return error
}

/** Waits for the database only under scaled time, since that is refused where a live merchant exists. */
async function assertTimeScale(config: Config, store: Store, log: Logger): Promise<void> {
  if (config.time_scale === 1) return
  while (!(await store.isReachable())) {
    log.warn('the database is not there yet; scaled time has to wait for it')
    await new Promise((resolve) => setTimeout(resolve, 1_000))
  }
  assertTimeScaleAllowed(config, await store.merchants.list())
}

async function assertSearchAttributes(temporal: TemporalClient, log: Logger): Promise<void> {
  try {
    await verifySearchAttributes(temporal, 3_000)
  } catch (error) {
    if (error instanceof ConfigError) throw error
    log.warn('Temporal is not there yet; orders are taken once it is', { error })
  }
}

/** The process `weft api`. */
async function main(): Promise<void> {
  const config = readConfig(process.env)
  const log = createLogger({ level: config.log_level, service: 'api' })
  const api = await startApi({ config, log, process_metrics: true })
  closeOnSignal([{ name: 'api', limit_ms: 24_000, close: () => api.close() }], log)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  main().catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    process.exit(1)
  })
}
