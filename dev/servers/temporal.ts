import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Connection } from '@temporalio/client'
import { ConfigError, plainTemporal } from '../../runtime/config.ts'
import type { TemporalConfig } from '../../runtime/config.ts'
import { connectTemporal } from '../../runtime/temporal.ts'
import { cachedPath, placeInCache } from './cache.ts'
import { logTail, startChild } from './child.ts'
import type { Child } from './child.ts'
import { downloadFromTemporal } from './download.ts'
import { goInstall } from './goprogram.ts'
import { anyPort, untilPortsFree } from './port.ts'
import type { HeldPort } from './port.ts'
import {
  fetchedHow,
  fromCache,
  fromEnvironment,
  fromPath,
  NotFoundHere,
  reasonOf,
  search,
  withProgress,
} from './search.ts'
import type { Progress, ServerOrigin } from './search.ts'

/** Later tags carry replace directives, which `go install` refuses. */
const version = '1.5.1'
const directory = `temporal-${version}`
const ready_within_ms = 60_000
const remedy = 'install the Temporal CLI (TEMPORAL_CLI_PATH names it) or Go, or set TEMPORAL_ADDRESS'

/**
 * One host plays cluster, tests and load at once: the limits that protect a shared cluster would only slow it down, and
 * one task-queue partition saves the forwarding between four (docs/architecture.md §13).
 */
const dynamic_config = {
  'frontend.rps': 100_000,
  'frontend.namespaceRPS': 100_000,
  'frontend.namespaceRPS.visibility': 10_000,
  'frontend.namespaceCount': 20_000,
  'history.rps': 100_000,
  'matching.rps': 100_000,
  'matching.numTaskqueueReadPartitions': 1,
  'matching.numTaskqueueWritePartitions': 1,
  'frontend.enableServerVersionCheck': false,
  // The command line program's own default reads them anew with every start; ours are there from the first moment on.
  'system.forceSearchAttributesCacheRefreshOnRead': false,
}

export type SearchAttributeType = 'Text' | 'Keyword' | 'Int' | 'Double' | 'Bool' | 'Datetime' | 'KeywordList'

export interface TemporalOptions {
  /** Where it keeps its SQLite file and log; null keeps everything in memory and loses it at the end. */
  data_dir: string | null
  /** those that are held stay so until the server listens there: its program may have to be fetched first */
  port?: HeldPort
  ui_port?: HeldPort
  /** Namespaces beside `default`. */
  namespaces?: string[]
  /** Registered in every namespace it starts with. */
  search_attributes: Record<string, SearchAttributeType>
  progress?: Progress
  /** Events after which it suggests that a run go on in a new one; its own default is some thousands. */
  renewed_after?: number
  /** A server that runs already (TEMPORAL_ADDRESS), and all that a connection to it needs: nothing is started. */
  configured?: TemporalConfig
}

export interface TemporalServer {
  /** `host:port` of its gRPC front end. */
  address: string
  /** null for a configured server, whose web UI is not known here */
  ui_url: string | null
  found: ServerOrigin
  /** The server's process; null for a configured one. */
  pid: number | null
  stop(): Promise<void>
  /** SIGKILL. */
  kill(): void
  /** SIGSTOP, or SIGCONT. */
  freeze(is_frozen: boolean): void
  /** Starts it again on the same ports over the same data, stopping it first where it runs. */
  restart(): Promise<void>
}

/** Takes the configured Temporal server, or finds or fetches one and starts it; it ends with this process. */
export async function startTemporal(options: TemporalOptions): Promise<TemporalServer> {
  if (options.configured !== undefined) return configuredServer(options.configured)
  return startServer(await findTemporal(options.progress), options)
}

/** The `temporal` command line program, found or fetched. */
export async function findTemporal(progress: Progress = () => undefined): Promise<{ where: string; how: string }> {
  const wanted = {
    name: 'Temporal',
    here: [
      fromEnvironment('TEMPORAL_CLI_PATH'),
      fromPath('temporal'),
      fromCache(() => cachedPath(directory, 'temporal')),
    ],
    fetches: [
      {
        how: fetchedHow.downloaded(),
        find: () => {
          const artifact = { name: 'cli', version: `v${version}`, program: 'temporal' } as const
          const line = 'Temporal: downloading, about 1 min, first start only'
          const fill = (into: string): Promise<void> => downloadFromTemporal(artifact, into, progress, line)
          return fetchProgram(fill)
        },
      },
      {
        how: fetchedHow.installed('Go registry'),
        find: () => {
          const module = `github.com/temporalio/cli/cmd/temporal@v${version}`
          const line = 'Temporal: building from the Go registry, about 3 min, first start only'
          return withProgress(progress, line, (tell) => fetchProgram((into) => goInstall(module, into, remedy, tell)))
        },
      },
    ],
  }
  return search(wanted, progress)
}

async function fetchProgram(fill: (into: string) => Promise<void>): Promise<string> {
  return join(await placeInCache(directory, fill), 'temporal')
}

