import { journalId, sheetPlace } from '../ids.ts'
import { balancedEntry } from '../journal.ts'
import type { Account, EntryKind, JournalEntry, Posting } from '../journal.ts'
import type { Time } from '../calendar.ts'
import type { BillRecord, DayKey } from './reconciliation.ts'
import { isFlowBill } from './row.ts'
import type { BillRow, BillType, FlowBill, FlowRow, TradeRow } from './row.ts'

/** So many rows of a bill are one entry of the book: one for each row would cost a write and an index for each. */
export const most_rows_of_sheet = 500

/** Where the money of each account at WeChat Pay stands in the book, by the bill that moves it; it has no sub-key. */
export const cash_accounts = {
  fundflow: 'wechat.basic',
  fundflow_operation: 'wechat.operation',
  fundflow_fees: 'wechat.fees',
} as const satisfies Record<FlowBill, Account>
export const no_key = '-'

/**
 * Whose money a row is about: Weft's, or that of another system on the same merchant number. `transfer`: the merchant's
 * own, on its way from one of its accounts to another.
 */
export type RowOwner = 'ours' | 'foreign' | 'transfer'

/** What a remark of the fund flow says of its own amount, in fen (wechat/statement/remark.ts). */
export interface NamedAmounts {
  total: number
  fee: number
}

const fee_units_per_fen = 1_000

/**
 * The fen of a fee that has 1/1000 fen, half up from zero as WeChat Pay rounds: it moves whole fen only. What it moves
 * otherwise stays open on `fee.clearing`, and is found there.
 */
export function wholeFee(fee: number): number {
  const fen = Math.floor((Math.abs(fee) + fee_units_per_fen / 2) / fee_units_per_fen)
  return fee < 0 ? 0 - fen : fen
}

/** A fee of the trade bill (docs/money.md §2): WeChat says it here, and moves it in the fund flow. Foreign ones are not ours. */
export function feePostings(row: TradeRow, owner: RowOwner): Posting[] {
  if (owner === 'foreign') return []
  const key = row.kind === 'refund' ? (row.refund_id ?? row.transaction_id) : row.transaction_id
  // Whether the fee that a refund gives back has a sign is not certain: a refund never takes one.
  const fee = row.kind === 'payment' ? wholeFee(row.fee) : 0 - Math.abs(wholeFee(row.fee))
  return withoutNothing([
    { account: 'fee.expense', key, amount: fee },
    { account: 'fee.clearing', key, amount: 0 - fee },
  ])
}

/** FlowRule says what a known movement of the account is the other side of. */
interface FlowRule {
  direction: FlowRow['direction'] | 'either'
  /** what 微信支付业务单号 names; `none`: nothing of an order's */
  about: 'payment' | 'refund' | 'either' | 'none'
  account: Account
}

const income: FlowRule = { direction: 'in', about: 'payment', account: 'wechat.pending' }

/** By 业务类型. All others are booked as `other.<业务类型>`, and so is a known one in the other direction. */
const flow_rules: Readonly<Record<string, FlowRule>> = {
  交易: income,
  普通支付: income,
  订单入账: income,
  退款: { direction: 'out', about: 'refund', account: 'wechat.refund_transit' },
  退款关闭: { direction: 'in', about: 'refund', account: 'wechat.refund_transit' },
  // The refund's own entry says that the merchant has it: it comes from there.
  退款退回: { direction: 'in', about: 'refund', account: 'merchant.bank' },
  扣除交易手续费: { direction: 'out', about: 'either', account: 'fee.clearing' },
  退还交易手续费: { direction: 'in', about: 'either', account: 'fee.clearing' },
  // Some files call both so (docs/wechat-pay.md §5.3).
  手续费: { direction: 'either', about: 'either', account: 'fee.clearing' },
  提现: { direction: 'out', about: 'none', account: 'merchant.bank' },
  充值: { direction: 'in', about: 'none', account: 'merchant.bank' },
}

function ruleOf({ type, direction }: FlowRow): FlowRule | null {
  const rule = Object.hasOwn(flow_rules, type) ? flow_rules[type] : undefined
  return rule?.direction === 'either' || rule?.direction === direction ? rule : null
}

/** What has to be known of a movement before it is booked: whose payment or refund it names. `none`: nothing. */
export function flowSubject(row: FlowRow): FlowRule['about'] {
  return row.business_no === null ? 'none' : (ruleOf(row)?.about ?? 'none')
}

/** By which number a movement of no order is the same as one of another account. Null: it has none, or is of an order. */
export function transferKey(row: FlowRow): string | null {
  const rule = ruleOf(row)
  const number = row.business_no ?? row.flow_no
  return number === '' || (rule !== null && rule.about !== 'none') ? null : number
}

/** A word that no rule knows, or a known one in the other direction. */
export function isUnknownMovement(row: FlowRow): boolean {
  return ruleOf(row) === null
}

/**
 * A movement of the fund flow, without its side of the account itself, which a sheet has once. `named`: what its remark
 * says; where the account got or gave net, the fee stands nowhere else (docs/wechat-pay.md §5.3).
 */
export function flowPostings(row: FlowRow, owner: RowOwner, named: NamedAmounts | null): Posting[] {
  const amount = movedAmount(row)
  const rule = ruleOf(row)
  if (owner === 'transfer')
    return withoutNothing([{ account: 'wechat.transfer', key: transferKey(row) ?? otherKey(row), amount: 0 - amount }])
  if (rule === null)
    return withoutNothing([{ account: otherAccount(row.type), key: otherKey(row), amount: 0 - amount }])
  if (rule.about === 'none') return withoutNothing([{ account: rule.account, key: no_key, amount: 0 - amount }])
  const key = row.business_no ?? otherKey(row)
  if (owner === 'foreign') return withoutNothing([{ account: 'foreign', key, amount: 0 - amount }])
  const fee = heldBack(row, rule, named)
  return withoutNothing([
    { account: rule.account, key: rule.account === 'merchant.bank' ? no_key : key, amount: 0 - amount - fee },
    { account: 'fee.clearing', key, amount: fee },
  ])
}

