import type { Faults, RefundEndFault } from './faults.ts'
import type { Notifier } from './notifier.ts'
import type { Merchant, OutgoingNotification, Payment } from './records.ts'
import { isShownOnOrder, merchantAccounts, refundResource } from './refund.ts'
import type { Refund, RefundStatus } from './refund.ts'
import { ControlError } from './refusal.ts'
import type { SimulatorSettings } from './settings.ts'
import type { SimulatorState } from './state.ts'
import { Timers } from './timers.ts'

/** RefundEnd is how a refund comes to its end. */
interface RefundEnd {
  status: Exclude<RefundStatus, 'PROCESSING'>
  /** of a SUCCESS: who has the money now. The payer's account may be one that an abnormal refund named */
  received_by: 'payer' | keyof typeof merchantAccounts
  /** `lose`: the notification is made, and not sent by itself */
  notification: 'send' | 'lose'
}

/** The statuses that each status can end in (docs/wechat-pay.md §3.2). */
const allowed_ends: Record<RefundStatus, readonly RefundEnd['status'][]> = {
  PROCESSING: ['SUCCESS', 'CLOSED', 'ABNORMAL'],
  ABNORMAL: ['SUCCESS'],
  // The payer's bank sends it back.
  SUCCESS: ['ABNORMAL', 'CLOSED'],
  CLOSED: [],
}

interface RefundCompletionTools {
  state: SimulatorState
  notifier: Notifier
  faults: Faults
  settings: SimulatorSettings
  now: () => number
}

/**
 * RefundCompletion ends accepted refunds: by themselves at their finish_time, or by hand. The finish_time is kept in
 * the state, so a restart goes on where it was.
 */
export class RefundCompletion {
  readonly #tools: RefundCompletionTools
  readonly #timers: Timers

  constructor(tools: RefundCompletionTools) {
    this.#tools = tools
    this.#timers = new Timers(tools.now)
  }

