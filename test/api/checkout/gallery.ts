import { readAsset } from '../../../api/checkout/assets.ts'
import { checkoutPage } from '../../../api/checkout/page.ts'
import type { CheckoutPage } from '../../../api/checkout/page.ts'
import { offerView } from '../../../api/checkout/offer.ts'
import type { ShownCheckout } from '../../../api/checkout/offer.ts'
import type { Scene } from '../../../api/checkout/scene.ts'
import { payerView } from '../../../api/checkout/view.ts'
import type { PayerView, ShownOrder } from '../../../api/checkout/view.ts'
import { wayToPay } from '../../../api/checkout/way.ts'
import type { OfferedMethods } from '../../../api/checkout/way.ts'
import type { BrowserKind } from '../../../api/checkout/agent.ts'
import type { CheckoutRecord } from '../../../domain/checkout/record.ts'
import type { Language } from '../../../api/http/language.ts'
import { default_settings } from '../../../domain/merchant/record.ts'
import type { SupportContact } from '../../../domain/merchant/record.ts'
import type { OrderPayment, OrderRecord } from '../../../domain/order/record.ts'
import type { PaymentRecord, RefundElement } from '../../../domain/payment/record.ts'
import { default_policy } from '../../../domain/policy.ts'
import type { RefundRecord } from '../../../domain/refund/record.ts'
import { refundSample } from '../../stage/dossiers.ts'
import { at, merchantSample, noon, orderSample, paymentSample } from '../../store/samples.ts'

export const support: SupportContact = { phone: '+86 571 8888 6666', link: 'https://tea.example.cn/help' }
const transaction_id = '4200001234202611231234567890'

/** A refund of `amount` fen as it is recorded; `of`: another payment than the order's own. */
export function refundIn(
  state: RefundRecord['state'],
  amount = 990,
  given: Partial<RefundRecord> & { account?: string } = {},
): RefundRecord {
  const { account = '支付用户零钱', ...changes } = given
  const refund = refundSample(`R-${state}-${amount}`, {
    out_trade_no: 'TEA-1',
    transaction_id,
    order_id: '1900000001/TEA-1',
    amount: { refund: amount, total: 990, currency: 'CNY' },
  })
  const facts = {
    refund_id: '50000000382019052709732678859',
    channel: 'ORIGINAL',
    user_received_account: account,
    accepted_time: at(100),
    success_time: state === 'succeeded' ? at(160) : null,
    payer_refund: null,
    settlement_refund: null,
  }
  return { ...refund, state, facts: ['processing', 'succeeded', 'abnormal'].includes(state) ? facts : null, ...changes }
}

const element_states: Partial<Record<RefundRecord['state'], RefundElement['state']>> = {
  processing: 'accepted',
  abnormal: 'accepted',
  succeeded: 'succeeded',
  closed: 'closed',
  refused: 'released',
}

/** An order paid by 990 fen, with these refunds of it. */
export function paidSample(
  order: Partial<OrderRecord>,
  refunds: RefundRecord[] = [],
  { role = 'order', payer_total = 990 }: { role?: OrderPayment['role']; payer_total?: number | null } = {},
): ShownOrder {
  const own = {
    transaction_id,
    role,
    success_time: at(60),
    found_by: 'query',
    found_time: at(61),
    bank_type: null,
  } as const
  const payment: PaymentRecord = paymentSample(transaction_id, {
    role,
    success_time: at(60),
    amount: { total: 990, currency: 'CNY', payer_total },
    refunds: refunds
      .filter((refund) => refund.transaction_id === transaction_id)
      .map(({ out_refund_no, state, amount, payout }) => ({
        out_refund_no,
        amount: amount.refund,
        state: payout ? 'settled' : (element_states[state] ?? 'reserved'),
      })),
  })
  return { order: shownOrder({ state: 'paid', payment: own, ...order }).order, payment, refunds }
}

export function shownOrder(given: Partial<OrderRecord> = {}): ShownOrder {
  const order = orderSample('TEA-1', {
    state: 'awaiting_payment',
    checkout_token: 'token-of-this-page-0123456789',
    checkout_url: 'https://pay.example.cn/pay/token-of-this-page-0123456789',
    code: { url: 'weixin://wxpay/bizpayurl?pr=gallery01', placed_time: at(0) },
    time_expire: at(900),
    ...given,
  })
  return { order, payment: null, refunds: [] }
}

const old_code = { url: 'weixin://old', placed_time: at(-7_300) }

export function checkoutSample(given: Partial<CheckoutRecord> = {}): CheckoutRecord {
  const token = 'token-of-this-page-0123456789'
  return {
    _id: '1900000001/TEA-1',
    mchid: '1900000001',
    out_trade_no: 'TEA-1',
    reference: 'TEA-1',
    state: 'open',
    revision: 0,
    timeline: [],
    sent: { body: '{"out_trade_no":"…"}', sha256: 'a'.repeat(64) },
    token,
    checkout_url: `https://pay.example.cn/pay/${token}`,
    description: '一壶茶',
    attach: null,
    metadata: {},
    return_url: null,
    locale: null,
    amount: { total: 990, currency: 'CNY' },
    methods: ['NATIVE', 'JSAPI', 'MWEB'],
    create_time: at(0),
    expire_time: at(900),
    orders: [],
    paid_by: null,
    ...given,
  }
}

