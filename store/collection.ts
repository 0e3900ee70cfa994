import { setTimeout as pause } from 'node:timers/promises'
import mongoose from 'mongoose'
import type { Connection, Model, mongo, PipelineStage, Schema } from 'mongoose'
import { isDuplicate, RecordMissing, RecordUnreadable, StoreUnavailable, WriteContended } from './connection.ts'
import { beijingDay, beijingTime, milliseconds } from '../domain/calendar.ts'
import type { Time } from '../domain/calendar.ts'
import type { BatchOutcome } from './batcher.ts'
import type { Connections } from './connection.ts'
import { decodeCursor, encodeCursor, listMark } from './cursor.ts'
import type { PagePosition } from './cursor.ts'
import { RecordMapping } from './record.ts'
import type { StoredDocument } from './record.ts'

/** Field names as MongoDB takes them; one that is not in the schema throws before the database is asked. */
export type Filter = Record<string, unknown>
export type Update = Partial<Record<'$set' | '$unset' | '$push' | '$pull' | '$inc' | '$max', Record<string, unknown>>>

/** What a list is asked for: at most `limit` records from behind `cursor`, newest first unless `order` is `asc`. */
export interface PageRequest {
  limit: number
  cursor?: string | undefined
  order?: 'asc' | 'desc' | undefined
}

export interface Page<T> {
  data: T[]
  next_cursor: string | null
}

/** From, inclusive, to, exclusive. */
export interface TimeRange {
  from_time: Time
  to_time: Time
}

/** One value, or several of which any will do. */
export type OneOrMore = string | readonly string[]

interface Selection {
  limit: number
  skip?: number
  sort?: Record<string, 1 | -1>
  fields?: readonly string[]
}

/** Whether a record was inserted, or which one was there before it. */
export type Insertion<T> = { inserted: true } | { inserted: false; existing: T }

/** How often a write is tried against others of the same record, and how long it waits before each but the first. */
export interface Contention {
  attempts: number
  pauseBefore: (attempt: number) => number
}

const { MongoBulkWriteError } = mongoose.mongo

const longest_page = 1_000
const longest_selection = 10_000

/**
 * One collection: records in, records out, failures in the words of store/connection. Files of this room add what a
 * write means and on which condition it happens.
 */
export class Collection<T extends { _id: string }> {
  readonly #fast: Model<StoredDocument>
  readonly #slow: Model<StoredDocument>
  readonly #mapping: RecordMapping<T>
  readonly #name: string
  readonly #flawOf: (record: T) => string | null
  readonly #run: Connections['run']

  /** `flawOf`: why a record cannot be worked with. Asked at each read that work follows from, so it must be cheap. */
  constructor(
    connections: Connections,
    name: string,
    schema: Schema<StoredDocument>,
    flawOf: (record: T) => string | null = () => null,
  ) {
    this.#name = name
    this.#flawOf = flawOf
    this.#run = connections.run
    const modelOn = (connection: Connection) => connection.model<StoredDocument>(name, schema, name)
    this.#fast = modelOn(connections.fast)
    this.#slow = modelOn(connections.slow)
    this.#mapping = new RecordMapping(schema)
  }

  /** False when a record of that `_id` is there already; it is left as it is. */
  async insert(record: T): Promise<boolean> {
    try {
      await this.#run(() => driverCollection(this.#fast).insertOne(this.#stored({ ...record })))
      return true
    } catch (error) {
      if (isDuplicate(error)) return false
      throw error
    }
  }

