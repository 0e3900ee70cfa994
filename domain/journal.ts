import type { Time } from './calendar.ts'
import { journalId } from './ids.ts'
import { assertFen } from './money.ts'
import { incomeWhenFound } from './payment/record.ts'
import type { Income, IncomeMove, PaymentRecord } from './payment/record.ts'
import type { RefundEvent, RefundRecord } from './refund/record.ts'

/** The book of docs/money.md §1 but for the accounts of movements that Weft does not know. Debit is positive. */
export const journal_accounts = [
  'wechat.pending',
  'wechat.basic',
  'wechat.operation',
  'wechat.fees',
  'wechat.transfer',
  'wechat.refund_transit',
  'merchant.bank',
  'suspense',
  'refund.payable',
  'fee.clearing',
  'sales',
  'discount.nocash',
  'fee.expense',
  'foreign',
  'other.opening',
] as const
/** `other.<业务类型>`: WeChat's words for its movements are an open list, and none is left out of the book. */
export type Account = (typeof journal_accounts)[number] | `other.${string}`

export const entry_kinds = [
  'payment',
  'acceptance',
  'refund_accepted',
  'refund_succeeded',
  'refund_closed',
  'refund_returned',
  'payout',
  'bill_fees',
  'bill_flow',
  'opening',
] as const
export type EntryKind = (typeof entry_kinds)[number]

export interface Posting {
  account: Account
  /** the sub-key of the account: transaction_id, out_trade_no, out_refund_no, refund_id, or `-` where it has none */
  key: string
  /** fen, debit positive, credit negative, never zero */
  amount: number
}

export interface JournalEntry {
  _id: string
  mchid: string
  kind: EntryKind
  /** WeChat's moment */
  occurred_time: Time
  /** ours */
  booked_time: Time
  out_trade_no: string | null
  out_refund_no: string | null
  postings: Posting[]
  evidence_id: string
  /** the entry that this one takes back, by an exact reversal */
  reverses: string | null
  /** who corrected the book, and why; of corrections only */
  correction?: Correction
}

export interface Correction {
  by: string
  reason: string
}

/** Throws unless the postings are whole fen and sum to zero: an entry that does not is never written. */
export function assertBalanced(postings: readonly Posting[]): void {
  postings.forEach((posting) => assertFen(posting.amount))
  const sum = postings.reduce((total, posting) => total + posting.amount, 0)
  if (sum !== 0 || postings.length < 2) throw new RangeError(`postings do not balance: ${JSON.stringify(postings)}`)
}

/** The one booking of a payment, whatever its role (money.md §2): its id is the transaction's, so it happens once. */
export function paymentEntry(payment: PaymentRecord, booked_time: Time): JournalEntry {
  const { total } = payment.amount
  const income = incomeWhenFound(payment)
  const income_key = income === 'sales' ? payment.out_trade_no : payment.transaction_id
  const postings: Posting[] = [
    { account: 'wechat.pending', key: payment.transaction_id, amount: payment.settled_total },
    { account: 'discount.nocash', key: payment.out_trade_no, amount: total - payment.settled_total },
    { account: income, key: income_key, amount: -total },
  ]
  return balancedEntry({
    _id: journalId.payment(payment.mchid, payment.transaction_id),
    mchid: payment.mchid,
    kind: 'payment',
    occurred_time: payment.success_time,
    booked_time,
    out_trade_no: payment.out_trade_no,
    out_refund_no: null,
    postings,
    evidence_id: payment.evidence_id,
  })
}

/** What a refund's entries are made of. */
type BookedRefund = Pick<RefundRecord, 'mchid' | 'out_refund_no' | 'out_trade_no' | 'transaction_id' | 'amount'>

/** A refund's part of its payment, in fen: R what the payer is owed, Q what leaves the merchant's account. */
function refundParts({ amount }: BookedRefund, settlement_refund: number) {
  return { whole: amount.refund, cash: settlement_refund, coupons: amount.refund - settlement_refund }
}

