import { heartbeat } from '@temporalio/activity'
import { wechat_actor } from '../../domain/actor.ts'
import { stateEntry } from '../../domain/bill/difference.ts'
import type { DifferenceKind, DifferenceRecord } from '../../domain/bill/difference.ts'
import type { DayRecord } from '../../domain/bill/record.ts'
import type { BillPolicy, DayKey } from '../../domain/bill/reconciliation.ts'
import { beijingTime } from '../../domain/calendar.ts'
import { differenceId, paymentId } from '../../domain/ids.ts'
import type { MatchedDifference } from '../../match/difference.ts'
import type { MatchResult } from '../../match/match.ts'
import { isNeverForeign } from '../../match/owner.ts'
import { classifyPayment, classifyRefund } from '../../match/verdict.ts'
import type { Store } from '../../store/store.ts'
import type { ActivityContext } from '../context.ts'
import { differencesOf, differenceSubject, isEndedByBill, matchedRecord, moveDifference } from './differences.ts'
import type { DueTimes } from './differences.ts'
import {
  duplicateOf,
  foundElsewhere,
  isStillThere,
  most_listed,
  noteDuplicate,
  otherBill,
  ownDay,
} from './duplicate.ts'
import { dayPayment, dayRefund } from '../../store/side.ts'

/** What stands on one side of this day, and on the other side of another day: a payment near midnight, a late snapshot. */
export interface Elsewhere {
  differences: MatchedDifference[]
  /** of what waited, so many match after all */
  matched_rows: number
  matched_records: number
  /** and so many differ */
  different_rows: number
}

const batch = 200

/** The day that is compared, and the version of its trade bill that is read. */
type ReadDay = DayKey & { version: number }

/** Looks for the other side of what is missing among the records and bills of all other days. */
export async function settleElsewhere(
  context: ActivityContext,
  policy: BillPolicy,
  day: ReadDay,
  result: MatchResult,
): Promise<Elsewhere> {
  const found: Elsewhere = { differences: [], matched_rows: 0, matched_records: 0, different_rows: 0 }
  for (let from = 0; from < result.differences.length; from += batch) {
    const some = result.differences.slice(from, from + batch)
    const records = await recordsElsewhere(context, day, some)
    for (const difference of some) await settleOne(context, policy, day, difference, records, found)
    heartbeat()
  }
  await settleDoubled(context, policy, day, result, found)
  return found
}

/**
 * Records that another day's bill was found to have, and that this day's own bill has as well: the line of the later day
 * is one too many. Named here where that is this day, else there.
 */
async function settleDoubled(
  context: ActivityContext,
  policy: BillPolicy,
  day: ReadDay,
  { differences }: MatchResult,
  found: Elsewhere,
): Promise<void> {
  const { store } = context
  const is_missing = ({ kind }: MatchedDifference) => kind === 'missing_there' || kind === 'refund_missing_there'
  const lacking = differences.filter(is_missing)
  if (lacking.length >= most_listed) return
  const missing = new Set(lacking.map((one) => differenceId(day, one.kind, differenceSubject(one))))
  const differing = new Set(differences.flatMap(({ row, record }) => (row && record ? [recordKey(record)] : [])))
  for await (const known of differencesOf(store, day)) {
    const found_in = foundElsewhere(known, day) ?? null
    if (found_in === null || missing.has(known._id)) continue
    const record = known.weft as unknown as DayRecord
    if (!(await isStillThere(store, day, found_in))) continue
    const due = dueTimes(context, policy)
    if (found_in.bill_date > day.bill_date) {
      const other = { mchid: day.mchid, bill_date: found_in.bill_date }
      await noteDuplicate(context, other, { record, also_in: day.bill_date, due })
      await store.differences.noteFoundIn(known._id, { bill_date: day.bill_date, version: day.version })
    } else if (!differing.has(recordKey(record))) {
      // Its line was taken for a match.
      const doubled = { subject: record.kind, row: null, record } as const
      found.differences.push(
        duplicateOf({ ...doubled, kind: 'duplicate', class: 'different', fields: [] }, record, found_in.bill_date),
      )
      found.matched_rows -= 1
      found.different_rows += 1
    }
  }
}

function recordKey(record: DayRecord): string {
  return record.kind === 'payment' ? record.transaction_id : record.refund_id
}

function dueTimes(context: ActivityContext, { patience_ms }: BillPolicy): DueTimes {
  const found_ms = context.now()
  return { found_time: beijingTime(found_ms), patience_time: beijingTime(found_ms + patience_ms) }
}

