import { z } from 'zod'
import type { Time } from '../domain/calendar.ts'
import { failureOf, unreadableAnswer } from './errors.ts'
import type { WeChatOperation } from './errors.ts'
import type { RawExchange } from './payments.ts'
import type { Transport, WeChatAnswer } from './transport.ts'
import { fen, lenient, parsedJson, time_text, timeOf } from './wire.ts'

/** The path that takes refunds; below it each one is queried (docs/wechat-pay.md §2.4). */
export const refundPath = '/v3/refund/domestic/refunds'

export interface WeChatRefundRequest {
  transaction_id: string
  out_refund_no: string
  /** shown to the payer */
  reason: string | null
  /** always sent: without one WeChat Pay may notify in the form of its old API */
  notify_url: string
  /** fen; `total` is the order's own */
  amount: { refund: number; total: number; currency: string }
}

/** The exact bytes that ask for a refund. Made once and frozen: every repeat must be the same to the byte. */
export function refundBody(request: WeChatRefundRequest): string {
  const { refund, total, currency } = request.amount
  return JSON.stringify({
    transaction_id: request.transaction_id,
    out_refund_no: request.out_refund_no,
    ...(request.reason ? { reason: request.reason } : {}),
    notify_url: request.notify_url,
    amount: { refund, total, currency },
  })
}

/** What WeChat Pay says of a refund, in the answers to all three calls. Amounts in fen. */
export interface WeChatRefund {
  refund_id: string
  out_refund_no: string
  transaction_id: string
  out_trade_no: string
  channel: string | null
  user_received_account: string | null
  success_time: Time | null
  create_time: Time
  /** accepted is PROCESSING; only SUCCESS means that money went back */
  status: 'SUCCESS' | 'CLOSED' | 'PROCESSING' | 'ABNORMAL'
  amount: {
    total: number
    refund: number
    payer_total: number | null
    payer_refund: number | null
    settlement_refund: number | null
    settlement_total: number | null
    discount_refund: number | null
    currency: string
  }
  /** the money is the merchant's again, and not the payer's, whatever the status says */
  returned_to_merchant: boolean
}

export type WeChatRefundAnswer = { refund: WeChatRefund; raw: RawExchange }

/**
 * Asks for a frozen refund, or asks again: the same number with the same parameters is the same refund. An answer means
 * that it was accepted, not that it was made. Throws WeChatPayError; `refused` and `not_enough` say that this request
 * was not accepted, unless `outcome_unknown`.
 */
export async function createRefund(
  transport: Transport,
  frozen: { path: string; body: string },
  signal?: AbortSignal,
): Promise<WeChatRefundAnswer> {
  const answer = await transport.send({ operation: 'refund', method: 'POST', ...frozen }, signal)
  const { out_refund_no } = JSON.parse(frozen.body) as { out_refund_no: string }
  return refundFromAnswer('refund', answer, out_refund_no)
}

export type RefundQueryResult =
  | ({ kind: 'found' } & WeChatRefundAnswer)
  /** WeChat Pay has no refund of this number, or not yet; unsigned, as all its errors are */
  | { kind: 'not_found'; code: string; raw: RawExchange }

/**
 * Asks what WeChat Pay knows of a refund. May be repeated at will. That it knows none is said unsigned, so it counts only
 * when the other host says so too. Throws WeChatPayError.
 */
export async function queryRefund(
  transport: Transport,
  refund: { out_refund_no: string },
  signal?: AbortSignal,
): Promise<RefundQueryResult> {
  const path = `${refundPath}/${encodeURIComponent(refund.out_refund_no)}`
  const ask = (except_host?: string) =>
    transport.send({ operation: 'query_refund', method: 'GET', path, except_host }, signal)
  const first = await ask()
  const answer = isUnknown(first) && first.host !== undefined ? await ask(first.host) : first
  if (isUnknown(answer)) return { kind: 'not_found', code: answer.code, raw: exchangeOf(answer) }
  return { kind: 'found', ...refundFromAnswer('query_refund', answer, refund.out_refund_no) }
}

function isUnknown(answer: WeChatAnswer): answer is WeChatAnswer & { code: string } {
  return answer.status === 404 && answer.code === 'RESOURCE_NOT_EXISTS'
}

export interface WeChatAbnormalRequest {
  out_refund_no: string
  type: 'USER_BANK_CARD' | 'MERCHANT_BANK_CARD'
  /** the three are for the payer's card only */
  bank_type: string | null
  /** encrypted, base64 (wechat/sensitive) */
  bank_account: string | null
  /** encrypted, base64 */
  real_name: string | null
}

