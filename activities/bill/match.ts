import { cancellationSignal, heartbeat } from '@temporalio/activity'
import { assertExact, SumInexact } from '../../domain/bill/exact.ts'
import { flawOf } from '../../domain/bill/flaw.ts'
import type { DayFlaw } from '../../domain/bill/flaw.ts'
import {
  assertClassified,
  bill_days_kept,
  billsOfDay,
  flowsOfDay,
  isBillGone,
  most_foreign_groups,
  newReconciliation,
} from '../../domain/bill/reconciliation.ts'
import type {
  BillPolicy,
  ClassCounts,
  DayKey,
  DaySettled,
  DaySums,
  ForeignSum,
  ReconciliationRecord,
} from '../../domain/bill/reconciliation.ts'
import type { BillType, FlowBill, MalformedLine } from '../../domain/bill/row.ts'
import { DaySettlement } from '../../domain/bill/settlement.ts'
import { orderId, orderKey } from '../../domain/ids.ts'
import { billSettings } from '../../domain/merchant/bill.ts'
import type { MerchantRecord } from '../../domain/merchant/record.ts'
import { openMatch } from '../../match/match.ts'
import type { Match, MatchResult } from '../../match/match.ts'
import { footerNames } from '../../match/tally.ts'
import type { ClassTally } from '../../match/tally.ts'
import { recordsOf } from '../../store/side.ts'
import type { Store } from '../../store/store.ts'
import { remarkAmounts } from '../../wechat/statement/remark.ts'
import { currentTime, requireMerchant } from '../context.ts'
import type { ActivityContext } from '../context.ts'
import type { GatewayContext } from '../gateway.ts'
import { healDifference } from './acceptance.ts'
import { changesOf } from './changes.ts'
import type { DayLook } from './day.ts'
import { noteDifferences } from './differences.ts'
import type { DueTimes } from './differences.ts'
import { settleElsewhere } from './elsewhere.ts'
import type { Elsewhere } from './elsewhere.ts'
import { dayFees, feeDifferences, feeTerms } from './fee.ts'
import { readWhole } from './fetch.ts'
import { readFlow } from './flow.ts'
import type { FlowBillRecord, FlowOfDay, TakeMovement } from './flow.ts'
import { scratch_folder } from './scratch.ts'
import { readStatement } from './statement.ts'
import type { BillOfType } from './statement.ts'

/** lines that cannot be read and are kept one by one; a file of nothing else is one flaw */
const most_malformed = 1_000

/**
 * Compares the day's bill with what is recorded, both ways, and writes down what differs. The same bill and the same
 * records leave the same, however often it is run; what a look before this one found and this one does not has healed.
 */
export async function matchDay(
  context: GatewayContext,
  policy: BillPolicy,
  { day, run }: DayLook,
): Promise<ReconciliationRecord> {
  const { store } = context
  const known = await store.reconciliations.find(day)
  if (known === null || known.run !== run) return known ?? newReconciliation(day, currentTime(context), '')
  const merchant = await requireMerchant(context, day.mchid)
  if (await isGone(context, known)) return await endGone(context, { day, run }, known)
  // What was found of a day stands when its files are no longer kept.
  if (await isDropped(store, known)) return known
  const files = await readWhole(context, policy, day, () => readExact(context, known, merchant))
  if ('unusable' in files)
    return (await store.reconciliations.write(day, run, { state: 'running', flaws: [files.unusable] })) ?? known
  const { trade, flows, compared, settlement, sums } = files
  const read = { ...day, version: trade.version }
  const elsewhere = await settleElsewhere(context, policy, read, compared.result)
  const fees = (due: DueTimes) => feeDifferences(day, billSettings(merchant.settings), compared.result.fees, due)
  const { malformed } = compared
  const heal = (_id: string) => healDifference(context, _id)
  await noteDifferences(context, policy, read, { matched: elsewhere.differences, malformed, fees, heal })
  const counts = classesOf(compared.result, elsewhere)
  assertClassified('rows', counts.rows)
  assertClassified('records', counts.records)
  const versions = { trade: trade.version, ...byBill(flows, ({ bill }) => bill.version) }
  const changes = await changesOf(context, day, versions)
  const written = await store.reconciliations.write(day, run, {
    state: 'running',
    versions,
    changes,
    ...counts,
    ...balancesOf(flows),
    booking: settlement.bookingIfEven(),
    is_uneven: !settlement.isEven(),
    unknown_movements: settlement.unknown(),
    ...sums,
    flaws: [...compared.flaws, ...flows.flatMap(({ moved }) => moved.flaws)],
  })
  return written ?? known
}

