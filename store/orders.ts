import { Schema } from 'mongoose'
import type { Attention } from '../domain/attention.ts'
import type { Time } from '../domain/calendar.ts'
import { orderId, paymentId } from '../domain/ids.ts'
import type { OrderKey } from '../domain/ids.ts'
import { applyOrderEvent } from '../domain/order/change.ts'
import { orderFlaw } from '../domain/order/record.ts'
import type { OrderOccurrence, OrderRecord, OrderState, TimelineEntry } from '../domain/order/record.ts'
import { createBatcher } from './batcher.ts'
import { afterId, Collection, inRange, matchAny } from './collection.ts'
import type { Filter, OneOrMore, Page, PageRequest, TimeRange } from './collection.ts'
import type { Connections } from './connection.ts'
import type { Payments } from './payments.ts'
import { openidPlace } from './openid.ts'
import { partSchema, recordSchema } from './record.ts'
import { openedUnlessBroken } from './sealer.ts'
import type { ResealedPage, Sealer } from './sealer.ts'
import { attentionAmong, entry_fields, present, Timelined } from './timelined.ts'
import type { Cause } from './timelined.ts'

const timeline_entry = partSchema({
  ...entry_fields,
  evidence_id: String,
  sequence: Number,
  event_type: String,
  out_refund_no: String,
  transaction_id: String,
  is_whole: Boolean,
})

const schema = recordSchema({
  _id: String,
  mchid: String,
  out_trade_no: String,
  appid: String,
  app_kind: String,
  reference: String,
  state: String,
  revision: Number,
  sequence: Number,
  timeline: [timeline_entry],
  sent: partSchema({ body: String, sha256: String }),
  wechat_request: partSchema({ path: String, body: String }),
  description: String,
  attach: String,
  metadata: Schema.Types.Mixed,
  return_url: String,
  locale: String,
  trade_type: String,
  payer: partSchema({ openid: partSchema({ sealed: String, key_id: String }) }),
  checkout_id: String,
  amount: partSchema({ total: Number, currency: String }),
  create_time: Date,
  time_expire: Date,
  checkout_token: String,
  checkout_url: String,
  code: partSchema({ url: String, prepay_id: String, h5_url: String, placed_time: Date }),
  payment: partSchema({
    transaction_id: String,
    role: String,
    success_time: Date,
    found_by: String,
    found_time: Date,
    bank_type: String,
  }),
  fulfilment: partSchema({ mode: String, result: String, reason: String, deadline_time: Date }),
  close_reason: String,
  failure: partSchema({ code: String, message: String, number_taken: Boolean, status: Number }),
  placement: partSchema({ attempts: Number, unanswered: Boolean, last_attempt_time: Date }),
  close_sent_time: Date,
  asked: partSchema({ last_time: Date, on_request: Number }),
  followed_revision: Number,
  next_action: partSchema({ what: String, time: Date }),
  attention: partSchema({ code: String, since_time: Date, detail: String }),
})

// FerretDB takes a partial index only for a query that repeats the index's own condition: hence `present` and `text`.
const text = { $gt: '' }
schema.index({ mchid: 1, create_time: -1, _id: -1 })
schema.index({ mchid: 1, state: 1, create_time: -1 })
schema.index({ 'next_action.time': 1 }, { partialFilterExpression: { 'next_action.time': present } })
schema.index({ mchid: 1, 'attention.code': 1 }, { partialFilterExpression: { 'attention.code': present } })
schema.index({ mchid: 1, reference: 1 }, { partialFilterExpression: { reference: text } })
schema.index({ mchid: 1, 'payment.success_time': 1 }, { partialFilterExpression: { 'payment.success_time': present } })
schema.index({ checkout_token: 1 })

/** An order whose planned moment, `time`, has passed. */
export type DueOrder = OrderKey & { time: Time }

export interface OrderFilter {
  state?: OneOrMore | undefined
  /** codes, or `any` for every order that wants a person */
  attention?: OneOrMore | undefined
  out_trade_no?: OneOrMore | undefined
  reference?: OneOrMore | undefined
  transaction_id?: OneOrMore | undefined
  refunds?: keyof typeof refund_conditions | undefined
  create_time_from?: Time | undefined
  create_time_to?: Time | undefined
  success_time_from?: Time | undefined
  success_time_to?: Time | undefined
}

