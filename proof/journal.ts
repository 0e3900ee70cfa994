import type { Time } from '../domain/calendar.ts'
import { causeId } from '../domain/ids.ts'
import {
  acceptanceEntry,
  cashPart,
  hasSamePostings,
  paymentEntry,
  refund_entries,
  refund_income_moves,
} from '../domain/journal.ts'
import type { Account, JournalEntry, Posting, PostedRefundEvent, RefundBooking } from '../domain/journal.ts'
import { isOrderResting } from '../domain/order/record.ts'
import { incomeOfMove } from '../domain/payment/record.ts'
import type { PaymentRecord } from '../domain/payment/record.ts'
import type { RefundRecord } from '../domain/refund/record.ts'
import { isFresh, isPlanned, latestTime, newFinding } from './finding.ts'
import type { Dossier, Finding, FindingSubject, ProofMoment } from './finding.ts'

/** An entry that the records call for, made by the same functions of domain/journal that post it. */
export interface ExpectedEntry {
  entry: JournalEntry
  /** Weft may be about to post it */
  under_way: boolean
}

/** What a dossier's entries come to, for the sum over a whole merchant. */
export interface JournalCheck {
  findings: Finding[]
  /** the postings that the records call for, less those that are still to be posted */
  expected: { booked_time: Time | null; postings: Posting[] }[]
}

/** Compares the journal under one number: each entry by itself, each entry with the records, each account's balance. */
export function journalFindings(dossier: Dossier, moment: ProofMoment): Finding[] {
  return checkJournal(dossier, moment).findings
}

export function checkJournal(dossier: Dossier, moment: ProofMoment): JournalCheck {
  const { standing, taken_back, findings } = standingEntries(dossier)
  const { expected, unusable } = expectedEntries(dossier, moment)
  const known = new Set(expected.map(({ entry }) => entry._id))
  const compared = expected.flatMap((one) => comparedEntryFindings(dossier, one, standing.get(one.entry._id)))
  const unexplained = [...standing].flatMap(([_id, entries]) =>
    known.has(_id) ? [] : entries.map((entry) => unexplainedFinding(dossier, entry, moment)),
  )
  const about_entries = [...findings, ...unusable, ...compared, ...unexplained]
  const is_writing = about_entries.some(({ under_way }) => under_way)
  const about_accounts = accountFindings(dossier, is_writing)
  const pending = unexplained.filter(({ under_way }) => under_way).map(({ _id }) => _id)
  return {
    findings: [...about_entries.map(withoutId), ...about_accounts],
    expected: [
      ...expected
        .filter(({ entry, under_way }) => standing.has(entry._id) || !under_way)
        .map(({ entry }) => ({
          booked_time: standing.get(entry._id)?.[0]?.booked_time ?? null,
          postings: entry.postings,
        })),
      ...dossier.entries.filter(({ _id }) => pending.includes(_id)),
      // They cancel each other, unless a moment lies between the two.
      ...taken_back,
    ],
  }
}

type EntryFinding = Finding & { _id?: string }

function withoutId({ _id: _, ...finding }: EntryFinding): Finding {
  return finding
}

// Each entry by itself.

/**
 * The entries that no reversal takes back, by cause, and apart from them those that one does, with their reversals, and
 * reversals that take nothing back. Finds entries that are wrong or reversed wrongly.
 */
export function standingEntries(dossier: Dossier): {
  standing: Map<string, JournalEntry[]>
  taken_back: JournalEntry[]
  astray: JournalEntry[]
  findings: Finding[]
} {
  const taken_back = dossier.entries.flatMap((reversal) => {
    const original = dossier.entries.find(({ _id }) => _id === reversal.reverses)
    const exact = original?.postings.map((posting) => ({ ...posting, amount: -posting.amount }))
    return original && exact && hasSamePostings(exact, reversal.postings) ? [original, reversal] : []
  })
  const left = dossier.entries.filter((entry) => !taken_back.includes(entry))
  const findings = left.flatMap((entry) => entryFindings(dossier, entry))
  const standing = new Map<string, JournalEntry[]>()
  const astray: JournalEntry[] = []
  for (const entry of left) {
    const cause = causeId(entry._id)
    if (entry.reverses === null) standing.set(cause, [...(standing.get(cause) ?? []), entry])
    else {
      astray.push(entry)
      const detail = `does not take back ${entry.reverses}`
      findings.push(newFinding(dossier, 'entry_differs', { ...entrySubject(entry), detail }))
    }
  }
  const doubled = [...standing.values()].flatMap((entries) => entries.slice(1))
  for (const entry of doubled) {
    const detail = `${entry._id} stands beside another entry of the same cause`
    findings.push(newFinding(dossier, 'entry_doubled', { ...entrySubject(entry), detail }))
  }
  return { standing, taken_back, astray, findings }
}

