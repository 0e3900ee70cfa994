import type { Actor } from '../actor.ts'
import { beijingTime, milliseconds } from '../calendar.ts'
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
  duplicate: 'One bill, or the bills of two days, name one payment or refund twice',
  fee: 'WeChat charged another fee than agreed',
  malformed: 'A line of the bill cannot be read',
} as const
export type DifferenceKind = keyof typeof difference_texts
export const difference_kinds = Object.keys(difference_texts) as DifferenceKind[]

/**
 * `waiting`: one side may still come by itself, within days; `open`: a person has to look; `settling`: a person has
 * accepted WeChat's word, and it is being booked; the others are over.
 */
export const difference_states = ['waiting', 'open', 'settling', 'healed', 'ignored', 'settled'] as const
export type DifferenceState = (typeof difference_states)[number]

/** States in which a difference stands in the way of its day's proof. */
export const unsettled_states: readonly DifferenceState[] = ['waiting', 'open', 'settling']

/**
 * What happens to a difference; `vanished`: a later look at the day finds both sides agree; `proposed`: a second person
 * is wanted; `not_acceptable`: what WeChat says cannot be booked any more. `found` is how each begins: its record says
 * when (`found_time`), and no entry is stored.
 */
export const difference_events = [
  ...(['found', 'overdue', 'vanished', 'returned', 'ignored', 'reopened', 'check_asked'] as const),
  ...(['assigned', 'noted', 'proposed', 'accept_asked', 'accepted', 'not_acceptable', 'refund_asked'] as const),
] as const
export type DifferenceEvent = (typeof difference_events)[number]

/** Where each event takes a difference. A pair that is not listed is illegal. */
const difference_edges: Record<DifferenceState, Partial<Record<DifferenceEvent, DifferenceState>>> = {
  waiting: {
    ...{ overdue: 'open', vanished: 'healed', ignored: 'ignored' },
    ...{ assigned: 'waiting', noted: 'waiting', refund_asked: 'waiting', check_asked: 'waiting' },
  },
  open: {
    ...{ vanished: 'healed', ignored: 'ignored', proposed: 'open', accept_asked: 'settling' },
    ...{ assigned: 'open', noted: 'open', refund_asked: 'open', check_asked: 'open' },
  },
  settling: {
    ...{ accepted: 'settled', not_acceptable: 'open', vanished: 'healed' },
    ...{ assigned: 'settling', noted: 'settling', check_asked: 'settling' },
  },
  healed: { returned: 'open', assigned: 'healed', noted: 'healed' },
  // What was ignored was another disagreement, once its sides have changed.
  ignored: { reopened: 'open', returned: 'open', assigned: 'ignored', noted: 'ignored' },
  settled: { reopened: 'open', returned: 'open', vanished: 'healed', assigned: 'settled', noted: 'settled' },
}

/** The states that an event can find a difference in. */
export function statesBefore(event: DifferenceEvent): DifferenceState[] {
  return difference_states.filter((state) => difference_edges[state][event] !== undefined)
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
  /** when a look at its day found it first; absent: it was found by an earlier version of Weft */
  found_time?: Time
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
  /** the version of the trade bill that has the line; absent: none, or it was found by an earlier version of Weft */
  bill_version?: number
  /** when a person must have settled it; of what waits, when the other side must have come */
  due_time: Time
  /** who works on it, and what he noted; absent: nobody, nothing */
  owner?: string | null
  note?: string | null
  /** a person wants this done, and a second one has to; absent: nobody waits for one */
  proposal?: {
    actor: Actor
    time: Time
    reason: string
    /** absent: accept_wechat */ action?: 'accept_wechat' | 'refund'
    /** as `agreed`; absent: it was proposed in an earlier version of Weft */
    agreed?: string
  }
  /** what a person agreed to have booked last (`acceptedMatter`); absent: nothing, or in an earlier version of Weft */
  agreed?: string
  /** what a person had done about it last */
  deed?: DifferenceDeed

  // Bookkeeping: set outside the revision; decides no edge.
  /** a person wants WeChat to be asked, since when; absent: nobody does */
  check_time?: Time
  /** how merchants were told that it opened, and of which opening: by an event of its own, or by the day's count */
  told?: { revision: number; as: 'event' | 'count'; batch: string }
  answer?: DifferenceAnswer
  /** evidence or a question was handed to a run of this payment or refund at this moment */
  handed_over_time?: Time
  /** the bill of another day in whose version the record's line was found */
  found_in?: { bill_date: string; version: number }
}

/** What was done about a difference: the refund that was asked for, or the entries that were posted. */
export interface DifferenceDeed {
  action: 'refund' | 'accept_wechat'
  out_refund_no: string | null
  entry_ids: string[]
}

/** Fields of a difference that its events change. */
type WorkFields = Partial<Pick<DifferenceRecord, 'owner' | 'note' | 'proposal' | 'agreed' | 'deed' | 'answer'>>

export interface DifferenceChange {
  entry: DifferenceEntry
  set: { state: DifferenceState; due_time?: Time } & WorkFields
  unset: readonly 'proposal'[]
}

