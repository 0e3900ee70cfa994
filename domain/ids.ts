/**
 * Builds the ids of workflows and records, and the operation ids that are derived from a cause, so that a promise has
 * one spelling. Commands that may be corrected and sent again have random operation ids of the API's own.
 */

/** A merchant's order number as WeChat takes it (docs/wechat-pay.md §3.3). Unique per mchid, for ever. */
export const out_trade_no_pattern = /^[0-9A-Za-z_\-|*]{6,32}$/

/** A checkout's number: as an order's, and short enough that those of its later orders, `<number>-2`, are as well. */
export const checkout_no_pattern = /^[0-9A-Za-z_\-|*]{6,28}$/

/** A refund's number. `@` is WeChat's alphabet too, but Weft keeps it for the refunds it makes itself. */
export const out_refund_no_pattern = /^[0-9A-Za-z_\-|*@]{1,64}$/

export const mchid_pattern = /^[0-9]{8,32}$/

export interface OrderKey {
  mchid: string
  out_trade_no: string
}

/** The order number of a refund's run until WeChat has named the order. */
export const unknown_order = '-'

export function orderId({ mchid, out_trade_no }: OrderKey): string {
  return `${mchid}/${out_trade_no}`
}

/** The reverse of `orderId`. Neither part can hold a slash, by their patterns. Throws RangeError for anything else. */
export function orderKey(order_id: string): OrderKey {
  const [mchid, out_trade_no, ...rest] = order_id.split('/')
  if (!mchid || !out_trade_no || rest.length > 0) throw new RangeError(`not an order id: ${order_id}`)
  return { mchid, out_trade_no }
}

