import { describe, expect, it } from 'vitest'
import { seeCheckoutThrough } from '../../../activities/checkout/end.ts'
import { beijingTime } from '../../../domain/calendar.ts'
import type { CheckoutOccurrence } from '../../../domain/checkout/record.ts'
import { orderlessEventId } from '../../../domain/ids.ts'
import type { RunStarter } from '../../../runtime/runs.ts'
import type { Store } from '../../../store/store.ts'
import { Checkouts } from '../../../store/checkouts.ts'
import { Orders } from '../../../store/orders.ts'
import { memoryConnections, memoryStore } from '../../stage/memory.ts'
import type { Writes } from '../../stage/memory.ts'
import { done, interrupted } from '../../stage/acts.ts'
import { toOptions, World } from '../../stage/world.ts'
import {
  at,
  checkoutSample,
  closeAsked,
  closedAtWeChat,
  endpointSample,
  mchid,
  noon,
  orderSample,
  placed,
} from '../../store/samples.ts'

const key = { mchid, out_trade_no: 'TEA-1' }
const checkout_id = `${mchid}/TEA-1`
const over_ms = noon + 3_600_000

/** A checkout with these orders, and a Temporal that keeps what it is asked. */
async function sale(...numbers: string[]) {
  const writes: Writes = { left: Infinity }
  const store = memoryStore(null as never, writes)
  const started: string[] = []
  const updated: string[] = []
  const workflow = {
    start: (_: string, { workflowId }: { workflowId: string }) => Promise.resolve(void started.push(workflowId)),
    getHandle: (id: string) => ({
      startUpdate: (name: string, { updateId }: { updateId: string }) =>
        Promise.resolve(void updated.push(`${name} ${id} ${updateId}`)),
    }),
  }
  const starter = { client: { workflow }, toOptions } as unknown as RunStarter
  await store.endpoints.add(endpointSample('https://shop.example.cn/weft'))
  await store.checkouts.insert(checkoutSample('TEA-1', { orders: numbers }))
  for (const number of numbers) await store.orders.insert(orderSample(number, { checkout_id, reference: 'TEA-1' }))
  const seeThrough = (now_ms: number) => seeCheckoutThrough({ store, now: () => now_ms }, starter, key)
  return { store, writes, started, updated, seeThrough }
}

const stateOf = async (store: Store) => (await store.checkouts.find(key))?.state
const cancel = (store: Store) =>
  store.checkouts.apply(
    { _id: checkout_id },
    { event: 'cancel_asked', operation_id: 'cancel_asked', time: at(70), actor: { kind: 'merchant', id: 'key_1' } },
  )
const opening: CheckoutOccurrence = {
  event: 'order_opened',
  operation_id: 'order_opened:TEA-1',
  time: at(71),
  actor: { kind: 'payer', id: null },
  order: { out_trade_no: 'TEA-1', trade_type: 'NATIVE', payer: 'p' },
}
const expiredEvent = orderlessEventId(mchid, 'checkout.expired', 'TEA-1')

describe('a checkout whose time is over', () => {
  it('is expired, and its merchant hears of it once', async () => {
    const { store, started, seeThrough } = await sale()
    await seeThrough(over_ms - 1)
    expect(await stateOf(store)).toBe('open')
    await seeThrough(over_ms)
    await seeThrough(over_ms + 1)
    expect(await stateOf(store)).toBe('expired')
    const event = await store.events.find(expiredEvent)
    expect(JSON.parse(event?.body ?? '')).toMatchObject({
      type: 'checkout.expired',
      sequence: null,
      data: { checkout: { out_trade_no: 'TEA-1', state: 'expired', paid_by: null } },
    })
    expect(started).toHaveLength(1)
    expect((await store.checkouts.find(key))?.next_action).toBeUndefined()
  })

  it('waits for what WeChat Pay says of its order', async () => {
    const { store, seeThrough } = await sale('TEA-1')
    await store.orders.apply(key, placed())
    await seeThrough(over_ms)
    expect(await stateOf(store)).toBe('open')
    await store.orders.apply(key, closeAsked())
    await seeThrough(over_ms)
    expect(await stateOf(store)).toBe('open')
    await store.orders.apply(key, closedAtWeChat())
    await seeThrough(over_ms)
    expect(await stateOf(store)).toBe('expired')
  })

  it('is paid where one of its numbers holds the sale, and nothing else is told', async () => {
    const { store, seeThrough } = await sale('TEA-1')
    await store.references.claim(mchid, 'TEA-1', 'TEA-1')
    await seeThrough(over_ms)
    expect(await store.checkouts.find(key)).toMatchObject({ state: 'paid', paid_by: 'TEA-1' })
    expect(await store.events.find(expiredEvent)).toBeNull()
  })

  it('is told whole, whichever write the worker died behind', async () => {
    for (let left = 0; left <= 6; left++) {
      const { store, writes, seeThrough } = await sale()
      writes.left = left
      await seeThrough(over_ms).catch(() => undefined)
      writes.left = Infinity
      await seeThrough(over_ms)
      await seeThrough(over_ms)
      const deliveries = await store.deliveries.findDue(beijingTime(over_ms + 1), 10)
      expect([left, await stateOf(store), deliveries.length]).toEqual([left, 'expired', 1])
      expect(await store.events.find(expiredEvent)).not.toBeNull()
      expect((await store.checkouts.find(key))?.next_action).toBeUndefined()
    }
  })
})

