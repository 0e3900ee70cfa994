import type { FlowBill, FlowRow } from '../../domain/bill/row.ts'
import { transferKey } from '../../domain/bill/sheet.ts'

/** movements of no order that are remembered of one account; those behind them are no transfers to Weft */
const most_remembered = 50_000

/** A movement that may have its other side on another account. */
interface Leg {
  type: FlowBill
  direction: FlowRow['direction']
}

/**
 * DayTransfers finds the movements by which money went from one of a merchant's accounts to another on a day: what leaves
 * one and what arrives in the other under the same number and of the same amount. WeChat Pay does not document the words
 * for them, so the two lines prove each other; what has no other side is what its word says.
 */
export class DayTransfers {
  readonly #legs = new Map<string, Leg[]>()
  readonly #counts = new Map<FlowBill, number>()

  /** Takes a movement of an account's fund flow. */
  add(type: FlowBill, row: FlowRow): void {
    const name = transferName(row)
    const count = this.#counts.get(type) ?? 0
    if (name === null || count >= most_remembered) return
    this.#counts.set(type, count + 1)
    this.#legs.set(name, [...(this.#legs.get(name) ?? []), { type, direction: row.direction }])
  }

  /** Those of all that were taken, by their names. */
  names(): Set<string> {
    return new Set([...this.#legs].filter(([, pair]) => isTransfer(pair)).map(([name]) => name))
  }
}

/** How a movement is found among a day's transfers; null: it can be none. */
export function transferName(row: FlowRow): string | null {
  const number = transferKey(row)
  return number === null ? null : `${number} ${row.amount}`
}

function isTransfer([one, other, ...more]: readonly Leg[]): boolean {
  if (one === undefined || other === undefined || more.length > 0) return false
  return one.type !== other.type && one.direction !== other.direction
}
