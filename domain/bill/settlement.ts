import { yuanText } from '../money.ts'
import { ClearingSums, isClearing } from './clearance.ts'
import type { OpenClearing } from './clearance.ts'
import { assertExact } from './exact.ts'
import { flawOf } from './flaw.ts'
import type { DayFlaw } from './flaw.ts'
import type { Booking, UnknownMovement } from './reconciliation.ts'
import { accountOfBill } from './row.ts'
import type { FlowBill, FlowRow, TradeRow } from './row.ts'
import { flowPostings, isUnknownMovement } from './sheet.ts'
import type { NamedAmounts } from './sheet.ts'

/** What a row of the trade bill calls for on the fund flow: its payment's money in, or its refund's out. Null: nothing. */
export function calledByTrade(row: TradeRow): OpenClearing | null {
  if (row.kind === 'payment') return { account: 'wechat.pending', key: row.transaction_id, amount: row.settled_total }
  if (row.kind === 'reversal' || row.refund_id === null) return null
  return { account: 'wechat.refund_transit', key: row.refund_id, amount: 0 - row.settlement_refund }
}

/** What a movement brings of it. */
export function broughtByFlow(row: FlowRow, named: NamedAmounts | null): OpenClearing[] {
  if (row.business_no === null) return []
  return flowPostings(row, 'ours', named).flatMap(({ account, key, amount }) =>
    isClearing(account) && account !== 'fee.clearing' ? [{ account, key, amount }] : [],
  )
}

/** words of one day that are told one by one */
const most_words = 20

/**
 * DaySettlement holds a day's trade bill against its fund flows, while both are read: whether each payment and refund has
 * its movement. In a few megabytes, however many there are.
 */
export class DaySettlement {
  readonly #sums = new ClearingSums()
  readonly #unknown = new Map<string, UnknownMovement>()
  #payments = 0
  #incomes = 0

  addTrade(row: TradeRow): void {
    const called = calledByTrade(row)
    if (called === null || called.amount === 0) return
    this.#sums.add(called)
    if (row.kind === 'payment') this.#payments += 1
  }

  /** Throws `SumInexact`. */
  addFlow(type: FlowBill, row: FlowRow, named: NamedAmounts | null): void {
    if (isUnknownMovement(row)) this.#addUnknown(type, row)
    for (const brought of broughtByFlow(row, named)) {
      this.#sums.add(brought)
      if (brought.account === 'wechat.pending') this.#incomes += 1
    }
  }

  #addUnknown(bill: FlowBill, { type, direction, amount }: FlowRow): void {
    const account = accountOfBill(bill)
    const name = `${account} ${direction} ${type}`
    const known = this.#unknown.get(name)
    if (known === undefined && this.#unknown.size >= most_words) return
    const before = known ?? { account, type, direction, count: 0, amount: 0 }
    const sum = before.amount + amount
    assertExact(direction === 'in' ? '收入金额' : '支出金额', sum, bill)
    this.#unknown.set(name, { ...before, count: before.count + 1, amount: sum })
  }

  /** Movements under words that no rule knows, the first words of the file. */
  unknown(): UnknownMovement[] {
    return [...this.#unknown.values()]
  }

  /** Every payment and refund has its movement, and every movement its row. */
  isEven(): boolean {
    return this.#sums.isZero()
  }

  /** Whether a row's movement may be missing or another; false: it is there. */
  mayLack(one: OpenClearing): boolean {
    return this.#sums.mayBeOpen(one)
  }

  /** How the day's payments were booked, where each has its movement; null: the day does not show it. */
  bookingIfEven(): Booking | null {
    return this.#payments > 0 && this.isEven() ? 'same_day' : null
  }

  /** The same, where `has_own`: a payment of this day was found on its fund flow. */
  booking(has_own: boolean): Booking | null {
    if (this.#payments === 0) return null
    if (has_own) return 'same_day'
    return this.#incomes > 0 ? 'later' : null
  }
}

/** Lack is a payment or refund on the trade bill whose movement is not as it should be. */
export interface Lack extends OpenClearing {
  /** what the trade bill calls it by */
  out_no: string
  /** Unix milliseconds */
  time_ms: number
  /** of the movement that is there in its place; null: there is none */
  instead: { reason: 'other_word' | 'other_number' | 'other_amount'; found: string } | null
}

/**
 * WeChat Pay books a payment within moments: so long before the latest one that is on the fund flow, one that is not there
 * is missing, and not on the next day's.
 */
export const booking_margin_ms = 10 * 60_000

/** Why a payment or refund is said to be missing on the day itself. */
export type LackReason = 'other_word' | 'other_number' | 'other_amount' | 'passed_over' | 'none_came'

/**
 * Judges one that is ours and open; null: it may still come with the next day's. `latest_ms`: when the latest of its kind
 * succeeded that is on the day's own fund flow; null: none is. `usual`: how the days around were booked.
 */
export function lackReason(
  { account, instead, time_ms }: Lack,
  { latest_ms, usual }: { latest_ms: number | null; usual: Booking | null },
): LackReason | null {
  if (instead !== null) return instead.reason
  if (latest_ms !== null) return time_ms < latest_ms - booking_margin_ms ? 'passed_over' : null
  return account === 'wechat.pending' && usual === 'same_day' ? 'none_came' : null
}

const most_named = 5

/** One flaw for each reason and kind, with the first of the numbers. */
export function lackFlaws(found: readonly { lack: Lack; reason: LackReason }[], is_cut: boolean): DayFlaw[] {
  const groups = new Map<string, { reason: LackReason; lacks: Lack[] }>()
  for (const { lack, reason } of found) {
    const name = `${reason} ${lack.account} ${reason === 'other_word' ? (lack.instead?.found ?? '') : ''}`
    const group = groups.get(name) ?? { reason, lacks: [] }
    group.lacks.push(lack)
    groups.set(name, group)
  }
  return [...groups.values()].map(({ reason, lacks }) => {
    const shown = lacks.slice(0, most_named)
    const instead = [...new Set(shown.flatMap((lack) => lack.instead?.found ?? []))]
    return flawOf(reason, {
      count: is_cut ? `> ${lacks.length}` : lacks.length,
      what: lacks[0]?.account === 'wechat.pending' ? 'payments' : 'refunds',
      amount: lacks.reduce((total, { amount }) => total + Math.abs(amount), 0),
      named: shown.map(({ key, amount }) => `${key} ¥${yuanText(Math.abs(amount))}`).join(', '),
      ...(instead.length > 0 && { found: instead.join(', ') }),
      advice: 'look_again',
    })
  })
}
