import type { Actor } from '../../domain/actor.ts'
import { milliseconds } from '../../domain/calendar.ts'
import { operationId } from '../../domain/ids.ts'
import type { OrderKey } from '../../domain/ids.ts'
import type { Command } from '../../domain/messages.ts'
import { isOrderResting } from '../../domain/order/record.ts'
import type { OrderRecord } from '../../domain/order/record.ts'
import { limits } from '../../domain/policy.ts'
import type { Policy } from '../../domain/policy.ts'
import { unavailableProblem } from '../http/problem.ts'

/** What asking needs of the API's context: the record, the two commands that start the order's run, and a clock. */
export interface CheckContext {
  policy: Policy
  store: { orders: { find(key: OrderKey): Promise<OrderRecord | null> } }
  commands: {
    check(key: OrderKey, operation_id: string): Promise<unknown>
    refresh(key: OrderKey, command: Command): Promise<unknown>
  }
  now(): number
}

/** The record is read this often while an answer is awaited, and for at most so long (architecture §5, Updates). */
const read_interval_ms = 200
const check_limit_ms = 5_000
const code_limit_ms = 8_000
const renewal_window_ms = 10 * 60_000

/**
 * Asks WeChat about an order now, and answers with its record as it is then: at most one question per 5 s, from the
 * checkout page also 20 per order; beyond that, the last answer (api.md §1). Never throws for silence of WeChat, only
 * when the question could not be handed over (Temporal or the database is away).
 */
export async function checkOrderNow(context: CheckContext, order: OrderRecord, actor: Actor): Promise<OrderRecord> {
  if (!isCheckAllowed(order, actor, context.now(), context.policy)) return order
  const asked_before = order.asked.last_time
  await context.commands.check(orderKeyOf(order), operationId.check(actor.kind, crypto.randomUUID()))
  return readOrderUntil(
    context,
    order,
    (read) => read.asked.last_time !== asked_before || read.revision !== order.revision,
    check_limit_ms,
  )
}

/**
 * The order with a code that can be scanned: its own, or, when that is older than 110 min, the same order placed again
 * (the old code then dies). When no new code came within 8 s, the record as it is: look at `code.placed_time`.
 */
export async function refreshCode(context: CheckContext, order: OrderRecord, actor: Actor): Promise<OrderRecord> {
  if (!isCodeStale(order, context.now(), context.policy)) return order
  const placed_before = order.code?.placed_time ?? null
  const command = { operation_id: renewalOperationId(order, context.now()), actor, reason: null }
  const outcome = await context.commands.refresh(orderKeyOf(order), command)
  if (outcome === 'unavailable') throw unavailableProblem('temporal')
  return readOrderUntil(
    context,
    order,
    (read) => (read.code?.placed_time ?? null) !== placed_before || read.state !== order.state,
    code_limit_ms,
  )
}

/** True when the code of an order that can still be paid is too old, and there is time left to place it again. */
export function isCodeStale(order: OrderRecord, now_ms: number, policy: Policy): boolean {
  if (order.state !== 'awaiting_payment' || order.code === null) return false
  if (milliseconds(order.time_expire) - now_ms < policy.place_margin_ms) return false
  return now_ms - milliseconds(order.code.placed_time) >= policy.code_renewal_ms
}

/** Asking is of use while money may be found that is not known yet. */
function isCheckAllowed(order: OrderRecord, actor: Actor, now_ms: number, policy: Policy): boolean {
  if (order.payment !== null || order.state === 'failed') return false
  const by_payer = actor.kind === 'payer'
  if (by_payer && (isOrderResting(order.state) || order.asked.on_request >= limits.checks_by_payer)) return false
  const { last_time } = order.asked
  return last_time === null || now_ms - milliseconds(last_time) >= policy.query_on_request_ms
}

/**
 * Named after the code it replaces, so that the wish of several pages for the same code is one command. A wish that came
 * to nothing may be made anew ten minutes later.
 */
function renewalOperationId({ code, create_time }: OrderRecord, now_ms: number): string {
  const since = code?.placed_time ?? create_time
  return `code:${since}:${Math.floor((now_ms - milliseconds(since)) / renewal_window_ms)}`
}

/** Only the key leaves: a whole record in a call to Temporal would be a record in its history. */
function orderKeyOf({ mchid, out_trade_no }: OrderRecord): OrderKey {
  return { mchid, out_trade_no }
}

async function readOrderUntil(
  context: CheckContext,
  order: OrderRecord,
  isAnswer: (read: OrderRecord) => boolean,
  patience_ms: number,
): Promise<OrderRecord> {
  const deadline_ms = Date.now() + patience_ms // waiting happens on the wall's clock, whatever time `now` tells
  let latest = order
  while (Date.now() < deadline_ms) {
    await new Promise((resolve) => setTimeout(resolve, read_interval_ms))
    latest = (await context.store.orders.find(order)) ?? latest
    if (isAnswer(latest)) break
  }
  return latest
}
