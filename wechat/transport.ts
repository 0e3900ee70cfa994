import type { KeyObject } from 'node:crypto'
import type { Dispatcher } from 'undici'
import { maskText } from '../runtime/mask.ts'
import { ConnectionError, exchange, openExchange, timeoutIn, wholeBody } from './connection.ts'
import type { RawAnswer, RawRequest } from './connection.ts'
import type { Credentials } from './credentials.ts'
import { failureOf, WeChatPayError } from './errors.ts'
import type { WeChatFailure, WeChatFailureReason, WeChatOperation } from './errors.ts'
import { createHostPreference, splitUrl } from './hosts.ts'
import type { HostPreference, Hosts } from './hosts.ts'
import type { Keyring } from './keyring.ts'
import type { WeChatLimits } from './limits.ts'
import { authorization, checkSignature, freshNonce } from './signature.ts'
import type { SignatureCheck, SignatureRejection } from './signature.ts'

export interface WeChatRequest {
  operation: WeChatOperation
  method: 'GET' | 'POST'
  /** path and query, percent-encoded: signed and sent exactly so */
  path: string
  /** sent byte for byte; whoever builds it serialises it once and freezes it */
  body?: string
  /**
   * The keys that an answer itself brings, for the one that cannot be verified otherwise: the list of certificates.
   * Looked at before the key ring. With it, an unknown signer leads to no download: this request is the download.
   */
  own_keys?: (body: Buffer) => (serial: string) => KeyObject | null
  /** the host that is left out, because it has answered: what it says unsigned is asked of the other one too */
  except_host?: string | undefined
  /** serial or id of the key of WeChat Pay's that fields of the body are encrypted with (wechat/sensitive) */
  encrypted_for?: string
}

/** An HTTP answer. With 2xx its signature was verified; any other is unsigned and only advice. */
export interface WeChatAnswer {
  status: number
  /** Wechatpay-* and Request-ID, in lower case: what evidence keeps */
  headers: Record<string, string>
  body: string
  /** WeChat Pay's code and text, when the answer is no success and says one */
  code: string | null
  message: string | null
  request_id: string | null
  /** the host that answered, where there is another to ask; a simulator has only one */
  host?: string
  /** an attempt before this answer may have had its effect too */
  unanswered_before: boolean
}

export interface Transport {
  /**
   * Signs and sends, goes to the other host when one cannot be reached, and verifies. Answers of every status come
   * back. Throws WeChatPayError when there is none that may be believed (`again`; `setup` without a key) and at a limit
   * (`slower`), and the signal's reason when the caller gives up. Ends within `timeout_ms`, both hosts included.
   */
  send(request: WeChatRequest, signal?: AbortSignal): Promise<WeChatAnswer>
  /**
   * Opens a file under the URL that an answer of WeChat Pay's named, signed as every call and exactly as it is given.
   * WeChat Pay does not sign files (docs/wechat-pay.md §2.5): what comes is nobody's until its hash was held against the
   * signed answer's. Throws WeChatPayError when there is none, `setup` when it is of no host of WeChat Pay's; the bytes
   * throw `again` when they do not come whole. No limit of time for all of them, but for each piece.
   */
  download(url: string, signal?: AbortSignal): Promise<AsyncIterable<Buffer>>
}

/** One per HTTP request, for logs and metrics. Holds no body and no key. */
export interface WeChatAttempt {
  event: 'wechat.attempt'
  mchid: string
  operation: WeChatOperation
  host: string
  duration_ms: number
  status: number | null
  code: string | null
  request_id: string | null
  /** why there was no answer; null when there was one */
  reason: WeChatFailureReason | SignatureRejection | 'cancelled' | null
}

/** Where attempts are told. */
interface AttemptLog {
  info(message: string, fields: Record<string, unknown>): void
  debug(message: string, fields: Record<string, unknown>): void
}

/** Logs an attempt with WeChat Pay's Request-ID, which its support asks for; at `debug` what went well. */
export function logAttempt(log: AttemptLog, { event: _, ...told }: WeChatAttempt): void {
  const is_well = told.reason === null && told.code === null
  log[is_well ? 'debug' : 'info']('a call to WeChat Pay was made', told)
}

