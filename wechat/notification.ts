import { isUtf8 } from 'node:buffer'
import { z } from 'zod'
import { out_refund_no_pattern } from '../domain/ids.ts'
import type { PaymentFact, RefundFact } from '../domain/payment/fact.ts'
import { CipherError, decryptText } from './cipher.ts'
import type { Keyring } from './keyring.ts'
import { paymentFact, readTransaction } from './payments.ts'
import type { Transaction } from './payments.ts'
import { checkSignature } from './signature.ts'
import type { ReceivedHeaders, SignatureRejection, StaleMessage } from './signature.ts'
import { fen, lenient, parsedJson, time_text, timeOf } from './wire.ts'

/**
 * A notification is at most this long (docs/wechat-pay.md §4.2 says how long its parts are); longer ones are rejected.
 */
export const notificationLimit = 64 * 1024

export interface ReceivedNotification {
  /** as Node gives them: names in lower case */
  headers: ReceivedHeaders
  /** the bytes as they came, never parsed and written again */
  body: Buffer
}

/** Whose notification it should be, and what it is read with. */
export interface Addressee {
  mchid: string
  apiv3_key: string
  keyring: Pick<Keyring, 'find' | 'fetchMissing' | 'isEmpty'>
  /** Unix ms */
  now: number
}

/** What the outside of a notification says; the same in every delivery of it. */
export interface NotificationEnvelope {
  notification_id: string
  event_type: string
  create_time?: string | undefined
  serial_no: string
}

export type RefundStatement = z.output<typeof refund_statement>

type VerifiedNotification = NotificationEnvelope & { verdict: 'verified'; mchid: string; plaintext: string } & (
    | { subject: 'payment'; transaction: Transaction; fact: PaymentFact }
    | { subject: 'refund'; refund: RefundStatement; fact: RefundFact }
  )

/**
 * What became of a notification. `rejected`: not from WeChat Pay, as far as we can tell, 401. `no_key`: nothing to tell
 * it by, 500. `undecipherable` and `foreign_mchid`: from WeChat Pay, but not to be read or not this merchant's; kept,
 * 500, so that it comes again.
 */
export type NotificationVerdict =
  | VerifiedNotification
  | { verdict: 'rejected'; reason: Exclude<SignatureRejection, 'stale'> | 'too_large'; serial_no: string | null }
  | StaleMessage
  | { verdict: 'no_key'; serial_no: string | null }
  | (Partial<NotificationEnvelope> & {
      verdict: 'undecipherable'
      serial_no: string
      reason: 'envelope' | 'key' | 'plaintext' | 'unknown_subject'
    })
  | (NotificationEnvelope & { verdict: 'foreign_mchid'; subject: 'payment' | 'refund'; mchid: string })

/**
 * The only way from a notification's bytes to its plaintext, and the order of its steps is the point
 * (docs/wechat-pay.md §1.4, §4.7): size, headers, clock, key, signature over the raw bytes; only then parse, decrypt,
 * read, and compare the merchant. Pure but for `keyring.miss`, which is not waited for.
 */
export function readNotification(received: ReceivedNotification, addressee: Addressee): NotificationVerdict {
  if (received.body.length > notificationLimit) return { verdict: 'rejected', reason: 'too_large', serial_no: null }
  const { keyring } = addressee
  const check = checkSignature(received, (serial) => keyring.find(serial, addressee.now), addressee.now)
  if (check.verdict === 'rejected') {
    if (check.reason === 'unknown_serial') {
      if (check.serial_no !== null) void keyring.fetchMissing(check.serial_no)
      if (keyring.isEmpty()) return { verdict: 'no_key', serial_no: check.serial_no }
    }
    return check
  }
  return openNotification(received.body, check.serial_no, addressee)
}

const notification_envelope = z.object({
  id: z.string().min(1).max(64),
  create_time: lenient(z.string().max(64)),
  event_type: z.string().max(64),
  resource: z.object({
    algorithm: z.literal('AEAD_AES_256_GCM'),
    ciphertext: z.string(),
    nonce: z.string().min(1).max(64),
    associated_data: z.string().nullish(),
  }),
})

