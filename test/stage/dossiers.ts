import { wechat_actor } from '../../domain/actor.ts'
import {
  acceptanceEntry,
  isPostedRefundEvent,
  paymentEntry,
  refund_entries,
  refund_income_moves,
} from '../../domain/journal.ts'
import type { JournalEntry } from '../../domain/journal.ts'
import { applyOrderEvent } from '../../domain/order/change.ts'
import type { OrderOccurrence, OrderRecord } from '../../domain/order/record.ts'
import { incomeOfMove, movedElement } from '../../domain/payment/record.ts'
import type { PaymentRecord, PaymentRole, RefundElement } from '../../domain/payment/record.ts'
import { applyRefundEvent } from '../../domain/refund/change.ts'
import { isRefundResting } from '../../domain/refund/record.ts'
import type { RefundAtWeChat, RefundEvent, RefundOccurrence, RefundRecord } from '../../domain/refund/record.ts'
import type { Dossier } from '../../proof/finding.ts'
import type { WeChatRecords } from '../../proof/wechat.ts'
import { publicId } from '../../store/ids.ts'
import type { Store } from '../../store/store.ts'
import { at, evidenceSample, mchid, orderSample, paymentFound, paymentSample, placed } from '../store/samples.ts'

/** What each event of a refund says, in the order in which it comes. */
export type RefundTale = readonly Exclude<
  RefundEvent,
  'not_reserved' | 'approved' | 'rejected' | 'approval_expired' | 'resumed'
>[]

export interface RefundGiven {
  out_refund_no?: string
  transaction_id?: string
  amount?: number
  /** what leaves the account, when a coupon of the merchant's own paid a part */
  settlement?: number
  tale: RefundTale
}

const operator = { kind: 'operator', id: 'opr_1' } as const

/** Everything that Weft keeps of one number, made by the very rules that make it; consistent until a test breaks it. */
export class Story {
  readonly dossier: Dossier
  #time = 100

  constructor(out_trade_no = 'TEA-1') {
    const order = orderSample(out_trade_no)
    const nothing = { checkout: null, payments: [], refunds: [], entries: [], events: [], evidence: [] }
    const waiting = { open_deliveries: [], holds_sale: false }
    this.dossier = { mchid, out_trade_no, order, ...nothing, ...waiting }
  }

  get order(): OrderRecord {
    if (this.dossier.order === null) throw new Error('no order')
    return this.dossier.order
  }

  tell(...occurrences: OrderOccurrence[]): this {
    for (const occurrence of occurrences) {
      const change = applyOrderEvent(this.order, occurrence)
      if (change === null) throw new Error(`${occurrence.event} is illegal in ${this.order.state}`)
      const order: OrderRecord = {
        ...this.order,
        ...change.set,
        timeline: [...this.order.timeline, change.entry],
        revision: this.order.revision + 1,
      }
      for (const field of change.unset) delete order[field]
      this.dossier.order = order
      const { sequence, event_type } = change.entry
      if (event_type !== null) this.dossier.events.push({ sequence, type: event_type })
    }
    return this
  }

  /** Money of this role comes: the payment, its evidence and its entry; the order hears by `tell`. */
  money(transaction_id: string, role: PaymentRole, given: { total?: number; nocash?: number } = {}): PaymentRecord {
    const { total = 990, nocash = 0 } = given
    const { out_trade_no } = this.order
    const payment = paymentSample(transaction_id, {
      out_trade_no,
      order_id: this.order._id,
      role,
      evidence_id: `${mchid}/notification/${transaction_id}`,
      amount: { total, currency: 'CNY', payer_total: total - nocash },
      settled_total: total - nocash,
    })
    this.dossier.payments.push(payment)
    this.dossier.entries.push(paymentEntry(payment, at(20)))
    const { unapplied: _, ...evidence } = evidenceSample(transaction_id, {
      out_trade_no,
      transaction_id,
      outcome: 'applied',
      applied_to: this.order._id,
    })
    this.dossier.evidence.push(evidence)
    return payment
  }

