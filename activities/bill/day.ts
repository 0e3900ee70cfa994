import { beijingTime, milliseconds } from '../../domain/calendar.ts'
import { flawOf } from '../../domain/bill/flaw.ts'
import {
  billsToCompare,
  isBillGone,
  most_questions,
  newReconciliation,
  oldestBillDay,
} from '../../domain/bill/reconciliation.ts'
import type { DayKey, ReconciliationRecord } from '../../domain/bill/reconciliation.ts'
import { billOfAccount } from '../../domain/bill/row.ts'
import { billSettings } from '../../domain/merchant/bill.ts'
import { currentTime, requireMerchant } from '../context.ts'
import type { ActivityContext } from '../context.ts'
import { acceptDifferences } from './acceptance.ts'
import { concludeDay } from './conclusion.ts'
import type { ConclusionContext } from './conclusion.ts'
import { moveDifference } from './differences.ts'
import { tellExpiring } from './expiry.ts'
import { tellOverdue } from './overdue.ts'

/** One look at a day: only the look that began last writes what it finds. */
export interface DayLook {
  day: DayKey
  run: number
}

/** differences that are ended at once, and days that are counted anew behind a look */
const most_due = 500
const most_moved_days = 100

/** Asking about each would take hours, and tell a thousand times of one fault. */
const too_many = flawOf('too_many_questions', { most: most_questions })

/** Begins a look at a day. Each that begins ends the word of the ones before. */
export async function openDay(
  context: ActivityContext,
  { day, look }: { day: DayKey; look: string },
): Promise<ReconciliationRecord> {
  const { reconciliations } = context.store
  const before = await reconciliations.find(day)
  const merchant = await requireMerchant(context, day.mchid)
  // Of a day whose bills are gone no other can be had.
  const is_gone = isBillGone(day.bill_date, context.now())
  const wanted = is_gone ? [] : billSettings(merchant.settings).accounts.map(billOfAccount)
  const bills = billsToCompare(wanted, before)
  return await reconciliations.begin(newReconciliation(day, currentTime(context), look, bills))
}

/**
 * What the day comes to: what is left of its differences, and whether it is proven or why not. What this look moved of
 * other days is counted there.
 */
export async function closeDay(
  parts: ConclusionContext,
  { day, run, given_up = false }: DayLook & { given_up?: boolean },
): Promise<ReconciliationRecord> {
  const { context } = parts
  const known = await context.store.reconciliations.find(day)
  if (known === null || known.run !== run) return known ?? newReconciliation(day, currentTime(context), '')
  await acceptDifferences(parts, { day })
  await endOverdue(context, day.mchid)
  const given_up_flaw = given_up ? too_many : null
  const concluded = await concludeDay(parts, day, { run, batch: `look:${run}`, given_up_flaw })
  const others = await context.store.reconciliations.movedDays(day.mchid, most_moved_days)
  for (const { mchid, bill_date, moved } of others) {
    const other = { mchid, bill_date }
    await acceptDifferences(parts, { day: other })
    await concludeDay(parts, other, { run: null, batch: `moved:${moved}` })
  }
  await tellAttention(context, day.mchid)
  return concluded ?? known
}

/** Counts a day anew of which differences were moved outside its look, by a person. */
export async function followDay(
  parts: ConclusionContext,
  { day, batch }: { day: DayKey; batch: string },
): Promise<ReconciliationRecord | null> {
  const concluded = await concludeDay(parts, day, { run: null, batch })
  await tellAttention(parts.context, day.mchid)
  return concluded
}

/** Says what a person should look at of all days of the merchant, and takes back what is over. */
async function tellAttention(context: ActivityContext, mchid: string): Promise<void> {
  const { store, now } = context
  const { data: open } = await store.differences.list(mchid, { state: 'open' }, { limit: 1 })
  const is_flawed = await store.reconciliations.hasFlawed(mchid, oldestBillDay(now()))
  const wanted = { differences_open: open.length > 0, day_unproven: is_flawed } as const
  for (const [code, is_wanted] of Object.entries(wanted) as [keyof typeof wanted, boolean][]) {
    if (is_wanted) await store.merchants.noteAttention(mchid, code, beijingTime(now()))
    else await store.merchants.liftAttention(mchid, code)
  }
  await tellOverdue(store, mchid, now())
  await tellExpiring(context, await requireMerchant(context, mchid))
}

/** What waited long enough for its other side is for a person, whatever its day. */
async function endOverdue(context: ActivityContext, mchid: string): Promise<void> {
  const { store, now } = context
  for (;;) {
    const due = await store.differences.dueBefore(mchid, 'waiting', beijingTime(now()), most_due)
    for (const { _id, mchid: owner, bill_date } of due) {
      await store.reconciliations.noteMoved({ mchid: owner, bill_date })
      await moveDifference(context, _id, 'overdue')
    }
    if (due.length < most_due) return
  }
}

/** Whether a difference was asked about, or handed over, since this look began. */
export function isSince(time: string | undefined, { start_time }: Pick<ReconciliationRecord, 'start_time'>): boolean {
  return time !== undefined && milliseconds(time) >= milliseconds(start_time)
}
