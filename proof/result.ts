import type { ArchivedResult, ArchiveManifest } from '../domain/bill/archive.ts'
import { archive_files, archivedBillName } from '../domain/bill/archive.ts'
import { edgeFlaws } from '../domain/bill/balance.ts'
import { billName, flawOf, flawTexts } from '../domain/bill/flaw.ts'
import { assertClassified, balanceOf } from '../domain/bill/reconciliation.ts'
import type { ClassCounts } from '../domain/bill/reconciliation.ts'
import { bill_types, isFlowBill } from '../domain/bill/row.ts'
import type { BillType, FlowBill } from '../domain/bill/row.ts'
import { yuanText } from '../domain/money.ts'
import { archivedDay } from './archivefile.ts'
import type { DifferenceLines, OpenKinds } from './archivefile.ts'
import type { ScannedBill, TradeSums } from './billscan.ts'

/** What of an archive a result is held against. */
export interface ReadAnew {
  bills: Map<string, ScannedBill>
  differences: DifferenceLines
}

/** Why the result of a day is not proven by its own bills and differences; none: it is. */
export function contradictions(manifest: ArchiveManifest, result: ArchivedResult, found: ReadAnew): string[] {
  if (result.mchid !== manifest.mchid || result.bill_date !== manifest.bill_date)
    return ['the result is of another day than the manifest']
  if (result.end_time === null) return ['the look at this day had not ended']
  const trade = comparedBill(manifest, result, 'trade', found)
  if (typeof trade === 'string') return [trade]
  return [
    ...flawTexts([...result.flaws, ...(trade?.flaws ?? [])]),
    ...classFlaws(result),
    ...tradeFlaws(result, trade),
    ...merchantFlaws(manifest, trade),
    ...comparedFlows(result).flatMap((type) => flowFlaws(manifest, result, type, found)),
    ...differenceFlaws(manifest, found.differences),
    ...conclusionFlaws(result, found.differences.left),
  ]
}

/** The bill that was compared; null: WeChat Pay said that there was none. A text: it is not in the archive. */
function comparedBill(
  { bills }: ArchiveManifest,
  { versions }: ArchivedResult,
  type: BillType,
  found: ReadAnew,
): ScannedBill | null | string {
  const version = versions[type]
  if (version === undefined) return `the result does not say which ${type} bill was compared`
  const bill = bills.find((one) => one.type === type && one.version === version)
  if (bill === undefined) return `version ${version} of the ${type} bill, which was compared, is not in the archive`
  if (bill.state === 'none') return null
  return found.bills.get(archivedBillName(bill)) ?? `${archivedBillName(bill)} is missing`
}

function classFlaws({ rows, records, weft }: ArchivedResult): string[] {
  const flaws: string[] = []
  const sides: [string, ClassCounts | null][] = [
    ['rows', rows],
    ['records', records],
  ]
  for (const [side, counts] of sides) {
    if (counts === null) flaws.push(`the result has no ${side} by class`)
    else
      try {
        assertClassified(side, counts)
      } catch (error) {
        flaws.push((error as Error).message)
      }
  }
  if (records !== null && weft !== null && records.all !== weft.payment_count + weft.refund_count)
    flaws.push(`${records.all} records are not ${weft.payment_count} payments and ${weft.refund_count} refunds`)
  return flaws
}

const no_trades: TradeSums = {
  ...{ payment_count: 0, payment_total: 0, payment_settled: 0, fee_charged: 0 },
  ...{ refund_count: 0, reversal_count: 0, refund_total: 0, refund_settled: 0, fee_returned: 0 },
}

/** A sum of the result, and between which numbers the bill says that it lies. */
interface Bound {
  what: string
  said: number
  least: number
  most: number
  shown: (number: number) => string
}

/**
 * Holds the sums of the result against the bill, exactly where the bill alone decides. What other systems took is summed
 * as it was settled, and their REVOKED lines have no count: of those the bill gives bounds.
 */
