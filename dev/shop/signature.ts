import { createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

const tolerance_s = 5 * 60

/**
 * Whether these exact bytes were signed with our secret within the last five minutes (Standard Webhooks). During a
 * rotation Weft sends several signatures; one that fits is enough.
 */
export function isSigned(secret: string, headers: IncomingHttpHeaders, body: Buffer, now_ms = Date.now()): boolean {
  const id = String(headers['webhook-id'])
  const timestamp = String(headers['webhook-timestamp'])
  if (!/^\d+$/.test(timestamp) || Math.abs(now_ms / 1_000 - Number(timestamp)) > tolerance_s) return false
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  const expected = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest()
  return String(headers['webhook-signature'])
    .split(' ')
    .map((signature) => Buffer.from(signature.replace(/^v1,/, ''), 'base64'))
    .some((signature) => signature.length === expected.length && timingSafeEqual(signature, expected))
}
