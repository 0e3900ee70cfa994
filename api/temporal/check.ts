import type { Actor } from '../../domain/actor.ts'
import { milliseconds } from '../../domain/calendar.ts'
import { operationId } from '../../domain/ids.ts'
import type { OrderKey } from '../../domain/ids.ts'
import type { Command } from '../../domain/messages.ts'
import { codeTerms } from '../../domain/order/method.ts'
import { isOrderResting } from '../../domain/order/record.ts'
import type { OrderRecord } from '../../domain/order/record.ts'
import { limits } from '../../domain/policy.ts'
import type { Policy } from '../../domain/policy.ts'
import { TemporalUnavailable } from './calls.ts'
import type { Questions } from './question.ts'
import { check_limit_ms, read_limit_ms, readOrderUntil } from './wait.ts'

/** The part of the API's context that a check needs: the record, the two commands to the order's run, who else asks, and a clock. */
export interface CheckContext {
  policy: Policy
  questions: Questions
  store: { orders: { find(key: OrderKey): Promise<OrderRecord | null> } }
  commands: {
    check(key: OrderKey, operation_id: string): Promise<unknown>
    refresh(key: OrderKey, command: Command): Promise<unknown>
  }
  now(): number
}

/**
 * Has WeChat Pay queried about an order now, and returns the record as it then is: at most one query per 5 s, from the
 * checkout page also 20 per order; beyond that, the record as it is (api.md §1). All who ask at once share one signal
 * and its outcome. Silence of WeChat Pay is no error. Throws `rate_limited` for too many orders of one merchant at once,
 * TemporalUnavailable when the run could not be signalled, StoreUnavailable without the database.
 */
export async function checkOrderNow(context: CheckContext, order: OrderRecord, actor: Actor): Promise<OrderRecord> {
  const asked_before = order.asked.last_time
  const isAnswered = (read: OrderRecord) => read.asked.last_time !== asked_before || read.revision !== order.revision
  const asked = await putCheck(context, order, actor, () => readOrderUntil(context, order, check_limit_ms, isAnswered))
  return asked ?? order
}

/**
 * Has WeChat Pay queried about one of many orders, under the same limits, and waits for no answer: the record will hold
 * it. False: it may not be asked about now, or was asked about in the last 5 s. Throws as checkOrderNow does.
 */
export async function sendCheck(context: CheckContext, order: OrderRecord, actor: Actor): Promise<boolean> {
  let is_sent = false
  await putCheck(context, order, actor, () => {
    is_sent = true
    return Promise.resolve(order)
  })
  return is_sent
}

/**
 * Signals the run, then answers what `follow` does. Null: it may not be asked about now; who asks meanwhile shares the
 * outcome.
 */
async function putCheck(
  context: CheckContext,
  order: OrderRecord,
  actor: Actor,
  follow: () => Promise<OrderRecord>,
): Promise<OrderRecord | null> {
  const { policy, questions, commands } = context
  if (!isCheckAllowed(order, actor, context.now(), policy)) return null
  const question = {
    subject: `check:${order._id}`,
    mchid: order.mchid,
    every_ms: policy.query_on_request_ms,
    asked_by: actor.kind === 'payer' ? 'payer' : 'merchant',
  } as const
  return await questions.put(question, async () => {
    await commands.check(orderKeyOf(order), operationId.check(actor.kind, crypto.randomUUID()))
    return await follow()
  })
}

/**
 * Returns the order with a code that can be paid by: its own, or, when that is too old (`codeTerms`), a new one for which
 * the order is placed again (the old code then dies). Without a new code within 8 s the record keeps its old
 * `code.placed_time`. Throws TemporalUnavailable.
 */
export async function refreshCode(context: CheckContext, order: OrderRecord, actor: Actor): Promise<OrderRecord> {
  if (!isCodeStale(order, context.now(), context.policy)) return order
  const question = { subject: `code:${order._id}`, mchid: order.mchid, every_ms: 0, asked_by: 'merchant' } as const
  return (await context.questions.put(question, () => renewCode(context, order, actor))) ?? order
}

async function renewCode(context: CheckContext, order: OrderRecord, actor: Actor): Promise<OrderRecord> {
  const placed_before = order.code?.placed_time ?? null
  const command = { operation_id: renewalOperationId(order, context.now(), context.policy), actor, reason: null }
  const outcome = await context.commands.refresh(orderKeyOf(order), command)
  if (outcome === 'unavailable') throw new TemporalUnavailable()
  return readOrderUntil(
    context,
    order,
    read_limit_ms,
    (read) => (read.code?.placed_time ?? null) !== placed_before || read.state !== order.state,
  )
}

/** True when the code of an order that can still be paid is too old, and there is time left to place it again. */
export function isCodeStale(order: OrderRecord, now_ms: number, policy: Policy): boolean {
  if (order.state !== 'awaiting_payment' || order.code === null) return false
  if (milliseconds(order.time_expire) - now_ms < policy.place_margin_ms) return false
  return now_ms - milliseconds(order.code.placed_time) >= codeTerms(policy, order.trade_type).renewal_ms
}

/** True while a query may find money that is not known yet, and the limits of checkOrderNow are not used up. */
function isCheckAllowed(order: OrderRecord, actor: Actor, now_ms: number, policy: Policy): boolean {
  const is_resting = isOrderResting(order.state)
  // Of an order that has ended a merchant may ask: late money, or a refund made outside, may be seen there alone.
  if (order.payment !== null && !is_resting) return false
  if (actor.kind === 'payer' && (is_resting || order.asked.on_request >= limits.checks_by_payer)) return false
  const { last_time } = order.asked
  return last_time === null || now_ms - milliseconds(last_time) >= policy.query_on_request_ms
}

/**
 * The operation id of a renewal, derived from the code it replaces, so that several pages that ask for the same code
 * send one command. Temporal answers the same id from the first one, so that one that came to nothing has to be sent
 * anew under another: after as long as an old code still lives, ten minutes, of H5 one.
 */
function renewalOperationId({ code, create_time, trade_type }: OrderRecord, now_ms: number, policy: Policy): string {
  const since = code?.placed_time ?? create_time
  const { life_ms, renewal_ms } = codeTerms(policy, trade_type)
  const window_ms = Math.max(1, life_ms - renewal_ms) // time that runs very fast leaves nothing between the two
  return `code:${since}:${Math.floor((now_ms - milliseconds(since)) / window_ms)}`
}

/** Only the key, since a whole record in a call to Temporal would be stored in its history. */
function orderKeyOf({ mchid, out_trade_no }: OrderRecord): OrderKey {
  return { mchid, out_trade_no }
}
