import type { OrderProgress } from '../domain/messages.ts'
import { paidSequence } from '../domain/order.ts'
import type { OrderRecord } from '../domain/order.ts'

/** What a run may know of a record: no address, no payer, no token. */
export function progressOf(order: OrderRecord): OrderProgress {
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
    close_reason: order.close_reason,
    attention: order.attention?.code ?? null,
    next_action: order.next_action ?? null,
  }
}
