import type { BillType } from './row.ts'

/** A sum of a day that is too large to be kept exactly. It stays so however often the bill is read: the bill is wrong. */
export class SumInexact extends RangeError {
  override readonly name = 'SumInexact'
  /** what is summed, as the bill's footer names it */
  readonly summed: string
  readonly bill: BillType

  constructor(summed: string, sum: number, bill: BillType) {
    super(`${summed} comes to ${sum}, which is not exact`)
    this.summed = summed
    this.bill = bill
  }
}

/** Throws `SumInexact` unless `sum` is an integer that JavaScript and BSON keep exactly. */
export function assertExact(summed: string, sum: number, bill: BillType = 'trade'): void {
  if (!Number.isSafeInteger(sum)) throw new SumInexact(summed, sum, bill)
}
