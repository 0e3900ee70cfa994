import { z } from 'zod'
import { milliseconds, wechatTime } from '../domain/calendar.ts'
import { payment_methods } from '../domain/order/method.ts'
import type { TradeType } from '../domain/order/method.ts'
import type { PaymentFact } from '../domain/payment/fact.ts'
import { failureOf, unreadableAnswer } from './errors.ts'
import type { Transport } from './transport.ts'
import { fen, lenient, parsedJson, time_text, timeOf } from './wire.ts'

/** Where an order is placed (docs/wechat-pay.md §2.1). */
export function placePath(trade_type: TradeType): string {
  return `/v3/pay/transactions/${payment_methods[trade_type].path_word}`
}

/** Where and how the payer is when he pays. */
export interface SceneInfo {
  /** the payer's own address, of IPv4 or IPv6 */
  payer_client_ip: string
  h5_info?: H5Info | null | undefined
}

/** What kind of browser an H5 payer has, and of which app or site. */
export interface H5Info {
  type: 'iOS' | 'Android' | 'Wap'
  app_name?: string | null | undefined
  app_url?: string | null | undefined
  bundle_id?: string | null | undefined
  package_name?: string | null | undefined
}

/** OrderPlacement is what WeChat Pay is told of an order. */
export interface OrderPlacement {
  appid: string
  mchid: string
  description: string
  out_trade_no: string
  /** any RFC 3339 text; the last moment of payment, sent in whole seconds */
  time_expire: string
  attach: string | null
  notify_url: string
  amount: { total: number; currency: string }
  scene_info?: SceneInfo | null
  /** who alone may pay; of an order that is kept, `sealed_openid` */
  openid?: string | null
}

/** What stands for the openid in a request that is kept. No openid has parentheses. */
export const sealed_openid = '(sealed)'

/**
 * The exact bytes that place an order. Made once and frozen in the order's record, because every repeat must be the
 * same to the byte, and a field WeChat Pay does not know, or a null, is refused.
 */
export function placeBody(order: OrderPlacement): string {
  const { scene_info, openid } = order
  return JSON.stringify({
    appid: order.appid,
    mchid: order.mchid,
    description: order.description,
    out_trade_no: order.out_trade_no,
    time_expire: wechatTime(milliseconds(order.time_expire)),
    ...(order.attach ? { attach: order.attach } : {}),
    notify_url: order.notify_url,
    amount: { total: order.amount.total, currency: order.amount.currency },
    ...(scene_info ? { scene_info: sceneBody(scene_info) } : {}),
    ...(openid ? { payer: { openid } } : {}), // last, where `bodyWithOpenid` finds it
  })
}

function sceneBody({ payer_client_ip, h5_info }: SceneInfo): object {
  if (!h5_info) return { payer_client_ip }
  const { type, app_name, app_url, bundle_id, package_name } = h5_info
  const said = { app_name, app_url, bundle_id, package_name }
  const given = Object.fromEntries(Object.entries(said).filter(([, text]) => text))
  return { payer_client_ip, h5_info: { type, ...given } }
}

const payer_end = payerEnd(sealed_openid)

function payerEnd(openid: string): string {
  return `,"payer":${JSON.stringify({ openid })}}`
}

/** A kept request as it is sent, with the openid in its place. Throws RangeError for a request that has none. */
export function bodyWithOpenid(body: string, openid: string): string {
  if (!body.endsWith(payer_end)) throw new RangeError('this request has no place for an openid')
  return body.slice(0, -payer_end.length) + payerEnd(openid)
}

const handed_out = z.string().min(1).max(512)
const place_answers = {
  code_url: z.object({ code_url: handed_out }),
  prepay_id: z.object({ prepay_id: handed_out }),
  h5_url: z.object({ h5_url: handed_out }),
} as const

/** What the payer's client is handed: a QR code's text, an id to sign, or H5's address. */
export type PlacementAnswer = { code_url: string } | { prepay_id: string } | { h5_url: string }

/**
 * Places a frozen order, or places it again for a fresh code, which ends the old one. Throws WeChatPayError; when it
 * is `refused` and `about_number`, only a query tells what became of the number.
 */
