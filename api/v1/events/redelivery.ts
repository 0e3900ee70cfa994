import { z } from 'zod'
import { event_types } from '../../../domain/event/event.ts'
import type { DeliveryFilter } from '../../../store/deliveries.ts'
import { declareEndpoint } from '../../http/endpoint.ts'
import type { Endpoint, EndpointCall, HttpReply } from '../../http/endpoint.ts'
import { putBatch } from '../../temporal/question.ts'
import { request_time } from '../shapes.ts'

/** How many are sent in one call, and counted at most by a preview. */
const most_at_once = 100
const most_counted = 5_000

const redelivery_request = z
  .strictObject({
    endpoint_id: z.string().min(1).max(64).nullish().meta({ description: 'to this endpoint; to all when absent' }),
    event_type: z.enum(event_types).nullish(),
    create_time_from: request_time.nullish(),
    create_time_to: request_time.nullish().meta({ description: 'exclusive' }),
    cursor: z.string().min(1).max(2_048).nullish().meta({ description: 'next_cursor of the call before' }),
    preview: z.boolean().default(false).meta({ description: 'true: count them, and send nothing' }),
  })
  .meta({ id: 'RedeliveryRequest' })
type RedeliveryCall = EndpointCall<unknown, unknown, z.output<typeof redelivery_request>>

const redelivery_answer = z
  .object({
    count: z.int().meta({ description: 'how many are sent now; of a preview how many there are' }),
    is_complete: z.boolean().meta({ description: 'of a preview: whether all were counted; else whether none is left' }),
    next_cursor: z.string().nullable().meta({ description: 'to go on with; null: these were the last' }),
  })
  .meta({ id: 'Redelivery' })

const redeliverMany = declareEndpoint({
  name: 'redeliverMany',
  method: 'POST',
  path: '/v1/redeliveries',
  scope: 'events:write',
  summary: 'Send all events once more that were given up, 100 in one call',
  description:
    'Each as POST /v1/deliveries/{delivery_id}/redeliver sends it: under its webhook-id, beside the order of events, ' +
    'without any effect on an order. Count them first, with preview; then repeat the call with its next_cursor until that ' +
    'is null. Of one merchant five calls go at once, and then one in ten seconds. What is still not heard stays undelivered.',
  body: redelivery_request,
  responses: {
    200: { description: 'a preview: how many there are', schema: redelivery_answer },
    202: { description: 'these are sent now', schema: redelivery_answer },
  },
  problems: [],
  handle: (call) => (call.body.preview ? countUndelivered(call) : sendUndelivered(call)),
})

function filterOfCall({ body }: RedeliveryCall): DeliveryFilter {
  return {
    state: 'undelivered',
    endpoint_id: body.endpoint_id ?? undefined,
    event_type: body.event_type ?? undefined,
    create_time_from: body.create_time_from ?? undefined,
    create_time_to: body.create_time_to ?? undefined,
  }
}

/** By the database alone: what is only counted is not read. */
async function countUndelivered(call: RedeliveryCall): Promise<HttpReply> {
  const { context, caller } = call
  const found = await context.store.deliveries.count(caller.mchid, filterOfCall(call), most_counted + 1)
  const count = Math.min(found, most_counted)
  return { status: 200, body: { count, is_complete: count === found, next_cursor: null } }
}

async function sendUndelivered(call: RedeliveryCall): Promise<HttpReply> {
  const { context, caller } = call
  return { status: 202, body: await putBatch(context.questions, caller.mchid, () => sendInTurn(call)) }
}

/** One after the other: a merchant's endpoint takes no more at once than its pace allows, and each start is a moment. */
async function sendInTurn(call: RedeliveryCall): Promise<z.output<typeof redelivery_answer>> {
  const { context, caller, body, log } = call
  const request = { limit: most_at_once, cursor: body.cursor ?? undefined }
  const { data, next_cursor } = await context.store.deliveries.list(caller.mchid, filterOfCall(call), request)
  for (const delivery of data) await context.commands.redeliver(delivery)
  log.info('events that were given up are sent once more', { count: data.length })
  return { count: data.length, is_complete: next_cursor === null, next_cursor }
}

export const redelivery_endpoints: readonly Endpoint[] = [redeliverMany]