/** Checks an entry by itself: its postings sum to zero, and the merchant in its id is the merchant in its field. */
export function entryFindings(dossier: Pick<Dossier, 'mchid' | 'out_trade_no'>, entry: JournalEntry): Finding[] {
  const { _id, mchid, postings } = entry
  const sum = postings.reduce((total, { amount }) => total + amount, 0)
  const is_whole = postings.every(({ amount }) => Number.isSafeInteger(amount) && amount !== 0)
  const named = _id.replace(/^(rev:)+/, '').split(':')[1]
  const is_balanced = sum === 0 && is_whole && postings.length >= 2
  const detail = is_whole
    ? `${_id} sums to ${sum} fen over ${postings.length} postings`
    : `${_id} holds what is no amount`
  return [
    ...(is_balanced
      ? []
      : [newFinding(dossier, 'entry_unbalanced', { ...entrySubject(entry), amount: Math.abs(sum), detail })]),
    ...(named === mchid && mchid === dossier.mchid
      ? []
      : [
          newFinding(dossier, 'entry_foreign', {
            ...entrySubject(entry),
            detail: `${_id} lies in the book of ${mchid}`,
          }),
        ]),
  ]
}

/**
 * The numbers of an entry, and its fen. An entry names its transaction by the key of its postings: what WeChat holds, or
 * what lies in suspense.
 */
function entrySubject({ kind, out_refund_no, postings }: JournalEntry): FindingSubject & { amount: number } {
  const names_transaction = kind === 'payment' || kind === 'acceptance'
  const named = postings.find(({ account }) => account === 'wechat.pending' || account === 'suspense')
  const transaction_id = names_transaction ? named?.key : undefined
  const amount = postings.reduce((total, posting) => total + Math.max(0, posting.amount), 0)
  return { ...(transaction_id && { transaction_id }), ...(out_refund_no && { out_refund_no }), amount }
}

// Entries against records.

function comparedEntryFindings(
  dossier: Dossier,
  { entry, under_way }: ExpectedEntry,
  booked: readonly JournalEntry[] | undefined,
): EntryFinding[] {
  const [first] = booked ?? []
  if (first === undefined) {
    return [
      newFinding(dossier, 'entry_missing', { ...entrySubject(entry), detail: `${entry._id} is not booked`, under_way }),
    ]
  }
  if (isSameBooking(first, entry)) return []
  const amount = misplacedAmount(first.postings, entry.postings)
  const detail = `${first._id} is ${postingsText(first.postings)}, called for is ${postingsText(entry.postings)}`
  return [newFinding(dossier, 'entry_differs', { ...entrySubject(entry), amount, detail })]
}

/** Whether an entry that stands says what the records call for. */
export function isSameBooking(booked: JournalEntry, called_for: JournalEntry): boolean {
  return (
    hasSamePostings(booked.postings, called_for.postings) &&
    booked.kind === called_for.kind &&
    booked.out_trade_no === called_for.out_trade_no &&
    booked.out_refund_no === called_for.out_refund_no
  )
}

export function postingsText(postings: readonly Posting[]): string {
  return postings.map(({ account, key, amount }) => `${account}/${key} ${amount}`).join(', ')
}

/** Fen on one account that belong on another. */
function misplacedAmount(left: readonly Posting[], right: readonly Posting[]): number {
  const sums = balancesByAccount([...left, ...right.map((posting) => ({ ...posting, amount: -posting.amount }))])
  const amounts = [...sums.values()]
  const debit = amounts.reduce((total, amount) => total + Math.max(0, amount), 0)
  const credit = amounts.reduce((total, amount) => total + Math.max(0, -amount), 0)
  return Math.max(debit, credit)
}

function unexplainedFinding(
  dossier: Dossier,
  entry: JournalEntry,
  moment: ProofMoment,
): EntryFinding & { _id: string } {
  const about = { ...entrySubject(entry), detail: `${entry._id}: ${postingsText(entry.postings)}` }
  // The payment says first that it was never made; then its entries are taken back.
  const denied = dossier.payments.find(
    ({ denial, transaction_id }) => denial && transaction_id === about.transaction_id,
  )
  const under_way = isFresh(entry.booked_time, moment) || isFresh(denied?.denial?.time ?? null, moment)
  return { ...newFinding(dossier, 'entry_unexplained', { ...about, under_way }), _id: entry._id }
}

