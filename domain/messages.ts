import type { Actor } from './actor.ts'
import type { Time } from './calendar.ts'
import type { DayKey } from './bill/reconciliation.ts'
import { orderId, workflowId } from './ids.ts'
import type { OrderKey, RefundKey } from './ids.ts'
import type { Bilingual, Language } from './language.ts'
import type { FulfilmentMode } from './merchant/record.ts'
import type { OrderState } from './order/record.ts'
import type { Envelope } from './payment/evidence.ts'
import type { PaymentRole } from './payment/record.ts'
import type { Policy } from './policy.ts'
import type { RefundOrigin, RefundState } from './refund/record.ts'

/** Task queues, one per kind of limit (architecture §6). */
export const queues = {
  orders: 'weft-orders',
  gateway: 'weft-gateway',
  gateway_poll: 'weft-gateway-poll',
  merchant: 'weft-merchant',
  notice: 'weft-notice',
  bills: 'weft-bills',
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

/** A person's word on money in review; `transaction_id` names a second payment, null the order's own. */
export type ReviewDecision = Command & { decision: 'accept' | 'reject'; transaction_id: string | null }
export type FullRefundCommand = Command & { out_refund_no: string }

/** What is told of a refund: its evidence, or nothing but that somebody should look. */
export type RefundChanged = { evidence_id: string | null } | { envelope: Envelope }
export type RefundApproval = Command & { decision: 'approve' | 'reject' }
export type PayoutCommand = Command & { proof: string }
/** How an abnormal refund goes on; `bank_account` and `real_name` encrypted for WeChat Pay, whose key `serial_no` names. */
export type AbnormalHandling = Command & {
  type: 'USER_BANK_CARD' | 'MERCHANT_BANK_CARD'
  bank_type: string | null
  bank_account: string | null
  real_name: string | null
  serial_no: string
}

/** How an update of a refund's run is answered: read the record, or why not. */
export type RefundAnswer =
  | { kind: 'state'; state: RefundState; revision: number }
  | {
      kind: 'refused'
      code: 'refund_state' | 'already_decided' | 'approver_is_requester' | 'refund_exceeds_payment' | 'wechat_refused'
      state: RefundState
      /** what WeChat said, where it was WeChat that refused */
      wechat?: { code: string; message: string; status?: number | null }
    }

export type OrderAnswer =
  /** done, or was done before: read the record */
  | { kind: 'state'; state: OrderState; revision: number }
  | { kind: 'refused'; code: 'order_state' | 'order_paid' | 'already_decided'; state: OrderState }

/** Names of signals and updates. workflows/ defines them; api/, activities/runs and the sweeper send them by name. */
export const signals = {
  payment_found: 'paymentFound',
  check_requested: 'checkRequested',
  /** to a refund's run: WeChat says something about it; to an order's run: it has something to be told */
  refund_changed: 'refundChanged',
  /** to a day's `concludeDay`: differences of it were moved, or a person wants something done about them */
  differences_moved: 'differencesMoved',
} as const
export const order_updates = {
  prepay: 'prepay',
  refresh: 'refresh',
  close: 'close',
  confirm_fulfilment: 'confirmFulfilment',
  resolve_review: 'resolveReview',
  request_refund: 'requestRefund',
} as const

/** Updates of a refund's run. */
export const refund_updates = {
  /** answers once the refund is reserved or cannot be */
  reserve: 'reserve',
  approve: 'approve',
  handle_abnormal: 'handleAbnormal',
  pay_out: 'payOut',
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
  /** the sequence of the `order.fulfilment_cancelled` that took the question back; 0 while it stands */
  stopped_sequence: number
  close_reason: string | null
  attention: string | null
  /** all that waits for a person, and of which payment; absent where nothing does, and in what earlier versions told */
  reviews?: { code: string; transaction_id: string | null }[]
  /** the latest refunds that its timeline tells of; absent where there are none, and in what earlier versions told */
  refund_nos?: string[]
  /** the number of the checkout that made it; absent where the merchant did, and in what earlier versions told */
  checkout_no?: string
  next_action: { what: string; time: Time } | null
}

/** What a record step answers. An item leaves the inbox on each of these, and never before one came. */
export interface OrderWriteResult {
  outcome: 'done' | 'done_before' | 'illegal'
  order: OrderProgress
  /** ids of deliveries it inserted and that a `deliverEvent` must carry */
  deliveries: string[]
  /** numbers of refunds that it made owed and that a `refundPayment` must carry */
  refunds: string[]
}

/** What a run knows of its refund: enough to decide and to explain, nothing personal. */
export interface RefundProgress {
  mchid: string
  out_refund_no: string
  out_trade_no: string
  transaction_id: string
  /** null: the payment belongs to no order of ours */
  order_id: string | null
  state: RefundState
  revision: number
  amount: { refund: number; total: number; currency: string }
  is_full: boolean
  origin: RefundOrigin
  /** WeChat has taken it */
  is_accepted: boolean
  approval_expire_time: Time | null
  attention: string | null
  next_action: { what: string; time: Time } | null
  /** revision of the last entry that the order has to hear of; 0: none */
  tells_revision: number
}

export interface RefundWriteResult {
  outcome: 'done' | 'done_before' | 'illegal'
  refund: RefundProgress
  /** as in `OrderWriteResult`: of a refund without an order */
  deliveries: string[]
  /** the number here of a refund made outside that WeChat's answer was about; its run is to be told */
  adopted?: string
  /** that answer, as evidence; absent in what earlier versions recorded */
  adopted_by?: string
}

export interface LoadedRefund {
  refund: RefundProgress | null
  policy: Policy
  deliveries: string[]
}

/** The first step of every run: the record, or null when there is no such order; and the durations it lives by. */
export interface LoadedOrder {
  order: OrderProgress | null
  policy: Policy
  /** ids of notices whose events or runs an earlier, lost run still owed */
  deliveries: string[]
  /** numbers of refunds that it owed */
  refunds: string[]
}

/** A delivery's own record tells the rest. `is_repeat`: once more, though it is no longer open. */
export interface DeliveryArgument {
  delivery_id: string
  is_repeat?: true
}

/** Search attributes of every run, registered or verified at start-up per namespace (architecture §12). */
export const search_attributes = {
  merchant: { name: 'WeftMerchant', type: 'KEYWORD' },
  out_trade_no: { name: 'WeftOutTradeNo', type: 'KEYWORD' },
  state: { name: 'WeftState', type: 'KEYWORD' },
  attention: { name: 'WeftAttention', type: 'KEYWORD' },
} as const

/**
 * For whom Temporal UI shows a run. Its start says so, as memo: a run reads no settings, and says the same each time it is
 * gone through.
 */
export interface ShownTo {
  language: Language
  /** a page that says of each attention code what to do about it; null: none is known */
  guide_url: string | null
}
export const shown_memo = 'shown'

type KeywordAttribute = { key: { name: string; type: 'KEYWORD' }; value: string }

/** Everything a client needs to start a workflow, as plain data: whoever starts it, it is the same start. */
export interface WorkflowStart<Arguments extends unknown[]> {
  workflow_type: string
  workflow_id: string
  arguments: Arguments
  queue: Queue
  attributes: KeywordAttribute[]
  summary: Bilingual
  details: Bilingual
  /** its tasks wait behind those of orders and refunds, where both wait for a worker; absent: they do not */
  is_patient?: true
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
    summary: {
      en: `Order ${order.out_trade_no} of merchant ${order.mchid}`,
      'zh-CN': `商户 ${order.mchid} 的订单 ${order.out_trade_no}`,
    },
    details: {
      en: `Waits for the payment of order \`${orderId(order)}\`: a notification, or an answer when Weft asks WeChat. Then tells the merchant, once.`,
      'zh-CN': `等待订单 \`${orderId(order)}\` 的付款：收到通知，或向微信支付查询得知。随后通知商户，仅一次。`,
    },
  }
}

