import { paymentId } from '../domain/ids.ts'
import type { PaymentRecord } from '../domain/payment.ts'
import { Collection } from './collection.ts'
import type { Connections } from './connection.ts'
import { part, recordSchema } from './record.ts'

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
  amount: part({ total: Number, currency: String, payer_total: Number }),
  settled_total: Number,
  refunds: [part({ out_refund_no: String, amount: Number, state: String })],
  last_refund_time: Date,
})
schema.index({ mchid: 1, order_id: 1 })
schema.index({ mchid: 1, success_time: -1 })

const most_payments = 1_000

/** The money that WeChat took, one record per transaction, whatever its role. */
export class Payments {
  readonly #payments: Collection<PaymentRecord>

  constructor(connections: Connections) {
    this.#payments = new Collection(connections, 'payments', schema)
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

  /** All money that came for an order, oldest first: its own payment, second ones, contradicted ones. */
  async ofOrder(mchid: string, order_id: string): Promise<PaymentRecord[]> {
    return this.#payments.find({ mchid, order_id }, { limit: most_payments, sort: { success_time: 1, _id: 1 } })
  }

  async ensureIndexes(): Promise<void> {
    await this.#payments.ensureIndexes()
  }
}
