import { createCommands } from '../../api/temporal/commands.ts'
import { createQuestions } from '../../api/temporal/question.ts'
import type { OpeningContext } from '../../api/v1/checkouts/order.ts'
import { default_policy, scaledPolicy } from '../../domain/policy.ts'
import { shownTo } from '../../runtime/config.ts'
import { silentLogger } from '../../runtime/logger.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import type { Stage } from './stage.ts'

/** What an API process of this stage makes a checkout's orders with, without its page in front. */
export function openingContext({ config, store, temporal, now }: Stage): OpeningContext {
  const commands = createCommands({
    client: temporal,
    intake: temporal,
    sealer: store.sealer,
    queue_prefix: config.queue_prefix,
    shown: shownTo(config),
    log: silentLogger,
    metrics: createMetrics(),
  })
  const policy = scaledPolicy(default_policy, config.time_scale)
  return { config, policy, store, commands, questions: createQuestions(now), log: silentLogger, now }
}
