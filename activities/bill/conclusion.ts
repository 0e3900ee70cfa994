import { createHash } from 'node:crypto'
import { heartbeat } from '@temporalio/activity'
import { openingRevision } from '../../domain/bill/difference.ts'
import type { DifferenceRecord } from '../../domain/bill/difference.ts'
import { distinctFlaws } from '../../domain/bill/flaw.ts'
import type { DayFlaw } from '../../domain/bill/flaw.ts'
import { dayOutcome, isLookedAt, resultText } from '../../domain/bill/reconciliation.ts'
import type { DayKey, ReconciliationRecord } from '../../domain/bill/reconciliation.ts'
import { beijingTime } from '../../domain/calendar.ts'
import { billEventBody } from '../../domain/event/event.ts'
import { deliveryStart } from '../../domain/messages.ts'
import { startRun } from '../../runtime/runs.ts'
import type { RunStarter } from '../../runtime/runs.ts'
import { publicId } from '../../store/ids.ts'
import { linkDifferences } from '../../store/link.ts'
import { currentTime } from '../context.ts'
import type { ActivityContext } from '../context.ts'
import { publishOrderlessEvent } from '../delivery/event.ts'
import { differencesOf } from './differences.ts'

/** What concluding works with. */
export interface ConclusionContext {
  context: ActivityContext
  starter: RunStarter
}

/** differences of a day that are told one by one when they open together; of more the day's event tells the number */
export const most_told = 100
/** how often a day is counted again because a difference was moved meanwhile */
const most_counts = 20

export interface Conclusion {
  /** the look that ends with this; null: a difference was moved outside any */
  run: number | null
  /** names the openings that are told together: those of one look, or of one call */
  batch: string
  given_up_flaw?: DayFlaw | null
}

/**
 * Counts what is left of a day's differences, says whether the day is proven, and tells merchants of what opened and of
 * a result that changed. Repeatable: what is told follows from what is recorded, under the same ids. Null: there is no
 * such day, or another look has it in hand, which counts at its own end.
 */
export async function concludeDay(
  parts: ConclusionContext,
  day: DayKey,
  { run, batch, given_up_flaw = null }: Conclusion,
): Promise<ReconciliationRecord | null> {
  const { store, now } = parts.context
  for (let count = 0; count < most_counts; count += 1) {
    const known = await store.reconciliations.find(day)
    if (known === null || (run !== null && known.run !== run)) return null
    if (run === null && isLookedAt(known)) {
      await store.reconciliations.noteMoved(day)
      return null
    }
    await tellOpenings(parts, day, batch)
    const of_look = given_up_flaw === null ? [] : [given_up_flaw]
    const flaws = distinctFlaws([...known.flaws, ...of_look, ...(known.book?.flaws ?? [])])
    const outcome = dayOutcome(await store.differences.tally(day), flaws)
    const digest = createHash('sha256')
      .update(resultText({ ...known, ...outcome }))
      .digest('hex')
    const told = { number: (known.told?.number ?? 0) + 1, digest, time: currentTime({ now }) }
    const written = await store.reconciliations.conclude(known, {
      ...outcome,
      ...(run !== null && { end_time: beijingTime(now()) }),
      ...(known.told?.digest !== digest && { told }),
    })
    if (written === null) continue
    await tellResult(parts, written)
    return written
  }
  throw new Error(`differences of ${day.bill_date} were moved while they were counted, ${most_counts} times`)
}

/** Tells of differences that came to wait for a person and were not told yet: each by its event, or all by the day's. */
async function tellOpenings(parts: ConclusionContext, day: DayKey, batch: string): Promise<void> {
  const { store } = parts.context
  const untold: { _id: string; revision: number }[] = []
  let counted = 0
  for await (const { _id, state, told, timeline } of differencesOf(store, day)) {
    const revision = openingRevision({ timeline })
    if (state !== 'open') continue
    if (told === undefined || told.revision < revision) untold.push({ _id, revision })
    else if (told.as === 'count' && told.batch === batch) counted += 1
  }
  // Those counted in this batch are of a step that died half-way: all of it is told in one way.
  const as = untold.length + counted > most_told ? 'count' : 'event'
  for (const { _id, revision } of untold) {
    if (as === 'event') await tellOpening(parts, await store.differences.find(_id), revision)
    await store.differences.noteTold(_id, { revision, as, batch })
    heartbeat()
  }
}

/** One event for one opening, whoever moves the difference meanwhile: an opening is named by its revision. */
async function tellOpening(
  parts: ConclusionContext,
  difference: DifferenceRecord | null,
  revision: number,
): Promise<void> {
  if (difference === null) return
  const type = 'difference.opened' as const
  const { id, mchid, timeline } = difference
  const timestamp = timeline.find((entry) => entry.revision === revision)?.time ?? currentTime(parts.context)
  const linked = (await linkDifferences(parts.context.store, [difference]))(difference)
  const subject = { type, difference, linked, evidenceId: (evidence_id: string) => publicId('evd', evidence_id) }
  const deliveries = await publishOrderlessEvent(parts.context, {
    ...{ mchid, type, subject_id: `${id}:${revision}`, timestamp },
    bodyOf: (event_id) => billEventBody(event_id, subject, timestamp),
  })
  await startDeliveries(parts, mchid, deliveries)
}

/** The result that the record says was to be told: derived anew where a step died behind its write. */
async function tellResult(parts: ConclusionContext, day: ReconciliationRecord): Promise<void> {
  if (day.told === undefined) return
  const type = 'reconciliation.completed' as const
  const { mchid, bill_date } = day
  const { number, time: timestamp } = day.told
  const deliveries = await publishOrderlessEvent(parts.context, {
    ...{ mchid, type, subject_id: `${bill_date}:${number}`, timestamp },
    bodyOf: (event_id) => billEventBody(event_id, { type, day }, timestamp),
  })
  await startDeliveries(parts, mchid, deliveries)
}

/** Those that have ended are not sent again: a delivery's own record decides. */
async function startDeliveries({ starter }: ConclusionContext, mchid: string, deliveries: string[]): Promise<void> {
  for (const delivery_id of deliveries) await startRun(starter, deliveryStart({ delivery_id, mchid, out_trade_no: '' }))
}
