import { randomBytes } from 'node:crypto'
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { logTail, runToEnd } from './child.ts'
import type { Child } from './child.ts'

const bin = '/usr/lib/postgresql/18/bin'
/**
 * Where the clusters live inside the root. PostgreSQL, confined to the root, could not see them in the data directory.
 */
const clusters = '/var/lib/postgresql/weft'
const extension_within_ms = 60_000
const locked_within_ms = 20_000
/** A server that found its cluster locked has ended by then. */
const start_check_ms = 150
const kept_without_owner_ms = 24 * 3_600_000

/** One PostgreSQL cluster inside the root. */
interface Cluster {
  root: string
  /** Its path as seen inside the root. */
  data: string
}

/**
 * The cluster that belongs to a data directory: a marker there names it. Without the marker (a fresh or cleared data
 * directory) it is a new one; clusters that no marker names are deleted on this occasion.
 */
export function clusterIn(root: string, data_dir: string): Cluster {
  const marker = markerOf(data_dir)
  if (!existsSync(marker)) {
    mkdirSync(data_dir, { recursive: true })
    writeFileSync(marker, randomBytes(8).toString('hex'))
  }
  const name = readFileSync(marker, 'utf8')
  mkdirSync(join(root, clusters, name), { recursive: true })
  writeFileSync(join(root, clusters, name, 'owner'), resolve(data_dir))
  deleteUnownedClusters(root)
  return { root, data: join(clusters, name, 'data') }
}

/** Deletes the cluster that belongs to a data directory, whose servers must have been stopped. */
export function deleteCluster(root: string, data_dir: string): void {
  const marker = markerOf(data_dir)
  if (!existsSync(marker)) return
  const name = readFileSync(marker, 'utf8')
  if (/^[0-9a-f]{16}$/.test(name)) rmSync(join(root, clusters, name), { recursive: true, force: true })
  rmSync(marker)
}

/** Makes the cluster where it is not there yet, whole or not at all. */
export async function initialiseCluster(cluster: Cluster, log: string): Promise<void> {
  const { root, data } = cluster
  if (existsSync(join(root, data))) return
  const partial = `${data}.partial`
  rmSync(join(root, partial), { recursive: true, force: true })
  const { uid, gid } = postgresUser(root)
  const home = join(root, data, '..')
  chownSync(home, uid, gid)
  const options = ['-D', partial, '-U', 'weft', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8']
  await runToEnd('chroot', [...asPostgres(root), `${bin}/initdb`, ...options], { log })
  renameSync(join(root, partial), join(root, data))
}

/** The arguments with which `chroot` runs the cluster's server in the foreground on this port of 127.0.0.1. */
export function postgresArgs(cluster: Cluster, port: number): string[] {
  const settings = {
    shared_preload_libraries: 'pg_cron,pg_documentdb_core,pg_documentdb',
    'cron.database_name': 'postgres',
    'cron.host': '127.0.0.1',
    unix_socket_directories: '',
    listen_addresses: '127.0.0.1',
    dynamic_shared_memory_type: 'mmap', // of the kinds there are, the one that leaves nothing in the kernel after SIGKILL
    log_min_messages: 'fatal',
  }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  return [...asPostgres(cluster.root), `${bin}/postgres`, '-D', cluster.data, '-p', String(port), ...flags]
}

/**
 * Starts the server, again and again while it refuses because the one before it, killed a moment ago, still has
 * processes on their way out (postmaster.pid and the shared memory it names say so).
 */
export async function startWhenUnlocked(start: () => Promise<Child>): Promise<Child> {
  const until = Date.now() + locked_within_ms
  for (;;) {
    const server = await start()
    const ended = await Promise.race([server.ended.then(() => true), sleep(start_check_ms, false)])
    if (!ended) return server
    const locked = /already exists|still in use/.test(readFileSync(server.log, 'utf8'))
    if (!locked || Date.now() > until) throw new Error(`PostgreSQL ended at its start: ${logTail(server.log)}`)
    await sleep(100)
  }
}

/** Creates the DocumentDB extension where it is missing; while the server still recovers, it is asked again. */
export async function createDocumentDb(cluster: Cluster, port: number, server: Child): Promise<void> {
  const until = Date.now() + extension_within_ms
  const sql = 'create extension if not exists documentdb cascade'
  const where = ['-h', '127.0.0.1', '-p', String(port), '-U', 'weft', '-d', 'postgres']
  for (;;) {
    try {
      const psql = [...asPostgres(cluster.root), `${bin}/psql`, ...where, '-qc', sql]
      return await runToEnd('chroot', psql, { log: `${server.log}.psql` })
    } catch (error) {
      if (!server.isRunning()) throw new Error(`PostgreSQL ended: ${logTail(server.log)}`, { cause: error })
      if (Date.now() > until) {
        server.kill()
        throw error
      }
      await sleep(100)
    }
  }
}

function asPostgres(root: string): string[] {
  return ['--userspec=postgres:postgres', root]
}

function markerOf(data_dir: string): string {
  return join(data_dir, 'postgres.cluster')
}

function postgresUser(root: string): { uid: number; gid: number } {
  const line = /^postgres:[^:]*:(\d+):(\d+):/m.exec(readFileSync(join(root, 'etc/passwd'), 'utf8'))
  return { uid: Number(line?.[1]), gid: Number(line?.[2]) }
}

/** Deletes the clusters no data directory names any more. */
function deleteUnownedClusters(root: string): void {
  for (const name of readdirSync(join(root, clusters))) {
    const cluster = join(root, clusters, name)
    if (!isOwned(cluster, name)) rmSync(cluster, { recursive: true, force: true })
  }
}

/**
 * Whether a data directory still needs a cluster. When its own now names another, it does not; when that directory is
 * gone it may have been moved, or another process may be making the cluster right now, so it is kept for a day.
 */
function isOwned(cluster: string, name: string): boolean {
  try {
    return readFileSync(markerOf(readFileSync(join(cluster, 'owner'), 'utf8')), 'utf8') === name
  } catch {
    const last_used = statSync(cluster, { throwIfNoEntry: false })?.mtimeMs ?? 0
    return Date.now() - last_used < kept_without_owner_ms
  }
}
