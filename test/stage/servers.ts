import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TestProject } from 'vitest/node'
import { startDatabase, startTemporal } from '../../dev/servers/servers.ts'
import { search_attributes } from '../../domain/messages.ts'
import { plainTemporal } from '../../runtime/config.ts'
import { workflowCode } from './bundle.ts'
import { filesByNeed } from './projects.ts'

const repository = fileURLToPath(new URL('../..', import.meta.url))

declare module 'vitest' {
  interface ProvidedContext {
    temporal_address: string
    mongodb_uri: string
    /** the file that holds the workflow code, for workers in the processes of tests */
    workflow_bundle: string
  }
}

/**
 * One Temporal, one database and one bundle of the workflow code for the whole run; each suite has a database and a
 * queue prefix of its own. Addresses of the environment are taken when given, which spares the start while working on
 * one test. Nothing is started for files that need no server.
 */
export async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const { pure, mocking } = filesByNeed(repository)
  const alone = new Set([...pure, ...mocking])
  const files = project.vitest.state.getPaths().map((path) => relative(repository, path))
  if (files.every((file) => alone.has(file))) return undefined
  const directory = mkdtempSync(join(tmpdir(), 'weft-test-'))
  const progress = (line: string) => process.stdout.write(`${line}\n`)
  const address = process.env.WEFT_TEST_TEMPORAL
  const uri = process.env.WEFT_TEST_MONGODB
  const attributes = Object.fromEntries(Object.values(search_attributes).map(({ name }) => [name, 'Keyword' as const]))
  const own_temporal = { data_dir: null, search_attributes: attributes, progress }
  const own_database = { data_dir: join(directory, 'database'), progress }
  const [temporal, database, { code }] = await Promise.all([
    startTemporal({ ...own_temporal, ...(address && { configured: plainTemporal(address) }) }),
    startDatabase({ ...own_database, ...(uri && { uri }) }),
    workflowCode(),
  ])
  const bundle = join(directory, 'workflows.bundle.js')
  writeFileSync(bundle, code)
  project.provide('temporal_address', temporal.address)
  project.provide('mongodb_uri', database.uri)
  project.provide('workflow_bundle', bundle)
  return async () => {
    if (!address) await temporal.stop()
    if (!uri) await database.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}
