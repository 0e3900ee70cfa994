import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { beijingTime } from '../../../domain/calendar.ts'
import { pageApp } from '../../../domain/checkout/method.ts'
import { unwantedOrders } from '../../../domain/checkout/change.ts'
import { checkout_methods, checkout_states } from '../../../domain/checkout/record.ts'
import type { CheckoutRecord } from '../../../domain/checkout/record.ts'
import { checkoutView } from '../../../domain/checkout/view.ts'
import { operationId, orderId } from '../../../domain/ids.ts'
import type { MerchantRecord } from '../../../domain/merchant/record.ts'
import type { TradeType } from '../../../domain/merchant/product.ts'
import { enabledProducts, payment_methods } from '../../../domain/order/method.ts'
import { callerActor } from '../../http/authentication.ts'
import { declareEndpoint } from '../../http/endpoint.ts'
import type { Endpoint, EndpointCall, HttpReply } from '../../http/endpoint.ts'
import { Problem } from '../../http/problem.ts'
import { read_limit_ms, readUntil } from '../../temporal/wait.ts'
import { differingFields, namedNumber, reusedNumberProblem, sentBody, sentRequest } from '../idempotency.ts'
import { missingAppProblem } from '../orders/draft.ts'
import { activeMerchant, assertReferenceUnpaid, assertTakingOrders, expiryTime } from '../orders/new.ts'
import {
  attention_filter,
  checkout_no,
  filterOf,
  free_text_filter,
  listOf,
  pageView,
  paging_params,
  query_time,
  text_filter,
} from '../shapes.ts'
import { openCheckoutOrder } from './placement.ts'
import {
  checkout_params,
  checkout_request,
  checkout_shape,
  checkout_with_orders,
  checkoutWithOrders,
  requireCheckout,
} from './shape.ts'
import type { CheckoutParams, CheckoutBody } from './shape.ts'

