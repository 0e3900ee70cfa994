import { beijingTime, milliseconds } from '../domain/calendar.ts'
import type { Time } from '../domain/calendar.ts'
import type { EventRecord } from '../domain/event/event.ts'
import { feed_patience_ms } from '../domain/policy.ts'
import { Collection, inRange, matchAny } from './collection.ts'
import type { Filter, OneOrMore, Page, PageRequest } from './collection.ts'
import type { Connections } from './connection.ts'
import { CursorMalformed, decodeFeedCursor, encodeFeedCursor } from './cursor.ts'
import type { FeedPlace } from './cursor.ts'
import { Feed } from './feed.ts'
import type { FeedSlot } from './feed.ts'
import { recordSchema } from './record.ts'

const schema = recordSchema({
  _id: String,
  id: String,
  mchid: String,
  out_trade_no: String,
  sequence: Number,
  type: { type: String },
  timestamp: Date,
  body: String,
  position: Number,
})
schema.index({ id: 1 })
schema.index({ mchid: 1, timestamp: -1, _id: -1 })
schema.index({ mchid: 1, out_trade_no: 1, sequence: 1 })

export interface EventFilter {
  type?: OneOrMore | undefined
  out_trade_no?: OneOrMore | undefined
  time_from?: Time | undefined
  time_to?: Time | undefined
}

/** What a feed can be narrowed to: what is about one order alone is looked up, and not followed. */
export type FeedFilter = Omit<EventFilter, 'out_trade_no'>

/** A part of a feed. `next_cursor`: to go on from, now (`has_more`) or later. */
export interface FeedPage {
  data: EventRecord[]
  next_cursor: string
  has_more: boolean
}

const most_of_order = 1_000
const feed_start: FeedPlace = { position: 0, event_id: '' }
/** places looked at in one read, and reads in one answer: a filter that lets little through ends somewhere */
const batch_size = 100
const most_batches = 10
/** while workers of an earlier version still write events without a place */
const change_over_ms = 60 * 60_000

/** The events published to merchants. An event follows from its order's timeline and can be derived anew. */
export class Events {
  readonly #events: Collection<EventRecord>
  readonly #feed: Feed

  constructor(connections: Connections) {
    this.#events = new Collection(connections, 'events', schema)
    this.#feed = new Feed(connections)
  }

  /**
   * Kept as it was first derived: its bytes are signed and sent again, so they never change. Its place in the feed comes
   * first: an event that is there can be followed.
   */
  async insert(event: EventRecord): Promise<void> {
    if ((await this.find(event._id)) !== null) return
    const position = await this.#feed.append(event.mchid, event._id, event.timestamp)
    await this.#events.insert({ ...event, position })
  }

  /** By the full `_id`, which begins with the mchid. */
  async find(_id: string): Promise<EventRecord | null> {
    return this.#events.findOne({ _id })
  }

  async findPublic(mchid: string, id: string): Promise<EventRecord | null> {
    return this.#events.findOne({ mchid, id })
  }

  /** In the order in which they happened. */
  async ofOrder(mchid: string, out_trade_no: string): Promise<EventRecord[]> {
    return this.#events.find({ mchid, out_trade_no }, { limit: most_of_order, sort: { sequence: 1 } })
  }

  /**
   * The next events of the merchant's feed that `filter` lets through, behind `cursor`: each at least once, whatever was
   * held up on its way. What stands before a place whose event is still being written is told now, and the rest when it
   * is there; after half a minute that place is passed by, and its event is told once it is there. `next_cursor` is
   * always one to go on from. Throws `CursorMalformed`, also for a place that this feed does not have.
   */
  async follow(mchid: string, filter: FeedFilter, request: PageRequest, now_ms: number): Promise<FeedPage> {
    const from = request.cursor === undefined ? null : decodeFeedCursor(request.cursor)
    if (from !== null) return await this.#followFrom(mchid, from, filter, request.limit, now_ms)
    const earlier = await this.#beforeFeed(mchid, filter, request)
    if (earlier !== null) return earlier
    const start = filter.time_from === undefined ? feed_start : await this.#placeBefore(mchid, filter.time_from)
    return await this.#followFrom(mchid, start, filter, request.limit, now_ms)
  }

