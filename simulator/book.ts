import type { Entry, Storage } from './storage.ts'

/** Times in the book are Unix milliseconds, amounts integer fen. */
export interface Merchant {
  mchid: string
  name: string
  appids: string[]
  /** the merchant's API certificate: 40 hex digits and the PEM of its public key; null before it applied for one */
  serial_no: string | null
  public_key: string | null
  certificate_state: 'valid' | 'expired' | 'revoked'
  /** serials of certificates this one took the place of */
  replaced_serials: string[]
  /** null before it was set in the console: nothing can be encrypted, so no notification is sent */
  apiv3_key: string | null
  key_mode: 'public_key' | 'certificate' | 'both'
  /** in mode `both`, the share of notifications signed with the public key rather than a certificate */
  public_key_share: number
  /** WeChat Pay's key for this merchant, the newest last; more than one only after a rotation */
  wechat_keys: WeChatKey[]
  /** after a rotation, the share of messages signed with the newest key */
  newest_share: number
}

export interface WeChatKey {
  /** `PUB_KEY_ID_` and digits */
  id: string
  public_key: string
  private_key: string
}

export interface PlatformCertificate {
  serial_no: string
  certificate: string
  private_key: string
  effective_time: number
  expire_time: number
  /** of the messages signed by certificate, the share that is signed with this one once it is the newest */
  share: number
  /** no longer listed nor used */
  retired: boolean
}

export type TradeState = 'NOTPAY' | 'SUCCESS' | 'REFUND' | 'CLOSED'

/** A payment that waits for a close call to race with. */
export interface ArmedPayment {
  story: 'pay_while_closing' | 'pay_after_close_sent'
  transaction_id: string
  openid: string
  nocash_amount: number
}

export interface Order {
  mchid: string
  out_trade_no: string
  appid: string
  description: string
  attach: string | null
  notify_url: string
  total: number
  currency: string
  device_id: string | null
  /** the parameters of the first call in one spelling: what a re-entry must equal */
  parameters: string
  create_time: number
  /** the last moment it can be paid, after WeChat Pay's cutting */
  time_expire: number
  code_url: string
  code_time: number
  /** codes that a re-entry replaced */
  dead_codes: string[]
  trade_state: TradeState
  transaction_id: string | null
  close_time: number | null
  armed: ArmedPayment | null
}

export interface Payment {
  transaction_id: string
  mchid: string
  out_trade_no: string
  openid: string
  total: number
  currency: string
  /** part of the total that a coupon of the merchant's own covered */
  nocash_amount: number
  bank_type: string
  success_time: number
}

/** How one delivery is signed: rightly, as a probe, or by a key that is not WeChat Pay's. */
export type SignedWith = 'real' | 'probe' | 'other'

export interface Attempt {
  time: number
  serial_no: string
  signed_with: SignedWith
  /** HTTP status, or null with `error` saying why none came */
  status: number | null
  error: string | null
  /** the answer's first 1,024 characters */
  answer: string | null
  duration_ms: number
}

export interface Notification {
  id: string
  mchid: string
  event_type: string
  out_trade_no: string | null
  transaction_id: string | null
  url: string
  /** the bytes of every delivery */
  body: string
  create_time: number
  /**
   * `lost`: never sent, as a fault or story asked; `undeliverable`: WeChat Pay sends nothing to such an address;
   * `given_up`: no acceptable answer to the last delivery of the table.
   */
  state: 'waiting' | 'delivered' | 'given_up' | 'lost' | 'undeliverable'
  next_time: number | null
  /** deliveries of the table already made; sending by hand does not count */
  tries: number
  max_tries: number
  attempts: Attempt[]
  /** how it departs from what WeChat Pay does */
  difference: {
    /** sent so many times at once, the latest signed first */
    copies?: number | undefined
    sign_with?: SignedWith | undefined
    serial_no?: string | undefined
    timestamp_offset_s?: number | undefined
    /** headers to replace, or to leave out with null */
    headers?: Record<string, string | null> | undefined
  }
}