export interface TransportSettings {
  credentials: Pick<Credentials, 'mchid' | 'serial_no' | 'private_key'>
  keyring: Keyring
  limits: WeChatLimits
  hosts: Hosts
  dispatcher: Dispatcher
  /** Unix ms */
  now: () => number
  user_agent: string
  /** for all that one call does; default 10 s */
  timeout_ms?: number
  /** for each piece of a file; default 30 s */
  read_timeout_ms?: number
  log?: (attempt: WeChatAttempt) => void
}

/** One `send` under way: when it must end, and whether anything sent so far may have had its effect. */
interface WeChatCall {
  request: WeChatRequest
  signal: AbortSignal | undefined
  deadline: number
  unanswered: boolean
}

/** What every request of one transport shares. */
interface TransportParts {
  settings: TransportSettings
  preference: HostPreference
}

/** The first host gets most of the time; what is left is enough for an answer from another region. */
const firstShare = 0.65

/** With less time than this another attempt would only add an unanswered one. */
const shortestAttempt_ms = 200

/** Makes the Transport of one merchant. */
export function createTransport(settings: TransportSettings): Transport {
  const { keyring } = settings
  const timeout = settings.timeout_ms ?? 10_000
  const preference = createHostPreference(settings.hosts)
  const parts: TransportParts = { settings, preference }

  async function send(request: WeChatRequest, signal?: AbortSignal): Promise<WeChatAnswer> {
    signal?.throwIfAborted()
    const call: WeChatCall = { request, signal, deadline: performance.now() + timeout, unanswered: false }
    if (keyring.isEmpty() && !request.own_keys) {
      const patience = timeoutIn(timeout / 2)
      await keyring.refresh(signal ? AbortSignal.any([signal, patience]) : patience)
      signal?.throwIfAborted()
      if (keyring.isEmpty()) throw callFailure(call, { kind: 'setup', reason: 'no_key' })
    }
    return settings.limits.run(request.operation, () => sendToEither(call))
  }

  async function sendToEither(call: WeChatCall): Promise<WeChatAnswer> {
    const [first, second] = hostsFor(call.request, preference)
    const budget = (call.deadline - performance.now()) * (second === null ? 1 : firstShare)
    try {
      return await sendTo(first, call, performance.now() + budget)
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error
      const canTryAgain = error.reason === 'network' || (error.reason === 'timeout' && second !== null)
      if (!canTryAgain || timeLeft(call.deadline) < shortestAttempt_ms) throw noAnswerFailure(call, error)
    }
    try {
      return await sendTo(second ?? first, call, call.deadline)
    } catch (error) {
      throw error instanceof ConnectionError ? noAnswerFailure(call, error) : error
    }
  }

  /**
   * Discards a probe, or an answer whose signature is wrong, and repeats the call at once (docs/wechat-pay.md §1.5).
   */
  async function sendTo(host: string, call: WeChatCall, until: number): Promise<WeChatAnswer> {
    const first = await attemptRequest(parts, host, call, until)
    if (first.kind === 'answer') return first.answer
    const repeatable = first.reason === 'probe' || first.reason === 'bad_signature'
    if (!repeatable || timeLeft(until) < shortestAttempt_ms) throw unbelievedFailure(call, first.reason)
    const second = await attemptRequest(parts, host, call, until)
    if (second.kind === 'answer') return second.answer
    throw unbelievedFailure(call, second.reason)
  }

  return { send, download: (url, signal) => openFile(parts, url, timeout, signal) }
}

/** The hosts to ask in this order; the only one there is answers again. */
function hostsFor({ except_host }: WeChatRequest, preference: HostPreference): [string, string | null] {
  const [first, second] = preference.order()
  if (second === null || except_host === undefined) return [first, second]
  return [first === except_host ? second : first, null]
}

type AttemptOutcome = { kind: 'answer'; answer: WeChatAnswer } | { kind: 'unbelieved'; reason: SignatureRejection }

