import { cancellationSignal } from '@temporalio/activity'
import { milliseconds } from '../../domain/calendar.ts'
import { isPayersCheck, workflowId } from '../../domain/ids.ts'
import type { OrderKey } from '../../domain/ids.ts'
import { codeTerms, placedCode } from '../../domain/order/method.ts'
import { isOrderResting } from '../../domain/order/record.ts'
import type { OrderRecord, OrderState, OrderStep, PlacedCode, PlacementFailure } from '../../domain/order/record.ts'
import { isDenial, isMoneyFact } from '../../domain/payment/fact.ts'
import { nextQueryDelay, retryDelay } from '../../domain/policy.ts'
import { openOpenid } from '../../store/openid.ts'
import { sealWords } from '../../store/words.ts'
import { isProductRefusal, WeChatPayError } from '../../wechat/errors.ts'
import { bodyWithOpenid, closeOrder, paymentFact, placeOrder, queryOrder } from '../../wechat/payments.ts'
import type { OrderQueryResult } from '../../wechat/payments.ts'
import { currentTime } from '../context.ts'
import type { ActivityContext } from '../context.ts'
import { archiveQueryAnswer, archiveUnknownNumber } from '../evidence.ts'
import { againFailure, callFailure, callWeChat, notYetFailure } from '../failure.ts'
import { answerText, liftUnreachable, noteFailedCall, planStep, requireAccount } from '../gateway.ts'
import type { GatewayContext, WaitingRecord } from '../gateway.ts'
import { watchSetups } from '../setup.ts'
import { linkToBooked } from './payment.ts'
import { askSecondPayments } from './secondpayment.ts'
import type { CallSlots, NotTried } from '../slots.ts'

export type GatewayActivities = ReturnType<typeof createGateway>

type OrderCall = { order: OrderKey }

export type PlacementOutcome =
  | { kind: 'placed'; code: PlacedCode }
  /** `earlier_unknown`: an attempt before this one was never answered and may have been taken */
  | { kind: 'refused' | 'about_number'; failure: PlacementFailure; earlier_unknown: boolean }
  | { kind: 'too_late' }
  /** the record says that this step no longer fits: nothing was sent */
  | { kind: 'state'; state: OrderState }

export type QueryOutcome =
  | { kind: 'payment'; evidence_id: string }
  | { kind: 'closed'; evidence_id: string }
  /** not paid; `is_known`: WeChat has an order of this number */
  | { kind: 'unpaid'; is_known: boolean }
  | { kind: 'expired' }
  /** asked a moment ago: the last answer still stands */
  | { kind: 'nothing_new' }
  | { kind: 'state'; state: OrderState }

/**
 * Makes the activities that call WeChat Pay about orders. Each reads the record first and, when its step no longer fits,
 * answers with the state that holds, without acting, so that a reset or stale run does no harm (architecture §4.1). Their
 * retries are the waits.
 */
export function createGateway(base: ActivityContext, slots: CallSlots) {
  const context: GatewayContext = { ...base, setups: watchSetups(base) }
  return {
    place: async ({ order }: OrderCall) => await place(context, slots, await requireOrder(context, order)),
    placeInLine: (call: OrderCall) => placeInLine(context, slots, call),
    pollPayment: (call: OrderCall) => pollPayment(context, call),
    askOnRequest: (call: OrderCall & { operation_id: string }) => askOnRequest(context, call),
    askUntilAnswered: (call: OrderCall) => askUntilAnswered(context, call),
    closeAtWeChat: (call: OrderCall) => closeAtWeChat(context, call),
  }
}

/**
 * Places an order for the first time, as a local activity, with the same request and record. Where it fails the regular
 * activity goes on from the record.
 */
async function placeInLine(
  context: GatewayContext,
  slots: CallSlots,
  { order: key }: OrderCall,
): Promise<PlacementOutcome | NotTried> {
  const order = await requireOrder(context, key)
  const { mchid } = order
  const account = await context.accounts.find(mchid)
  const is_first = order.state === 'created' && order.placement.attempts === 0
  if (!is_first || account?.client.limits.state().breaker !== 'closed') return { kind: 'not_tried' }
  const release = slots.take(mchid, { kind: 'placement', id: mchid })
  if (release === null) return { kind: 'not_tried' }
  try {
    return await place(context, slots, order)
  } finally {
    release()
  }
}

