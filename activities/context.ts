import { ApplicationFailure } from '@temporalio/activity'
import { beijingTime } from '../domain/calendar.ts'
import type { MerchantRecord } from '../domain/merchant/record.ts'
import type { Policy } from '../domain/policy.ts'
import type { Sealer } from '../store/sealer.ts'
import type { Store } from '../store/store.ts'
import type { WeChatAccounts } from '../wechat/accounts.ts'

/** What a line of the log needs to be; runtime/logger is one, handed in by the worker. */
export interface ActivityLog {
  info(message: string, fields?: Record<string, unknown>): void
  warn(message: string, fields?: Record<string, unknown>): void
  error(message: string, fields?: Record<string, unknown>): void
}

/** What activities work with. Time is injected: on a time-skipping server the clock is the server's. */
export interface ActivityContext {
  store: Store
  sealer: Sealer
  accounts: WeChatAccounts
  policy: Policy
  /** Unix ms */
  now: () => number
  log: ActivityLog
}

/** Reads the MerchantRecord. One that is gone while its orders live must be restored, so a missing one is retried. */
export async function requireMerchant(context: ActivityContext, mchid: string): Promise<MerchantRecord> {
  const merchant = await context.store.merchants.find(mchid)
  if (merchant === null) throw ApplicationFailure.retryable(`merchant ${mchid} is not in the database; restore it`)
  return merchant
}

/** This moment, as records keep it. */
export function currentTime({ now }: Pick<ActivityContext, 'now'>): string {
  return beijingTime(now())
}
