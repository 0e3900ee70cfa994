import { createHash, randomBytes } from 'node:crypto'
import { beijingTime } from '../domain/calendar.ts'
import type { Call } from './authentication.ts'
import { Authentication, assertHeaders, isOrderPath } from './authentication.ts'
import type { Book, Merchant } from './book.ts'
import type { Calls } from './calls.ts'
import { listCertificates } from './certificates.ts'
import type { CallEffect, CallOperation, Faults } from './faults.ts'
import type { Keys } from './keys.ts'
import { keyFor, signedHeaders } from './keys.ts'
import { Limits } from './limits.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Payer } from './payer.ts'
import type { Outcome, Payments } from './payments.ts'
import type { Random } from './random.ts'
import { Refusal } from './refusal.ts'
import type { SimulatorSettings } from './settings.ts'

/** What goes back on the wire; `body` null sends none. `hold` answers never, `cut` breaks the connection at once. */
export type WireAnswer =
  { kind: 'answer'; status: number; headers: Record<string, string>; body: string | null } | { kind: 'hold' | 'cut' }

interface Route {
  operation: CallOperation
  method: 'GET' | 'POST'
  path: RegExp
  act(merchant: Merchant, call: Call, id: string, effect: CallEffect | null): Outcome | Promise<Outcome>
}

export interface GatewayTools {
  book: Book
  keys: Keys
  faults: Faults
  payments: Payments
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
    if (!this.#limits.admits(`${route.operation}/${merchant.mchid}`, this.#rate(route.operation))) {
      throw new Refusal(this.#tools.settings.too_many_code)
    }
    const id = idOf(route.path, call.path)
    const out_trade_no = route.operation === 'place' ? numberIn(call.body) : this.#numberOf(id)
    const effect = this.#tools.faults.takeForCall(route.operation, merchant.mchid, out_trade_no)
    const answer = await this.#act(route, merchant, call, id, effect).catch((error: unknown) => {
      if (error instanceof Refusal) return this.#refuse(call, error)
      throw error
    })
    this.#remember(route, call, merchant, out_trade_no, effect, answer)
    return answer
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
    if (effect?.kind === 'slow') await new Promise((resolve) => setTimeout(resolve, effect.delay_ms))
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

  /** A query may name its order by transaction. */
  #numberOf(id: string): string {
    return this.#tools.book.payments.get(id)?.out_trade_no ?? id
  }

  #requestId(call: Call, status: number, number: number): Record<string, string> {
    const absent = status === 401 && isOrderPath(call.path) && this.#tools.settings.unauthorized_request_id === 'absent'
    return absent ? {} : { 'Request-ID': requestId(number) }
  }

  #rate(operation: CallOperation): number | null {
    return this.#tools.settings[`${operation}_rate`]
  }

  #remember(
    route: Route,
    call: Call,
    merchant: Merchant,
    out_trade_no: string | null,
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
      body_sha256: createHash('sha256').update(call.body).digest('hex'),
      status: answered?.status ?? null,
      code: failed ? ((JSON.parse(answered.body ?? '{}') as { code?: string }).code ?? null) : null,
      fault: effect?.kind ?? null,
    })
  }
}

function routesOf({ payments, payer, keys }: GatewayTools): Route[] {
  const sees = (effect: CallEffect | null): 'truth' | 'before_payment' =>
    effect?.kind === 'lagging' ? 'before_payment' : 'truth'
  return [
    {
      operation: 'place',
      method: 'POST',
      path: /^\/v3\/pay\/transactions\/native$/,
      act: (merchant, call) => payments.place(merchant, call.body),
    },
    {
      operation: 'query',
      method: 'GET',
      path: /^\/v3\/pay\/transactions\/out-trade-no\/([^/]+)$/,
      act: (merchant, call, id, effect) => payments.query(merchant, id, searchOf(call), sees(effect)),
    },
    {
      operation: 'query',
      method: 'GET',
      path: /^\/v3\/pay\/transactions\/id\/([^/]+)$/,
      act: (merchant, call, id, effect) => payments.queryTransaction(merchant, id, searchOf(call), sees(effect)),
    },
    {
      operation: 'close',
      method: 'POST',
      path: /^\/v3\/pay\/transactions\/out-trade-no\/([^/]+)\/close$/,
      act: (merchant, call, id) =>
        payments.close(merchant, id, call.body, (order, armed) => payer.payArmed(order, armed)),
    },
    {
      operation: 'certificates',
      method: 'GET',
      path: /^\/v3\/certificates$/,
      act: (merchant, call) => listCertificates(merchant, searchOf(call), keys),
    },
  ]
}

function searchOf(call: Call): URLSearchParams {
  const start = call.url.indexOf('?')
  return new URLSearchParams(start < 0 ? '' : call.url.slice(start + 1))
}

/** The number in the path, decoded; what cannot be decoded stays as it is and fails its rule. */
function idOf(pattern: RegExp, path: string): string {
  const raw = pattern.exec(path)?.[1] ?? ''
  try {
    return decodeURIComponent(raw)
  } catch {
    return raw
  }
}

/** Which order a placement is about, for faults and the list of calls; its body has not been checked yet. */
function numberIn(body: Buffer): string | null {
  return /"out_trade_no"\s*:\s*"([^"]{1,64})"/.exec(body.toString('latin1'))?.[1] ?? null
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
