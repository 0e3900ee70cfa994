import { randomBytes } from 'node:crypto'
import { beijingTime } from '../../../domain/calendar.ts'
import type { Time } from '../../../domain/calendar.ts'
import { orderId } from '../../../domain/ids.ts'
import type { MerchantRecord } from '../../../domain/merchant/record.ts'
import { enabledProducts, fittingApp, payment_methods } from '../../../domain/order/method.ts'
import type { ChosenApp, TradeType } from '../../../domain/order/method.ts'
import type { OrderRecord } from '../../../domain/order/record.ts'
import { comparableAddress } from '../../../runtime/address.ts'
import { sealOpenid } from '../../../store/openid.ts'
import { placeBody, placePath, sealed_openid } from '../../../wechat/payments.ts'
import type { SceneInfo } from '../../../wechat/payments.ts'
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
  app: ChosenApp
  /** the payer's, of `app`; null: of a method that asks for none */
  openid: string | null
  scene_info: SceneInfo | null
  time_expire: Time
  /** the request as it is kept: no openid stands in it */
  sent: SentRequest
  checkout_id: string | null
}

/** The complete record of a new order: nothing of it depends on the moment it is placed. */
export function draftedOrder(
  { config, store, now }: Pick<ApiContext, 'config' | 'store' | 'now'>,
  { mchid, notify_url, settings }: MerchantRecord,
  draft: OrderDraft,
): OrderRecord {
  const { app, openid, scene_info, checkout_id, ...given } = draft
  const key = { mchid, out_trade_no: draft.out_trade_no }
  const _id = orderId(key)
  const { appid, kind: app_kind } = app
  const create_time = beijingTime(now())
  const checkout_token = randomBytes(32).toString('base64url')
  const placement = {
    ...{ ...given, mchid, appid, notify_url, openid: openid && sealed_openid },
    scene_info: scene_info && { ...scene_info, payer_client_ip: comparableAddress(scene_info.payer_client_ip) },
  }
  return {
    _id,
    ...key,
    appid,
    ...(app_kind && { app_kind }),
    reference: draft.reference,
    state: 'created',
    revision: 0,
    sequence: 0,
    timeline: [],
    sent: draft.sent,
    wechat_request: { path: placePath(draft.trade_type), body: placeBody(placement) },
    description: draft.description,
    attach: draft.attach,
    metadata: draft.metadata,
    return_url: draft.return_url,
    locale: draft.locale,
    trade_type: draft.trade_type,
    ...(openid && { payer: { openid: sealOpenid(store.sealer, { _id }, openid) } }),
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

/**
 * The appid that an order of this method is placed under. Throws `merchant_not_ready` for a merchant without any,
 * `product_not_enabled` and `app_missing`.
 */
export function chosenApp(merchant: MerchantRecord, trade_type: TradeType, wanted?: string | null): ChosenApp {
  if (merchant.appids.length === 0) throw new Problem('merchant_not_ready', { values: { mchid: merchant.mchid } })
  const enabled = [...enabledProducts(merchant)]
  if (!enabled.includes(trade_type)) throw new Problem('product_not_enabled', { values: { trade_type, enabled } })
  const app = fittingApp(merchant, trade_type, wanted)
  if (app !== null) return app
  throw missingAppProblem(trade_type, payment_methods[trade_type].app_kinds, wanted)
}

/** The problem `app_missing`: no app of the merchant's is of one of the `kinds`; null: of any, and it is not the `wanted`. */
export function missingAppProblem(
  trade_type: TradeType,
  kinds: readonly string[] | null,
  wanted: string | null = null,
): Problem {
  return new Problem('app_missing', { values: { trade_type, appid: wanted ?? '–', kinds: kinds ? [...kinds] : '–' } })
}
