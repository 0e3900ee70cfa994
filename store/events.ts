import type { Time } from '../domain/calendar.ts'
import type { EventRecord } from '../domain/event/event.ts'
import { Collection, inRange, matchAny } from './collection.ts'
import type { OneOrMore, Page, PageRequest } from './collection.ts'
import type { Connections } from './connection.ts'
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

const most_of_order = 1_000

/** The events published to merchants. An event follows from its order's timeline and can be derived anew. */
export class Events {
  readonly #events: Collection<EventRecord>

  constructor(connections: Connections) {
    this.#events = new Collection(connections, 'events', schema)
  }

  /** Kept as it was first derived: its bytes are signed and sent again, so they never change. */
  async insert(event: EventRecord): Promise<void> {
    await this.#events.insert(event)
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

  /** By their time: newest first, or oldest first as a feed is read. */
  async list(mchid: string, filter: EventFilter, page: PageRequest): Promise<Page<EventRecord>> {
    const conditions = {
      mchid,
      ...matchAny('type', filter.type),
      ...matchAny('out_trade_no', filter.out_trade_no),
      ...inRange('timestamp', filter.time_from, filter.time_to),
    }
    return this.#events.page(conditions, 'timestamp', page)
  }

  /** What was told under these numbers, without the bytes. */
  async ofNumbers(mchid: string, numbers: readonly string[], limit: number): Promise<Omit<EventRecord, 'body'>[]> {
    const fields = ['_id', 'id', 'mchid', 'out_trade_no', 'sequence', 'type', 'timestamp']
    return this.#events.scan({ mchid, out_trade_no: { $in: [...numbers] } }, { limit, fields })
  }

  async ensureIndexes(): Promise<void> {
    await this.#events.ensureIndexes()
  }
}
