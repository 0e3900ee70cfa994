import { stateEntry, unsettled_states } from '../../domain/bill/difference.ts'
import type { DifferenceRecord } from '../../domain/bill/difference.ts'
import type { DayRecord } from '../../domain/bill/record.ts'
import type { DayKey } from '../../domain/bill/reconciliation.ts'
import { beijingDay, milliseconds } from '../../domain/calendar.ts'
import { differenceId, journalId } from '../../domain/ids.ts'
import type { MatchedDifference } from '../../match/difference.ts'
import type { Store } from '../../store/store.ts'
import type { ActivityContext } from '../context.ts'
import { matchedRecord, moveDifference } from './differences.ts'
import type { DueTimes } from './differences.ts'

/** differences of a kind that a look lists: of more nobody knows which records its bill lacked */
export const most_listed = 10_000

/** The day to which a record belongs: of a payment that of its success, of a refund that of its acceptance. */
export function ownDay({ mchid }: DayKey, record: DayRecord): DayKey {
  const moment = record.kind === 'payment' ? record.success_time : record.accepted_time
  return { mchid, bill_date: beijingDay(milliseconds(moment)) }
}

/** What stands on a record's own day while the bill of that day lacks it, or another day's has it. */
function missingId(own_day: DayKey, record: DayRecord): string {
  return record.kind === 'payment'
    ? differenceId(own_day, 'missing_there', record.transaction_id)
    : differenceId(own_day, 'refund_missing_there', record.refund_id)
}

/**
 * The day whose bill has a line of this record too, as far as the days that were looked at tell; null: none is known. No
 * day keeps which records matched: it keeps what its bill lacked, so what was recorded at its look and was not lacking is
 * in its bill.
 */
export async function otherBill({ store }: ActivityContext, day: DayKey, record: DayRecord): Promise<string | null> {
  const own_day = ownDay(day, record)
  const missing = await store.differences.find(missingId(own_day, record))
  const found_in = missing?.found_in
  if (found_in !== undefined && (await isStillThere(store, day, found_in)))
    return found_in.bill_date === day.bill_date ? null : found_in.bill_date
  if (missing === null) return (await wasMatched(store, own_day, record)) ? own_day.bill_date : null
  const phantom =
    record.kind === 'payment'
      ? await store.differences.find(differenceId(own_day, 'phantom_payment', record.transaction_id))
      : null
  const is_lacking = missing.state !== 'healed' || (phantom !== null && phantom.state !== 'healed')
  // What another day's bill ended says so; one of an earlier version says no more than that. Where its own day has it, a
  // bill of that day that was issued anew without it would have brought it back.
  const is_in_own =
    found_in === undefined ? stateEntry(missing)?.reason === null : found_in.bill_date === own_day.bill_date
  return is_lacking || !is_in_own ? null : own_day.bill_date
}

/** Whether the bill in which a record's line was found is the one that was read last of its day. */
export async function isStillThere(
  store: Store,
  { mchid, bill_date }: DayKey,
  found_in: NonNullable<DifferenceRecord['found_in']>,
): Promise<boolean> {
  if (found_in.bill_date === bill_date) return true
  const other = await store.reconciliations.find({ mchid, bill_date: found_in.bill_date })
  return found_in.version >= (other?.versions.trade ?? 0)
}

/** Whether a record was there when its own day was looked at last: then that day's bill has it, since nothing is missing. */
async function wasMatched(store: Store, own_day: DayKey, record: DayRecord): Promise<boolean> {
  const looked = await store.reconciliations.find(own_day)
  if (looked?.versions.trade === undefined) return false
  const kind = record.kind === 'payment' ? 'missing_there' : 'refund_missing_there'
  if ((looked.differences[kind] ?? 0) >= most_listed) return false
  const cause =
    record.kind === 'payment'
      ? journalId.payment(own_day.mchid, record.transaction_id)
      : journalId.refund(own_day.mchid, record.out_refund_no, 'accepted')
  const [booked] = await store.journal.findAll([cause])
  return booked !== undefined && milliseconds(booked.booked_time) < milliseconds(looked.start_time)
}

/** A line of this day whose record another day's bill has too: the later of the two is the one too many. */
export function duplicateOf(difference: MatchedDifference, record: DayRecord, also_in: string): MatchedDifference {
  return { ...difference, kind: 'duplicate', class: 'different', record, fields: [], also_in }
}

/** Writes down for another day that its line of a record is one too many: this day's earlier bill has it. */
export async function noteDuplicate(
  context: ActivityContext,
  day: DayKey,
  { record, also_in, due }: { record: DayRecord; also_in: string; due: DueTimes },
): Promise<void> {
  const { store } = context
  const { kind: subject } = record
  const doubled = { kind: 'duplicate', class: 'different', subject, row: null, record, fields: [], also_in } as const
  const difference = matchedRecord(day, doubled, due)
  const known = await store.differences.find(difference._id)
  if (known !== null && known.state !== 'healed') return
  await store.reconciliations.noteMoved(day)
  if (known === null) await store.differences.note([difference])
  else await moveDifference(context, difference._id, 'returned')
}

/** The bill of another day in which what this day's lacks, or should have, was found; null: none. */
export function foundElsewhere(
  { kind, state, found_in }: DifferenceRecord,
  { bill_date }: DayKey,
): DifferenceRecord['found_in'] | null {
  const is_missing = kind === 'missing_there' || kind === 'refund_missing_there'
  const is_other = is_missing && !unsettled_states.includes(state) && found_in?.bill_date !== bill_date
  return is_other ? found_in : null
}
