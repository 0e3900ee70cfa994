import { assertExact } from '../domain/bill/exact.ts'
import type { ClassCounts } from '../domain/bill/reconciliation.ts'
import type { DayRecord } from '../domain/bill/record.ts'
import { rowTotal } from '../domain/bill/row.ts'
import type { TradeKind, TradeRow } from '../domain/bill/row.ts'
import type { MatchClass, MatchKind, Verdict } from './verdict.ts'

/** ClassTally counts and adds up the rows, or the records, of one subject, class and kind. */
export interface ClassTally {
  side: 'bill' | 'ours'
  subject: TradeKind
  class: MatchClass
  kind: MatchKind | null
  count: number
  /** fen: of payments 订单金额, of refunds 申请退款金额; where a layout has none, the settled amount */
  total: number
  /** fen: of payments 应结订单金额, of refunds and reversals 退款金额; where WeChat never said, the total */
  settled: number
  /** 1/1000 fen; 0 of records */
  fee: number
}

/** Adds up both sides by class and kind. Whatever is in it has been given a class once. */
export class TallySheet {
  readonly #tallies: Record<ClassTally['side'], Record<TradeKind, Map<MatchKind | MatchClass, ClassTally>>> = {
    bill: { payment: new Map(), refund: new Map(), reversal: new Map() },
    ours: { payment: new Map(), refund: new Map(), reversal: new Map() },
  }

  addRow(row: TradeRow, verdict: Verdict): void {
    const { kind, settled_total, settlement_refund, fee } = row
    const settled = kind === 'payment' ? settled_total : settlement_refund
    this.#add('bill', kind, verdict, [rowTotal(row), settled, fee])
  }

  addRecord(record: DayRecord, verdict: Verdict): void {
    const [total, settled] =
      record.kind === 'payment'
        ? [record.total, record.settled_total]
        : [record.refund, record.settlement_refund ?? record.refund]
    this.#add('ours', record.kind, verdict, [total, settled, 0])
  }

  /** In order of side, subject, class and kind. Throws `SumInexact`. */
  result(): ClassTally[] {
    const tallies = (['bill', 'ours'] as const)
      .flatMap((side) => this.#talliesOf(side))
      .sort((left, right) => (orderOf(left) < orderOf(right) ? -1 : 1))
    for (const { subject, total, settled, fee } of tallies) {
      const names = footerNames(subject)
      assertExact(names.total, total)
      assertExact(names.settled, settled)
      assertExact('手续费总金额', fee)
    }
    return tallies
  }

  /** Throws unless each of the `all` that came is in exactly one class. */
  totals(side: ClassTally['side'], all: number, malformed: number): ClassCounts {
    const totals: ClassCounts = { all, matched: 0, waiting: 0, different: 0, foreign: 0, malformed }
    for (const tally of this.#talliesOf(side)) totals[tally.class] += tally.count
    const sum = totals.matched + totals.waiting + totals.different + totals.foreign + malformed
    if (sum !== all) throw new RangeError(`of ${all} on the side “${side}” ${sum} have a class`)
    return totals
  }

  #talliesOf(side: ClassTally['side']): ClassTally[] {
    return Object.values(this.#tallies[side]).flatMap((tallies) => [...tallies.values()])
  }

  #add(
    side: ClassTally['side'],
    subject: TradeKind,
    verdict: Verdict,
    [total, settled, fee]: [number, number, number],
  ): void {
    const tallies = this.#tallies[side][subject]
    // A kind has one class, and what has no kind is told by its class.
    const name = verdict.kind ?? verdict.class
    let tally = tallies.get(name)
    if (tally === undefined) {
      tally = { side, subject, class: verdict.class, kind: verdict.kind, count: 0, total: 0, settled: 0, fee: 0 }
      tallies.set(name, tally)
    }
    tally.count += 1
    tally.total += total
    tally.settled += settled
    tally.fee += fee
  }
}

/** What the footer of a bill calls the sums of a subject. */
export function footerNames(subject: TradeKind): { total: string; settled: string } {
  return subject === 'payment'
    ? { total: '订单总金额', settled: '应结订单总金额' }
    : { total: '申请退款总金额', settled: '退款总金额' }
}

function orderOf({ side, subject, class: class_name, kind }: ClassTally): string {
  return `${side} ${subject} ${class_name} ${kind ?? ''}`
}
