import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'

/** ProcessIdentity distinguishes a process from a later one that was given the same number. */
export interface ProcessIdentity {
  pid: number
  /** When it started, in whatever notation this system has; only ever compared for equality. */
  started: string
}

/**
 * Returns the process that runs under this number; null where none does, or only a zombie that waits to be collected.
 */
export function identityOf(pid: number): ProcessIdentity | null {
  const row = existsSync('/proc/self/stat') ? readProcStat(pid) : readPs(pid)
  return row === null ? null : { pid, started: row.started }
}

/** Whether that very process is still there. */
export function isRunning(identity: ProcessIdentity): boolean {
  return identityOf(identity.pid)?.started === identity.started
}

/** Ends everything below a process at once, as a power cut would: nothing is asked, nothing is tidied. */
export function killBelow(pid: number): void {
  for (const member of descendantsOf(pid)) killNow(member)
}

/** Stops a process and everything below it where they stand, its connections kept, or lets it go on. */
export function freeze(pid: number, is_frozen: boolean): void {
  for (const member of [pid, ...descendantsOf(pid)]) process.kill(member, is_frozen ? 'SIGSTOP' : 'SIGCONT')
}

/** SIGKILL to one process; that it is gone already is what was wanted. */
export function killNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

interface ProcessRow {
  parent: number
  started: string
}

function descendantsOf(root: number): number[] {
  const parents = existsSync('/proc/self/stat') ? parentsFromProc() : parentsFromPs()
  const found = [root]
  for (const above of found) {
    for (const [pid, parent] of parents) if (parent === above) found.push(pid)
  }
  return found.slice(1)
}

/**
 * proc(5): after the name in brackets come state, parent, …; the start time is the 22nd field, the 20th after the name.
 */
function readProcStat(pid: number): ProcessRow | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (fields[0] === 'Z' || fields[0] === 'X') return null
    return { parent: Number(fields[1]), started: fields[19] ?? '' }
  } catch {
    return null
  }
}

function readPs(pid: number): ProcessRow | null {
  try {
    const line = execFileSync('ps', ['-o', 'ppid=,stat=,lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim()
    const [parent, state, ...started] = line.split(/\s+/)
    return state === undefined || state.startsWith('Z') ? null : { parent: Number(parent), started: started.join(' ') }
  } catch {
    return null // ps answers with a failure where there is no such process
  }
}

function parentsFromProc(): Map<number, number> {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const row = readProcStat(Number(name))
    if (row !== null) parents.set(Number(name), row.parent)
  }
  return parents
}

function parentsFromPs(): Map<number, number> {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n')
  return new Map(lines.map((line) => line.trim().split(/\s+/).map(Number) as [number, number]))
}
