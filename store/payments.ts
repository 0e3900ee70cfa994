import { beijingTime } from '../domain/calendar.ts'
import type { Time } from '../domain/calendar.ts'
import { orderId, paymentId } from '../domain/ids.ts'
import {
  acceptableAmount,
  currentIncome,
  hasElementEdge,
  hasRoomFor,
  isHoldingMoney,
  movedElement,
  paymentFlaw,
  refundableAmount,
  reservationOf,
  withElement,
} from '../domain/payment/record.ts'
import type {
  PaymentDenial,
  PaymentRecord,
  RefundElement,
  ReservationRefusal,
  WantedRefund,
} from '../domain/payment/record.ts'
import type { RefundRecord } from '../domain/refund/record.ts'
import { afterId, Collection, inRange } from './collection.ts'
import type { Contention, TimeRange } from './collection.ts'
import type { Connections } from './connection.ts'
import { partSchema, recordSchema } from './record.ts'

const schema = recordSchema({
  _id: String,
  mchid: String,
  transaction_id: String,
  out_trade_no: String,
  order_id: String,
  role: String,
  revision: Number,
  evidence_id: String,
  appid: String,
  trade_type: String,
  bank_type: String,
  success_time: Date,
  amount: partSchema({ total: Number, currency: String, payer_total: Number }),
  settled_total: Number,
  refunds: [
    partSchema({
      out_refund_no: String,
      amount: Number,
      state: String,
      incomes: partSchema({ accepted: String, closed: String, settled: String }),
      approval: String,
    }),
  ],
  last_refund_time: Date,
  acceptance: partSchema({ time: Date, amount: Number }),
  denial: partSchema({ time: Date, by: String, reason: String, evidence_id: String }),
})
schema.index({ mchid: 1, order_id: 1 })
schema.index({ mchid: 1, success_time: -1 })

const most_payments = 1_000
const billed_fields = [
  ...(['transaction_id', 'out_trade_no', 'appid', 'role', 'success_time', 'amount', 'settled_total'] as const),
] as const

/** What a bill is compared with. */
export type BilledPayment = Pick<PaymentRecord, '_id' | (typeof billed_fields)[number]>

const reported_fields = ['transaction_id', 'out_trade_no', 'success_time', 'amount', 'evidence_id'] as const

/** What a report counts of a payment. */
export type ReportedPayment = Pick<PaymentRecord, '_id' | (typeof reported_fields)[number]>

/** More attempts than the 50 refunds that WeChat takes of one payment: each write lets one contender through. */
const contention: Contention = {
  attempts: 60,
  pauseBefore: (attempt) => Math.random() * 5 * Math.min(attempt - 1, 10),
}

/** As much of a refund as its payment's count needs. */
type CountedRefund = Pick<RefundRecord, 'mchid' | 'transaction_id' | 'out_refund_no'> & { amount: { refund: number } }

/** The same reservation repeated; WeChat may have it by now. */
function isSameReservation({ state, amount }: RefundElement, wanted: number | 'rest'): boolean {
  if (state === 'released') return false
  return state !== 'reserved' || wanted === 'rest' || wanted === amount
}

/** The money that WeChat took, one record per transaction, whatever its role. */
export class Payments {
  readonly #payments: Collection<PaymentRecord>

  constructor(connections: Connections) {
    this.#payments = new Collection(connections, 'payments', schema, paymentFlaw)
  }

  /** Decides which role a transaction has: the first to insert it does; all later ones are given that. */
  async insert(payment: PaymentRecord): Promise<{ inserted: true } | { inserted: false; existing: PaymentRecord }> {
    return this.#payments.insertOrFind(payment)
  }

  async find(mchid: string, transaction_id: string): Promise<PaymentRecord | null> {
    return this.#payments.findOne({ _id: paymentId(mchid, transaction_id) })
  }

  /** Payments by their full `_id`; those unknown are left out. */
  async findAll(ids: readonly string[]): Promise<PaymentRecord[]> {
    return this.#payments.find({ _id: { $in: [...ids] } }, { limit: most_payments })
  }

  /** Which of these are payments' `_id`s. */
  async existingIds(ids: readonly string[]): Promise<string[]> {
    const found = await this.#payments.scan({ _id: { $in: [...ids] } }, { limit: ids.length, fields: ['_id'] })
    return found.map(({ _id }) => _id)
  }

  /** All money that came for an order, oldest first: its own payment, second ones, contradicted ones. */
  async ofOrder(mchid: string, order_id: string): Promise<PaymentRecord[]> {
    return this.#payments.find({ mchid, order_id }, { limit: most_payments, sort: { success_time: 1, _id: 1 } })
  }

