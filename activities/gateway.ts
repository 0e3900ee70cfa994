import { beijingTime, milliseconds } from '../domain/calendar.ts'
import type { Attention, AttentionCode } from '../domain/attention.ts'
import type { Time } from '../domain/calendar.ts'
import type { WeChatAccount } from '../wechat/accounts.ts'
import type { WeChatPayError } from '../wechat/errors.ts'
import type { ActivityContext } from './context.ts'
import { notYetFailure, setupMissingFailure } from './failure.ts'
import { setupAttention } from './setup.ts'
import type { SetupWatch } from './setup.ts'

/** What calls to WeChat Pay about orders and about refunds share: whose they are, and how a record tells of its waits. */

/** What a call works with: the activities' things, and an eye on who is refused by WeChat itself. */
export interface GatewayContext extends ActivityContext {
  setups: SetupWatch
}

/** WaitingRecord is an order or a refund, as far as a call to WeChat Pay notes on it. */
export interface WaitingRecord<Step extends string> {
  mchid: string
  /** its number, for the log */
  numbers: Record<string, string>
  attention?: Attention | undefined
  /** ended; it is only asked about when somebody wonders, so nothing is planned for it and no person called */
  is_resting: boolean
  noteNextAction(next_action: { what: Step; time: Time }): Promise<unknown>
  noteAttention(attention: Attention | null): Promise<unknown>
}

/** Answers the merchant's WeChatAccount. Throws, and raises attention, where it cannot be used. */
export async function requireAccount(context: GatewayContext, { mchid }: { mchid: string }): Promise<WeChatAccount> {
  const account = await context.accounts.find(mchid)
  if (account !== null) return account
  await context.setups.noteRefused(mchid)
  throw setupMissingFailure(mchid, context.policy.setup_retry_ms)
}

/** Plans the next call in the record, for the sweeper and for whoever reads it. Returns the failure that waits for it. */
export async function planStep<Step extends string>(
  { now }: GatewayContext,
  waiting: WaitingRecord<Step>,
  next: { what: Step; delay_ms: number; reason: string },
): Promise<Error> {
  await waiting.noteNextAction({ what: next.what, time: beijingTime(now() + next.delay_ms) })
  return notYetFailure(next.reason, next.delay_ms)
}

/** Lifts what was said about WeChat's silence, since it answers again. */
export async function liftUnreachable(waiting: WaitingRecord<never>): Promise<void> {
  if (waiting.attention && silences.includes(waiting.attention.code)) await waiting.noteAttention(null)
}

const silences: readonly AttentionCode[] = [
  'wechat_unreachable',
  'wechat_answer_unclear',
  'wechat_setup',
  'wechat_key_missing',
]

/** FailedCall is a call to WeChat Pay that gave no usable answer, and what its silence means. */
export interface FailedCall<Step extends string> {
  error: WeChatPayError
  step: Step
  delay_ms: number
  /** since when nothing was heard */
  since_time: Time
  /** what is said to a person when that is `patience_ms` ago */
  attention: 'not_placed' | 'wechat_unreachable'
  patience_ms: number
}

/**
 * Keeps the record honest about a FailedCall: when it is made again, and whether a person should look. Returns the delay
 * until then.
 */
export async function noteFailedCall<Step extends string>(
  context: GatewayContext,
  waiting: WaitingRecord<Step>,
  { error, step, delay_ms, since_time, attention, patience_ms }: FailedCall<Step>,
): Promise<number> {
  const { policy, now, log } = context
  const is_setup = error.kind === 'setup'
  const wait_ms = is_setup ? policy.setup_retry_ms : Math.max(delay_ms, error.delay_ms ?? 0)
  if (is_setup) await context.setups.noteRefused(waiting.mchid, setupAttention(error))
  if (!waiting.is_resting) {
    await waiting.noteNextAction({ what: step, time: beijingTime(now() + wait_ms) })
    const told = { since_time: beijingTime(now()), detail: answerText(error) }
    if (is_setup) await waiting.noteAttention({ code: setupAttention(error), ...told })
    else if (now() - milliseconds(since_time) >= patience_ms)
      await waiting.noteAttention({ code: unclearAttention(error, attention), ...told })
  }
  const { kind, reason, code, status, request_id } = error
  const { mchid, numbers } = waiting
  // At a limit of our own, or behind an open breaker, nothing was sent: what had opened it was said.
  if (error.reason === 'breaker' || error.reason === 'limit') return wait_ms
  log.warn('a call to WeChat Pay failed and is repeated', {
    mchid,
    ...numbers,
    step,
    kind,
    reason,
    code,
    status,
    request_id,
    delay_ms: wait_ms,
  })
  return wait_ms
}

/**
 * Where WeChat is taken for silent, and yet answers with a code of its own that takes the call no further, a person is sent
 * to that code and not to the network. Of 5xx the network may be the cause.
 */
function unclearAttention({ reason, code, status }: WeChatPayError, attention: FailedCall<string>['attention']) {
  const is_said = reason === 'answer' && code !== null && (status ?? 500) < 500
  return is_said && attention === 'wechat_unreachable' ? 'wechat_answer_unclear' : attention
}

/** What came of a call, for the person who looks: WeChat's own words, or why there are none. */
export function answerText({ reason, code, status, wechat_message }: WeChatPayError): string {
  if (reason !== 'answer') return reason
  const said = [status, code].filter((part) => part !== null).join(' ')
  return wechat_message ? `${said}: ${wechat_message}` : said
}
