import { z } from 'zod'
import { isOpenDelivery } from '../../../domain/event/delivery.ts'
import { randomId } from '../../../runtime/secrets.ts'
import { recordPing } from '../../../store/ping.ts'
import { declareEndpoint } from '../../http/endpoint.ts'
import type { Endpoint } from '../../http/endpoint.ts'
import { Problem } from '../../http/problem.ts'
import { read_limit_ms, readUntil } from '../../temporal/wait.ts'
import { delivery_shape, deliveryView } from './deliveries.ts'

const pingEndpoint = declareEndpoint({
  name: 'pingEndpoint',
  method: 'POST',
  path: '/v1/endpoints/{endpoint_id}/ping',
  scope: 'events:write',
  summary: 'Send a test.ping to an endpoint, and say how its answer was read',
  description:
    'Signed and sent like any event, once and to this endpoint alone; nothing follows from its answer. That of the ' +
    'fulfilment endpoint is read as if it decided about an order: read_as of the attempt says fulfilled, pending, ' +
    'refused or not heard, and remark why it could not be read.',
  params: z.object({ endpoint_id: z.string().max(64) }),
  responses: {
    200: { description: 'it was answered, or not: its delivery, with the one attempt', schema: delivery_shape },
    202: { description: 'it is still under way: read the delivery', schema: delivery_shape },
  },
  problems: ['not_found', 'endpoint_disabled'],
  async handle({ context, caller, params }) {
    const { store, commands } = context
    const endpoint = await store.endpoints.findPublic(caller.mchid, params.endpoint_id)
    if (endpoint === null) throw new Problem('not_found')
    if (endpoint.state === 'disabled')
      throw new Problem('endpoint_disabled', {
        values: { endpoint_id: endpoint.id, reason: endpoint.disable_reason ?? '–' },
      })
    const pinged = await recordPing(store, endpoint, { request_id: randomId('req'), now: context.now() })
    await commands.deliver(pinged)
    const read = async () => (await store.deliveries.find(pinged._id)) ?? pinged
    const delivery = await readUntil(read, pinged, read_limit_ms, ({ state }) => !isOpenDelivery(state))
    return { status: isOpenDelivery(delivery.state) ? 202 : 200, body: deliveryView(delivery) }
  },
})

export const ping_endpoints: readonly Endpoint[] = [pingEndpoint]
