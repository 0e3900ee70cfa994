import { z } from 'zod'
import type { ReviewDecision } from '../../../domain/messages.ts'
import type { OrderEvent, OrderRecord } from '../../../domain/order/record.ts'
import { entryIntoState, undecidedSecondPayments } from '../../../domain/order/timeline.ts'
import { refundableAmount } from '../../../domain/payment/record.ts'
import { callerActor } from '../../http/authentication.ts'
import { declareEndpoint } from '../../http/endpoint.ts'
import type { Endpoint, EndpointCall, HttpReply } from '../../http/endpoint.ts'
import { Problem, unavailableProblem } from '../../http/problem.ts'
import { ruleError } from '../../http/validation.ts'
import { isPlainText, request_reason } from '../shapes.ts'
import { order_params, order_with_timeline, orderStateProblem, orderWithTimeline, requireOrder } from './shape.ts'
import type { OrderParams } from './shape.ts'

const review_request = z
  .strictObject({
    decision: z.enum(['accept', 'reject']).meta({ description: 'keep the money as a sale, or give it back' }),
    reason: request_reason,
    transaction_id: z
      .string()
      .min(1)
      .max(32)
      .refine(isPlainText, 'text')
      .nullish()
      .meta({ description: 'a second payment of the order; its own payment when absent' }),
  })
  .meta({ id: 'ReviewRequest' })
type ReviewRequest = z.output<typeof review_request>
type ReviewCall = EndpointCall<OrderParams, unknown, ReviewRequest>

const resolveReview = declareEndpoint({
  name: 'resolveReview',
  method: 'POST',
  path: '/v1/orders/{out_trade_no}/review',
  scope: 'orders:decide',
  summary: 'Decide on money that waits for a person',
  description:
    'Of an order in review, or of a second payment named by transaction_id. Rejected money goes back by itself. Decided ' +
    'once: the same answer again is 200, another one 409.',
  params: order_params,
  body: review_request,
  responses: { 200: { description: 'the order as it is now', schema: order_with_timeline } },
  problems: ['not_found', 'order_state', 'already_decided'],
  handle: review,
})

async function review(call: ReviewCall): Promise<HttpReply> {
  const { context, caller, params, body } = call
  const order = await requireOrder(context, caller.mchid, params.out_trade_no)
  const subject = subjectOf(order, body.transaction_id ?? null)
  if (isDecided(call, order, subject)) return { status: 200, body: await orderWithTimeline(context, order) }
  const outcome = await context.commands.resolveReview(order, decisionOf(call, order, subject))
  const current = await requireOrder(context, caller.mchid, params.out_trade_no)
  if (isDecided(call, current, subject)) return { status: 200, body: await orderWithTimeline(context, current) }
  if (outcome === 'unavailable') throw unavailableProblem('temporal')
  if (outcome === 'timeout') throw unavailableProblem('workers')
  if (await isGivenBack(call, current, subject)) throw nothingLeftProblem(call)
  throw orderStateProblem(current, ['review'])
}

/** Sends a decision on money in review. The run refuses `accept` where all of the money has gone back. */
async function isGivenBack({ context, body }: ReviewCall, order: OrderRecord, subject: string | null) {
  const transaction_id = subject ?? order.payment?.transaction_id
  if (body.decision !== 'accept' || transaction_id === undefined) return false
  const payment = await context.store.payments.find(order.mchid, transaction_id)
  return payment !== null && refundableAmount(payment) === 0
}

function nothingLeftProblem({ language }: ReviewCall): Problem {
  return new Problem('invalid_request', { errors: [ruleError('/decision', 'nothing_left', language)] })
}

/** A second payment's transaction, or null: the order's own. */
function subjectOf(order: OrderRecord, transaction_id: string | null): string | null {
  return transaction_id === order.payment?.transaction_id ? null : transaction_id
}

/**
 * The operation id of a decision, derived from the review it ends: the same decision sent twice is one operation, and
 * an order that came into review a second time is decided anew.
 */
function decisionOf({ caller, body }: ReviewCall, order: OrderRecord, subject: string | null): ReviewDecision {
  const what = subject ?? `own:${entryIntoState(order)?.revision ?? 0}`
  return {
    operation_id: `review:${what}:${body.decision}`,
    actor: callerActor(caller),
    reason: body.reason,
    decision: body.decision,
    // Named even if it is the order's own: by the time the run takes the decision, only a second payment may be in
    // review.
    transaction_id: subject ?? order.payment?.transaction_id ?? null,
  }
}

const decision_of_event: Partial<Record<OrderEvent, ReviewRequest['decision']>> = {
  accepted: 'accept',
  rejected: 'reject',
  second_accepted: 'accept',
  second_rejected: 'reject',
}

/** True: decided as asked. False: still open. Throws when it was decided otherwise, or there is nothing to decide. */
function isDecided(call: ReviewCall, order: OrderRecord, subject: string | null): boolean {
  if (subject === null ? order.state === 'review' : undecidedSecondPayments(order).includes(subject)) return false
  const entry = order.timeline.findLast(
    ({ event, transaction_id }) => event in decision_of_event && (transaction_id ?? null) === subject,
  )
  if (entry === undefined) throw undecidableProblem(call, order, subject)
  const result = decision_of_event[entry.event] ?? '–'
  if (result === call.body.decision) return true
  throw new Problem('already_decided', { values: { result, reason: entry.reason ?? '–' } })
}

/**
 * The problem for a payment that was never in review. Where another payment is, its number must be given: Weft never
 * guesses.
 */
function undecidableProblem({ language }: ReviewCall, order: OrderRecord, subject: string | null): Problem {
  const waiting = undecidedSecondPayments(order)
  if (subject === null && waiting.length === 0) return orderStateProblem(order, ['review'])
  const known = { known: waiting.join(', ') || '–' }
  return new Problem('invalid_request', { errors: [ruleError('/transaction_id', 'second_payment', language, known)] })
}

export const review_endpoints: readonly Endpoint[] = [resolveReview]