export function refundStart(refund: RefundKey & { out_trade_no: string }): WorkflowStart<[RefundKey]> {
  const { mchid, out_refund_no, out_trade_no } = refund
  return {
    workflow_type: 'refundPayment',
    workflow_id: workflowId.refund(refund),
    arguments: [{ mchid, out_refund_no }],
    queue: 'orders',
    attributes: [
      { key: search_attributes.merchant, value: mchid },
      { key: search_attributes.out_trade_no, value: out_trade_no },
      { key: search_attributes.state, value: 'processing' },
    ],
    summary: {
      en: `Refund ${out_refund_no} of order ${out_trade_no}`,
      'zh-CN': `订单 ${out_trade_no} 的退款 ${out_refund_no}`,
    },
    details: {
      en: `Gives money of order \`${mchid}/${out_trade_no}\` back: reserves it on the payment, sends one request to WeChat, asks until it has ended, tells the order.`,
      'zh-CN': `退回订单 \`${mchid}/${out_trade_no}\` 的款项：在该笔付款上锁定可退金额，向微信支付申请一次，查询直到结束，再通知订单工作流。`,
    },
  }
}

export function deliveryStart(delivery: DeliveryArgument & OrderKey): WorkflowStart<[DeliveryArgument]> {
  return {
    workflow_type: 'deliverEvent',
    workflow_id: workflowId.delivery(delivery.delivery_id),
    arguments: [{ delivery_id: delivery.delivery_id, ...(delivery.is_repeat && { is_repeat: true }) }],
    queue: 'orders',
    attributes: [
      { key: search_attributes.merchant, value: delivery.mchid },
      { key: search_attributes.out_trade_no, value: delivery.out_trade_no },
    ],
    summary: { en: `Event ${delivery.delivery_id}`, 'zh-CN': `事件 ${delivery.delivery_id}` },
    details: {
      en: `Sends one event to one endpoint until it is heard, in the order of the events of \`${orderId(delivery)}\`.`,
      'zh-CN': `向一个地址投递一个事件直到送达，按 \`${orderId(delivery)}\` 的事件顺序。`,
    },
    is_patient: true,
  }
}

