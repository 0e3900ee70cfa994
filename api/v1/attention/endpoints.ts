import { z } from 'zod'
import { attention_codes, attentionView } from '../../../domain/attention.ts'
import type { AttentionCode } from '../../../domain/attention.ts'
import { beijingTime, milliseconds } from '../../../domain/calendar.ts'
import type { Time } from '../../../domain/calendar.ts'
import type { CheckoutRecord } from '../../../domain/checkout/record.ts'
import type { DeliveryRecord } from '../../../domain/event/delivery.ts'
import { paymentId } from '../../../domain/ids.ts'
import type { KeyRecord, MerchantRecord } from '../../../domain/merchant/record.ts'
import type { OrderRecord } from '../../../domain/order/record.ts'
import { openAttentions } from '../../../domain/order/review.ts'
import type { EvidenceRecord } from '../../../domain/payment/evidence.ts'
import { refundableAmount } from '../../../domain/payment/record.ts'
import type { PaymentRecord } from '../../../domain/payment/record.ts'
import { key_notice_ms, orphan_pace } from '../../../domain/policy.ts'
import type { RefundRecord } from '../../../domain/refund/record.ts'
import type { StuckRunRecord } from '../../../domain/run.ts'
import type { ApiContext } from '../../http/context.ts'
import { declareEndpoint } from '../../http/endpoint.ts'
import type { Endpoint, EndpointCall, HttpReply } from '../../http/endpoint.ts'
import { attention_detail, nullable_text, out_refund_no, request_reason, time } from '../shapes.ts'
import { attention_reasons } from '../../../domain/reason.ts'

/** The most records of each kind that are read, oldest first. Beyond it the answer is incomplete and says so. */
const max_looked_at = 500

/** Something that waits for a person, whatever kind of thing it is. Amounts in fen. */
interface Stuck {
  kind: 'order' | 'checkout' | 'refund' | 'payment' | 'merchant' | 'delivery' | 'key' | 'run'
  code: AttentionCode
  since_time: Time
  amount: number | null
  out_trade_no: string | null
  out_refund_no: string | null
  transaction_id: string | null
  delivery_id: string | null
  endpoint_id: string | null
  key_id: string | null
  detail: string | null
  run: { workflow_id: string; step: string; attempts: number; error: string } | null
  next_action: { what: string; time: Time } | null
}

const stuck_shape = z
  .object({
    object: z.literal('attention'),
    kind: z.enum(['order', 'checkout', 'refund', 'payment', 'merchant', 'delivery', 'key', 'run']),
    code: z.enum(attention_codes as [AttentionCode, ...AttentionCode[]]),
    why: z.string().meta({ description: 'what happened and what to do, in the language of Accept-Language' }),
    since_time: time,
    amount: z.int().nullable().meta({ description: 'fen that wait behind it' }),
    out_trade_no: nullable_text,
    out_refund_no: nullable_text,
    transaction_id: nullable_text,
    delivery_id: nullable_text,
    endpoint_id: nullable_text,
    key_id: nullable_text,
    detail: attention_detail,
    run: z
      .object({ workflow_id: z.string(), step: z.string(), attempts: z.int(), error: z.string() })
      .nullable()
      .meta({ description: 'the workflow in Temporal that cannot go on, the step that fails, and its last error' }),
    next_action: z
      .object({ what: z.string(), time })
      .nullable()
      .meta({ description: 'what Weft does next by itself; null: nothing happens without a person' }),
  })
  .meta({ id: 'Attention' })

const nothing_named = {
  amount: null,
  out_trade_no: null,
  out_refund_no: null,
  transaction_id: null,
  delivery_id: null,
  endpoint_id: null,
  key_id: null,
  detail: null,
  run: null,
  next_action: null,
} as const

/** `paid`: fen by transaction, since what arrived may not be what was asked for. */
function stuckOfOrder(order: OrderRecord, paid: ReadonlyMap<string, number>): Stuck[] {
  const { out_trade_no, next_action = null } = order
  return openAttentions(order).map((entry) => {
    const amount = paid.get(entry.transaction_id ?? '') ?? order.amount.total
    const detail = entry.detail ?? null
    return { ...nothing_named, kind: 'order', ...entry, detail, amount, out_trade_no, next_action }
  })
}

async function paidAmounts({ store }: Pick<ApiContext, 'store'>, orders: readonly OrderRecord[]) {
  const ids = orders.flatMap((order) =>
    openAttentions(order).flatMap(({ transaction_id }) =>
      transaction_id === null ? [] : [paymentId(order.mchid, transaction_id)],
    ),
  )
  const payments = ids.length === 0 ? [] : await store.payments.findAll(ids)
  return new Map(payments.map(({ transaction_id, amount }) => [transaction_id, amount.total]))
}

