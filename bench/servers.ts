import { cpus, loadavg, tmpdir } from 'node:os'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { clearDatabase, startDatabase, startTemporal } from '../dev/servers/servers.ts'
import { search_attributes } from '../domain/messages.ts'
import { rounded } from './figures.ts'
import { openInstallation } from './installation.ts'
import type { Installation } from './installation.ts'
import { compile } from './processes.ts'

export interface Servers {
  temporal_address: string
  mongodb_uri: string
  /** for logs; gone after `stop` */
  directory: string
  /** what they are, for the report */
  description: string
  stop(): Promise<void>
}

/** One Temporal on a file and one database, as `npm start` has them; or those that the environment names; and Weft compiled. */
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
    ...(address && { address }),
  })
  const database = await startDatabase({ data_dir, progress, ...(uri && { uri }) })
  return {
    temporal_address: temporal.address,
    mongodb_uri: database.uri,
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

export type Say = (line: string) => void

/** Opens an installation that ends with the bench. */
export type Open = (name: string, settings?: Record<string, string>) => Promise<Installation>

/** Starts the servers, says what they run on, and ends all that `work` opened, however it ends. */
export async function onServers(work: (open: Open, say: Say) => Promise<void>): Promise<void> {
  const begin = performance.now()
  const say = (line: string) => console.log(`[${Math.round((performance.now() - begin) / 1_000)} s] ${line}`)
  const load = loadavg().map((average) => rounded(average, 1))
  const servers = await startServers(say)
  say(`${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}, load before ${load.join(' ')}`)
  say(servers.description)
  const opened: Installation[] = []
  try {
    await work(async (name, settings) => {
      const installation = await openInstallation(name, servers, settings)
      opened.push(installation)
      return installation
    }, say)
  } finally {
    for (const installation of opened.reverse()) await installation.close()
    await servers.stop()
  }
}
