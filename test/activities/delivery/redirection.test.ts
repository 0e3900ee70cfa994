import { describe, expect, it } from 'vitest'
import { deliveryId, eventId } from '../../../domain/ids.ts'
import type { EndpointRecord } from '../../../domain/merchant/record.ts'
import { limits } from '../../../domain/policy.ts'
import { publicId } from '../../../store/ids.ts'
import { done, later, paidOrder } from '../../stage/acts.ts'
import type { World } from '../../stage/world.ts'
import { endpointSample } from '../../store/samples.ts'

/** A paid order whose shop was away at the first attempt, and has another endpoint since, whose answers decide. */
async function moved(
  given: { gone?: 'deleted' | 'disabled'; attempts?: number; on_overdue?: 'refund'; is_stopped?: boolean } = {},
) {
  const world = await paidOrder({ mode: 'event' })
  const { mchid } = world.key
  const [old] = await world.store.endpoints.list(mchid)
  const merchant = await world.store.merchants.find(mchid)
  if (old === undefined || merchant === null) throw new Error('no shop')
  for (let attempt = 0; attempt < (given.attempts ?? 1); attempt += 1) {
    world.shop.push('unreachable')
    await world.perform('deliverPaid', asking(world))
    later(world, 24 * 3_600_000)
  }
  const fulfilment = { ...merchant.settings.fulfilment, on_overdue: given.on_overdue ?? ('hold' as const) }
  await world.store.merchants.updateSettings(mchid, { ...merchant.settings, fulfilment })
  if (given.is_stopped) await overdue(world)
  const added = endpointSample('https://new.example/weft', { role: 'fulfilment', create_time: old.create_time })
  const secrets = [world.store.endpoints.sealSecret(added._id, 'whsec_dGVzdA==')]
  await world.store.endpoints.add({ ...added, secrets })
  await world.store.merchants.replaceFulfilmentEndpoint(mchid, old.id, added.id)
  await world.store.endpoints.demoteOthers(mchid, added.id)
  if (given.gone === 'deleted') await world.store.endpoints.remove(mchid, old.id)
  if (given.gone === 'disabled') await world.store.endpoints.disable(old._id, 'answered 410 Gone', old.create_time)
  return { world, old, added }
}

function asking(world: World, sequence = 1) {
  return { order: world.key, sequence, deadline_time: null }
}

async function overdue(world: World) {
  const cause = { operation_id: 'overdue:1', actor: { kind: 'weft', id: null }, reason: null }
  return await done(world, 'recordFulfilment', { order: world.key, event: 'fulfilment_overdue', ...cause })
}

/** The new endpoint is to hear of the sale as any observer does, and has not yet. */
async function toldAsObserver(world: World, { id }: Pick<EndpointRecord, 'id'>) {
  const [asked] = await world.store.deliveries.ofEvent(world.key.mchid, eventId(world.key, 1))
  if (asked === undefined) throw new Error('nobody was asked')
  const _id = deliveryId(asked.event_id, id)
  const next_attempt_time = later(world, 0)
  const notice = { purpose: 'notice', state: 'waiting', attempts: [], next_attempt_time } as const
  await world.store.deliveries.insertMissing([
    { ...asked, _id, id: publicId('dlv', _id), endpoint_id: id, ...notice, attempts: [] },
  ])
}

async function deliveriesOf(world: World, sequence = 1) {
  const deliveries = await world.store.deliveries.ofEvent(world.key.mchid, eventId(world.key, sequence))
  return deliveries.map(({ endpoint_id, purpose, state }) => ({ endpoint_id, purpose, state }))
}

