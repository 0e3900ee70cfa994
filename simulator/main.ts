import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pathToFileURL } from 'node:url'
import type { z } from 'zod'
import { createLogger, silentLogger } from '../runtime/logger.ts'
import type { Logger } from '../runtime/logger.ts'
import { closeOnSignal } from '../runtime/shutdown.ts'
import { createApp } from './app.ts'
import { BillOffice } from './bills/office.ts'
import { CallLog } from './calls.ts'
import { RefundCompletion } from './completion.ts'
import { MerchantConsole } from './console.ts'
import { Control } from './control.ts'
import { Faults } from './faults.ts'
import { Gateway } from './gateway.ts'
import { H5Page } from './h5.ts'
import { IdentityApi } from './identity.ts'
import { WeChatKeys } from './keys.ts'
import type { KeyMaker } from './keys.ts'
import { Notifier } from './notifier.ts'
import { WebAuthorization } from './oauth.ts'
import { Payer } from './payer.ts'
import { BasicPayments } from './payments.ts'
import { Phone } from './phone.ts'
import type { PhoneBrowser, StoryNotes } from './phone.ts'
import { seededRandom } from './random.ts'
import { DomesticRefunds } from './refunds.ts'
import { completeSettings, SettingsError, settingsFromEnvironment } from './settings.ts'
import type { settingsSchema, SimulatorSettings } from './settings.ts'
import { PaySheet } from './sheet.ts'
import { SimulatorState } from './state.ts'
import { memoryStorage, openStorage } from './storage.ts'

export interface Simulator {
  /** `http://host:port`, without a slash at the end */
  url: string
  settings: SimulatorSettings
  /** the control side without HTTP, for whoever shares the process */
  control: Control
  /** ends all refunds and delivers all notifications that are due by `now()`, for clocks that skip */
  runDue(): Promise<void>
  /** ends listening, cuts what is held open, and leaves unsent notifications in the state for the next start */
  close(): Promise<void>
}

/** What surrounds a simulator in its process. */
interface Surroundings {
  now?: () => number
  logger?: Logger
  /** what its phone says below the buttons of stories */
  notes?: StoryNotes
  /** opens links as a phone does */
  browser?: PhoneBrowser
  makeKeyPair?: KeyMaker
}

/** Builds the parts of one simulator over its state; nothing of them listens or waits yet. */
function buildParts(settings: SimulatorSettings, surroundings: Surroundings) {
  const { now = Date.now, logger = silentLogger, notes = {}, browser = null } = surroundings
  const random = seededRandom(settings.seed)
  const { storage, entries } =
    settings.data_dir === null ? { storage: memoryStorage, entries: [] } : openStorage(settings.data_dir)
  const state = new SimulatorState(storage, entries, settings)
  const keys = new WeChatKeys(state, random, now, surroundings.makeKeyPair)
  const faults = new Faults(random, now)
  const calls = new CallLog()
  const payments = new BasicPayments(state, settings, now)
  const notifier = new Notifier({ state, keys, faults, settings, random, now, logger })
  const payer = new Payer({ state, payments, notifier, settings, now })
  const sheet = new PaySheet({ state, keys, payer })
  const completion = new RefundCompletion({ state, notifier, faults, settings, now })
  const refunds = new DomesticRefunds({ state, completion, keys, settings, now })
  const bills = new BillOffice({ state, faults, settings, now })
  const served = { payments, refunds, payer, bills }
  const gateway = new Gateway({ state, keys, faults, ...served, calls, settings, random, now, logger })
  const console = new MerchantConsole({ state, refunds, completion, notifier, now })
  const oauth = new WebAuthorization(state, now)
  const identity = new IdentityApi(oauth, faults)
  const controlled = { state, keys, faults, notifier, payer, sheet, oauth, completion, console, bills, calls }
  const control = new Control({ ...controlled, settings, now })
  const phone = new Phone({ state, payer, notes, browser, now })
  const sites = { state, sheet, oauth, identity, h5: new H5Page({ state, payer, settings }) }
  const app = createApp({ gateway, control, phone, ...sites, logger, hold_ms: settings.hold_ms })
  return { state, notifier, completion, control, app, logger }
}

/**
 * Starts a WeChat Pay. Nothing is shared between two of them in one process, and nothing of the process is touched.
 * Throws SettingsError, and the operating system's error when the port is taken.
 */
export async function startSimulator(
  given: z.input<typeof settingsSchema> = {},
  surroundings: Surroundings = {},
): Promise<Simulator> {
  const settings = completeSettings(given)
  const { state, notifier, completion, control, app, logger } = buildParts(settings, surroundings)
  const handle = app.callback()
  const server = createServer((request, response) => void handle(request, response))
  server.keepAliveTimeout = 8_000 // as real answers say: `Keep-Alive: timeout=8`
  try {
    await listen(server, settings)
  } catch (error) {
    state.close()
    throw error
  }
  notifier.start()
  completion.start()
  const url = addressOf(server, settings.host)
  logger.info('simulator ready', { url, data_dir: settings.data_dir })
  return {
    url,
    settings,
    control,
    runDue: async () => {
      completion.runDue()
      await notifier.runDue()
    },
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      completion.stop()
      await notifier.stop()
      await closed
      state.close()
    },
  }
}

function listen(server: Server, { host, port }: SimulatorSettings): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function addressOf(server: Server, host: string): string {
  const { port } = server.address() as AddressInfo
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** Runs a simulator of its own process, set by `SIMULATOR_…`; keeps its state in `.weft/simulator` unless set. */
async function main(): Promise<void> {
  const log = createLogger({ level: 'info', service: 'simulator' })
  try {
    const settings = settingsFromEnvironment({ SIMULATOR_DATA_DIR: '.weft/simulator', ...process.env })
    const simulator = await startSimulator(settings, { logger: log })
    closeOnSignal([{ name: 'simulator', limit_ms: 5_000, close: () => simulator.close() }], log)
  } catch (error) {
    log.error(error instanceof SettingsError ? error.message : 'the simulator could not start', { error })
    process.exitCode = 1
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) await main()
