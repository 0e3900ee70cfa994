import type { Logger } from '../runtime/logger.ts'
import type { Store } from '../store/store.ts'
import type { WeChatAccounts } from '../wechat/accounts.ts'

/** Below the age at which a key ring fetches anew what it holds, so that each merchant's turn comes in time. */
export const refresh_every_ms = 60 * 60_000

export interface KeyRefresherSettings {
  store: Pick<Store, 'merchants'>
  accounts: Pick<WeChatAccounts, 'find'>
  every_ms: number
  log: Logger
}

export interface KeyRefresher {
  start(): void
  /** One round: each merchant's key ring fetches its certificates where they are old. */
  refresh(): Promise<void>
  close(): Promise<void>
}

/**
 * Keeps the platform certificates of merchants without traffic fresh. WeChat Pay lists a new certificate some time
 * before it signs with it, and a list is taken only when a key that is known here has signed it: whoever looked too late
 * would believe nothing any more (docs/operate.md, WeChat Pay's certificates).
 */
export function createKeyRefresher({ store, accounts, every_ms, log }: KeyRefresherSettings): KeyRefresher {
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> = Promise.resolve()

  async function refresh(): Promise<void> {
    for (const { mchid } of await store.merchants.list()) {
      try {
        const account = await accounts.find(mchid)
        await account?.client.keyring.refreshIfStale()
      } catch (error) {
        log.warn('the certificates of a merchant were not looked at', { mchid, error })
      }
    }
  }

  return {
    refresh,
    start() {
      timer = setInterval(() => {
        running = refresh().catch((error: unknown) => void log.warn('no certificates were looked at', { error }))
      }, every_ms)
      timer.unref()
    },
    async close() {
      clearInterval(timer)
      await running
    },
  }
}
