import type { DayFlaw } from '../../domain/bill/flaw.ts'
import type { BillRecord } from '../../domain/bill/reconciliation.ts'
import type { BillRow, BillType } from '../../domain/bill/row.ts'
import { readOriginal } from '../../store/original.ts'
import type { Store } from '../../store/store.ts'
import { createStatementReader } from '../../wechat/statement/reader.ts'
import type { StatementEntry } from '../../wechat/statement/reader.ts'

/** StatementPiece is what some bytes of a bill's file came to. */
export interface StatementPiece<T extends BillType> {
  entries: StatementEntry<T>[]
  /** why the file does not prove itself; of the last piece, and empty in all before it */
  flaws: DayFlaw[]
}

/** A version of a bill of this type. */
export type BillOfType<T extends BillType> = BillRecord & { type: T }

/**
 * The lines of a bill as it was fetched, in the order of the file, some hundred at a time, so that others have their turn
 * between. One without trade has none. Throws BillDamaged, at the latest before the last of them.
 */
export async function* readStatement<T extends BillType>(
  store: Pick<Store, 'bills'>,
  bill: BillOfType<T>,
): AsyncGenerator<StatementPiece<T>, void> {
  if (bill.state === 'none') return
  const reader = createStatementReader<T>(bill.type)
  let entries: StatementEntry<T>[] = []
  const take = (entry: StatementEntry<T>) => void entries.push(entry)
  for await (const bytes of readOriginal(store, bill)) {
    reader.push(bytes, take)
    yield { entries, flaws: [] }
    entries = []
  }
  const { flaws } = reader.end(take)
  yield { entries, flaws }
}

/** The same without what cannot be read, which has no row. */
export async function* readRows<T extends BillType>(
  store: Pick<Store, 'bills'>,
  bill: BillOfType<T>,
): AsyncGenerator<BillRow<T>[], void> {
  for await (const { entries } of readStatement(store, bill))
    yield entries.flatMap((entry) => ('row' in entry ? [entry.row] : []))
}
