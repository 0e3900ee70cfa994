import { beijingDay, milliseconds } from '../calendar.ts'
import type { Time } from '../calendar.ts'
import type { PaymentRole } from '../payment/record.ts'
import type { RefundState } from '../refund/record.ts'
import type { TradeRow } from './row.ts'

/** DayPayment is what a payment of the day is compared by. Amounts in fen. */
export interface DayPayment {
  kind: 'payment'
  transaction_id: string
  out_trade_no: string
  appid: string
  total: number
  /** total less what the merchant gave away himself */
  settled_total: number
  currency: string
  success_time: Time
  role: PaymentRole
}

/** DayRefund is what a refund that WeChat took on the day is compared by. Amounts in fen. */
export interface DayRefund {
  kind: 'refund'
  refund_id: string
  /** the number that WeChat knows it by */
  out_refund_no: string
  transaction_id: string
  out_trade_no: string
  refund: number
  /** null: WeChat did not say */
  settlement_refund: number | null
  state: RefundState
  accepted_time: Time
  /** null: it has not succeeded */
  success_time: Time | null
}

export type DayRecord = DayPayment | DayRefund

/** What a deviation is about: which payment or refund it is, how much money, or what became of it. */
export type DeviationSubject = 'number' | 'amount' | 'state'

/** Deviation is a field on which a row and its record disagree. */
export interface Deviation {
  field: string
  about: DeviationSubject
  bill: string | number
  ours: string | number
}

/**
 * ComparedField is one field that a row and its record have in common. A side that answers null does not know: an older
 * layout has no such column, or WeChat never said. Nothing is compared then.
 */
interface ComparedField<R extends DayRecord> {
  field: string
  about: DeviationSubject
  bill: (row: TradeRow, record: R) => string | number | null
  ours: (record: R, row: TradeRow) => string | number | null
}

const payment_comparisons: readonly ComparedField<DayPayment>[] = [
  { field: 'transaction_id', about: 'number', bill: (row) => row.transaction_id, ours: (our) => our.transaction_id },
  { field: 'out_trade_no', about: 'number', bill: (row) => row.out_trade_no, ours: (our) => our.out_trade_no },
  { field: 'appid', about: 'number', bill: (row) => row.appid, ours: (our) => our.appid },
  { field: 'total', about: 'amount', bill: (row) => row.total, ours: (our) => our.total },
  { field: 'settled_total', about: 'amount', bill: (row) => row.settled_total, ours: (our) => our.settled_total },
  { field: 'currency', about: 'amount', bill: (row) => row.currency, ours: (our) => our.currency },
  { field: 'trade_state', about: 'state', bill: (row) => row.trade_state, ours: () => 'SUCCESS' },
]

const refund_comparisons: readonly ComparedField<DayRefund>[] = [
  { field: 'refund_id', about: 'number', bill: (row) => row.refund_id ?? '', ours: (our) => our.refund_id },
  { field: 'out_refund_no', about: 'number', bill: (row) => row.out_refund_no ?? '', ours: (our) => our.out_refund_no },
  { field: 'transaction_id', about: 'number', bill: (row) => row.transaction_id, ours: (our) => our.transaction_id },
  { field: 'out_trade_no', about: 'number', bill: (row) => row.out_trade_no, ours: (our) => our.out_trade_no },
  { field: 'refund', about: 'amount', bill: (row) => row.refund, ours: (our) => our.refund },
  {
    field: 'settlement_refund',
    about: 'amount',
    bill: (row) => row.settlement_refund,
    // Layouts without the amount asked for are of merchants who give nothing away themselves: both amounts are one.
    ours: (our, row) => our.settlement_refund ?? (row.refund === null ? our.refund : null),
  },
  {
    field: 'refund_status',
    about: 'state',
    bill: (row, our) => (isRefundStateAgreed(row.refund_status, our) ? null : (row.refund_status ?? '')),
    ours: (our) => our.state,
  },
]

/**
 * The states of a refund that agree with each word of the bill. A row is a snapshot and is never brought up to date: what
 * can have come after it is no disagreement. PROCESSING says no more than that WeChat took the refund.
 */
const agreed_states: Readonly<Record<string, readonly RefundState[]>> = {
  PROCESSING: ['processing', 'abnormal', 'succeeded', 'closed', 'returned_to_merchant'],
  SUCCESS: ['succeeded', 'returned_to_merchant'],
  CHANGE: ['abnormal', 'closed', 'returned_to_merchant'],
  FAIL: ['closed', 'refused'],
}

/** What a refund may still become after it has succeeded: the payer's bank sent the money back. */
const states_after_success: readonly RefundState[] = ['abnormal', 'closed']

function isRefundStateAgreed(status: string | null, refund: DayRefund): boolean {
  const { state, success_time } = refund
  if (status === null || !Object.hasOwn(agreed_states, status)) return false
  if (agreed_states[status]?.includes(state)) return true
  if (success_time === null) return false
  // What was abnormal when the bill was made may have been paid to another card since; what had succeeded before is not.
  if (status === 'CHANGE') return state === 'succeeded' && milliseconds(success_time) >= billMade(refund)
  return status === 'SUCCESS' && states_after_success.includes(state)
}

const hour_ms = 3_600_000

/** From when on the bill of a refund's day is made, which is nine in the morning of the next: Unix milliseconds. */
function billMade({ accepted_time }: DayRefund): number {
  return milliseconds(`${beijingDay(milliseconds(accepted_time))}T00:00:00+08:00`) + (24 + 9) * hour_ms
}

/** On what a row of a payment and our record of it disagree; none: they agree. */
export function paymentDeviations(row: TradeRow, record: DayPayment): Deviation[] {
  return deviationsBy(payment_comparisons, row, record)
}

/** On what a row of a refund and our record of it disagree; none: they agree. */
export function refundDeviations(row: TradeRow, record: DayRefund): Deviation[] {
  return deviationsBy(refund_comparisons, row, record)
}

function deviationsBy<R extends DayRecord>(
  comparisons: readonly ComparedField<R>[],
  row: TradeRow,
  record: R,
): Deviation[] {
  const found: Deviation[] = []
  for (const { field, about, bill, ours } of comparisons) {
    const [theirs, our] = [bill(row, record), ours(record, row)]
    if (theirs !== null && our !== null && theirs !== our) found.push({ field, about, bill: theirs, ours: our })
  }
  return found
}
