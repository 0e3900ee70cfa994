import { randomBytes, randomInt, randomUUID, sign } from 'node:crypto'
import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { Pool } from 'undici'
import { beijingDay, beijingTime, wechatTime } from '../domain/calendar.ts'
import { evidenceId } from '../domain/ids.ts'
import type { OrderKey } from '../domain/ids.ts'
import type { EvidenceRecord } from '../domain/payment/evidence.ts'
import { publicId } from '../store/ids.ts'
import { encryptText } from '../wechat/cipher.ts'
import { responseMessage, signatureType } from '../wechat/signature.ts'
import type { SignedMerchant } from './merchants.ts'
import { price } from './orderruns.ts'

const signInPool = promisify(sign)

/** A notification, ready to be sent: encrypted and signed before any clock runs. */
interface SignedNotification {
  order: OrderKey
  notification_id: string
  transaction_id: string
  headers: Record<string, string>
  body: string
}

/** What WeChat Pay would say of a paid order (docs/wechat-pay.md §4.2, §4.3). Good for 300 s. */
export async function signedNotification(merchant: SignedMerchant, order: OrderKey): Promise<SignedNotification> {
  const now = Date.now()
  const transaction_id = `4200${randomInt(1e6)}${beijingDay(now).replaceAll('-', '')}${randomInt(1e10)}`
  const transaction = {
    appid: merchant.appid,
    ...order,
    trade_state: 'SUCCESS',
    trade_state_desc: '支付成功',
    transaction_id,
    trade_type: 'NATIVE',
    bank_type: 'OTHERS',
    success_time: wechatTime(now),
    payer: { openid: `o${randomBytes(13).toString('hex')}` },
    amount: { total: price, payer_total: price, currency: 'CNY', payer_currency: 'CNY' },
  }
  const notification_id = randomUUID()
  const nonce = randomBytes(6).toString('hex')
  const resource = encryptText(JSON.stringify(transaction), nonce, 'transaction', merchant.apiv3_key)
  const body = JSON.stringify({
    id: notification_id,
    create_time: wechatTime(now),
    resource_type: 'encrypt-resource',
    event_type: 'TRANSACTION.SUCCESS',
    summary: '支付成功',
    resource: { original_type: 'transaction', algorithm: 'AEAD_AES_256_GCM', ...resource },
  })
  return { order, notification_id, transaction_id, headers: await signedHeaders(merchant, body), body }
}

/** What WeChat Pay sends beside `body`, a notification or an answer. */
export async function signedHeaders(merchant: SignedMerchant, body: string): Promise<Record<string, string>> {
  const timestamp = Math.floor(Date.now() / 1_000)
  const nonce = randomBytes(16).toString('hex')
  const signature = await signInPool('sha256', responseMessage({ timestamp, nonce, body }), merchant.wechat_key)
  return {
    'content-type': 'application/json',
    'wechatpay-timestamp': String(timestamp),
    'wechatpay-nonce': nonce,
    'wechatpay-serial': merchant.wechat_key_id,
    'wechatpay-signature': signature.toString('base64'),
    'wechatpay-signature-type': signatureType,
  }
}

/** Where notifications are sent over real HTTP. */
interface NotificationSender {
  /** Throws unless it was acknowledged. */
  post(notification: SignedNotification): Promise<void>
  close(): Promise<void>
}

export function openNotificationSender(public_url: string, connections: number): NotificationSender {
  const pool = new Pool(public_url, { connections, pipelining: 1 })
  return {
    async post({ order, headers, body }) {
      const path = `/wechat/notify/${order.mchid}`
      const answer = await pool.request({ method: 'POST', path, headers, body })
      const text = await answer.body.text()
      if (answer.statusCode !== 204) throw new Error(`not acknowledged: ${answer.statusCode} ${text}`)
    },
    close: () => pool.close(),
  }
}

/** The evidence that the intake would have archived of a notification. */
export function paymentEvidence({
  order,
  notification_id,
  transaction_id,
  headers,
  body,
}: SignedNotification): EvidenceRecord {
  const _id = evidenceId.notification(order.mchid, notification_id)
  const proof = Object.entries(headers).filter(([name]) => name.startsWith('wechatpay-'))
  return {
    _id,
    id: publicId('evd', _id),
    mchid: order.mchid,
    kind: 'notification',
    subject: 'payment',
    out_trade_no: order.out_trade_no,
    transaction_id,
    out_refund_no: null,
    verdict: 'verified',
    serial_no: headers['wechatpay-serial'] ?? null,
    body_sha256: createHash('sha256').update(body).digest('hex'),
    raw: { headers: Object.fromEntries(proof), body },
    receive_time: beijingTime(Date.now()),
    unapplied: true,
    outcome: null,
    applied_time: null,
    applied_to: null,
  }
}
