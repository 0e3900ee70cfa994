import { CancellationScope, patched, workflowInfo } from '@temporalio/workflow'
import { billsOfDay } from '../../domain/bill/reconciliation.ts'
import type { DayKey } from '../../domain/bill/reconciliation.ts'
import { showDay } from '../details.ts'
import { billProxies } from '../proxies.ts'
import { assertReadable } from '../shape.ts'

/**
 * `reconcileDay`: one merchant's Beijing day, from WeChat's bills to the proof. Each step may be repeated and leaves the
 * same; what waits for the next days' bills is ended by their runs (architecture §10).
 */
export async function reconcileDay(day: DayKey): Promise<string> {
  assertReadable('reconcileDay', day)
  // Half a day is worth nothing: a cancel in Temporal UI stops it at no line.
  return await CancellationScope.nonCancellable(() => runDay(day))
}

async function runDay(day: DayKey): Promise<string> {
  const { openDay, fetchBill, matchDay, askDifferences, awaitHealing, postBills, closeDay, writeReport } = billProxies()
  const opened = await openDay({ day, look: workflowInfo().runId })
  showDay(opened)
  const look = { day, run: opened.run }
  // Which bills a day has is its first step's answer; of days that began before there were others, the two of then.
  await Promise.all(billsOfDay(opened).map((type) => fetchBill({ ...look, type })))
  showDay(await matchDay(look))
  const { handed_over, given_up } = await askDifferences(look)
  if (handed_over > 0) {
    await awaitHealing(look)
    showDay(await matchDay(look))
  }
  // Days that began before bills were posted end without; the next look at them posts.
  if (patched('postBills')) await postBills(look)
  const closed = await closeDay({ ...look, given_up })
  showDay(closed)
  // Days that began before there were reports have theirs at the next look at them.
  if (patched('writeReport')) await writeReport(look)
  return closed.state
}
