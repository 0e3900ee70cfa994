import { describe, expect, it } from 'vitest'
import { milliseconds } from '../../../domain/calendar.ts'
import {
  applyCheckoutEvent,
  checkoutDestination,
  checkoutEnd,
  nextLook,
  planOpening,
  unwantedOrders,
} from '../../../domain/checkout/change.ts'
import { checkout_events, checkout_states, currentNumber } from '../../../domain/checkout/record.ts'
import type {
  CheckoutEvent,
  CheckoutOccurrence,
  CheckoutRecord,
  CheckoutState,
} from '../../../domain/checkout/record.ts'
import type { OrderState } from '../../../domain/order/record.ts'
import { limits } from '../../../domain/policy.ts'
import { at, checkoutSample, noon } from '../../store/samples.ts'

/** The table of docs/architecture.md §5, typed out a second time: two independent copies must agree. */
const written: [CheckoutState[], CheckoutEvent, CheckoutState][] = [
  [['open'], 'order_opened', 'open'],
  [['open'], 'cancel_asked', 'closing'],
  [['open'], 'expired', 'expired'],
  [['closing'], 'cancelled', 'cancelled'],
  [[...checkout_states], 'paid', 'paid'],
]

const cause = { time: at(120), actor: { kind: 'weft', id: null }, operation_id: 'op' } as const
const occurrences: Record<CheckoutEvent, CheckoutOccurrence> = {
  order_opened: {
    event: 'order_opened',
    order: { out_trade_no: 'TEA-1-3', trade_type: 'NATIVE', payer: 'p' },
    ...cause,
  },
  cancel_asked: { event: 'cancel_asked', ...cause },
  paid: { event: 'paid', out_trade_no: 'TEA-1', ...cause },
  expired: { event: 'expired', ...cause },
  cancelled: { event: 'cancelled', ...cause },
}
const cases = checkout_states.flatMap((state) => checkout_events.map((event) => ({ state, event })))
const two = (given: Partial<Omit<CheckoutRecord, 'orders'>> = {}) =>
  checkoutSample('TEA-1', { orders: ['TEA-1', 'TEA-1-2'], ...given })

