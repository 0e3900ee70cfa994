import { isDeepStrictEqual } from 'node:util'
import { activityInfo } from '@temporalio/activity'
import { flawOf } from '../../domain/bill/flaw.ts'
import type { DayFlaw } from '../../domain/bill/flaw.ts'
import { balanceOf, billsOfDay, dayRange, flowsOfDay } from '../../domain/bill/reconciliation.ts'
import type { BillPolicy, BillRecord, DayBook, DayKey, ReconciliationRecord } from '../../domain/bill/reconciliation.ts'
import type { BillRow, BillType } from '../../domain/bill/row.ts'
import { cash_accounts } from '../../domain/bill/sheet.ts'
import { clearing_days, clearingFlaws } from '../../domain/bill/clearance.ts'
import { beijingDay } from '../../domain/calendar.ts'
import type { JournalEntry } from '../../domain/journal.ts'
import { clearingOf } from '../../store/clearance.ts'
import type { Store } from '../../store/store.ts'
import { currentTime } from '../context.ts'
import type { ActivityContext } from '../context.ts'
import type { GatewayContext } from '../gateway.ts'
import { openAccounts } from './account.ts'
import type { DayLook } from './day.ts'
import { readWhole } from './fetch.ts'
import { postSheets, SheetProgress } from './sheets.ts'
import type { SheetPlace } from './sheets.ts'
import type { DayLacks } from './settlement.ts'
import { readRows } from './statement.ts'
import { surveyDay } from './survey.ts'

const day_ms = 86_400_000

/**
 * Posts what the bills of a day say, in sheets (docs/money.md §2), and proves the book against them. Repeatable and
 * resumable: whoever goes on finds what stands, and makes it what the bills say now. Of a look that a newer one overtook
 * nothing more is written.
 */
export async function postBills(
  context: GatewayContext,
  policy: BillPolicy,
  look: DayLook,
): Promise<ReconciliationRecord | null> {
  const { store } = context
  const { day, run } = look
  const known = await store.reconciliations.find(day)
  if (known === null || known.run !== run) return known
  // A day of which no bill was ever had has nothing to post, and what was posted of files that are dropped stands.
  if (Object.keys(known.versions).length === 0) return known
  const compared = await readBills(store, known)
  if (compared.some(({ dropped_time }) => dropped_time !== undefined)) return known
  // From here on the day is in the book: its neighbours go on from it.
  const book = known.book ?? { post_time: null, sheet_count: 0, accounts: [], flaws: [] }
  if ((await store.reconciliations.write(day, run, { book: { ...book, post_time: null } })) === null) return known
  const progress = new SheetProgress((activityInfo().heartbeatDetails as SheetPlace | undefined) ?? null)
  // Writing while it reads does no harm here: the same file, read again, posts the same.
  const read = await readWhole(context, policy, day, () => postAll(context, look, known, progress))
  if ('unusable' in read)
    return await store.reconciliations.write(day, run, { book: { ...book, flaws: [read.unusable] } })
  if (!read.is_posted) return await store.reconciliations.find(day)
  await openAccounts(context, known)
  const proven = await proveBook(context, known, progress)
  const settled = (await read.lacks?.judge(store, day)) ?? null
  const posted = { ...proven, flaws: [...proven.flaws, ...(settled?.flaws ?? [])] }
  const is_same = isDeepStrictEqual({ ...posted, post_time: null }, { ...book, post_time: null })
  // What was posted before stands since then.
  const post_time = (is_same ? book.post_time : null) ?? currentTime(context)
  return await store.reconciliations.write(day, run, {
    book: { ...posted, post_time },
    ...(settled && { booking: settled.booking }),
  })
}

