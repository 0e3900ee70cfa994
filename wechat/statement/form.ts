import type { BillRow, BillType } from '../../domain/bill/row.ts'
import type { ColumnNames, ColumnPlaces } from './header.ts'

/** Which columns a file has, in which order; `other`: known ones, as no layout that is known has them. */
export type StatementLayout = 'all' | 'success' | 'refund' | 'old' | 'fundflow' | 'other'

/** How a number of the footer is written: fees have five decimals there, or two. */
export type FooterUnit = 'count' | 'fen' | 'fee'

/** Integers: counts, fen, of fees 1/1000 fen. */
export type ColumnSums<F extends string> = Record<F, number>

/**
 * BillForm is what one type of bill looks like: `K` are its columns, `F` the numbers of its footer. The reader knows
 * nothing else of the two bills.
 */
export interface BillForm<T extends BillType, K extends string, F extends string> {
  columns: ColumnNames<K>
  layouts: Readonly<Partial<Record<StatementLayout, readonly K[]>>>
  /** the columns without which no row of such a file can be read */
  needed(places: ColumnPlaces<K>): K[]
  footer: Readonly<Record<F, { names: readonly string[]; unit: FooterUnit; of: K | null }>>
  rows(places: ColumnPlaces<K>): RowReader<T, F>
}

export interface RowReader<T extends BillType, F extends string> {
  /** what the columns of all rows that were read come to */
  sums: ColumnSums<F>
  /** a row of as many cells as the header has, or why it is none; `line` is its number in the file */
  read(cells: readonly string[], line: number): BillRow<T> | string
}

/** The reason of a cell that cannot be read. Of a long one only the beginning is told. */
export function wrongCell(name: string | undefined, what: string, text: string): string {
  const told = text.length > 40 ? `${text.slice(0, 40)}…` : text
  return `${name ?? 'a cell'} is no ${what}: ${JSON.stringify(told)}`
}