  /** Money that no order owns and that has not gone back, oldest first: somebody has to find whose it is. */
  async findOwnerless(mchid: string): Promise<PaymentRecord[]> {
    const found = await this.#payments.scan(
      { mchid, order_id: null },
      { limit: most_payments, sort: { success_time: 1, _id: 1 } },
    )
    return found.filter((payment) => refundableAmount(payment) > 0)
  }

  /**
   * Decides the race of refunds for one payment: by one conditional write at a time, so that their sum never exceeds
   * what was paid, and that what one person's word sends never exceeds the merchant's limit without a second one. The
   * same number again is answered with what it reserved. `rest` takes what is left.
   */
  async reserveRefund(
    { mchid, transaction_id }: { mchid: string; transaction_id: string },
    wanted: WantedRefund,
    now_ms: number,
  ): Promise<
    { payment: PaymentRecord; element: RefundElement } | { payment: PaymentRecord; refusal: ReservationRefusal }
  > {
    return this.#payments.contend(paymentId(mchid, transaction_id), contention, async (payment) => {
      const before = payment.refunds.find(({ out_refund_no }) => out_refund_no === wanted.out_refund_no)
      if (before !== undefined && isSameReservation(before, wanted.amount)) return { payment, element: before }
      // Given up here and never sent, so it may be asked for anew, with another amount: what it held then is over.
      const others = payment.refunds.filter((element) => element !== before)
      const reservation = reservationOf({ ...payment, refunds: others }, wanted, now_ms)
      if ('refusal' in reservation) return { payment, refusal: reservation.refusal }
      const { element } = reservation
      const written = await this.#replace(payment, withElement(payment.refunds, element))
      return written && { payment: written, element }
    })
  }

  /**
   * A reserved refund goes only with a second person's word, whatever its payment's own limit says. The reservation as it
   * stands then; null: WeChat has it, or it was given up.
   */
  async requireApproval(
    { mchid, transaction_id }: { mchid: string; transaction_id: string },
    out_refund_no: string,
  ): Promise<RefundElement | null> {
    const answer = await this.#payments.contend(paymentId(mchid, transaction_id), contention, async (payment) => {
      const element = payment.refunds.find((one) => one.out_refund_no === out_refund_no)
      if (element?.state !== 'reserved') return { element: null }
      if (element.approval !== undefined) return { element }
      const needing: RefundElement = { ...element, approval: 'needed' }
      const written = await this.#replace(payment, withElement(payment.refunds, needing))
      return written && { element: needing }
    })
    return answer.element
  }

  /** Takes a refund in that was made outside Weft. WeChat has taken it: no limit of ours can refuse what is so. */
  async adoptRefund(
    { mchid, transaction_id }: { mchid: string; transaction_id: string },
    element: Pick<RefundElement, 'out_refund_no' | 'amount'>,
  ): Promise<PaymentRecord> {
    return this.#payments.contend(paymentId(mchid, transaction_id), contention, async (payment) => {
      const is_there = payment.refunds.some(({ out_refund_no }) => out_refund_no === element.out_refund_no)
      if (is_there) return payment
      const taken = movedElement(payment, { ...element, state: 'reserved' }, 'accepted')
      return await this.#replace(payment, withElement(payment.refunds, taken))
    })
  }

  /**
   * What became of a refund. Only forwards: what the element has reached already stays, and a report that comes late
   * changes nothing. `settled` needs room, since a closed or released refund holds none: null says there is none.
   */
  async moveRefund(
    { mchid, transaction_id, out_refund_no, amount, timeline }: CountedRefund & Pick<RefundRecord, 'timeline'>,
    state: RefundElement['state'],
  ): Promise<PaymentRecord | null> {
    // Who read the refund before it succeeded, and was held up since, does not know that this is over.
    const knows_success = timeline.some(({ event }) => event === 'succeeded')
    const answer = await this.#payments.contend(paymentId(mchid, transaction_id), contention, async (payment) => {
      const known = payment.refunds.find((one) => one.out_refund_no === out_refund_no)
      if (known === undefined && state !== 'settled') return { payment }
      // Never reserved, and yet paid by hand: WeChat's limits forbade it.
      const element = known ?? { out_refund_no, amount: amount.refund, state: 'released' as const }
      if (!hasElementEdge(element.state, state)) return { payment }
      if (element.state === 'succeeded' && !knows_success) return { payment }
      if (state === 'settled' && !hasRoomFor(payment, out_refund_no, element.amount)) return { payment: null }
      const moved = movedElement(payment, element, state)
      const written = await this.#replace(payment, withElement(payment.refunds, moved))
      return written && { payment: written }
    })
    return answer.payment
  }

  /**
   * Decides the race of a person who accepts money in suspense with the refunds that take it from there: what is left
   * becomes a sale, once. Money that never lay in suspense stays as it is.
   */
  async acceptSuspense(
    { mchid, transaction_id }: { mchid: string; transaction_id: string },
    time: Time,
  ): Promise<PaymentRecord> {
    return this.#payments.contend(paymentId(mchid, transaction_id), contention, async (payment) => {
      if (currentIncome(payment) === 'sales') return payment
      const acceptance = { time, amount: acceptableAmount(payment) }
      return await this.#payments.updateAndReturn(
        { _id: payment._id, revision: payment.revision },
        { $set: { acceptance }, $inc: { revision: 1 } },
      )
    })
  }

  /**
   * What the merchant gets of a payment is corrected, as a person accepted it. Null: some of it was paid back by hand,
   * which was booked by the old sum.
   */
  async correctSettledTotal(
    { mchid, transaction_id }: { mchid: string; transaction_id: string },
    settled_total: number,
  ): Promise<PaymentRecord | null> {
    const answer = await this.#payments.contend(paymentId(mchid, transaction_id), contention, async (payment) => {
      if (payment.settled_total === settled_total) return { payment }
      if (payment.refunds.some(({ state }) => state === 'settled')) return { payment: null }
      const written = await this.#payments.updateAndReturn(
        { _id: payment._id, revision: payment.revision },
        { $set: { settled_total }, $inc: { revision: 1 } },
      )
      return written && { payment: written }
    })
    return answer.payment
  }

  /**
   * A person has accepted that a payment was never made, once however often it is said. Null: a refund holds some of it,
   * so WeChat has had it, or may be asked for it.
   */
  async deny(
    { mchid, transaction_id }: { mchid: string; transaction_id: string },
    denial: PaymentDenial,
  ): Promise<PaymentRecord | null> {
    const answer = await this.#payments.contend(paymentId(mchid, transaction_id), contention, async (payment) => {
      if (payment.denial !== undefined) return { payment }
      if (payment.refunds.some(({ state }) => isHoldingMoney(state))) return { payment: null }
      const written = await this.#payments.updateAndReturn(
        { _id: payment._id, revision: payment.revision },
        { $set: { denial }, $inc: { revision: 1 } },
      )
      return written && { payment: written }
    })
    return answer.payment
  }

  /** A payment that was denied was made after all. One that was not stays as it is. */
  async restore({ mchid, transaction_id }: { mchid: string; transaction_id: string }): Promise<PaymentRecord> {
    return this.#payments.contend(paymentId(mchid, transaction_id), contention, async (payment) => {
      if (payment.denial === undefined) return payment
      return await this.#payments.updateAndReturn(
        { _id: payment._id, revision: payment.revision },
        { $unset: { denial: 1 }, $inc: { revision: 1 } },
      )
    })
  }

  /**
   * Claims the minute that WeChat wants between two refunds of one payment. False: another refund has it, until
   * `spacing_ms` after its own claim.
   */
  async claimRefundMinute(
    { mchid, transaction_id }: { mchid: string; transaction_id: string },
    now_ms: number,
    spacing_ms: number,
  ): Promise<boolean> {
    const free = [
      { last_refund_time: null },
      { last_refund_time: { $lte: beijingTime(now_ms - spacing_ms) } },
      // No claim lasts longer than its spacing: one of a clock that ran ahead would hold the payment's refunds up.
      { last_refund_time: { $gt: beijingTime(now_ms + spacing_ms) } },
    ]
    return this.#payments.update(
      { _id: paymentId(mchid, transaction_id), $or: free },
      { $set: { last_refund_time: beijingTime(now_ms) } },
    )
  }

  /** An orphan's order came after it: the payment is its from now on. Nothing happens where one is named already. */
  async assignToOrder(
    { mchid, transaction_id }: { mchid: string; transaction_id: string },
    order_id: string,
  ): Promise<void> {
    await this.#payments.update({ _id: paymentId(mchid, transaction_id), order_id: null }, { $set: { order_id } })
  }

  /** Null: another write came before. */
  async #replace(payment: PaymentRecord, refunds: RefundElement[]): Promise<PaymentRecord | null> {
    return this.#payments.updateAndReturn(
      { _id: payment._id, revision: payment.revision },
      { $set: { refunds }, $inc: { revision: 1 } },
    )
  }

  /** All of a merchant's payments by `_id`, from behind `after`: for proofs, which may take their time. */
  async inTurn(mchid: string, after: string | null, limit: number): Promise<PaymentRecord[]> {
    return this.#payments.scan(afterId(mchid, after), { limit, sort: { _id: 1 } })
  }

  /** Money taken in a time, in no order, at most `limit`: as much of each as a bill is compared with. */
  async takenIn(mchid: string, { from_time, to_time }: TimeRange, limit: number): Promise<BilledPayment[]> {
    const range = { mchid, ...inRange('success_time', from_time, to_time) }
    return this.#payments.scan(range, { limit, fields: billed_fields })
  }

  /** Money taken in a time, in no order, at most `limit`: as much of each as a report counts. */
  async reportedIn(mchid: string, { from_time, to_time }: TimeRange, limit: number): Promise<ReportedPayment[]> {
    const range = { mchid, ...inRange('success_time', from_time, to_time) }
    return this.#payments.scan(range, { limit, fields: reported_fields })
  }

  /** All money under these numbers, whether an order owns it or nobody does. */
  async ofNumbers(mchid: string, numbers: readonly string[], limit: number): Promise<PaymentRecord[]> {
    const order_ids = numbers.map((out_trade_no) => orderId({ mchid, out_trade_no }))
    const [owned, unowned] = await Promise.all([
      this.#payments.scan({ mchid, order_id: { $in: order_ids } }, { limit }),
      this.#payments.scan({ mchid, order_id: null, out_trade_no: { $in: [...numbers] } }, { limit }),
    ])
    return [...owned, ...unowned]
  }

  async ensureIndexes(): Promise<void> {
    await this.#payments.ensureIndexes()
  }
}