function stuckOfCheckout({ attention, amount, out_trade_no, next_action }: CheckoutRecord): Stuck[] {
  if (attention === undefined) return []
  const named = { amount: amount.total, out_trade_no, next_action: next_action ?? null }
  return [{ ...nothing_named, kind: 'checkout', ...attentionView(attention), ...named }]
}

function stuckOfRefund(refund: RefundRecord): Stuck[] {
  const { attention, amount, out_trade_no, out_refund_no, transaction_id, next_action } = refund
  if (attention === undefined) return []
  const named = { out_trade_no, out_refund_no, transaction_id, next_action: next_action ?? null }
  return [{ ...nothing_named, kind: 'refund', ...attentionView(attention), amount: amount.refund, ...named }]
}

/** The merchant's attentions but for orphaned money, which is listed payment by payment. */
function stuckOfMerchant({ attentions = [] }: MerchantRecord): Stuck[] {
  const shown = attentions.filter(({ code }) => code !== 'orphan_payment')
  return shown.map((attention) => ({ ...nothing_named, kind: 'merchant', ...attentionView(attention) }))
}

function stuckOfOwnerless({ out_trade_no, transaction_id, amount, refunds, success_time }: PaymentRecord): Stuck {
  const named = { out_trade_no, transaction_id, amount: refundableAmount({ amount, refunds }) }
  return { ...nothing_named, kind: 'payment', code: 'orphan_payment', since_time: success_time, ...named }
}

/** Payments that were reported and are not booked yet: Weft queries WeChat Pay, in case the order is only late. */
function stuckOfOrphanEvidence({ out_trade_no, transaction_id, receive_time }: EvidenceRecord, now_ms: number): Stuck {
  const first_ms = milliseconds(receive_time) + orphan_pace.first_ms
  const rounds = Math.max(0, Math.ceil((now_ms - first_ms) / orphan_pace.every_ms))
  const next_action = { what: 'ask_wechat', time: beijingTime(first_ms + rounds * orphan_pace.every_ms) }
  const named = { out_trade_no, transaction_id, next_action }
  return { ...nothing_named, kind: 'payment', code: 'orphan_payment', since_time: receive_time, ...named }
}

async function ownerlessAt({ store, now }: Pick<ApiContext, 'store' | 'now'>, mchid: string): Promise<Stuck[]> {
  const [payments, evidence] = await Promise.all([
    store.payments.findOwnerless(mchid),
    store.evidence.findOrphans(mchid, max_looked_at),
  ])
  const booked = new Set(payments.map(({ transaction_id }) => transaction_id))
  const reported = new Map(evidence.map((one) => [one.transaction_id, one]))
  return [
    ...payments.map(stuckOfOwnerless),
    ...[...reported.values()]
      .filter(({ transaction_id }) => !booked.has(transaction_id ?? ''))
      .map((one) => stuckOfOrphanEvidence(one, now())),
  ]
}

function stuckOfDelivery(delivery: DeliveryRecord): Stuck {
  const { id, endpoint_id, out_trade_no, attempts, create_time } = delivery
  const since_time = attempts.at(-1)?.time ?? create_time
  const named = { out_trade_no, delivery_id: id, endpoint_id }
  return { ...nothing_named, kind: 'delivery', code: 'undelivered', since_time, ...named }
}

/** A key that runs out, from two weeks before until two weeks after: then nobody uses it any more. */
function stuckOfKey({ id, expire_time, revoke_time }: KeyRecord, now_ms: number): Stuck[] {
  if (expire_time === null || revoke_time !== null) return []
  const since_ms = milliseconds(expire_time) - key_notice_ms
  const is_near = now_ms >= since_ms && now_ms < since_ms + 2 * key_notice_ms
  if (!is_near) return []
  return [{ ...nothing_named, kind: 'key', code: 'key_expiring', since_time: beijingTime(since_ms), key_id: id }]
}

/** It ends by itself: the worker that found it looks at it again. */
function stuckOfRun({ _id, since_time, out_trade_no, out_refund_no, ...run }: StuckRunRecord): Stuck {
  const { step, attempts, error } = run
  const named = { out_trade_no, out_refund_no, run: { workflow_id: _id, step, attempts, error } }
  return { ...nothing_named, kind: 'run', code: 'run_stuck', since_time, ...named }
}

