import { heartbeat } from '@temporalio/activity'
import { BalanceChain, edgeFlaws } from '../../domain/bill/balance.ts'
import type { DayBalance } from '../../domain/bill/balance.ts'
import type { DayFlaw } from '../../domain/bill/flaw.ts'
import type { BillRecord, DayKey } from '../../domain/bill/reconciliation.ts'
import type { FlowBill, FlowRow } from '../../domain/bill/row.ts'
import { edgesAround } from '../../store/edges.ts'
import { readOriginal } from '../../store/original.ts'
import type { Store } from '../../store/store.ts'
import { createStatementReader } from '../../wechat/statement/reader.ts'

/** What the movements of a day say of the account. Amounts in fen. */
export interface FlowOfDay {
  balance: DayBalance
  flaws: DayFlaw[]
}

/** A version of an account's fund flow. */
export type FlowBillRecord = BillRecord & { type: FlowBill }

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
  const reader = createStatementReader(bill.type)
  const chain = new BalanceChain(bill.type)
  for await (const bytes of readOriginal(store, bill)) {
    reader.push(bytes, (entry) => {
      if (!('row' in entry)) return
      chain.add(entry.row)
      take(entry.row)
    })
    heartbeat()
  }
  const end = reader.end(() => undefined)
  const { balance, flaws } = chain.end()
  return { balance, flaws: [...flaws, ...end.flaws.map((flaw): DayFlaw => ({ ...flaw, bill: bill.type }))] }
}
