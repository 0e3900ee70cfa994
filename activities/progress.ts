import { orderKey } from '../domain/ids.ts'
import type { OrderProgress, RefundProgress } from '../domain/messages.ts'
import type { OrderRecord } from '../domain/order/record.ts'
import { openAttentions } from '../domain/order/review.ts'
import { paidSequence, stoppedSequence } from '../domain/order/timeline.ts'
import { entriesForOrder } from '../domain/refund/change.ts'
import type { RefundRecord } from '../domain/refund/record.ts'

/** What a run may know of a record: no address, no payer, no token. */
export function orderProgress(order: OrderRecord): OrderProgress {
  return {
    mchid: order.mchid,
    out_trade_no: order.out_trade_no,
    state: order.state,
    revision: order.revision,
    sequence: order.sequence,
    amount: order.amount,
    create_time: order.create_time,
    time_expire: order.time_expire,
    placed_time: order.code?.placed_time ?? null,
    placement_unanswered: order.placement.unanswered,
    reference: order.reference,
    payment: order.payment && {
      transaction_id: order.payment.transaction_id,
      role: order.payment.role,
      found_by: order.payment.found_by,
    },
    fulfilment: {
      mode: order.fulfilment.mode,
      result: order.fulfilment.result,
      deadline_time: order.fulfilment.deadline_time,
    },
    paid_sequence: paidSequence(order),
    stopped_sequence: stoppedSequence(order),
    close_reason: order.close_reason,
    attention: order.attention?.code ?? null,
    ...reviewsOf(order),
    ...refundsOf(order),
    ...(order.checkout_id && { checkout_no: orderKey(order.checkout_id).out_trade_no }),
    next_action: order.next_action ?? null,
  }
}

/** What waits for a person, where it is more than the order's attention says: an order has one, and may have two payments. */
function reviewsOf(order: OrderRecord): Pick<OrderProgress, 'reviews'> {
  const reviews = openAttentions(order).map(({ code, transaction_id }) => ({ code, transaction_id }))
  return reviews.length === 0 ? {} : { reviews }
}

const most_refunds_told = 3

/** The latest refunds of an order, so that Temporal UI leads to their runs. */
function refundsOf({ timeline }: OrderRecord): Pick<OrderProgress, 'refund_nos'> {
  const named = new Set(timeline.flatMap(({ out_refund_no }) => (out_refund_no === undefined ? [] : [out_refund_no])))
  return named.size === 0 ? {} : { refund_nos: [...named].slice(-most_refunds_told) }
}

/** What a refund's run may know of its record: no reason, no account, no proof. */
export function refundProgress(refund: RefundRecord): RefundProgress {
  return {
    mchid: refund.mchid,
    out_refund_no: refund.out_refund_no,
    out_trade_no: refund.out_trade_no,
    transaction_id: refund.transaction_id,
    order_id: refund.order_id,
    state: refund.state,
    revision: refund.revision,
    amount: refund.amount,
    is_full: refund.is_full,
    origin: refund.origin,
    is_accepted: refund.facts !== null,
    approval_expire_time: refund.approval?.expire_time ?? null,
    attention: refund.attention?.code ?? null,
    next_action: refund.next_action ?? null,
    tells_revision: entriesForOrder(refund).at(-1)?.revision ?? 0,
  }
}
