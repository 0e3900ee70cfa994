import type { DayRecord } from '../domain/bill/record.ts'
import type { TradeRow } from '../domain/bill/row.ts'

/** The id that WeChat gave, and the number that we gave; empty: none. */
export function rowNames(row: TradeRow): { id: string; number: string } {
  return row.kind === 'refund'
    ? { id: row.refund_id ?? '', number: row.out_refund_no ?? '' }
    : { id: row.transaction_id, number: row.out_trade_no }
}

export function recordNames(record: DayRecord | null): { id: string; number: string } {
  if (record === null) return { id: '', number: '' }
  return record.kind === 'refund'
    ? { id: record.refund_id, number: record.out_refund_no }
    : { id: record.transaction_id, number: record.out_trade_no }
}

function namesOf(value: TradeRow | DayRecord): { id: string; number: string } {
  return 'line' in value ? rowNames(value) : recordNames(value)
}

/** A reversal lies with its payment. What has no id shares its key with nothing. */
export function idKey(value: TradeRow | DayRecord): string {
  const { id } = namesOf(value)
  return id === '' ? aloneKey(value) : `${value.kind === 'refund' ? 'r' : 'p'}${id}`
}

/** Reversals are joined by id only: a number of theirs says nothing about a payment under another id. */
export function numberKey(value: TradeRow | DayRecord): string {
  const { number } = namesOf(value)
  return number === '' || value.kind === 'reversal'
    ? aloneKey(value)
    : `${value.kind === 'refund' ? 'r' : 'p'}${number}`
}

function aloneKey(value: TradeRow | DayRecord): string {
  return 'line' in value ? `l${value.line}` : `i${recordNames(value).id}`
}