const orderKey = (mchid: string, out_trade_no: string): string => `${mchid}/${out_trade_no}`

/**
 * All that this WeChat Pay knows. Reads are from memory; every change is kept by `keep…`, which also writes it down.
 * One process owns a book, and nothing is awaited between reading and keeping, so every rule is decided atomically.
 */
export class Book {
  readonly merchants = new Map<string, Merchant>()
  readonly certificates = new Map<string, PlatformCertificate>()
  readonly orders = new Map<string, Order>()
  readonly payments = new Map<string, Payment>()
  readonly notifications = new Map<string, Notification>()
  readonly #codes = new Map<string, string>()
  readonly #paymentsOf = new Map<string, Payment[]>()
  readonly #notificationsOf = new Map<string, Notification[]>()
  readonly #storage: Storage
  readonly #limits: { order_life_ms: number; max_orders: number }

  constructor(storage: Storage, entries: Entry[], limits: { order_life_ms: number; max_orders: number }) {
    this.#storage = storage
    this.#limits = limits
    for (const entry of entries) this.#remember(entry)
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

  keepNotification(notification: Notification): void {
    this.#keep({ kind: 'notification', key: notification.id, record: notification })
  }

  /** The order as it stands now: one that stayed unpaid for its whole life has been closed by WeChat Pay meanwhile. */
  findOrder(mchid: string, out_trade_no: string, now: number): Order | null {
    const order = this.orders.get(orderKey(mchid, out_trade_no))
    if (order === undefined) return null
    const end = order.create_time + this.#limits.order_life_ms
    if (order.trade_state !== 'NOTPAY' || now < end) return order
    const closed = { ...order, trade_state: 'CLOSED' as const, close_time: end, armed: null }
    this.keepOrder(closed)
    return closed
  }

  /** The order a code was made for, also when another code has taken its place. */
  findOrderByCode(code_url: string, now: number): Order | null {
    const order = this.orders.get(this.#codes.get(code_url) ?? '')
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

  notificationsOf(mchid: string, out_trade_no: string): Notification[] {
    return this.#notificationsOf.get(orderKey(mchid, out_trade_no)) ?? []
  }

  close(): void {
    this.#storage.close()
  }

  #keep(entry: Entry): void {
    this.#remember(entry)
    this.#storage.append(entry)
  }

  #remember({ kind, key, record }: Entry): void {
    if (kind === 'merchant') this.merchants.set(key, record as Merchant)
    if (kind === 'certificate') this.certificates.set(key, record as PlatformCertificate)
    if (kind === 'order') {
      const order = record as Order
      this.orders.set(key, order)
      for (const code of [...order.dead_codes, order.code_url]) this.#codes.set(code, key)
    }
    if (kind === 'payment') {
      const payment = record as Payment
      this.payments.set(key, payment)
      replaceIn(this.#paymentsOf, payment, 'transaction_id')
    }
    if (kind === 'notification') {
      const notification = record as Notification
      this.notifications.set(key, notification)
      replaceIn(this.#notificationsOf, notification, 'id')
    }
  }

  #forgetOldest(): void {
    for (const [key, order] of this.orders) {
      const gone = [
        { kind: 'order', key },
        ...(this.#paymentsOf.get(key) ?? []).map((payment) => ({ kind: 'payment', key: payment.transaction_id })),
        ...(this.#notificationsOf.get(key) ?? []).map(({ id }) => ({ kind: 'notification', key: id })),
      ]
      for (const entry of gone) this.#storage.append({ ...entry, record: null })
      for (const payment of this.#paymentsOf.get(key) ?? []) this.payments.delete(payment.transaction_id)
      for (const { id } of this.#notificationsOf.get(key) ?? []) this.notifications.delete(id)
      for (const code of [...order.dead_codes, order.code_url]) this.#codes.delete(code)
      this.#paymentsOf.delete(key)
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
