import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** What a test file needs of those that run it. */
export type Need = 'served' | 'mocking' | 'pure'

/**
 * Sorts the test files below `test/` of `root` by what they need. `served`: the file, or what it imports, asks for the
 * addresses that test/stage/servers.ts provides. `mocking`: it replaces modules by `vi.mock`, which files that share a
 * process would feel. `pure`: all others. Read from the files, because a list kept by hand would drift.
 */
export function filesByNeed(root: string): Record<Need, string[]> {
  const files: Record<Need, string[]> = { served: [], mocking: [], pure: [] }
  const asks = new Map<string, boolean>()
  for (const name of readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' }).sort()) {
    if (!name.endsWith('.test.ts')) continue
    const file = join(root, 'test', name)
    const mocks = /\bvi\.mock\(/.test(readFileSync(file, 'utf8'))
    files[mocks ? 'mocking' : asksForServers(file, asks) ? 'served' : 'pure'].push(`test/${name}`)
  }
  return files
}

function asksForServers(file: string, asks: Map<string, boolean>): boolean {
  const known = asks.get(file)
  if (known !== undefined) return known
  asks.set(file, false) // while it is being read: a circle asks for nothing by itself
  const text = readFileSync(file, 'utf8')
  const imported = [...text.matchAll(/^(?:import|export) (?!type\b)[^;]*?from '(\.[^']+)'/gms)]
    .map(([, path = '']) => join(dirname(file), path))
    .filter((path) => path.includes('/test/') && existsSync(path))
  const does_ask = /\binject\(/.test(text) || imported.some((path) => asksForServers(path, asks))
  asks.set(file, does_ask)
  return does_ask
}
