import type { DifferenceRecord } from '../../../domain/bill/difference.ts'
import { flawOf, flawText, flawTexts } from '../../../domain/bill/flaw.ts'
import { accountsOfDay } from '../../../domain/bill/reconciliation.ts'
import type { BillRecord, ReconciliationRecord } from '../../../domain/bill/reconciliation.ts'
import { accountOfBill, billOfAccount, isFlowBill } from '../../../domain/bill/row.ts'
import type { BillType } from '../../../domain/bill/row.ts'
import { shownTimeline } from '../../../domain/bill/view.ts'
import type { Time } from '../../../domain/calendar.ts'
import type { FlowAccount } from '../../../domain/merchant/bill.ts'
import { feeText, yuanText } from '../../../domain/money.ts'
import { byte_order_mark, csvLines } from '../../http/csv.ts'
import type { CsvCell } from '../../http/csv.ts'
import type { Language } from '../../http/language.ts'
import { fenOfSide } from './direction.ts'
import { actorText, answerText, difference_event_texts, fieldText, reasonText } from './sentence.ts'
import {
  account_words,
  accountText,
  day_state_texts,
  difference_columns,
  difference_state_texts,
  differenceText,
  directionText,
  statement_words,
} from './words.ts'

/** StatementTable is one table of a day's statement, for a page and for CSV alike. */
export interface StatementTable {
  title: string
  columns: string[]
  rows: CsvCell[][]
  /** of a page: what stands below each row, by the names of further columns */
  details?: [name: string, cell: CsvCell][][]
}

/** What a statement says beside the day's own record. */
export interface StatementAbout {
  /** all versions of the day's bills */
  bills?: readonly BillRecord[]
  /** absent: in archives, whose bytes follow from the day alone */
  merchant_name?: string
}

type Word = keyof typeof statement_words

/**
 * A day as finance takes it away: whether it is proven or why not, both sides, fees and account, classes, the book.
 */
export function statementTables(
  day: ReconciliationRecord,
  language: Language,
  { bills = [], merchant_name }: StatementAbout = {},
): StatementTable[] {
  const say = (word: Word) => statement_words[word][language]
  const table = (title: Word, columns: Word[], rows: CsvCell[][]) => ({
    title: say(title),
    columns: columns.map(say),
    rows,
  })
  return [
    table(
      'title',
      ['item', 'content'],
      [
        ...(merchant_name === undefined ? [] : [[say('merchant_name'), merchant_name]]),
        ...factRows(day, language),
        ...billRows(day, language, bills),
      ],
    ),
    table('totals', ['item', 'at_wechat', 'here', 'gap'], totalRows(day, say)),
    table('money', ['item', 'amount_yuan'], moneyRows(day, language)),
    table('tie', ['item', 'amount_yuan'], tieRows(day, say)),
    table('classes', ['class', 'lines', 'records'], classRows(day, say)),
    table('book', ['account', 'account_name', 'amount_yuan'], bookRows(day, language)),
  ]
}

function factRows(day: ReconciliationRecord, language: Language): CsvCell[][] {
  const say = (word: Word) => statement_words[word][language]
  const { mchid, bill_date, state, is_proven, end_time, versions, flaws, differences } = day
  const left = Object.values(differences).reduce((sum, count) => sum + count, 0)
  const is_ended = end_time !== null
  return [
    [say('merchant'), { number: mchid }],
    [say('bill_date'), bill_date],
    [say('state'), day_state_texts[state][language]],
    [say('conclusion'), say(is_ended && is_proven ? 'proven' : 'unproven')],
    ...(is_ended ? [] : [[say('why_not'), say('not_ended')]]),
    ...flawTexts(flaws, language).map((flaw) => [say('why_not'), flaw]),
    [say('not_over'), left],
    [say('compared_at'), shownTime(end_time)],
    [say('trade_version'), versions.trade ?? null],
    [say('flow_version'), versions.fundflow ?? null],
    ...otherAccounts(day).map(({ account, type }) => [
      accountWord(say('flow_version'), account, language),
      versions[type] ?? null,
    ]),
    [say('point_of_view'), say('point_of_view_text')],
    [say('unit'), say('unit_text')],
  ]
}