/** What a movement changes the account by. */
function movedAmount({ direction, amount }: FlowRow): number {
  return direction === 'in' ? amount : 0 - amount
}

/** The fee within a movement: of income what was taken from it, of a refund what was given back with it (negative). */
function heldBack({ direction, amount }: FlowRow, { account }: FlowRule, named: NamedAmounts | null): number {
  const has_fee = account === 'wechat.pending' || account === 'wechat.refund_transit'
  if (named === null || !has_fee || named.fee === 0 || amount + named.fee !== named.total) return 0
  return direction === 'in' ? named.fee : 0 - named.fee
}

/** An account's name is one word of at most so many characters; WeChat's words are short. */
const longest_word = 40

function otherAccount(type: string): Account {
  // By characters: half of one is stored as another, and the sheet would not be the same when it is posted again.
  return `other.${[...type.replace(/\s+/g, '')].slice(0, longest_word).join('')}`
}

/** A movement that nobody knows is found again by WeChat's number of it. */
function otherKey({ flow_no, business_no, line }: FlowRow): string {
  return flow_no || business_no || `line-${line}`
}

function withoutNothing(postings: Posting[]): Posting[] {
  return postings.filter(({ amount }) => amount !== 0)
}

/** What a sheet is made of: the rows of one place in a file, whose they are, and what their remarks name. */
export interface SheetRow<T extends BillType> {
  row: BillRow<T>
  owner: RowOwner
  named: NamedAmounts | null
}

const sheet_kinds = { fees: 'bill_fees', flow: 'bill_flow' } as const satisfies Record<string, EntryKind>

/** Whether an entry is a sheet of a bill or what the account began with, which no order's records explain. */
export function isOfBills({ kind }: Pick<JournalEntry, 'kind'>): boolean {
  return kind === 'opening' || Object.values<EntryKind>(sheet_kinds).includes(kind)
}

/** The `number`-th sheet of a bill, or null: its rows move nothing. The same rows and owners make the same sheet. */
export function sheetOf<T extends BillType>(
  bill: Pick<BillRecord, '_id' | 'mchid' | 'bill_date' | 'version'> & { type: T },
  number: number,
  rows: readonly SheetRow<T>[],
  booked_time: Time,
): JournalEntry | null {
  const { _id, mchid, type, version } = bill
  const of_account: BillType = type
  const postings = isFlowBill(of_account)
    ? movementsOf(of_account, rows as SheetRow<FlowBill>[])
    : feesOf(rows as SheetRow<'trade'>[])
  const first = rows[0]
  if (postings.length === 0 || first === undefined) return null
  return balancedEntry({
    _id: journalId.sheet(bill, type, version, number),
    mchid,
    kind: sheet_kinds[isFlowBill(type) ? 'flow' : 'fees'],
    occurred_time: rows.reduce<Time>((latest, { row }) => (row.time > latest ? row.time : latest), first.row.time),
    booked_time,
    out_trade_no: null,
    out_refund_no: null,
    postings,
    evidence_id: _id,
  })
}

function feesOf(rows: readonly SheetRow<'trade'>[]): Posting[] {
  return rows.flatMap(({ row, owner }) => feePostings(row, owner))
}

function movementsOf(type: FlowBill, rows: readonly SheetRow<FlowBill>[]): Posting[] {
  const moved = rows.reduce((sum, { row }) => sum + movedAmount(row), 0)
  const others = rows.flatMap(({ row, owner, named }) => flowPostings(row, owner, named))
  return withoutNothing([{ account: cash_accounts[type], key: no_key, amount: moved }, ...others])
}

/** What an account came by on days that are not in the book: before the first of all, or in a gap. Null: nothing. */
export function openingEntry(
  type: FlowBill,
  { mchid, bill_date }: DayKey,
  opening: { amount: number; time: Time; bill_id: string },
  booked_time: Time,
): JournalEntry | null {
  const { amount, time, bill_id } = opening
  const account = cash_accounts[type]
  if (amount === 0) return null
  return balancedEntry({
    _id: journalId.opening(mchid, account, bill_date),
    mchid,
    kind: 'opening',
    occurred_time: time,
    booked_time,
    out_trade_no: null,
    out_refund_no: null,
    postings: [
      { account, key: no_key, amount },
      { account: 'other.opening', key: no_key, amount: 0 - amount },
    ],
    evidence_id: bill_id,
  })
}

/** What stands of a bill in the book, whatever version it is of. */
export interface SheetIndex {
  /** the ids of entries that no reversal takes back, by the number of their sheet; more than one is one too many */
  standing: Map<number, string[]>
  /** all ids that were ever given */
  taken: Set<string>
}

export function indexSheets(entries: readonly Pick<JournalEntry, '_id' | 'reverses'>[]): SheetIndex {
  const reversed = new Set(entries.flatMap(({ reverses }) => reverses ?? []))
  const standing = new Map<number, string[]>()
  for (const { _id, reverses } of entries) {
    if (reverses !== null || reversed.has(_id)) continue
    const { number } = sheetPlace(_id)
    standing.set(number, [...(standing.get(number) ?? []), _id])
  }
  return { standing, taken: new Set(entries.map(({ _id }) => _id)) }
}
