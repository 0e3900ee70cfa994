import type { DayPayment, DayRecord, DayRefund } from '../domain/bill/record.ts'
import type { TradeRow } from '../domain/bill/row.ts'

/** A row of the bill or a record of ours, as a line of a partition holds it. */
type OneSide = { side: 'bill'; value: TradeRow } | { side: 'ours'; value: DayRecord }

/*
 * A line is a list in JSON: names in every line would double the disk's work. Its order is written out twice, there and
 * back, since a loop over names would take longer than the join itself; the types of the lists hold the two together.
 */
type RowValues = [
  side: 'bill',
  kind: TradeRow['kind'],
  line: TradeRow['line'],
  time: TradeRow['time'],
  appid: TradeRow['appid'],
  mchid: TradeRow['mchid'],
  transaction_id: TradeRow['transaction_id'],
  out_trade_no: TradeRow['out_trade_no'],
  trade_type: TradeRow['trade_type'],
  trade_state: TradeRow['trade_state'],
  currency: TradeRow['currency'],
  settled_total: TradeRow['settled_total'],
  total: TradeRow['total'],
  refund_id: TradeRow['refund_id'],
  out_refund_no: TradeRow['out_refund_no'],
  settlement_refund: TradeRow['settlement_refund'],
  refund: TradeRow['refund'],
  refund_status: TradeRow['refund_status'],
  fee: TradeRow['fee'],
  rate: TradeRow['rate'],
]

type PaymentValues = [
  side: 'ours',
  kind: DayPayment['kind'],
  transaction_id: DayPayment['transaction_id'],
  out_trade_no: DayPayment['out_trade_no'],
  appid: DayPayment['appid'],
  total: DayPayment['total'],
  settled_total: DayPayment['settled_total'],
  currency: DayPayment['currency'],
  success_time: DayPayment['success_time'],
  role: DayPayment['role'],
]

type RefundValues = [
  side: 'ours',
  kind: DayRefund['kind'],
  refund_id: DayRefund['refund_id'],
  out_refund_no: DayRefund['out_refund_no'],
  transaction_id: DayRefund['transaction_id'],
  out_trade_no: DayRefund['out_trade_no'],
  refund: DayRefund['refund'],
  settlement_refund: DayRefund['settlement_refund'],
  state: DayRefund['state'],
  accepted_time: DayRefund['accepted_time'],
  success_time: DayRefund['success_time'],
]

/** One line, without its end. It holds all that a difference shows of the row. */
export function rowLine(row: TradeRow): string {
  return JSON.stringify([
    'bill',
    row.kind,
    row.line,
    row.time,
    row.appid,
    row.mchid,
    row.transaction_id,
    row.out_trade_no,
    row.trade_type,
    row.trade_state,
    row.currency,
    row.settled_total,
    row.total,
    row.refund_id,
    row.out_refund_no,
    row.settlement_refund,
    row.refund,
    row.refund_status,
    row.fee,
    row.rate,
  ] satisfies RowValues)
}

/** The same of a record. */
export function recordLine(record: DayRecord): string {
  return JSON.stringify(record.kind === 'payment' ? paymentValues(record) : refundValues(record))
}

export function readLine(line: string): OneSide {
  const values = JSON.parse(line) as RowValues | PaymentValues | RefundValues
  if (values[0] === 'bill') return { side: 'bill', value: rowOf(values) }
  return {
    side: 'ours',
    value: values[1] === 'payment' ? paymentOf(values) : refundOf(values),
  }
}

function rowOf(values: RowValues): TradeRow {
  return {
    kind: values[1],
    line: values[2],
    time: values[3],
    appid: values[4],
    mchid: values[5],
    transaction_id: values[6],
    out_trade_no: values[7],
    trade_type: values[8],
    trade_state: values[9],
    currency: values[10],
    settled_total: values[11],
    total: values[12],
    refund_id: values[13],
    out_refund_no: values[14],
    settlement_refund: values[15],
    refund: values[16],
    refund_status: values[17],
    fee: values[18],
    rate: values[19],
  }
}

function paymentValues(record: DayPayment): PaymentValues {
  return [
    'ours',
    record.kind,
    record.transaction_id,
    record.out_trade_no,
    record.appid,
    record.total,
    record.settled_total,
    record.currency,
    record.success_time,
    record.role,
  ]
}

function paymentOf(values: PaymentValues): DayPayment {
  return {
    kind: values[1],
    transaction_id: values[2],
    out_trade_no: values[3],
    appid: values[4],
    total: values[5],
    settled_total: values[6],
    currency: values[7],
    success_time: values[8],
    role: values[9],
  }
}

function refundValues(record: DayRefund): RefundValues {
  return [
    'ours',
    record.kind,
    record.refund_id,
    record.out_refund_no,
    record.transaction_id,
    record.out_trade_no,
    record.refund,
    record.settlement_refund,
    record.state,
    record.accepted_time,
    record.success_time,
  ]
}

function refundOf(values: RefundValues): DayRefund {
  return {
    kind: values[1],
    refund_id: values[2],
    out_refund_no: values[3],
    transaction_id: values[4],
    out_trade_no: values[5],
    refund: values[6],
    settlement_refund: values[7],
    state: values[8],
    accepted_time: values[9],
    success_time: values[10],
  }
}
