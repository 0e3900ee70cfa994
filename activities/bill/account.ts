import { dayRange } from '../../domain/bill/reconciliation.ts'
import { balanceOf, flowsOfDay } from '../../domain/bill/reconciliation.ts'
import type { DayKey, ReconciliationRecord } from '../../domain/bill/reconciliation.ts'
import type { FlowBill } from '../../domain/bill/row.ts'
import { cash_accounts, openingEntry } from '../../domain/bill/sheet.ts'
import { beijingTime } from '../../domain/calendar.ts'
import { billId, journalId } from '../../domain/ids.ts'
import { hasSamePostings, reversalEntry } from '../../domain/journal.ts'
import type { JournalEntry } from '../../domain/journal.ts'
import type { Store } from '../../store/store.ts'
import { currentTime } from '../context.ts'
import type { ActivityContext } from '../context.ts'

const day_ms = 86_400_000

/** Opens each account of a day that its bills move. */
export async function openAccounts(context: ActivityContext, day: ReconciliationRecord): Promise<void> {
  const { mchid, bill_date } = day
  for (const type of flowsOfDay(day)) await openAccount(context, { mchid, bill_date }, type)
}

/**
 * Opens an account on this day and on the next one in the book, where days before it are not in the book, with what it
 * moved without them; what no longer holds is taken back. Days are posted side by side and in any order: whoever writes
 * looks again behind it, so that of two neighbours one at least sees the other.
 */
async function openAccount(context: ActivityContext, day: DayKey, type: FlowBill): Promise<void> {
  const { reconciliations } = context.store
  for (let is_changed = true; is_changed;) {
    const here = await reconciliations.find(day)
    const next = await reconciliations.neighbour(day, 'after', type)
    is_changed = false
    for (const one of [here, next]) if (one !== null) is_changed = (await openDayOf(context, one, type)) || is_changed
  }
}

/** Makes the opening of a day what it must be; false: it was so already. */
async function openDayOf(context: ActivityContext, day: ReconciliationRecord, type: FlowBill): Promise<boolean> {
  const { journal } = context.store
  const { standing, next_id } = await journal.ofCause(journalId.opening(day.mchid, cash_accounts[type], day.bill_date))
  const booked_time = currentTime(context)
  const wanted = await openingOf(context.store, day, type, booked_time)
  const right = standing.find(({ postings }) => wanted !== null && hasSamePostings(postings, wanted.postings))
  const wrong = standing.filter((entry) => entry !== right)
  await journal.postAll(wrong.map((entry) => reversalEntry(entry, { ...entry, booked_time })))
  const is_missing = wanted !== null && right === undefined
  if (is_missing) await journal.postAll([{ ...wanted, _id: next_id }])
  return is_missing || wrong.length > 0
}

/** Null: the day goes on from the one before it in the book, or nothing moved. */
async function openingOf(
  store: Store,
  day: ReconciliationRecord,
  type: FlowBill,
  booked_time: string,
): Promise<JournalEntry | null> {
  const { mchid, bill_date, versions } = day
  const balance = balanceOf(day, type)
  if (balance === null) return null
  const before = await store.reconciliations.neighbour(day, 'before', type)
  if (before !== null && (await isUnbroken(store, before, day, type))) return null
  const amount = balance.opening - (before === null ? 0 : (balanceOf(before, type)?.closing ?? 0))
  const time = beijingTime(dayRange(bill_date).from_ms)
  const bill_id = billId(day, type, versions[type] ?? 1)
  return openingEntry(type, { mchid, bill_date }, { amount, time, bill_id }, booked_time)
}

/** Whether all days between two are in the book: those have no movement. */
async function isUnbroken(store: Store, before: DayKey, day: DayKey, type: FlowBill): Promise<boolean> {
  const between = Math.round((dayRange(day.bill_date).from_ms - dayRange(before.bill_date).from_ms) / day_ms) - 1
  if (between === 0) return true
  const known = await store.reconciliations.inBook(day.mchid, before.bill_date, between)
  const inBetween = known.filter(({ bill_date, versions }) => bill_date < day.bill_date && versions[type] !== undefined)
  return inBetween.length === between
}