/** A day that is looked at again is a new run under the same id; one under way is the one. */
export function reconcileStart(day: DayKey): WorkflowStart<[DayKey]> {
  const { mchid, bill_date } = day
  return {
    workflow_type: 'reconcileDay',
    workflow_id: workflowId.day(day),
    arguments: [{ mchid, bill_date }],
    queue: 'orders',
    attributes: [{ key: search_attributes.merchant, value: mchid }],
    summary: {
      en: `Bills of ${bill_date} of merchant ${mchid}`,
      'zh-CN': `商户 ${mchid} 在 ${bill_date} 的账单`,
    },
    details: {
      en: `Fetches WeChat’s bills of ${bill_date}, compares them with what is recorded, asks WeChat about what differs and heals what can be healed.`,
      'zh-CN': `下载微信支付 ${bill_date} 的账单，与本地记录核对，就差异向微信支付查询，能恢复的自行恢复。`,
    },
    is_patient: true,
  }
}

/** What people do about a day's differences is followed by one run at a time. */
export function concludeStart(day: DayKey): WorkflowStart<[DayKey]> {
  const { mchid, bill_date } = day
  return {
    workflow_type: 'concludeDay',
    workflow_id: workflowId.conclusion(day),
    arguments: [{ mchid, bill_date }],
    queue: 'orders',
    attributes: [{ key: search_attributes.merchant, value: mchid }],
    summary: {
      en: `Differences of ${bill_date} of merchant ${mchid}`,
      'zh-CN': `商户 ${mchid} 在 ${bill_date} 的差异`,
    },
    details: {
      en: `Does what people asked for about differences of ${bill_date}, then counts what is left of them and says whether the day is proven.`,
      'zh-CN': `执行人工对 ${bill_date} 差异的处理，再统计剩余差异，给出当日是否核实。`,
    },
    is_patient: true,
  }
}
