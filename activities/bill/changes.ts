import { cancellationSignal, heartbeat } from '@temporalio/activity'
import type { VersionChanges } from '../../domain/bill/change.ts'
import type { BillRecord, DayChanges, DayKey } from '../../domain/bill/reconciliation.ts'
import { bill_types } from '../../domain/bill/row.ts'
import type { BillType } from '../../domain/bill/row.ts'
import { openChanges } from '../../match/changes.ts'
import { BillDamaged } from '../../store/original.ts'
import { currentTime } from '../context.ts'
import type { ActivityContext } from '../context.ts'
import { scratch_folder } from './scratch.ts'
import { readStatement } from './statement.ts'

/** a line of a bill has some 250 bytes; of the fund flow fewer */
const bytes_per_line = 150

/**
 * What the versions that a look has read changed of those before them. Each version is compared with the one before it
 * once, and keeps that; where one of the two is not here whole, nothing is known, and nothing waits for it.
 */
export async function changesOf(
  context: ActivityContext,
  day: DayKey,
  read: Partial<Record<BillType, number>>,
): Promise<DayChanges[]> {
  const found: DayChanges[] = []
  for (const type of bill_types.filter((one) => read[one] !== undefined)) {
    const versions = await context.store.bills.versions(day, type)
    for (const [at, after] of versions.entries()) {
      const before = versions[at - 1]
      if (before === undefined) continue
      const changes = after.changes ?? (await compareVersions(context, before, after))
      if (changes === null || after.version !== read[type]) continue
      const { added, removed, changed } = changes
      found.push({ type, version: after.version, added: added.count, removed: removed.count, changed: changed.count })
    }
  }
  return found
}

/** Null: one of the two is not kept whole. */
async function compareVersions(
  context: ActivityContext,
  before: BillRecord,
  after: BillRecord,
): Promise<VersionChanges | null> {
  const { store, log } = context
  if ([before, after].some(({ damaged_time, dropped_time }) => damaged_time ?? dropped_time)) return null
  const changes = await openChanges({
    folder: scratch_folder,
    expected: Math.ceil((before.byte_count + after.byte_count) / bytes_per_line),
    signal: cancellationSignal(),
  })
  try {
    await readLines(store, before, changes, 'before')
    await readLines(store, after, changes, 'after')
    const { sums, listed } = await changes.finish()
    await store.bill_changes.keep(after, listed)
    await store.bills.noteChanges(after, sums)
    return sums
  } catch (error) {
    if (!(error instanceof BillDamaged)) throw error
    log.error('two versions of a bill are not compared, since one is damaged', {
      bill: error.bill._id,
      why: error.message,
    })
    await store.bills.noteDamaged(error.bill, currentTime(context))
    return null
  } finally {
    await changes.dispose()
  }
}

async function readLines(
  store: ActivityContext['store'],
  bill: BillRecord,
  changes: Awaited<ReturnType<typeof openChanges>>,
  side: 'before' | 'after',
): Promise<void> {
  for await (const { entries } of readStatement(store, bill)) {
    for (const entry of entries)
      changes.add(side, 'row' in entry ? entry.row : { kind: 'malformed', ...entry.malformed })
    await changes.drained()
    heartbeat()
  }
}
