import { setTimeout as pause } from 'node:timers/promises'
import { Schema } from 'mongoose'
import { attention_codes, isAboutMoney } from '../domain/attention.ts'
import type { AttentionCode } from '../domain/attention.ts'
import type { Time } from '../domain/calendar.ts'
import { refundId } from '../domain/ids.ts'
import type { RefundKey } from '../domain/ids.ts'
import { limits } from '../domain/policy.ts'
import { applyRefundEvent } from '../domain/refund/change.ts'
import { isRefundResting } from '../domain/refund/record.ts'
import type { RefundEntry, RefundOccurrence, RefundRecord, RefundState, RefundStep } from '../domain/refund/record.ts'
import { afterId, Collection, inRange, matchAny } from './collection.ts'
import type { Filter, OneOrMore, Page, PageRequest } from './collection.ts'
import { RecordMissing, WriteContended } from './connection.ts'
import type { Connections } from './connection.ts'
import { partSchema, recordSchema } from './record.ts'

const actor = partSchema({ kind: String, id: String })

const schema = recordSchema({
  _id: String,
  mchid: String,
  out_refund_no: String,
  out_trade_no: String,
  transaction_id: String,
  order_id: String,
  state: String,
  revision: Number,
  timeline: [
    partSchema({
      revision: Number,
      operation_id: String,
      event: String,
      from: String,
      to: String,
      time: Date,
      actor,
      evidence_id: String,
      reason: String,
    }),
  ],
  origin: String,
  requested_by: actor,
  sent: partSchema({ body: String, sha256: String }),
  notify_url: String,
  wechat_request: partSchema({ path: String, body: String }),
  amount: partSchema({ refund: Number, total: Number, currency: String }),
  is_full: Boolean,
  reason: String,
  metadata: Schema.Types.Mixed,
  create_time: Date,
  approval: partSchema({ expire_time: Date, decision: String, by: actor, reason: String }),
  facts: partSchema({
    refund_id: String,
    channel: String,
    user_received_account: String,
    accepted_time: Date,
    success_time: Date,
    payer_refund: Number,
    settlement_refund: Number,
  }),
  failure: partSchema({ code: String, message: String, status: Number }),
  close_reason: String,
  payout: partSchema({ proof: String, reason: String, by: actor, time: Date }),
  submission: partSchema({ attempts: Number, unanswered: Boolean, last_attempt_time: Date }),
  asked: partSchema({ last_time: Date }),
  next_action: partSchema({ what: String, time: Date }),
  attention: partSchema({ code: String, since_time: Date }),
})

// As in store/orders: a partial index serves only a query that repeats its condition.
const present = { $exists: true }
schema.index({ mchid: 1, create_time: -1, _id: -1 })
schema.index({ mchid: 1, out_trade_no: 1 })
schema.index({ 'next_action.time': 1 }, { partialFilterExpression: { 'next_action.time': present } })
schema.index({ mchid: 1, 'attention.code': 1 }, { partialFilterExpression: { 'attention.code': present } })

/** A refund whose planned moment, `time`, has passed. */
export type DueRefund = RefundKey & { out_trade_no: string; time: Time }

export interface RefundFilter {
  state?: OneOrMore | undefined
  /** codes, or `any` for every refund that wants a person */
  attention?: OneOrMore | undefined
  out_trade_no?: OneOrMore | undefined
  out_refund_no?: OneOrMore | undefined
  transaction_id?: OneOrMore | undefined
  origin?: OneOrMore | undefined
  create_time_from?: Time | undefined
  create_time_to?: Time | undefined
}

export interface AppliedToRefund {
  outcome: 'done' | 'done_before' | 'illegal'
  refund: RefundRecord
  entry: RefundEntry | null
}

/** An occurrence, or what makes one of the refund that holds; null: this refund allows none. */
export type RefundCause = RefundOccurrence | ((refund: RefundRecord) => RefundOccurrence | null)

const most_of_order = 1_000

/** The refunds. `apply` is the only way to a new state; every `note…` is bookkeeping that decides no edge. */
export class Refunds {
  readonly #refunds: Collection<RefundRecord>

  constructor(connections: Connections) {
    this.#refunds = new Collection(connections, 'refunds', schema)
  }

  /** Decides the race of two requests for one number: one inserts, the other is given what the first inserted. */
  async insert(refund: RefundRecord): Promise<{ inserted: true } | { inserted: false; existing: RefundRecord }> {
    return this.#refunds.insertOrFind(refund)
  }

