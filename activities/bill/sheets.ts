import { heartbeat } from '@temporalio/activity'
import type { BillRecord } from '../../domain/bill/reconciliation.ts'
import type { BillRow, BillType, FlowRow, TradeRow } from '../../domain/bill/row.ts'
import { indexSheets, most_rows_of_sheet, sheetOf } from '../../domain/bill/sheet.ts'
import type { SheetIndex, SheetRow } from '../../domain/bill/sheet.ts'
import { causeId } from '../../domain/ids.ts'
import { hasSamePostings, reversalEntry } from '../../domain/journal.ts'
import type { JournalEntry } from '../../domain/journal.ts'
import type { Store } from '../../store/store.ts'
import { remarkAmounts } from '../../wechat/statement/remark.ts'
import { currentTime } from '../context.ts'
import type { ActivityContext } from '../context.ts'
import type { DayLook } from './day.ts'
import { flowOwners, tradeOwners } from './owner.ts'
import { readRows } from './statement.ts'

/** so many sheets are written at once: some 10,000 postings */
const group = 10

/** Where a posting of a bill is: what Temporal keeps of it, for whoever goes on. */
export interface SheetPlace {
  type: BillType
  version: number
  /** it and all before it are written */
  sheet: number
}

/** SheetProgress tells Temporal that the posting lives, and where it is; each heartbeat takes the place of the last. */
export class SheetProgress {
  place: SheetPlace | null

  constructor(resumed: SheetPlace | null) {
    this.place = resumed
  }

  beat = (): void => heartbeat(this.place)

  reach(place: SheetPlace): void {
    this.place = place
    this.beat()
  }

  /** The sheet of this bill to go on behind. */
  doneOf({ type, version }: Pick<BillRecord, 'type' | 'version'>): number {
    return this.place?.type === type && this.place.version === version ? this.place.sheet : 0
  }
}

/** A bill, with what its day says of movements between accounts. */
export interface PostedBill {
  bill: BillRecord
  transfers: ReadonlySet<string>
  /** is given every row that is read, also those that are posted already */
  watch?: ((rows: readonly BillRow<BillType>[]) => void) | undefined
}

/**
 * Makes the sheets of a bill stand in the book, and no others of its day: what stands and is right is left, what stands
 * and is not is taken back, and what is missing is posted. So it leaves the same however often and wherever it was ended.
 * False: a newer look has begun, and nothing more is written.
 */
export async function postSheets(
  context: ActivityContext,
  look: DayLook,
  { bill, transfers, watch }: PostedBill,
  progress: SheetProgress,
): Promise<boolean> {
  const { store } = context
  const index = indexSheets(await store.journal.sheets(look.day, bill.type))
  const done = progress.doneOf(bill)
  let number = 0
  /** one group is written while the next one is read */
  let writing: Promise<boolean> = Promise.resolve(true)
  for await (const rows of rowGroups(store, bill, progress)) {
    watch?.(rows)
    const first = number + 1
    number += Math.ceil(rows.length / most_rows_of_sheet)
    if (number <= done) continue
    const sheets = await sheetsOfRows(context, { bill, transfers }, first, rows)
    if (!(await writing)) return false
    const last = number
    writing = writeGroup(context, look, bill, index, sheets).then((is_written) => {
      if (is_written) progress.reach({ type: bill.type, version: bill.version, sheet: last })
      return is_written
    })
    writing.catch(() => undefined) // the next turn says it
  }
  if (!(await writing)) return false
  const beyond = [...index.standing.keys()].filter((place) => place > number)
  for (let from = 0; from < beyond.length; from += group) {
    const sheets = beyond.slice(from, from + group).map((place) => ({ number: place, entry: null }))
    if (!(await writeGroup(context, look, bill, index, sheets))) return false
    progress.beat()
  }
  return true
}

/** The rows of a bill in the order of the file, a group of sheets at a time. What cannot be read has no row. */
async function* rowGroups(
  store: Pick<Store, 'bills'>,
  bill: BillRecord,
  { beat }: SheetProgress,
): AsyncGenerator<BillRow<BillType>[]> {
  const size = group * most_rows_of_sheet
  let held: BillRow<BillType>[] = []
  for await (const rows of readRows(store, bill)) {
    held.push(...rows)
    while (held.length >= size) {
      yield held.slice(0, size)
      held = held.slice(size)
    }
    beat()
  }
  if (held.length > 0) yield held
}

