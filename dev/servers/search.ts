import { execFile } from 'node:child_process'
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { cacheName, withLock } from './cache.ts'

/** How a server was come by, in words for people, and its version. */
export interface ServerOrigin {
  how: string
  version: string
}

/** Shows one line of progress to whoever waits. */
export type Progress = (line: string) => void

/** Takes from a work how it describes, in a few words, what it is doing at the moment it is asked. */
export type Tell = (describe: () => string) => void

/** One way to come by something: `find` answers null where this way does not apply and throws where it fails. */
export interface SearchWay<Where> {
  how: string
  find(): Promise<Where | null>
}

export interface Search<Where> {
  /** What is looked for, in one word for people; also names the lock of its fetches. */
  name: string
  /** What is there already: the environment, the PATH, the cache. The first that answers is taken. */
  here: SearchWay<Where>[]
  /** How it is fetched into the cache, under a lock: the first that succeeds. */
  fetches: SearchWay<Where>[]
}

/** Something Weft needs is neither here nor to be fetched; the message says in one line what to do. */
export class NotFoundHere extends Error {
  override readonly name = 'NotFoundHere'
}

/**
 * The ordered search of docs/architecture.md §13: what is here already, then each fetch in turn. Two processes that
 * fetch at once do it once; the second finds it in the cache.
 */
export async function search<Where>(
  wanted: Search<Where>,
  progress: Progress = () => undefined,
): Promise<{ where: Where; how: string }> {
  const here = await firstFound(wanted.here)
  if (here !== null) return here
  const onWait = (): void => progress(`${wanted.name}: another process is fetching it, waiting for that one`)
  return withLock(wanted.name.toLowerCase().replaceAll(' ', '-'), onWait, async () => {
    const fetched_meanwhile = await firstFound(wanted.here)
    if (fetched_meanwhile !== null) return fetched_meanwhile
    let reason = 'there is no way to fetch it on this system'
    for (const [tried, way] of wanted.fetches.entries()) {
      try {
        const where = await way.find()
        if (where !== null) return { where, how: way.how }
      } catch (error) {
        reason = reasonOf(error)
        if (tried < wanted.fetches.length - 1) progress(`${wanted.name}: ${reason}`)
      }
    }
    throw new NotFoundHere(`${wanted.name}: ${reason}`)
  })
}

/** Words for what a fetch into the cache did. */
export const fetchedHow = {
  downloaded: () => `downloaded to ${cacheName()} (first start only)`,
  installed: (registries: string) => `installed from the ${registries} (first start only)`,
}

/** The file an environment variable names; a name that leads nowhere is a mistake to mend, not to pass over. */
export function fromEnvironment(variable: string): SearchWay<string> {
  return {
    how: `named by ${variable}`,
    find: async () => {
      const path = process.env[variable]
      if (path === undefined || path === '') return null
      if (!isExecutable(path)) throw new NotFoundHere(`${variable} names ${path}, which is not an executable file`)
      return path
    },
  }
}

/** The first of these commands the PATH has. */
export function fromPath(...commands: string[]): SearchWay<string> {
  return { how: 'found on PATH', find: async () => findCommand(...commands) }
}

/** What an earlier fetch left in the cache. */
export function fromCache<Where>(find: () => Where | null): SearchWay<Where> {
  return { how: 'in the cache', find: async () => find() }
}

/** The path of the first of these commands that the PATH has, or null. */
export function findCommand(...commands: string[]): string | null {
  const directories = (process.env['PATH'] ?? '').split(delimiter).filter((directory) => directory !== '')
  const candidates = commands.flatMap((command) => directories.map((directory) => join(directory, command)))
  return candidates.find(isExecutable) ?? null
}

/** Returns the path of a command that this step needs. Throws with the remedy where it is missing. */
export function requireCommand(command: string, remedy: string): string {
  const path = findCommand(command)
  if (path === null) throw new NotFoundHere(`${command} is missing: ${remedy}`)
  return path
}

/** What `command --version` says in the first group of the pattern, or 'unknown'. */
export async function versionOf(command: string, args: string[], pattern: RegExp): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(command, args, { timeout: 20_000 })
  return pattern.exec(stdout + stderr)?.[1] ?? 'unknown'
}

/**
 * Shows what begins, `Name: doing this, about 1 min`, and every ten seconds what is being done then and for how long.
 * Until the work gives a description of its own, that is the first words of the line.
 */
export async function withProgress<T>(
  progress: Progress,
  line: string,
  work: (tell: Tell) => Promise<T>,
  every_ms = 10_000,
): Promise<T> {
  const began = Date.now()
  const [name, beginning = ''] = (line.split(',')[0] ?? line).split(': ')
  let describe = (): string => beginning
  progress(line)
  const beat = setInterval(() => {
    progress(`${name}: ${describe()}, ${Math.round((Date.now() - began) / 1000)} s so far`)
  }, every_ms)
  return work((described) => (describe = described)).finally(() => clearInterval(beat))
}

/** The reason of a failure on one line. */
export function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return message.replaceAll(/\s*\n\s*/g, ' | ').trim()
}

async function firstFound<Where>(ways: SearchWay<Where>[]): Promise<{ where: Where; how: string } | null> {
  for (const way of ways) {
    const where = await way.find()
    if (where !== null) return { where, how: way.how }
  }
  return null
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
