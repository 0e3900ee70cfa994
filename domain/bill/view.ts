import { weft_actor } from '../actor.ts'
import type { Actor } from '../actor.ts'
import type { Time } from '../calendar.ts'
import { outsideRefundNo } from '../ids.ts'
import type { FlowAccount } from '../merchant/bill.ts'
import { difference_texts } from './difference.ts'
import { flawView } from './flaw.ts'
import type { FlawView } from './flaw.ts'
import type {
  DifferenceDeed,
  DifferenceEvent,
  DifferenceKind,
  DifferenceRecord,
  DifferenceState,
} from './difference.ts'
import { accountsOfDay } from './reconciliation.ts'
import type {
  AccountBalance,
  ClassCounts,
  DayBook,
  DayChanges,
  DayFees,
  DaySums,
  ForeignSum,
  ReconciliationRecord,
  ReconciliationState,
  UnknownMovement,
} from './reconciliation.ts'

/** Events about a merchant's days and what they differ in. They belong to no order. */
export const bill_event_types = ['reconciliation.completed', 'difference.opened'] as const
export type BillEventType = (typeof bill_event_types)[number]

/** Fees of a day as merchants see them; null: the look did not count them, or nothing is agreed. */
export interface FeesView {
  charged: number
  returned: number
  expected: number | null
  match_count: number | null
  under: { count: number | null; sum: number }
  over: { count: number | null; sum: number }
  fractional_count: number | null
}

function feesView({ charged, returned, expected, ...fees }: DayFees): FeesView {
  return {
    ...{ charged, returned, expected },
    match_count: fees.match_count ?? null,
    under: { count: fees.under_count ?? null, sum: fees.under },
    over: { count: fees.over_count ?? null, sum: fees.over },
    fractional_count: fees.fractional_count ?? null,
  }
}

/** BookView is what the day's bills move in the book, by account in fen, debit positive. */
export interface BookView {
  /** null: they are being posted */
  post_time: Time | null
  sheet_count: number
  accounts: { account: string; amount: number }[]
}

function bookView({ post_time, sheet_count, accounts }: DayBook): BookView {
  return { post_time, sheet_count, accounts }
}

/** A day as merchants see it, in answers and in events. Amounts in fen, fees in 1/1000 fen. */
export interface ReconciliationView {
  object: 'reconciliation'
  bill_date: string
  state: ReconciliationState
  is_proven: boolean
  flaws: FlawView[]
  start_time: Time
  end_time: Time | null
  rows: ClassCounts | null
  records: ClassCounts | null
  wechat: DaySums | null
  weft: DaySums | null
  foreign: (DaySums & { groups: ForeignSum[] }) | null
  balance: AccountBalance | null
  /** the same of each account whose bill was compared; null: nothing moved on it */
  accounts: { account: FlowAccount; balance: AccountBalance | null }[]
  /** movements under words that Weft does not know, which stand on `other.<业务类型>` */
  unknown_movements: UnknownMovement[]
  fees: FeesView | null
  differences: Partial<Record<DifferenceKind, number>>
  healed_count: number
  untold_count: number
  changes: DayChanges[]
  book: BookView | null
}

/** `language` is the reader's; events, which have many readers, are in English. */
export function reconciliationView(day: ReconciliationRecord, language: 'en' | 'zh-CN' = 'en'): ReconciliationView {
  const { fees, bill_date, state, is_proven, flaws, start_time, end_time } = day
  const { rows, records, wechat, weft, foreign, balance, differences, healed_count, untold_count = 0 } = day
  return {
    object: 'reconciliation',
    ...{
      bill_date,
      state,
      is_proven,
      flaws: flaws.map((flaw) => flawView(flaw, language)),
      start_time,
      end_time,
      rows,
      records,
      wechat,
      weft,
      balance,
    },
    accounts: accountsOfDay(day),
    unknown_movements: day.unknown_movements ?? [],
    foreign: foreign && { ...foreign, groups: foreign.groups ?? [] },
    fees: fees && feesView(fees),
    ...{ differences, healed_count, untold_count },
    changes: day.changes ?? [],
    book: day.book ? bookView(day.book) : null,
  }
}

