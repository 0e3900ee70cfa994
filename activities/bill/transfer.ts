import type { BillRecord } from '../../domain/bill/reconciliation.ts'
import { isFlowBill } from '../../domain/bill/row.ts'
import type { FlowBill, FlowRow } from '../../domain/bill/row.ts'
import { transferKey } from '../../domain/bill/sheet.ts'
import { readOriginal } from '../../store/original.ts'
import type { Store } from '../../store/store.ts'
import { createStatementReader } from '../../wechat/statement/reader.ts'

/** movements of no order that are remembered of one file; those behind them are no transfers to Weft */
const most_remembered = 50_000

/** A movement that may have its other side on another account. */
interface Leg {
  type: FlowBill
  direction: FlowRow['direction']
}

/**
 * The movements by which money went from one of a merchant's accounts to another on a day: what leaves one and what
 * arrives in the other under the same number and of the same amount. WeChat Pay does not document the words for them, so
 * the two lines prove each other; what has no other side is what its word says. `beat` is called all the while.
 */
export async function transfersOf(
  store: Pick<Store, 'bills'>,
  bills: readonly BillRecord[],
  beat: () => void,
): Promise<Set<string>> {
  const flows = bills.filter(({ type, state }) => isFlowBill(type) && state === 'ready')
  const legs = new Map<string, Leg[]>()
  if (flows.length > 1)
    for (const bill of flows) for await (const row of unownedRows(store, bill, beat)) remember(legs, bill.type, row)
  return new Set([...legs].filter(([, pair]) => isTransfer(pair)).map(([name]) => name))
}

/** How a movement is found among a day's transfers; null: it can be none. */
export function transferName(row: FlowRow): string | null {
  const number = transferKey(row)
  return number === null ? null : `${number} ${row.amount}`
}

function remember(legs: Map<string, Leg[]>, type: BillRecord['type'], row: FlowRow): void {
  const name = transferName(row)
  if (name === null || !isFlowBill(type)) return
  legs.set(name, [...(legs.get(name) ?? []), { type, direction: row.direction }])
}

function isTransfer([one, other, ...more]: readonly Leg[]): boolean {
  if (one === undefined || other === undefined || more.length > 0) return false
  return one.type !== other.type && one.direction !== other.direction
}

/** The movements of a fund flow that are of no order. */
async function* unownedRows(store: Pick<Store, 'bills'>, bill: BillRecord, beat: () => void): AsyncGenerator<FlowRow> {
  const reader = createStatementReader('fundflow')
  let held: FlowRow[] = []
  let count = 0
  const take: Parameters<typeof reader.push>[1] = (entry) => {
    if ('row' in entry && transferKey(entry.row) !== null && count < most_remembered) {
      count += 1
      held.push(entry.row)
    }
  }
  for await (const bytes of readOriginal(store, bill)) {
    reader.push(bytes, take)
    yield* held
    held = []
    beat()
  }
  reader.end(take)
  yield* held
}
