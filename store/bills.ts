import type { Time } from '../domain/calendar.ts'
import { billId, billPartId } from '../domain/ids.ts'
import type { BillRecord, DayKey } from '../domain/bill/reconciliation.ts'
import type { BillType } from '../domain/bill/row.ts'
import { Collection } from './collection.ts'
import type { Connections } from './connection.ts'
import { recordSchema } from './record.ts'

const schema = recordSchema({
  _id: String,
  mchid: String,
  bill_date: String,
  type: String,
  version: Number,
  state: String,
  hash_value: String,
  plain_sha1: String,
  byte_count: Number,
  part_count: Number,
  parts_key: String,
  fetch_time: Date,
  damaged_time: Date,
})

/** A piece of a bill as it was fetched, compressed: any worker can go on with it, and no disk is shared. */
interface BillPart {
  _id: string
  bytes: Buffer
}

const part_schema = recordSchema({ _id: String, bytes: Buffer })

/** A fetch that has kept pieces and is no version yet, by its `parts_key`. One that nobody ends was broken off. */
interface BillFetch {
  _id: string
  begin_time: Time
}

const fetch_schema = recordSchema({ _id: String, begin_time: Date })
fetch_schema.index({ begin_time: 1 })

const most_versions = 1_000
/** pieces that are dropped in one command: it may take its time, and a command must not */
const most_dropped = 20

/** What is other about a version whose file was fetched once more. */
export type BillCopy = Pick<BillRecord, 'parts_key' | 'part_count' | 'plain_sha1' | 'byte_count' | 'fetch_time'>

/** The originals of bills. A version is whole once its record stands, which is written after its pieces. */
export class Bills {
  readonly #bills: Collection<BillRecord>
  readonly #parts: Collection<BillPart>
  readonly #fetches: Collection<BillFetch>

  constructor(connections: Connections) {
    this.#bills = new Collection(connections, 'bills', schema)
    this.#parts = new Collection(connections, 'bill_parts', part_schema)
    this.#fetches = new Collection(connections, 'bill_fetches', fetch_schema)
  }

  /** The newest version; null: none was fetched. */
  async newest({ mchid, bill_date }: DayKey, type: BillType): Promise<BillRecord | null> {
    return (await this.versions({ mchid, bill_date }, type)).at(-1) ?? null
  }

  /** All versions, oldest first. */
  async versions({ mchid, bill_date }: DayKey, type: BillType): Promise<BillRecord[]> {
    const prefix = `${mchid}/${bill_date}/${type}/`
    const found = await this.#bills.find(
      { _id: { $gt: prefix, $lt: `${prefix}~` } },
      { limit: most_versions, sort: { _id: 1 } },
    )
    return found.sort((left, right) => left.version - right.version)
  }

  /** All versions of both bills of the days from one to another, both inclusive, of each bill oldest first. */
  async ofDays(mchid: string, [first, last]: readonly [string, string]): Promise<BillRecord[]> {
    const range = { _id: { $gt: `${mchid}/${first}/`, $lt: `${mchid}/${last}/~` } }
    const found = await this.#bills.scan(range, { limit: most_versions, sort: { _id: 1 } })
    return found.sort((left, right) => left.version - right.version)
  }

  async find(key: DayKey, type: BillType, version: number): Promise<BillRecord | null> {
    return this.#bills.findOne({ _id: billId(key, type, version) })
  }

  /** Keeps one piece of a fetch. `parts_key` is the fetch's own: two at once never mix their files. */
  async putPart(parts_key: string, number: number, bytes: Buffer): Promise<void> {
    await this.#parts.insert({ _id: billPartId(parts_key, number), bytes })
  }

  async part({ parts_key }: Pick<BillRecord, 'parts_key'>, number: number): Promise<Buffer | null> {
    return (await this.#parts.findOne({ _id: billPartId(parts_key, number) }))?.bytes ?? null
  }

  /** Drops some of what a fetch kept that became no version, and answers how many pieces: none are left after none. */
  async dropParts(parts_key: string): Promise<number> {
    const named = { $gt: `${parts_key}/`, $lt: `${parts_key}/~` }
    const found = await this.#parts.find({ _id: named }, { limit: most_dropped, fields: ['_id'] })
    if (found.length > 0) await this.#parts.remove({ _id: { $in: found.map(({ _id }) => _id) } })
    return found.length
  }

  /** Says that pieces will be kept under this key. Before the first of them: else those of a killed fetch are found by nobody. */
  async beginFetch(parts_key: string, begin_time: Time): Promise<void> {
    await this.#fetches.insert({ _id: parts_key, begin_time })
  }

  /** Keys of fetches that were begun before `time` and that nobody has ended. */
  async fetchesBefore(time: Time, limit: number): Promise<string[]> {
    const found = await this.#fetches.find({ begin_time: { $lt: time } }, { limit, sort: { begin_time: 1 } })
    return found.map(({ _id }) => _id)
  }

  /** Nothing is left to be dropped under this key: its pieces are a version's, or gone. */
  async endFetch(parts_key: string): Promise<void> {
    await this.#fetches.remove({ _id: parts_key })
  }

  /** Whether a version has the pieces of this key. */
  async hasVersionOf(parts_key: string): Promise<boolean> {
    const prefix = parts_key.slice(0, parts_key.lastIndexOf('/') + 1)
    return (await this.#bills.findOne({ _id: { $gt: prefix, $lt: `${prefix}~` }, parts_key })) !== null
  }

  /** Makes a version whole. False: another fetch did so first. */
  async add(bill: BillRecord): Promise<boolean> {
    return this.#bills.insert(bill)
  }

  /** Says that these pieces of a version are not its file. Nothing happens where it has others by now. */
  async noteDamaged({ _id, parts_key }: BillRecord, damaged_time: Time): Promise<void> {
    await this.#bills.update({ _id, parts_key }, { $set: { damaged_time } })
  }

  /** Gives a damaged version other pieces, in which the same file was fetched again. Null: another fetch did so first. */
  async replaceParts({ _id, parts_key }: BillRecord, copy: BillCopy): Promise<BillRecord | null> {
    await this.beginFetch(parts_key, copy.fetch_time)
    return this.#bills.updateAndReturn({ _id, parts_key }, { $set: { ...copy }, $unset: { damaged_time: 1 } })
  }

  async ensureIndexes(): Promise<void> {
    await this.#bills.ensureIndexes()
    await this.#parts.ensureIndexes()
    await this.#fetches.ensureIndexes()
  }
}
