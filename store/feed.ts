import { setTimeout as pause } from 'node:timers/promises'
import type { Time } from '../domain/calendar.ts'
import { Collection } from './collection.ts'
import { StoreUnavailable } from './connection.ts'
import type { Connections } from './connection.ts'
import { recordSchema } from './record.ts'

/** A place in a merchant's feed and the event that was told there. */
export interface FeedSlot {
  /** <mchid>/<position, 12 digits> */
  _id: string
  mchid: string
  position: number
  event_id: string
  /** the event's own time */
  time: Time
  /** the latest time of this place and all before it: events are also written late */
  high_time: Time
  /** a reader passed by here since when, because the event was not there; it is told anew once it is */
  missed_time?: Time
}

const schema = recordSchema({
  _id: String,
  mchid: String,
  position: Number,
  event_id: String,
  time: Date,
  high_time: Date,
  missed_time: Date,
})
// FerretDB takes a partial index only for a query that repeats the index's own condition.
const present = { $exists: true }
schema.index({ mchid: 1, high_time: 1, _id: 1 })
schema.index({ missed_time: 1 }, { partialFilterExpression: { missed_time: present } })

/** how often a place is looked for behind those that others took meanwhile */
const most_places_taken = 500

type FeedEnd = Pick<FeedSlot, 'position' | 'high_time'>

/**
 * The order in which a merchant's events can be followed: places 1, 2, 3 … without a gap. A place is only taken behind one
 * that is known to be there, and its number is its `_id`: so whoever sees a place sees all before it, whichever process
 * took them, however long a write was held up, and whatever any clock says. It rests on `_id` being unique and on
 * nothing being read before it is committed, which both databases give without transactions.
 */
export class Feed {
  readonly #slots: Collection<FeedSlot>
  /** the last place of each merchant that this process knows of: to begin at, since others may have gone on */
  readonly #ends = new Map<string, FeedEnd>()
  /** events whose place is being taken: a repeat waits for the same place, and a queue does not grow by being slow */
  readonly #pending = new Map<string, Promise<number>>()
  /** who takes a place now: those of one process go one after the other */
  readonly #turns = new Map<string, Promise<unknown>>()

  constructor(connections: Connections) {
    this.#slots = new Collection(connections, 'feed', schema)
  }

  /** Takes the next place for an event. Taken again after a failure, the event has two places: it is told twice. */
  async append(mchid: string, event_id: string, time: Time): Promise<number> {
    const pending = this.#pending.get(event_id)
    if (pending !== undefined) return await pending
    const before = this.#turns.get(mchid) ?? Promise.resolve()
    const turn = before.catch(() => undefined).then(() => this.#takePlace(mchid, event_id, time))
    this.#turns.set(mchid, turn)
    this.#pending.set(event_id, turn)
    try {
      return await turn
    } finally {
      this.#pending.delete(event_id)
      if (this.#turns.get(mchid) === turn) this.#turns.delete(mchid)
    }
  }

  async #takePlace(mchid: string, event_id: string, time: Time): Promise<number> {
    for (let taken = 0; taken < most_places_taken; taken += 1) {
      if (taken > 0) await pause(Math.random() * Math.min(taken, 10))
      const end = (taken === 0 && this.#ends.get(mchid)) || (await this.#findEnd(mchid))
      const position = end.position + 1
      const high_time = end.high_time > time ? end.high_time : time
      if (await this.#slots.insert({ _id: slotId(mchid, position), mchid, position, event_id, time, high_time })) {
        this.#ends.set(mchid, { position, high_time })
        return position
      }
    }
    throw new StoreUnavailable(new Error(`${most_places_taken} places of the feed of ${mchid} were taken by others`))
  }

  async #findEnd(mchid: string): Promise<FeedEnd> {
    return (await this.last(mchid)) ?? { position: 0, high_time: '' }
  }

  /** The feed's last place, as far as it is known to the database. */
  async last(mchid: string): Promise<FeedSlot | null> {
    const [last] = await this.#slots.find(placesFrom(mchid, 1), { limit: 1, sort: { _id: -1 } })
    return last ?? null
  }

  /** At most `limit` places from `position` on, in their order. */
  async from(mchid: string, position: number, limit: number): Promise<FeedSlot[]> {
    return this.#slots.scan(placesFrom(mchid, position), { limit, sort: { _id: 1 } })
  }

  /** The first place from which on there are all events that happened at `time` or later. */
  async firstSince(mchid: string, time: Time): Promise<FeedSlot | null> {
    const filter = { mchid, high_time: { $gte: time } }
    const [first] = await this.#slots.scan(filter, { limit: 1, sort: { high_time: 1, _id: 1 } })
    return first ?? null
  }

  /** A reader goes past a place without an event: from now on it is looked after. */
  async noteMissed({ _id }: FeedSlot, missed_time: Time): Promise<void> {
    await this.#slots.update({ _id }, { $set: { missed_time } })
  }

  /** Places that readers went past, the longest unseen first: for the sweeper, over all merchants. */
  async findMissed(limit: number): Promise<FeedSlot[]> {
    return this.#slots.find({ missed_time: present }, { limit, sort: { missed_time: 1 } })
  }

  /** The event was told anew at a later place. */
  async noteToldAnew({ _id }: FeedSlot): Promise<void> {
    await this.#slots.update({ _id }, { $unset: { missed_time: 1 } })
  }

  async ensureIndexes(): Promise<void> {
    await this.#slots.ensureIndexes()
  }
}

function slotId(mchid: string, position: number): string {
  return `${mchid}/${String(position).padStart(12, '0')}`
}

function placesFrom(mchid: string, position: number) {
  // `0` follows `/`: the range ends where the next merchant's could begin.
  return { _id: { $gte: slotId(mchid, position), $lt: `${mchid}0` } }
}
