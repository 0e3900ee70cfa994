import { rm } from 'node:fs/promises'
import { setImmediate as turn } from 'node:timers/promises'
import { flawOf } from '../domain/bill/flaw.ts'
import type { DayFlaw } from '../domain/bill/flaw.ts'
import type { ClassCounts } from '../domain/bill/reconciliation.ts'
import type { DayPayment, DayRecord } from '../domain/bill/record.ts'
import type { TradeRow } from '../domain/bill/row.ts'
import { DifferenceList } from './difference.ts'
import type { MatchedDifference } from './difference.ts'
import { FeeTally } from './fee.ts'
import type { FeeAudit } from './fee.ts'
import { makeFolder } from './folder.ts'
import { ForeignTally } from './foreign.ts'
import type { ForeignGroup } from './foreign.ts'
import { idKey, numberKey } from './key.ts'
import { readLine, recordLine, rowLine } from './line.ts'
import { foreignTest, isNeverForeign, isPlacementAsked } from './owner.ts'
import type { ForeignTest, MatchSettings } from './owner.ts'
import { Partitions } from './partition.ts'
import { TallySheet } from './tally.ts'
import type { ClassTally } from './tally.ts'
import { classifyPayment, classifyRefund, classifyReversal, duplicate_verdict } from './verdict.ts'
import type { MatchKind, Verdict } from './verdict.ts'

export interface MatchOptions {
  /** where a folder for the partitions is made; it is gone after `finish` or `dispose` */
  folder: string
  /** rows and records together, as far as that is known: more of them cost time, not memory */
  expected: number
  settings: MatchSettings
  /** how many partitions there are; without it as many as `expected` asks for */
  partition_count?: number
  /** rows and records that may be in memory together; a partition with more is divided again before it is joined */
  most_lines?: number
  /** how many differences of each kind are listed; all are counted */
  most_of_a_kind?: number
  /** those of these numbers that an order of ours was ever made under; asked for rows that nothing else decides */
  findPlaced?: (out_trade_nos: readonly string[]) => Promise<Iterable<string>>
  signal?: AbortSignal
}

/** MatchResult is what two sides of a day are to each other: the same whatever order they came in. */
export interface MatchResult {
  rows: ClassCounts
  records: ClassCounts
  tallies: ClassTally[]
  /** by kind, then number; at most so many of each kind as were asked for */
  differences: MatchedDifference[]
  /** all of each kind, listed or not */
  counts: Partial<Record<MatchKind, number>>
  foreign: ForeignGroup[]
  fees: FeeAudit
  flaws: DayFlaw[]
}

const lines_per_partition = 20_000
/** open files at once */
const most_partitions = 256
const most_levels = 3
const nothing: never[] = []
/** Keys that are settled before others have their turn: orders are paid in the same process, and hardly wait a millisecond. */
const keys_at_once = 250
/** rows that are asked about in one call of `findPlaced` */
const placed_batch = 500

/** Makes the folder. Whoever opens a match finishes or disposes of it. */
export async function openMatch(options: MatchOptions): Promise<Match> {
  options.signal?.throwIfAborted()
  return new Match(await makeFolder(options.folder), options)
}

type KeyOf = (value: TradeRow | DayRecord) => string

/** The rows and records that share a key. */
interface KeyGroup {
  rows: TradeRow[]
  records: DayRecord[]
}

/**
 * Match joins the rows of a trade bill with the records of its day, both ways, in bounded memory. Both sides are written
 * into partitions by WeChat’s id and joined one partition after the other; what then stands on one side only is
 * partitioned once more by our number, since the same payment under another id is one disagreement and not two.
 */
export class Match {
  readonly #directory: string
  readonly #options: MatchOptions
  readonly #by_id: Partitions
  readonly #by_number: Partitions
  readonly #sheet = new TallySheet()
  readonly #foreign = new ForeignTally()
  readonly #fees: FeeTally
  readonly #list: DifferenceList
  readonly #undecided: TradeRow[] = []
  readonly #most_lines: number
  #row_count = 0
  #record_count = 0
  #malformed_count = 0
  #strange_count = 0
  #is_over = false

  constructor(directory: string, options: MatchOptions) {
    const { expected, partition_count, settings, most_of_a_kind = 10_000, most_lines = 100_000 } = options
    const wanted = partition_count ?? Math.ceil(expected / lines_per_partition)
    const count = Math.min(Math.max(wanted, 1), most_partitions)
    this.#directory = directory
    this.#options = options
    this.#most_lines = most_lines
    this.#by_id = new Partitions(directory, { name: 'id', count, seed: 0 })
    this.#by_number = new Partitions(directory, { name: 'number', count, seed: 0 })
    this.#fees = new FeeTally(settings.fee)
    this.#list = new DifferenceList(most_of_a_kind)
  }

