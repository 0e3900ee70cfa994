import { orderId } from '../domain/ids.ts'
import type { OrderKey } from '../domain/ids.ts'
import type { Time } from '../domain/calendar.ts'
import { Collection } from './collection.ts'
import type { Connections } from './connection.ts'
import { recordSchema } from './record.ts'

/** ProbeRecord is an order at WeChat Pay that only shows whether orders are taken there, and is not seen closed yet. */
export interface ProbeRecord extends OrderKey {
  _id: string
  create_time: Time
}

const schema = recordSchema({ _id: String, mchid: String, out_trade_no: String, create_time: Date })
schema.index({ create_time: 1 })

/**
 * The probe orders that are not seen closed yet. One is written down before it is placed and goes once WeChat Pay says
 * that it is closed: whoever dies between leaves its number to the workers.
 */
export class Probes {
  readonly #probes: Collection<ProbeRecord>

  constructor(connections: Connections) {
    this.#probes = new Collection(connections, 'probes', schema)
  }

  /** Before the order is placed. */
  async note(probe: OrderKey & { create_time: Time }): Promise<void> {
    await this.#probes.insert({ _id: orderId(probe), ...probe })
  }

  /** Once it is closed, or WeChat Pay has refused it for certain. */
  async remove(probe: OrderKey): Promise<void> {
    await this.#probes.remove({ _id: orderId(probe) })
  }

  /** The merchants that have any. */
  async merchants(): Promise<string[]> {
    const rows = await this.#probes.aggregate<{ _id: string }>([{ $group: { _id: '$mchid' } }])
    return rows.map(({ _id }) => _id)
  }

  /** A merchant's oldest that were written down before this time. */
  async findLeft({ before, mchid, limit }: { before: Time; mchid: string; limit: number }): Promise<ProbeRecord[]> {
    return this.#probes.find({ mchid, create_time: { $lt: before } }, { limit, sort: { create_time: 1, _id: 1 } })
  }

  async ensureIndexes(): Promise<void> {
    await this.#probes.ensureIndexes()
  }
}
