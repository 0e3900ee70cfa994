import { clearing_days, clearingFlaws } from '../domain/bill/clearance.ts'
import { billName, flawText } from '../domain/bill/flaw.ts'
import { balanceOf, billsOfDay, dayRange, flowsOfDay } from '../domain/bill/reconciliation.ts'
import type { ReconciliationRecord } from '../domain/bill/reconciliation.ts'
import type { FlowBill } from '../domain/bill/row.ts'
import { cash_accounts } from '../domain/bill/sheet.ts'
import { yuanText } from '../domain/money.ts'
import { clearingOf } from '../store/clearance.ts'
import type { ProofStore } from './dossier.ts'
import { newFinding } from './finding.ts'
import type { Finding, ProofMoment } from './finding.ts'

const day_ms = 86_400_000
const page = 100
/** a day is as much work as so many records without its sheets, and each of those as so many more */
const cost_of_a_day = 10
const cost_of_a_sheet = 50

/** A day in the book, as its record says. */
type PostedDay = Pick<ReconciliationRecord, 'mchid' | 'bill_date' | 'bills' | 'balance' | 'balances' | 'book'>

/**
 * Proves what bills say in the book, one day after the other (docs/money.md §3): the sheets of each day are what was
 * posted of it, nothing still waits for the fund flow whose time is over, and in the end each account holds what its
 * last bill says. `sheet_days`: the days of all sheets that the book was seen to have.
 */
export async function* proveDays(
  store: ProofStore,
  mchid: string,
  moment: ProofMoment,
  sheet_days: ReadonlySet<string>,
): AsyncGenerator<{ looked_at: number; findings: Finding[] }> {
  const days = await postedDays(store, mchid)
  yield { looked_at: 1, findings: unknownDays(mchid, days, sheet_days) }
  const newest = days.at(-1)
  if (newest === undefined) return
  const newest_ms = dayRange(newest.bill_date).from_ms
  const moved = new Map<string, number>()
  let is_whole = true
  for (const day of days) {
    const sums = await sumsOf(store, day)
    for (const [account, amount] of sums) moved.set(account, (moved.get(account) ?? 0) + amount)
    const findings = sheetFindings(day, sums).length === 0 ? [] : await confirmedSheets(store, day)
    is_whole &&= isPosted(day)
    if (isPosted(day) && newest_ms - dayRange(day.bill_date).from_ms >= clearing_days * day_ms)
      findings.push(...(await clearingFindings(store, day, newest_ms, moment.now_ms)))
    yield { looked_at: cost_of_a_day + cost_of_a_sheet * (day.book?.sheet_count ?? 0), findings }
  }
  // While a day is being posted its accounts are on their way.
  if (!is_whole) return
  for (const type of new Set(days.flatMap(flowsOfDay)))
    yield { looked_at: 1, findings: await balanceFindings(store, { mchid, type }, days, moved) }
}

function postedDay(day: ReconciliationRecord): PostedDay {
  const { mchid, bill_date, bills, balance, balances, book = null } = day
  return { mchid, bill_date, balance, book, ...(bills && { bills }), ...(balances && { balances }) }
}

async function postedDays({ reconciliations }: ProofStore, mchid: string): Promise<PostedDay[]> {
  const days: PostedDay[] = []
  for (;;) {
    const found = await reconciliations.inBook(mchid, days.at(-1)?.bill_date ?? '', page)
    days.push(...found.map(postedDay))
    if (found.length < page) return days
  }
}

/** Sheets of days of which no record says that they were posted. */
function unknownDays(mchid: string, days: readonly PostedDay[], sheet_days: ReadonlySet<string>): Finding[] {
  const known = new Set(days.map(({ bill_date }) => bill_date))
  return [...sheet_days]
    .filter((bill_date) => !known.has(bill_date))
    .map((bill_date) => {
      const detail = `sheets of ${bill_date} stand in the book, and no record says that its bills were posted`
      return newFinding({ mchid, out_trade_no: null }, 'entry_unexplained', { detail })
    })
}

function isPosted({ book }: PostedDay): boolean {
  return book !== null && book !== undefined && book.post_time !== null
}

async function sumsOf({ journal }: ProofStore, day: PostedDay): Promise<Map<string, number>> {
  const sums = new Map<string, number>()
  for (const type of billsOfDay(day))
    for (const [account, amount] of await journal.sumsOfSheets(day, type))
      sums.set(account, (sums.get(account) ?? 0) + amount)
  return sums
}

/** Compares what the sheets of a day come to with what its record says was posted. */
function sheetFindings(day: PostedDay, sums: ReadonlyMap<string, number>): Finding[] {
  if (!isPosted(day)) return []
  const posted = new Map((day.book?.accounts ?? []).map(({ account, amount }) => [account, amount]))
  return [...new Set([...posted.keys(), ...sums.keys()])].flatMap((account) => {
    const [there, said] = [sums.get(account) ?? 0, posted.get(account) ?? 0]
    if (there === said) return []
    const detail = `the sheets of ${day.bill_date} move ${account} by ¥${yuanText(there)}, posted was ¥${yuanText(said)}`
    return [newFinding({ ...day, out_trade_no: null }, 'sheets_differ', { amount: Math.abs(there - said), detail })]
  })
}

/** Reads both once more: a look may have posted in between. */
async function confirmedSheets(store: ProofStore, { mchid, bill_date }: PostedDay): Promise<Finding[]> {
  const day = await store.reconciliations.find({ mchid, bill_date })
  return day === null ? [] : sheetFindings(day, await sumsOf(store, day))
}

async function clearingFindings(
  store: ProofStore,
  day: PostedDay,
  newest_ms: number,
  now_ms: number,
): Promise<Finding[]> {
  const found = await clearingOf(store, day, { since_ms: newest_ms })
  const age_days = Math.floor((now_ms - dayRange(day.bill_date).to_ms) / day_ms)
  const about = { mchid: day.mchid, out_trade_no: null }
  const findings = found.open.map(({ account, key, amount }) =>
    newFinding(about, 'clearing_open', {
      amount: Math.abs(amount),
      detail: `¥${yuanText(amount)} of ${day.bill_date} stands on ${account}/${key} after ${age_days} days`,
    }),
  )
  if (!found.is_cut) return findings
  const [flaw] = clearingFlaws(found, day.bill_date, age_days)
  return [...findings, newFinding(about, 'clearing_open', { detail: flaw === undefined ? '' : flawText(flaw) })]
}

/** An account from its opening to the end of its last bill. */
async function balanceFindings(
  { journal }: ProofStore,
  { mchid, type }: { mchid: string; type: FlowBill },
  days: readonly PostedDay[],
  moved: ReadonlyMap<string, number>,
): Promise<Finding[]> {
  const account = cash_accounts[type]
  const shown = days.flatMap((day) => balanceOf(day, type)?.closing ?? []).at(-1)
  if (shown === undefined) return []
  const opening = (await journal.sumsOfOpenings(mchid, account)).get(account) ?? 0
  const held = opening + (moved.get(account) ?? 0)
  if (held === shown) return []
  const detail = `${account} holds ¥${yuanText(held)}, and the last ${billName(type)} says ¥${yuanText(shown)}`
  const amount = Math.abs(held - shown)
  return [newFinding({ mchid, out_trade_no: null }, 'balance_differs', { amount, detail })]
}
