import { flawOf } from './flaw.ts'
import type { DayFlaw } from './flaw.ts'
import type { BillType, FlowRow } from './row.ts'

/** breaks that are told one by one */
const most_told = 5

/** What the movements of a day come to, in fen; null: nothing moved. */
export type DayBalance = { opening: number; closing: number } | null

/**
 * BalanceChain follows the account through a day: each line's balance must be the one before it and the line's own
 * amount. A line that is missing or doubled breaks it, whatever the footer says. Amounts in fen.
 */
export class BalanceChain {
  readonly #bill: BillType
  readonly #flaws: DayFlaw[] = []
  #opening: number | null = null
  #balance: number | null = null
  #breaks = 0

  constructor(bill: BillType = 'fundflow') {
    this.#bill = bill
  }

  add({ line, direction, amount, balance: stated }: FlowRow): void {
    const before = direction === 'in' ? stated - amount : stated + amount
    this.#opening ??= before
    if (this.#balance !== null && this.#balance !== before) this.#break(line, before, this.#balance)
    this.#balance = stated
  }

  /** What the day comes to by itself; `edgeFlaws` holds it against the days around. */
  end(): { balance: DayBalance; flaws: DayFlaw[] } {
    const [opening, closing, flaws] = [this.#opening, this.#balance, [...this.#flaws]]
    if (this.#breaks > most_told) flaws.push(flawOf('more_breaks', { count: this.#breaks }, this.#bill))
    return { balance: opening === null || closing === null ? null : { opening, closing }, flaws }
  }

  #break(line: number, before: number, ended: number): void {
    this.#breaks += 1
    if (this.#breaks > most_told) return
    this.#flaws.push(flawOf('balance_breaks', { line, before, ended }, this.#bill))
  }
}

/** The balance at that edge of another day's movements that is nearer to this day, in fen. */
export interface BalanceEdge {
  bill_date: string
  amount: number
}

/** Where the days around a day ended and began; null: not known. */
export interface BalanceEdges {
  before: BalanceEdge | null
  after: BalanceEdge | null
}

/** Where the days around do not go on from this one's balance, or from each other's where nothing moved on it. */
export function edgeFlaws(
  balance: DayBalance,
  { before, after }: BalanceEdges,
  bill: BillType = 'fundflow',
): DayFlaw[] {
  if (balance === null) {
    if (before === null || after === null || before.amount === after.amount) return []
    const ended = { before_date: before.bill_date, ended: before.amount }
    return [flawOf('still_differs', { ...ended, after_date: after.bill_date, begins: after.amount }, bill)]
  }
  const { opening, closing } = balance
  const flaws: DayFlaw[] = []
  if (before !== null && before.amount !== opening)
    flaws.push(flawOf('opening_differs', { opening, bill_date: before.bill_date, ended: before.amount }, bill))
  if (after !== null && after.amount !== closing)
    flaws.push(flawOf('closing_differs', { closing, bill_date: after.bill_date, begins: after.amount }, bill))
  return flaws
}
