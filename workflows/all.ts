/** The bundler's list: every workflow that a Weft worker runs. */
export { payOrder } from './order.ts'
export { refundPayment } from './refund.ts'
export { deliverEvent } from './delivery.ts'
