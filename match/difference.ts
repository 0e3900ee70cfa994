import { flawOf } from '../domain/bill/flaw.ts'
import type { DayFlaw } from '../domain/bill/flaw.ts'
import type { DayRecord, Deviation } from '../domain/bill/record.ts'
import type { TradeKind, TradeRow } from '../domain/bill/row.ts'
import { recordNames, rowNames } from './key.ts'
import { match_kinds } from './verdict.ts'
import type { MatchClass, MatchKind, Verdict } from './verdict.ts'

/** MatchedDifference is one disagreement, with both sides as far as there are any. */
export interface MatchedDifference {
  kind: MatchKind
  class: MatchClass
  subject: TradeKind
  /** null: the bill has nothing */
  row: TradeRow | null
  /** null: we have nothing; of a duplicate or a reversal the record beside it, if there is one */
  record: DayRecord | null
  fields: readonly Deviation[]
  /** of a duplicate: the day whose bill has it too; absent: the line is twice in one bill */
  also_in?: string
}

const kind_order = Object.keys(match_kinds) as MatchKind[]

/** Keeps the first differences of each kind, by number and id: the same ones in whatever order they are found. */
export class DifferenceList {
  readonly #most: number
  readonly #found = new Map<MatchKind, { kept: [string, MatchedDifference][]; count: number }>()

  constructor(most_of_a_kind: number) {
    this.#most = most_of_a_kind
  }

  add(row: TradeRow | null, record: DayRecord | null, verdict: Verdict): void {
    const { kind, fields } = verdict
    const subject = row?.kind ?? record?.kind
    if (kind === null || subject === undefined) return
    const of_kind = this.#found.get(kind) ?? { kept: [], count: 0 }
    this.#found.set(kind, of_kind)
    of_kind.count += 1
    of_kind.kept.push([orderOf(row, record), { kind, class: verdict.class, subject, row, record, fields }])
    if (of_kind.kept.length >= 2 * this.#most) this.#trim(of_kind.kept)
  }

  /** By kind, then number. `counts` are of all that were found, kept or not. */
  result(): { differences: MatchedDifference[]; counts: Partial<Record<MatchKind, number>>; flaws: DayFlaw[] } {
    const differences: MatchedDifference[] = []
    const counts: Partial<Record<MatchKind, number>> = {}
    const flaws: DayFlaw[] = []
    for (const kind of kind_order) {
      const { kept, count } = this.#found.get(kind) ?? { kept: [], count: 0 }
      if (count === 0) continue
      this.#trim(kept)
      counts[kind] = count
      for (const [, difference] of kept) differences.push(difference)
      if (count > kept.length) flaws.push(flawOf('too_many_differences', { kind, listed: kept.length, count }))
    }
    return { differences, counts, flaws }
  }

  #trim(kept: [string, MatchedDifference][]): void {
    kept.sort(([left], [right]) => (left < right ? -1 : left > right ? 1 : 0))
    kept.length = Math.min(kept.length, this.#most)
  }
}

/** Number, id and line as text that sorts: U+0000 is in none of them. */
function orderOf(row: TradeRow | null, record: DayRecord | null): string {
  const { number, id } = row === null ? recordNames(record) : rowNames(row)
  return [number, id, String(row?.line ?? 0).padStart(12, '0'), row === null ? JSON.stringify(record) : ''].join('\0')
}
