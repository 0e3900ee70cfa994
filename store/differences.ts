import { Schema } from 'mongoose'
import type { Time } from '../domain/calendar.ts'
import { applyDifferenceEvent, differenceFlaw } from '../domain/bill/difference.ts'
import type {
  DifferenceAnswer,
  DifferenceOccurrence,
  DifferenceRecord,
  DifferenceState,
} from '../domain/bill/difference.ts'
import type { DayKey } from '../domain/bill/reconciliation.ts'
import { Collection, inRange, matchAny } from './collection.ts'
import type { OneOrMore, Page, PageRequest } from './collection.ts'
import type { Connections } from './connection.ts'
import { partSchema, recordSchema } from './record.ts'
import { entry_fields, Timelined } from './timelined.ts'
import type { Applied, Cause } from './timelined.ts'

const schema = recordSchema({
  _id: String,
  id: String,
  mchid: String,
  bill_date: String,
  kind: String,
  state: String,
  revision: Number,
  timeline: [partSchema(entry_fields)],
  transaction_id: String,
  out_trade_no: String,
  refund_id: String,
  out_refund_no: String,
  amount: Number,
  fields: [String],
  bill: Schema.Types.Mixed,
  weft: Schema.Types.Mixed,
  due_time: Date,
  answer: partSchema({ asked_time: Date, says: String, evidence_id: String }),
  handed_over_time: Date,
  found_in: partSchema({ bill_date: String, version: Number }),
})
schema.index({ id: 1 })
schema.index({ mchid: 1, state: 1, due_time: 1, _id: 1 })
schema.index({ mchid: 1, due_time: -1, _id: -1 })

export interface DifferenceFilter {
  kind?: OneOrMore | undefined
  state?: OneOrMore | undefined
  bill_date?: OneOrMore | undefined
  bill_date_from?: string | undefined
  bill_date_to?: string | undefined
}

/** What bills and records disagree on. `apply` is the only way to a new state. */
export class Differences {
  readonly #differences: Collection<DifferenceRecord>
  readonly #timelined: Timelined<DifferenceRecord, DifferenceOccurrence>

  constructor(connections: Connections) {
    this.#differences = new Collection(connections, 'differences', schema, differenceFlaw)
    this.#timelined = new Timelined(this.#differences, applyDifferenceEvent)
  }

  /**
   * Inserts those that are new; of the others both sides are brought up to date, save where a person has ignored what
   * they were. Answers how many were new.
   */
  async note(found: readonly DifferenceRecord[]): Promise<number> {
    const inserted = new Set(await this.#differences.insertMissing(found))
    for (const { _id, fields, bill, weft, amount } of found) {
      if (!inserted.has(_id))
        await this.#differences.update({ _id, state: { $ne: 'ignored' } }, { $set: { fields, bill, weft, amount } })
    }
    return inserted.size
  }

  async find(_id: string): Promise<DifferenceRecord | null> {
    return this.#differences.findOne({ _id })
  }

  async findPublic(mchid: string, id: string): Promise<DifferenceRecord | null> {
    return this.#differences.findOne({ id, mchid })
  }

  async apply(_id: string, cause: Cause<DifferenceRecord, DifferenceOccurrence>): Promise<Applied<DifferenceRecord>> {
    return this.#timelined.apply(_id, cause)
  }

  /** Those of a day from behind `after`, in the order of `_id`. */
  async ofDay({ mchid, bill_date }: DayKey, after: string | null, limit: number): Promise<DifferenceRecord[]> {
    const prefix = `${mchid}/${bill_date}/`
    return this.#differences.scan({ _id: { $gt: after ?? prefix, $lt: `${prefix}~` } }, { limit, sort: { _id: 1 } })
  }

  /** Of all days of a merchant, those in this state that were due before `time`. */
  async dueBefore(mchid: string, state: DifferenceState, time: Time, limit: number): Promise<DifferenceRecord[]> {
    return this.#differences.find({ mchid, state, due_time: { $lt: time } }, { limit, sort: { due_time: 1, _id: 1 } })
  }

  async noteAnswer(_id: string, answer: DifferenceAnswer): Promise<void> {
    await this.#differences.update({ _id }, { $set: { answer } })
  }

  async noteHandedOver(_id: string, time: Time): Promise<void> {
    await this.#differences.update({ _id }, { $set: { handed_over_time: time } })
  }

  async noteFoundIn(_id: string, found_in: NonNullable<DifferenceRecord['found_in']>): Promise<void> {
    await this.#differences.update({ _id }, { $set: { found_in } })
  }

  /** Latest due first. */
  async list(mchid: string, filter: DifferenceFilter, page: PageRequest): Promise<Page<DifferenceRecord>> {
    const conditions = [
      { mchid },
      matchAny('kind', filter.kind),
      matchAny('state', filter.state),
      matchAny('bill_date', filter.bill_date),
      inRange('bill_date', filter.bill_date_from, filter.bill_date_to),
    ]
    return this.#differences.page({ $and: conditions }, 'due_time', page)
  }

  async ensureIndexes(): Promise<void> {
    await this.#differences.ensureIndexes()
  }
}
