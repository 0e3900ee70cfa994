import { beijingTime } from '../../domain/calendar.ts'
import type { EvidenceRecord } from '../../domain/payment/evidence.ts'
import type { Authorities } from '../../runtime/authorities.ts'
import type { Store } from '../../store/store.ts'
import type { WeChatClient } from '../../wechat/client.ts'
import type { PlatformKey } from '../../wechat/credentials.ts'
import { readNotification } from '../../wechat/notification.ts'
import { createCertificateTrust } from '../../wechat/trust.ts'
import { checkLine } from './outcome.ts'
import type { CheckLine } from './outcome.ts'
import type { ProbedMethods } from './probe.ts'

const warned_ms = 30 * 24 * 60 * 60_000
/** Orders that were paid last, among which the last notification is looked for. */
const most_looked_at = 20

/** The keys that verify what WeChat Pay sends, and until when; the public key once an answer was verified just now. */
export function checkKeys(
  { keyring }: WeChatClient,
  { has_verified, unverified }: ProbedMethods,
  now_ms: number,
): CheckLine[] {
  const newest = keyring.newest()
  if (newest === null) return [checkLine('key_missing')]
  const key_id = newest.serial
  if (unverified !== null && !has_verified) return [checkLine('key_wrong', { key_id, error: unverified })]
  const of_public = checkLine(has_verified ? 'key_public' : 'key_unproven', { key_id })
  const certificates = keyring.keys().filter(({ kind }) => kind === 'certificate')
  const lines = certificates.map((key) => {
    const is_last = key.serial === newest.serial && (key.expire_time ?? Infinity) - now_ms < warned_ms
    return checkLine(is_last ? 'key_ending' : 'key_certificate', certificateValues(key))
  })
  return newest.kind === 'public_key' ? [of_public, ...lines] : lines
}

function certificateValues({ serial, effective_time, expire_time }: PlatformKey) {
  const shown = (ms: number | null) => (ms === null ? '–' : beijingTime(ms))
  return { key_id: serial, from: shown(effective_time), until: shown(expire_time) }
}

/** Whether somebody has named WeChat Pay's CA, and whether it has issued every certificate that is listed. */
export function checkAuthority(
  { keyring }: WeChatClient,
  listed: readonly PlatformKey[],
  { mode, authorities, now_ms }: { mode: 'live' | 'test'; authorities: Authorities; now_ms: number },
): CheckLine[] {
  const setting = mode === 'live' ? 'WEFT_WECHAT_CA_PATH' : 'WEFT_TEST_WECHAT_CA_PATH'
  const authority = authorities[mode]
  if (authority === null)
    return [checkLine(keyring.publicKeyId() === null ? 'authority_unnamed' : 'authority_needless', { setting })]
  const trust = createCertificateTrust(authority)
  const refused = listed.flatMap((key) => {
    const refusal = trust.refusalOf(key, now_ms)
    return refusal === null ? [] : [checkLine('authority_refuses', { key_id: key.serial, refusal, setting })]
  })
  if (refused.length > 0) return refused
  return [
    checkLine(listed.length > 0 || keyring.publicKeyId() === null ? 'authority_named' : 'authority_needless', {
      setting,
    }),
  ]
}

/** The newest notification of WeChat Pay's about one of the orders that were paid last; null: there is none. */
export async function lastNotification(
  store: Pick<Store, 'orders' | 'evidence'>,
  mchid: string,
): Promise<EvidenceRecord | null> {
  const paid = await store.orders.list(mchid, { success_time_from: beijingTime(0) }, { limit: most_looked_at })
  let last: EvidenceRecord | null = null
  for (const { out_trade_no } of paid.data) {
    for (const one of await store.evidence.ofOrder(mchid, out_trade_no)) {
      if (one.kind !== 'notification' || one.verdict !== 'verified') continue
      if (last === null || one.receive_time > last.receive_time) last = one
    }
  }
  return last
}

/** Whether the APIv3 key opens what WeChat Pay encrypted: a list of certificates, or the last notification. */
export function checkApiKey(
  { credentials, keyring }: WeChatClient,
  has_opened_list: boolean,
  last: EvidenceRecord | null,
): CheckLine {
  if (has_opened_list) return checkLine('apiv3_key_opens_list')
  if (last === null || 'sealed' in last.raw) return checkLine('apiv3_key_unproven')
  const { headers, body } = last.raw
  const { mchid, apiv3_key } = credentials
  const signed_ms = Number(headers['wechatpay-timestamp']) * 1_000
  const addressee = { mchid, apiv3_key, keyring, now: signed_ms }
  const read = readNotification({ headers, body: Buffer.from(body) }, addressee)
  const values = { time: last.receive_time }
  if (read.verdict === 'verified') return checkLine('apiv3_key_opens_notification', values)
  if (read.verdict === 'undecipherable' && read.reason === 'key') return checkLine('apiv3_key_changed', values)
  return checkLine('apiv3_key_unproven')
}
