import type { Time } from '../../domain/calendar.ts'
import { flawOf } from '../../domain/bill/flaw.ts'
import type { DayFlaw, FlawCode, FlawValues } from '../../domain/bill/flaw.ts'
import type { BillRow, BillType, MalformedLine } from '../../domain/bill/row.ts'
import { flow_form } from './flow.ts'
import type { FlowSum } from './flow.ts'
import { compareFooter, readFooter, readFooterHeader } from './footer.ts'
import type { FeeAgreement, StatementFooter } from './footer.ts'
import type { BillForm, ColumnSums, RowReader, StatementLayout } from './form.ts'
import { readHeader } from './header.ts'
import type { Header } from './header.ts'
import { kept_bytes, LineCutter, line_limit } from './line.ts'
import { trade_form } from './trade.ts'
import type { TradeSum } from './trade.ts'

/** The numbers that the footer of a bill states. */
export type StatementSum<T extends BillType> = T extends 'trade' ? TradeSum : FlowSum

export type StatementEntry<T extends BillType> = { row: BillRow<T> } | { malformed: MalformedLine }
export type TakeEntry<T extends BillType> = (entry: StatementEntry<T>) => void

/** What became of the lines of a file; `all` is the sum of the others. A record of several lines has them all in `rows`. */
export interface StatementLines {
  all: number
  header: number
  rows: number
  malformed: number
  footer: number
  blank: number
}

/** StatementEnd is what is known of a file once it was read to its end. */
export interface StatementEnd<T extends BillType> {
  type: T
  /** null: no header was found, so nothing was read */
  layout: StatementLayout | null
  lines: StatementLines
  /** rows that were read; a record of several lines is one */
  rows: number
  /** what the rows come to: counts, fen, of fees 1/1000 fen */
  sums: ColumnSums<StatementSum<T>>
  /** null: the file has none, as one that was cut */
  footer: StatementFooter<StatementSum<T>> | null
  /** null: the fees do not agree, or the bill has none */
  fees: FeeAgreement | null
  /** of the rows; null without any */
  earliest: Time | null
  latest: Time | null
  /** the file proves itself if there is none: every line was read, and the rows come to what the footer says */
  flaws: DayFlaw[]
}

/** StatementReader reads one file, piece by piece, and holds no more of it than a record that is not whole yet. */
export interface StatementReader<T extends BillType> {
  /** plain bytes, cut anywhere */
  push(bytes: Buffer, take: TakeEntry<T>): void
  /** says what the file as a whole is worth; nothing is pushed after it */
  end(take: TakeEntry<T>): StatementEnd<T>
}

/**
 * Makes the reader of one file of WeChat Pay's (docs/wechat-pay.md §5). Columns are found by the names in this very file.
 * A line that cannot be read is passed on as malformed and stops nothing; what is wrong with the file as a whole is
 * in the flaws of its end. Synchronous, because a bill of millions of rows is read while orders wait.
 */
export function createStatementReader<T extends BillType>(type: T): StatementReader<T> {
  const form = type === 'trade' ? trade_form : flow_form
  return new FormReader(type, form as unknown as BillForm<T, string, string>)
}

/** What bills call a column that is read, `订单金额` of `total`; null: it is none of their own. */
export function columnTitle(type: BillType, column: string): string | null {
  const columns: Readonly<Record<string, readonly string[]>> = (type === 'trade' ? trade_form : flow_form).columns
  return (Object.hasOwn(columns, column) ? columns[column]?.[0] : null) ?? null
}

const [back_tick, carriage_return, brace, angle] = [0x60, 0x0d, 0x7b, 0x3c]
const byte_order_mark = Buffer.from([0xef, 0xbb, 0xbf])
const separator = ',`'

/** What the next line of a file may be. */
type Phase = 'header' | 'rows' | 'footer' | 'after'

/** A record that has not all its cells yet, since a value in it has line breaks of its own. */
interface OpenRecord {
  line: number
  parts: Buffer[]
  size: number
  cells: number
}

class FormReader<T extends BillType> implements StatementReader<T> {
  readonly #type: T
  readonly #form: BillForm<T, string, string>
  readonly #cutter = new LineCutter()
  readonly #lines: StatementLines = { all: 0, header: 0, rows: 0, malformed: 0, footer: 0, blank: 0 }
  readonly #flaws: DayFlaw[] = []
  #phase: Phase = 'header'
  #header: Header<string> | null = null
  #width = 0
  /** null: the header lacks what every row needs */
  #rows: RowReader<T, string> | null = null
  #open: OpenRecord | null = null
  #footerHeader: Header<string> | null = null
  #footer: StatementFooter<string> | null = null
  #earliest: Time | null = null
  #latest: Time | null = null

  constructor(type: T, form: BillForm<T, string, string>) {
    this.#type = type
    this.#form = form
  }

  push(bytes: Buffer, take: TakeEntry<T>): void {
    this.#cutter.push(bytes, (line, size) => this.#takeLine(line, size, take))
  }

