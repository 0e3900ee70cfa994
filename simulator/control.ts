import { createPublicKey } from 'node:crypto'
import { z } from 'zod'
import type { Book } from './book.ts'
import type { Calls } from './calls.ts'
import type { Clearing } from './clearing.ts'
import type { Console, FinishRefundRequest, NotifyRefundRequest, OutsideRefundRequest } from './console.ts'
import { finishRefundRequest, notifyRefundRequest, outsideRefundRequest } from './console.ts'
import type { Fault, FaultRequest, Faults } from './faults.ts'
import { faultRequest } from './faults.ts'
import type { Keys } from './keys.ts'
import type { Notifier } from './notifier.ts'
import type { PayAnswer, Payer, PayRequest } from './payer.ts'
import { payRequest } from './payer.ts'
import type { Merchant } from './records.ts'
import { ControlError } from './refusal.ts'
import type { BookView, NotificationView, RefundView } from './view.ts'
import { notificationView, orderView, paymentView, refundView } from './view.ts'

export type { BookView, FaultRequest, NotificationView, PayAnswer, PayRequest, RefundView }
export type { FinishRefundRequest, NotifyRefundRequest, OutsideRefundRequest }

/** `POST /control/merchants`. The same number again updates what is given and keeps the rest. */
export const merchantRequest = z.strictObject({
  mchid: z.string().regex(/^\d{8,32}$/),
  name: z.string().min(1).max(64).optional(),
  appids: z.array(z.string().min(1).max(32)).min(1).max(100).optional(),
  /** 40 upper-case hex digits of the merchant's API certificate; null: it never applied for one */
  serial_no: z.string().min(1).max(64).nullable().optional(),
  /** PEM of the merchant's public key, or of its certificate */
  public_key: z.string().refine(isPublicKey, 'not a PEM public key or certificate').nullable().optional(),
  certificate_state: z.enum(['valid', 'expired', 'revoked']).optional(),
  /** 32 characters; null: never set in the console */
  apiv3_key: z.string().length(32).nullable().optional(),
  key_mode: z.enum(['public_key', 'certificate', 'both']).optional(),
  /** in mode `both`, the share of notifications signed with the public key */
  public_key_share: z.number().min(0).max(1).optional(),
  /** fen to refund from: payments settle into it, refunds take from it; null never runs short */
  balance: z.int().nonnegative().nullable().optional(),
  /** `held`: refunds end only when told */
  refund_completion: z.enum(['automatic', 'held']).optional(),
  /** where refunds made in the console are notified to; null: nowhere */
  refund_notify_url: z.string().nullable().optional(),
})

export type MerchantRequest = z.input<typeof merchantRequest>

/** What a merchant's console would show of WeChat Pay's keys. */
export interface MerchantAnswer {
  mchid: string
  name: string
  key_mode: Merchant['key_mode']
  balance: number | null
  wechatpay_public_key_id: string
  wechatpay_public_key: string
  /** listed platform certificates, the newest last; empty in mode `public_key` */
  certificates: { serial_no: string; certificate: string }[]
}

/** `POST /control/notifications`: any notification, signed as asked, delivered once unless `retry`. */
export const notificationRequest = z
  .strictObject({
    mchid: z.string(),
    event_type: z.string().min(1).max(32).default('TRANSACTION.SUCCESS'),
    /** the resource; an object is written as JSON */
    plaintext: z.union([z.string(), z.record(z.string(), z.unknown())]).optional(),
    /** the bytes to send in place of an envelope */
    body: z.string().max(4_194_304).optional(),
    sign_with: z.enum(['real', 'probe', 'other']).optional(),
    serial_no: z.string().optional(),
    timestamp_offset_s: z.number().int().optional(),
    /** the APIv3 key to encrypt with in place of the merchant's */
    encrypt_with: z.string().length(32).optional(),
    id: z.string().min(1).max(36).optional(),
    url: z.string().optional(),
    /** headers to replace, or to leave out with null */
    headers: z.record(z.string(), z.string().nullable()).optional(),
    retry: z.boolean().default(false),
  })
  .refine(({ plaintext, body }) => (plaintext === undefined) !== (body === undefined), {
    message: 'give plaintext or body',
  })

export type NotificationRequest = z.input<typeof notificationRequest>

/** `POST /control/keys/rotate`: a new platform certificate, or a new public key of one merchant. */
export const rotateRequest = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('certificate'),
    /** of what certificates sign, the share the new one signs; the rest stays with the one before */
    share: z.number().min(0).max(1).default(1),
    /** takes all others off the list */
    retire_others: z.boolean().default(false),
  }),
  z.strictObject({
    kind: z.literal('public_key'),
    mchid: z.string(),
    share: z.number().min(0).max(1).default(1),
    retire_others: z.boolean().default(false),
  }),
])

export type RotateRequest = z.input<typeof rotateRequest>

interface Tools {
  book: Book
  keys: Keys
  faults: Faults
  notifier: Notifier
  payer: Payer
  clearing: Clearing
  console: Console
  calls: Calls
  now: () => number
}

