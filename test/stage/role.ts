import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { logTail, startChild } from '../../dev/servers/child.ts'
import { builtRoles } from './build.ts'
import type { Stage } from './stage.ts'
import { until } from './until.ts'

const ready = { api: 'api ready', worker: 'worker ready' }

/** A role of Weft as a process of its own, which ends with its stage, and with this process however this one ends. */
export interface Role {
  /** SIGKILL: nothing is asked, nothing is tidied. Resolves when it is gone. */
  kill(): Promise<void>
  /** SIGTERM: it ends by its own rules. Resolves when it is gone. */
  stop(): Promise<void>
  /** SIGSTOP: it keeps its connections and does nothing, until `thaw`. */
  freeze(): void
  thaw(): void
}

/** Starts the API or a worker of this stage as its own process and waits until it says that it is ready. */
export async function startRole(
  stage: Stage,
  name: keyof typeof ready,
  settings: Record<string, string> = {},
): Promise<Role> {
  const directory = mkdtempSync(join(tmpdir(), `weft-${name}-`))
  const child = await startChild({
    command: process.execPath,
    args: [join(builtRoles(), name, 'main.js')],
    env: { ...process.env, ...stage.environment, WEFT_LOG_LEVEL: 'info', ...settings },
    log: join(directory, 'log'),
    stop_signal: 'KILL',
    grace_s: 0,
  })
  const isGone = async () => {
    await child.ended
    rmSync(directory, { recursive: true, force: true })
  }
  const kill = async () => {
    child.kill()
    await isGone()
  }
  const signal = (name: NodeJS.Signals) => void (child.isRunning() && process.kill(child.pid, name))
  stage.endsWith(kill)
  try {
    const isReady = () => readFileSync(child.log, 'utf8').includes(ready[name])
    await until(`the ${name} is ready, or has ended`, () => !child.isRunning() || isReady())
    if (!child.isRunning()) throw new Error(logTail(child.log))
  } catch (error) {
    await kill()
    throw error
  }
  return {
    kill,
    stop: async () => {
      signal('SIGTERM')
      await isGone()
    },
    freeze: () => signal('SIGSTOP'),
    thaw: () => signal('SIGCONT'),
  }
}
