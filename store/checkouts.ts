import { Schema } from 'mongoose'
import type { Time } from '../domain/calendar.ts'
import { milliseconds } from '../domain/calendar.ts'
import { applyCheckoutEvent, checkoutEnd } from '../domain/checkout/change.ts'
import { checkoutFlaw } from '../domain/checkout/record.ts'
import type { CheckoutEntry, CheckoutOccurrence, CheckoutRecord, CheckoutStep } from '../domain/checkout/record.ts'
import { orderId } from '../domain/ids.ts'
import type { OrderKey } from '../domain/ids.ts'
import type { OrderRecord } from '../domain/order/record.ts'
import { afterId, Collection, inRange, matchAny } from './collection.ts'
import type { Filter, Insertion, OneOrMore, Page, PageRequest } from './collection.ts'
import type { Connections } from './connection.ts'
import type { Orders } from './orders.ts'
import { partSchema, recordSchema } from './record.ts'
import type { References } from './references.ts'
import { attentionAmong, entry_fields, present, Timelined } from './timelined.ts'
import type { Cause } from './timelined.ts'

const schema = recordSchema({
  _id: String,
  mchid: String,
  out_trade_no: String,
  reference: String,
  state: String,
  revision: Number,
  timeline: [partSchema({ ...entry_fields, event_type: String, out_trade_no: String })],
  sent: partSchema({ body: String, sha256: String }),
  token: String,
  checkout_url: String,
  description: String,
  attach: String,
  metadata: Schema.Types.Mixed,
  return_url: String,
  locale: String,
  amount: partSchema({ total: Number, currency: String }),
  methods: [String],
  create_time: Date,
  expire_time: Date,
  orders: [partSchema({ out_trade_no: String, trade_type: String, payer: String, address: String, time: Date })],
  paid_by: String,
  next_action: partSchema({ what: String, time: Date }),
  attention: partSchema({ code: String, since_time: Date, detail: String }),
})

schema.index({ mchid: 1, create_time: -1, _id: -1 })
schema.index({ mchid: 1, reference: 1 })
schema.index({ token: 1 })
schema.index({ mchid: 1, 'attention.code': 1 }, { partialFilterExpression: { 'attention.code': present } })
schema.index({ 'next_action.time': 1 }, { partialFilterExpression: { 'next_action.time': present } })

export interface CheckoutFilter {
  state?: OneOrMore | undefined
  attention?: OneOrMore | undefined
  out_trade_no?: OneOrMore | undefined
  reference?: OneOrMore | undefined
  create_time_from?: Time | undefined
  create_time_to?: Time | undefined
}

/** What became of an occurrence, and the checkout as it now is. `entry`: what stands in its timeline for it. */
export interface AppliedToCheckout {
  outcome: 'done' | 'done_before' | 'illegal'
  checkout: CheckoutRecord
  entry: CheckoutEntry | null
}

/** The checkouts. `apply` is the only way to a new state, and the only claim of a number. */
export class Checkouts {
  readonly #checkouts: Collection<CheckoutRecord>
  readonly #timelined: Timelined<CheckoutRecord, CheckoutOccurrence>
  readonly #orders: Pick<Orders, 'findAll'>
  readonly #references: Pick<References, 'findHolder'>

  constructor(connections: Connections, orders: Pick<Orders, 'findAll'>, references: Pick<References, 'findHolder'>) {
    this.#checkouts = new Collection<CheckoutRecord>(connections, 'checkouts', schema, checkoutFlaw)
    this.#timelined = new Timelined(this.#checkouts, applyCheckoutEvent)
    this.#orders = orders
    this.#references = references
  }

  /** Decides the race of two requests for one number: one inserts, the other is given what the first inserted. */
  async insert(checkout: CheckoutRecord): Promise<Insertion<CheckoutRecord>> {
    return this.#checkouts.insertOrFind(checkout)
  }

  async find(key: OrderKey): Promise<CheckoutRecord | null> {
    return this.#checkouts.findOne({ _id: orderId(key) })
  }

  /** By its `_id`, as its orders name it. */
  async findById(_id: string): Promise<CheckoutRecord | null> {
    return this.#checkouts.findOne({ _id })
  }

  /** The token is the secret of the checkout page: this read takes no mchid. */
  async findByToken(token: string): Promise<CheckoutRecord | null> {
    return this.#checkouts.findOne({ token })
  }