/** What is to be known of the bills themselves. */
function billRows(
  { changes = [], versions }: ReconciliationRecord,
  language: Language,
  bills: readonly BillRecord[],
): CsvCell[][] {
  const absent = bills.filter(({ type, version, state }) => state === 'none' && version === versions[type])
  const without = absent.map(({ type, version }) => [
    versionWord(type, language),
    fillWord(statement_words.no_file[language], { version }),
  ])
  const changed = changes.map(({ type, version, ...counts }) => [
    changesWord(type, language),
    fillWord(statement_words.changed_lines[language], { version, ...counts }),
  ])
  const damaged = bills.filter(({ damaged_time }) => damaged_time !== undefined)
  const kept = damaged.map(({ type, version, damaged_time = '' }) => [
    statement_words.original[language],
    flawText(flawOf('original_damaged', { type, version, time: shownTime(damaged_time) ?? '' }), language),
  ])
  return [...without, ...changed, ...kept]
}

function versionWord(type: BillType, language: Language): string {
  if (!isFlowBill(type)) return statement_words.trade_version[language]
  const word = statement_words.flow_version[language]
  return type === 'fundflow' ? word : accountWord(word, accountOfBill(type), language)
}

function changesWord(type: BillType, language: Language): string {
  if (!isFlowBill(type)) return statement_words.trade_changes[language]
  const word = statement_words.flow_changes[language]
  return type === 'fundflow' ? word : accountWord(word, accountOfBill(type), language)
}

function fillWord(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ''))
}

/** What the day's bills move in the book, by account. */
function bookRows({ book }: ReconciliationRecord, language: Language): CsvCell[][] {
  const accounts = book?.accounts ?? []
  return accounts.map(({ account, amount }) => [account, accountText(account, language), { yuan: yuanText(amount) }])
}

function totalRows({ wechat, weft }: ReconciliationRecord, say: (word: Word) => string): CsvCell[][] {
  if (wechat === null || weft === null) return []
  const counts = (word: Word, theirs: number, ours: number, sign = 1) => [
    say(word),
    theirs,
    ours,
    gap(theirs, ours, sign),
  ]
  const amounts = (word: Word, theirs: number, ours: number, sign = 1) => [
    say(word),
    ...[theirs, ours, gap(theirs, ours, sign)].map((fen) => ({ yuan: yuanText(fen) })),
  ]
  return [
    counts('payment_count', wechat.payment_count, weft.payment_count),
    amounts('payment_amount', wechat.payment_amount, weft.payment_amount),
    counts('refund_count', wechat.refund_count, weft.refund_count, -1),
    amounts('refund_amount', wechat.refund_amount, weft.refund_amount, -1),
    amounts('net', wechat.payment_amount - wechat.refund_amount, weft.payment_amount - weft.refund_amount),
  ]
}

/** Above 0 where WeChat Pay has more of the merchant's money. `sign`: -1 of refunds, which take it away. */
function gap(theirs: number, ours: number, sign: number): number {
  return sign < 0 ? ours - theirs : theirs - ours
}

/** How what the trade bill sums comes to what the account moved by; the last line is what the trade bill does not name. */
function tieRows(
  { wechat, settled, fees, foreign, balance }: ReconciliationRecord,
  say: (word: Word) => string,
): CsvCell[][] {
  if (wechat === null || settled === undefined || fees === null || foreign === null || balance === null) return []
  const fen = (amount: number) => 1_000 * amount
  const change = fen(balance.closing - balance.opening)
  const lines: [Word, number][] = [
    ['tie_payments', fen(wechat.payment_amount)],
    ['tie_coupons', fen(settled.payment_amount - wechat.payment_amount)],
    ['tie_refunds', fen(0 - settled.refund_amount)],
    ['tie_fees', 0 - fees.charged - fees.returned],
    ['tie_foreign', fen(foreign.payment_amount - foreign.refund_amount)],
  ]
  const rest = lines.reduce((left, [, amount]) => left - amount, change)
  const all: [Word, number][] = [...lines, ['tie_rest', rest], ['change', change]]
  return all.map(([word, amount]) => [say(word), { yuan: tieText(amount) }])
}

