import { randomBytes } from 'node:crypto'
import type { OrderOccurrence, OrderRecord } from '../../domain/order/record.ts'
import type { PaymentRecord } from '../../domain/payment/record.ts'
import type { RefundOccurrence, RefundRecord } from '../../domain/refund/record.ts'
import type { Store } from '../../store/store.ts'
import { freshStore } from '../store/database.ts'
import { mchid, orderSample, paymentSample } from '../store/samples.ts'
import { beijingTime } from '../../domain/calendar.ts'
import { playApi } from './playedapi.ts'
import type { ApiStage } from './playedapi.ts'

export type { ApiStage, Key } from './playedapi.ts'

/** The whole API over a real store. The runs are played by the test: what a command brings about is its to say. */
export async function openApiStage({ store: given }: { store?: (store: Store) => Store } = {}): Promise<ApiStage> {
  const { store: whole, drop } = await freshStore()
  return await playApi(whole, { store: given === undefined ? whole : given(whole), drop })
}

/** A number that no other test uses. */
export function newNumber(prefix = 'T'): string {
  return `${prefix}${randomBytes(8).toString('hex')}`
}

export const now = () => beijingTime(Date.now())

/** An order and the payment of 990 fen that it holds, recorded a moment ago. */
export async function paidOrder(
  { store }: ApiStage,
  given: { order?: Partial<OrderRecord>; payment?: Partial<PaymentRecord> } = {},
): Promise<{ order: OrderRecord; payment: PaymentRecord }> {
  const out_trade_no = newNumber()
  const transaction_id = newNumber('4200')
  const payment = paymentSample(transaction_id, {
    out_trade_no,
    order_id: `${mchid}/${out_trade_no}`,
    success_time: now(),
    ...given.payment,
  })
  const order = orderSample(out_trade_no, {
    state: 'paid',
    revision: 2,
    payment: {
      transaction_id,
      role: 'order',
      success_time: payment.success_time,
      found_by: 'notification',
      found_time: now(),
      bank_type: null,
    },
    ...given.order,
  })
  await store.payments.insert(payment)
  await store.orders.insert(order)
  return { order, payment }
}

type Given<T, Known extends keyof T> = Partial<T> & Pick<T, Known>

function whole(occurrence: object) {
  return { operation_id: newNumber('op'), time: now(), actor: { kind: 'weft', id: null }, ...occurrence }
}

/** What a run would record. */
export async function refundBecomes(
  { store }: ApiStage,
  refund: Pick<RefundRecord, 'mchid' | 'out_refund_no'>,
  occurrence: Given<RefundOccurrence, 'event'>,
): Promise<RefundRecord> {
  const applied = await store.refunds.apply(refund, whole(occurrence) as RefundOccurrence)
  if (applied.outcome !== 'done') throw new Error(`${occurrence.event} is ${applied.outcome}`)
  return applied.refund
}

export async function orderBecomes(
  { store }: ApiStage,
  order: Pick<OrderRecord, 'mchid' | 'out_trade_no'>,
  occurrence: Given<OrderOccurrence, 'event'>,
): Promise<OrderRecord> {
  const applied = await store.orders.apply(order, whole(occurrence) as OrderOccurrence)
  if (applied.outcome !== 'done') throw new Error(`${occurrence.event} is ${applied.outcome}`)
  return applied.order
}

export const facts = {
  refund_id: '50300000000000000000000000001',
  channel: 'ORIGINAL',
  user_received_account: '支付用户零钱',
  accepted_time: now(),
  success_time: null,
  payer_refund: null,
  settlement_refund: null,
} as const satisfies RefundRecord['facts']

/** The reserve step, as the run does it: on the payment, then on the record. */
export async function reserve(
  stage: ApiStage,
  refund: Pick<RefundRecord, 'mchid' | 'out_refund_no'>,
  approval_expire_time: string | null = null,
): Promise<RefundRecord> {
  const record = await stage.store.refunds.find(refund)
  if (record === null) throw new Error('no such refund')
  const { out_refund_no, amount } = record
  const answer = await stage.store.payments.reserveRefund(record, { out_refund_no, amount: amount.refund }, Date.now())
  if ('refusal' in answer) {
    const failure = { code: answer.refusal, message: 'by the payment' }
    return await refundBecomes(stage, refund, { event: 'not_reserved', failure })
  }
  const frozen = { path: '/v3/refund/domestic/refunds', body: '{}' }
  const reserved = { amount, is_full: false, wechat_request: frozen, approval_expire_time }
  return await refundBecomes(stage, refund, { event: 'reserved', ...reserved })
}
