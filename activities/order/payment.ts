import { wechat_actor } from '../../domain/actor.ts'
import { beijingTime } from '../../domain/calendar.ts'
import { evidenceId, operationId, orderId, paymentId } from '../../domain/ids.ts'
import type { OrderKey } from '../../domain/ids.ts'
import { paymentEntry } from '../../domain/journal.ts'
import type { MerchantSettings } from '../../domain/merchant/record.ts'
import type { OrderWriteResult } from '../../domain/messages.ts'
import { judgePayment } from '../../domain/order/judgement.ts'
import type { OrderEvent, OrderOccurrence, OrderRecord } from '../../domain/order/record.ts'
import { evidence_finders } from '../../domain/payment/evidence.ts'
import type { EvidenceRecord } from '../../domain/payment/evidence.ts'
import { contradictions } from '../../domain/payment/fact.ts'
import type { MoneyFact, PaymentFact } from '../../domain/payment/fact.ts'
import type { PaymentRecord } from '../../domain/payment/record.ts'
import { isRefundKnown } from '../../domain/refund/cover.ts'
import { requireMerchant } from '../context.ts'
import type { ActivityContext } from '../context.ts'
import { readPaymentFact } from '../evidence.ts'
import { followUpWrite } from './consequence.ts'

/**
 * Claim of the reference → payment with its role → journal → order → event, each idempotent: a retry walks all of it
 * again and changes nothing twice (architecture §5, Paid).
 */
export async function applyPayment(
  context: ActivityContext,
  key: OrderKey,
  evidence: EvidenceRecord,
  fact: MoneyFact,
): Promise<OrderWriteResult | 'unproven'> {
  const { store } = context
  const time = beijingTime(context.now())
  if (fact.mchid !== key.mchid) {
    await store.evidence.recordOutcome(evidence._id, { outcome: 'foreign', applied_to: null, time })
    context.log.error('money of another merchant was reported; nothing was booked', {
      ...key,
      evidence_id: evidence.id,
    })
    return 'unproven'
  }
  const order = await store.orders.find(key)
  const payment = await ensurePayment(context, order, evidence, fact)
  if (payment.out_trade_no !== key.out_trade_no) return await refuseOtherOrdersPayment(context, key, evidence, payment)
  await store.journal.post(paymentEntry(payment, time))
  if (order === null) {
    await store.merchants.noteAttention(key.mchid, 'orphan_payment', time)
    await store.evidence.recordOutcome(evidence._id, { outcome: 'applied', applied_to: payment._id, time })
    return 'unproven'
  }
  const merchant = await requireMerchant(context, key.mchid)
  const occurrence = (current: OrderRecord) =>
    paymentOccurrence(current, payment, fact, evidence, merchant.settings, context.now())
  const applied = await store.orders.apply(key, occurrence, order)
  if (applied.outcome === 'illegal') await flagUnplacedPayment(context, key, applied.order, payment)
  if (applied.outcome === 'done_before' && fact.trade_state === 'REFUND')
    await noteRefundOutside(context, applied.order, payment, evidence)
  const outcome = applied.outcome === 'done' || payment.evidence_id === evidence._id ? 'applied' : 'linked'
  const result = await followUpWrite(context, applied, { merchant, payment })
  await store.evidence.recordOutcome(evidence._id, { outcome, applied_to: orderId(key), time })
  return result
}

/**
 * Links WeChat's answer to a question that the payment's notification overtook: the run called the question off, and its
 * answer would wait for the sweeper.
 */
export async function linkOvertakenAnswer(context: ActivityContext, key: OrderKey, fact: MoneyFact): Promise<void> {
  const { mchid, out_trade_no } = key
  const answer = await context.store.evidence.find(
    evidenceId.query(mchid, out_trade_no, fact.trade_state, fact.transaction_id),
  )
  const said = answer && (await readPaymentFact(context, answer))
  if (answer?.outcome === null && said) await linkToBooked(context, key, answer, said)
}

/**
 * Links an answer that says no more than what is booked of its payment; anything else is left for the order's run. The
 * answer is kept before this looks at the record, and the record written before `linkOvertakenAnswer` looks for the answer:
 * so one of the two sees the other.
 */
export async function linkToBooked(
  { store, now }: ActivityContext,
  key: OrderKey,
  answer: EvidenceRecord,
  { transaction_id, trade_state, amount }: PaymentFact,
): Promise<void> {
  if (transaction_id === null || trade_state !== 'SUCCESS') return
  const order = await store.orders.find(key)
  const operation_id = operationId.payment(transaction_id)
  if (order === null || !order.timeline.some((entry) => entry.operation_id === operation_id)) return
  const payment = await store.payments.find(key.mchid, transaction_id)
  if (payment?.out_trade_no !== key.out_trade_no || payment.evidence_id === answer._id) return
  if (payment.amount.total !== amount?.total || payment.amount.currency !== amount.currency) return
  const linked = { outcome: 'linked', applied_to: order._id, time: beijingTime(now()) } as const
  await store.evidence.recordOutcome(answer._id, linked)
}

/** One transaction pays one order: what says that it paid another as well moves nothing, and a person looks. */
async function refuseOtherOrdersPayment(
  { store, now, log }: ActivityContext,
  key: OrderKey,
  evidence: EvidenceRecord,
  { transaction_id, out_trade_no }: PaymentRecord,
): Promise<'unproven'> {
  log.error('a transaction was reported for two orders', {
    ...key,
    transaction_id,
    paid: out_trade_no,
    evidence_id: evidence.id,
  })
  await store.merchants.noteAttention(key.mchid, 'evidence_unapplied', beijingTime(now()))
  return 'unproven'
}

