import { Problem } from './problem.ts'

/** How fast one key may ask, per API process: a protection of the process, not a tariff. */
export interface RateLimit {
  per_second: number
  /** requests that may come at once after a pause */
  burst: number
}

const default_rate_limit: RateLimit = { per_second: 200, burst: 400 }

/** The pace of one key after a request, for the headers of the IETF draft `RateLimit`. */
export interface RateLimitHeaders {
  'RateLimit-Policy': string
  RateLimit: string
}

export interface RateLimiter {
  /** Counts one request of `key_id`. Throws the problem `rate_limited` when its pace is used up. */
  take(key_id: string): RateLimitHeaders
}

interface Bucket {
  tokens: number
  filled_ms: number
}

const max_buckets = 10_000

/** A token bucket per key, in memory. `now` is Unix ms; a clock set back refills nothing. */
export function createRateLimiter(now: () => number, rate_limit: RateLimit = default_rate_limit): RateLimiter {
  const buckets = new Map<string, Bucket>()
  const refill_s = Math.ceil(rate_limit.burst / rate_limit.per_second)
  const policy = `"key";q=${rate_limit.burst};w=${refill_s}`

  function bucketOf(key_id: string): Bucket {
    const known = buckets.get(key_id)
    if (known) return known
    if (buckets.size >= max_buckets) buckets.clear() // every key starts full again: generous, and bounded
    const bucket = { tokens: rate_limit.burst, filled_ms: now() }
    buckets.set(key_id, bucket)
    return bucket
  }

  return {
    take(key_id) {
      const bucket = bucketOf(key_id)
      const time = now()
      const passed_s = Math.max(0, time - bucket.filled_ms) / 1_000
      bucket.tokens = Math.min(rate_limit.burst, bucket.tokens + passed_s * rate_limit.per_second)
      bucket.filled_ms = time
      const has_token = bucket.tokens >= 1
      if (has_token) bucket.tokens -= 1
      const full_in_s = Math.ceil((rate_limit.burst - bucket.tokens) / rate_limit.per_second)
      const headers = { 'RateLimit-Policy': policy, RateLimit: `"key";r=${Math.floor(bucket.tokens)};t=${full_in_s}` }
      if (has_token) return headers
      const wait_s = Math.max(1, Math.ceil((1 - bucket.tokens) / rate_limit.per_second))
      throw new Problem('rate_limited', { headers: { ...headers, 'Retry-After': String(wait_s) } })
    },
  }
}
