import { z } from 'zod'
import { attention_codes } from '../../domain/attention.ts'
import type { AttentionCode } from '../../domain/attention.ts'
import { milliseconds } from '../../domain/calendar.ts'
import type { Time } from '../../domain/calendar.ts'
import type { DeliveryRecord } from '../../domain/delivery.ts'
import { paymentId } from '../../domain/ids.ts'
import type { MerchantRecord } from '../../domain/merchant.ts'
import { undecidedSeconds } from '../../domain/order.ts'
import type { OrderRecord } from '../../domain/order.ts'
import type { RefundRecord } from '../../domain/refund.ts'
import type { ApiContext } from '../context.ts'
import { endpoint } from '../endpoint.ts'
import type { Endpoint } from '../endpoint.ts'
import { reasons } from '../reasons.ts'
import { nullable_text, time } from './shapes.ts'

/** So many of each kind are looked at, those created first: beyond that, what is shown is not all, and says so. */
const looked_at = 500

/** Something that waits for a person, whatever kind of thing it is. Amounts in fen. */
interface Stuck {
  kind: 'order' | 'refund' | 'merchant' | 'delivery'
  code: AttentionCode
  since_time: Time
  amount: number | null
  out_trade_no: string | null
  out_refund_no: string | null
  transaction_id: string | null
  delivery_id: string | null
  endpoint_id: string | null
  next_action: { what: string; time: Time } | null
}

const stuck_shape = z
  .object({
    object: z.literal('attention'),
    kind: z.enum(['order', 'refund', 'merchant', 'delivery']),
    code: z.enum(attention_codes as [AttentionCode, ...AttentionCode[]]),
    why: z.string().meta({ description: 'what happened and what to do, in the language of Accept-Language' }),
    since_time: time,
    amount: z.int().nullable().meta({ description: 'fen that wait behind it' }),
    out_trade_no: nullable_text,
    out_refund_no: nullable_text,
    transaction_id: nullable_text,
    delivery_id: nullable_text,
    endpoint_id: nullable_text,
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
  next_action: null,
} as const

/** The payment that the order's attention is about: a second one that nobody decided on, else its own. */
function paymentBehind({ attention, payment, timeline }: OrderRecord): string | null {
  const [second] = attention?.code === 'second_payment' ? undecidedSeconds({ timeline }) : []
  return second ?? payment?.transaction_id ?? null
}

/** `paid`: fen by transaction, since what arrived may not be what was asked for. */
function ofOrder(order: OrderRecord, paid: ReadonlyMap<string, number>): Stuck[] {
  const { attention, out_trade_no, next_action } = order
  if (attention === undefined) return []
  const transaction_id = paymentBehind(order)
  const amount = paid.get(transaction_id ?? '') ?? order.amount.total
  return [
    {
      ...nothing_named,
      kind: 'order',
      ...attention,
      amount,
      out_trade_no,
      transaction_id,
      next_action: next_action ?? null,
    },
  ]
}

async function paidBehind({ store }: Pick<ApiContext, 'store'>, orders: readonly OrderRecord[]) {
  const ids = orders.flatMap((order) => {
    const transaction_id = paymentBehind(order)
    return transaction_id === null ? [] : [paymentId(order.mchid, transaction_id)]
  })
  const payments = ids.length === 0 ? [] : await store.payments.findAll(ids)
  return new Map(payments.map(({ transaction_id, amount }) => [transaction_id, amount.total]))
}

function ofRefund(refund: RefundRecord): Stuck[] {
  const { attention, amount, out_trade_no, out_refund_no, transaction_id, next_action } = refund
  if (attention === undefined) return []
  const named = { out_trade_no, out_refund_no, transaction_id, next_action: next_action ?? null }
  return [{ ...nothing_named, kind: 'refund', ...attention, amount: amount.refund, ...named }]
}

function ofMerchant({ attentions = [] }: MerchantRecord): Stuck[] {
  return attentions.map((attention) => ({ ...nothing_named, kind: 'merchant', ...attention }))
}

function ofDelivery(delivery: DeliveryRecord): Stuck {
  const { id, endpoint_id, out_trade_no, attempts, create_time } = delivery
  const since_time = attempts.at(-1)?.time ?? create_time
  const named = { out_trade_no, delivery_id: id, endpoint_id }
  return { ...nothing_named, kind: 'delivery', code: 'undelivered', since_time, ...named }
}

/** All that is stuck at a merchant, the longest first. */
async function stuckAt(context: Pick<ApiContext, 'store'>, mchid: string) {
  const { store } = context
  const page = { limit: looked_at, order: 'asc' } as const
  const [merchant, orders, refunds, deliveries] = await Promise.all([
    store.merchants.find(mchid),
    store.orders.list(mchid, { attention: 'any' }, page),
    store.refunds.list(mchid, { attention: 'any' }, page),
    store.deliveries.list(mchid, { state: 'undelivered' }, page),
  ])
  const paid = await paidBehind(context, orders.data)
  const stuck = [
    ...(merchant === null ? [] : ofMerchant(merchant)),
    ...orders.data.flatMap((order) => ofOrder(order, paid)),
    ...refunds.data.flatMap(ofRefund),
    ...deliveries.data.map(ofDelivery),
  ]
  return {
    stuck: stuck.sort((a, b) => milliseconds(a.since_time) - milliseconds(b.since_time)),
    is_complete: [orders, refunds, deliveries].every(({ next_cursor }) => next_cursor === null),
  }
}

const listAttention = endpoint({
  name: 'listAttention',
  method: 'GET',
  path: '/v1/attention',
  scope: 'orders:read',
  summary: 'Everything that waits for a person, the longest first',
  description:
    'Orders, refunds, the merchant itself and events that were given up. Without pages: settle what is shown, and the ' +
    'rest follows; is_complete says whether there is a rest.',
  query: z.strictObject({
    limit: z.coerce.number().int().min(1).max(looked_at).default(100).meta({ description: 'at most so many' }),
  }),
  answers: {
    200: {
      description: 'what is stuck; empty when nothing is',
      schema: z
        .object({
          data: z.array(stuck_shape),
          is_complete: z.boolean().meta({ description: 'false: there is more than is shown' }),
        })
        .meta({ id: 'AttentionList' }),
    },
  },
  problems: [],
  async handle({ context, caller, query, language }) {
    const { stuck, is_complete } = await stuckAt(context, caller.mchid)
    const data = stuck.slice(0, query.limit).map((one) => ({
      object: 'attention',
      ...one,
      why: reasons[language][one.code],
    }))
    return { status: 200, body: { data, is_complete: is_complete && stuck.length <= query.limit } }
  },
})

export const attention_endpoints: readonly Endpoint[] = [listAttention]
