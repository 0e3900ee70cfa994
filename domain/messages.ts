import type { Time } from './calendar.ts'
import type { Envelope } from './evidence.ts'
import { orderId, workflowId } from './ids.ts'
import type { OrderKey } from './ids.ts'
import type { FulfilmentMode } from './merchant.ts'
import type { Actor, OrderState } from './order.ts'
import type { PaymentRole } from './payment.ts'
import type { Policy } from './policy.ts'

/** Task queues, one per kind of limit (architecture §6). */
export const queues = {
  orders: 'weft-orders',
  gateway: 'weft-gateway',
  gateway_poll: 'weft-gateway-poll',
  merchant: 'weft-merchant',
} as const
export type Queue = keyof typeof queues

/** A queue's name under an installation's prefix: several Wefts can share a Temporal namespace, as test suites do. */
export function queueName(queue: Queue, prefix: string): string {
  return `${prefix}${queues[queue]}`
}

// What signals and updates carry: ids and intents, never belief (architecture §4.5).
export type PaymentFound = { evidence_id: string } | { envelope: Envelope }
export interface Command {
  /** also the updateId */
  operation_id: string
  actor: Actor
  reason: string | null
}
export type Confirmation = Command & { result: 'fulfilled' | 'refused' }

export type Answer =
  /** done, or was done before: read the record */
  | { kind: 'state'; state: OrderState; revision: number }
  | { kind: 'refused'; code: 'order_state' | 'order_paid' | 'already_decided'; state: OrderState }

/** Names of signals and updates; workflows/ define them, api/ and activities/runs send them by name. */
export const signals = { payment_found: 'paymentFound', check_requested: 'checkRequested' } as const
export const updates = {
  prepay: 'prepay',
  refresh: 'refresh',
  close: 'close',
  confirm_fulfilment: 'confirmFulfilment',
} as const

/** What a run knows of its order: enough to decide and to explain, nothing personal. */
export interface OrderProgress {
  mchid: string
  out_trade_no: string
  state: OrderState
  revision: number
  sequence: number
  amount: { total: number; currency: string }
  create_time: Time
  time_expire: Time
  placed_time: Time | null
  /** a placement was never answered: the number may be payable although the record holds no code */
  placement_unanswered: boolean
  reference: string | null
  payment: { transaction_id: string; role: PaymentRole; found_by: string } | null
  fulfilment: { mode: FulfilmentMode; result: 'pending' | 'fulfilled' | 'refused' | null; deadline_time: Time | null }
  /** the sequence of the `order.paid` that a fulfilment answers; 0 when never paid */
  paid_sequence: number
  close_reason: string | null
  attention: string | null
  next_action: { what: string; time: Time } | null
}

/** What a record step answers. An item leaves the inbox on each of these, and never before one came. */
export interface Recorded {
  outcome: 'done' | 'done_before' | 'illegal'
  order: OrderProgress
  /** ids of deliveries it inserted and that a `deliverEvent` must carry */
  deliveries: string[]
}

/** The first step of every run: the record, or null when there is no such order; and the durations it lives by. */
export interface Loaded {
  order: OrderProgress | null
  policy: Policy
  /** ids of notices whose events or runs an earlier, lost run still owed */
  deliveries: string[]
}

/** `sequence` and not more: a delivery's own record tells the rest. */
export interface DeliveryArgument {
  delivery_id: string
}

/** Search attributes of every run, registered or verified at start-up per namespace (architecture §12). */
export const search_attributes = {
  merchant: { name: 'WeftMerchant', type: 'KEYWORD' },
  out_trade_no: { name: 'WeftOutTradeNo', type: 'KEYWORD' },
  state: { name: 'WeftState', type: 'KEYWORD' },
  attention: { name: 'WeftAttention', type: 'KEYWORD' },
} as const

type KeywordAttribute = { key: { name: string; type: 'KEYWORD' }; value: string }

/** Everything a client needs to start a workflow, as plain data: whoever starts it, it is the same start. */
export interface WorkflowStart<Arguments extends unknown[]> {
  workflow_type: string
  workflow_id: string
  arguments: Arguments
  queue: Queue
  attributes: KeywordAttribute[]
  summary: string
  details: string
}

export function orderStart(order: OrderKey): WorkflowStart<[OrderKey]> {
  return {
    workflow_type: 'payOrder',
    workflow_id: workflowId.order(order),
    arguments: [{ mchid: order.mchid, out_trade_no: order.out_trade_no }],
    queue: 'orders',
    attributes: [
      { key: search_attributes.merchant, value: order.mchid },
      { key: search_attributes.out_trade_no, value: order.out_trade_no },
      { key: search_attributes.state, value: 'awaiting_payment' },
    ],
    summary: `Order ${order.out_trade_no} of merchant ${order.mchid}`,
    details: `Waits for the payment of order \`${orderId(order)}\`: a notification, or an answer when Weft asks WeChat. Then tells the merchant, once.`,
  }
}

export function deliveryStart(delivery: DeliveryArgument & OrderKey): WorkflowStart<[DeliveryArgument]> {
  return {
    workflow_type: 'deliverEvent',
    workflow_id: workflowId.delivery(delivery.delivery_id),
    arguments: [{ delivery_id: delivery.delivery_id }],
    queue: 'orders',
    attributes: [
      { key: search_attributes.merchant, value: delivery.mchid },
      { key: search_attributes.out_trade_no, value: delivery.out_trade_no },
    ],
    summary: `Event ${delivery.delivery_id}`,
    details: `Sends one event to one endpoint until it is heard, in the order of the events of \`${orderId(delivery)}\`.`,
  }
}
