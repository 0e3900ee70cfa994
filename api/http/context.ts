import type { Policy } from '../../domain/policy.ts'
import type { Config } from '../../runtime/config.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import type { Store } from '../../store/store.ts'
import type { WeChatAccounts } from '../../wechat/accounts.ts'
import type { Commands } from '../temporal/commands.ts'
import type { Questions } from '../temporal/question.ts'
import type { RateLimiter } from './ratelimit.ts'

/** ApiContext holds what the API works with. One object per process; tests make their own. */
export interface ApiContext {
  config: Config
  store: Store
  commands: Commands
  /** bounds what requests have asked through runs */
  questions: Questions
  /** merchants as WeChat Pay knows them: verifies notifications, encrypts bank cards */
  accounts: WeChatAccounts
  limiter: RateLimiter
  log: Logger
  metrics: Metrics
  /** aborted when the process drains: open streams end, so that the server can close */
  draining: AbortSignal
  /** the durations of this installation, divided by its time scale */
  policy: Policy
  /** Unix ms */
  now: () => number
}
