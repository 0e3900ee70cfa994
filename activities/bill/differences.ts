import { isDeepStrictEqual } from 'node:util'
import { heartbeat } from '@temporalio/activity'
import { weft_actor } from '../../domain/actor.ts'
import type { Actor } from '../../domain/actor.ts'
import { beijingTime } from '../../domain/calendar.ts'
import type { Time } from '../../domain/calendar.ts'
import { firstDifferenceState, unsettled_states, workDueTime } from '../../domain/bill/difference.ts'
import type {
  DifferenceAnswer,
  DifferenceDeed,
  DifferenceEvent,
  DifferenceKind,
  DifferenceRecord,
} from '../../domain/bill/difference.ts'
import type { BillPolicy, DayKey } from '../../domain/bill/reconciliation.ts'
import { rowTotal } from '../../domain/bill/row.ts'
import type { MalformedLine, TradeRow } from '../../domain/bill/row.ts'
import { differenceId, operationId } from '../../domain/ids.ts'
import type { MatchedDifference } from '../../match/difference.ts'
import { publicId } from '../../store/ids.ts'
import type { Store } from '../../store/store.ts'
import { currentTime } from '../context.ts'
import type { ActivityContext } from '../context.ts'

const batch = 50
const page = 500

/** What a look at a day found. */
interface FoundDifferences {
  matched: readonly MatchedDifference[]
  malformed: readonly MalformedLine[]
  fees: (due: DueTimes) => readonly DifferenceRecord[]
}

/** Writes down what a look at the day found, and has `heal` end what it does not find any more. */
export async function noteDifferences(
  context: ActivityContext,
  policy: BillPolicy,
  { version: bill_version, ...day }: DayKey & { version: number },
  { matched, malformed, fees, heal }: FoundDifferences & { heal: (_id: string) => Promise<void> },
): Promise<void> {
  const found_ms = context.now()
  const due = { found_time: beijingTime(found_ms), patience_time: beijingTime(found_ms + policy.patience_ms) }
  const all = [
    ...matched.map((difference) => matchedRecord(day, difference, due)),
    ...malformed.map((line) => malformedRecord(day, line, due)),
    ...fees(due),
  ].map((difference) => (difference.bill === null ? difference : { ...difference, bill_version }))
  // What WeChat says was never made is missing from the bill for that reason: one payment is one difference.
  const standing = await standingPhantoms(context.store, day)
  const found = all.filter(
    ({ kind, transaction_id }) => kind !== 'missing_there' || !standing.has(transaction_id ?? ''),
  )
  for (let from = 0; from < found.length; from += batch) {
    await context.store.differences.note(found.slice(from, from + batch))
    heartbeat()
  }
  const there = new Map(found.map((difference) => [difference._id, difference]))
  const phantoms = new Set(all.flatMap(({ kind, transaction_id }) => phantomId(day, kind, transaction_id)))
  for await (const known of differencesOf(context.store, day)) {
    const { _id } = known
    const now_there = there.get(_id)
    if (now_there === undefined) {
      if (!phantoms.has(_id) && isEndedByBill(known)) await heal(_id)
    } else if (isComingBack(known, now_there)) {
      await moveDifference(context, _id, 'returned')
      await context.store.differences.note([now_there])
    }
  }
}

/** Whether both sides agreeing ends it: also where a person has accepted that the bill will never have it. */
export function isEndedByBill({ kind, state }: Pick<DifferenceRecord, 'kind' | 'state'>): boolean {
  return unsettled_states.includes(state) || (kind === 'phantom_payment' && state === 'settled')
}

/** Whether a difference that was over is found again, and is not what a person has ended knowingly. */
function isComingBack(known: DifferenceRecord, now_there: DifferenceRecord): boolean {
  // A fee that was charged stays charged, whoever accepts it.
  const is_known_so = known.state === 'ignored' || (known.state === 'settled' && known.kind === 'fee')
  if (is_known_so) return !isSameMatter(known, now_there)
  return known.state === 'healed' || known.state === 'settled'
}

/**
 * Whether a difference is still the one that a person has looked at: he ignored no other amount and no other line. The
 * same place in a bill that was issued anew may have another payment.
 */
function isSameMatter(known: DifferenceRecord, now_there: DifferenceRecord): boolean {
  const matter = ({ transaction_id, refund_id, amount, fields, bill }: DifferenceRecord) => [
    ...[transaction_id, refund_id, amount, fields],
    bill?.['bytes'] ?? null,
  ]
  // Of these, earlier versions kept 0 beside a record.
  const is_unknown = known.amount === 0 && (known.kind === 'duplicate' || known.kind === 'state')
  const then = is_unknown ? { ...known, amount: now_there.amount } : known
  return isDeepStrictEqual(matter(then), matter(now_there))
}

/** A payment that WeChat says was never made stays so while the bill lacks it. */
function phantomId(day: DayKey, kind: DifferenceKind, transaction_id: string | null): string[] {
  return kind === 'missing_there' && transaction_id !== null
    ? [differenceId(day, 'phantom_payment', transaction_id)]
    : []
}

/** Phantoms of a day that stand, by their payment: each is that payment's one difference, whatever was done about it. */
async function standingPhantoms(store: Store, day: DayKey): Promise<Set<string>> {
  const standing = new Set<string>()
  for await (const { state, transaction_id } of phantomsOf(store, day))
    if (transaction_id !== null && state !== 'healed') standing.add(transaction_id)
  return standing
}

