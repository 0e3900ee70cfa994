import { milliseconds, wechatTime } from '../domain/calendar.ts'
import { couponsOf, payerTotal } from './coupons.ts'
import { isOpenidOf } from './openid.ts'
import { isAppFitting, newCode, products } from './product.ts'
import type { ArmedPayment, Merchant, Order, Payment, SimulatedTradeState, SimulatedTradeType } from './records.ts'
import { isShownOnOrder } from './refund.ts'
import { CallRefusal } from './refusal.ts'
import {
  assertPathNumber,
  canonicalText,
  closeBody,
  placeBodies,
  readBody,
  required_rule,
  ruleRefusal,
} from './requests.ts'
import type { PlaceBody } from './requests.ts'
import type { SimulatorSettings } from './settings.ts'
import type { SimulatorState } from './state.ts'

const minute_ms = 60_000
const day_ms = 24 * 60 * minute_ms
const codes_kept = 51
const product_closed = '商户号该产品权限未开通，请前往商户平台>产品中心检查后重试'

/**
 * CallOutcome is what a call is answered with; `hang` never answers, because the story wants the answer lost. A `file`
 * is not signed; one that is `cut_off` ends with its connection.
 */
export type CallOutcome =
  | { kind: 'answer'; status: 200 | 204; body?: object }
  | { kind: 'file'; content_type: string; bytes: Buffer; cut_off: boolean }
  | { kind: 'hang' }

/** PayArmed pays for the payer who was waiting for exactly this close call. */
type PayArmed = (order: Order, armed: ArmedPayment) => void

/** Placement says with which product an order is placed, and where the caller has found this WeChat Pay. */
interface Placement {
  trade_type: SimulatedTradeType
  host: string
}

/**
 * BasicPayments (基础支付) places, queries and closes orders of every product by the rules of docs/wechat-pay.md
 * §2.1–2.3. Every method throws CallRefusal.
 */
export class BasicPayments {
  readonly #state: SimulatorState
  readonly #settings: SimulatorSettings
  readonly #now: () => number

  constructor(state: SimulatorState, settings: SimulatorSettings, now: () => number) {
    this.#state = state
    this.#settings = settings
    this.#now = now
  }

