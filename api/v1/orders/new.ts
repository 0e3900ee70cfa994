import { beijingTime, milliseconds } from '../../../domain/calendar.ts'
import type { MerchantRecord } from '../../../domain/merchant/record.ts'
import type { OrderRecord } from '../../../domain/order/record.ts'
import { limits } from '../../../domain/policy.ts'
import { isPublicAddress } from '../../../runtime/address.ts'
import { sealed_openid } from '../../../wechat/payments.ts'
import type { ApiContext } from '../../http/context.ts'
import type { EndpointCall } from '../../http/endpoint.ts'
import { Problem, unavailableProblem } from '../../http/problem.ts'
import { ruleError } from '../../http/validation.ts'
import { sentRequest } from '../idempotency.ts'
import { chosenApp, draftedOrder } from './draft.ts'
import type { OrderRequest } from './shape.ts'

type CreateOrderCall = EndpointCall<unknown, unknown, OrderRequest>

/** The age of the order queue's backlog above which new orders are refused, since they would only wait. */
const max_backlog_s = 10

/**
 * The record of a new order as the request wants it. Throws `merchant_not_ready`, `merchant_paused`,
 * `fulfilment_endpoint_missing`, `product_not_enabled`, `app_missing`, `not_found`, `reference_paid`, `invalid_request`
 * (expiry, the payer's address) and `unavailable` (workers).
 */
export async function newOrder(call: CreateOrderCall): Promise<OrderRecord> {
  const { context, caller, body } = call
  const merchant = await readyMerchant(call)
  const trade_type = body.trade_type ?? 'NATIVE'
  const app = chosenApp(merchant, trade_type, body.appid)
  await assertReferenceUnpaid(context, caller.mchid, body.reference ?? null)
  await assertQueueMoving(context)
  assertPayersAddress(call, merchant)
  return draftedOrder(context, merchant, {
    out_trade_no: body.out_trade_no,
    description: body.description,
    amount: body.amount,
    reference: body.reference ?? null,
    attach: body.attach ?? null,
    metadata: body.metadata ?? {},
    return_url: body.return_url ?? null,
    locale: body.locale ?? null,
    trade_type,
    app,
    openid: body.payer?.openid ?? null,
    scene_info: body.scene_info ?? null,
    time_expire: beijingTime(expiryTime(call, merchant.settings.order_expire_in, context.now())),
    sent: sentRequest(withoutOpenid(call.sent)),
    checkout_id: null,
  })
}

/** The request as it is kept and compared: in place of the openid stands that there is one. */
export function withoutOpenid(sent: unknown): unknown {
  const { payer } = sent as { payer?: { openid?: unknown } | null }
  return payer?.openid ? { ...(sent as object), payer: { ...payer, openid: sealed_openid } } : sent
}

/**
 * The caller's merchant, if it can take an order. Throws `not_found`, `merchant_not_ready`, `merchant_paused` and
 * `fulfilment_endpoint_missing`.
 */
async function readyMerchant(call: CreateOrderCall): Promise<MerchantRecord> {
  return assertTakingOrders(call.caller.mchid, await activeMerchant(call))
}

/**
 * The merchant, if new orders may be placed in its name, whoever wants one. Throws `merchant_not_ready`,
 * `merchant_paused` and `fulfilment_endpoint_missing`.
 */
export function assertTakingOrders(mchid: string, merchant: MerchantRecord | null): MerchantRecord {
  const values = { mchid }
  if (!merchant?.wechat) throw new Problem('merchant_not_ready', { values })
  if (merchant.state === 'paused') throw new Problem('merchant_paused', { values })
  if (merchant.settings.fulfilment.mode === 'event' && merchant.fulfilment_endpoint_id === null) {
    throw new Problem('fulfilment_endpoint_missing')
  }
  return merchant
}

/**
 * Throws `invalid_request` for an address of this machine or network: WeChat Pay takes the order and refuses its payer. A
 * test merchant's payer sits at the same machine as its WeChat Pay.
 */
export function assertPayersAddress(
  { body, language }: Pick<EndpointCall, 'language'> & { body: Pick<OrderRequest, 'scene_info'> },
  { mode }: MerchantRecord,
): void {
  const address = body.scene_info?.payer_client_ip
  if (address === undefined || mode === 'test' || isPublicAddress(address)) return
  const errors = [ruleError('/scene_info/payer_client_ip', 'public_address', language)]
  throw new Problem('invalid_request', { errors })
}

/**
 * The caller's merchant, if new orders and refunds may be sent to WeChat Pay in its name. Throws `not_found`,
 * `merchant_not_ready` and `merchant_paused`.
 */
export async function activeMerchant({
  context,
  caller,
}: Pick<EndpointCall, 'context' | 'caller'>): Promise<MerchantRecord> {
  const values = { mchid: caller.mchid }
  const merchant = await context.store.merchants.find(caller.mchid)
  if (merchant !== null && merchant.mode !== caller.key.mode) throw new Problem('not_found')
  if (!merchant?.wechat) throw new Problem('merchant_not_ready', { values })
  if (merchant.state === 'paused') throw new Problem('merchant_paused', { values })
  return merchant
}

/** Throws `unavailable` where a new order would only wait for workers, and make those before it wait longer. */
export async function assertQueueMoving({ commands }: Pick<ApiContext, 'commands'>): Promise<void> {
  if ((await commands.orderQueueBacklogAge()) > max_backlog_s) throw unavailableProblem('workers')
}

/** Throws `reference_paid` when another order of the same reference is paid: its money would only be refunded. */
export async function assertReferenceUnpaid(
  { store }: Pick<ApiContext, 'store'>,
  mchid: string,
  reference: string | null,
): Promise<void> {
  if (!reference) return
  const paid_by = await store.references.findHolder(mchid, reference)
  if (paid_by !== null) throw new Problem('reference_paid', { values: { paid_by } })
}

/** What of a call decides when its payer's time ends. */
type ExpiryCall = Pick<CreateOrderCall, 'context' | 'language'> & {
  body: Pick<OrderRequest, 'expire_in'> & Partial<Pick<OrderRequest, 'time_expire'>>
}

/** When the payer's time ends, Unix ms in whole seconds, as WeChat Pay counts. Throws `invalid_request`. */
export function expiryTime({ context, body, language }: ExpiryCall, default_s: number, now_ms: number): number {
  const { max } = limits.order_expire_in_s
  const shortest = shortestExpiry(context)
  const wanted_ms = body.time_expire ? milliseconds(body.time_expire) : now_ms + (body.expire_in ?? default_s) * 1_000
  const in_s = (wanted_ms - now_ms) / 1_000
  if (in_s < shortest || in_s > max) {
    const field = body.time_expire ? '/time_expire' : '/expire_in'
    throw new Problem('invalid_request', {
      errors: [ruleError(field, 'expiry_range', language, { min: shortest, max })],
    })
  }
  return Math.floor(wanted_ms / 1_000) * 1_000
}

/** The fewest seconds that a payer may have. In a demonstration that runs faster, orders may be shorter by as much. */
function shortestExpiry({ config }: Pick<ApiContext, 'config'>): number {
  return Math.max(1, Math.ceil(limits.order_expire_in_s.min / config.time_scale))
}
