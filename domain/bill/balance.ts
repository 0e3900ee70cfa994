import { yuanText } from '../money.ts'
import { flowName } from './row.ts'
import type { FlowBill, FlowRow } from './row.ts'

/** breaks that are told one by one */
const most_told = 5

/**
 * BalanceChain follows the account through a day: each line's balance must be the one before it and the line's own
 * amount. A line that is missing or doubled breaks it, whatever the footer says. Amounts in fen.
 */
export class BalanceChain {
  readonly #name: string
  readonly #flaws: string[] = []
  #opening: number | null = null
  #balance: number | null = null
  #breaks = 0

  constructor(type: FlowBill) {
    this.#name = flowName(type)
  }

  add({ line, direction, amount, balance: stated }: FlowRow): void {
    const before = direction === 'in' ? stated - amount : stated + amount
    this.#opening ??= before
    if (this.#balance !== null && this.#balance !== before) this.#break(line, before, this.#balance)
    this.#balance = stated
  }

  /** What the day comes to; it must begin with `closing_before`, where that is known. */
  end(closing_before: number | null): { balance: { opening: number; closing: number } | null; flaws: string[] } {
    const [opening, closing, flaws] = [this.#opening, this.#balance, [...this.#flaws]]
    if (this.#breaks > most_told) flaws.push(`the balance of the ${this.#name} breaks at ${this.#breaks} lines`)
    if (opening !== null && closing_before !== null && opening !== closing_before)
      flaws.push(
        `the ${this.#name} begins with ¥${yuanText(opening)}, and the day before ended with ¥${yuanText(closing_before)}`,
      )
    return { balance: opening === null || closing === null ? null : { opening, closing }, flaws }
  }

  #break(line: number, before: number, ended: number): void {
    this.#breaks += 1
    if (this.#breaks > most_told) return
    this.#flaws.push(
      `the balance of line ${line} of the ${this.#name} goes on from ¥${yuanText(before)}, and the line before it ends with ¥${yuanText(ended)}`,
    )
  }
}
