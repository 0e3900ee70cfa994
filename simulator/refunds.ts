import { beijingDay } from '../domain/calendar.ts'
import { bytesFromBase64, CipherError, decryptField } from '../wechat/cipher.ts'
import type { ReceivedCall } from './authentication.ts'
import type { RefundCompletion } from './completion.ts'
import type { WeChatKeys } from './keys.ts'
import type { CallOutcome } from './payments.ts'
import { randomDigits } from './random.ts'
import type { Merchant, Payment } from './records.ts'
import { merchantAccounts, refundAmounts, refundAsAccepted, refundedSum, refundResponse } from './refund.ts'
import type { Refund } from './refund.ts'
import { CallRefusal } from './refusal.ts'
import {
  abnormalRefundBody,
  assertPathNumber,
  canonicalText,
  format_rule,
  readBody,
  refundBody,
  required_rule,
  ruleRefusal,
} from './requests.ts'
import type { AbnormalRefundBody, RefundBody } from './requests.ts'
import type { SimulatorSettings } from './settings.ts'
import type { SimulatorState } from './state.ts'

const year_ms = 365 * 24 * 3_600_000
const most_refunds = 50

/** RefundSight is what a query of a refund sees: all, no refund younger than `hidden_ms`, or the refund as accepted. */
export type RefundSight = { kind: 'truth' | 'as_accepted' } | { kind: 'lagging'; hidden_ms: number }

interface DomesticRefundsTools {
  state: SimulatorState
  completion: RefundCompletion
  keys: WeChatKeys
  settings: SimulatorSettings
  now: () => number
}

/**
 * DomesticRefunds creates and queries refunds, and sends abnormal ones another way (docs/wechat-pay.md §2.4). Every
 * method throws CallRefusal.
 */
export class DomesticRefunds {
  readonly #tools: DomesticRefundsTools

  constructor(tools: DomesticRefundsTools) {
    this.#tools = tools
  }

