import { CancellationScope, defineSignal, setHandler, workflowInfo } from '@temporalio/workflow'
import type { DayKey } from '../../domain/bill/reconciliation.ts'
import { signals } from '../../domain/messages.ts'
import { showDay } from '../details.ts'
import { billProxies } from '../proxies.ts'
import { assertReadable } from '../shape.ts'
import { told } from '../shown.ts'
import { handler_texts } from '../words.ts'

const differencesMoved = defineSignal(signals.differences_moved)

/**
 * `concludeDay`: does what people asked for about a day's differences, then counts the day anew. The records say what
 * that is; a signal only says that somebody asked (architecture §10).
 */
export async function concludeDay(day: DayKey): Promise<void> {
  assertReadable('concludeDay', day)
  let heard = 0
  setHandler(differencesMoved, () => void (heard += 1), {
    description: told(handler_texts.differences_moved),
  })
  await CancellationScope.nonCancellable(async () => {
    // No await between the last look at what was heard and the end: a signal is never lost.
    for (let done = -1; done !== heard;) {
      done = heard
      await followPeople(day, `call:${workflowInfo().runId}:${heard}`)
    }
  })
}

async function followPeople(day: DayKey, batch: string): Promise<void> {
  const { acceptDifferences, followDay, checkDifferences } = billProxies()
  await acceptDifferences({ day })
  const followed = await followDay({ day, batch })
  if (followed !== null) showDay(followed)
  const { checked } = await checkDifferences({ day })
  if (checked === 0) return
  const counted = await followDay({ day, batch })
  if (counted !== null) showDay(counted)
}
