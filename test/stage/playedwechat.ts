import { beijingTime } from '../../domain/calendar.ts'
import type { OrderRecord } from '../../domain/order/record.ts'
import type { WeChatRecords, WeChatRefundRecord } from '../../proof/wechat.ts'
import { WeChatPayError } from '../../wechat/errors.ts'
import { refundPath } from '../../wechat/refunds.ts'
import type { Transport, WeChatAnswer, WeChatRequest } from '../../wechat/transport.ts'
import { mchid } from '../store/samples.ts'

/** How WeChat stays silent at the next call: before it acted, or after. */
export type Silence = 'before' | 'after'

/** Where a refund goes from one step to the next, after it was taken; `RETURNED`: to the merchant's own account. */
export type Fate = ('PROCESSING' | 'ABNORMAL' | 'SUCCESS' | 'CLOSED' | 'RETURNED')[]

interface Transaction {
  id: string
  total: number
  /** what a free coupon of the merchant's own bore of it, in fen */
  nocash?: number
  /** what else WeChat says of it, or says otherwise */
  said?: Record<string, unknown>
}

interface PlayedRefund extends WeChatRefundRecord {
  /** the exact bytes that asked for it */
  body: string
  fate: Fate
}

/** A WeChat Pay that knows one number, in as many lines as the workflows' questions need. */
export class PlayedWeChat implements Transport {
  is_placed = false
  is_closed = false
  /** what was taken for the number, the first one first */
  readonly transactions: Transaction[] = []
  /** what was taken for it besides, which a query does not tell of */
  readonly seconds: Transaction[] = []
  silence: Silence | null = null
  /** the host that is asked first says of every number that it does not know it; what it says is not signed */
  is_first_host_blind = false
  /** no key of WeChat's is loaded that an answer could be believed with: nothing is sent */
  is_key_missing = false
  /** codes that the next placements are refused with, each with its HTTP status before it or by the code's own */
  readonly refusals: string[] = []
  /** the same of requests for refunds, and of closes */
  readonly refund_refusals: string[] = []
  readonly close_refusals: string[] = []
  /** the same of questions, about orders and refunds */
  readonly query_refusals: string[] = []
  /** the same of another account for an abnormal refund */
  readonly abnormal_refusals: string[] = []
  /** what the next answers that are no refusals say instead */
  readonly twists: ((said: Record<string, unknown>) => Record<string, unknown>)[] = []
  /** the merchant's account holds nothing to refund from */
  is_poor = false
  /** what becomes of the refunds, each taking the next; then they succeed */
  readonly fates: Fate[] = []
  readonly refunds: PlayedRefund[] = []
  /** what no caller may do */
  readonly violations: string[] = []
  /** refunds that were asked for and of which the caller cannot know whether they were taken */
  readonly #unanswered = new Set<string>()
  /** the exact bytes of every placement, as they came */
  readonly placements: string[] = []
  readonly #order: OrderRecord
  readonly #now: () => number
  #codes = 0

  constructor(order: OrderRecord, now: () => number) {
    this.#order = order
    this.#now = now
  }

  send({ operation, path, body, except_host }: WeChatRequest): Promise<WeChatAnswer> {
    if (this.is_first_host_blind && except_host === undefined && operation.startsWith('query')) {
      const code = operation === 'query' ? 'ORDER_NOT_EXIST' : 'RESOURCE_NOT_EXISTS'
      return Promise.resolve({ ...answerOf(404, '', code), host: 'first' })
    }
    if (this.is_key_missing) {
      const failure = { kind: 'setup', reason: 'no_key', outcome_unknown: false } as const
      return Promise.reject(new WeChatPayError({ operation, ...failure }))
    }
    const { silence } = this
    this.silence = null
    const unanswered = () => {
      if (operation === 'refund') this.#unanswered.add(numberIn(body))
      const failure = { kind: 'again', reason: 'timeout', outcome_unknown: true } as const
      return Promise.reject(new WeChatPayError({ operation, ...failure }))
    }
    if (operation === 'refund' && this.#unanswered.has(numberIn(body))) {
      this.violations.push(`${numberIn(body)} was sent again without a question`)
    }
    if (silence === 'before') return unanswered()
    const answer = this.#twisted(this.#answer(operation, path, body ?? ''))
    return silence === 'after' ? unanswered() : Promise.resolve(answer)
  }

  /** Bills are no matter of one number. */
  download(): Promise<never> {
    return Promise.reject(new Error('this WeChat Pay has no files'))
  }

