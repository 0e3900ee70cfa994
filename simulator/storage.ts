import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'

/** StateEntry is one write: the last entry of a kind and key is the record, and null means that it was forgotten. */
export interface StateEntry {
  kind: string
  key: string
  record: unknown
}

/**
 * StateStorage keeps the state. `append` returns when the operating system has it, so a killed simulator loses nothing.
 */
export interface StateStorage {
  append(entry: StateEntry): void
  close(): void
}

export const memoryStorage: StateStorage = { append: () => undefined, close: () => undefined }

/**
 * Opens `<directory>/book.jsonl`, made when missing (only its owner may read: it holds private keys), and returns its
 * newest entries. The file is rewritten with one line per record first, so it grows only while a simulator runs.
 */
export function openStorage(directory: string): { storage: StateStorage; entries: StateEntry[] } {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const path = join(directory, 'book.jsonl')
  const entries = existsSync(path) ? newestEntries(readFileSync(path, 'utf8')) : []
  writeFileSync(`${path}.new`, entries.map(lineOf).join(''), { mode: 0o600 })
  renameSync(`${path}.new`, path)
  const file = openSync(path, 'a', 0o600)
  const storage = {
    append: (entry: StateEntry) => void writeSync(file, lineOf(entry)),
    close: () => closeSync(file),
  }
  return { storage, entries }
}

function lineOf(entry: StateEntry): string {
  return `${JSON.stringify(entry)}\n`
}

/** A line without its end was cut off by a crash and never acknowledged. */
function newestEntries(text: string): StateEntry[] {
  const newest = new Map<string, StateEntry>()
  for (const line of text.slice(0, text.lastIndexOf('\n') + 1).split('\n')) {
    if (line === '') continue
    const entry = JSON.parse(line) as StateEntry
    newest.set(`${entry.kind} ${entry.key}`, entry)
  }
  return [...newest.values()].filter((entry) => entry.record !== null)
}