/** All that the records call for. Amounts that cannot be posted at all are findings themselves. */
export function expectedEntries(
  dossier: Dossier,
  moment: ProofMoment,
): { expected: ExpectedEntry[]; unusable: Finding[] } {
  const expected: ExpectedEntry[] = []
  const unusable: Finding[] = []
  const expect = (about: FindingSubject & { amount: number }, make: () => ExpectedEntry[]) => {
    try {
      expected.push(...make())
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      unusable.push(newFinding(dossier, 'amount_unusable', { ...about, detail: error.message }))
    }
  }
  for (const payment of dossier.payments) {
    const { transaction_id, amount } = payment
    expect({ transaction_id, amount: amount.total }, () => expectedPaymentEntries(dossier, payment, moment))
  }
  for (const refund of dossier.refunds) {
    const { transaction_id, out_refund_no, amount } = refund
    const payment = dossier.payments.find((one) => one.transaction_id === transaction_id)
    const about = { transaction_id, out_refund_no, amount: amount.refund }
    expect(about, () => expectedRefundEntries(refund, payment ?? null, moment))
  }
  return { expected, unusable }
}

function expectedPaymentEntries(dossier: Dossier, payment: PaymentRecord, moment: ProofMoment): ExpectedEntry[] {
  const { order } = dossier
  if (payment.denial !== undefined) return [] // it was never made, and what was booked of it is taken back
  const newest = dossier.evidence.reduce<Time | null>(
    (latest, { receive_time }) => (latest === null || receive_time > latest ? receive_time : latest),
    null,
  )
  // The entry is written between the payment and the order: an order that knows the payment has its entry.
  const is_open = order !== null && !isOrderResting(order.state) && order.payment === null
  const under_way = isFresh(newest, moment) || (is_open && isPlanned(order.next_action, moment))
  const entry = paymentEntry(payment, payment.success_time)
  return [{ entry, under_way }, ...expectedAcceptance(dossier, payment, moment)]
}

/** The moment at which a person accepted money that nobody had asked for; null: nobody has. */
function acceptanceTime({ order }: Dossier, payment: PaymentRecord): Time | null {
  const { transaction_id, role } = payment
  if (role === 'order' || order === null) return null
  const is_own = order.payment?.transaction_id === transaction_id
  const accepted = order.timeline.find(
    (entry) =>
      (is_own && entry.event === 'accepted') ||
      (entry.event === 'second_accepted' && entry.transaction_id === transaction_id),
  )
  return accepted?.time ?? null
}

/** The payment says how much was left to be accepted; whether that was right shows when suspense is zero after it. */
function expectedAcceptance(dossier: Dossier, payment: PaymentRecord, moment: ProofMoment): ExpectedEntry[] {
  const time = acceptanceTime(dossier, payment)
  if (time === null) return []
  const amount = payment.acceptance?.amount ?? -suspenseBalance(dossier, payment)
  if (amount <= 0) return []
  const entry = acceptanceEntry(payment, amount, { occurred_time: time, booked_time: time })
  return [{ entry, under_way: isFresh(time, moment) }]
}

function expectedRefundEntries(
  refund: RefundRecord,
  payment: PaymentRecord | null,
  moment: ProofMoment,
): ExpectedEntry[] {
  const { facts, state, amount } = refund
  const timeOf = (event: PostedRefundEvent) => refund.timeline.findLast((entry) => entry.event === event)?.time
  const stepOf = (event: PostedRefundEvent): RefundBooking => {
    const time = timeOf(event) ?? latestTime(refund)
    return {
      occurred_time: time,
      booked_time: time,
      income: payment === null ? 'sales' : incomeOfMove(payment, refund.out_refund_no, refund_income_moves[event]),
      settlement_refund: facts?.settlement_refund ?? amount.refund,
      refund_id: facts?.refund_id ?? '',
      evidence_id: '',
    }
  }
  const made: ExpectedEntry[] = []
  const expect = (event: PostedRefundEvent, entry: JournalEntry | null) => {
    if (entry === null) return // it moves no money
    // A step that was interrupted is done again by whoever carries the refund, unless it now only waits for WeChat.
    const is_writing = refund.next_action?.what === 'tell_order' && isPlanned(refund.next_action, moment)
    made.push({ entry, under_way: isFresh(timeOf(event) ?? null, moment) || is_writing })
  }
  if (facts !== null) expect('accepted', refund_entries.accepted(refund, stepOf('accepted')))
  if (facts !== null && (state === 'succeeded' || state === 'closed' || state === 'returned_to_merchant'))
    expect(state, refund_entries[state](refund, stepOf(state)))
  if (refund.payout !== null) expect('paid_out', expectedPayout(refund, stepOf('paid_out'), payment))
  return made
}

