import { beijingTime } from '../../domain/calendar.ts'
import {
  cashPart,
  isPostedRefundEvent,
  refund_entries,
  refund_income_moves,
  reversalEntry,
} from '../../domain/journal.ts'
import type { JournalEntry, PostedRefundEvent, RefundBooking } from '../../domain/journal.ts'
import { incomeOfMove } from '../../domain/payment/record.ts'
import type { PaymentRecord } from '../../domain/payment/record.ts'
import type { RefundEntry, RefundRecord } from '../../domain/refund/record.ts'
import type { ActivityContext } from '../context.ts'

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
    if (original !== null) {
      await journal.post(original) // was done before, unless a correction has taken it back
      await journal.post(reversalEntry(original, times))
    }
  }
  if (!isPostedRefundEvent(entry.event)) return
  const own = await journalEntryOf(context, refund, entry, entry.event)
  if (own !== null) await journal.post(own)
}

/**
 * The journal entry of `event`, which `entry` is or takes back. SUCCESS may come again after it was taken back. Null: it
 * moves no money.
 */
async function journalEntryOf(
  context: ActivityContext,
  refund: RefundRecord,
  entry: RefundEntry,
  event: PostedRefundEvent,
): Promise<JournalEntry | null> {
  const payment = await requirePayment(context, refund)
  const times = refund.timeline.filter((one) => one.event === event && one.revision <= entry.revision).length
  const step: RefundBooking = {
    income: incomeOfMove(payment, refund.out_refund_no, refund_income_moves[event]),
    settlement_refund: refund.facts?.settlement_refund ?? cashPart(payment, refund.amount.refund),
    refund_id: refund.facts?.refund_id ?? '-',
    evidence_id: entry.evidence_id ?? payment.evidence_id,
    occurred_time: occurredTime(refund, event) ?? entry.time,
    booked_time: beijingTime(context.now()),
  }
  const made = refund_entries[event](refund, step)
  return made && { ...made, _id: await context.store.journal.idOf(made._id, times) }
}

/** WeChat's moment where it names one. */
function occurredTime({ facts }: RefundRecord, event: PostedRefundEvent): string | null {
  if (event === 'accepted') return facts?.accepted_time ?? null
  return event === 'succeeded' ? (facts?.success_time ?? null) : null
}

async function requirePayment({ store }: ActivityContext, refund: RefundRecord): Promise<PaymentRecord> {
  const payment = await store.payments.find(refund.mchid, refund.transaction_id)
  if (payment === null) throw new Error(`payment ${refund.transaction_id} is not in the database; restore it`)
  return payment
}
