import { z } from 'zod'
import type { ReviewDecision } from '../../../domain/messages.ts'
import type { OrderEvent, OrderRecord } from '../../../domain/order/record.ts'
import { entryIntoState, undecidedSecondPayments } from '../../../domain/order/timeline.ts'
import { refundableAmount } from '../../../domain/payment/record.ts'
import { endpoint } from '../../http/endpoint.ts'
import type { Call, Endpoint, Reply } from '../../http/endpoint.ts'
import { Problem, unavailable } from '../../http/problem.ts'
import { ruleError } from '../../http/validation.ts'
import { given_reason, isPlainText } from '../shapes.ts'
import { order_params, order_with_timeline, requireOrder, wholeOrder, wrongState } from './shape.ts'

type Params = z.output<typeof order_params>

const review_request = z
  .strictObject({
    decision: z.enum(['accept', 'reject']).meta({ description: 'keep the money as a sale, or give it back' }),
    reason: given_reason,
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
type ReviewCall = Call<Params, unknown, ReviewRequest>

const resolveReview = endpoint({
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
  answers: { 200: { description: 'the order as it is now', schema: order_with_timeline } },
  problems: ['not_found', 'order_state', 'already_decided'],
  handle: review,
})

async function review(call: ReviewCall): Promise<Reply> {
  const { context, caller, params, body } = call
  const order = await requireOrder(context, caller.mchid, params.out_trade_no)
  const subject = subjectOf(order, body.transaction_id ?? null)
  if (isDecided(call, order, subject)) return { status: 200, body: await wholeOrder(context, order) }
  const outcome = await context.commands.resolveReview(order, decisionOf(call, order, subject))
  const held = await requireOrder(context, caller.mchid, params.out_trade_no)
  if (isDecided(call, held, subject)) return { status: 200, body: await wholeOrder(context, held) }
  if (outcome === 'unavailable') throw unavailable('temporal')
  if (outcome === 'timeout') throw unavailable('workers')
  if (await isGivenBack(call, held, subject)) throw nothingLeft(call)
  throw wrongState(held, ['review'])
}

/** Accepting is refused by the run where all of the money has gone back; it is then only to be rejected. */
async function isGivenBack({ context, body }: ReviewCall, order: OrderRecord, subject: string | null) {
  const transaction_id = subject ?? order.payment?.transaction_id
  if (body.decision !== 'accept' || transaction_id === undefined) return false
  const payment = await context.store.payments.find(order.mchid, transaction_id)
  return payment !== null && refundableAmount(payment) === 0
}

function nothingLeft({ language }: ReviewCall): Problem {
  return new Problem('invalid_request', { errors: [ruleError('/decision', 'nothing_left', language)] })
}

/** A second payment's transaction, or null: the order's own. */
function subjectOf(order: OrderRecord, transaction_id: string | null): string | null {
  return transaction_id === order.payment?.transaction_id ? null : transaction_id
}

/**
 * Derived from what it decides: an order that came into review a second time is decided anew, the same word told twice
 * is one operation.
 */
function decisionOf({ caller, body }: ReviewCall, order: OrderRecord, subject: string | null): ReviewDecision {
  const what = subject ?? `own:${entryIntoState(order)?.revision ?? 0}`
  return {
    operation_id: `review:${what}:${body.decision}`,
    actor: { kind: 'merchant', id: caller.key.id },
    reason: body.reason,
    decision: body.decision,
    // Said even where it is the order's own: by the time the word is taken, only a second payment may be waiting.
    transaction_id: subject ?? order.payment?.transaction_id ?? null,
  }
}

const decisions: Partial<Record<OrderEvent, ReviewRequest['decision']>> = {
  accepted: 'accept',
  rejected: 'reject',
  second_accepted: 'accept',
  second_rejected: 'reject',
}

/** True: decided as asked. False: still open. Throws when it was decided otherwise, or there is nothing to decide. */
function isDecided(call: ReviewCall, order: OrderRecord, subject: string | null): boolean {
  if (subject === null ? order.state === 'review' : undecidedSecondPayments(order).includes(subject)) return false
  const entry = order.timeline.findLast(
    ({ event, transaction_id }) => event in decisions && (transaction_id ?? null) === subject,
  )
  if (entry === undefined) throw undecidable(call, order, subject)
  const result = decisions[entry.event] ?? '–'
  if (result === call.body.decision) return true
  throw new Problem('already_decided', { values: { result, reason: entry.reason ?? '–' } })
}

/** Nothing was ever to decide about it; where another payment waits, its number must be said: money is never guessed. */
function undecidable({ language }: ReviewCall, order: OrderRecord, subject: string | null): Problem {
  const waiting = undecidedSecondPayments(order)
  if (subject === null && waiting.length === 0) return wrongState(order, ['review'])
  const known = { known: waiting.join(', ') || '–' }
  return new Problem('invalid_request', { errors: [ruleError('/transaction_id', 'second_payment', language, known)] })
}

export const review_endpoints: readonly Endpoint[] = [resolveReview]
