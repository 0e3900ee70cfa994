import type { Logger } from '../runtime/logger.ts'
import { createRoundLog } from '../runtime/outage.ts'
import { StoreUnavailable } from '../store/connection.ts'
import type { Store } from '../store/store.ts'
import type { WeChatAccounts } from '../wechat/accounts.ts'

/** Below the age at which a key ring fetches anew what it holds, so that each merchant's turn comes in time. */
export const refresh_every_ms = 60 * 60_000

export interface KeyRound {
  store: Pick<Store, 'merchants'>
  accounts: Pick<WeChatAccounts, 'find'>
  log: Logger
}

/**
 * Fetches the platform certificates of every merchant where they are old, also without traffic. WeChat Pay lists a new
 * certificate some time before it signs with it, and a list is taken only when a key that is known here has signed it:
 * whoever looked too late would believe nothing any more (docs/operate.md, WeChat Pay's certificates). That the database is
 * away is said once a round, not once for each merchant.
 */
export async function refreshKeys({ store, accounts, log }: KeyRound, ending?: AbortSignal): Promise<void> {
  const say = createRoundLog(StoreUnavailable)
  for (const { mchid } of await store.merchants.list()) {
    if (ending?.aborted === true) return
    try {
      const account = await accounts.find(mchid)
      await account?.client.keyring.refreshIfStale()
    } catch (error) {
      say(log, 'the certificates of a merchant were not looked at', { mchid, error })
    }
  }
}
