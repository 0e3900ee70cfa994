import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { cachedPath, cacheLog, placeInCache } from './cache.ts'
import { runToEnd, startChild } from './child.ts'
import type { Child } from './child.ts'
import { environmentWithAptProxy, findMirror } from './debian.ts'
import { goInstall } from './goprogram.ts'
import type { RunningDatabase } from './mongod.ts'
import { commandOrPackage } from './packages.ts'
import { anyPort, untilListening, untilPortsFree } from './port.ts'
import type { HeldPort } from './port.ts'
import { clusterIn, createDocumentDb, initialiseCluster, postgresArgs, startWhenUnlocked } from './postgres.ts'
import { NotFoundHere } from './search.ts'
import type { Progress, Tell } from './search.ts'

/** FerretDB speaks MongoDB's protocol over PostgreSQL with the DocumentDB extension. */
export interface FerretDb {
  ferretdb: string
  /** A small Debian with PostgreSQL and DocumentDB in it, of which each data directory has a root to enter with chroot. */
  root: string
}

export const ferretdb_version = '2.7.0'
const ferretdb_directory = `ferretdb-${ferretdb_version}`
const root_directory = 'postgresql-18-documentdb'
/** The Debian release that packages PostgreSQL 18 with DocumentDB. */
const suite = 'forky'
const remedy = 'install MongoDB (MONGOMS_SYSTEM_BINARY names its mongod) or set MONGODB_URI'

/** What an earlier fetch left in the cache; of use only to root, whom chroot takes. */
export function cachedFerretDb(): FerretDb | null {
  const ferretdb = cachedPath(ferretdb_directory, 'ferretdb')
  const root = cachedPath(root_directory)
  return ferretdb === null || root === null || !isRoot() ? null : { ferretdb, root }
}

/** Builds FerretDB from the Go registry and fetches its PostgreSQL from the Debian mirror, side by side. */
export async function installFerretDb(progress: Progress, tell: Tell): Promise<FerretDb> {
  if (!isRoot()) throw new NotFoundHere(`FerretDB's PostgreSQL is unpacked and entered as root: ${remedy}`)
  const doing = new Map<string, () => string>()
  tell(() => [...doing.values()].map((describe) => describe()).join('; '))
  const cachedOr = async (directory: string, fill: (into: string, tell: Tell) => Promise<void>): Promise<string> => {
    const here = cachedPath(directory)
    if (here !== null) return here
    const filled = placeInCache(directory, (into) => fill(into, (describe) => doing.set(directory, describe)))
    return filled.finally(() => doing.delete(directory))
  }
  const fetches: [Promise<string>, Promise<string>] = [
    cachedOr(ferretdb_directory, buildFerretDb),
    cachedOr(root_directory, (into, tellRoot) => debootstrap(into, progress, tellRoot)),
  ]
  await Promise.allSettled(fetches) // when one fails, the other is not left running behind the lock's back
  const [ferretdb, root] = await Promise.all(fetches)
  return { ferretdb: join(ferretdb, 'ferretdb'), root }
}

async function buildFerretDb(into: string, tell: Tell): Promise<void> {
  const module = `github.com/FerretDB/FerretDB/v2/cmd/ferretdb@v${ferretdb_version}`
  await goInstall(module, into, `install Go, or ${remedy}`, tell)
}

async function debootstrap(into: string, progress: Progress, tell: Tell): Promise<void> {
  tell(() => 'asking for Debian packages')
  const command = await commandOrPackage('debootstrap', remedy, progress)
  const env = await environmentWithAptProxy(process.env)
  const packages = '--include=postgresql-18,postgresql-18-documentdb'
  const mirror = await findMirror(suite, env)
  const script = '/usr/share/debootstrap/scripts/sid' // an older debootstrap has no script of this release's name
  const args = ['--variant=minbase', packages, suite, into, mirror, script]
  const log = cacheLog('debootstrap')
  tell(() => installingNow(readFileSync(log, 'utf8')))
  await runToEnd(command, args, { log, env })
  const archives = join(into, 'var/cache/apt/archives')
  for (const name of readdirSync(archives)) if (name.endsWith('.deb')) rmSync(join(archives, name))
}

/** Says in words which step debootstrap has begun, of which it writes a line each: `I: Unpacking libc6...`. */
function installingNow(output: string): string {
  const step = output.trimEnd().split('\n').at(-1) || 'beginning'
  return `installing PostgreSQL (${step.replace(/^I: |\.+$/g, '')})`
}

/** Starts PostgreSQL and FerretDB over the data that belongs to `data_dir`, FerretDB on this port of 127.0.0.1. */
export async function startFerretDb(programs: FerretDb, data_dir: string, held: HeldPort): Promise<RunningDatabase> {
  const { port } = held
  const state_dir = join(data_dir, 'ferretdb')
  mkdirSync(state_dir, { recursive: true })
  const postgres_held = await anyPort()
  const postgres_port = postgres_held.port
  const startPostgres = async (): Promise<Child> => {
    const cluster = await clusterIn(programs.root, data_dir)
    await initialiseCluster(cluster, join(data_dir, 'initdb.log'))
    await untilPortsFree([postgres_held])
    const files = { log: join(data_dir, 'postgres.log'), pid_file: join(data_dir, 'postgres.pid') }
    const args = postgresArgs(cluster, postgres_port)
    const child = await startWhenUnlocked(() =>
      startChild({ command: 'chroot', args, stop_signal: 'INT', grace_s: 15, ...files }),
    )
    await createDocumentDb(cluster, postgres_port, child)
    return child
  }
  const startFerret = async (): Promise<Child> => {
    await untilPortsFree([held])
    const files = { log: join(data_dir, 'ferretdb.log'), pid_file: join(data_dir, 'ferretdb.pid') }
    const args = ferretArgs(port, postgres_port, state_dir)
    const child = await startChild({ command: programs.ferretdb, args, stop_signal: 'TERM', grace_s: 5, ...files })
    await untilListening(child, port)
    return child
  }
  let postgres = await startPostgres()
  let ferret = await startFerret()
  const stop = async (): Promise<void> => {
    await ferret.stop() // the one that uses the other goes first
    await postgres.stop()
  }
  return {
    stop,
    kill: () => {
      ferret.kill()
      postgres.kill()
    },
    freeze: (is_frozen) => {
      ferret.freeze(is_frozen)
      postgres.freeze(is_frozen)
    },
    restart: async () => {
      await stop()
      postgres = await startPostgres()
      ferret = await startFerret()
    },
  }
}

function ferretArgs(port: number, postgres_port: number, state_dir: string): string[] {
  return [
    `--postgresql-url=postgres://weft@127.0.0.1:${postgres_port}/postgres?pool_max_conns=40`,
    `--listen-addr=127.0.0.1:${port}`,
    '--debug-addr=-',
    '--no-auth',
    '--telemetry=disable',
    '--log-level=WARN',
    `--state-dir=${state_dir}`,
  ]
}

function isRoot(): boolean {
  return process.getuid?.() === 0
}
