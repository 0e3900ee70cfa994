import { Schema, Types } from 'mongoose'
import type { Time } from '../domain/calendar.ts'
import { Collection } from './collection.ts'
import type { TimeRange } from './collection.ts'
import type { Connections } from './connection.ts'
import { recordSchema } from './record.ts'

/** A message that was not believed: no signature, a wrong one, a stale one. Kept to find out why, never acted on. */
export interface Rejection {
  mchid: string
  receive_time: Time
  reason: string
  headers: Record<string, string>
  /** the first 16 KiB */
  body: string
}

interface RejectionRecord extends Rejection {
  /** grows with time, so that the newest have the greatest */
  _id: string
}

const schema = recordSchema({
  _id: String,
  mchid: String,
  receive_time: Date,
  reason: String,
  headers: Schema.Types.Mixed,
  body: String,
})
schema.index({ mchid: 1, _id: -1 })

const body_characters = 16 * 1024
const most_kept = 1_000
const trim_every = 100

/**
 * The newest 1,000 rejections, 100 per process more at most. Whoever can reach the intake can fill this, so it is
 * bounded here: FerretDB 2.7 accepts `capped` and ignores it, which leaves a capped collection bounded on MongoDB only.
 */
export class Rejections {
  readonly #rejections: Collection<RejectionRecord>
  /** kept since the last trim; the first keep of a process trims, so that restarts do not add up */
  #untrimmed = trim_every

  constructor(connections: Connections) {
    this.#rejections = new Collection(connections, 'rejections', schema)
  }

  async keep(rejection: Rejection): Promise<void> {
    const _id = new Types.ObjectId().toHexString()
    await this.#rejections.insert({ _id, ...rejection, body: rejection.body.slice(0, body_characters) })
    this.#untrimmed += 1
    if (this.#untrimmed > trim_every) await this.#trim()
  }

  /** Newest first. */
  async recent(mchid: string, limit: number): Promise<Rejection[]> {
    const found = await this.#rejections.find({ mchid }, { limit: Math.min(limit, most_kept), sort: { _id: -1 } })
    return found.map(({ _id, ...rejection }) => rejection)
  }

  /** How many of those kept were refused for which reason. */
  async countByReason(mchid: string): Promise<Record<string, number>> {
    const rows = await this.#rejections.aggregate<{ _id: string; count: number }>([
      { $match: { mchid } },
      { $group: { _id: '$reason', count: { $sum: 1 } } },
    ])
    return Object.fromEntries(rows.map(({ _id, count }) => [_id, count]))
  }

  /** The same of those that came in a time. */
  async countIn(mchid: string, { from_time, to_time }: TimeRange): Promise<Record<string, number>> {
    const found = await this.#rejections.scan({ mchid }, { limit: 2 * most_kept, fields: ['reason', 'receive_time'] })
    const counts: Record<string, number> = {}
    for (const { reason, receive_time } of found)
      if (receive_time >= from_time && receive_time < to_time) counts[reason] = (counts[reason] ?? 0) + 1
    return counts
  }

  async #trim(): Promise<void> {
    this.#untrimmed = 0
    const [oldest_kept] = await this.#rejections.find(
      {},
      { limit: 1, skip: most_kept - 1, sort: { _id: -1 }, fields: ['_id'] },
    )
    if (oldest_kept !== undefined) await this.#rejections.remove({ _id: { $lt: oldest_kept._id } })
  }

  async ensureIndexes(): Promise<void> {
    await this.#rejections.ensureIndexes()
  }
}
