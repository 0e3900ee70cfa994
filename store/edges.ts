import type { BalanceEdge, BalanceEdges } from '../domain/bill/balance.ts'
import { balanceOf, dayRange } from '../domain/bill/reconciliation.ts'
import type { DayKey, ReconciliationRecord } from '../domain/bill/reconciliation.ts'
import type { FlowBill } from '../domain/bill/row.ts'
import { beijingDay } from '../domain/calendar.ts'
import type { Bills } from './bills.ts'
import type { Reconciliations } from './reconciliations.ts'

/** As much of the store as edges are read from. */
interface EdgeStore {
  bills: Pick<Bills, 'find'>
  reconciliations: Pick<Reconciliations, 'list'>
}

/** A balance is carried over so many days on which nothing moved, and no further. */
const most_still_days = 30

const day_ms = 86_400_000

/** Where the account ended before a day, and began after it: what its look and its archive hold its balance against. */
export async function edgesAround(
  store: EdgeStore,
  { mchid, bill_date }: DayKey,
  type: FlowBill,
): Promise<BalanceEdges> {
  const { reconciliations } = store
  const limit = most_still_days + 1
  const { from_ms, to_ms } = dayRange(bill_date)
  const before = await reconciliations.list(mchid, { bill_date_to: beijingDay(from_ms - day_ms) }, { limit })
  const after = await reconciliations.list(mchid, { bill_date_from: beijingDay(to_ms) }, { limit, order: 'asc' })
  return {
    before: await nearestEdge(store, type, before.data, 'closing', (nth) => beijingDay(from_ms - nth * day_ms)),
    after: await nearestEdge(store, type, after.data, 'opening', (nth) => beijingDay(to_ms + (nth - 1) * day_ms)),
  }
}

/** Passes over days on which nothing moved, and never over one that was not compared or not read to its end. */
async function nearestEdge(
  { bills }: EdgeStore,
  type: FlowBill,
  days: readonly ReconciliationRecord[],
  edge: 'opening' | 'closing',
  dateOf: (nth: number) => string,
): Promise<BalanceEdge | null> {
  for (const [index, day] of days.entries()) {
    const { bill_date, versions, flaws } = day
    const balance = balanceOf(day, type)
    const version = versions[type]
    if (bill_date !== dateOf(index + 1) || version === undefined) return null
    if (balance !== null) return { bill_date, amount: balance[edge] }
    const is_still = flaws.length === 0 || (await bills.find(day, type, version))?.state === 'none'
    if (!is_still) return null
  }
  return null
}
