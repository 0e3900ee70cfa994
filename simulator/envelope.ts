import { wechatTime } from '../domain/calendar.ts'
import { encryptText } from '../wechat/cipher.ts'
import { randomLetters } from './random.ts'
import type { Merchant } from './records.ts'

const summaries: Record<string, string> = {
  'TRANSACTION.SUCCESS': '支付成功',
  'REFUND.SUCCESS': '退款成功',
  'REFUND.ABNORMAL': '退款异常',
  'REFUND.CLOSED': '退款关闭',
}

/** NotificationContent is what a notification says, before it is encrypted, and where it goes. */
export interface NotificationContent {
  merchant: Merchant
  event_type: string
  /** JSON text of the resource */
  plaintext: string
  out_trade_no: string | null
  transaction_id: string | null
  out_refund_no: string | null
  url: string
}

/** The kind of resource that a notification of this type carries. */
export function originalType(event_type: string): 'refund' | 'transaction' {
  return event_type.startsWith('REFUND.') ? 'refund' : 'transaction'
}

/** The body of every delivery of one notification (docs/wechat-pay.md §4.2), encrypted with the APIv3 key. */
export function envelope(head: { id: string; create_time: number }, content: NotificationContent, key: string): string {
  const original_type = originalType(content.event_type)
  const { ciphertext, nonce } = encryptText(content.plaintext, randomLetters(12), original_type, key)
  return JSON.stringify({
    id: head.id,
    create_time: wechatTime(head.create_time),
    resource_type: 'encrypt-resource',
    event_type: content.event_type,
    summary: summaries[content.event_type] ?? content.event_type,
    resource: { original_type, algorithm: 'AEAD_AES_256_GCM', ciphertext, associated_data: original_type, nonce },
  })
}

/** The headers of a delivery as seen in the wild, with its signature; `replaced` overrides, null leaves one out. */
export function deliveryHeaders(
  signature: Record<string, string>,
  replaced: Record<string, string | null>,
): Record<string, string> {
  const headers: Record<string, string | null> = {
    'Content-Type': 'application/json',
    Accept: '*/*',
    'User-Agent': 'Mozilla/4.0',
    Pragma: 'no-cache',
    'Cache-Control': 'no-cache',
    ...signature,
  }
  for (const [name, value] of Object.entries(replaced)) {
    const known = Object.keys(headers).find((header) => header.toLowerCase() === name.toLowerCase())
    headers[known ?? name] = value
  }
  return Object.fromEntries(Object.entries(headers).filter((pair): pair is [string, string] => pair[1] !== null))
}
