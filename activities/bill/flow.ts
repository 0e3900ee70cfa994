import { heartbeat } from '@temporalio/activity'
import { BalanceChain } from '../../domain/bill/balance.ts'
import type { BillRecord } from '../../domain/bill/reconciliation.ts'
import type { Store } from '../../store/store.ts'
import { createStatementReader } from '../../wechat/statement/reader.ts'
import { readOriginal } from '../../store/original.ts'

/** What the movements of a day say of the account. Amounts in fen. */
export interface FlowOfDay {
  balance: { opening: number; closing: number } | null
  flaws: string[]
}

/**
 * Reads the fund flow to its end. Each line's balance must be the one before it and the line's own amount, and the first
 * must go on from where the day before ended: a line that is missing or doubled breaks the chain, whatever the footer says.
 */
export async function readFlow(
  store: Pick<Store, 'bills'>,
  bill: BillRecord,
  closing_before: number | null,
): Promise<FlowOfDay> {
  const reader = createStatementReader('fundflow')
  const chain = new BalanceChain()
  for await (const bytes of readOriginal(store, bill)) {
    reader.push(bytes, (entry) => {
      if ('row' in entry) chain.add(entry.row)
    })
    heartbeat()
  }
  const end = reader.end(() => undefined)
  const { balance, flaws } = chain.end(closing_before)
  return { balance, flaws: [...flaws, ...end.flaws.map(({ text }) => `fund flow: ${text}`)] }
}
