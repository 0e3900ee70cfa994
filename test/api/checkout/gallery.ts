import { readAsset } from '../../../api/checkout/assets.ts'
import { checkoutPage } from '../../../api/checkout/page.ts'
import type { CheckoutPage } from '../../../api/checkout/page.ts'
import type { Scene } from '../../../api/checkout/scene.ts'
import { payerView } from '../../../api/checkout/view.ts'
import type { PayerView, ShownOrder } from '../../../api/checkout/view.ts'
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

/** An order for every scene. */
export const scene_samples: Record<Scene, ShownOrder> = {
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
export function viewOf(shown: ShownOrder, contact: SupportContact | null = support): PayerView {
  const context = {
    config: { test_wechat_url: 'http://127.0.0.1:7701' },
    policy: default_policy,
    now: () => noon + 60_000,
  }
  return payerView(
    context,
    shown,
    merchantSample({ name: '山月茶铺', settings: { ...default_settings, support: contact } }),
  )
}

export async function pageOf(view: PayerView, language: Language, given: Partial<CheckoutPage> = {}): Promise<string> {
  return await checkoutPage({
    view,
    language,
    token: 'token-of-this-page-0123456789',
    assets: { style: style.address, script: script.address, modules: script.imports.map(({ address }) => address) },
    is_phone: false,
    check_result: null,
    ...given,
  })
}