/** A refund that WeChat never took: of free coupons it bears the payment's share, rounded in the payer's favour. In fen. */
export function cashPart(
  { amount, settled_total }: Pick<PaymentRecord, 'amount' | 'settled_total'>,
  refund: number,
): number {
  return Math.ceil((refund * settled_total) / amount.total)
}

function incomePosting(refund: BookedRefund, income: Income, amount: number): Posting {
  return { account: income, key: income === 'sales' ? refund.out_trade_no : refund.transaction_id, amount }
}

/** A person accepted money that nobody had asked for: what is left of it in suspense becomes a sale. */
export function acceptanceEntry(
  payment: PaymentRecord,
  amount: number,
  { occurred_time, booked_time }: EntryTimes,
): JournalEntry {
  return balancedEntry({
    _id: journalId.acceptance(payment.mchid, payment.transaction_id),
    kind: 'acceptance',
    mchid: payment.mchid,
    out_trade_no: payment.out_trade_no,
    out_refund_no: null,
    occurred_time,
    booked_time,
    evidence_id: payment.evidence_id,
    postings: [
      { account: 'suspense', key: payment.transaction_id, amount },
      { account: 'sales', key: payment.out_trade_no, amount: -amount },
    ],
  })
}

/** When something happened at WeChat, and when it is booked here. */
export interface EntryTimes {
  occurred_time: Time
  booked_time: Time
}

/** A refund as far as the book follows it, with Q and the evidence that says so. */
export interface RefundBooking extends EntryTimes {
  /** the account that the payment's money leaves, or comes back to */
  income: Income
  settlement_refund: number
  refund_id: string
  evidence_id: string
}

/** WeChat took the refund: the payer is owed, the income is gone (docs/money.md §2). */
export function refundAcceptedEntry(refund: BookedRefund, step: RefundBooking): JournalEntry {
  const { whole, cash, coupons } = refundParts(refund, step.settlement_refund)
  return refundEntry(refund, step, 'refund_accepted', 'accepted', [
    incomePosting(refund, step.income, whole),
    { account: 'refund.payable', key: refund.out_refund_no, amount: -cash },
    { account: 'discount.nocash', key: refund.out_trade_no, amount: -coupons },
  ])
}

/** The payer has it. Null: free coupons bore all of it, and no cash moved. */
export function refundSucceededEntry(refund: BookedRefund, step: RefundBooking): JournalEntry | null {
  const { cash } = refundParts(refund, step.settlement_refund)
  if (cash === 0) return null
  return refundEntry(refund, step, 'refund_succeeded', 'success', [
    { account: 'refund.payable', key: refund.out_refund_no, amount: cash },
    { account: 'wechat.refund_transit', key: step.refund_id, amount: -cash },
  ])
}

/** WeChat closed it: what its acceptance did is undone, and the income is where the payment's money stands now. */
export function refundClosedEntry(refund: BookedRefund, step: RefundBooking): JournalEntry {
  const { whole, cash, coupons } = refundParts(refund, step.settlement_refund)
  return refundEntry(refund, step, 'refund_closed', 'closed', [
    { account: 'refund.payable', key: refund.out_refund_no, amount: cash },
    { account: 'discount.nocash', key: refund.out_trade_no, amount: coupons },
    incomePosting(refund, step.income, -whole),
  ])
}

/** WeChat paid it to the merchant's own account: the payer is still owed. Null: no cash moved. */
export function refundReturnedEntry(refund: BookedRefund, step: RefundBooking): JournalEntry | null {
  const { cash } = refundParts(refund, step.settlement_refund)
  if (cash === 0) return null
  return refundEntry(refund, step, 'refund_returned', 'returned', [
    { account: 'merchant.bank', key: '-', amount: cash },
    { account: 'wechat.refund_transit', key: step.refund_id, amount: -cash },
  ])
}

