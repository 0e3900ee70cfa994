import { cpus, loadavg } from 'node:os'
import { roundTo } from './figures.ts'
import { openInstallation } from './installation.ts'
import type { Installation } from './installation.ts'
import { startServers } from './servers.ts'
import type { Servers } from './servers.ts'

export type PrintLine = (line: string) => void

/** Opens an installation that ends with the bench. */
export type OpenInstallation = (name: string, settings?: Record<string, string>) => Promise<Installation>

/** Starts the servers, says what they run on, and ends all that `work` opened, however it ends. */
export async function withServers(
  work: (open: OpenInstallation, say: PrintLine, servers: Servers) => Promise<void>,
): Promise<void> {
  const begin = performance.now()
  const say = (line: string) => console.log(`[${Math.round((performance.now() - begin) / 1_000)} s] ${line}`)
  const load = loadavg().map((average) => roundTo(average, 1))
  const servers = await startServers(say)
  say(`${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}, load before ${load.join(' ')}`)
  say(servers.description)
  const opened: Installation[] = []
  try {
    await work(
      async (name, settings) => {
        const installation = await openInstallation(name, servers, settings)
        opened.push(installation)
        return installation
      },
      say,
      servers,
    )
  } finally {
    for (const installation of opened.reverse()) await installation.close()
    await servers.stop()
  }
}