/** A difference as merchants see it, in answers and in events. */
export interface DifferenceView {
  object: 'difference'
  id: string
  bill_date: string
  kind: DifferenceKind
  what: string
  state: DifferenceState
  amount: number
  transaction_id: string | null
  out_trade_no: string | null
  refund_id: string | null
  out_refund_no: string | null
  fields: string[]
  bill: Record<string, unknown> | null
  weft: Record<string, unknown> | null
  answer: { asked_time: Time; says: string; evidence_id: string | null } | null
  due_time: Time
  owner: string | null
  note: string | null
  proposal: { actor: Actor; time: Time; reason: string; action: 'accept_wechat' | 'refund' } | null
  deed: DifferenceDeed | null
  timeline: { event: DifferenceEvent; time: Time; actor: Actor; reason: string | null }[]
  links: { day: string; line: string | null; order: string | null; refund: string | null; journal: string | null }
}

/** Numbers under which what a difference is about is recorded here; null: it is not. */
export interface LinkedNumbers {
  order: string | null
  refund: string | null
}

/** What a view of a difference needs beside its record; `evidenceId` makes the public id of archived evidence. */
export interface DifferenceSurroundings {
  evidenceId: (evidence_id: string) => string
  linked: LinkedNumbers
}

/** The orders that a difference can be about, by their numbers; and the refunds, the likeliest first. */
export function linkedNumbers({ out_trade_no, out_refund_no, refund_id, deed }: DifferenceRecord) {
  const refunds = [out_refund_no, refund_id && outsideRefundNo(refund_id), deed?.out_refund_no ?? null]
  return { order: out_trade_no, refunds: refunds.filter((number) => number !== null) }
}

function proposalView({
  actor,
  time,
  reason,
  action = 'accept_wechat',
}: NonNullable<DifferenceRecord['proposal']>): DifferenceView['proposal'] {
  return { actor, time, reason, action }
}

/** What happened to a difference. How each begins is no entry that is stored: a revision says how often one was moved since. */
export function shownTimeline({ found_time, timeline }: DifferenceRecord): DifferenceView['timeline'] {
  const found = { event: 'found', actor: weft_actor, reason: null } as const
  return [
    ...(found_time === undefined ? [] : [{ ...found, time: found_time }]),
    ...timeline.map(({ event, time, actor, reason }) => ({ event, time, actor, reason })),
  ]
}

export function differenceView(
  difference: DifferenceRecord,
  { evidenceId, linked }: DifferenceSurroundings,
): DifferenceView {
  const { id, bill_date, kind, state, amount, transaction_id, out_trade_no, refund_id, out_refund_no } = difference
  const { fields, bill, weft, answer, due_time, owner, note, proposal, deed } = difference
  const evidence_id = answer?.evidence_id ?? null
  return {
    object: 'difference',
    ...{ id, bill_date, kind, what: difference_texts[kind], state, amount },
    ...{ transaction_id, out_trade_no, refund_id, out_refund_no, fields, bill, weft },
    answer: answer
      ? {
          asked_time: answer.asked_time,
          says: answer.says,
          evidence_id: evidence_id === null ? null : evidenceId(evidence_id),
        }
      : null,
    due_time,
    owner: owner ?? null,
    note: note ?? null,
    proposal: proposal === undefined ? null : proposalView(proposal),
    deed: deed ?? null,
    timeline: shownTimeline(difference),
    links: {
      day: `/v1/reconciliations/${bill_date}`,
      line: typeof bill?.['line'] === 'number' ? `/v1/differences/${id}/line` : null,
      order: linked.order === null ? null : `/v1/orders/${encodeURIComponent(linked.order)}`,
      refund: linked.refund === null ? null : `/v1/refunds/${encodeURIComponent(linked.refund)}`,
      journal: out_trade_no === null ? null : `/v1/journal?out_trade_no=${encodeURIComponent(out_trade_no)}`,
    },
  }
}
