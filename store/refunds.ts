import { Schema } from 'mongoose'
import type { Attention, AttentionCode } from '../domain/attention.ts'
import type { DifferenceRecord } from '../domain/bill/difference.ts'
import type { Time } from '../domain/calendar.ts'
import { outsideRefundNo, refundId } from '../domain/ids.ts'
import type { RefundKey } from '../domain/ids.ts'
import { applyRefundEvent } from '../domain/refund/change.ts'
import { isRefundResting, refundFlaw } from '../domain/refund/record.ts'
import type { RefundEntry, RefundOccurrence, RefundRecord, RefundState } from '../domain/refund/record.ts'
import { afterId, Collection, inRange, matchAny } from './collection.ts'
import type { Filter, OneOrMore, Page, PageRequest, TimeRange } from './collection.ts'
import type { Connections } from './connection.ts'
import { partSchema, recordSchema } from './record.ts'
import { attentionAmong, entry_fields, present, Timelined } from './timelined.ts'
import type { Cause } from './timelined.ts'

const actor = partSchema({ kind: String, id: String })

const schema = recordSchema({
  _id: String,
  mchid: String,
  out_refund_no: String,
  wechat_refund_no: String,
  out_trade_no: String,
  transaction_id: String,
  order_id: String,
  state: String,
  revision: Number,
  timeline: [partSchema({ ...entry_fields, evidence_id: String })],
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
    asked_time: Date,
  }),
  failure: partSchema({ code: String, message: String, status: Number }),
  close_reason: String,
  payout: partSchema({ proof: String, reason: String, by: actor, time: Date }),
  submission: partSchema({
    attempts: Number,
    unanswered: Boolean,
    last_attempt_time: Date,
    begun_time: Date,
    refusal: partSchema({ code: String, message: String, status: Number }),
  }),
  asked: partSchema({ last_time: Date, confirmed_time: Date }),
  next_action: partSchema({ what: String, time: Date }),
  attention: partSchema({ code: String, since_time: Date, detail: String }),
})

// FerretDB takes a partial index only for a query that repeats the index's own condition: hence `present`.
schema.index({ mchid: 1, create_time: -1, _id: -1 })
schema.index({ mchid: 1, out_trade_no: 1 })
schema.index({ mchid: 1, 'facts.accepted_time': 1 }, { partialFilterExpression: { 'facts.accepted_time': present } })
schema.index({ mchid: 1, 'facts.refund_id': 1 }, { partialFilterExpression: { 'facts.refund_id': present } })
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
export type RefundCause = Cause<RefundRecord, RefundOccurrence>

const most_of_order = 1_000
const billed_fields = [
  ...(['out_refund_no', 'wechat_refund_no', 'out_trade_no', 'transaction_id', 'amount', 'state', 'facts'] as const),
] as const

/** What a bill is compared with. */
export type BilledRefund = Pick<RefundRecord, '_id' | (typeof billed_fields)[number]>

/** Why a refund was not made; `refusal`: why it was not at the last attempt, which is repeated. */
export interface FailedRefund {
  failure?: { code: string } | null
  submission?: { refusal?: { code: string } | null }
}

/** What a person looks at and settles, where nothing that Weft sees ends it. */
const noticed_codes: readonly AttentionCode[] = ['refund_number_taken']

/** The refunds. `apply` is the only way to a new state; every `note…` is bookkeeping that decides no edge. */
export class Refunds {
  readonly #refunds: Collection<RefundRecord>
  readonly #timelined: Timelined<RefundRecord, RefundOccurrence>