/** Sends the frozen request. Sent again when the code is too old, it brings a new one, and the old one dies. */
async function place(context: GatewayContext, slots: CallSlots, order: OrderRecord): Promise<PlacementOutcome> {
  const is_renewal = order.state === 'awaiting_payment' && isCodeOld(context, order)
  if (order.state !== 'created' && !is_renewal) return { kind: 'state', state: order.state }
  if (order.close_sent_time !== null) return { kind: 'state', state: order.state }
  if (milliseconds(order.time_expire) - context.now() < context.policy.place_margin_ms) return { kind: 'too_late' }
  const wait_ms = placementDelay(context, order)
  if (wait_ms > 0) throw notYetFailure('the next placement is due later', wait_ms)
  const account = await requireAccount(context, order)
  const request = frozenRequest(context, order) // before the attempt is noted: what cannot be opened is not sent
  const earlier_unknown = order.placement.unanswered
  const attempts = order.placement.attempts + 1
  const attempt = { attempts, unanswered: true, last_attempt_time: currentTime(context) }
  if (!(await context.store.orders.notePlacement(order, order.state, attempt))) {
    return { kind: 'state', state: (await requireOrder(context, order)).state }
  }
  try {
    const answer = await slots.watch({ kind: 'placement', id: order.mchid }, () =>
      placeOrder(account.client.transport, order.trade_type, request, cancellationSignal()),
    )
    await context.setups.noteWorking(order.mchid)
    await context.setups.noteProductWorking(order.mchid, order.trade_type)
    // `unanswered` stays until the record holds the code: a notification may be here before that (domain/payment/record).
    const code = placedCode(answer, currentTime(context))
    return { kind: 'placed', code: sealWords(context.sealer, workflowId.order(order), code) }
  } catch (error) {
    // Definite only when nothing that this call sent may have been taken, on either host (wechat/transport).
    const is_unknown = !(error instanceof WeChatPayError) || error.outcome_unknown
    const unanswered = earlier_unknown || is_renewal || is_unknown
    if (!unanswered)
      await context.store.orders.notePlacement(order, order.state, answeredPlacement(order, attempt, error))
    const refusal = placementRefusal(error)
    if (refusal !== null && isProductRefusal(refusal.failure.code))
      await context.setups.noteProductRefused(order.mchid, order.trade_type)
    if (refusal !== null) return { ...refusal, earlier_unknown: unanswered }
    throw await failedCall(context, order, 'place', error, retryDelay(context.policy.place_retry_ms, attempts))
  }
}

/** Milliseconds until the moment that the attempt before has planned; another activity or run may have made that one. */
function placementDelay({ now }: GatewayContext, { placement, next_action }: OrderRecord): number {
  if (placement.attempts === 0 || next_action?.what !== 'place') return 0
  return Math.max(milliseconds(next_action.time) - now(), 0)
}

/**
 * Answers the placement that a definite answer leaves. At a limit of our own nothing was sent, so that the last attempt
 * stays the one before.
 */
function answeredPlacement(
  order: OrderRecord,
  attempt: OrderRecord['placement'],
  error: WeChatPayError,
): OrderRecord['placement'] {
  const was_sent = error.reason !== 'limit' && error.reason !== 'breaker'
  const { last_attempt_time } = was_sent ? attempt : order.placement
  return { ...attempt, unanswered: false, last_attempt_time }
}

/** Asks by plan until paid, closed or expired. The plan counts from placing, so a fresh start repeats nothing. */
async function pollPayment(context: GatewayContext, { order: key }: OrderCall): Promise<QueryOutcome> {
  const order = await requireOrder(context, key)
  if (order.state !== 'awaiting_payment') return { kind: 'state', state: order.state }
  const left_ms = milliseconds(order.time_expire) - context.now()
  if (left_ms <= 0) return { kind: 'expired' }
  const wait_ms = queryDelay(context, order)
  if (wait_ms > 0) throw await planNextQuery(context, order, Math.min(wait_ms, left_ms))
  const outcome = await queryOrderAtWeChat(context, order)
  if (outcome.kind !== 'unpaid') return outcome
  const placed_ms = order.code ? milliseconds(order.code.placed_time) : milliseconds(order.create_time)
  const delay_ms = nextQueryDelay(context.policy, context.now() - placed_ms)
  throw await planNextQuery(context, order, Math.min(delay_ms, Math.max(left_ms, 1)))
}