/** The control side: what tests and the demo do to this WeChat Pay. Throws ControlError; shapes are checked here. */
export class Control {
  readonly #tools: Tools

  constructor(tools: Tools) {
    this.#tools = tools
  }

  async register(request: MerchantRequest): Promise<MerchantAnswer> {
    const { book, keys, clearing } = this.#tools
    const given = checked(merchantRequest, request)
    const made = book.merchants.has(given.mchid) ? [] : [await keys.makeWeChatKey(given.mchid)]
    const before = book.merchants.get(given.mchid) // looked up after the wait: two may register the same number at once
    const wechat_keys = before?.wechat_keys ?? made
    const serial_no = given.serial_no === undefined ? (before?.serial_no ?? null) : given.serial_no
    const replaced = before?.serial_no && before.serial_no !== serial_no ? [before.serial_no] : []
    const merchant: Merchant = {
      mchid: given.mchid,
      name: given.name ?? before?.name ?? `商户 ${given.mchid}`,
      appids: given.appids ?? before?.appids ?? [],
      serial_no,
      public_key: given.public_key === undefined ? (before?.public_key ?? null) : given.public_key,
      certificate_state: given.certificate_state ?? before?.certificate_state ?? 'valid',
      replaced_serials: [...(before?.replaced_serials ?? []), ...replaced].filter((old) => old !== serial_no),
      apiv3_key: given.apiv3_key === undefined ? (before?.apiv3_key ?? null) : given.apiv3_key,
      key_mode: given.key_mode ?? before?.key_mode ?? 'public_key',
      public_key_share: given.public_key_share ?? before?.public_key_share ?? 0.5,
      wechat_keys,
      newest_share: before?.newest_share ?? 1,
      balance: given.balance === undefined ? (before?.balance ?? null) : given.balance,
      refund_completion: before?.refund_completion ?? 'automatic',
      refund_notify_url:
        given.refund_notify_url === undefined ? (before?.refund_notify_url ?? null) : given.refund_notify_url,
    }
    book.keepMerchant(merchant)
    if (given.refund_completion !== undefined) clearing.setCompletion(merchant, given.refund_completion)
    return this.#keysOf(merchant)
  }

  pay(request: PayRequest): PayAnswer {
    return this.#tools.payer.pay(checked(payRequest, request))
  }

