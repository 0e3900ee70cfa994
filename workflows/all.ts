/** The bundler's list: every workflow that a Weft worker runs. */
export { payOrder } from './order.ts'
export { deliverEvent } from './delivery.ts'
