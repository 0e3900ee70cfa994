import { heartbeat } from '@temporalio/activity'
import { acceptanceOf, acceptedMatter, paymentCorrections, refundCorrections } from '../../domain/bill/acceptance.ts'
import type { Acceptance } from '../../domain/bill/acceptance.ts'
import { stateEntry } from '../../domain/bill/difference.ts'
import type { DifferenceRecord, DifferenceState } from '../../domain/bill/difference.ts'
import type { DayKey } from '../../domain/bill/reconciliation.ts'
import type { Correction, JournalEntry } from '../../domain/journal.ts'
import { refundableAmount } from '../../domain/payment/record.ts'
import type { PaymentRecord } from '../../domain/payment/record.ts'
import type { RefundRecord } from '../../domain/refund/record.ts'
import { currentTime } from '../context.ts'
import type { ActivityContext } from '../context.ts'
import { moveDifference, phantomsOf } from './differences.ts'
import { tellDenied } from './phantom.ts'
import type { AcceptanceContext } from './phantom.ts'

const most_accepted = 500

/**
 * Books what people accepted of WeChat's word about a day: first the payment's record, then the book after it, then the
 * difference is settled. Repeatable at any line: each write finds what the one before it left. And brings payments back
 * into the book that were made after all.
 */
export async function acceptDifferences(parts: AcceptanceContext, { day }: { day: DayKey }): Promise<void> {
  const { store } = parts.context
  for (;;) {
    const accepted = await store.differences.awaited(day, 'settling', most_accepted)
    for (const difference of accepted) {
      await acceptDifference(parts, difference)
      heartbeat()
    }
    if (accepted.length < most_accepted) break
  }
  for await (const phantom of phantomsOf(store, day)) await restoreDenied(parts.context, phantom)
}

async function acceptDifference(parts: AcceptanceContext, difference: DifferenceRecord): Promise<void> {
  const { context } = parts
  const { _id, mchid, transaction_id } = difference
  const payment = transaction_id === null ? null : await context.store.payments.find(mchid, transaction_id)
  const refund = await context.store.refunds.ofDifference(difference)
  const acceptance = acceptanceOf(difference, { payment, refund })
  const correction = correctionOf(difference)
  const corrected = await correctRecord(context, difference, { payment, refund, acceptance, correction })
  if (corrected === 'not_acceptable') {
    await bookRecord(context, difference)
    const reason = 'what WeChat says cannot be booked any more'
    return await moveDifference(context, _id, 'not_acceptable', { reason })
  }
  const entry_ids = corrected === null ? [] : await correctBook(context, corrected, correction)
  if (corrected !== null && difference.kind === 'phantom_payment') {
    await context.store.refunds.liftSetbacks(corrected)
    await tellDenied(parts, difference)
  }
  await moveDifference(context, _id, 'accepted', { deed: { action: 'accept_wechat', out_refund_no: null, entry_ids } })
  // Who was held up since may have written over what a person has wanted otherwise meanwhile.
  const now_so = difference.kind === 'phantom_payment' ? await context.store.differences.find(_id) : null
  if (now_so !== null) await restoreDenied(context, now_so)
}

/** A payment as it was corrected, or the refund of it that was. */
type CorrectedRecord = PaymentRecord & { corrected_refund?: RefundRecord }

/** The payment's record as WeChat says it; null: no record says anything of it. */
async function correctRecord(
  context: ActivityContext,
  { answer, agreed }: DifferenceRecord,
  given: { payment: PaymentRecord | null; refund: RefundRecord | null; acceptance: Acceptance; correction: Correction },
): Promise<CorrectedRecord | 'not_acceptable' | null> {
  const { payments, refunds } = context.store
  const { payment, refund, acceptance, correction } = given
  if ('instead' in acceptance) return 'not_acceptable'
  // A look may have brought the sides up to date since a person said so: he has agreed to another sum.
  if (agreed !== undefined && agreed !== acceptedMatter(acceptance)) return 'not_acceptable'
  if (acceptance.changes === 'nothing') return null
  if (payment === null) return 'not_acceptable'
  if (acceptance.changes === 'settled_total')
    return (await payments.correctSettledTotal(payment, acceptance.settled_total)) ?? 'not_acceptable'
  if (acceptance.changes === 'settlement_refund') {
    const corrected = refund && (await refunds.correctSettlement(refund, acceptance.settlement_refund))
    return corrected ? { ...payment, corrected_refund: corrected } : 'not_acceptable'
  }
  const denial = { time: currentTime(context), evidence_id: answer?.evidence_id ?? '-', ...correction }
  return (await payments.deny(payment, denial)) ?? 'not_acceptable'
}

