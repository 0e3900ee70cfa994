import { spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { Runtime } from '@temporalio/worker'
import { startApi } from '../api/main.ts'
import { search_attributes } from '../domain/messages.ts'
import { ConfigError, readConfig } from '../runtime/config.ts'
import type { Config } from '../runtime/config.ts'
import { temporalLogger } from '../runtime/logger.ts'
import type { Logger } from '../runtime/logger.ts'
import { release } from '../runtime/release.ts'
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
import type { StartedParts } from './end.ts'
import { readOrMake, StartError, writeAtomically } from './folder.ts'
import type { WeftFolder } from './folder.ts'
import { PhoneWindows } from './phone.ts'
import type { StartPorts } from './ports.ts'
import { phoneNotes } from './proofs.ts'
import { reasonOf } from './servers/search.ts'
import type { Progress } from './servers/search.ts'
import { startDatabase, startTemporal } from './servers/servers.ts'
import type { DatabaseServer, TemporalServer } from './servers/servers.ts'
import { startShop } from './shop/shop.ts'

const demo_merchant = { mchid: '1900000001', name: '山月茶铺' }

export interface StartContext {
  folder: WeftFolder
  ports: StartPorts
  environment: Record<string, string | undefined>
  running: StartedParts
  log: (service: string) => Logger
  progress: Progress
}

/** Brings everything up and answers the banner. */
export async function startAll(surroundings: StartContext): Promise<string> {
  const { folder, ports, environment, running, log } = surroundings
  Runtime.install({ logger: temporalLogger(log('temporal')), shutdownSignals: [] })
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

async function openTemporal({ folder, ports, environment, running, progress }: StartContext): Promise<TemporalServer> {
  const attributes = Object.values(search_attributes).map(({ name }) => [name, 'Keyword'] as const)
  const configured = process.env.TEMPORAL_ADDRESS ? readConfig(environment).temporal : null
  if (configured) await Promise.all([ports.temporal.release(), ports.temporal_ui.release()])
  const temporal = await startTemporal({
    data_dir: folder.temporal,
    port: ports.temporal,
    ui_port: ports.temporal_ui,
    search_attributes: Object.fromEntries(attributes),
    progress,
    ...(configured && { configured }),
  })
  running.add('Temporal', 15_000, () => temporal.stop())
  return temporal
}

async function openDatabase({ folder, ports, running, progress }: StartContext): Promise<DatabaseServer> {
  const uri = process.env.MONGODB_URI
  if (uri) await ports.database.release()
  const database = await startDatabase({
    data_dir: folder.database,
    port: ports.database,
    progress,
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
  ports: StartPorts
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