/** The number of a checkout's `place`-th order, from 1: the first has the checkout's own. */
export function checkoutOrderNo(out_trade_no: string, place: number): string {
  return place === 1 ? out_trade_no : `${out_trade_no}-${place}`
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

/** A place in the sum of a merchant's refunds of a Beijing day. */
export function allowanceId(mchid: string, day: string, place: number): string {
  return `${mchid}/${day}/${String(place).padStart(8, '0')}`
}

/**
 * The number of a refund that Weft makes by itself: named by the order's timeline entry that made it owed, so that the
 * same cause never makes two. `@` keeps it apart from merchants' numbers.
 */
export function automaticRefundNo(out_trade_no: string, revision: number): string {
  return `${out_trade_no}@${revision}`
}

/**
 * The number here of a refund made outside whose own number a refund of ours has already: WeChat's number of it, which no
 * merchant gives.
 */
export function outsideRefundNo(refund_id: string): string {
  return `${refund_id}@wechat`
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

/** A Beijing day of a merchant. */
export function dayId({ mchid, bill_date }: { mchid: string; bill_date: string }): string {
  return `${mchid}/${bill_date}`
}

/** One version of a day's bill. */
export function billId(day: { mchid: string; bill_date: string }, type: string, version: number): string {
  return `${dayId(day)}/${type}/${version}`
}

/** What the pieces of one fetch of a bill are named by. */
export function billPartsKey(day: { mchid: string; bill_date: string }, type: string, random: string): string {
  return `${dayId(day)}/${type}/${random}`
}

/** A piece of a bill's file, numbered from 0. */
export function billPartId(parts_key: string, number: number): string {
  return `${parts_key}/${number}`
}

/** `subject`: WeChat's id of the payment or refund, ours where WeChat has none, or the number of a line. */
export function differenceId(day: { mchid: string; bill_date: string }, kind: string, subject: string): string {
  return `${dayId(day)}/${kind}/${subject}`
}

export const evidenceId = {
  notification: (mchid: string, notification_id: string) => `${mchid}/notification/${notification_id}`,
  /** One document per distinct answer: a query that is answered as the one before adds nothing. */
  query: (mchid: string, number: string, state: string, transaction_id: string | null) =>
    `${mchid}/query/${number}/${state}/${transaction_id ?? '-'}`,
  /** The same answer where the refusal of a refund led to the question. */
  afterRefusal: (query_id: string, out_refund_no: string) => `${query_id}/${out_refund_no}`,
  /** As `query`, of a refund: `status` and the refund_id it has, or `-`. */
  refundQuery: (mchid: string, out_refund_no: string, status: string, refund_id: string | null) =>
    `${mchid}/query/${out_refund_no}/${status}/${refund_id ?? '-'}`,
  /** WeChat's answer about a payment that a line of a bill led to. */
  billLine: (mchid: string, transaction_id: string, state: string) => `${mchid}/bill_line/${transaction_id}/${state}`,
  /** A merchant's confirmation that no worker took. Earlier versions named it `<mchid>/operator/<operation id>`. */
  merchant: (mchid: string, operation_id: string) => `${mchid}/merchant/${operation_id}`,
}

export const journalId = {
  payment: (mchid: string, transaction_id: string) => `pay:${mchid}:${transaction_id}`,
  acceptance: (mchid: string, transaction_id: string) => `accept:${mchid}:${transaction_id}`,
  refund: (mchid: string, out_refund_no: string, step: 'accepted' | 'success' | 'closed' | 'returned') =>
    `refund:${mchid}:${out_refund_no}:${step}`,
  payout: (mchid: string, out_refund_no: string) => `payout:${mchid}:${out_refund_no}`,
  /** The `number`-th sheet of a version of a bill, from 1. */
  sheet: (day: { mchid: string; bill_date: string }, type: string, version: number, number: number) =>
    `${sheetsOf(day, type)}${version}:${number}`,
  /** What an account came by before this day, on days that are not in the book. */
  opening: (mchid: string, account: string, bill_date: string) => `${openingsOf(mchid, account)}${bill_date}`,
  reversal: (entry_id: string) => `rev:${entry_id}`,
  /** where the first reversal of an entry does not take back what it should: the second, the third … */
  furtherReversal: (entry_id: string, time: number) => `rev:${entry_id}~${time}`,
  /** the same cause booked anew after its reversal: `#2`, `#3`; the first has its plain id */
  anew: (cause_id: string, time: number) => (time === 1 ? cause_id : `${cause_id}#${time}`),
}

/** What the ids of all sheets of a day's bill begin with, whatever its version. */
export function sheetsOf({ mchid, bill_date }: { mchid: string; bill_date: string }, type: string): string {
  return `bill:${mchid}:${bill_date}:${type}:`
}

/** What the ids of all openings of an account begin with. */
export function openingsOf(mchid: string, account: string): string {
  return `open:${mchid}:${account}:`
}

/** The version and the number of a sheet, from its entry's id. Throws RangeError for any other. */
export function sheetPlace(entry_id: string): { version: number; number: number } {
  const [, version, number] = /^bill:[^:]+:[^:]+:[^:]+:(\d+):(\d+)(?:#\d+)?$/.exec(entry_id) ?? []
  if (version === undefined || number === undefined) throw new RangeError(`not a sheet: ${entry_id}`)
  return { version: Number(version), number: Number(number) }
}

/** The day of a sheet, or of what takes one back. */
export function sheetDay(entry_id: string): string {
  return /^(?:rev:)?bill:[^:]+:([^:]+):/.exec(entry_id)?.[1] ?? entry_id
}

/** The id of an entry's cause, whatever number `anew` gave it. */
export function causeId(entry_id: string): string {
  return entry_id.replace(/#\d+$/, '')
}

/** Workflow ids. The id is the mutex: one run per order, one per refund, one per delivery. */
export const workflowId = {
  order: (order: OrderKey) => `order/${orderId(order)}`,
  refund: (refund: RefundKey) => `refund/${refundId(refund)}`,
  delivery: (delivery_id: string) => `delivery/${delivery_id}`,
  day: (day: { mchid: string; bill_date: string }) => `reconcile/${dayId(day)}`,
  conclusion: (day: { mchid: string; bill_date: string }) => `conclude/${dayId(day)}`,
}

/** Whether an entry of a timeline is a merchant's answer to a delivery, and not one by a call: see `operationId.answered`. */
export function isAnswerToDelivery(operation_id: string): boolean {
  return operation_id.startsWith('answered:')
}

/** Whether a query on request is a payer's, of which an order has a limited number. */
export function isPayersCheck(operation_id: string): boolean {
  return operation_id.startsWith('check:payer:')
}

/**
 * Operation ids that are derived from what caused a write, never from the attempt that makes it: the same cause that
 * comes twice is done once (architecture §4.3).
 */
export const operationId = {
  placed: () => 'placed',
  /** `asker`: the kind of actor that wants to know; only payers' checks are limited per order. */
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
  /** Derived from what it answers, so that the same answer is one operation wherever and however often it arrives. */
  confirmation: (out_trade_no: string, sequence: number, result: string) =>
    `fulfilment:${out_trade_no}:${sequence}:${result}`,
  automatic: (sequence: number) => `automatic:${sequence}`,
  overdue: (sequence: number) => `overdue:${sequence}`,
  stopped: (sequence: number) => `stopped:${sequence}`,
  /** WeChat's word on a payment, as the phantom of its day has it; `revision`: of the entry by which that came to it */
  denied: (transaction_id: string, revision: number) => `denied:${transaction_id}:${revision}`,
  denialEnded: (transaction_id: string, revision: number) => `denial_ended:${transaction_id}:${revision}`,
  /** `revision` is that of the refund's entry which the order is signalled */
  refund: (out_refund_no: string, revision: number) => `refund:${out_refund_no}:${revision}`,
  refundRequested: (out_refund_no: string) => `refund_requested:${out_refund_no}`,
  /** `times`: how often the payer's bank had sent money back before */
  refunded: (times: number) => (times === 0 ? 'refunded' : `refunded:${times}`),
  checkoutOrder: (out_trade_no: string) => `order_opened:${out_trade_no}`,
  checkoutPaid: (out_trade_no: string) => `paid:${out_trade_no}`,
  checkoutCancelAsked: () => 'cancel_asked',
  checkoutCancelled: () => 'cancelled',
  /** the close of an order whose checkout is cancelled */
  orderOfCancelled: (out_trade_no: string) => `checkout_cancelled:${out_trade_no}`,
  /** the close of an order that is not wanted any more, as another one of its sale, `out_trade_no`, is paid */
  saleKept: (out_trade_no: string) => `sale_kept:${out_trade_no}`,
  /** the close of an order that a newer one of its reference, `out_trade_no`, replaces */
  superseded: (out_trade_no: string) => `superseded:${out_trade_no}`,
  /** `revision` is that of the refund's record before it: a number that is begun anew is reserved anew */
  reserved: (revision: number) => `reserved:${revision}`,
  /** `revision` is that of the difference before it: what vanished may return */
  difference: (event: string, revision: number) => `${event}:${revision}`,
  approvalExpired: () => 'approval_expired',
  refundAccepted: () => 'accepted',
  refundRefused: () => 'refused',
  /** WeChat's answer about a refund; `revision` is that of the record it was applied to: `abnormal` may come twice */
  refundAnswered: (event: string, refund_id: string, revision: number) => `${event}:${refund_id}:${revision}`,
}
