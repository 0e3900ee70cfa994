import { z } from 'zod'
import { refundView } from '../../../domain/event/view.ts'
import type { RefundView } from '../../../domain/event/view.ts'
import type { RefundKey } from '../../../domain/ids.ts'
import { refund_events, refund_origins, refund_states } from '../../../domain/refund/record.ts'
import type { RefundEntry, RefundRecord, RefundState } from '../../../domain/refund/record.ts'
import { publicId } from '../../../store/ids.ts'
import type { ApiContext } from '../../http/context.ts'
import { Problem } from '../../http/problem.ts'
import { readUntil } from '../../temporal/wait.ts'
import {
  actor,
  attention,
  fen,
  isPlainText,
  metadata,
  nullable_text,
  nullable_time,
  out_refund_no,
  out_trade_no,
  refund_reason,
  time,
} from '../shapes.ts'
import type { FieldsOf } from '../shapes.ts'

/** What a merchant sends to give money back (docs/api.md §4). */
export const refund_request = z
  .strictObject({
    out_refund_no,
    out_trade_no: out_trade_no.nullish().meta({ description: 'the order whose own payment is given back' }),
    transaction_id: z
      .string()
      .min(1)
      .max(32)
      .refine(isPlainText, 'text')
      .nullish()
      .meta({ description: 'instead of out_trade_no: exactly this payment, a second one too' }),
    amount: z.strictObject(
      {
        refund: fen,
        total: fen.nullish().meta({ description: 'the payment’s total; checked when sent' }),
        currency: z.literal('CNY').default('CNY'),
      },
      'refund_amount',
    ),
    reason: refund_reason,
    metadata: metadata.nullish(),
  })
  .refine((wanted) => Boolean(wanted.out_trade_no) !== Boolean(wanted.transaction_id), {
    message: 'one_payment',
    path: ['transaction_id'],
  })
  .meta({ id: 'RefundRequest' })
export type RefundRequest = z.output<typeof refund_request>

const timeline_entry = z
  .object({
    event: z.enum(refund_events),
    from: z.enum(refund_states),
    to: z.enum(refund_states),
    time,
    actor,
    evidence_id: nullable_text,
    reason: nullable_text,
  })
  .meta({ id: 'RefundTimelineEntry' })

const nullable_fen = z.int().nullable()

const refund_fields = {
  object: z.literal('refund'),
  mchid: z.string(),
  out_refund_no: z.string(),
  refund_id: nullable_text.meta({ description: 'WeChat Pay’s number' }),
  out_trade_no: z.string(),
  transaction_id: z.string(),
  state: z.enum(refund_states),
  close_reason: nullable_text,
  failure: z.object({ code: z.string(), message: z.string() }).nullable(),
  attention: attention.nullable().meta({ description: 'why a person should look' }),
  next_action: z
    .object({ what: z.enum(['reserve', 'await_approval', 'submit', 'ask_wechat', 'tell_order']), time })
    .nullable()
    .meta({ description: 'what Weft does next by itself' }),
  channel: nullable_text,
  user_received_account: nullable_text,
  reason: nullable_text,
  metadata: z.record(z.string(), z.string()),
  origin: z.enum(refund_origins),
  requested_by: actor,
  create_time: time,
  success_time: nullable_time,
  last_check_time: nullable_time,
  amount: z.object({
    refund: z.int(),
    total: z.int().meta({ description: 'the payment’s' }),
    currency: z.string(),
    payer_refund: nullable_fen,
    settlement_refund: nullable_fen.meta({ description: 'what leaves the merchant’s account at WeChat Pay' }),
  }),
  approval: z
    .object({
      decision: z.enum(['approve', 'reject']).nullable(),
      by: actor.nullable(),
      reason: nullable_text,
      expire_time: time,
    })
    .nullable()
    .meta({ description: 'null: none was asked for' }),
  payout: z
    .object({ proof: z.string(), reason: z.string(), by: actor, time })
    .nullable()
    .meta({ description: 'paid to the payer by hand' }),
} satisfies FieldsOf<RefundView>

/** A refund in lists and events. */
export const refund_shape = z.object(refund_fields).meta({ id: 'Refund' })
/** A refund on its own. */
export const refund_with_timeline = z
  .object({ ...refund_fields, timeline: z.array(timeline_entry) })
  .meta({ id: 'RefundWithTimeline' })

export const refund_params = z.object({ out_refund_no })

/** The refund with all that merchants may know of it. */
export function refundWithTimeline(refund: RefundRecord): z.output<typeof refund_with_timeline> {
  return { ...refundView(refund), timeline: refund.timeline.map(entryView) }
}

function entryView(entry: RefundEntry): z.output<typeof timeline_entry> {
  const { event, from, to, time: happened, actor: who, evidence_id, reason } = entry
  const evidence = evidence_id === null ? null : publicId('evd', evidence_id)
  return { event, from, to, time: happened, actor: who, evidence_id: evidence, reason }
}

/** The caller's refund of that number. Throws the problem `not_found`. */
export async function requireRefund({ store }: Pick<ApiContext, 'store'>, key: RefundKey): Promise<RefundRecord> {
  const refund = await store.refunds.find(key)
  if (refund === null) throw new Problem('not_found')
  return refund
}

/**
 * The problem `refund_state`: the command is not possible in the state that holds. `allowed`: the states in which it
 * is.
 */
export function refundStateProblem(refund: RefundRecord, allowed: readonly RefundState[]): Problem {
  return new Problem('refund_state', { values: { state: refund.state, allowed: [...allowed] } })
}

/** Reads the refund until `isAnswer` says so, or `limit_ms` have passed; then the record as it is. */
export async function readRefundUntil(
  { store }: Pick<ApiContext, 'store'>,
  refund: RefundRecord,
  limit_ms: number,
  isAnswer: (refund: RefundRecord) => boolean,
): Promise<RefundRecord> {
  return await readUntil(async () => (await store.refunds.find(refund)) ?? refund, refund, limit_ms, isAnswer)
}
