import { z } from 'zod'
import type { Book } from './book.ts'
import type { Clearing } from './clearing.ts'
import type { Notifier } from './notifier.ts'
import type { Merchant, Payment } from './records.ts'
import type { Refund } from './refund.ts'
import { refundStatuses } from './refund.ts'
import { ControlError, Refusal } from './refusal.ts'
import type { Refunds } from './refunds.ts'

/** Which refund: by WeChat Pay's number, or by the merchant and its own number. */
const named = {
  refund_id: z.string().optional(),
  mchid: z.string().optional(),
  out_refund_no: z.string().optional(),
}
type NamedRefund = { refund_id?: string | undefined; mchid?: string | undefined; out_refund_no?: string | undefined }
const isNamed = ({ refund_id, mchid, out_refund_no }: NamedRefund): boolean =>
  refund_id !== undefined || (mchid !== undefined && out_refund_no !== undefined)
const unnamed = { message: 'name the refund by refund_id, or by mchid and out_refund_no' }

/** `POST /control/refunds/{refund_id}`: how a refund ends. */
export const finishRefundRequest = z
  .strictObject({
    ...named,
    status: z.enum(['SUCCESS', 'CLOSED', 'ABNORMAL']),
    /** of a SUCCESS: the payer, or the merchant itself, in one of its accounts */
    received_by: z.enum(['payer', 'merchant_basic_account', 'merchant_bank_account']).default('payer'),
    /** `lose`: nobody is told */
    notification: z.enum(['send', 'lose']).default('send'),
  })
  .refine(isNamed, unnamed)
  .refine(({ status, received_by }) => status === 'SUCCESS' || received_by === 'payer', {
    path: ['received_by'],
    message: 'only a SUCCESS is received by somebody else',
  })

export type FinishRefundRequest = z.input<typeof finishRefundRequest>

/** `POST /control/refunds`: a refund made by a person in the merchant console. */
export const outsideRefundRequest = z
  .strictObject({
    mchid: z.string(),
    transaction_id: z.string().optional(),
    out_trade_no: z.string().optional(),
    /** fen; all that is left when absent */
    refund: z.int().positive().optional(),
    reason: z.string().min(1).max(80).optional(),
    /** ends at once like this; without it, as refunds of this merchant do */
    status: z.enum(['SUCCESS', 'CLOSED', 'ABNORMAL']).optional(),
    /** of `status`: `lose` tells nobody. An end of its own accord is lost by a fault of `notify` */
    notification: z.enum(['send', 'lose']).default('send'),
  })
  .refine(({ transaction_id, out_trade_no }) => transaction_id !== undefined || out_trade_no !== undefined, {
    message: 'name the payment by transaction_id, or its order by out_trade_no',
  })

export type OutsideRefundRequest = z.input<typeof outsideRefundRequest>

/** `POST /control/notifications/refund`: one more notification of a refund, true or not, delivered once unless `retry`. */
export const notifyRefundRequest = z
  .strictObject({
    ...named,
    /** what it says; how the refund stands when absent */
    refund_status: z.enum(refundStatuses).optional(),
    /** sent so many times at once, the latest signed first */
    copies: z.int().min(1).max(20).optional(),
    sign_with: z.enum(['real', 'probe', 'other']).optional(),
    retry: z.boolean().default(false),
  })
  .refine(isNamed, unnamed)

export type NotifyRefundRequest = z.input<typeof notifyRefundRequest>

/** What people do to refunds beside the API: the merchant in its console, and whoever decides how a refund ends. */
export class Console {
  readonly #tools: { book: Book; refunds: Refunds; clearing: Clearing; notifier: Notifier; now: () => number }

  constructor(tools: { book: Book; refunds: Refunds; clearing: Clearing; notifier: Notifier; now: () => number }) {
    this.#tools = tools
  }

  finishRefund(request: z.infer<typeof finishRefundRequest>): Refund {
    return this.#tools.clearing.end(this.#find(request), request)
  }

  refundOutside(merchant: Merchant, request: z.infer<typeof outsideRefundRequest>): Refund {
    const { refunds, clearing } = this.#tools
    const { refund, reason, status, notification } = request
    const payment = this.#paymentOf(request)
    const asked = { ...(refund !== undefined && { refund }), ...(reason !== undefined && { reason }) }
    const made = accepted(() => refunds.createOutside(merchant, payment, asked))
    return status === undefined ? made : clearing.end(made, { status, received_by: 'payer', notification })
  }

  /** Answers the notification's id when the receiver has answered. */
  async notifyRefund(request: z.infer<typeof notifyRefundRequest>): Promise<string> {
    const { clearing, notifier } = this.#tools
    const refund = this.#find(request)
    const { copies, sign_with } = request
    const departure = { once: !request.retry, difference: { copies, sign_with } }
    const notification = clearing.tell(refund, request.refund_status ?? refund.status, departure)
    if (notification === null) throw new ControlError(400, 'URL_MISSING', 'the refund is notified nowhere')
    await notifier.sendNow(notification.id)
    return notification.id
  }

  #find({ refund_id, mchid, out_refund_no }: NamedRefund): Refund {
    const { book } = this.#tools
    const refund =
      refund_id === undefined
        ? book.findRefund(mchid ?? '', out_refund_no ?? '')
        : (book.refunds.get(refund_id) ?? null)
    if (refund === null) throw new ControlError(404, 'REFUND_NOT_EXIST', 'there is no such refund')
    return refund
  }

  #paymentOf({ mchid, transaction_id, out_trade_no }: z.infer<typeof outsideRefundRequest>): Payment {
    const { book, now } = this.#tools
    const id = transaction_id ?? book.findOrder(mchid, out_trade_no ?? '', now())?.transaction_id
    const payment = book.payments.get(id ?? '')
    if (payment?.mchid !== mchid) throw new ControlError(404, 'PAYMENT_NOT_EXIST', 'there is no such payment')
    return payment
  }
}

/** A refusal of WeChat Pay's, told as the control side tells its own. */
function accepted(make: () => Refund): Refund {
  try {
    return make()
  } catch (error) {
    if (error instanceof Refusal) throw new ControlError(409, error.code, error.message)
    throw error
  }
}