/** Something that happens to a difference, with what it changes beside the state. */
export interface DifferenceOccurrence extends WorkFields {
  event: DifferenceEvent
  operation_id: string
  time: Time
  actor: Actor
  reason?: string | null
}

/** entries of a timeline: people's notes end there */
export const most_difference_entries = 200
/** How many entries a timeline may have before one more of what people do; a question that a program repeats fills none. */
const most_entries_before: Partial<Record<DifferenceEvent, number>> = {
  ...{ assigned: most_difference_entries, noted: most_difference_entries, proposed: most_difference_entries },
  ...{ refund_asked: most_difference_entries, check_asked: most_difference_entries / 2 },
}

/** What `occurrence` does to `difference`; null: the table says that it is illegal. */
export function applyDifferenceEvent(
  difference: DifferenceRecord,
  { event, operation_id, time, actor, reason = null, ...fields }: DifferenceOccurrence,
): DifferenceChange | null {
  const { state, kind, amount, bill_date, timeline } = difference
  const to = difference_edges[state][event]
  if (to === undefined) return null
  if (timeline.length >= (most_entries_before[event] ?? Infinity)) return null
  const revision = difference.revision + 1
  const entry = { revision, operation_id, event, from: state, to, time, actor, reason }
  const due = to === 'open' && state !== 'open' ? { due_time: workDueTime({ kind, amount, bill_date }, time) } : {}
  // Who proposed before it was settled, healed or opened anew meant another matter.
  return { entry, set: { ...fields, state: to, ...due }, unset: to === state ? [] : ['proposal'] }
}

/** The revision at which a difference came to wait for a person; 0: it was found so. */
export function openingRevision({ timeline }: Pick<DifferenceRecord, 'timeline'>): number {
  return timeline.findLast(({ from, to }) => to === 'open' && from !== 'open')?.revision ?? 0
}

const hour = 60 * 60_000
const all_kinds: readonly DifferenceKind[] = difference_kinds

/** How soon a person must have settled an open difference, by its kind and by the fen at stake. The shortest counts. */
export const work_terms: readonly { within_ms: number; kinds: readonly DifferenceKind[]; amount_from: number }[] = [
  { within_ms: 24 * hour, kinds: ['phantom_payment'], amount_from: 0 },
  { within_ms: 24 * hour, kinds: all_kinds, amount_from: 1_000_000 },
  { within_ms: 48 * hour, kinds: ['missing_here', 'missing_there', 'amount', 'state', 'duplicate'], amount_from: 0 },
  { within_ms: 72 * hour, kinds: all_kinds, amount_from: 0 },
]
/** By its age: so long after its day WeChat still has the bill to look at. */
const last_look_ms = 80 * 24 * hour

/** When an open difference is due that opened at `time`: never after WeChat forgets its day, and never before `time`. */
export function workDueTime(
  { kind, amount, bill_date }: Pick<DifferenceRecord, 'kind' | 'amount' | 'bill_date'>,
  time: Time,
): Time {
  const from_ms = milliseconds(time)
  const terms = work_terms.filter(({ kinds, amount_from }) => kinds.includes(kind) && amount >= amount_from)
  const within_ms = Math.min(...terms.map((term) => term.within_ms))
  const last_ms = milliseconds(`${bill_date}T00:00:00+08:00`) + last_look_ms
  return beijingTime(Math.max(from_ms, Math.min(from_ms + within_ms, last_ms)))
}

/** Fen and number of what is unsettled, by how many days ago its day ended. */
export interface Exposure {
  /** from so many days on, to fewer than so many; null: without an end */
  days_from: number
  days_to: number | null
  count: number
  amount: number
}

const exposure_bounds = [0, 1, 3, 7, 30] as const

/** Unsettled differences of some days by age, youngest first; ages without any are there too. */
export function exposureByAge(
  days: readonly { bill_date: string; count: number; amount: number }[],
  now_ms: number,
): Exposure[] {
  const ages = exposure_bounds.map((days_from, at) => ({
    days_from,
    days_to: exposure_bounds[at + 1] ?? null,
    count: 0,
    amount: 0,
  }))
  for (const { bill_date, count, amount } of days) {
    const age = Math.floor((now_ms - milliseconds(`${bill_date}T00:00:00+08:00`)) / (24 * hour)) - 1
    const of_age = ages.findLast(({ days_from }) => age >= days_from) ?? ages[0]
    if (of_age === undefined) continue
    of_age.count += count
    of_age.amount += amount
  }
  return ages
}

/** The entry by which a difference came to the state it is in, whatever was noted of it since; undefined: it began so. */
export function stateEntry({ timeline }: Pick<DifferenceRecord, 'timeline'>): DifferenceEntry | undefined {
  return timeline.findLast(({ from, to }) => from !== to)
}

/** The revision of that entry; 0: it began so. */
export function stateRevision(difference: Pick<DifferenceRecord, 'timeline'>): number {
  return stateEntry(difference)?.revision ?? 0
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
