import { z } from 'zod'
import { beijingTime } from '../../../domain/calendar.ts'
import { event_types } from '../../../domain/event/event.ts'
import { endpointId } from '../../../domain/ids.ts'
import type { EndpointRecord, MerchantRecord } from '../../../domain/merchant/record.ts'
import { limits } from '../../../domain/policy.ts'
import { endpointUrl, urlObjection } from '../../../runtime/address.ts'
import { newEndpointSecret } from '../../../runtime/secrets.ts'
import { publicId } from '../../../store/ids.ts'
import type { ApiContext } from '../../http/context.ts'
import { declareEndpoint } from '../../http/endpoint.ts'
import type { Endpoint, EndpointCall, HttpReply } from '../../http/endpoint.ts'
import { Problem, unavailableProblem } from '../../http/problem.ts'
import { ruleError } from '../../http/validation.ts'
import { nullable_text, nullable_time, time } from '../shapes.ts'

const endpoint_request = z
  .strictObject({
    url: z.string().min(1).max(2_048).meta({ description: 'https, public', format: 'uri' }),
    role: z.enum(['fulfilment', 'observer']).default('observer'),
    event_types: z
      .array(z.enum(['*', ...event_types]))
      .min(1)
      .max(50)
      .default(['*'])
      .meta({ description: '“*”: all of them. “test.ping” comes on request, whatever is chosen' }),
    description: z.string().max(200).nullish(),
  })
  .refine((wanted) => wanted.role === 'observer' || wanted.event_types.join() === '*', {
    message: 'fulfilment_hears_all',
    path: ['event_types'],
  })
  .meta({ id: 'EndpointRequest' })
type EndpointRequest = z.output<typeof endpoint_request>

const endpoint_fields = {
  object: z.literal('endpoint'),
  id: z.string(),
  url: z.string(),
  role: z.enum(['fulfilment', 'observer']),
  event_types: z.array(z.string()),
  description: nullable_text,
  state: z.enum(['enabled', 'disabled']),
  disable_reason: nullable_text,
  secrets: z.array(z.object({ hint: z.string(), expire_time: nullable_time })),
  create_time: time,
  last_success_time: nullable_time,
  failing_since_time: nullable_time,
}
const endpoint_shape = z.object(endpoint_fields).meta({ id: 'Endpoint' })
const endpoint_with_secret = z
  .object({ ...endpoint_fields, secret: z.string().meta({ description: 'whsec_…, shown this once' }) })
  .meta({ id: 'EndpointWithSecret' })

/** An endpoint as merchants see it: a secret by its last characters only. */
function endpointView(found: EndpointRecord): z.output<typeof endpoint_shape> {
  return {
    object: 'endpoint',
    id: found.id,
    url: found.url,
    role: found.role,
    event_types: found.event_types,
    description: found.description,
    state: found.state,
    disable_reason: found.disable_reason,
    secrets: found.secrets.map(({ hint, expire_time }) => ({ hint, expire_time })),
    create_time: found.create_time,
    last_success_time: found.last_success_time,
    failing_since_time: found.failing_since_time,
  }
}

async function callersMerchant({ store }: ApiContext, mchid: string): Promise<MerchantRecord> {
  const merchant = await store.merchants.find(mchid)
  if (merchant === null) throw new Problem('merchant_not_ready', { values: { mchid } })
  return merchant
}

const createEndpoint = declareEndpoint({
  name: 'createEndpoint',
  method: 'POST',
  path: '/v1/endpoints',
  scope: 'settings:write',
  summary: 'Have events sent to a URL',
  description:
    'The secret is shown in this answer and never again. The answer of the one fulfilment endpoint to order.paid ' +
    'decides, in fulfilment mode “event”; observers are only notified. The same URL again answers the existing endpoint ' +
    'without a secret, or 409 where it differs; 201 with a further secret where a fulfilment endpoint was left half made by a failure.',
  body: endpoint_request,
  responses: {
    201: { description: 'made; keep the secret', schema: endpoint_with_secret },
    200: { description: 'the existing one', schema: endpoint_shape, headers: { 'Weft-Replay': 'true' } },
  },
  problems: [
    'endpoint_url_forbidden',
    'endpoint_exists',
    'fulfilment_endpoint_exists',
    'endpoint_limit_reached',
    'merchant_not_ready',
  ],
  handle: create,
})

