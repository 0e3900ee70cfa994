import { CancellationScope, condition } from '@temporalio/workflow'
import type { DeliveryOutcome } from '../../activities/delivery/attempt.ts'
import type { FulfilmentEvent } from '../../activities/order/steps.ts'
import type { Actor } from '../../domain/actor.ts'
import { milliseconds } from '../../domain/calendar.ts'
import type { Time } from '../../domain/calendar.ts'
import { answer_events } from '../../domain/event/answer.ts'
import { operationId } from '../../domain/ids.ts'
import type { OrderProgress } from '../../domain/messages.ts'
import { waitWithin } from '../wait.ts'
import { timer_texts } from '../words.ts'
import { takeOrderItem } from './commands.ts'
import { applyRecorded, updateRun } from './run.ts'
import type { OrderRun } from './run.ts'

const weft: Actor = { kind: 'weft', id: null }
const merchant: Actor = { kind: 'merchant', id: null }

/** `paid`: what the merchant chose decides how the order becomes fulfilled. */
export async function fulfil(run: OrderRun, order: OrderProgress): Promise<OrderProgress> {
  switch (order.fulfilment.mode) {
    case 'none':
      return await recordFulfilmentAnswer(run, 'fulfilled', operationId.automatic(order.paid_sequence), weft, null)
    case 'confirm':
      return await awaitConfirmation(run, order)
    case 'event':
      if (order.stopped_sequence > 0) return await deliverCancellation(run, order)
      if (order.fulfilment.result === 'pending') return await awaitConfirmation(run, order)
      return await deliverPaid(run, order)
  }
}

/**
 * Mode `event`: this run delivers `order.paid` itself, and only that delivery's answer counts. A quick shop is asked in
 * line first; what comes meanwhile is taken after its answer is recorded, since the shop spoke before.
 */
async function deliverPaid(run: OrderRun, current: OrderProgress): Promise<OrderProgress> {
  const { deadline_time } = current.fulfilment
  if (run.policy.calls_in_line) {
    const { key, activities } = run
    const told = await activities.deliverPaidInLine({ order: key, sequence: current.paid_sequence, deadline_time })
    if (told !== null) return await applyDelivered(run, current, told)
  }
  const { order, outcome } = await deliverWhileTaking(run, current, current.paid_sequence, deadline_time)
  // `applyOrderEvent` decides whether this answer still counts: another may have been recorded first.
  return outcome === null ? order : await applyDelivered(run, order, outcome)
}

/**
 * Delivers `order.fulfilment_cancelled`, which the merchant must acknowledge before Weft refunds on its own. Acknowledged →
 * refund; never acknowledged → review.
 */
async function deliverCancellation(run: OrderRun, current: OrderProgress): Promise<OrderProgress> {
  const { order, outcome } = await deliverWhileTaking(run, current, current.stopped_sequence, null)
  if (outcome === null || order.state !== 'paid') return order
  if (outcome.kind === 'answered') return await applyDelivered(run, order, outcome)
  return await recordOverdue(run, order, outcome.kind === 'heard' ? 'heard' : 'unheard')
}

/**
 * Delivers one event of this order while facts and commands are taken beside it: a slow shop must not hold up a second
 * payment. What takes the order out of `paid`, or asks for all of the money back, calls the delivery off; an answer that
 * still arrived is handed back all the same. Null: none.
 */
