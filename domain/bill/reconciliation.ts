import { beijingDay, milliseconds } from '../calendar.ts'
import type { Time } from '../calendar.ts'
import { dayId } from '../ids.ts'
import type { VersionChanges } from './change.ts'
import type { DifferenceKind } from './difference.ts'
import { flawTexts } from './flaw.ts'
import type { KeptFlaw } from './flaw.ts'
import type { FlowAccount } from '../merchant/bill.ts'
import { accountOfBill, bill_types, common_bills, isFlowBill } from './row.ts'
import type { BillType, FlowBill, FlowRow } from './row.ts'

/** One merchant's Beijing day: `2026-11-22`. */
export interface DayKey {
  mchid: string
  bill_date: string
}

/** `waiting_for_bill`: WeChat has not made it yet; `balanced`: every row and record is accounted for. */
export const reconciliation_states = ['waiting_for_bill', 'running', 'balanced', 'different'] as const
export type ReconciliationState = (typeof reconciliation_states)[number]

/** A bill as it was fetched. The file itself lies in parts beside it, compressed. */
export interface BillRecord {
  /** <mchid>/<bill_date>/<type>/<version> */
  _id: string
  mchid: string
  bill_date: string
  type: BillType
  /** from 1; a file with another hash is the next one */
  version: number
  /** `none`: WeChat says that there was no trade */
  state: 'ready' | 'none'
  /** WeChat's word for the file, hex; null: none */
  hash_value: string | null
  /** of the uncompressed bytes, hex, as they are kept */
  plain_sha1: string | null
  byte_count: number
  part_count: number
  /** what its pieces are named by: <day>/<type>/<random> */
  parts_key: string
  fetch_time: Time
  /** a piece was gone or wrong when it was read; the file is to be fetched anew */
  damaged_time?: Time
  /** its file was dropped then, as the merchant wants it (`keep_days`); absent: it is here */
  dropped_time?: Time
  /** what it changed of the version before; absent: the first, or not compared yet */
  changes?: VersionChanges
}

/** In how many of its classes one side of a day's comparison fell. Each row, and each record, is in exactly one. */
export interface ClassCounts {
  all: number
  matched: number
  waiting: number
  different: number
  foreign: number
  malformed: number
}

/** Sums of one side, in fen. */
export interface DaySums {
  payment_count: number
  payment_amount: number
  refund_count: number
  refund_amount: number
}

/** What WeChat Pay settles of a day's trade bill, without other systems, in fen: 应结订单金额, and 退款金额 of refunds. */
export interface DaySettled {
  payment_amount: number
  refund_amount: number
}

/** Fees of a day's payments, in 1/1000 fen. */
export interface DayFees {
  charged: number
  returned: number
  /** null: no rate is known */
  expected: number | null
  under: number
  over: number

  // What days of earlier versions do not say.
  payment_count?: number
  match_count?: number
  under_count?: number
  over_count?: number
  /** fees that are not whole fen */
  fractional_count?: number
}

/** DayForeign is what other systems on this merchant number took and gave back, in fen. */
export interface DayForeign extends DaySums {
  /** by appid and shape of number, those of most money first; absent: of an earlier version */
  groups?: ForeignSum[]
}

/** ForeignSum is one of them: by appid, and the shape of its numbers (`A9-9` of `SHOP20261122-17`). */
export interface ForeignSum extends DaySums {
  appid: string
  pattern: string
  /** one of its numbers */
  example: string
}

/** groups of foreign lines that a day keeps; all are in its sums */
export const most_foreign_groups = 20

/** What an account held before and after a day's movements, in fen. */
export interface AccountBalance {
  opening: number
  closing: number
}

/**
 * When the money of a merchant's payments is on its fund flow: on the day of the payment, as WeChat Pay books it at once,
 * or on a later one.
 */
export type Booking = 'same_day' | 'later'

/** UnknownMovement is what a day has of one 业务类型 that no rule knows, in fen. */
export interface UnknownMovement {
  account: FlowAccount
  type: string
  direction: FlowRow['direction']
  count: number
  amount: number
}

/** DayBook is what the day's bills say in the book. */
export interface DayBook {
  /** null: they are being posted */
  post_time: Time | null
  sheet_count: number
  /** what the sheets come to by account, in fen; they sum to zero */
  accounts: { account: string; amount: number }[]
  /** why records, book and bills do not agree */
  flaws: KeptFlaw[]
}

/** DayChanges is how many lines of a bill, in the version that a look has read, are otherwise than in the one before. */
export interface DayChanges {
  type: BillType
  version: number
  added: number
  removed: number
  changed: number
}

