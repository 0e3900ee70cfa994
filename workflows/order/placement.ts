import type { PlacementOutcome, QueryOutcome } from '../../activities/order/gateway.ts'
import { milliseconds } from '../../domain/calendar.ts'
import { operationId } from '../../domain/ids.ts'
import type { OrderProgress } from '../../domain/messages.ts'
import { runUntilInterrupted, waitWithin } from '../wait.ts'
import { timer_texts } from '../words.ts'
import { applyRecorded, askUntilInterrupted, startOwedRuns } from './run.ts'
import type { OrderRun } from './run.ts'

/** `created`: the frozen request is sent until WeChat gives a definite answer. Money or a wish to close goes first. */
export async function placeOrder(run: OrderRun, order: OrderProgress): Promise<OrderProgress> {
  const { records } = run.activities
  if (order.reference !== null) {
    const siblings = await runUntilInterrupted(
      run,
      () => run.activities.runs.closeOlder({ order: run.key }),
      'payment',
      'close',
    )
    if (siblings === null) return order
    if (siblings.kind !== 'clear') {
      const code = siblings.kind
      if (order.placement_unanswered) return await recordCloseByWeft(run, operationId.uncertainPlacement(), code)
      const message =
        siblings.kind === 'reference_paid'
          ? `order ${siblings.by} of the same reference is already paid`
          : 'its checkout is over, or has a newer number'
      const failure = { code, message, number_taken: false }
      return await applyRecorded(run, await records.recordPlacementRefused({ order: run.key, failure }))
    }
  }
  const placed = await requestPlacement(run)
  if (placed === null) return order
  switch (placed.kind) {
    case 'placed':
      return await applyRecorded(run, await records.recordPlaced({ order: run.key, code: placed.code }))
    case 'state':
      return await reloadOrder(run, order)
    case 'too_late':
      return await recordCloseByWeft(run, operationId.expired(), 'expired')
    case 'refused':
      // An earlier attempt may have been accepted: then the number can still be paid, and only a close ends that.
      if (placed.earlier_unknown)
        return await recordCloseByWeft(run, operationId.uncertainPlacement(), 'placement_refused')
      return await applyRecorded(run, await records.recordPlacementRefused({ order: run.key, failure: placed.failure }))
    case 'about_number': {
      const says = await askUntilInterrupted(run, () => run.activities.prove({ order: run.key }), 'payment', 'close')
      if (says === null) return order
      if (says.kind === 'payment') return await recordFoundPayment(run, order, says.evidence_id)
      if (placed.earlier_unknown)
        return await recordCloseByWeft(run, operationId.uncertainPlacement(), 'placement_refused')
      const number_taken = says.kind !== 'unpaid' || says.is_known
      const failure = { ...placed.failure, number_taken }
      return await applyRecorded(run, await records.recordPlacementRefused({ order: run.key, failure }))
    }
  }
}

/** Sends the request, the first time in line where WeChat is quick. Null: money or a wish to close came first. */
async function requestPlacement(run: OrderRun): Promise<PlacementOutcome | null> {
  const { activities, key, policy, inbox } = run
  if (policy.calls_in_line && !inbox.has('payment', 'close')) {
    const placed = await activities.placeInLine({ order: key })
    if (placed !== null) return placed
  }
  return await runUntilInterrupted(run, () => activities.place({ order: key }), 'payment', 'close')
}

/** `awaiting_payment`: wait for the inbox or the first question, then poll by plan until paid, closed or expired. */
export async function awaitPayment(run: OrderRun, order: OrderProgress): Promise<OrderProgress> {
  if (await waitForFirstQuery(run, order)) return order
  const says = await askUntilInterrupted(run, () => run.activities.poll({ order: run.key }))
  return says === null ? order : await applyQueryAnswer(run, order, says)
}

/** True when something came while nobody had to be asked yet. */
async function waitForFirstQuery(run: OrderRun, order: OrderProgress): Promise<boolean> {
  if (order.placed_time === null) return false
  // Jitter spreads the questions of orders that were placed together; Math.random is deterministic here.
  const jitter_ms = Math.floor(Math.random() * run.policy.first_query_jitter_ms)
  const first = milliseconds(order.placed_time) + run.policy.first_query_ms + jitter_ms
  const delay_ms = Math.min(first, milliseconds(order.time_expire)) - Date.now()
  if (delay_ms <= 0) return false
  return await waitWithin(delay_ms, () => !run.inbox.isEmpty, timer_texts.first_query)
}

/** What WeChat's answer to a question does to an open order. */
export async function applyQueryAnswer(
  run: OrderRun,
  order: OrderProgress,
  says: QueryOutcome,
): Promise<OrderProgress> {
  switch (says.kind) {
    case 'payment':
      return await recordFoundPayment(run, order, says.evidence_id)
    case 'closed':
      return await recordClosed(run, order, says.evidence_id)
    case 'expired':
      return await recordCloseByWeft(run, operationId.expired(), 'expired')
    case 'state':
      return await reloadOrder(run, order)
    case 'unpaid':
    case 'nothing_new':
      return order
  }
}

/** Books money that a question found. */
async function recordFoundPayment(run: OrderRun, order: OrderProgress, evidence_id: string): Promise<OrderProgress> {
  const recorded = await run.activities.records.recordPayment({ order: run.key, found: { evidence_id } })
  return recorded === 'unproven' ? order : await applyRecorded(run, recorded)
}

/** Closed is contested by money that may arrive in the same moment, so the step's answer is what counts. */
export async function recordClosed(run: OrderRun, order: OrderProgress, evidence_id: string): Promise<OrderProgress> {
  if (order.state !== 'awaiting_payment' && order.state !== 'closing') return order
  return await applyRecorded(run, await run.activities.contested.recordClosed({ order: run.key, evidence_id }))
}

async function recordCloseByWeft(run: OrderRun, operation_id: string, close_reason: string): Promise<OrderProgress> {
  const actor = { kind: 'weft' as const, id: null }
  const recorded = await run.activities.records.recordCloseAsked({
    order: run.key,
    operation_id,
    actor,
    reason: null,
    close_reason,
  })
  return await applyRecorded(run, recorded)
}

/** The record moved without this run, as after a reset: go on from what it says now. */
export async function reloadOrder(run: OrderRun, order: OrderProgress): Promise<OrderProgress> {
  const loaded = await run.activities.records.load(run.key)
  await startOwedRuns(run, loaded)
  return loaded.order ?? order
}