/** Brings the book to the payment's record, and answers the ids of what this correction has posted. */
async function correctBook(
  context: ActivityContext,
  corrected: CorrectedRecord,
  correction: Correction & { evidence_id?: string | null },
): Promise<string[]> {
  const { journal } = context.store
  const { corrected_refund: refund, ...payment } = corrected
  const { mchid, out_trade_no, denial } = payment
  const read = () => journal.ofOrder(mchid, out_trade_no)
  const because = { evidence_id: denial?.evidence_id ?? null, ...correction, booked_time: currentTime(context) }
  const entries = refund
    ? refundCorrections({ refund, payment }, await read(), because)
    : paymentCorrections(payment, await read(), because)
  for (const entry of entries) await journal.post(entry)
  const isOurs = (entry: JournalEntry) =>
    entry.correction?.by === correction.by && entry.correction.reason === correction.reason
  return (await read()).filter(isOurs).map((entry) => entry._id)
}

/** Ends a difference whose sides agree now, with what was being booked of it. */
export async function healDifference(context: ActivityContext, _id: string): Promise<void> {
  const difference = await context.store.differences.find(_id)
  if (difference?.state === 'settling') await bookRecord(context, difference)
  await moveDifference(context, _id, 'vanished')
}

/**
 * Brings the book to the record before a difference is settling no more: whoever died between the two is gone on for by
 * nobody afterwards. Where nothing was corrected nothing is posted; a payment that was denied comes back by itself.
 */
async function bookRecord(context: ActivityContext, difference: DifferenceRecord): Promise<void> {
  const { store } = context
  const { mchid, kind, transaction_id } = difference
  if (transaction_id === null || (kind !== 'amount' && kind !== 'refund_amount')) return
  const payment = await store.payments.find(mchid, transaction_id)
  if (payment === null) return
  const refund = kind === 'amount' ? null : await store.refunds.ofDifference(difference)
  const recorded = { ...payment, ...(refund && { corrected_refund: refund }) }
  await correctBook(context, recorded, correctionOf(difference))
}

/** States of a phantom in which its payment is not in the book, or is being taken out of it. */
const denied_states: readonly DifferenceState[] = ['settling', 'settled']

/**
 * A payment that a person had accepted was never made, and that is a difference again, or none any more: WeChat or a bill
 * has it after all, or a person opened it anew. It is as it was, and is booked anew.
 */
async function restoreDenied(context: ActivityContext, phantom: DifferenceRecord): Promise<void> {
  const { mchid, id, state, transaction_id, timeline, answer } = phantom
  if (transaction_id === null || denied_states.includes(state)) return
  if (!timeline.some(({ event }) => event === 'accept_asked')) return
  const payment = await context.store.payments.find(mchid, transaction_id)
  if (payment === null) return
  const restored = await context.store.payments.restore(payment)
  const last = stateEntry(phantom)
  const because = last?.reason ?? (answer === undefined ? '' : `WeChat Pay says ${answer.says}`)
  const by = last?.actor.id ?? last?.actor.kind ?? 'weft'
  const correction = { by, reason: `${id}: ${last?.event ?? state}, ${because}` }
  await correctBook(context, restored, { ...correction, evidence_id: answer?.evidence_id ?? null })
  await noteOwed(context, restored)
}

/** The payer of an order that was refunded while there was nothing to give back is owed the money: a person is asked for it. */
async function noteOwed(context: ActivityContext, payment: PaymentRecord): Promise<void> {
  const { orders } = context.store
  const { mchid, out_trade_no, transaction_id } = payment
  const order = await orders.find({ mchid, out_trade_no })
  if (order?.state !== 'refunded' || order.payment?.transaction_id !== transaction_id) return
  if (refundableAmount(payment) > 0) await orders.noteAttention(order, 'refunded', { code: 'refund_owed', since_time: currentTime(context) })
}

/** Who accepted WeChat's word, both persons where two were wanted, and why. */
function correctionOf({ id, timeline }: DifferenceRecord): Correction {
  const at = timeline.findLastIndex(({ event }) => event === 'accept_asked')
  const asked = timeline[at]
  const opened = timeline.slice(0, at).findLastIndex(({ from, to }) => to === 'open' && from !== 'open')
  const proposed = timeline.slice(opened + 1, at).findLast(({ event }) => event === 'proposed')
  const persons = [proposed?.actor.id, asked?.actor.id].filter((person) => person !== undefined && person !== null)
  return { by: persons.join(', ') || 'unknown', reason: `${id}: ${asked?.reason ?? 'no reason was given'}` }
}
