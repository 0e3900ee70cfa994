import { beijingTime, milliseconds } from '../domain/calendar.ts'
import type { Time } from '../domain/calendar.ts'
import type { KeyRecord } from '../domain/merchant/record.ts'
import { Collection } from './collection.ts'
import type { Connections } from './connection.ts'
import { recordSchema } from './record.ts'

const schema = recordSchema({
  _id: String,
  id: String,
  mchid: String,
  mode: String,
  name: String,
  scopes: [String],
  hint: String,
  create_time: Date,
  expire_time: Date,
  revoke_time: Date,
  last_use_time: Date,
})
schema.index({ mchid: 1, create_time: -1 })

const use_noted_every_ms = 60_000
const most_keys = 1_000

/** Keys to the API, by the hash of their token. */
export class Keys {
  readonly #keys: Collection<KeyRecord>

  constructor(connections: Connections) {
    this.#keys = new Collection(connections, 'keys', schema)
  }

  /** False: this token is known already. */
  async add(key: KeyRecord): Promise<boolean> {
    return this.#keys.insert(key)
  }

  /** `hash`: SHA-256 of the token, hex. The token says whose it is, so this read takes no mchid. */
  async findByHash(hash: string): Promise<KeyRecord | null> {
    return this.#keys.findOne({ _id: hash })
  }

  /** Newest first. */
  async list(mchid: string): Promise<KeyRecord[]> {
    return this.#keys.find({ mchid }, { limit: most_keys, sort: { create_time: -1, _id: 1 } })
  }

  /** Notes that the key was used, at most once a minute: a busy key must not be a write per request. */
  async noteUse(_id: string, time: Time): Promise<void> {
    const a_minute_ago = beijingTime(milliseconds(time) - use_noted_every_ms)
    const is_stale = { $or: [{ last_use_time: null }, { last_use_time: { $lte: a_minute_ago } }] }
    await this.#keys.update({ _id, ...is_stale }, { $set: { last_use_time: time } })
  }

  /** By the public id. Ends a key at `time`, never later than it would have ended before; null: no such key. */
  async expire(mchid: string, id: string, time: Time): Promise<KeyRecord | null> {
    const ends_later = { $or: [{ expire_time: null }, { expire_time: { $gt: time } }] }
    const changed = await this.#keys.updateAndReturn({ mchid, id, ...ends_later }, { $set: { expire_time: time } })
    return changed ?? (await this.#keys.findOne({ mchid, id }))
  }

  /** By the public `key_…` id. The first revocation stands; null: no such key of this merchant. */
  async revoke(mchid: string, id: string, time: Time): Promise<KeyRecord | null> {
    const revoked = await this.#keys.updateAndReturn({ mchid, id, revoke_time: null }, { $set: { revoke_time: time } })
    return revoked ?? (await this.#keys.findOne({ mchid, id }))
  }

  async ensureIndexes(): Promise<void> {
    await this.#keys.ensureIndexes()
  }
}
