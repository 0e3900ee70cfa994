import type { Time } from '../domain/calendar.ts'
import { billId, billPartId } from '../domain/ids.ts'
import type { VersionChanges } from '../domain/bill/change.ts'
import type { BillRecord, DayKey } from '../domain/bill/reconciliation.ts'
import type { BillType } from '../domain/bill/row.ts'
import { Collection } from './collection.ts'
import type { Connections } from './connection.ts'
import { partSchema, recordSchema } from './record.ts'
import { openedUnlessBroken, SealBroken, sealPlace } from './sealer.ts'
import type { ResealedPage, Sealer } from './sealer.ts'

const change_sum = partSchema({ count: Number, amount: Number })
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
  dropped_time: Date,
  changes: partSchema({
    before: change_sum,
    after: change_sum,
    added: change_sum,
    removed: change_sum,
    changed: change_sum,
    listed_count: Number,
  }),
})

/**
 * A piece of a bill as it was fetched, compressed: any worker can go on with it, and no disk is shared. Sealed for its
 * place, since bills name payers; one of an earlier version has no `key_id` and is not.
 */
interface BillPart {
  _id: string
  bytes: Buffer
  key_id?: string
}

const part_schema = recordSchema({ _id: String, bytes: Buffer, key_id: String })

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

/** pieces that are looked at in one command while sealing anew */
const resealed_at_once = 100

function partPlace(_id: string): string {
  return sealPlace('bill_parts', _id, 'bytes')
}

/** What is other about a version whose file was fetched once more. */
export type BillCopy = Pick<BillRecord, 'parts_key' | 'part_count' | 'plain_sha1' | 'byte_count' | 'fetch_time'>

/** The originals of bills. A version is whole once its record stands, which is written after its pieces. */
export class Bills {
  readonly #bills: Collection<BillRecord>
  readonly #parts: Collection<BillPart>
  readonly #fetches: Collection<BillFetch>
  readonly #sealer: Sealer

  constructor(connections: Connections, sealer: Sealer) {
    this.#sealer = sealer
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
    const _id = billPartId(parts_key, number)
    await this.#parts.insert({ _id, ...this.#sealer.sealBytes(bytes, partPlace(_id)) })
  }

  /** Null: it is not there, or what is there was altered or is another place's. Throws `SealingKeyMissing`. */
  async part({ parts_key }: Pick<BillRecord, 'parts_key'>, number: number): Promise<Buffer | null> {
    const part = await this.#parts.findOne({ _id: billPartId(parts_key, number) })
    if (part === null) return null
    try {
      return this.#opened(part)
    } catch (error) {
      if (error instanceof SealBroken) return null
      throw error
    }
  }

  #opened({ _id, bytes, key_id }: BillPart): Buffer {
    return key_id === undefined ? bytes : this.#sealer.openBytes({ bytes, key_id }, partPlace(_id))
  }

  /**
   * Seals pieces anew that the newest master key did not seal: some from behind `after`, in the order of `_id`. Throws
   * `SealingKeyMissing`.
   */
  async resealSome(after: string): Promise<ResealedPage> {
    const page = { limit: resealed_at_once, sort: { _id: 1 }, fields: ['_id', 'key_id'] } as const
    const found = await this.#parts.find({ _id: { $gt: after } }, { ...page, fields: [...page.fields] })
    let changed = 0
    const broken: string[] = []
    for (const { _id, key_id } of found) {
      if (key_id === this.#sealer.newest_key_id) continue
      const part = await this.#parts.findOne({ _id })
      if (part === null) continue
      const as_read = key_id === undefined ? { key_id: { $exists: false } } : { key_id }
      const opened = openedUnlessBroken(() => this.#opened(part))
      if (opened === null) {
        broken.push(partPlace(_id))
        continue
      }
      const anew = this.#sealer.sealBytes(opened, partPlace(_id))
      await this.#parts.update({ _id, ...as_read }, { $set: { ...anew } })
      changed += 1
    }
    return { changed, broken, last: found.length < resealed_at_once ? null : (found.at(-1)?._id ?? null) }
  }

  /** Versions of days before `bill_date` whose files are still here, the oldest first. */
  async keptBefore(mchid: string, bill_date: string, limit: number): Promise<BillRecord[]> {
    const of_merchant = { _id: { $gt: `${mchid}/`, $lt: `${mchid}/${bill_date}` } }
    const kept = { part_count: { $gt: 0 }, dropped_time: { $exists: false } }
    return this.#bills.find({ ...of_merchant, ...kept }, { limit, sort: { _id: 1 } })
  }

  /**
   * Says that the file of a version is no longer kept; what is known of it stays. Its pieces are then nobody's: whoever
   * drops abandoned ones drops them, if this process does not come to it.
   */
  async noteDropped({ _id, parts_key }: BillRecord, dropped_time: Time): Promise<void> {
    await this.beginFetch(parts_key, dropped_time)
    await this.#bills.update({ _id, parts_key }, { $set: { dropped_time } })
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
    const of_day = { $gt: prefix, $lt: `${prefix}~` }
    return (await this.#bills.findOne({ _id: of_day, parts_key, dropped_time: { $exists: false } })) !== null
  }

  /** Makes a version whole. False: another fetch did so first. */
  async add(bill: BillRecord): Promise<boolean> {
    return this.#bills.insert(bill)
  }

  /** Says that these pieces of a version are not its file. Nothing happens where it has others by now. */
  async noteDamaged({ _id, parts_key }: BillRecord, damaged_time: Time): Promise<void> {
    await this.#bills.update({ _id, parts_key }, { $set: { damaged_time } })
  }

  /** Says what a version changed of the one before it. Its list is kept by then. */
  async noteChanges({ _id }: BillRecord, changes: VersionChanges): Promise<void> {
    await this.#bills.update({ _id, dropped_time: { $exists: false } }, { $set: { changes } })
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
