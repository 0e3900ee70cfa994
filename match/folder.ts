import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'

/** A process that is gone may be another container's, of the same name: its folder is left once it is quiet as well. */
export const quiet_ms = 5 * 60_000
/** No comparison lasts so long: Temporal gives its attempt up before. What was last written to so long ago is nobody's. */
export const left_ms = 24 * 3_600_000

/** FolderOwner says whose a folder is: a process of a machine, and when that began, since numbers of processes return. */
export interface FolderOwner {
  host: string
  pid: number
  begun_ms: number
}

/** The process that asks. */
export function thisProcess(): FolderOwner {
  return { host: hostname().replace(/[^\w.]/g, '_'), pid: process.pid, begun_ms: Math.round(performance.timeOrigin) }
}

/** Makes a folder of this process in `root`. Whoever asked removes it; what a killed process left, `removeLeftFolders`. */
export async function makeFolder(root: string, { host, pid, begun_ms } = thisProcess()): Promise<string> {
  await mkdir(root, { recursive: true })
  return await mkdtemp(join(root, `match-${host}-${pid}-${begun_ms}-`))
}

export interface LeftFolders {
  now_ms: number
  self?: FolderOwner
  /** whether a process of this machine lives */
  isAlive?: (pid: number) => boolean
}

/**
 * Removes the folders in `root` that nobody works in, and answers how many: those of this machine whose process is gone,
 * and those of others, or of earlier versions, that nothing was written to for a day. One that cannot be looked at or
 * removed is left to the next time.
 */
export async function removeLeftFolders(root: string, left: LeftFolders): Promise<number> {
  const names = await readdir(root).catch(() => [])
  const removed = await Promise.all(
    names
      .filter((name) => name.startsWith('match-'))
      .map(async (name) => {
        try {
          if (!(await isLeft(join(root, name), name, left))) return 0
          await rm(join(root, name), { recursive: true, force: true })
          return 1
        } catch {
          return 0
        }
      }),
  )
  return removed.reduce<number>((sum, one) => sum + one, 0)
}

async function isLeft(
  path: string,
  name: string,
  { now_ms, self = thisProcess(), isAlive = isRunning }: LeftFolders,
): Promise<boolean> {
  const owner = ownerOf(name)
  if (isDeepStrictEqual(owner, self)) return false
  // The same number of another moment was a process before this one: of a container that was started again.
  const is_gone = owner?.host === self.host && (owner.pid === self.pid || !isAlive(owner.pid))
  return now_ms - (await lastWritten(path)) > (is_gone ? quiet_ms : left_ms)
}

function ownerOf(name: string): FolderOwner | null {
  const [, host, pid, begun_ms] = /^match-([\w.]+)-(\d+)-(\d+)-\w{6}$/.exec(name) ?? []
  return host === undefined ? null : { host, pid: Number(pid), begun_ms: Number(begun_ms) }
}

/** Unix ms of the last write to the folder or to what is in it. */
async function lastWritten(path: string): Promise<number> {
  const paths = [path, ...(await readdir(path)).map((name) => join(path, name))]
  const times = await Promise.all(paths.map(async (one) => (await stat(one)).mtimeMs))
  return Math.max(...times)
}

/** Signal 0 is not sent: it only tells whether it could be. Not allowed to means that somebody is there. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}
