import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inCache, place } from './cache.ts'
import { downloadFromTemporal } from './official.ts'
import { mavenCopy } from './packages.ts'
import { cached, fetchedHow, namedBy, need, onPath, search, withProgress } from './search.ts'
import type { Found, Progress } from './search.ts'

const version = '1.32.0'
const directory = `time-skipping-${version}`
const program = 'temporal-test-server'
const remedy = 'install Maven and a Java runtime, or let TEMPORAL_TEST_SERVER_PATH name a temporal-test-server'

/** Where Temporal's time-skipping test server is: a program that takes the port as its argument. */
export interface TimeSkippingServer {
  /** For `TestWorkflowEnvironment.createTimeSkipping({ server: { executable: { type: 'existing-path', path } } })`. */
  path: string
  found: Found
}

/** Finds or fetches the time-skipping test server; the SDK's test environment starts and stops it. */
export async function findTimeSkippingServer(progress: Progress = () => undefined): Promise<TimeSkippingServer> {
  const wanted = {
    name: 'Time-skipping server',
    here: [namedBy('TEMPORAL_TEST_SERVER_PATH'), onPath(program), cached(() => inCache(directory, program))],
    fetches: [
      {
        how: fetchedHow.downloaded(),
        find: () => {
          const artifact = { name: 'temporal-test-server', version: 'default', program } as const
          const line = 'Time-skipping server: downloading, about 30 s, first start only'
          const fill = (into: string): Promise<void> => downloadFromTemporal(artifact, into, progress, line)
          return fetched(fill)
        },
      },
      {
        how: fetchedHow.installed('Maven registry'),
        find: () => {
          const line = 'Time-skipping server: fetching from the Maven registry, about 20 s, first start only'
          return withProgress(progress, line, () => fetched(fillFromMaven))
        },
      },
    ],
  }
  const { where, how } = await search(wanted, progress)
  return { path: where, found: { how, version } }
}

async function fetched(fill: (into: string) => Promise<void>): Promise<string> {
  return join(await place(directory, fill), program)
}

async function fillFromMaven(into: string): Promise<void> {
  const java = need('java', remedy)
  const pom = join(into, 'pom.xml')
  writeFileSync(pom, pomOf('io.temporal', 'temporal-test-server', version))
  await mavenCopy(pom, into, remedy)
  writeFileSync(join(into, program), wrapper(java))
  chmodSync(join(into, program), 0o755)
}

/**
 * The SDK starts this script and kills it at the end; `exec` makes the script's process the server itself. The SDK
 * cannot do that once its own process was killed, so a watch beside the server ends it when its starter is gone.
 */
function wrapper(java: string): string {
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
