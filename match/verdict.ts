import { paymentDeviations, refundDeviations } from '../domain/bill/record.ts'
import type { DayPayment, DayRefund, Deviation, DeviationSubject } from '../domain/bill/record.ts'
import type { TradeRow } from '../domain/bill/row.ts'
import type { ForeignTest } from './owner.ts'

/** The one class that each row and each record ends in; rows that cannot be read are a class of their own. */
export type MatchClass = 'matched' | 'waiting' | 'different' | 'foreign'

/** The class of each kind of difference: what the other side may still bring waits, all else is for a person. */
export const match_kinds = {
  number: 'different',
  amount: 'different',
  state: 'different',
  refund_number: 'different',
  refund_amount: 'different',
  refund_state: 'different',
  duplicate: 'different',
  missing_there: 'waiting',
  refund_missing_there: 'waiting',
  missing_here: 'waiting',
  refund_missing_here: 'waiting',
} as const satisfies Record<string, MatchClass>
export type MatchKind = keyof typeof match_kinds

/** Verdict is what a row and a record are to each other. `kind`: null of what is matched or foreign. */
export interface Verdict {
  class: MatchClass
  kind: MatchKind | null
  fields: readonly Deviation[]
}

/** What it is called when one side has nothing, and when both have something else. The first that applies names it. */
interface KindNames {
  missing_here: MatchKind
  missing_there: MatchKind
  deviations: readonly (readonly [DeviationSubject, MatchKind])[]
}

const payment_kinds: KindNames = {
  missing_here: 'missing_here',
  missing_there: 'missing_there',
  deviations: [
    ['number', 'number'],
    ['amount', 'amount'],
    ['state', 'state'],
  ],
}

const refund_kinds: KindNames = {
  missing_here: 'refund_missing_here',
  missing_there: 'refund_missing_there',
  deviations: [
    ['number', 'refund_number'],
    ['amount', 'refund_amount'],
    ['state', 'refund_state'],
  ],
}

const matched: Verdict = { class: 'matched', kind: null, fields: [] }
const foreign: Verdict = { class: 'foreign', kind: null, fields: [] }

/** The same payment or refund once more on one side. */
export const duplicate_verdict: Verdict = differing('duplicate')

export function classifyPayment(row: TradeRow | null, record: DayPayment | null, isForeign: ForeignTest): Verdict {
  return classify(payment_kinds, row, record, paymentDeviations, isForeign)
}

export function classifyRefund(row: TradeRow | null, record: DayRefund | null, isForeign: ForeignTest): Verdict {
  return classify(refund_kinds, row, record, refundDeviations, isForeign)
}

/** Money that went back without a refund: no state of ours says so, with a record or without one. */
export function classifyReversal(row: TradeRow, record: DayPayment | null, isForeign: ForeignTest): Verdict {
  if (record === null && isForeign(row)) return foreign
  const ours = record === null ? '' : 'SUCCESS'
  return differing('state', [{ field: 'trade_state', about: 'state', bill: row.trade_state, ours }])
}

function classify<R>(
  kinds: KindNames,
  row: TradeRow | null,
  record: R | null,
  deviationsOf: (row: TradeRow, record: R) => Deviation[],
  isForeign: ForeignTest,
): Verdict {
  if (row === null) {
    if (record === null) throw new TypeError('nothing to classify')
    return differing(kinds.missing_there)
  }
  if (record === null) return isForeign(row) ? foreign : differing(kinds.missing_here)
  const fields = deviationsOf(row, record)
  if (fields.length === 0) return matched
  const named = kinds.deviations.find(([subject]) => fields.some(({ about }) => about === subject))
  if (named === undefined) throw new TypeError(`no kind is named for ${fields.map(({ field }) => field).join(', ')}`)
  return differing(named[1], fields)
}

function differing(kind: MatchKind, fields: readonly Deviation[] = []): Verdict {
  return { class: match_kinds[kind], kind, fields }
}
