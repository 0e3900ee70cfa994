import { z } from 'zod'
import { orderView } from '../../../domain/event/view.ts'
import type { OrderView } from '../../../domain/event/view.ts'
import { paymentId } from '../../../domain/ids.ts'
import { order_event_types, order_events, order_states } from '../../../domain/order/record.ts'
import type { OrderRecord, TimelineEntry } from '../../../domain/order/record.ts'
import { limits } from '../../../domain/policy.ts'
import { refund_event_types } from '../../../domain/refund/record.ts'
import { publicId } from '../../../store/ids.ts'
import type { ApiContext } from '../../http/context.ts'
import { languages } from '../../http/language.ts'
import { Problem } from '../../http/problem.ts'
import {
  actor,
  attention,
  fen,
  isPlainText,
  isWechatText,
  metadata,
  nullable_text,
  nullable_time,
  out_trade_no,
  request_time,
  time,
} from '../shapes.ts'
import type { FieldsOf } from '../shapes.ts'

/** What a merchant sends to have an order paid (docs/api.md §3). */
export const order_request = z
  .strictObject({
    out_trade_no,
    description: z
      .string()
      .min(1)
      .max(127)
      .refine(isWechatText, 'wechat_text')
      .meta({ description: 'what is bought; the payer sees it' }),
    amount: z.strictObject({ total: fen, currency: z.literal('CNY').default('CNY') }),
    expire_in: z
      .int()
      .min(1)
      .max(limits.order_expire_in_s.max)
      .nullish()
      .meta({ description: 'seconds the payer has, 120–604800; the merchant’s setting when absent' }),
    time_expire: request_time
      .nullish()
      .meta({ description: 'instead of expire_in; changes on every retry if computed' }),
    reference: z
      .string()
      .min(1)
      .max(64)
      .refine(isPlainText, 'text')
      .nullish()
      .meta({ description: 'the merchant’s own sale: two numbers of one sale are never both kept' }),
    attach: z
      .string()
      .max(128)
      .refine(isWechatText, 'wechat_text')
      .refine((text) => Buffer.byteLength(text) <= limits.attach_bytes, 'attach_bytes')
      .nullish()
      .meta({ description: 'at most 128 bytes in UTF-8; goes to WeChat Pay and comes back in its bills' }),
    metadata: metadata.nullish(),
    return_url: z
      .string()
      .max(512, 'return_url')
      .refine(isReturnUrl, 'return_url')
      .nullish()
      .meta({ description: 'https; where the payer goes back to, with out_trade_no once it is over', format: 'uri' }),
    locale: z
      .enum(languages)
      .nullish()
      .meta({ description: 'the language of the checkout page; the browser’s when absent' }),
    trade_type: z.literal('NATIVE').default('NATIVE'),
  })
  .refine((order) => !(order.expire_in && order.time_expire), {
    message: 'one_expiry',
    path: ['time_expire'],
  })
  .meta({ id: 'OrderRequest' })
export type OrderRequest = z.output<typeof order_request>

/** https, or http on the developer's own machine. */
function isReturnUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, hostname } = new URL(text)
  return protocol === 'https:' || (protocol === 'http:' && ['localhost', '127.0.0.1', '[::1]'].includes(hostname))
}

const timeline_entry = z
  .object({
    sequence: z.int().nullable().meta({ description: 'of the event that was sent to the merchant; null: none was' }),
    event: z.enum(order_events),
    event_type: z.enum([...order_event_types, ...refund_event_types]).nullable(),
    from: z.enum(order_states),
    to: z.enum(order_states),
    time,
    actor,
    evidence_id: nullable_text,
    reason: nullable_text,
    out_refund_no: nullable_text.meta({ description: 'the refund that this is about' }),
    transaction_id: nullable_text.meta({ description: 'the payment, where it is not the order’s own' }),
  })
  .meta({ id: 'TimelineEntry' })

