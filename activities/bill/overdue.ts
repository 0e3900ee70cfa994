import { beijingTime } from '../../domain/calendar.ts'
import type { Store } from '../../store/store.ts'

/**
 * Says that an open difference was not settled by its time, since the first such time, and takes that back once none is
 * left. No run is alive then, so the sweeper comes by; whoever moves a difference looks at once. True: it is said anew.
 */
export async function tellOverdue(
  store: Pick<Store, 'differences' | 'merchants'>,
  mchid: string,
  now_ms: number,
): Promise<boolean> {
  const [first] = await store.differences.dueBefore(mchid, 'open', beijingTime(now_ms), 1)
  if (first !== undefined) return await store.merchants.noteAttention(mchid, 'differences_overdue', first.due_time)
  await store.merchants.liftAttention(mchid, 'differences_overdue')
  return false
}
