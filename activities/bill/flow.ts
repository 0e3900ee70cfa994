import { heartbeat } from '@temporalio/activity'
import { BalanceChain, edgeFlaws } from '../../domain/bill/balance.ts'
import type { DayBalance } from '../../domain/bill/balance.ts'
import type { DayFlaw } from '../../domain/bill/flaw.ts'
import type { DayKey } from '../../domain/bill/reconciliation.ts'
import type { FlowBill, FlowRow } from '../../domain/bill/row.ts'
import { edgesAround } from '../../store/edges.ts'
import type { Store } from '../../store/store.ts'
import { readStatement } from './statement.ts'
import type { BillOfType } from './statement.ts'

/** What the movements of a day say of the account. Amounts in fen. */
export interface FlowOfDay {
  balance: DayBalance
  flaws: DayFlaw[]
}

/** A version of an account's fund flow. */
export type FlowBillRecord = BillOfType<FlowBill>

/** Is given each line that can be read. */
export type TakeMovement = (row: FlowRow) => void

type FlowStore = Pick<Store, 'bills' | 'reconciliations'>

/**
 * Reads the fund flow to its end. Each line's balance must be the one before it and the line's own amount, and the days
 * around it must go on from each other: a line that is missing or doubled breaks the chain, whatever the footer says.
 */
export async function readFlow(
  store: FlowStore,
  day: DayKey,
  bill: FlowBillRecord,
  take: TakeMovement = () => undefined,
): Promise<FlowOfDay> {
  const { balance, flaws } = bill.state === 'none' ? { balance: null, flaws: [] } : await readLines(store, bill, take)
  return { balance, flaws: [...flaws, ...edgeFlaws(balance, await edgesAround(store, day, bill.type), bill.type)] }
}

async function readLines(store: FlowStore, bill: FlowBillRecord, take: TakeMovement): Promise<FlowOfDay> {
  const chain = new BalanceChain(bill.type)
  const of_file: DayFlaw[] = []
  for await (const piece of readStatement(store, bill)) {
    for (const entry of piece.entries) {
      if (!('row' in entry)) continue
      chain.add(entry.row)
      take(entry.row)
    }
    of_file.push(...piece.flaws.map((flaw): DayFlaw => ({ ...flaw, bill: bill.type })))
    heartbeat()
  }
  const { balance, flaws } = chain.end()
  return { balance, flaws: [...flaws, ...of_file] }
}
