import { randomBytes } from 'node:crypto'
import { beijingTime } from '../../../domain/calendar.ts'
import type { Time } from '../../../domain/calendar.ts'
import { orderId } from '../../../domain/ids.ts'
import type { TradeType } from '../../../domain/merchant/product.ts'
import type { MerchantRecord } from '../../../domain/merchant/record.ts'
import { enabledProducts } from '../../../domain/order/method.ts'
import type { OrderRecord } from '../../../domain/order/record.ts'
import { nativePath, placeBody } from '../../../wechat/payments.ts'
import type { ApiContext } from '../../http/context.ts'
import { Problem } from '../../http/problem.ts'
import type { SentRequest } from '../idempotency.ts'

/** OrderDraft is all that decides a new order's record, whoever asked for it: the merchant, or the payer of a checkout. */
export interface OrderDraft extends Pick<
  OrderRecord,
  'out_trade_no' | 'description' | 'amount' | 'reference' | 'attach' | 'metadata' | 'return_url'
> {
  locale: NonNullable<OrderRecord['locale']> | null
  trade_type: TradeType
  app: { appid: string }
  openid: string | null
  scene_info: { payer_client_ip: string; h5_info: { type: string } } | null
  time_expire: Time
  sent: SentRequest
  checkout_id: string | null
}

/** The complete record of a new order: nothing of it depends on the moment it is placed. */
export function draftedOrder(
  { config, now }: Pick<ApiContext, 'config' | 'store' | 'now'>,
  { mchid, notify_url, settings }: MerchantRecord,
  draft: OrderDraft,
): OrderRecord {
  const { app, openid: _, scene_info: __, checkout_id, ...given } = draft
  const key = { mchid, out_trade_no: draft.out_trade_no }
  const create_time = beijingTime(now())
  const checkout_token = randomBytes(32).toString('base64url')
  const placement = { ...given, ...key, appid: app.appid, notify_url }
  return {
    _id: orderId(key),
    ...key,
    appid: app.appid,
    reference: draft.reference,
    state: 'created',
    revision: 0,
    sequence: 0,
    timeline: [],
    sent: draft.sent,
    wechat_request: { path: nativePath, body: placeBody(placement) },
    description: draft.description,
    attach: draft.attach,
    metadata: draft.metadata,
    return_url: draft.return_url,
    locale: draft.locale,
    trade_type: draft.trade_type,
    ...(checkout_id && { checkout_id }),
    amount: draft.amount,
    create_time,
    time_expire: draft.time_expire,
    checkout_token,
    checkout_url: `${config.public_url}/pay/${checkout_token}`,
    code: null,
    payment: null,
    fulfilment: { mode: settings.fulfilment.mode, result: null, reason: null, deadline_time: null },
    close_reason: null,
    failure: null,
    placement: { attempts: 0, unanswered: false, last_attempt_time: null },
    close_sent_time: null,
    asked: { last_time: null, on_request: 0 },
    next_action: { what: 'place', time: create_time },
  }
}

export function chosenApp(merchant: MerchantRecord, trade_type: TradeType, wanted?: string | null): { appid: string } {
  const appid = merchant.appids.find((one) => !wanted || one === wanted)
  if (appid === undefined || !enabledProducts(merchant).includes(trade_type)) {
    throw new Problem('merchant_not_ready', { values: { mchid: merchant.mchid } })
  }
  return { appid }
}