/** Raises attention for money that the table has no edge for, which a stale run beside a live one can bring about. */
async function flagUnplacedPayment(
  context: ActivityContext,
  key: OrderKey,
  order: OrderRecord,
  payment: PaymentRecord,
): Promise<void> {
  const { transaction_id, role } = payment
  context.log.error('money was booked that the order’s table has no way for', { ...key, transaction_id, role })
  await context.store.orders.noteAttention(key, order.state, { code: 'second_payment', since_time: beijingTime(context.now()) })
}

/**
 * Raises attention where WeChat says that money of a payment went back, and the refunds that are known here do not say
 * how: only its notification or a bill names that refund.
 */
async function noteRefundOutside(
  context: ActivityContext,
  order: OrderRecord,
  payment: PaymentRecord,
  { out_refund_no: refused_no }: EvidenceRecord,
): Promise<void> {
  const refunds = await context.store.refunds.ofOrder(order.mchid, order.out_trade_no)
  if (isRefundKnown(payment, refunds, refused_no)) return
  await context.store.orders.noteAttention(order, order.state, { code: 'refunded_outside', since_time: beijingTime(context.now()) })
}

/** The payment's record: what was booked first stays, since a role is decided once. */
async function ensurePayment(
  context: ActivityContext,
  order: OrderRecord | null,
  evidence: EvidenceRecord,
  fact: MoneyFact,
): Promise<PaymentRecord> {
  const { store } = context
  const existing = await store.payments.find(fact.mchid, fact.transaction_id)
  if (existing !== null) {
    // An orphan whose order has come. Its refunds first: that the payment is owned says that all of it is.
    if (existing.order_id === null && order !== null) {
      await store.refunds.assignToOrder(existing, order._id, beijingTime(context.now()))
      await store.payments.assignToOrder(existing, order._id)
    }
    return existing
  }
  const paid_by_other = order !== null && (await isReferencePaidByOther(context, order, fact))
  const { role } = judgePayment(order, fact, paid_by_other)
  const payment: PaymentRecord = {
    _id: paymentId(fact.mchid, fact.transaction_id),
    mchid: fact.mchid,
    transaction_id: fact.transaction_id,
    out_trade_no: fact.out_trade_no,
    order_id: order?._id ?? null,
    role,
    revision: 0,
    evidence_id: evidence._id,
    appid: fact.appid,
    trade_type: fact.trade_type,
    bank_type: fact.bank_type,
    success_time: fact.success_time,
    amount: fact.amount,
    // Coupons that come to more than the price are not understood, and take no money that never came.
    settled_total: Math.max(0, fact.amount.total - fact.nocash_amount),
    refunds: [],
    last_refund_time: null,
    acceptance: null,
  }
  const inserted = await store.payments.insert(payment)
  return inserted.inserted ? payment : inserted.existing
}

/** Two numbers of one sale: the first payment that claims the reference keeps the sale, by one conditional write. */
async function isReferencePaidByOther(context: ActivityContext, order: OrderRecord, fact: MoneyFact): Promise<boolean> {
  if (order.reference === null || contradictions(order, fact).length > 0) return false
  // Only money that would make this order paid may claim; late money of an ended order must not take the sale.
  if (judgePayment(order, fact, false).role !== 'order') return false
  const { paid_by } = await context.store.references.claim(order.mchid, order.reference, order.out_trade_no)
  return paid_by !== order.out_trade_no
}

/** What the money does to the order, by its role. Worked out against the record that the write will meet. */
function paymentOccurrence(
  order: OrderRecord,
  payment: PaymentRecord,
  fact: MoneyFact,
  evidence: EvidenceRecord,
  settings: MerchantSettings,
  now_ms: number,
): OrderOccurrence {
  const time = beijingTime(now_ms)
  const cause = {
    operation_id: operationId.payment(fact.transaction_id),
    time,
    actor: wechat_actor,
    evidence_id: evidence._id,
  }
  const { transaction_id } = payment
  if (payment.role === 'second') return { event: 'second_payment_found', transaction_id, ...cause }
  const found = {
    transaction_id: payment.transaction_id,
    role: payment.role,
    success_time: payment.success_time,
    found_by: evidence_finders[evidence.kind],
    found_time: evidence.receive_time,
    bank_type: payment.bank_type,
  }
  const deadline_time = beijingTime(now_ms + settings.fulfilment.deadline_in * 1000)
  return {
    event: paymentEvent(order, payment, fact),
    ...cause,
    payment: found,
    choice: settings.late_payment,
    deadline_time,
  }
}

/** What money does to an order that takes it. */
type PaymentEvent = Extract<
  OrderEvent,
  'payment_found' | 'late_payment_found' | 'payment_contradicted' | 'payment_refunded_outside'
>

function paymentEvent(order: OrderRecord, payment: PaymentRecord, fact: MoneyFact): PaymentEvent {
  const has_ended = order.state === 'closed' || order.state === 'failed'
  switch (payment.role) {
    case 'order':
      // Its role was decided before a close that a stale run slipped in: the money is then late, and never lost.
      return has_ended ? 'late_payment_found' : 'payment_found'
    case 'late':
      return 'late_payment_found'
    default: {
      const is_refund_of_ours = payment.role === 'contradicted' && fact.trade_state === 'REFUND'
      return is_refund_of_ours && contradictions(order, fact).length === 0
        ? 'payment_refunded_outside'
        : 'payment_contradicted'
    }
  }
}
