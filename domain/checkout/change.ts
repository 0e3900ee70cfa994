import { beijingTime, milliseconds } from '../calendar.ts'
import type { Time } from '../calendar.ts'
import { weft_actor } from '../actor.ts'
import { checkoutOrderNo, operationId } from '../ids.ts'
import type { Command } from '../messages.ts'
import { keepsSale } from '../order/judgement.ts'
import type { OrderRecord } from '../order/record.ts'
import { limits } from '../policy.ts'
import { assertPostconditions } from '../postcondition.ts'
import type {
  CheckoutChange,
  CheckoutEvent,
  CheckoutEventType,
  CheckoutOccurrence,
  CheckoutOrder,
  CheckoutRecord,
  CheckoutState,
} from './record.ts'

/** Where each event takes a checkout. A pair that is not listed is illegal. */
const checkout_edges: Record<CheckoutState, Partial<Record<CheckoutEvent, CheckoutState>>> = {
  open: { order_opened: 'open', cancel_asked: 'closing', paid: 'paid', expired: 'expired' },
  // Money that reached an order before it was closed is the sale.
  closing: { paid: 'paid', cancelled: 'cancelled' },
  // Money that came late is the sale only where a person takes it.
  expired: { paid: 'paid' },
  cancelled: { paid: 'paid' },
  // The number that kept the sale gave its money back, and a person took another number's.
  paid: { paid: 'paid' },
}

/** Where `event` takes a checkout in `state`, or null: illegal. Total over states × events. */
export function checkoutDestination(state: CheckoutState, event: CheckoutEvent): CheckoutState | null {
  return checkout_edges[state][event] ?? null
}

/** What each event publishes to the merchant; null: nothing. Of a payment its order says `order.paid`. */
const published_types: Record<CheckoutEvent, CheckoutEventType | null> = {
  order_opened: null,
  cancel_asked: null,
  paid: null,
  expired: 'checkout.expired',
  cancelled: 'checkout.cancelled',
}

/**
 * What `occurrence` does to `checkout`, or null when the table says it is illegal. Pure: store/checkouts writes the change
 * on the condition that the revision is still the one seen here. Throws `PostconditionBroken` rather than answer a change
 * that must not be written.
 */
export function applyCheckoutEvent(checkout: CheckoutRecord, occurrence: CheckoutOccurrence): CheckoutChange | null {
  const { event, time } = occurrence
  const to = checkoutDestination(checkout.state, event)
  if (to === null) return null
  const number = occurrenceNumber(occurrence)
  const next_action = nextCheckoutAction(checkout, occurrence)
  const change: CheckoutChange = {
    entry: {
      revision: checkout.revision + 1,
      operation_id: occurrence.operation_id,
      event,
      from: checkout.state,
      to,
      time,
      actor: occurrence.actor,
      reason: occurrence.reason ?? null,
      event_type: published_types[event],
      ...(number !== null && { out_trade_no: number }),
    },
    set: { state: to, ...changedFields(checkout, occurrence), ...(next_action && { next_action }) },
    // What a person should look at is over with the state that it came of.
    unset: [
      ...(next_action ? [] : (['next_action'] as const)),
      ...(to === checkout.state ? [] : (['attention'] as const)),
    ],
  }
  assertCheckoutChange(checkout, change)
  return change
}

function occurrenceNumber(occurrence: CheckoutOccurrence): string | null {
  if (occurrence.event === 'order_opened') return occurrence.order.out_trade_no
  return occurrence.event === 'paid' ? occurrence.out_trade_no : null
}

function changedFields(checkout: CheckoutRecord, occurrence: CheckoutOccurrence): CheckoutChange['set'] {
  switch (occurrence.event) {
    case 'order_opened':
      return { orders: [...checkout.orders, { ...occurrence.order, time: claimTime(checkout, occurrence.time) }] }
    case 'paid':
      return { paid_by: occurrence.out_trade_no }
    case 'cancel_asked':
    case 'expired':
    case 'cancelled':
      return {}
  }
}

/** Later than the claim before, whatever the clocks of two processes say: the older order is closed for the newer one. */
function claimTime({ orders }: CheckoutRecord, time: string): string {
  const last = orders.at(-1)
  return last === undefined ? time : beijingTime(Math.max(milliseconds(time), milliseconds(last.time) + 1))
}

function nextCheckoutAction(
  checkout: CheckoutRecord,
  occurrence: CheckoutOccurrence,
): CheckoutRecord['next_action'] | null {
  const { next_action } = checkout
  const { event, time } = occurrence
  switch (event) {
    case 'order_opened':
      return next_action ?? { what: 'end', time }
    case 'cancel_asked':
      return { what: 'end', time }
    case 'expired':
    case 'cancelled':
      return { what: 'tell', time }
    case 'paid':
      // What was numbered before is told first: a checkout that had ended has no order that is still open.
      if (next_action?.what === 'tell') return next_action
      return isNewest(checkout, occurrence.out_trade_no) ? null : { what: 'end', time }
  }
}

