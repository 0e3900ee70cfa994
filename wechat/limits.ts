import { BrokenCircuitError, circuitBreaker, CircuitState, ConsecutiveBreaker, handleWhen } from 'cockatiel'
import { slowerDelay, WechatPayError } from './errors.ts'
import type { FailureReason, Operation } from './errors.ts'

/**
 * What one merchant may ask of WeChat Pay at once. At a limit a call fails at once as `slower`: nothing is sent, nothing
 * is counted, and whoever called waits durably elsewhere. One object per merchant, so that no merchant slows another.
 */
export interface Limits {
  /** Runs a call under this merchant's tokens, slots and breaker, or throws WechatPayError `slower` without running it. */
  run<T extends { status: number }>(operation: Operation, call: () => Promise<T>): Promise<T>
  state(): { in_flight: number; breaker: 'closed' | 'open' | 'half_open' }
}

export interface LimitSettings {
  now: () => number
  /** calls a second per operation, and how many may come at once after a pause */
  rates?: Partial<Record<Operation, { per_second: number; burst: number }>>
  /** calls under way at once, all operations together */
  slots?: number
  /** failures in a row that open the breaker, and how long it stays open */
  breaker?: { failures: number; open_ms: number }
}

/**
 * WeChat Pay publishes limits of few calls (docs/wechat-pay.md §3.3): placing about 500/s, certificates 1000/s. Ours
 * lie below, because several processes share one merchant.
 */
const defaultRates: Readonly<Record<Operation, { per_second: number; burst: number }>> = {
  place: { per_second: 200, burst: 400 },
  query: { per_second: 200, burst: 400 },
  close: { per_second: 100, burst: 200 },
  certificates: { per_second: 1, burst: 5 },
}

/** Makes one merchant's limits. `now` is in ms; the breaker keeps the process's own clock. */
export function createLimits(settings: LimitSettings): Limits {
  const slots = settings.slots ?? 64
  const rates = { ...defaultRates, ...settings.rates }
  const buckets: Record<Operation, () => boolean> = {
    place: tokenBucket(rates.place, settings.now),
    query: tokenBucket(rates.query, settings.now),
    close: tokenBucket(rates.close, settings.now),
    certificates: tokenBucket(rates.certificates, settings.now),
  }
  const { failures, open_ms } = settings.breaker ?? { failures: 10, open_ms: 5_000 }
  const breaker = circuitBreaker(handleWhen(isOutage).orWhenResult(isOutageAnswer), {
    halfOpenAfter: open_ms,
    breaker: new ConsecutiveBreaker(failures),
  })
  let inFlight = 0

  return {
    async run(operation, call) {
      // While one call tries whether the other side is back, the rest is turned away; the library would let it queue.
      if (breaker.state === CircuitState.HalfOpen) throw atLimit(operation, 'breaker')
      if (inFlight >= slots) throw atLimit(operation, 'limit')
      if (!buckets[operation]()) throw atLimit(operation, 'limit')
      inFlight += 1
      try {
        return await breaker.execute(call)
      } catch (error) {
        throw error instanceof BrokenCircuitError ? atLimit(operation, 'breaker') : error
      } finally {
        inFlight -= 1
      }
    },
    state() {
      const state = breaker.state
      const name = state === CircuitState.Closed ? 'closed' : state === CircuitState.HalfOpen ? 'half_open' : 'open'
      return { in_flight: inFlight, breaker: name }
    },
  }
}

/** Only silence and 5xx say that WeChat Pay is away. A refusal, a limit or a probe says that it is there. */
function isOutage(error: unknown): boolean {
  return error instanceof WechatPayError && (error.reason === 'network' || error.reason === 'timeout')
}

function isOutageAnswer(result: unknown): boolean {
  return (result as { status: number }).status >= 500
}

function atLimit(operation: Operation, reason: Extract<FailureReason, 'limit' | 'breaker'>): WechatPayError {
  return new WechatPayError({ kind: 'slower', reason, operation, outcome_unknown: false, delay_ms: slowerDelay() })
}

/** Takes a token when there is one. Refilled by the time that passed; a clock set back refills nothing. */
function tokenBucket(rate: { per_second: number; burst: number }, now: () => number): () => boolean {
  let tokens = rate.burst
  let filled = now()
  return () => {
    const time = now()
    tokens = Math.min(rate.burst, tokens + (Math.max(0, time - filled) / 1000) * rate.per_second)
    filled = time
    if (tokens < 1) return false
    tokens -= 1
    return true
  }
}
