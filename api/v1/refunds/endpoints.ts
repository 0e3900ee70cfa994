import { z } from 'zod'
import { beijingTime } from '../../../domain/calendar.ts'
import { refundView } from '../../../domain/event/view.ts'
import { orderKey } from '../../../domain/ids.ts'
import { refundableAmount } from '../../../domain/payment/record.ts'
import type { PaymentRecord, ReservationRefusal } from '../../../domain/payment/record.ts'
import { newRefund, refund_origins, refund_states } from '../../../domain/refund/record.ts'
import type { RefundRecord } from '../../../domain/refund/record.ts'
import { callerActor } from '../../http/authentication.ts'
import type { ApiContext } from '../../http/context.ts'
import { declareEndpoint } from '../../http/endpoint.ts'
import type { Endpoint, EndpointCall, HttpReply } from '../../http/endpoint.ts'
import { Problem, unavailableProblem } from '../../http/problem.ts'
import { read_limit_ms } from '../../temporal/wait.ts'
import { ruleError } from '../../http/validation.ts'
import { differingFields, namedNumber, sentBody, sentRequest } from '../idempotency.ts'
import { activeMerchant } from '../orders/new.ts'
import { orderStateProblem } from '../orders/shape.ts'
import { attention_filter, filterOf, listOf, out_refund_no, pageView, paging_params, query_time, text_filter } from '../shapes.ts'
import {
  readRefundUntil,
  refund_params,
  refund_request,
  refund_shape,
  refund_with_timeline,
  refundWithTimeline,
  requireRefund,
} from './shape.ts'
import type { RefundRequest } from './shape.ts'

/** What asking for a refund takes: a request over HTTP, or one that another of them makes. */
export type CreateRefundCall = EndpointCall<unknown, unknown, RefundRequest>

export const create_refund_problems = [
  ...(['not_found', 'number_prefix_reserved', 'refund_number_reused', 'order_not_paid', 'order_state'] as const),
  ...(['refund_exceeds_payment', 'refund_limit_reached', 'refund_window_closed'] as const),
  ...(['merchant_not_ready', 'merchant_paused'] as const),
] as const

const createRefund = declareEndpoint({
  name: 'createRefund',
  method: 'POST',
  path: '/v1/refunds',
  scope: 'refunds:write',
  summary: 'Give money back',
  description:
    'Reserves the amount on the payment, then asks WeChat Pay for the refund until it is certain. Safe to repeat: the ' +
    'same body is answered with the refund as it is now. After 202 repeat the same request until the state is no longer ' +
    '“created”. A number that was refused here was never sent, and may be sent again with any body.',
  body: refund_request,
  responses: {
    201: { description: 'reserved: on its way, or waiting for an approval', schema: refund_with_timeline },
    200: {
      description: 'a repeat: the refund as it is now',
      schema: refund_with_timeline,
      headers: { 'Weft-Replay': 'true' },
    },
    202: { description: 'accepted here, not reserved yet. Repeat the same request', schema: refund_with_timeline },
  },
  problems: [...create_refund_problems],
  repeat: repeatRefund,
  handle: createOrRepeat,
})

/**
 * Inserts the refund, then starts its run: what is recorded is reserved or refused in the end, even if this process
 * dies.
 */
export async function createOrRepeat(call: CreateRefundCall): Promise<HttpReply> {
  const { context, caller, body } = call
  const key = { mchid: caller.mchid, out_refund_no: body.out_refund_no }
  if (body.out_refund_no.includes('@')) throw new Problem('number_prefix_reserved')
  const existing = await context.store.refunds.find(key)
  if (existing !== null && !isRefusedHere(existing)) return await replay(call, existing)
  const refund = await newRequestedRefund(call)
  if (existing !== null) {
    const is_ours = await context.store.refunds.replaceUnsent(refund, existing)
    if (!is_ours) return await replay(call, await requireRefund(context, key))
    return await reserveAmount(call, { ...refund, revision: existing.revision + 1 })
  }
  const written = await context.store.refunds.insert(refund)
  if (!written.inserted) return await replay(call, written.existing)
  return await reserveAmount(call, refund)
}