  /** Takes a row. Wait for `drained` between pieces of a file: this one never waits. */
  addRow(row: TradeRow): void {
    this.#assertOpen()
    this.#row_count += 1
    if (row.mchid !== this.#options.settings.mchid) this.#strange_count += 1
    this.#by_id.add(idKey(row), rowLine(row))
  }

  /** Counts a line of the bill that cannot be read. */
  addMalformed(): void {
    this.#malformed_count += 1
  }

  addRecord(record: DayRecord): void {
    this.#assertOpen()
    this.#record_count += 1
    this.#by_id.add(idKey(record), recordLine(record))
  }

  /** Waits until the disk has taken so much that more may come. Throws when it cannot, or when the match was aborted. */
  async drained(): Promise<void> {
    this.#options.signal?.throwIfAborted()
    await this.#by_id.drained()
  }

  /**
   * Joins what has come. Throws when a row or record would be in no class or in two. The folder is gone afterwards,
   * however it ends.
   */
  async finish(): Promise<MatchResult> {
    this.#assertOpen()
    this.#is_over = true
    try {
      await this.#by_id.end()
      await this.#joinAll(this.#by_id, idKey, (group) => this.#settleById(group))
      await this.#by_number.end()
      await this.#joinAll(this.#by_number, numberKey, (group) => this.#settleByNumber(group))
      await this.#decide()
      return this.#result()
    } finally {
      await this.dispose()
    }
  }

  /** Removes the folder with all that is in it. May be called twice. */
  async dispose(): Promise<void> {
    this.#is_over = true
    await this.#by_id.close()
    await this.#by_number.close()
    await rm(this.#directory, { recursive: true, force: true })
  }

  #assertOpen(): void {
    if (this.#is_over) throw new TypeError('this match is over')
  }

  #result(): MatchResult {
    const { differences, counts, flaws } = this.#list.result()
    const rows = this.#sheet.totals('bill', this.#row_count + this.#malformed_count, this.#malformed_count)
    const records = this.#sheet.totals('ours', this.#record_count, 0)
    if (this.#strange_count > 0) {
      flaws.push(flawOf('strange_rows', { count: this.#strange_count, mchid: this.#options.settings.mchid }))
    }
    const [tallies, foreign, fees] = [this.#sheet.result(), this.#foreign.result(), this.#fees.result()]
    return { rows, records, tallies, differences, counts, foreign, fees, flaws }
  }

  /** Joins one partition after the other; `settle` sees each key once, with all that has it. */
  async #joinAll(partitions: Partitions, keyOf: KeyOf, settle: (group: KeyGroup) => void, level = 1): Promise<void> {
    for (let index = 0; index < partitions.count; index += 1) {
      const line_count = partitions.lineCount(index)
      if (line_count === 0) continue
      if (line_count > this.#most_lines) {
        if (level === most_levels) throw new RangeError(`${line_count} rows and records share one number`)
        const count = Math.min(Math.ceil((4 * line_count) / this.#most_lines), most_partitions)
        const name = `${partitions.name}-${index}`
        const parts = new Partitions(this.#directory, { name, count, seed: level })
        await this.#divide(partitions, index, parts, keyOf)
        await this.#joinAll(parts, keyOf, settle, level + 1)
      } else {
        await this.#settleAll(await this.#groups(partitions, index, keyOf), settle)
      }
      await partitions.remove(index)
    }
  }

  async #settleAll(groups: Map<string, KeyGroup>, settle: (group: KeyGroup) => void): Promise<void> {
    let settled = 0
    for (const group of groups.values()) {
      settle(group)
      settled += 1
      if (settled % keys_at_once === 0) await this.#breathe()
    }
    await this.#breathe()
  }

  async #divide(partitions: Partitions, index: number, parts: Partitions, keyOf: KeyOf): Promise<void> {
    try {
      for await (const lines of partitions.read(index)) {
        for (const line of lines) parts.add(keyOf(readLine(line).value), line)
        await parts.drained()
        await this.#breathe()
      }
      await parts.end()
    } finally {
      await parts.close()
    }
  }

  async #groups(partitions: Partitions, index: number, keyOf: KeyOf): Promise<Map<string, KeyGroup>> {
    const groups = new Map<string, KeyGroup>()
    for await (const lines of partitions.read(index)) {
      for (const line of lines) {
        const { side, value } = readLine(line)
        const key = keyOf(value)
        let group = groups.get(key)
        if (group === undefined) groups.set(key, (group = { rows: nothing, records: nothing }))
        if (side === 'bill') group.rows = withOne(group.rows, value)
        else group.records = withOne(group.records, value)
      }
      await this.#breathe()
    }
    return groups
  }

  /** What the join has held back goes on; others have their turn; an aborted match ends. */
  async #breathe(): Promise<void> {
    this.#options.signal?.throwIfAborted()
    await turn()
    await this.#by_number.drained()
    if (this.#undecided.length >= placed_batch) await this.#decide()
  }

  /** One row and one record of an id belong together; what is there once more is a duplicate. */
  #settleById(group: KeyGroup): void {
    const { rows, records } = group
    const [only_row, only_record] = [rows[0], records[0]]
    // Nearly all that there is, of millions.
    if (rows.length === 1 && records.length === 1 && only_row && only_record && only_row.kind === only_record.kind)
      return this.#settle(only_row, only_record, verdictOf(only_row, only_record))
    this.#settleOdd(group)
  }

  #settleOdd({ rows, records }: KeyGroup): void {
    const [record = null, ...more_records] = sortedRecords(records)
    for (const duplicate of more_records) this.#settle(null, duplicate, duplicate_verdict)
    const reversals = sortedRows(rows.filter(({ kind }) => kind === 'reversal'))
    const [row = null, ...more_rows] = sortedRows(rows.filter(({ kind }) => kind !== 'reversal'))
    for (const duplicate of more_rows) this.#settle(duplicate, null, duplicate_verdict, record)
    const [reversal = null, ...more_reversals] = reversals
    for (const duplicate of more_reversals) this.#settle(duplicate, null, duplicate_verdict, record)
    if (row !== null && record !== null) this.#settle(row, record, verdictOf(row, record))
    else if (row !== null) this.#by_number.add(numberKey(row), rowLine(row))
    if (reversal !== null && record !== null) {
      const verdict = classifyReversal(reversal, record as DayPayment, isNeverForeign)
      // A record beside its own row has its class already.
      if (row === null) this.#settle(reversal, record, verdict)
      else this.#settle(reversal, null, verdict, record)
    } else if (reversal !== null) {
      this.#by_number.add(numberKey(reversal), rowLine(reversal))
    } else if (row === null && record !== null) {
      this.#by_number.add(numberKey(record), recordLine(record))
    }
  }

  /** Of what stood on one side only, a row and a record of one number are one disagreement. */
  #settleByNumber({ rows, records }: KeyGroup): void {
    const [their_rows, our_records] = [sortedRows(rows), sortedRecords(records)]
    for (const [index, row] of their_rows.entries()) {
      const record = our_records[index]
      if (record !== undefined) this.#settle(row, record, verdictOf(row, record))
      else this.#undecided.push(row)
    }
    for (const record of our_records.slice(their_rows.length)) this.#settle(null, record, verdictOf(null, record))
  }

  /** Decides which of the rows without a record are another system's. */
  async #decide(): Promise<void> {
    const { findPlaced, settings } = this.#options
    for (let rows = this.#undecided.splice(0, placed_batch); rows.length > 0;) {
      const asked = findPlaced === undefined ? [] : rows.filter((row) => isPlacementAsked(row, settings))
      const numbers = [...new Set(asked.map(({ out_trade_no }) => out_trade_no))]
      const placed = numbers.length === 0 ? [] : await findPlaced?.(numbers)
      const isForeign = foreignTest(settings, new Set(placed), findPlaced !== undefined)
      for (const row of rows) this.#settle(row, null, verdictOf(row, null, isForeign))
      rows = this.#undecided.splice(0, placed_batch)
    }
  }

