import type { StuckRunRecord } from '../domain/run.ts'
import { Collection } from './collection.ts'
import type { Connections } from './connection.ts'
import { recordSchema } from './record.ts'

const schema = recordSchema({
  _id: String,
  mchid: String,
  run_id: String,
  out_trade_no: String,
  out_refund_no: String,
  step: String,
  error: String,
  attempts: Number,
  since_time: Date,
  seen_time: Date,
})
schema.index({ mchid: 1, since_time: 1 })

/**
 * Runs that cannot go on, as the worker's watch last saw them. Apart from the records they move, since such a record may
 * be what cannot be read.
 */
export class StuckRuns {
  readonly #runs: Collection<StuckRunRecord>

  constructor(connections: Connections) {
    this.#runs = new Collection(connections, 'stuck_runs', schema)
  }

  /** Keeps what was seen; of one that is known the moment since when stays. Returns whether it is new. */
  async note(run: StuckRunRecord): Promise<boolean> {
    const { _id, since_time, ...seen } = run
    if (await this.#runs.update({ _id }, { $set: seen })) return false
    return this.#runs.insert({ _id, since_time, ...seen })
  }

  /** The run goes on, or has ended. Returns whether it was known as stuck. */
  async lift(_id: string): Promise<boolean> {
    return (await this.#runs.remove({ _id })) > 0
  }

  /** Of all merchants, those first that were looked at longest ago. */
  async longestUnseen(limit: number): Promise<StuckRunRecord[]> {
    return this.#runs.find({}, { limit, sort: { seen_time: 1, _id: 1 } })
  }

  /** A merchant's, the longest first. */
  async ofMerchant(mchid: string, limit: number): Promise<StuckRunRecord[]> {
    return this.#runs.find({ mchid }, { limit, sort: { since_time: 1, _id: 1 } })
  }

  async ensureIndexes(): Promise<void> {
    await this.#runs.ensureIndexes()
  }
}