  /** Places an order, or gives an unpaid one a new code, which kills the old one of a Native order. */
  place(merchant: Merchant, bytes: Buffer, placement: Placement): CallOutcome {
    const { trade_type } = placement
    const body = readBody(bytes, placeBodies[trade_type], this.#settings.null_fields)
    assertSameMerchant(merchant, body.mchid, '/mchid', 'body')
    if (!merchant.appids.includes(body.appid)) throw new CallRefusal('APPID_MCHID_NOT_MATCH')
    if (!merchant.products.includes(trade_type)) throw new CallRefusal('NO_AUTH', { message: product_closed })
    const app = merchant.apps.find(({ appid }) => appid === body.appid)
    if (!isAppFitting(trade_type, app)) throw new CallRefusal('APPID_MCHID_NOT_MATCH')
    if (body.payer !== undefined) assertOpenid(merchant, body.appid, body.payer.openid)
    const now = this.#now()
    const order = this.#state.findOrder(merchant.mchid, body.out_trade_no, now)
    if (order !== null) this.#assertRepeatable(order, body, trade_type)
    const { codes, ...rest } = order ?? this.#newOrder(body, trade_type, now)
    const issued = newCode(trade_type, now, placement.host)
    this.#state.keepOrder({ ...rest, codes: [...codes, issued].slice(-codes_kept) })
    return { kind: 'answer', status: 200, body: { [products[trade_type].gives]: issued.code } }
  }

  query(
    merchant: Merchant,
    out_trade_no: string,
    search: URLSearchParams,
    visibility: 'truth' | 'before_payment',
  ): CallOutcome {
    assertPathNumber('out_trade_no', out_trade_no)
    assertSameMerchant(merchant, search.get('mchid'), '/mchid', 'query')
    const order = this.#state.findOrder(merchant.mchid, out_trade_no, this.#now())
    if (order === null) throw new CallRefusal('ORDER_NOT_EXIST')
    const before = order.close_time === null ? 'NOTPAY' : 'CLOSED'
    const visible_order: Order =
      visibility === 'truth' || !order.transaction_id ? order : { ...order, trade_state: before }
    return {
      kind: 'answer',
      status: 200,
      body: this.transactionResource(visible_order, this.#paymentOf(visible_order)),
    }
  }

  queryTransaction(
    merchant: Merchant,
    transaction_id: string,
    search: URLSearchParams,
    sees: 'truth' | 'before_payment',
  ): CallOutcome {
    assertSameMerchant(merchant, search.get('mchid'), '/mchid', 'query')
    const payment = this.#state.payments.get(transaction_id)
    if (payment?.mchid !== merchant.mchid || sees === 'before_payment') throw new CallRefusal('ORDER_NOT_EXIST')
    const order = this.#state.findOrder(merchant.mchid, payment.out_trade_no, this.#now())
    if (order === null) throw new CallRefusal('ORDER_NOT_EXIST')
    return { kind: 'answer', status: 200, body: this.transactionResource(order, payment) }
  }

  /** Closes an order; repeatable. A payer armed for this very call pays between the check and the answer. */
  close(merchant: Merchant, out_trade_no: string, bytes: Buffer, payArmed: PayArmed): CallOutcome {
    assertPathNumber('out_trade_no', out_trade_no)
    const body = readBody(bytes, closeBody, this.#settings.null_fields)
    assertSameMerchant(merchant, body.mchid, '/mchid', 'body')
    const now = this.#now()
    const order = this.#state.findOrder(merchant.mchid, out_trade_no, now)
    if (order === null) {
      if (this.#settings.close_unknown === 'ORDER_NOT_EXIST') throw new CallRefusal('ORDER_NOT_EXIST')
      return { kind: 'answer', status: 204 }
    }
    if (order.trade_state === 'CLOSED') return { kind: 'answer', status: 204 }
    if (order.trade_state !== 'NOTPAY') throw this.#paidOrderRefusal()
    if (this.#settings.close_early === 'refuse' && now - order.create_time < 5 * minute_ms) {
      throw new CallRefusal('INVALID_REQUEST', { message: '订单生成后不能马上调用关单接口，最短间隔为5分钟' })
    }
    if (order.armed !== null) {
      const { armed } = order
      payArmed(order, armed)
      if (armed.story === 'pay_after_close_sent') return { kind: 'hang' }
      throw this.#paidOrderRefusal()
    }
    this.#state.keepOrder({ ...order, trade_state: 'CLOSED', close_time: now })
    return { kind: 'answer', status: 204 }
  }

  /** The order as a query and a payment's notification show it (docs/wechat-pay.md §2.2, §4.3). */
  transactionResource(order: Order, payment: Payment | null): object {
    const state = this.#stateOf(order, payment)
    const head = {
      appid: order.appid,
      mchid: order.mchid,
      out_trade_no: order.out_trade_no,
      trade_state: state,
      trade_state_desc: descriptions[state],
      ...(order.attach !== null && { attach: order.attach }),
      ...(order.device_id !== null && { scene_info: { device_id: order.device_id } }),
    }
    if (payment === null) {
      if (this.#settings.amount_when_unpaid === 'absent') return head
      return { ...head, amount: { total: order.total, currency: order.currency } }
    }
    return {
      ...head,
      ...(order.attach === null && this.#settings.attach_when_none === 'empty' && { attach: '' }),
      ...paymentFields(payment, order.trade_type),
    }
  }

  /** The trade state of one payment: a second payment of an order is refunded, or not, apart from the first. */
  #stateOf(order: Order, payment: Payment | null): SimulatedTradeState {
    if (payment === null || payment.transaction_id === order.transaction_id) return order.trade_state
    const refunds = this.#state.refundsOfPayment(payment)
    return refunds.some((refund) => isShownOnOrder(refund, this.#settings)) ? 'REFUND' : 'SUCCESS'
  }

  #paymentOf(order: Order): Payment | null {
    const paid = order.trade_state === 'SUCCESS' || order.trade_state === 'REFUND'
    return paid && order.transaction_id !== null ? (this.#state.payments.get(order.transaction_id) ?? null) : null
  }

  #newOrder(body: PlaceBody, trade_type: SimulatedTradeType, now: number): Order {
    const end = now + this.#settings.time_expire_days * day_ms
    const asked = body.time_expire === undefined ? end : milliseconds(body.time_expire)
    return {
      mchid: body.mchid,
      out_trade_no: body.out_trade_no,
      appid: body.appid,
      description: body.description,
      attach: body.attach ?? null,
      notify_url: body.notify_url,
      total: body.amount.total,
      currency: body.amount.currency ?? 'CNY',
      device_id: body.scene_info?.device_id ?? null,
      trade_type,
      payer_openid: body.payer?.openid ?? null,
      payer_client_ip: body.scene_info?.payer_client_ip ?? null,
      parameters: orderParameters(body),
      create_time: now,
      time_expire: Math.min(Math.max(asked, now + minute_ms), end),
      codes: [],
      trade_state: 'NOTPAY',
      transaction_id: null,
      close_time: null,
      armed: null,
    }
  }

  /** Asserts that the order may be placed again: unpaid, not closed, and the same in everything. Throws CallRefusal. */
  #assertRepeatable(order: Order, body: PlaceBody, trade_type: SimulatedTradeType): void {
    if (order.trade_state === 'CLOSED') throw new CallRefusal('ORDER_CLOSED')
    if (order.trade_state !== 'NOTPAY') {
      const code = this.#settings.place_paid
      throw new CallRefusal(code, {
        message: '该订单已支付',
        number: 268498689,
        ...(code === 'ORDER_PAID' && { status: 403 }),
      })
    }
    if (order.trade_type !== trade_type || order.parameters !== orderParameters(body)) {
      if (this.#settings.place_mismatch === 'OUT_TRADE_NO_USED') throw new CallRefusal('OUT_TRADE_NO_USED')
      throw new CallRefusal('INVALID_REQUEST', { message: '请求重入时，参数与首次请求时不一致', number: 268498688 })
    }
  }

  #paidOrderRefusal(): CallRefusal {
    if (this.#settings.close_paid === 'ORDERPAID') return new CallRefusal('ORDERPAID')
    return new CallRefusal('ORDER_PAID', this.#settings.close_paid === 'ORDER_PAID_403' ? { status: 403 } : {})
  }
}

const descriptions: Record<SimulatedTradeState, string> = {
  NOTPAY: '订单未支付',
  SUCCESS: '支付成功',
  REFUND: '订单发生过退款',
  CLOSED: '订单已关闭',
}

function paymentFields(payment: Payment, trade_type: SimulatedTradeType): object {
  const { total, currency } = payment
  const coupons = couponsOf(payment)
  return {
    transaction_id: payment.transaction_id,
    trade_type,
    bank_type: payment.bank_type,
    success_time: wechatTime(payment.success_time),
    payer: { openid: payment.openid },
    amount: { total, payer_total: payerTotal(payment), currency, payer_currency: currency },
    ...(coupons.length > 0 && {
      promotion_detail: coupons.map(({ coupon_id, name, type, amount }) => ({
        ...{ coupon_id, name, scope: 'GLOBAL', type, amount },
        stock_id: '9856000',
        wechatpay_contribute: 0,
        merchant_contribute: amount,
        other_contribute: 0,
        currency,
      })),
    }),
  }
}

/** One spelling for parameters that mean the same: sorted names, defaults filled in. */
function orderParameters(body: PlaceBody): string {
  return canonicalText({
    ...body,
    time_expire: body.time_expire === undefined ? null : milliseconds(body.time_expire),
    support_fapiao: body.support_fapiao ?? false,
    amount: { total: body.amount.total, currency: body.amount.currency ?? 'CNY' },
  })
}

/** Asserts that an openid is one of the appid's. Throws CallRefusal, which tells another appid's from no openid at all. */
function assertOpenid(merchant: Merchant, appid: string, openid: string): void {
  if (isOpenidOf(appid, openid)) return
  const isAnothers = merchant.appids.some((other) => isOpenidOf(other, openid))
  const detail = { field: '/payer/openid', value: openid, location: 'body' } as const
  throw new CallRefusal('PARAM_ERROR', { message: isAnothers ? 'appid和openid不匹配' : '无效的openid', detail })
}

/** The merchant named in body or query must be the one that signed. */
function assertSameMerchant(
  merchant: Merchant,
  mchid: string | null,
  field: '/mchid',
  location: 'body' | 'query',
): void {
  if (mchid === merchant.mchid) return
  if (mchid === null || mchid === '') {
    throw ruleRefusal({ source: `/${location}`, field, value: '', location }, required_rule)
  }
  const name = location === 'body' ? field : field.slice(1)
  throw new CallRefusal('PARAM_ERROR', {
    message: `http header中的mchid与${location === 'body' ? 'post payload' : 'url query'}中的mchid不匹配`,
    detail: { field: name, value: mchid, location },
  })
}
