import { upgradeEntry } from './records.ts'
import type { IssuedBill, Merchant, Order, OutgoingNotification, Payment, PlatformCertificate } from './records.ts'
import type { Refund } from './refund.ts'
import type { StateEntry, StateStorage } from './storage.ts'
import type { Transfer } from './transfer.ts'

const orderKey = (mchid: string, out_trade_no: string): string => `${mchid}/${out_trade_no}`
const refundKey = (mchid: string, out_refund_no: string): string => `${mchid}/${out_refund_no}`

/**
 * SimulatorState holds all that this WeChat Pay knows. Reads are from memory; every change is kept by `keep…`, which
 * also writes it to the storage. One process owns a state, and orders, payments and refunds are read and kept without
 * an await in between, so their rules are decided atomically. A notification is kept after its delivery: Notifier lets
 * no two deliveries of one overlap, and keeps none that was forgotten meanwhile.
 */
export class SimulatorState {
  readonly merchants = new Map<string, Merchant>()
  readonly certificates = new Map<string, PlatformCertificate>()
  readonly orders = new Map<string, Order>()
  readonly payments = new Map<string, Payment>()
  /** by refund_id */
  readonly refunds = new Map<string, Refund>()
  readonly notifications = new Map<string, OutgoingNotification>()
  readonly transfers = new Map<string, Transfer>()
  /** the newest issue of each day, by merchant and day */
  readonly bills = new Map<string, IssuedBill>()
  readonly #codes = new Map<string, string>()
  readonly #paymentsOf = new Map<string, Payment[]>()
  readonly #refundNumbers = new Map<string, string>()
  readonly #refundsOf = new Map<string, Refund[]>()
  readonly #notificationsOf = new Map<string, OutgoingNotification[]>()
  readonly #storage: StateStorage
  readonly #limits: { order_life_ms: number; max_orders: number }

  constructor(storage: StateStorage, entries: StateEntry[], limits: { order_life_ms: number; max_orders: number }) {
    this.#storage = storage
    this.#limits = limits
    for (const entry of entries) this.#index(upgradeEntry(entry))
  }

  keepMerchant(merchant: Merchant): void {
    this.#keep({ kind: 'merchant', key: merchant.mchid, record: merchant })
  }

  keepCertificate(certificate: PlatformCertificate): void {
    this.#keep({ kind: 'certificate', key: certificate.serial_no, record: certificate })
  }

