import type { Time } from '../domain/calendar.ts'
import { isOpenDelivery, isSameAttempt, open_delivery_states } from '../domain/event/delivery.ts'
import type { DeliveryAttempt, DeliveryRecord, DeliveryState } from '../domain/event/delivery.ts'
import { limits } from '../domain/policy.ts'
import { Collection, inRange, matchAny } from './collection.ts'
import type { Contention, Filter, OneOrMore, Page, PageRequest, TimeRange, Update } from './collection.ts'
import type { Connections } from './connection.ts'
import { partSchema, recordSchema } from './record.ts'

const schema = recordSchema({
  _id: String,
  id: String,
  mchid: String,
  event_id: String,
  event_public_id: String,
  event_type: String,
  endpoint_id: String,
  out_trade_no: String,
  sequence: Number,
  purpose: String,
  state: String,
  revision: Number,
  attempts: [
    partSchema({
      number: Number,
      time: Date,
      duration_ms: Number,
      status: Number,
      error: String,
      answer: String,
      read_as: String,
      reason: String,
      remark: String,
    }),
  ],
  create_time: Date,
  next_attempt_time: Date,
})
// FerretDB takes a partial index only for a query that repeats the index's own condition.
const present = { $exists: true }
schema.index({ id: 1 })
schema.index({ mchid: 1, create_time: -1, _id: -1 })
schema.index({ mchid: 1, out_trade_no: 1, endpoint_id: 1, sequence: 1 })
schema.index({ mchid: 1, event_id: 1 })
schema.index({ next_attempt_time: 1 }, { partialFilterExpression: { next_attempt_time: present } })

export interface DeliveryFilter {
  state?: OneOrMore | undefined
  endpoint_id?: OneOrMore | undefined
  event_type?: OneOrMore | undefined
  out_trade_no?: OneOrMore | undefined
  create_time_from?: Time | undefined
  create_time_to?: Time | undefined
}

/** As much of a delivery as a report counts. */
export interface AttemptedDelivery {
  attempts?: Pick<DeliveryAttempt, 'status' | 'error'>[]
}

const attempts_kept = 50
const most_of_event = 1_000
const most_of_order = 10_000
const contention: Contention = { attempts: limits.write_contentions, pauseBefore: (attempt) => 2 ** attempt }
const open_delivery_fields = ['_id', 'out_trade_no', 'sequence', 'event_type', 'purpose', 'next_attempt_time'] as const

/** What a proof looks at of a delivery that is under way. */
export type OpenDelivery = Pick<DeliveryRecord, (typeof open_delivery_fields)[number]>
const is_open = { state: { $in: [...open_delivery_states] } }

/** One event on its way to one endpoint. What is no longer open changes only by what a person sends again. */
export class Deliveries {
  readonly #deliveries: Collection<DeliveryRecord>

  constructor(connections: Connections) {
    this.#deliveries = new Collection(connections, 'deliveries', schema)
  }

  /** Inserts those not there and answers the ids of these: they are the ones whose runs are still to be started. */
  async insertMissing(deliveries: readonly DeliveryRecord[]): Promise<string[]> {
    return this.#deliveries.insertMissing(deliveries)
  }

  /** By the full `_id`, which begins with the mchid. */
  async find(_id: string): Promise<DeliveryRecord | null> {
    return this.#deliveries.findOne({ _id })
  }

  async findPublic(mchid: string, id: string): Promise<DeliveryRecord | null> {
    return this.#deliveries.findOne({ mchid, id })
  }

  async ofEvent(mchid: string, event_id: string): Promise<DeliveryRecord[]> {
    return this.#deliveries.find({ mchid, event_id }, { limit: most_of_event, sort: { create_time: 1, _id: 1 } })
  }

  /** Newest first by create_time. */
  async list(mchid: string, filter: DeliveryFilter, page: PageRequest): Promise<Page<DeliveryRecord>> {
    return this.#deliveries.page(conditionsOf(mchid, filter), 'create_time', page)
  }

  /** How many `list` would show in all, counted up to `most`. */
  async count(mchid: string, filter: DeliveryFilter, most: number): Promise<number> {
    return this.#deliveries.count(conditionsOf(mchid, filter), most)
  }

  /** The lowest event of the same order that is still under way to the same endpoint: while there is one, this one waits. */
  async openBefore(
    delivery: Pick<DeliveryRecord, 'mchid' | 'out_trade_no' | 'endpoint_id' | 'sequence'>,
  ): Promise<DeliveryRecord | null> {
    const { mchid, out_trade_no, endpoint_id, sequence } = delivery
    // Most deliveries are of an order's first event, before which there can be none.
    if (out_trade_no === null || sequence === null || sequence <= 1) return null
    const before = { mchid, out_trade_no, endpoint_id, sequence: { $lt: sequence }, ...is_open }
    const [first] = await this.#deliveries.find(before, { limit: 1, sort: { sequence: 1 } })
    return first ?? null
  }

