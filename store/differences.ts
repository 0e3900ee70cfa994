import { Schema } from 'mongoose'
import type { Time } from '../domain/calendar.ts'
import { applyDifferenceEvent, differenceFlaw, unsettled_states } from '../domain/bill/difference.ts'
import type {
  DifferenceAnswer,
  DifferenceOccurrence,
  DifferenceRecord,
  DifferenceState,
} from '../domain/bill/difference.ts'
import type { DayKey, DifferenceTally } from '../domain/bill/reconciliation.ts'
import { afterId, Collection, inDays, inRange, matchAny } from './collection.ts'
import type { Filter, OneOrMore, Page, PageRequest } from './collection.ts'
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
  found_time: Date,
  transaction_id: String,
  out_trade_no: String,
  refund_id: String,
  out_refund_no: String,
  amount: Number,
  fields: [String],
  bill: Schema.Types.Mixed,
  weft: Schema.Types.Mixed,
  bill_version: Number,
  due_time: Date,
  owner: String,
  note: String,
  proposal: partSchema({
    ...{ actor: partSchema({ kind: String, id: String }), time: Date },
    ...{ reason: String, action: String, agreed: String },
  }),
  agreed: String,
  deed: partSchema({ action: String, out_refund_no: String, entry_ids: [String] }),
  answer: partSchema({ asked_time: Date, says: String, evidence_id: String }),
  handed_over_time: Date,
  check_time: Date,
  told: partSchema({ revision: Number, as: String, batch: String }),
  found_in: partSchema({ bill_date: String, version: Number }),
})
schema.index({ id: 1 })
schema.index({ mchid: 1, state: 1, due_time: 1, _id: 1 })
schema.index({ mchid: 1, due_time: -1, _id: -1 })

export interface DifferenceFilter {
  kind?: OneOrMore | undefined
  state?: OneOrMore | undefined
  bill_date?: OneOrMore | undefined
  /** the first and the last day, both with them */
  bill_date_from?: string | undefined
  bill_date_to?: string | undefined
  owner?: OneOrMore | undefined
  due_before?: Time | undefined
}

const tally_page = 1_000

function conditionsOf(mchid: string, filter: DifferenceFilter): Filter {
  const conditions = [
    { mchid },
    matchAny('kind', filter.kind),
    matchAny('state', filter.state),
    matchAny('bill_date', filter.bill_date),
    inDays('bill_date', filter.bill_date_from, filter.bill_date_to),
    matchAny('owner', filter.owner),
    inRange('due_time', undefined, filter.due_before),
  ]
  return { $and: conditions }
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
    for (const { _id, fields, bill, weft, amount, bill_version, ...named } of found) {
      if (inserted.has(_id)) continue
      const { transaction_id, out_trade_no, refund_id, out_refund_no } = named
      const names = { transaction_id, out_trade_no, refund_id, out_refund_no }
      const sides = { ...names, fields, bill, weft, amount, ...(bill_version !== undefined && { bill_version }) }
      await this.#differences.update({ _id, state: { $ne: 'ignored' } }, { $set: sides })
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
    return this.#differences.page(conditionsOf(mchid, filter), 'due_time', page)
  }

  /** At most `limit` of them, in the order of `_id`, from behind `after`. */
  async some(
    mchid: string,
    filter: DifferenceFilter,
    limit: number,
    after: string | null = null,
  ): Promise<DifferenceRecord[]> {
    return this.#differences.scan(
      { ...conditionsOf(mchid, filter), ...afterId(mchid, after) },
      { limit, sort: { _id: 1 } },
    )
  }

  /** What a day's differences come to. */
  async tally(day: DayKey): Promise<DifferenceTally> {
    const tally: DifferenceTally = { kinds: {}, unsettled: 0, healed: 0, untold: 0 }
    const ended = new Set<string>()
    const prefix = `${day.mchid}/${day.bill_date}/`
    const fields = ['_id', 'kind', 'state', 'told']
    for (let after = prefix; ;) {
      const range = { _id: { $gt: after, $lt: `${prefix}~` } }
      const found = await this.#differences.scan(range, { limit: tally_page, sort: { _id: 1 }, fields })
      for (const { _id, kind, state, told } of found) {
        if (state === 'healed') tally.healed += 1
        if (state === 'healed' && kind === 'missing_there') ended.add(_id)
        // What is missing because WeChat denies it has not healed; in the order of ids it comes before its phantom.
        else if (state !== 'healed' && ended.has(_id.replace('/phantom_payment/', '/missing_there/'))) tally.healed -= 1
        if (!unsettled_states.includes(state)) continue
        tally.unsettled += 1
        tally.kinds[kind] = (tally.kinds[kind] ?? 0) + 1
        if (state === 'open' && told?.as === 'count') tally.untold += 1
      }
      const last = found.at(-1)
      if (last === undefined || found.length < tally_page) return tally
      after = last._id
    }
  }

  /** Of a merchant's unsettled differences number and fen, by day. */
  async unsettledByDay(mchid: string): Promise<{ bill_date: string; count: number; amount: number }[]> {
    const rows = await this.#differences.aggregate<{ _id: string; count: number; amount: number }>([
      { $match: { mchid, state: { $in: [...unsettled_states] } } },
      { $group: { _id: '$bill_date', count: { $sum: 1 }, amount: { $sum: '$amount' } } },
      { $sort: { _id: 1 } },
    ])
    return rows.map(({ _id, count, amount }) => ({ bill_date: _id, count, amount }))
  }

  /** How many there are. */
  async count(mchid: string, filter: Omit<DifferenceFilter, 'due_before'>): Promise<number> {
    const [found] = await this.#differences.aggregate<{ count: number }>([
      { $match: conditionsOf(mchid, filter) },
      { $group: { _id: null, count: { $sum: 1 } } },
    ])
    return found?.count ?? 0
  }

  /** Says how the opening of this revision was told. Only while it is the one that holds: a later one is told itself. */
  async noteTold(_id: string, told: NonNullable<DifferenceRecord['told']>): Promise<void> {
    const is_older = [{ told: { $exists: false } }, { 'told.revision': { $lt: told.revision } }]
    await this.#differences.update({ _id, $or: is_older }, { $set: { told } })
  }

  /** A person wants WeChat to be asked. */
  async noteCheck(_id: string, check_time: Time): Promise<void> {
    await this.#differences.update({ _id }, { $set: { check_time } })
  }

  /** WeChat was asked for whoever wanted it by `check_time`; who wanted it since is still to be answered. */
  async endCheck(_id: string, check_time: Time): Promise<void> {
    await this.#differences.update({ _id, check_time }, { $unset: { check_time: 1 } })
  }

  /** Of a day, those that a person wants to be asked about, or accepted WeChat's word on. */
  async awaited(day: DayKey, what: 'check' | 'settling', limit: number): Promise<DifferenceRecord[]> {
    const prefix = `${day.mchid}/${day.bill_date}/`
    const wanted = what === 'check' ? { check_time: { $exists: true } } : { state: 'settling' }
    return this.#differences.scan({ _id: { $gt: prefix, $lt: `${prefix}~` }, ...wanted }, { limit, sort: { _id: 1 } })
  }

  async ensureIndexes(): Promise<void> {
    await this.#differences.ensureIndexes()
  }
}