/** What became of an occurrence, and the order as it now is. `entry`: what stands in its timeline for it. */
export interface AppliedToOrder {
  outcome: 'done' | 'done_before' | 'illegal'
  order: OrderRecord
  entry: TimelineEntry | null
}

/** The fields of an order that an open checkout page shows; read five times a second. */
export type OrderGlimpse = Pick<OrderRecord, '_id' | 'state' | 'revision' | 'code' | 'asked'>

/** An occurrence, or what makes one of the order that holds; null says that this order allows none. */
export type OrderCause = Cause<OrderRecord, OrderOccurrence>

const reported_fields = [
  ...['state', 'create_time', 'amount.total', 'payment.success_time', 'close_reason', 'failure.code'],
  ...['timeline.event', 'timeline.time'],
]

/** What a report counts of an order; of its timeline only which events it has, and when they were. */
export type ReportedOrder = Pick<OrderRecord, '_id' | 'state' | 'create_time' | 'close_reason'> & {
  amount: Pick<OrderRecord['amount'], 'total'>
  payment?: Pick<NonNullable<OrderRecord['payment']>, 'success_time'> | null
  failure?: Pick<NonNullable<OrderRecord['failure']>, 'code'> | null
  timeline: Pick<TimelineEntry, 'event' | 'time'>[]
}

/** What an order's timeline says of refunds, the merchant's own too, which leave its state as it is. */
const refund_conditions = {
  any: { 'timeline.out_refund_no': { $exists: true } },
  succeeded: { 'timeline.event_type': 'refund.succeeded' },
  none: { 'timeline.out_refund_no': { $exists: false } },
} as const satisfies Record<string, Filter>

const resealed_at_once = 300
const most_glimpses = 1_000
const most_older_orders = 100

/** The orders. `apply` is the only way to a new state; every `note…` is bookkeeping that decides no edge. */
export class Orders {
  readonly #orders: Collection<OrderRecord>
  readonly #timelined: Timelined<OrderRecord, OrderOccurrence>
  readonly #payments: Pick<Payments, 'findAll'>
  /** One of many that are asked for at once; by the merchant, so that each has its turn. */
  readonly #findTogether: (key: OrderKey) => Promise<OrderRecord | null>

