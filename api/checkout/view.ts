import { beijingTime, milliseconds } from '../../domain/calendar.ts'
import type { Time } from '../../domain/calendar.ts'
import type { MerchantRecord, SupportContact } from '../../domain/merchant/record.ts'
import type { CheckoutState } from '../../domain/checkout/record.ts'
import type { OrderRecord, OrderState } from '../../domain/order/record.ts'
import type { Policy } from '../../domain/policy.ts'
import { moneyScene, payerMoney } from './money.ts'
import type { PaidOrder, PayerMoney, PayerRefund } from './money.ts'
import type { Scene } from './scene.ts'
import type { Way } from './way.ts'

/** An order as its payer sees it: no merchant number, no metadata. Amounts in fen. */
export interface PayerView {
  object: 'checkout'
  state: OrderState | CheckoutState
  scene: Scene
  /** which of a checkout's orders this is, from 1; 0: the first was not made yet, or the merchant made this order itself */
  turn: number
  revision: number
  /** of a checkout: how one pays in this browser; null: the merchant chose the way when it made the order */
  way: Way | null
  merchant_name: string
  description: string
  out_trade_no: string
  amount: { total: number; currency: string }
  time_expire: Time
  /** null when there is nothing to scan; `renew_time`: from then on a fresh one should be asked for */
  code: { url: string; placed_time: Time; renew_time: Time } | null
  /** what was paid and what went back; null before */
  money: PayerMoney | null
  /** of a checkout: what goes back of money that was paid by another of its orders */
  returns: PayerRefund[]
  /** WeChat's last answer about this order came at this time */
  last_check_time: Time | null
  /** this page's own address, for another device */
  checkout_url: string
  /** where to go back to; carries `out_trade_no` once the order is paid or over */
  return_url: string | null
  /** how the merchant is reached; null: it has not said */
  support: SupportContact | null
  /** no real money moves */
  test_mode: boolean
  /** the simulator's phone with the last code, for merchants of mode `test` only */
  test_phone_url: string | null
  server_time: Time
}

export interface PayerViewContext {
  config: { test_wechat_url: string | null }
  policy: Policy
  now(): number
}

/** What of a merchant a payer may know. */
export type ShownMerchant = Pick<MerchantRecord, 'name' | 'mode' | 'settings'>

/** An order with what is recorded of its money, as the page reads both. */
export type ShownOrder = PaidOrder & { order: OrderRecord }

/** The order for its payer at this moment. */
export function payerView(context: PayerViewContext, shown: ShownOrder, merchant: ShownMerchant): PayerView {
  const { order } = shown
  const now_ms = context.now()
  const { policy } = context
  const scene = moneyScene(order, shown) ?? stateScene(order, now_ms, policy)
  const code = scene === 'waiting' ? order.code : null
  return {
    object: 'checkout',
    state: order.state,
    scene,
    turn: 0,
    revision: order.revision,
    way: null,
    merchant_name: merchant.name,
    description: order.description,
    out_trade_no: order.out_trade_no,
    amount: { total: order.amount.total, currency: order.amount.currency },
    time_expire: order.time_expire,
    code:
      code?.url !== undefined
        ? {
            url: code.url,
            placed_time: code.placed_time,
            renew_time: beijingTime(milliseconds(code.placed_time) + policy.code_renewal_ms),
          }
        : null,
    money: payerMoney(order, shown),
    returns: [],
    last_check_time: order.asked.last_time,
    checkout_url: order.checkout_url,
    return_url: returnUrl(order.return_url, told_states.includes(order.state) ? order.out_trade_no : null),
    support: merchant.settings.support ?? null,
    test_mode: merchant.mode === 'test',
    test_phone_url: testPhoneUrl(context, order, merchant),
    server_time: beijingTime(now_ms),
  }
}

/** What the payer is shown of the state; see the table in docs/api.md, Checkout page. */
function stateScene(order: OrderRecord, now_ms: number, policy: Policy): Scene {
  switch (order.state) {
    case 'created':
      if (isPaymentTimeOver(order, now_ms)) return 'confirming'
      return order.trade_type === 'NATIVE' ? 'preparing' : 'in_shop'
    case 'awaiting_payment':
      if (isPaymentTimeOver(order, now_ms)) return 'confirming'
      if (order.trade_type !== 'NATIVE') return 'in_shop' // by what the shop's own page or app was handed
      return isCodeExpired(order, now_ms, policy) ? 'stale' : 'waiting'
    case 'closing':
      return 'confirming'
    case 'closed':
      return order.close_reason === 'expired' ? 'expired' : 'closed'
    case 'refunding':
      return order.payment?.role === 'late' ? 'late' : 'refunding'
    case 'paid':
      return isInMerchantsHands(order) ? 'accepted' : 'paid'
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

/** The merchant knows of the payment and has not decided yet: said so, or decides by asking Weft himself. */
function isInMerchantsHands({ fulfilment }: OrderRecord): boolean {
  return fulfilment.result === 'pending' || fulfilment.mode === 'confirm'
}

/** The order is paid, or nothing can be paid for it any more: the shop's page may be told which one comes back. */
const told_states: readonly OrderState[] = ['paid', 'fulfilled', 'closed', 'failed', 'review', 'refunding', 'refunded']

/**
 * The shop's page; it learns which order came back, and must still ask Weft what became of it: an address proves nothing.
 * `out_trade_no`: null as long as nothing is to be told.
 */
export function returnUrl(return_url: string | null, out_trade_no: string | null): string | null {
  if (return_url === null || !URL.canParse(return_url)) return null
  const url = new URL(return_url)
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return null
  if (out_trade_no !== null) url.searchParams.set('out_trade_no', out_trade_no)
  return url.href
}

function testPhoneUrl({ config }: PayerViewContext, { code }: OrderRecord, { mode }: ShownMerchant): string | null {
  if (code?.url === undefined || mode !== 'test' || !config.test_wechat_url) return null
  return `${config.test_wechat_url}/phone?code_url=${encodeURIComponent(code.url)}`
}