  /** Accepts a refund, or answers the one that this number already is, as it stands now. */
  create(merchant: Merchant, bytes: Buffer): CallOutcome {
    const { state, settings } = this.#tools
    const body = readBody(bytes, refundBody, settings.null_fields)
    const payment = this.#paymentOf(merchant, body)
    const known = state.findRefund(merchant.mchid, body.out_refund_no)
    if (known !== null) {
      assertSameRefund(known, payment, body, settings.refund_reentry)
      return refundOutcome(known)
    }
    assertAmounts(body.amount, payment)
    this.#assertRefundable(payment, body.amount.refund)
    this.#assertSpacing(payment)
    const refund = this.#newRefund(payment, {
      out_refund_no: body.out_refund_no,
      source: 'api',
      refund: body.amount.refund,
      reason: body.reason ?? null,
      notify_url: body.notify_url ?? null,
      parameters: canonicalText(body),
    })
    if (body.funds_account !== undefined) refund.funds_account = body.funds_account
    if (body.amount.from !== undefined) refund.amount.from = body.amount.from
    this.#assertFunded(merchant, refund)
    return refundOutcome(this.#tools.completion.accept(refund, payment))
  }

  query(merchant: Merchant, out_refund_no: string, sight: RefundSight): CallOutcome {
    assertPathNumber('out_refund_no', out_refund_no)
    const refund = this.#tools.state.findRefund(merchant.mchid, out_refund_no)
    const isHidden =
      refund !== null && sight.kind === 'lagging' && this.#tools.now() - refund.create_time < sight.hidden_ms
    if (refund === null || isHidden) throw new CallRefusal('RESOURCE_NOT_EXISTS', { message: '退款单不存在' })
    return refundOutcome(sight.kind === 'as_accepted' ? refundAsAccepted(refund) : refund)
  }

  /** Sends an abnormal refund another way. Its encrypted fields must open with the key that the header names. */
  applyAbnormal(merchant: Merchant, refund_id: string, call: ReceivedCall): CallOutcome {
    const { state, completion, settings } = this.#tools
    const body = readBody(call.body, abnormalRefundBody, settings.null_fields)
    const account = this.#accountIn(body, merchant, call)
    const refund = state.refunds.get(refund_id)
    if (refund?.mchid !== merchant.mchid) throw new CallRefusal('RESOURCE_NOT_EXISTS', { message: '退款单不存在' })
    if (refund.out_refund_no !== body.out_refund_no) throw mismatchRefusal()
    if (refund.status === 'PROCESSING' && refund.abnormal_type === body.type) return refundOutcome(refund)
    if (refund.status !== 'ABNORMAL') {
      throw new CallRefusal('INVALID_REQUEST', { message: '退款单状态不是退款异常，不能发起异常退款' })
    }
    const resumed = { ...refund, abnormal_type: body.type, channel: 'OTHER_BANKCARD' as const }
    return refundOutcome(completion.resume({ ...resumed, user_received_account: account }))
  }

  /**
   * Creates a refund as a person does in the merchant console: of all that is left unless asked, under a number made
   * here.
   */
  createFromConsole(merchant: Merchant, payment: Payment, asked: { refund?: number; reason?: string }): Refund {
    const refund = asked.refund ?? payment.total - refundedSum(this.#tools.state.refundsOfPayment(payment))
    this.#assertRefundable(payment, refund)
    const made = this.#newRefund(payment, {
      out_refund_no: `${merchant.mchid}${digitsOfDay(this.#tools.now())}${randomDigits(10)}`,
      source: 'console',
      refund,
      reason: asked.reason ?? null,
      notify_url: null,
      parameters: '',
    })
    this.#assertFunded(merchant, made)
    return this.#tools.completion.accept(made, payment)
  }

  /** The payment to refund; its own number wins over the order's. An unpaid order cannot be found here. */
  #paymentOf(merchant: Merchant, { transaction_id, out_trade_no }: RefundBody): Payment {
    if (transaction_id === undefined && out_trade_no === undefined) {
      throw ruleRefusal({ source: '/body', field: '/transaction_id', value: '', location: 'body' }, required_rule)
    }
    const { state, now } = this.#tools
    const id = transaction_id ?? state.findOrder(merchant.mchid, out_trade_no ?? '', now())?.transaction_id
    const payment = state.payments.get(id ?? '')
    if (payment?.mchid !== merchant.mchid) throw new CallRefusal('RESOURCE_NOT_EXISTS', { message: '订单不存在' })
    return payment
  }

  /** Asserts what holds of every refund, made by a call or in the console. */
  #assertRefundable(payment: Payment, refund: number): void {
    const { state, settings, now } = this.#tools
    const earlier = state.refundsOfPayment(payment)
    if (now() - payment.success_time > year_ms) {
      throw new CallRefusal(settings.refund_overdue, { message: '订单已经超过退款期限' })
    }
    if (refund <= 0 || refundedSum(earlier) + refund > payment.total) {
      throw new CallRefusal('INVALID_REQUEST', { message: '申请退款金额超过订单可退金额' })
    }
    if (earlier.length >= most_refunds) {
      throw new CallRefusal('INVALID_REQUEST', { message: '该订单的退款次数已达上限' })
    }
  }

  #assertSpacing(payment: Payment): void {
    const { state, settings, now } = this.#tools
    const latest = Math.max(0, ...state.refundsOfPayment(payment).map(({ create_time }) => create_time))
    if (now() - latest >= settings.refund_spacing_ms) return
    throw new CallRefusal(settings.refund_too_soon, { message: '申请退款过于频繁，同一订单的两次退款须间隔一分钟' })
  }

  #assertFunded({ balance }: Merchant, { amount }: Refund): void {
    if (balance !== null && balance < amount.settlement_refund) throw new CallRefusal('NOT_ENOUGH')
  }

  #newRefund(
    payment: Payment,
    asked: Pick<Refund, 'out_refund_no' | 'source' | 'reason' | 'notify_url' | 'parameters'> & { refund: number },
  ): Refund {
    const now = this.#tools.now()
    const { refund, ...named } = asked
    const { mchid, transaction_id, out_trade_no } = payment
    return {
      ...{ mchid, transaction_id, out_trade_no, ...named },
      ...refundAmounts(payment, this.#tools.state.refundsOfPayment(payment), refund),
      refund_id: `5030${randomDigits(7)}${digitsOfDay(now)}${randomDigits(10)}`,
      funds_account: 'AVAILABLE',
      channel: 'ORIGINAL',
      user_received_account: payment.bank_type === 'OTHERS' ? '支付用户零钱' : '招商银行信用卡0403',
      create_time: now,
      status: 'PROCESSING',
      success_time: null,
      finish_time: null,
      abnormal_type: null,
      history: [],
    }
  }

  /** The account an abnormal refund goes to, as answers name it: the bank, the kind of card, its last four digits. */
  #accountIn(body: AbnormalRefundBody, merchant: Merchant, call: ReceivedCall): string {
    const serial = call.headers['wechatpay-serial']
    const key = this.#tools.keys.decryptionKey(merchant, typeof serial === 'string' ? serial : '')
    if (key === null) throw new CallRefusal('PARAM_ERROR', { message: '平台证书序列号Wechatpay-Serial错误' })
    if (body.type === 'MERCHANT_BANK_CARD') return merchantAccounts.merchant_bank_account
    const decrypt = (field: 'bank_account' | 'real_name'): string => {
      const value = body[field]
      if (value === undefined) throw missingFieldRefusal(`/${field}`)
      try {
        if (bytesFromBase64(value) !== null) return decryptField(value, key)
      } catch (error) {
        if (!(error instanceof CipherError)) throw error
      }
      throw new CallRefusal('PARAM_ERROR', {
        message: '敏感字段解密失败',
        detail: { field: `/${field}`, location: 'body' },
      })
    }
    const bank = debitCards[body.bank_type ?? '']
    if (body.bank_type === undefined) throw missingFieldRefusal('/bank_type')
    if (bank === undefined) {
      const place = { source: '/body', field: '/bank_type', value: body.bank_type, location: 'body' } as const
      throw ruleRefusal(place, '枚举规则校验失败，取值不正确')
    }
    decrypt('real_name')
    const number = decrypt('bank_account')
    if (!/^\d{8,32}$/.test(number)) {
      const place = { source: '/body', field: '/bank_account', value: '', location: 'body' } as const
      throw ruleRefusal(place, format_rule)
    }
    return `${bank}借记卡${number.slice(-4)}`
  }
}