interface NumberedSheet {
  number: number
  /** null: the sheet moves nothing */
  entry: JournalEntry | null
}

async function sheetsOfRows(
  context: ActivityContext,
  { bill, transfers }: PostedBill,
  first: number,
  rows: readonly BillRow<BillType>[],
): Promise<NumberedSheet[]> {
  const owned = await ownedRows(context.store, { bill, transfers }, rows)
  const booked_time = currentTime(context)
  return Array.from({ length: Math.ceil(owned.length / most_rows_of_sheet) }, (_, n) => ({
    number: first + n,
    entry: sheetOf(bill, first + n, owned.slice(n * most_rows_of_sheet, (n + 1) * most_rows_of_sheet), booked_time),
  }))
}

async function ownedRows(
  store: Store,
  { bill: { mchid, type }, transfers }: PostedBill,
  rows: readonly BillRow<BillType>[],
): Promise<SheetRow<BillType>[]> {
  if (type === 'trade') {
    const trades = rows as readonly TradeRow[]
    const owners = await tradeOwners(store, mchid, trades)
    return trades.map((row, place) => ({ row, owner: owners[place] ?? 'foreign', named: null }))
  }
  const flows = rows as readonly FlowRow[]
  const owners = await flowOwners(store, mchid, flows, transfers)
  return flows.map((row, place) => ({ row, owner: owners[place] ?? 'foreign', named: remarkAmounts(row.remark) }))
}

/** Writes some sheets, unless a newer look has begun. What was written past a newer version's back is taken back. */
async function writeGroup(
  context: ActivityContext,
  { day, run }: DayLook,
  bill: BillRecord,
  index: SheetIndex,
  sheets: readonly NumberedSheet[],
): Promise<boolean> {
  const { store } = context
  if ((await store.reconciliations.find(day))?.run !== run) return false
  const wrong = await wrongStanding(store, index, sheets)
  await takeBack(context, wrong.entries)
  const missing = sheets.flatMap(({ number, entry }) => (entry === null || wrong.right.has(number) ? [] : [entry]))
  const posted = await store.journal.postAll(
    await Promise.all(missing.map((entry) => underFreeId(store, index, entry))),
  )
  if ((await store.bills.newest(day, bill.type))?.version === bill.version) return true
  // The newer version may have been posted in between, and knows nothing of these.
  await takeBack(context, await store.journal.findAll(posted))
  return false
}

/** What stands of these sheets and should not, and the numbers of those that stand as they should. */
async function wrongStanding(
  store: Store,
  { standing }: SheetIndex,
  sheets: readonly NumberedSheet[],
): Promise<{ entries: JournalEntry[]; right: Set<number> }> {
  const ids = sheets.flatMap(({ number }) => standing.get(number) ?? [])
  const found = new Map((await store.journal.findAll(ids)).map((entry) => [entry._id, entry]))
  const right = new Set<number>()
  const entries: JournalEntry[] = []
  for (const { number, entry } of sheets) {
    for (const id of standing.get(number) ?? []) {
      const there = found.get(id)
      if (there === undefined) throw new Error(`the sheet ${id} cannot be read`)
      if (entry !== null && !right.has(number) && hasSamePostings(there.postings, entry.postings)) right.add(number)
      else entries.push(there)
    }
  }
  return { entries, right }
}

/** The entry under its own id, or, where that was taken back before, under the next one of its cause. */
async function underFreeId(store: Store, { taken }: SheetIndex, entry: JournalEntry): Promise<JournalEntry> {
  if (!taken.has(entry._id)) return entry
  return { ...entry, _id: (await store.journal.ofCause(causeId(entry._id))).next_id }
}

async function takeBack(context: ActivityContext, entries: readonly JournalEntry[]): Promise<void> {
  const booked_time = currentTime(context)
  await context.store.journal.postAll(entries.map((entry) => reversalEntry(entry, { ...entry, booked_time })))
}
