import { assertExact } from '../domain/bill/exact.ts'
import type { TradeRow } from '../domain/bill/row.ts'
import { footerNames } from './tally.ts'

/** ForeignGroup is what another system on this merchant number took and gave back, by appid and shape of number. */
export interface ForeignGroup {
  appid: string
  /** the shape of out_trade_no: `A9-9` of `SHOP20261122-17`; `*`: of any shape, since there are too many */
  pattern: string
  payment_count: number
  refund_count: number
  reversal_count: number
  /** fen: 应结订单金额 of payments, 退款金额 of refunds and reversals */
  payment_sum: number
  refund_sum: number
  /** the first of its numbers in order of text */
  example: string
}

const most_groups = 500
const most_runs = 6

/** Runs of digits, small and capital letters become one 9, a and A each. */
export function numberShape(number: string): string {
  const runs = number.match(/[0-9]+|[a-z]+|[A-Z]+|[^0-9a-zA-Z]+/g) ?? []
  const shape = runs.slice(0, most_runs).map((run) => {
    const [first = ''] = run
    if (/[0-9]/.test(first)) return '9'
    return /[a-z]/.test(first) ? 'a' : /[A-Z]/.test(first) ? 'A' : first
  })
  return shape.join('') + (runs.length > most_runs ? '…' : '')
}

/** How exactly groups are told apart. Of too many the next is taken, whatever order the rows come in. */
const groupings: readonly ((row: TradeRow) => readonly [appid: string, pattern: string])[] = [
  (row) => [row.appid, numberShape(row.out_trade_no)],
  (row) => [row.appid, '*'],
  () => ['*', '*'],
]

/** Counts the rows that are not this system’s, in a bounded number of groups. Throws `SumInexact`. */
export class ForeignTally {
  #level = 0
  #groups = new Map<string, ForeignGroup>()

  add(row: TradeRow): void {
    const [appid, pattern] = (groupings[this.#level] ?? everyRow)(row)
    this.#merge({
      ...{ appid, pattern, example: row.out_trade_no },
      payment_count: row.kind === 'payment' ? 1 : 0,
      refund_count: row.kind === 'refund' ? 1 : 0,
      reversal_count: row.kind === 'reversal' ? 1 : 0,
      payment_sum: row.kind === 'payment' ? row.settled_total : 0,
      refund_sum: row.kind === 'payment' ? 0 : row.settlement_refund,
    })
    while (this.#groups.size > most_groups) this.#coarsen()
  }

  /** By appid, then pattern. */
  result(): ForeignGroup[] {
    const key = ({ appid, pattern }: ForeignGroup) => `${appid} ${pattern}`
    return [...this.#groups.values()].sort((left, right) => (key(left) < key(right) ? -1 : 1))
  }

  #coarsen(): void {
    this.#level += 1
    const groups = [...this.#groups.values()]
    this.#groups = new Map()
    for (const group of groups) this.#merge({ ...group, pattern: '*', ...(this.#level > 1 && { appid: '*' }) })
  }

  #merge(more: ForeignGroup): void {
    const key = JSON.stringify([more.appid, more.pattern])
    const group = this.#groups.get(key)
    if (group === undefined) {
      this.#groups.set(key, more)
      return
    }
    for (const count of ['payment_count', 'refund_count', 'reversal_count'] as const) group[count] += more[count]
    group.payment_sum += more.payment_sum
    group.refund_sum += more.refund_sum
    assertExact(footerNames('payment').settled, group.payment_sum)
    assertExact(footerNames('refund').settled, group.refund_sum)
    if (more.example < group.example) group.example = more.example
  }
}

function everyRow(): readonly [string, string] {
  return ['*', '*']
}