/** Paid to the payer by hand, after WeChat had paid the merchant. Null: no cash moved. */
export function payoutEntry(refund: BookedRefund, step: RefundBooking): JournalEntry | null {
  const { cash } = refundParts(refund, step.settlement_refund)
  if (cash === 0) return null
  return refundEntry(refund, step, 'payout', null, [
    { account: 'refund.payable', key: refund.out_refund_no, amount: cash },
    { account: 'merchant.bank', key: '-', amount: -cash },
  ])
}

/** Paid to the payer by hand, since WeChat would not or closed it: the income is gone without WeChat. */
export function payoutWithoutWeChatEntry(refund: BookedRefund, step: RefundBooking): JournalEntry {
  const { whole, cash, coupons } = refundParts(refund, step.settlement_refund)
  return refundEntry(refund, step, 'payout', null, [
    incomePosting(refund, step.income, whole),
    { account: 'merchant.bank', key: '-', amount: -cash },
    { account: 'discount.nocash', key: refund.out_trade_no, amount: -coupons },
  ])
}

/**
 * The entry that each event of a refund makes in the book (docs/money.md §2); events that are not here move no money. Null:
 * this one moves none either, and an entry without postings is none.
 */
export const refund_entries = {
  accepted: refundAcceptedEntry,
  succeeded: refundSucceededEntry,
  closed: refundClosedEntry,
  returned_to_merchant: refundReturnedEntry,
  paid_out: (refund, step) =>
    (refund.state === 'returned_to_merchant' ? payoutEntry : payoutWithoutWeChatEntry)(refund, step),
} as const satisfies Partial<Record<RefundEvent, (refund: RefundRecord, step: RefundBooking) => JournalEntry | null>>

export type PostedRefundEvent = keyof typeof refund_entries

export function isPostedRefundEvent(event: RefundEvent): event is PostedRefundEvent {
  return event in refund_entries
}

/** What moves the payment's income; the other events only pass money between WeChat, payer and merchant. */
export const refund_income_moves: Partial<Record<RefundEvent, IncomeMove>> = {
  accepted: 'accepted',
  closed: 'closed',
  paid_out: 'settled',
}

function refundEntry(
  refund: BookedRefund,
  { occurred_time, booked_time, evidence_id }: RefundBooking,
  kind: EntryKind,
  step: 'accepted' | 'success' | 'closed' | 'returned' | null,
  postings: Posting[],
): JournalEntry {
  const { mchid, out_refund_no, out_trade_no } = refund
  const _id = step === null ? journalId.payout(mchid, out_refund_no) : journalId.refund(mchid, out_refund_no, step)
  return balancedEntry({
    _id,
    kind,
    mchid,
    out_trade_no,
    out_refund_no,
    occurred_time,
    booked_time,
    evidence_id,
    postings,
  })
}

/** The entry with its empty postings left out. Throws unless it balances. */
export function balancedEntry(entry: Omit<JournalEntry, 'reverses'>): JournalEntry {
  const postings = entry.postings.filter(({ amount }) => amount !== 0)
  assertBalanced(postings)
  return { ...entry, postings, reverses: null }
}

/** The exact reversal of an entry: what it posted is taken back (docs/money.md §2, correction). */
export function reversalEntry(original: JournalEntry, times: EntryTimes & { evidence_id: string }): JournalEntry {
  const { _id, postings } = original
  const reversed = postings.map((posting) => ({ ...posting, amount: -posting.amount }))
  return { ...original, ...times, _id: journalId.reversal(_id), postings: reversed, reverses: _id }
}

/** Two entries say the same: then a second write of the first is done, otherwise it is an alarm (money.md). */
export function hasSamePostings(left: readonly Posting[], right: readonly Posting[]): boolean {
  const canonical = (postings: readonly Posting[]) =>
    JSON.stringify(postings.map(({ account, key, amount }) => [account, key, amount]).sort())
  return canonical(left) === canonical(right)
}