/** Whether WeChat has no bill of the day any more, and one of them was never fetched. */
async function isGone({ store, now }: ActivityContext, day: ReconciliationRecord): Promise<boolean> {
  if (!isBillGone(day.bill_date, now())) return false
  const kept = await Promise.all(billsOfDay(day).map((type) => store.bills.newest(day, type)))
  return kept.includes(null)
}

async function isDropped(store: Store, day: ReconciliationRecord): Promise<boolean> {
  const newest = await Promise.all(billsOfDay(day).map((type) => store.bills.newest(day, type)))
  return newest.some((bill) => bill?.dropped_time !== undefined)
}

/** A day that cannot be proven, and says so. */
async function endGone(
  { store }: ActivityContext,
  { day, run }: DayLook,
  known: ReconciliationRecord,
): Promise<ReconciliationRecord> {
  const flaw = flawOf('bills_gone', { days: bill_days_kept, bill_date: day.bill_date })
  return (await store.reconciliations.write(day, run, { state: 'running', flaws: [flaw] })) ?? known
}

/** What a fund flow says of its account. */
interface ReadFlow {
  bill: FlowBillRecord
  moved: FlowOfDay
}

/**
 * The same; `unusable` where its sums are no exact numbers. The same bill has them tomorrow as well: no retry ends that, but
 * a person.
 */
async function readExact(context: ActivityContext, known: ReconciliationRecord, merchant: MerchantRecord) {
  try {
    return await readFiles(context, known, merchant)
  } catch (error) {
    if (!(error instanceof SumInexact)) throw error
    return { unusable: flawOf('too_large', { name: error.summed }, error.bill) }
  }
}

/** Reads all files of the day to their ends, and adds them up, before anything is written down. Throws `SumInexact`. */
async function readFiles(context: ActivityContext, known: ReconciliationRecord, merchant: MerchantRecord) {
  const { store } = context
  const { mchid, bill_date } = known
  const day = { mchid, bill_date }
  const trade = await newestBill(store, day, 'trade')
  const bills = await Promise.all(flowsOfDay(known).map((type) => newestBill(store, day, type)))
  const settlement = new DaySettlement()
  const compared = await compareTrades(context, day, merchant, { bill: trade, settlement })
  const flows: ReadFlow[] = []
  for (const bill of bills) {
    const take: TakeMovement = (row) => settlement.addFlow(bill.type, row, remarkAmounts(row.remark))
    flows.push({ bill, moved: await readFlow(store, day, bill, take) })
  }
  return { trade, flows, compared, settlement, sums: sumsOf(compared.result) }
}

async function newestBill<T extends BillType>(store: Store, day: DayKey, type: T): Promise<BillOfType<T>> {
  const bill = await store.bills.newest(day, type)
  if (bill === null) throw new Error(`the ${type} bill of ${day.bill_date} was not fetched`)
  return { ...bill, type }
}

function byBill<V>(flows: readonly ReadFlow[], value: (flow: ReadFlow) => V): Partial<Record<FlowBill, V>> {
  return Object.fromEntries(flows.map((flow) => [flow.bill.type, value(flow)]))
}

/** The basic account's stands by itself, as it did before there were others. */
function balancesOf(flows: readonly ReadFlow[]): Pick<ReconciliationRecord, 'balance' | 'balances'> {
  const { fundflow = null, ...balances } = byBill(flows, ({ moved }) => moved.balance)
  return { balance: fundflow, ...(Object.keys(balances).length > 0 && { balances }) }
}

interface ComparedTrades {
  result: MatchResult
  malformed: MalformedLine[]
  flaws: DayFlaw[]
}

async function compareTrades(
  { store }: ActivityContext,
  day: DayKey,
  merchant: MerchantRecord,
  { bill, settlement }: { bill: BillOfType<'trade'>; settlement: DaySettlement },
): Promise<ComparedTrades> {
  const { mchid } = day
  const wanted = billSettings(merchant.settings)
  const { number_prefixes } = wanted
  const match = await openMatch({
    folder: scratch_folder,
    // A row of a bill has some 250 bytes, and a record for nearly each.
    expected: Math.ceil(bill.byte_count / 125),
    settings: { mchid, number_prefixes, appids: merchant.appids, fee: feeTerms(wanted, day.bill_date) },
    findPlaced: async (numbers) => {
      const ids = await store.orders.existingIds(numbers.map((out_trade_no) => orderId({ mchid, out_trade_no })))
      return ids.map((id) => orderKey(id).out_trade_no)
    },
    signal: cancellationSignal(),
  })
  try {
    // Side by side: while one waits for the database, the other has the processor.
    const [file] = await Promise.all([readTrades(store, bill, { match, settlement }), readRecords(store, day, match)])
    const result = await beating(() => match.finish())
    return { result, malformed: file.malformed, flaws: [...file.flaws, ...result.flaws] }
  } finally {
    await match.dispose()
  }
}

const beat_ms = 10_000

