import { wechat_actor, weft_actor } from '../../domain/actor.ts'
import type { Actor } from '../../domain/actor.ts'
import { beijingTime, milliseconds } from '../../domain/calendar.ts'
import { answer_events, readAnswerOf } from '../../domain/event/answer.ts'
import { decidingDelivery } from '../../domain/event/delivery.ts'
import { eventId, operationId, orderId, workflowId } from '../../domain/ids.ts'
import type { OrderKey } from '../../domain/ids.ts'
import type { MerchantRecord, MerchantSettings } from '../../domain/merchant/record.ts'
import type { Confirmation, LoadedOrder, OrderProgress, OrderWriteResult, PaymentFound } from '../../domain/messages.ts'
import { missingPlan } from '../../domain/order/plan.ts'
import type { OrderOccurrence, OrderRecord, PlacedCode, PlacementFailure } from '../../domain/order/record.ts'
import { askedSequence, paidSequence, stoppedSequence } from '../../domain/order/timeline.ts'
import { isConfirmationEvidence } from '../../domain/payment/evidence.ts'
import type { EvidenceRecord } from '../../domain/payment/evidence.ts'
import { isMoneyFact } from '../../domain/payment/fact.ts'
import { RecordMissing } from '../../store/connection.ts'
import { rawPlace } from '../../store/evidence.ts'
import { openWords } from '../../store/words.ts'
import { currentTime, requireMerchant } from '../context.ts'
import type { ActivityContext } from '../context.ts'
import { archiveEnvelope, readPaymentFact } from '../evidence.ts'
import { orderProgress } from '../progress.ts'
import { followUpMissed, followUpWrite } from './consequence.ts'
import { denialWord, joinedResults, recordDenial } from './denial.ts'
import type { DenialWord } from './denial.ts'
import { applyPayment, linkOvertakenAnswer } from './payment.ts'
import { recordRefundNews, recordRefundRequested } from './refundnews.ts'
import { recordReview } from './review.ts'

export type RecordActivities = ReturnType<typeof createRecords>
export type FulfilmentEvent = 'fulfilled' | 'fulfilment_pending' | 'fulfilment_refused' | 'fulfilment_overdue'

/**
 * Makes the activities that write an order's record: one conditional write each, repeatable, and then what follows from it
 * (event, deliveries, refunds). They run as local activities where the database is quick, else as regular ones.
 */
export function createRecords(context: ActivityContext) {
  const opened = <T extends object>(order: OrderKey, given: T) =>
    openWords(context.sealer, workflowId.order(order), given)
  return {
    load: (key: OrderKey) => load(context, key),
    recordPlaced: (given: Parameters<typeof recordPlaced>[1]) =>
      recordPlaced(context, { ...given, code: opened(given.order, given.code) }),
    recordRenewed: (given: Parameters<typeof recordRenewed>[1]) =>
      recordRenewed(context, { ...given, code: opened(given.order, given.code) }),
    recordPlacementRefused: (given: Parameters<typeof recordPlacementRefused>[1]) =>
      recordPlacementRefused(context, given),
    recordCloseAsked: (given: Parameters<typeof recordCloseAsked>[1]) =>
      recordCloseAsked(context, opened(given.order, given)),
    recordClosed: (given: Parameters<typeof recordClosed>[1]) => recordClosed(context, given),
    recordPayment: (given: Parameters<typeof recordPayment>[1]) => recordPayment(context, given),
    recordFulfilment: (given: Parameters<typeof recordFulfilment>[1]) =>
      recordFulfilment(context, opened(given.order, given)),
    recordReview: (given: Parameters<typeof recordReview>[1]) =>
      recordReview(context, opened(given.order, given)),
    recordRefundRequested: (given: Parameters<typeof recordRefundRequested>[1]) =>
      recordRefundAfterWord(context, opened(given.order, given)),
    recordRefundNews: (given: Parameters<typeof recordRefundNews>[1]) => recordRefundNews(context, given),
    noteLongPending: (given: Parameters<typeof noteLongPending>[1]) => noteLongPending(context, given),
  }
}

/** Loads the record for a run that begins, plans it where it has no plan, and does what a lost run still owed. */
async function load(context: ActivityContext, key: OrderKey): Promise<LoadedOrder> {
  const order = await context.store.orders.find(key)
  if (order === null) return { order: null, policy: context.policy, deliveries: [], refunds: [] }
  const nothing_owed = { order: null, deliveries: [], refunds: [] }
  const { order: changed, ...owed } = order.sequence === 0 ? nothing_owed : await followUpMissed(context, order)
  const current = changed ?? orderProgress(await planWhereMissing(context, order))
  return { order: current, policy: context.policy, ...owed }
}

