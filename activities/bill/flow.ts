import { heartbeat } from '@temporalio/activity'
import type { BillRecord } from '../../domain/bill/reconciliation.ts'
import { yuanText } from '../../domain/money.ts'
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
  const flaws: string[] = []
  let opening: number | null = null
  let balance: number | null = null
  let breaks = 0
  for await (const bytes of readOriginal(store, bill)) {
    reader.push(bytes, (entry) => {
      if (!('row' in entry)) return
      const { line, direction, amount, balance: stated } = entry.row
      const before = direction === 'in' ? stated - amount : stated + amount
      opening ??= before
      if (balance !== null && balance !== before) {
        breaks += 1
        if (breaks <= 5)
          flaws.push(
            `the balance of line ${line} of the fund flow goes on from ¥${yuanText(before)}, and the line before it ends with ¥${yuanText(balance)}`,
          )
      }
      balance = stated
    })
    heartbeat()
  }
  const end = reader.end(() => undefined)
  if (breaks > 5) flaws.push(`the balance of the fund flow breaks at ${breaks} lines`)
  if (opening !== null && closing_before !== null && opening !== closing_before)
    flaws.push(
      `the fund flow begins with ¥${yuanText(opening)}, and the day before ended with ¥${yuanText(closing_before)}`,
    )
  flaws.push(...end.flaws.map(({ text }) => `fund flow: ${text}`))
  return { balance: opening === null || balance === null ? null : { opening, closing: balance }, flaws }
}