async function create(call: EndpointCall<unknown, unknown, EndpointRequest>): Promise<HttpReply> {
  const { context, caller, body } = call
  const { store, config } = context
  const reason = urlObjection(body.url, config.allow_private_endpoints)
  if (reason !== null) throw new Problem('endpoint_url_forbidden', { values: { reason } })
  const url = endpointUrl(body.url)
  const _id = endpointId(caller.mchid, url)
  // By where its events go now, and by where they went when it was made: it may have been moved since.
  const existing = (await store.endpoints.findByUrl(caller.mchid, url)) ?? (await store.endpoints.find(_id))
  if (existing) return replyExisting(call, existing)
  const id = publicId('ep', _id)
  if (body.role === 'fulfilment') await assertNoOtherFulfilment(context, caller.mchid, id)
  const secret = newEndpointSecret()
  const record: EndpointRecord = {
    _id,
    id,
    mchid: caller.mchid,
    url,
    role: body.role,
    event_types: body.event_types,
    description: body.description ?? null,
    state: 'enabled',
    disable_reason: null,
    secrets: [store.endpoints.sealSecret(_id, secret)],
    create_time: beijingTime(context.now()),
    last_success_time: null,
    failing_since_time: null,
  }
  const added = await store.endpoints.add(record)
  if (!added.inserted) return replyExisting(call, added.existing)
  await assertWithinLimit(context, record)
  if (body.role === 'fulfilment' && !(await store.merchants.setFulfilmentEndpoint(caller.mchid, id))) {
    // Another request set a fulfilment endpoint in between. This one got no events yet, so it is deleted.
    await store.endpoints.remove(caller.mchid, id)
    await assertNoOtherFulfilment(context, caller.mchid, id)
  }
  call.log.info('an endpoint was added', { endpoint_id: id, role: body.role })
  return { status: 201, body: { ...endpointView(record), secret } }
}

/**
 * Refuses an endpoint beyond the limit. It is counted with all that are there, its own among them, so that the last of
 * several that are added at once sees every other, whatever the clocks of their processes say. Of those that all see too
 * many, all go, and may come again. Nothing was sent to it yet, or by one attempt.
 */
async function assertWithinLimit({ store }: ApiContext, { id, mchid }: EndpointRecord): Promise<void> {
  const limit = limits.endpoints_per_merchant
  const all = await store.endpoints.list(mchid)
  if (all.length <= limit) return
  await store.endpoints.remove(mchid, id)
  throw new Problem('endpoint_limit_reached', { values: { limit: String(limit) } })
}

/** Types of events as a choice: neither their order nor a repetition makes another one, and “*” holds all of them. */
function choiceOf(event_types: readonly string[]): string {
  return event_types.includes('*') ? '*' : [...new Set(event_types)].toSorted().join()
}

/**
 * Answers with the endpoint that exists. A fulfilment endpoint that the merchant does not name was left so by a crash,
 * and its secret was shown to nobody: it becomes the merchant's and gets a second secret. The first secret stays valid,
 * since the request that made it may only have been slower.
 */
async function replyExisting(
  call: EndpointCall<unknown, unknown, EndpointRequest>,
  existing: EndpointRecord,
): Promise<HttpReply> {
  const { context, caller, body, log } = call
  const { store } = context
  const replay: HttpReply = { status: 200, body: endpointView(existing), headers: { 'Weft-Replay': 'true' } }
  assertSame(call, existing)
  if (existing.role !== 'fulfilment' || body.role !== 'fulfilment') return replay
  const merchant = await callersMerchant(context, caller.mchid)
  if (merchant.fulfilment_endpoint_id !== null) return replay
  const secret = newEndpointSecret()
  const completed = await store.endpoints.addSecret(existing._id, store.endpoints.sealSecret(existing._id, secret))
  if (completed === null) throw new Problem('not_found')
  if (!(await store.merchants.setFulfilmentEndpoint(caller.mchid, existing.id))) {
    await assertNoOtherFulfilment(context, caller.mchid, existing.id)
  }
  log.info('a half made endpoint was completed', { endpoint_id: existing.id })
  return { status: 201, body: { ...endpointView(completed), secret } }
}

/** Throws `endpoint_exists`, with the fields, where a request says what the endpoint of its URL is not. */
function assertSame(
  { body, sent, language }: EndpointCall<unknown, unknown, EndpointRequest>,
  existing: EndpointRecord,
) {
  const said = Object.keys(sent as object)
  const differs = {
    url: endpointUrl(body.url) !== existing.url,
    role: body.role !== existing.role,
    event_types: choiceOf(body.event_types) !== choiceOf(existing.event_types),
    description: said.includes('description') && (body.description ?? null) !== existing.description,
  }
  const fields = Object.entries(differs).flatMap(([field, is_other]) => (is_other ? [field] : []))
  if (fields.length === 0) return
  const errors = fields.map((field) => ruleError(`/${field}`, 'endpoint_differs', language))
  throw new Problem('endpoint_exists', { values: { endpoint_id: existing.id, fields }, errors })
}

async function assertNoOtherFulfilment(context: ApiContext, mchid: string, id: string): Promise<void> {
  const { fulfilment_endpoint_id } = await callersMerchant(context, mchid)
  if (fulfilment_endpoint_id === null || fulfilment_endpoint_id === id) return
  throw new Problem('fulfilment_endpoint_exists', { values: { endpoint_id: fulfilment_endpoint_id } })
}

