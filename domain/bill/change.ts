import { rowTotal } from './row.ts'
import type { BillRow, BillType, MalformedLine } from './row.ts'

/** What a line of the version before became in the next: it is new, it is gone, or some of its columns are others. */
export const line_change_kinds = ['added', 'removed', 'changed'] as const
export type LineChangeKind = (typeof line_change_kinds)[number]

/** A cell as it was read: amounts in fen, fees in 1/1000 fen. */
export type CellValue = string | number | null

/** LineChange is what became of one line. */
export interface LineChange {
  kind: LineChangeKind
  /** its number in each of the files, from 1; null: it is not there */
  line_before: number | null
  line_after: number | null
  /** its numbers, as the newer file that has it says */
  numbers: Record<string, CellValue>
  /** what it does to the account in fen, by the newer version less by the older */
  amount: number
  /** columns that differ, of a line that both have; of another one all that it says */
  fields: { column: string; before: CellValue; after: CellValue }[]
}

/** Lines of one kind of change: how many, and what they come to in fen. */
export interface ChangeSum {
  count: number
  amount: number
}

/** VersionChanges is what a version of a bill changed of the one before it, summed. Amounts in fen. */
export interface VersionChanges {
  /** lines of each of the files, and what they come to: what came in less what went out */
  before: ChangeSum
  after: ChangeSum
  added: ChangeSum
  removed: ChangeSum
  changed: ChangeSum
  /** so many of them are listed, the first of the file */
  listed_count: number
}

/** changes of a version that are listed; all are counted */
export const most_listed_changes = 10_000

/** A line of a file, or one that cannot be read. */
export type VersionLine<T extends BillType> = BillRow<T> | (MalformedLine & { kind: 'malformed' })

/** What of a row is compared: all that is read but where it stands, and what follows from other lines. */
const left_out = new Set(['line', 'balance'])

/** The columns of a line that are compared, with their values. */
export function comparedCells(line: VersionLine<BillType>): [string, CellValue][] {
  if (isMalformed(line)) return [['reason', line.reason]]
  return Object.entries(line as unknown as Record<string, CellValue>).filter(([column]) => !left_out.has(column))
}

export function isMalformed(line: VersionLine<BillType>): line is MalformedLine & { kind: 'malformed' } {
  return 'kind' in line && line.kind === 'malformed'
}

/** What makes two lines of two files the same one; the rest of it may have changed. */
export function lineKey(line: VersionLine<BillType>): string {
  if (isMalformed(line)) return `malformed ${line.bytes}`
  if ('flow_no' in line)
    return ['flow', line.business_no, line.flow_no, line.name, line.type, line.direction].join('\0')
  const { kind, transaction_id, refund_id } = line
  return [kind, transaction_id, kind === 'refund' ? refund_id : ''].join('\0')
}

/** What a person looks a line up by. */
export function lineNumbers(line: VersionLine<BillType>): Record<string, CellValue> {
  if (isMalformed(line)) return {}
  if ('flow_no' in line) {
    const { business_no, flow_no, voucher_no } = line
    return { business_no, flow_no, voucher_no }
  }
  const { transaction_id, out_trade_no, refund_id, out_refund_no } = line
  return { transaction_id, out_trade_no, refund_id, out_refund_no }
}

/** What a line does to the account in fen: in is positive. One that cannot be read says nothing. */
export function lineAmount(line: VersionLine<BillType>): number {
  if (isMalformed(line)) return 0
  if ('flow_no' in line) return line.direction === 'in' ? line.amount : 0 - line.amount
  const row = line
  return row.kind === 'payment' ? rowTotal(row) : 0 - rowTotal(row)
}

/** Throws when the changes do not lead from one version to the other: then a line was lost or counted twice. */
export function assertChanges({ before, after, added, removed, changed }: VersionChanges): void {
  const count = before.count + added.count - removed.count
  const amount = before.amount + added.amount + removed.amount + changed.amount
  if (count !== after.count || amount !== after.amount)
    throw new RangeError(
      `the changes lead to ${count} lines and ${amount} fen, and there are ${after.count} and ${after.amount}`,
    )
}