  /** The place behind which all events of `time` or later are: the feed's end where none has happened yet. */
  async #placeBefore(mchid: string, time: Time): Promise<FeedPlace> {
    const end = await this.#feed.last(mchid) // read first: what comes meanwhile is behind it
    const first = await this.#feed.firstSince(mchid, time)
    if (first === null) return end ?? feed_start
    const [before] = first.position < 2 ? [] : await this.#feed.from(mchid, first.position - 1, 1)
    return before ?? feed_start
  }

  /** What was told before there were feeds, by its time; null: there is no more of it. */
  async #beforeFeed(mchid: string, filter: FeedFilter, request: PageRequest): Promise<FeedPage | null> {
    const [first] = await this.#feed.from(mchid, 1, 1)
    const until = first && beijingTime(milliseconds(first.time) + change_over_ms)
    const unplaced = { mchid, position: { $exists: false }, ...eventConditions(filter) }
    const bounded = until === undefined ? unplaced : { $and: [unplaced, { timestamp: { $lt: until } }] }
    const page = await this.#events.page(bounded, 'timestamp', { ...request, order: 'asc' }, { list: unplaced })
    if (page.data.length === 0) return null
    return { data: page.data, next_cursor: page.next_cursor ?? encodeFeedCursor(feed_start), has_more: true }
  }

  async #followFrom(
    mchid: string,
    from: FeedPlace,
    filter: FeedFilter,
    limit: number,
    now_ms: number,
  ): Promise<FeedPage> {
    const data: EventRecord[] = []
    let { position, event_id } = from
    for (let batch = 0; batch < most_batches; batch += 1) {
      const { slots, has_more } = await this.#nextSlots(mchid, { position, event_id })
      const events = await this.#eventsOf(slots, now_ms)
      for (const slot of slots) {
        const event = events.get(slot.event_id)
        const is_full = data.length >= limit
        if (is_full || event === 'awaited')
          return { data, next_cursor: encodeFeedCursor({ position, event_id }), has_more: is_full }
        if (event !== undefined && isWanted(event, filter)) data.push(event)
        ;({ position, event_id } = slot)
      }
      if (!has_more) return { data, next_cursor: encodeFeedCursor({ position, event_id }), has_more: false }
    }
    return { data, next_cursor: encodeFeedCursor({ position, event_id }), has_more: true }
  }

  /** The places behind `at`, which must be the one that its cursor was given for: a restored feed has others. */
  async #nextSlots(mchid: string, at: FeedPlace): Promise<{ slots: FeedSlot[]; has_more: boolean }> {
    const found = await this.#feed.from(mchid, Math.max(at.position, 1), batch_size + 1)
    if (at.position > 0 && found[0]?.event_id !== at.event_id) throw new CursorMalformed()
    return { slots: at.position > 0 ? found.slice(1) : found, has_more: found.length > batch_size }
  }

  /** The events of these places. `awaited`: it is being written; absent: it was waited for long enough. */
  async #eventsOf(slots: readonly FeedSlot[], now_ms: number): Promise<Map<string, EventRecord | 'awaited'>> {
    const ids = slots.map(({ event_id }) => event_id)
    const found = await this.#events.scan({ _id: { $in: ids } }, { limit: ids.length })
    const events = new Map<string, EventRecord | 'awaited'>(found.map((event) => [event._id, event]))
    for (const slot of slots.filter(({ event_id }) => !events.has(event_id))) {
      const is_awaited = now_ms - milliseconds(slot.time) < feed_patience_ms
      if (!is_awaited) await this.#feed.noteMissed(slot, beijingTime(now_ms))
      // Looked for once more after that is noted: what comes later is told anew.
      const event = is_awaited ? 'awaited' : await this.find(slot.event_id)
      if (event !== null) events.set(slot.event_id, event)
    }
    return events
  }

  async findMissed(limit: number): Promise<FeedSlot[]> {
    return await this.#feed.findMissed(limit)
  }

  /** Tells an event anew that readers went past, at the end of the feed. False: it is still not there. */
  async tellAnew(slot: FeedSlot, now_ms: number): Promise<boolean> {
    const event = await this.find(slot.event_id)
    if (event === null) {
      await this.#feed.noteMissed(slot, beijingTime(now_ms))
      return false
    }
    await this.#feed.append(event.mchid, event._id, event.timestamp)
    await this.#feed.noteToldAnew(slot)
    return true
  }

  /** By their time: newest first, or oldest first. For following there is `follow`. */
  async list(mchid: string, filter: EventFilter, page: PageRequest): Promise<Page<EventRecord>> {
    return this.#events.page({ mchid, ...eventConditions(filter) }, 'timestamp', page)
  }

  /** Those of these `_id`s of which there is an event: for proofs. */
  async existing(ids: readonly string[]): Promise<Set<string>> {
    const found = await this.#events.scan({ _id: { $in: [...ids] } }, { limit: ids.length, fields: ['_id'] })
    return new Set(found.map(({ _id }) => _id))
  }

  /** What was told under these numbers, without the bytes. */
  async ofNumbers(mchid: string, numbers: readonly string[], limit: number): Promise<Omit<EventRecord, 'body'>[]> {
    const fields = ['_id', 'id', 'mchid', 'out_trade_no', 'sequence', 'type', 'timestamp']
    return this.#events.scan({ mchid, out_trade_no: { $in: [...numbers] } }, { limit, fields })
  }

  async ensureIndexes(): Promise<void> {
    await this.#events.ensureIndexes()
    await this.#feed.ensureIndexes()
  }
}

function eventConditions({ type, out_trade_no, time_from, time_to }: EventFilter): Filter {
  return {
    ...matchAny('type', type),
    ...matchAny('out_trade_no', out_trade_no),
    ...inRange('timestamp', time_from, time_to),
  }
}

function isWanted({ type, timestamp }: EventRecord, filter: FeedFilter): boolean {
  const types = filter.type === undefined ? null : [filter.type].flat()
  const at = milliseconds(timestamp)
  return (
    (types === null || types.includes(type)) &&
    (filter.time_from === undefined || at >= milliseconds(filter.time_from)) &&
    (filter.time_to === undefined || at < milliseconds(filter.time_to))
  )
}
