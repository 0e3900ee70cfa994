import { z } from 'zod'
import { beijingDay, milliseconds } from '../domain/calendar.ts'
import { settlementTotal } from './coupons.ts'
import type { Notifier, SendOptions } from './notifier.ts'
import { openidOf, phone_payer } from './openid.ts'
import type { BasicPayments } from './payments.ts'
import { newestCode, products } from './product.ts'
import { randomDigits } from './random.ts'
import type { ArmedPayment, Merchant, Order, OutgoingNotification, Payment } from './records.ts'
import { ControlError } from './refusal.ts'
import type { SimulatorSettings } from './settings.ts'
import type { SimulatorState } from './state.ts'

export const stories = [
  /** pays, and all goes well */
  'pay',
  /** pays; the notification is never sent */
  'lose_notification',
  /** pays; the notification comes three times at once, the latest signed first */
  'notify_three_times',
  /** pays; the notification leaves `delay_ms` later, or a minute by the simulator's time scale */
  'notify_late',
  /** pays exactly while the next close call is under way: that close is refused, because the order is paid */
  'pay_while_closing',
  /** pays after the next close call was received and before it takes effect; the close is never answered */
  'pay_after_close_sent',
  /** WeChat takes the money although the order is closed: its own race; the order is paid afterwards */
  'pay_after_close',
  /** a notification of a second transaction for a paid order */
  'second_payment',
  /** the amount taken is `amount.total`, or one fen more than ordered */
  'wrong_amount',
  /** nothing is paid; a notification signed by a key that is not WeChat Pay's says that it was */
  'forge_notification',
  /** looks at the amount and leaves */
  'cancel',
] as const

export type Story = (typeof stories)[number]

/** `POST /control/pay`: which order, by number or by its code, and what happens. */
export const payRequest = z
  .strictObject({
    mchid: z.string().optional(),
    out_trade_no: z.string().optional(),
    code_url: z.string().optional(),
    story: z.enum(stories).default('pay'),
    /** who pays, by openid; else the payer that a JSAPI order was placed for; else whoever has the phone */
    payer_openid: z.string().min(1).max(128).optional(),
    payer: z.string().min(1).max(64).default(phone_payer),
    /** parts of the total that coupons cover: the merchant's own discount, and money paid for beforehand; fen */
    coupon: z
      .strictObject({ nocash_amount: z.int().nonnegative().default(0), cash_amount: z.int().nonnegative().default(0) })
      .optional(),
    /** `OTHERS` pays from the balance; `CMB_CREDIT` and the like from a bank card, to which refunds take days */
    bank_type: z
      .string()
      .regex(/^[A-Z0-9_]{1,32}$/)
      .optional(),
    amount: z.strictObject({ total: z.int().positive() }).optional(),
    /** when it was paid, not later than now: a day that is over has it in its bill, and need not be waited for */
    success_time: z.iso.datetime({ offset: true }).optional(),
    delay_ms: z.int().min(0).max(86_400_000).optional(),
  })
  .refine(({ mchid, out_trade_no, code_url }) => code_url !== undefined || (mchid && out_trade_no), {
    message: 'name the order by mchid and out_trade_no, or by code_url',
  })

export type PayRequest = z.input<typeof payRequest>

export interface PayResponse {
  story: Story
  mchid: string
  out_trade_no: string
  /** `armed`: the payment comes with the next close call, under this transaction_id */
  outcome: 'paid' | 'armed' | 'forged' | 'cancelled'
  /** null when nothing is paid; of a forgery, the transaction it invents */
  transaction_id: string | null
  notification_id: string | null
}

/** Payer does what a person with a phone can do, and what WeChat Pay then does. */
export class Payer {
  readonly #state: SimulatorState
  readonly #payments: BasicPayments
  readonly #notifier: Notifier
  readonly #settings: SimulatorSettings
  readonly #now: () => number

  constructor(tools: {
    state: SimulatorState
    payments: BasicPayments
    notifier: Notifier
    settings: SimulatorSettings
    now: () => number
  }) {
    this.#state = tools.state
    this.#payments = tools.payments
    this.#notifier = tools.notifier
    this.#settings = tools.settings
    this.#now = tools.now
  }

  /** Unix milliseconds, by the simulator's clock. */
  now(): number {
    return this.#now()
  }

