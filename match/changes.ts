import { rm } from 'node:fs/promises'
import {
  assertChanges,
  comparedCells,
  lineAmount,
  lineKey,
  lineNumbers,
  most_listed_changes,
} from '../domain/bill/change.ts'
import type { ChangeSum, LineChange, LineChangeKind, VersionChanges, VersionLine } from '../domain/bill/change.ts'
import type { BillType } from '../domain/bill/row.ts'
import { makeFolder } from './folder.ts'
import { Partitions } from './partition.ts'

export interface ChangesOptions {
  /** where a folder for the partitions is made; it is gone after `finish` or `dispose` */
  folder: string
  /** lines of both files together, as far as that is known: more of them cost memory */
  expected: number
  most_listed?: number
  signal?: AbortSignal
}

type VersionSide = 'before' | 'after'
type Line = VersionLine<BillType>

const lines_per_partition = 20_000
/** open files at once */
const most_partitions = 256

/** Makes the folder. Whoever opens it finishes or disposes of it. */
export async function openChanges(options: ChangesOptions): Promise<VersionComparison> {
  options.signal?.throwIfAborted()
  return new VersionComparison(await makeFolder(options.folder), options)
}

/**
 * VersionComparison holds the lines of two versions of a bill against each other, in bounded memory. Both are written into
 * partitions by what names a line, and one partition after the other is compared. The same two files have the same
 * changes, in the order of their lines.
 */
export class VersionComparison {
  readonly #directory: string
  readonly #options: ChangesOptions
  readonly #partitions: Partitions
  readonly #most_listed: number
  readonly #sums: Record<VersionSide | LineChangeKind, ChangeSum> = {
    before: { count: 0, amount: 0 },
    after: { count: 0, amount: 0 },
    added: { count: 0, amount: 0 },
    removed: { count: 0, amount: 0 },
    changed: { count: 0, amount: 0 },
  }
  readonly #listed: LineChange[] = []

  constructor(directory: string, options: ChangesOptions) {
    const count = Math.min(Math.max(Math.ceil(options.expected / lines_per_partition), 1), most_partitions)
    this.#directory = directory
    this.#options = options
    this.#most_listed = options.most_listed ?? most_listed_changes
    this.#partitions = new Partitions(directory, { name: 'line', count, seed: 0 })
  }

  /** Takes a line of one of the versions. Wait for `drained` between pieces of a file: this one never waits. */
  add(side: VersionSide, line: Line): void {
    count(this.#sums[side], lineAmount(line))
    this.#partitions.add(lineKey(line), JSON.stringify([side, line]))
  }

  async drained(): Promise<void> {
    this.#options.signal?.throwIfAborted()
    await this.#partitions.drained()
  }

  /** Throws when the changes do not lead from one version to the other. The folder is gone afterwards. */
  async finish(): Promise<{ sums: VersionChanges; listed: LineChange[] }> {
    try {
      await this.#partitions.end()
      for (let index = 0; index < this.#partitions.count; index += 1) {
        this.#options.signal?.throwIfAborted()
        for (const group of (await this.#groups(index)).values()) this.#compare(group)
        await this.#partitions.remove(index)
      }
      this.#trim()
      const sums = { ...this.#sums, listed_count: this.#listed.length }
      assertChanges(sums)
      return { sums, listed: this.#listed }
    } finally {
      await this.dispose()
    }
  }

  /** Removes the folder with all that is in it. May be called twice. */
  async dispose(): Promise<void> {
    await this.#partitions.close()
    await rm(this.#directory, { recursive: true, force: true })
  }

  /** The lines of a partition by what names them. */
  async #groups(index: number): Promise<Map<string, Record<VersionSide, Line[]>>> {
    const groups = new Map<string, Record<VersionSide, Line[]>>()
    for await (const lines of this.#partitions.read(index)) {
      for (const text of lines) {
        const [side, line] = JSON.parse(text) as [VersionSide, Line]
        const key = lineKey(line)
        let group = groups.get(key)
        if (group === undefined) groups.set(key, (group = { before: [], after: [] }))
        group[side].push(line)
      }
    }
    return groups
  }

  /** Lines that say the same are the same line; of the others of one name the first is compared with the first. */
  #compare({ before, after }: Record<VersionSide, Line[]>): void {
    const same = new Map<string, number>()
    for (const line of before) same.set(contentOf(line), (same.get(contentOf(line)) ?? 0) + 1)
    const newer = after.filter((line) => !takeOne(same, contentOf(line)))
    const left = new Map([...same].filter(([, number]) => number > 0))
    // Of several that say the same, those that stand last are the ones without a counterpart.
    const older = before
      .toReversed()
      .filter((line) => takeOne(left, contentOf(line)))
      .toReversed()
    for (let at = 0; at < Math.max(older.length, newer.length); at += 1)
      this.#note(older[at] ?? null, newer[at] ?? null)
  }

  #note(before: Line | null, after: Line | null): void {
    const named = after ?? before
    if (named === null) return
    const kind: LineChangeKind = before === null ? 'added' : after === null ? 'removed' : 'changed'
    const amount = (after === null ? 0 : lineAmount(after)) - (before === null ? 0 : lineAmount(before))
    count(this.#sums[kind], amount)
    this.#listed.push({
      kind,
      line_before: before?.line ?? null,
      line_after: after?.line ?? null,
      numbers: lineNumbers(named),
      amount,
      fields: changedFields(before, after),
    })
    if (this.#listed.length >= 2 * this.#most_listed) this.#trim()
  }

  #trim(): void {
    this.#listed.sort((left, right) => placeOf(left) - placeOf(right) || sideOf(left) - sideOf(right))
    this.#listed.length = Math.min(this.#listed.length, this.#most_listed)
  }
}

function count(sum: ChangeSum, amount: number): void {
  sum.count += 1
  sum.amount += amount
}

function contentOf(line: Line): string {
  return JSON.stringify(comparedCells(line))
}

/** Takes one of this content, if there is any. */
function takeOne(counts: Map<string, number>, content: string): boolean {
  const number = counts.get(content) ?? 0
  if (number === 0) return false
  counts.set(content, number - 1)
  return true
}

/** Of a line that both have, what differs; of another one all that it says. */
function changedFields(before: Line | null, after: Line | null): LineChange['fields'] {
  const [older, newer] = [before, after].map((line) => new Map(line === null ? [] : comparedCells(line)))
  const columns = new Set([...(newer?.keys() ?? []), ...(older?.keys() ?? [])])
  return [...columns].flatMap((column) => {
    const [was, is] = [older?.get(column) ?? null, newer?.get(column) ?? null]
    return was === is ? [] : [{ column, before: was, after: is }]
  })
}

/** Where a change stands: in the newer file, or, of a line that is gone, in the older one. */
function placeOf({ line_before, line_after }: LineChange): number {
  return line_after ?? line_before ?? 0
}

/** What is gone stands before what is there now. */
function sideOf({ line_after }: LineChange): number {
  return line_after === null ? 0 : 1
}