/** Plans the next step of an open order that has none, or the sweeper would not find it once this run is lost too. */
async function planWhereMissing(context: ActivityContext, order: OrderRecord): Promise<OrderRecord> {
  const next_action = order.next_action === undefined ? missingPlan(order, currentTime(context)) : null
  if (next_action === null) return order
  await context.store.orders.noteNextAction(order, order.state, next_action)
  return { ...order, next_action }
}

async function recordPlaced(
  context: ActivityContext,
  { order, code }: { order: OrderKey; code: PlacedCode },
): Promise<OrderWriteResult> {
  const next_query_time = beijingTime(milliseconds(code.placed_time) + context.policy.first_query_ms)
  return writeAndFollowUp(context, order, () => ({
    event: 'placed',
    operation_id: operationId.placed(),
    time: currentTime(context),
    actor: weft_actor,
    code,
    next_query_time,
  }))
}

async function recordRenewed(
  context: ActivityContext,
  given: { order: OrderKey; code: PlacedCode; operation_id: string; actor: Actor },
): Promise<OrderWriteResult> {
  const { order, code, actor } = given
  const operation_id = operationId.renewed(given.operation_id)
  const next_query_time = beijingTime(milliseconds(code.placed_time) + context.policy.first_query_ms)
  const renewal = { event: 'code_renewed', operation_id, actor, code, next_query_time } as const
  // A reset run may write down a code later than a newer one, with which it died at WeChat.
  const isOlder = ({ code: there }: OrderRecord) =>
    there !== null && milliseconds(code.placed_time) < milliseconds(there.placed_time)
  return writeAndFollowUp(context, order, (current) =>
    isOlder(current) ? null : { ...renewal, time: currentTime(context) },
  )
}

async function recordPlacementRefused(
  context: ActivityContext,
  { order, failure }: { order: OrderKey; failure: PlacementFailure },
): Promise<OrderWriteResult> {
  const operation_id = operationId.placementRefused()
  return writeAndFollowUp(context, order, () => ({
    event: 'placement_refused',
    operation_id,
    time: currentTime(context),
    actor: weft_actor,
    failure,
  }))
}

async function recordCloseAsked(
  context: ActivityContext,
  given: {
    order: OrderKey
    operation_id: string
    actor: Actor
    reason: string | null
    close_reason: string
  },
): Promise<OrderWriteResult> {
  const { order, ...asked } = given
  return writeAndFollowUp(context, order, () => ({ event: 'close_asked', time: currentTime(context), ...asked }))
}

async function recordClosed(
  context: ActivityContext,
  { order, evidence_id }: { order: OrderKey; evidence_id: string },
): Promise<OrderWriteResult> {
  const operation_id = operationId.closedAtWeChat()
  const written = await writeAndFollowUp(context, order, () => ({
    event: 'closed_at_wechat',
    operation_id,
    time: currentTime(context),
    actor: wechat_actor,
    evidence_id,
  }))
  const outcome = written.outcome === 'illegal' ? 'no_effect' : 'applied'
  await context.store.evidence.recordOutcome(evidence_id, {
    outcome,
    applied_to: `${order.mchid}/${order.out_trade_no}`,
    time: currentTime(context),
  })
  return written
}

/**
 * Books money, whatever it turns out to be. `unproven`: what was signalled names no evidence that says so, and only
 * WeChat can (architecture §4.5).
 */
