import { createHash, randomBytes } from 'node:crypto'
import { beijingTime } from '../domain/calendar.ts'
import type { Logger } from '../runtime/logger.ts'
import { assertHeaders, Authentication, isOrderPath } from './authentication.ts'
import type { ReceivedCall } from './authentication.ts'
import type { BillOffice } from './bills/office.ts'
import type { CallLog } from './calls.ts'
import { slow_ms } from './faults.ts'
import type { CallEffect, Faults, FaultSubject } from './faults.ts'
import { signedHeaders, signingKey } from './keys.ts'
import type { WeChatKeys } from './keys.ts'
import { CallLimiter } from './limits.ts'
import type { Payer } from './payer.ts'
import type { BasicPayments, CallOutcome } from './payments.ts'
import type { Random } from './random.ts'
import type { Merchant } from './records.ts'
import type { DomesticRefunds } from './refunds.ts'
import { CallRefusal } from './refusal.ts'
import type { CallResponse } from './response.ts'
import { callSubject, pathNumber, routesOf } from './routes.ts'
import type { CallRoute } from './routes.ts'
import type { SimulatorSettings } from './settings.ts'
import type { SimulatorState } from './state.ts'

interface GatewayTools {
  state: SimulatorState
  keys: WeChatKeys
  faults: Faults
  payments: BasicPayments
  refunds: DomesticRefunds
  payer: Payer
  bills: BillOffice
  calls: CallLog
  settings: SimulatorSettings
  random: Random
  now: () => number
  logger: Logger
}

const usual_headers = {
  'Cache-Control': 'no-cache, must-revalidate',
  'X-Content-Type-Options': 'nosniff',
  'Content-Language': 'zh-CN',
  Server: 'nginx',
}
const json_content_type = 'application/json; charset=utf-8'

/** Gateway is WeChat Pay's API: its paths, its checks in their order, its signed answers. */
export class Gateway {
  readonly #tools: GatewayTools
  readonly #authentication: Authentication
  readonly #limits: CallLimiter
  readonly #routes: CallRoute[]
  /** calls whose last answer was a probe, so that the repeat is not probed again */
  readonly #probed = new Set<string>()

  constructor(tools: GatewayTools) {
    this.#tools = tools
    this.#authentication = new Authentication(tools.state, tools.keys, tools.settings, tools.now)
    this.#limits = new CallLimiter(tools.now)
    this.#routes = routesOf(tools)
  }

  /** Answers any call below `/v3`. Never throws. */
  async handleCall(call: ReceivedCall): Promise<CallResponse> {
    try {
      return await this.#handleCall(call)
    } catch (error) {
      if (error instanceof CallRefusal) return this.#refusalResponse(call, error)
      this.#tools.logger.error('the simulator failed', { method: call.method, path: call.path, error })
      return this.#refusalResponse(call, new CallRefusal('SYSTEM_ERROR'))
    }
  }

