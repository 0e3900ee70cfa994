import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { logTail, runToEnd } from './child.ts'
import type { Child } from './child.ts'

const bin = '/usr/lib/postgresql/18/bin'
const postgres_home = '/var/lib/postgresql'
/** Where earlier versions kept the clusters of all data directories, inside the root in the cache. */
const cached_clusters = `${postgres_home}/weft`
/** What a server needs of the root in the cache, as it lies there; the rest is made empty. */
const linked_directories = ['bin', 'lib', 'lib64', 'sbin', 'etc', 'dev', 'usr']
const extension_within_ms = 60_000
const locked_within_ms = 20_000
/** A server that found its cluster locked has ended by then. */
const start_check_ms = 150

/** One PostgreSQL cluster inside a root of its own. */
interface Cluster {
  root: string
  /** Its path as seen inside the root. */
  data: string
}

/**
 * The cluster of a data directory, which lies in it: PostgreSQL, confined to a root, sees nothing else, so the root is
 * there too. Its programs are hard links to those of `programs`, the root in the cache, and take no room; on another disk
 * they are copies. A cluster that an earlier version kept in the cache is moved here.
 */
export async function clusterIn(programs: string, data_dir: string): Promise<Cluster> {
  const cluster = { root: resolve(data_dir, 'postgres'), data: join(postgres_home, 'data') }
  if (!existsSync(cluster.root)) await makeRoot(programs, cluster.root)
  await takeCachedCluster(programs, data_dir, cluster)
  return cluster
}

/** Makes the root whole or not at all. Whether hard links reach from the cache to here shows only when one is made. */
async function makeRoot(programs: string, root: string): Promise<void> {
  const partial = `${root}.partial`
  const fillWith = async (option: '-al' | '-a'): Promise<void> => {
    rmSync(partial, { recursive: true, force: true })
    for (const directory of [postgres_home, 'run', 'tmp']) mkdirSync(join(partial, directory), { recursive: true })
    chmodSync(join(partial, 'tmp'), 0o1777)
    const there = linked_directories.map((name) => join(programs, name))
    await runToEnd('cp', [option, ...there, partial], { log: `${root}.root.log` })
  }
  await fillWith('-al').catch(async () => await fillWith('-a'))
  renameSync(partial, root)
}

/** Moves what a data directory has in the cache; its server has been stopped. The old goes once the new is there whole. */
async function takeCachedCluster(programs: string, data_dir: string, { root, data }: Cluster): Promise<void> {
  const cached = cachedClusterOf(programs, data_dir)
  if (cached !== null && !existsSync(join(root, data))) {
    const partial = join(root, `${data}.partial`)
    rmSync(partial, { recursive: true, force: true })
    await runToEnd('cp', ['-a', join(cached, 'data'), partial], { log: `${root}.root.log` })
    renameSync(partial, join(root, data))
  }
  deleteCachedCluster(programs, data_dir)
}

/** Deletes what a data directory has in the cache from an earlier version; its server has been stopped. */
export function deleteCachedCluster(programs: string, data_dir: string): void {
  const cached = cachedClusterOf(programs, data_dir)
  if (cached !== null) rmSync(cached, { recursive: true })
  rmSync(markerOf(data_dir), { force: true })
}

/** Where an earlier version kept the cluster of a data directory, which a marker there names. Null: it has none there. */
function cachedClusterOf(programs: string, data_dir: string): string | null {
  const marker = markerOf(data_dir)
  const name = existsSync(marker) ? readFileSync(marker, 'utf8') : ''
  const cached = join(programs, cached_clusters, name)
  return /^[0-9a-f]{16}$/.test(name) && existsSync(cached) ? cached : null
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