const createCheckout = declareEndpoint({
  name: 'createCheckout',
  method: 'POST',
  path: '/v1/checkouts',
  scope: 'orders:write',
  summary: 'Have a sale paid wherever its payer is',
  description:
    'Answers with a page that chooses the way to pay where it is opened. Nothing is placed at WeChat Pay before the payer ' +
    'is there. Safe to repeat: the same body is answered with the checkout as it is now.',
  body: checkout_request,
  responses: {
    201: { description: 'made: checkout_url is live', schema: checkout_with_orders },
    200: {
      description: 'a repeat: the checkout as it is now',
      schema: checkout_with_orders,
      headers: { 'Weft-Replay': 'true' },
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
  ],
  repeat: repeatCheckout,
  handle: createOrRepeat,
})

type CreateCall = EndpointCall<unknown, unknown, CheckoutBody>

async function createOrRepeat(call: CreateCall): Promise<HttpReply> {
  const { context, caller, body } = call
  const key = { mchid: caller.mchid, out_trade_no: body.out_trade_no }
  const existing = await context.store.checkouts.find(key)
  if (existing) return replay(call, existing)
  const checkout = await newCheckout(call)
  const written = await context.store.checkouts.insert(checkout)
  if (!written.inserted) return replay(call, written.existing)
  call.log.info('a checkout was made', key)
  return { status: 201, body: await checkoutWithOrders(context, checkout) }
}

/** A checkout that was made when more was allowed is answered as it is now, and never by what is allowed today. */
async function repeatCheckout(call: EndpointCall<unknown, unknown, undefined>): Promise<HttpReply | null> {
  const number = namedNumber(call.sent, 'out_trade_no', checkout_no)
  const key = number && { mchid: call.caller.mchid, out_trade_no: number }
  const existing = key && (await call.context.store.checkouts.find(key))
  if (!existing || differingFields(existing.sent.body, sentBody(call.sent)).length > 0) return null
  return await replay(call, existing)
}

/** Answers a repeat of a request from the record. */
async function replay(call: EndpointCall, existing: CheckoutRecord): Promise<HttpReply> {
  const fields = differingFields(existing.sent.body, sentBody(call.sent))
  if (fields.length > 0) throw reusedNumberProblem(existing.out_trade_no, fields, call.language)
  return {
    status: 200,
    body: await checkoutWithOrders(call.context, existing),
    headers: { 'Weft-Replay': 'true' },
  }
}

/**
 * The complete record of a new checkout. Throws what `createCheckout` declares; an order of the merchant's own that has the
 * number counts as its use.
 */
async function newCheckout(call: CreateCall): Promise<CheckoutRecord> {
  const { context, caller, body } = call
  const key = { mchid: caller.mchid, out_trade_no: body.out_trade_no }
  const merchant = assertTakingOrders(caller.mchid, await activeMerchant(call))
  const methods = offeredMethods(merchant, body.methods ?? null)
  const reference = body.reference ?? body.out_trade_no
  await assertReferenceUnpaid(context, caller.mchid, reference)
  if ((await context.store.orders.find(key)) !== null)
    throw reusedNumberProblem(key.out_trade_no, ['/out_trade_no'], call.language)
  const now_ms = context.now()
  const expire_time = beijingTime(expiryTime(call, merchant.settings.order_expire_in, now_ms))
  const token = randomBytes(32).toString('base64url')
  return {
    _id: orderId(key),
    ...key,
    reference,
    state: 'open',
    revision: 0,
    timeline: [],
    sent: sentRequest(call.sent),
    token,
    checkout_url: `${context.config.public_url}/pay/${token}`,
    description: body.description,
    attach: body.attach ?? null,
    metadata: body.metadata ?? {},
    return_url: body.return_url ?? null,
    locale: body.locale ?? null,
    amount: body.amount,
    methods,
    create_time: beijingTime(now_ms),
    expire_time,
    orders: [],
    paid_by: null,
    next_action: { what: 'end', time: expire_time },
  }
}

/**
 * The ways to pay that were asked for, else all that a page can offer for this merchant. Throws `product_not_enabled`, and
 * `app_missing` where the page could not be paid so.
 */
function offeredMethods(merchant: MerchantRecord, wanted: readonly TradeType[] | null): TradeType[] {
  const enabled = enabledProducts(merchant)
  const named = checkout_methods.filter((method) => (wanted ?? enabled).includes(method))
  const missing = named.filter((method) => !enabled.includes(method))
  if (named.length === 0 || missing.length > 0) {
    const trade_type = missing.length > 0 ? missing : [...checkout_methods]
    throw new Problem('product_not_enabled', { values: { trade_type, enabled: [...enabled] } })
  }
  const payable = named.filter((method) => pageApp(merchant, method) !== null)
  const unpayable = named.find((method) => !payable.includes(method))
  if (unpayable !== undefined && (wanted !== null || payable.length === 0)) throw missingPageApp(unpayable)
  return payable
}

/** No app of the merchant's lets a page be paid so; in WeChat it has to be an official account whose secret is here. */
function missingPageApp(trade_type: TradeType): Problem {
  const { app_kinds } = payment_methods[trade_type]
  return missingAppProblem(trade_type, trade_type === 'JSAPI' ? ['official_account (secret)'] : app_kinds)
}

const listCheckouts = declareEndpoint({
  name: 'listCheckouts',
  method: 'GET',
  path: '/v1/checkouts',
  scope: 'orders:read',
  summary: 'Checkouts, newest first',
  query: z.strictObject({
    ...paging_params,
    state: filterOf(checkout_states).optional(),
    attention: attention_filter.optional(),
    out_trade_no: text_filter.optional(),
    reference: free_text_filter.optional(),
    create_time_from: query_time.optional(),
    create_time_to: query_time.optional(),
  }),
  responses: { 200: { description: 'a page of checkouts', schema: listOf('Checkout', checkout_shape) } },
  problems: [],
  async handle({ context, caller, query }) {
    const { limit, cursor, ...filter } = query
    const page = await context.store.checkouts.list(caller.mchid, filter, { limit, cursor })
    return { status: 200, body: pageView(page, checkoutView) }
  },
})

const getCheckout = declareEndpoint({
  name: 'getCheckout',
  method: 'GET',
  path: '/v1/checkouts/{out_trade_no}',
  scope: 'orders:read',
  summary: 'One checkout with its orders',
  params: checkout_params,
  responses: { 200: { description: 'the checkout', schema: checkout_with_orders } },
  problems: ['not_found'],
  async handle({ context, caller, params }) {
    const checkout = await requireCheckout(context, caller.mchid, params.out_trade_no)
    return { status: 200, body: await checkoutWithOrders(context, checkout) }
  },
})

const checkout_response = { description: 'the checkout as it is now', schema: checkout_with_orders }

const cancelCheckout = declareEndpoint({
  name: 'cancelCheckout',
  method: 'POST',
  path: '/v1/checkouts/{out_trade_no}/cancel',
  scope: 'orders:write',
  summary: 'End a checkout that is not paid',
  description:
    'Nothing more is placed for it, and what is open is closed at WeChat Pay. Money that still comes is treated as late. ' +
    'After 202 read the checkout, or repeat the request.',
  params: checkout_params,
  responses: {
    200: { ...checkout_response, description: 'cancelled, or expired before: nothing of it can be paid' },
    202: { ...checkout_response, description: 'closing: WeChat Pay is not yet certain of an order' },
  },
  problems: ['not_found', 'checkout_paid'],
  handle: cancel,
})

/** Writes the wish down first: from then on no order is made of the checkout, and the sweeper sees it through. */
async function cancel(call: EndpointCall<CheckoutParams>): Promise<HttpReply> {
  const { context, caller, params } = call
  const key = { mchid: caller.mchid, out_trade_no: params.out_trade_no }
  const begun_ms = Date.now()
  const found = await requireCheckout(context, key.mchid, key.out_trade_no)
  const operation_id = operationId.checkoutCancelAsked()
  const asked = {
    event: 'cancel_asked',
    operation_id,
    time: beijingTime(context.now()),
    actor: callerActor(caller),
  } as const
  if (found.state === 'open') await context.store.checkouts.apply(found, asked, found)
  const settle = async () => (await context.store.checkouts.settle(key, beijingTime(context.now()))) ?? found
  const first = await settle()
  if (first.state === 'closing') await closeOrders(call, first)
  const left_ms = Math.max(0, read_limit_ms - (Date.now() - begun_ms))
  const checkout = await readUntil(settle, first, left_ms, ({ state }) => state !== 'closing')
  if (checkout.state === 'paid') {
    throw new Problem('checkout_paid', { values: { paid_by: checkout.paid_by ?? '–' } })
  }
  const status = checkout.state === 'closing' ? 202 : 200
  return { status, body: await checkoutWithOrders(context, checkout) }
}

/**
 * What Temporal does not take now, and what is too much for one merchant now, the sweeper asks for again: the cancel has
 * taken effect, and is not answered with a refusal. Who cancels at once with others shares their closes.
 */
async function closeOrders({ context }: EndpointCall<CheckoutParams>, checkout: CheckoutRecord): Promise<void> {
  const { _id, mchid } = checkout
  const question = { subject: `cancel:${_id}`, mchid, every_ms: 0, asked_by: 'merchant' } as const
  const closing = context.questions.put(question, async () => {
    const unwanted = unwantedOrders(checkout, await context.store.checkouts.ordersOf(checkout))
    await Promise.all(unwanted.map(({ order, command }) => context.commands.close(order, command)))
  })
  await closing.catch((error: unknown) => {
    if (!(error instanceof Problem) || error.code !== 'rate_limited') throw error
  })
}

export const checkout_endpoints: readonly Endpoint[] = [
  createCheckout,
  listCheckouts,
  getCheckout,
  openCheckoutOrder,
  cancelCheckout,
]
