import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cachedPath, placeInCache } from './cache.ts'
import { downloadFromTemporal } from './download.ts'
import { mavenCopy } from './packages.ts'
import { assertFiles, jar_sums } from './pins.ts'
import { fetchedHow, fromCache, fromEnvironment, fromPath, requireCommand, search, withProgress } from './search.ts'
import type { Progress, ServerOrigin } from './search.ts'

const version = '1.32.0'
const directory = `time-skipping-${version}`
const program = 'temporal-test-server'
const remedy = 'install Maven and a Java runtime, or let TEMPORAL_TEST_SERVER_PATH name a temporal-test-server'

/** Where Temporal's time-skipping test server is: a program that takes the port as its argument. */
export interface TimeSkippingServer {
  /** For `TestWorkflowEnvironment.createTimeSkipping({ server: { executable: { type: 'existing-path', path } } })`. */
  path: string
  found: ServerOrigin
}

/** Finds or fetches the time-skipping test server; the SDK's test environment starts and stops it. */
export async function findTimeSkippingServer(progress: Progress = () => undefined): Promise<TimeSkippingServer> {
  const wanted = {
    name: 'Time-skipping server',
    here: [
      fromEnvironment('TEMPORAL_TEST_SERVER_PATH'),
      fromPath(program),
      fromCache(() => cachedPath(directory, program)),
    ],
    fetches: [
      {
        how: fetchedHow.downloaded(),
        find: () => {
          const artifact = { name: 'temporal-test-server', version: `v${version}`, program } as const
          const line = 'Time-skipping server: downloading, about 30 s, first start only'
          const fill = (into: string): Promise<void> => downloadFromTemporal(artifact, into, progress, line)
          return fetchTestServer(fill)
        },
      },
      {
        how: fetchedHow.installed('Maven registry'),
        find: () => {
          const line = 'Time-skipping server: fetching from the Maven registry, about 20 s, first start only'
          return withProgress(progress, line, () => fetchTestServer(fetchFromMaven))
        },
      },
    ],
  }
  const { where, how } = await search(wanted, progress)
  return { path: where, found: { how, version } }
}

async function fetchTestServer(fill: (into: string) => Promise<void>): Promise<string> {
  return join(await placeInCache(directory, fill), program)
}

async function fetchFromMaven(into: string): Promise<void> {
  const java = requireCommand('java', remedy)
  const pom = join(into, 'pom.xml')
  writeFileSync(pom, pomOf('io.temporal', 'temporal-test-server', version))
  await mavenCopy(pom, into, remedy)
  assertFiles(join(into, 'lib'), jar_sums)
  writeFileSync(join(into, program), serverScript(java))
  chmodSync(join(into, program), 0o755)
}

/**
 * The SDK starts this script and kills it at the end; `exec` makes the script's process the server itself. The SDK
 * cannot do that once its own process was killed, so a watch beside the server ends it when its starter is gone.
 */
function serverScript(java: string): string {
  const watch = '(while kill -0 $PPID && kill -0 $$; do sleep 1; done; kill -9 $$) </dev/null >/dev/null 2>&1 &'
  const jvm = '-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto'
  const server = `exec '${java}' ${jvm} -cp "$(dirname "$0")/lib/*" io.temporal.testserver.TestServer "$@"`
  return `#!/bin/sh\n${watch}\n${server}\n`
}

function pomOf(group: string, artifact: string, of: string): string {
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>weft</groupId><artifactId>servers</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${of}</version></dependency>
  </dependencies>
</project>
`
}
