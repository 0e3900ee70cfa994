/** `npm start`: a whole Weft on this machine, with a WeChat Pay to play with and a shop (docs/architecture.md). */
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readConfig } from '../runtime/config.ts'
import type { Config } from '../runtime/config.ts'
import { asksForHelp } from '../runtime/help.ts'
import { createLogger } from '../runtime/logger.ts'
import type { Logger } from '../runtime/logger.ts'
import { StartedParts } from './end.ts'
import { claimFolder, folderAt, masterKey, StartError } from './folder.ts'
import type { WeftFolder } from './folder.ts'
import { watchParent } from './parent.ts'
import { reservePorts, wished_ports } from './ports.ts'
import { reasonOf } from './servers/search.ts'
import { runSettings } from './settings.ts'

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
    const ports = await reservePorts(wished_ports)
    const environment = { ...process.env, ...runSettings(process.env, { ports, master_key: () => masterKey(folder) }) }
    readConfig(environment) // a mistake is reported before anything is fetched or started
    printLine(
      'Starting Temporal, the database, WeChat Pay and Weft: about 15 s, longer where they must be fetched first',
    )
    const { startAll } = await import('./parts.ts') // only now: to load it takes longer than to refuse a start
    printLine(`\n${await startAll({ folder, ports, environment, running, log, progress: printLine })}`)
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
