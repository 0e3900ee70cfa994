import { Agent } from 'undici'
import type { buildConnector, Dispatcher } from 'undici'
import type { ReceivedHeaders } from './signature.ts'

/** An answer as it came off the wire: nothing decoded, nothing believed. */
export interface RawAnswer {
  status: number
  headers: ReceivedHeaders
  body: Buffer
}

export interface RawRequest {
  origin: string
  method: 'GET' | 'POST'
  /** path and query, sent exactly so */
  path: string
  headers: Record<string, string>
  body: string | null
}

/** No answer, or no whole one. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError'
  readonly reason: 'network' | 'timeout' | 'too_large'
  /** false only when it is certain that not one byte of the request was sent */
  readonly may_have_arrived: boolean

  constructor(reason: ConnectionError['reason'], may_have_arrived: boolean, cause?: unknown) {
    super(`no answer: ${reason}`, { cause })
    this.reason = reason
    this.may_have_arrived = may_have_arrived
  }
}

/** WeChat Pay answers with JSON of some kilobytes; what is larger than this is not read. */
const answerLimit = 1024 * 1024

/**
 * The connections to WeChat Pay, shared by all merchants of a process. An unreachable host is known within 2.5 s, so
 * that time is left for the other one.
 */
export function createDispatcher(tls: Partial<buildConnector.BuildOptions> = {}): Agent {
  return new Agent({ connect: { timeout: 2_500, ...tls }, connections: 256, pipelining: 1 })
}

/** A signal that fires in so many ms. Node takes whole ones only. */
export function timeoutIn(ms: number): AbortSignal {
  return AbortSignal.timeout(Math.max(1, Math.ceil(ms)))
}

/**
 * Sends one request and reads the whole answer, within `timeout_ms`. Redirects are not followed. Throws
 * ConnectionError, or the signal's reason when the caller gave up.
 */
export async function exchange(
  dispatcher: Dispatcher,
  request: RawRequest,
  timeout_ms: number,
  signal?: AbortSignal,
): Promise<RawAnswer> {
  const timeout = timeoutIn(timeout_ms)
  const either = signal ? AbortSignal.any([signal, timeout]) : timeout
  let answered = false
  try {
    const answer = await dispatcher.request({ ...request, signal: either })
    answered = true
    return { status: answer.statusCode, headers: answer.headers, body: await wholeBody(answer.body) }
  } catch (error) {
    signal?.throwIfAborted()
    if (error instanceof ConnectionError) throw error
    if (timeout.aborted) throw new ConnectionError('timeout', true, error)
    throw new ConnectionError('network', answered || !wasNeverSent(error), error)
  }
}

/** An answer whose body is read while it comes. */
export interface StreamedAnswer {
  status: number
  headers: ReceivedHeaders
  /** throws ConnectionError when it does not come whole, and the signal's reason when the caller gave up */
  body: AsyncIterable<Buffer>
}

/**
 * Sends one request and does not wait for the whole answer: `timeout_ms` is for its headers, `read_timeout_ms` for each
 * piece of its body while one is waited for. Throws as `exchange` does.
 */
export async function openExchange(
  dispatcher: Dispatcher,
  request: RawRequest,
  { timeout_ms, read_timeout_ms }: { timeout_ms: number; read_timeout_ms: number },
  signal?: AbortSignal,
): Promise<StreamedAnswer> {
  const timeouts = { headersTimeout: timeout_ms, bodyTimeout: read_timeout_ms }
  try {
    const answer = await dispatcher.request({ ...request, ...timeouts, ...(signal ? { signal } : {}) })
    return { status: answer.statusCode, headers: answer.headers, body: piecesOf(answer.body, signal) }
  } catch (error) {
    signal?.throwIfAborted()
    throw new ConnectionError(isSilence(error) ? 'timeout' : 'network', !wasNeverSent(error), error)
  }
}

async function* piecesOf(body: AsyncIterable<unknown>, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
  try {
    for await (const piece of body) yield piece as Buffer
  } catch (error) {
    signal?.throwIfAborted()
    throw new ConnectionError(isSilence(error) ? 'timeout' : 'network', true, error)
  }
}

function isSilence(error: unknown): boolean {
  const { code } = error as { code?: unknown }
  return code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT'
}

export async function wholeBody(body: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body) {
    const bytes = chunk as Buffer
    size += bytes.length
    if (size > answerLimit) throw new ConnectionError('too_large', true)
    chunks.push(bytes)
  }
  return Buffer.concat(chunks)
}

const handshakeFailure = /^(UND_ERR_CONNECT_TIMEOUT$|ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/

/**
 * Failures of name, connection and TLS happen before the first byte of a request; every other one may come after it.
 */
function wasNeverSent(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.length > 0 && error.errors.every(wasNeverSent)
  const { code, syscall } = error as { code?: unknown; syscall?: unknown }
  if (syscall === 'connect' || syscall === 'getaddrinfo') return true
  return typeof code === 'string' && handshakeFailure.test(code)
}
