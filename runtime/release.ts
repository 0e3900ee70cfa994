import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The release of this program, from the nearest package.json above: the same from sources and from dist/. */
export function release(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const path = join(folder, 'package.json')
    if (existsSync(path)) return String((JSON.parse(readFileSync(path, 'utf8')) as { version: unknown }).version)
    if (folder === dirname(folder)) return 'unknown'
  }
}
