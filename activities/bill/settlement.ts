import { dayRange } from '../../domain/bill/reconciliation.ts'
import type { Booking, DayKey } from '../../domain/bill/reconciliation.ts'
import { isFlowBill } from '../../domain/bill/row.ts'
import type { BillRow, BillType, FlowRow, TradeRow } from '../../domain/bill/row.ts'
import { isUnknownMovement } from '../../domain/bill/sheet.ts'
import { broughtByFlow, calledByTrade, lackReason, lackFlaws } from '../../domain/bill/settlement.ts'
import type { DayFlaw } from '../../domain/bill/flaw.ts'
import type { DaySettlement, Lack } from '../../domain/bill/settlement.ts'
import { beijingDay, milliseconds } from '../../domain/calendar.ts'
import { yuanText } from '../../domain/money.ts'
import { openKeys } from '../../store/clearance.ts'
import type { Store } from '../../store/store.ts'
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
 * DayLacks says at once which of our payments and refunds the fund flow of their own day should have and has not. It is
 * given the rows of the day's bills, the trade bill first, so that each movement finds its row, while they are posted; of
 * a day whose bills were seen to be uneven. `settlement` has all of them already.
 */
export class DayLacks {
  readonly #settlement: DaySettlement
  readonly #suspects = new Map<string, Suspect>()
  readonly #by_number = new Map<string, Suspect>()
  /** by account, when the latest row succeeded that has its own movement */
  readonly #latest = new Map<Lack['account'], number>()
  #is_cut = false

  constructor(settlement: DaySettlement) {
    this.#settlement = settlement
  }

  add(type: BillType, rows: readonly BillRow<BillType>[]): void {
    for (const row of rows)
      if (isFlowBill(type)) addMovement(row as FlowRow, this.#suspects, this.#by_number)
      else this.#addTrade(row as TradeRow)
  }

  #addTrade(row: TradeRow): void {
    const suspect = suspectOf(row)
    if (suspect === null) return
    if (!this.#settlement.mayLack(suspect)) this.#noteBooked(suspect)
    else if (this.#suspects.size >= most_suspects) this.#is_cut = true
    else {
      this.#suspects.set(`${suspect.account} ${suspect.key}`, suspect)
      this.#by_number.set(suspect.out_no, suspect)
    }
  }

  #noteBooked({ account, time_ms }: Pick<Lack, 'account' | 'time_ms'>): void {
    this.#latest.set(account, Math.max(this.#latest.get(account) ?? 0, time_ms))
  }

  /**
   * What is missing, once all rows were given and are posted, so that the book tells what is open. Money that WeChat Pay
   * books on a later day is not missed: one is missing only where later ones are there, where the days around had theirs
   * on their day, or where another movement stands in its place.
   */
  async judge(store: Store, day: DayKey): Promise<SettledDay> {
    const lacks: Suspect[] = []
    for (const suspect of this.#suspects.values()) {
      if (suspect.left === 0) this.#noteBooked(suspect)
      else lacks.push(suspect)
    }
    lacks.sort((one, other) => one.time_ms - other.time_ms)
    const booking = this.#settlement.booking(this.#latest.has('wechat.pending'))
    const ours = await openOnes(store, day, lacks.slice(0, most_told))
    const usual = booking === null && ours.length > 0 ? await usualBooking(store, day) : booking
    const found = ours.flatMap((lack) => {
      const reason = lackReason(lack, { latest_ms: this.#latest.get(lack.account) ?? null, usual })
      return reason === null ? [] : [{ lack, reason }]
    })
    return { booking, flaws: lackFlaws(found, this.#is_cut || lacks.length > most_told) }
  }
}

/** A row of the trade bill that may lack its movement, and what its movements leave of it. */
interface Suspect extends Lack {
  left: number
  row: Pick<TradeRow, 'transaction_id' | 'out_trade_no'>
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