async function recordPayment(
  context: ActivityContext,
  given: { order: OrderKey; found: PaymentFound; has_open_question?: true },
): Promise<OrderWriteResult | 'unproven'> {
  const { order, found } = given
  const evidence =
    'evidence_id' in found
      ? await context.store.evidence.find(found.evidence_id)
      : await archiveEnvelope(context, order.mchid, found.envelope, 'payment')
  // Whoever sends a signal may name anything: what is said of a refund, or by the merchant, stays for whom it is for.
  const is_said_of_payment = evidence?.subject === 'payment' && !isConfirmationEvidence(evidence)
  if (evidence === null || evidence.mchid !== order.mchid || !is_said_of_payment) return 'unproven'
  const fact = await readPaymentFact(context, evidence)
  const word = await denialWord(context, order, evidence, fact)
  if (word !== null) return await recordDenialAfterWord(context, { order, evidence }, word)
  // Of an answer the number that was asked about counts: what it says of another one is judged, and calls a person.
  const about = evidence.kind === 'query' ? evidence.out_trade_no : fact?.out_trade_no
  if (fact !== null && about !== order.out_trade_no) {
    // The evidence was handed to the wrong run: it is about another order.
    context.log.error('evidence of another order was handed over', { ...order, evidence_id: evidence.id })
    await context.store.merchants.noteAttention(order.mchid, 'evidence_unapplied', currentTime(context))
    return 'unproven'
  }
  // A notification may become readable, when its key is here again; an answer of WeChat's says no more tomorrow.
  if (fact === null && evidence.kind === 'notification') return 'unproven'
  if (fact === null || !isMoneyFact(fact)) {
    // Evidence of money that lacks a part never gets the outcome `no_effect`: it stays unapplied, with attention.
    if (fact?.trade_state === 'SUCCESS' || fact?.trade_state === 'REFUND') {
      await context.store.merchants.noteAttention(order.mchid, 'evidence_unapplied', currentTime(context))
      return 'unproven'
    }
    await context.store.evidence.recordOutcome(evidence._id, {
      outcome: 'no_effect',
      applied_to: null,
      time: currentTime(context),
    })
    return 'unproven'
  }
  const applied = await applyPayment(context, order, evidence, fact)
  if (given.has_open_question) await linkOvertakenAnswer(context, order, fact)
  return applied
}

/** Records what the merchant answered, by delivery or by command, or that it did not answer in time. */
async function recordFulfilment(
  context: ActivityContext,
  given: {
    order: OrderKey
    event: FulfilmentEvent
    operation_id: string
    actor: Actor
    reason: string | null
    /** the endpoint never acknowledged `order.fulfilment_cancelled`: then the money does not go back by itself */
    unheard?: true
  },
): Promise<OrderWriteResult> {
  const { order } = given
  if (given.event === 'fulfilment_overdue') {
    const earlier = await recordArchivedConfirmation(context, order)
    if (earlier !== null) return earlier
  }
  const merchant = await requireMerchant(context, order.mchid)
  const is_unasked = given.event === 'fulfilment_overdue' && (await isShopUnasked(context, order, merchant))
  const occurrence = (current: OrderRecord) =>
    fulfilmentOccurrence(current, { ...given, is_unasked, time: currentTime(context) }, merchant.settings)
  return followUpWrite(context, await context.store.orders.apply(order, occurrence), { merchant })
}

/**
 * Whether the endpoint that would be told that the money goes back has never been told of the sale, since another one was
 * asked: its word that it heard proves nothing, and nothing is overdue there. A person decides.
 */
async function isShopUnasked(
  { store }: ActivityContext,
  key: OrderKey,
  { fulfilment_endpoint_id }: MerchantRecord,
): Promise<boolean> {
  const order = await store.orders.find(key)
  if (order === null || order.fulfilment.mode !== 'event' || fulfilment_endpoint_id === null) return false
  if (order.fulfilment.result !== null || stoppedSequence(order) > 0) return false
  const deliveries = await store.deliveries.ofEvent(key.mchid, eventId(key, paidSequence(order)))
  const asked = decidingDelivery(deliveries)
  if (asked === null || asked.endpoint_id === fulfilment_endpoint_id) return false
  const told = deliveries.find(({ endpoint_id }) => endpoint_id === fulfilment_endpoint_id)
  return told === undefined || told.attempts.length === 0
}

/**
 * Records a confirmation that the API kept (202) while no worker was there: it goes before anything that the merchant's
 * silence would bring about. Null: there is no such confirmation, or it decides nothing any more.
 */
async function recordArchivedConfirmation(context: ActivityContext, key: OrderKey): Promise<OrderWriteResult | null> {
  const { store } = context
  const [order, archived] = await Promise.all([
    store.orders.find(key),
    store.evidence.ofOrder(key.mchid, key.out_trade_no),
  ])
  if (order === null) return null
  for (const evidence of archived.filter((kept) => isConfirmationEvidence(kept) && kept.outcome === null)) {
    const confirmation =
      'sealed' in evidence.raw
        ? (JSON.parse(store.sealer.open(evidence.raw, rawPlace(evidence))) as Confirmation)
        : null
    if (confirmation === null || !isConfirmationOf(order, confirmation)) continue
    const event = answer_events[confirmation.result]
    const written = await recordFulfilment(context, { order: key, ...confirmation, event })
    const outcome = written.outcome === 'illegal' ? 'no_effect' : 'applied'
    await store.evidence.recordOutcome(evidence._id, { outcome, applied_to: orderId(key), time: currentTime(context) })
    if (written.outcome !== 'illegal') return written
  }
  return null
}

