import { dayRange } from '../domain/bill/reconciliation.ts'
import type { DayKey } from '../domain/bill/reconciliation.ts'
import type { DayPayment, DayRecord, DayRefund } from '../domain/bill/record.ts'
import { beijingTime } from '../domain/calendar.ts'
import { numberAtWeChat } from '../domain/refund/record.ts'
import type { RefundRecord } from '../domain/refund/record.ts'
import type { PaymentRecord } from '../domain/payment/record.ts'
import type { TimeRange } from './collection.ts'
import type { BilledPayment } from './payments.ts'
import type { BilledRefund } from './refunds.ts'
import type { Store } from './store.ts'

/**
 * so many records a slice is meant to have: a long scan holds up the database, and what is read at once is decoded at
 * once, while nothing else of this process has its turn
 */
const aimed_at = 1_000
/** A slice with so many records, of which there may be more, is read again in shorter ones. */
const most_of_slice = 2_000
/** of the first slice of a day, of which nothing is known yet */
const first_slice_ms = 10 * 60_000
/** How much longer or shorter than the slice before it one may be: the next hour may have more records than the last. */
const most_change = 12

/** Our side of a day, slice by slice: payments by their success, refunds by the moment WeChat took them. */
export function recordsOf(store: Pick<Store, 'payments' | 'refunds'>, day: DayKey): AsyncGenerator<DayRecord[]> {
  return readAhead(sidesOfDay(store, day))
}

/** The next slice is read while the one before is worked on: the database and this process each have a processor. */
async function* readAhead<Piece>(pieces: AsyncGenerator<Piece, void>): AsyncGenerator<Piece, void> {
  const begin = () => {
    const reading = pieces.next()
    reading.catch(() => undefined) // whoever takes the piece hears of it
    return reading
  }
  try {
    for (let next = begin(); ;) {
      const piece = await next
      if (piece.done) return
      next = begin()
      yield piece.value
    }
  } finally {
    await pieces.return()
  }
}

async function* sidesOfDay(store: Pick<Store, 'payments' | 'refunds'>, day: DayKey): AsyncGenerator<DayRecord[], void> {
  const { mchid } = day
  for await (const payments of slicesOfDay(day, (range, limit) => store.payments.takenIn(mchid, range, limit)))
    yield payments.map(dayPayment)
  for await (const refunds of slicesOfDay(day, (range, limit) => store.refunds.takenIn(mchid, range, limit)))
    yield refunds.map(dayRefund).filter((refund) => refund !== null)
}

/**
 * All that `read` finds on a day, slice by slice; `read` answers at most as many as it is told. A slice is as long as
 * the one before lets expect a thousand records: a day of few is read in three, one of millions in thousands.
 */
export async function* slicesOfDay<Found>(
  { bill_date }: Pick<DayKey, 'bill_date'>,
  read: (range: TimeRange, limit: number) => Promise<Found[]>,
): AsyncGenerator<Found[]> {
  const { from_ms, to_ms } = dayRange(bill_date)
  let length_ms = first_slice_ms
  for (let ms = from_ms; ms < to_ms;) {
    const end_ms = Math.min(ms + length_ms, to_ms)
    const found = await read({ from_time: beijingTime(ms), to_time: beijingTime(end_ms) }, most_of_slice)
    length_ms = nextLength(end_ms - ms, found.length)
    if (found.length < most_of_slice) {
      yield found
      ms = end_ms
    } else if (end_ms - ms === 1) throw new RangeError(`more than ${most_of_slice} records of one millisecond`)
  }
}

/** Of a full slice there may be any number more. */
function nextLength(length_ms: number, count: number): number {
  const change = count < most_of_slice ? Math.min(aimed_at / count, most_change) : 1 / most_change
  return Math.max(Math.floor(length_ms * change), 1)
}

export function dayPayment(payment: BilledPayment | PaymentRecord): DayPayment {
  const { transaction_id, out_trade_no, appid, amount, settled_total, success_time, role } = payment
  const { total, currency } = amount
  return { kind: 'payment', transaction_id, out_trade_no, appid, total, settled_total, currency, success_time, role }
}

/** Null: WeChat has not taken it. */
export function dayRefund(refund: BilledRefund | RefundRecord): DayRefund | null {
  const { facts, transaction_id, out_trade_no, amount, state } = refund
  if (facts === null) return null
  return {
    kind: 'refund',
    refund_id: facts.refund_id,
    out_refund_no: numberAtWeChat(refund),
    transaction_id,
    out_trade_no,
    refund: amount.refund,
    settlement_refund: facts.settlement_refund,
    state,
    accepted_time: facts.accepted_time,
    success_time: facts.success_time,
  }
}