  /** Does `cause` to the checkout, once: see `Timelined.apply`, whose failures it throws. */
  async apply(
    { _id }: Pick<CheckoutRecord, '_id'>,
    cause: Cause<CheckoutRecord, CheckoutOccurrence>,
    known?: CheckoutRecord,
  ): Promise<AppliedToCheckout> {
    const { outcome, record, entry } = await this.#timelined.apply(_id, cause, known)
    return { outcome, checkout: record, entry }
  }

  /**
   * Writes what its orders and its reference say of a checkout: that it is paid, or that it ended unpaid; answers it as it
   * is then. The orders are read behind the checkout, and a claim changes its revision: so an end that an order was opened
   * beside is not written, and who lost looks again.
   */
  async settle(key: OrderKey, now: Time): Promise<CheckoutRecord | null> {
    for (let attempt = 1; ; attempt++) {
      const checkout = await this.find(key)
      if (checkout === null) return null
      const [holder, orders] = await Promise.all([
        this.#references.findHolder(checkout.mchid, checkout.reference),
        this.ordersOf(checkout),
      ])
      const end = checkoutEnd(checkout, { holder, orders }, milliseconds(now))
      if (end === null) return checkout
      const isSeen = (current: CheckoutRecord) => current.revision === checkout.revision
      const applied = await this.apply(checkout, (current) => (isSeen(current) ? end : null), checkout)
      if (applied.outcome !== 'illegal' || attempt >= settle_attempts) return applied.checkout
    }
  }

  /** Its own orders that are there, the oldest first. A number that it claimed may be an order of the merchant's own. */
  async ordersOf({ _id, mchid, orders }: Pick<CheckoutRecord, '_id' | 'mchid' | 'orders'>): Promise<OrderRecord[]> {
    const ids = orders.map(({ out_trade_no }) => orderId({ mchid, out_trade_no }))
    const found = ids.length === 0 ? [] : await this.#orders.findAll(ids)
    const own = found.filter(({ checkout_id }) => checkout_id === _id)
    return own.sort((one, other) => ids.indexOf(one._id) - ids.indexOf(other._id))
  }

  /** Newest first by create_time, then number. */
  async list(mchid: string, filter: CheckoutFilter, page: PageRequest): Promise<Page<CheckoutRecord>> {
    const conditions: Filter[] = [
      { mchid },
      matchAny('state', filter.state),
      attentionAmong(filter.attention),
      matchAny('out_trade_no', filter.out_trade_no),
      matchAny('reference', filter.reference),
      inRange('create_time', filter.create_time_from, filter.create_time_to),
    ]
    return this.#checkouts.page({ $and: conditions }, 'create_time', page, { list: { mchid, ...filter } })
  }

  /** Checkouts whose planned moment has passed, the longest overdue first: for the sweeper, over all merchants. */
  async findDue(before: Time, limit: number): Promise<CheckoutRecord[]> {
    const filter = { 'next_action.time': { ...present, $lt: before } }
    return this.#checkouts.find(filter, { limit, sort: { 'next_action.time': 1 } })
  }

  /** Moves the planned moment of one that was looked at, unless it was planned anew meanwhile. */
  async putOff({ _id, next_action }: CheckoutRecord, time: Time): Promise<boolean> {
    return next_action !== undefined && (await this.#timelined.putOff(_id, next_action.time, time))
  }

  /** A payer was refused, since it has had as many orders as one may have: said until it is over. True: it is new. */
  async noteExhausted({ _id }: Pick<CheckoutRecord, '_id'>, time: Time): Promise<boolean> {
    return this.#timelined.noteAttention(_id, 'open', { code: 'checkout_exhausted', since_time: time })
  }

  /** What was planned is done, for what it is up to `revision`: nothing more is. */
  async noteDone({ _id, revision }: Pick<CheckoutRecord, '_id' | 'revision'>, what: CheckoutStep): Promise<boolean> {
    return this.#checkouts.update({ _id, revision, 'next_action.what': what }, { $unset: { next_action: 1 } })
  }

  /** All of a merchant's checkouts by `_id`, from behind `after`: for proofs, which may take their time. */
  async inTurn(mchid: string, after: string | null, limit: number): Promise<CheckoutRecord[]> {
    return this.#checkouts.scan(afterId(mchid, after), { limit, sort: { _id: 1 } })
  }

  /** The checkouts of these ids; those unknown are left out. */
  async findAll(ids: readonly string[]): Promise<CheckoutRecord[]> {
    return this.#checkouts.scan({ _id: { $in: [...ids] } }, { limit: ids.length })
  }

  async ensureIndexes(): Promise<void> {
    await this.#checkouts.ensureIndexes()
  }
}

/** Each attempt that fails has met another write of the same checkout, of which it has a bounded number. */
const settle_attempts = 5