/** Orders older than it were closed before it was placed; those that are newer may be open. */
function isNewest({ orders }: Pick<CheckoutRecord, 'orders'>, number: string): boolean {
  return orders.at(-1)?.out_trade_no === number
}

function assertCheckoutChange(checkout: CheckoutRecord, { entry, set, unset }: CheckoutChange): void {
  const { orders } = set
  const known = new Set(checkout.orders.map(({ out_trade_no }) => out_trade_no))
  const added = orders?.slice(checkout.orders.length) ?? []
  assertPostconditions(checkout._id, entry.event, [
    ['the revision grows by one', entry.revision === checkout.revision + 1],
    ['the entry leaves the state that holds', entry.from === checkout.state],
    ['the state is the one that the entry leads to', entry.to === set.state],
    ['next_action is either set or taken away', (set.next_action !== undefined) !== unset.includes('next_action')],
    ['an end is told', entry.event_type === null || set.next_action?.what === 'tell'],
    ['a number is claimed once', added.every(({ out_trade_no }) => !known.has(out_trade_no))],
    ['the numbers are few enough', (orders?.length ?? 0) <= limits.orders_per_checkout],
    ['what is paid is one of its numbers', entry.to !== 'paid' || known.has(entry.out_trade_no ?? '')],
  ])
}

/** What the records say beside a checkout. */
export interface CheckoutFacts {
  /** the number that holds the reference, of whatever sale; null: none does */
  holder: string | null
  /** its orders that are there; a number without an order was claimed by who died or is slow, and is not placed any more */
  orders: readonly Pick<OrderRecord, 'out_trade_no' | 'state'>[]
}

/**
 * What is to be written about a checkout: that it is paid, or, once none of its orders can keep the sale any more, that it
 * ended without. Null: nothing is, for now.
 */
export function checkoutEnd(
  checkout: CheckoutRecord,
  { holder, orders }: CheckoutFacts,
  now_ms: number,
): CheckoutOccurrence | null {
  const cause = { time: beijingTime(now_ms), actor: weft_actor }
  // Not by an order of the merchant's own that was given a number of it: that is another one of the same sale.
  if (holder !== null && orders.some(({ out_trade_no }) => out_trade_no === holder)) {
    if (holder === checkout.paid_by) return null
    return { event: 'paid', out_trade_no: holder, operation_id: operationId.checkoutPaid(holder), ...cause }
  }
  if (checkout.state !== 'open' && checkout.state !== 'closing') return null
  if (orders.some(({ state }) => keepsSale(state))) return null
  if (checkout.state === 'closing')
    return { event: 'cancelled', operation_id: operationId.checkoutCancelled(), ...cause }
  if (now_ms < milliseconds(checkout.expire_time)) return null
  return { event: 'expired', operation_id: operationId.expired(), ...cause }
}

const longest_wait_ms = 10 * 60_000

/**
 * When a checkout that is looked at now is due again, should this look not end it: at once at first, then the more rarely
 * the longer its orders keep it waiting, which may be a person's decision. Its orders' own steps look as well.
 */
export function nextLook({ state, timeline, expire_time, next_action }: CheckoutRecord, now_ms: number): Time {
  if (next_action?.what !== 'end') return beijingTime(now_ms)
  const cause = state === 'paid' ? 'paid' : 'cancel_asked'
  const since = timeline.findLast(({ event }) => event === cause)
  const waited_ms = now_ms - milliseconds(since?.time ?? expire_time)
  return beijingTime(now_ms + Math.min(Math.max(0, waited_ms / 4), longest_wait_ms))
}

function isOwnNumber({ orders }: Pick<CheckoutRecord, 'orders'>, number: string): boolean {
  return orders.some(({ out_trade_no }) => out_trade_no === number)
}

/** An order of a checkout that nobody shall pay any more, and what its run is told. */
export interface UnwantedOrder<O> {
  order: O
  command: Command
}

/**
 * Those of a checkout's `own` orders that have to be closed at WeChat Pay, since it is being cancelled or another of them
 * has the sale. Named by their cause: whoever sends it, and however often, it is one close.
 */
export function unwantedOrders<O extends Pick<OrderRecord, 'state' | 'out_trade_no'>>(
  checkout: CheckoutRecord,
  own: readonly O[],
): UnwantedOrder<O>[] {
  const command = closeCommand(checkout)
  if (command === null) return []
  return own
    .filter(({ out_trade_no }) => out_trade_no !== checkout.paid_by)
    .filter(({ state }) => state === 'created' || state === 'awaiting_payment')
    .map((order) => ({ order, command }))
}

