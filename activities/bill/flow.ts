import { heartbeat } from '@temporalio/activity'
import { BalanceChain, edgeFlaws } from '../../domain/bill/balance.ts'
import type { DayBalance } from '../../domain/bill/balance.ts'
import type { DayFlaw } from '../../domain/bill/flaw.ts'
import type { BillRecord, DayKey } from '../../domain/bill/reconciliation.ts'
import { edgesAround } from '../../store/edges.ts'
import { readOriginal } from '../../store/original.ts'
import type { Store } from '../../store/store.ts'
import { createStatementReader } from '../../wechat/statement/reader.ts'

/** What the movements of a day say of the account. Amounts in fen. */
export interface FlowOfDay {
  balance: DayBalance
  flaws: DayFlaw[]
}

type FlowStore = Pick<Store, 'bills' | 'reconciliations'>

/**
 * Reads the fund flow to its end. Each line's balance must be the one before it and the line's own amount, and the days
 * around it must go on from each other: a line that is missing or doubled breaks the chain, whatever the footer says.
 */
export async function readFlow(store: FlowStore, day: DayKey, bill: BillRecord): Promise<FlowOfDay> {
  const { balance, flaws } = bill.state === 'none' ? { balance: null, flaws: [] } : await readLines(store, bill)
  return { balance, flaws: [...flaws, ...edgeFlaws(balance, await edgesAround(store, day, bill.type), bill.type)] }
}

async function readLines(store: FlowStore, bill: BillRecord): Promise<FlowOfDay> {
  const reader = createStatementReader('fundflow')
  const chain = new BalanceChain()
  for await (const bytes of readOriginal(store, bill)) {
    reader.push(bytes, (entry) => {
      if ('row' in entry) chain.add(entry.row)
    })
    heartbeat()
  }
  const end = reader.end(() => undefined)
  const { balance, flaws } = chain.end()
  return { balance, flaws: [...flaws, ...end.flaws.map((flaw): DayFlaw => ({ ...flaw, bill: bill.type }))] }
}
