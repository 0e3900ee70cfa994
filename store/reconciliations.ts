import { Schema } from 'mongoose'
import { dayId } from '../domain/ids.ts'
import type { DayKey, ReconciliationRecord, ReconciliationState } from '../domain/bill/reconciliation.ts'
import type { FlowBill } from '../domain/bill/row.ts'
import { Collection, inDays, matchAny } from './collection.ts'
import type { OneOrMore, Page, PageRequest } from './collection.ts'
import type { Connections } from './connection.ts'
import { partSchema, recordSchema } from './record.ts'

const counts = partSchema({
  all: Number,
  matched: Number,
  waiting: Number,
  different: Number,
  foreign: Number,
  malformed: Number,
})
const sum_fields = { payment_count: Number, payment_amount: Number, refund_count: Number, refund_amount: Number }
const sums = partSchema(sum_fields)
const schema = recordSchema({
  _id: String,
  mchid: String,
  bill_date: String,
  state: String,
  run: Number,
  look: String,
  start_time: Date,
  end_time: Date,
  bills: [String],
  versions: Schema.Types.Mixed,
  rows: counts,
  records: counts,
  wechat: sums,
  weft: sums,
  settled: partSchema({ payment_amount: Number, refund_amount: Number }),
  balance: partSchema({ opening: Number, closing: Number }),
  balances: Schema.Types.Mixed,
  booking: String,
  is_uneven: Boolean,
  unknown_movements: [partSchema({ account: String, type: String, direction: String, count: Number, amount: Number })],
  fees: partSchema({
    ...{ charged: Number, returned: Number, expected: Number, under: Number, over: Number },
    ...{ payment_count: Number, match_count: Number, under_count: Number, over_count: Number },
    fractional_count: Number,
  }),
  foreign: partSchema({
    ...sum_fields,
    groups: [partSchema({ ...sum_fields, appid: String, pattern: String, example: String })],
  }),
  differences: Schema.Types.Mixed,
  healed_count: Number,
  is_proven: Boolean,
  flaws: [Schema.Types.Mixed],
  untold_count: Number,
  told: partSchema({ number: Number, digest: String, time: Date }),
  moved: Number,
  is_moved: Boolean,
  changes: [partSchema({ type: { type: String }, version: Number, added: Number, removed: Number, changed: Number })],
  book: partSchema({
    post_time: Date,
    sheet_count: Number,
    accounts: [partSchema({ account: String, amount: Number })],
    flaws: [Schema.Types.Mixed],
  }),
})
schema.index({ mchid: 1, bill_date: -1, _id: -1 })

const most_unproven = 100

export interface ReconciliationFilter {
  state?: OneOrMore | undefined
  /** the first and the last day, both with them */
  bill_date_from?: string | undefined
  bill_date_to?: string | undefined
}

/** What a look at a day found out, as it is written down. */
export type DayResult = Partial<Omit<ReconciliationRecord, '_id' | 'mchid' | 'bill_date' | 'run'>>

/** The days of merchants, as they were last looked at. */
export class Reconciliations {
  readonly #days: Collection<ReconciliationRecord>

  constructor(connections: Connections) {
    this.#days = new Collection(connections, 'reconciliations', schema)
  }

  async find(key: DayKey): Promise<ReconciliationRecord | null> {
    return this.#days.findOne({ _id: dayId(key) })
  }

