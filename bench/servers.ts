import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { clearDatabase, startDatabase, startTemporal } from '../dev/servers/servers.ts'
import type { DatabaseServer, TemporalServer } from '../dev/servers/servers.ts'
import { search_attributes } from '../domain/messages.ts'
import { plainTemporal } from '../runtime/config.ts'
import { compile } from './processes.ts'

export interface Servers {
  temporal_address: string
  mongodb_uri: string
  /** the servers themselves, for drills; those that the environment names refuse to be ended */
  temporal: Pick<TemporalServer, 'kill' | 'freeze' | 'restart'>
  database: Pick<DatabaseServer, 'kill' | 'freeze' | 'restart'>
  /** for logs; gone after `stop` */
  directory: string
  /** what they are, for the report */
  description: string
  stop(): Promise<void>
}

/**
 * One Temporal on a file and one database, as `npm start` has them; or those that the environment names; and Weft
 * compiled.
 */
export async function startServers(progress: (line: string) => void): Promise<Servers> {
  const directory = mkdtempSync(join(tmpdir(), 'weft-bench-'))
  const address = process.env.WEFT_TEST_TEMPORAL
  const uri = process.env.WEFT_TEST_MONGODB
  const attributes = Object.fromEntries(Object.values(search_attributes).map(({ name }) => [name, 'Keyword' as const]))
  const data_dir = join(directory, 'database')
  await compile(directory)
  const temporal = await startTemporal({
    data_dir: join(directory, 'temporal'),
    search_attributes: attributes,
    progress,
    ...(address && { configured: plainTemporal(address) }),
  })
  const database = await startDatabase({ data_dir, progress, ...(uri && { uri }) })
  return {
    temporal_address: temporal.address,
    mongodb_uri: database.uri,
    temporal,
    database,
    directory,
    description: `Temporal ${temporal.found.version} (${temporal.found.how}), ${database.kind} ${database.found.version} (${database.found.how})`,
    async stop() {
      await temporal.stop()
      await database.stop()
      if (!uri) clearDatabase(data_dir)
      rmSync(directory, { recursive: true, force: true })
    },
  }
}
