import { z } from 'zod'
import { checkout_events, checkout_methods, checkout_states } from '../../../domain/checkout/record.ts'
import type { CheckoutRecord } from '../../../domain/checkout/record.ts'
import { checkoutView } from '../../../domain/checkout/view.ts'
import type { CheckoutView } from '../../../domain/checkout/view.ts'
import { trade_types } from '../../../domain/merchant/product.ts'
import { limits } from '../../../domain/policy.ts'
import type { ApiContext } from '../../http/context.ts'
import { languages } from '../../http/language.ts'
import { Problem } from '../../http/problem.ts'
import { order_request, order_shape, orderViews } from '../orders/shape.ts'
import { actor, attention, checkout_no, nullable_text, time } from '../shapes.ts'
import type { FieldsOf } from '../shapes.ts'

const { description, amount, reference, attach, metadata, return_url, locale } = order_request.shape

/** What a merchant sends to have one sale paid wherever its payer is (docs/api.md §3). */
export const checkout_request = z
  .strictObject({
    out_trade_no: checkout_no,
    description,
    amount,
    methods: z
      .array(z.enum(checkout_methods))
      .min(1)
      .max(checkout_methods.length)
      .nullish()
      .meta({ description: 'the ways to pay that its page may offer; all that the merchant has enabled when absent' }),
    expire_in: z
      .int()
      .min(1)
      .max(limits.order_expire_in_s.max)
      .nullish()
      .meta({ description: 'seconds the payer has, 120–604800; the merchant’s setting when absent' }),
    reference: reference.meta({
      description: 'the merchant’s own sale: two numbers of one sale are never both kept; its out_trade_no when absent',
    }),
    attach,
    metadata,
    return_url,
    locale,
  })
  .meta({ id: 'CheckoutRequest' })
export type CheckoutBody = z.output<typeof checkout_request>

const checkout_fields = {
  object: z.literal('checkout'),
  mchid: z.string(),
  out_trade_no: z.string(),
  reference: z.string().meta({ description: 'of all of its orders' }),
  state: z.enum(checkout_states),
  attention: attention.nullable().meta({ description: 'why a person should look' }),
  description: z.string(),
  attach: nullable_text,
  metadata: z.record(z.string(), z.string()),
  methods: z.array(z.enum(trade_types)),
  checkout_url: z.string().meta({ description: 'the page that the payer opens, on whatever device' }),
  return_url: nullable_text,
  locale: z.enum(languages).nullable(),
  create_time: time,
  expire_time: time.meta({ description: 'until then its page makes orders' }),
  orders_opened: z.array(z.string()).meta({ description: 'the numbers of its orders, the oldest first' }),
  paid_by: nullable_text.meta({ description: 'the number that keeps the sale; it stays when the money goes back' }),
  amount: z.object({ total: z.int(), currency: z.string() }),
} satisfies FieldsOf<CheckoutView>

/** A checkout in lists and events. */
export const checkout_shape = z.object(checkout_fields).meta({ id: 'Checkout' })

const checkout_entry = z
  .object({
    event: z.enum(checkout_events),
    from: z.enum(checkout_states),
    to: z.enum(checkout_states),
    time,
    actor,
    out_trade_no: nullable_text.meta({ description: 'the order that this is about' }),
  })
  .meta({ id: 'CheckoutEntry' })

/** A checkout on its own. */
export const checkout_with_orders = z
  .object({ ...checkout_fields, timeline: z.array(checkout_entry), orders: z.array(order_shape) })
  .meta({ id: 'CheckoutWithOrders' })

export const checkout_params = z.object({ out_trade_no: checkout_no })
export type CheckoutParams = z.output<typeof checkout_params>

/** The checkout with its orders, the oldest first. */
export async function checkoutWithOrders(
  context: Pick<ApiContext, 'store'>,
  checkout: CheckoutRecord,
): Promise<z.output<typeof checkout_with_orders>> {
  return {
    ...checkoutView(checkout),
    timeline: checkout.timeline.map(({ event, from, to, time: happened, actor: who, out_trade_no = null }) => ({
      ...{ event, from, to, time: happened, actor: who, out_trade_no },
    })),
    orders: await orderViews(context, await context.store.checkouts.ordersOf(checkout)),
  }
}

/** The caller's checkout of that number. Throws the problem `not_found`. */
export async function requireCheckout(
  { store }: Pick<ApiContext, 'store'>,
  mchid: string,
  out_trade_no: string,
): Promise<CheckoutRecord> {
  const checkout = await store.checkouts.find({ mchid, out_trade_no })
  if (checkout === null) throw new Problem('not_found')
  return checkout
}
