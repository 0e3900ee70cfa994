import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { beijingTime } from '../../../domain/calendar.ts'
import { evidenceId, operationId } from '../../../domain/ids.ts'
import type { Command, Confirmation } from '../../../domain/messages.ts'
import { isOrderResting } from '../../../domain/order/record.ts'
import type { OrderRecord } from '../../../domain/order/record.ts'
import { entryIntoState, paidSequence } from '../../../domain/order/timeline.ts'
import { newEvidence, rawPlace } from '../../../store/evidence.ts'
import { callerActor } from '../../http/authentication.ts'
import { declareEndpoint } from '../../http/endpoint.ts'
import type { Endpoint, EndpointCall, HttpReply } from '../../http/endpoint.ts'
import { Problem, unavailableProblem } from '../../http/problem.ts'
import { checkOrderNow, isCodeStale, refreshCode } from '../../temporal/check.ts'
import { read_limit_ms, readAfterEffect, readOrderUntil } from '../../temporal/wait.ts'
import { awaitPlacement } from './endpoints.ts'
import { order_params, order_with_timeline, orderStateProblem, orderWithTimeline, requireOrder } from './shape.ts'
import type { OrderParams } from './shape.ts'

const order_response = { description: 'the order as it is now', schema: order_with_timeline }

async function orderReply(
  { context }: EndpointCall<unknown, unknown, unknown>,
  status: number,
  order: OrderRecord,
): Promise<HttpReply> {
  return { status, body: await orderWithTimeline(context, order) }
}

/** The problem for an order that was to end unpaid and did not: `order_paid`, else `order_state`. */
function notEndedProblem(order: OrderRecord, allowed: string[]): Problem {
  return order.payment
    ? new Problem('order_paid', { values: { state: order.state } })
    : orderStateProblem(order, allowed)
}

const closeOrder = declareEndpoint({
  name: 'closeOrder',
  method: 'POST',
  path: '/v1/orders/{out_trade_no}/close',
  scope: 'orders:write',
  summary: 'End an order that is not paid',
  description: 'An order is closed when WeChat Pay says so. After 202 read the order, or repeat the request.',
  params: order_params,
  responses: {
    200: { ...order_response, description: 'closed at WeChat Pay' },
    202: { ...order_response, description: 'closing: WeChat Pay is not yet certain' },
  },
  problems: ['not_found', 'order_paid', 'order_state'],
  handle: close,
})

const closable_states = ['created', 'awaiting_payment']
const ended_states = ['closed', 'failed']

async function close(call: EndpointCall<OrderParams>): Promise<HttpReply> {
  const { context, caller, params } = call
  const begun_ms = Date.now()
  const order = await requireOrder(context, caller.mchid, params.out_trade_no)
  if (ended_states.includes(order.state)) return orderReply(call, 200, order)
  if (closable_states.includes(order.state)) {
    const command: Command = { operation_id: `close:${randomUUID()}`, actor: callerActor(caller), reason: null }
    const question = { subject: `close:${order._id}`, mchid: caller.mchid, every_ms: 0, asked_by: 'merchant' } as const
    const outcome = await context.questions.put(question, () => context.commands.close(order, command))
    if (outcome === 'unavailable') throw unavailableProblem('temporal')
  } else if (order.state === 'closing') {
    // Starts the run again in case it was lost. A failure changes nothing: the record is read either way.
    await context.commands.startOrder(order).catch(() => undefined)
  }
  const left_ms = Math.max(0, read_limit_ms - (Date.now() - begun_ms))
  const latest = await requireOrder(context, caller.mchid, params.out_trade_no)
  const current = await readOrderUntil(
    context,
    latest,
    left_ms,
    ({ state }) => isOrderResting(state) || state === 'paid',
  )
  if (ended_states.includes(current.state)) return orderReply(call, 200, current)
  if (current.state === 'closing') return orderReply(call, 202, current)
  // No worker took the command in time, so it is not recorded, and 202 would promise what may not happen.
  if (closable_states.includes(current.state)) throw unavailableProblem('workers')
  throw notEndedProblem(current, [...closable_states, 'closing', 'closed'])
}

const checkOrder = declareEndpoint({
  name: 'checkOrder',
  method: 'POST',
  path: '/v1/orders/{out_trade_no}/check',
  scope: 'orders:write',
  summary: 'Ask WeChat Pay now',
  description: 'At most one question per 5 s and order; otherwise the last answer, see last_check_time.',
  params: order_params,
  responses: { 200: order_response },
  problems: ['not_found'],
  async handle(call) {
    const { context, caller, params } = call
    const order = await requireOrder(context, caller.mchid, params.out_trade_no)
    const asked = await checkOrderNow(context, order, callerActor(caller))
    return orderReply(call, 200, await readAfterEffect(context, asked, (key) => context.store.orders.find(key)))
  },
})

