import { expiringDays } from '../../domain/bill/reconciliation.ts'
import { beijingDay, milliseconds } from '../../domain/calendar.ts'
import type { MerchantRecord } from '../../domain/merchant/record.ts'
import { currentTime } from '../context.ts'
import type { ActivityContext } from '../context.ts'

/**
 * Says of which days WeChat will soon have no bill any more, and how they are looked at; none: takes that back. Days that
 * nobody ever looked at are meant too, from the one on which the merchant was set up.
 */
export async function tellExpiring(context: ActivityContext, merchant: MerchantRecord): Promise<void> {
  const { store, now } = context
  const { mchid, attentions = [] } = merchant
  const [oldest, ...others] = await unprovenExpiring(context, merchant)
  if (oldest === undefined) {
    await store.merchants.liftAttention(mchid, 'bill_expiring')
    return
  }
  const more = others.length === 0 ? '' : ` --to ${others.at(-1) ?? ''}`
  const detail = `${oldest}: npm run reconcile -- ${oldest}${more} --merchant ${mchid}`
  const raised = attentions.find(({ code }) => code === 'bill_expiring')
  if (raised?.detail === detail) return
  if (raised !== undefined) await store.merchants.liftAttention(mchid, 'bill_expiring')
  await store.merchants.noteAttention(mchid, 'bill_expiring', raised?.since_time ?? currentTime({ now }), detail)
}

async function unprovenExpiring({ store, now }: ActivityContext, merchant: MerchantRecord): Promise<string[]> {
  const { mchid, create_time } = merchant
  const days = expiringDays(now()).filter((day) => day >= beijingDay(milliseconds(create_time)))
  const proven = new Set(await store.reconciliations.provenAmong(mchid, days))
  return days.filter((day) => !proven.has(day))
}
