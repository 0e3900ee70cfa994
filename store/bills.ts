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
})

/** A piece of a bill as it was fetched, compressed: any worker can go on with it, and no disk is shared. */
interface BillPart {
  _id: string
  bytes: Buffer
}

const part_schema = recordSchema({ _id: String, bytes: Buffer })

const most_versions = 1_000

/** The originals of bills. A version is whole once its record stands, which is written after its pieces. */
export class Bills {
  readonly #bills: Collection<BillRecord>
  readonly #parts: Collection<BillPart>

  constructor(connections: Connections) {
    this.#bills = new Collection(connections, 'bills', schema)
    this.#parts = new Collection(connections, 'bill_parts', part_schema)
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

  /** Drops what a fetch kept that became no version. */
  async dropParts(parts_key: string, count: number): Promise<void> {
    for (let number = 0; number < count; number += 1) await this.#parts.remove({ _id: billPartId(parts_key, number) })
  }

  /** Makes a version whole. False: another fetch did so first. */
  async add(bill: BillRecord): Promise<boolean> {
    return this.#bills.insert(bill)
  }

  async ensureIndexes(): Promise<void> {
    await this.#bills.ensureIndexes()
    await this.#parts.ensureIndexes()
  }
}
