import { beijingTime, milliseconds } from '../../domain/calendar.ts'
import type { CheckoutRecord } from '../../domain/checkout/record.ts'
import { pageApp } from '../../domain/checkout/method.ts'
import { enabledProducts } from '../../domain/order/method.ts'
import type { TradeType } from '../../domain/merchant/product.ts'
import type { MerchantRecord } from '../../domain/merchant/record.ts'
import type { OrderRecord } from '../../domain/order/record.ts'
import { isPublicAddress } from '../../runtime/address.ts'
import { isProductRefusal } from '../../wechat/errors.ts'
import type { RefundRecord } from '../../domain/refund/record.ts'
import { returnsElsewhere } from './money.ts'
import type { Scene } from './scene.ts'
import { payerView, returnUrl } from './view.ts'
import type { PayerView, PayerViewContext, ShownMerchant, ShownOrder } from './view.ts'
import type { OfferedMethods, Way } from './way.ts'

/** ShownCheckout is a checkout as one browser sees it. */
export interface ShownCheckout {
  checkout: CheckoutRecord
  /** the order that shows how it stands; null: none was made yet */
  current: ShownOrder | null
  way: Way
  /** refunds under the numbers of its other orders */
  elsewhere: readonly RefundRecord[]
}

/** What is known of a payer, as far as it decides by what he can pay. */
export interface KnownPayer {
  /** his own; null: not known */
  address: string | null
  /** methods that WeChat has just refused him */
  refused: readonly TradeType[]
}

/**
 * The methods that this checkout can be paid by: those that it allows, that the merchant still has, and that are set up
 * here; and what keeps this payer from some of them. WeChat refuses H5 from an address that is not public; a simulator
 * does not mind.
 */
export function offeredMethods(
  checkout: CheckoutRecord,
  merchant: MerchantRecord,
  { address, refused }: KnownPayer,
): OfferedMethods {
  const enabled = enabledProducts(merchant)
  const methods = checkout.methods.filter((method) => enabled.includes(method) && pageApp(merchant, method) !== null)
  const is_placeable = address !== null && (merchant.mode === 'test' || isPublicAddress(address))
  return {
    methods,
    obstacles: {
      ...(is_placeable ? {} : { MWEB: 'no_address' as const }),
      ...Object.fromEntries(refused.map((method) => [method, 'refused' as const])),
    },
  }
}

/** A method that WeChat has refused to the merchant for the checkout's last order: nobody need try it again. */
export function refusedMethods(order: OrderRecord | null): TradeType[] {
  const { state, failure, trade_type } = order ?? {}
  return state === 'failed' && trade_type && failure && isProductRefusal(failure.code) ? [trade_type] : []
}

/** The checkout for whoever has its page open, at this moment. */
export function offerView(context: PayerViewContext, shown: ShownCheckout, merchant: ShownMerchant): PayerView {
  const { checkout, current, way } = shown
  const own = current && payerView(context, current, merchant)
  const scene = checkoutScene(shown, own?.scene ?? null, context.now())
  const order = current?.order ?? null
  const is_chosen = order !== null && !before_choice.includes(scene)
  const is_told = checkout.state !== 'open'
  return {
    ...(own ?? blankView(context, checkout, merchant)),
    // Where the payer has to choose, what became of an order before is not how the checkout stands.
    state: is_chosen ? order.state : checkout.state,
    scene,
    turn: checkout.orders.length,
    way,
    code: scene === 'waiting' ? (own?.code ?? null) : null,
    returns: returnsElsewhere(shown.elsewhere),
    test_phone_url: is_chosen && own ? own.test_phone_url : null,
    time_expire: is_chosen ? order.time_expire : checkout.expire_time,
    checkout_url: checkout.checkout_url,
    return_url: returnUrl(checkout.return_url, is_told || order?.payment ? checkout.out_trade_no : null),
  }
}

/** A checkout without an order, as its page shows it. */
function blankView(context: PayerViewContext, checkout: CheckoutRecord, merchant: ShownMerchant): PayerView {
  return {
    object: 'checkout',
    state: checkout.state,
    scene: 'ready',
    turn: 0,
    revision: 0,
    way: null,
    merchant_name: merchant.name,
    description: checkout.description,
    out_trade_no: checkout.out_trade_no,
    amount: { total: checkout.amount.total, currency: checkout.amount.currency },
    time_expire: checkout.expire_time,
    code: null,
    money: null,
    returns: [],
    last_check_time: null,
    checkout_url: checkout.checkout_url,
    return_url: null,
    support: merchant.settings.support ?? null,
    test_mode: merchant.mode === 'test',
    test_phone_url: null,
    server_time: beijingTime(context.now()),
  }
}

/** Scenes in which the payer has the checkout's whole time before him, whatever an order had. */
const before_choice: readonly Scene[] = ['ready', 'again', 'elsewhere', 'advised', 'expired', 'closed']
/** Scenes of an order that can still be paid. */
const alive_scenes: readonly Scene[] = ['preparing', 'waiting', 'stale', 'in_shop']
/** Scenes of an order that ended without money. */
const ended_scenes: readonly Scene[] = ['expired', 'closed', 'failed']

/**
 * What a checkout's page shows: its order's own scene, but where the payer has to choose first, has to choose again, or
 * has chosen in another browser. `own`: the scene of its order; null: none was made yet.
 */
function checkoutScene({ checkout, current, way }: ShownCheckout, own: Scene | null, now_ms: number): Scene {
  const is_ended = own === null || ended_scenes.includes(own)
  if (!is_ended && !alive_scenes.includes(own)) return own
  if (checkout.state !== 'open' || now_ms >= milliseconds(checkout.expire_time)) {
    if (!is_ended) return 'confirming'
    return checkout.state === 'cancelled' || checkout.state === 'closing' ? 'closed' : 'expired'
  }
  if (way.trade_type === null) return 'advised'
  if (is_ended) return own === null ? 'ready' : 'again'
  if (current?.order.trade_type !== way.trade_type) return 'elsewhere'
  return own === 'in_shop' ? 'tap' : own
}