function tradeFlaws({ rows, wechat, foreign, fees, differences }: ArchivedResult, bill: ScannedBill | null): string[] {
  if (rows === null || wechat === null || foreign === null || fees === null)
    return ['the result has no sums of the bill']
  const sums = bill?.trade ?? no_trades
  const malformed = bill?.malformed ?? 0
  const are_all_ours = rows.foreign === 0
  const coupons = are_all_ours ? 0 : sums.payment_total - sums.payment_settled
  const refund_coupons = are_all_ours ? 0 : sums.refund_total - sums.refund_settled
  const reversals = are_all_ours ? 0 : sums.reversal_count
  const counted = (what: string, said: number, most: number, slack = 0): Bound => {
    return { what, said, least: most - slack, most, shown: String }
  }
  const summed = (what: string, said: number, most: number, slack: number): Bound => {
    return { what, said, least: most - slack, most, shown: (fen) => `¥${yuanText(fen)}` }
  }
  const payments = wechat.payment_amount + foreign.payment_amount
  const refunds = wechat.refund_amount + foreign.refund_amount
  const bounds = [
    counted('lines of the bill', rows.all, (bill?.rows ?? 0) + malformed),
    counted('lines that cannot be read', rows.malformed, malformed),
    counted('payments', wechat.payment_count + foreign.payment_count, sums.payment_count),
    counted('refunds', wechat.refund_count + foreign.refund_count, sums.refund_count, reversals),
    counted('foreign lines', foreign.payment_count + foreign.refund_count, rows.foreign, reversals),
    summed('payments in yuan', payments, sums.payment_total, coupons),
    summed('refunds in yuan', refunds, sums.refund_total, refund_coupons),
  ]
  const flaws = bounds.filter(({ said, least, most }) => said < least || said > most).map(boundFlaw)
  // A line that stands there twice pays its fee once in the result.
  const is_exact = are_all_ours && (differences.duplicate ?? 0) === 0 && rows.different === 0
  if (is_exact && (fees.charged !== sums.fee_charged || fees.returned !== sums.fee_returned))
    flaws.push(
      `the result has fees of ${fees.charged} and ${fees.returned} thousandths of a fen, the bill ${sums.fee_charged} and ${sums.fee_returned}`,
    )
  return flaws
}

function boundFlaw({ what, said, least, most, shown }: Bound): string {
  const range = least === most ? shown(most) : `${shown(least)} to ${shown(most)}`
  return `${what}: the result says ${shown(said)}, and the bill ${range}`
}

/** A look at a bill of another merchant number is never proven. */
function merchantFlaws({ mchid }: ArchiveManifest, bill: ScannedBill | null): string[] {
  const others = (bill?.mchids ?? []).filter((one) => one !== mchid)
  return others.map((other) => `the trade bill has lines of merchant number ${other}`)
}

/** Every difference can be read, and is one of this day. */
function differenceFlaws(manifest: ArchiveManifest, { days, mistake }: DifferenceLines): string[] {
  const name = archive_files.differences
  const others = [...days].filter(([day]) => day !== archivedDay(manifest))
  return [
    ...(mistake === null ? [] : [`${name} cannot be read: ${mistake}`]),
    ...others.map(([, line]) => `${name} has a difference of another day: line ${line}`),
  ]
}

/** The fund flows that the result is about. */
function comparedFlows({ versions }: ArchivedResult): FlowBill[] {
  return bill_types.filter(isFlowBill).filter((type) => type === 'fundflow' || versions[type] !== undefined)
}

function flowFlaws(manifest: ArchiveManifest, result: ArchivedResult, type: FlowBill, found_anew: ReadAnew): string[] {
  const bill = comparedBill(manifest, result, type, found_anew)
  if (typeof bill === 'string') return [bill]
  const balance = balanceOf(result, type)
  const edges = manifest.edges[type] ?? { before: null, after: null }
  const read = bill?.chain.end() ?? { balance: null, flaws: [] }
  const found = [...read.flaws, ...edgeFlaws(read.balance, edges, type), ...(bill?.flaws ?? [])]
  if (bill !== null && bill.malformed > 0) found.push(flawOf('malformed_lines', { count: bill.malformed }, bill.type))
  const flaws = flawTexts(found)
  if (balance?.opening !== read.balance?.opening || balance?.closing !== read.balance?.closing)
    flaws.push(`the balance of the result is not that of the ${billName(type)}`)
  return flaws
}

/** What the result concludes must follow from what it and the differences say. */
function conclusionFlaws({ is_proven, state, flaws, differences }: ArchivedResult, not_over: OpenKinds): string[] {
  const found: string[] = []
  const left = Object.entries(not_over).map(([kind, number]) => `${number} ${kind}`)
  if (left.length > 0) found.push(`differences are not over: ${left.join(', ')}`)
  if (is_proven && (flaws.length > 0 || Object.keys(differences).length > 0))
    found.push('the result calls the day proven, and names why it is not')
  if (is_proven && state !== 'balanced') found.push(`the result calls the day proven, and its state ${state}`)
  if (!is_proven && flaws.length === 0 && left.length === 0)
    found.push('the day was not proven at its last look; its differences are over since: look at it again')
  return found
}