function closeCommand({ state, out_trade_no, paid_by, timeline }: CheckoutRecord): Command | null {
  if (state === 'closing') {
    const asked = timeline.findLast(({ event }) => event === 'cancel_asked')
    const operation_id = operationId.orderOfCancelled(out_trade_no)
    return { operation_id, actor: asked?.actor ?? weft_actor, reason: null }
  }
  return state === 'paid' && paid_by !== null ? saleKeptCommand(paid_by) : null
}

/** Closes another number of a sale that the order of this number keeps. Named by that, so it is one close however often. */
export function saleKeptCommand(kept: string): Command {
  const reason = `order ${kept} of the same sale is paid`
  return { operation_id: operationId.saleKept(kept), actor: weft_actor, reason }
}

/** WishKey is what a wish to pay is known by: digests of its payer with his way to pay, and of where he is. */
export type WishKey = Pick<CheckoutOrder, 'payer' | 'address'>

/** What becomes of a wish to pay. */
export type OpeningPlan =
  /** the order of this number is given, and made first where its claim stands alone */
  | { kind: 'give'; out_trade_no: string }
  /** this number is to be claimed for a new order */
  | { kind: 'claim'; out_trade_no: string }
  /** another sale of the same reference is paid */
  | { kind: 'paid_elsewhere'; paid_by: string }
  /** it has ended, or too little of its time is left for an order */
  | { kind: 'over' }
  /** it has as many orders as one checkout may have */
  | { kind: 'exhausted' }

/**
 * Whether a wish to pay is given the order that there is, or a new one. `last`: the order of the newest number, null where
 * it is not there; `least_ms`: the shortest time that an order may have.
 */
export function planOpening(
  checkout: CheckoutRecord,
  wish: WishKey,
  { holder, last }: { holder: string | null; last: Pick<OrderRecord, 'state' | 'time_expire'> | null },
  { now_ms, least_ms }: { now_ms: number; least_ms: number },
): OpeningPlan {
  const kept = checkout.paid_by ?? holder
  if (kept !== null) {
    return isOwnNumber(checkout, kept)
      ? { kind: 'give', out_trade_no: kept }
      : { kind: 'paid_elsewhere', paid_by: kept }
  }
  const newest = checkout.orders.at(-1)
  if (newest !== undefined && last !== null && hasMoney(last))
    return { kind: 'give', out_trade_no: newest.out_trade_no }
  if (checkout.state !== 'open') return { kind: 'over' }
  const own: OpeningPlan | null =
    newest?.payer === wish.payer ? { kind: 'give', out_trade_no: newest.out_trade_no } : null
  const payable = last !== null && isPayable(last, now_ms) ? own : null
  if (payable !== null && !isMoveDue(checkout, wish, now_ms)) return payable
  // Where no number can be claimed for a new address, the order for the old one is still better than none.
  if (milliseconds(checkout.expire_time) - now_ms < least_ms) return payable ?? { kind: 'over' }
  if (own !== null && last === null) return own
  if (checkout.orders.length >= limits.orders_per_checkout) return payable ?? { kind: 'exhausted' }
  return { kind: 'claim', out_trade_no: checkoutOrderNo(checkout.out_trade_no, checkout.orders.length + 1) }
}

const first_move_ms = 60_000

/**
 * Whether a payer whose address has changed is given an order for the new one. WeChat Pay lets H5 be paid from the address
 * that stands in the order alone, which can be written into a new number only. The phone of one who leaves his Wi-Fi
 * changes it once; one that has several may show another at each tap, and WeChat Pay any of them. So the first change is
 * followed at once and each later one after twice the time of the one before: in a week one payer cannot use up the
 * numbers.
 */
function isMoveDue({ orders }: CheckoutRecord, { payer, address }: WishKey, now_ms: number): boolean {
  const own = orders.filter((order) => order.payer === payer)
  const last = own.at(-1)
  if (!address || !last?.address || last.address === address) return false
  const moves = own.filter((order, place) => place > 0 && order.address !== own[place - 1]?.address).length
  const wait_ms = moves === 0 ? 0 : first_move_ms * 2 ** (moves - 1)
  return now_ms - milliseconds(last.time) >= wait_ms
}

/** Money is here that may be the sale: nothing else is offered beside it. */
function hasMoney({ state }: Pick<OrderRecord, 'state'>): boolean {
  return state === 'paid' || state === 'fulfilled' || state === 'review'
}

/** The payer can still pay it, or will be able to as soon as it is placed. */
function isPayable({ state, time_expire }: Pick<OrderRecord, 'state' | 'time_expire'>, now_ms: number): boolean {
  return (state === 'created' || state === 'awaiting_payment') && now_ms < milliseconds(time_expire)
}
