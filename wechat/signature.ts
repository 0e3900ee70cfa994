import { constants, randomBytes, sign as signBytes, verify as verifyBytes } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { bytesFromBase64 } from './cipher.ts'

/** The one algorithm used in both directions: RSASSA-PKCS1-v1_5 with SHA-256. */
export const signatureType = 'WECHATPAY2-SHA256-RSA2048'

/** What a deliberately wrong signature begins with, by which WeChat Pay finds out who does not verify. */
export const probePrefix = 'WECHATPAY/SIGNTEST/'

/** A signed message is refused when its timestamp is this far from the receiver's clock, or farther. */
const signatureWindowSeconds = 300

export interface SignedRequest {
  method: string
  /** path and query, percent-encoded exactly as they go on the wire, without the host */
  url: string
  /** Unix seconds */
  timestamp: number | string
  nonce_str: string
  /** the exact bytes of the body; empty without one */
  body: string | Uint8Array
}

/** The five lines a request's signature covers (docs/wechat-pay.md §1.3), each ended by LF, the last included. */
export function requestMessage(request: SignedRequest): Buffer {
  const head = [request.method.toUpperCase(), request.url, request.timestamp, request.nonce_str]
  return lines(head, request.body)
}

/** The three lines the signature of a response or notification covers (docs/wechat-pay.md §1.4). */
export function responseMessage(message: {
  timestamp: number | string
  nonce: string
  body: string | Uint8Array
}): Buffer {
  return lines([message.timestamp, message.nonce], message.body)
}

function lines(head: (string | number)[], body: string | Uint8Array): Buffer {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  return Buffer.concat([Buffer.from(`${head.join('\n')}\n`), bytes, Buffer.from('\n')])
}

/** Signs a message; base64 of 344 characters with a 2048-bit key. The same message always gives the same signature. */
export function sign(message: string | Uint8Array, privateKey: KeyObject): string {
  const key = { key: privateKey, padding: constants.RSA_PKCS1_PADDING }
  return signBytes('sha256', Buffer.from(message), key).toString('base64')
}

/** Whether the signature is this key's over this message. Anything else is false, garbage and probes included. */
export function verify(message: string | Uint8Array, signature: string, publicKey: KeyObject): boolean {
  const bytes = bytesFromBase64(signature)
  if (bytes === null || bytes.length === 0) return false
  const key = { key: publicKey, padding: constants.RSA_PKCS1_PADDING }
  return verifyBytes('sha256', Buffer.from(message), key, bytes)
}

/** A fresh nonce: 32 upper-case hex digits. */
export function freshNonce(): string {
  return randomBytes(16).toString('hex').toUpperCase()
}

/** The value of a request's `Authorization` header. `serial_no` is that of the merchant's own API certificate. */
export function authorization(
  request: SignedRequest,
  signer: { mchid: string; serial_no: string; private_key: KeyObject },
): string {
  const signature = sign(requestMessage(request), signer.private_key)
  const fields = [
    `mchid="${signer.mchid}"`,
    `nonce_str="${request.nonce_str}"`,
    `timestamp="${request.timestamp}"`,
    `serial_no="${signer.serial_no}"`,
    `signature="${signature}"`,
  ]
  return `${signatureType} ${fields.join(',')}`
}

export interface Authorization {
  mchid: string
  nonce_str: string
  timestamp: string
  serial_no: string
  signature: string
}

/**
 * Reads an `Authorization` header whatever the order of its fields. Another scheme and a header that cannot be read
 * are told apart, because WeChat Pay answers them differently. Proves nothing: that is `verify`'s.
 */
export function parseAuthorization(
  header: string,
): { kind: 'read'; authorization: Authorization } | { kind: 'other_scheme' } | { kind: 'malformed' } {
  const space = header.indexOf(' ')
  const scheme = space < 0 ? header : header.slice(0, space)
  if (scheme !== signatureType) return { kind: scheme === '' ? 'malformed' : 'other_scheme' }
  if (space < 0 || header.length > 4096) return { kind: 'malformed' }
  const fields = new Map<string, string>()
  for (const pair of header.slice(space + 1).split(',')) {
    const [, name, value] = /^\s*([a-z_]+)="([^"]*)"\s*$/.exec(pair) ?? []
    if (name === undefined || value === undefined || fields.has(name)) return { kind: 'malformed' }
    fields.set(name, value)
  }
  const { mchid, nonce_str, timestamp, serial_no, signature } = Object.fromEntries(fields)
  if (!mchid || !nonce_str || !timestamp || !serial_no || !signature) return { kind: 'malformed' }
  // How many digits is for the clock to judge: milliseconds are a time too far away, not a header of another form.
  if (!/^\d+$/.test(timestamp)) return { kind: 'malformed' }
  return { kind: 'read', authorization: { mchid, nonce_str, timestamp, serial_no, signature } }
}

