import { randomUUID } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent, request } from 'undici'
import type { Logger } from '../runtime/logger.ts'
import { deliveryHeaders, envelope, originalType } from './envelope.ts'
import type { NotificationContent } from './envelope.ts'
import { slow_ms } from './faults.ts'
import type { Faults, FaultSubject, NotifyEffect } from './faults.ts'
import { signedHeaders, signingKey } from './keys.ts'
import type { WeChatKeys } from './keys.ts'
import type { Random } from './random.ts'
import type { Merchant, NotificationAttempt, OutgoingNotification, SignedWith } from './records.ts'
import type { SimulatorSettings } from './settings.ts'
import type { SimulatorState } from './state.ts'
import { Timers } from './timers.ts'

const s = 1_000
const m = 60 * s
const h = 60 * m

/** Delays between deliveries (docs/wechat-pay.md §4.6), 24 h 4 min in all. */
export const retry_delays_ms = [
  15 * s,
  15 * s,
  30 * s,
  3 * m,
  10 * m,
  20 * m,
  30 * m,
  30 * m,
  30 * m,
  60 * m,
  3 * h,
  3 * h,
  3 * h,
  6 * h,
  6 * h,
] as const

/** SendOptions is how a notification departs from the ordinary; none of them is the ordinary one. */
export interface SendOptions {
  id?: string | undefined
  /** the bytes to send in place of an envelope */
  body?: string | undefined
  /** another APIv3 key than the merchant's */
  encrypt_with?: string | undefined
  /** the first delivery leaves so much later */
  delay_ms?: number | undefined
  /** never sent by itself */
  lost?: boolean | undefined
  /** delivered once only, whatever the answer */
  once?: boolean | undefined
  difference?: OutgoingNotification['difference'] | undefined
}

export interface NotifierTools {
  state: SimulatorState
  keys: WeChatKeys
  faults: Faults
  settings: SimulatorSettings
  random: Random
  now: () => number
  logger: Logger
}

/**
 * Notifier sends notifications, and again by the real table, each delivery signed anew over the same bytes. What is
 * still to be sent is in the state, so a restart goes on where it was. No receiver can make it throw.
 */
export class Notifier {
  readonly #tools: NotifierTools
  readonly #agent: Agent
  readonly #timers: Timers
  readonly #running = new Map<string, Promise<void>>()
  readonly #queue: (() => void)[] = []
  readonly #stopping = new AbortController()
  #sending_count = 0

