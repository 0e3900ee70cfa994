import type { Time } from '../calendar.ts'
import { dayId } from '../ids.ts'
import { addCounts } from './duration.ts'
import type { DurationTally } from './duration.ts'
import type { DayFees, DayKey } from './reconciliation.ts'

/** ReportFigures are the numbers of a day, each of which can be added up over days. Amounts in fen. */
export interface ReportFigures {
  /** orders that were created on the day, and what has become of them */
  created_count: number
  created_amount: number
  /** of those, by close_reason */
  closed: Record<string, number>
  paid_orders: number
  fulfilled_orders: number
  to_paid: DurationTally
  to_fulfilled: DurationTally
  /** money that WeChat took on the day, and refunds that it accepted on it: as they are recorded here */
  paid_count: number
  paid_amount: number
  refunded_count: number
  refunded_amount: number
  /** 1/1000 fen; of days whose fees are known */
  fee_charged: number
  fee_returned: number
  fee_expected: number
  fee_under: number
  fee_over: number
  /** days of which a contract rate was known */
  fee_days: number
  /** by what the payments of the day were first known */
  found_by: Record<string, number>
  /** payments of the day of which a notification came, those of which a second came, and how long the first took */
  heard_count: number
  repeat_count: number
  lag: DurationTally
  /** messages that came on the day and were not believed, as far as they are kept */
  rejected: Record<string, number>
  /** failures of orders, refunds and deliveries that were made on the day, by code */
  order_errors: Record<string, number>
  refund_errors: Record<string, number>
  delivery_errors: Record<string, number>
}

/** ReportRecord is a day's numbers as its last look wrote them: a report reads these, and never the orders. */
export interface ReportRecord {
  /** <mchid>/<bill_date> */
  _id: string
  mchid: string
  bill_date: string
  /** that of the day's look: one that a newer overtook writes nothing */
  run: number
  write_time: Time
  figures: ReportFigures
}

export function noFigures(): ReportFigures {
  return {
    ...{ created_count: 0, created_amount: 0, closed: {}, paid_orders: 0, fulfilled_orders: 0 },
    ...{ to_paid: {}, to_fulfilled: {}, paid_count: 0, paid_amount: 0, refunded_count: 0, refunded_amount: 0 },
    ...{ fee_charged: 0, fee_returned: 0, fee_expected: 0, fee_under: 0, fee_over: 0, fee_days: 0 },
    ...{ found_by: {}, heard_count: 0, repeat_count: 0, lag: {}, rejected: {} },
    ...{ order_errors: {}, refund_errors: {}, delivery_errors: {} },
  }
}

/** The numbers of several days together. What an older record does not have counts as none. */
export function sumOfFigures(days: readonly Partial<ReportFigures>[]): ReportFigures {
  const sum = noFigures()
  const of_all = sum as unknown as Record<string, number | Record<string, number>>
  for (const day of days)
    for (const [name, value] of Object.entries(of_all)) {
      const more = day[name as keyof ReportFigures]
      if (typeof more === 'number') of_all[name] = (value as number) + more
      else if (more !== undefined) addCounts(value as Record<string, number>, more)
    }
  return sum
}

export function newReport(day: DayKey, run: number, write_time: Time, figures: ReportFigures): ReportRecord {
  return { _id: dayId(day), ...day, run, write_time, figures }
}

/** Takes over what the bill says of fees. */
export function addFees(figures: ReportFigures, fees: DayFees | null): void {
  if (fees === null) return
  figures.fee_charged += fees.charged
  figures.fee_returned += fees.returned
  if (fees.expected === null) return
  figures.fee_days += 1
  figures.fee_expected += fees.expected
  figures.fee_under += fees.under
  figures.fee_over += fees.over
}

/** The share of payments that no notification told first; null: there was none. Above a tenth notifications are lost. */
export function unheardShare({ found_by }: Pick<ReportFigures, 'found_by'>): number | null {
  const all = Object.values(found_by).reduce((sum, count) => sum + count, 0)
  return all === 0 ? null : (all - (found_by['notification'] ?? 0)) / all
}
