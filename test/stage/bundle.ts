import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildBundle } from '../../worker/bundle.ts'

const repository = fileURLToPath(new URL('../..', import.meta.url))
const cache = join(repository, 'node_modules/.cache/weft')
/** All that webpack reads: the workflows' room may import nothing else, and the packages are those of the lock file. */
const sources = ['workflows', 'domain', 'worker/bundle.ts', 'tsconfig.json', 'package-lock.json']
const kept_ms = 7 * 24 * 60 * 60 * 1000

/**
 * Answers the workflow code as `buildBundle` makes it, and makes it only where its sources have changed: six files and the
 * servers want it in each run of the tests, and webpack takes seconds of processor time for it.
 */
export async function workflowCode(): Promise<{ code: string }> {
  const file = join(cache, `workflows-${digestOf(sources)}.js`)
  if (existsSync(file)) return { code: readFileSync(file, 'utf8') }
  const { code } = await buildBundle()
  mkdirSync(cache, { recursive: true })
  for (const old of readdirSync(cache).map((name) => join(cache, name)))
    if (Date.now() - statSync(old).mtimeMs > kept_ms) rmSync(old, { force: true })
  // Several processes may make it at once: each file is there whole or not at all.
  const partial = `${file}.${process.pid}`
  writeFileSync(partial, code)
  renameSync(partial, file)
  return { code }
}

function digestOf(paths: readonly string[]): string {
  const hash = createHash('sha256')
  for (const path of paths.flatMap(filesIn).sort())
    hash.update(`${path}\0`).update(readFileSync(join(repository, path)))
  return hash.digest('hex').slice(0, 32)
}

function filesIn(path: string): string[] {
  if (!statSync(join(repository, path)).isDirectory()) return [path]
  const names = readdirSync(join(repository, path), { recursive: true, encoding: 'utf8' })
  return names.filter((name) => name.endsWith('.ts')).map((name) => join(path, name))
}
