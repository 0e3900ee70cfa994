import type { DayRecord } from '../domain/bill/record.ts'
import type { TradeRow } from '../domain/bill/row.ts'

/** The id that WeChat gave a payment or a refund; empty: none. */
function idOf(value: TradeRow | DayRecord): string {
  return value.kind === 'refund' ? (value.refund_id ?? '') : value.transaction_id
}

/** The number that we gave it; empty: none. */
function numberOf(value: TradeRow | DayRecord): string {
  return value.kind === 'refund' ? (value.out_refund_no ?? '') : value.out_trade_no
}

export function rowNames(row: TradeRow): { id: string; number: string } {
  return { id: idOf(row), number: numberOf(row) }
}

export function recordNames(record: DayRecord | null): { id: string; number: string } {
  return record === null ? { id: '', number: '' } : { id: idOf(record), number: numberOf(record) }
}

/** A reversal lies with its payment. What has no id shares its key with nothing. */
export function idKey(value: TradeRow | DayRecord): string {
  const id = idOf(value)
  return id === '' ? aloneKey(value) : (value.kind === 'refund' ? 'r' : 'p') + id
}

/** Reversals are joined by id only: a number of theirs says nothing about a payment under another id. */
export function numberKey(value: TradeRow | DayRecord): string {
  const number = numberOf(value)
  return number === '' || value.kind === 'reversal' ? aloneKey(value) : (value.kind === 'refund' ? 'r' : 'p') + number
}

function aloneKey(value: TradeRow | DayRecord): string {
  return 'line' in value ? `l${value.line}` : `i${idOf(value)}`
}