/** Whether the confirmation is about the `order.paid` that the order waits for now. */
function isConfirmationOf(order: OrderRecord, { operation_id, result }: Confirmation): boolean {
  return operation_id === operationId.confirmation(order.out_trade_no, paidSequence(order), result)
}

/**
 * Records that all of the money is to go back. What the merchant had said before decides first: its answer to
 * `order.paid`, which a lost run heard and did not write down, or its call that found no worker.
 */
async function recordRefundAfterWord(
  context: ActivityContext,
  given: Parameters<typeof recordRefundRequested>[1],
): Promise<OrderWriteResult> {
  const earlier = await recordEarlierWord(context, given.order)
  const asked = await recordRefundRequested(context, given)
  return earlier === null ? asked : joinedResults(earlier, asked)
}

/** Records that WeChat denies the order's payment, or that this is over. What the merchant had said decides first. */
async function recordDenialAfterWord(
  context: ActivityContext,
  { order, evidence }: { order: OrderKey; evidence: EvidenceRecord },
  word: DenialWord,
): Promise<OrderWriteResult> {
  const earlier = word.says === 'denied' ? await recordEarlierWord(context, order) : null
  const denied = await recordDenial(context, order, word, evidence)
  return earlier === null ? denied : joinedResults(earlier, denied)
}

/** Records what the merchant had said of its fulfilment and nobody wrote down; null: nothing. */
async function recordEarlierWord(context: ActivityContext, order: OrderKey): Promise<OrderWriteResult | null> {
  return (await recordHeardAnswer(context, order)) ?? (await recordArchivedConfirmation(context, order))
}

async function recordHeardAnswer(context: ActivityContext, key: OrderKey): Promise<OrderWriteResult | null> {
  const order = await context.store.orders.find(key)
  if (order === null || askedSequence(order) !== paidSequence(order) || order.state !== 'paid') return null
  const sequence = paidSequence(order)
  const deliveries = await context.store.deliveries.ofEvent(key.mchid, eventId(key, sequence))
  const asked = decidingDelivery(deliveries)
  const answer = asked?.state === 'delivered' ? readAnswerOf(asked) : null
  if (answer === null) return null
  const { result, reason } = answer
  const operation_id = operationId.answered(sequence, result)
  const actor = { kind: 'merchant', id: null } as const
  return await recordFulfilment(context, { order: key, event: answer_events[result], operation_id, actor, reason })
}

/** Raises attention when half of the time of a promised answer is gone. Attention that stands keeps its code. */
async function noteLongPending(context: ActivityContext, { order: key }: { order: OrderKey }): Promise<OrderProgress> {
  const { orders } = context.store
  const order = await orders.find(key)
  if (order === null) throw new RecordMissing(orderId(key))
  const { deadline_time, result } = order.fulfilment
  if (order.state !== 'paid' || result !== 'pending') return orderProgress(order)
  if (!order.attention) await orders.noteAttention(key, 'paid', { code: 'fulfilment_pending', since_time: currentTime(context) })
  if (deadline_time) await orders.noteNextAction(key, 'paid', { what: 'await_fulfilment', time: deadline_time })
  return orderProgress((await orders.find(key)) ?? order)
}

/** Writes one occurrence, then does what follows from it; done before counts as done. */
async function writeAndFollowUp(
  context: ActivityContext,
  order: OrderKey,
  occurrence: (order: OrderRecord) => OrderOccurrence | null,
): Promise<OrderWriteResult> {
  return followUpWrite(context, await context.store.orders.apply(order, occurrence))
}

/** Answers the event for an answer or its absence; before Weft refunds by itself, it is `fulfilment_stopped`. */
function fulfilmentOccurrence(
  order: OrderRecord,
  given: {
    event: FulfilmentEvent
    operation_id: string
    actor: Actor
    reason: string | null
    time: string
    unheard?: true
    is_unasked: boolean
  },
  { fulfilment }: MerchantSettings,
): OrderOccurrence {
  const { event, operation_id, actor, reason, time, is_unasked } = given
  const cause = { operation_id, actor, reason, time }
  if (event === 'fulfilment_refused') return { event, ...cause, choice: fulfilment.on_refused }
  if (event !== 'fulfilment_overdue') return { event, ...cause }
  const must_stop = fulfilment.on_overdue === 'refund' && order.fulfilment.mode === 'event' && order.state === 'paid'
  if (must_stop && stoppedSequence(order) === 0 && !is_unasked) {
    return { event: 'fulfilment_stopped', ...cause, operation_id: operationId.stopped(paidSequence(order)) }
  }
  return { event, ...cause, choice: given.unheard || is_unasked ? 'hold' : fulfilment.on_overdue }
}
