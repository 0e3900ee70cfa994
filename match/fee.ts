import { assertExact } from '../domain/bill/exact.ts'
import type { TradeRow } from '../domain/bill/row.ts'

/** The rate that a merchant has agreed on, in millionths (0.6 %: 6,000), and how many fen a line may be off. */
export interface FeeTerms {
  rate_ppm: number
  /** rates of trade types that have their own */
  by_trade_type?: Readonly<Record<string, number>>
  tolerance: number
}

/** A payment that was charged other than agreed. Fees in 1/1000 fen. */
export interface FeeLine {
  transaction_id: string
  out_trade_no: string
  settled_total: number
  /** null: no rate is known */
  expected: number | null
  charged: number
}

/** FeeAudit is what was charged for the day's payments, and what had been agreed. Fees in 1/1000 fen. */
export interface FeeAudit {
  payment_count: number
  charged: number
  /** null: no rate is known */
  expected: number | null
  /** lines within the tolerance, below and above it; sums are what they are off by */
  match: { count: number; sum: number }
  under: { count: number; sum: number }
  over: { count: number; sum: number }
  /** what refunds gave back, negative */
  refund_count: number
  returned: number
  /** payments whose fee is not whole fen, whatever was agreed; the first of them by id */
  fractional: { count: number; lines: FeeLine[] }
  /** of those under and over the ones that are off by most, the worst first */
  lines: FeeLine[]
}

const most_fee_lines = 100
const million = 1_000_000

/** The fee of an amount in 1/1000 fen: rounded half-up to the fen, as WeChat Pay rounds. */
export function expectedFee(settled_total: number, rate_ppm: number): number {
  const product = settled_total * rate_ppm
  if (!Number.isSafeInteger(product))
    return Number((BigInt(settled_total) * BigInt(rate_ppm) + 500_000n) / 1_000_000n) * 1_000
  const rest = product % million
  return ((product - rest) / million + (rest >= million / 2 ? 1 : 0)) * 1_000
}

/** Adds up the fees of the rows that are ours. */
export class FeeTally {
  readonly #terms: FeeTerms | null
  readonly #audit: FeeAudit

  constructor(terms: FeeTerms | null) {
    this.#terms = terms
    const none = () => ({ count: 0, sum: 0 })
    this.#audit = {
      ...{ payment_count: 0, charged: 0, expected: terms === null ? null : 0 },
      ...{ match: none(), under: none(), over: none() },
      ...{ refund_count: 0, returned: 0, fractional: { count: 0, lines: [] }, lines: [] },
    }
  }

  /** What a refund gives back depends on the payment’s other refunds: it is summed only. */
  add(row: TradeRow): void {
    const audit = this.#audit
    if (row.kind !== 'payment') {
      audit.refund_count += 1
      audit.returned += row.fee
      return
    }
    audit.payment_count += 1
    audit.charged += row.fee
    const expected = this.#terms && expectedFee(row.settled_total, rateOf(this.#terms, row))
    if (row.fee % 1_000 !== 0) this.#addFractional(feeLine(row, expected))
    if (this.#terms === null || expected === null || audit.expected === null) return
    audit.expected += expected
    const off = row.fee - expected
    const is_off = Math.abs(off) > this.#terms.tolerance * 1_000
    const group = is_off ? audit[off < 0 ? 'under' : 'over'] : audit.match
    group.count += 1
    group.sum += off
    if (!is_off) return
    audit.lines.push(feeLine(row, expected))
    if (audit.lines.length >= 2 * most_fee_lines) this.#trim()
  }

  #addFractional(line: FeeLine): void {
    const { fractional } = this.#audit
    fractional.count += 1
    fractional.lines.push(line)
    if (fractional.lines.length >= 2 * most_fee_lines) this.#trimFractional()
  }

  /** Throws `SumInexact`. */
  result(): FeeAudit {
    this.#trim()
    this.#trimFractional()
    const { charged, returned, expected, under, over } = this.#audit
    for (const sum of [charged, returned, expected ?? 0, under.sum, over.sum, over.sum - under.sum])
      assertExact('手续费总金额', sum)
    return this.#audit
  }

  #trim(): void {
    const off = ({ charged, expected }: FeeLine) => Math.abs(charged - (expected ?? charged))
    this.#audit.lines.sort(
      (left, right) => off(right) - off(left) || (left.transaction_id < right.transaction_id ? -1 : 1),
    )
    this.#audit.lines.length = Math.min(this.#audit.lines.length, most_fee_lines)
  }

  #trimFractional(): void {
    const { lines } = this.#audit.fractional
    lines.sort((left, right) => (left.transaction_id < right.transaction_id ? -1 : 1))
    lines.length = Math.min(lines.length, most_fee_lines)
  }
}

function rateOf({ rate_ppm, by_trade_type = {} }: FeeTerms, { trade_type }: TradeRow): number {
  return Object.hasOwn(by_trade_type, trade_type) ? (by_trade_type[trade_type] ?? rate_ppm) : rate_ppm
}

function feeLine({ transaction_id, out_trade_no, settled_total, fee }: TradeRow, expected: number | null): FeeLine {
  return { transaction_id, out_trade_no, settled_total, expected, charged: fee }
}