/** Asks WeChat once, because somebody wants to know now; at most once per `query_on_request_ms`. */
async function askOnRequest(
  context: GatewayContext,
  { order: key, operation_id }: OrderCall & { operation_id: string },
): Promise<QueryOutcome> {
  const order = await requireOrder(context, key)
  const last_ms = order.asked.last_time ? milliseconds(order.asked.last_time) : 0
  if (context.now() - last_ms < context.policy.query_on_request_ms) return { kind: 'nothing_new' }
  if (isPayersCheck(operation_id)) await context.store.orders.countPayersCheck(order)
  else await askSecondPayments(context, order)
  return await queryOrderAtWeChat(context, order)
}

/** Asks WeChat until it has answered, since the answer decides what happens next. Needs no order record. */
async function askUntilAnswered(context: GatewayContext, { order: key }: OrderCall): Promise<QueryOutcome> {
  const order = await context.store.orders.find(key)
  if (order !== null) return await queryOrderAtWeChat(context, order)
  const account = await requireAccount(context, key)
  const answer = await callWeChat(context, 'query', () =>
    queryOrder(account.client.transport, key, cancellationSignal()),
  )
  return await outcomeOf(context, key, answer)
}

/** Queries, closes and queries again, until an answer proves the order closed or paid (architecture §5, Close). */
async function closeAtWeChat(context: GatewayContext, { order: key }: OrderCall): Promise<QueryOutcome> {
  const order = await requireOrder(context, key)
  if (order.state !== 'closing') return { kind: 'state', state: order.state }
  const before = await queryForClose(context, order)
  if (before.kind !== 'unpaid') return before
  const said = await sendClose(context, order)
  const after = await queryForClose(context, order)
  if (after.kind !== 'unpaid') return after
  throw await planNextClose(context, order, said)
}

/** Sends the close. Answers what WeChat says instead of yes, or null: the query decides, and what it would meet is thrown. */
async function sendClose(context: GatewayContext, order: OrderRecord): Promise<string | null> {
  const account = await requireAccount(context, order)
  await context.store.orders.noteCloseSent(order, order.close_sent_time ?? currentTime(context))
  try {
    const result = await closeOrder(account.client.transport, order, cancellationSignal())
    return result.kind === 'closed' ? null : result.code
  } catch (error) {
    if (error instanceof WeChatPayError && error.kind !== 'setup' && error.kind !== 'slower') return answerText(error)
    throw await failedCall(context, order, 'close', error, closeDelay(context, order))
  }
}

async function requireOrder({ store }: GatewayContext, key: OrderKey): Promise<OrderRecord> {
  const order = await store.orders.find(key)
  if (order === null) throw againFailure(`order ${key.mchid}/${key.out_trade_no} is not in the database; restore it`)
  return order
}

function isCodeOld({ now, policy }: GatewayContext, { code, trade_type }: OrderRecord): boolean {
  return code !== null && now() - milliseconds(code.placed_time) >= codeTerms(policy, trade_type).renewal_ms
}

/** The bytes that place the order, the same each time; a payer's openid is opened for this moment alone. */
function frozenRequest({ sealer }: GatewayContext, order: OrderRecord): OrderRecord['wechat_request'] {
  const openid = openOpenid(sealer, order)
  const { path, body } = order.wechat_request
  return { path, body: openid === null ? body : bodyWithOpenid(body, openid) }
}

/** Answers what a refused placement is told; null: the error is no refusal. */
function placementRefusal(error: unknown): { kind: 'refused' | 'about_number'; failure: PlacementFailure } | null {
  if (!(error instanceof WeChatPayError) || error.kind !== 'refused') return null
  const failure = {
    code: error.code ?? String(error.status),
    message: error.wechat_message ?? '',
    number_taken: error.about_number,
    status: error.status,
  }
  return { kind: error.about_number ? 'about_number' : 'refused', failure }
}