/** A payout by hand: of what WeChat returned to the merchant, or of what it never paid out. */
function expectedPayout(refund: RefundRecord, step: RefundBooking, payment: PaymentRecord | null): JournalEntry | null {
  const settlement_refund =
    refund.facts === null && payment ? cashPart(payment, refund.amount.refund) : step.settlement_refund
  return refund_entries.paid_out(refund, { ...step, settlement_refund })
}

// Balances.

function balancesByAccount(postings: readonly Posting[]): Map<string, number> {
  const balances = new Map<string, number>()
  for (const { account, key, amount } of postings) {
    const name = `${account}/${key}`
    balances.set(name, (balances.get(name) ?? 0) + amount)
  }
  return balances
}

function accountBalance(dossier: Dossier, account: Account, key: string): number {
  const postings = dossier.entries.flatMap((entry) => entry.postings)
  return postings
    .filter((posting) => posting.account === account && posting.key === key)
    .reduce((sum, { amount }) => sum + amount, 0)
}

function suspenseBalance(dossier: Dossier, { transaction_id }: PaymentRecord): number {
  return accountBalance(dossier, 'suspense', transaction_id)
}

/** Taken from the income and not given back to it: accepted and not closed, or settled outside WeChat. */
function isTakenFromIncome({ facts, state, payout }: RefundRecord): boolean {
  return payout !== null || (facts !== null && state !== 'closed')
}

/** The zero conditions of docs/money.md §1 that need no bill. `is_writing`: an entry of these is still to come. */
function accountFindings(dossier: Dossier, is_writing: boolean): Finding[] {
  return [
    ...incomeFindings(dossier, is_writing),
    ...dossier.payments.flatMap((payment) => suspenseFindings(dossier, payment, is_writing)),
    ...dossier.refunds.flatMap((refund) => payableFindings(dossier, refund, is_writing)),
  ]
}

function incomeFindings(dossier: Dossier, under_way: boolean): Finding[] {
  const { out_trade_no, payments, refunds } = dossier
  if (out_trade_no === null) return []
  const paid = payments.reduce((sum, { amount, denial }) => sum + (denial === undefined ? amount.total : 0), 0)
  const back = refunds.filter(isTakenFromIncome).reduce((sum, { amount }) => sum + amount.refund, 0)
  const suspended = payments.reduce((sum, payment) => sum + suspenseBalance(dossier, payment), 0)
  const income = 0 - accountBalance(dossier, 'sales', out_trade_no) - suspended
  const by = income - (paid - back)
  if (by === 0) return []
  const detail = `sales and suspense hold ${income} fen, ${paid} paid less ${back} given back are ${paid - back}`
  return [newFinding(dossier, 'income_differs', { amount: Math.abs(by), detail, under_way })]
}

function suspenseFindings(dossier: Dossier, payment: PaymentRecord, under_way: boolean): Finding[] {
  const { transaction_id, role } = payment
  const is_decided = role === 'order' || payment.denial !== undefined || acceptanceTime(dossier, payment) !== null
  const back = dossier.refunds
    .filter((refund) => refund.transaction_id === transaction_id && isTakenFromIncome(refund))
    .reduce((sum, { amount }) => sum + amount.refund, 0)
  const in_suspense = 0 - suspenseBalance(dossier, payment)
  const undecided = is_decided ? 0 : payment.amount.total - back
  if (in_suspense === undecided) return []
  const detail = `holds ${in_suspense} fen, ${undecided} of this ${role} payment are undecided`
  return [
    newFinding(dossier, 'suspense_open', {
      transaction_id,
      amount: Math.abs(in_suspense - undecided),
      detail,
      under_way,
    }),
  ]
}

function payableFindings(dossier: Dossier, refund: RefundRecord, under_way: boolean): Finding[] {
  const { out_refund_no, transaction_id, state, facts, payout, amount } = refund
  const is_owed = facts !== null && payout === null && state !== 'succeeded' && state !== 'closed'
  const owed = is_owed ? (facts.settlement_refund ?? amount.refund) : 0
  const payable = 0 - accountBalance(dossier, 'refund.payable', out_refund_no)
  if (payable === owed) return []
  const detail = `the book owes ${payable} fen, the refund is ${state} and owes ${owed}`
  const about = { transaction_id, out_refund_no, amount: Math.abs(payable - owed), detail }
  return [newFinding(dossier, 'payable_open', { ...about, under_way })]
}
