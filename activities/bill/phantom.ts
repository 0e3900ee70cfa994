import { wechat_actor } from '../../domain/actor.ts'
import { stateRevision } from '../../domain/bill/difference.ts'
import type { DifferenceAnswer, DifferenceRecord } from '../../domain/bill/difference.ts'
import type { BillPolicy } from '../../domain/bill/reconciliation.ts'
import { beijingTime } from '../../domain/calendar.ts'
import { differenceId, operationId } from '../../domain/ids.ts'
import { orderStart, signals } from '../../domain/messages.ts'
import type { OrderRecord } from '../../domain/order/record.ts'
import { isInReviewByDenial, paymentDenial } from '../../domain/order/timeline.ts'
import { signalRun } from '../../runtime/runs.ts'
import type { RunStarter } from '../../runtime/runs.ts'
import type { Store } from '../../store/store.ts'
import type { ActivityContext } from '../context.ts'
import { moveDifference, newDifference } from './differences.ts'

/** What is done about a phantom works with this. */
export interface AcceptanceContext {
  context: ActivityContext
  starter: RunStarter
}

interface PhantomContext extends AcceptanceContext {
  policy: BillPolicy
}

/**
 * A payment that is booked here and that WeChat says was never made. It is one difference with the `missing_there` that
 * led to it, which it ends; the order hears of it by its own door, and does what its state allows.
 */
export async function notePhantom(
  ask: PhantomContext,
  difference: DifferenceRecord,
  answer: DifferenceAnswer,
): Promise<void> {
  const { context, policy } = ask
  const { mchid, bill_date, kind, transaction_id, out_trade_no, amount, weft } = difference
  if (transaction_id === null) return
  const fields = phantomFields(answer, await orderOf(context.store, difference))
  const patience_time = beijingTime(context.now() + policy.patience_ms)
  const due = { found_time: beijingTime(context.now()), patience_time }
  const sides = { transaction_id, out_trade_no, amount, fields, weft, ...due }
  const phantom = newDifference({ mchid, bill_date }, 'phantom_payment', transaction_id, sides)
  await context.store.differences.note([phantom])
  const known = await context.store.differences.find(phantom._id)
  if (kind === 'missing_there' && known?.state === 'healed') await moveDifference(context, phantom._id, 'returned')
  await handOverPhantom(ask, phantom._id, answer)
  // Last, and with its answer: one that is over is not asked about again, whoever died before.
  // Without a reason: that would say that another day's bill has it.
  if (kind === 'missing_there')
    await moveDifference(context, difference._id, 'vanished', { actor: wechat_actor, answer })
}

/** WeChat says now that it was paid: only the bill may still lack it, and what the order was told is taken back. */
export async function endPhantom(
  ask: PhantomContext,
  difference: DifferenceRecord,
  answer: DifferenceAnswer,
): Promise<void> {
  if (difference.transaction_id === null) return
  const { differences } = ask.context.store
  const known = await differences.find(differenceId(difference, 'phantom_payment', difference.transaction_id))
  if (known === null) return
  // Whether or not a person had accepted that it was never made.
  if (known.state === 'open' || known.state === 'settled') await moveDifference(ask.context, known._id, 'vanished')
  await handOverPhantom(ask, known._id, answer)
}

/**
 * Wakes the order's run where its order does not say yet what its phantom says: it reads itself which word holds. What no
 * order has to hear has no effect.
 */
async function handOverPhantom(parts: PhantomContext, phantom_id: string, answer: DifferenceAnswer): Promise<void> {
  const { differences } = parts.context.store
  const phantom = await differences.find(phantom_id)
  if (phantom === null) return
  await wakeOrder(parts, { ...phantom, answer }, answer)
  // Behind the signal: what is answered in a look is not asked about again in it.
  await differences.noteAnswer(phantom_id, answer)
}