/** One HTTP request, and what is to be made of its answer. Throws ConnectionError when there is none. */
async function attemptRequest(
  parts: TransportParts,
  host: string,
  call: WeChatCall,
  until: number,
): Promise<AttemptOutcome> {
  const { settings, preference } = parts
  const log = attemptLog(settings, call.request.operation, host)
  let raw: RawAnswer
  try {
    raw = await exchange(settings.dispatcher, signedRequest(settings, host, call.request), timeLeft(until), call.signal)
  } catch (error) {
    const lost = error instanceof ConnectionError ? error : null
    call.unanswered ||= lost?.may_have_arrived ?? true
    if (lost && lost.reason !== 'too_large') preference.noteFailure(host)
    log({ status: null, code: null, request_id: null, reason: lost?.reason ?? 'cancelled' })
    throw error
  }
  preference.noteAnswer(host, raw.status)
  const [, other_host] = preference.order()
  const answer = { ...readAnswer(raw, call.unanswered), ...(other_host === null ? {} : { host }) }
  const check = answer.status >= 200 && answer.status < 300 ? await verifyAnswer(settings, raw, call) : null
  const reason = check?.verdict === 'rejected' ? check.reason : null
  log({ status: answer.status, code: answer.code, request_id: answer.request_id, reason })
  if (reason === null) return { kind: 'answer', answer }
  call.unanswered = true
  return { kind: 'unbelieved', reason }
}

/** Tells of one attempt, how long it took since now. */
function attemptLog(settings: TransportSettings, operation: WeChatOperation, host: string) {
  const started = performance.now()
  return (seen: Pick<WeChatAttempt, 'status' | 'code' | 'request_id' | 'reason'>) => {
    const { mchid } = settings.credentials
    const duration_ms = Math.round(performance.now() - started)
    settings.log?.({ event: 'wechat.attempt', mchid, operation, host, duration_ms, ...seen })
  }
}

const default_read_timeout_ms = 30_000

/** Opens a file. Its opening counts against the limits, its bytes do not: they may take minutes. */
async function openFile(
  { settings, preference }: TransportParts,
  url: string,
  timeout_ms: number,
  signal: AbortSignal | undefined,
): Promise<AsyncIterable<Buffer>> {
  signal?.throwIfAborted()
  const operation = 'bill_download'
  const { origin, path } = splitUrl(url, settings.hosts) ?? refuseStranger(url)
  const log = attemptLog(settings, operation, origin)
  const request = signedRequest(settings, origin, { operation, method: 'GET', path })
  const { read_timeout_ms = default_read_timeout_ms } = settings
  const opened = await settings.limits.run(operation, async () => {
    try {
      const timeouts = { timeout_ms, read_timeout_ms }
      const { status, headers, body } = await openExchange(settings.dispatcher, request, timeouts, signal)
      preference.noteAnswer(origin, status)
      if (status === 200) return { status, body, refusal: null }
      return { status, body, refusal: readAnswer({ status, headers, body: await wholeBody(body) }, false) }
    } catch (error) {
      const lost = error instanceof ConnectionError ? error : null
      if (lost && lost.reason !== 'too_large') preference.noteFailure(origin)
      log({ status: null, code: null, request_id: null, reason: lost?.reason ?? 'cancelled' })
      throw lost ? lostFileFailure(lost) : error
    }
  })
  const { status, body, refusal } = opened
  log({ status, code: refusal?.code ?? null, request_id: refusal?.request_id ?? null, reason: null })
  if (refusal !== null) throw failureOf(operation, refusal)
  return filePieces(body)
}

async function* filePieces(body: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* body
  } catch (error) {
    throw error instanceof ConnectionError ? lostFileFailure(error) : error
  }
}

function lostFileFailure(error: ConnectionError): WeChatPayError {
  const failure = { kind: 'again', reason: error.reason, outcome_unknown: false } as const
  return new WeChatPayError({ operation: 'bill_download', ...failure, cause: error })
}

