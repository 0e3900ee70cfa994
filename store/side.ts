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

/** A slice of a day: short, since a long scan holds up the database and a sorted one sorts all of the day. */
const slice_ms = 5 * 60_000
/** A slice with so many records, of which there may be more, is divided. */
const most_of_slice = 10_000

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

async function* sidesOfDay(
  store: Pick<Store, 'payments' | 'refunds'>,
  { mchid, bill_date }: DayKey,
): AsyncGenerator<DayRecord[], void> {
  const { from_ms, to_ms } = dayRange(bill_date)
  for (let ms = from_ms; ms < to_ms; ms += slice_ms) {
    yield* slicesOf((range) => store.payments.takenIn(mchid, range, most_of_slice), ms, ms + slice_ms, dayPayment)
    yield* slicesOf((range) => store.refunds.takenIn(mchid, range, most_of_slice), ms, ms + slice_ms, dayRefund)
  }
}

/** Most days have few of what is counted: hours are quick to look through, and a full one is divided. */
const hour_ms = 60 * 60_000

/** All that `read` finds on a day, slice by slice; `read` answers at most as many as it is told. */
export async function* slicesOfDay<Found>(
  { bill_date }: Pick<DayKey, 'bill_date'>,
  read: (range: TimeRange, limit: number) => Promise<Found[]>,
): AsyncGenerator<Found[]> {
  const { from_ms, to_ms } = dayRange(bill_date)
  const within = (range: TimeRange) => read(range, most_of_slice)
  for (let ms = from_ms; ms < to_ms; ms += hour_ms) yield* slicesOf(within, ms, ms + hour_ms, (found) => found)
}

async function* slicesOf<Found, Kept>(
  read: (range: TimeRange) => Promise<Found[]>,
  from_ms: number,
  to_ms: number,
  recordOf: (found: Found) => Kept | null,
): AsyncGenerator<Kept[]> {
  const found = await read({ from_time: beijingTime(from_ms), to_time: beijingTime(to_ms) })
  if (found.length < most_of_slice) {
    yield found.map(recordOf).filter((record) => record !== null)
    return
  }
  const middle_ms = Math.floor((from_ms + to_ms) / 2)
  if (middle_ms === from_ms) throw new RangeError(`more than ${most_of_slice} records of one millisecond`)
  yield* slicesOf(read, from_ms, middle_ms, recordOf)
  yield* slicesOf(read, middle_ms, to_ms, recordOf)
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
