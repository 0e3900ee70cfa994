import { afterAll, describe, expect, it } from 'vitest'
import type { DeliveryAttempt, DeliveryRecord } from '../../domain/event/delivery.ts'
import type { EventRecord } from '../../domain/event/event.ts'
import { RecordMissing } from '../../store/connection.ts'
import { freshStore } from './database.ts'
import { at, deliverySample, eventSample, mchid } from './samples.ts'

const { store, drop } = await freshStore()
afterAll(drop)

function attempt(number: number): DeliveryAttempt {
  const heard = { status: 500, error: null, answer: 'no', read_as: 'not heard', reason: null } as const
  return { number, time: at(number), duration_ms: 31, ...heard }
}

async function inserted(...args: Parameters<typeof deliverySample>): Promise<DeliveryRecord> {
  const delivery = deliverySample(...args)
  expect(await store.deliveries.insertMissing([delivery])).toEqual([delivery._id])
  return delivery
}

describe('an event', () => {
  it('keeps the bytes it was first derived with', async () => {
    const event = eventSample('EVENT', 1)
    await Promise.all([store.events.insert(event), store.events.insert(event)])
    await store.events.insert({ ...event, body: 'changed' })
    const kept: EventRecord = { ...event, position: expect.any(Number) as number }
    expect(await store.events.find(event._id)).toStrictEqual(kept)
    expect(await store.events.findPublic(mchid, event.id)).toStrictEqual(kept)
    expect(await store.events.findPublic('1900000002', event.id)).toBeNull()
  })

  it('that belongs to no order is read as it was written', async () => {
    const _id = `${mchid}/endpoint.disabled/ep_x`
    const event = eventSample('-', 1, { _id, out_trade_no: null, sequence: null, type: 'endpoint.disabled' })
    await store.events.insert(event)
    expect(await store.events.find(_id)).toStrictEqual({ ...event, position: expect.any(Number) as number })
  })

  it('is listed both ways, by page, type, order and time', async () => {
    const feed = '1900000055'
    const events = [1, 2, 3, 4, 5].map((sequence) =>
      eventSample('FEED', sequence, {
        _id: `${feed}/FEED/${sequence}`,
        mchid: feed,
        type: sequence % 2 === 1 ? 'order.paid' : 'order.closed',
      }),
    )
    for (const event of events) await store.events.insert(event)
    const list = async (filter: object, page: object = {}) => {
      const { data, next_cursor } = await store.events.list(feed, filter, { limit: 10, ...page })
      return { sequences: data.map(({ sequence }) => sequence), next_cursor }
    }
    expect((await list({})).sequences).toEqual([5, 4, 3, 2, 1])
    const first = await list({}, { order: 'asc', limit: 2 })
    expect(first.sequences).toEqual([1, 2])
    expect((await list({}, { order: 'asc', cursor: first.next_cursor })).sequences).toEqual([3, 4, 5])
    expect((await list({ type: ['order.paid'] })).sequences).toEqual([5, 3, 1])
    expect((await list({ time_from: at(2), time_to: at(4) })).sequences).toEqual([3, 2])
    expect((await list({ out_trade_no: 'ELSE' })).sequences).toEqual([])
    expect((await store.events.ofOrder(feed, 'FEED')).map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5])
  })
})

describe('deliveries', () => {
  it('are inserted once, and only who inserted one is told so', async () => {
    const three = [1, 2, 3].map((sequence) => deliverySample('ONCE', sequence))
    const answers = await Promise.all(Array.from({ length: 8 }, () => store.deliveries.insertMissing(three)))
    expect(answers.flat().sort()).toEqual(three.map(({ _id }) => _id))
    const fourth = deliverySample('ONCE', 4)
    expect(await store.deliveries.insertMissing([...three, fourth])).toEqual([fourth._id])
    expect(await store.deliveries.insertMissing([])).toEqual([])
    expect(await store.deliveries.find(fourth._id)).toStrictEqual(fourth)
    expect(await store.deliveries.findPublic(mchid, fourth.id)).toStrictEqual(fourth)
    expect(await store.deliveries.findPublic('1900000002', fourth.id)).toBeNull()
  })

  it('wait while an earlier event of their order is open at the same endpoint, and only then', async () => {
    const first = await inserted('ORDERED', 1)
    const second = await inserted('ORDERED', 2)
    await inserted('ORDERED', 1, { endpoint_id: 'ep_two' })
    const third = await inserted('ORDERED', 3)
    const openBefore = async (delivery: DeliveryRecord) => (await store.deliveries.openBefore(delivery))?._id
    expect(await openBefore(first)).toBeUndefined()
    expect(await openBefore(second)).toBe(first._id)
    expect(await openBefore(third)).toBe(first._id)
    expect(await openBefore({ ...second, endpoint_id: 'ep_three' })).toBeUndefined()
    expect(await openBefore({ ...second, out_trade_no: null, sequence: null })).toBeUndefined()
    await store.deliveries.noteAttempt(first._id, attempt(1), { state: 'delivering', next_attempt_time: at(9) })
    expect(await store.deliveries.openBefore(second)).toMatchObject({ _id: first._id, next_attempt_time: at(9) })
    await store.deliveries.end(first._id, 'undelivered')
    expect(await openBefore(second)).toBeUndefined()
    expect(await openBefore(third)).toBe(second._id)
  })

  it('are found by event, and listed by state, endpoint, type and order', async () => {
    const shop = { mchid: '1900000066' }
    const ids = { _id: '1900000066/L/1/ep_one', event_id: '1900000066/L/1' }
    const delivery = await inserted('L', 1, { ...shop, ...ids })
    expect(await store.deliveries.ofEvent(shop.mchid, ids.event_id)).toStrictEqual([delivery])
    const count = async (filter: object) => (await store.deliveries.list(shop.mchid, filter, { limit: 10 })).data.length
    expect(await count({})).toBe(1)
    expect(
      await count({ state: ['waiting'], endpoint_id: 'ep_one', event_type: 'order.closed', out_trade_no: 'L' }),
    ).toBe(1)
    expect(await count({ state: ['delivered'] })).toBe(0)
    expect(await count({ endpoint_id: 'ep_two' })).toBe(0)
  })

  it('are found by the sweeper when their moment has passed, those that an order delivers itself too', async () => {
    const planned = (seconds: number) => ({ next_attempt_time: at(-5_000 + seconds) })
    const later = await inserted('DUE', 1, planned(2))
    const sooner = await inserted('DUE', 2, planned(1))
    const asking = await inserted('DUE', 3, { ...planned(0), purpose: 'fulfilment' })
    await inserted('DUE', 4, planned(10))
    const cancelled = await inserted('DUE', 5, planned(1))
    await store.deliveries.end(cancelled._id, 'cancelled')
    const due = await store.deliveries.findDue(at(-5_000 + 10), 10)
    expect(due.map(({ _id }) => _id)).toEqual([asking._id, sooner._id, later._id])
    await store.deliveries.end(asking._id, 'delivered')
    await store.deliveries.noteNextAttempt(sooner._id, at(100))
    expect(await store.deliveries.findDue(at(-5_000 + 10), 10)).toHaveLength(1)
    expect(await store.deliveries.putOff(later, at(-5_000 + 9))).toBe(true)
    expect(await store.deliveries.putOff(later, at(-5_000 + 8))).toBe(false)
    expect((await store.deliveries.find(later._id))?.next_attempt_time).toBe(at(-5_000 + 9))
    await store.deliveries.noteNextAttempt(later._id, null)
    expect(await store.deliveries.findDue(at(-5_000 + 10), 10)).toEqual([])
  })
})