describe('the end of a checkout with its last order', () => {
  const closing: CheckoutOccurrence = {
    event: 'cancel_asked',
    operation_id: 'cancel_asked',
    time: at(70),
    actor: { kind: 'merchant', id: 'key_1' },
  }
  async function closingOrder() {
    const world = await World.open('none', [], null, { checkout_id })
    await world.store.checkouts.insert(checkoutSample('TEA-1', { orders: ['TEA-1'] }))
    await world.store.orders.apply(world.key, placed())
    await world.store.checkouts.apply({ _id: checkout_id }, closing)
    await world.store.orders.apply(world.key, closeAsked())
    return world
  }
  const cancelledEvent = orderlessEventId(mchid, 'checkout.cancelled', 'TEA-1')
  const closedStep = (world: World) =>
    done<{ deliveries: string[] }>(world, 'recordClosed', { order: world.key, evidence_id: 'E1' })

  it('is told at once, behind the order’s own: its run carries both', async () => {
    const world = await closingOrder()
    const { deliveries } = await closedStep(world)
    expect(deliveries.map((id) => id.replace(/\/ep_.*/, ''))).toEqual([`${mchid}/TEA-1/1`, cancelledEvent])
    const checkout = await world.store.checkouts.findById(checkout_id)
    expect([checkout?.state, checkout?.next_action]).toEqual(['cancelled', undefined])
    expect((await closedStep(world)).deliveries).toHaveLength(1)
  })

  it('is told once, whichever write the worker died behind', async () => {
    for (let left = 0; left <= 10; left++) {
      const world = await closingOrder()
      await interrupted(world, left, 'recordClosed', { order: world.key, evidence_id: 'E1' })
      await closedStep(world)
      await world.store.checkouts.settle(key, at(100))
      const starter = { client: { workflow: { start: () => Promise.resolve() } }, toOptions } as unknown as RunStarter
      await seeCheckoutThrough({ store: world.store, now: () => noon + 100_000 }, starter, key)
      const told = (await world.store.deliveries.findDue(at(9_999_999), 10)).map(({ event_type }) => event_type)
      expect([left, ...told.sort()]).toEqual([left, 'checkout.cancelled', 'order.closed'])
    }
  })
})

describe('a checkout that is paid by an older number', () => {
  it('has its newer order closed, looks until that is, and then no more', async () => {
    const { store, updated, seeThrough } = await sale('TEA-1', 'TEA-1-2')
    const second = { mchid, out_trade_no: 'TEA-1-2' }
    await store.orders.apply(second, placed())
    // A person has taken the money that came to the older number, which was closed.
    await store.references.claim(mchid, 'TEA-1', 'TEA-1')
    await store.checkouts.settle(key, at(70))
    expect((await store.checkouts.findDue(at(71), 10)).map(({ state }) => state)).toEqual(['paid'])
    for (const round of [1, 2]) {
      await seeThrough(noon + 70_000 + round)
      expect(updated.at(-1)).toBe(`close order/${mchid}/TEA-1-2 sale_kept:TEA-1`)
      expect((await store.checkouts.find(key))?.next_action?.what).toBe('end')
    }
    await store.orders.apply(second, closeAsked())
    await seeThrough(noon + 75_000)
    expect((await store.checkouts.find(key))?.next_action?.what).toBe('end')
    await store.orders.apply(second, closedAtWeChat())
    await seeThrough(noon + 80_000)
    expect(await store.checkouts.find(key)).toMatchObject({ state: 'paid', paid_by: 'TEA-1' })
    expect((await store.checkouts.find(key))?.next_action).toBeUndefined()
    expect(updated).toHaveLength(2)
  })
})

describe('a checkout that is being cancelled', () => {
  it('has its open orders closed, and is cancelled once they are', async () => {
    const { store, updated, seeThrough } = await sale('TEA-1', 'TEA-1-2')
    const second = { mchid, out_trade_no: 'TEA-1-2' }
    for (const one of [key, second]) await store.orders.apply(one, placed())
    await store.orders.apply(key, closeAsked())
    await cancel(store)
    await seeThrough(noon + 80_000)
    expect(updated).toEqual([`close order/${mchid}/TEA-1-2 checkout_cancelled:TEA-1`])
    expect(await stateOf(store)).toBe('closing')
    await store.orders.apply(second, closeAsked('other'))
    for (const one of [key, second]) await store.orders.apply(one, closedAtWeChat())
    await seeThrough(noon + 90_000)
    expect(await stateOf(store)).toBe('cancelled')
    expect(await store.events.find(orderlessEventId(mchid, 'checkout.cancelled', 'TEA-1'))).not.toBeNull()
  })

  it('claims no number any more', async () => {
    const { store } = await sale()
    await cancel(store)
    const { outcome } = await store.checkouts.apply({ _id: checkout_id }, opening)
    expect(outcome).toBe('illegal')
  })

  it('is not ended beside an order that is opened while its records are read', async () => {
    const connections = memoryConnections({ left: Infinity })
    const orders = new Orders(connections, { findAll: () => Promise.resolve([]) })
    const opened = { count: 0 }
    const references = {
      findHolder: async () => {
        if (++opened.count > 1) return null
        await checkouts.apply({ _id: checkout_id }, opening)
        await orders.insert(orderSample('TEA-1', { checkout_id }))
        return null
      },
    }
    const checkouts = new Checkouts(connections, orders, references)
    await checkouts.insert(checkoutSample('TEA-1'))
    expect(await checkouts.settle(key, at(3600))).toMatchObject({ state: 'open', orders: [{ out_trade_no: 'TEA-1' }] })
  })
})