/** Posts all bills of the day, and answers what looks for what they lack; not `is_posted`: a newer look has begun. */
async function postAll(
  context: ActivityContext,
  look: DayLook,
  known: ReconciliationRecord,
  progress: SheetProgress,
): Promise<{ is_posted: boolean; lacks: DayLacks | null }> {
  const { store } = context
  const bills = await readBills(store, known)
  const is_uneven = known.is_uneven ?? false
  const { transfers, lacks } = await surveyDay(store, bills, { is_uneven, beat: progress.beat })
  const resumed_at = bills.findIndex(({ type }) => type === progress.place?.type)
  for (const [at, bill] of bills.entries()) {
    const watch = lacks === null ? undefined : (rows: readonly BillRow<BillType>[]) => lacks.add(bill.type, rows)
    if (at >= resumed_at) {
      const is_posted = await postSheets(context, look, { bill, transfers, watch }, progress)
      if (!is_posted) return { is_posted, lacks }
    } else if (watch !== undefined) {
      // It was posted before the step died, and is only held against the others.
      for await (const rows of readRows(store, bill)) {
        watch(rows)
        progress.beat()
      }
    }
  }
  return { is_posted: true, lacks }
}

/** The versions that this look has compared. */
async function readBills(store: Store, day: ReconciliationRecord): Promise<BillRecord[]> {
  const { mchid, bill_date, versions } = day
  const found = await Promise.all(
    billsOfDay(day).map(async (type) => {
      const version = versions[type]
      // A look that could not read its files leaves what the one before it compared, which may have been fewer.
      if (version === undefined) return []
      const bill = await store.bills.find({ mchid, bill_date }, type, version)
      if (bill === null) throw new Error(`version ${version} of the ${type} bill of ${bill_date} is not here`)
      return [bill]
    }),
  )
  return found.flat()
}

/** What the day's sheets come to, read back from the book, and where records, book and bills are not one. */
async function proveBook(
  context: ActivityContext,
  known: ReconciliationRecord,
  progress: SheetProgress,
): Promise<DayBook> {
  const { store } = context
  const { mchid, bill_date } = known
  const day = { mchid, bill_date }
  const accounts = new Map<string, number>()
  let sheet_count = 0
  for (const type of billsOfDay(known)) {
    sheet_count += countStanding(await store.journal.sheets(day, type))
    progress.beat()
    for (const [account, amount] of await store.journal.sumsOfSheets(day, type))
      accounts.set(account, (accounts.get(account) ?? 0) + amount)
    progress.beat()
  }
  return {
    post_time: null,
    sheet_count,
    accounts: [...accounts].filter(([, amount]) => amount !== 0).map(([account, amount]) => ({ account, amount })),
    flaws: [...accountFlaws(known, accounts), ...(await uncleared(context, day, progress))],
  }
}

/** The accounts that the book moves by something else than WeChat Pay shows. */
function accountFlaws(known: ReconciliationRecord, sums: ReadonlyMap<string, number>): DayFlaw[] {
  return flowsOfDay(known).flatMap((type) => {
    const account = cash_accounts[type]
    const balance = balanceOf(known, type)
    const moved = sums.get(account) ?? 0
    const shown = balance === null ? 0 : balance.closing - balance.opening
    if (moved === shown) return []
    return [flawOf('account_differs', { account, moved, shown })]
  })
}

function countStanding(sheets: readonly Pick<JournalEntry, 'reverses'>[]): number {
  return sheets.reduce((count, { reverses }) => count + (reverses === null ? 1 : -1), 0)
}

/** With this day's bills the third day before it has had its time: what it still lacks, nobody brings by himself. */
async function uncleared({ store }: ActivityContext, day: DayKey, { beat }: SheetProgress): Promise<DayFlaw[]> {
  const { from_ms } = dayRange(day.bill_date)
  const due = { mchid: day.mchid, bill_date: beijingDay(from_ms - clearing_days * day_ms) }
  const known = await store.reconciliations.find(due)
  if (!known?.book?.post_time) return []
  const found = await clearingOf(store, due, { since_ms: from_ms, beat })
  return clearingFlaws(found, due.bill_date, clearing_days)
}