  constructor(tools: NotifierTools) {
    this.#tools = tools
    this.#timers = new Timers(tools.now)
    // without keep-alive, because real deliveries come with `Connection: close`
    this.#agent = new Agent({ pipelining: 0, connect: { timeout: tools.settings.notify_answer_limit_ms } })
    setMaxListeners(0, this.#stopping.signal)
  }

  /** Takes up what was still to be sent when the simulator stopped. */
  start(): void {
    for (const notification of this.#tools.state.notifications.values()) this.#schedule(notification)
  }

  /** Keeps a notification and sends it, now or `delay_ms` later. */
  send(content: NotificationContent, options: SendOptions = {}): OutgoingNotification {
    const { state, now, settings, faults } = this.#tools
    const { mchid, apiv3_key } = content.merchant
    const key = options.encrypt_with ?? apiv3_key
    const head = { id: options.id ?? randomUUID(), create_time: now() }
    const lost = options.lost === true || faults.takeLoss(mchid, notificationSubject(content))
    const reachable = isDeliverable(content.url, settings.notify_http) && (key !== null || options.body !== undefined)
    const notification_state = lost ? 'lost' : reachable ? 'waiting' : 'undeliverable'
    const deliveries = settings.notify_deliveries === 'first_and_15' ? 16 : 15
    const notification: OutgoingNotification = {
      ...head,
      mchid,
      event_type: content.event_type,
      out_trade_no: content.out_trade_no,
      transaction_id: content.transaction_id,
      out_refund_no: content.out_refund_no,
      url: content.url,
      body: options.body ?? (key === null ? '' : envelope(head, content, key)),
      state: notification_state,
      next_time: notification_state === 'waiting' ? head.create_time + (options.delay_ms ?? 0) : null,
      tries: 0,
      max_tries: options.once === true ? 1 : deliveries,
      attempts: [],
      difference: options.difference ?? {},
    }
    state.keepNotification(notification)
    this.#schedule(notification)
    return notification
  }

  /** Delivers a notification once more by hand, whatever its state: a lost one, too. Resolves when it was answered. */
  async resend(id: string): Promise<void> {
    await this.#running.get(id)
    await this.#run(id, 'by_hand')
  }

  /** Makes the delivery that is due next, if one is, without waiting for its time. Resolves when it was answered. */
  async sendNow(id: string): Promise<void> {
    await this.#run(id, 'by_table')
  }

  /** Delivers all that is due by the clock, for clocks that skip. Resolves when all were answered. */
  async runDue(): Promise<void> {
    const now = this.#tools.now()
    const due = [...this.#tools.state.notifications.values()].filter(
      ({ next_time }) => next_time !== null && next_time <= now,
    )
    await Promise.all(due.map(({ id }) => this.#run(id, 'by_table')))
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#timers.stop()
    for (const go of this.#queue.splice(0)) go()
    await Promise.allSettled(this.#running.values())
    await this.#agent.destroy()
  }

  #schedule({ id, next_time }: OutgoingNotification): void {
    this.#timers.set(id, next_time, () => void this.#run(id, 'by_table'))
  }

  /** Deliveries of one notification never overlap; a second caller waits for the one under way. */
  async #run(id: string, occasion: 'by_table' | 'by_hand'): Promise<void> {
    const running = this.#running.get(id)
    if (running !== undefined) return running
    this.#timers.clear(id)
    const run = this.#deliver(id, occasion)
      .catch((error: unknown) => this.#tools.logger.error('a notification could not be sent', { id, error }))
      .finally(() => this.#running.delete(id))
    this.#running.set(id, run)
    return run
  }

  async #deliver(id: string, occasion: 'by_table' | 'by_hand'): Promise<void> {
    await this.#takeTurn()
    try {
      const before = this.#tools.state.notifications.get(id)
      const merchant = before && this.#tools.state.merchants.get(before.mchid)
      if (before === undefined || merchant === undefined || this.#stopping.signal.aborted) return
      if (occasion === 'by_table' && before.next_time === null) return // lost, undeliverable or over
      const started = this.#tools.now()
      const attempts = await this.#sendOnce(before, merchant)
      if (this.#stopping.signal.aborted) return // not recorded, so that the next start sends it
      if (!this.#tools.state.notifications.has(id)) return // forgotten with its order meanwhile
      const after = notificationAfter(before, attempts, {
        occasion,
        started,
        time_scale: this.#tools.settings.time_scale,
      })
      this.#tools.state.keepNotification(after)
      this.#schedule(after)
    } finally {
      this.#sending_count -= 1
      this.#queue.shift()?.()
    }
  }

  async #takeTurn(): Promise<void> {
    while (this.#sending_count >= this.#tools.settings.notify_concurrency && !this.#stopping.signal.aborted) {
      await new Promise<void>((resolve) => this.#queue.push(resolve))
    }
    this.#sending_count += 1
  }

  /** Makes one delivery, which a story or fault may double, delay, drop or sign wrongly. */
  async #sendOnce(notification: OutgoingNotification, merchant: Merchant): Promise<NotificationAttempt[]> {
    const { faults, keys } = this.#tools
    const effect = faults.takeForDelivery(notification.mchid, notificationSubject(notification))
    if (effect?.kind === 'slow') await this.#pause(effect.delay_ms ?? slow_ms)
    const signed_with = this.#signatureKind(notification, effect)
    const signer = await keys.notificationSigner(merchant)
    const serial_no = notification.difference.serial_no ?? signer.serial_no
    const time = this.#tools.now()
    if (effect?.kind === 'drop') {
      return [{ time, serial_no, signed_with, status: null, error: 'dropped', answer: null, duration_ms: 0 }]
    }
    const key = await signingKey(signed_with, signer, keys)
    const copies = effect?.kind === 'duplicate' ? 3 : (notification.difference.copies ?? 1)
    const timestamp = Math.floor(time / 1000) + (notification.difference.timestamp_offset_s ?? 0)
    const sends = Array.from({ length: copies }, async (_, age_s) => {
      const signature = { serial_no, key, timestamp: timestamp - age_s }
      const answer = await this.#post(notification, await signedHeaders(notification.body, signature))
      return { time, serial_no, signed_with, ...answer }
    })
    return Promise.all(sends)
  }

  /**
   * How a delivery is signed. A notification is probed once at most, however often it has to come (docs/wechat-pay.md
   * §1.5).
   */
  #signatureKind(notification: OutgoingNotification, effect: NotifyEffect | null): SignedWith {
    if (effect?.kind === 'wrong_signature') return 'other'
    if (effect?.kind === 'probe') return 'probe'
    if (notification.difference.sign_with !== undefined) return notification.difference.sign_with
    const { settings, random } = this.#tools
    const was_probed = notification.attempts.some(({ signed_with }) => signed_with === 'probe')
    return !was_probed && random() < settings.probe_rate ? 'probe' : 'real'
  }

  async #pause(delay_ms: number): Promise<void> {
    await sleep(delay_ms, undefined, { signal: this.#stopping.signal }).catch(() => undefined)
  }

  async #post(
    notification: OutgoingNotification,
    signature: Record<string, string>,
  ): Promise<Pick<NotificationAttempt, 'status' | 'error' | 'answer' | 'duration_ms'>> {
    const started = performance.now()
    const duration_ms = (): number => Math.round(performance.now() - started)
    const limit = AbortSignal.timeout(this.#tools.settings.notify_answer_limit_ms)
    try {
      const response = await request(notification.url, {
        dispatcher: this.#agent,
        method: 'POST',
        headers: deliveryHeaders(signature, notification.difference.headers ?? {}),
        body: notification.body,
        signal: AbortSignal.any([limit, this.#stopping.signal]),
      })
      const answer = await readBeginning(response.body)
      return { status: response.statusCode, error: null, answer, duration_ms: duration_ms() }
    } catch (error) {
      const reason = limit.aborted ? 'no answer in time' : error instanceof Error ? error.message : String(error)
      return { status: null, error: reason, answer: null, duration_ms: duration_ms() }
    }
  }
}

/** What a fault must match to hit a notification. */
function notificationSubject(
  content: Pick<OutgoingNotification, 'out_trade_no' | 'out_refund_no' | 'event_type'>,
): FaultSubject {
  const { out_trade_no, out_refund_no, event_type } = content
  return { out_trade_no, out_refund_no, original_type: originalType(event_type) }
}

const accepted_statuses = [200, 204]

/** The notification after a delivery: done, given up, or due again by the table. */
function notificationAfter(
  before: OutgoingNotification,
  attempts: NotificationAttempt[],
  run: { occasion: 'by_table' | 'by_hand'; started: number; time_scale: number },
): OutgoingNotification {
  const all = [...before.attempts, ...attempts].slice(-attempts_kept)
  if (attempts.some(({ status }) => status !== null && accepted_statuses.includes(status))) {
    const tries = before.tries + (run.occasion === 'by_table' ? 1 : 0)
    return { ...before, state: 'delivered', next_time: null, tries, attempts: all }
  }
  if (run.occasion === 'by_hand') return { ...before, attempts: all }
  const tries = before.tries + 1
  const delay_ms = retry_delays_ms[tries - 1]
  if (tries >= before.max_tries || delay_ms === undefined) {
    return { ...before, state: 'given_up', next_time: null, tries, attempts: all }
  }
  return { ...before, next_time: run.started + delay_ms / run.time_scale, tries, attempts: all }
}

const attempts_kept = 100

/** WeChat Pay sends nothing to an address with a query, nor to plain http (docs/wechat-pay.md §4.1). */
function isDeliverable(url: string, plain_http: SimulatorSettings['notify_http']): boolean {
  if (!URL.canParse(url)) return false
  const { protocol, search, hostname } = new URL(url)
  if (search !== '') return false
  if (protocol === 'https:') return true
  if (protocol !== 'http:' || plain_http === 'never') return false
  return plain_http === 'always' || /^(127(\.\d+){3}|\[::1\]|localhost)$/.test(hostname)
}

/** The first 1,024 characters of an answer; the rest is not wanted. */
async function readBeginning(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of body) {
    chunks.push(chunk)
    length += chunk.length
    if (length >= 1_024) break
  }
  return Buffer.concat(chunks).toString('utf8').slice(0, 1_024)
}