/** ReconciliationRecord is a day of a merchant as it was last proven, or why it is not. */
export interface ReconciliationRecord {
  /** <mchid>/<bill_date> */
  _id: string
  mchid: string
  bill_date: string
  state: ReconciliationState
  /** how often the day was begun: a look that a newer one overtook writes nothing */
  run: number
  /** the workflow run that makes the look: its first step, repeated, begins nothing anew */
  look: string
  start_time: Time
  end_time: Time | null
  /** the bills that the look fetches and compares; absent: those that every day has */
  bills?: BillType[]
  /** the versions of the bills that were read */
  versions: Partial<Record<BillType, number>>
  rows: ClassCounts | null
  records: ClassCounts | null
  wechat: DaySums | null
  weft: DaySums | null
  /** absent: of an earlier version */
  settled?: DaySettled
  /** of the basic account, in fen: before and after the day's movements; null: the day has none */
  balance: AccountBalance | null
  /** the same of the merchant's other accounts, by their bill; absent: none of them was fetched */
  balances?: Partial<Record<FlowBill, AccountBalance | null>>
  /** how its payments were booked; absent or null: the day does not show it */
  booking?: Booking | null
  /** some payment or refund of the trade bill has no movement of its amount, or the reverse */
  is_uneven?: boolean
  /** movements under words that no rule knows; absent: none, or of an earlier version */
  unknown_movements?: UnknownMovement[]
  fees: DayFees | null
  /** what other systems on this merchant number took and gave back */
  foreign: DayForeign | null
  differences: Partial<Record<DifferenceKind, number>>
  healed_count: number
  is_proven: boolean
  /** why it is not proven */
  flaws: KeptFlaw[]
  /** absent: the day was last looked at before bills were posted */
  book?: DayBook | null
  /** lines that the versions which were read have otherwise than those before them; absent: of an earlier version */
  changes?: DayChanges[]
  /** of its open differences, so many were told by the day's own event alone; absent: none */
  untold_count?: number
  /** the result that merchants were told last; absent: none */
  told?: { number: number; digest: string; time: Time }

  // Bookkeeping: how often differences of it were moved outside its look, and whether it was not counted anew since.
  moved?: number
  is_moved?: boolean
}

/** The bills that a look at a day fetches and compares. */
export function billsOfDay({ bills }: Pick<ReconciliationRecord, 'bills'>): readonly BillType[] {
  return bills ?? common_bills
}

export function flowsOfDay(day: Pick<ReconciliationRecord, 'bills'>): FlowBill[] {
  return billsOfDay(day).filter(isFlowBill)
}

/** What an account held around a day; null: the day has no movement of it, or its bill was not read. */
export function balanceOf(
  { balance, balances }: Pick<ReconciliationRecord, 'balance' | 'balances'>,
  type: FlowBill,
): AccountBalance | null {
  return type === 'fundflow' ? balance : (balances?.[type] ?? null)
}

/** What each account whose bill was compared held around a day. */
export function accountsOfDay(
  day: Pick<ReconciliationRecord, 'balance' | 'balances' | 'versions'>,
): { account: FlowAccount; balance: AccountBalance | null }[] {
  const compared = bill_types.filter(isFlowBill).filter((type) => day.versions[type] !== undefined)
  return compared.map((type) => ({ account: accountOfBill(type), balance: balanceOf(day, type) }))
}

/**
 * The bills of a day's next look: those that every day has, those of the accounts that are wanted, and those that an
 * earlier look has compared. What stands of an account in the book is proven for ever.
 */
export function billsToCompare(
  wanted: readonly BillType[],
  before: Pick<ReconciliationRecord, 'versions'> | null,
): BillType[] {
  const known: readonly BillType[] = [...common_bills, ...wanted]
  return bill_types.filter((type) => known.includes(type) || before?.versions[type] !== undefined)
}

/** What a day's differences come to. */
export interface DifferenceTally {
  /** those of each kind that stand in the way of its proof */
  kinds: Partial<Record<DifferenceKind, number>>
  unsettled: number
  healed: number
  /** open ones that no event of their own has told */
  untold: number
}

/** A look has begun and not ended: what it finds is still to come. */
export function isLookedAt({ state }: Pick<ReconciliationRecord, 'state'>): boolean {
  return state === 'waiting_for_bill' || state === 'running'
}

/** What a day comes to by what is left of its differences. */
export function dayOutcome(tally: DifferenceTally, flaws: readonly KeptFlaw[]) {
  const is_proven = flaws.length === 0 && tally.unsettled === 0
  const state: ReconciliationState = is_proven ? 'balanced' : 'different'
  return {
    state,
    is_proven,
    differences: tally.kinds,
    healed_count: tally.healed,
    untold_count: tally.untold,
    flaws: [...flaws],
  }
}

/** What of a day is its result: told anew where one of it has changed, and not for another look that found the same. */
const result_fields = [
  ...(['state', 'is_proven', 'flaws', 'versions', 'rows', 'records', 'wechat', 'weft'] as const),
  ...(['balance', 'fees', 'foreign', 'differences'] as const),
] as const

