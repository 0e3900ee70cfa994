import { attention_codes, isAboutMoney } from '../domain/attention.ts'
import type { Attention } from '../domain/attention.ts'
import type { Time } from '../domain/calendar.ts'
import { limits } from '../domain/policy.ts'
import type { Collection, Contention, Filter, OneOrMore } from './collection.ts'
import { partSchema } from './record.ts'

// FerretDB takes a partial index only for a query that repeats the index's own condition: hence `present`.
export const present = { $exists: true }

/** The fields that an entry of every timeline has; some kinds have more. */
export const entry_fields = {
  revision: Number,
  operation_id: String,
  event: String,
  from: String,
  to: String,
  time: Date,
  actor: partSchema({ kind: String, id: String }),
  reason: String,
} as const

/** A record whose state only events change, each with an entry in its timeline: an order or a refund. */
export interface TimelinedRecord {
  _id: string
  state: string
  revision: number
  timeline: { operation_id: string }[]
  next_action?: { what: string; time: Time }
  attention?: Attention
}

/** What the rules of the record's kind make of an occurrence: the fields to set and to take away, and the entry. */
interface TimelinedChange<R extends TimelinedRecord> {
  entry: R['timeline'][number]
  set: object
  unset: readonly string[]
}

/** What became of an occurrence, and the record as it now is. `entry`: what stands in its timeline for it. */
export interface Applied<R extends TimelinedRecord> {
  outcome: 'done' | 'done_before' | 'illegal'
  record: R
  entry: R['timeline'][number] | null
}

/** An occurrence, or what makes one of the record that holds; null says that this record allows none. */
export type Cause<R, Occurrence> = Occurrence | ((record: R) => Occurrence | null)

/** The later, the longer: a majority read may lag behind the write that forestalled this one. */
const contention: Contention = {
  attempts: limits.write_contentions,
  pauseBefore: (attempt) => (attempt > 2 ? 2 ** attempt : 0),
}

const money_codes = attention_codes.filter(isAboutMoney)

/**
 * The writes that orders and refunds share. `apply` is the only way to a new state; every `note…` is bookkeeping outside
 * the revision that decides no edge.
 */
export class Timelined<R extends TimelinedRecord, Occurrence extends { operation_id: string }> {
  readonly #records: Collection<R>
  readonly #applyEvent: (record: R, occurrence: Occurrence) => TimelinedChange<R> | null
  readonly #madeOf: (record: R) => Filter

  /** `madeOf`: what a change takes over of the record and a write outside the revision may have changed meanwhile. */
  constructor(
    records: Collection<R>,
    applyEvent: (record: R, occurrence: Occurrence) => TimelinedChange<R> | null,
    madeOf: (record: R) => Filter = () => ({}),
  ) {
    this.#records = records
    this.#applyEvent = applyEvent
    this.#madeOf = madeOf
  }

  /**
   * Does `cause` to the record, once: state, timeline and revision change in one conditional write. `done_before` when
   * its operation id is in the timeline; `illegal` when the table, asked about the record that holds, has no such edge.
   * `known`, the record as the caller has just read it, saves the read when nobody wrote since. Throws
   * `WriteContended` after five writes that others forestalled, `RecordMissing`, `RecordUnreadable`,
   * `PostconditionBroken`.
   */
  async apply(_id: string, cause: Cause<R, Occurrence>, known?: R): Promise<Applied<R>> {
    const first = known === undefined ? null : await this.#tryApply(known, cause)
    // A record that the caller remembers may be old: only a fresh one can say that nothing is to be done.
    if (first?.outcome === 'done') return first
    return await this.#records.contend(_id, contention, (current) => this.#tryApply(current, cause))
  }

  /** One attempt on the record as seen; null when another write came first. */
  async #tryApply(record: R, cause: Cause<R, Occurrence>): Promise<Applied<R> | null> {
    const occurrence = typeof cause === 'function' ? cause(record) : cause
    if (occurrence === null) return { outcome: 'illegal', record, entry: null }
    const before = record.timeline.find((entry) => entry.operation_id === occurrence.operation_id)
    if (before !== undefined) return { outcome: 'done_before', record, entry: before }
    const change = this.#applyEvent(record, occurrence)
    if (change === null) return { outcome: 'illegal', record, entry: null }
    const written = await this.#records.updateAndReturn(
      { _id: record._id, revision: record.revision, ...this.#madeOf(record) },
      {
        $set: { ...change.set },
        $unset: Object.fromEntries(change.unset.map((field) => [field, 1])),
        $push: { timeline: change.entry },
        $inc: { revision: 1 },
      },
    )
    return written && { outcome: 'done', record: written, entry: change.entry }
  }

  /**
   * Sends an overdue record to the end of the sweeper's queue by moving `next_action.time`, only if the plan is still
   * the one that was read, for `seen`. Returns whether it did.
   */
  async putOff(_id: string, seen: Time, time: Time): Promise<boolean> {
    return this.#records.update({ _id, 'next_action.time': seen }, { $set: { 'next_action.time': time } })
  }

  /** Only while `state` holds: an activity that was overtaken must not plan for the state that came after. */
  async noteNextAction(_id: string, state: R['state'], next_action: R['next_action'] | null): Promise<boolean> {
    return this.#records.update(
      { _id, state },
      next_action ? { $set: { next_action } } : { $unset: { next_action: 1 } },
    )
  }

  /**
   * Only while `state` holds; the same code keeps the moment since when, and takes a new detail. `null` takes attention
   * away. What money waits behind is neither taken away here nor hidden by another code (`isAboutMoney`): only its own
   * resolution ends it. True: this code is new.
   */
  async noteAttention(_id: string, state: R['state'], attention: Attention | null): Promise<boolean> {
    if (attention === null) {
      const liftable = { _id, state, 'attention.code': { ...present, $nin: money_codes } }
      return this.#records.update(liftable, { $unset: { attention: 1 } })
    }
    const { code, detail } = attention
    const is_new = { _id, state, 'attention.code': { $nin: isAboutMoney(code) ? [code] : [code, ...money_codes] } }
    if (await this.#records.update(is_new, { $set: { attention } })) return true
    if (detail !== undefined)
      await this.#records.update({ _id, state, 'attention.code': code }, { $set: { 'attention.detail': detail } })
    return false
  }

  /** WeChat answered a query at `time`. */
  async noteAsked(_id: string, time: Time): Promise<boolean> {
    return this.#records.update({ _id }, { $max: { 'asked.last_time': time } })
  }
}

/** Records that want a person for one of these codes, or, with `any` among them, for whatever reason. */
export function attentionAmong(wanted: OneOrMore | undefined): Filter {
  if (wanted === undefined) return {}
  const codes = typeof wanted === 'string' ? [wanted] : [...wanted]
  return { 'attention.code': codes.includes('any') ? present : { ...present, $in: codes } }
}
