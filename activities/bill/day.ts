import { weft_actor } from '../../domain/actor.ts'
import { beijingTime, milliseconds } from '../../domain/calendar.ts'
import type { DifferenceKind, DifferenceRecord } from '../../domain/bill/difference.ts'
import { most_questions, newReconciliation } from '../../domain/bill/reconciliation.ts'
import type { DayKey, ReconciliationRecord } from '../../domain/bill/reconciliation.ts'
import { operationId } from '../../domain/ids.ts'
import type { Store } from '../../store/store.ts'
import { currentTime } from '../context.ts'
import type { ActivityContext } from '../context.ts'

/** One look at a day: only the look that began last writes what it finds. */
export interface DayLook {
  day: DayKey
  run: number
}

const page = 500

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
  const flaws = given_up ? [...new Set([...known.flaws, too_many])] : known.flaws
  const is_proven = flaws.length === 0 && left.open + left.waiting === 0
  const written = await store.reconciliations.write(day, run, {
    state: left.open + left.waiting === 0 && flaws.length === 0 ? 'balanced' : 'different',
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
async function tellAttention({ store, now }: ActivityContext, mchid: string): Promise<void> {
  const { data: open } = await store.differences.list(mchid, { state: 'open' }, { limit: 1 })
  const is_flawed = await store.reconciliations.hasFlawed(mchid)
  const wanted = { differences_open: open.length > 0, day_unproven: is_flawed } as const
  for (const [code, is_wanted] of Object.entries(wanted) as [keyof typeof wanted, boolean][]) {
    if (is_wanted) await store.merchants.noteAttention(mchid, code, beijingTime(now()))
    else await store.merchants.liftAttention(mchid, code)
  }
}

/** What waited long enough for its other side is for a person, whatever its day. */
async function endOverdue(context: ActivityContext, mchid: string): Promise<void> {
  const { store, now } = context
  for (;;) {
    const due = await store.differences.dueBefore(mchid, 'waiting', beijingTime(now()), page)
    for (const { _id } of due) {
      const time = currentTime(context)
      await store.differences.apply(_id, ({ revision }) => ({
        event: 'overdue',
        operation_id: operationId.difference('overdue', revision),
        time,
        actor: weft_actor,
      }))
    }
    if (due.length < page) return
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
  for await (const { state, kind } of differencesOf(store, day)) {
    if (state === 'healed') left.healed += 1
    if (state !== 'open' && state !== 'waiting') continue
    left[state] += 1
    left.kinds[kind] = (left.kinds[kind] ?? 0) + 1
  }
  return left
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

/** Whether a difference was asked about, or handed over, since this look began. */
export function isSince(time: string | undefined, { start_time }: Pick<ReconciliationRecord, 'start_time'>): boolean {
  return time !== undefined && milliseconds(time) >= milliseconds(start_time)
}