/**
 * Says where the money of an ABNORMAL refund shall go instead. `serial` names the key that the sensitive fields were
 * encrypted with. Throws WeChatPayError, `refused` too.
 */
export async function applyAbnormalRefund(
  transport: Transport,
  refund_id: string,
  request: WeChatAbnormalRequest,
  serial: string,
  signal?: AbortSignal,
): Promise<WeChatRefundAnswer> {
  const { out_refund_no, type, bank_type, bank_account, real_name } = request
  const body = JSON.stringify({
    out_refund_no,
    type,
    ...(bank_type ? { bank_type } : {}),
    ...(bank_account ? { bank_account } : {}),
    ...(real_name ? { real_name } : {}),
  })
  const path = `${refundPath}/${encodeURIComponent(refund_id)}/apply-abnormal-refund`
  const call = { operation: 'abnormal_refund', method: 'POST', path, body, encrypted_for: serial } as const
  return refundFromAnswer('abnormal_refund', await transport.send(call, signal), out_refund_no)
}

/** The refund in an answer, or null; null also when it is another refund. */
function refundFromAnswer(operation: WeChatOperation, answer: WeChatAnswer, out_refund_no: string): WeChatRefundAnswer {
  if (answer.status !== 200) throw failureOf(operation, answer)
  const refund = readRefund(answer.body)
  if (refund?.out_refund_no !== out_refund_no) throw unreadableAnswer(operation, answer)
  return { refund, raw: exchangeOf(answer) }
}

function exchangeOf({ status, headers, body, host }: WeChatAnswer): RawExchange {
  return { status, headers, body, host }
}

/** The refund object of docs/wechat-pay.md §2.4. It may grow at any time. */
const refund_object = z.object({
  refund_id: z.string().min(1).max(32),
  out_refund_no: z.string().min(1).max(64),
  transaction_id: z.string().min(1).max(32),
  out_trade_no: z.string().min(1).max(32),
  channel: lenient(z.string().max(64)),
  user_received_account: z.string().max(256).optional(),
  success_time: time_text.optional(),
  create_time: time_text.refine((text) => text !== ''),
  status: z.enum(['SUCCESS', 'CLOSED', 'PROCESSING', 'ABNORMAL']),
  amount: z.object({
    total: fen,
    refund: fen,
    payer_total: lenient(fen),
    payer_refund: fen.optional(),
    settlement_refund: fen.optional(),
    settlement_total: lenient(fen),
    discount_refund: lenient(fen),
    currency: z.string().max(16).optional(),
  }),
})

/**
 * Reads a refund as WeChat Pay writes it, also from stored evidence; null when it is none. A missing currency is CNY.
 */
export function readRefund(text: string): WeChatRefund | null {
  const read = refund_object.safeParse(parsedJson(text))
  if (!read.success) return null
  const { channel, user_received_account, success_time, create_time, amount, ...rest } = read.data
  return {
    ...rest,
    channel: channel || null,
    user_received_account: user_received_account || null,
    success_time: timeOf(success_time),
    create_time: timeOf(create_time) ?? '',
    amount: {
      total: amount.total,
      refund: amount.refund,
      payer_total: amount.payer_total ?? null,
      payer_refund: amount.payer_refund ?? null,
      settlement_refund: amount.settlement_refund ?? null,
      settlement_total: amount.settlement_total ?? null,
      discount_refund: amount.discount_refund ?? null,
      currency: amount.currency || 'CNY',
    },
    returned_to_merchant: isMerchantsAccount(user_received_account ?? ''),
  }
}

/** RefundStanding is WeChat's status of a refund, but that money which is the merchant's again has a word of its own. */
export type RefundStanding = WeChatRefund['status'] | 'RETURNED'

export function refundStanding({
  status,
  user_received_account,
}: Pick<WeChatRefund, 'status' | 'user_received_account'>): RefundStanding {
  // An account is named from the start: before SUCCESS it says where the money will go, not that it is there.
  return status === 'SUCCESS' && isMerchantsAccount(user_received_account ?? '') ? 'RETURNED' : status
}

/** Both names begin so. 企业支付商户, though, is a payer: an enterprise that paid from an account of its own. */
function isMerchantsAccount(account: string): boolean {
  return /^\s*(商户基本账户|商户结算银行账户)/.test(account)
}
