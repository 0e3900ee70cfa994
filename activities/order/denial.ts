import { wechat_actor, weft_actor } from '../../domain/actor.ts'
import { beijingDay, beijingTime, milliseconds } from '../../domain/calendar.ts'
import { stateRevision } from '../../domain/bill/difference.ts'
import type { DifferenceRecord } from '../../domain/bill/difference.ts'
import { differenceId, operationId, orderId } from '../../domain/ids.ts'
import type { OrderKey } from '../../domain/ids.ts'
import type { OrderWriteResult } from '../../domain/messages.ts'
import type { OrderOccurrence, OrderRecord } from '../../domain/order/record.ts'
import { isInReviewByDenial, paidSequence } from '../../domain/order/timeline.ts'
import type { EvidenceRecord } from '../../domain/payment/evidence.ts'
import { isDenial, isMoneyFact } from '../../domain/payment/fact.ts'
import type { PaymentFact } from '../../domain/payment/fact.ts'
import { requireMerchant } from '../context.ts'
import type { ActivityContext } from '../context.ts'
import { followUpWrite } from './consequence.ts'

/** What a bill's evidence says of a payment that is booked: it was never made, or that is over. */
export interface DenialWord {
  says: 'denied' | 'paid' | 'settled'
  /** the phantom of the payment's day: which word holds is written there, in whatever order evidence arrives */
  phantom: DifferenceRecord
}

/**
 * What evidence of kind `bill_line` says of the order's own payment, where the proof of its day ever took that for a
 * phantom. Null: it says nothing of that, and goes the way of any evidence.
 */
export async function denialWord(
  { store }: ActivityContext,
  key: OrderKey,
  { kind, verdict, transaction_id }: EvidenceRecord,
  fact: PaymentFact | null,
): Promise<DenialWord | null> {
  if (kind !== 'bill_line') return null
  const order = await store.orders.find(key)
  if (!order?.payment || order.payment.transaction_id !== transaction_id) return null
  const phantom = await store.differences.find(phantomId(order.mchid, order.payment))
  if (phantom === null) return null
  const is_denial = fact === null ? verdict === 'unsigned' : isDenial(fact)
  if (phantom.state === 'open') return is_denial ? { says: 'denied', phantom } : null
  if (phantom.state !== 'healed') return { says: 'settled', phantom }
  return fact !== null && isMoneyFact(fact) ? { says: 'paid', phantom } : null
}

/** The phantom belongs to the day on which the payment should have been in the bill. */
function phantomId(mchid: string, payment: { transaction_id: string; success_time: string }): string {
  const bill_date = beijingDay(milliseconds(payment.success_time))
  return differenceId({ mchid, bill_date }, 'phantom_payment', payment.transaction_id)
}

/**
 * Records WeChat's word on a payment that is booked. Denied: an open fulfilment is stopped, then the order goes to review;
 * one that is fulfilled, or goes back already, only asks a person. Paid after all: what the denial took into review is
 * paid again. Each once for each time that the phantom was opened or ended.
 */
export async function recordDenial(
  context: ActivityContext,
  key: OrderKey,
  word: DenialWord,
  evidence: EvidenceRecord,
): Promise<OrderWriteResult> {
  const { store, now } = context
  const { settings } = await requireMerchant(context, key.mchid)
  const stopped =
    word.says === 'denied'
      ? await store.orders.apply(key, (order) => stopOccurrence(order, evidence, beijingTime(now())))
      : null
  const before = stopped === null ? null : await followUpWrite(context, stopped)
  const deadline_time = beijingTime(now() + settings.fulfilment.deadline_in * 1000)
  const applied = await store.orders.apply(key, (order) =>
    denialOccurrence(order, word, evidence, { time: beijingTime(now()), deadline_time }),
  )
  const after = await followUpWrite(context, applied)
  const outcome = applied.outcome === 'illegal' ? 'no_effect' : 'applied'
  await store.evidence.recordOutcome(evidence._id, { outcome, applied_to: orderId(key), time: beijingTime(now()) })
  return before === null ? after : joinedResults(before, after)
}

/** What two writes of one step answer together: the record as the second left it, and what both owe. */
export function joinedResults(before: OrderWriteResult, after: OrderWriteResult): OrderWriteResult {
  const deliveries = [...before.deliveries, ...after.deliveries]
  return { ...after, deliveries, refunds: [...before.refunds, ...after.refunds] }
}

/** Takes back the question whether it shipped, as a refund of the whole does; in the other modes nobody was asked. */
function stopOccurrence(order: OrderRecord, { _id }: EvidenceRecord, time: string): OrderOccurrence | null {
  if (order.fulfilment.mode !== 'event' || order.state !== 'paid') return null
  const operation_id = operationId.stopped(paidSequence(order))
  return { event: 'fulfilment_stopped', operation_id, time, actor: wechat_actor, evidence_id: _id }
}

function denialOccurrence(
  order: OrderRecord,
  { says, phantom }: DenialWord,
  { _id }: EvidenceRecord,
  { time, deadline_time }: { time: string; deadline_time: string },
): OrderOccurrence {
  const revision = stateRevision(phantom)
  const { transaction_id } = phantom
  const cause = { time, evidence_id: _id, actor: says === 'settled' ? weft_actor : wechat_actor }
  if (says === 'denied')
    return { event: 'payment_denied', operation_id: operationId.denied(transaction_id ?? '', revision), ...cause }
  const ended = { operation_id: operationId.denialEnded(transaction_id ?? '', revision), ...cause }
  return says === 'paid' && isInReviewByDenial(order)
    ? { event: 'payment_restored', deadline_time, ...ended }
    : { event: 'denial_ended', ...ended }
}