/** Whole fen as yuan with two decimals, other fees with all of theirs. */
function tieText(amount: number): string {
  return amount % 1_000 === 0 ? yuanText(amount / 1_000) : feeText(amount)
}

/** The accounts beside the basic one whose fund flow was compared. */
function otherAccounts(day: ReconciliationRecord) {
  return accountsOfDay(day)
    .filter(({ account }) => account !== 'BASIC')
    .map(({ account, balance }) => ({ account, balance, type: billOfAccount(account) }))
}

function accountWord(word: string, account: FlowAccount, language: Language): string {
  const name = account_words[account][language]
  return language === 'en' ? `${word} (${name})` : `${word}（${name}）`
}

function moneyRows(day: ReconciliationRecord, language: Language): CsvCell[][] {
  const { fees, balance, foreign } = day
  const say = (word: Word) => statement_words[word][language]
  const fee = (word: Word, amount: number): CsvCell[] => [say(word), { yuan: feeText(amount) }]
  const fen = (word: Word, amount: number): CsvCell[] => [say(word), { yuan: yuanText(amount) }]
  const rows: CsvCell[][] = []
  if (fees !== null) {
    // What a refund gives back of a fee stands below 0 in the bill, and in the record.
    rows.push(fee('fee_charged', fees.charged), fee('fee_returned', -fees.returned))
    rows.push(fee('fee_net', fees.charged + fees.returned))
    if (fees.expected !== null)
      rows.push(fee('fee_expected', fees.expected), fee('fee_under', fees.under), fee('fee_over', fees.over))
  }
  if (balance !== null) {
    rows.push(fen('opening', balance.opening), fen('closing', balance.closing))
    rows.push(fen('change', balance.closing - balance.opening))
  }
  for (const { account, balance: other } of otherAccounts(day)) {
    if (other === null) continue
    const row = (word: Word, amount: number): CsvCell[] => [
      accountWord(say(word), account, language),
      { yuan: yuanText(amount) },
    ]
    rows.push(row('other_opening', other.opening), row('other_closing', other.closing))
    rows.push(row('change', other.closing - other.opening))
  }
  if (foreign !== null) {
    rows.push(fen('foreign_payments', foreign.payment_amount), fen('foreign_refunds', foreign.refund_amount))
  }
  return rows
}

const classes = ['matched', 'waiting', 'different', 'foreign', 'malformed', 'all'] as const

function classRows({ rows, records }: ReconciliationRecord, say: (word: Word) => string): CsvCell[][] {
  if (rows === null || records === null) return []
  return classes.map((one) => [say(one), rows[one], records[one]])
}

/** The columns of a list of differences. */
export function differenceHeader(language: Language): string[] {
  return Object.values(difference_columns).map((word) => word[language])
}

