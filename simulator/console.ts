import { z } from 'zod'
import type { RefundCompletion } from './completion.ts'
import type { Notifier } from './notifier.ts'
import type { Merchant, Payment } from './records.ts'
import { refundStatuses } from './refund.ts'
import type { Refund } from './refund.ts'
import type { DomesticRefunds } from './refunds.ts'
import { CallRefusal, ControlError } from './refusal.ts'
import type { SimulatorState } from './state.ts'

/** Which refund: by WeChat Pay's number, or by the merchant and its own number. */
const refund_reference_fields = {
  refund_id: z.string().optional(),
  mchid: z.string().optional(),
  out_refund_no: z.string().optional(),
}
type RefundReference = {
  refund_id?: string | undefined
  mchid?: string | undefined
  out_refund_no?: string | undefined
}
const isReferenced = ({ refund_id, mchid, out_refund_no }: RefundReference): boolean =>
  refund_id !== undefined || (mchid !== undefined && out_refund_no !== undefined)
const unnamed_refund = { message: 'name the refund by refund_id, or by mchid and out_refund_no' }

/** `POST /control/refunds/{refund_id}`: how a refund ends. */
export const finishRefundRequest = z
  .strictObject({
    ...refund_reference_fields,
    status: z.enum(['SUCCESS', 'CLOSED', 'ABNORMAL']),
    /** of a SUCCESS: the payer, or the merchant itself, in one of its accounts */
    received_by: z.enum(['payer', 'merchant_basic_account', 'merchant_bank_account']).default('payer'),
    /** `lose`: the notification is made, and not sent by itself */
    notification: z.enum(['send', 'lose']).default('send'),
  })
  .refine(isReferenced, unnamed_refund)
  .refine(({ status, received_by }) => status === 'SUCCESS' || received_by === 'payer', {
    path: ['received_by'],
    message: 'only a SUCCESS is received by somebody else',
  })

export type FinishRefundRequest = z.input<typeof finishRefundRequest>

/** `POST /control/refunds`: a refund made by a person in the merchant console. */
export const consoleRefundRequest = z
  .strictObject({
    mchid: z.string(),
    transaction_id: z.string().optional(),
    out_trade_no: z.string().optional(),
    /** fen; all that is left when absent */
    refund: z.int().positive().optional(),
    reason: z.string().min(1).max(80).optional(),
    /** ends at once like this; without it, as refunds of this merchant do */
    status: z.enum(['SUCCESS', 'CLOSED', 'ABNORMAL']).optional(),
    /** of `status`: `lose` sends no notification. One of an end in its own time is lost by a fault of `notify` */
    notification: z.enum(['send', 'lose']).default('send'),
  })
  .refine(({ transaction_id, out_trade_no }) => transaction_id !== undefined || out_trade_no !== undefined, {
    message: 'name the payment by transaction_id, or its order by out_trade_no',
  })

export type ConsoleRefundRequest = z.input<typeof consoleRefundRequest>

/**
 * `POST /control/notifications/refund`: one more notification of a refund, true or not, delivered once unless `retry`.
 */
export const notifyRefundRequest = z
  .strictObject({
    ...refund_reference_fields,
    /** the status it says; that of the refund when absent */
    refund_status: z.enum(refundStatuses).optional(),
    /** sent so many times at once, the latest signed first */
    copies: z.int().min(1).max(20).optional(),
    sign_with: z.enum(['real', 'probe', 'other']).optional(),
    retry: z.boolean().default(false),
  })
  .refine(isReferenced, unnamed_refund)

export type NotifyRefundRequest = z.input<typeof notifyRefundRequest>

/**
 * MerchantConsole does what people do to refunds beside the API: create them in the console, and decide how they end.
 */
export class MerchantConsole {
  readonly #tools: {
    state: SimulatorState
    refunds: DomesticRefunds
    completion: RefundCompletion
    notifier: Notifier
    now: () => number
  }

  constructor(tools: {
    state: SimulatorState
    refunds: DomesticRefunds
    completion: RefundCompletion
    notifier: Notifier
    now: () => number
  }) {
    this.#tools = tools
  }

  finishRefund(request: z.infer<typeof finishRefundRequest>): Refund {
    return this.#tools.completion.end(this.#findRefund(request), request)
  }

  createRefund(merchant: Merchant, request: z.infer<typeof consoleRefundRequest>): Refund {
    const { refunds, completion } = this.#tools
    const { refund, reason, status, notification } = request
    const payment = this.#paymentOf(request)
    const asked = { ...(refund !== undefined && { refund }), ...(reason !== undefined && { reason }) }
    const made = translateRefusal(() => refunds.createFromConsole(merchant, payment, asked))
    return status === undefined ? made : completion.end(made, { status, received_by: 'payer', notification })
  }

  /** Sends one more notification of a refund. Resolves with its id when the receiver has answered. */
  async notifyRefund(request: z.infer<typeof notifyRefundRequest>): Promise<string> {
    const { completion, notifier } = this.#tools
    const refund = this.#findRefund(request)
    const { copies, sign_with } = request
    const options = { once: !request.retry, difference: { copies, sign_with } }
    const notification = completion.notify(refund, request.refund_status ?? refund.status, options)
    if (notification === null) throw new ControlError(400, 'URL_MISSING', 'the refund is notified nowhere')
    await notifier.sendNow(notification.id)
    return notification.id
  }

  #findRefund({ refund_id, mchid, out_refund_no }: RefundReference): Refund {
    const { state } = this.#tools
    const refund =
      refund_id === undefined
        ? state.findRefund(mchid ?? '', out_refund_no ?? '')
        : (state.refunds.get(refund_id) ?? null)
    if (refund === null) throw new ControlError(404, 'REFUND_NOT_EXIST', 'there is no such refund')
    return refund
  }

  #paymentOf({ mchid, transaction_id, out_trade_no }: z.infer<typeof consoleRefundRequest>): Payment {
    const { state, now } = this.#tools
    const id = transaction_id ?? state.findOrder(mchid, out_trade_no ?? '', now())?.transaction_id
    const payment = state.payments.get(id ?? '')
    if (payment?.mchid !== mchid) throw new ControlError(404, 'PAYMENT_NOT_EXIST', 'there is no such payment')
    return payment
  }
}

/** Translates WeChat Pay's refusal into a ControlError, as the control side answers. */
function translateRefusal(make: () => Refund): Refund {
  try {
    return make()
  } catch (error) {
    if (error instanceof CallRefusal) throw new ControlError(409, error.code, error.message)
    throw error
  }
}
