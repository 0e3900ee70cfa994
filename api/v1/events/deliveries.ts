import { z } from 'zod'
import type { DeliveryRecord } from '../../../domain/event/delivery.ts'
import { event_types } from '../../../domain/event/event.ts'
import { declareEndpoint } from '../../http/endpoint.ts'
import type { Endpoint } from '../../http/endpoint.ts'
import { Problem } from '../../http/problem.ts'
import {
  filterOf,
  listOf,
  nullable_text,
  nullable_time,
  pageView,
  paging_params,
  text_filter,
  time,
} from '../shapes.ts'

const delivery_states = ['waiting', 'delivering', 'delivered', 'undelivered', 'cancelled'] as const

const attempt = z
  .object({
    number: z.int(),
    time,
    duration_ms: z.int(),
    status: z.int().nullable().meta({ description: 'HTTP status; null: no answer came' }),
    error: nullable_text,
    answer: nullable_text.meta({ description: 'the first KiB of what was answered' }),
    read_as: z.string().meta({ description: 'how it was understood: fulfilled, pending, refused, heard or not heard' }),
    reason: nullable_text.meta({ description: 'why it was refused, at most 200 characters' }),
    remark: nullable_text.meta({
      description: 'why the answer could not be read, or what in it looks like an error under a status of success',
    }),
  })
  .meta({ id: 'DeliveryAttempt' })

export const delivery_shape = z
  .object({
    object: z.literal('delivery'),
    id: z.string(),
    event_id: z.string(),
    event_type: z.enum(event_types),
    endpoint_id: z.string(),
    out_trade_no: nullable_text,
    sequence: z.int().nullable(),
    state: z.enum(delivery_states),
    create_time: time,
    next_attempt_time: nullable_time,
    attempts: z.array(attempt),
  })
  .meta({ id: 'Delivery' })

/** One event on its way to one endpoint, as merchants see it. */
export function deliveryView(delivery: DeliveryRecord): z.output<typeof delivery_shape> {
  return {
    object: 'delivery',
    id: delivery.id,
    event_id: delivery.event_public_id,
    event_type: delivery.event_type,
    endpoint_id: delivery.endpoint_id,
    out_trade_no: delivery.out_trade_no,
    sequence: delivery.sequence,
    state: delivery.state,
    create_time: delivery.create_time,
    next_attempt_time: delivery.next_attempt_time ?? null,
    attempts: delivery.attempts.map((one) => ({ ...one, remark: one.remark ?? null })),
  }
}

const listDeliveries = declareEndpoint({
  name: 'listDeliveries',
  method: 'GET',
  path: '/v1/deliveries',
  scope: 'events:read',
  summary: 'Deliveries of events, newest first',
  query: z.strictObject({
    ...paging_params,
    state: filterOf(delivery_states).optional(),
    endpoint_id: text_filter.optional(),
    event_type: filterOf(event_types as [string, ...string[]]).optional(),
    out_trade_no: text_filter.optional(),
  }),
  responses: { 200: { description: 'a page of deliveries', schema: listOf('Delivery', delivery_shape) } },
  problems: [],
  async handle({ context, caller, query }) {
    const { limit, cursor, ...filter } = query
    const page = await context.store.deliveries.list(caller.mchid, filter, { limit, cursor })
    return { status: 200, body: pageView(page, deliveryView) }
  },
})

const getDelivery = declareEndpoint({
  name: 'getDelivery',
  method: 'GET',
  path: '/v1/deliveries/{delivery_id}',
  scope: 'events:read',
  summary: 'One delivery with its attempts',
  params: z.object({ delivery_id: z.string().max(64) }),
  responses: { 200: { description: 'the delivery', schema: delivery_shape } },
  problems: ['not_found'],
  async handle({ context, caller, params }) {
    const delivery = await context.store.deliveries.findPublic(caller.mchid, params.delivery_id)
    if (delivery === null) throw new Problem('not_found')
    return { status: 200, body: deliveryView(delivery) }
  },
})

const redeliver = declareEndpoint({
  name: 'redeliver',
  method: 'POST',
  path: '/v1/deliveries/{delivery_id}/redeliver',
  scope: 'events:write',
  summary: 'Send an event once more',
  description:
    'Under the same webhook-id, hence harmless; beside the order of events, and without any effect on the order. A ' +
    'delivery that is still under way needs no other, nor one that was asked for less than 5 s ago; of one merchant 200 ' +
    'go at once, and then 10 a second. Read the delivery for what came of it.',
  params: z.object({ delivery_id: z.string().max(64) }),
  responses: { 202: { description: 'it is sent now; the delivery as it was before', schema: delivery_shape } },
  problems: ['not_found'],
  async handle({ context, caller, params }) {
    const delivery = await context.store.deliveries.findPublic(caller.mchid, params.delivery_id)
    if (delivery === null) throw new Problem('not_found')
    const subject = `redeliver:${delivery._id}`
    const { query_on_request_ms: every_ms } = context.policy
    const question = { subject, mchid: caller.mchid, every_ms, asked_by: 'redelivery' } as const
    await context.questions.put(question, () => context.commands.redeliver(delivery))
    return { status: 202, body: deliveryView(delivery) }
  },
})

export const delivery_endpoints: readonly Endpoint[] = [listDeliveries, getDelivery, redeliver]
