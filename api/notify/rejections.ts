import { beijingTime, milliseconds } from '../../domain/calendar.ts'
import type { Time } from '../../domain/calendar.ts'
import { limits } from '../../domain/policy.ts'
import type { NotificationVerdict } from '../../wechat/notification.ts'
import type { ApiContext } from '../http/context.ts'
import { createBuckets } from '../http/ratelimit.ts'
import type { Buckets } from '../http/ratelimit.ts'

type RejectedNotification = Extract<NotificationVerdict, { verdict: 'rejected' }>

/** What a notification that can be read proves to be over. */
const lifted_codes = ['signatures_failing', 'decryption_failing', 'clock_wrong'] as const
const lift_interval_ms = 60_000

/** A few at once, then one a minute, for each merchant and reason. */
const sample_pace = { burst: 5, per_second: 1 / 60 }

/** Rejections in a row, with nothing verified between them, after which a person may have to look at the key. */
const rejections_until_attention = 5

/** Reasons of which some are kept. All others are only counted: whoever knows an address can send any number of them. */
const kept_reasons: readonly string[] = ['bad_signature', 'unknown_serial', 'probe']
/** Reasons that speak of a key; a probe is WeChat testing us. */
const key_reasons: readonly string[] = ['bad_signature', 'unknown_serial']

/** Messages of WeChat Pay's own that seem old by as much: one is a repeat that was long on its way, or was replayed. */
const stale_until_attention = 3
const same_offset_s = 300

/** How far back a payment that had to be found by asking says that genuine notifications are missing. */
const missing_within_ms = 60 * 60_000
const look_every_ms = 60_000
/** Asking is often a moment quicker than the notification: only then is it missing. */
const notification_late_ms = 5 * 60_000
const most_missing_looked_at = 10

/** What one process knows of one merchant's notifications. */
interface Watched {
  /** rejections in a row that speak of a key */
  key_rejections: number
  /** how old messages of WeChat Pay's own seem, in s, by their timestamps */
  stale: Map<number, number>
  verified_ms: number
  looked_ms: number
  lifted_ms: number
}

type RefusedHeaders = Record<string, string | string[] | undefined>

/**
 * RejectionWatch looks at notifications that are not believed. Anyone can send them, so each costs a count, a few of
 * them a record and a log line, and none is waited for. A person is called only for what a stranger cannot bring about:
 * payments that had to be found by asking while nothing verifies, or messages of WeChat Pay's own that seem old.
 */
export class RejectionWatch {
  readonly #context: Pick<ApiContext, 'store' | 'now' | 'log'>
  readonly #watched = new Map<string, Watched>() // of merchants that exist: the intake answers 404 for others before
  readonly #samples: Buckets
  readonly #lines: Buckets

  constructor(context: Pick<ApiContext, 'store' | 'now' | 'log'>) {
    this.#context = context
    this.#samples = createBuckets(context.now, sample_pace)
    this.#lines = createBuckets(context.now, sample_pace)
  }

  /** Takes note of a rejected notification. Never throws, and nothing of it is waited for. */
  noteRejected(mchid: string, read: RejectedNotification, headers: RefusedHeaders, body: Buffer): void {
    const { reason } = read
    const noteAll = async () => {
      if (kept_reasons.includes(reason)) await this.#keepSample(mchid, reason, headers, body)
      if (key_reasons.includes(reason)) await this.#noteKeyRejection(mchid)
      if (read.reason === 'stale' && read.is_signed) await this.#noteStale(mchid, read.timestamp)
    }
    noteAll().catch((error: unknown) => {
      if (this.mayLog(mchid, 'not_looked_at'))
        this.#context.log.warn('a refused notification was not looked at', { mchid, reason, error })
    })
  }