describe('an attempt', () => {
  it('is written down once, with what follows from it', async () => {
    const { _id } = await inserted('ATTEMPT', 1)
    const plan = { state: 'delivering', next_attempt_time: at(60) } as const
    const noted = await store.deliveries.noteAttempt(_id, attempt(1), plan)
    expect(noted).toMatchObject({ state: 'delivering', revision: 1, next_attempt_time: at(60) })
    expect(noted.attempts).toStrictEqual([attempt(1)])
    expect(await store.deliveries.noteAttempt(_id, attempt(1), plan)).toStrictEqual(noted)
    const delivered = await store.deliveries.noteAttempt(_id, attempt(2), { state: 'delivered' })
    expect(delivered).toMatchObject({ state: 'delivered', revision: 2 })
    expect(delivered).not.toHaveProperty('next_attempt_time')
  })

  it('that ends beside another of its number is kept as the next one, and ends the delivery when it was heard', async () => {
    const { _id } = await inserted('TWICE', 1)
    const plan = { state: 'waiting', next_attempt_time: at(60) } as const
    await store.deliveries.noteAttempt(_id, { ...attempt(1), status: null, time: at(20) }, plan)
    const heard = await store.deliveries.noteAttempt(_id, { ...attempt(1), time: at(10) }, { state: 'delivered' })
    expect(heard).toMatchObject({ state: 'delivered', attempts: [{ number: 1 }, { number: 2, time: at(10) }] })
    const repeats = await Promise.all(
      [20, 21, 22].map((time) => store.deliveries.noteRepeat(_id, { ...attempt(3), time: at(time) })),
    )
    expect(Math.max(...repeats.map(({ attempts }) => attempts.length))).toBe(5)
  })

  it('leaves the plan when it says nothing of it, and takes it away with null', async () => {
    const { _id } = await inserted('PLAN', 1)
    const kept = await store.deliveries.noteAttempt(_id, attempt(1), { state: 'delivering' })
    expect(kept.next_attempt_time).toBe(at(1))
    const bare = await store.deliveries.noteAttempt(_id, attempt(2), { state: 'delivering', next_attempt_time: null })
    expect(bare).not.toHaveProperty('next_attempt_time')
  })

  it('changes nothing of a delivery that has ended', async () => {
    const { _id } = await inserted('ENDED', 1)
    const ended = await store.deliveries.end(_id, 'cancelled')
    expect(ended).toMatchObject({ state: 'cancelled', revision: 1 })
    const plan = { state: 'delivering', next_attempt_time: at(60) } as const
    expect(await store.deliveries.noteAttempt(_id, attempt(1), plan)).toStrictEqual(ended)
    expect(await store.deliveries.end(_id, 'delivered')).toBeNull()
    expect(await store.deliveries.noteNextAttempt(_id, at(60))).toBe(false)
    expect(await store.deliveries.find(_id)).toStrictEqual(ended)
  })

  it('beyond the fiftieth pushes out the first', async () => {
    const { _id } = await inserted('MANY', 1)
    for (let number = 1; number <= 52; number++) {
      await store.deliveries.noteAttempt(_id, attempt(number), { state: 'delivering' })
    }
    const numbers = (await store.deliveries.find(_id))?.attempts.map(({ number }) => number)
    expect(numbers).toEqual(Array.from({ length: 50 }, (_, index) => index + 3))
  })

  it('at a delivery that is not there is a mistake', async () => {
    await expect(store.deliveries.noteAttempt('x', attempt(1), { state: 'delivered' })).rejects.toThrow(RecordMissing)
  })
})