/** A checkout as it is opened in a browser of this kind, with an order made of it or without. */
export function openedIn(
  kind: BrowserKind,
  {
    order,
    checkout,
    offered,
  }: { order?: ShownOrder; checkout?: CheckoutRecord; offered?: Partial<OfferedMethods> } = {},
): ShownCheckout {
  const opened = checkout ?? checkoutSample()
  const way = wayToPay(kind, { methods: opened.methods, obstacles: {}, ...offered })
  return { checkout: opened, current: order ?? null, way, elsewhere: [] }
}

const placed_by = {
  JSAPI: { trade_type: 'JSAPI', code: { prepay_id: 'wx2312000000000000000000000000000000', placed_time: at(0) } },
  MWEB: { trade_type: 'MWEB', code: { h5_url: 'https://wx.tenpay.com/h5?prepay_id=wx23', placed_time: at(0) } },
} as const

/** The scenes that only a checkout has. */
type CheckoutScene = 'ready' | 'advised' | 'tap' | 'elsewhere' | 'again'

/** An order for every scene, and a checkout for those that only one has. */
export const scene_samples: Record<CheckoutScene, ShownCheckout> & Record<Exclude<Scene, CheckoutScene>, ShownOrder> = {
  ready: openedIn('wechat'),
  advised: openedIn('phone', { offered: { methods: ['NATIVE', 'JSAPI'] } }),
  tap: openedIn('phone', { order: shownOrder(placed_by.MWEB) }),
  elsewhere: openedIn('wechat', { order: shownOrder() }),
  again: openedIn('wechat', { order: shownOrder({ ...placed_by.JSAPI, state: 'closed', close_reason: 'expired' }) }),
  in_shop: shownOrder({ ...placed_by.JSAPI, return_url: 'https://tea.example.cn/order' }),
  preparing: shownOrder({ state: 'created', code: null }),
  waiting: shownOrder({ asked: { last_time: at(30), on_request: 1 } }),
  stale: shownOrder({ code: old_code, time_expire: at(36_000) }),
  confirming: shownOrder({ time_expire: at(0) }),
  paid: paidSample({}),
  accepted: paidSample({ fulfilment: { mode: 'event', result: 'pending', reason: null, deadline_time: at(9_000) } }),
  fulfilled: paidSample({ state: 'fulfilled' }),
  expired: shownOrder({ state: 'closed', close_reason: 'expired' }),
  closed: shownOrder({ state: 'closed', close_reason: 'merchant' }),
  failed: shownOrder({ state: 'failed', code: null }),
  review: paidSample({ state: 'review' }, [], { role: 'contradicted' }),
  late: paidSample({ state: 'refunding' }, [refundIn('processing')], { role: 'late' }),
  refunding: paidSample({ state: 'refunding' }, [refundIn('processing')]),
  returning: paidSample({ state: 'fulfilled' }, [refundIn('succeeded', 300), refundIn('processing', 690)]),
  delayed: paidSample({ state: 'refunding' }, [refundIn('abnormal', 990, { account: '招商银行信用卡0403' })]),
  part_refunded: paidSample({ state: 'fulfilled' }, [refundIn('succeeded', 300)]),
  refunded: paidSample({ state: 'fulfilled' }, [refundIn('succeeded', 300), refundIn('succeeded', 690)]),
}

const [style, script] = [readAsset('checkout.css'), readAsset('checkout.js')]
/** By address, as pages load them. */
export const gallery_assets = new Map([style, script, ...script.imports].map((asset) => [asset.address, asset]))

/** What the payer is told of `shown` 60 s after noon. */
export function viewOf(shown: ShownOrder | ShownCheckout, contact: SupportContact | null = support): PayerView {
  const context = {
    config: { test_wechat_url: 'http://127.0.0.1:7701' },
    policy: default_policy,
    now: () => noon + 60_000,
  }
  const merchant = merchantSample({ name: '山月茶铺', settings: { ...default_settings, support: contact } })
  return 'checkout' in shown ? offerView(context, shown, merchant) : payerView(context, shown, merchant)
}

export async function pageOf(view: PayerView, language: Language, given: Partial<CheckoutPage> = {}): Promise<string> {
  return await checkoutPage({
    view,
    language,
    token: 'token-of-this-page-0123456789',
    assets: { style: style.address, script: script.address, modules: script.imports.map(({ address }) => address) },
    is_phone: false,
    check_result: null,
    errand_result: null,
    h5_url: null,
    ...given,
  })
}
