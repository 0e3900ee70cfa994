import type { RefundOrigin } from '../refund/record.ts'
import type { OrderEvent } from './record.ts'

type AutomaticOrigin = Extract<
  RefundOrigin,
  'late_payment' | 'second_payment' | 'fulfilment_refused' | 'fulfilment_overdue' | 'review_rejected'
>

/** Which refund Weft makes by itself after an event of the order; the others owe nobody a new one. */
const automatic_origins: Partial<Record<OrderEvent, AutomaticOrigin>> = {
  late_payment_found: 'late_payment',
  fulfilment_refused: 'fulfilment_refused',
  fulfilment_overdue: 'fulfilment_overdue',
  rejected: 'review_rejected',
  second_rejected: 'second_payment',
}

export function automaticOrigin(event: OrderEvent): AutomaticOrigin | null {
  return automatic_origins[event] ?? null
}

/** What WeChat tells the payer beside the money: at most 80 bytes, in his language. */
const automatic_reasons: Record<AutomaticOrigin, string> = {
  late_payment: '付款时订单已结束',
  second_payment: '同一订单重复付款',
  fulfilment_refused: '商家无法发货',
  fulfilment_overdue: '商家未按时确认订单',
  review_rejected: '付款与订单不符',
}

export function automaticReason(origin: AutomaticOrigin): string {
  return automatic_reasons[origin]
}