const listEndpoints = declareEndpoint({
  name: 'listEndpoints',
  method: 'GET',
  path: '/v1/endpoints',
  scope: 'settings:read',
  summary: 'All endpoints',
  responses: {
    200: {
      description: 'all of them',
      schema: z.object({ data: z.array(endpoint_shape) }).meta({ id: 'EndpointList' }),
    },
  },
  problems: [],
  async handle({ context, caller }) {
    const endpoints = await context.store.endpoints.list(caller.mchid)
    return { status: 200, body: { data: endpoints.map(endpointView) } }
  },
})

const endpoint_params = z.object({ endpoint_id: z.string().max(64) })

const getEndpoint = declareEndpoint({
  name: 'getEndpoint',
  method: 'GET',
  path: '/v1/endpoints/{endpoint_id}',
  scope: 'settings:read',
  summary: 'One endpoint',
  params: endpoint_params,
  responses: { 200: { description: 'the endpoint', schema: endpoint_shape } },
  problems: ['not_found'],
  async handle({ context, caller, params }) {
    const found = await context.store.endpoints.findPublic(caller.mchid, params.endpoint_id)
    if (found === null) throw new Problem('not_found')
    return { status: 200, body: endpointView(found) }
  },
})

const promoteEndpoint = declareEndpoint({
  name: 'promoteEndpoint',
  method: 'POST',
  path: '/v1/endpoints/{endpoint_id}/fulfilment',
  scope: 'settings:write',
  summary: 'Let the answers of this endpoint decide',
  description:
    'It becomes the one fulfilment endpoint; the one before stays, as an observer. What was sent to that one and is not ' +
    'answered yet is still answered there. A repeat is answered with 200 as well.',
  params: endpoint_params,
  responses: { 200: { description: 'the endpoint, whose answers decide', schema: endpoint_shape } },
  problems: ['not_found', 'endpoint_disabled', 'merchant_not_ready'],
  handle: promote,
})

/**
 * Role first, then the merchant's word, then the others' roles: where the process dies between, the repeat goes on, and
 * the merchant's word is the one that counts meanwhile.
 */
async function promote(call: EndpointCall<{ endpoint_id: string }>): Promise<HttpReply> {
  const { context, caller, params, log } = call
  const { endpoints, merchants } = context.store
  const found = await endpoints.findPublic(caller.mchid, params.endpoint_id)
  if (found === null) throw new Problem('not_found')
  const { fulfilment_endpoint_id: before } = await callersMerchant(context, caller.mchid)
  const promoted = await endpoints.promote(caller.mchid, found.id)
  const values = { endpoint_id: found.id, reason: found.disable_reason ?? '–' }
  if (promoted === null) throw new Problem('endpoint_disabled', { values })
  if (!(await merchants.replaceFulfilmentEndpoint(caller.mchid, before, found.id))) throw unavailableProblem('database')
  await endpoints.demoteOthers(caller.mchid, found.id)
  log.info('the answers of another endpoint decide', { endpoint_id: found.id, before })
  return { status: 200, body: endpointView(promoted) }
}

const enableEndpoint = declareEndpoint({
  name: 'enableEndpoint',
  method: 'POST',
  path: '/v1/endpoints/{endpoint_id}/enable',
  scope: 'settings:write',
  summary: 'Send events to a disabled endpoint again',
  description:
    'An observer is disabled by 410 or after five days of failure. It hears of what happens from now on; what it missed ' +
    'is in GET /v1/events. A repeat is answered with 200 as well.',
  params: endpoint_params,
  responses: { 200: { description: 'the endpoint, enabled', schema: endpoint_shape } },
  problems: ['not_found'],
  async handle({ context, caller, params, log }) {
    const enabled = await context.store.endpoints.enable(caller.mchid, params.endpoint_id)
    if (enabled === null) throw new Problem('not_found')
    log.info('an endpoint was enabled', { endpoint_id: enabled.id })
    return { status: 200, body: endpointView(enabled) }
  },
})

const deleteEndpoint = declareEndpoint({
  name: 'deleteEndpoint',
  method: 'DELETE',
  path: '/v1/endpoints/{endpoint_id}',
  scope: 'settings:write',
  summary: 'Send nothing more to an endpoint',
  params: endpoint_params,
  responses: { 204: { description: 'gone' } },
  problems: ['not_found', 'endpoint_in_use'],
  async handle({ context, caller, params, log }) {
    const { store } = context
    const found = await store.endpoints.findPublic(caller.mchid, params.endpoint_id)
    if (found === null) throw new Problem('not_found')
    const merchant = await callersMerchant(context, caller.mchid)
    const is_fulfilment = merchant.fulfilment_endpoint_id === found.id
    if (is_fulfilment && merchant.settings.fulfilment.mode === 'event') throw new Problem('endpoint_in_use')
    if (is_fulfilment) await store.merchants.setFulfilmentEndpoint(caller.mchid, null, found.id)
    await store.endpoints.remove(caller.mchid, found.id)
    log.info('an endpoint was deleted', { endpoint_id: found.id })
    return { status: 204 }
  },
})

export const webhook_endpoints: readonly Endpoint[] = [
  createEndpoint,
  listEndpoints,
  getEndpoint,
  promoteEndpoint,
  enableEndpoint,
  deleteEndpoint,
]