  keepOrder(order: Order): void {
    this.#keep({ kind: 'order', key: orderKey(order.mchid, order.out_trade_no), record: order })
    if (this.orders.size > this.#limits.max_orders) this.#forgetOldest()
  }

  keepPayment(payment: Payment): void {
    this.#keep({ kind: 'payment', key: payment.transaction_id, record: payment })
  }

  keepRefund(refund: Refund): void {
    this.#keep({ kind: 'refund', key: refund.refund_id, record: refund })
  }

  keepTransfer(transfer: Transfer): Transfer {
    this.#keep({ kind: 'transfer', key: transfer.transfer_id, record: transfer })
    return transfer
  }

  keepBill(bill: IssuedBill): void {
    this.#keep({ kind: 'bill', key: `${bill.mchid}/${bill.bill_date}`, record: bill })
  }

  /** The newest issue of a day's bills; null before the first. */
  findBill(mchid: string, bill_date: string): IssuedBill | null {
    return this.bills.get(`${mchid}/${bill_date}`) ?? null
  }

  /** Adds `by` fen (less than zero takes) to what the merchant can refund from; one that never runs short stays so. */
  changeBalance(mchid: string, by: number): void {
    const merchant = this.merchants.get(mchid)
    if (merchant === undefined || merchant.balance === null || by === 0) return
    this.keepMerchant({ ...merchant, balance: merchant.balance + by })
  }

  keepNotification(notification: OutgoingNotification): void {
    this.#keep({ kind: 'notification', key: notification.id, record: notification })
  }

  /**
   * Returns the order as it stands now. One that stayed unpaid for its whole life is closed here, as WeChat Pay does.
   */
  findOrder(mchid: string, out_trade_no: string, now: number): Order | null {
    const order = this.orders.get(orderKey(mchid, out_trade_no))
    if (order === undefined) return null
    const end = order.create_time + this.#limits.order_life_ms
    if (order.trade_state !== 'NOTPAY' || now < end) return order
    const closed = { ...order, trade_state: 'CLOSED' as const, close_time: end, armed: null }
    this.keepOrder(closed)
    return closed
  }

  /** The order that a code_url, prepay_id or h5_url was made for, also when another has taken its place. */
  findOrderByCode(code: string, now: number): Order | null {
    const order = this.orders.get(this.#codes.get(code) ?? '')
    return order === undefined ? null : this.findOrder(order.mchid, order.out_trade_no, now)
  }

  ordersOf(mchid: string, now: number): Order[] {
    return [...this.orders.values()]
      .filter((order) => order.mchid === mchid)
      .flatMap((order) => this.findOrder(mchid, order.out_trade_no, now) ?? [])
  }

  paymentsOf(mchid: string, out_trade_no: string): Payment[] {
    return this.#paymentsOf.get(orderKey(mchid, out_trade_no)) ?? []
  }

  findRefund(mchid: string, out_refund_no: string): Refund | null {
    return this.refunds.get(this.#refundNumbers.get(refundKey(mchid, out_refund_no)) ?? '') ?? null
  }

  /** All refunds of an order, the oldest first, whichever of its payments they are of. */
  refundsOf(mchid: string, out_trade_no: string): Refund[] {
    return this.#refundsOf.get(orderKey(mchid, out_trade_no)) ?? []
  }

  refundsOfPayment({ mchid, out_trade_no, transaction_id }: Payment): Refund[] {
    return this.refundsOf(mchid, out_trade_no).filter((refund) => refund.transaction_id === transaction_id)
  }

  notificationsOf(mchid: string, out_trade_no: string): OutgoingNotification[] {
    return this.#notificationsOf.get(orderKey(mchid, out_trade_no)) ?? []
  }

  close(): void {
    this.#storage.close()
  }

  #keep(entry: StateEntry): void {
    this.#index(entry)
    this.#storage.append(entry)
  }

  #index({ kind, key, record }: StateEntry): void {
    if (kind === 'merchant') this.merchants.set(key, record as Merchant)
    if (kind === 'certificate') this.certificates.set(key, record as PlatformCertificate)
    if (kind === 'transfer') this.transfers.set(key, record as Transfer)
    if (kind === 'bill') this.bills.set(key, record as IssuedBill)
    if (kind === 'order') {
      const order = record as Order
      this.orders.set(key, order)
      for (const { code } of order.codes) this.#codes.set(code, key)
    }
    if (kind === 'payment') {
      const payment = record as Payment
      this.payments.set(key, payment)
      replaceIn(this.#paymentsOf, payment, 'transaction_id')
    }
    if (kind === 'refund') {
      const refund = record as Refund
      this.refunds.set(key, refund)
      this.#refundNumbers.set(refundKey(refund.mchid, refund.out_refund_no), key)
      replaceIn(this.#refundsOf, refund, 'refund_id')
    }
    if (kind === 'notification') {
      const notification = record as OutgoingNotification
      this.notifications.set(key, notification)
      replaceIn(this.#notificationsOf, notification, 'id')
    }
  }

  #forgetOldest(): void {
    for (const [key, order] of this.orders) {
      const gone = [
        { kind: 'order', key },
        ...(this.#paymentsOf.get(key) ?? []).map((payment) => ({ kind: 'payment', key: payment.transaction_id })),
        ...(this.#refundsOf.get(key) ?? []).map(({ refund_id }) => ({ kind: 'refund', key: refund_id })),
        ...(this.#notificationsOf.get(key) ?? []).map(({ id }) => ({ kind: 'notification', key: id })),
      ]
      for (const entry of gone) this.#storage.append({ ...entry, record: null })
      for (const payment of this.#paymentsOf.get(key) ?? []) this.payments.delete(payment.transaction_id)
      for (const { mchid, out_refund_no, refund_id } of this.#refundsOf.get(key) ?? []) {
        this.refunds.delete(refund_id)
        this.#refundNumbers.delete(refundKey(mchid, out_refund_no))
      }
      for (const { id } of this.#notificationsOf.get(key) ?? []) this.notifications.delete(id)
      for (const { code } of order.codes) this.#codes.delete(code)
      this.#paymentsOf.delete(key)
      this.#refundsOf.delete(key)
      this.#notificationsOf.delete(key)
      this.orders.delete(key)
      return
    }
  }
}

function replaceIn<T extends { mchid: string; out_trade_no: string | null }>(
  index: Map<string, T[]>,
  record: T,
  id: keyof T,
): void {
  if (record.out_trade_no === null) return
  const key = orderKey(record.mchid, record.out_trade_no)
  const records = index.get(key) ?? []
  const place = records.findIndex((other) => other[id] === record[id])
  index.set(key, place < 0 ? [...records, record] : records.with(place, record))
}