async function deliverWhileTaking(
  run: OrderRun,
  current: OrderProgress,
  sequence: number,
  deadline_time: Time | null,
): Promise<{ order: OrderProgress; outcome: DeliveryOutcome | null }> {
  const scope = new CancellationScope()
  const delivery: { outcome?: DeliveryOutcome; failure?: Error } = {}
  const ended = scope
    .run(() => run.activities.deliverPaid({ order: run.key, sequence, deadline_time }))
    .then(
      (outcome) => void (delivery.outcome = outcome),
      (failure: Error) => void (delivery.failure = failure),
    )
  let order = current
  const isOver = () => 'outcome' in delivery || 'failure' in delivery
  // A promise ends the waiting for an answer, and not the waiting for a withdrawal to be heard.
  const isPromised = () => order.fulfilment.result === 'pending' && order.stopped_sequence !== sequence
  const isAwaited = () => order.state === 'paid' && !isPromised()
  while (!isOver() && isAwaited() && !run.inbox.has('refund_request')) {
    await condition(() => isOver() || !run.inbox.isEmpty)
    if (!isOver() && !run.inbox.has('refund_request')) order = await takeOrderItem(run, order)
  }
  const is_withdrawn = !isOver()
  if (is_withdrawn) scope.cancel()
  await ended
  if (delivery.failure !== undefined && !is_withdrawn) throw delivery.failure
  return { order, outcome: delivery.outcome ?? null }
}

async function applyDelivered(run: OrderRun, order: OrderProgress, delivered: DeliveryOutcome): Promise<OrderProgress> {
  switch (delivered.kind) {
    case 'answered': {
      const { result, reason } = delivered.answer
      const operation_id = operationId.answered(order.paid_sequence, result)
      return await recordFulfilmentAnswer(run, answer_events[result], operation_id, merchant, reason)
    }
    case 'overdue':
      return await recordOverdue(run, order)
    case 'heard':
    case 'undelivered':
    case 'cancelled':
    case 'no_endpoint':
      // Nobody answered by delivery; the merchant may still answer by itself until the deadline.
      return await awaitConfirmation(run, order)
  }
}

/** Waits for `confirmFulfilment` until the deadline of this entry into `paid`. */
async function awaitConfirmation(run: OrderRun, current: OrderProgress): Promise<OrderProgress> {
  if (current.state !== 'paid') return current
  const hasItem = () => !run.inbox.isEmpty
  if (hasItem()) return current
  const order = await waitForHalfTime(run, current, hasItem)
  if (hasItem()) return order
  const delay_ms = millisecondsUntil(order.fulfilment.deadline_time)
  if (delay_ms > 0 && (await waitWithin(delay_ms, hasItem, timer_texts.fulfilment_overdue))) return order
  return await recordOverdue(run, order)
}

/** An answer that was promised: when half of its time is gone a person hears of it. The record plans that moment. */
async function waitForHalfTime(run: OrderRun, order: OrderProgress, isAnswered: () => boolean): Promise<OrderProgress> {
  const { fulfilment, next_action } = order
  const is_promised = fulfilment.result === 'pending' && next_action?.what === 'await_fulfilment'
  if (!is_promised || millisecondsUntil(next_action.time) >= millisecondsUntil(fulfilment.deadline_time)) return order
  const delay_ms = millisecondsUntil(next_action.time)
  if (delay_ms > 0 && (await waitWithin(delay_ms, isAnswered, timer_texts.fulfilment_half))) return order
  return updateRun(run, await run.activities.records.noteLongPending({ order: run.key }))
}

/** Milliseconds until `time`; none where there is none. */
function millisecondsUntil(time: Time | null): number {
  return time === null ? 0 : milliseconds(time) - Date.now()
}

/** Records that the answer is overdue. `unheard`: the cancellation was never acknowledged, so a person decides. */
async function recordOverdue(
  run: OrderRun,
  order: OrderProgress,
  stop: 'heard' | 'unheard' = 'heard',
): Promise<OrderProgress> {
  const operation_id = operationId.overdue(order.paid_sequence)
  const recorded = await run.activities.contested.recordFulfilment({
    order: run.key,
    event: 'fulfilment_overdue',
    operation_id,
    actor: weft,
    reason: null,
    ...(stop === 'unheard' && { unheard: true }),
  })
  return await applyRecorded(run, recorded)
}

async function recordFulfilmentAnswer(
  run: OrderRun,
  event: FulfilmentEvent,
  operation_id: string,
  actor: Actor,
  reason: string | null,
): Promise<OrderProgress> {
  return await applyRecorded(
    run,
    await run.activities.records.recordFulfilment({ order: run.key, event, operation_id, actor, reason }),
  )
}
