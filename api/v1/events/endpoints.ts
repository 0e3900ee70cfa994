import { z } from 'zod'
import { event_types } from '../../../domain/event/event.ts'
import type { EventRecord } from '../../../domain/event/event.ts'
import type { ApiContext } from '../../http/context.ts'
import { declareEndpoint } from '../../http/endpoint.ts'
import type { Endpoint } from '../../http/endpoint.ts'
import { Problem } from '../../http/problem.ts'
import { event_message } from './message.ts'
import { filterOf, pageView, paging_params, query_time, text_filter, time_order } from '../shapes.ts'

const event_list = z
  .object({
    data: z.array(event_message),
    next_cursor: z.string().nullable().meta({
      description: 'with order=asc always there, to go on from; of a list null on the last page',
    }),
    has_more: z.boolean().optional().meta({ description: 'with order=asc: whether there is more to read now' }),
  })
  .meta({ id: 'EventList' })

/** Parses the stored bytes of an event. Weft wrote them, so a failure is a fault of Weft. */
const event_body = z.object({ api_version: z.string(), data: z.record(z.string(), z.unknown()) })

async function eventView({ store }: Pick<ApiContext, 'store'>, event: EventRecord) {
  const deliveries = await store.deliveries.ofEvent(event.mchid, event._id)
  const { api_version, data } = event_body.parse(JSON.parse(event.body))
  return {
    object: 'event',
    id: event.id,
    type: event.type,
    timestamp: event.timestamp,
    mchid: event.mchid,
    sequence: event.sequence,
    api_version,
    data,
    deliveries: deliveries.map(({ id, endpoint_id, state }) => ({ id, endpoint_id, state })),
  }
}

const listEvents = declareEndpoint({
  name: 'listEvents',
  method: 'GET',
  path: '/v1/events',
  scope: 'events:read',
  summary: 'Events, newest first',
  description:
    'With order=asc the feed, for shops without a public address: in the order in which events can be read, each at ' +
    'least once and never one left out. Its next_cursor is always there: keep it with what you have done, and go on from ' +
    'it, at once while has_more is true, else later. Without order=asc, or of one out_trade_no, a list to look things up.',
  query: z.strictObject({
    ...paging_params,
    order: time_order,
    type: filterOf(event_types as [string, ...string[]]).optional(),
    out_trade_no: text_filter.optional(),
    time_from: query_time.optional(),
    time_to: query_time.optional(),
  }),
  responses: { 200: { description: 'a page of events', schema: event_list } },
  problems: [],
  async handle({ context, caller, query }) {
    const { limit, cursor, order, ...filter } = query
    const { store, now } = context
    const is_feed = order === 'asc' && filter.out_trade_no === undefined
    const page = is_feed
      ? await store.events.follow(caller.mchid, filter, { limit, cursor }, now())
      : await store.events.list(caller.mchid, filter, { limit, cursor, order })
    const data = await Promise.all(page.data.map((event) => eventView(context, event)))
    const has_more = 'has_more' in page ? { has_more: page.has_more } : {}
    return { status: 200, body: { ...pageView({ ...page, data }, (view) => view), ...has_more } }
  },
})

const getEvent = declareEndpoint({
  name: 'getEvent',
  method: 'GET',
  path: '/v1/events/{event_id}',
  scope: 'events:read',
  summary: 'One event with its deliveries',
  params: z.object({ event_id: z.string().max(64) }),
  responses: { 200: { description: 'the event', schema: event_message } },
  problems: ['not_found'],
  async handle({ context, caller, params }) {
    const event = await context.store.events.findPublic(caller.mchid, params.event_id)
    if (event === null) throw new Problem('not_found')
    return { status: 200, body: await eventView(context, event) }
  },
})

export const event_endpoints: readonly Endpoint[] = [listEvents, getEvent]
