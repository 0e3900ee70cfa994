import { isIP } from 'node:net'
import { z } from 'zod'
import { orderView } from '../../../domain/event/view.ts'
import type { OrderView } from '../../../domain/event/view.ts'
import { paymentId } from '../../../domain/ids.ts'
import { payment_methods, trade_types } from '../../../domain/order/method.ts'
import type { TradeType } from '../../../domain/order/method.ts'
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
  metadata,
  nullable_text,
  nullable_time,
  out_trade_no,
  request_time,
  time,
  wechatText,
} from '../shapes.ts'
import type { FieldsOf } from '../shapes.ts'
import { client_call, currentCall } from './client.ts'
import type { ClientContext } from './client.ts'

const app_text = (most_bytes: number) => wechatText(most_bytes).nullish()

const scene_info = z
  .strictObject({
    payer_client_ip: z
      .string()
      .max(45)
      .refine((text) => isIP(text) !== 0 && !text.includes('%'), 'ip_address')
      .meta({ description: 'the payer’s own address as it reached the shop, IPv4 or IPv6; a public one' }),
    h5_info: z
      .strictObject({
        type: z.enum(['iOS', 'Android', 'Wap']).meta({ description: 'Wap: a browser, whatever the phone' }),
        app_name: app_text(64),
        app_url: app_text(128),
        bundle_id: app_text(128),
        package_name: app_text(128),
      })
      .nullish(),
  })
  .meta({ description: 'MWEB must have it, with h5_info; elsewhere payer_client_ip alone' })

interface MethodFields {
  trade_type?: TradeType | null | undefined
  payer?: unknown
  scene_info?: { h5_info?: unknown } | null | undefined
}

/** What each method must be told, and what it takes from nobody (domain/order/method). Adds an issue for each mistake. */
export function checkMethod(order: MethodFields, context: z.RefinementCtx): void {
  const { needs_openid, needs_scene_info } = payment_methods[order.trade_type ?? 'NATIVE']
  const object = (message: string, ...path: string[]) => context.addIssue({ code: 'custom', message, path })
  if (needs_openid && !order.payer) object('openid_missing', 'payer')
  if (!needs_openid && order.payer) object('openid_unwanted', 'payer')
  if (needs_scene_info && !order.scene_info) object('scene_missing', 'scene_info')
  else if (needs_scene_info && !order.scene_info?.h5_info) object('h5_missing', 'scene_info', 'h5_info')
  if (!needs_scene_info && order.scene_info?.h5_info) object('h5_unwanted', 'scene_info', 'h5_info')
}

/** What a merchant sends to have an order paid (docs/api.md §3). */
export const order_request = z
  .strictObject({
    out_trade_no,
    description: wechatText(limits.wechat_bytes.description).meta({
      description: 'what is bought; the payer sees it; at most 127 bytes in UTF-8',
    }),
    amount: z.strictObject({ total: fen, currency: z.literal('CNY').default('CNY') }, 'order_amount'),
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
    attach: wechatText(limits.wechat_bytes.attach, 0)
      .nullish()
      .meta({ description: 'at most 128 bytes in UTF-8; goes to WeChat Pay and comes back in its bills' }),
    metadata: metadata.nullish(),
    return_url: z.string().max(limits.return_url_bytes, 'return_url').refine(isReturnUrl, 'return_url').nullish().meta({
      description: 'https, at most 512 bytes in UTF-8; where the payer goes back to, with out_trade_no once it is over',
      format: 'uri',
    }),
    locale: z
      .enum(languages)
      .nullish()
      .meta({ description: 'the language of the checkout page; the browser’s when absent' }),
    trade_type: z.enum(trade_types).nullish().meta({
      description:
        'how it is paid: a code to scan (NATIVE, when absent), in WeChat or a mini program (JSAPI), in a phone’s browser (MWEB), in an app (APP)',
    }),
    appid: z
      .string()
      .regex(/^[0-9A-Za-z_-]{1,32}$/, 'appid')
      .nullish()
      .meta({ description: 'one of the merchant’s; the first that fits trade_type when absent' }),
    payer: z
      .strictObject({
        openid: z
          .string()
          .regex(/^[0-9A-Za-z_-]{1,128}$/, 'openid')
          .meta({ description: 'the payer’s, of this very appid' }),
      })
      .nullish()
      .meta({ description: 'JSAPI must have it, no other method takes it; kept sealed, told to nobody' }),
    scene_info: scene_info.nullish(),
  })
  .superRefine(checkMethod)
  .refine((order) => !(order.expire_in && order.time_expire), {
    message: 'one_expiry',
    path: ['time_expire'],
  })
  .meta({ id: 'OrderRequest' })
export type OrderRequest = z.output<typeof order_request>

/** https, or http on the developer's own machine. */
function isReturnUrl(text: string): boolean {
  // What browsers leave out of an address, WeChat would be told of all the same.
  if (!isPlainText(text) || text !== text.trim()) return false
  if (!URL.canParse(text) || Buffer.byteLength(text) > limits.return_url_bytes) return false
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
  .object({
    ...order_fields,
    timeline: z.array(timeline_entry),
    client: client_call.nullable().meta({
      description:
        'goes into the payer’s client as it is, while it can be paid; null: there is nothing to hand over, or only code_url',
    }),
  })
  .meta({ id: 'OrderWithTimeline' })

export const order_params = z.object({ out_trade_no })
export type OrderParams = z.output<typeof order_params>

/** The order with all that merchants may know of it; reads its payment when there is one. */
export async function orderWithTimeline(
  context: ClientContext & Pick<ApiContext, 'store'>,
  order: OrderRecord,
): Promise<z.output<typeof order_with_timeline>> {
  const { payments } = context.store
  const payment = order.payment && (await payments.find(order.mchid, order.payment.transaction_id))
  const view = orderView(order, payment)
  return { ...view, timeline: order.timeline.map(timelineView), client: await currentCall(context, order) }
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