describe('an order.paid whose endpoint was replaced before it had answered', () => {
  it.each(['deleted', 'disabled'] as const)(
    'is asked where the answers decide now, when the old one is %s',
    async (gone) => {
      const { world, old, added } = await moved({ gone })
      expect(await done(world, 'deliverPaid', asking(world))).toMatchObject({
        kind: 'answered',
        answer: { result: 'fulfilled' },
      })
      expect(await deliveriesOf(world)).toEqual([
        { endpoint_id: old.id, purpose: 'fulfilment', state: 'cancelled' },
        { endpoint_id: added.id, purpose: 'fulfilment', state: 'delivered' },
      ])
      const [first, second] = world.calls
      expect(second?.['webhook-id']).toBe(first?.['webhook-id'])
    },
  )

  it('is asked there also where the old one was found gone before, and what it answers is remembered', async () => {
    const { world, old } = await moved({ gone: 'deleted' })
    const [delivery] = await world.store.deliveries.ofEvent(world.key.mchid, eventId(world.key, 1))
    await world.store.deliveries.end(delivery?._id ?? '', 'cancelled')
    world.shop.push('refused')
    await done(world, 'deliverPaid', asking(world))
    expect(await done(world, 'deliverPaid', asking(world))).toMatchObject({ answer: { result: 'refused' } })
    expect(world.calls).toHaveLength(2)
    expect(old.state).toBe('enabled')
  })

  it('is still asked at the old one while that is only busy', async () => {
    const { world, old } = await moved()
    await done(world, 'deliverPaid', asking(world))
    expect(await deliveriesOf(world)).toEqual([{ endpoint_id: old.id, purpose: 'fulfilment', state: 'delivered' }])
  })

  it('is asked elsewhere once the old one has been silent for long', async () => {
    const { world, added } = await moved({ attempts: limits.delivery_failing_attempts })
    await done(world, 'deliverPaid', asking(world))
    expect((await deliveriesOf(world)).at(-1)).toMatchObject({ endpoint_id: added.id, state: 'delivered' })
  })

  it('is asked nowhere else once the question is over', async () => {
    const { world } = await moved({ gone: 'deleted' })
    const cause = { operation_id: 'answer:1', actor: { kind: 'merchant', id: null }, reason: null }
    await done(world, 'recordFulfilment', { order: world.key, event: 'fulfilled', ...cause })
    expect(await done(world, 'deliverPaid', asking(world))).toEqual({ kind: 'cancelled' })
    expect(await deliveriesOf(world)).toHaveLength(1)
  })

  it('is never overdue at an endpoint that was not asked: a person decides, and no money goes back by itself', async () => {
    const { world } = await moved({ on_overdue: 'refund' })
    expect(await overdue(world)).toMatchObject({ order: { state: 'review' } })
    expect(await world.refunds()).toEqual([])
  })

  it('is as little overdue at one that has not been told of it yet', async () => {
    const { world, added } = await moved({ on_overdue: 'refund' })
    await toldAsObserver(world, added)
    expect(await overdue(world)).toMatchObject({ order: { state: 'review' } })
  })

  it('is not asked of one that hears of it as an observer: it would not know that its answer decides', async () => {
    const { world, old, added } = await moved({ gone: 'deleted' })
    await toldAsObserver(world, added)
    expect(await done(world, 'deliverPaid', asking(world))).not.toHaveProperty('answer')
    expect(world.calls).toHaveLength(1)
    expect(await deliveriesOf(world)).toContainEqual({ endpoint_id: added.id, purpose: 'notice', state: 'waiting' })
    expect(await deliveriesOf(world)).toContainEqual({ endpoint_id: old.id, purpose: 'fulfilment', state: 'cancelled' })
  })

  it('is withdrawn where it was asked, and nowhere else', async () => {
    const { world, old } = await moved({ gone: 'deleted', on_overdue: 'refund', is_stopped: true })
    await world.perform('deliverPaid', asking(world, 2))
    expect(await deliveriesOf(world, 2)).toEqual([{ endpoint_id: old.id, purpose: 'cancellation', state: 'cancelled' }])
    expect(world.calls).toHaveLength(1)
  })
})