  end(take: TakeEntry<T>): StatementEnd<T> {
    this.#cutter.end((line, size) => this.#takeLine(line, size, take))
    this.#abandonRecord(take)
    const { all, header, rows, malformed, footer, blank } = this.#lines
    if (header + rows + malformed + footer + blank !== all) throw new Error('a line of the bill was lost')
    const sums = this.#rows?.sums ?? this.#form.rows({}).sums
    return {
      type: this.#type,
      layout: this.#header && layoutOf(this.#form, this.#header),
      lines: { ...this.#lines },
      rows: sums.rows ?? 0,
      sums: sums,
      footer: this.#footer,
      fees: this.#judgeFile(sums),
      earliest: this.#earliest,
      latest: this.#latest,
      flaws: this.#flaws,
    }
  }

  #takeLine(bytes: Buffer, size: number, take: TakeEntry<T>): void {
    this.#lines.all += 1
    const isMarked = this.#lines.all === 1 && bytes.subarray(0, 3).equals(byte_order_mark)
    const line = isMarked ? bytes.subarray(3) : bytes
    if (size > line_limit) {
      this.#abandonRecord(take)
      return this.#malformed(this.#lines.all, line, `the line has ${size} bytes, more than ${line_limit}`, take)
    }
    const content = line.at(-1) === carriage_return ? line.subarray(0, -1) : line
    if (content.length === 0) {
      if (this.#open) this.#continueRecord(this.#open, line, take)
      else this.#lines.blank += 1
    } else if (content[0] === back_tick) this.#takeValues(line, content, take)
    else this.#takeNames(line, content, take)
  }

  /** A line whose first cell is a value: a record, or the numbers of the footer. */
  #takeValues(line: Buffer, content: Buffer, take: TakeEntry<T>): void {
    const number = this.#lines.all
    if (this.#open) this.#abandonRecord(take)
    if (this.#phase === 'header') return this.#malformed(number, line, 'no header stands before it', take)
    if (this.#phase === 'after') return this.#malformed(number, line, 'it stands after the footer', take)
    if (this.#phase === 'footer') return this.#takeFooter(line, content, take)
    if (this.#rows === null) return this.#malformed(number, line, 'the header lacks columns that it needs', take)
    const cells = cellsOf(content)
    if (cells.length === this.#width) return this.#takeRecord(number, [line], cells, take)
    if (cells.length > this.#width) return this.#malformed(number, line, this.#wrongCount(cells.length), take)
    this.#open = { line: number, parts: [Buffer.from(line)], size: line.length, cells: cells.length }
  }

  /** A line whose first cell is no value: the header, the names of the footer, or what a value goes on with. */
  #takeNames(line: Buffer, content: Buffer, take: TakeEntry<T>): void {
    const number = this.#lines.all
    if (this.#phase === 'header') return this.#takeHeader(line, content, take)
    if (this.#phase === 'rows') {
      const header = readFooterHeader(content.toString(), this.#form.footer)
      if (header !== null) {
        this.#abandonRecord(take)
        this.#footerHeader = header
        this.#phase = 'footer'
        this.#lines.footer += 1
        return this.#noteNames(header, 'unknown_footer', 'footer')
      }
      if (this.#open) return this.#continueRecord(this.#open, line, take)
    }
    this.#malformed(number, line, 'it begins with no back-tick, and is no header', take)
  }

  #takeHeader(line: Buffer, content: Buffer, take: TakeEntry<T>): void {
    const isWrapped = content[0] === brace || content[0] === angle
    const header = isWrapped ? null : readHeader(content.toString(), this.#form.columns, 'anywhere')
    if (header === null) {
      if (isWrapped && this.#lines.all === 1) this.#flaw('not_a_bill')
      return this.#malformed(this.#lines.all, line, 'it is no header, and none stands before it', take)
    }
    this.#lines.header += 1
    this.#phase = 'rows'
    this.#header = header
    this.#width = header.keys.length
    this.#noteNames(header, 'unknown_column', 'header')
    const missing = this.#form.needed(header.places).filter((key) => (header.places[key] ?? -1) < 0)
    for (const key of missing) this.#flaw('missing_column', { column: this.#form.columns[key]?.[0] ?? key })
    if (missing.length === 0) this.#rows = this.#form.rows(header.places)
  }

  /** What a header has that nobody knows leaves the day unproven: the number under it may be money. */
  #noteNames(header: Header<string>, code: 'unknown_column' | 'unknown_footer', place: 'header' | 'footer'): void {
    const { unknown, doubled } = header
    if (unknown.length > 0) this.#flaw(code, { names: listed(unknown) })
    if (doubled.length > 0) this.#flaw('doubled_column', { place, names: listed(doubled) })
  }

  #takeFooter(line: Buffer, content: Buffer, take: TakeEntry<T>): void {
    this.#phase = 'after'
    const header = this.#footerHeader
    const cells = cellsOf(content)
    if (header === null || cells.length !== header.keys.length)
      return this.#malformed(this.#lines.all, line, `${cells.length} cells stand under the names of the footer`, take)
    const { footer, flaws } = readFooter(this.#form, header, cells)
    this.#footer = footer
    this.#flaws.push(...flaws)
    this.#lines.footer += 1
  }

  #takeRecord(number: number, parts: Buffer[], cells: string[], take: TakeEntry<T>): void {
    const row = this.#rows?.read(cells, number) ?? 'the header lacks columns that it needs'
    if (typeof row === 'string') return this.#malformedRecord(number, parts, row, take)
    this.#lines.rows += parts.length
    if (this.#earliest === null || row.time < this.#earliest) this.#earliest = row.time
    if (this.#latest === null || row.time > this.#latest) this.#latest = row.time
    take({ row })
  }

  /** Adds a line to a record that is short of cells; it ends when it has them all. */
  #continueRecord(open: OpenRecord, line: Buffer, take: TakeEntry<T>): void {
    open.parts.push(Buffer.from(line))
    open.size += line.length + 1
    open.cells += cellsOf(line).length - 1
    if (open.cells < this.#width && open.size <= line_limit) return
    this.#open = null
    const { parts } = open
    if (open.size > line_limit)
      return this.#malformedRecord(open.line, parts, `the record has more than ${line_limit} bytes`, take)
    const cells = cellsOf(withLineBreaks(parts))
    if (cells.length === this.#width) this.#takeRecord(open.line, parts, cells, take)
    else this.#malformedRecord(open.line, parts, this.#wrongCount(cells.length), take)
  }

  /** What was open is no record: another one began, or the file ended. */
  #abandonRecord(take: TakeEntry<T>): void {
    if (this.#open === null) return
    const { line, parts, cells } = this.#open
    this.#open = null
    this.#malformedRecord(line, parts, this.#wrongCount(cells), take)
  }

  #malformedRecord(number: number, parts: Buffer[], reason: string, take: TakeEntry<T>): void {
    parts.forEach((part, at) => {
      const told = at === 0 ? reason : `it goes on from line ${number}, which cannot be read`
      if (at > 0 && (part.length === 0 || part.equals(lone_return))) this.#lines.blank += 1
      else this.#malformed(number + at, part, told, take)
    })
  }

  #malformed(line: number, bytes: Buffer, reason: string, take: TakeEntry<T>): void {
    this.#lines.malformed += 1
    take({ malformed: { line, bytes: bytes.subarray(0, kept_bytes).toString('base64'), reason } })
  }

  /** The flaws that only the whole file shows. */
  #judgeFile(sums: Record<string, number>): FeeAgreement | null {
    const { malformed, all } = this.#lines
    if (malformed > 0) this.#flaw('malformed_lines', { count: malformed })
    if (this.#header === null) {
      this.#flaw(all === 0 ? 'empty_file' : 'no_header')
      return null
    }
    if (this.#footer === null) {
      this.#flaw('no_footer')
      return null
    }
    if (this.#rows === null) return null
    const { flaws, fees } = compareFooter(this.#form, this.#header.places, this.#footer, sums)
    this.#flaws.push(...flaws)
    return fees
  }

  #wrongCount(cells: number): string {
    return `it has ${cells} cells, and the header ${this.#width}`
  }

  #flaw(code: FlawCode, values: FlawValues = {}): void {
    this.#flaws.push(flawOf(code, values))
  }
}

const lone_return = Buffer.from([carriage_return])
const line_break = Buffer.from('\n')

/** Every value begins with a back-tick, so a comma within one separates nothing (docs/wechat-pay.md §5.1). */
function cellsOf(content: Buffer): string[] {
  const cells = content.toString().split(separator)
  if (content[0] === back_tick) cells[0] = (cells[0] ?? '').slice(1)
  return cells
}

function withLineBreaks(parts: Buffer[]): Buffer {
  const bytes = Buffer.concat(parts.flatMap((part) => [part, line_break]).slice(0, -1))
  return bytes.at(-1) === carriage_return ? bytes.subarray(0, -1) : bytes
}

function layoutOf(form: BillForm<BillType, string, string>, { keys }: Header<string>): StatementLayout {
  const isSame = (columns: readonly string[]) =>
    columns.length === keys.length && columns.every((key, at) => key === keys[at])
  const layouts = Object.entries(form.layouts) as [StatementLayout, readonly string[]][]
  return layouts.find(([, columns]) => isSame(columns))?.[0] ?? 'other'
}

/** A few of the names; a file may have thousands that nobody knows. */
function listed(names: string[]): string {
  const told = names.slice(0, 10).map((name) => JSON.stringify(name.slice(0, 40)))
  return names.length > 10 ? `${told.join(', ')} and ${names.length - 10} more` : told.join(', ')
}