/** A difference as a line of that list. */
export function differenceRow(difference: DifferenceRecord, language: Language): CsvCell[] {
  const { id, bill_date, kind, state, amount, bill, weft, fields, answer, due_time } = difference
  // Owner and note have columns of their own: what they would hide is who ended it, and why.
  const last = shownTimeline(difference).findLast(({ event }) => event !== 'assigned' && event !== 'noted')
  const cells: Record<keyof typeof difference_columns, CsvCell> = {
    id,
    bill_date,
    kind,
    what: differenceText(kind, language),
    direction: directionText(difference, language),
    state: difference_state_texts[state][language],
    amount: { yuan: yuanText(amount) },
    bill_amount: amountOfSide(bill),
    weft_amount: amountOfSide(weft),
    out_trade_no: numberCell(difference.out_trade_no),
    transaction_id: numberCell(difference.transaction_id),
    out_refund_no: numberCell(difference.out_refund_no),
    refund_id: numberCell(difference.refund_id),
    line: typeof bill?.['line'] === 'number' ? bill['line'] : null,
    fields: fields.map((kept) => fieldText(kept, language)).join('; '),
    says: answer ? answerText(answer.says, language) : null,
    asked_time: shownTime(answer?.asked_time ?? null),
    due_time: shownTime(due_time),
    last_event: last ? difference_event_texts[last.event][language] : null,
    last_time: shownTime(last?.time ?? null),
    reason: last ? reasonText(last, language) : null,
    last_actor: last ? actorText(last.actor, language) : null,
    owner: difference.owner ?? null,
    note: difference.note ?? null,
  }
  return Object.keys(difference_columns).map((column) => cells[column as keyof typeof cells])
}

type DifferenceColumn = keyof typeof difference_columns

/** What a page shows of a difference in its line; all else that it says stands below. */
const page_columns: readonly DifferenceColumn[] = [
  ...(['what', 'direction', 'state', 'amount', 'bill_amount', 'weft_amount', 'due_time'] as const),
]
const untold_columns: readonly DifferenceColumn[] = ['bill_date', 'kind']

/** Differences as a page lists them: few columns, so that it can be printed, and what else is known below each line. */
export function differenceTable(differences: readonly DifferenceRecord[], language: Language): StatementTable {
  const names = Object.keys(difference_columns) as DifferenceColumn[]
  const all = differences.map((difference) => differenceRow(difference, language))
  const cellOf = (row: CsvCell[], name: DifferenceColumn) => row[names.indexOf(name)] ?? null
  const below = names.filter((name) => !page_columns.includes(name) && !untold_columns.includes(name))
  return {
    title: statement_words.differences[language],
    columns: page_columns.map((name) => difference_columns[name][language]),
    rows: all.map((row) => page_columns.map((name) => cellOf(row, name))),
    details: all.map((row) =>
      below
        .map((name): [string, CsvCell] => [difference_columns[name][language], cellOf(row, name)])
        .filter(([, cell]) => cell !== null && cell !== ''),
    ),
  }
}

function numberCell(number: string | null): CsvCell {
  return number === null ? null : { number }
}

function amountOfSide(side: Record<string, unknown> | null): CsvCell {
  const fen = fenOfSide(side)
  return fen === null ? null : { yuan: yuanText(fen) }
}

/** `2026-11-23 10:30:05`, Beijing, which spreadsheets take for a time. */
function shownTime(time: Time | null): string | null {
  return time === null ? null : time.slice(0, 19).replace('T', ' ')
}

/** The statement as CSV: its tables one below the other, and the differences last, as they come. */
export async function* statementCsv(
  day: ReconciliationRecord,
  differences: AsyncIterable<readonly DifferenceRecord[]>,
  language: Language,
  about: StatementAbout = {},
): AsyncGenerator<string> {
  const tables = statementTables(day, language, about)
  const lines = tables.flatMap(({ title, columns, rows }) => [[title], columns, ...rows, []])
  yield `${byte_order_mark}${csvLines(lines)}`
  yield csvLines([[statement_words.differences[language]]])
  yield* differenceLines(differences, language)
}

/** A list of differences as CSV. */
export async function* differencesCsv(
  differences: AsyncIterable<readonly DifferenceRecord[]>,
  language: Language,
): AsyncGenerator<string> {
  yield byte_order_mark
  yield* differenceLines(differences, language)
}

async function* differenceLines(
  differences: AsyncIterable<readonly DifferenceRecord[]>,
  language: Language,
): AsyncGenerator<string> {
  yield csvLines([differenceHeader(language)])
  for await (const some of differences)
    if (some.length > 0) yield csvLines(some.map((difference) => differenceRow(difference, language)))
}
