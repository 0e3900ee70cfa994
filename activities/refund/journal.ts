import { beijingTime } from '../../domain/calendar.ts'
import {
  cashPart,
  payoutEntry,
  payoutWithoutWeChatEntry,
  refundAcceptedEntry,
  refundClosedEntry,
  refundReturnedEntry,
  refundSucceededEntry,
  reversalEntry,
} from '../../domain/journal.ts'
import type { JournalEntry, RefundBooking } from '../../domain/journal.ts'
import { incomeOfMove } from '../../domain/payment/record.ts'
import type { IncomeMove, PaymentRecord } from '../../domain/payment/record.ts'
import type { RefundEntry, RefundEvent, RefundRecord } from '../../domain/refund/record.ts'
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

/**
 * Posts what an entry of the refund's timeline did: where it leaves `succeeded`, the reversal of what SUCCESS had posted,
 * then its own. Repeated, it finds its entries there.
 */
export async function postRefundEntry(
  context: ActivityContext,
  refund: RefundRecord,
  entry: RefundEntry,
): Promise<void> {
  const { journal } = context.store
  if (entry.from === 'succeeded') {
    const evidence_id = entry.evidence_id ?? '-'
    const times = { occurred_time: entry.time, booked_time: beijingTime(context.now()), evidence_id }
    const original = await journalEntryOf(context, refund, entry, 'succeeded')
    await journal.post(original) // was done before, unless a correction has taken it back
    await journal.post(reversalEntry(original, times))
  }
  if (isPostedEvent(entry.event)) await journal.post(await journalEntryOf(context, refund, entry, entry.event))
}

/** The journal entry of `event`, which `entry` is or takes back. SUCCESS may come again after it was taken back. */
async function journalEntryOf(
  context: ActivityContext,
  refund: RefundRecord,
  entry: RefundEntry,
  event: PostedEvent,
): Promise<JournalEntry> {
  const payment = await requirePayment(context, refund)
  const times = refund.timeline.filter((one) => one.event === event && one.revision <= entry.revision).length
  const step: RefundBooking = {
    income: incomeOfMove(payment, refund.out_refund_no, income_moves[event]),
    settlement_refund: refund.facts?.settlement_refund ?? cashPart(payment, refund.amount.refund),
    refund_id: refund.facts?.refund_id ?? '-',
    evidence_id: entry.evidence_id ?? payment.evidence_id,
    occurred_time: occurredTime(refund, event) ?? entry.time,
    booked_time: beijingTime(context.now()),
  }
  const made = entry_makers[event](refund, step)
  return { ...made, _id: await context.store.journal.idOf(made._id, times) }
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
