import { beijingTime } from '../../domain/calendar.ts'
import {
  cashPart,
  payoutEntry,
  payoutWithoutWeChatEntry,
  refundAcceptedEntry,
  refundClosedEntry,
  refundReturnedEntry,
  refundSucceededEntry,
} from '../../domain/journal.ts'
import type { JournalEntry, RefundBooking } from '../../domain/journal.ts'
import { incomeOfMove } from '../../domain/payment/record.ts'
import type { IncomeMove, PaymentRecord } from '../../domain/payment/record.ts'
import type { RefundEvent, RefundRecord } from '../../domain/refund/record.ts'
import type { ActivityContext } from '../context.ts'

type PostedEvent = 'accepted' | 'succeeded' | 'closed' | 'returned_to_merchant' | 'paid_out'

/** Which entry an event of a refund makes in the book (docs/money.md §2); the others move no money. */
const entry_makers: Record<PostedEvent, (refund: RefundRecord, step: RefundBooking) => JournalEntry> = {
  accepted: refundAcceptedEntry,
  succeeded: refundSucceededEntry,
  closed: refundClosedEntry,
  returned_to_merchant: refundReturnedEntry,
  paid_out: (refund, step) =>
    (refund.state === 'returned_to_merchant' ? payoutEntry : payoutWithoutWeChatEntry)(refund, step),
}

/** Posts what `event` did; nothing where it moved no money. Repeated, it finds its entry there. */
export async function postRefundEntry(
  context: ActivityContext,
  refund: RefundRecord,
  event: RefundEvent,
): Promise<void> {
  if (!isPostedEvent(event)) return
  const entry = refund.timeline.find((one) => one.event === event)
  if (entry === undefined) return
  const payment = await requirePayment(context, refund)
  const step: RefundBooking = {
    income: incomeOfMove(payment, refund.out_refund_no, income_moves[event]),
    settlement_refund: refund.facts?.settlement_refund ?? cashPart(payment, refund.amount.refund),
    refund_id: refund.facts?.refund_id ?? '-',
    evidence_id: entry.evidence_id ?? payment.evidence_id,
    occurred_time: occurredTime(refund, event) ?? entry.time,
    booked_time: beijingTime(context.now()),
  }
  await context.store.journal.post(entry_makers[event](refund, step))
}

function isPostedEvent(event: RefundEvent): event is PostedEvent {
  return event in entry_makers
}

/** WeChat's moment where it names one. */
function occurredTime({ facts }: RefundRecord, event: PostedEvent): string | null {
  if (event === 'accepted') return facts?.accepted_time ?? null
  return event === 'succeeded' ? (facts?.success_time ?? null) : null
}

/** What moves the payment's income; the others only pass between WeChat, payer and merchant. */
const income_moves: Partial<Record<PostedEvent, IncomeMove>> = {
  accepted: 'accepted',
  closed: 'closed',
  paid_out: 'settled',
}

async function requirePayment({ store }: ActivityContext, refund: RefundRecord): Promise<PaymentRecord> {
  const payment = await store.payments.find(refund.mchid, refund.transaction_id)
  if (payment === null) throw new Error(`payment ${refund.transaction_id} is not in the database; restore it`)
  return payment
}
