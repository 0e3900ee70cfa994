import type { RefundOrigin } from '../refund/record.ts'
import type { OrderEvent } from './record.ts'

/** Which refund Weft makes by itself after an event of the order; the others owe nobody a new one. */
const automatic_origins: Partial<Record<OrderEvent, RefundOrigin>> = {
  late_payment_found: 'late_payment',
  fulfilment_refused: 'fulfilment_refused',
  fulfilment_overdue: 'fulfilment_overdue',
  rejected: 'review_rejected',
  second_rejected: 'second_payment',
}

export function automaticOrigin(event: OrderEvent): RefundOrigin | null {
  return automatic_origins[event] ?? null
}