/** All phantoms of a day, whatever their state. */
export async function* phantomsOf(store: Store, day: DayKey): AsyncGenerator<DifferenceRecord> {
  for (let after = differenceId(day, 'phantom_payment', ''); ;) {
    const found = (await store.differences.ofDay(day, after, page)).filter(({ kind }) => kind === 'phantom_payment')
    yield* found
    const last = found.at(-1)
    if (last === undefined || found.length < page) return
    after = last._id
  }
}

/** Who moves a difference, if not Weft; why; and what was done. */
interface MoveDetails {
  actor?: Actor
  reason?: string | null
  deed?: DifferenceDeed
  answer?: DifferenceAnswer
}

/** Does `event` to a difference as it now is; nothing where its table has no such edge. */
export async function moveDifference(
  { store, now }: ActivityContext,
  _id: string,
  event: DifferenceEvent,
  { actor = weft_actor, reason = null, ...fields }: MoveDetails = {},
): Promise<void> {
  await store.differences.apply(_id, ({ revision }) => ({
    event,
    operation_id: operationId.difference(event, revision),
    time: currentTime({ now }),
    actor,
    reason,
    ...fields,
  }))
}

/** All differences of a day, a page at a time. */
export async function* differencesOf(store: Store, day: DayKey): AsyncGenerator<DifferenceRecord> {
  for (let after: string | null = null; ;) {
    const found: DifferenceRecord[] = await store.differences.ofDay(day, after, page)
    yield* found
    const last = found.at(-1)
    if (last === undefined || found.length < page) return
    after = last._id
  }
}

/** What a difference is about, within its kind: WeChat's id of it, or the line that names it once more. */
export function differenceSubject({ kind, subject, row, record, also_in }: MatchedDifference): string {
  const is_of_line = (kind === 'duplicate' && also_in === undefined) || subject === 'reversal'
  if (is_of_line) return row === null ? 'record' : `line-${row.line}`
  if (subject === 'refund') return row?.refund_id ?? (record?.kind === 'refund' ? record.refund_id : '')
  return row?.transaction_id ?? record?.transaction_id ?? ''
}

export function matchedRecord(day: DayKey, difference: MatchedDifference, due: DueTimes): DifferenceRecord {
  const { kind, row, record, fields, also_in } = difference
  const deviations = fields.map(({ field, bill, ours }) => `${field}: ${bill} in the bill, ${ours} here`)
  const of_refund = record?.kind === 'refund' ? record : null
  return newDifference(day, kind, differenceSubject(difference), {
    ...due,
    transaction_id: row?.transaction_id ?? record?.transaction_id ?? null,
    out_trade_no: row?.out_trade_no ?? record?.out_trade_no ?? null,
    refund_id: row?.refund_id ?? of_refund?.refund_id ?? null,
    out_refund_no: row?.out_refund_no ?? of_refund?.out_refund_no ?? null,
    amount: amountAtStake(difference),
    fields: also_in === undefined ? deviations : [`the bill of ${also_in} has it too`],
    bill: row && { ...row },
    weft: record && { ...record },
  })
}

/**
 * What the two sides are apart; where one has nothing, all of the other. In fen. Where they agree on what was paid or
 * asked for, it is what they are apart on what the merchant gets or gives of it.
 */
function amountAtStake({ kind, row, record, also_in }: MatchedDifference): number {
  if (also_in !== undefined && record !== null) return record.kind === 'payment' ? record.total : record.refund
  // What stands there once more, and what went back without a refund, is at stake as a whole, recorded or not.
  if (row !== null && (kind === 'duplicate' || row.kind === 'reversal')) return rowTotal(row) || wholeOf(row)
  const theirs = row === null ? 0 : rowTotal(row)
  const ours = record === null ? 0 : record.kind === 'payment' ? record.total : record.refund
  if (theirs !== ours || row === null || record === null) return Math.abs(theirs - ours)
  const [settled, our_settled] =
    record.kind === 'payment'
      ? [row.settled_total, record.settled_total]
      : [row.settlement_refund, record.settlement_refund ?? row.settlement_refund]
  return Math.abs(settled - our_settled)
}

/** A REVOKED line may name what was paid in place of what went back. */
function wholeOf(row: TradeRow): number {
  return row.settlement_refund || (row.total ?? row.settled_total)
}

function malformedRecord(day: DayKey, { line, bytes, reason }: MalformedLine, due: DueTimes): DifferenceRecord {
  return newDifference(day, 'malformed', `line-${line}`, { ...due, fields: [reason], bill: { line, bytes } })
}

/** When a difference was found, and until when one that may heal waits. */
export interface DueTimes {
  found_time: Time
  patience_time: Time
}
type DifferenceDraft = Partial<DifferenceRecord> & DueTimes

export function newDifference(
  day: DayKey,
  kind: DifferenceKind,
  subject: string,
  { found_time, patience_time, ...draft }: DifferenceDraft,
): DifferenceRecord {
  const _id = differenceId(day, kind, subject)
  const state = firstDifferenceState(kind)
  const at_stake = { kind, amount: draft.amount ?? 0, bill_date: day.bill_date }
  return {
    _id,
    id: publicId('dif', _id),
    mchid: day.mchid,
    bill_date: day.bill_date,
    kind,
    state,
    due_time: state === 'waiting' ? patience_time : workDueTime(at_stake, found_time),
    revision: 0,
    timeline: [],
    found_time,
    transaction_id: null,
    out_trade_no: null,
    refund_id: null,
    out_refund_no: null,
    amount: 0,
    fields: [],
    bill: null,
    weft: null,
    ...draft,
  }
}
