import { heartbeat } from '@temporalio/activity'
import { bill_days_kept } from '../../domain/bill/reconciliation.ts'
import { beijingDay, dayBefore } from '../../domain/calendar.ts'
import { dayId } from '../../domain/ids.ts'
import { reconcileStart } from '../../domain/messages.ts'
import { startRun } from '../../runtime/runs.ts'
import type { RunStarter } from '../../runtime/runs.ts'
import type { ActivityContext } from '../context.ts'
import { dropOriginals } from './drop.ts'
import { tellExpiring } from './expiry.ts'

const day_ms = 86_400_000
/** For so many days a day that is not proven is looked at again: that long may one side be late. */
const again_days = 4

/**
 * Starts the run of yesterday of each merchant that is set up at WeChat Pay, paused ones too: they had money. And, older
 * first, those of its last days that are not proven, since a bill or a record may have come, and all that were left in the
 * middle. A look that is under way is not begun again.
 */
export async function startDays(
  context: ActivityContext,
  starter: RunStarter,
  { due_ms }: { due_ms: number },
): Promise<string[]> {
  const { store } = context
  const bill_date = dayBefore(due_ms)
  const started: string[] = []
  for (const merchant of await store.merchants.list()) {
    const { mchid, wechat } = merchant
    if (!wechat) continue
    const earlier = await store.reconciliations.unproven(mchid, beijingDay(due_ms - again_days * day_ms))
    const broken_off = await store.reconciliations.unfinished(mchid, beijingDay(due_ms - bill_days_kept * day_ms))
    const days = new Set([...broken_off, ...earlier].map((day) => day.bill_date).sort())
    days.add(bill_date)
    for (const one of days) {
      await startRun(starter, reconcileStart({ mchid, bill_date: one }))
      started.push(dayId({ mchid, bill_date: one }))
      heartbeat(started.length)
    }
    await tellExpiring(context, merchant)
    await dropOriginals(context, merchant)
  }
  return started
}
