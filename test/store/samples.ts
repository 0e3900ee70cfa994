import { beijingTime } from '../../domain/calendar.ts'
import type { Time } from '../../domain/calendar.ts'
import type { CheckoutRecord } from '../../domain/checkout/record.ts'
import type { DeliveryRecord } from '../../domain/event/delivery.ts'
import type { EventRecord } from '../../domain/event/event.ts'
import { default_settings } from '../../domain/merchant/record.ts'
import type { EndpointRecord, MerchantRecord } from '../../domain/merchant/record.ts'
import type { OrderOccurrence, OrderRecord } from '../../domain/order/record.ts'
import type { EvidenceRecord } from '../../domain/payment/evidence.ts'
import type { MoneyFact } from '../../domain/payment/fact.ts'
import type { PaymentRecord } from '../../domain/payment/record.ts'
import { publicId } from '../../store/ids.ts'

export const mchid = '1900000001'
export const noon = Date.parse('2026-11-23T12:00:00.000+08:00')

/** `seconds` after noon. */
export function at(seconds: number): Time {
  return beijingTime(noon + seconds * 1000)
}

export function orderSample(out_trade_no: string, given: Partial<OrderRecord> = {}): OrderRecord {
  return {
    _id: `${given.mchid ?? mchid}/${out_trade_no}`,
    mchid,
    out_trade_no,
    appid: 'wx0000000000000001',
    reference: null,
    state: 'created',
    revision: 0,
    sequence: 0,
    timeline: [],
    sent: { body: '{"out_trade_no":"…"}', sha256: 'a'.repeat(64) },
    wechat_request: { path: '/v3/pay/transactions/native', body: '{"a":1}' },
    description: '一壶茶',
    attach: null,
    metadata: {},
    return_url: null,
    trade_type: 'NATIVE',
    amount: { total: 990, currency: 'CNY' },
    create_time: at(0),
    time_expire: at(1800),
    checkout_token: `token-${out_trade_no}`,
    checkout_url: `http://localhost/pay/token-${out_trade_no}`,
    code: null,
    payment: null,
    fulfilment: { mode: 'none', result: null, reason: null, deadline_time: null },
    close_reason: null,
    failure: null,
    placement: { attempts: 0, unanswered: false, last_attempt_time: null },
    close_sent_time: null,
    asked: { last_time: null, on_request: 0 },
    next_action: { what: 'place', time: at(0) },
    ...given,
  }
}

/** A checkout of the same tea that nobody has opened yet; `orders`: the numbers that were claimed, a minute apart. */
export function checkoutSample(
  out_trade_no: string,
  { orders = [], ...given }: Partial<Omit<CheckoutRecord, 'orders'>> & { orders?: string[] } = {},
): CheckoutRecord {
  return {
    _id: `${mchid}/${out_trade_no}`,
    mchid,
    out_trade_no,
    reference: out_trade_no,
    state: 'open',
    revision: 0,
    timeline: [],
    sent: { body: '{"out_trade_no":"…"}', sha256: 'a'.repeat(64) },
    token: `token-of-checkout-${out_trade_no}`,
    checkout_url: `http://localhost/pay/token-of-checkout-${out_trade_no}`,
    description: '一壶茶',
    attach: null,
    metadata: {},
    return_url: null,
    locale: null,
    amount: { total: 990, currency: 'CNY' },
    methods: ['NATIVE'],
    create_time: at(0),
    expire_time: at(3600),
    orders: orders.map((number, place) => ({
      out_trade_no: number,
      trade_type: 'NATIVE',
      payer: `payer ${place + 1}`,
      time: at(60 * (place + 1)),
    })),
    paid_by: null,
    next_action: { what: 'end', time: at(3600) },
    ...given,
  }
}

const weft = { kind: 'weft', id: null } as const

export function placed(): OrderOccurrence {
  return {
    operation_id: 'placed',
    event: 'placed',
    time: at(1),
    actor: weft,
    code: { url: 'weixin://wxpay/bizpayurl?pr=1', placed_time: at(1) },
    next_query_time: at(31),
  }
}

export function paymentFound(transaction_id: string): OrderOccurrence {
  return {
    operation_id: `payment:${transaction_id}`,
    event: 'payment_found',
    time: at(20),
    actor: { kind: 'wechat', id: null },
    evidence_id: `${mchid}/notification/${transaction_id}`,
    payment: {
      transaction_id,
      role: 'order',
      success_time: at(19),
      found_by: 'notification',
      found_time: at(20),
      bank_type: 'OTHERS',
    },
    choice: 'refund',
    deadline_time: at(172_820),
  }
}

