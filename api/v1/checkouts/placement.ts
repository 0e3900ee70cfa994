import { z } from 'zod'
import type { OrderRecord } from '../../../domain/order/record.ts'
import { trade_types } from '../../../domain/merchant/product.ts'
import { callerActor } from '../../http/authentication.ts'
import { declareEndpoint } from '../../http/endpoint.ts'
import type { EndpointCall, HttpReply } from '../../http/endpoint.ts'
import { Problem } from '../../http/problem.ts'
import { refreshCode } from '../../temporal/check.ts'
import { placementProblem } from '../orders/endpoints.ts'
import { assertPayersAddress } from '../orders/new.ts'
import { checkMethod, order_request, order_with_timeline, orderWithTimeline } from '../orders/shape.ts'
import { openOrder } from './order.ts'
import type { PayerWish } from './order.ts'
import { checkout_params, requireCheckout } from './shape.ts'
import type { CheckoutParams } from './shape.ts'

const { trade_type, appid, payer, scene_info } = order_request.shape

/** How a payer of a checkout wants to pay where the merchant shows it: in its mini program, its app, its own page. */
const wish_request = z
  .strictObject({ trade_type, appid, payer, scene_info })
  .superRefine(checkMethod)
  .meta({ id: 'CheckoutOrderRequest' })
type WishBody = z.output<typeof wish_request>
type WishCall = EndpointCall<CheckoutParams, unknown, WishBody>

export const openCheckoutOrder = declareEndpoint({
  name: 'openCheckoutOrder',
  method: 'POST',
  path: '/v1/checkouts/{out_trade_no}/orders',
  scope: 'orders:write',
  summary: 'Have a checkout paid in your own mini program, app or page',
  description:
    'Answers with the order by which this payer can pay, and its client: the same one to who asks the same again, else that ' +
    'of the next number, behind which those before are closed. Once the sale is paid it is the order that is. After 202 ' +
    'repeat the same request.',
  params: checkout_params,
  body: wish_request,
  responses: {
    200: { description: 'the order: client or code_url is live while it can be paid', schema: order_with_timeline },
    202: {
      description: 'accepted here; WeChat Pay is silent or refuses the merchant’s set-up. Repeat the same request',
      schema: order_with_timeline,
    },
  },
  problems: [
    'not_found',
    'checkout_over',
    'checkout_exhausted',
    'reference_paid',
    'merchant_not_ready',
    'merchant_paused',
    'fulfilment_endpoint_missing',
    'product_not_enabled',
    'app_missing',
    'wechat_refused',
    'product_refused',
  ],
  handle: openForMerchant,
})

/** Any way to pay that the merchant has: `methods` of a checkout are those of its page. */
async function openForMerchant(call: WishCall): Promise<HttpReply> {
  const { context, caller, params, body } = call
  const checkout = await requireCheckout(context, caller.mchid, params.out_trade_no)
  const merchant = await context.store.merchants.find(caller.mchid)
  if (merchant === null || merchant.mode !== caller.key.mode) throw new Problem('not_found')
  assertPayersAddress(call, merchant)
  const actor = callerActor(caller)
  const opened = await openOrder(context, checkout, wishOf(body), { actor, methods: trade_types })
  const order = opened.payment === null ? await refreshCode(context, opened, actor) : opened
  return await openedReply(call, order)
}

function wishOf({ trade_type: method, appid: wanted, payer: who, scene_info: scene }: WishBody): PayerWish {
  const { type, ...h5_app } = scene?.h5_info ?? {}
  return {
    trade_type: method ?? 'NATIVE',
    ...(wanted && { appid: wanted }),
    ...(who && { openid: who.openid }),
    ...(scene && { payer_client_ip: scene.payer_client_ip, h5_app }),
    ...(type && { h5_type: type }),
  }
}

async function openedReply({ context, caller, params }: WishCall, order: OrderRecord): Promise<HttpReply> {
  if (order.state === 'failed' && order.failure !== null) {
    if (order.failure.code !== 'not_wanted') throw await placementProblem(context, order, order.failure)
    // Another payer's number or a cancel came between the claim and the placement: asked again, this one is the newest.
    const { state } = await requireCheckout(context, caller.mchid, params.out_trade_no)
    if (state === 'open') throw new Problem('rate_limited', { headers: { 'Retry-After': '1' } })
    throw new Problem('checkout_over', { values: { state } })
  }
  const body = await orderWithTimeline(context, order)
  return order.state === 'created' ? { status: 202, body, headers: { 'Retry-After': '2' } } : { status: 200, body }
}