/** Says that it lives while `act` does what has no end of its own to say it at. */
async function beating<T>(act: () => Promise<T>): Promise<T> {
  const beat = setInterval(() => heartbeat(), beat_ms)
  try {
    return await act()
  } finally {
    clearInterval(beat)
  }
}

async function readTrades(
  store: Store,
  bill: BillOfType<'trade'>,
  { match, settlement }: { match: Match; settlement: DaySettlement },
) {
  const malformed: MalformedLine[] = []
  const flaws: DayFlaw[] = []
  for await (const piece of readStatement(store, bill)) {
    for (const entry of piece.entries) {
      if ('row' in entry) {
        settlement.addTrade(entry.row)
        match.addRow(entry.row)
        continue
      }
      match.addMalformed()
      if (malformed.length < most_malformed) malformed.push(entry.malformed)
    }
    flaws.push(...piece.flaws)
    await match.drained()
    heartbeat()
  }
  // A line that cannot be read is a difference: a person decides about it, and the day is proven again.
  const are_listed = malformed.length < most_malformed
  return { malformed, flaws: flaws.filter(({ code }) => code !== 'malformed_lines' || !are_listed) }
}

async function readRecords(store: Store, day: DayKey, match: Match): Promise<void> {
  for await (const records of recordsOf(store, day)) {
    for (const record of records) match.addRecord(record)
    await match.drained()
    heartbeat()
  }
}

/** Both sides by class, with what another day settled. */
function classesOf(
  { rows, records }: MatchResult,
  { matched_rows, matched_records, different_rows }: Elsewhere,
): { rows: ClassCounts; records: ClassCounts } {
  const settled = matched_rows + different_rows
  return {
    rows: {
      ...rows,
      matched: rows.matched + matched_rows,
      different: rows.different + different_rows,
      waiting: rows.waiting - settled,
    },
    records: { ...records, matched: records.matched + matched_records, waiting: records.waiting - matched_records },
  }
}

/** What the day comes to. Throws `SumInexact`. */
function sumsOf(result: MatchResult): Pick<ReconciliationRecord, 'settled' | 'fees' | 'foreign'> & {
  wechat: DaySums
  weft: DaySums
} {
  const { tallies, fees, foreign } = result
  return {
    wechat: sideSums(tallies, 'bill'),
    weft: sideSums(tallies, 'ours'),
    settled: settledSums(tallies),
    fees: dayFees(fees),
    foreign: foreignSums(foreign),
  }
}

/** What a side comes to without the rows of other systems. */
function sideSums(tallies: MatchResult['tallies'], side: ClassTally['side']): DaySums {
  const sum: DaySums = { payment_count: 0, payment_amount: 0, refund_count: 0, refund_amount: 0 }
  for (const tally of tallies) {
    if (tally.side !== side || tally.class === 'foreign') continue
    const subject = tally.subject === 'payment' ? 'payment' : 'refund'
    sum[`${subject}_count`] += tally.count
    sum[`${subject}_amount`] += tally.total
  }
  assertExact(footerNames('payment').total, sum.payment_amount)
  assertExact(footerNames('refund').total, sum.refund_amount)
  return sum
}

/** What of the bill's sums moves the account, without the lines of other systems. */
function settledSums(tallies: MatchResult['tallies']): DaySettled {
  const sum: DaySettled = { payment_amount: 0, refund_amount: 0 }
  for (const { side, subject, class: of_class, settled } of tallies)
    if (side === 'bill' && of_class !== 'foreign')
      sum[subject === 'payment' ? 'payment_amount' : 'refund_amount'] += settled
  assertExact(footerNames('payment').settled, sum.payment_amount)
  assertExact(footerNames('refund').settled, sum.refund_amount)
  return sum
}

function foreignSums(groups: MatchResult['foreign']): ReconciliationRecord['foreign'] {
  const sums = groups.map((group): ForeignSum => {
    const { appid, pattern, example, payment_count, refund_count, reversal_count, payment_sum, refund_sum } = group
    const counts = { payment_count, refund_count: refund_count + reversal_count }
    return { appid, pattern, example, ...counts, payment_amount: payment_sum, refund_amount: refund_sum }
  })
  const sum = (field: keyof DaySums) => sums.reduce((total, group) => total + group[field], 0)
  const [payment_amount, refund_amount] = [sum('payment_amount'), sum('refund_amount')]
  assertExact(footerNames('payment').settled, payment_amount)
  assertExact(footerNames('refund').settled, refund_amount)
  const moved = (group: ForeignSum) => group.payment_amount + group.refund_amount
  return {
    ...{ payment_count: sum('payment_count'), payment_amount, refund_count: sum('refund_count'), refund_amount },
    groups: sums.toSorted((left, right) => moved(right) - moved(left)).slice(0, most_foreign_groups),
  }
}
