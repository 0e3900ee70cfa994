import { BrokenCircuitError, circuitBreaker, CircuitState, ConsecutiveBreaker, handleWhen } from 'cockatiel'
import { slowerDelay, WeChatPayError } from './errors.ts'
import type { WeChatFailureReason, WeChatOperation } from './errors.ts'
import { partOf, whole_share } from './share.ts'
import type { Rate, WeChatShare } from './share.ts'

/**
 * WeChatLimits bounds the calls of one merchant to WeChat Pay. At a limit a call fails at once as `slower`: nothing is
 * sent or counted, and the caller's workflow waits. One object per merchant, so that no merchant slows another.
 */
export interface WeChatLimits {
  /**
   * Runs a call under this merchant's tokens, slots and breaker, or throws WeChatPayError `slower` without running it.
   */
  run<T extends { status: number }>(operation: WeChatOperation, call: () => Promise<T>): Promise<T>
  /** for tests: what is counted now */
  state(): { in_flight: number; breaker: 'closed' | 'open' | 'half_open' }
}

export interface WeChatLimitSettings {
  now: () => number
  /** this process's part, asked at every call; the whole unless told. Certificates are not shared: they are few */
  share?: (() => WeChatShare) | undefined
  rates?: Partial<Record<WeChatOperation, Rate>>
  /** of these, so many may be refused */
  failing?: Partial<Record<WeChatOperation, Rate>>
  /** calls under way at once, all operations together */
  slots?: number
  /** failures in a row that open the breaker, and how long it stays open */
  breaker?: { failures: number; open_ms: number }
}

/**
 * What all processes together may call for one merchant. WeChat Pay publishes limits of few calls (docs/wechat-pay.md
 * §3.3); in any one second ours stay under them, burst and guests included (§3.5).
 */
const defaultRates: Readonly<Record<WeChatOperation, Rate>> = {
  place: { per_second: 200, burst: 200 },
  query: { per_second: 200, burst: 400 },
  close: { per_second: 100, burst: 200 },
  certificates: { per_second: 1, burst: 5 },
  refund: { per_second: 100, burst: 40 },
  query_refund: { per_second: 200, burst: 40 },
  abnormal_refund: { per_second: 20, burst: 20 },
  trade_bill: { per_second: 1, burst: 2 },
  fund_flow_bill: { per_second: 1, burst: 2 },
  bill_download: { per_second: 2, burst: 4 },
}

/** WeChat Pay takes 150 refunds a second that it accepts, and only 6 that it refuses (docs/wechat-pay.md §2.4). */
const defaultFailing: Readonly<Partial<Record<WeChatOperation, Rate>>> = { refund: { per_second: 3, burst: 2 } }

/**
 * Each process that sends refunds may have one that is refused in the same second, and WeChat Pay takes 6. A bill that
 * does not exist is asked of both hosts at once (wechat/bills.ts): half of its burst would never be enough.
 */
const mostHolders: Readonly<Partial<Record<WeChatOperation, number>>> = { refund: 6, trade_bill: 1, fund_flow_bill: 1 }

/** Makes one merchant's limits. `now` is in ms; the breaker keeps the process's own clock. */
export function createLimits(settings: WeChatLimitSettings): WeChatLimits {
  const slots = settings.slots ?? 64
  const budgets = createBudgets(settings)
  const { failures, open_ms } = settings.breaker ?? { failures: 10, open_ms: 5_000 }
  const breaker = circuitBreaker(handleWhen(isOutage).orWhenResult(isOutageAnswer), {
    halfOpenAfter: open_ms,
    breaker: new ConsecutiveBreaker(failures),
  })
  let inFlight = 0

  return {
    async run(operation, call) {
      // While one call tries whether WeChat Pay is back, all others are refused; the library would queue them.
      if (breaker.state === CircuitState.HalfOpen) throw limitError(operation, 'breaker')
      if (inFlight >= slots) throw limitError(operation, 'limit')
      const budget = budgets[operation]
      if (!budget.failing.allows() || !budget.calls.allows()) throw limitError(operation, 'limit')
      budget.calls.take()
      budget.failing.begin()
      inFlight += 1
      let isRefused = false
      try {
        const answer = await breaker.execute(call)
        isRefused = isRefusal(answer.status)
        return answer
      } catch (error) {
        throw error instanceof BrokenCircuitError ? limitError(operation, 'breaker') : error
      } finally {
        inFlight -= 1
        budget.failing.end(isRefused)
      }
    },
    state() {
      const state = breaker.state
      const name = state === CircuitState.Closed ? 'closed' : state === CircuitState.HalfOpen ? 'half_open' : 'open'
      return { in_flight: inFlight, breaker: name }
    },
  }
}

