/** `npm start`: a whole Weft on this machine, with a WeChat Pay to play with and a shop (docs/architecture.md). */
import { spawn } from 'node:child_process'
import { createWriteStream, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Runtime } from '@temporalio/worker'
import { startApi } from '../api/main.ts'
import { search_attributes } from '../domain/messages.ts'
import { ConfigError, readConfig } from '../runtime/config.ts'
import type { Config } from '../runtime/config.ts'
import { asksForHelp } from '../runtime/help.ts'
import { createLogger, temporalLogger } from '../runtime/logger.ts'
import type { Logger } from '../runtime/logger.ts'
import { release } from '../runtime/release.ts'
import { closeInOrder } from '../runtime/shutdown.ts'
import type { ShutdownStep } from '../runtime/shutdown.ts'
import { connectTemporal, registerSearchAttributes } from '../runtime/temporal.ts'
import { startSimulator } from '../simulator/main.ts'
import type { Simulator } from '../simulator/main.ts'
import type { PhoneBrowser } from '../simulator/phone.ts'
import { settingsFromEnvironment } from '../simulator/settings.ts'
import { createSealer } from '../store/sealer.ts'
import { openStore } from '../store/store.ts'
import { startWorker } from '../worker/main.ts'
import { banner } from './banner.ts'
import type { ReadyPart } from './banner.ts'
import { introduceMerchant, makeMerchant } from './demo.ts'
import type { DemoMerchant } from './demo.ts'
import { claimFolder, folderAt, masterKey, readOrMake, StartError, writeAtomically } from './folder.ts'
import type { WeftFolder } from './folder.ts'
import { watchParent } from './parent.ts'
import { reservePorts } from './ports.ts'
import { PhoneWindows } from './phone.ts'
import { phoneNotes } from './proofs.ts'
import type { HeldPort } from './servers/port.ts'
import { reasonOf } from './servers/search.ts'
import { startDatabase, startTemporal } from './servers/servers.ts'
import type { DatabaseServer, TemporalServer } from './servers/servers.ts'
import { runSettings } from './settings.ts'
import { startShop } from './shop/shop.ts'

const demo_merchant = { mchid: '1900000001', name: '山月茶铺' }
const wished_ports = { api: 7700, simulator: 7701, shop: 7702, temporal_ui: 7703, temporal: 7233, database: 27017 }
type Ports = Record<keyof typeof wished_ports, HeldPort>

/** The order in which the parts end: first those that let new work in, last those that others still ask. */
const ending_order = ['demo.env', 'api', 'worker', 'shop', 'simulator', 'store', 'Temporal', 'database'] as const
type Part = (typeof ending_order)[number]

/** What a start has brought up so far, and how it ends. */
class StartedParts {
  readonly #steps = new Map<Part, ShutdownStep>()
  readonly #log: Logger
  #ending: Promise<boolean> | null = null

  constructor(log: Logger) {
    this.#log = log
  }

  add(name: Part, limit_ms: number, close: () => unknown): void {
    this.#steps.set(name, { name, limit_ms, close })
  }

  get isEnding(): boolean {
    return this.#ending !== null
  }

  /** Ends all of it, once; false when a part did not end as it should. */
  end(): Promise<boolean> {
    const steps = ending_order.flatMap((name) => this.#steps.get(name) ?? [])
    this.#ending ??= closeInOrder(steps, this.#log)
    return this.#ending
  }
}

interface StartContext {
  folder: WeftFolder
  ports: Ports
  environment: Record<string, string | undefined>
  running: StartedParts
  log: (service: string) => Logger
}

const printLine = (line: string): void => void process.stdout.write(`${line}\n`)

const usage = `npm start               Temporal, a database, a simulated WeChat Pay, Weft and a tea shop, all on this machine
npm start -- --fresh    the same from the beginning: what an earlier start kept under .weft/ is thrown away
Ports, addresses and settings of your own: docs/operate.md, Settings.`

async function main(): Promise<void> {
  const folder = folderAt(fileURLToPath(new URL('../.weft', import.meta.url)))
  if (asksForHelp(process.argv.slice(2))) return printLine(usage)
  const unknown = process.argv.slice(2).find((argument) => argument !== '--fresh')
  if (unknown !== undefined) throw new StartError(`${unknown} is not known here; npm start takes --fresh only`)
  await claimFolder(folder, { fresh: process.argv.includes('--fresh') })
  const log = openLogs(folder)
  const running = new StartedParts(log('start'))
  const end = endOnSignals(running)
  try {
    Runtime.install({ logger: temporalLogger(log('temporal')), shutdownSignals: [] })
    const ports = await reservePorts(wished_ports)
    const environment = { ...process.env, ...runSettings(process.env, { ports, master_key: () => masterKey(folder) }) }
    readConfig(environment) // a mistake is reported before anything is fetched or started
    printLine(
      'Starting Temporal, the database, WeChat Pay and Weft: about 15 s, longer where they must be fetched first',
    )
    printLine(`\n${await startAll({ folder, ports, environment, running, log })}`)
  } catch (error) {
    if (!running.isEnding) await end(error)
  }
}

/** npm passes on the Ctrl-C that the terminal has sent to all of us already. */
const same_key_within_ms = 1_000

/** Ctrl-C, a closed terminal, a killed npm and a failure all end in the same order; a second Ctrl-C ends at once. */
function endOnSignals(running: StartedParts): (error: unknown) => Promise<void> {
  let ending_since = Infinity
  const end = async (status: number, reason: string): Promise<void> => {
    if (performance.now() - ending_since > same_key_within_ms) process.exit(130)
    if (running.isEnding) return
    ending_since = performance.now()
    printLine(reason)
    const is_clean = await running.end()
    process.exit(status !== 0 || is_clean ? status : 1)
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => void end(0, '\nStopping everything; data stays in .weft/'))
  }
  watchParent(() => void end(0, 'npm has ended, so Weft ends too'))
  process.stdout.on('error', () => undefined) // the terminal may be gone before we are
  const fail = (error: unknown): Promise<void> => end(1, `Weft stops: ${failureLine(error)}`)
  process.on('uncaughtException', (error) => void fail(error))
  process.on('unhandledRejection', (error) => void fail(error))
  return fail
}