  /** Ends a refund, or sends an abnormal one on to SUCCESS. */
  finishRefund(request: FinishRefundRequest): RefundView {
    return refundView(this.#tools.console.finishRefund(checked(finishRefundRequest, request)))
  }

  /** A refund made in the merchant console, under a number of the console's. */
  refundOutside(request: OutsideRefundRequest): RefundView {
    const given = checked(outsideRefundRequest, request)
    return refundView(this.#tools.console.refundOutside(this.#merchant(given.mchid), given))
  }

  /** What the merchant can refund from, fen; null never runs short. */
  setBalance(request: { mchid: string; balance: number | null }): void {
    const balance = checked(merchantRequest.shape.balance.unwrap(), request.balance)
    this.#tools.book.keepMerchant({ ...this.#merchant(request.mchid), balance })
  }

  /** From now on refunds of this merchant stay PROCESSING until they are finished by hand, those under way too. */
  holdRefunds({ mchid }: { mchid: string }): void {
    this.#tools.clearing.setCompletion(this.#merchant(mchid), 'held')
  }

  /** Refunds of this merchant end by themselves again; those held begin their time anew. */
  releaseRefunds({ mchid }: { mchid: string }): void {
    this.#tools.clearing.setCompletion(this.#merchant(mchid), 'automatic')
  }

  /** Sends one more notification of a refund, of any status, and answers when the receiver has. */
  async notifyRefund(request: NotifyRefundRequest): Promise<NotificationView> {
    return this.#notification(await this.#tools.console.notifyRefund(checked(notifyRefundRequest, request)))
  }

  addFault(request: FaultRequest): Fault {
    return this.#tools.faults.add(checked(faultRequest, request))
  }

  listFaults(): Fault[] {
    return this.#tools.faults.list()
  }

  removeFaults(fault_id: string | null): { removed: number } {
    return { removed: this.#tools.faults.remove(fault_id) }
  }

  /** Sends once and answers when the receiver has. */
  async notify(request: NotificationRequest): Promise<NotificationView> {
    const { book, notifier, now } = this.#tools
    const given = checked(notificationRequest, request)
    const merchant = this.#merchant(given.mchid)
    const resource = typeof given.plaintext === 'string' ? textResource(given.plaintext) : (given.plaintext ?? {})
    const named = (field: string): string | null => (typeof resource[field] === 'string' ? resource[field] : null)
    const out_trade_no = named('out_trade_no')
    const order = out_trade_no === null ? null : book.findOrder(merchant.mchid, out_trade_no, now())
    const out_refund_no = named('out_refund_no')
    const refund = out_refund_no === null ? null : book.findRefund(merchant.mchid, out_refund_no)
    const url = given.url ?? refund?.notify_url ?? order?.notify_url
    if (url === undefined) throw new ControlError(400, 'URL_MISSING', 'no order tells where to send it: give a url')
    if (given.id !== undefined && book.notifications.has(given.id)) {
      throw new ControlError(409, 'ID_USED', 'this id was sent already: send it again by /resend')
    }
    const plaintext = typeof given.plaintext === 'string' ? given.plaintext : JSON.stringify(resource)
    const news = {
      merchant,
      event_type: given.event_type,
      plaintext,
      out_trade_no,
      transaction_id: named('transaction_id'),
      out_refund_no,
      url,
    }
    const { sign_with, serial_no, timestamp_offset_s, headers } = given
    const { id } = notifier.send(news, {
      id: given.id,
      body: given.body,
      encrypt_with: given.encrypt_with,
      once: !given.retry,
      difference: { sign_with, serial_no, timestamp_offset_s, headers },
    })
    await notifier.sendNow(id)
    return this.#notification(id)
  }

  /** One more delivery, whatever became of the others; answers when the receiver has. */
  async resend(id: string): Promise<NotificationView> {
    this.#notification(id)
    await this.#tools.notifier.resend(id)
    return this.#notification(id)
  }

  async rotate(request: RotateRequest): Promise<{ serial_no: string }> {
    const { book, keys } = this.#tools
    const given = checked(rotateRequest, request)
    if (given.kind === 'certificate') {
      const before = await keys.certificates()
      const added = await keys.addCertificate(given.share)
      if (given.retire_others) for (const other of before) book.keepCertificate({ ...other, retired: true })
      return { serial_no: added.serial_no }
    }
    const key = await keys.makeWeChatKey(given.mchid)
    const merchant = this.#merchant(given.mchid)
    const wechat_keys = given.retire_others ? [key] : [...merchant.wechat_keys, key]
    book.keepMerchant({ ...merchant, wechat_keys, newest_share: given.share })
    return { serial_no: key.id }
  }

  /** All of a merchant, or of one of its orders. */
  view(mchid: string, out_trade_no: string | null): BookView {
    const { book, calls, now } = this.#tools
    const all = book.ordersOf(mchid, now())
    const orders =
      out_trade_no === null ? all : [book.findOrder(mchid, out_trade_no, now())].filter((order) => order !== null)
    const payments =
      out_trade_no === null
        ? [...book.payments.values()].filter((payment) => payment.mchid === mchid)
        : book.paymentsOf(mchid, out_trade_no)
    const refunds =
      out_trade_no === null
        ? [...book.refunds.values()].filter((refund) => refund.mchid === mchid)
        : book.refundsOf(mchid, out_trade_no)
    const notifications =
      out_trade_no === null
        ? [...book.notifications.values()].filter((notification) => notification.mchid === mchid)
        : book.notificationsOf(mchid, out_trade_no)
    return {
      orders: orders.map(orderView),
      payments: payments.map(paymentView),
      refunds: refunds.map(refundView),
      balance: book.merchants.get(mchid)?.balance ?? null,
      notifications: notifications.map(notificationView),
      calls: calls.list(mchid, out_trade_no),
    }
  }

  #merchant(mchid: string): Merchant {
    const merchant = this.#tools.book.merchants.get(mchid)
    if (merchant === undefined) throw new ControlError(404, 'MCH_NOT_EXISTS', 'the merchant is not registered')
    return merchant
  }

  #notification(id: string): NotificationView {
    const notification = this.#tools.book.notifications.get(id)
    if (notification === undefined) throw new ControlError(404, 'NOTIFICATION_NOT_EXIST', 'no such notification')
    return notificationView(notification)
  }

  async #keysOf(merchant: Merchant): Promise<MerchantAnswer> {
    const newest = merchant.wechat_keys.at(-1)
    const certificates = merchant.key_mode === 'public_key' ? [] : await this.#tools.keys.certificates()
    return {
      mchid: merchant.mchid,
      name: merchant.name,
      key_mode: merchant.key_mode,
      balance: merchant.balance,
      wechatpay_public_key_id: newest?.id ?? '',
      wechatpay_public_key: newest?.public_key ?? '',
      certificates: certificates.map(({ serial_no, certificate }) => ({ serial_no, certificate })),
    }
  }
}

function checked<T>(schema: z.ZodType<T>, request: unknown): T {
  const outcome = schema.safeParse(request)
  if (outcome.success) return outcome.data
  const mistakes = outcome.error.issues.map((issue) => `${issue.path.join('.') || 'request'}: ${issue.message}`)
  throw new ControlError(400, 'PARAM_ERROR', mistakes.join('; '))
}

function isPublicKey(pem: string): boolean {
  try {
    return createPublicKey(pem).asymmetricKeyType === 'rsa'
  } catch {
    return false
  }
}

/** Tests may send a text that is no JSON object; then it names nothing. */
function textResource(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}