/** Reads a notification whose signature is verified: what fails from here on is kept and raises attention. */
function openNotification(body: Buffer, serial_no: string, addressee: Addressee): NotificationVerdict {
  // It is archived as text and verified anew from that: of bytes that are no UTF-8 the text is another message.
  const read = notification_envelope.safeParse(isUtf8(body) ? parsedJson(body.toString('utf8')) : undefined)
  if (!read.success) return { verdict: 'undecipherable', reason: 'envelope', serial_no }
  const { id: notification_id, event_type, create_time, resource } = read.data
  const envelope_fields: NotificationEnvelope = { notification_id, event_type, create_time, serial_no }

  const { ciphertext, nonce, associated_data } = resource
  let plaintext: string
  try {
    plaintext = decryptText({ ciphertext, nonce, associated_data: associated_data ?? '' }, addressee.apiv3_key)
  } catch (error) {
    if (!(error instanceof CipherError)) throw error
    return { verdict: 'undecipherable', reason: 'key', ...envelope_fields }
  }

  const content = readContent(event_type, plaintext)
  if (typeof content === 'string') return { verdict: 'undecipherable', reason: content, ...envelope_fields }
  const { mchid } = content.fact
  if (mchid !== addressee.mchid)
    return { verdict: 'foreign_mchid', subject: content.subject, mchid, ...envelope_fields }
  return { verdict: 'verified', mchid, plaintext, ...envelope_fields, ...content }
}

type DecryptedContent =
  | { subject: 'payment'; transaction: Transaction; fact: PaymentFact }
  | { subject: 'refund'; refund: RefundStatement; fact: RefundFact }

/** The event type decides how the plaintext is read: a refund's has other fields, and neither reads as the other. */
function readContent(eventType: string, plaintext: string): DecryptedContent | 'plaintext' | 'unknown_subject' {
  if (eventType.startsWith('TRANSACTION.')) {
    const transaction = readTransaction(plaintext)
    return transaction ? { subject: 'payment', transaction, fact: paymentFact(transaction) } : 'plaintext'
  }
  if (eventType.startsWith('REFUND.')) {
    const read = refund_statement.safeParse(parsedJson(plaintext))
    return read.success ? { subject: 'refund', refund: read.data, fact: refundFact(read.data) } : 'plaintext'
  }
  return 'unknown_subject'
}

/**
 * A refund as its notification tells it (docs/wechat-pay.md §4.4): `refund_status`, where a query says `status`. Asks for
 * no more than what names the refund: a notification only wakes a question, and one that is not read comes again.
 */
const refund_statement = z.object({
  mchid: z.string().min(1).max(32),
  out_refund_no: z.string().regex(out_refund_no_pattern),
  out_trade_no: lenient(z.string().min(1).max(32)),
  transaction_id: lenient(z.string().min(1).max(32)),
  refund_id: lenient(z.string().min(1).max(32)),
  refund_status: lenient(z.enum(['SUCCESS', 'CLOSED', 'ABNORMAL', 'PROCESSING'])),
  success_time: lenient(time_text),
  user_received_account: lenient(z.string().max(256)),
  amount: lenient(
    z.object({ total: lenient(fen), refund: lenient(fen), payer_total: lenient(fen), payer_refund: lenient(fen) }),
  ),
})

function refundFact(statement: RefundStatement): RefundFact {
  const { mchid, out_refund_no, out_trade_no, transaction_id, refund_id, refund_status } = statement
  const { success_time, user_received_account, amount } = statement
  return {
    mchid,
    out_refund_no,
    out_trade_no: out_trade_no ?? null,
    transaction_id: transaction_id ?? null,
    refund_id: refund_id ?? null,
    refund_status: refund_status ?? null,
    success_time: timeOf(success_time),
    user_received_account: user_received_account || null,
    amount: {
      total: amount?.total ?? null,
      refund: amount?.refund ?? null,
      payer_total: amount?.payer_total ?? null,
      payer_refund: amount?.payer_refund ?? null,
    },
  }
}
