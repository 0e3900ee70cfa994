import { createHash, randomBytes } from 'node:crypto'
import { beijingTime } from '../domain/calendar.ts'
import type { Call } from './authentication.ts'
import { Authentication, assertHeaders, isOrderPath } from './authentication.ts'
import type { Book } from './book.ts'
import type { Calls } from './calls.ts'
import type { CallEffect, FaultSubject, Faults } from './faults.ts'
import { slow_ms } from './faults.ts'
import type { Keys } from './keys.ts'
import { keyFor, signedHeaders } from './keys.ts'
import { Limits } from './limits.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Payer } from './payer.ts'
import type { Payments } from './payments.ts'
import type { Random } from './random.ts'
import type { Merchant } from './records.ts'
import type { Refunds } from './refunds.ts'
import { Refusal } from './refusal.ts'
import type { Route } from './routes.ts'
import { idOf, routesOf, subjectOf } from './routes.ts'
import type { SimulatorSettings } from './settings.ts'

/** What goes back on the wire; `body` null sends none. `hold` answers never, `cut` breaks the connection at once. */
export type WireAnswer =
  { kind: 'answer'; status: number; headers: Record<string, string>; body: string | null } | { kind: 'hold' | 'cut' }

export interface GatewayTools {
  book: Book
  keys: Keys
  faults: Faults
  payments: Payments
  refunds: Refunds
  payer: Payer
  calls: Calls
  settings: SimulatorSettings
  random: Random
  now: () => number
  logger: Logger
}

const typical = {
  'Cache-Control': 'no-cache, must-revalidate',
  'X-Content-Type-Options': 'nosniff',
  'Content-Language': 'zh-CN',
  Server: 'nginx',
}
const json = 'application/json; charset=utf-8'

/** WeChat Pay's own side: its paths, its checks in their order, its signed answers. */
export class Gateway {
  readonly #tools: GatewayTools
  readonly #authentication: Authentication
  readonly #limits: Limits
  readonly #routes: Route[]
  /** calls whose last answer was a probe, so that the repeat is not probed again */
  readonly #probed = new Set<string>()

  constructor(tools: GatewayTools) {
    this.#tools = tools
    this.#authentication = new Authentication(tools.book, tools.keys, tools.settings, tools.now)
    this.#limits = new Limits(tools.now)
    this.#routes = routesOf(tools)
  }

  /** Answers any call below `/v3`. Never throws. */
  async answer(call: Call): Promise<WireAnswer> {
    try {
      return await this.#answer(call)
    } catch (error) {
      if (error instanceof Refusal) return this.#refuse(call, error)
      this.#tools.logger.error('the simulator failed', { method: call.method, path: call.path, error })
      return this.#refuse(call, new Refusal('SYSTEM_ERROR'))
    }
  }