  constructor(connections: Connections) {
    this.#refunds = new Collection(connections, 'refunds', schema, refundFlaw)
    // An event takes over what was booked to leave the account, and a person's word corrects that outside the revision.
    this.#timelined = new Timelined(this.#refunds, applyRefundEvent, ({ facts }) => ({
      'facts.settlement_refund': facts?.settlement_refund ?? null,
    }))
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
   * on, and its run has to be signalled.
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

  /** The payer has all of a payment back, or never gave it: the attention of its earlier refunds is over. */
  async liftSetbacks(payment: Pick<RefundRecord, 'mchid' | 'out_trade_no' | 'transaction_id'>): Promise<void> {
    await this.#liftOfPayment(payment, ['refund_closed', 'refund_refused', ...noticed_codes])
  }

  /** A person has looked. Only what nothing else takes away is lifted so; false: it is not, or was not there. */
  async liftNoticed(key: RefundKey, code: AttentionCode): Promise<boolean> {
    // Money that Weft itself owes is never just looked at.
    const asked = code === 'refund_closed' ? { origin: { $in: ['api', 'operator', 'outside'] } } : {}
    if (code !== 'refund_closed' && !noticed_codes.includes(code)) return false
    return this.#refunds.update({ _id: refundId(key), 'attention.code': code, ...asked }, { $unset: { attention: 1 } })
  }

  async #liftOfPayment(
    { mchid, out_trade_no, transaction_id }: Pick<RefundRecord, 'mchid' | 'out_trade_no' | 'transaction_id'>,
    codes: readonly AttentionCode[],
  ): Promise<void> {
    const left = { mchid, out_trade_no, transaction_id, 'attention.code': { $in: [...codes] } }
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

  /** Of several orders, as `ofOrder` of one. */
  async ofOrders(mchid: string, out_trade_nos: readonly string[]): Promise<RefundRecord[]> {
    const filter = { mchid, out_trade_no: { $in: [...out_trade_nos] } }
    return this.#refunds.find(filter, { limit: most_of_order, sort: { create_time: 1, _id: 1 } })
  }

  /** Does `cause` to the refund, once: see `Timelined.apply`, whose failures it throws. */
  async apply(key: RefundKey, cause: RefundCause): Promise<AppliedToRefund> {
    const { outcome, record, entry } = await this.#timelined.apply(refundId(key), cause)
    return { outcome, refund: record, entry }
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

  async putOff({ time: seen, mchid, out_refund_no }: DueRefund, time: Time): Promise<boolean> {
    return this.#timelined.putOff(refundId({ mchid, out_refund_no }), seen, time)
  }

  /** Only while `state` holds, and never over a later attempt. False: whoever was about to send must not. */
  async noteSubmission(key: RefundKey, state: RefundState, submission: RefundRecord['submission']): Promise<boolean> {
    const filter = { _id: refundId(key), state, facts: null, 'submission.attempts': { $lte: submission.attempts } }
    return this.#refunds.update(filter, { $set: { submission } })
  }

  async noteNextAction(
    key: RefundKey,
    state: RefundState,
    next_action: NonNullable<RefundRecord['next_action']> | null,
  ): Promise<boolean> {
    return this.#timelined.noteNextAction(refundId(key), state, next_action)
  }

  /**
   * The order has been signalled all up to `revision`, and `next_action` comes next; nothing does in a refund that has
   * ended, and nothing changes where the refund has moved on since.
   */
  async noteOrderSignalled(
    key: RefundKey,
    revision: number,
    next_action: RefundRecord['next_action'] | null,
  ): Promise<boolean> {
    const filter = { _id: refundId(key), revision, 'next_action.what': 'tell_order' }
    return this.#refunds.update(filter, next_action ? { $set: { next_action } } : { $unset: { next_action: 1 } })
  }

  async noteAttention(key: RefundKey, state: RefundState, attention: Attention | null): Promise<boolean> {
    return this.#timelined.noteAttention(refundId(key), state, attention)
  }

  /**
   * WeChat says rightly again what it had said in a way that could not be written down: the attention of that is over, and
   * no other. An abnormal refund still waits for a person, since the moment at which it became so.
   */
  async liftUnwritable({ _id, state, timeline }: RefundRecord): Promise<boolean> {
    const since_time = timeline.findLast(({ event }) => event === 'abnormal')?.time
    const is_owed = state === 'abnormal' && since_time !== undefined
    const attention = { code: 'refund_abnormal', since_time } as const
    const over = is_owed ? { $set: { attention } } : { $unset: { attention: 1 } }
    return this.#refunds.update({ _id, state, 'attention.code': 'evidence_unapplied' }, over)
  }

  async noteAsked(key: RefundKey, time: Time): Promise<boolean> {
    return this.#timelined.noteAsked(refundId(key), time)
  }

  /**
   * WeChat, asked at `asked_time`, has said once more what the refund as it was read holds: an answer from before that
   * moment is overtaken.
   */
  async noteConfirmed({ _id, revision }: RefundRecord, asked_time: Time): Promise<boolean> {
    return this.#refunds.update({ _id, revision }, { $max: { 'asked.confirmed_time': asked_time } })
  }

  /**
   * What a refund that has ended took from the merchant's account is corrected, as a person accepted it. Outside the
   * revision, which counts what happened to the refund: an event that read it before is made anew (`madeOf`), and no later
   * answer of WeChat's changes it. Null: it has moved on, or
   * was paid out by hand.
   */
  async correctSettlement({ _id, revision }: RefundRecord, settlement_refund: number): Promise<RefundRecord | null> {
    const as_it_was = { _id, revision, payout: null, 'facts.refund_id': present }
    return this.#refunds.updateAndReturn(as_it_was, { $set: { 'facts.settlement_refund': settlement_refund } })
  }

  /** All of a merchant's refunds by `_id`, from behind `after`: for proofs, which may take their time. */
  async inTurn(mchid: string, after: string | null, limit: number): Promise<RefundRecord[]> {
    return this.#refunds.scan(afterId(mchid, after), { limit, sort: { _id: 1 } })
  }

  /** Refunds that WeChat took in a time, in no order, at most `limit`: as much of each as a bill is compared with. */
  async takenIn(mchid: string, { from_time, to_time }: TimeRange, limit: number): Promise<BilledRefund[]> {
    const range = { mchid, ...inRange('facts.accepted_time', from_time, to_time) }
    return this.#refunds.scan(range, { limit, fields: billed_fields })
  }

  /** Why refunds that were created in a time were not made, in no order, at most `limit`. */
  async failuresIn(mchid: string, { from_time, to_time }: TimeRange, limit: number): Promise<FailedRefund[]> {
    const range = { mchid, ...inRange('create_time', from_time, to_time) }
    return this.#refunds.scan(range, { limit, fields: ['failure.code', 'submission.refusal.code'] })
  }

  /** By WeChat's numbers and ids of them, wherever in time they are, also those that stand here under another number. */
  async ofWeChat(
    mchid: string,
    named: readonly { out_refund_no: string; refund_id: string | null }[],
  ): Promise<RefundRecord[]> {
    const ids = named.flatMap(({ out_refund_no, refund_id }) => [
      refundId({ mchid, out_refund_no }),
      ...(refund_id === null ? [] : [refundId({ mchid, out_refund_no: outsideRefundNo(refund_id) })]),
    ])
    return this.#refunds.find({ _id: { $in: ids } }, { limit: most_of_order })
  }

  /** The refund that a difference is about, as WeChat knows it; null: it is about none, or about none that is here. */
  async ofDifference({
    mchid,
    out_refund_no,
    refund_id,
  }: Pick<DifferenceRecord, 'mchid' | 'out_refund_no' | 'refund_id'>): Promise<RefundRecord | null> {
    if (out_refund_no === null || refund_id === null) return null
    const known = await this.ofWeChat(mchid, [{ out_refund_no, refund_id }])
    return known.find(({ facts }) => facts?.refund_id === refund_id) ?? null
  }

  /** Those that WeChat knows by these ids. */
  async ofRefundIds(mchid: string, refund_ids: readonly string[]): Promise<RefundRecord[]> {
    return this.#refunds.scan({ mchid, 'facts.refund_id': { $in: [...refund_ids] } }, { limit: most_of_order })
  }

  /** All refunds under these numbers, oldest first. */
  async ofNumbers(mchid: string, numbers: readonly string[], limit: number): Promise<RefundRecord[]> {
    const sort = { create_time: 1, _id: 1 } as const
    return this.#refunds.scan({ mchid, out_trade_no: { $in: [...numbers] } }, { limit, sort })
  }

  /** Which of these ids are refunds'. */
  async existingIds(ids: readonly string[]): Promise<string[]> {
    if (ids.length === 0) return []
    const found = await this.#refunds.scan({ _id: { $in: [...ids] } }, { limit: ids.length, fields: ['_id'] })
    return found.map(({ _id }) => _id)
  }

  async ensureIndexes(): Promise<void> {
    await this.#refunds.ensureIndexes()
  }
}
