import { heartbeat } from '@temporalio/activity'
import { isBillGone } from '../../domain/bill/reconciliation.ts'
import { beijingDay } from '../../domain/calendar.ts'
import { billSettings, least_keep_days } from '../../domain/merchant/bill.ts'
import type { MerchantRecord } from '../../domain/merchant/record.ts'
import type { Store } from '../../store/store.ts'
import { currentTime } from '../context.ts'
import type { ActivityContext } from '../context.ts'

const day_ms = 86_400_000
/** files of a merchant that are dropped in one morning; the next one goes on */
const most_dropped = 1_000

/**
 * Drops the files of bills that are older than the merchant keeps them. What is known of each stays: its hash, its size
 * and when it was fetched.
 */
export async function dropOriginals(context: ActivityContext, { mchid, settings }: MerchantRecord): Promise<void> {
  const { store, now } = context
  const { keep_days } = billSettings(settings)
  if (keep_days === null) return
  const before = beijingDay(now() - Math.max(keep_days, least_keep_days) * day_ms)
  for (const bill of await store.bills.keptBefore(mchid, before, most_dropped)) {
    if (!isBillGone(bill.bill_date, now())) continue
    await store.bill_changes.drop(bill)
    await store.bills.noteDropped(bill, currentTime(context))
    await dropPieces(store, bill.parts_key)
    await store.bills.endFetch(bill.parts_key)
  }
}

/** Drops all pieces of a fetch. */
export async function dropPieces({ bills }: Pick<Store, 'bills'>, parts_key: string): Promise<void> {
  while ((await bills.dropParts(parts_key)) > 0) heartbeat({ dropping: parts_key })
}