export async function placeOrder(
  transport: Transport,
  trade_type: TradeType,
  request: { path: string; body: string },
  signal?: AbortSignal,
): Promise<PlacementAnswer> {
  const answer = await transport.send({ operation: 'place', method: 'POST', ...request }, signal)
  if (answer.status !== 200) throw failureOf('place', answer)
  const read = place_answers[payment_methods[trade_type].hands_out].safeParse(parsedJson(answer.body))
  if (!read.success) throw unreadableAnswer('place', answer, read.error)
  return read.data
}

/** What an answer to a query leaves for evidence: enough to verify it again. */
export interface RawExchange {
  status: number
  headers: Record<string, string>
  body: string
  host?: string | undefined
}

export type OrderQueryResult =
  | { kind: 'found'; transaction: Transaction; raw: RawExchange }
  /** WeChat Pay has no order of this number; unsigned, as all its errors are */
  | { kind: 'not_found'; code: string; raw: RawExchange }

/**
 * Asks what WeChat Pay knows of an order (docs/wechat-pay.md §2.2). May be repeated at will; `except_host` asks the other
 * host. Throws WeChatPayError.
 */
export async function queryOrder(
  transport: Transport,
  order: { mchid: string; out_trade_no: string },
  signal?: AbortSignal,
  except_host?: string,
): Promise<OrderQueryResult> {
  const isAsked = ({ out_trade_no }: Transaction) => out_trade_no === order.out_trade_no
  return await ask(
    transport,
    { resource: orderPath(order.out_trade_no), mchid: order.mchid, isAsked },
    signal,
    except_host,
  )
}

/**
 * Asks about one payment of an order by its own id: of several payments an order's number tells the first. `except_host`
 * has answered already. Throws WeChatPayError.
 */
export async function queryTransaction(
  transport: Transport,
  { mchid, transaction_id }: { mchid: string; transaction_id: string },
  signal?: AbortSignal,
  except_host?: string,
): Promise<OrderQueryResult> {
  const resource = `/v3/pay/transactions/id/${encodeURIComponent(transaction_id)}`
  const isAsked = (said: Transaction) => said.transaction_id === transaction_id
  const question = { resource, mchid, isAsked }
  const first = await ask(transport, question, signal, except_host)
  // Said unsigned, so it counts when the other host says so too.
  const is_single = first.kind === 'found' || first.raw.host === undefined || except_host !== undefined
  return is_single ? first : await ask(transport, question, signal, first.raw.host)
}

/** PaymentQuestion is what is asked for, and whether an answer is about it: WeChat's word on another payment proves nothing here. */
interface PaymentQuestion {
  resource: string
  mchid: string
  isAsked: (said: Transaction) => boolean
}

async function ask(
  transport: Transport,
  { resource, mchid, isAsked }: PaymentQuestion,
  signal?: AbortSignal,
  except_host?: string,
): Promise<OrderQueryResult> {
  const path = `${resource}?mchid=${encodeURIComponent(mchid)}`
  const answer = await transport.send({ operation: 'query', method: 'GET', path, except_host }, signal)
  const { status, headers, body, code, host } = answer
  const raw = { status, headers, body, host }
  if (status === 404 && (code === 'ORDER_NOT_EXIST' || code === 'ORDERNOTEXIST'))
    return { kind: 'not_found', code, raw }
  if (status !== 200) throw failureOf('query', answer)
  const transaction = readTransaction(body)
  if (transaction === null || !isAsked(transaction)) throw unreadableAnswer('query', answer)
  return { kind: 'found', transaction, raw }
}

/** `uncertain`: WeChat Pay did not close it now, or only a query can show whether it did; `code` is its answer's. */
export type CloseResult =
  { kind: 'closed' } | { kind: 'paid'; code: string } | { kind: 'uncertain'; code: string | null }

/**
 * Asks WeChat Pay to close an order (docs/wechat-pay.md §2.3). Even `closed` proves nothing alone: only a query does.
 * Throws WeChatPayError for set-up faults, limits, silence, 5xx and answers without a code. Every other answer is a
 * CloseResult.
 */
