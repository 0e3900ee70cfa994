import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it, vi } from 'vitest'
import { beijingTime } from '../../domain/calendar.ts'
import type { EventRecord } from '../../domain/event/event.ts'
import { feed_patience_ms } from '../../domain/policy.ts'
import type { Connections } from '../../store/connection.ts'
import { CursorMalformed, decodeFeedCursor } from '../../store/cursor.ts'
import { Events } from '../../store/events.ts'
import { memoryConnections } from '../stage/memory.ts'
import { eventSample, mchid, noon } from './samples.ts'

/** Lets others go first, up to `most` times: an insert that is held up. */
async function heldUp(most: number): Promise<void> {
  for (let left = Math.floor(Math.random() * most); left > 0; left -= 1) await turn()
}

/** The same database, seen by a process whose inserts are held up at random, before and after they take effect. */
function slowly(connections: Connections, most: number): Connections {
  const model = (name: string) => {
    const { collection } = connections.fast.model(name)
    const insertOne = async (document: never) => {
      await heldUp(most)
      await collection.insertOne(document)
      await heldUp(most)
    }
    const slow = new Proxy(collection, {
      get: (target, key) => {
        if (key === 'insertOne') return insertOne
        const held = Reflect.get(target, key) as unknown
        return typeof held === 'function' ? (held as () => unknown).bind(target) : held
      },
    })
    return { collection: slow }
  }
  return { ...connections, fast: { model }, slow: { model } } as unknown as Connections
}

/** An event that the memory keeps as a shop would read it; told `ms` after noon. */
function event(number: number, ms = 0): EventRecord {
  return eventSample(`E${number}`, 1, { timestamp: beijingTime(noon + ms) })
}

const database = () => memoryConnections({ left: Infinity })
const numberOf = ({ out_trade_no }: EventRecord) => Number(out_trade_no?.slice(1))

/** Follows a feed from where it stands until it says that there is no more now. */
async function followed(events: Events, from: { cursor?: string | undefined }, now_ms = noon): Promise<number[]> {
  const seen: number[] = []
  for (;;) {
    const page = await events.follow(mchid, {}, { limit: 7, cursor: from.cursor }, now_ms)
    seen.push(...page.data.map(numberOf))
    from.cursor = page.next_cursor
    if (!page.has_more) return seen
  }
}

describe('a reader that follows a feed', () => {
  it('misses none of a thousand events that four processes write, however each insert is held up', async () => {
    const connections = database()
    const writers = [2, 10, 50, 200].map((most) => new Events(slowly(connections, most)))
    let next = 0
    let at_work = 0
    const work = async (writer: Events) => {
      at_work += 1
      while (next < 1_000) await writer.insert(event(next++))
      at_work -= 1
    }
    const done = Promise.all(writers.flatMap((writer) => [1, 2, 3].map(() => work(writer))))
    const reader = new Events(connections)
    const from = {}
    const seen: number[] = []
    while (at_work > 0) {
      seen.push(...(await followed(reader, from)))
      await turn()
    }
    await done
    seen.push(...(await followed(reader, from)))
    expect(seen).toHaveLength(1_000)
    expect(new Set(seen).size).toBe(1_000)
  })

  it('waits for what is being written, goes past what does not come, and is told it when it comes after all', async () => {
    const connections = database()
    const events = new Events(connections)
    await events.insert(event(1))
    await events.insert(event(2))
    await events.insert(event(3))
    const held = connections.fast.model('events').collection as unknown as { deleteMany(filter: object): Promise<void> }
    await held.deleteMany({ _id: event(2)._id })
    const from = {}
    expect(await followed(events, from)).toEqual([1])
    expect(await followed(events, from)).toEqual([])
    expect(await followed(events, from, noon + feed_patience_ms)).toEqual([3])
    const [missed] = await events.findMissed(10)
    if (missed === undefined) throw new Error('nobody looks after it')
    expect(await events.tellAnew(missed, noon)).toBe(false)
    await events.insert(event(2))
    expect(await events.tellAnew(missed, noon)).toBe(true)
    expect(await events.findMissed(10)).toEqual([])
    expect(new Set(await followed(events, from))).toEqual(new Set([2]))
  })

  it('sees an event once, however often its write is repeated while the first is held up', async () => {
    const events = new Events(slowly(database(), 20))
    await Promise.all([event(1), event(1), event(2), event(1)].map((one) => events.insert(one)))
    expect(await followed(events, {})).toEqual([1, 2])
  })

  it('has at the end a cursor too, and goes on from there', async () => {
    const events = new Events(database())
    const from = {}
    expect(await followed(events, from)).toEqual([])
    await events.insert(event(1))
    expect(await followed(events, from)).toEqual([1])
    expect(await followed(events, from)).toEqual([])
    await events.insert(event(2))
    expect(await followed(events, from)).toEqual([2])
  })

  it('may begin at a time, and sees all that happened since, also what was written late', async () => {
    const events = new Events(database())
    for (const [number, ms] of [100, 300, 200, 400].entries()) await events.insert(event(number, ms))
    const since = { time_from: beijingTime(noon + 200) }
    const page = await events.follow(mchid, since, { limit: 10 }, noon)
    expect(page.data.map(numberOf)).toEqual([1, 2, 3])
  })

  it('that begins at a time to come begins at the end, and reads nothing of all that was before', async () => {
    const connections = database()
    const events = new Events(connections)
    for (let number = 1; number <= 250; number += 1) await events.insert(event(number, number))
    const read = vi.spyOn(connections.fast.model('events').collection, 'find')
    const since = { time_from: beijingTime(noon + 1_000) }
    const begun = await events.follow(mchid, since, { limit: 10 }, noon)
    expect(begun).toMatchObject({ data: [], has_more: false })
    expect(read.mock.calls.filter(([filter]) => filter !== undefined && '_id' in filter)).toHaveLength(1) // of no event
    expect(decodeFeedCursor(begun.next_cursor)).toEqual({ position: 250, event_id: event(250)._id })
    await events.insert(event(251, 2_000))
    const page = await events.follow(mchid, since, { limit: 10, cursor: begun.next_cursor }, noon)
    expect(page.data.map(numberOf)).toEqual([251])
  })

  it('reads first what was written before there were feeds', async () => {
    const connections = database()
    const events = new Events(connections)
    const held = connections.fast.model('events').collection as unknown as {
      insertOne(document: object): Promise<void>
    }
    for (let number = 1; number <= 9; number += 1) {
      const { timestamp, ...old } = event(number)
      await held.insertOne({ ...old, timestamp: new Date(timestamp) })
    }
    await events.insert(event(10))
    expect(await followed(events, {})).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  })

  it('is told when its place is no longer there: the database is an older copy', async () => {
    const connections = database()
    const events = new Events(connections)
    for (const number of [1, 2, 3]) await events.insert(event(number))
    const from: { cursor?: string } = {}
    await followed(events, from)
    const held = connections.fast.model('feed').collection as unknown as { deleteMany(filter: object): Promise<void> }
    await held.deleteMany({ position: 3 })
    const older = new Events(connections)
    await expect(followed(older, { ...from })).rejects.toThrow(CursorMalformed)
    await older.insert(event(4))
    await expect(followed(older, { ...from })).rejects.toThrow(CursorMalformed)
  })
})
