import { z } from 'zod'
import { difference_actions, paymentCorrections, refundCorrections } from '../../../domain/bill/acceptance.ts'
import type { Acceptance, AcceptedRecords, DifferenceAction } from '../../../domain/bill/acceptance.ts'
import { difference_states } from '../../../domain/bill/difference.ts'
import type { DifferenceRecord, DifferenceState } from '../../../domain/bill/difference.ts'
import { beijingTime } from '../../../domain/calendar.ts'
import type { BillEventType } from '../../../domain/bill/view.ts'
import { cashPart, refundAcceptedEntry, refundSucceededEntry } from '../../../domain/journal.ts'
import type { JournalEntry } from '../../../domain/journal.ts'
import { currentIncome } from '../../../domain/payment/record.ts'
import type { PaymentRecord } from '../../../domain/payment/record.ts'
import type { ApiContext } from '../../http/context.ts'
import { posting } from '../journal.ts'
import { nullable_text } from '../shapes.ts'

export const preview_shape = z
  .object({
    object: z.literal('difference_preview'),
    action: z.enum(difference_actions),
    state: z.enum(difference_states).meta({ description: 'in which the difference would be then' }),
    needs_second_person: z.boolean(),
    asks_wechat: z.boolean(),
    posts: z
      .array(z.object({ id: z.string(), reverses: nullable_text, postings: z.array(posting) }))
      .meta({ description: 'entries of the book; of a refund those that it makes once WeChat Pay has paid it' }),
    tells: z
      .array(z.string())
      .meta({ description: 'events that would be sent, the day’s only where its result changes' }),
    pays: z.int().nullable().meta({ description: 'fen that go back to the payer; null: none' }),
  })
  .meta({ id: 'DifferencePreview' })
export type DifferencePreview = z.output<typeof preview_shape>

const told_by_action: Record<DifferenceAction, readonly (BillEventType | 'refund.succeeded')[]> = {
  check: ['reconciliation.completed'],
  ignore: ['reconciliation.completed'],
  reopen: ['difference.opened', 'reconciliation.completed'],
  refund: ['refund.succeeded'],
  accept_wechat: ['reconciliation.completed'],
}

const states_after: Record<DifferenceAction, (state: DifferenceState) => DifferenceState> = {
  check: (state) => state,
  ignore: () => 'ignored',
  reopen: () => 'open',
  refund: (state) => state,
  accept_wechat: () => 'settled',
}

/** What an action would do, where it may be done. */
export function previewOf(
  action: DifferenceAction,
  { state }: Pick<DifferenceRecord, 'state'>,
  effect: { posts?: JournalEntry[]; pays?: number; needs_second_person?: boolean } = {},
): DifferencePreview {
  return {
    object: 'difference_preview',
    action,
    state: states_after[action](state),
    needs_second_person: effect.needs_second_person ?? false,
    asks_wechat: action === 'check',
    posts: (effect.posts ?? []).map(({ _id, reverses, postings }) => ({ id: _id, reverses, postings })),
    tells: [...told_by_action[action]],
    pays: effect.pays ?? null,
  }
}

/** The entries that accepting WeChat Pay's word would post now. */
export async function acceptedPostings(
  { store, now }: Pick<ApiContext, 'store' | 'now'>,
  { payment, refund = null }: AcceptedRecords,
  acceptance: Exclude<Acceptance, { instead: DifferenceAction }>,
): Promise<JournalEntry[]> {
  if (payment === null || acceptance.changes === 'nothing') return []
  const booked = await store.journal.ofOrder(payment.mchid, payment.out_trade_no)
  const [time, said] = [beijingTime(now()), { by: '-', reason: '-' }]
  if (acceptance.changes === 'settlement_refund') {
    if (!refund?.facts) return []
    const facts = { ...refund.facts, settlement_refund: acceptance.settlement_refund }
    return refundCorrections({ refund: { ...refund, facts }, payment }, booked, { ...said, booked_time: time })
  }
  const changed =
    acceptance.changes === 'denial'
      ? { denial: { time, evidence_id: '-', ...said } }
      : { settled_total: acceptance.settled_total }
  return paymentCorrections({ ...payment, ...changed }, booked, { ...said, booked_time: time })
}

/** The entries of a refund that is taken and paid; what leaves the merchant's account is WeChat Pay's to say. */
export function refundPostings(payment: PaymentRecord, out_refund_no: string, refund: number, now_ms: number) {
  const { mchid, out_trade_no, transaction_id, amount } = payment
  const { total, currency } = amount
  const wanted = { mchid, out_refund_no, out_trade_no, transaction_id, amount: { refund, total, currency } }
  const time = beijingTime(now_ms)
  const step = {
    ...{ occurred_time: time, booked_time: time, income: currentIncome(payment), refund_id: '-', evidence_id: '-' },
    settlement_refund: cashPart(payment, refund),
  }
  const success = refundSucceededEntry(wanted, step)
  return [refundAcceptedEntry(wanted, step), ...(success === null ? [] : [success])]
}
