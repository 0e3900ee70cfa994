import type { DifferenceKind, DifferenceRecord } from '../../../domain/bill/difference.ts'

/** Whether WeChat Pay has more of the merchant's money than is recorded here (长款), or less (短款). */
export type Direction = 'more' | 'less'

type KeptSide = Record<string, unknown> | null
type Judged = Pick<DifferenceRecord, 'kind' | 'bill' | 'weft'>

/** What each kind says of that; a kind that is not listed says nothing. */
const directions: Partial<Record<DifferenceKind, (difference: Judged) => Direction | null>> = {
  missing_here: () => 'more',
  missing_there: () => 'less',
  phantom_payment: () => 'less',
  amount: ({ bill, weft }) => directionBy(apart(bill, weft)),
  // A refund takes money away: one that only WeChat Pay has leaves less there than is recorded here.
  refund_missing_here: () => 'less',
  refund_missing_there: () => 'more',
  refund_amount: ({ bill, weft }) => directionBy(-apart(bill, weft)),
  // By a REVOKED line money went back that is recorded as kept.
  state: ({ bill }) => (isReversal(bill) ? 'less' : null),
  duplicate: ({ bill, weft }) => {
    if (bill === null) return isOfPayment(weft) ? 'less' : 'more'
    return isOfPayment(bill) ? 'more' : 'less'
  },
}

/** 长款 or 短款 of a difference; null: it says nothing of that. */
export function directionOf(difference: Judged): Direction | null {
  return directions[difference.kind]?.(difference) ?? null
}

function directionBy(fen: number): Direction | null {
  return fen === 0 ? null : fen > 0 ? 'more' : 'less'
}

/** By how many fen the bill names more: of what was paid or asked for, and where that agrees, of what is settled. */
function apart(bill: KeptSide, weft: KeptSide): number {
  const [theirs, ours] = [amountsOf(bill), amountsOf(weft)]
  const at = theirs.findIndex((fen, index) => fen !== null && ours[index] !== null && fen !== ours[index])
  return at < 0 ? 0 : (theirs[at] ?? 0) - (ours[at] ?? 0)
}

/** A side as it was kept: of a refund `refund` is what was asked for, of a payment `total`; then what is settled. */
function amountsOf(side: KeptSide): (number | null)[] {
  if (side === null) return [null, null]
  const names = isOfPayment(side) ? ['total', 'settled_total'] : ['refund', 'settlement_refund']
  return names.map((name) => (typeof side[name] === 'number' ? side[name] : null))
}

/** The fen that a side names; null: it names none. Older layouts have the settled amount alone. */
export function fenOfSide(side: KeptSide): number | null {
  const [whole = null, settled = null] = amountsOf(side)
  return whole ?? settled
}

function isOfPayment(side: KeptSide): boolean {
  return side?.['kind'] !== 'refund' && !isReversal(side)
}

function isReversal(side: KeptSide): boolean {
  return side?.['kind'] === 'reversal'
}