/** Asks WeChat and keeps the answer as evidence when it decides something. */
async function queryOrderAtWeChat(context: GatewayContext, order: OrderRecord): Promise<QueryOutcome> {
  return await applyAnswer(context, order, await askWeChat(context, order))
}

/** Asks WeChat about an order; `except_host` has answered already, so that another host is asked. */
async function askWeChat(context: GatewayContext, order: OrderRecord, except_host?: string): Promise<OrderQueryResult> {
  const account = await requireAccount(context, order)
  try {
    return await queryOrder(account.client.transport, order, cancellationSignal(), except_host)
  } catch (error) {
    const step = order.state === 'closing' ? 'close' : 'ask_wechat'
    throw await failedCall(context, order, step, error, queryRetryDelay(context, order))
  }
}

async function applyAnswer(
  context: GatewayContext,
  order: OrderRecord,
  answer: OrderQueryResult,
): Promise<QueryOutcome> {
  const outcome = await outcomeOf(context, order, answer)
  // The moment is noted behind the evidence, so that whoever waits for it finds what the answer led to under way.
  await context.store.orders.noteAsked(order, currentTime(context))
  await liftUnreachable(waitingOrder(context, order))
  return outcome
}

async function outcomeOf(context: GatewayContext, key: OrderKey, answer: OrderQueryResult): Promise<QueryOutcome> {
  if (answer.kind === 'not_found') return { kind: 'unpaid', is_known: false }
  switch (answer.transaction.trade_state) {
    case 'SUCCESS':
    case 'REFUND':
      return { kind: 'payment', evidence_id: await archiveDecidingAnswer(context, key, answer) }
    case 'CLOSED':
    case 'REVOKED':
      return { kind: 'closed', evidence_id: await archiveDecidingAnswer(context, key, answer) }
    case 'NOTPAY':
    case 'USERPAYING':
    case 'PAYERROR':
      return { kind: 'unpaid', is_known: true }
  }
}

/**
 * Keeps an answer that says paid or closed. One that decides nothing, because it is incomplete or names another merchant, is
 * kept too and asked for again, slowly: a run that went on with it would come back at once, without end.
 */
async function archiveDecidingAnswer(
  context: GatewayContext,
  key: OrderKey,
  answer: OrderQueryResult & { kind: 'found' },
): Promise<string> {
  const evidence = await archiveQueryAnswer(context, key, answer)
  const fact = paymentFact(answer.transaction)
  if ((isDenial(fact) || isMoneyFact(fact)) && fact.mchid === key.mchid) {
    if (evidence.outcome === null) await linkToBooked(context, key, evidence, fact)
    return evidence._id
  }
  await context.store.merchants.noteAttention(key.mchid, 'evidence_unapplied', currentTime(context))
  context.log.error('WeChat says paid or closed in a way that decides nothing', { ...key, evidence_id: evidence.id })
  throw againFailure(`WeChat says ${fact.trade_state}, but not what, when or to whom`, context.policy.setup_retry_ms)
}

/**
 * Asks WeChat as `queryOrderAtWeChat` does, and takes a number that it does not know for closed, once nothing of ours can
 * still arrive there to open it. WeChat says so unsigned, so each of its hosts has to.
 */
async function queryForClose(context: GatewayContext, order: OrderRecord): Promise<QueryOutcome> {
  const first = await askWeChat(context, order)
  const outcome = await applyAnswer(context, order, first)
  const { last_attempt_time } = order.placement
  const quiet_ms = last_attempt_time === null ? Infinity : context.now() - milliseconds(last_attempt_time)
  if (first.kind !== 'not_found' || quiet_ms < context.policy.unknown_number_ms) return outcome
  const { host } = first.raw
  const second = host === undefined ? first : await askWeChat(context, order, host)
  if (second.kind !== 'not_found') return await applyAnswer(context, order, second)
  return {
    kind: 'closed',
    evidence_id: (await archiveUnknownNumber(context, order, [...new Set([first, second])]))._id,
  }
}