  /** Begins a day, or takes it up anew, once for each look. Decides who writes: only the look that began last does. */
  async begin(fresh: ReconciliationRecord): Promise<ReconciliationRecord> {
    const { _id, start_time, look, bills } = fresh
    const made = await this.#days.insertOrFind(fresh)
    if (made.inserted) return fresh
    const again = { $set: { state: fresh.state, start_time, end_time: null, look, bills }, $inc: { run: 1 } }
    const begun = await this.#days.updateAndReturn({ _id, look: { $ne: look } }, again)
    return begun ?? (await this.#days.findOne({ _id })) ?? made.existing
  }

  /** Days from `bill_date_from` on that are not proven, oldest first: what they lacked may have come. */
  async unproven(mchid: string, bill_date_from: string): Promise<ReconciliationRecord[]> {
    const wanted = { mchid, is_proven: false, bill_date: { $gte: bill_date_from } }
    return this.#days.find(wanted, { limit: most_unproven, sort: { bill_date: 1 } })
  }

  /** The nearest day, before or after this one, that is in the book and on which the account of this bill moved. */
  async neighbour(
    { mchid, bill_date }: DayKey,
    side: 'before' | 'after',
    type: FlowBill,
  ): Promise<ReconciliationRecord | null> {
    const range = side === 'before' ? { $lt: bill_date } : { $gt: bill_date }
    const balance = type === 'fundflow' ? 'balance' : `balances.${type}`
    const wanted = {
      mchid,
      'book.sheet_count': { $gte: 0 },
      [`${balance}.opening`]: { $exists: true },
      bill_date: range,
    }
    const found = await this.#days.find(wanted, { limit: 1, sort: { bill_date: side === 'before' ? -1 : 1 } })
    return found[0] ?? null
  }

  /** Days whose bills are in the book, behind `after`, oldest first. */
  async inBook(mchid: string, after: string, limit: number): Promise<ReconciliationRecord[]> {
    const wanted = { mchid, 'book.sheet_count': { $gte: 0 }, bill_date: { $gt: after } }
    return this.#days.scan(wanted, { limit, sort: { bill_date: 1 } })
  }

  /** Days from `bill_date_from` on whose look was begun and has not ended, oldest first: it may have been terminated. */
  async unfinished(mchid: string, bill_date_from: string): Promise<ReconciliationRecord[]> {
    const states: ReconciliationState[] = ['waiting_for_bill', 'running']
    const wanted = { mchid, state: { $in: states }, bill_date: { $gte: bill_date_from } }
    return this.#days.find(wanted, { limit: most_unproven, sort: { bill_date: 1 } })
  }

  /** Null: a newer run has begun, and this one's word is over. */
  async write(key: DayKey, run: number, result: DayResult): Promise<ReconciliationRecord | null> {
    return this.#days.updateAndReturn({ _id: dayId(key), run }, { $set: { ...result } })
  }

  /**
   * A difference of the day is moved outside its look. Said before that is done, so that whoever dies between the two
   * leaves a day that is counted anew; and what counted before it writes nothing.
   */
  async noteMoved(key: DayKey): Promise<void> {
    await this.#days.update({ _id: dayId(key) }, { $inc: { moved: 1 }, $set: { is_moved: true } })
  }

  /** Days of which differences were moved, and that were not counted anew since. */
  async movedDays(mchid: string, limit: number): Promise<ReconciliationRecord[]> {
    return this.#days.find({ mchid, is_moved: true }, { limit, sort: { bill_date: 1 } })
  }

  /** What was counted of the day as it was read. Null: a newer look has begun, or a difference was moved since. */
  async conclude(read: ReconciliationRecord, result: DayResult): Promise<ReconciliationRecord | null> {
    const { _id, run, state } = read
    const moved = read.moved === undefined ? { moved: { $exists: false } } : { moved: read.moved }
    return this.#days.updateAndReturn({ _id, run, state, ...moved }, { $set: { ...result, is_moved: false } })
  }

  /** Newest day first. A day is no time, so the page goes on behind its `_id`, which ends in the day. */
  async list(mchid: string, filter: ReconciliationFilter, page: PageRequest): Promise<Page<ReconciliationRecord>> {
    const { state, bill_date_from, bill_date_to } = filter
    const conditions = [{ mchid }, matchAny('state', state), inDays('bill_date', bill_date_from, bill_date_to)]
    return this.#days.page({ $and: conditions }, 'bill_date', page, { unit: 'day' })
  }

  /** Those of the days that are proven. */
  async provenAmong(mchid: string, bill_dates: readonly string[]): Promise<string[]> {
    const wanted = { _id: { $in: bill_dates.map((bill_date) => dayId({ mchid, bill_date })) }, is_proven: true }
    return (await this.#days.find(wanted, { limit: bill_dates.length })).map(({ bill_date }) => bill_date)
  }

  /** A day whose file itself is in doubt. Of one before `bill_date_from` that never had a file, nobody can bring one. */
  async hasFlawed(mchid: string, bill_date_from = ''): Promise<boolean> {
    const can_be_mended = [{ bill_date: { $gte: bill_date_from } }, { 'versions.trade': { $exists: true } }]
    const wanted = { mchid, 'flaws.0': { $exists: true }, $or: can_be_mended }
    const found = await this.#days.find(wanted, { limit: 1 })
    return found.length > 0
  }

  async ensureIndexes(): Promise<void> {
    await this.#days.ensureIndexes()
  }
}
