import type { Policy } from '../../domain/policy.ts'
import type { Config } from '../../runtime/config.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import type { Store } from '../../store/store.ts'
import type { WeChatAccounts } from '../../wechat/accounts.ts'
import type { Commands } from '../temporal/commands.ts'
import type { RateLimiter } from './ratelimit.ts'

/** What the API works with. One object per process; tests put their own together. */
export interface ApiContext {
  config: Config
  store: Store
  commands: Commands
  /** key rings of merchants, for verifying what WeChat Pay sends */
  accounts: WeChatAccounts
  limiter: RateLimiter
  log: Logger
  metrics: Metrics
  /** aborted when the process drains: open pages are let go, so that the server can close */
  draining: AbortSignal
  /** the durations this installation lives by: scaled in a demonstration */
  policy: Policy
  /** Unix ms */
  now: () => number
}