  /** Finds the order that a code (code_url, prepay_id, h5_url) or number names. Throws ControlError when there is none. */
  find(named: { mchid?: string | undefined; out_trade_no?: string | undefined; code_url?: string | undefined }): Order {
    const order =
      named.code_url === undefined
        ? this.#state.findOrder(named.mchid ?? '', named.out_trade_no ?? '', this.#now())
        : this.#state.findOrderByCode(named.code_url, this.#now())
    if (order === null) throw new ControlError(404, 'ORDER_NOT_EXIST', 'there is no such order')
    return order
  }

  /**
   * Returns why this code cannot be paid now, or null; of a JSAPI order also why this payer cannot. `payer_openid`
   * says whether the payer or another has paid it.
   */
  paymentRefusal(order: Order, code: string, payer_openid: string | null): ControlError | null {
    const now = this.#now()
    if (order.trade_state === 'CLOSED') return new ControlError(409, 'ORDER_CLOSED', 'the order is closed')
    if (order.trade_state !== 'NOTPAY') {
      const payment = this.#state.payments.get(order.transaction_id ?? '')
      return payer_openid !== null && payment?.openid !== payer_openid
        ? new ControlError(409, 'PAID_BY_ANOTHER', 'somebody else has paid this order')
        : new ControlError(409, 'ORDER_PAID', 'the order is paid already')
    }
    if (order.payer_openid !== null && payer_openid !== null && payer_openid !== order.payer_openid) {
      return new ControlError(409, 'PAYER_MISMATCH', 'the order was placed for another openid')
    }
    const { is_replaced, life } = products[order.trade_type]
    const issued = order.codes.find((one) => one.code === code)
    if (issued === undefined || (is_replaced && issued !== order.codes.at(-1))) {
      return new ControlError(409, 'CODE_DEAD', 'a newer code took the place of this one')
    }
    if (now > order.time_expire) return new ControlError(409, 'ORDER_EXPIRED', 'the time to pay is over')
    if (now - issued.time >= this.#settings[life]) {
      return life === 'h5_life_ms'
        ? new ControlError(409, 'LINK_EXPIRED', 'the h5_url is older than five minutes')
        : new ControlError(409, 'CODE_EXPIRED', 'the code is older than two hours')
    }
    return null
  }

  /** Plays a story. Throws ControlError when a payer could not do that. */
  pay(request: z.infer<typeof payRequest>): PayResponse {
    const order = this.find(request)
    const merchant = this.#merchantOf(order)
    const openid = request.payer_openid ?? order.payer_openid ?? openidOf(order.appid, request.payer)
    const answer = { story: request.story, mchid: order.mchid, out_trade_no: order.out_trade_no }
    const success_time = request.success_time === undefined ? this.#now() : milliseconds(request.success_time)
    if (success_time > this.#now()) throw new ControlError(400, 'PARAM_ERROR', 'success_time: that moment is to come')
    if (request.story === 'second_payment')
      return { ...answer, ...this.#paySecondTime(order, merchant, { openid, success_time }) }
    if (request.story === 'pay_after_close') {
      if (order.trade_state !== 'CLOSED') throw new ControlError(409, 'ORDER_NOT_CLOSED', 'the order is not closed')
    } else {
      const hindrance = this.paymentRefusal(order, request.code_url ?? newestCode(order), request.payer_openid ?? null)
      if (hindrance !== null) throw hindrance
    }
    const { nocash_amount, cash_amount } = request.coupon ?? { nocash_amount: 0, cash_amount: 0 }
    const bank_type = request.bank_type ?? default_payment_terms.bank_type
    const total = request.amount?.total ?? order.total + (request.story === 'wrong_amount' ? 1 : 0)
    if (nocash_amount + cash_amount > total)
      throw new ControlError(400, 'COUPON_TOO_LARGE', 'the coupon exceeds the amount')
    const paid = { openid, nocash_amount, cash_amount, bank_type }
    const payment = this.#newPayment(order, { ...paid, total, success_time })
    const { transaction_id } = payment
    switch (request.story) {
      case 'cancel':
        if (order.armed !== null) this.#state.keepOrder({ ...order, armed: null })
        return { ...answer, outcome: 'cancelled', transaction_id: null, notification_id: null }
      case 'pay_while_closing':
      case 'pay_after_close_sent':
        this.#state.keepOrder({ ...order, armed: { story: request.story, transaction_id, ...paid } })
        return { ...answer, outcome: 'armed', transaction_id, notification_id: null }
      case 'forge_notification': {
        const forgery = { once: true, difference: { sign_with: 'other' as const } }
        const { id } = this.#notifyPayment(order, merchant, payment, forgery)
        return { ...answer, outcome: 'forged', transaction_id, notification_id: id }
      }
      case 'pay':
      case 'lose_notification':
      case 'notify_three_times':
      case 'notify_late':
      case 'pay_after_close':
      case 'wrong_amount': {
        const { id } = this.#completePayment(order, merchant, payment, this.#sendOptions(request))
        return { ...answer, outcome: 'paid', transaction_id, notification_id: id }
      }
    }
  }

  /** Pays for the payer who waited for a close call, whatever the clock says: the call found the order unpaid. */
  payArmed(order: Order, armed: ArmedPayment): void {
    const payment = {
      ...this.#newPayment(order, { ...default_payment_terms, ...armed, total: order.total }),
      transaction_id: armed.transaction_id,
    }
    this.#completePayment(order, this.#merchantOf(order), payment, {})
  }

  #paySecondTime(
    order: Order,
    merchant: Merchant,
    paid: { openid: string; success_time: number },
  ): Pick<PayResponse, 'outcome' | 'transaction_id' | 'notification_id'> {
    if (order.transaction_id === null) throw new ControlError(409, 'ORDER_NOT_PAID', 'nobody has paid it a first time')
    const payment = this.#newPayment(order, { ...default_payment_terms, ...paid, total: order.total })
    this.#state.keepPayment(payment)
    this.#state.changeBalance(order.mchid, settlementTotal(payment))
    const { id } = this.#notifyPayment(order, merchant, payment, {})
    return { outcome: 'paid', transaction_id: payment.transaction_id, notification_id: id }
  }

  #completePayment(order: Order, merchant: Merchant, payment: Payment, options: SendOptions): OutgoingNotification {
    const paid: Order = { ...order, trade_state: 'SUCCESS', transaction_id: payment.transaction_id, armed: null }
    this.#state.keepPayment(payment)
    this.#state.keepOrder(paid)
    this.#state.changeBalance(order.mchid, settlementTotal(payment))
    return this.#notifyPayment(paid, merchant, payment, options)
  }