async function wakeOrder(
  { context, starter }: PhantomContext,
  phantom: DifferenceRecord,
  { evidence_id, asked_time }: DifferenceAnswer,
): Promise<void> {
  const { differences, evidence } = context.store
  if (evidence_id === null) return
  const order = await orderOf(context.store, phantom)
  if (order === null || (await isPhantomTold(context, phantom))) {
    await evidence.recordOutcome(evidence_id, { outcome: 'no_effect', applied_to: null, time: asked_time })
    return
  }
  await signalRun(starter, orderStart(order), signals.payment_found, { evidence_id })
  for (const _id of [phantom._id, differenceId(phantom, 'missing_there', phantom.transaction_id ?? '')])
    await differences.noteHandedOver(_id, asked_time)
}

/**
 * A person accepted that the payment was never made. An order that only asks a person about it asks no more, and one that
 * wanted to give it back has nothing to give; one in review still waits for its decision.
 */
export async function tellDenied({ context, starter }: AcceptanceContext, phantom: DifferenceRecord): Promise<void> {
  const order = await orderOf(context.store, phantom)
  const evidence_id = phantom.answer?.evidence_id ?? null
  if (order === null || evidence_id === null) return
  const is_asking = paymentDenial(order) !== null && !isInReviewByDenial(order)
  if (is_asking || order.state === 'refunding')
    await signalRun(starter, orderStart(order), signals.payment_found, { evidence_id })
}

/** Whether a phantom that is over has left its order denied: then WeChat is asked once more, so that it comes back. */
export async function isDenialLeft(
  store: Pick<Store, 'orders'>,
  difference: Pick<DifferenceRecord, 'mchid' | 'kind' | 'state' | 'out_trade_no' | 'transaction_id'>,
): Promise<boolean> {
  if (difference.kind !== 'phantom_payment') return false
  const order = await orderOf(store, difference)
  if (order === null || paymentDenial(order) === null) return false
  // What a person ignored leaves a review to a person.
  return difference.state === 'healed' || !isInReviewByDenial(order)
}

/** Whether the order says what its phantom says; one of no order, or not of its own payment, has nothing to say. */
export async function isPhantomTold({ store }: ActivityContext, phantom: DifferenceRecord): Promise<boolean> {
  const order = await orderOf(store, phantom)
  if (phantom.state !== 'open') return !(await isDenialLeft(store, phantom))
  const is_told = order === null || hasHeard(order, phantom)
  const { answer } = phantom
  if (is_told && answer) await store.differences.note([{ ...phantom, fields: phantomFields(answer, order) }])
  return is_told
}

function hasHeard({ timeline }: OrderRecord, phantom: DifferenceRecord): boolean {
  const heard = operationId.denied(phantom.transaction_id ?? '', stateRevision(phantom))
  return timeline.some(({ operation_id }) => operation_id === heard)
}

async function orderOf(
  { orders }: Pick<Store, 'orders'>,
  { mchid, out_trade_no, transaction_id }: Pick<DifferenceRecord, 'mchid' | 'out_trade_no' | 'transaction_id'>,
): Promise<OrderRecord | null> {
  const order = out_trade_no === null ? null : await orders.find({ mchid, out_trade_no })
  return order?.payment?.transaction_id === transaction_id ? order : null
}

/** What disagrees, and what was done about it. */
function phantomFields({ says }: DifferenceAnswer, order: OrderRecord | null): string[] {
  return [`trade_state: ${says} at WeChat, SUCCESS here`, ...(order === null ? [] : effectOf(order))]
}

function effectOf(order: OrderRecord): string[] {
  const denial = paymentDenial(order)
  if (denial === null) return []
  if (denial.from !== 'paid') return [`the order was ${denial.from} already, and has attention phantom_payment`]
  const before = order.timeline.find(({ revision }) => revision === denial.revision - 1)
  const is_stopped = before?.event === 'fulfilment_stopped'
  return [`the order is in review${is_stopped ? ', and its fulfilment was taken back' : ''}`]
}
