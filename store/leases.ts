import { beijingTime } from '../domain/calendar.ts'
import type { Time } from '../domain/calendar.ts'
import { Collection } from './collection.ts'
import type { Connections } from './connection.ts'
import { recordSchema } from './record.ts'

interface LeaseRecord {
  _id: string
  holder: string
  expire_time: Time
}

/** A lease while its work lasts. */
export interface HeldLease {
  /**
   * Asked before each piece of the work: renews it once a third of its time is gone. False: another has it by now, or the
   * work is to end.
   */
  keep(): Promise<boolean>
}

const schema = recordSchema({ _id: String, holder: String, expire_time: Date })

/** By so much at most: WeChat Pay takes nothing that is signed by a clock farther off (docs/wechat-pay.md §1.4). */
export const clocks_differ_ms = 5 * 60_000

/**
 * Who may do the work of which there should be one. A lease spares work and guarantees nothing: clocks differ, so what
 * is done under it must bear being done twice.
 */
export class Leases {
  readonly #leases: Collection<LeaseRecord>

  constructor(connections: Connections) {
    this.#leases = new Collection(connections, 'leases', schema)
  }

  /**
   * True when `holder` has the lease for `ttl_ms` from `now` (Unix ms): it was free, run out, its own already, or left by a
   * clock so far ahead that nobody would do the work until then.
   */
  async acquire(name: string, holder: string, ttl_ms: number, now: number): Promise<boolean> {
    const is_run_out = { expire_time: { $lte: beijingTime(now) } }
    const is_of_no_clock = { expire_time: { $gt: beijingTime(now + ttl_ms + clocks_differ_ms) } }
    const is_takeable = { $or: [{ holder }, is_run_out, is_of_no_clock] }
    const lease = { holder, expire_time: beijingTime(now + ttl_ms) }
    if (await this.#leases.update({ _id: name, ...is_takeable }, { $set: lease })) return true
    return this.#leases.insert({ _id: name, ...lease })
  }

  /** Takes the lease for work that lasts, or until `ending` aborts; null: another has it. */
  async hold(
    name: string,
    holder: string,
    { ttl_ms, now, ending }: { ttl_ms: number; now: () => number; ending?: AbortSignal | undefined },
  ): Promise<HeldLease | null> {
    if (!(await this.acquire(name, holder, ttl_ms, now()))) return null
    let taken_ms = now()
    return {
      keep: async () => {
        if (ending?.aborted === true) return false
        if (now() - taken_ms < ttl_ms / 3) return true
        const is_held = await this.acquire(name, holder, ttl_ms, now())
        if (is_held) taken_ms = now()
        return is_held
      },
    }
  }

  /** Gives it back early; nothing happens when another has it by now. */
  async release(name: string, holder: string): Promise<void> {
    await this.#leases.remove({ _id: name, holder })
  }

  async ensureIndexes(): Promise<void> {
    await this.#leases.ensureIndexes()
  }
}