  constructor(connections: Connections, payments: Pick<Payments, 'findAll'>) {
    const orders = new Collection<OrderRecord>(connections, 'orders', schema, orderFlaw)
    this.#orders = orders
    this.#findTogether = createBatcher({
      run: (keys) => orders.findEach(keys.map(orderId)),
      laneOf: ({ mchid }) => mchid,
    })
    this.#timelined = new Timelined(this.#orders, applyOrderEvent)
    this.#payments = payments
  }

  /** Decides the race of two requests for one number: one inserts, the other is given what the first inserted. */
  async insert(order: OrderRecord): Promise<{ inserted: true } | { inserted: false; existing: OrderRecord }> {
    return this.#orders.insertOrFind(order)
  }

  async find(key: OrderKey): Promise<OrderRecord | null> {
    return this.#orders.findOne({ _id: orderId(key) })
  }

  /** As `find`, in one read with others that are asked for meanwhile: for the intake, where many come at once. */
  async findTogether(key: OrderKey): Promise<OrderRecord | null> {
    return this.#findTogether(key)
  }

  /** The token is the secret of the checkout page: this read takes no mchid. */
  async findByToken(checkout_token: string): Promise<OrderRecord | null> {
    return this.#orders.findOne({ checkout_token })
  }

  /** Does `cause` to the order, once: see `Timelined.apply`, whose failures it throws. */
  async apply(key: OrderKey, cause: OrderCause, known?: OrderRecord): Promise<AppliedToOrder> {
    const { outcome, record, entry } = await this.#timelined.apply(orderId(key), cause, known)
    return { outcome, order: record, entry }
  }

  /** Newest first by create_time, then number. */
  async list(mchid: string, filter: OrderFilter, page: PageRequest): Promise<Page<OrderRecord>> {
    const conditions = await this.#conditions(mchid, filter)
    return this.#orders.page({ $and: conditions }, 'create_time', page, { list: { mchid, ...filter } })
  }

  async #conditions(mchid: string, filter: OrderFilter): Promise<Filter[]> {
    const conditions: Filter[] = [
      { mchid },
      matchAny('state', filter.state),
      attentionAmong(filter.attention),
      matchAny('out_trade_no', filter.out_trade_no),
      referenceAmong(filter.reference),
      inRange('create_time', filter.create_time_from, filter.create_time_to),
      inRange('payment.success_time', filter.success_time_from, filter.success_time_to),
    ]
    if (filter.success_time_from !== undefined || filter.success_time_to !== undefined) {
      conditions.push({ 'payment.success_time': present })
    }
    if (filter.refunds !== undefined) conditions.push(refund_conditions[filter.refunds])
    if (filter.transaction_id !== undefined) {
      conditions.push(await this.#paidBy(mchid, filter.transaction_id))
    }
    return conditions
  }

  /** How many `list` would show in all, counted up to `most`. */
  async count(mchid: string, filter: OrderFilter, most: number): Promise<number> {
    return this.#orders.count({ $and: await this.#conditions(mchid, filter) }, most)
  }

  /**
   * By way of the payments, whose `_id` the transaction is: so orders need no index for it, and one that was paid a second
   * time is found by either payment.
   */
  async #paidBy(mchid: string, transaction_id: OneOrMore): Promise<Filter> {
    const wanted = typeof transaction_id === 'string' ? [transaction_id] : transaction_id
    const payments = await this.#payments.findAll(wanted.map((one) => paymentId(mchid, one)))
    const orders = payments.flatMap(({ order_id }) => (order_id === null ? [] : [order_id]))
    return { _id: { $in: orders } }
  }

  /** At most 1,000 ids; those unknown are left out. */
  async findGlimpses(ids: readonly string[]): Promise<OrderGlimpse[]> {
    if (ids.length > most_glimpses) throw new RangeError(`at most ${most_glimpses} orders at once, not ${ids.length}`)
    if (ids.length === 0) return []
    const fields = ['_id', 'state', 'revision', 'code', 'asked']
    return this.#orders.find({ _id: { $in: [...ids] } }, { limit: most_glimpses, fields })
  }

  /** Unpaid orders of the same sale that came before this one, by create_time, then number; oldest first. */
  async findOlderUnpaid(
    order: Pick<OrderRecord, 'mchid' | 'reference' | 'create_time' | 'out_trade_no'>,
  ): Promise<OrderRecord[]> {
    const { mchid, reference, create_time, out_trade_no } = order
    if (reference === null) return []
    const unpaid: OrderState[] = ['created', 'awaiting_payment', 'closing']
    const is_older = [{ create_time: { $lt: create_time } }, { create_time, out_trade_no: { $lt: out_trade_no } }]
    const filter = { mchid, $and: [referenceAmong(reference)], state: { $in: unpaid }, $or: is_older }
    return this.#orders.find(filter, { limit: most_older_orders, sort: { create_time: 1, _id: 1 } })
  }

  /** Other orders of the same sale that can still be paid, by `_id`. */
  async findPayableBeside({
    mchid,
    reference,
    out_trade_no,
  }: Pick<OrderRecord, 'mchid' | 'reference' | 'out_trade_no'>): Promise<OrderRecord[]> {
    if (reference === null) return []
    const payable: OrderState[] = ['created', 'awaiting_payment']
    const filter = {
      mchid,
      $and: [referenceAmong(reference)],
      state: { $in: payable },
      out_trade_no: { $ne: out_trade_no },
    }
    return this.#orders.find(filter, { limit: most_older_orders, sort: { _id: 1 } })
  }

  /** Orders in these states whose planned moment has passed, the longest overdue first: for the sweeper, over all merchants. */
  async findDue(states: readonly OrderState[], before: Time, limit: number): Promise<DueOrder[]> {
    const filter = { 'next_action.time': { ...present, $lt: before }, state: { $in: [...states] } }
    const fields = ['mchid', 'out_trade_no', 'next_action']
    const found = await this.#orders.find(filter, { limit, sort: { 'next_action.time': 1 }, fields })
    return found.map(({ mchid, out_trade_no, next_action }) => ({
      mchid,
      out_trade_no,
      time: next_action?.time ?? before,
    }))
  }

  async putOff({ time: seen, ...key }: DueOrder, time: Time): Promise<boolean> {
    return this.#timelined.putOff(orderId(key), seen, time)
  }

  /**
   * Only while `state` holds and no close was sent, and never over a later attempt: a send that was given up on may still
   * report. False: whoever was about to send must not.
   */
  async notePlacement(key: OrderKey, state: OrderState, placement: OrderRecord['placement']): Promise<boolean> {
    const filter = {
      _id: orderId(key),
      state,
      close_sent_time: null,
      'placement.attempts': { $lte: placement.attempts },
    }
    return this.#orders.update(filter, { $set: { placement } })
  }

  /** All that the entry of `revision` brings about has been done: what was planned to see it through is over. */
  async noteFollowed({ _id }: Pick<OrderRecord, '_id'>, revision: number): Promise<void> {
    const followed = { $max: { followed_revision: revision } }
    const planned = { _id, 'next_action.what': 'refund' }
    if (await this.#orders.update(planned, { ...followed, $unset: { next_action: 1 } })) return
    await this.#orders.update({ _id }, followed)
  }

  async noteNextAction(
    key: OrderKey,
    state: OrderState,
    next_action: NonNullable<OrderRecord['next_action']> | null,
  ): Promise<boolean> {
    return this.#timelined.noteNextAction(orderId(key), state, next_action)
  }

  async noteAttention(key: OrderKey, state: OrderState, attention: Attention | null): Promise<boolean> {
    return this.#timelined.noteAttention(orderId(key), state, attention)
  }

  /** Notes when a close was sent; an older report that comes late changes nothing. */
  async noteCloseSent(key: OrderKey, time: Time): Promise<boolean> {
    return this.#orders.update({ _id: orderId(key), state: 'closing' }, { $max: { close_sent_time: time } })
  }

  async noteAsked(key: OrderKey, time: Time): Promise<boolean> {
    return this.#timelined.noteAsked(orderId(key), time)
  }

  /** Counts a query that the payer asked for, before it is sent: one that stays unanswered must count too. */
  async countPayersCheck(key: OrderKey): Promise<boolean> {
    return this.#orders.update({ _id: orderId(key) }, { $inc: { 'asked.on_request': 1 } })
  }

  /**
   * Seals openids anew where the newest master key did not seal them: a few hundred records from behind `after`, in the
   * order of `_id`.
   */
  async resealSome(sealer: Sealer, after: string): Promise<ResealedPage> {
    const page = { limit: resealed_at_once, sort: { _id: 1 } as const }
    const found = await this.#orders.scan({ _id: { $gt: after }, 'payer.openid.sealed': present }, page)
    let changed = 0
    const broken: string[] = []
    for (const { _id, payer } of found) {
      const place = openidPlace({ _id })
      if (!payer || sealer.isFresh(payer.openid, place)) continue
      const opened = openedUnlessBroken(() => sealer.open(payer.openid, place))
      if (opened === null) {
        broken.push(place)
        continue
      }
      const openid = sealer.seal(opened, place)
      // Outside the revision: nobody else writes an openid, and it says the same as before.
      await this.#orders.update(
        { _id, 'payer.openid.sealed': payer.openid.sealed },
        { $set: { 'payer.openid': openid } },
      )
      changed += 1
    }
    return { changed, broken, last: found.length < resealed_at_once ? null : (found.at(-1)?._id ?? null) }
  }

  /** All of a merchant's orders by `_id`, from behind `after`: for proofs, which may take their time. */
  async inTurn(mchid: string, after: string | null, limit: number): Promise<OrderRecord[]> {
    return this.#orders.scan(afterId(mchid, after), { limit, sort: { _id: 1 } })
  }

  /** Orders created in a time, in no order, at most `limit`: as much of each as a report counts. */
  async reportedIn(mchid: string, { from_time, to_time }: TimeRange, limit: number): Promise<ReportedOrder[]> {
    const range = { mchid, ...inRange('create_time', from_time, to_time) }
    return this.#orders.scan(range, { limit, fields: reported_fields })
  }

  /** The orders of these ids; those unknown are left out. */
  async findAll(ids: readonly string[]): Promise<OrderRecord[]> {
    return this.#orders.scan({ _id: { $in: [...ids] } }, { limit: ids.length })
  }

  /** Which of these ids are orders'. */
  async existingIds(ids: readonly string[]): Promise<string[]> {
    if (ids.length === 0) return []
    const found = await this.#orders.scan({ _id: { $in: [...ids] } }, { limit: ids.length, fields: ['_id'] })
    return found.map(({ _id }) => _id)
  }

  async ensureIndexes(): Promise<void> {
    await this.#orders.ensureIndexes()
  }
}

function referenceAmong(wanted: OneOrMore | undefined): Filter {
  if (wanted === undefined) return {}
  return { reference: { ...text, $in: typeof wanted === 'string' ? [wanted] : [...wanted] } }
}