const errors_with_remedy = [
  'AddressUnusable',
  'ConfigError',
  'NotFoundHere',
  'PinBroken',
  'SettingsError',
  'MerchantFileError',
  'StartError',
]

function failureLine(error: unknown): string {
  const reason = reasonOf(error)
  const has_remedy = error instanceof Error && errors_with_remedy.includes(error.name)
  return has_remedy ? reason : `${reason}; see .weft/logs/, or begin again with npm start -- --fresh`
}

/** Brings everything up and answers the banner. */
async function startAll(surroundings: StartContext): Promise<string> {
  const { folder, ports, environment, running, log } = surroundings
  const [temporal, database, simulator] = await Promise.all([
    measureTime(() => openTemporal(surroundings)),
    measureTime(() => openDatabase(surroundings)),
    openSimulator(surroundings),
  ])
  const config = readConfig(environment)
  if (process.env.TEMPORAL_ADDRESS) await prepareNamespace(config)
  const merchant = readOrMake(folder.merchant, () => makeMerchant(demo_merchant))
  const shop_url = `http://127.0.0.1:${ports.shop.port}`
  const { webhook_secret } = await introduceDemo({
    config,
    merchant,
    simulator,
    endpoint_url: `${shop_url}/weft-events`,
  })

  const roles = await measureTime(async () => {
    const starting = Promise.all([startWorker({ config, log: log('worker') }), openApi(config, surroundings)])
    const [worker] = await starting
    running.add('worker', 45_000, () => worker.close())
  })
  await ports.shop.release()
  const weft_url = `http://127.0.0.1:${ports.api.port}`
  const options = { port: ports.shop.port, weft_url, weft_key: merchant.key, webhook_secret, data_dir: folder.shop }
  const shop = await startShop({
    sells_by: 'checkout',
    ...options,
    public_url: `http://localhost:${ports.shop.port}`,
  })
  running.add('shop', 3_000, () => shop.close())
  writeDemoEnv({ folder, running, ports, config, merchant, temporal: temporal.made })
  return banner({
    release: release(),
    temporal: readyPart(temporal),
    database: databasePart(database),
    roles_took_ms: roles.took_ms,
    urls: {
      shop: `http://localhost:${ports.shop.port}`,
      phone: `http://localhost:${ports.simulator.port}/phone`,
      temporal_ui: temporal.made.ui_url?.replace('127.0.0.1', 'localhost') ?? null,
      docs: `http://localhost:${ports.api.port}/docs`,
    },
  })
}

async function openTemporal({ folder, ports, environment, running }: StartContext): Promise<TemporalServer> {
  const attributes = Object.values(search_attributes).map(({ name }) => [name, 'Keyword'] as const)
  const configured = process.env.TEMPORAL_ADDRESS ? readConfig(environment).temporal : null
  if (configured) await Promise.all([ports.temporal.release(), ports.temporal_ui.release()])
  const temporal = await startTemporal({
    data_dir: folder.temporal,
    port: ports.temporal,
    ui_port: ports.temporal_ui,
    search_attributes: Object.fromEntries(attributes),
    progress: printLine,
    ...(configured && { configured }),
  })
  running.add('Temporal', 15_000, () => temporal.stop())
  return temporal
}

async function openDatabase({ folder, ports, running }: StartContext): Promise<DatabaseServer> {
  const uri = process.env.MONGODB_URI
  if (uri) await ports.database.release()
  const database = await startDatabase({
    data_dir: folder.database,
    port: ports.database,
    progress: printLine,
    ...(uri && { uri }),
  })
  running.add('database', 15_000, () => database.stop())
  return database
}