  /**
   * Begins a number anew that was refused here and never sent: it may be asked for again with any body. False: it has
   * been sent, or somebody else began it anew.
   */
  async replaceUnsent(refund: RefundRecord, seen: Pick<RefundRecord, 'revision'>): Promise<boolean> {
    const { _id, mchid, next_action, attention, ...fresh } = refund
    const filter = { _id, mchid, revision: seen.revision, state: 'refused', 'submission.attempts': 0, facts: null }
    const set = { ...fresh, revision: seen.revision + 1, ...(next_action && { next_action }) }
    return this.#refunds.update(filter, { $set: set, $unset: attention ? {} : { attention: 1 } })
  }

  /**
   * The order of an orphan's payment came after it: what was asked for of that money meanwhile is the order's from now
   * on, and it has to hear of it.
   */
  async assignToOrder(
    { mchid, transaction_id, out_trade_no }: Pick<RefundRecord, 'mchid' | 'transaction_id' | 'out_trade_no'>,
    order_id: string,
    time: Time,
  ): Promise<void> {
    const loose = { mchid, out_trade_no, transaction_id, order_id: null }
    for (const { _id, state } of await this.#refunds.find(loose, { limit: most_of_order })) {
      const tells = isRefundResting(state) ? { next_action: { what: 'tell_order', time } } : {}
      await this.#refunds.update({ _id, order_id: null, state }, { $set: { order_id, ...tells } })
    }
  }

  /** The payer has all of a payment back: what its earlier refunds left to a person is settled. */
  async liftSetbacks({ mchid, out_trade_no, transaction_id }: RefundRecord): Promise<void> {
    const left = { mchid, out_trade_no, transaction_id, 'attention.code': { $in: ['refund_closed', 'refund_refused'] } }
    const found = await this.#refunds.find(left, { limit: most_of_order })
    for (const { _id } of found) {
      await this.#refunds.update({ _id, 'attention.code': left['attention.code'] }, { $unset: { attention: 1 } })
    }
  }

  async find(key: RefundKey): Promise<RefundRecord | null> {
    return this.#refunds.findOne({ _id: refundId(key) })
  }

  /** All refunds of an order's payments, oldest first. */
  async ofOrder(mchid: string, out_trade_no: string): Promise<RefundRecord[]> {
    return this.#refunds.find({ mchid, out_trade_no }, { limit: most_of_order, sort: { create_time: 1, _id: 1 } })
  }

  /**
   * Does `cause` to the refund, once: state, timeline and revision change in one conditional write. As `Orders.apply`:
   * `done_before` by operation id, `illegal` by the table. Throws `WriteContended`, `RecordMissing`.
   */
  async apply(key: RefundKey, cause: RefundCause): Promise<AppliedToRefund> {
    const _id = refundId(key)
    for (let attempt = 1; attempt <= limits.write_contentions; attempt++) {
      if (attempt > 2) await pause(2 ** attempt)
      const refund = await this.find(key)
      if (refund === null) throw new RecordMissing(_id)
      const applied = await this.#tryApply(refund, cause)
      if (applied !== null) return applied
    }
    throw new WriteContended(_id)
  }

