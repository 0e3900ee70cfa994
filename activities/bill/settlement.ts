import { dayRange } from '../../domain/bill/reconciliation.ts'
import type { BillRecord, Booking, DayKey } from '../../domain/bill/reconciliation.ts'
import { isFlowBill } from '../../domain/bill/row.ts'
import type { FlowRow, TradeRow } from '../../domain/bill/row.ts'
import { isUnknownMovement } from '../../domain/bill/sheet.ts'
import { broughtByFlow, calledByTrade, DaySettlement, lackReason, lackFlaws } from '../../domain/bill/settlement.ts'
import type { DayFlaw } from '../../domain/bill/flaw.ts'
import type { Lack } from '../../domain/bill/settlement.ts'
import { beijingDay, milliseconds } from '../../domain/calendar.ts'
import { yuanText } from '../../domain/money.ts'
import { openKeys } from '../../store/clearance.ts'
import { readOriginal } from '../../store/original.ts'
import type { Store } from '../../store/store.ts'
import { createStatementReader } from '../../wechat/statement/reader.ts'
import { remarkAmounts } from '../../wechat/statement/remark.ts'
import { tradeOwners } from './owner.ts'

/** Rows that are remembered at once, and those of them that are looked up: with more, one of them says enough. */
const most_suspects = 100_000
const most_told = 1_000
/** days on either side that are asked how they were booked */
const days_around = 7
const day_ms = 86_400_000

/** How a day's payments were booked, and why its fund flow is wrong as far as the day itself shows. */
export interface SettledDay {
  booking: Booking | null
  flaws: DayFlaw[]
}

/**
 * Says at once which of our payments and refunds the fund flow of their own day should have and has not. Money that
 * WeChat Pay books on a later day is not missed: one is missing only where later ones are there, where the days around had
 * theirs on their day, or where another movement stands in its place. Called when the day is posted, so that the book
 * tells what is open; of a day whose bills were seen to be uneven, whose files are then read twice more.
 */
export async function settleDay(
  store: Store,
  day: DayKey,
  bills: readonly BillRecord[],
  beat: () => void,
): Promise<SettledDay> {
  const settlement = new DaySettlement()
  const read: ReadRows = (bill, take) => readRows(store, bill, take, beat)
  for (const bill of bills) await readInto(read, bill, settlement)
  const { lacks, latest, is_cut } = await lacksOf(read, bills, settlement)
  const booking = settlement.booking(latest.has('wechat.pending'))
  const ours = await openOnes(store, day, lacks.slice(0, most_told))
  const usual = booking === null && ours.length > 0 ? await usualBooking(store, day) : booking
  const found = ours.flatMap((lack) => {
    const reason = lackReason(lack, { latest_ms: latest.get(lack.account) ?? null, usual })
    return reason === null ? [] : [{ lack, reason }]
  })
  return { booking, flaws: lackFlaws(found, is_cut || lacks.length > most_told) }
}

/** Reads the rows of a bill, to their end. */
type ReadRows = (bill: BillRecord, take: (row: TradeRow | FlowRow) => void) => Promise<void>

async function readInto(read: ReadRows, bill: BillRecord, settlement: DaySettlement): Promise<void> {
  const { type } = bill
  await read(bill, (row) => {
    if (!isFlowBill(type)) return settlement.addTrade(row as TradeRow)
    const movement = row as FlowRow
    settlement.addFlow(type, movement, remarkAmounts(movement.remark))
  })
}

/** A row of the trade bill that may lack its movement, and what its movements leave of it. */
interface Suspect extends Lack {
  left: number
  row: Pick<TradeRow, 'transaction_id' | 'out_trade_no'>
}

