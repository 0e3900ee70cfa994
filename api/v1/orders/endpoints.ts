import { z } from 'zod'
import type { OrderRecord } from '../../../domain/order/record.ts'
import type { ApiContext } from '../../http/context.ts'
import { declareEndpoint } from '../../http/endpoint.ts'
import type { Endpoint, EndpointCall, HttpReply } from '../../http/endpoint.ts'
import { Problem, unavailableProblem } from '../../http/problem.ts'
import { read_limit_ms, readOrderUntil } from '../../temporal/wait.ts'
import { openOpenid } from '../../../store/openid.ts'
import { isProductRefusal } from '../../../wechat/errors.ts'
import { differingFields, namedNumber, reusedNumberProblem, sentBody } from '../idempotency.ts'
import {
  attention_filter,
  free_text_filter,
  listOf,
  order_state_filter,
  out_trade_no,
  pageView,
  paging_params,
  query_time,
  text_filter,
} from '../shapes.ts'
import { newOrder, withoutOpenid } from './new.ts'
import {
  order_params,
  order_request,
  order_shape,
  order_with_timeline,
  orderViews,
  orderWithTimeline,
  requireOrder,
} from './shape.ts'
import type { OrderRequest } from './shape.ts'

const createOrder = declareEndpoint({
  name: 'createOrder',
  method: 'POST',
  path: '/v1/orders',
  scope: 'orders:write',
  summary: 'Have an order paid',
  description:
    'Places the order at WeChat Pay and answers with a code to scan, or what opens the payer’s client. Safe to repeat: the same body is answered with the ' +
    'order as it is now. After 202 repeat the same request until the state is no longer “created”.',
  body: order_request,
  responses: {
    201: { description: 'placed: client or code_url, and checkout_url, are live', schema: order_with_timeline },
    200: {
      description: 'a repeat: the order as it is now',
      schema: order_with_timeline,
      headers: { 'Weft-Replay': 'true' },
    },
    202: {
      description: 'accepted here; WeChat Pay is silent or refuses the merchant’s set-up. Repeat the same request',
      schema: order_with_timeline,
    },
  },
  problems: [
    'order_number_reused',
    'reference_paid',
    'merchant_not_ready',
    'merchant_paused',
    'fulfilment_endpoint_missing',
    'product_not_enabled',
    'app_missing',
    'wechat_refused',
    'product_refused',
  ],
  repeat: repeatOrder,
  handle: createOrRepeat,
})

/**
 * Inserts the order, then starts its run: whatever is recorded is placed in the end, even if this process dies between.
 */
async function createOrRepeat(call: EndpointCall<unknown, unknown, OrderRequest>): Promise<HttpReply> {
  const { context, caller, body } = call
  const key = { mchid: caller.mchid, out_trade_no: body.out_trade_no }
  const [existing, checkout] = await Promise.all([context.store.orders.find(key), context.store.checkouts.find(key)])
  if (existing) return replay(call, existing)
  // Beside a checkout of this number it would be a second sale, and both would be kept.
  if (checkout) throw reusedNumberProblem(key.out_trade_no, ['/out_trade_no'], call.language)
  const order = await newOrder(call)
  const written = await context.store.orders.insert(order)
  if (!written.inserted) return replay(call, written.existing)
  call.log.info('an order was accepted', key)
  const outcome = await context.commands.prepay(key)
  const placed = await requireOrder(context, key.mchid, key.out_trade_no)
  if (outcome === 'unavailable' && placed.state === 'created') throw unavailableProblem('temporal')
  return firstReply(call, placed)
}

/** An order that was placed when more was allowed is answered as it is now, and never by what is allowed today. */
async function repeatOrder(call: EndpointCall<unknown, unknown, undefined>): Promise<HttpReply | null> {
  const number = namedNumber(call.sent, 'out_trade_no', out_trade_no)
  const key = number && { mchid: call.caller.mchid, out_trade_no: number }
  const existing = key && (await call.context.store.orders.find(key))
  return existing && fieldsThatDiffer(call, existing).length === 0 ? await replay(call, existing) : null
}

async function firstReply({ context }: EndpointCall, order: OrderRecord): Promise<HttpReply> {
  if (order.state === 'failed' && order.failure !== null) throw await placementProblem(context, order, order.failure)
  const body = await orderWithTimeline(context, order)
  return order.state === 'created' ? { status: 202, body, headers: { 'Retry-After': '2' } } : { status: 201, body }
}