  #notifyPayment(order: Order, merchant: Merchant, payment: Payment, options: SendOptions): OutgoingNotification {
    const news = {
      merchant,
      event_type: 'TRANSACTION.SUCCESS',
      plaintext: JSON.stringify(this.#payments.transactionResource(order, payment)),
      out_trade_no: order.out_trade_no,
      transaction_id: payment.transaction_id,
      out_refund_no: null,
      url: order.notify_url,
    }
    return this.#notifier.send(news, options)
  }

  #sendOptions(request: z.infer<typeof payRequest>): SendOptions {
    if (request.story === 'lose_notification') return { lost: true }
    if (request.story === 'notify_three_times') return { difference: { copies: 3 } }
    if (request.story === 'notify_late') {
      return { delay_ms: request.delay_ms ?? 60_000 / this.#settings.time_scale }
    }
    return request.delay_ms === undefined ? {} : { delay_ms: request.delay_ms }
  }

  #newPayment(
    order: Order,
    paid: Pick<Payment, 'openid' | 'total' | 'nocash_amount' | 'cash_amount' | 'bank_type'> & { success_time?: number },
  ): Payment {
    const success_time = paid.success_time ?? this.#now()
    return {
      transaction_id: `4200${randomDigits(6)}${beijingDay(success_time).replaceAll('-', '')}${randomDigits(10)}`,
      mchid: order.mchid,
      out_trade_no: order.out_trade_no,
      openid: paid.openid,
      total: paid.total,
      currency: order.currency,
      nocash_amount: paid.nocash_amount,
      cash_amount: paid.cash_amount,
      bank_type: paid.bank_type,
      success_time,
      fee_rate: this.#merchantOf(order).fee_rate,
      fee_account: this.#merchantOf(order).fee_account,
    }
  }

  #merchantOf(order: Order): Merchant {
    const merchant = this.#state.merchants.get(order.mchid)
    if (merchant === undefined) throw new ControlError(404, 'MCH_NOT_EXISTS', 'the merchant is not registered')
    return merchant
  }
}

/** How a payment is made unless the request says otherwise: from the balance, without coupons. */
const default_payment_terms = { nocash_amount: 0, cash_amount: 0, bank_type: 'OTHERS' }