/** An answer that counts as a failing request: definite, and not merely a limit. */
function isRefusal(status: number): boolean {
  return status >= 400 && status < 500 && status !== 429
}

/** Only silence and 5xx say that WeChat Pay is away. A refusal, a limit or a probe says that it is there. */
function isOutage(error: unknown): boolean {
  return error instanceof WeChatPayError && (error.reason === 'network' || error.reason === 'timeout')
}

function isOutageAnswer(result: unknown): boolean {
  return (result as { status: number }).status >= 500
}

function limitError(
  operation: WeChatOperation,
  reason: Extract<WeChatFailureReason, 'limit' | 'breaker'>,
): WeChatPayError {
  return new WeChatPayError({ kind: 'slower', reason, operation, outcome_unknown: false, delay_ms: slowerDelay() })
}

/** What one operation may still do: calls, and among them calls that are refused. */
interface Budget {
  calls: TokenBucket
  failing: FailureBudget
}

function createBudgets({ now, ...settings }: WeChatLimitSettings): Record<WeChatOperation, Budget> {
  const rates = { ...defaultRates, ...settings.rates }
  const failing = { ...defaultFailing, ...settings.failing }
  const budgetOf = (operation: WeChatOperation): Budget => {
    const rate = { calls: rates[operation], failing: failing[operation], most_holders: mostHolders[operation] }
    const share = operation === 'certificates' ? undefined : settings.share
    const part = () => partOf(rate, share?.() ?? whole_share)
    return {
      calls: tokenBucket(() => part()?.calls ?? no_calls, now),
      failing: rate.failing ? failureBudget(() => part()?.failing ?? no_calls, now) : unlimitedFailures,
    }
  }
  return {
    place: budgetOf('place'),
    query: budgetOf('query'),
    close: budgetOf('close'),
    certificates: budgetOf('certificates'),
    refund: budgetOf('refund'),
    query_refund: budgetOf('query_refund'),
    abnormal_refund: budgetOf('abnormal_refund'),
    trade_bill: budgetOf('trade_bill'),
    fund_flow_bill: budgetOf('fund_flow_bill'),
    bill_download: budgetOf('bill_download'),
  }
}

const no_calls: Rate = { per_second: 0, burst: 0 }

/** Counts the calls that are refused, which is known only when they end. */
interface FailureBudget {
  allows(): boolean
  begin(): void
  end(isRefused: boolean): void
}

const unlimitedFailures: FailureBudget = { allows: () => true, begin: () => undefined, end: () => undefined }

/**
 * With a full bucket calls run side by side without a limit here; should all of those be refused, the bucket falls into
 * debt, and no call runs until it is refilled. Below full, no more calls run at once than may still be refused.
 */
function failureBudget(rate: () => Rate, now: () => number): FailureBudget {
  const bucket = tokenBucket(rate, now)
  let onTheirWay = 0
  return {
    allows: () => bucket.isFull() || bucket.allows(onTheirWay + 1),
    begin() {
      onTheirWay += 1
    },
    end(isRefused) {
      onTheirWay -= 1
      if (isRefused) bucket.take()
    },
  }
}

interface TokenBucket {
  /** whether `count` tokens are there, 1 by default */
  allows(count?: number): boolean
  isFull(): boolean
  /** takes one, into debt if none is there */
  take(): void
}

/** Refilled by the time that passed; a clock set back refills nothing, and a rate that sank takes tokens away. */
function tokenBucket(rate: () => Rate, now: () => number): TokenBucket {
  let tokens = rate().burst
  let filled = now()
  const refill = () => {
    const time = now()
    const { per_second, burst } = rate()
    tokens = Math.min(burst, tokens + (Math.max(0, time - filled) / 1000) * per_second)
    filled = time
  }
  return {
    allows(count = 1) {
      refill()
      return tokens >= count
    },
    isFull() {
      refill()
      return tokens >= rate().burst
    },
    take() {
      refill()
      tokens -= 1
    },
  }
}
