import { activityInfo, ApplicationFailure } from '@temporalio/activity'
import { ApplicationFailureCategory } from '@temporalio/common'
import type { ActivityInterceptorsFactory } from '@temporalio/worker'
import { failures } from '../domain/failures.ts'
import type { FailureType } from '../domain/failures.ts'
import { retryDelay } from '../domain/policy.ts'
import { maskText } from '../runtime/mask.ts'
import { StoreUnavailable } from '../store/connection.ts'
import { slowerDelay, WeChatPayError } from '../wechat/errors.ts'
import type { WeChatOperation } from '../wechat/errors.ts'
import type { ActivityContext } from './context.ts'

/**
 * Failures as Temporal takes them: a class that says what is done next, and when. None of them ends a workflow. What
 * endpoints and WeChat Pay say stands in their messages, and Temporal keeps those: so each is masked.
 */

/** What we wait for has not happened. Benign: a wait is no error, in no log and no metric. */
export function notYetFailure(message: string, delay_ms: number): ApplicationFailure {
  return ApplicationFailure.create({
    message: maskText(message),
    type: failures.not_yet,
    nextRetryDelay: Math.ceil(delay_ms),
    category: ApplicationFailureCategory.BENIGN,
  })
}

/** The same again; without a delay by the activity's own policy. */
export function againFailure(message: string, delay_ms?: number, type: FailureType = 'again'): ApplicationFailure {
  return ApplicationFailure.create({
    message: maskText(message),
    type: failures[type],
    ...(delay_ms === undefined ? {} : { nextRetryDelay: Math.ceil(delay_ms) }),
  })
}

/**
 * A call to WeChat Pay that gave no usable answer. Benign where a limit of ours or an open breaker held it back: nothing
 * was sent, and while WeChat Pay is away every waiting order and refund meets that.
 */
export function callFailure(
  { message, reason }: WeChatPayError,
  delay_ms: number,
  type: FailureType = 'again',
): ApplicationFailure {
  const is_held_back = reason === 'breaker' || reason === 'limit'
  return ApplicationFailure.create({
    message: maskText(message),
    type: failures[type],
    nextRetryDelay: Math.ceil(delay_ms),
    ...(is_held_back && { category: ApplicationFailureCategory.BENIGN }),
  })
}

export function setupMissingFailure(mchid: string, delay_ms: number): ApplicationFailure {
  return againFailure(
    `merchant ${mchid} has no usable WeChat Pay set-up; add its keys and certificate`,
    delay_ms,
    'setup',
  )
}

/** Runs a call that belongs to no order, and turns what fails into a failure that says when to come again. */
export async function callWeChat<T>(
  context: ActivityContext,
  operation: WeChatOperation,
  call: () => Promise<T>,
): Promise<T> {
  try {
    return await call()
  } catch (error) {
    if (!(error instanceof WeChatPayError)) throw error
    const delay_ms = error.kind === 'setup' ? context.policy.setup_retry_ms : (error.delay_ms ?? slowerDelay())
    throw againFailure(`${operation}: ${error.message}`, delay_ms)
  }
}

/** Below five seconds with the jitter: what waits for the database goes on that soon after it is back. */
const database_away_ms = [1_000, 2_000, 3_000] as const
const database_jitter_ms = 1_000

/**
 * Has an activity that the database did not answer come again within four seconds, whatever pace its own policy has by then:
 * a delivery would wait half a minute, although only the database was away. A local activity has a regular one behind it.
 */
export const returnWithDatabase: ActivityInterceptorsFactory = () => ({
  inbound: {
    async execute(input, next) {
      try {
        return await next(input)
      } catch (error) {
        const { isLocal, attempt } = activityInfo()
        if (!(error instanceof StoreUnavailable) || isLocal) throw error
        const { name, message } = error
        const delay_ms = retryDelay(database_away_ms, attempt) + Math.random() * database_jitter_ms
        const nextRetryDelay = Math.ceil(delay_ms)
        // Benign, since every activity meets it: the rounds of the worker say that the database is away.
        const category = ApplicationFailureCategory.BENIGN
        throw ApplicationFailure.create({ type: name, message, nextRetryDelay, category, cause: error })
      }
    },
  },
})
