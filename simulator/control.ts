import { z } from 'zod'
import { generated_day, generated_kinds } from './bills/generator.ts'
import type { BillOffice, BillView } from './bills/office.ts'
import type { CallLog } from './calls.ts'
import type { RefundCompletion } from './completion.ts'
import { consoleRefundRequest, finishRefundRequest, notifyRefundRequest } from './console.ts'
import type { ConsoleRefundRequest, FinishRefundRequest, MerchantConsole, NotifyRefundRequest } from './console.ts'
import { faultRequest } from './faults.ts'
import type { Fault, FaultRequest, Faults } from './faults.ts'
import type { WeChatKeys } from './keys.ts'
import type { Notifier } from './notifier.ts'
import type { WebAuthorization } from './oauth.ts'
import { openidOf, openidRequest } from './openid.ts'
import type { OpenidRequest } from './openid.ts'
import { payRequest } from './payer.ts'
import type { Payer, PayRequest, PayResponse } from './payer.ts'
import type { Merchant } from './records.ts'
import { ControlError } from './refusal.ts'
import { merchantRequest, registeredMerchant } from './registration.ts'
import type { MerchantRequest, MerchantResponse } from './registration.ts'
import { sheetRequest } from './sheet.ts'
import type { PaySheet, SheetRequest, SheetResult } from './sheet.ts'
import type { SimulatorState } from './state.ts'
import { notificationView, orderView, paymentView, refundView } from './view.ts'
import { newTransfer, transferRequest } from './transfer.ts'
import type { Transfer, TransferRequest } from './transfer.ts'
import type { SimulatedNotificationView, SimulatedRefundView, StateView } from './view.ts'

export type {
  MerchantResponse,
  StateView,
  FaultRequest,
  SimulatedNotificationView,
  PayResponse,
  PayRequest,
  SimulatedRefundView,
}
export type { FinishRefundRequest, NotifyRefundRequest, ConsoleRefundRequest }

/** `POST /control/notifications`: any notification, signed as asked, delivered once unless `retry`. */
const notificationRequest = z
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

type NotificationRequest = z.input<typeof notificationRequest>