/**
 * Milliseconds until the plan's next question; 0 when one is due. A question asked since the last planned one counts.
 */
function queryDelay({ policy, now }: GatewayContext, order: OrderRecord): number {
  if (order.code === null) return 0
  const placed_ms = milliseconds(order.code.placed_time)
  const asked_ms = order.asked.last_time ? milliseconds(order.asked.last_time) : placed_ms
  const due_ms = asked_ms + nextQueryDelay(policy, Math.max(asked_ms - placed_ms, 0))
  return Math.max(due_ms - now(), 0)
}

/** Answers the failure that brings the activity back at the plan's next moment: not paid yet, and nothing is wrong. */
async function planNextQuery(context: GatewayContext, order: OrderRecord, delay_ms: number): Promise<Error> {
  if (order.attention) await context.store.orders.noteAttention(order, order.state, null)
  return await planStep(context, waitingOrder(context, order), { what: 'ask_wechat', delay_ms, reason: 'not paid yet' })
}

async function planNextClose(context: GatewayContext, order: OrderRecord, said: string | null): Promise<Error> {
  const closing_since = order.timeline.findLast((entry) => entry.to === 'closing')?.time ?? order.create_time
  const age_ms = context.now() - milliseconds(closing_since)
  const { close_uncertain } = context.policy.attention_ms
  const is_worrying = age_ms >= close_uncertain
  const planned_ms = closeDelay(context, order)
  // A wait of the plan ends at the moment at which a person is called, or he would be called late.
  const delay_ms = is_worrying ? planned_ms : Math.min(planned_ms, close_uncertain - age_ms)
  const uncertain = { code: 'close_uncertain', since_time: closing_since } as const
  const told = { ...uncertain, ...(said !== null && { detail: said }) }
  if (is_worrying) await context.store.orders.noteAttention(order, 'closing', told)
  const reason = 'WeChat has not confirmed the close yet'
  return await planStep(context, waitingOrder(context, order), { what: 'close', delay_ms, reason })
}

/** Answers the plan's wait by the time since the first close, since attempts are counted anew with each run. */
function closeDelay({ policy, now }: GatewayContext, order: OrderRecord): number {
  const since_ms = order.close_sent_time ? now() - milliseconds(order.close_sent_time) : 0
  let planned_ms = 0
  for (const delay_ms of policy.close_retry_ms) {
    planned_ms += delay_ms
    if (planned_ms > since_ms) return delay_ms
  }
  return policy.close_retry_ms.at(-1) ?? 1_000
}

function queryRetryDelay(context: GatewayContext, order: OrderRecord): number {
  return order.state === 'closing' ? closeDelay(context, order) : retryDelay(context.policy.place_retry_ms, 3)
}

function waitingOrder({ store }: GatewayContext, order: OrderRecord): WaitingRecord<OrderStep> {
  return {
    mchid: order.mchid,
    numbers: { out_trade_no: order.out_trade_no },
    attention: order.attention,
    is_resting: isOrderResting(order.state),
    noteNextAction: (next_action) => store.orders.noteNextAction(order, order.state, next_action),
    noteAttention: (attention) => store.orders.noteAttention(order, order.state, attention),
  }
}

/** Answers what a failed call is retried with. A placement has less patience, since the payer has no code meanwhile. */
async function failedCall(
  context: GatewayContext,
  order: OrderRecord,
  step: OrderStep,
  error: unknown,
  delay_ms: number,
): Promise<unknown> {
  if (!(error instanceof WeChatPayError)) return error
  const since = order.state === 'closing' ? order.close_sent_time : order.asked.last_time
  const attention = step === 'place' ? 'not_placed' : 'wechat_unreachable'
  const patience_ms = context.policy.attention_ms[attention]
  const failed = { error, step, delay_ms, since_time: since ?? order.create_time, attention, patience_ms } as const
  const wait_ms = await noteFailedCall(context, waitingOrder(context, order), failed)
  const is_kept_here = error.kind === 'refused' || error.kind === 'not_enough'
  return callFailure(error, wait_ms, is_kept_here ? 'again' : error.kind)
}