/** A signed request says who we are to whoever gets it, so it goes to the configured hosts alone. */
function refuseStranger(url: string): never {
  const cause = new Error(`the file is under ${JSON.stringify(url.slice(0, 80))}, which is no configured host`)
  const failure = { kind: 'setup', reason: 'unreadable', outcome_unknown: false } as const
  throw new WeChatPayError({ operation: 'bill_download', ...failure, cause })
}

function signedRequest(settings: TransportSettings, origin: string, request: WeChatRequest): RawRequest {
  const { method, path, body = '' } = request
  const signed = { method, url: path, timestamp: Math.floor(settings.now() / 1000), nonce_str: freshNonce(), body }
  const headers: Record<string, string> = {
    accept: 'application/json',
    'user-agent': settings.user_agent,
    authorization: authorization(signed, settings.credentials),
  }
  if (body !== '') headers['content-type'] = 'application/json'
  const serial = request.encrypted_for ?? settings.keyring.publicKeyId()
  if (serial !== null) headers['wechatpay-serial'] = serial
  return { origin, method, path, headers, body: body === '' ? null : body }
}

/** Checks a 2xx. When its signer is unknown the certificates are fetched once, within the time of this call. */
async function verifyAnswer(settings: TransportSettings, raw: RawAnswer, call: WeChatCall): Promise<SignatureCheck> {
  const { keyring, now } = settings
  const own = call.request.own_keys?.(raw.body)
  const find = (serial: string) => own?.(serial) ?? keyring.find(serial)
  const check = checkSignature(raw, find, now())
  const isUnknown = check.verdict === 'rejected' && check.reason === 'unknown_serial'
  if (!isUnknown || own || check.serial_no === null) return check
  const known = await keyring.fetchMissing(check.serial_no, timeoutIn(timeLeft(call.deadline)))
  return known ? checkSignature(raw, find, now()) : check
}

function timeLeft(deadline: number): number {
  return deadline - performance.now()
}

function callFailure(call: WeChatCall, failure: Pick<WeChatFailure, 'kind' | 'reason' | 'cause'>): WeChatPayError {
  return new WeChatPayError({ operation: call.request.operation, outcome_unknown: call.unanswered, ...failure })
}

function noAnswerFailure(call: WeChatCall, error: ConnectionError): WeChatPayError {
  return callFailure(call, { kind: 'again', reason: error.reason, cause: error })
}

/**
 * The failure of an answer that cannot be verified. An unknown signer is a fault of the set-up; all else is repeated.
 */
function unbelievedFailure(call: WeChatCall, rejection: SignatureRejection): WeChatPayError {
  if (rejection === 'unknown_serial') return callFailure(call, { kind: 'setup', reason: 'no_key' })
  return callFailure(call, {
    kind: 'again',
    reason: 'unverified',
    cause: new Error(`the answer was rejected: ${rejection}`),
  })
}

function readAnswer(raw: RawAnswer, unanswered_before: boolean): WeChatAnswer {
  const body = raw.body.toString('utf8')
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(raw.headers)) {
    if (typeof value === 'string' && /^(wechatpay-[a-z-]+|request-id)$/.test(name)) headers[name] = value
  }
  const success = raw.status === 200 || raw.status === 204
  const { code, message } = success ? { code: null, message: null } : readError(body)
  const request_id = headers['request-id'] ?? null
  return { status: raw.status, headers, body, code, message, request_id, unanswered_before }
}

/** Code and text of an error. A 404 or 405 may have no body, and a proxy's error page is no code of WeChat Pay's. */
function readError(body: string): { code: string | null; message: string | null } {
  try {
    const { code, message } = JSON.parse(body) as { code?: unknown; message?: unknown }
    return {
      code: typeof code === 'string' && /^[A-Z][A-Z0-9_]{0,63}$/.test(code) ? code : null,
      // It goes on to merchants, people and records: whoever it names is not theirs to know.
      message: typeof message === 'string' ? maskText(message).slice(0, 256) : null,
    }
  } catch {
    return { code: null, message: null }
  }
}