describe('the table of a checkout', () => {
  it.each(cases)('says where $event takes one that is $state', ({ state, event }) => {
    const to = written.find(([states, name]) => name === event && states.includes(state))?.[2] ?? null
    expect(checkoutDestination(state, event)).toBe(to)
    const change = applyCheckoutEvent(two({ state }), occurrences[event])
    expect(change?.entry.to ?? null).toBe(to)
    if (change === null) return
    expect(change.entry).toMatchObject({ revision: 1, from: state, event, time: at(120) })
    expect(change.set.state).toBe(to)
  })

  it('tells the merchant of an end without money, and of nothing else', () => {
    const told = checkout_events.map((event) => {
      const state = event === 'cancelled' ? 'closing' : 'open'
      return applyCheckoutEvent(two({ state }), occurrences[event])?.entry.event_type
    })
    expect(told).toEqual([null, null, null, 'checkout.expired', 'checkout.cancelled'])
  })

  it('plans that an end is told, also where it is paid after all', () => {
    const expired = applyCheckoutEvent(two(), occurrences.expired)
    expect(expired?.set.next_action).toEqual({ what: 'tell', time: at(120) })
    const untold = two({ state: 'expired', next_action: { what: 'tell', time: at(100) } })
    expect(applyCheckoutEvent(untold, occurrences.paid)?.set.next_action).toEqual({ what: 'tell', time: at(100) })
    const newest = { ...occurrences.paid, out_trade_no: 'TEA-1-2' } as CheckoutOccurrence
    expect(applyCheckoutEvent(two(), newest)?.unset).toEqual(['next_action', 'attention'])
  })

  it('ends what a person should look at with the state that it came of, and keeps it while that holds', () => {
    expect(applyCheckoutEvent(two(), occurrences.expired)?.unset).toEqual(['attention'])
    expect(applyCheckoutEvent(two({ state: 'paid' }), occurrences.paid)?.unset).not.toContain('attention')
    expect(applyCheckoutEvent(two(), occurrences.order_opened)?.unset).toEqual([])
  })

  it('plans that newer orders are closed where an older one is paid, and nothing where none is newer', () => {
    expect(applyCheckoutEvent(two(), occurrences.paid)?.set.next_action).toEqual({ what: 'end', time: at(120) })
    const newest = applyCheckoutEvent(two(), { ...occurrences.paid, out_trade_no: 'TEA-1-2' } as CheckoutOccurrence)
    expect(newest?.set.next_action).toBeUndefined()
  })

  it('names the number that a claim or a payment is of, and plans what comes next', () => {
    const numbers = checkout_events.map((event) => {
      const state = event === 'cancelled' ? 'closing' : 'open'
      return applyCheckoutEvent(two({ state }), occurrences[event])?.entry.out_trade_no
    })
    expect(numbers).toEqual(['TEA-1-3', undefined, 'TEA-1', undefined, undefined])
    expect(applyCheckoutEvent(two(), occurrences.paid)?.set.paid_by).toBe('TEA-1')
    const end = { what: 'end', time: at(120) }
    expect(applyCheckoutEvent(two(), occurrences.cancel_asked)?.set.next_action).toEqual(end)
    const { next_action: planned, ...unplanned } = two()
    expect(applyCheckoutEvent(two(), occurrences.order_opened)?.set.next_action).toEqual(planned)
    expect(applyCheckoutEvent(unplanned, occurrences.order_opened)?.set.next_action).toEqual(end)
    expect(applyCheckoutEvent(two(), { ...occurrences.cancel_asked, reason: 'sold out' })?.entry.reason).toBe(
      'sold out',
    )
  })

  it('has as many numbers as one may have, and not one more', () => {
    const full = (count: number) => {
      const orders = Array.from({ length: count }, (_, place) => `TEA-1-${place + 10}`)
      return () => applyCheckoutEvent(checkoutSample('TEA-1', { orders }), occurrences.order_opened)
    }
    expect(full(limits.orders_per_checkout - 1)()?.set.orders).toHaveLength(limits.orders_per_checkout)
    expect(full(limits.orders_per_checkout)).toThrow('the numbers are few enough')
  })

  it('takes a claim for later than the one before, whatever the clocks say', () => {
    const change = applyCheckoutEvent(two(), { ...occurrences.order_opened, time: at(-5) })
    expect(change?.set.orders?.map(({ time }) => time)).toEqual([at(60), at(120), at(120.001)])
  })

  it.each([
    [
      'a number that is claimed already',
      { event: 'order_opened', order: { out_trade_no: 'TEA-1', trade_type: 'NATIVE', payer: 'p' } },
    ],
    ['a payment by a number that is none of its own', { event: 'paid', out_trade_no: 'OTHER-1' }],
  ] as const)('never writes %s', (_, given) => {
    expect(() => applyCheckoutEvent(two(), { ...cause, ...given })).toThrow('unsound')
  })
})

