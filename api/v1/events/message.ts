import { z } from 'zod'
import { checkout_event_types } from '../../../domain/checkout/record.ts'
import { event_types } from '../../../domain/event/event.ts'
import type { EventType } from '../../../domain/event/event.ts'
import { order_event_types } from '../../../domain/order/record.ts'
import { refund_event_types } from '../../../domain/refund/record.ts'
import { reconciliation_shape } from '../bills/reconciliations.ts'
import { difference_shape } from '../bills/shape.ts'
import { checkout_shape } from '../checkouts/shape.ts'
import { order_shape } from '../orders/shape.ts'
import { refund_shape } from '../refunds/shape.ts'
import { nullable_text, time } from '../shapes.ts'

const order_data = z.object({ order: order_shape })
const checkout_data = z.object({ checkout: checkout_shape })
const refund_data = z.object({
  refund: refund_shape,
  order: order_shape.optional().meta({ description: 'absent where its payment belongs to no order' }),
})
const disabled_data = z.object({
  endpoint: z.object({ id: z.string(), url: z.string(), state: z.string(), disable_reason: nullable_text }),
})
const ping_data = z.object({ endpoint: z.object({ id: z.string(), url: z.string() }) })

/** The same shape for each of `types`. */
function each<Type extends string>(types: readonly Type[], shape: z.ZodObject): Record<Type, z.ZodObject> {
  return Object.fromEntries(types.map((type) => [type, shape])) as Record<Type, z.ZodObject>
}

/** What each type of event carries, under its name. A type without a row does not compile. */
const event_data: Record<EventType, z.ZodObject> = {
  ...each(order_event_types, order_data),
  ...each(checkout_event_types, checkout_data),
  ...each(refund_event_types, refund_data),
  'reconciliation.completed': z.object({ reconciliation: reconciliation_shape }),
  'difference.opened': z.object({ difference: difference_shape }),
  'endpoint.disabled': disabled_data,
  'test.ping': ping_data,
}

/** Both stand beside a message where it is read. Not joined to it by `allOf`: what Java and Go make of that does not compile. */
const read_fields = {
  object: z.literal('event').optional().meta({ description: 'where it is read; not in what is sent' }),
  deliveries: z
    .array(z.object({ id: z.string(), endpoint_id: z.string(), state: z.string() }).meta({ id: 'EventDelivery' }))
    .optional()
    .meta({ description: 'to which endpoints it goes, where it is read; not in what is sent' }),
}

function messageShape(type: EventType) {
  const name = type.replace(/(?:^|[._])([a-z])/g, (_, letter: string) => letter.toUpperCase())
  return z
    .object({
      type: z.literal(type),
      timestamp: time,
      id: z.string().meta({ description: 'the webhook-id of every attempt to deliver it' }),
      api_version: z.string(),
      mchid: z.string(),
      sequence: z.int().nullable().meta({ description: 'counts per order, without gaps; null: it is about no order' }),
      data: event_data[type],
      ...read_fields,
    })
    .meta({ id: `${name}Event` })
}

/** What an endpoint is sent, by type of event. */
export const event_messages = Object.fromEntries(event_types.map((type) => [type, messageShape(type)])) as Record<
  EventType,
  ReturnType<typeof messageShape>
>

type MessageShapes = [ReturnType<typeof messageShape>, ...ReturnType<typeof messageShape>[]]

/** What an endpoint is sent, whatever its type. */
export const event_message = z.discriminatedUnion('type', Object.values(event_messages) as MessageShapes).meta({
  id: 'EventMessage',
  description: 'what an endpoint is sent, and what is read of it; told apart by its type; there will be more types',
})