/** `POST /control/keys/rotate`: a new platform certificate, or a new public key of one merchant. */
const rotateRequest = z.discriminatedUnion('kind', [
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

type RotateRequest = z.input<typeof rotateRequest>

/** `POST /control/bills`: the bills of a day, at once or anew. */
const issueRequest = z.strictObject({
  mchid: z.string(),
  bill_date: z.iso.date(),
  /** a day of as many rows, of which this WeChat Pay knows nothing else */
  generated: z
    .strictObject({
      rows: z.int().min(1).max(1_000_000),
      seed: z.int().default(1),
      appid: z.string().min(1).max(32),
      number_prefix: z.string().max(8).default(generated_day.number_prefix),
      refund_share: z.number().min(0).max(1).default(generated_day.refund_share),
      difference_share: z.number().min(0).max(1).default(0),
      kinds: z
        .array(z.enum(generated_kinds))
        .min(1)
        .default([...generated_kinds]),
    })
    .optional(),
})

type IssueRequest = z.input<typeof issueRequest>

interface ControlTools {
  state: SimulatorState
  keys: WeChatKeys
  faults: Faults
  notifier: Notifier
  payer: Payer
  sheet: PaySheet
  oauth: WebAuthorization
  completion: RefundCompletion
  console: MerchantConsole
  bills: BillOffice
  calls: CallLog
  settings: { fee_rate: string }
  now: () => number
}

/**
 * Control does what tests and the demo ask of this WeChat Pay, and checks the shapes. Every method throws ControlError.
 */
export class Control {
  readonly #tools: ControlTools

  constructor(tools: ControlTools) {
    this.#tools = tools
  }

  async register(request: MerchantRequest): Promise<MerchantResponse> {
    const { state, keys, completion, settings } = this.#tools
    const given = parseRequest(merchantRequest, request)
    const made = state.merchants.has(given.mchid) ? [] : [await keys.makeWeChatKey(given.mchid)]
    const before = state.merchants.get(given.mchid) // looked up after the wait: two may register the same number at once
    const wechat_keys = before?.wechat_keys ?? made
    const merchant = registeredMerchant(given, before, { wechat_keys, fee_rate: settings.fee_rate })
    state.keepMerchant(merchant)
    if (given.refund_completion !== undefined) completion.setCompletion(merchant, given.refund_completion)
    return this.#merchantResponse(merchant)
  }

  pay(request: PayRequest): PayResponse {
    return this.#tools.payer.pay(parseRequest(payRequest, request))
  }

  /** Calls up the pay sheet as a client does, and lets the payer act. Returns what the client's code gets back. */
  answerSheet(request: SheetRequest): SheetResult {
    return this.#tools.sheet.answer(parseRequest(sheetRequest, request))
  }

  /** The openid of a payer at an appid: the same one that OAuth answers. */
  openid(request: OpenidRequest): { openid: string } {
    const { appid, payer } = parseRequest(openidRequest, request)
    return { openid: openidOf(appid, payer) }
  }

  /** What `wx.login` gives a mini program on this payer's phone: a code for `jscode2session`, once. */
  login(request: OpenidRequest): { code: string } {
    const { appid, payer } = parseRequest(openidRequest, request)
    return { code: this.#tools.oauth.login(appid, payer) }
  }

  /** Issues the bills of a day at once, or anew when it has some. */
  issueBills(request: IssueRequest): BillView {
    const { mchid, bill_date, generated } = parseRequest(issueRequest, request)
    return this.#tools.bills.issue(this.#requireMerchant(mchid).mchid, bill_date, generated)
  }

  /** Moves money of the merchant from one of its accounts to another, or to and from its bank. */
  transfer(request: TransferRequest): Transfer {
    const given = parseRequest(transferRequest, request)
    this.#requireMerchant(given.mchid)
    return this.#tools.state.keepTransfer(newTransfer(given, this.#tools.now()))
  }

  /** Ends a refund, or sends an abnormal one on to SUCCESS. */
  finishRefund(request: FinishRefundRequest): SimulatedRefundView {
    return refundView(this.#tools.console.finishRefund(parseRequest(finishRefundRequest, request)))
  }

  /** Creates a refund as the merchant console does, under a number of the console's. */
  createConsoleRefund(request: ConsoleRefundRequest): SimulatedRefundView {
    const given = parseRequest(consoleRefundRequest, request)
    return refundView(this.#tools.console.createRefund(this.#requireMerchant(given.mchid), given))
  }

  /** Sets what the merchant can refund from, fen; null never runs short. */
  setBalance(request: { mchid: string; balance: number | null }): void {
    const balance = parseRequest(merchantRequest.shape.balance.unwrap(), request.balance)
    this.#tools.state.keepMerchant({ ...this.#requireMerchant(request.mchid), balance })
  }

  /** Keeps refunds of this merchant in PROCESSING until they are finished by hand, those under way too. */
  holdRefunds({ mchid }: { mchid: string }): void {
    this.#tools.completion.setCompletion(this.#requireMerchant(mchid), 'held')
  }

  /** Lets refunds of this merchant end by themselves again; the time of those under way begins anew. */
  releaseRefunds({ mchid }: { mchid: string }): void {
    this.#tools.completion.setCompletion(this.#requireMerchant(mchid), 'automatic')
  }

  /** Sends one more notification of a refund, of any status, and answers when the receiver has. */
  async notifyRefund(request: NotifyRefundRequest): Promise<SimulatedNotificationView> {
    return this.#findNotificationView(
      await this.#tools.console.notifyRefund(parseRequest(notifyRefundRequest, request)),
    )
  }

  addFault(request: FaultRequest): Fault {
    return this.#tools.faults.add(parseRequest(faultRequest, request))
  }

  listFaults(): Fault[] {
    return this.#tools.faults.list()
  }

  removeFaults(fault_id: string | null): { removed: number } {
    return { removed: this.#tools.faults.remove(fault_id) }
  }

  /** Sends a notification once and answers when its receiver has; one that a fault loses is answered unsent. */
  async notify(request: NotificationRequest): Promise<SimulatedNotificationView> {
    const { state, notifier, now } = this.#tools
    const given = parseRequest(notificationRequest, request)
    const merchant = this.#requireMerchant(given.mchid)
    const resource = typeof given.plaintext === 'string' ? parseResource(given.plaintext) : (given.plaintext ?? {})
    const textField = (field: string): string | null => (typeof resource[field] === 'string' ? resource[field] : null)
    const out_trade_no = textField('out_trade_no')
    const order = out_trade_no === null ? null : state.findOrder(merchant.mchid, out_trade_no, now())
    const out_refund_no = textField('out_refund_no')
    const refund = out_refund_no === null ? null : state.findRefund(merchant.mchid, out_refund_no)
    const url = given.url ?? refund?.notify_url ?? order?.notify_url
    if (url === undefined) throw new ControlError(400, 'URL_MISSING', 'no order tells where to send it: give a url')
    if (given.id !== undefined && state.notifications.has(given.id)) {
      throw new ControlError(409, 'ID_USED', 'this id was sent already: send it again by /resend')
    }
    const plaintext = typeof given.plaintext === 'string' ? given.plaintext : JSON.stringify(resource)
    const content = {
      merchant,
      event_type: given.event_type,
      plaintext,
      out_trade_no,
      transaction_id: textField('transaction_id'),
      out_refund_no,
      url,
    }
    const { sign_with, serial_no, timestamp_offset_s, headers } = given
    const { id } = notifier.send(content, {
      id: given.id,
      body: given.body,
      encrypt_with: given.encrypt_with,
      once: !given.retry,
      difference: { sign_with, serial_no, timestamp_offset_s, headers },
    })
    await notifier.sendNow(id)
    return this.#findNotificationView(id)
  }

  /** Delivers a notification once more, whatever its state, and answers when its receiver has. */
  async resend(id: string): Promise<SimulatedNotificationView> {
    this.#findNotificationView(id)
    await this.#tools.notifier.resend(id)
    return this.#findNotificationView(id)
  }

  /** The certificate of the CA that issues the platform certificates, as PEM. */
  async authority(): Promise<{ certificate: string }> {
    const { certificate } = await this.#tools.keys.authority()
    return { certificate }
  }

  async rotate(request: RotateRequest): Promise<{ serial_no: string }> {
    const { state, keys } = this.#tools
    const given = parseRequest(rotateRequest, request)
    if (given.kind === 'certificate') {
      const before = await keys.certificates()
      const added = await keys.addCertificate(given.share)
      if (given.retire_others) for (const other of before) state.keepCertificate({ ...other, retired: true })
      return { serial_no: added.serial_no }
    }
    const key = await keys.makeWeChatKey(given.mchid)
    const merchant = this.#requireMerchant(given.mchid)
    const wechat_keys = given.retire_others ? [key] : [...merchant.wechat_keys, key]
    state.keepMerchant({ ...merchant, wechat_keys, newest_share: given.share })
    return { serial_no: key.id }
  }

  /** Returns all of a merchant, or of one of its orders. */
  view(mchid: string, out_trade_no: string | null): StateView {
    const { state, calls, now } = this.#tools
    const all = state.ordersOf(mchid, now())
    const orders =
      out_trade_no === null ? all : [state.findOrder(mchid, out_trade_no, now())].filter((order) => order !== null)
    const payments =
      out_trade_no === null
        ? [...state.payments.values()].filter((payment) => payment.mchid === mchid)
        : state.paymentsOf(mchid, out_trade_no)
    const refunds =
      out_trade_no === null
        ? [...state.refunds.values()].filter((refund) => refund.mchid === mchid)
        : state.refundsOf(mchid, out_trade_no)
    const notifications =
      out_trade_no === null
        ? [...state.notifications.values()].filter((notification) => notification.mchid === mchid)
        : state.notificationsOf(mchid, out_trade_no)
    return {
      orders: orders.map(orderView),
      payments: payments.map(paymentView),
      refunds: refunds.map(refundView),
      balance: state.merchants.get(mchid)?.balance ?? null,
      notifications: notifications.map(notificationView),
      calls: calls.list(mchid, out_trade_no),
    }
  }

  #requireMerchant(mchid: string): Merchant {
    const merchant = this.#tools.state.merchants.get(mchid)
    if (merchant === undefined) throw new ControlError(404, 'MCH_NOT_EXISTS', 'the merchant is not registered')
    return merchant
  }

  #findNotificationView(id: string): SimulatedNotificationView {
    const notification = this.#tools.state.notifications.get(id)
    if (notification === undefined) throw new ControlError(404, 'NOTIFICATION_NOT_EXIST', 'no such notification')
    return notificationView(notification)
  }

  async #merchantResponse(merchant: Merchant): Promise<MerchantResponse> {
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

function parseRequest<T>(schema: z.ZodType<T>, request: unknown): T {
  const outcome = schema.safeParse(request)
  if (outcome.success) return outcome.data
  const mistakes = outcome.error.issues.map((issue) => `${issue.path.join('.') || 'request'}: ${issue.message}`)
  throw new ControlError(400, 'PARAM_ERROR', mistakes.join('; '))
}

/** Parses the resource of a notification. Tests may send a text that is no JSON object; then it names nothing. */
function parseResource(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}
