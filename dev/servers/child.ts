import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freeze, identityOf, isRunning, killBelow, killNow } from './process.ts'
import type { ProcessIdentity } from './process.ts'

const supervisor = fileURLToPath(new URL('supervisor.sh', import.meta.url))
/** How long the child of a process that has ended may take to follow it. */
const orphan_wait_ms = 20_000
/** How long a process that still runs may take over stopping its child. */
const owner_wait_ms = 5_000

interface ChildOptions {
  command: string
  args: string[]
  /** Where its output goes; the file begins anew with every start. */
  log: string
  /** What stops it kindly; after `grace_s` seconds, or at once with KILL, it and all it started are killed. */
  stop_signal: 'TERM' | 'INT' | 'KILL'
  grace_s: number
  /** Names the running child, so that a second start over the same data waits for, or refuses, the first. */
  pid_file?: string
  env?: NodeJS.ProcessEnv
  cwd?: string
}

/** A command that runs beside this process and ends with it, however this process ends. */
export interface Child {
  readonly pid: number
  readonly log: string
  /** Its exit status, once it has ended; 128 + n after signal n. */
  readonly ended: Promise<number>
  isRunning(): boolean
  /** Asks it to stop and waits until it and all it started are gone. */
  stop(): Promise<void>
  /** SIGKILL to it and all below it; `ended` says when it is gone. */
  kill(): void
  /** SIGSTOP to all that `kill` ends, or SIGCONT: it keeps its connections and does nothing meanwhile. */
  freeze(is_frozen: boolean): void
}

/**
 * Starts a command under the supervisor (supervisor.sh says how it ends with this process). Rejects where it cannot.
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  if (options.pid_file !== undefined) await untilPreviousIsGone(options.pid_file)
  mkdirSync(dirname(options.log), { recursive: true })
  writeFileSync(options.log, '')
  const shell = spawn(
    'sh',
    [supervisor, options.log, options.stop_signal, String(options.grace_s), options.command, ...options.args],
    { detached: true, stdio: ['pipe', 'pipe', 'ignore'], env: options.env ?? process.env, cwd: options.cwd },
  )
  const ended = new Promise<number>((resolve) => {
    shell.once('exit', (code) => resolve(code ?? 137))
  })
  const pid = await readAnnouncedPid(shell)
  const supervisor_pid = shell.pid ?? pid
  if (options.pid_file !== undefined) notePids(options.pid_file, { supervisor: supervisor_pid, child: pid })
  unrefChild(shell)
  const isChildRunning = (): boolean => shell.exitCode === null && shell.signalCode === null
  return {
    pid,
    log: options.log,
    ended,
    isRunning: isChildRunning,
    stop: async () => {
      shell.ref()
      shell.stdin?.end()
      await ended
      if (options.pid_file !== undefined) rmSync(options.pid_file, { force: true })
    },
    kill: () => {
      // The supervisor is left to collect its command, so that the dead one's number does not linger, and ends itself.
      if (isChildRunning()) killBelow(supervisor_pid)
    },
    freeze: (is_frozen) => freeze(pid, is_frozen),
  }
}

/** Runs a command to its end. Rejects with the last lines it said when it fails. It too ends with this process. */
export async function runToEnd(
  command: string,
  args: string[],
  options: { log: string; env?: NodeJS.ProcessEnv; cwd?: string },
): Promise<void> {
  const child = await startChild({ command, args, stop_signal: 'KILL', grace_s: 0, ...options })
  const stay = setInterval(() => undefined, 60_000) // children do not hold the process, a running command does
  const status = await child.ended.finally(() => clearInterval(stay))
  if (status !== 0) throw new Error(`${command} ${args[0] ?? ''} ended with ${status}: ${logTail(options.log)}`)
}

/** The end of a log on one line, for the message of a failure. */
export function logTail(log: string): string {
  const lines = readFileSync(log, 'utf8')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  return `${lines.slice(-3).join(' | ').slice(-600)} (${log})`
}

async function readAnnouncedPid(shell: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    shell.once('error', reject)
    shell.once('exit', () => reject(new Error('the supervisor ended before its command began')))
    shell.stdout?.once('data', (line: Buffer) => resolve(Number(line.toString('utf8').trim())))
  })
}

/** A forgotten child must not keep this process alive: when it ends, the pipe closes and the child ends too. */
function unrefChild(shell: ChildProcess): void {
  shell.unref()
  for (const stream of [shell.stdin, shell.stdout]) (stream as unknown as { unref(): void } | null)?.unref()
  shell.stdin?.on('error', () => undefined) // the child may be gone when the pipe is closed
}

/**
 * Waits until the child that an earlier start left in this pid file is gone. That one is usually on its way out because
 * its owner has just ended; one whose supervisor was killed is an orphan and is ended here.
 */
async function untilPreviousIsGone(pid_file: string): Promise<void> {
  const began = Date.now()
  for (;;) {
    const { owner, supervisor, child } = readPids(pid_file)
    const guarded = supervisor !== undefined && isRunning(supervisor)
    const alive = child !== undefined && isRunning(child)
    if (!guarded && !alive) return
    if (!guarded && child !== undefined) killNow(child.pid)
    const owned = owner !== undefined && isRunning(owner)
    if (Date.now() - began > (owned ? owner_wait_ms : orphan_wait_ms)) {
      throw new Error(`${dirname(pid_file)} is in use by process ${(owned ? owner : child)?.pid}; end that one first`)
    }
    await sleep(50)
  }
}

interface Pids {
  owner: ProcessIdentity
  supervisor: ProcessIdentity
  child: ProcessIdentity
}

function readPids(pid_file: string): Partial<Pids> {
  try {
    return JSON.parse(readFileSync(pid_file, 'utf8')) as Pids
  } catch {
    return {} // none, or one torn by a power cut: then nothing of it runs either
  }
}

function notePids(pid_file: string, pids: { supervisor: number; child: number }): void {
  const identity = (pid: number): ProcessIdentity => identityOf(pid) ?? { pid, started: 'ended' }
  const noted: Pids = {
    owner: identity(process.pid),
    supervisor: identity(pids.supervisor),
    child: identity(pids.child),
  }
  mkdirSync(dirname(pid_file), { recursive: true })
  writeFileSync(pid_file, JSON.stringify(noted))
}