  /**
   * The record now there: `record`, or the one that was first. A majority read may lag behind the duplicate that the
   * insert met, by the milliseconds that replication takes.
   */
  async insertOrFind(record: T): Promise<Insertion<T>> {
    if (await this.insert(record)) return { inserted: true }
    return { inserted: false, existing: await this.#existing(record._id) }
  }

  /**
   * As `insertOrFind`, of many records in one command; each has its own outcome, as if it had been inserted alone.
   * `is_large`: on the slow connection, since the command may take longer than the fast one waits.
   */
  async insertOrFindEach(records: readonly T[], { is_large = false } = {}): Promise<BatchOutcome<Insertion<T>>[]> {
    const [first] = records
    if (records.length === 1 && first !== undefined && !is_large)
      return [await outcomeOf(() => this.insertOrFind(first))]
    // In one order everywhere: two batches that hold records for which the other waits would stand still.
    const sorted = [...records.entries()].sort(([, one], [, other]) => (one._id < other._id ? -1 : 1))
    const documents = sorted.map(([, record]) => this.#stored({ ...record }))
    const model = is_large ? this.#slow : this.#fast
    const errors = await this.#run(() => insertUnordered(driverCollection(model), documents))
    const outcomes: BatchOutcome<Insertion<T>>[] = []
    const settle = async ([place, { _id }]: [number, T], at: number) => {
      outcomes[place] = await outcomeOf(() => this.#insertion(_id, errors.get(at)))
    }
    await Promise.all(sorted.map(settle))
    return outcomes
  }

  async #insertion(_id: string, error: Error | undefined): Promise<Insertion<T>> {
    if (error === undefined) return { inserted: true }
    if (!isDuplicate(error)) throw new StoreUnavailable(error)
    return { inserted: false, existing: await this.#existing(_id) }
  }

  async #existing(_id: string): Promise<T> {
    for (const pause_ms of [0, 10, 50, 250]) {
      if (pause_ms > 0) await pause(pause_ms)
      const existing = await this.findOne({ _id })
      if (existing !== null) return existing
    }
    throw new StoreUnavailable(new Error(`${_id} is taken and cannot be read yet`))
  }

  /**
   * Inserts those that are not there and answers the ids of those it inserted itself. Plain inserts, side by side: the
   * one write whose collision FerretDB always reports as 11000. Its upserts do so not when they race, or when `_id`
   * matches and the rest of the filter does not.
   */
  async insertMissing(records: readonly T[]): Promise<string[]> {
    const answers = await Promise.all(records.map(async (record) => ((await this.insert(record)) ? [record._id] : [])))
    return answers.flat()
  }

  /** Throws `RecordUnreadable`. */
  async findOne(filter: Filter): Promise<T | null> {
    const found = await this.#run(() => driverCollection(this.#fast).findOne(this.#stored(filter)))
    return found && this.#sound(this.#mapping.record(found))
  }

  /** As `findOne` by `_id`, of many in one command; a record that cannot be worked with is the failure of its own id. */
  async findEach(ids: readonly string[]): Promise<BatchOutcome<T | null>[]> {
    const found = await this.#select(this.#fast, { _id: { $in: [...new Set(ids)] } }, { limit: ids.length })
    const records = new Map(found.map((record) => [record._id, record]))
    return ids.map((_id) => {
      const record = records.get(_id) ?? null
      const flaw = record && this.#flawOf(record)
      return flaw === null ? { answer: record } : { error: new RecordUnreadable(this.#name, _id, flaw) }
    })
  }

  /**
   * At most `limit` records in the order of `sort`; `fields` leaves the others out, and the check with them. Throws
   * `RecordUnreadable`.
   */
  async find(filter: Filter, selection: Selection): Promise<T[]> {
    const found = await this.#select(this.#fast, filter, selection)
    return selection.fields === undefined ? found.map((record) => this.#sound(record)) : found
  }

  /**
   * As `find`, on the slow connection: for what reads much and may take its time. Unchecked, as `page` is: proofs name
   * what is broken, and one broken record must not hide all others from a list.
   */
  async scan(filter: Filter, selection: Selection): Promise<T[]> {
    return this.#select(this.#slow, filter, selection)
  }

  /**
   * A page by `field`, a time or, where `unit` says so, a day, then by `_id`. Throws `CursorMalformed`, also for the cursor
   * of another list, filter or order; `list`: what the list is known by where its filter changes by itself. Slow
   * connection: a list may take its time.
   */
  async page(
    filter: Filter,
    field: keyof T & string,
    request: PageRequest,
    { unit = 'time', list = filter }: { unit?: keyof typeof page_units; list?: object } = {},
  ): Promise<Page<T>> {
    const { cursor, order = 'desc' } = request
    const limit = Math.max(1, Math.min(request.limit, longest_page))
    const direction = order === 'asc' ? 1 : -1
    const { valueAt, timeOf } = page_units[unit]
    const mark = listMark([this.#name, field, order, list])
    const beyond = cursor === undefined ? [] : [behindPosition(decodeCursor(cursor, mark), field, order, valueAt)]
    const sort = { [field]: direction, _id: direction } as const
    const found = await this.#select(this.#slow, { $and: [filter, ...beyond] }, { sort, limit: limit + 1 })
    const data = found.slice(0, limit)
    const last = data.at(-1)
    if (last === undefined || found.length <= limit) return { data, next_cursor: null }
    return { data, next_cursor: encodeCursor({ time: timeOf(String(last[field])), _id: last._id }, mark) }
  }

  /** How many match, counted up to `most`; nothing is read. On the slow connection. */
  async count(filter: Filter, most: number): Promise<number> {
    return this.#run(() => driverCollection(this.#slow).countDocuments(this.#stored(filter), { limit: most }))
  }

  /** Writes where `filter` matches and answers the record as written, or null: nothing matched. One atomic step. */
  async updateAndReturn(filter: Filter, update: Update): Promise<T | null> {
    const options = { returnDocument: 'after' } as const
    const changed = await this.#run(() =>
      driverCollection(this.#fast).findOneAndUpdate(
        this.#stored(filter),
        this.#stored(withoutEmptyOperators(update)),
        options,
      ),
    )
    return changed && this.#sound(this.#mapping.record(changed))
  }

  /**
   * Runs `attempt` on the record as it now is until no other write comes before its own, which null tells. Throws
   * `WriteContended` after the last attempt, `RecordMissing`, `RecordUnreadable`.
   */
  async contend<R>(_id: string, contention: Contention, attempt: (current: T) => Promise<R | null>): Promise<R> {
    for (let tries = 1; tries <= contention.attempts; tries++) {
      const pause_ms = tries === 1 ? 0 : contention.pauseBefore(tries)
      if (pause_ms > 0) await pause(pause_ms)
      const current = await this.findOne({ _id })
      if (current === null) throw new RecordMissing(_id)
      const result = await attempt(current)
      if (result !== null) return result
    }
    throw new WriteContended(_id)
  }

  /** True when the write found its record; cheaper than `updateAndReturn` where the record is not looked at. */
  async update(filter: Filter, update: Update): Promise<boolean> {
    const result = await this.#run(() =>
      driverCollection(this.#fast).updateOne(this.#stored(filter), this.#stored(withoutEmptyOperators(update))),
    )
    return result.matchedCount > 0
  }

  /** Removes what matches and answers how many. */
  async remove(filter: Filter): Promise<number> {
    const result = await this.#run(() => driverCollection(this.#fast).deleteMany(this.#stored(filter)))
    return result.deletedCount
  }

  /** Runs on the slow connection: sums over many records may take their time. */
  async aggregate<Row>(pipeline: PipelineStage[]): Promise<Row[]> {
    return this.#run(() => this.#slow.aggregate<Row>(pipeline).exec())
  }

  /** Makes the collection and what is missing of its indexes. Repeatable, and harmless when several processes do it. */
  async ensureIndexes(): Promise<void> {
    await this.#run(() => this.#slow.createCollection())
    if (this.#slow.schema.indexes().length > 0) await this.#run(() => this.#slow.createIndexes())
  }

  async #select(model: Model<StoredDocument>, filter: Filter, selection: Selection): Promise<T[]> {
    const { limit, skip = 0, sort = {}, fields = [] } = selection
    const projection = Object.fromEntries(fields.map((field) => [field, 1 as const]))
    const most = Math.min(limit, longest_selection)
    // One answer and no cursor to go on with: FerretDB reads a slice of a day in less than half the time.
    const options = { sort, skip, limit: most, batchSize: most + 1, projection }
    const found = await this.#run(() => driverCollection(model).find(this.#stored(filter), options).toArray())
    return found.map((document) => this.#mapping.record(document))
  }

  #sound(record: T): T {
    const flaw = this.#flawOf(record)
    if (flaw !== null) throw new RecordUnreadable(this.#name, record._id, flaw)
    return record
  }

  /** Typed as the driver wants it; what it may hold is checked field by field. */
  #stored(value: Filter): StoredDocument {
    return this.#mapping.stored(value) as StoredDocument
  }
}

/** The driver's collection behind a model, which knows that our `_id` is text. */
function driverCollection(model: Model<StoredDocument>): mongo.Collection<StoredDocument> {
  return model.collection as unknown as mongo.Collection<StoredDocument>
}

/** Inserts whatever can be inserted; answers why the others were not, by their places. */
async function insertUnordered(
  collection: mongo.Collection<StoredDocument>,
  documents: StoredDocument[],
): Promise<Map<number, Error>> {
  try {
    await collection.insertMany(documents, { ordered: false })
    return new Map()
  } catch (error) {
    if (!(error instanceof MongoBulkWriteError)) throw error
    const concern = error.result.getWriteConcernError()
    const errors = [error.writeErrors].flat()
    // Of these nothing is known: what they inserted may be lost again.
    if (concern !== undefined || errors.length === 0) throw new Error(concern?.errmsg ?? error.message)
    return new Map(errors.map(({ index, code, errmsg }) => [index, Object.assign(new Error(errmsg), { code })]))
  }
}

async function outcomeOf<Answer>(work: () => Promise<Answer>): Promise<BatchOutcome<Answer>> {
  try {
    return { answer: await work() }
  } catch (error) {
    return { error }
  }
}

/** Filter by one or several values; `undefined` asks for nothing. */
export function matchAny(field: string, wanted: OneOrMore | undefined): Filter {
  if (wanted === undefined) return {}
  return { [field]: typeof wanted === 'string' ? wanted : { $in: [...wanted] } }
}

/** Records whose `_id` begins with the mchid, behind `after`. */
export function afterId(mchid: string, after: string | null): Filter {
  // `0` follows `/`: the range ends where the next merchant's could begin.
  return { _id: { $gt: after ?? `${mchid}/`, $lt: `${mchid}0` } }
}

/** `from` inclusive, `to` exclusive. */
export function inRange(field: string, from: string | undefined, to: string | undefined): Filter {
  if (from === undefined && to === undefined) return {}
  return { [field]: { ...(from !== undefined && { $gte: from }), ...(to !== undefined && { $lt: to }) } }
}

/** Days from `from` to `to`, both with them. */
export function inDays(field: string, from: string | undefined, to: string | undefined): Filter {
  if (from === undefined && to === undefined) return {}
  return { [field]: { ...(from !== undefined && { $gte: from }), ...(to !== undefined && { $lte: to }) } }
}

/** What a page is sorted by, as the moment that its cursor holds, and back. */
const page_units = {
  time: { timeOf: (time: string) => time, valueAt: (time: Time) => time },
  day: {
    timeOf: (day: string) => beijingTime(milliseconds(`${day}T00:00:00+08:00`)),
    valueAt: (time: Time) => beijingDay(milliseconds(time)),
  },
}

function behindPosition(
  { time, _id }: PagePosition,
  field: string,
  order: 'asc' | 'desc',
  valueAt: (time: Time) => string,
): Filter {
  const value = valueAt(time)
  const operator = order === 'asc' ? '$gt' : '$lt'
  // The outer bound says nothing new; it lets both databases begin the index scan at the cursor.
  return {
    [field]: { [`${operator}e`]: value },
    $or: [{ [field]: { [operator]: value } }, { [field]: value, _id: { [operator]: _id } }],
  }
}

/** An empty operator is an error in MongoDB. */
function withoutEmptyOperators(update: Update): Update {
  return Object.fromEntries(Object.entries(update).filter(([, fields]) => Object.keys(fields).length > 0))
}
