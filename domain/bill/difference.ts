import type { Actor } from '../actor.ts'
import { milliseconds } from '../calendar.ts'
import type { Time } from '../calendar.ts'
import { timelineFlaw } from '../flaw.ts'
import type { Flaw } from '../flaw.ts'

/**
 * What a bill and the records of its day can disagree on, said from the merchant's side: `…_here` is what WeChat has and
 * we do not (长款), `…_there` what we have and the bill does not (短款).
 */
export const difference_texts = {
  missing_here: 'WeChat has a payment that is not recorded here (长款)',
  missing_there: 'A payment of this day is recorded here and not in the bill (短款)',
  phantom_payment: 'A payment is recorded here that WeChat says was never made',
  amount: 'Bill and record name different amounts of a payment',
  state: 'Bill and record disagree on what became of a payment',
  number: 'Bill and record know one transaction under different numbers',
  refund_missing_here: 'WeChat has a refund that is not recorded here',
  refund_missing_there: 'A refund of this day is recorded here and not in the bill',
  refund_amount: 'Bill and record name different amounts of a refund',
  refund_state: 'Bill and record disagree on what became of a refund',
  refund_number: 'Bill and record know one refund under different numbers',
  duplicate: 'The bill names one payment or refund twice',
  fee: 'WeChat charged another fee than agreed',
  malformed: 'A line of the bill cannot be read',
} as const
export type DifferenceKind = keyof typeof difference_texts
export const difference_kinds = Object.keys(difference_texts) as DifferenceKind[]

/** `waiting`: one side may still come by itself, within days; `open`: a person has to look; the others are over. */
export const difference_states = ['waiting', 'open', 'healed', 'ignored'] as const
export type DifferenceState = (typeof difference_states)[number]

/** What happens to a difference; `vanished`: a later look at the day finds both sides agree. */
export const difference_events = ['found', 'overdue', 'vanished', 'returned', 'ignored', 'reopened'] as const
export type DifferenceEvent = (typeof difference_events)[number]

/** Where each event takes a difference. A pair that is not listed is illegal. */
const difference_edges: Record<DifferenceState, Partial<Record<DifferenceEvent, DifferenceState>>> = {
  waiting: { overdue: 'open', vanished: 'healed', ignored: 'ignored' },
  open: { vanished: 'healed', ignored: 'ignored' },
  healed: { returned: 'open' },
  // What was ignored was another disagreement, once its sides have changed.
  ignored: { reopened: 'open', returned: 'open' },
}

export interface DifferenceEntry {
  revision: number
  operation_id: string
  event: DifferenceEvent
  from: DifferenceState
  to: DifferenceState
  time: Time
  actor: Actor
  reason: string | null
}

/** What WeChat said when it was asked about a difference. */
export interface DifferenceAnswer {
  asked_time: Time
  /** trade_state or the refund's status; `unknown`: WeChat does not know the number */
  says: string
  /** the archived answer; null: it said nothing that is kept */
  evidence_id: string | null
}

/** DifferenceRecord is one disagreement between a bill and the records of its day. */
export interface DifferenceRecord {
  /** <mchid>/<bill_date>/<kind>/<subject>: the same disagreement is the same record at every look */
  _id: string
  /** dif_… */
  id: string
  mchid: string
  bill_date: string
  kind: DifferenceKind
  state: DifferenceState
  revision: number
  timeline: DifferenceEntry[]
  transaction_id: string | null
  out_trade_no: string | null
  refund_id: string | null
  out_refund_no: string | null
  /** fen that are at stake */
  amount: number
  /** names of what disagrees; of a malformed line the reason */
  fields: string[]
  /** both sides as they were at the last look; null: that side has nothing */
  bill: Record<string, unknown> | null
  weft: Record<string, unknown> | null
  /** when a person must have looked, or one side must have come */
  due_time: Time

  // Bookkeeping: set outside the revision; decides no edge.
  answer?: DifferenceAnswer
  /** evidence or a question was handed to a run of this payment or refund at this moment */
  handed_over_time?: Time
  /** the bill of another day in whose version the record's line was found */
  found_in?: { bill_date: string; version: number }
}

export interface DifferenceChange {
  entry: DifferenceEntry
  set: { state: DifferenceState }
  unset: readonly []
}

/** Something that happens to a difference. */
export interface DifferenceOccurrence {
  event: DifferenceEvent
  operation_id: string
  time: Time
  actor: Actor
  reason?: string | null
}

/** What `occurrence` does to `difference`; null: the table says that it is illegal. */
export function applyDifferenceEvent(
  difference: DifferenceRecord,
  { event, operation_id, time, actor, reason = null }: DifferenceOccurrence,
): DifferenceChange | null {
  const to = difference_edges[difference.state][event]
  if (to === undefined) return null
  const revision = difference.revision + 1
  const entry = { revision, operation_id, event, from: difference.state, to, time, actor, reason }
  return { entry, set: { state: to }, unset: [] }
}

/** The revision by which a difference came to the state it is in; 0: it began so. */
export function stateRevision({ timeline }: Pick<DifferenceRecord, 'timeline'>): number {
  return timeline.findLast(({ from, to }) => from !== to)?.revision ?? 0
}

/** Kinds in which the other side may still come by itself: a day cut, a snapshot, a notification that is late. */
const patient_kinds: readonly DifferenceKind[] = [
  'missing_here',
  'missing_there',
  'refund_missing_here',
  'refund_missing_there',
]

/** How a difference begins: what may heal waits, all else is for a person. */
export function firstDifferenceState(kind: DifferenceKind): DifferenceState {
  return patient_kinds.includes(kind) ? 'waiting' : 'open'
}

/** Whether the time in which a waiting difference may heal is over. */
export function isDifferenceOverdue({ state, due_time }: DifferenceRecord, now_ms: number): boolean {
  return state === 'waiting' && now_ms >= milliseconds(due_time)
}

const [known_states, known_events] = [new Set<string>(difference_states), new Set<string>(difference_events)]

/** Why this difference, as it was read back, cannot be worked with; null: it can. */
export function differenceFlaw(difference: DifferenceRecord): Flaw {
  return timelineFlaw(difference, known_states, known_events)
}