  #twisted(answer: WeChatAnswer): WeChatAnswer {
    const twist = answer.status === 200 ? this.twists.shift() : undefined
    if (twist === undefined) return answer
    return { ...answer, body: JSON.stringify(twist(JSON.parse(answer.body) as Record<string, unknown>)) }
  }

  #answer(operation: WeChatRequest['operation'], path: string, body: string): WeChatAnswer {
    const refusal = operation.startsWith('query') ? this.query_refusals.shift() : undefined
    if (refusal !== undefined) return refusalOf(refusal)
    switch (operation) {
      case 'place':
        return this.#place(path, body)
      case 'close':
        return this.#close()
      case 'refund':
        return this.#refund(body)
      case 'query_refund':
        return this.#queryRefund(decodeURIComponent(path.slice(refundPath.length + 1)))
      case 'abnormal_refund':
        return this.#redirect(numberIn(body))
      default:
        return path.includes('/transactions/id/') ? this.#queryTransaction(path) : this.#query()
    }
  }

  /** As a query's answer and a notification tell it. */
  transaction({ id, total, nocash = 0, said = {} }: Transaction): string {
    const { appid, out_trade_no } = this.#order
    const success_time = beijingTime(this.#now())
    const amount = { total, payer_total: total - nocash, currency: 'CNY', payer_currency: 'CNY' }
    const promotion_detail = nocash === 0 ? [] : [{ coupon_id: `C-${id}`, type: 'NOCASH', amount: nocash }]
    const trade_state = this.refunds.some(({ transaction_id }) => transaction_id === id) ? 'REFUND' : 'SUCCESS'
    return JSON.stringify({
      mchid,
      appid,
      out_trade_no,
      transaction_id: id,
      trade_state,
      success_time,
      amount,
      promotion_detail,
      ...said,
    })
  }

  /** Every refund goes one step on. False: all have come to their end. */
  progress(): boolean {
    let has_moved = false
    for (const refund of this.refunds) {
      const next = refund.fate.shift()
      if (next === undefined) continue
      has_moved = true
      if (next === 'RETURNED') refund.user_received_account = '商户基本账户'
      refund.status = next === 'RETURNED' ? 'SUCCESS' : next
      if (refund.status === 'SUCCESS') refund.success_time = beijingTime(this.#now())
    }
    return has_moved
  }

  /** Somebody gives money back past Weft, under a number of his choice; `fate`: what becomes of it after SUCCESS. */
  refundOutside(out_refund_no: string, transaction_id: string, refund: number, fate: Fate = []): void {
    this.refunds.push({
      out_refund_no,
      refund_id: `R${this.refunds.length + 1}`,
      transaction_id,
      status: 'SUCCESS',
      user_received_account: '支付用户零钱',
      amount: { refund, settlement_refund: refund },
      create_time: beijingTime(this.#now()),
      success_time: beijingTime(this.#now()),
      body: '',
      fate: [...fate],
    })
  }

  /** Fen of a payment that are back, or on their way. */
  refunded(transaction_id: string): number {
    const taken = this.refunds.filter((one) => one.transaction_id === transaction_id && one.status !== 'CLOSED')
    return taken.reduce((sum, { amount }) => sum + amount.refund, 0)
  }

  get truth(): WeChatRecords {
    const is_paid = this.transactions.length > 0
    const trade_state = is_paid ? 'SUCCESS' : this.is_closed ? 'CLOSED' : 'NOTPAY'
    const success_time = beijingTime(this.#now())
    return {
      order: this.is_placed ? { trade_state, amount: { total: this.#order.amount.total } } : null,
      payments: [...this.transactions, ...this.seconds].map(({ id, total }) => ({
        transaction_id: id,
        amount: { total },
        success_time,
      })),
      refunds: this.refunds,
    }
  }

  #place(path: string, body: string): WeChatAnswer {
    this.placements.push(body)
    const refusal = this.refusals.shift()
    if (refusal !== undefined) return refusalOf(refusal)
    if (this.transactions.length > 0) return answerOf(400, '', 'ORDERPAID')
    if (this.is_closed) return answerOf(400, '', 'ORDER_CLOSED')
    this.is_placed = true
    this.#codes += 1
    const handed_out = {
      native: { code_url: `weixin://wxpay/bizpayurl?pr=${this.#codes}` },
      jsapi: { prepay_id: `wx${this.#codes}` },
      app: { prepay_id: `wx${this.#codes}` },
      h5: { h5_url: `https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=wx${this.#codes}&package=1` },
    }[path.slice(path.lastIndexOf('/') + 1)]
    return answerOf(200, JSON.stringify(handed_out))
  }

  #close(): WeChatAnswer {
    const refusal = this.close_refusals.shift()
    if (refusal !== undefined) return refusalOf(refusal)
    if (this.transactions.length > 0) return answerOf(400, '', 'ORDER_PAID')
    if (this.is_placed) this.is_closed = true
    return answerOf(204, '')
  }

  #query(): WeChatAnswer {
    if (!this.is_placed) return answerOf(404, '', 'ORDER_NOT_EXIST')
    const paid = this.transactions[0]
    if (paid !== undefined) return answerOf(200, this.transaction(paid))
    const { appid, out_trade_no } = this.#order
    const trade_state = this.is_closed ? 'CLOSED' : 'NOTPAY'
    return answerOf(200, JSON.stringify({ mchid, appid, out_trade_no, trade_state }))
  }

  #queryTransaction(path: string): WeChatAnswer {
    const paid = [...this.transactions, ...this.seconds].find(({ id }) => path.includes(`/transactions/id/${id}?`))
    return paid === undefined ? answerOf(404, '', 'ORDER_NOT_EXIST') : answerOf(200, this.transaction(paid))
  }

  #refund(body: string): WeChatAnswer {
    const asked = JSON.parse(body) as { transaction_id: string; out_refund_no: string; amount: { refund: number } }
    const { transaction_id, out_refund_no, amount } = asked
    const before = this.#find(out_refund_no)
    if (before !== undefined) {
      // Made outside under the same number, and not with these parameters.
      if (before.body === '') return answerOf(400, '', 'INVALID_REQUEST')
      if (before.body !== body) this.violations.push(`${out_refund_no} was sent with two bodies`)
      return answerOf(200, this.#told(before))
    }
    const refusal = this.refund_refusals.shift() ?? (this.is_poor ? 'NOT_ENOUGH' : undefined)
    if (refusal !== undefined) return refusalOf(refusal)
    const paid = [...this.transactions, ...this.seconds].find(({ id }) => id === transaction_id)
    if (paid === undefined || this.refunded(transaction_id) + amount.refund > paid.total) {
      // What was taken past Weft may not be known there yet; its own requests must never be too many.
      const is_known = this.refunds.every((one) => one.transaction_id !== transaction_id || one.body !== '')
      if (is_known)
        this.violations.push(
          `${out_refund_no} asks for ${amount.refund} of ${transaction_id}, which has not so much left`,
        )
      return answerOf(400, '', 'INVALID_REQUEST')
    }
    const refund: PlayedRefund = {
      out_refund_no,
      refund_id: `R${this.refunds.length + 1}`,
      transaction_id,
      status: 'PROCESSING',
      user_received_account: '支付用户零钱',
      amount: { refund: amount.refund, settlement_refund: cashOf(paid, amount.refund) },
      create_time: beijingTime(this.#now()),
      success_time: null,
      body,
      fate: [...(this.fates.shift() ?? ['SUCCESS' as const])],
    }
    this.refunds.push(refund)
    return answerOf(200, this.#told(refund))
  }

  #queryRefund(out_refund_no: string): WeChatAnswer {
    this.#unanswered.delete(out_refund_no)
    const refund = this.#find(out_refund_no)
    return refund === undefined ? answerOf(404, '', 'RESOURCE_NOT_EXISTS') : answerOf(200, this.#told(refund))
  }

  /** The payer's card takes what the account did not. */
  #redirect(out_refund_no: string): WeChatAnswer {
    const refusal = this.abnormal_refusals.shift()
    if (refusal !== undefined) return refusalOf(refusal)
    const refund = this.#find(out_refund_no)
    if (refund?.status !== 'ABNORMAL') return answerOf(400, '', 'INVALID_REQUEST')
    refund.status = 'PROCESSING'
    if (refund.fate.length === 0) refund.fate.push('SUCCESS')
    return answerOf(200, this.#told(refund))
  }

  #find(out_refund_no: string): PlayedRefund | undefined {
    return this.refunds.find((one) => one.out_refund_no === out_refund_no)
  }

  #told({ body: _body, fate: _fate, success_time, amount, ...refund }: PlayedRefund): string {
    const { out_trade_no, amount: asked } = this.#order
    const total = [...this.transactions, ...this.seconds].find(({ id }) => id === refund.transaction_id)?.total
    return JSON.stringify({
      ...refund,
      out_trade_no,
      channel: 'ORIGINAL',
      ...(success_time !== null && { success_time }),
      amount: { ...amount, total: total ?? asked.total, payer_refund: amount.settlement_refund, currency: 'CNY' },
    })
  }
}

/** What of a refund leaves the merchant's account: his coupon bears its share. */
function cashOf({ total, nocash = 0 }: Transaction, refund: number): number {
  return Math.round((refund * (total - nocash)) / total)
}

function refusalOf(refusal: string): WeChatAnswer {
  const [code = '', status = refusal === 'SYSTEM_ERROR' ? '500' : '400'] = refusal.split(' ').reverse()
  return answerOf(Number(status), '', code === '-' ? null : code)
}

function numberIn(body: string | undefined): string {
  return (JSON.parse(body ?? '{}') as { out_refund_no?: string }).out_refund_no ?? ''
}

function answerOf(status: number, body: string, code: string | null = null): WeChatAnswer {
  return { status, headers: {}, body, code, message: null, request_id: null, unanswered_before: false }
}