describe('how a checkout ends', () => {
  const orders = (...states: OrderState[]) =>
    states.map((state, place) => ({ out_trade_no: place === 0 ? 'TEA-1' : `TEA-1-${place + 1}`, state }))
  const over = noon + 3_600_000
  const end = (checkout: CheckoutRecord, holder: string | null, states: OrderState[], now_ms = over) =>
    checkoutEnd(checkout, { holder, orders: orders(...states) }, now_ms)?.event ?? null

  it('is paid as soon as one of its numbers holds the reference', () => {
    for (const state of checkout_states) expect(end(two({ state }), 'TEA-1-2', ['closed', 'paid'], noon)).toBe('paid')
    expect(end(two({ state: 'paid', paid_by: 'TEA-1-2' }), 'TEA-1-2', ['closed', 'paid'])).toBeNull()
  })

  it('is not paid by another sale of the same reference', () => {
    expect(end(two(), 'OTHER-1', ['failed', 'failed'], noon)).toBeNull()
    expect(end(two(), 'OTHER-1', ['failed', 'failed'])).toBe('expired')
  })

  it('is expired with its time, and only once no order of it can keep the sale', () => {
    expect(end(two(), null, ['closed', 'closed'], over - 1)).toBeNull()
    expect(end(two(), null, ['closed', 'closed'])).toBe('expired')
    expect(end(two(), null, [])).toBe('expired')
    for (const state of ['created', 'awaiting_payment', 'closing', 'paid', 'fulfilled', 'review'] as const)
      expect(end(two(), null, ['closed', state])).toBeNull()
    for (const state of ['failed', 'refunding', 'refunded'] as const)
      expect(end(two(), null, ['closed', state])).toBe('expired')
  })

  it('is cancelled when that was asked for, under the same condition, whatever its time', () => {
    const closing = two({ state: 'closing' })
    expect(end(closing, null, ['closed', 'awaiting_payment'], noon)).toBeNull()
    expect(end(closing, null, ['closed', 'closing'])).toBeNull()
    expect(end(closing, null, ['closed', 'closed'], noon)).toBe('cancelled')
    expect(end(closing, 'TEA-1', ['paid', 'closed'], noon)).toBe('paid')
  })

  it('is looked at again the more rarely the longer its orders keep it waiting, and told without delay', () => {
    const wait = (checkout: CheckoutRecord, now_ms: number) => milliseconds(nextLook(checkout, now_ms)) - now_ms
    expect(wait(two(), over)).toBe(0)
    expect(wait(two(), over + 60_000)).toBe(15_000)
    expect(wait(two(), over + 86_400_000)).toBe(600_000)
    const asked = applyCheckoutEvent(two(), occurrences.cancel_asked)?.entry
    expect(wait(two({ state: 'closing', timeline: asked ? [asked] : [] }), noon + 160_000)).toBe(10_000)
    expect(wait(two({ next_action: { what: 'tell', time: at(0) } }), over + 86_400_000)).toBe(0)
    const paid = applyCheckoutEvent(two(), occurrences.paid)?.entry
    const late = two({ state: 'paid', timeline: paid ? [paid] : [], next_action: { what: 'end', time: at(120) } })
    expect(wait(late, noon + 160_000), 'a week before its time is over').toBe(10_000)
    expect(
      wait(two({ ...late, timeline: asked && paid ? [{ ...asked, time: at(0) }, paid] : [] }), noon + 160_000),
    ).toBe(10_000)
  })

  it('ends once', () => {
    for (const state of ['paid', 'expired', 'cancelled'] as const)
      expect(end(two({ state }), null, ['closed'])).toBeNull()
  })
})

describe('orders of a checkout that nobody shall pay any more', () => {
  const own = (...states: OrderState[]) =>
    states.map((state, place) => ({ out_trade_no: place === 0 ? 'TEA-1' : `TEA-1-${place + 1}`, state }))
  const closed = (checkout: CheckoutRecord, ...states: OrderState[]) =>
    unwantedOrders(checkout, own(...states)).map(
      ({ order, command }) => `${order.out_trade_no} ${command.operation_id}`,
    )

  it('are those that can still be paid, once it is being cancelled or another of them is paid', () => {
    expect(closed(two(), 'awaiting_payment', 'created')).toEqual([])
    expect(closed(two({ state: 'closing' }), 'awaiting_payment', 'created')).toEqual([
      'TEA-1 checkout_cancelled:TEA-1',
      'TEA-1-2 checkout_cancelled:TEA-1',
    ])
    const paid = two({ state: 'paid', paid_by: 'TEA-1' })
    expect(closed(paid, 'paid', 'awaiting_payment')).toEqual(['TEA-1-2 sale_kept:TEA-1'])
    expect(closed(paid, 'created', 'closing')).toEqual([])
    for (const state of ['expired', 'cancelled'] as const)
      expect(closed(two({ state }), 'created', 'awaiting_payment')).toEqual([])
  })

  it('are closed in the name of who asked for the cancel', () => {
    const actor = { kind: 'merchant', id: 'key_1' } as const
    const asked = applyCheckoutEvent(two(), { ...occurrences.cancel_asked, actor })?.entry
    const closing = two({ state: 'closing', timeline: asked ? [asked] : [] })
    expect(unwantedOrders(closing, own('created'))[0]?.command.actor).toEqual(actor)
  })
})

