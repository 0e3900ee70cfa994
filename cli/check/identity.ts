import { createPublicKey, X509Certificate } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Dispatcher } from 'undici'
import { beijingTime } from '../../domain/calendar.ts'
import { downloadCertificates } from '../../wechat/certificates.ts'
import type { WeChatClient } from '../../wechat/client.ts'
import { exchange } from '../../wechat/connection.ts'
import { isSameSerial } from '../../wechat/credentials.ts'
import type { PlatformKey } from '../../wechat/credentials.ts'
import { WeChatPayError } from '../../wechat/errors.ts'
import type { Hosts } from '../../wechat/hosts.ts'
import { checkLine } from './outcome.ts'
import type { CheckLine } from './outcome.ts'

const host_limit_ms = 5_000
/** WeChat Pay bears 300 s; a clock that is off by this much already runs by itself. */
const most_offset_s = 60
const warned_ms = 30 * 24 * 60 * 60_000

/** Whether each host answers at all, and how far its clock is from ours. Nothing is signed: a refusal tells the time too. */
export async function checkHosts(dispatcher: Dispatcher, hosts: Hosts, now: () => number): Promise<CheckLine[]> {
  const lines: CheckLine[] = []
  const clocks: CheckLine[] = []
  for (const host of [hosts.main, ...(hosts.backup === null ? [] : [hosts.backup])]) {
    const begun_ms = performance.now()
    const headers = { accept: 'application/json', 'user-agent': 'Weft' }
    const request = { origin: host, method: 'GET', path: '/v3/certificates', headers, body: null } as const
    try {
      const answer = await exchange(dispatcher, request, host_limit_ms)
      const duration_ms = Math.round(performance.now() - begun_ms)
      lines.push(checkLine('host_reached', { host, duration_ms }))
      clocks.push(...clockLines(host, answer.headers['date'], now() - duration_ms / 2))
    } catch (error) {
      lines.push(checkLine('host_away', { host, error: causeText(error) }))
    }
  }
  return [...lines, ...(clocks.length === 0 ? [checkLine('clock_unknown')] : clocks.slice(0, 1))]
}

/** The Date header has whole seconds, so half a second either way says nothing. */
function clockLines(host: string, date: string | string[] | undefined, now_ms: number): CheckLine[] {
  const there_ms = typeof date === 'string' ? Date.parse(date) : NaN
  if (Number.isNaN(there_ms)) return []
  const seconds = Math.round((now_ms - there_ms - 500) / 1_000)
  return [checkLine(Math.abs(seconds) < most_offset_s ? 'clock_right' : 'clock_off', { host, seconds })]
}

/** What the signed call came to: whether WeChat Pay knows us, and whether a list of certificates was opened by our key. */
export interface TakenCall {
  lines: CheckLine[]
  is_accepted: boolean
  /** the certificates that were listed, opened by our APIv3 key */
  listed: PlatformKey[]
}

/**
 * Asks for the list of certificates, which changes nothing: it is answered only where serial and private key belong
 * together, and what is in it opens only with the APIv3 key. Whoever has a public key alone is told that there is none.
 */
export async function checkSignedCall({ credentials, keyring, transport }: WeChatClient): Promise<TakenCall> {
  const serial = credentials.serial_no
  const accepted = checkLine('certificate_accepted', { serial })
  try {
    const listed = await downloadCertificates(transport, credentials.apiv3_key, keyring.hasKeyInForce())
    await keyring.refresh()
    return { lines: [accepted], is_accepted: true, listed }
  } catch (error) {
    if (!(error instanceof WeChatPayError)) throw error
    const { mchid } = credentials
    const message = errorText(error)
    // Answered with a list, so our signature was taken.
    const of_list = listFault(error, keyring.hasKeyInForce())
    if (of_list !== null) {
      const fault = checkLine(of_list, { message, error: message, key_id: keyring.newest()?.serial ?? '–' })
      return { lines: [accepted, fault], is_accepted: true, listed: [] }
    }
    const code = refusal_codes[error.code ?? ''] ?? (error.status === 401 ? 'certificate_refused' : undefined)
    const line = code
      ? checkLine(code, { serial, mchid, message })
      : checkLine('certificate_unproven', { error: message })
    return { lines: [line], is_accepted: false, listed: [] }
  }
}

/** A list that no key in force has signed; where there is none in force yet, one that our APIv3 key does not open. */
function listFault({ reason }: WeChatPayError, has_key: boolean): 'apiv3_key_wrong' | 'key_wrong' | null {
  if (reason === 'unreadable' || (reason === 'no_key' && !has_key)) return 'apiv3_key_wrong'
  return reason === 'no_key' || reason === 'unverified' ? 'key_wrong' : null
}

const refusal_codes: Readonly<Record<string, 'certificate_refused' | 'merchant_unknown'>> = {
  SIGN_ERROR: 'certificate_refused',
  SIGNERROR: 'certificate_refused',
  MCH_NOT_EXISTS: 'merchant_unknown',
  MCHID_NOT_EXIST: 'merchant_unknown',
}

/** What the merchant's own certificate says, where the file is given: whose it is, and how long it lasts. */
export function checkCertificateFile(
  path: string | null,
  merchant: { mchid: string; serial_no: string; private_key: KeyObject },
  now_ms: number,
): CheckLine {
  if (path === null) return checkLine('certificate_dates')
  let certificate: X509Certificate
  try {
    certificate = new X509Certificate(readFileSync(path))
  } catch (error) {
    return checkLine('certificate_unreadable', { path, error: (error as Error).message })
  }
  const what = otherOwner(certificate, merchant)
  if (what !== null) return checkLine('certificate_of_another', { path, what })
  const [from_ms, until_ms] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)]
  const values = { path, from: beijingTime(from_ms), until: beijingTime(until_ms) }
  if (now_ms < from_ms || now_ms >= until_ms) return checkLine('certificate_over', values)
  return checkLine(until_ms - now_ms < warned_ms ? 'certificate_ending' : 'certificate_in_force', values)
}

/** `CN` of a merchant's certificate is its number. */
function otherOwner(
  certificate: X509Certificate,
  merchant: { mchid: string; serial_no: string; private_key: KeyObject },
): string | null {
  const serial = certificate.serialNumber
  if (!isSameSerial(serial, merchant.serial_no)) return `serial ${serial}, not ${merchant.serial_no}`
  if (!certificate.publicKey.equals(createPublicKey(merchant.private_key))) return 'another private key'
  const owner = /^CN=(.+)$/m.exec(certificate.subject)?.[1] ?? null
  return owner !== null && /^\d+$/.test(owner) && owner !== merchant.mchid ? `merchant ${owner}` : null
}

/** WeChat Pay's words with what its support asks for; of silence, why there was none. */
export function errorText(error: WeChatPayError): string {
  const { code, wechat_message, status, reason, request_id, cause } = error
  if (reason !== 'answer') return cause === undefined ? reason : `${reason}: ${causeText(cause)}`
  const said = [code ?? status, wechat_message].filter((part) => part !== null && part !== '').join(' ')
  return request_id === null ? said : `${said}, Request-ID ${request_id}`
}

export function causeText(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const inner = error.cause instanceof Error ? error.cause : null
  const { code } = (inner ?? error) as { code?: unknown }
  const text = inner?.message ?? error.message
  return typeof code === 'string' && !text.includes(code) ? `${code} ${text}` : text
}
