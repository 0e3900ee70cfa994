import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { clearDatabase, startDatabase, startTemporal } from '../../dev/servers/servers.ts'
import type { DatabaseServer, TemporalServer } from '../../dev/servers/servers.ts'
import { search_attributes } from '../../domain/messages.ts'

/** Servers that only this suite uses, so that it may end them. */
export interface OwnServers {
  temporal: TemporalServer
  database: DatabaseServer
  /** what this suite may write into; `temporal_dir` of it is Temporal's */
  directory: string
  temporal_dir: string
  /** Ends them and deletes what they kept. */
  clear(): Promise<void>
}

/** Starts a Temporal and a database, both on files, so that what was durable is there after a restart. */
export async function startOwnServers(): Promise<OwnServers> {
  const directory = mkdtempSync(join(tmpdir(), 'weft-outage-'))
  const database_dir = join(directory, 'database')
  const temporal_dir = join(directory, 'temporal')
  const attributes = Object.fromEntries(Object.values(search_attributes).map(({ name }) => [name, 'Keyword' as const]))
  const [temporal, database] = await Promise.all([
    startTemporal({ data_dir: temporal_dir, search_attributes: attributes }),
    startDatabase({ data_dir: database_dir }),
  ])
  return {
    temporal,
    database,
    directory,
    temporal_dir,
    async clear() {
      await Promise.all([temporal.stop(), database.stop()])
      clearDatabase(database_dir)
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