/** Answers the configured server, asked as every role will ask it. Throws NotFoundHere where none answers there. */
async function configuredServer(config: TemporalConfig): Promise<TemporalServer> {
  const { address } = config
  const refuseConfigured = (): never => {
    throw new Error(`the Temporal server at ${address} is configured: it is not started or stopped from here`)
  }
  const version = await serverVersion(config).catch((error: unknown) => {
    if (error instanceof ConfigError) throw error
    throw new NotFoundHere(
      `the Temporal server at ${address}, which TEMPORAL_ADDRESS names, did not answer ${manner(config)}: ` +
        `${reasonOf(error)}; start it, correct TEMPORAL_ADDRESS or what goes with it (TEMPORAL_TLS, TEMPORAL_API_KEY and ` +
        'the like, docs/operate.md), or leave it out and one is brought along',
    )
  })
  const found = { how: 'configured', version }
  return {
    address,
    ui_url: null,
    found,
    pid: null,
    stop: async () => undefined,
    kill: refuseConfigured,
    freeze: refuseConfigured,
    restart: refuseConfigured,
  }
}

async function startServer(program: { where: string; how: string }, options: TemporalOptions): Promise<TemporalServer> {
  const held = [options.port ?? (await anyPort()), options.ui_port ?? (await anyPort())] as const
  const [port, ui_port] = [held[0].port, held[1].port]
  const { data_dir } = options
  const home = data_dir ?? mkdtempSync(join(tmpdir(), 'weft-temporal-'))
  const address = `127.0.0.1:${port}`
  const args = serverArgs({ ...options, port, ui_port })
  const files = { log: join(home, 'temporal.log'), pid_file: join(home, 'temporal.pid') }
  const start = async (): Promise<Child> => {
    await untilPortsFree([...held])
    const child = await startChild({ command: program.where, args, stop_signal: 'TERM', grace_s: 10, ...files })
    await untilReady(child, address, options.namespaces ?? [])
    return child
  }
  let child = await start()
  return {
    address,
    ui_url: `http://127.0.0.1:${ui_port}`,
    found: { how: program.how, version: await serverVersion(plainTemporal(address)) },
    get pid() {
      return child.pid
    },
    stop: async () => {
      await child.stop()
      if (data_dir === null) rmSync(home, { recursive: true, force: true })
    },
    kill: () => child.kill(),
    freeze: (is_frozen) => child.freeze(is_frozen),
    restart: async () => {
      await child.stop()
      child = await start()
    },
  }
}

function serverArgs(options: Omit<TemporalOptions, 'port' | 'ui_port'> & { port: number; ui_port: number }): string[] {
  const pairs = (flag: string, record: Record<string, string | number | boolean>): string[] =>
    Object.entries(record).flatMap(([key, value]) => [flag, `${key}=${value}`])
  return [
    ...['server', 'start-dev', '--ip', '127.0.0.1', '--log-level', 'error', '--log-format', 'json'],
    ...['--port', String(options.port), '--ui-port', String(options.ui_port)],
    ...(options.namespaces ?? []).flatMap((namespace) => ['--namespace', namespace]),
    ...(options.data_dir === null ? [] : ['--db-filename', join(options.data_dir, 'temporal.db')]),
    ...pairs('--sqlite-pragma', { journal_mode: 'WAL', synchronous: 'NORMAL' }),
    ...pairs('--search-attribute', options.search_attributes),
    ...pairs('--dynamic-config-value', dynamic_config),
    ...pairs('--dynamic-config-value', renewalConfig(options)),
  ]
}

function renewalConfig({ renewed_after }: Pick<TemporalOptions, 'renewed_after'>): Record<string, number> {
  return renewed_after === undefined ? {} : { 'limit.historyCount.suggestContinueAsNew': renewed_after }
}

/** Ready is when every namespace answers; a child that ended, or something else on its port, is not. */
async function untilReady(child: Child, address: string, namespaces: string[]): Promise<void> {
  const until = Date.now() + ready_within_ms
  let reason = ''
  while (Date.now() < until && child.isRunning()) {
    try {
      const connection = await Connection.connect({ address, connectTimeout: '2s' })
      try {
        for (const namespace of ['default', ...namespaces])
          await connection.workflowService.describeNamespace({ namespace })
        if (child.isRunning()) return
      } finally {
        await connection.close()
      }
    } catch (error) {
      reason = reasonOf(error)
    }
    await sleep(50)
  }
  const ended = !child.isRunning()
  child.kill()
  throw new Error(`Temporal ${ended ? 'ended at its start' : `did not answer (${reason})`}: ${logTail(child.log)}`)
}

/** How a connection speaks, in words for people. */
function manner({ tls, api_key }: TemporalConfig): string {
  return `${tls === null ? 'without TLS' : 'over TLS'}${api_key === null ? '' : ', asked with an API key'}`
}

/** Waits 10 s for an answer at most, as for a server that is just starting. */
async function serverVersion(config: TemporalConfig): Promise<string> {
  const temporal = connectTemporal(config)
  const { connection } = temporal
  try {
    await connection.ensureConnected().catch((error: unknown) => {
      throw (error as { cause?: unknown }).cause ?? error // which says whether it was the key
    })
    const info = await connection.workflowService.getSystemInfo({})
    return info.serverVersion ?? 'unknown'
  } finally {
    await temporal.close()
  }
}