/** Why an order failed: WeChat Pay has refused it, or its sale is paid by another number. */
export async function placementProblem(
  { store }: Pick<ApiContext, 'store'>,
  order: OrderRecord,
  { code, message, status = null }: NonNullable<OrderRecord['failure']>,
): Promise<Problem> {
  if (code === 'reference_paid' && order.reference !== null) {
    const paid_by = (await store.references.findHolder(order.mchid, order.reference)) ?? '–'
    return new Problem('reference_paid', { values: { paid_by } })
  }
  if (isProductRefusal(code)) {
    const values = { trade_type: order.trade_type, code, message }
    return new Problem('product_refused', { values, wechat: { status, code, message } })
  }
  return new Problem('wechat_refused', { values: { code, message }, wechat: { status, code, message } })
}

/** Answers a repeat of a request from the record. Starts the run, in case the first request died before it did. */
async function replay(call: EndpointCall, existing: OrderRecord): Promise<HttpReply> {
  const { context, language } = call
  const fields = fieldsThatDiffer(call, existing)
  if (fields.length > 0) throw reusedNumberProblem(existing.out_trade_no, fields, language)
  const order = existing.state === 'created' ? await awaitPlacement(context, existing) : existing
  return { status: 200, body: await orderWithTimeline(context, order), headers: { 'Weft-Replay': 'true' } }
}

/** Where a repeat is another request. The openid is compared by itself, since it stands in no kept request. */
function fieldsThatDiffer({ context, sent }: EndpointCall, existing: OrderRecord): string[] {
  const fields = differingFields(existing.sent.body, sentBody(withoutOpenid(sent)))
  const openid = openOpenid(context.store.sealer, existing)
  const { payer } = sent as { payer?: { openid?: unknown } | null }
  const is_other_payer = openid !== null && payer?.openid !== undefined && payer.openid !== openid
  return is_other_payer ? [...fields, '/payer/openid'] : fields
}

/** Starts the run and waits until it has placed the order; all repeats that come meanwhile wait together. */
export async function awaitPlacement(
  context: Pick<ApiContext, 'store' | 'commands' | 'questions'>,
  order: OrderRecord,
): Promise<OrderRecord> {
  const question = { subject: `place:${order._id}`, mchid: order.mchid, every_ms: 0, asked_by: 'merchant' } as const
  const placed = await context.questions.put(question, async () => {
    await context.commands.startOrder(order)
    return await readOrderUntil(context, order, read_limit_ms, ({ state }) => state !== 'created')
  })
  return placed ?? order
}

const listOrders = declareEndpoint({
  name: 'listOrders',
  method: 'GET',
  path: '/v1/orders',
  scope: 'orders:read',
  summary: 'Orders, newest first',
  query: z.strictObject({
    ...paging_params,
    state: order_state_filter.optional(),
    attention: attention_filter.optional(),
    out_trade_no: text_filter.optional(),
    reference: free_text_filter.optional(),
    transaction_id: text_filter.optional(),
    refunds: z.enum(['any', 'succeeded', 'none']).optional().meta({
      description: 'by its refunds, the merchant’s own too: any, one that the payer has, none',
    }),
    create_time_from: query_time.optional(),
    create_time_to: query_time.optional(),
    success_time_from: query_time.optional(),
    success_time_to: query_time.optional(),
  }),
  responses: { 200: { description: 'a page of orders', schema: listOf('Order', order_shape) } },
  problems: [],
  async handle({ context, caller, query }) {
    const { limit, cursor, ...filter } = query
    const page = await context.store.orders.list(caller.mchid, filter, { limit, cursor })
    const views = await orderViews(context, page.data)
    return { status: 200, body: pageView({ ...page, data: views }, (view) => view) }
  },
})

const getOrder = declareEndpoint({
  name: 'getOrder',
  method: 'GET',
  path: '/v1/orders/{out_trade_no}',
  scope: 'orders:read',
  summary: 'One order with its timeline',
  params: order_params,
  responses: { 200: { description: 'the order', schema: order_with_timeline } },
  problems: ['not_found'],
  async handle({ context, caller, params }) {
    const order = await requireOrder(context, caller.mchid, params.out_trade_no)
    return { status: 200, body: await orderWithTimeline(context, order) }
  },
})

export const order_endpoints: readonly Endpoint[] = [createOrder, listOrders, getOrder]