  /**
   * Writes down an attempt and what follows from it, once, while the delivery is open: so a repeat adds nothing. An
   * attempt that another has taken the number of gets the next one: a worker that stood still past its heartbeat ends
   * its attempt beside that of its successor, and either may be the one that was heard. `next_attempt_time`: null or a
   * state that is not open plans nothing more, absent leaves the plan. Answers the delivery as it now stands, whichever
   * write made it so; throws `RecordMissing`, and `WriteContended` after five attempts that others forestalled.
   */
  async noteAttempt(
    _id: string,
    attempt: DeliveryAttempt,
    { state, next_attempt_time }: { state: DeliveryState; next_attempt_time?: Time | null },
  ): Promise<DeliveryRecord> {
    const plans = open_delivery_states.includes(state) ? next_attempt_time : null
    return await this.#pushAttempt({ _id, ...is_open }, attempt, {
      $set: { state, ...(typeof plans === 'string' && { next_attempt_time: plans }) },
      $unset: plans === null ? { next_attempt_time: 1 } : {},
    })
  }

  /**
   * Writes down an attempt of a delivery that had ended, once. A notice that was given up and is now heard is delivered;
   * nothing else is made of it. Answers the delivery as it now stands; throws as `noteAttempt` does.
   */
  async noteRepeat(_id: string, attempt: DeliveryAttempt): Promise<DeliveryRecord> {
    const ended = { _id, state: { $nin: [...open_delivery_states] } }
    const noted = await this.#pushAttempt(ended, attempt, {})
    if (attempt.read_as !== 'heard') return noted
    const given_up = { _id, purpose: 'notice', state: 'undelivered' }
    const update = { $set: { state: 'delivered' }, $inc: { revision: 1 } }
    return (await this.#deliveries.updateAndReturn(given_up, update)) ?? noted
  }

  /** Adds the attempt under the next free number where the record is as `condition` says and does not have it yet. */
  async #pushAttempt(
    condition: { _id: string; state: object },
    attempt: DeliveryAttempt,
    update: Update,
  ): Promise<DeliveryRecord> {
    const push = ({ number }: Pick<DeliveryAttempt, 'number'>) =>
      this.#deliveries.updateAndReturn(
        { ...condition, 'attempts.number': { $ne: number } },
        {
          ...update,
          $push: { attempts: { $each: [{ ...attempt, number }], $slice: -attempts_kept } },
          $inc: { revision: 1 },
        },
      )
    const written = await push(attempt)
    if (written !== null) return written
    return await this.#deliveries.contend(condition._id, contention, async (current) => {
      const is_meant = isOpenDelivery(current.state) === (condition.state === is_open.state)
      if (!is_meant || current.attempts.some((kept) => isSameAttempt(kept, attempt))) return current
      return await push({ number: (current.attempts.at(-1)?.number ?? 0) + 1 })
    })
  }

  /** When the next attempt is planned, while the delivery is open. False: it no longer is. */
  async noteNextAttempt(_id: string, next_attempt_time: Time | null): Promise<boolean> {
    const plan = next_attempt_time === null ? { $unset: { next_attempt_time: 1 } } : { $set: { next_attempt_time } }
    return this.#deliveries.update({ _id, ...is_open }, plan)
  }

  /** The same for who did not make the plan: only while it is still the plan that `seen` shows. */
  async putOff(seen: Pick<DeliveryRecord, '_id' | 'next_attempt_time'>, next_attempt_time: Time): Promise<boolean> {
    const unchanged = { _id: seen._id, next_attempt_time: seen.next_attempt_time ?? null, ...is_open }
    return this.#deliveries.update(unchanged, { $set: { next_attempt_time } })
  }

  /** Nobody waits any more for what is answered to it, and it is still told. False: it is no longer open. */
  async becomeNotice(_id: string): Promise<boolean> {
    return this.#deliveries.update({ _id, ...is_open }, { $set: { purpose: 'notice' }, $inc: { revision: 1 } })
  }

  /** Ends an open delivery. Null: it had ended before, and stays as it ended. */
  async end(_id: string, state: 'delivered' | 'undelivered' | 'cancelled'): Promise<DeliveryRecord | null> {
    const update = { $set: { state }, $unset: { next_attempt_time: 1 }, $inc: { revision: 1 } }
    return this.#deliveries.updateAndReturn({ _id, ...is_open }, update)
  }

  /** Open deliveries whose planned attempt has passed, the longest overdue first: for the sweeper, over all merchants. */
  async findDue(before: Time, limit: number): Promise<DeliveryRecord[]> {
    const filter = { next_attempt_time: { ...present, $lt: before }, ...is_open }
    return this.#deliveries.find(filter, { limit, sort: { next_attempt_time: 1 } })
  }

  /** What is still under way of an order's events. */
  async openOfOrder(mchid: string, out_trade_no: string): Promise<DeliveryRecord[]> {
    return this.#deliveries.find({ mchid, out_trade_no, ...is_open }, { limit: most_of_order, sort: { sequence: 1 } })
  }

  /** What is still under way of the events under these numbers, without its attempts: for proofs. */
  async openOfNumbers(mchid: string, numbers: readonly string[], limit: number): Promise<OpenDelivery[]> {
    const filter = { mchid, out_trade_no: { $in: [...numbers] }, ...is_open }
    return this.#deliveries.scan(filter, { limit, fields: open_delivery_fields })
  }

  /** How the attempts ended of deliveries that were created in a time, in no order, at most `limit`. */
  async attemptsIn(mchid: string, { from_time, to_time }: TimeRange, limit: number): Promise<AttemptedDelivery[]> {
    const range = { mchid, ...inRange('create_time', from_time, to_time) }
    return this.#deliveries.scan(range, { limit, fields: ['attempts.status', 'attempts.error'] })
  }

  async ensureIndexes(): Promise<void> {
    await this.#deliveries.ensureIndexes()
  }
}

function conditionsOf(mchid: string, filter: DeliveryFilter): Filter {
  return {
    mchid,
    ...matchAny('state', filter.state),
    ...matchAny('endpoint_id', filter.endpoint_id),
    ...matchAny('event_type', filter.event_type),
    ...matchAny('out_trade_no', filter.out_trade_no),
    ...inRange('create_time', filter.create_time_from, filter.create_time_to),
  }
}