  /** Gives a row, a record or both their one class. `beside`: a record that has its own and is shown with the row. */
  #settle(row: TradeRow | null, record: DayRecord | null, verdict: Verdict, beside: DayRecord | null = null): void {
    if (row !== null) {
      this.#sheet.addRow(row, verdict)
      if (verdict.class === 'foreign') this.#foreign.add(row)
      else if (verdict.kind !== 'duplicate') this.#fees.add(row)
    }
    if (record !== null) this.#sheet.addRecord(record, verdict)
    this.#list.add(row, record ?? beside, verdict)
  }
}

function verdictOf(row: TradeRow | null, record: DayRecord | null, isForeign: ForeignTest = isNeverForeign): Verdict {
  if (row?.kind === 'reversal') return classifyReversal(row, record as DayPayment | null, isForeign)
  const kind = row?.kind ?? record?.kind
  if (record !== null && record.kind !== kind) throw new TypeError(`a ${kind} is compared with a ${record.kind}`)
  if (kind === 'refund') return classifyRefund(row, record as Parameters<typeof classifyRefund>[1], isForeign)
  return classifyPayment(row, record as DayPayment | null, isForeign)
}

/** A list of exactly one costs less memory than an empty one that grows, and most groups have one of each side. */
function withOne<T>(list: T[], value: T): T[] {
  if (list.length === 0) return [value]
  list.push(value)
  return list
}

function sortedRows(rows: TradeRow[]): TradeRow[] {
  return rows.length < 2 ? rows : rows.toSorted((left, right) => left.line - right.line)
}

/** Records have no line: two of one key are in order of all that they hold. */
function sortedRecords(records: DayRecord[]): DayRecord[] {
  if (records.length < 2) return records
  return records.toSorted((left, right) => (JSON.stringify(left) < JSON.stringify(right) ? -1 : 1))
}