/** The five headers WeChat Pay puts on a signed response or notification; the sending half of `checkSignature`. */
export function signatureHeaders(
  message: { timestamp: number | string; nonce: string; body: string | Uint8Array },
  signer: { serial_no: string; private_key: KeyObject },
): Record<string, string> {
  return {
    'Wechatpay-Timestamp': String(message.timestamp),
    'Wechatpay-Nonce': message.nonce,
    'Wechatpay-Serial': signer.serial_no,
    'Wechatpay-Signature': sign(responseMessage(message), signer.private_key),
    'Wechatpay-Signature-Type': signatureType,
  }
}

/** Names in lower case, as Node gives them; a header sent twice is an array or a list joined by commas. */
export type ReceivedHeaders = Record<string, string | string[] | undefined>

/** Why a message is not believed. `probe` is WeChat Pay testing us and no reason for alarm. */
export type SignatureRejection =
  'missing_header' | 'malformed' | 'unsupported_signature_type' | 'stale' | 'unknown_serial' | 'probe' | 'bad_signature'

export type SignatureCheck =
  | { verdict: 'verified'; serial_no: string }
  | { verdict: 'rejected'; reason: Exclude<SignatureRejection, 'stale'>; serial_no: string | null }
  | StaleMessage

/** A message that is too old or too new. `is_signed`: WeChat Pay did sign it, so it is old, or one of the clocks is wrong. */
export interface StaleMessage {
  verdict: 'rejected'
  reason: 'stale'
  serial_no: string
  is_signed: boolean
  /** Unix seconds, as the message says */
  timestamp: number
}

/**
 * Decides whether a response or notification was signed by WeChat Pay, over its raw bytes (docs/wechat-pay.md §1.4):
 * headers complete, clock within 300 s, key by serial, signature. `now` is in ms. Never throws.
 */
export function checkSignature(
  message: { headers: ReceivedHeaders; body: string | Uint8Array },
  findKey: (serial: string) => KeyObject | null,
  now: number,
): SignatureCheck {
  const timestamp = onlyValue(message.headers, 'wechatpay-timestamp')
  const nonce = onlyValue(message.headers, 'wechatpay-nonce')
  const signature = onlyValue(message.headers, 'wechatpay-signature')
  const serial = onlyValue(message.headers, 'wechatpay-serial')
  const rejected = (reason: Exclude<SignatureRejection, 'stale'>): SignatureCheck => ({
    verdict: 'rejected',
    reason,
    serial_no: serial ?? null,
  })

  if (!timestamp || !nonce || !signature || !serial) return rejected('missing_header')
  const type = message.headers['wechatpay-signature-type'] // absent means the one algorithm there is
  if (type !== undefined && type !== signatureType) return rejected('unsupported_signature_type')
  if (!/^\d{1,10}$/.test(timestamp)) return rejected('malformed')
  const signed = responseMessage({ timestamp, nonce, body: message.body })
  const key = findKey(serial)
  if (Math.abs(now / 1000 - Number(timestamp)) >= signatureWindowSeconds) {
    const is_signed = key !== null && verify(signed, signature, key)
    return { verdict: 'rejected', reason: 'stale', serial_no: serial, is_signed, timestamp: Number(timestamp) }
  }
  if (signature.startsWith(probePrefix)) return rejected('probe')
  if (key === null) return rejected('unknown_serial')
  if (!verify(signed, signature, key)) return rejected('bad_signature')
  return { verdict: 'verified', serial_no: serial }
}

/** A header that came once. Two values leave open which one was signed, so they count as none. */
function onlyValue(headers: ReceivedHeaders, name: string): string | null {
  const value = headers[name]
  if (Array.isArray(value)) return value.length === 1 ? (value[0] ?? null) : null
  return value ?? null
}

/** What a pay sheet in the payer's app is opened with; `prepay_id` is from placing the order. */
export interface PayCall {
  trade_type: 'JSAPI' | 'APP'
  appid: string
  /** Unix seconds */
  timestamp: number | string
  nonce_str: string
  prepay_id: string
}

/** The four lines of a pay sheet's signature: JSAPI and mini programs sign `prepay_id=…`, an app the bare id. */
export function payMessage(call: PayCall): string {
  const last = call.trade_type === 'JSAPI' ? `prepay_id=${call.prepay_id}` : call.prepay_id
  return `${[call.appid, call.timestamp, call.nonce_str, last].join('\n')}\n`
}

/** Signs a pay sheet with the merchant's key (docs/wechat-pay.md §1.10). */
export function paySign(call: PayCall, privateKey: KeyObject): string {
  return sign(payMessage(call), privateKey)
}