const renewCode = declareEndpoint({
  name: 'renewCode',
  method: 'POST',
  path: '/v1/orders/{out_trade_no}/code',
  scope: 'orders:write',
  summary: 'A code that can be paid by',
  description:
    'The stored code, or, when it is older than 110 minutes (of MWEB 4), a new one: the old code then dies. `client` is signed anew each time.',
  params: order_params,
  responses: {
    200: order_response,
    202: { ...order_response, description: 'not placed yet: WeChat Pay is silent. Repeat the request' },
  },
  problems: ['not_found', 'order_paid', 'order_state'],
  handle: renew,
})

async function renew(call: EndpointCall<OrderParams>): Promise<HttpReply> {
  const { context, caller, params } = call
  const found = await requireOrder(context, caller.mchid, params.out_trade_no)
  const placed = found.state === 'created' ? await awaitPlacement(context, found) : found
  if (placed.state === 'created') return orderReply(call, 202, placed)
  const order = await refreshCode(context, placed, callerActor(caller))
  if (order.state !== 'awaiting_payment') throw notEndedProblem(order, ['awaiting_payment'])
  if (isCodeStale(order, context.now(), context.policy)) throw unavailableProblem('workers')
  return orderReply(call, 200, order)
}

const fulfilment_request = z
  .strictObject({
    result: z.enum(['fulfilled', 'refused']).meta({ description: 'shipped, or cannot be' }),
    reason: z.string().min(1).max(200).nullish().meta({ description: 'required when refused' }),
  })
  .refine(({ result, reason }) => result === 'fulfilled' || Boolean(reason), {
    message: 'reason_required',
    path: ['reason'],
  })
  .meta({ id: 'FulfilmentRequest' })
type FulfilmentRequest = z.output<typeof fulfilment_request>

const confirmFulfilment = declareEndpoint({
  name: 'confirmFulfilment',
  method: 'POST',
  path: '/v1/orders/{out_trade_no}/fulfilment',
  scope: 'orders:write',
  summary: 'Say whether the paid order was fulfilled',
  description: 'Decided once: the same answer again is 200, another one 409. A refusal leads to a refund by default.',
  params: order_params,
  body: fulfilment_request,
  responses: {
    200: order_response,
    202: { ...order_response, description: 'kept durably; it takes effect as soon as a worker is back' },
  },
  problems: ['not_found', 'order_state', 'already_decided'],
  handle: confirm,
})

async function confirm(call: EndpointCall<OrderParams, unknown, FulfilmentRequest>): Promise<HttpReply> {
  const { context, caller, params, body } = call
  const order = await requireOrder(context, caller.mchid, params.out_trade_no)
  if (isDecided(order, body.result)) return orderReply(call, 200, order)
  const confirmation: Confirmation = {
    operation_id: operationId.confirmation(order.out_trade_no, paidSequence(order), body.result),
    actor: callerActor(caller),
    reason: body.reason ?? null,
    result: body.result,
  }
  const outcome = await context.commands.confirm(order, confirmation)
  const latest = await requireOrder(context, caller.mchid, params.out_trade_no)
  if (isDecided(latest, body.result)) return orderReply(call, 200, latest)
  if (typeof outcome === 'object' && outcome.kind === 'refused') throw orderStateProblem(latest, ['paid'])
  await keepConfirmation(call, confirmation)
  return orderReply(call, 202, latest)
}

/** True: decided as asked. False: still open. Throws `already_decided` when decided otherwise, else `order_state`. */
function isDecided(order: OrderRecord, wanted: 'fulfilled' | 'refused'): boolean {
  const { result } = order.fulfilment
  if (order.state === 'paid') return false
  const was_overdue = order.state === 'review' && entryIntoState(order)?.event === 'fulfilment_overdue'
  if (was_overdue && wanted === 'fulfilled') return false
  if (result === wanted) return true
  if (result === 'fulfilled' || result === 'refused') {
    throw new Problem('already_decided', { values: { result, reason: order.fulfilment.reason ?? '–' } })
  }
  throw orderStateProblem(order, ['paid'])
}

/** Archives a confirmation that no worker took as evidence, so that the sweeper hands it over later. */
async function keepConfirmation(call: EndpointCall<OrderParams>, confirmation: Confirmation): Promise<void> {
  const { context, caller, params, log } = call
  const body = JSON.stringify(confirmation)
  const _id = evidenceId.merchant(caller.mchid, confirmation.operation_id)
  await context.store.evidence.archive(
    newEvidence({
      _id,
      mchid: caller.mchid,
      kind: 'merchant',
      subject: 'payment',
      out_trade_no: params.out_trade_no,
      body,
      raw: context.store.sealer.seal(body, rawPlace({ _id })),
      receive_time: beijingTime(context.now()),
      unapplied: true,
    }),
  )
  log.warn('a fulfilment found no worker and is kept for the sweeper', { result: confirmation.result })
}

export const order_command_endpoints: readonly Endpoint[] = [closeOrder, checkOrder, renewCode, confirmFulfilment]