  /** Takes up what was still under way when the simulator stopped. */
  start(): void {
    for (const refund of this.#tools.state.refunds.values()) this.#schedule(refund)
  }

  stop(): void {
    this.#timers.stop()
  }

  /** Ends all that is due by the clock, for clocks that skip. */
  runDue(): void {
    for (const refund of this.#tools.state.refunds.values()) this.#endWhenDue(refund)
  }

  /** Accepts a new refund: its amount leaves the balance, and its time begins to run. */
  accept(refund: Refund, payment: Payment): Refund {
    const { state } = this.#tools
    const finish_time = this.#finishTime(refund.mchid, this.#delayOf(payment))
    const accepted = { ...refund, finish_time, history: [{ time: refund.create_time, ...under_way }] }
    state.changeBalance(refund.mchid, -refund.amount.settlement_refund)
    state.keepRefund(accepted)
    this.#markOrderRefunded(accepted)
    this.#schedule(accepted)
    return accepted
  }

  /** Sends an abnormal refund another way. It goes to a card, so it takes the time of one. */
  resume(refund: Refund): Refund {
    const finish_time = this.#finishTime(refund.mchid, this.#tools.settings.refund_card_delay_ms)
    const history = [...refund.history, { time: this.#tools.now(), ...under_way }]
    const resumed: Refund = { ...refund, status: 'PROCESSING', finish_time, history }
    this.#tools.state.keepRefund(resumed)
    this.#schedule(resumed)
    return resumed
  }

  /** Ends a refund and notifies the merchant. Throws ControlError when its status cannot become `end.status`. */
  end(refund: Refund, end: RefundEnd): Refund {
    const { state, now } = this.#tools
    if (!allowed_ends[refund.status].includes(end.status)) {
      throw new ControlError(409, 'REFUND_STATE', `a refund that is ${refund.status} cannot become ${end.status}`)
    }
    const time = now()
    const returned = end.status === 'SUCCESS' && end.received_by === 'merchant_basic_account'
    const ended: Refund = {
      ...refund,
      history: [...refund.history, { time, status: end.status, returned }],
      status: end.status,
      finish_time: null,
      success_time: end.status === 'SUCCESS' ? time : null,
      ...(end.status === 'SUCCESS' && receiverFields(end.received_by)),
    }
    const isBack = end.status === 'CLOSED' || end.received_by === 'merchant_basic_account'
    if (isBack) state.changeBalance(refund.mchid, refund.amount.settlement_refund)
    state.keepRefund(ended)
    this.#markOrderRefunded(ended)
    this.#schedule(ended)
    this.notify(ended, ended.status, { lost: end.notification === 'lose' })
    return ended
  }

  /**
   * Sets how refunds of this merchant end. `held`: only by hand, those under way too; `automatic`: by themselves, and
   * the time of those under way begins anew.
   */
  setCompletion(merchant: Merchant, refund_completion: Merchant['refund_completion']): void {
    const { state } = this.#tools
    state.keepMerchant({ ...merchant, refund_completion })
    for (const refund of state.refunds.values()) {
      if (refund.mchid !== merchant.mchid || refund.status !== 'PROCESSING') continue
      const changed = { ...refund, finish_time: this.#finishTime(refund.mchid, this.#delayOnRelease(refund)) }
      state.keepRefund(changed)
      this.#schedule(changed)
    }
  }

  /** Returns where this refund is notified to; null when WeChat Pay sends nothing. */
  notifyUrl(refund: Refund): string | null {
    if (refund.notify_url !== null) return refund.notify_url
    const console_url = this.#tools.state.merchants.get(refund.mchid)?.refund_notify_url ?? null
    return refund.source === 'console' || this.#tools.settings.refund_without_url === 'v3' ? console_url : null
  }

  /** Sends a notification of the refund, saying `status`; null when there is nowhere to send it. */
  notify(refund: Refund, status: RefundStatus, options: Parameters<Notifier['send']>[1]): OutgoingNotification | null {
    const { state, notifier, now } = this.#tools
    const merchant = state.merchants.get(refund.mchid)
    const url = this.notifyUrl(refund)
    if (merchant === undefined || url === null) return null
    const { out_trade_no, transaction_id, out_refund_no } = refund
    const plaintext = JSON.stringify(refundResource(refund, status, now()))
    const event_type = `REFUND.${status}`
    return notifier.send({ merchant, event_type, plaintext, out_trade_no, transaction_id, out_refund_no, url }, options)
  }

  #endWhenDue(refund: Refund): void {
    if (refund.finish_time === null || refund.finish_time > this.#tools.now()) return
    const fault = this.#tools.faults.takeRefundEnd(refund.mchid, refund)
    this.end(refund, { notification: 'send', ...(fault === null ? regular_end : faulty_ends[fault]) })
  }

  #schedule({ refund_id, finish_time }: Refund): void {
    this.#timers.set(refund_id, finish_time, () => {
      const refund = this.#tools.state.refunds.get(refund_id)
      if (refund !== undefined) this.#endWhenDue(refund)
    })
  }

  #finishTime(mchid: string, delay_ms: number): number | null {
    const { state, settings, now } = this.#tools
    if (state.merchants.get(mchid)?.refund_completion === 'held') return null
    return now() + delay_ms / settings.time_scale
  }

  /** The delay of a refund under way: one that was sent another way goes to a card, whatever was paid with. */
  #delayOnRelease({ abnormal_type, transaction_id }: Refund): number {
    if (abnormal_type !== null) return this.#tools.settings.refund_card_delay_ms
    const payment = this.#tools.state.payments.get(transaction_id)
    return payment === undefined ? 0 : this.#delayOf(payment)
  }

  #delayOf(payment: Payment): number {
    const { refund_balance_delay_ms, refund_card_delay_ms } = this.#tools.settings
    return payment.bank_type === 'OTHERS' ? refund_balance_delay_ms : refund_card_delay_ms
  }

  #markOrderRefunded(refund: Refund): void {
    const { state, settings, now } = this.#tools
    const order = state.findOrder(refund.mchid, refund.out_trade_no, now())
    if (order?.transaction_id !== refund.transaction_id || !isShownOnOrder(refund, settings)) return
    if (order.trade_state !== 'REFUND') state.keepOrder({ ...order, trade_state: 'REFUND' })
  }
}

const under_way = { status: 'PROCESSING', returned: false } as const

const regular_end = { status: 'SUCCESS', received_by: 'payer' } as const

const faulty_ends: Record<RefundEndFault, Omit<RefundEnd, 'notification'>> = {
  ABNORMAL: { status: 'ABNORMAL', received_by: 'payer' },
  CLOSED: { status: 'CLOSED', received_by: 'payer' },
  RETURNED: { status: 'SUCCESS', received_by: 'merchant_basic_account' },
}

function receiverFields(
  receiver: RefundEnd['received_by'],
): Partial<Pick<Refund, 'channel' | 'user_received_account'>> {
  if (receiver === 'payer') return {}
  const channel = receiver === 'merchant_basic_account' ? 'OTHER_BALANCE' : 'OTHER_BANKCARD'
  return { channel, user_received_account: merchantAccounts[receiver] }
}
