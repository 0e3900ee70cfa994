import { beijingTime, milliseconds } from '../../domain/calendar.ts'
import type { DifferenceKind } from '../../domain/bill/difference.ts'
import { most_questions, newReconciliation, oldestBillDay } from '../../domain/bill/reconciliation.ts'
import type { DayKey, ReconciliationRecord } from '../../domain/bill/reconciliation.ts'
import type { Store } from '../../store/store.ts'
import { currentTime, requireMerchant } from '../context.ts'
import type { ActivityContext } from '../context.ts'
import { differencesOf, moveDifference } from './differences.ts'
import { tellExpiring } from './expiry.ts'

/** One look at a day: only the look that began last writes what it finds. */
export interface DayLook {
  day: DayKey
  run: number
}

/** differences that are ended at once */
const most_due = 500

/** Asking about each would take hours, and tell a thousand times of one fault. */
const too_many = `more than ${most_questions} lines or records have no other side; is this the right merchant number?`

/** Begins a look at a day. Each that begins ends the word of the ones before. */
export async function openDay(
  context: ActivityContext,
  { day, look }: { day: DayKey; look: string },
): Promise<ReconciliationRecord> {
  return await context.store.reconciliations.begin(newReconciliation(day, currentTime(context), look))
}

/** What the day comes to: what is left of its differences, and whether it is proven or why not. */
export async function closeDay(
  context: ActivityContext,
  { day, run, given_up = false }: DayLook & { given_up?: boolean },
): Promise<ReconciliationRecord> {
  const { store, now } = context
  const known = await store.reconciliations.find(day)
  if (known === null || known.run !== run) return known ?? newReconciliation(day, currentTime(context), '')
  await endOverdue(context, day.mchid)
  const left = await countDifferences(store, day)
  const of_book = known.book?.flaws ?? []
  const flaws = [...new Set([...known.flaws, ...(given_up ? [too_many] : []), ...of_book])]
  const is_proven = flaws.length === 0 && left.open + left.waiting === 0
  const written = await store.reconciliations.write(day, run, {
    state: is_proven ? 'balanced' : 'different',
    end_time: beijingTime(now()),
    differences: left.kinds,
    healed_count: left.healed,
    is_proven,
    flaws,
  })
  await tellAttention(context, day.mchid)
  return written ?? known
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
  await tellExpiring(context, await requireMerchant(context, mchid))
}

/** What waited long enough for its other side is for a person, whatever its day. */
async function endOverdue(context: ActivityContext, mchid: string): Promise<void> {
  const { store, now } = context
  for (;;) {
    const due = await store.differences.dueBefore(mchid, 'waiting', beijingTime(now()), most_due)
    for (const { _id } of due) await moveDifference(context, _id, 'overdue')
    if (due.length < most_due) return
  }
}

interface DifferencesLeft {
  open: number
  waiting: number
  healed: number
  /** of those that are not over */
  kinds: Partial<Record<DifferenceKind, number>>
}

async function countDifferences(store: Store, day: DayKey): Promise<DifferencesLeft> {
  const left: DifferencesLeft = { open: 0, waiting: 0, healed: 0, kinds: {} }
  const became_phantoms = new Set<string | null>()
  for await (const { state, kind, transaction_id } of differencesOf(store, day)) {
    if (state === 'healed') left.healed += 1
    if (state === 'healed' && kind === 'missing_there') became_phantoms.add(transaction_id)
    // What is missing because WeChat denies it has not healed. In the order of ids it comes before its phantom.
    else if (state !== 'healed' && kind === 'phantom_payment' && became_phantoms.has(transaction_id)) left.healed -= 1
    if (state !== 'open' && state !== 'waiting') continue
    left[state] += 1
    left.kinds[kind] = (left.kinds[kind] ?? 0) + 1
  }
  return left
}

/** Whether a difference was asked about, or handed over, since this look began. */
export function isSince(time: string | undefined, { start_time }: Pick<ReconciliationRecord, 'start_time'>): boolean {
  return time !== undefined && milliseconds(time) >= milliseconds(start_time)
}