  async #handleCall(call: ReceivedCall): Promise<CallResponse> {
    assertHeaders(call)
    const onPath = this.#routes.filter((route) => route.path.test(call.path))
    const route = onPath.find(({ method }) => method === call.method)
    if (route === undefined) {
      const headers = { ...usual_headers, 'Request-ID': requestId(0) }
      return { kind: 'answer', status: onPath.length === 0 ? 404 : 405, headers, body: null }
    }
    const merchant = this.#authentication.authenticate(call)
    this.#assertWithinLimits(route, merchant)
    const id = pathNumber(route.path, call.path)
    const subject = callSubject(route.operation, merchant.mchid, id, call, this.#tools)
    const effect = this.#tools.faults.takeForCall(route.operation, merchant.mchid, subject)
    const answer = await this.#performCall(route, merchant, call, id, effect).catch((error: unknown) => {
      if (!(error instanceof CallRefusal)) throw error
      this.#limits.count(failureCounter(route, merchant))
      return this.#refusalResponse(call, error)
    })
    this.#logCall(route, call, merchant, subject, effect, answer)
    return answer
  }

  /** Asserts the limits of a second: of calls, and of refunds that fail. Throws CallRefusal beyond them. */
  #assertWithinLimits(route: CallRoute, merchant: Merchant): void {
    const { settings } = this.#tools
    const rate = settings[`${route.operation}_rate`]
    const failing_rate = route.operation === 'refund' ? settings.refund_failing_rate : null
    const isWithin = this.#limits.tryCount(`${route.operation}/${merchant.mchid}`, rate)
    if (isWithin && !this.#limits.isFull(failureCounter(route, merchant), failing_rate)) return
    throw new CallRefusal(settings.too_many_code)
  }

  async #performCall(
    route: CallRoute,
    merchant: Merchant,
    call: ReceivedCall,
    id: string,
    effect: CallEffect | null,
  ): Promise<CallResponse> {
    if (effect?.kind === 'timeout_before') return { kind: 'hold' }
    if (effect?.kind === 'disconnect') return { kind: 'cut' }
    if (effect?.error && !effect.acted) return this.#errorResponse(call, merchant, effect.error)
    assertContentType(call)
    const outcome = await route.perform(merchant, call, id, effect)
    if (effect?.kind === 'timeout_after' || outcome.kind === 'hang') return { kind: 'hold' }
    if (effect?.kind === 'disconnect_after') return { kind: 'cut' }
    if (effect?.error) return this.#errorResponse(call, merchant, effect.error)
    if (effect?.kind === 'slow') await new Promise((resolve) => setTimeout(resolve, effect.delay_ms ?? slow_ms))
    if (outcome.kind === 'file') return fileResponse(outcome)
    const body = outcome.body === undefined ? '' : JSON.stringify(outcome.body)
    return this.#signedResponse(call, merchant, { status: outcome.status, body, number: 0 }, effect)
  }

  /** Only 2xx is signed (docs/wechat-pay.md §1.4); 202 is how a close says that the payer is paying. */
  async #errorResponse(
    call: ReceivedCall,
    merchant: Merchant,
    error: { status: number; code: string; message: string; number: number },
  ): Promise<CallResponse> {
    const { status, code, message, number } = error
    if (status >= 300) return this.#refusalResponse(call, { status, number, body: { code, message } })
    return this.#signedResponse(call, merchant, { status, body: JSON.stringify({ code, message }), number }, null)
  }

  #refusalResponse(call: ReceivedCall, refusal: Pick<CallRefusal, 'status' | 'number' | 'body'>): CallResponse {
    const { status, number, body } = refusal
    const headers = {
      ...usual_headers,
      'Content-Type': json_content_type,
      ...this.#requestIdHeader(call, status, number),
    }
    return { kind: 'answer', status, headers, body: JSON.stringify(body) }
  }

  async #signedResponse(
    call: ReceivedCall,
    merchant: Merchant,
    answer: { status: number; body: string; number: number },
    effect: CallEffect | null,
  ): Promise<CallResponse> {
    const { keys, now } = this.#tools
    const requested = call.headers['wechatpay-serial']
    const signer = await keys.responseSigner(merchant, typeof requested === 'string' ? requested : '')
    const wrong = effect?.kind === 'wrong_signature'
    const signed_with = wrong ? 'other' : this.#isProbed(call, merchant, effect) ? 'probe' : 'real'
    const key = await signingKey(signed_with, signer, keys)
    const timestamp = Math.floor(now() / 1000)
    const signature = await signedHeaders(answer.body, { serial_no: signer.serial_no, key, timestamp })
    const hasBody = answer.body !== ''
    const headers = {
      ...usual_headers,
      ...(hasBody && { 'Content-Type': json_content_type }),
      'Request-ID': requestId(answer.number),
      ...signature,
    }
    return { kind: 'answer', status: answer.status, headers, body: hasBody ? answer.body : null }
  }

  #isProbed(call: ReceivedCall, merchant: Merchant, effect: CallEffect | null): boolean {
    const { settings, random } = this.#tools
    const name = `${merchant.mchid} ${call.method} ${call.url}`
    if (this.#probed.delete(name) && effect?.kind !== 'probe') return false
    if (effect?.kind !== 'probe' && (settings.probe_rate === 0 || random() >= settings.probe_rate)) return false
    if (this.#probed.size < 10_000) this.#probed.add(name)
    return true
  }

  #requestIdHeader(call: ReceivedCall, status: number, number: number): Record<string, string> {
    const absent = status === 401 && isOrderPath(call.path) && this.#tools.settings.unauthorized_request_id === 'absent'
    return absent ? {} : { 'Request-ID': requestId(number) }
  }

  #logCall(
    route: CallRoute,
    call: ReceivedCall,
    merchant: Merchant,
    { out_trade_no, out_refund_no }: FaultSubject,
    effect: CallEffect | null,
    answer: CallResponse,
  ): void {
    const answered = answer.kind === 'answer' ? answer : null
    const body = answered === null || answered.status === 200 || Buffer.isBuffer(answered.body) ? null : answered.body
    this.#tools.calls.add({
      time: beijingTime(this.#tools.now()),
      operation: route.operation,
      mchid: merchant.mchid,
      out_trade_no,
      out_refund_no,
      body_sha256: createHash('sha256').update(call.body).digest('hex'),
      status: answered?.status ?? (answer.kind === 'cut_body' ? 200 : null),
      code: body === null ? null : ((JSON.parse(body) as { code?: string }).code ?? null),
      fault: effect?.kind ?? null,
    })
  }
}

/** The answer to a download has no `Wechatpay-*` header, and no Request-ID (docs/wechat-pay.md §5). */
function fileResponse(file: Extract<CallOutcome, { kind: 'file' }>): CallResponse {
  const headers = { ...usual_headers, 'Content-Type': file.content_type }
  if (file.cut_off) return { kind: 'cut_body', headers, body: file.bytes }
  return { kind: 'answer', status: 200, headers, body: file.bytes }
}

/** The name under which calls that fail are counted. */
function failureCounter({ operation }: CallRoute, { mchid }: Merchant): string {
  return `failing ${operation}/${mchid}`
}

function assertContentType(call: ReceivedCall): void {
  if (call.body.length === 0) return
  if (/^application\/json\b/i.test(call.headers['content-type'] ?? '')) return
  throw new CallRefusal('INVALID_REQUEST', { message: 'Http头Content-Type不正确，应为application/json' })
}

/** `{hex}-{internal error number}`, 0 on success (docs/wechat-pay.md §1.2). */
function requestId(number: number): string {
  return `08${randomBytes(20).toString('hex').toUpperCase()}-${number}`
}
