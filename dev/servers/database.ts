import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { openConnections } from '../../store/connection.ts'
import { cachedPath } from './cache.ts'
import { cachedFerretDb, ferretdb_version, installFerretDb, startFerretDb } from './ferretdb.ts'
import type { FerretDb } from './ferretdb.ts'
import { downloadMongod, startMongod } from './mongod.ts'
import { anyPort } from './port.ts'
import type { HeldPort } from './port.ts'
import { deleteCachedCluster } from './postgres.ts'
import {
  fetchedHow,
  fromCache,
  fromEnvironment,
  fromPath,
  NotFoundHere,
  reasonOf,
  search,
  versionOf,
  withProgress,
} from './search.ts'
import type { Progress, SearchWay, ServerOrigin } from './search.ts'

const answers_within_ms = 10_000

export interface DatabaseOptions {
  /** Where its data and logs are; one running database per directory. */
  data_dir: string
  /** one that is held stays so until the database listens there: its programs may have to be fetched first */
  port?: HeldPort
  progress?: Progress
  /** A database that runs already (MONGODB_URI): nothing is started. */
  uri?: string
}

export interface DatabaseServer {
  /** Names no database; put `/name` behind it. */
  uri: string
  /** FerretDB speaks MongoDB's protocol but has neither transactions nor change streams. */
  kind: 'mongodb' | 'ferretdb'
  found: ServerOrigin
  stop(): Promise<void>
  /** SIGKILL to everything of it. */
  kill(): void
  /** SIGSTOP to everything of it, or SIGCONT. */
  freeze(is_frozen: boolean): void
  /** Starts it again on the same port over the same data, stopping it first where it runs. */
  restart(): Promise<void>
}

/** The programs of a database: a `mongod`, or FerretDB with its PostgreSQL. */
type DatabasePrograms = { mongod: string } | FerretDb

/** Takes the configured database, or finds or fetches one and starts it; it ends with this process. */
export async function startDatabase(options: DatabaseOptions): Promise<DatabaseServer> {
  if (options.uri !== undefined) return configuredDatabase(options.uri)
  const { where, how } = await findDatabase(options.progress)
  const port = options.port ?? (await anyPort())
  const uri = `mongodb://127.0.0.1:${port.port}`
  if ('mongod' in where) {
    const version = await versionOf(where.mongod, ['--version'], /db version v(\S+)/)
    const running = await startMongod(where.mongod, options.data_dir, port)
    return { uri, kind: 'mongodb', found: { how, version }, ...running }
  }
  const running = await startFerretDb(where, options.data_dir, port)
  return { uri, kind: 'ferretdb', found: { how, version: ferretdb_version }, ...running }
}

/** Deletes all data of a database that was started over this directory and has been stopped. */
export function clearDatabase(data_dir: string): void {
  const ferretdb = cachedFerretDb()
  if (ferretdb !== null) deleteCachedCluster(ferretdb.root, data_dir)
  rmSync(data_dir, { recursive: true, force: true })
}

/** The programs of a database, found or fetched. */
export async function findDatabase(
  progress: Progress = () => undefined,
): Promise<{ where: DatabasePrograms; how: string }> {
  const wanted = {
    name: 'MongoDB',
    here: [
      mongodWay(fromEnvironment('MONGOMS_SYSTEM_BINARY')),
      mongodWay(fromPath('mongod')),
      mongodWay(fromCache(() => cachedPath('mongodb', 'mongod'))),
      fromCache<DatabasePrograms>(cachedFerretDb),
    ],
    fetches: [
      mongodWay({
        how: fetchedHow.downloaded(),
        find: () => downloadMongod(progress),
      }),
      {
        how: fetchedHow.installed('Go and Debian registries'),
        find: () => {
          const line = 'MongoDB: building FerretDB from the Go and Debian registries, about 2 min, first start only'
          return withProgress<DatabasePrograms>(progress, line, (tell) => installFerretDb(progress, tell))
        },
      },
    ],
  }
  return search(wanted, progress)
}

function mongodWay(way: SearchWay<string>): SearchWay<DatabasePrograms> {
  const find = async (): Promise<DatabasePrograms | null> => {
    const mongod = await way.find()
    return mongod === null ? null : { mongod }
  }
  return { how: way.how, find }
}

/** Answers the configured database. Throws NotFoundHere where nothing answers there. */
async function configuredDatabase(uri: string): Promise<DatabaseServer> {
  await assertAnswers(uri)
  const refuseConfigured = (): never => {
    throw new Error('the database is configured (MONGODB_URI): it is not started or stopped from here')
  }
  const found = { how: 'configured', version: '' }
  const refused = { kill: refuseConfigured, freeze: refuseConfigured, restart: refuseConfigured }
  return { uri, kind: 'mongodb', found, stop: async () => undefined, ...refused }
}

/** Waits for an answer as long as for Temporal's: a database that is busy, or just starting, is there all the same. */
async function assertAnswers(uri: string): Promise<void> {
  const connections = await openConnections({ uri })
  const until = Date.now() + answers_within_ms
  try {
    for (;;) {
      const failure = await connections.ping().catch((error: unknown) => error)
      if (failure === undefined) return
      if (Date.now() > until)
        throw new NotFoundHere(
          `${reasonOf(failure)}; start it, correct MONGODB_URI, or leave it out and one is brought along`,
        )
      await sleep(250)
    }
  } finally {
    await connections.close()
  }
}