/** A refund that was taken when more was allowed is answered as it is now, and never by what is allowed today. */
async function repeatRefund(call: EndpointCall<unknown, unknown, undefined>): Promise<HttpReply | null> {
  const number = namedNumber(call.sent, 'out_refund_no', out_refund_no)
  const key = number && { mchid: call.caller.mchid, out_refund_no: number }
  const existing = key && (await call.context.store.refunds.find(key))
  if (!existing?.sent || isRefusedHere(existing)) return null
  return differingFields(existing.sent.body, sentBody(call.sent)).length === 0 ? await replay(call, existing) : null
}

/** True when the reservation was refused and nothing was sent to WeChat Pay: the number may be used again. */
function isRefusedHere({ state, submission, facts, timeline }: RefundRecord): boolean {
  // One that was reserved and given up before it was sent keeps its place on the payment, and so its number.
  const was_reserved = timeline.some(({ event }) => event === 'reserved')
  return state === 'refused' && submission.attempts === 0 && facts === null && !was_reserved
}

async function reserveAmount(call: CreateRefundCall, refund: RefundRecord): Promise<HttpReply> {
  const { context, log } = call
  const { out_refund_no, out_trade_no } = refund
  log.info('a refund was accepted', { out_refund_no, out_trade_no })
  const outcome = await context.commands.reserve(refund)
  const current = await requireRefund(context, refund)
  if (outcome === 'unavailable' && current.state === 'created') throw unavailableProblem('temporal')
  await assertReserved(context, current)
  const body = refundWithTimeline(current)
  return current.state === 'created' ? { status: 202, body, headers: { 'Retry-After': '2' } } : { status: 201, body }
}

/** Answers a repeat of a request from the record. Starts the run, in case the first request died before it did. */
async function replay(call: EndpointCall, existing: RefundRecord): Promise<HttpReply> {
  const { context } = call
  assertSameRequest(call, existing)
  const question = {
    subject: `reserve:${existing._id}`,
    mchid: existing.mchid,
    every_ms: 0,
    asked_by: 'merchant',
  } as const
  const reserved = await context.questions.put(question, async () => {
    if (existing.state === 'created') await context.commands.startRefund(existing)
    return await readRefundUntil(context, existing, read_limit_ms, ({ state }) => state !== 'created')
  })
  const refund = reserved ?? existing
  await assertReserved(context, refund)
  return { status: 200, body: refundWithTimeline(refund), headers: { 'Weft-Replay': 'true' } }
}

/** Throws `refund_number_reused` for another request, and for a refund that was not requested over the API. */
function assertSameRequest({ sent, language }: EndpointCall, existing: RefundRecord): void {
  const fields = existing.sent ? differingFields(existing.sent.body, sentBody(sent)) : ['/out_refund_no']
  if (fields.length === 0) return
  const errors = fields.map((field) => ruleError(field, 'differs', language))
  throw new Problem('refund_number_reused', { values: { out_refund_no: existing.out_refund_no, fields }, errors })
}

const reservation_refusals: Record<ReservationRefusal, true> = {
  refund_exceeds_payment: true,
  refund_limit_reached: true,
  refund_window_closed: true,
}

function isReservationRefusal(code: string): code is ReservationRefusal {
  return Object.hasOwn(reservation_refusals, code)
}

/** Throws the ReservationRefusal as a problem, if the payment refused the reservation. */
async function assertReserved({ store }: Pick<ApiContext, 'store'>, refund: RefundRecord): Promise<void> {
  const { failure, mchid, transaction_id } = refund
  if (failure === null || !isRefusedHere(refund) || !isReservationRefusal(failure.code)) return
  if (failure.code !== 'refund_exceeds_payment') throw new Problem(failure.code)
  throw exceedsPaymentProblem(refund, await store.payments.find(mchid, transaction_id))
}

/** The problem `refund_exceeds_payment`. Its `refundable`: fen of the payment that are left now. */
export function exceedsPaymentProblem(refund: RefundRecord, payment: PaymentRecord | null): Problem {
  const refundable = payment === null ? 0 : refundableAmount(payment)
  return new Problem('refund_exceeds_payment', { values: { refund: refund.amount.refund, refundable } })
}