/** The banks whose debit cards can take an abnormal refund. */
const debitCards: Partial<Record<string, string>> = {
  CMB_DEBIT: '招商银行',
  COMM_DEBIT: '交通银行',
  ABC_DEBIT: '农业银行',
  CCB_DEBIT: '建设银行',
  ICBC_DEBIT: '工商银行',
  BOC_DEBIT: '中国银行',
  PAB_DEBIT: '平安银行',
  SPDB_DEBIT: '浦发银行',
  CITIC_DEBIT: '中信银行',
  CEB_DEBIT: '光大银行',
  CMBC_DEBIT: '民生银行',
  CIB_DEBIT: '兴业银行',
  GDB_DEBIT: '广发银行',
  PSBC_DEBIT: '邮储银行',
  NBCB_DEBIT: '宁波银行',
}

function refundOutcome(refund: Refund): CallOutcome {
  return { kind: 'answer', status: 200, body: refundResponse(refund) }
}

function mismatchRefusal(): CallRefusal {
  return new CallRefusal('INVALID_REQUEST', { message: '您的请求参数与订单信息不一致' })
}

function missingFieldRefusal(field: string): CallRefusal {
  return ruleRefusal({ source: '/body', field, value: '', location: 'body' }, required_rule)
}

/** Order and amounts of a number that is known must be what they were; how much else, the sources do not say. */
function assertSameRefund(
  known: Refund,
  payment: Payment,
  body: RefundBody,
  reentry: SimulatorSettings['refund_reentry'],
): void {
  if (known.transaction_id !== payment.transaction_id) throw mismatchRefusal()
  if (known.amount.refund !== body.amount.refund || known.amount.total !== body.amount.total) {
    throw new CallRefusal('INVALID_REQUEST', {
      message: '订单金额或退款金额与之前请求不一致，请核实后再试',
      number: 268498688,
    })
  }
  if (reentry === 'parameters' && known.parameters !== canonicalText(body)) {
    throw new CallRefusal('INVALID_REQUEST', { message: '请求重入时，参数与首次请求时不一致', number: 268498688 })
  }
}

/** The total must be the payment's, and the accounts to take from must give the refund. */
function assertAmounts({ refund, total, from }: RefundBody['amount'], payment: Payment): void {
  if (total !== payment.total) throw mismatchRefusal()
  if (from === undefined) return
  const sum = from.reduce((all, { amount }) => all + amount, 0)
  const accounts = new Set(from.map(({ account }) => account))
  if (sum === refund && accounts.size === from.length) return
  const place = { source: '/body', field: '/amount/from', value: from, location: 'body' } as const
  throw ruleRefusal(place, '规则校验失败，出资账户不能重复，出资金额之和须等于退款金额')
}

function digitsOfDay(ms: number): string {
  return beijingDay(ms).replaceAll('-', '')
}