async function openSimulator({ folder, ports, environment, running, log }: StartContext): Promise<Simulator> {
  const scale = Number(environment.WEFT_TIME_SCALE ?? 1)
  // WeChat's minute between two refunds has to pass as quickly as Weft's own, which is a second longer.
  const pace = { SIMULATOR_TIME_SCALE: String(scale), SIMULATOR_REFUND_SPACING_MS: String(Math.floor(60_000 / scale)) }
  // The payers of the demo are on this machine, whose address WeChat would refuse.
  const local = { SIMULATOR_LOOPBACK_PAYER: 'allow' }
  const settings = settingsFromEnvironment({ ...pace, ...local, ...process.env })
  await ports.simulator.release()
  const here = { port: ports.simulator.port, data_dir: folder.simulator }
  const windows = new PhoneWindows({ simulator_url: `http://127.0.0.1:${ports.simulator.port}` })
  const browser: PhoneBrowser = async (link, kind) => void (await windows.open(link, kind))
  const simulator = await startSimulator(
    { ...settings, ...here },
    { logger: log('simulator'), notes: phoneNotes(), browser },
  )
  running.add('simulator', 5_000, () => Promise.all([windows.close(), simulator.close()]))
  return simulator
}

async function openApi(config: Config, { ports, running, log }: StartContext): Promise<void> {
  const api = await startApi({ config, log: log('api'), freePort: () => ports.api.release() })
  running.add('api', 20_000, () => api.close())
}

/** A server of somebody's own may not know Weft's search attributes yet, nor the namespace. */
async function prepareNamespace({ temporal: config }: Config): Promise<void> {
  const temporal = connectTemporal(config)
  const named = `the namespace ${config.namespace}, which TEMPORAL_NAMESPACE names`
  try {
    await registerSearchAttributes(temporal)
  } catch (error) {
    if (error instanceof ConfigError) throw error
    throw new StartError(`${named}, cannot be used at ${config.address}: ${reasonOf(error)}; create or correct it`)
  } finally {
    await temporal.close()
  }
}

interface DemoIntroduction {
  config: Config
  merchant: DemoMerchant
  simulator: Simulator
  endpoint_url: string
}

async function introduceDemo({ config, ...rest }: DemoIntroduction): Promise<{ webhook_secret: string }> {
  const sealer = createSealer({ keys: config.master_keys })
  const store = await openStore({ uri: config.mongodb_uri, database: config.database, sealer })
  return introduceMerchant({ store, config, ...rest }).finally(() => store.close())
}

interface DemoEnv {
  folder: WeftFolder
  running: StartedParts
  ports: Ports
  config: Config
  merchant: DemoMerchant
  temporal: TemporalServer
}

/** Written when all is ready, so that whoever waits for the file may begin; removed before anything ends. */
function writeDemoEnv({ folder, running, ports, config, merchant, temporal }: DemoEnv): void {
  const lines = {
    WEFT_URL: `http://localhost:${ports.api.port}`,
    WEFT_KEY: merchant.key,
    WEFT_MCHID: merchant.mchid,
    WEFT_SIMULATOR_URL: `http://localhost:${ports.simulator.port}`,
    WEFT_SHOP_URL: `http://localhost:${ports.shop.port}`,
    WEFT_TEMPORAL_ADDRESS: config.temporal.address,
    WEFT_TEMPORAL_UI_URL: temporal.ui_url ?? '',
    MONGODB_URI: config.mongodb_uri,
  }
  const text = Object.entries(lines).map(([name, value]) => `${name}=${value}`)
  const remover = startFileRemover(folder.demo_env)
  running.add('demo.env', 1_000, () => {
    rmSync(folder.demo_env, { force: true })
    remover.stdin.end()
  })
  writeAtomically(folder.demo_env, text.join('\n'))
}

/** A shell that outlives a SIGKILL of this process just long enough to take the file away. */
function startFileRemover(path: string) {
  const script = 'cat >/dev/null; rm -f "$1"'
  const remover = spawn('sh', ['-c', script, 'sh', path], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
  remover.on('error', () => undefined) // without it the next start takes the file away
  remover.stdin.on('error', () => undefined)
  remover.unref()
  return remover
}

interface TimedResult<T> {
  made: T
  took_ms: number
}

async function measureTime<T>(make: () => Promise<T>): Promise<TimedResult<T>> {
  const began = performance.now()
  const made = await make()
  return { made, took_ms: performance.now() - began }
}

function readyPart({ made: { found }, took_ms }: TimedResult<TemporalServer | DatabaseServer>): ReadyPart {
  return { version: found.version || '-', how: found.how, took_ms }
}

/** Where no mongod is to be had its stand-in runs, and says so. */
function databasePart(database: TimedResult<DatabaseServer>): ReadyPart {
  const part = readyPart(database)
  return database.made.kind === 'ferretdb' ? { ...part, how: `FerretDB on PostgreSQL, ${part.how}` } : part
}

/** One file per role under `.weft/logs/`, begun anew: the terminal is for the banner. */
function openLogs(folder: WeftFolder): (service: string) => Logger {
  return (service) => {
    const stream = createWriteStream(join(folder.logs, `${service}.log`), { mode: 0o600 })
    return createLogger({ level: readLevel(), service, stream })
  }
}

function readLevel(): Config['log_level'] {
  return process.env.WEFT_LOG_LEVEL === 'debug' ? 'debug' : 'info'
}

main().catch((error: unknown) => {
  process.stderr.write(`Weft does not start: ${failureLine(error)}\n`)
  process.exit(1)
})