/**
 * The record of a new refund; the request to WeChat Pay is frozen in it when it is reserved. Throws what activeMerchant
 * and refundedPayment throw.
 */
async function newRequestedRefund(call: CreateRefundCall): Promise<RefundRecord> {
  const { context, caller, body } = call
  const merchant = await activeMerchant(call)
  const payment = await refundedPayment(call)
  return newRefund(payment, {
    out_refund_no: body.out_refund_no,
    origin: 'api',
    requested_by: callerActor(caller),
    sent: sentRequest(call.sent),
    notify_url: merchant.notify_url,
    amount: body.amount.refund,
    is_full: false,
    reason: body.reason ?? null,
    metadata: body.metadata ?? {},
    create_time: beijingTime(context.now()),
  })
}

/** The payment to refund. Throws `not_found`, `order_not_paid`, `order_state` and `invalid_request` (total). */
async function refundedPayment({ context, caller, body, language }: CreateRefundCall): Promise<PaymentRecord> {
  const payment = await namedPayment(context, caller.mchid, body)
  const order = payment.order_id === null ? null : await context.store.orders.find(orderKey(payment.order_id))
  // In review: the decision on the order may itself refund this payment.
  const is_own = order?.payment?.transaction_id === payment.transaction_id
  if (order?.state === 'review' && is_own) throw orderStateProblem(order, ['paid', 'fulfilled', 'refunding'])
  const { total } = body.amount
  if (total && total !== payment.amount.total) {
    const errors = [ruleError('/amount/total', 'payment_total', language, { total: payment.amount.total })]
    throw new Problem('invalid_request', { errors })
  }
  return payment
}

async function namedPayment({ store }: ApiContext, mchid: string, body: RefundRequest): Promise<PaymentRecord> {
  if (body.transaction_id) {
    const payment = await store.payments.find(mchid, body.transaction_id)
    if (payment === null) throw new Problem('not_found')
    return payment
  }
  const order = await store.orders.find({ mchid, out_trade_no: body.out_trade_no ?? '' })
  if (order === null) throw new Problem('not_found')
  const payment = order.payment && (await store.payments.find(mchid, order.payment.transaction_id))
  if (payment === null)
    throw new Problem('order_not_paid', { values: { state: order.state, out_trade_no: order.out_trade_no } })
  return payment
}

const listRefunds = declareEndpoint({
  name: 'listRefunds',
  method: 'GET',
  path: '/v1/refunds',
  scope: 'refunds:read',
  summary: 'Refunds, newest first',
  description: 'Those that Weft made by itself and those made outside it are among them: see origin.',
  query: z.strictObject({
    ...paging_params,
    state: filterOf(refund_states).optional(),
    attention: attention_filter.optional(),
    out_trade_no: text_filter.optional(),
    out_refund_no: text_filter.optional(),
    transaction_id: text_filter.optional(),
    origin: filterOf(refund_origins).optional(),
    create_time_from: query_time.optional(),
    create_time_to: query_time.optional(),
  }),
  responses: { 200: { description: 'a page of refunds', schema: listOf('Refund', refund_shape) } },
  problems: [],
  async handle({ context, caller, query }) {
    const { limit, cursor, ...filter } = query
    const page = await context.store.refunds.list(caller.mchid, filter, { limit, cursor })
    return { status: 200, body: pageView(page, refundView) }
  },
})

const getRefund = declareEndpoint({
  name: 'getRefund',
  method: 'GET',
  path: '/v1/refunds/{out_refund_no}',
  scope: 'refunds:read',
  summary: 'One refund with its timeline',
  params: refund_params,
  responses: { 200: { description: 'the refund', schema: refund_with_timeline } },
  problems: ['not_found'],
  async handle({ context, caller, params }) {
    const refund = await requireRefund(context, { mchid: caller.mchid, ...params })
    return { status: 200, body: refundWithTimeline(refund) }
  },
})

export const refund_endpoints: readonly Endpoint[] = [createRefund, listRefunds, getRefund]
