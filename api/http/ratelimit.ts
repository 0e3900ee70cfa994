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

/** Token buckets by name, in memory. */
export interface Buckets {
  /** Takes a token out of the bucket `name`, if it has one; `left` is what it holds then. */
  take(name: string): { has_token: boolean; left: number }
}

const max_buckets = 10_000

/**
 * Makes buckets that hold `burst` tokens and get `per_second` new ones. `now` is Unix ms; a clock set back refills
 * nothing. By hand, since `rate-limiter-flexible` counts by fixed windows, so that twice the limit passes where two of
 * them meet, and keeps a timer for each name without a bound on their number, while strangers choose names here.
 */
export function createBuckets(now: () => number, { burst, per_second }: RateLimit): Buckets {
  const buckets = new Map<string, Bucket>()

  function bucketOf(name: string): Bucket {
    const known = buckets.get(name)
    if (known) return known
    if (buckets.size >= max_buckets) buckets.clear() // every name starts full again: generous, and bounded
    const bucket = { tokens: burst, filled_ms: now() }
    buckets.set(name, bucket)
    return bucket
  }

  return {
    take(name) {
      const bucket = bucketOf(name)
      const time = now()
      const passed_s = Math.max(0, time - bucket.filled_ms) / 1_000
      bucket.tokens = Math.min(burst, bucket.tokens + passed_s * per_second)
      bucket.filled_ms = time
      const has_token = bucket.tokens >= 1
      if (has_token) bucket.tokens -= 1
      return { has_token, left: bucket.tokens }
    },
  }
}

/** A bucket per API key, with the headers that tell its holder how it stands. */
export function createRateLimiter(now: () => number, rate_limit: RateLimit = default_rate_limit): RateLimiter {
  const { burst, per_second } = rate_limit
  const buckets = createBuckets(now, rate_limit)
  const policy = `"key";q=${burst};w=${Math.ceil(burst / per_second)}`
  return {
    take(key_id) {
      const { has_token, left } = buckets.take(key_id)
      const full_in_s = Math.ceil((burst - left) / per_second)
      const headers = { 'RateLimit-Policy': policy, RateLimit: `"key";r=${Math.floor(left)};t=${full_in_s}` }
      if (has_token) return headers
      const wait_s = Math.max(1, Math.ceil((1 - left) / per_second))
      throw new Problem('rate_limited', { headers: { ...headers, 'Retry-After': String(wait_s) } })
    },
  }
}