/** The result as text that is the same for the same result, whatever database it was read from. */
export function resultText(day: Pick<ReconciliationRecord, (typeof result_fields)[number] | 'balances'>): string {
  // A flaw is what it says: a day of an earlier version, which kept sentences, has the same result.
  const told = { ...day, flaws: flawTexts(day.flaws) }
  const values = result_fields.map((field) => sortedByName(told[field]))
  // What days of before did not have leaves the text of theirs as it was.
  return JSON.stringify(day.balances === undefined ? values : [...values, sortedByName(day.balances)])
}

function sortedByName(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value ?? null
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined)
  return entries.sort(([one], [other]) => (one < other ? -1 : 1)).map(([name, inner]) => [name, sortedByName(inner)])
}

/** Throws when a side's classes do not come to all of it: then a row or record was lost or counted twice. */
export function assertClassified(side: string, counts: ClassCounts): void {
  const { all, matched, waiting, different, foreign, malformed } = counts
  const sum = matched + waiting + different + foreign + malformed
  if (sum !== all) throw new RangeError(`of ${all} ${side} only ${sum} are in a class: ${JSON.stringify(counts)}`)
}

/** What decides when something happens to a day's bills and to what they differ in, in milliseconds (architecture §10). */
export interface BillPolicy {
  /** how often a bill that WeChat has not made yet is applied for */
  not_ready_ms: number
  /** WeChat has made all bills of a day so long after its end: 10:00 */
  made_ms: number
  /** a bill is late so long after the end of its day: 15:00 */
  late_ms: number
  /** what one side lacks may still come for so long */
  patience_ms: number
  /** how long a day waits for what it handed to the runs of orders and refunds, and how often it looks */
  healing_ms: number
  look_ms: number
}

const minute = 60_000
const hour = 60 * minute

export const default_bill_policy: BillPolicy = {
  not_ready_ms: 10 * minute,
  made_ms: 10 * hour,
  late_ms: 15 * hour,
  patience_ms: 3 * 24 * hour,
  healing_ms: 2 * minute,
  look_ms: 2_000,
}

/** The same, `scale` times faster: for demonstrations and tests. The calendar stays: a day is late when it is. */
export function scaledBillPolicy(plan: BillPolicy, scale: number): BillPolicy {
  const shrink = (ms: number) => Math.max(1, Math.round(ms / scale))
  const { not_ready_ms, healing_ms, look_ms } = plan
  return { ...plan, not_ready_ms: shrink(not_ready_ms), healing_ms: shrink(healing_ms), look_ms: shrink(look_ms) }
}

/** WeChat makes bills of the last three months; we ask for none that it has thrown away. */
export const bill_days_kept = 90
/** Whether WeChat has thrown away its bills of a day by now. */
export function isBillGone(bill_date: string, now_ms: number): boolean {
  return now_ms - dayRange(bill_date).from_ms >= (bill_days_kept + 1) * day_ms
}

/** so many days before its bills are gone a person is told of a day that is not proven */
const expiry_notice_days = 14

/** The days whose bills WeChat throws away next, the oldest first: within two weeks. */
export function expiringDays(now_ms: number): string[] {
  return Array.from({ length: expiry_notice_days }, (_, index) =>
    beijingDay(now_ms - (bill_days_kept - index) * day_ms),
  )
}

/** The oldest day of which WeChat still has bills. */
export function oldestBillDay(now_ms: number): string {
  return beijingDay(now_ms - bill_days_kept * day_ms)
}

/** questions to WeChat about one merchant's day; more missing than that is another fault than missing payments */
export const most_questions = 1_000

export const bill_date_pattern = /^\d{4}-\d{2}-\d{2}$/

const day_ms = 24 * hour

/** From 00:00 to 24:00 Beijing, in Unix ms. Throws for what is no day. */
export function dayRange(bill_date: string): { from_ms: number; to_ms: number } {
  const from_ms = milliseconds(`${bill_date}T00:00:00+08:00`)
  return { from_ms, to_ms: from_ms + day_ms }
}

/** The record of a day that is begun. */
export function newReconciliation(
  { mchid, bill_date }: DayKey,
  start_time: Time,
  look: string,
  bills: readonly BillType[] = common_bills,
): ReconciliationRecord {
  return {
    _id: dayId({ mchid, bill_date }),
    mchid,
    bill_date,
    state: 'waiting_for_bill',
    run: 1,
    look,
    start_time,
    end_time: null,
    bills: [...bills],
    versions: {},
    rows: null,
    records: null,
    wechat: null,
    weft: null,
    balance: null,
    fees: null,
    foreign: null,
    differences: {},
    healed_count: 0,
    is_proven: false,
    flaws: [],
  }
}