export function secondPayment(transaction_id: string): OrderOccurrence {
  const operation_id = `payment:${transaction_id}`
  return {
    operation_id,
    event: 'second_payment_found',
    transaction_id: 'second',
    time: at(25),
    actor: { kind: 'wechat', id: null },
  }
}

export function closeAsked(operation_id = 'expired'): OrderOccurrence {
  return { operation_id, event: 'close_asked', time: at(1800), actor: weft, close_reason: 'expired' }
}

export function closedAtWeChat(): OrderOccurrence {
  return { operation_id: 'closed_at_wechat', event: 'closed_at_wechat', time: at(1810), actor: weft }
}

/** What WeChat says of a payment of 990 fen for order T1. */
export const factSample: MoneyFact = {
  mchid: '1900000001',
  appid: 'wx1',
  out_trade_no: 'T1',
  transaction_id: '4200001',
  trade_state: 'SUCCESS',
  trade_type: 'NATIVE',
  bank_type: 'OTHERS',
  success_time: at(1),
  amount: { total: 990, currency: 'CNY', payer_total: 990 },
  nocash_amount: 0,
}

export function paymentSample(transaction_id: string, given: Partial<PaymentRecord> = {}): PaymentRecord {
  return {
    _id: `${mchid}/${transaction_id}`,
    mchid,
    transaction_id,
    out_trade_no: 'TEA-1',
    order_id: `${mchid}/TEA-1`,
    role: 'order',
    revision: 0,
    evidence_id: `${mchid}/notification/1`,
    appid: 'wx0000000000000001',
    trade_type: 'NATIVE',
    bank_type: null,
    success_time: at(19),
    amount: { total: 990, currency: 'CNY', payer_total: 990 },
    settled_total: 990,
    refunds: [],
    last_refund_time: null,
    acceptance: null,
    ...given,
  }
}

export function evidenceSample(natural_id: string, given: Partial<EvidenceRecord> = {}): EvidenceRecord {
  const _id = `${mchid}/notification/${natural_id}`
  return {
    _id,
    id: publicId('evd', _id),
    mchid,
    kind: 'notification',
    subject: 'payment',
    out_trade_no: 'TEA-1',
    transaction_id: 't1',
    out_refund_no: null,
    verdict: 'verified',
    serial_no: 'PUB_KEY_ID_1',
    body_sha256: 'b'.repeat(64),
    raw: { headers: { 'wechatpay-nonce': 'x', 'x.odd$name': 'kept' }, body: '{}' },
    receive_time: at(20),
    unapplied: true,
    outcome: null,
    applied_time: null,
    applied_to: null,
    ...given,
  }
}

export function eventSample(out_trade_no: string, sequence: number, given: Partial<EventRecord> = {}): EventRecord {
  const _id = `${mchid}/${out_trade_no}/${sequence}`
  return {
    _id,
    id: publicId('evt', _id),
    mchid,
    out_trade_no,
    sequence,
    type: 'order.paid',
    timestamp: at(sequence),
    body: '{"type":"order.paid"}',
    ...given,
  }
}

export function deliverySample(
  out_trade_no: string,
  sequence: number,
  given: Partial<DeliveryRecord> = {},
): DeliveryRecord {
  const event_id = `${mchid}/${out_trade_no}/${sequence}`
  const endpoint_id = given.endpoint_id ?? 'ep_one'
  const _id = `${event_id}/${endpoint_id}`
  return {
    _id,
    id: publicId('dlv', _id),
    mchid,
    event_id,
    event_public_id: publicId('evt', event_id),
    event_type: 'order.closed',
    endpoint_id,
    out_trade_no,
    sequence,
    purpose: 'notice',
    state: 'waiting',
    revision: 0,
    attempts: [],
    create_time: at(sequence),
    next_attempt_time: at(sequence),
    ...given,
  }
}

export function endpointSample(url: string, given: Partial<EndpointRecord> = {}): EndpointRecord {
  const _id = `${mchid}/${url}`
  return {
    _id,
    id: publicId('ep', _id),
    mchid,
    url,
    role: 'observer',
    event_types: ['*'],
    description: null,
    state: 'enabled',
    disable_reason: null,
    secrets: [],
    create_time: at(0),
    last_success_time: null,
    failing_since_time: null,
    ...given,
  }
}

export function merchantSample(given: Partial<MerchantRecord> = {}): MerchantRecord {
  return {
    _id: given.mchid ?? mchid,
    mchid,
    name: '茶铺',
    mode: 'test',
    state: 'enabled',
    revision: 0,
    appids: ['wx0000000000000001'],
    notify_url: 'http://localhost/wechat/notify/1900000001',
    wechat: null,
    settings: default_settings,
    fulfilment_endpoint_id: null,
    create_time: at(0),
    ...given,
  }
}
