import { beijingTime, milliseconds } from '../../domain/calendar.ts'
import type { Time } from '../../domain/calendar.ts'
import type { MerchantRecord } from '../../domain/merchant/record.ts'
import type { OrderRecord, OrderState } from '../../domain/order/record.ts'
import type { Policy } from '../../domain/policy.ts'
import type { Scene } from './scene.ts'

/** An order as its payer sees it: no merchant number, no metadata, no payment details. Amounts in fen. */
export interface PayerView {
  object: 'checkout'
  state: OrderState
  scene: Scene
  revision: number
  merchant_name: string
  description: string
  out_trade_no: string
  amount: { total: number; currency: string }
  time_expire: Time
  /** null when there is nothing to scan; `renew_time`: from then on a fresh one should be asked for */
  code: { url: string; placed_time: Time; renew_time: Time } | null
  /** WeChat's last answer about this order came at this time */
  last_check_time: Time | null
  /** where to go back to; carries `out_trade_no` once the payment is verified */
  return_url: string | null
  /** no real money moves */
  test_mode: boolean
  /** the simulator's phone with this code, for merchants of mode `test` only */
  test_phone_url: string | null
  server_time: Time
}

export interface PayerViewContext {
  config: { test_wechat_url: string | null }
  policy: Policy
  now(): number
}

/** What of a merchant a payer may know. */
export type ShownMerchant = Pick<MerchantRecord, 'name' | 'mode'>

/** The order for its payer at this moment. */
export function payerView(context: PayerViewContext, order: OrderRecord, merchant: ShownMerchant): PayerView {
  const now_ms = context.now()
  const { policy } = context
  const scene = sceneOf(order, now_ms, policy)
  const code = scene === 'waiting' ? order.code : null
  return {
    object: 'checkout',
    state: order.state,
    scene,
    revision: order.revision,
    merchant_name: merchant.name,
    description: order.description,
    out_trade_no: order.out_trade_no,
    amount: { total: order.amount.total, currency: order.amount.currency },
    time_expire: order.time_expire,
    code: code && {
      url: code.url,
      placed_time: code.placed_time,
      renew_time: beijingTime(milliseconds(code.placed_time) + policy.code_renewal_ms),
    },
    last_check_time: order.asked.last_time,
    return_url: returnUrl(order),
    test_mode: merchant.mode === 'test',
    test_phone_url: code && merchant.mode === 'test' ? phoneUrl(context.config.test_wechat_url, code.url) : null,
    server_time: beijingTime(now_ms),
  }
}

/** What the payer is shown; see the table in docs/api.md, Checkout page. */
function sceneOf(order: OrderRecord, now_ms: number, policy: Policy): Scene {
  switch (order.state) {
    case 'created':
      return isPaymentTimeOver(order, now_ms) ? 'confirming' : 'preparing'
    case 'awaiting_payment':
      if (isPaymentTimeOver(order, now_ms)) return 'confirming'
      return isCodeExpired(order, now_ms, policy) ? 'preparing' : 'waiting'
    case 'closing':
      return 'confirming'
    case 'closed':
      return order.close_reason === 'expired' ? 'expired' : 'closed'
    case 'refunding':
      return order.payment?.role === 'late' ? 'late' : 'refunding'
    case 'paid':
    case 'fulfilled':
    case 'failed':
    case 'review':
    case 'refunded':
      return order.state
  }
}

/** True from `time_expire` on. In `created` and `awaiting_payment` WeChat has then still to say whether it was paid. */
function isPaymentTimeOver(order: OrderRecord, now_ms: number): boolean {
  return now_ms >= milliseconds(order.time_expire)
}

/** False once the code is two hours old: WeChat Pay no longer accepts it then. */
function isCodeExpired(order: OrderRecord, now_ms: number, policy: Policy): boolean {
  return order.code === null || now_ms - milliseconds(order.code.placed_time) >= policy.code_life_ms
}

const verified_states: readonly OrderState[] = ['paid', 'fulfilled']

/**
 * The shop's page; it learns which order came back only once the payment is verified, and must still ask Weft itself.
 */
function returnUrl(order: OrderRecord): string | null {
  if (order.return_url === null || !URL.canParse(order.return_url)) return null
  const url = new URL(order.return_url)
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return null
  if (verified_states.includes(order.state)) url.searchParams.set('out_trade_no', order.out_trade_no)
  return url.href
}

function phoneUrl(test_wechat_url: string | null, code_url: string): string | null {
  return test_wechat_url && `${test_wechat_url}/phone?code_url=${encodeURIComponent(code_url)}`
}
