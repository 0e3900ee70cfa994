import type { BillRecord } from '../../domain/bill/reconciliation.ts'
import { isFlowBill } from '../../domain/bill/row.ts'
import type { FlowRow, TradeRow } from '../../domain/bill/row.ts'
import { DaySettlement } from '../../domain/bill/settlement.ts'
import type { Store } from '../../store/store.ts'
import { remarkAmounts } from '../../wechat/statement/remark.ts'
import { DayLacks } from './settlement.ts'
import { readRows } from './statement.ts'
import { DayTransfers } from './transfer.ts'

/** DaySurvey is what is known of a day's bills before the first of their rows is posted. */
export interface DaySurvey {
  /** movements between the merchant's accounts, by their names */
  transfers: ReadonlySet<string>
  /** is given the rows while they are posted; null: the day lacks nothing */
  lacks: DayLacks | null
}

/**
 * Reads the bills of a day once for all that posting has to know before: the fund flows where there are several, since
 * only both lines of a transfer tell what it is, and all bills of a day that was seen to be uneven. Others are not read.
 * `beat` is called all the while. Throws BillDamaged.
 */
export async function surveyDay(
  store: Pick<Store, 'bills'>,
  bills: readonly BillRecord[],
  { is_uneven, beat }: { is_uneven: boolean; beat: () => void },
): Promise<DaySurvey> {
  const flows = bills.filter(({ type, state }) => isFlowBill(type) && state === 'ready')
  const settlement = new DaySettlement()
  const transfers = new DayTransfers()
  for (const bill of is_uneven ? bills : flows.length > 1 ? flows : []) {
    const { type } = bill
    for await (const rows of readRows(store, bill)) {
      for (const row of rows) {
        if (!isFlowBill(type)) {
          settlement.addTrade(row as TradeRow)
          continue
        }
        const movement = row as FlowRow
        transfers.add(type, movement)
        if (is_uneven) settlement.addFlow(type, movement, remarkAmounts(movement.remark))
      }
      beat()
    }
  }
  return { transfers: transfers.names(), lacks: is_uneven ? new DayLacks(settlement) : null }
}
