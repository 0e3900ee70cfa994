import { createHmac } from 'node:crypto'
import { Agent, request } from 'undici'
import type { EndpointAnswer } from '../../domain/event/answer.ts'
import { urlObjection } from '../../runtime/address.ts'
import { accepted_encodings, readBody } from './body.ts'
import { createPublicLookup, ForbiddenAddress } from './lookup.ts'

/** What came back from a merchant's endpoint, or why nothing did. */
export interface EndpointReply extends EndpointAnswer {
  error: string | null
  /** its beginning, at most 1 KiB, for the record */
  answer: string | null
  /** milliseconds that the endpoint asks to be left alone, at most an hour */
  retry_after_ms: number | null
  duration_ms: number
}

export interface Courier {
  /** POSTs the bytes once, within 15 s, redirects not followed. Never throws: a failure is a reply. */
  send(url: string, headers: Record<string, string>, body: string): Promise<EndpointReply>
  close(): Promise<void>
}

const timeout_ms = 15_000
const longest_retry_after_ms = 60 * 60 * 1000

/**
 * Carries events to addresses that merchants name. The name is resolved once and exactly that address is connected to,
 * so that a second resolution cannot lead inside (SSRF, architecture §9). `allow_private`: for demonstrations.
 */
export function createCourier({ allow_private }: { allow_private: boolean }): Courier {
  const agent = new Agent({
    connect: { timeout: 5_000, ...(allow_private ? {} : { lookup: createPublicLookup() }) },
    headersTimeout: timeout_ms,
    bodyTimeout: timeout_ms,
    connections: 64,
  })

  async function sendOnce(
    url: string,
    headers: Record<string, string>,
    body: string,
  ): Promise<Omit<EndpointReply, 'duration_ms'>> {
    const objection = urlObjection(url, allow_private)
    if (objection !== null) throw new ForbiddenAddress(`the URL is not called: ${objection}`)
    const answer = await request(url, {
      method: 'POST',
      headers: { ...headers, 'accept-encoding': accepted_encodings },
      body,
      dispatcher: agent,
      signal: AbortSignal.timeout(timeout_ms),
    })
    const read = await readBody(answer.body, answer.headers)
    const retry_after_ms = retryAfterMs(answer.headers['retry-after'], Date.now())
    return { status: answer.statusCode, error: null, ...read, retry_after_ms }
  }

  return {
    async send(url, headers, body) {
      const begin = performance.now()
      const elapsed = () => Math.round(performance.now() - begin)
      try {
        return { ...(await sendOnce(url, headers, body)), duration_ms: elapsed() }
      } catch (error) {
        const nothing = {
          status: null,
          body: null,
          content_type: null,
          unreadable: null,
          answer: null,
          retry_after_ms: null,
        }
        // How long it took to find an address would tell which names there are inside.
        const duration_ms = error instanceof ForbiddenAddress ? 0 : elapsed()
        return { ...nothing, error: errorText(error), duration_ms }
      }
    },
    close: () => agent.close(),
  }
}

/** The headers of Standard Webhooks, one signature per live secret (api.md §7). `seconds` is this attempt's moment. */
export function webhookHeaders(
  event_id: string,
  seconds: number,
  body: string,
  secrets: readonly string[],
): Record<string, string> {
  const signed = `${event_id}.${seconds}.${body}`
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
    return `v1,${createHmac('sha256', key).update(signed).digest('base64')}`
  })
  return {
    'content-type': 'application/json',
    'user-agent': 'Weft',
    'webhook-id': event_id,
    'webhook-timestamp': String(seconds),
    'webhook-signature': signatures.join(' '),
  }
}

/** Seconds, or a date as HTTP writes it (RFC 9110 §10.2.3), which is counted from `now_ms`. */
function retryAfterMs(header: string | string[] | undefined, now_ms: number): number | null {
  const text = (Array.isArray(header) ? header[0] : header)?.trim() ?? ''
  const is_number = /^\d+(\.\d+)?$/.test(text)
  const is_date = /^[A-Za-z]+,? .*\d{2}:\d{2}:\d{2}/.test(text)
  // Of the three forms of a date the oldest names no zone, and means the same one as the others.
  const has_zone = /(?:[A-Za-z]|[+-]\d{4})$/.test(text)
  const ms = is_number ? Number(text) * 1000 : is_date ? Date.parse(has_zone ? text : `${text} GMT`) - now_ms : NaN
  return Number.isFinite(ms) ? Math.min(Math.max(0, ms), longest_retry_after_ms) : null
}

function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { name, message, cause } = error
  if (name === 'TimeoutError') return `no answer within ${timeout_ms / 1000} s`
  return cause instanceof Error ? `${message}: ${cause.message}` : message
}