  /**
   * Whether a payment since the last good notification had to be found by asking, and no notification of it has come to
   * any process since. Looked at once a minute.
   */
  async areGenuineMissing(mchid: string): Promise<boolean> {
    const { store, now } = this.#context
    const merchant = this.#of(mchid)
    if (now() - merchant.looked_ms < look_every_ms) return false
    merchant.looked_ms = now()
    const success_time_from = beijingTime(now() - missing_within_ms)
    const { data } = await store.orders.list(mchid, { success_time_from }, { limit: 50 })
    const asked = data.filter(
      ({ payment }) => payment?.found_by === 'query' && this.#isLate(merchant, payment.found_time),
    )
    for (const { out_trade_no } of asked.slice(0, most_missing_looked_at)) {
      const evidence = await store.evidence.ofOrder(mchid, out_trade_no)
      if (!evidence.some(({ kind, verdict }) => kind === 'notification' && verdict === 'verified')) return true
    }
    return false
  }

  #isLate({ verified_ms }: Watched, found_time: Time): boolean {
    const found_ms = milliseconds(found_time)
    return found_ms > verified_ms && this.#context.now() - found_ms >= notification_late_ms
  }

  /** Notes that a notification raised attention, so that the next good one lifts it at once. */
  noteRaised(mchid: string): void {
    this.#of(mchid).lifted_ms = -Infinity
  }

  /**
   * Lifts attention after a good notification. At most one write per minute and merchant: another process may have
   * raised it.
   */
  noteVerified(mchid: string): void {
    const { store, now, log } = this.#context
    const merchant = this.#of(mchid)
    merchant.key_rejections = 0
    merchant.stale.clear()
    merchant.verified_ms = now()
    if (now() - merchant.lifted_ms < lift_interval_ms) return
    merchant.lifted_ms = now()
    store.merchants
      .liftAttention(mchid, ...lifted_codes)
      .catch((error: unknown) => log.warn('attention was not lifted', { mchid, error }))
  }

  /** Whether one more line about this may be logged: a few at once, then one a minute. */
  mayLog(mchid: string, reason: string): boolean {
    return this.#lines.take(`${mchid} ${reason}`).has_token
  }

  #of(mchid: string): Watched {
    const never = -Infinity
    const fresh = { key_rejections: 0, stale: new Map(), verified_ms: never, looked_ms: never, lifted_ms: never }
    const known = this.#watched.get(mchid) ?? fresh
    this.#watched.set(mchid, known)
    return known
  }

  async #raise(mchid: string, code: (typeof lifted_codes)[number]): Promise<void> {
    const { store, now } = this.#context
    await store.merchants.noteAttention(mchid, code, beijingTime(now()))
    this.noteRaised(mchid)
  }

  async #noteKeyRejection(mchid: string): Promise<void> {
    const merchant = this.#of(mchid)
    merchant.key_rejections += 1
    if (merchant.key_rejections < rejections_until_attention || !(await this.areGenuineMissing(mchid))) return
    await this.#raise(mchid, 'signatures_failing')
  }

  async #noteStale(mchid: string, timestamp: number): Promise<void> {
    const { now, log } = this.#context
    const { stale } = this.#of(mchid)
    stale.delete(timestamp) // the same message again is one
    stale.set(timestamp, now() / 1_000 - timestamp)
    for (const [old] of [...stale].slice(0, -stale_until_attention)) stale.delete(old)
    const offsets = [...stale.values()]
    const is_same = Math.max(...offsets) - Math.min(...offsets) < same_offset_s
    if (offsets.length < stale_until_attention || !is_same) return
    stale.clear()
    log.error('notifications that WeChat Pay signed are refused as stale: the clock is wrong', { mchid, offsets })
    await this.#raise(mchid, 'clock_wrong')
  }

  async #keepSample(mchid: string, reason: string, headers: RefusedHeaders, body: Buffer): Promise<void> {
    const { store, now, log } = this.#context
    if (!this.#samples.take(`${mchid} ${reason}`).has_token) return
    log.info('a notification was refused', { mchid, reason })
    const refused = Object.fromEntries(
      Object.entries(headers).flatMap(([name, value]) =>
        typeof value === 'string' ? [[name, value.slice(0, 1024)]] : [],
      ),
    )
    const text = body.toString('utf8').slice(0, limits.envelope_bytes)
    await store.rejections.keep({ mchid, receive_time: beijingTime(now()), reason, headers: refused, body: text })
  }
}
