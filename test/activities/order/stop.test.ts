import { describe, expect, it } from 'vitest'
import { eventId } from '../../../domain/ids.ts'
import { default_policy } from '../../../domain/policy.ts'
import { askedToStop, done, later, paidOrder, refundIn, requester, reserved } from '../../stage/acts.ts'
import type { World } from '../../stage/world.ts'

/** An order in mode `event` whose shop is asked, and a refund of all of it that is reserved. */
async function refunding(world: World) {
  const refund = await reserved(world, 'R1', 'T1', 990)
  expect((await refundIn(world, refund)).is_full).toBe(true)
  return refund
}

const stopOf = async (world: World, sequence = 2) => {
  const [stop] = await world.store.deliveries.ofEvent(world.key.mchid, eventId(world.key, sequence))
  if (stop?.event_type !== 'order.fulfilment_cancelled') throw new Error('nothing was taken back')
  return stop
}

const eventsOf = async (world: World) => (await world.record()).timeline.map(({ event }) => event)

describe('a refund of everything that a person asks for', () => {
  it('waits until the shop has heard that it must not ship', async () => {
    const world = await paidOrder({ mode: 'event' })
    const refund = await refunding(world)
    await askedToStop(world, refund)
    expect(await world.perform('askOrderToRefund', { refund })).toMatchObject({
      failure: { message: 'the shop has not heard yet that it must not ship' },
    })
    await world.store.deliveries.end((await stopOf(world))._id, 'delivered')
    expect(await world.perform('askOrderToRefund', { refund })).toEqual({ value: undefined })
  })

  it('waits for ten minutes and no longer: the payer’s money never hangs on an endpoint that is away', async () => {
    const world = await paidOrder({ mode: 'event' })
    const refund = await refunding(world)
    await askedToStop(world, refund)
    later(world, default_policy.refund.stop_hearing_ms - 1)
    expect(await world.perform('askOrderToRefund', { refund })).toHaveProperty('failure')
    later(world, 1)
    expect(await world.perform('askOrderToRefund', { refund })).toEqual({ value: undefined })
  })

  it('comes after the answer that the shop gave before: a lost run had heard it and not written it down', async () => {
    const world = await paidOrder({ mode: 'event' })
    const { deadline_time } = (await world.record()).fulfilment
    await done(world, 'deliverPaid', { order: world.key, sequence: 1, deadline_time })
    expect((await world.record()).state).toBe('paid')
    const refund = await refunding(world)
    await askedToStop(world, refund)
    expect((await world.record()).state).toBe('fulfilled')
    expect(await eventsOf(world)).toEqual(['placed', 'payment_found', 'fulfilled'])
  })

  it('goes on telling what Weft had begun to take back: the shop still hears it before the money moves', async () => {
    const world = await paidOrder({ mode: 'event' })
    const { mchid } = world.key
    const merchant = await world.store.merchants.find(mchid)
    if (merchant === null) throw new Error('no merchant')
    const fulfilment = { ...merchant.settings.fulfilment, on_overdue: 'refund' as const }
    await world.store.merchants.updateSettings(mchid, { ...merchant.settings, fulfilment })
    const weft = { kind: 'weft', id: null }
    const overdue = { event: 'fulfilment_overdue', operation_id: 'overdue:1', actor: weft, reason: null }
    await done(world, 'recordFulfilment', { order: world.key, ...overdue })
    expect(await stopOf(world)).toMatchObject({ purpose: 'cancellation', state: 'waiting' })
    const refund = await refunding(world)
    const asked = { operation_id: 'refund_requested:R1', actor: requester, reason: null, out_refund_no: 'R1' }
    const { deliveries } = await done<{ deliveries: string[] }>(world, 'recordRefundRequested', {
      order: world.key,
      ...asked,
    })
    const stop = await stopOf(world)
    expect(stop).toMatchObject({ purpose: 'notice', state: 'waiting' })
    expect(deliveries).toContain(stop._id)
    expect(await world.perform('askOrderToRefund', { refund })).toHaveProperty('failure')
  })
})
