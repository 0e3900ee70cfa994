/** The bundler's list: every workflow that a Weft worker runs. */
export { payOrder } from './order/workflow.ts'
export { refundPayment } from './refund/workflow.ts'
export { deliverEvent } from './delivery/workflow.ts'
export { reconcileDay } from './bill/workflow.ts'
export { concludeDay } from './bill/conclusion.ts'
export { reconcileDays } from './bill/dispatch.ts'
