import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { demo_key_prefix } from '../runtime/fitness.ts'
import { identityOf, isRunning } from './servers/process.ts'
import type { ProcessIdentity } from './servers/process.ts'

/** A server whose starter was killed ends within its grace_s, 15 s at most, or its supervisor kills it. */
const ended_within_ms = 20_000

/** WeftFolder is where things lie under `.weft/`. */
export interface WeftFolder {
  path: string
  temporal: string
  database: string
  simulator: string
  shop: string
  logs: string
  merchant: string
  demo_env: string
}

/** StartError says in one line why a start cannot go on, with its remedy. */
export class StartError extends Error {
  override readonly name = 'StartError'
}

export function folderAt(path: string): WeftFolder {
  const at = (name: string) => join(path, name)
  return {
    path,
    temporal: at('temporal'),
    database: at('database'),
    simulator: at('simulator'),
    shop: at('shop'),
    logs: at('logs'),
    merchant: at('merchant.json'),
    demo_env: at('demo.env'),
  }
}

/**
 * Makes the folder this process's own; `fresh` empties it first. Throws StartError where another start runs over it.
 * Removes the `demo.env` of an earlier start, which could not remove it when it was killed.
 */
export async function claimFolder(folder: WeftFolder, { fresh }: { fresh: boolean }): Promise<void> {
  const owner_file = join(folder.path, 'start.json')
  const owner = readIdentity(owner_file)
  if (owner !== null && owner.pid !== process.pid && isRunning(owner)) {
    throw new StartError(`Weft runs already over ${folder.path} (process ${owner.pid}); end that one first`)
  }
  rmSync(folder.demo_env, { force: true })
  if (fresh && existsSync(folder.path)) await emptyFolder(folder)
  mkdirSync(folder.logs, { recursive: true, mode: 0o700 })
  writeFileSync(owner_file, JSON.stringify(identityOf(process.pid)))
}

/** Reads the JSON in the file, or makes and writes it once, readable by its owner only. */
export function readOrMake<T>(path: string, make: () => T): T {
  if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')) as T
  const made = make()
  writeAtomically(path, JSON.stringify(made, null, 2))
  return made
}

/** Returns the key that seals this folder's secrets, made once. */
export function masterKey(folder: WeftFolder): string {
  return readOrMake(join(folder.path, 'master-key.json'), () =>
    Buffer.concat([demo_key_prefix, randomBytes(32 - demo_key_prefix.length)]).toString('base64'),
  )
}

/** Writes the file beside its place and moves it over: a reader finds all of it or none. */
export function writeAtomically(path: string, text: string): void {
  const partial = `${path}.new`
  writeFileSync(partial, `${text}\n`, { mode: 0o600 })
  renameSync(partial, path)
}

/**
 * Empties the folder. Servers of a start that was killed may still be ending and need their files: they are waited for.
 */
async function emptyFolder(folder: WeftFolder): Promise<void> {
  const until = Date.now() + ended_within_ms
  while ([folder.temporal, folder.database].some(isInUse)) {
    if (Date.now() > until) throw new StartError(`servers still run over ${folder.path}; end them first`)
    await sleep(100)
  }
  const { clearDatabase } = await import('./servers/database.ts') // only here: most starts load no driver before they may
  clearDatabase(folder.database)
  rmSync(folder.path, { recursive: true, force: true })
}

function isInUse(directory: string): boolean {
  if (!existsSync(directory)) return false
  const pid_files = readdirSync(directory).filter((name) => name.endsWith('.pid'))
  return pid_files.some((name) => {
    const pids = readJson(join(directory, name)) as Partial<Record<string, ProcessIdentity>> | null
    return [pids?.supervisor, pids?.child].some((identity) => identity !== undefined && isRunning(identity))
  })
}

function readIdentity(path: string): ProcessIdentity | null {
  const read = readJson(path) as Partial<ProcessIdentity> | null
  return read?.pid === undefined || read.started === undefined ? null : { pid: read.pid, started: read.started }
}

/** Reads JSON; null where the file is missing, or torn by a power cut. */
function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return null
  }
}
