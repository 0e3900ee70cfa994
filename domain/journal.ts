import type { Time } from './calendar.ts'
import { journalId } from './ids.ts'
import { assertFen } from './money.ts'
import type { PaymentRecord } from './payment.ts'

/** The book of money.md §1, as far as payments need it. Debit is positive. */
export type Account = 'wechat.pending' | 'suspense' | 'sales' | 'discount.nocash'

export interface Posting {
  account: Account
  /** the sub-key of the account: transaction_id or out_trade_no */
  key: string
  /** fen, debit positive, credit negative, never zero */
  amount: number
}

export interface JournalEntry {
  _id: string
  mchid: string
  kind: 'payment'
  /** WeChat's moment */
  occurred_time: Time
  /** ours */
  booked_time: Time
  out_trade_no: string | null
  out_refund_no: string | null
  postings: Posting[]
  evidence_id: string
  reverses: string | null
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
  const income: Account = payment.role === 'order' ? 'sales' : 'suspense'
  const income_key = income === 'sales' ? payment.out_trade_no : payment.transaction_id
  const postings: Posting[] = [
    { account: 'wechat.pending', key: payment.transaction_id, amount: payment.settled_total },
    { account: 'discount.nocash', key: payment.out_trade_no, amount: total - payment.settled_total },
    { account: income, key: income_key, amount: -total },
  ]
  const entry = postings.filter((posting) => posting.amount !== 0)
  assertBalanced(entry)
  return {
    _id: journalId.payment(payment.mchid, payment.transaction_id),
    mchid: payment.mchid,
    kind: 'payment',
    occurred_time: payment.success_time,
    booked_time,
    out_trade_no: payment.out_trade_no,
    out_refund_no: null,
    postings: entry,
    evidence_id: payment.evidence_id,
    reverses: null,
  }
}

/** Two entries say the same: then a second write of the first is done, otherwise it is an alarm (money.md). */
export function isSamePostings(left: readonly Posting[], right: readonly Posting[]): boolean {
  const canonical = (postings: readonly Posting[]) =>
    JSON.stringify(postings.map(({ account, key, amount }) => [account, key, amount]).sort())
  return canonical(left) === canonical(right)
}
