import { heartbeat } from '@temporalio/activity'
import { wechat_actor } from '../../domain/actor.ts'
import type { DayRecord } from '../../domain/bill/record.ts'
import type { DayKey } from '../../domain/bill/reconciliation.ts'
import { beijingDay, milliseconds } from '../../domain/calendar.ts'
import { differenceId, paymentId } from '../../domain/ids.ts'
import type { MatchedDifference } from '../../match/difference.ts'
import type { MatchResult } from '../../match/match.ts'
import { isNeverForeign } from '../../match/owner.ts'
import { classifyPayment, classifyRefund } from '../../match/verdict.ts'
import type { ActivityContext } from '../context.ts'
import { differenceSubject, moveDifference } from './differences.ts'
import { dayPayment, dayRefund } from './side.ts'

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

/** Looks for the other side of what is missing among the records and bills of all other days. */
export async function settleElsewhere(context: ActivityContext, day: DayKey, result: MatchResult): Promise<Elsewhere> {
  const found: Elsewhere = { differences: [], matched_rows: 0, matched_records: 0, different_rows: 0 }
  for (let from = 0; from < result.differences.length; from += batch) {
    const some = result.differences.slice(from, from + batch)
    const records = await recordsElsewhere(context, day, some)
    for (const difference of some) await settleOne(context, day, difference, records, found)
    heartbeat()
  }
  return found
}

async function settleOne(
  context: ActivityContext,
  day: DayKey,
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
  if (verdict.kind === null) {
    found.matched_rows += 1
    await endWaiting(context, day, record)
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

/** The record's own day has waited for this row. */
async function endWaiting(context: ActivityContext, { mchid, bill_date }: DayKey, record: DayRecord): Promise<void> {
  const moment = record.kind === 'payment' ? record.success_time : record.accepted_time
  const own_day = { mchid, bill_date: beijingDay(milliseconds(moment)) }
  const kind = record.kind === 'payment' ? 'missing_there' : 'refund_missing_there'
  const subject = record.kind === 'payment' ? record.transaction_id : record.refund_id
  const reason = `it is in the bill of ${bill_date}`
  for (const _id of waitingIds(own_day, kind, subject)) {
    if ((await context.store.differences.find(_id)) === null) continue
    await moveDifference(context, _id, 'vanished', { actor: wechat_actor, reason })
  }
}

/** What a record that its day's bill lacks may wait as: a payment also as one that WeChat denies. */
function waitingIds(day: DayKey, kind: MatchedDifference['kind'], subject: string): string[] {
  const kinds = kind === 'missing_there' ? [kind, 'phantom_payment'] : [kind]
  return kinds.map((one) => differenceId(day, one, subject))
}

/** Whether the bill of another day has ended this difference. */
async function isInOtherBill({ store }: ActivityContext, day: DayKey, difference: MatchedDifference): Promise<boolean> {
  for (const _id of waitingIds(day, difference.kind, differenceSubject(difference))) {
    const known = await store.differences.find(_id)
    if (known?.state === 'healed' && known.timeline.at(-1)?.reason !== null) return true
  }
  return false
}