async function settleOne(
  context: ActivityContext,
  policy: BillPolicy,
  day: ReadDay,
  difference: MatchedDifference,
  records: ReadonlyMap<string, DayRecord>,
  found: Elsewhere,
): Promise<void> {
  const { row, kind } = difference
  if (
    (kind === 'missing_there' || kind === 'refund_missing_there') &&
    (await isInOtherBill(context, day, difference))
  ) {
    found.matched_records += 1
    return
  }
  const record = row !== null && difference.record === null ? records.get(rowKey(difference)) : undefined
  if (row === null || record === undefined) {
    found.differences.push(difference)
    return
  }
  const verdict =
    record.kind === 'payment'
      ? classifyPayment(row, record, isNeverForeign)
      : classifyRefund(row, record, isNeverForeign)
  const also_in = verdict.kind === null ? await otherBill(context, day, record) : null
  if (verdict.kind === null && also_in !== null && also_in < day.bill_date) {
    found.different_rows += 1
    found.differences.push(duplicateOf(difference, record, also_in))
  } else if (verdict.kind === null) {
    found.matched_rows += 1
    if (also_in !== null) {
      const doubled = { record, also_in: day.bill_date, due: dueTimes(context, policy) }
      await noteDuplicate(context, { mchid: day.mchid, bill_date: also_in }, doubled)
    }
    await endWaiting(context, policy, day, record)
  } else {
    found.different_rows += 1
    found.differences.push({ ...difference, ...verdict, kind: verdict.kind, record })
  }
}

async function recordsElsewhere(
  { store }: ActivityContext,
  { mchid }: DayKey,
  differences: readonly MatchedDifference[],
): Promise<Map<string, DayRecord>> {
  const of = (kind: MatchedDifference['kind']) =>
    differences.flatMap((one) => (one.kind === kind && one.row ? [one.row] : []))
  const payments = of('missing_here').map(({ transaction_id }) => paymentId(mchid, transaction_id))
  const refunds = of('refund_missing_here').map(({ out_refund_no, refund_id }) => ({
    out_refund_no: out_refund_no ?? '',
    refund_id,
  }))
  const records = [
    ...(payments.length === 0 ? [] : await store.payments.findAll(payments)).map(dayPayment),
    ...(refunds.length === 0 ? [] : await store.refunds.ofWeChat(mchid, refunds)).flatMap(
      (one) => dayRefund(one) ?? [],
    ),
  ]
  return new Map(
    records.map((record) => [record.kind === 'payment' ? record.transaction_id : record.out_refund_no, record]),
  )
}

function rowKey({ subject, row }: MatchedDifference): string {
  return (subject === 'refund' ? row?.out_refund_no : row?.transaction_id) ?? ''
}

/**
 * Says that a record is in the bill of this day: what waits for it on its own day ends. That day may be looked at only
 * later, so what would wait there is written down first, and ended.
 */
async function endWaiting(
  context: ActivityContext,
  policy: BillPolicy,
  { mchid, bill_date, version }: ReadDay,
  record: DayRecord,
): Promise<void> {
  const { differences } = context.store
  const own_day = ownDay({ mchid, bill_date }, record)
  const missing = missingThere(own_day, record, dueTimes(context, policy))
  await differences.note([missing])
  for (const _id of standingIds(own_day, missing.kind, missing)) {
    const known = await differences.find(_id)
    if (known === null) continue
    await differences.noteFoundIn(_id, { bill_date, version })
    if (!isEndedByBill(known)) continue
    await context.store.reconciliations.noteMoved(own_day)
    await moveDifference(context, _id, 'vanished', {
      actor: wechat_actor,
      reason: `it is in the bill of ${bill_date}`,
    })
  }
}

/** A record that the bill of its own day lacks. */
function missingThere(own_day: DayKey, record: DayRecord, due: DueTimes): DifferenceRecord {
  const verdict =
    record.kind === 'payment'
      ? classifyPayment(null, record, isNeverForeign)
      : classifyRefund(null, record, isNeverForeign)
  if (verdict.kind === null) throw new TypeError('a record without a line has no kind')
  const { class: of_class, kind, fields } = verdict
  return matchedRecord(own_day, { kind, class: of_class, subject: record.kind, row: null, record, fields }, due)
}

/** Whether the bill of another day has ended this difference, and has the line still, as it was last compared. */
async function isInOtherBill({ store }: ActivityContext, day: DayKey, difference: MatchedDifference): Promise<boolean> {
  const { row, record } = difference
  const transaction_id = row?.transaction_id ?? record?.transaction_id ?? null
  const _id = differenceId(day, difference.kind, differenceSubject(difference))
  for (const one of standingIds(day, difference.kind, { _id, transaction_id }))
    if (await isEndedByOther(store, day, one)) return true
  return false
}

/** What stands for a record that the bill of its day lacks: a payment may also be one that WeChat denies. */
function standingIds(
  day: DayKey,
  kind: DifferenceKind,
  { _id, transaction_id }: Pick<DifferenceRecord, '_id' | 'transaction_id'>,
): string[] {
  return kind === 'missing_there' && transaction_id !== null
    ? [_id, differenceId(day, 'phantom_payment', transaction_id)]
    : [_id]
}

async function isEndedByOther(store: Store, day: DayKey, _id: string): Promise<boolean> {
  const known = await store.differences.find(_id)
  if (known?.state !== 'healed' || stateEntry(known)?.reason === null) return false
  const { found_in } = known
  if (found_in === undefined) return true
  return found_in.bill_date !== day.bill_date && (await isStillThere(store, day, found_in))
}
