import { workflowInfo } from '@temporalio/workflow'
import { billProxies } from '../proxies.ts'

/**
 * `reconcileDays`: starts the run of each merchant's yesterday. The schedule starts it; yesterday is counted from the
 * moment that it was due, so that a run which is caught up on is about its own day.
 */
export async function reconcileDays(): Promise<string[]> {
  const { startTime, searchAttributes } = workflowInfo()
  const [due] = searchAttributes['TemporalScheduledStartTime'] ?? []
  const due_ms = due instanceof Date ? due.getTime() : startTime.getTime()
  return await billProxies().startDays({ due_ms })
}
