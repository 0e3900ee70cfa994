import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { bulkhead, BulkheadRejectedError } from 'cockatiel'
import type { BulkheadPolicy } from 'cockatiel'
import { Problem } from '../http/problem.ts'
import { createBuckets } from '../http/ratelimit.ts'
import type { Buckets, RateLimit } from '../http/ratelimit.ts'

/** What is asked of WeChat Pay through a run, and how often at most. */
export interface Question {
  /** what it is about: an order's or a refund's `_id`, with a word in front where there are several questions */
  subject: string
  mchid: string
  /** the least time between two of them; 0: only those that come at once are one */
  every_ms: number
  /** who asks, or for what: each has a pace of its own */
  asked_by: keyof typeof paces
  /** of what several subjects are: their pace is one */
  group?: string
  /** of what several groups are: a pace that has `in_all` bounds them together by it */
  whole?: string
}

/**
 * How often at most, beside the claim of the subject, by subject, group or merchant; null: as often as keys may ask at all.
 * Where a pace is used up, a payer's page has to do with the record, and everybody else is told.
 */
const paces = {
  merchant: null,
  payer: { burst: 20, per_second: 1 / 60, by: 'subject' },
  /** another way to pay, or another payer, at one checkout: whoever has its link may ask, and each is an order at WeChat Pay */
  opening: { burst: 6, per_second: 1 / 20, by: 'group' },
  /**
   * a payer who comes back from WeChat: whoever has a checkout's link may, and each asks WeChat in the merchant's name. By
   * place, so that nobody keeps payers at other places from paying
   */
  errand: { burst: 20, per_second: 1 / 5, by: 'group', in_all: { burst: 200, per_second: 2 } },
  /** a number that Weft does not know costs the most */
  stranger: { burst: 5, per_second: 3, by: 'mchid' },
  /** an event once more is a run and a call to an endpoint, however often it was heard */
  redelivery: { burst: 200, per_second: 10, by: 'mchid' },
  /** a call about many, 100 of them at most: on the whole no faster than one after the other by themselves */
  batch: { burst: 5, per_second: 0.1, by: 'mchid' },
  /** a look at a day reads all of it: a quarter at once, and then one in five seconds */
  reconciliation: { burst: 100, per_second: 0.2, by: 'mchid' },
} as const satisfies Record<string, Pace | null>

type Pace = RateLimit & { by: 'subject' | 'mchid' | 'group'; in_all?: RateLimit }

/**
 * Questions bounds what requests bring about at Temporal, WeChat Pay and the database, per API process: one question
 * per subject at a time, whose outcome all who ask meanwhile share, not more often than it may be asked, and not more
 * at once for one merchant than leaves room for the others.
 */
export interface Questions {
  /**
   * Runs `ask` and answers its outcome, or null when it may not be asked now: the record as it is has to do. Throws
   * `rate_limited` when the merchant has too many under way, or asks faster than its pace.
   */
  put<T>(question: Question, ask: () => Promise<T>): Promise<T | null>
}

const at_once_per_merchant = 64
const most_claims = 10_000

/** `now` is Unix ms. */
export function createQuestions(now: () => number): Questions {
  const under_way = new Map<string, Promise<unknown>>()
  const claims = new Map<string, number>()
  const bulkheads = new Map<string, BulkheadPolicy>()
  const buckets = new Map<RateLimit, Buckets>()

  /** Takes a token, and one of the whole's where there is one; seconds until there is one where there is none, else 0. */
  function waitOf(question: Question): number {
    const pace: Pace | null = paces[question.asked_by]
    if (pace === null) return 0
    const wait_s = waitAt(pace, question[pace.by] ?? question.subject)
    if (wait_s > 0 || pace.in_all === undefined || question.whole === undefined) return wait_s
    return waitAt(pace.in_all, question.whole)
  }

  function waitAt(limit: RateLimit, name: string): number {
    const known = buckets.get(limit) ?? createBuckets(now, limit)
    buckets.set(limit, known)
    const { has_token, left } = known.take(name)
    return has_token ? 0 : Math.max(1, Math.ceil((1 - left) / limit.per_second))
  }

  function isClaimed({ subject, every_ms }: Question): boolean {
    return now() - (claims.get(subject) ?? -Infinity) < every_ms
  }

  /** Claims the subject before anything is sent, so that of many requests at once one sends. */
  function claim({ subject, every_ms }: Question): void {
    if (every_ms === 0) return
    if (claims.size >= most_claims) claims.clear()
    claims.set(subject, now())
  }

  function bulkheadOf(mchid: string): BulkheadPolicy {
    const policy = bulkheads.get(mchid) ?? bulkhead(at_once_per_merchant)
    bulkheads.set(mchid, policy)
    return policy
  }

  async function putFirst<T>(question: Question, ask: () => Promise<T>): Promise<T> {
    claim(question)
    try {
      return await bulkheadOf(question.mchid).execute(ask)
    } catch (error) {
      claims.delete(question.subject) // nothing was asked
      if (error instanceof BulkheadRejectedError) throw tooMany()
      throw error
    }
  }

  return {
    async put<T>(question: Question, ask: () => Promise<T>) {
      const { subject } = question
      const same = under_way.get(subject) as Promise<T> | undefined
      if (same) return await same
      if (isClaimed(question)) return null
      const wait_s = waitOf(question)
      if (wait_s > 0) {
        if (question.asked_by === 'payer') return null
        throw tooMany(wait_s)
      }
      const asking = putFirst(question, ask).finally(() => under_way.delete(subject))
      under_way.set(subject, asking)
      return await asking
    },
  }
}

/** Does for a merchant what is done for many things in one call, at the pace of such calls; nobody shares its outcome. */
export async function putBatch<T extends object>(
  questions: Questions,
  mchid: string,
  act: () => Promise<T>,
): Promise<T> {
  const question = { subject: `batch:${randomUUID()}`, mchid, every_ms: 0, asked_by: 'batch' } as const
  const done = await questions.put(question, act)
  assert(done !== null, 'a subject of its own is never claimed')
  return done
}

function tooMany(wait_s = 1): Problem {
  return new Problem('rate_limited', { headers: { 'Retry-After': String(wait_s) } })
}