  async #answer(call: Call): Promise<WireAnswer> {
    assertHeaders(call)
    const onPath = this.#routes.filter((route) => route.path.test(call.path))
    const route = onPath.find(({ method }) => method === call.method)
    if (route === undefined) {
      const headers = { ...typical, 'Request-ID': requestId(0) }
      return { kind: 'answer', status: onPath.length === 0 ? 404 : 405, headers, body: null }
    }
    const merchant = this.#authentication.authenticate(call)
    this.#assertWithinLimits(route, merchant)
    const id = idOf(route.path, call.path)
    const subject = subjectOf(route.operation, merchant.mchid, id, call.body, this.#tools.book)
    const effect = this.#tools.faults.takeForCall(route.operation, merchant.mchid, subject)
    const answer = await this.#act(route, merchant, call, id, effect).catch((error: unknown) => {
      if (!(error instanceof Refusal)) throw error
      this.#limits.count(failing(route, merchant))
      return this.#refuse(call, error)
    })
    this.#remember(route, call, merchant, subject, effect, answer)
    return answer
  }

  /** So many calls a second, and of refunds so many that fail: whoever has sent those waits for the next second. */
  #assertWithinLimits(route: Route, merchant: Merchant): void {
    const { settings } = this.#tools
    const rate = settings[`${route.operation}_rate`]
    const failing_rate = route.operation === 'refund' ? settings.refund_failing_rate : null
    const isWithin = this.#limits.admits(`${route.operation}/${merchant.mchid}`, rate)
    if (isWithin && !this.#limits.isFull(failing(route, merchant), failing_rate)) return
    throw new Refusal(settings.too_many_code)
  }

  async #act(route: Route, merchant: Merchant, call: Call, id: string, effect: CallEffect | null): Promise<WireAnswer> {
    if (effect?.kind === 'timeout_before') return { kind: 'hold' }
    if (effect?.kind === 'disconnect') return { kind: 'cut' }
    if (effect?.error && !effect.acted) return this.#error(call, merchant, effect.error)
    assertContentType(call)
    const outcome = await route.act(merchant, call, id, effect)
    if (effect?.kind === 'timeout_after' || outcome.kind === 'hang') return { kind: 'hold' }
    if (effect?.kind === 'disconnect_after') return { kind: 'cut' }
    if (effect?.error) return this.#error(call, merchant, effect.error)
    if (effect?.kind === 'slow') await new Promise((resolve) => setTimeout(resolve, effect.delay_ms ?? slow_ms))
    const body = outcome.body === undefined ? '' : JSON.stringify(outcome.body)
    return this.#signed(call, merchant, { status: outcome.status, body, number: 0 }, effect)
  }

  /** Only 2xx is signed (docs/wechat-pay.md §1.4); 202 is how a close says that the payer is paying. */
  async #error(
    call: Call,
    merchant: Merchant,
    error: { status: number; code: string; message: string; number: number },
  ): Promise<WireAnswer> {
    const { status, code, message, number } = error
    if (status >= 300) return this.#refuse(call, { status, number, body: { code, message } })
    return this.#signed(call, merchant, { status, body: JSON.stringify({ code, message }), number }, null)
  }

  #refuse(call: Call, refusal: Pick<Refusal, 'status' | 'number' | 'body'>): WireAnswer {
    const { status, number, body } = refusal
    const headers = { ...typical, 'Content-Type': json, ...this.#requestId(call, status, number) }
    return { kind: 'answer', status, headers, body: JSON.stringify(body) }
  }

  async #signed(
    call: Call,
    merchant: Merchant,
    answer: { status: number; body: string; number: number },
    effect: CallEffect | null,
  ): Promise<WireAnswer> {
    const { keys, now } = this.#tools
    const requested = call.headers['wechatpay-serial']
    const signer = await keys.answerSigner(merchant, typeof requested === 'string' ? requested : '')
    const wrong = effect?.kind === 'wrong_signature'
    const signed_with = wrong ? 'other' : this.#isProbed(call, merchant, effect) ? 'probe' : 'real'
    const key = await keyFor(signed_with, signer, keys)
    const timestamp = Math.floor(now() / 1000)
    const signature = await signedHeaders(answer.body, { serial_no: signer.serial_no, key, timestamp })
    const hasBody = answer.body !== ''
    const headers = {
      ...typical,
      ...(hasBody && { 'Content-Type': json }),
      'Request-ID': requestId(answer.number),
      ...signature,
    }
    return { kind: 'answer', status: answer.status, headers, body: hasBody ? answer.body : null }
  }

  #isProbed(call: Call, merchant: Merchant, effect: CallEffect | null): boolean {
    const { settings, random } = this.#tools
    const name = `${merchant.mchid} ${call.method} ${call.url}`
    if (this.#probed.delete(name) && effect?.kind !== 'probe') return false
    if (effect?.kind !== 'probe' && (settings.probe_rate === 0 || random() >= settings.probe_rate)) return false
    if (this.#probed.size < 10_000) this.#probed.add(name)
    return true
  }

  #requestId(call: Call, status: number, number: number): Record<string, string> {
    const absent = status === 401 && isOrderPath(call.path) && this.#tools.settings.unauthorized_request_id === 'absent'
    return absent ? {} : { 'Request-ID': requestId(number) }
  }

  #remember(
    route: Route,
    call: Call,
    merchant: Merchant,
    { out_trade_no, out_refund_no }: FaultSubject,
    effect: CallEffect | null,
    answer: WireAnswer,
  ): void {
    const answered = answer.kind === 'answer' ? answer : null
    const failed = answered !== null && answered.body !== null && answered.status !== 200
    this.#tools.calls.add({
      time: beijingTime(this.#tools.now()),
      operation: route.operation,
      mchid: merchant.mchid,
      out_trade_no,
      out_refund_no,
      body_sha256: createHash('sha256').update(call.body).digest('hex'),
      status: answered?.status ?? null,
      code: failed ? ((JSON.parse(answered.body ?? '{}') as { code?: string }).code ?? null) : null,
      fault: effect?.kind ?? null,
    })
  }
}

/** The name under which calls that fail are counted. */
function failing({ operation }: Route, { mchid }: Merchant): string {
  return `failing ${operation}/${mchid}`
}

function assertContentType(call: Call): void {
  if (call.body.length === 0) return
  if (/^application\/json\b/i.test(call.headers['content-type'] ?? '')) return
  throw new Refusal('INVALID_REQUEST', { message: 'Http头Content-Type不正确，应为application/json' })
}

/** `{hex}-{internal error number}`, 0 on success (docs/wechat-pay.md §1.2). */
function requestId(number: number): string {
  return `08${randomBytes(20).toString('hex').toUpperCase()}-${number}`
}
