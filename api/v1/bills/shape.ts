import { z } from 'zod'
import { difference_events, difference_kinds, difference_states } from '../../../domain/bill/difference.ts'
import type { DifferenceKind, DifferenceRecord } from '../../../domain/bill/difference.ts'
import { differenceView } from '../../../domain/bill/view.ts'
import type { DifferenceView } from '../../../domain/bill/view.ts'
import { publicId } from '../../../store/ids.ts'
import { linkDifferences } from '../../../store/link.ts'
import type { ApiContext } from '../../http/context.ts'
import type { Caller } from '../../http/authentication.ts'
import type { EndpointCall, HttpReply } from '../../http/endpoint.ts'
import { Problem } from '../../http/problem.ts'
import { actor, nullable_text, time } from '../shapes.ts'
import type { FieldsOf } from '../shapes.ts'
import { differenceText } from './words.ts'

export const shown_kinds = difference_kinds as [DifferenceKind, ...DifferenceKind[]]

export const difference_shape = z
  .object({
    object: z.literal('difference'),
    id: z.string(),
    bill_date: z.string(),
    kind: z.enum(shown_kinds),
    what: z.string().meta({ description: 'what the kind means, in the language of Accept-Language' }),
    state: z.enum(difference_states).meta({
      description: 'waiting: the other side may still come; open: a person has to look; healed, ignored: over',
    }),
    amount: z.int().meta({ description: 'fen at stake' }),
    transaction_id: nullable_text,
    out_trade_no: nullable_text,
    refund_id: nullable_text,
    out_refund_no: nullable_text,
    fields: z.array(z.string()).meta({ description: 'what disagrees; of a malformed line why it cannot be read' }),
    bill: z.record(z.string(), z.unknown()).nullable().meta({ description: 'the line of the bill; null: none' }),
    weft: z.record(z.string(), z.unknown()).nullable().meta({ description: 'what is recorded here; null: nothing' }),
    answer: z
      .object({ asked_time: time, says: z.string(), evidence_id: nullable_text })
      .nullable()
      .meta({ description: 'what WeChat Pay said when it was asked' }),
    due_time: time.meta({ description: 'when it must be settled; of what waits, when the other side must have come' }),
    owner: nullable_text.meta({ description: 'who works on it' }),
    note: nullable_text,
    proposal: z
      .object({ actor, time, reason: z.string(), action: z.enum(['accept_wechat', 'refund']) })
      .nullable()
      .meta({ description: 'somebody wants this done; a second person has to' }),
    deed: z
      .object({
        action: z.enum(['refund', 'accept_wechat']),
        out_refund_no: nullable_text,
        entry_ids: z.array(z.string()).meta({ description: 'entries of the book that it posted' }),
      })
      .nullable()
      .meta({ description: 'what a person had done about it last' }),
    timeline: z.array(z.object({ event: z.enum(difference_events), time, actor, reason: nullable_text })),
    links: z
      .object({
        day: z.string(),
        line: nullable_text,
        order: nullable_text,
        refund: nullable_text,
        journal: nullable_text,
      })
      .meta({
        description:
          'where its day, the line as WeChat Pay wrote it, its order with the timeline, its refund (or the one that was ' +
          'asked for) and its book entries are read; order and refund null: none is recorded here',
      }),
  } satisfies FieldsOf<DifferenceView>)
  .meta({ id: 'Difference' })

type DifferenceReader = Pick<EndpointCall, 'context' | 'language'>

/** Differences in the reader's language, with links to what is recorded here. */
export async function shownDifferences(
  { context: { store }, language }: DifferenceReader,
  differences: readonly DifferenceRecord[],
): Promise<DifferenceView[]> {
  const linkedOf = await linkDifferences(store, differences)
  const evidenceId = (evidence_id: string) => publicId('evd', evidence_id)
  return differences.map((difference) => ({
    ...differenceView(difference, { evidenceId, linked: linkedOf(difference) }),
    what: differenceText(difference.kind, language),
  }))
}

/** The answer that shows one difference. */
export async function replyWith(
  reader: DifferenceReader,
  status: number,
  difference: DifferenceRecord,
): Promise<HttpReply> {
  const [body] = await shownDifferences(reader, [difference])
  return { status, body }
}

export const difference_params = z.object({ difference_id: z.string().max(64) })
export type DifferenceParams = z.output<typeof difference_params>

/** The caller's difference. Throws the problem `not_found`. */
export async function requireDifference(
  { store }: Pick<ApiContext, 'store'>,
  { mchid }: Pick<Caller, 'mchid'>,
  { difference_id }: DifferenceParams,
): Promise<DifferenceRecord> {
  const difference = await store.differences.findPublic(mchid, difference_id)
  if (difference === null) throw new Problem('not_found')
  return difference
}

export function differenceStateProblem({ state }: Pick<DifferenceRecord, 'state'>): Problem {
  return new Problem('difference_state', { values: { state } })
}