const order_fields = {
  object: z.literal('order'),
  mchid: z.string(),
  appid: z.string(),
  out_trade_no: z.string(),
  reference: nullable_text,
  checkout: nullable_text.meta({ description: 'the number of the checkout that made it' }),
  transaction_id: nullable_text,
  state: z.enum(order_states),
  attention: attention.nullable().meta({ description: 'why a person should look' }),
  next_action: z
    .object({ what: z.enum(['place', 'ask_wechat', 'close', 'deliver', 'await_fulfilment', 'refund']), time })
    .nullable()
    .meta({ description: 'what Weft does next by itself' }),
  description: z.string(),
  attach: nullable_text,
  metadata: z.record(z.string(), z.string()),
  trade_type: z.string(),
  code_url: nullable_text.meta({ description: 'the text of the QR code, while it can be paid' }),
  code_expire_time: nullable_time,
  checkout_url: z.string(),
  return_url: nullable_text,
  locale: z.enum(languages).nullable(),
  time_expire: time,
  create_time: time,
  success_time: nullable_time,
  found_by: z.enum(['notification', 'query', 'bill', 'operator']).nullable(),
  found_time: nullable_time,
  last_check_time: nullable_time,
  bank_type: nullable_text,
  late: z.boolean(),
  close_reason: nullable_text,
  failure: z.object({ code: z.string(), message: z.string() }).nullable(),
  sequence: z.int(),
  amount: z.object({
    total: z.int(),
    currency: z.string(),
    payer_total: z.int().nullable(),
    refunded: z.int(),
    refund_pending: z.int(),
  }),
  fulfilment: z.object({
    mode: z.enum(['event', 'confirm', 'none']),
    result: z.enum(['pending', 'fulfilled', 'refused']).nullable(),
    reason: nullable_text,
    deadline_time: nullable_time,
  }),
} satisfies FieldsOf<OrderView>

/** An order in lists and events. */
export const order_shape = z.object(order_fields).meta({ id: 'Order' })
/** An order on its own. */
export const order_with_timeline = z
  .object({ ...order_fields, timeline: z.array(timeline_entry) })
  .meta({ id: 'OrderWithTimeline' })

export const order_params = z.object({ out_trade_no })
export type OrderParams = z.output<typeof order_params>

/** The order with all that merchants may know of it; reads its payment when there is one. */
export async function orderWithTimeline(
  { store }: Pick<ApiContext, 'store'>,
  order: OrderRecord,
): Promise<z.output<typeof order_with_timeline>> {
  const payment = order.payment && (await store.payments.find(order.mchid, order.payment.transaction_id))
  return { ...orderView(order, payment), timeline: order.timeline.map(timelineView) }
}

/** Orders without their timelines, as lists show them; one read for all of their payments. */
export async function orderViews(
  { store }: Pick<ApiContext, 'store'>,
  orders: readonly OrderRecord[],
): Promise<z.output<typeof order_shape>[]> {
  const ids = orders.flatMap(({ mchid, payment }) => (payment ? [paymentId(mchid, payment.transaction_id)] : []))
  const payments = new Map(
    (ids.length === 0 ? [] : await store.payments.findAll(ids)).map((found) => [found._id, found]),
  )
  return orders.map((order) => {
    const payment = order.payment && payments.get(paymentId(order.mchid, order.payment.transaction_id))
    return orderView(order, payment ?? null)
  })
}

function timelineView(entry: TimelineEntry): z.output<typeof timeline_entry> {
  const { sequence, event, event_type, from, to, time: happened, actor: who, evidence_id, reason } = entry
  return {
    sequence,
    event,
    event_type,
    from,
    to,
    time: happened,
    actor: who,
    evidence_id: evidence_id === null ? null : publicId('evd', evidence_id),
    reason,
    out_refund_no: entry.out_refund_no ?? null,
    transaction_id: entry.transaction_id ?? null,
  }
}

/** The caller's order of that number. Throws the problem `not_found`. */
export async function requireOrder(context: ApiContext, mchid: string, number: string): Promise<OrderRecord> {
  const order = await context.store.orders.find({ mchid, out_trade_no: number })
  if (order === null) throw new Problem('not_found')
  return order
}

/**
 * The problem `order_state`: the command is not possible in the state that holds. `allowed`: the states in which it is.
 */
export function orderStateProblem(order: OrderRecord, allowed: string[]): Problem {
  return new Problem('order_state', { values: { state: order.state, allowed, out_trade_no: order.out_trade_no } })
}
