import type { DayPayment, DayRecord, DayRefund } from '../domain/bill/record.ts'
import type { TradeRow } from '../domain/bill/row.ts'

/** A row of the bill or a record of ours, as a line of a partition holds it. */
type OneSide = { side: 'bill'; value: TradeRow } | { side: 'ours'; value: DayRecord }

/** All fields of a type, each once: the compiler misses the ones that are left out. */
type FieldList<T> = Record<Exclude<keyof T, 'kind'>, null>

const row_fields = fieldNames<TradeRow>({
  line: null,
  time: null,
  appid: null,
  mchid: null,
  transaction_id: null,
  out_trade_no: null,
  trade_type: null,
  trade_state: null,
  currency: null,
  settled_total: null,
  total: null,
  refund_id: null,
  out_refund_no: null,
  settlement_refund: null,
  refund: null,
  refund_status: null,
  fee: null,
  rate: null,
})

const payment_fields = fieldNames<DayPayment>({
  transaction_id: null,
  out_trade_no: null,
  appid: null,
  total: null,
  settled_total: null,
  currency: null,
  success_time: null,
  role: null,
})

const refund_fields = fieldNames<DayRefund>({
  refund_id: null,
  out_refund_no: null,
  transaction_id: null,
  out_trade_no: null,
  refund: null,
  settlement_refund: null,
  state: null,
  accepted_time: null,
  success_time: null,
})

function fieldNames<T>(fields: FieldList<T>): readonly string[] {
  return Object.keys(fields)
}

/** One line of JSON, without its end. It holds what a difference shows of either side. */
export function rowLine(row: TradeRow): string {
  return lineOf('bill', row, row_fields)
}

export function recordLine(record: DayRecord): string {
  return lineOf('ours', record, record.kind === 'payment' ? payment_fields : refund_fields)
}

function lineOf(side: OneSide['side'], value: { kind: string }, fields: readonly string[]): string {
  const values: unknown[] = [side, value.kind]
  for (const field of fields) values.push((value as unknown as Record<string, unknown>)[field])
  return JSON.stringify(values)
}

export function readLine(line: string): OneSide {
  const values = JSON.parse(line) as unknown[]
  const [side, kind] = values
  const fields = side === 'bill' ? row_fields : kind === 'payment' ? payment_fields : refund_fields
  const value: Record<string, unknown> = { kind }
  for (const [index, field] of fields.entries()) value[field] = values[index + 2]
  return { side, value } as unknown as OneSide
}