  /** A person takes what nobody had asked for. */
  accept(transaction_id = 't1', amount = 990): this {
    const time = at(this.#time++)
    const cause = { operation_id: `review:${time}`, actor: operator, time, deadline_time: at(200_000) }
    this.tell({ event: 'accepted', ...cause })
    const payment = this.payment(transaction_id)
    payment.acceptance = { time, amount }
    this.dossier.entries.push(acceptanceEntry(payment, amount, { occurred_time: time, booked_time: time }))
    return this
  }

  payment(transaction_id: string): PaymentRecord {
    const payment = this.dossier.payments.find((one) => one.transaction_id === transaction_id)
    if (payment === undefined) throw new Error(`no payment ${transaction_id}`)
    return payment
  }

  /** A refund goes as far as its tale: the record, the payment's count of it and the book. */
  refund(given: RefundGiven): this {
    const { out_refund_no = 'R1', transaction_id = 't1', amount = 990, tale } = given
    const payment = this.payment(transaction_id)
    let element: RefundElement = { out_refund_no, amount, state: 'reserved' }
    const place = payment.refunds.push(element) - 1
    let refund = refundSample(out_refund_no, { ...payment, amount: { ...payment.amount, refund: amount } })
    for (const event of tale) {
      const time = at(this.#time++)
      const change = applyRefundEvent(refund, occurrenceOf(event, time, refund, given))
      if (change === null) throw new Error(`${event} is illegal in ${refund.state}`)
      refund = {
        ...refund,
        ...change.set,
        timeline: [...refund.timeline, change.entry],
        revision: refund.revision + 1,
      }
      for (const field of change.unset) delete refund[field]
      // Its order has heard of it; an abnormal one is asked about from then on.
      if (refund.next_action?.what === 'tell_order') {
        delete refund.next_action
        if (!isRefundResting(refund.state)) refund.next_action = { what: 'ask_wechat', time }
      }
      element = movedElement(payment, element, counted[event])
      payment.refunds[place] = element
      const entry = entryOf(event, refund, payment, time, given.settlement ?? amount)
      if (entry !== null) this.dossier.entries.push(entry)
    }
    this.dossier.refunds.push(refund)
    return this
  }

  /** WeChat's own book, as it agrees with these records. */
  truth(trade_state: 'NOTPAY' | 'SUCCESS' | 'REFUND' | 'CLOSED' = 'SUCCESS'): WeChatRecords {
    const { order, payments, refunds } = this.dossier
    return {
      order: order && { trade_state, amount: { total: order.amount.total } },
      payments: payments.map(({ transaction_id, amount, success_time }) => ({
        transaction_id,
        amount: { total: amount.total },
        success_time,
      })),
      refunds: refunds.flatMap(({ facts, out_refund_no, transaction_id, amount, state, create_time }) => {
        if (facts === null) return []
        const settlement_refund = facts.settlement_refund ?? amount.refund
        return {
          out_refund_no,
          transaction_id,
          refund_id: facts.refund_id,
          status: statuses[state] ?? 'PROCESSING',
          user_received_account: facts.user_received_account ?? '',
          amount: { refund: amount.refund, settlement_refund },
          create_time,
          success_time: facts.success_time,
        }
      }),
    }
  }

  /** Writes it all down, entries past the journal's own door. */
  async keep(store: Store, write: (collection: string, documents: object[]) => Promise<void>): Promise<void> {
    const { order, payments, refunds, entries, events, evidence, out_trade_no } = this.dossier
    if (order !== null) await store.orders.insert(order)
    for (const payment of payments) await store.payments.insert(payment)
    for (const refund of refunds) await store.refunds.insert(refund)
    for (const { sequence, type } of events) {
      const _id = `${mchid}/${out_trade_no}/${sequence}`
      const numbers = { _id, id: publicId('evt', _id), mchid, out_trade_no, sequence, type }
      await store.events.insert({ ...numbers, timestamp: at(1), body: '{}' })
    }
    for (const one of evidence) {
      await store.evidence.archive({ ...evidenceSample(one._id), ...one, out_trade_no })
    }
    const dated = entries.map((entry) => ({
      ...entry,
      occurred_time: new Date(entry.occurred_time),
      booked_time: new Date(entry.booked_time),
    }))
    if (dated.length > 0) await write('journal', dated)
  }
}

const counted: Record<RefundTale[number], RefundElement['state']> = {
  reserved: 'reserved',
  accepted: 'accepted',
  succeeded: 'succeeded',
  abnormal: 'accepted',
  closed: 'closed',
  refused: 'released',
  returned_to_merchant: 'accepted',
  paid_out: 'settled',
}

const statuses: Partial<Record<RefundRecord['state'], WeChatRecords['refunds'][number]['status']>> = {
  succeeded: 'SUCCESS',
  returned_to_merchant: 'SUCCESS',
  closed: 'CLOSED',
  abnormal: 'ABNORMAL',
}

export function refundSample(
  out_refund_no: string,
  payment: Pick<PaymentRecord, 'out_trade_no' | 'transaction_id' | 'order_id'> & { amount: RefundRecord['amount'] },
): RefundRecord {
  const { out_trade_no, transaction_id, order_id, amount } = payment
  return {
    _id: `${mchid}/${out_refund_no}`,
    mchid,
    out_refund_no,
    out_trade_no,
    transaction_id,
    order_id,
    state: 'created',
    revision: 0,
    timeline: [],
    origin: 'api',
    requested_by: { kind: 'merchant', id: 'key_1' },
    sent: null,
    notify_url: 'http://localhost/wechat/notify/1900000001',
    wechat_request: null,
    amount: { refund: amount.refund, total: amount.total, currency: 'CNY' },
    is_full: amount.refund === amount.total,
    reason: null,
    metadata: {},
    create_time: at(90),
    approval: null,
    facts: null,
    failure: null,
    close_reason: null,
    payout: null,
    submission: { attempts: 1, unanswered: false, last_attempt_time: at(91) },
    asked: { last_time: null },
  }
}

function occurrenceOf(
  event: RefundTale[number],
  time: string,
  refund: RefundRecord,
  { settlement, amount = 990 }: RefundGiven,
): RefundOccurrence {
  const cause = { operation_id: `${event}:${time}`, time, actor: wechat_actor }
  const { out_refund_no } = refund
  const facts: RefundAtWeChat = {
    refund_id: `w-${out_refund_no}`,
    channel: 'ORIGINAL',
    user_received_account: event === 'returned_to_merchant' ? '商户基本账户' : '支付用户零钱',
    accepted_time: time,
    success_time: event === 'succeeded' || event === 'returned_to_merchant' ? time : null,
    payer_refund: amount,
    settlement_refund: settlement ?? amount,
  }
  switch (event) {
    case 'reserved':
      return {
        event,
        amount: refund.amount,
        is_full: refund.is_full,
        wechat_request: { path: '/v3/refund/domestic/refunds', body: '{}' },
        approval_expire_time: null,
        ...cause,
      }
    case 'accepted':
      return { event, facts, next_query_time: time, ...cause }
    case 'refused':
      return { event, failure: { code: 'USER_ACCOUNT_ABNORMAL', message: '' }, ...cause }
    case 'paid_out':
      return { event, payout: { proof: 'slip 7', reason: '', by: operator, time }, ...cause }
    default:
      return { event, facts, ...cause }
  }
}

function entryOf(
  event: RefundTale[number],
  refund: RefundRecord,
  payment: PaymentRecord,
  time: string,
  settlement_refund: number,
): JournalEntry | null {
  if (!isPostedRefundEvent(event)) return null
  const step = { occurred_time: time, booked_time: time, settlement_refund, evidence_id: payment.evidence_id }
  const refund_id = refund.facts?.refund_id ?? '-'
  const income = incomeOfMove(payment, refund.out_refund_no, refund_income_moves[event])
  return refund_entries[event](refund, { ...step, income, refund_id })
}

/** An order of 990 fen, paid as it should be and fulfilled. */
export function fulfilledStory(out_trade_no = 'TEA-1', transaction_id = 't1', nocash = 0): Story {
  const story = new Story(out_trade_no).tell(placed())
  story.money(transaction_id, 'order', { nocash })
  const cause = { operation_id: 'automatic:1', time: at(21), actor: { kind: 'weft', id: null } as const }
  return story.tell(paymentFound(transaction_id), { event: 'fulfilled', ...cause })
}

/** An order whose whole payment went back. */
export function refundedStory(out_trade_no = 'TEA-1', nocash = 0): Story {
  const story = new Story(out_trade_no).tell(placed())
  story.money('t1', 'order', { nocash })
  const by = (operation_id: string) => ({ operation_id, time: at(80), actor: { kind: 'weft', id: null } as const })
  story.tell(paymentFound('t1'), { event: 'full_refund_requested', out_refund_no: 'R1', ...by('requested') })
  story.refund({ tale: ['reserved', 'accepted', 'succeeded'], settlement: 990 - nocash })
  return story.tell(
    { event: 'refund_changed', out_refund_no: 'R1', event_type: 'refund.succeeded', ...by('refund:R1:3') },
    { event: 'refunded', ...by('refunded') },
  )
}

/** Money that contradicts the order, 1,000 fen for 990, which a person has accepted. */
export function acceptedStory(out_trade_no = 'TEA-1'): Story {
  const story = new Story(out_trade_no).tell(placed())
  story.money('t1', 'contradicted', { total: 1000 })
  const found = paymentFound('t1')
  if (found.event !== 'payment_found') throw new Error('no payment')
  story.tell({ ...found, event: 'payment_contradicted', payment: { ...found.payment, role: 'contradicted' } })
  return story.accept('t1', 1000)
}

/** Nobody paid, and WeChat has closed it. */
export function closedStory(out_trade_no = 'TEA-1'): Story {
  const by = (operation_id: string, seconds: number) => ({
    operation_id,
    time: at(seconds),
    actor: { kind: 'weft', id: null } as const,
  })
  return new Story(out_trade_no).tell(
    placed(),
    { event: 'close_asked', close_reason: 'expired', ...by('expired', 1800) },
    { event: 'closed_at_wechat', ...by('closed_at_wechat', 1810) },
  )
}