describe('a wish to pay', () => {
  const live = (state: OrderState) => ({ state, time_expire: at(1800) })
  const plan = (
    checkout: CheckoutRecord,
    payer: string,
    last: ReturnType<typeof live> | null,
    { holder = null, now_ms = noon + 130_000 }: { holder?: string | null; now_ms?: number } = {},
  ) => planOpening(checkout, { payer }, { holder, last }, { now_ms, least_ms: 120_000 })

  it('claims the first number where nobody has opened it', () => {
    expect(plan(checkoutSample('TEA-1'), 'payer 1', null)).toEqual({ kind: 'claim', out_trade_no: 'TEA-1' })
  })

  it('is given the order of the same wish, while that can be paid', () => {
    const same = { kind: 'give', out_trade_no: 'TEA-1-2' }
    expect(plan(two(), 'payer 2', live('created'))).toEqual(same)
    expect(plan(two(), 'payer 2', live('awaiting_payment'))).toEqual(same)
    const next = { kind: 'claim', out_trade_no: 'TEA-1-3' }
    for (const state of ['closing', 'closed', 'failed', 'refunding', 'refunded'] as const)
      expect(plan(two(), 'payer 2', live(state))).toEqual(next)
    const late = { now_ms: noon + 1_800_000 }
    expect(plan(two(), 'payer 2', live('awaiting_payment'), late)).toEqual(next)
  })

  it('is given its number again where the claim stands without an order', () => {
    expect(plan(two(), 'payer 2', null)).toEqual({ kind: 'give', out_trade_no: 'TEA-1-2' })
    expect(plan(two(), 'payer 9', null)).toEqual({ kind: 'claim', out_trade_no: 'TEA-1-3' })
  })

  it('of another kind claims the next number, the first payer’s again too', () => {
    const next = { kind: 'claim', out_trade_no: 'TEA-1-3' }
    expect(plan(two(), 'payer 9', live('awaiting_payment'))).toEqual(next)
    expect(plan(two(), 'payer 1', live('awaiting_payment'))).toEqual(next)
  })

  it('is given the order that has the money, whoever wishes and whatever the checkout’s state', () => {
    for (const state of ['paid', 'fulfilled', 'review'] as const)
      expect(plan(two({ state: 'closing' }), 'payer 9', live(state))).toEqual({ kind: 'give', out_trade_no: 'TEA-1-2' })
    const first = { kind: 'give', out_trade_no: 'TEA-1' }
    expect(plan(two(), 'payer 9', live('created'), { holder: 'TEA-1' })).toEqual(first)
    expect(plan(two({ state: 'paid', paid_by: 'TEA-1' }), 'payer 9', live('closed'))).toEqual(first)
  })

  it('is told that another sale of the reference is paid', () => {
    expect(plan(two(), 'payer 2', live('created'), { holder: 'OTHER-1' })).toEqual({
      kind: 'paid_elsewhere',
      paid_by: 'OTHER-1',
    })
  })

  it('comes to nothing once the checkout is over, or too little of its time is left', () => {
    for (const state of ['closing', 'expired', 'cancelled'] as const)
      expect(plan(two({ state }), 'payer 2', live('closed'))).toEqual({ kind: 'over' })
    const late = { now_ms: noon + 3_600_000 - 119_999 }
    expect(plan(two(), 'payer 9', live('closed'), late)).toEqual({ kind: 'over' })
    const still = { state: 'awaiting_payment', time_expire: at(3600) } as const
    expect(plan(two(), 'payer 2', still, late)).toEqual({ kind: 'give', out_trade_no: 'TEA-1-2' })
  })

  it('of a payer whose address changes is given a number for the first change at once, and for later ones ever more rarely', () => {
    let checkout = checkoutSample('TEA-1', { expire_time: at(7 * 86_400) })
    const claims: number[] = []
    // A tap every half minute for a week, each from the other one of two addresses.
    for (let second = 0; second < 7 * 86_400 - 130; second += 30) {
      const key = { payer: 'phone', address: second % 60 === 0 ? 'IPv4' : 'IPv6' }
      const last = checkout.orders.length === 0 ? null : { state: 'awaiting_payment', time_expire: at(8 * 86_400) }
      const now_ms = noon + second * 1_000
      const planned = planOpening(
        checkout,
        key,
        { holder: null, last: last as ReturnType<typeof live> | null },
        { now_ms, least_ms: 120_000 },
      )
      if (planned.kind === 'give') continue
      if (planned.kind !== 'claim') throw new Error(planned.kind)
      claims.push(second)
      const order = { out_trade_no: planned.out_trade_no, trade_type: 'MWEB', ...key } as const
      const change = applyCheckoutEvent(checkout, { event: 'order_opened', order, ...cause, time: at(second) })
      checkout = { ...checkout, ...change?.set }
    }
    expect(claims.slice(0, 5)).toEqual([0, 30, 120, 270, 540])
    expect(claims.length).toBeLessThan(20)
  })

  it('of a payer whose address changed is given the order of before where that names no address, and never another’s', () => {
    const before = two()
    const wish = (payer: string) =>
      planOpening(
        before,
        { payer, address: 'IPv6' },
        { holder: null, last: live('awaiting_payment') },
        { now_ms: noon + 130_000, least_ms: 120_000 },
      )
    expect(wish('payer 2')).toEqual({ kind: 'give', out_trade_no: 'TEA-1-2' })
    expect(wish('payer 3')).toEqual({ kind: 'claim', out_trade_no: 'TEA-1-3' })
  })

  it('of a payer whose address changed is given the order of before where no other can be made', () => {
    const numbers = Array.from({ length: 20 }, (_, place) => (place === 0 ? 'TEA-1' : `TEA-1-${place + 1}`))
    const from = (
      { orders }: CheckoutRecord,
      last: { state: OrderState; time_expire: string },
      { payer = 'phone', second = 130 } = {},
    ) => {
      const known = orders.map((order) => ({ ...order, payer: 'phone', address: 'IPv4' }))
      const checkout = checkoutSample('TEA-1', { orders: known.map(({ out_trade_no }) => out_trade_no) })
      const key = { payer, address: 'IPv6' }
      const clock = { now_ms: noon + second * 1_000, least_ms: 120_000 }
      return planOpening({ ...checkout, orders: known }, key, { holder: null, last }, clock)
    }
    const open = { state: 'awaiting_payment', time_expire: at(3600) } as const
    const short = { second: 3_600 - 119 }
    expect(from(two(), open)).toEqual({ kind: 'claim', out_trade_no: 'TEA-1-3' })
    expect(from(two(), open, short)).toEqual({ kind: 'give', out_trade_no: 'TEA-1-2' })
    expect(from(two(), { ...open, state: 'closed' }, short)).toEqual({ kind: 'over' })
    expect(from(two(), open, { ...short, payer: 'another phone' })).toEqual({ kind: 'over' })
    const full = checkoutSample('TEA-1', { orders: numbers })
    expect(from(full, open)).toEqual({ kind: 'give', out_trade_no: 'TEA-1-20' })
    expect(from(full, { ...open, state: 'closed' })).toEqual({ kind: 'exhausted' })
    expect(from(full, open, { payer: 'another phone' })).toEqual({ kind: 'exhausted' })
  })

  it('has a bounded number of orders', () => {
    const numbers = Array.from({ length: 20 }, (_, place) => (place === 0 ? 'TEA-1' : `TEA-1-${place + 1}`))
    const full = checkoutSample('TEA-1', { orders: numbers })
    expect(plan(full, 'payer 9', live('closed'))).toEqual({ kind: 'exhausted' })
    expect(plan(full, 'payer 20', live('awaiting_payment'))).toEqual({ kind: 'give', out_trade_no: 'TEA-1-20' })
  })
})

describe('the order that shows how a checkout stands', () => {
  it('is the one that is paid, else the newest', () => {
    expect(currentNumber(checkoutSample('TEA-1'))).toBeNull()
    expect(currentNumber(two())).toBe('TEA-1-2')
    expect(currentNumber(two({ paid_by: 'TEA-1' }))).toBe('TEA-1')
  })
})