  /** One attempt on the refund as seen; null when another write came first. */
  async #tryApply(refund: RefundRecord, cause: RefundCause): Promise<AppliedToRefund | null> {
    const occurrence = typeof cause === 'function' ? cause(refund) : cause
    if (occurrence === null) return { outcome: 'illegal', refund, entry: null }
    const before = refund.timeline.find((entry) => entry.operation_id === occurrence.operation_id)
    if (before !== undefined) return { outcome: 'done_before', refund, entry: before }
    const change = applyRefundEvent(refund, occurrence)
    if (change === null) return { outcome: 'illegal', refund, entry: null }
    const written = await this.#refunds.updateAndReturn(
      { _id: refund._id, revision: refund.revision },
      {
        $set: change.set,
        $unset: Object.fromEntries(change.unset.map((field) => [field, 1])),
        $push: { timeline: change.entry },
        $inc: { revision: 1 },
      },
    )
    return written && { outcome: 'done', refund: written, entry: change.entry }
  }

  /** Newest first by create_time, then number. */
  async list(mchid: string, filter: RefundFilter, page: PageRequest): Promise<Page<RefundRecord>> {
    const conditions: Filter[] = [
      { mchid },
      matchAny('state', filter.state),
      attentionAmong(filter.attention),
      matchAny('out_trade_no', filter.out_trade_no),
      matchAny('out_refund_no', filter.out_refund_no),
      matchAny('transaction_id', filter.transaction_id),
      matchAny('origin', filter.origin),
      inRange('create_time', filter.create_time_from, filter.create_time_to),
    ]
    return this.#refunds.page({ $and: conditions }, 'create_time', page)
  }

  /** Refunds whose planned moment has passed, the longest overdue first: for the sweeper, over all merchants. */
  async findDue(before: Time, limit: number): Promise<DueRefund[]> {
    const filter = { 'next_action.time': { ...present, $lt: before } }
    const fields = ['mchid', 'out_refund_no', 'out_trade_no', 'next_action']
    const found = await this.#refunds.find(filter, { limit, sort: { 'next_action.time': 1 }, fields })
    return found.map(({ mchid, out_refund_no, out_trade_no, next_action }) => ({
      mchid,
      out_refund_no,
      out_trade_no,
      time: next_action?.time ?? before,
    }))
  }

  /** As `Orders.putOff`. */
  async putOff({ time: seen, mchid, out_refund_no }: DueRefund, time: Time): Promise<boolean> {
    const unchanged = { _id: refundId({ mchid, out_refund_no }), 'next_action.time': seen }
    return this.#refunds.update(unchanged, { $set: { 'next_action.time': time } })
  }

  /** Only while `state` holds, and never over a later attempt. False: whoever was about to send must not. */
  async noteSubmission(key: RefundKey, state: RefundState, submission: RefundRecord['submission']): Promise<boolean> {
    const filter = { _id: refundId(key), state, facts: null, 'submission.attempts': { $lte: submission.attempts } }
    return this.#refunds.update(filter, { $set: { submission } })
  }

  /** Only while `state` holds: an activity that was overtaken must not plan for the state that came after. */
  async noteNextAction(
    key: RefundKey,
    state: RefundState,
    next_action: { what: RefundStep; time: Time } | null,
  ): Promise<boolean> {
    const filter = { _id: refundId(key), state }
    return this.#refunds.update(filter, next_action ? { $set: { next_action } } : { $unset: { next_action: 1 } })
  }

  /** The order has heard all up to `revision`: nothing is left to do, unless the refund has moved on since. */
  async noteOrderSignalled(key: RefundKey, revision: number): Promise<boolean> {
    const filter = { _id: refundId(key), revision, 'next_action.what': 'tell_order' }
    return this.#refunds.update(filter, { $unset: { next_action: 1 } })
  }

  /** Only while `state` holds; the same code keeps the moment since when. `null` takes attention away. */
  async noteAttention(
    key: RefundKey,
    state: RefundState,
    code: AttentionCode | null,
    since_time: Time,
  ): Promise<boolean> {
    const filter = { _id: refundId(key), state }
    const about_money = attention_codes.filter(isAboutMoney)
    // As with orders: what money waits behind is hidden behind nothing and taken away by what settles it.
    if (code === null) {
      const is_other = { 'attention.code': { ...present, $nin: about_money } }
      return this.#refunds.update({ ...filter, ...is_other }, { $unset: { attention: 1 } })
    }
    const is_new = { 'attention.code': { $nin: isAboutMoney(code) ? [code] : [code, ...about_money] } }
    return this.#refunds.update({ ...filter, ...is_new }, { $set: { attention: { code, since_time } } })
  }

  /** WeChat answered a question at `time`. */
  async noteAsked(key: RefundKey, time: Time): Promise<boolean> {
    return this.#refunds.update({ _id: refundId(key) }, { $max: { 'asked.last_time': time } })
  }

  /** All of a merchant's refunds by `_id`, from behind `after`: for proofs, which may take their time. */
  async inTurn(mchid: string, after: string | null, limit: number): Promise<RefundRecord[]> {
    return this.#refunds.scan(afterId(mchid, after), { limit, sort: { _id: 1 } })
  }

  /** All refunds under these numbers, oldest first. */
  async ofNumbers(mchid: string, numbers: readonly string[], limit: number): Promise<RefundRecord[]> {
    const sort = { create_time: 1, _id: 1 } as const
    return this.#refunds.scan({ mchid, out_trade_no: { $in: [...numbers] } }, { limit, sort })
  }

  async ensureIndexes(): Promise<void> {
    await this.#refunds.ensureIndexes()
  }
}

function attentionAmong(wanted: OneOrMore | undefined): Filter {
  if (wanted === undefined) return {}
  const codes = typeof wanted === 'string' ? [wanted] : [...wanted]
  return { 'attention.code': codes.includes('any') ? present : { ...present, $in: codes } }
}