/** Rows whose movements are not theirs, the earliest first, and by account when the latest row succeeded that has its own. */
async function lacksOf(read: ReadRows, bills: readonly BillRecord[], settlement: DaySettlement) {
  const suspects = new Map<string, Suspect>()
  const by_number = new Map<string, Suspect>()
  const latest = new Map<Lack['account'], number>()
  let is_cut = false
  const noteBooked = ({ account, time_ms }: Pick<Lack, 'account' | 'time_ms'>) =>
    latest.set(account, Math.max(latest.get(account) ?? 0, time_ms))
  const addRow = (row: TradeRow) => {
    const suspect = suspectOf(row)
    if (suspect === null) return
    if (!settlement.mayLack(suspect)) noteBooked(suspect)
    else if (suspects.size >= most_suspects) is_cut = true
    else {
      suspects.set(`${suspect.account} ${suspect.key}`, suspect)
      by_number.set(suspect.out_no, suspect)
    }
  }
  // The trade bill comes first, so that each movement finds its row.
  for (const bill of bills)
    await read(bill, (row) => {
      if (isFlowBill(bill.type)) addMovement(row as FlowRow, suspects, by_number)
      else addRow(row as TradeRow)
    })
  const lacks: Suspect[] = []
  for (const suspect of suspects.values()) {
    if (suspect.left === 0) noteBooked(suspect)
    else lacks.push(suspect)
  }
  return { lacks: lacks.sort((one, other) => one.time_ms - other.time_ms), latest, is_cut }
}

function suspectOf(row: TradeRow): Suspect | null {
  const called = calledByTrade(row)
  if (called === null || called.amount === 0) return null
  const { transaction_id, out_trade_no, out_refund_no } = row
  const out_no = row.kind === 'payment' ? out_trade_no : (out_refund_no ?? '')
  const time_ms = milliseconds(row.time)
  return { ...called, out_no, time_ms, instead: null, left: called.amount, row: { transaction_id, out_trade_no } }
}

function addMovement(row: FlowRow, suspects: Map<string, Suspect>, by_number: Map<string, Suspect>): void {
  const { business_no, voucher_no, type } = row
  if (business_no === null) return
  if (isUnknownMovement(row)) {
    const about =
      suspects.get(`wechat.pending ${business_no}`) ?? suspects.get(`wechat.refund_transit ${business_no}`) ?? null
    if (about !== null) about.instead ??= { reason: 'other_word', found: type }
    return
  }
  for (const { account, key, amount } of broughtByFlow(row, remarkAmounts(row.remark))) {
    const suspect = suspects.get(`${account} ${key}`)
    if (suspect !== undefined) {
      suspect.left += amount
      if (suspect.left !== 0) suspect.instead = { reason: 'other_amount', found: `¥${yuanText(Math.abs(amount))}` }
      continue
    }
    const named = by_number.get(voucher_no)
    if (named?.account === account) named.instead ??= { reason: 'other_number', found: key }
  }
}

async function readRows(
  store: Store,
  bill: BillRecord,
  take: (row: TradeRow | FlowRow) => void,
  beat: () => void,
): Promise<void> {
  if (bill.state === 'none') return
  const reader = createStatementReader(bill.type)
  const takeRow: Parameters<typeof reader.push>[1] = (entry) => {
    if ('row' in entry) take(entry.row)
  }
  for await (const bytes of readOriginal(store, bill)) {
    reader.push(bytes, takeRow)
    beat()
  }
  reader.end(takeRow)
}

/** Those that are Weft's, and whose money no other day's fund flow has brought meanwhile. */
async function openOnes(store: Store, { mchid }: DayKey, lacks: readonly Suspect[]): Promise<Lack[]> {
  const owners = await tradeOwners(
    store,
    mchid,
    lacks.map(({ row }) => row),
  )
  const ours = lacks.filter((_, place) => owners[place] === 'ours')
  const open = await openKeys(store, mchid, ours)
  return ours.filter(({ account, key }) => open.has(`${account} ${key}`))
}

/** How the nearest day was booked that shows it. */
async function usualBooking({ reconciliations }: Store, { mchid, bill_date }: DayKey): Promise<Booking | null> {
  const { from_ms, to_ms } = dayRange(bill_date)
  const range = {
    bill_date_from: beijingDay(from_ms - days_around * day_ms),
    bill_date_to: beijingDay(to_ms + (days_around - 1) * day_ms),
  }
  const { data } = await reconciliations.list(mchid, range, { limit: 2 * days_around + 1 })
  const shown = data.filter((day) => day.bill_date !== bill_date && day.booking)
  const distance = (day: { bill_date: string }) => Math.abs(dayRange(day.bill_date).from_ms - from_ms)
  return shown.sort((one, other) => distance(one) - distance(other))[0]?.booking ?? null
}
