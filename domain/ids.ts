/** Every id of a workflow, record or operation is made here, so that a promise has one spelling. */

export interface OrderKey {
  mchid: string
  out_trade_no: string
}

export function orderId({ mchid, out_trade_no }: OrderKey): string {
  return `${mchid}/${out_trade_no}`
}

/** The reverse of `orderId`. Neither part can hold a slash (domain/number.ts). */
export function orderKey(order_id: string): OrderKey {
  const [mchid, out_trade_no, ...rest] = order_id.split('/')
  if (!mchid || !out_trade_no || rest.length > 0) throw new RangeError(`not an order id: ${order_id}`)
  return { mchid, out_trade_no }
}

export function paymentId(mchid: string, transaction_id: string): string {
  return `${mchid}/${transaction_id}`
}

export interface RefundKey {
  mchid: string
  out_refund_no: string
}

export function refundId({ mchid, out_refund_no }: RefundKey): string {
  return `${mchid}/${out_refund_no}`
}

/**
 * The number of a refund that Weft makes by itself: named by the order's timeline entry that made it owed, so that the
 * same cause never makes two. `@` keeps it apart from merchants' numbers.
 */
export function automaticRefundNo(out_trade_no: string, revision: number): string {
  return `${out_trade_no}@${revision}`
}

export function referenceId(mchid: string, reference: string): string {
  return `${mchid}/${reference}`
}

/** An event of an order: its number in that order is its identity. */
export function eventId(order: OrderKey, sequence: number): string {
  return `${orderId(order)}/${sequence}`
}

/** An event that belongs to no order. */
export function orderlessEventId(mchid: string, type: string, subject_id: string): string {
  return `${mchid}/${type}/${subject_id}`
}

export function deliveryId(event_id: string, endpoint_id: string): string {
  return `${event_id}/${endpoint_id}`
}

export function endpointId(mchid: string, url: string): string {
  return `${mchid}/${url}`
}

export const evidenceId = {
  notification: (mchid: string, notification_id: string) => `${mchid}/notification/${notification_id}`,
  /** One document per distinct answer: asking again and hearing the same adds nothing. */
  query: (mchid: string, number: string, state: string, transaction_id: string | null) =>
    `${mchid}/query/${number}/${state}/${transaction_id ?? '-'}`,
  /** As `query`, of a refund: `status` and the refund_id it has, or `-`. */
  refundQuery: (mchid: string, out_refund_no: string, status: string, refund_id: string | null) =>
    `${mchid}/query/${out_refund_no}/${status}/${refund_id ?? '-'}`,
  /** A merchant's confirmation that no worker took. Earlier versions named it `<mchid>/operator/<operation id>`. */
  merchant: (mchid: string, operation_id: string) => `${mchid}/merchant/${operation_id}`,
}

export const journalId = {
  payment: (mchid: string, transaction_id: string) => `pay:${mchid}:${transaction_id}`,
  acceptance: (mchid: string, transaction_id: string) => `accept:${mchid}:${transaction_id}`,
  refund: (mchid: string, out_refund_no: string, step: 'accepted' | 'success' | 'closed' | 'returned') =>
    `refund:${mchid}:${out_refund_no}:${step}`,
  payout: (mchid: string, out_refund_no: string) => `payout:${mchid}:${out_refund_no}`,
}

/** Workflow ids. The id is the mutex: one run per order, one per refund, one per delivery. */
export const workflowId = {
  order: (order: OrderKey) => `order/${orderId(order)}`,
  refund: (refund: RefundKey) => `refund/${refundId(refund)}`,
  delivery: (delivery_id: string) => `delivery/${delivery_id}`,
}

/**
 * Operation ids are derived from what caused a write, never from the attempt that makes it: the same cause told twice
 * is done once (architecture §4.3).
 */
/** Whether a question on request is a payer's, of which an order has a limited number. */
export function isPayersCheck(operation_id: string): boolean {
  return operation_id.startsWith('check:payer:')
}

export const operationId = {
  placed: () => 'placed',
  /** `asker`: the kind of actor that wants to know; only what payers ask is limited per order. */
  check: (asker: string, random: string) => `check:${asker}:${random}`,
  renewed: (command_operation_id: string) => `renewed:${command_operation_id}`,
  placementRefused: () => 'placement_refused',
  payment: (transaction_id: string) => `payment:${transaction_id}`,
  expired: () => 'expired',
  uncertainPlacement: () => 'uncertain_placement',
  closedAtWeChat: () => 'closed_at_wechat',
  cancelled: (run_id: string) => `cancelled:${run_id}`,
  /** `sequence` is that of the `order.paid` that was answered: each entry into `paid` asks anew. */
  answered: (sequence: number, result: string) => `answered:${sequence}:${result}`,
  /** Derived from what it answers, so that the same word told twice is one operation wherever it arrives. */
  confirmation: (out_trade_no: string, sequence: number, result: string) =>
    `fulfilment:${out_trade_no}:${sequence}:${result}`,
  automatic: (sequence: number) => `automatic:${sequence}`,
  overdue: (sequence: number) => `overdue:${sequence}`,
  stopped: (sequence: number) => `stopped:${sequence}`,
  /** `revision` is that of the refund's entry of which the order is told */
  refund: (out_refund_no: string, revision: number) => `refund:${out_refund_no}:${revision}`,
  refundRequested: (out_refund_no: string) => `refund_requested:${out_refund_no}`,
  refunded: () => 'refunded',
}
