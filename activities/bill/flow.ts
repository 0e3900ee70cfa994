import { heartbeat } from '@temporalio/activity'
import { BalanceChain } from '../../domain/bill/balance.ts'
import { flowName } from '../../domain/bill/row.ts'
import type { FlowBill, FlowRow } from '../../domain/bill/row.ts'
import { balanceOf, dayRange } from '../../domain/bill/reconciliation.ts'
import type { BillRecord, DayKey, ReconciliationRecord } from '../../domain/bill/reconciliation.ts'
import { beijingDay } from '../../domain/calendar.ts'
import { yuanText } from '../../domain/money.ts'
import type { Store } from '../../store/store.ts'
import { createStatementReader } from '../../wechat/statement/reader.ts'
import { readOriginal } from '../../store/original.ts'

/** What the movements of a day say of the account. Amounts in fen. */
export interface FlowOfDay {
  balance: { opening: number; closing: number } | null
  flaws: string[]
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
  return { balance, flaws: [...flaws, ...chainFlaws(bill.type, balance, await edgesAround(store, day, bill.type))] }
}

async function readLines(store: FlowStore, bill: FlowBillRecord, take: TakeMovement): Promise<FlowOfDay> {
  const { type } = bill
  const reader = createStatementReader(type)
  const chain = new BalanceChain(type)
  for await (const bytes of readOriginal(store, bill)) {
    reader.push(bytes, (entry) => {
      if (!('row' in entry)) return
      chain.add(entry.row)
      take(entry.row)
    })
    heartbeat()
  }
  const end = reader.end(() => undefined)
  const { balance, flaws } = chain.end(null)
  return { balance, flaws: [...flaws, ...end.flaws.map(({ text }) => `${flowName(type)}: ${text}`)] }
}

/** A balance is carried over so many days on which nothing moved, and no further. */
const most_still_days = 30

/** The balance at that edge of another day's movements that is nearer to this day. */
interface Edge {
  bill_date: string
  amount: number
}

/** Where the days around this one ended and began; null: not known. */
async function edgesAround(store: FlowStore, { mchid, bill_date }: DayKey, type: FlowBill) {
  const { reconciliations } = store
  const limit = most_still_days + 1
  const { from_ms, to_ms } = dayRange(bill_date)
  const before = await reconciliations.list(mchid, { bill_date_to: bill_date }, { limit })
  const after = await reconciliations.list(mchid, { bill_date_from: beijingDay(to_ms) }, { limit, order: 'asc' })
  return {
    before: await nearestEdge(store, type, before.data, 'closing', (nth) => beijingDay(from_ms - nth * day_ms)),
    after: await nearestEdge(store, type, after.data, 'opening', (nth) => beijingDay(to_ms + (nth - 1) * day_ms)),
  }
}

const day_ms = 86_400_000

/** Passes over days on which nothing moved, and never over one that was not compared or not read to its end. */
async function nearestEdge(
  { bills }: FlowStore,
  type: FlowBill,
  days: readonly ReconciliationRecord[],
  edge: 'opening' | 'closing',
  dateOf: (nth: number) => string,
): Promise<Edge | null> {
  for (const [index, day] of days.entries()) {
    const { bill_date, versions, flaws } = day
    const balance = balanceOf(day, type)
    const version = versions[type]
    if (bill_date !== dateOf(index + 1) || version === undefined) return null
    if (balance !== null) return { bill_date, amount: balance[edge] }
    const is_still = flaws.length === 0 || (await bills.find(day, type, version))?.state === 'none'
    if (!is_still) return null
  }
  return null
}

/** Where the days around do not go on from this one's balance, or from each other's where nothing moved on it. */
function chainFlaws(
  type: FlowBill,
  balance: FlowOfDay['balance'],
  { before, after }: { before: Edge | null; after: Edge | null },
): string[] {
  const name = flowName(type)
  const ended = (edge: Edge) => `that of ${edge.bill_date} ended with ¥${yuanText(edge.amount)}`
  const begins = (edge: Edge) => `that of ${edge.bill_date} begins with ¥${yuanText(edge.amount)}`
  if (balance === null) {
    if (before === null || after === null || before.amount === after.amount) return []
    return [`nothing moved, and of the ${name.replace('flow', 'flows')} around, ${ended(before)}, and ${begins(after)}`]
  }
  const { opening, closing } = balance
  return [
    ...(before === null || before.amount === opening
      ? []
      : [`the ${name} begins with ¥${yuanText(opening)}, and ${ended(before)}`]),
    ...(after === null || after.amount === closing
      ? []
      : [`the ${name} ends with ¥${yuanText(closing)}, and ${begins(after)}`]),
  ]
}