/** All that is stuck at a merchant, the longest first. */
async function stuckAt(context: Pick<ApiContext, 'store' | 'now'>, mchid: string) {
  const { store, now } = context
  const page = { limit: max_looked_at, order: 'asc' } as const
  const [merchant, keys, ownerless, orders, checkouts, refunds, deliveries, runs] = await Promise.all([
    store.merchants.find(mchid),
    store.keys.list(mchid),
    ownerlessAt(context, mchid),
    store.orders.list(mchid, { attention: 'any' }, page),
    store.checkouts.list(mchid, { attention: 'any' }, page),
    store.refunds.list(mchid, { attention: 'any' }, page),
    store.deliveries.list(mchid, { state: 'undelivered' }, page),
    store.stuck_runs.ofMerchant(mchid, max_looked_at),
  ])
  const paid = await paidAmounts(context, orders.data)
  const stuck = [
    ...(merchant === null ? [] : stuckOfMerchant(merchant)),
    ...keys.flatMap((key) => stuckOfKey(key, now())),
    ...ownerless,
    ...orders.data.flatMap((order) => stuckOfOrder(order, paid)),
    ...checkouts.data.flatMap(stuckOfCheckout),
    ...refunds.data.flatMap(stuckOfRefund),
    // The fulfilment delivery is not listed: the order itself waits for its answer and raises attention.
    ...deliveries.data.filter(({ purpose }) => purpose === 'notice').map(stuckOfDelivery),
    ...runs.map(stuckOfRun),
  ]
  return {
    stuck: stuck.sort((a, b) => milliseconds(a.since_time) - milliseconds(b.since_time)),
    is_complete: [orders, checkouts, refunds, deliveries].every(({ next_cursor }) => next_cursor === null),
  }
}

const attention_list = z
  .object({
    data: z.array(stuck_shape),
    is_complete: z.boolean().meta({ description: 'false: there is more than is shown' }),
  })
  .meta({ id: 'AttentionList' })

async function stuckReply(
  { context, caller, language }: Pick<EndpointCall<unknown, unknown, unknown>, 'context' | 'caller' | 'language'>,
  limit: number,
): Promise<HttpReply> {
  const { stuck, is_complete } = await stuckAt(context, caller.mchid)
  const data = stuck
    .slice(0, limit)
    .map((one) => ({ object: 'attention', ...one, why: attention_reasons[language][one.code] }))
  return { status: 200, body: { data, is_complete: is_complete && stuck.length <= limit } }
}

const listAttention = declareEndpoint({
  name: 'listAttention',
  method: 'GET',
  path: '/v1/attention',
  scope: 'orders:read',
  summary: 'Everything that waits for a person, the longest first',
  description:
    'Orders, checkouts, refunds, money without an order, the merchant itself and events that were given up. There are no pages: ' +
    'resolve what is shown, and the rest follows; is_complete says whether there is more.',
  query: z.strictObject({
    limit: z.coerce.number().int().min(1).max(max_looked_at).default(100).meta({ description: 'at most so many' }),
  }),
  responses: { 200: { description: 'what is stuck; empty when nothing is', schema: attention_list } },
  problems: [],
  handle: (call) => stuckReply(call, call.query.limit),
})

const resolution_request = z
  .strictObject({
    reason: request_reason,
    out_refund_no: out_refund_no.nullish().meta({ description: 'of this refund, not of the merchant itself' }),
  })
  .meta({ id: 'AttentionSettlement' })

const resolveAttention = declareEndpoint({
  name: 'settleAttention',
  method: 'POST',
  path: '/v1/attention/{code}/settlement',
  scope: 'orders:decide',
  summary: 'Say that a person has looked',
  description:
    'Removes an attention of the merchant itself (kind merchant); it comes back when its cause does. With out_refund_no, ' +
    'refund_number_taken of that refund, or refund_closed of one that was asked for. Any other attention of an order, a refund or a payment is ' +
    'removed only by a decision on it. A repeat is answered with 200 as well.',
  params: z.object({ code: z.enum(attention_codes as [AttentionCode, ...AttentionCode[]]) }),
  body: resolution_request,
  responses: { 200: { description: 'what is still stuck', schema: attention_list } },
  problems: [],
  async handle(call) {
    const { context, caller, params, body, log } = call
    const { reason, out_refund_no: number = null } = body
    if (number === null) await context.store.merchants.liftAttention(caller.mchid, params.code)
    else await context.store.refunds.liftNoticed({ mchid: caller.mchid, out_refund_no: number }, params.code)
    const about = {
      code: params.code,
      reason,
      key_id: caller.key.id,
      ...(number !== null && { out_refund_no: number }),
    }
    log.info('a person has resolved an attention', about)
    return await stuckReply(call, 100)
  },
})

export const attention_endpoints: readonly Endpoint[] = [listAttention, resolveAttention]
