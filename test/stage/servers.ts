import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { startDatabase, startTemporal } from '../../dev/servers/servers.ts'
import { search_attributes } from '../../domain/messages.ts'

declare module 'vitest' {
  interface ProvidedContext {
    temporal_address: string
    mongodb_uri: string
  }
}

/**
 * One Temporal and one database for the whole run; each suite has a database and a queue prefix of its own. Addresses
 * of the environment are taken when given, which spares the start while working on one test.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const directory = mkdtempSync(join(tmpdir(), 'weft-test-'))
  const progress = (line: string) => process.stdout.write(`${line}\n`)
  const address = process.env.WEFT_TEST_TEMPORAL
  const uri = process.env.WEFT_TEST_MONGODB
  const attributes = Object.fromEntries(Object.values(search_attributes).map(({ name }) => [name, 'Keyword' as const]))
  const [temporal, database] = await Promise.all([
    startTemporal({ data_dir: null, search_attributes: attributes, progress, ...(address && { address }) }),
    startDatabase({ data_dir: join(directory, 'database'), progress, ...(uri && { uri }) }),
  ])
  project.provide('temporal_address', temporal.address)
  project.provide('mongodb_uri', database.uri)
  return async () => {
    if (!address) await temporal.stop()
    if (!uri) await database.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}
