import { randomBytes } from 'node:crypto'
import { lookup } from 'node:dns/promises'
import { connect } from 'node:tls'
import type { PeerCertificate } from 'node:tls'
import { setTimeout as pause } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { beijingTime } from '../../domain/calendar.ts'
import type { EvidenceRecord } from '../../domain/payment/evidence.ts'
import { isPublicAddress } from '../../runtime/address.ts'
import type { Store } from '../../store/store.ts'
import { freshNonce, probePrefix, signatureType } from '../../wechat/signature.ts'
import { causeText } from './identity.ts'
import { checkLine } from './outcome.ts'
import type { CheckLine } from './outcome.ts'

const limit_ms = 10_000
const warned_ms = 21 * 24 * 60 * 60_000
const default_recorded_within_ms = 5_000
/** An api keeps five refused messages at once and then one a minute (api/notify/rejections.ts). */
const kept_at_once = 5
const kept_window_ms = kept_at_once * 60_000
const most_rejections = 50

export interface AddressParts {
  store: Pick<Store, 'rejections'>
  mchid: string
  /** `notify_url` of the merchant, which goes out with every order */
  url: string
  mode: 'live' | 'test'
  /** the name of WeChat Pay's key that the message claims to be signed with */
  serial: string
  now: () => number
  resolve?: (host: string) => Promise<string[]>
  /** PEM of those trusted in place of the system's CAs, for tests */
  ca?: string
  /** how long a refused message may take into the database behind its answer */
  recorded_within_ms?: number
}

/**
 * What can be seen of the notify address from here: where its name leads, its certificate, and whether a message that
 * looks like WeChat Pay's comes through to this installation. It carries a signature probe, as WeChat Pay's own do: Weft
 * refuses it, keeps it in this database, and is not alarmed.
 */
export async function checkNotifyAddress(parts: AddressParts): Promise<CheckLine[]> {
  const { url: text, mode } = parts
  const url = new URL(text)
  if (mode === 'live' && url.protocol !== 'https:') return [checkLine('notify_in_the_clear', { url: text })]
  const place =
    mode === 'live' ? await placeLine(url, parts.resolve ?? resolveAll) : checkLine('notify_of_a_test', { url: text })
  if (place.code === 'notify_unresolved' || place.code === 'notify_private') return [place]
  const secured = url.protocol === 'https:' ? await tlsLine(url, parts) : null
  if (secured !== null && secured.code !== 'notify_tls' && secured.code !== 'notify_tls_ending') return [place, secured]
  return [place, ...(secured === null ? [] : [secured]), await answerLine(parts)]
}

async function resolveAll(host: string): Promise<string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address)
}

async function placeLine({ hostname: host }: URL, resolve: (host: string) => Promise<string[]>): Promise<CheckLine> {
  try {
    const found = await resolve(host.replace(/^\[|\]$/g, ''))
    const addresses = found.join(', ')
    return checkLine(found.every(isPublicAddress) ? 'notify_public' : 'notify_private', { host, addresses })
  } catch (error) {
    return checkLine('notify_unresolved', { host, error: causeText(error) })
  }
}

/** The certificate as a client sees it that knows the public CAs and fetches no missing link of a chain by itself. */
async function tlsLine({ hostname, port }: URL, { ca, now }: AddressParts): Promise<CheckLine> {
  try {
    const certificate = await peerCertificate({ host: hostname, port: Number(port || 443), ...(ca && { ca }) })
    const until_ms = Date.parse(certificate.valid_to)
    const issuer = [certificate.issuer.O ?? certificate.issuer.CN].flat().join(' ')
    const is_ending = until_ms - now() < warned_ms
    return checkLine(is_ending ? 'notify_tls_ending' : 'notify_tls', { issuer, until: beijingTime(until_ms) })
  } catch (error) {
    const is_connected = !/^(ECONN|ETIMEDOUT|EHOST|ENET)/.test(String((error as { code?: unknown }).code))
    const values = { url: hostname, error: causeText(error) }
    return checkLine(is_connected ? 'notify_tls_bad' : 'notify_away', values)
  }
}

function peerCertificate(target: { host: string; port: number; ca?: string }): Promise<PeerCertificate> {
  return new Promise((resolve, reject) => {
    const socket = connect({ ...target, servername: target.host, timeout: limit_ms }, () => {
      resolve(socket.getPeerCertificate())
      socket.end()
    })
    socket.once('timeout', () => socket.destroy(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })))
    socket.once('error', reject)
  })
}

async function answerLine(parts: AddressParts): Promise<CheckLine> {
  const { url, mchid } = parts
  const mark = freshNonce()
  const agent = new Agent({ connect: { timeout: limit_ms, ...(parts.ca && { ca: parts.ca }) } })
  try {
    const {
      statusCode: status,
      headers,
      body,
    } = await request(url, {
      method: 'POST',
      headers: probeHeaders(parts),
      body: probeBody(mark),
      dispatcher: agent,
      signal: AbortSignal.timeout(limit_ms),
    })
    await body.dump()
    const values = { url, mchid, status, location: String(headers['location'] ?? '–') }
    if (status >= 300 && status < 400) return checkLine('notify_redirected', values)
    if (headers['weft-version'] === undefined) return checkLine('notify_stranger', values)
    if (status === 404) return checkLine('notify_elsewhere', values)
    if (status !== 401) return checkLine('notify_failing', values)
    return await recordedLine(parts, mark, values)
  } catch (error) {
    return checkLine('notify_away', { url, error: causeText(error) })
  } finally {
    await agent.close()
  }
}

const check_mark = 'WEFT.CHECK'

function probeBody(mark: string): string {
  return JSON.stringify({ id: mark, event_type: check_mark })
}

function probeHeaders({ serial, now }: AddressParts): Record<string, string> {
  return {
    'content-type': 'application/json',
    'user-agent': 'Weft',
    'wechatpay-timestamp': String(Math.floor(now() / 1_000)),
    'wechatpay-nonce': freshNonce(),
    'wechatpay-serial': serial,
    'wechatpay-signature': probePrefix + randomBytes(256).toString('base64'),
    'wechatpay-signature-type': signatureType,
  }
}

/** Looks for the message among those that this installation has refused: only so is it certain that it came here whole. */
async function recordedLine(
  { store, mchid, now, recorded_within_ms = default_recorded_within_ms }: AddressParts,
  mark: string,
  values: Record<string, string | number>,
): Promise<CheckLine> {
  const begun_ms = performance.now()
  for (;;) {
    const refused = await store.rejections.recent(mchid, most_rejections)
    if (refused.some(({ body }) => body === probeBody(mark))) return checkLine('notify_answered', values)
    const since = beijingTime(now() - kept_window_ms)
    const kept = refused.filter(({ reason, receive_time }) => reason === 'probe' && receive_time > since)
    const may_be_kept = kept.length < kept_at_once - 1
    const waited_ms = performance.now() - begun_ms
    if (!may_be_kept && waited_ms > recorded_within_ms / 10) return checkLine('notify_untold', values)
    if (waited_ms > recorded_within_ms) return checkLine('notify_unrecorded', values)
    await pause(100)
  }
}

/** Whether WeChat Pay itself has ever come through: what no look from here can show. */
export function checkNotifications(last: EvidenceRecord | null): CheckLine {
  if (last === null) return checkLine('notification_none')
  return checkLine('notification_genuine', { time: last.receive_time, out_trade_no: last.out_trade_no ?? '–' })
}
