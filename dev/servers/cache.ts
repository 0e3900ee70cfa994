import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { renameSync, rmdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { homedir, hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { identityOf, isRunning } from './process.ts'
import type { ProcessIdentity } from './process.ts'

const heartbeat_ms = 5_000
/** A lock whose owner cannot be looked up from here (another machine on the same disk) is stale after this silence. */
const silent_ms = 60_000
const unknown_start = 'unknown'

/** Where fetched servers live for all of a user's checkouts: `$XDG_CACHE_HOME/weft`, else `~/.cache/weft`. */
function cacheDirectory(): string {
  const base = process.env['XDG_CACHE_HOME']
  return join(base === undefined || base === '' ? join(homedir(), '.cache') : base, 'weft')
}

/** The cache as people write it, with `~` for the home directory. */
export function cacheName(): string {
  return cacheDirectory().replace(homedir(), '~')
}

/** A path in the cache, where it exists. */
export function cachedPath(...parts: string[]): string | null {
  const path = join(cacheDirectory(), ...parts)
  return existsSync(path) ? path : null
}

/**
 * The sums of what was downloaded, in `sums.json` of the cache. Whoever wants a changed file taken deletes its line
 * there. Written whole or not at all; a file that cannot be read is an error, or whoever damages it would be free.
 */
export const seen_sums = {
  read(): Record<string, string> {
    const path = cachedPath('sums.json')
    return path === null ? {} : (JSON.parse(readFileSync(path, 'utf8')) as Record<string, string>)
  },
  write(sums: Record<string, string>): void {
    const path = join(cacheDirectory(), 'sums.json')
    const partial = `${path}~${process.pid}-${randomBytes(4).toString('hex')}`
    mkdirSync(cacheDirectory(), { recursive: true })
    writeFileSync(partial, `${JSON.stringify(sums, null, 2)}\n`)
    renameSync(partial, path)
  },
}

/** A log of fetching in the cache. */
export function cacheLog(name: string): string {
  return join(cacheDirectory(), 'logs', `${name}.log`)
}

/**
 * Puts a directory into the cache under `name`, whole or not at all: `fill` works in a directory beside it, which is
 * renamed when it is complete. Whoever renames second keeps the first one's. Call it under the lock of that name.
 */
export async function placeInCache(name: string, fill: (directory: string) => Promise<void>): Promise<string> {
  const target = join(cacheDirectory(), name)
  const partials = join(cacheDirectory(), 'partial')
  removePartials(partials, name)
  const partial = join(partials, `${name}~${process.pid}-${randomBytes(4).toString('hex')}`)
  mkdirSync(partial, { recursive: true })
  try {
    await fill(partial)
    if (!existsSync(target)) renameSync(partial, target)
    return target
  } finally {
    removeTree(partial)
  }
}

/**
 * Runs `work` while no other process of this user runs work under the same name; says when it has to wait, and again
 * every half minute.
 */
export async function withLock<T>(name: string, onWait: () => void, work: () => Promise<T>): Promise<T> {
  const lock = join(cacheDirectory(), 'locks', `${name}.lock`)
  const release = await takeLock(lock, onWait)
  try {
    return await work()
  } finally {
    release()
  }
}

/**
 * A lock is a directory with one file in it, whose name says who holds it. It is by hand, and not proper-lockfile,
 * because that one knows an owner by its heartbeat alone: a start that was killed would hold up the next one, a busy
 * machine would lose the lock in the middle of its work, and two waiters can both take over a stale lock (its issue
 * 121).
 */
async function takeLock(lock: string, onWait: () => void): Promise<() => void> {
  mkdirSync(join(lock, '..'), { recursive: true })
  const me = ownerName(identityOf(process.pid) ?? { pid: process.pid, started: unknown_start })
  for (let tries = 0; !claimLock(lock, me) && !takeOver(lock, me); tries += 1) {
    if (tries % 100 === 0) onWait()
    await sleep(300)
  }
  const beat = setInterval(() => utimesSync(lock, new Date(), new Date()), heartbeat_ms)
  beat.unref()
  return () => {
    clearInterval(beat)
    rmSync(join(lock, me), { force: true })
    try {
      rmdirSync(lock)
    } catch {
      // another has claimed the empty directory in this moment
    }
  }
}

/**
 * Takes a lock that is free: the directory is filled first and then renamed into place, so it never lacks its owner.
 */
function claimLock(lock: string, me: string): boolean {
  const filled = `${lock}.${process.pid}-${randomBytes(4).toString('hex')}`
  mkdirSync(filled)
  writeFileSync(join(filled, me), '')
  try {
    renameSync(filled, lock) // fails where another's directory is there and not empty
    return true
  } catch {
    rmSync(filled, { recursive: true, force: true })
    return false
  }
}

/** Takes a stale lock: of several waiters only one can rename its owner's file, and never that of a newer owner. */
function takeOver(lock: string, me: string): boolean {
  try {
    const owner = readdirSync(lock)[0]
    if (owner === undefined || !isStale(lock, owner)) return false
    renameSync(join(lock, owner), join(lock, me))
    return true
  } catch {
    return false // released or taken over in this moment
  }
}

function ownerName({ pid, started }: ProcessIdentity): string {
  return [hostname(), pid, started].map(encodeURIComponent).join(',')
}

function isStale(lock: string, owner: string): boolean {
  const [host, pid, started = unknown_start] = owner.split(',').map(decodeURIComponent)
  if (host === hostname() && started !== unknown_start) return !isRunning({ pid: Number(pid), started })
  return Date.now() - statSync(lock).mtimeMs > silent_ms
}

/** What fetches that were killed half-way left behind. Only called by the holder of the lock. */
function removePartials(partials: string, name: string): void {
  if (!existsSync(partials)) return
  for (const left of readdirSync(partials)) {
    if (left.startsWith(`${name}~`)) removeTree(join(partials, left))
  }
}

/** Deletes a directory, but never what an interrupted debootstrap left mounted below it: that is unmounted first. */
function removeTree(directory: string): void {
  for (const mount of mountsBelow(directory)) execFileSync('umount', ['--lazy', mount])
  if (mountsBelow(directory).length === 0) rmSync(directory, { recursive: true, force: true })
}

/** The mount points below a directory, innermost first (proc(5), the fifth field of mountinfo). */
function mountsBelow(directory: string): string[] {
  if (!existsSync('/proc/self/mountinfo')) return []
  const points = readFileSync('/proc/self/mountinfo', 'utf8').split('\n')
  const below = points.map((line) => line.split(' ')[4] ?? '').filter((point) => point.startsWith(`${directory}/`))
  return below.reverse()
}
