import type { KeyObject } from 'node:crypto'
import type { OrderRecord } from '../domain/order/record.ts'
import { freshNonce, paySign } from './signature.ts'

/**
 * ClientCall is what opens the pay sheet in the payer's client, finished: each kind has the names that its client wants,
 * and goes in as it is (docs/wechat-pay.md §1.10). `timeStamp` is text, since iOS calls a number missing.
 */
export type ClientCall =
  | ({ kind: 'jsapi'; appId: string } & SheetCall)
  | ({ kind: 'mini_program' } & SheetCall)
  | {
      kind: 'app'
      appId: string
      partnerId: string
      prepayId: string
      packageValue: 'Sign=WXPay'
      nonceStr: string
      timeStamp: string
      sign: string
    }
  | { kind: 'h5'; h5_url: string }

/** What `getBrandWCPayRequest` and `wx.requestPayment` both take. */
interface SheetCall {
  timeStamp: string
  nonceStr: string
  /** `prepay_id=…` */
  package: string
  signType: 'RSA'
  paySign: string
}

/** What of an order decides its ClientCall. */
export type CallableOrder = Pick<OrderRecord, 'mchid' | 'appid' | 'app_kind' | 'trade_type' | 'code' | 'return_url'>

/**
 * The ClientCall of an order that is placed, signed with the merchant's key at `now` (Unix ms), under the order's own
 * appid; null: a client is handed nothing but a code to scan, or nothing yet. A signature has no end of its own; what it
 * is over has (domain/order/method, `codeTerms`).
 */
export function clientCall(order: CallableOrder, private_key: KeyObject, now: number): ClientCall | null {
  const { code, appid, mchid } = order
  if (code?.h5_url !== undefined) return { kind: 'h5', h5_url: h5Address(code.h5_url, order.return_url) }
  if (code?.prepay_id === undefined) return null
  const { prepay_id } = code
  const trade_type = order.trade_type === 'APP' ? 'APP' : 'JSAPI'
  const [timeStamp, nonceStr] = [String(Math.floor(now / 1_000)), freshNonce()]
  const signature = paySign({ trade_type, appid, timestamp: timeStamp, nonce_str: nonceStr, prepay_id }, private_key)
  if (trade_type === 'APP') {
    const packageValue = 'Sign=WXPay'
    const call = { appId: appid, partnerId: mchid, prepayId: prepay_id, packageValue, nonceStr, timeStamp } as const
    return { kind: 'app', ...call, sign: signature }
  }
  const sheet = { timeStamp, nonceStr, package: `prepay_id=${prepay_id}`, signType: 'RSA', paySign: signature } as const
  return order.app_kind === 'mini_program'
    ? { kind: 'mini_program', ...sheet }
    : { kind: 'jsapi', appId: appid, ...sheet }
}

/** H5's address with where the payer comes back to: the one thing that may be added to it. */
export function h5Address(h5_url: string, return_url: string | null): string {
  if (return_url === null) return h5_url
  return `${h5_url}${h5_url.includes('?') ? '&' : '?'}redirect_url=${encodeURIComponent(return_url)}`
}
