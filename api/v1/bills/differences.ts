import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import {
  difference_events,
  difference_kinds,
  difference_states,
  difference_texts,
} from '../../../domain/bill/difference.ts'
import type { DifferenceKind, DifferenceRecord } from '../../../domain/bill/difference.ts'
import { beijingTime } from '../../../domain/calendar.ts'
import { callerActor } from '../../http/authentication.ts'
import { declareEndpoint } from '../../http/endpoint.ts'
import type { Endpoint } from '../../http/endpoint.ts'
import { Problem } from '../../http/problem.ts'
import { actor, filterOf, listOf, nullable_text, pageView, paging_params, request_reason, time } from '../shapes.ts'
import { bill_date } from './reconciliations.ts'

const kinds = difference_kinds as [DifferenceKind, ...DifferenceKind[]]

const difference_shape = z
  .object({
    object: z.literal('difference'),
    id: z.string(),
    bill_date: z.string(),
    kind: z.enum(kinds),
    what: z.string().meta({ description: 'what the kind means' }),
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
      .object({ asked_time: time, says: z.string() })
      .nullable()
      .meta({ description: 'what WeChat Pay said when it was asked' }),
    due_time: time,
    timeline: z.array(z.object({ event: z.enum(difference_events), time, actor, reason: nullable_text })),
  })
  .meta({ id: 'Difference' })

function differenceView(difference: DifferenceRecord): z.output<typeof difference_shape> {
  const { id, kind, state, amount, transaction_id, out_trade_no, refund_id, out_refund_no } = difference
  const { fields, bill, weft, answer, due_time, timeline } = difference
  return {
    object: 'difference',
    id,
    bill_date: difference.bill_date,
    kind,
    what: difference_texts[kind],
    ...{ state, amount, transaction_id, out_trade_no, refund_id, out_refund_no, fields, bill, weft },
    answer: answer ? { asked_time: answer.asked_time, says: answer.says } : null,
    due_time,
    timeline: timeline.map(({ event, time: moment, actor: by, reason }) => ({
      event,
      time: moment,
      actor: by,
      reason,
    })),
  }
}

const listDifferences = declareEndpoint({
  name: 'listDifferences',
  method: 'GET',
  path: '/v1/differences',
  scope: 'money:read',
  summary: 'What bills and records differ in, latest due first',
  query: z.strictObject({
    ...paging_params,
    kind: filterOf(kinds).optional(),
    state: filterOf(difference_states).optional(),
    bill_date: bill_date.optional(),
    bill_date_from: bill_date.optional(),
    bill_date_to: bill_date.optional(),
  }),
  responses: { 200: { description: 'a page of differences', schema: listOf('Difference', difference_shape) } },
  problems: [],
  async handle({ context, caller, query }) {
    const { limit, cursor, ...filter } = query
    const page = await context.store.differences.list(caller.mchid, filter, { limit, cursor })
    return { status: 200, body: pageView(page, differenceView) }
  },
})

const getDifference = declareEndpoint({
  name: 'getDifference',
  method: 'GET',
  path: '/v1/differences/{difference_id}',
  scope: 'money:read',
  summary: 'One difference with both sides and what WeChat Pay answered',
  params: z.object({ difference_id: z.string().max(64) }),
  responses: { 200: { description: 'the difference', schema: difference_shape } },
  problems: ['not_found'],
  async handle({ context, caller, params }) {
    const difference = await context.store.differences.findPublic(caller.mchid, params.difference_id)
    if (difference === null) throw new Problem('not_found')
    return { status: 200, body: differenceView(difference) }
  },
})

const resolutions = { ignore: 'ignored', reopen: 'reopened' } as const

const resolveDifference = declareEndpoint({
  name: 'resolveDifference',
  method: 'POST',
  path: '/v1/differences/{difference_id}/resolution',
  scope: 'money:write',
  summary: 'Settles a difference, or opens it again, with the reason',
  description: 'To have WeChat Pay asked again, reconcile its day: POST /v1/reconciliations/{bill_date}.',
  params: z.object({ difference_id: z.string().max(64) }),
  body: z.strictObject({
    action: z.enum(['ignore', 'reopen']).meta({ description: 'ignore: it is understood, and nothing is to be done' }),
    reason: request_reason,
  }),
  responses: { 200: { description: 'the difference', schema: difference_shape } },
  problems: ['not_found', 'difference_state'],
  async handle({ context, caller, params, body }) {
    const difference = await context.store.differences.findPublic(caller.mchid, params.difference_id)
    if (difference === null) throw new Problem('not_found')
    const applied = await context.store.differences.apply(difference._id, {
      event: resolutions[body.action],
      operation_id: `${body.action}:${randomUUID()}`,
      time: beijingTime(context.now()),
      actor: callerActor(caller),
      reason: body.reason,
    })
    if (applied.outcome === 'illegal')
      throw new Problem('difference_state', { values: { state: applied.record.state } })
    return { status: 200, body: differenceView(applied.record) }
  },
})

export const difference_endpoints: readonly Endpoint[] = [listDifferences, getDifference, resolveDifference]
