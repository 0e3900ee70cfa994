import { randomBytes } from 'node:crypto'
import { beijingTime, milliseconds } from '../../../domain/calendar.ts'
import { orderId } from '../../../domain/ids.ts'
import type { MerchantRecord } from '../../../domain/merchant/record.ts'
import type { OrderRecord } from '../../../domain/order/record.ts'
import { limits } from '../../../domain/policy.ts'
import { nativePath, placeBody } from '../../../wechat/payments.ts'
import type { ApiContext } from '../../http/context.ts'
import type { EndpointCall } from '../../http/endpoint.ts'
import { Problem, unavailableProblem } from '../../http/problem.ts'
import { ruleError } from '../../http/validation.ts'
import { sentRequest } from '../idempotency.ts'
import type { OrderRequest } from './shape.ts'

type CreateOrderCall = EndpointCall<unknown, unknown, OrderRequest>

/** The age of the order queue's backlog above which new orders are refused, since they would only wait. */
const max_backlog_s = 10

/**
 * The complete record of a new order: nothing of it depends on the moment it is placed. Throws `merchant_not_ready`,
 * `merchant_paused`, `fulfilment_endpoint_missing`, `not_found`, `reference_paid`, `invalid_request` (expiry) and
 * `unavailable` (workers).
 */
export async function newOrder(call: CreateOrderCall): Promise<OrderRecord> {
  const { context, caller, body } = call
  const { merchant, appid } = await readyMerchant(call)
  await assertReferenceUnpaid(context, caller.mchid, body.reference ?? null)
  if ((await context.commands.orderQueueBacklogAge()) > max_backlog_s) throw unavailableProblem('workers')
  const now_ms = context.now()
  const time_expire = beijingTime(expiryTime(call, merchant.settings.order_expire_in, now_ms))
  const checkout_token = randomBytes(32).toString('base64url')
  const key = { mchid: caller.mchid, out_trade_no: body.out_trade_no }
  const attach = body.attach ?? null
  const placement = { ...key, appid, description: body.description, time_expire, attach, amount: body.amount }
  return {
    _id: orderId(key),
    ...key,
    appid,
    reference: body.reference ?? null,
    state: 'created',
    revision: 0,
    sequence: 0,
    timeline: [],
    sent: sentRequest(call.sent),
    wechat_request: { path: nativePath, body: placeBody({ ...placement, notify_url: merchant.notify_url }) },
    description: body.description,
    attach,
    metadata: body.metadata ?? {},
    return_url: body.return_url ?? null,
    locale: body.locale ?? null,
    trade_type: body.trade_type,
    amount: body.amount,
    create_time: beijingTime(now_ms),
    time_expire,
    checkout_token,
    checkout_url: `${context.config.public_url}/pay/${checkout_token}`,
    code: null,
    payment: null,
    fulfilment: { mode: merchant.settings.fulfilment.mode, result: null, reason: null, deadline_time: null },
    close_reason: null,
    failure: null,
    placement: { attempts: 0, unanswered: false, last_attempt_time: null },
    close_sent_time: null,
    asked: { last_time: null, on_request: 0 },
    next_action: { what: 'place', time: beijingTime(now_ms) },
  }
}

interface ReadyMerchant {
  merchant: MerchantRecord
  appid: string
}

/**
 * The caller's merchant, if it can take an order. Throws `not_found`, `merchant_not_ready`, `merchant_paused` and
 * `fulfilment_endpoint_missing`.
 */
async function readyMerchant(call: CreateOrderCall): Promise<ReadyMerchant> {
  const merchant = assertTakingOrders(call.caller.mchid, await activeMerchant(call))
  const [appid] = merchant.appids
  if (appid === undefined) throw new Problem('merchant_not_ready', { values: { mchid: merchant.mchid } })
  return { merchant, appid }
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
export function shortestExpiry({ config }: Pick<ApiContext, 'config'>): number {
  return Math.max(1, Math.ceil(limits.order_expire_in_s.min / config.time_scale))
}