export async function closeOrder(
  transport: Transport,
  order: { mchid: string; out_trade_no: string },
  signal?: AbortSignal,
): Promise<CloseResult> {
  const path = `${orderPath(order.out_trade_no)}/close`
  const body = JSON.stringify({ mchid: order.mchid }) // any further field is a PARAM_ERROR
  const answer = await transport.send({ operation: 'close', method: 'POST', path, body }, signal)
  const { status, code } = answer
  if (status === 204 || status === 200) return { kind: 'closed' }
  if (status === 202) return { kind: 'uncertain', code: code ?? 'USER_PAYING' }
  if (code === 'ORDER_PAID' || code === 'ORDERPAID') return { kind: 'paid', code }
  const failure = failureOf('close', answer)
  const isSaid = failure.kind === 'not_yet' || (failure.kind === 'again' && code !== null && status < 500)
  if (isSaid) return { kind: 'uncertain', code }
  throw failure
}

/** The vertical bar is legal in a number and must be percent-encoded in a path; the signature covers it so. */
function orderPath(outTradeNo: string): string {
  return `/v3/pay/transactions/out-trade-no/${encodeURIComponent(outTradeNo)}`
}

/** What WeChat Pay says of an order, in a query's answer and in a notification. It may grow at any time. */
const transaction = z.object({
  appid: z.string().min(1).max(32),
  mchid: z.string().min(1).max(32),
  out_trade_no: z.string().min(1).max(32),
  transaction_id: z.string().max(32).optional(),
  trade_type: lenient(z.string().max(32)),
  trade_state: z.enum(['SUCCESS', 'REFUND', 'NOTPAY', 'CLOSED', 'REVOKED', 'USERPAYING', 'PAYERROR']),
  trade_state_desc: lenient(z.string()),
  bank_type: lenient(z.string().max(64)),
  attach: lenient(z.string()),
  success_time: time_text.optional(),
  payer: lenient(z.object({ openid: z.string().optional() })),
  amount: z
    .object({
      total: fen.optional(),
      payer_total: lenient(fen),
      currency: z.string().max(16).optional(),
      payer_currency: lenient(z.string().max(16)),
    })
    .optional(),
  /** each looked at for itself, by `readPromotions` */
  promotion_detail: z.unknown().optional(),
})
export type Transaction = z.output<typeof transaction>

/**
 * Reads a payment as WeChat Pay writes it; null when what decides (numbers, state, time, total, currency) is none. A
 * JSON null counts as an absent field.
 */
export function readTransaction(text: string): Transaction | null {
  const read = transaction.safeParse(parsedJson(text))
  return read.success ? read.data : null
}

/** The statement a transaction makes, in the words of domain/payment/fact. A missing currency is CNY. */
export function paymentFact(transaction: Transaction): PaymentFact {
  const { mchid, appid, out_trade_no, trade_state, amount } = transaction
  const { nocash_amount, is_understood } = readPromotions(transaction.promotion_detail)
  return {
    mchid,
    appid,
    out_trade_no,
    transaction_id: transaction.transaction_id || null,
    trade_state,
    trade_type: transaction.trade_type || null,
    bank_type: transaction.bank_type || null,
    success_time: timeOf(transaction.success_time),
    amount:
      amount?.total === undefined
        ? null
        : { total: amount.total, currency: amount.currency || 'CNY', payer_total: amount.payer_total ?? null },
    nocash_amount,
    ...(!is_understood && { has_unread_promotions: true as const }),
  }
}

const promotion = z.discriminatedUnion('type', [
  z.object({ type: z.literal('CASH') }),
  z.object({ type: z.literal('NOCASH'), amount: fen }),
])

/**
 * The promotions at the merchant's own cost. One that cannot be read counts as none, since the payment must not be lost
 * for it and no amount invented. WeChat Pay may then settle less than is booked, so the payment is marked.
 */
function readPromotions(detail: unknown): { nocash_amount: number; is_understood: boolean } {
  const listed: unknown[] = Array.isArray(detail) ? detail : detail === undefined ? [] : [detail]
  const read = listed.map((one) => promotion.safeParse(one))
  const amounts = read.map(({ data }) => (data?.type === 'NOCASH' ? data.amount : 0))
  return {
    nocash_amount: amounts.reduce((sum, amount) => sum + amount, 0),
    is_understood: read.every((one) => one.success),
  }
}
