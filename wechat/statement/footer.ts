import { flawOf } from '../../domain/bill/flaw.ts'
import type { DayFlaw } from '../../domain/bill/flaw.ts'
import type { BillType } from '../../domain/bill/row.ts'
import { countOf, feeOf, signedFenOf } from './cell.ts'
import type { BillForm, ColumnSums, FooterUnit } from './form.ts'
import { namesOf, readHeader } from './header.ts'
import type { ColumnPlaces, Header } from './header.ts'

/** The footer as it was read: its names with the texts under them, and what each number is. */
export interface StatementFooter<F extends string> {
  texts: Record<string, string>
  values: Partial<Record<F, number>>
}

/**
 * How the fees of the rows agree with the footer's: to 1/1000 fen, or only as whole fen, since the rows have five
 * decimals of a yuan and some footers two.
 */
export type FeeAgreement = 'exact' | 'fen'

const readers: Readonly<Record<FooterUnit, (text: string) => number>> = {
  count: countOf,
  fen: signedFenOf,
  fee: feeOf,
}

const fee_units_per_fen = 1_000

/** Every footer has more names than these; a line of a value that somebody typed may begin with one. */
const least_names = 2

/** Whether a line that begins with no back-tick names the sums of the file: with values in it, it is the end of a record. */
export function readFooterHeader<F extends string>(
  line: string,
  footer: Readonly<Record<F, { names: readonly string[] }>>,
): Header<F> | null {
  if (line.includes(',`')) return null
  const names = Object.fromEntries(namesOf(footer).map((key) => [key, footer[key].names]))
  const header = readHeader(line, names as Record<F, readonly string[]>, 'first')
  const known = header?.keys.filter((key) => key !== null) ?? []
  return known.length < least_names ? null : header
}

/** Reads the numbers under the footer's own names. */
export function readFooter<F extends string>(
  form: { footer: Readonly<Record<F, { names: readonly string[]; unit: FooterUnit }>> },
  header: Header<F>,
  cells: readonly string[],
): { footer: StatementFooter<F>; flaws: DayFlaw[] } {
  const footer: StatementFooter<F> = { texts: {}, values: {} }
  const flaws: DayFlaw[] = []
  for (const key of namesOf(form.footer)) {
    const place = header.places[key]
    if (place < 0) continue
    const { names, unit } = form.footer[key]
    const text = cells[place] ?? ''
    const value = readers[unit](text)
    footer.texts[names[0] ?? key] = text
    if (Number.isNaN(value)) flaws.push(flawOf('unreadable_footer', { name: names[0] ?? key, found: quoted(text) }))
    else footer.values[key] = value
  }
  return { footer, flaws }
}

/** Compares every sum with the footer. What the footer does not say of a column that is there is a flaw too. */
export function compareFooter<T extends BillType, K extends string, F extends string>(
  form: BillForm<T, K, F>,
  places: ColumnPlaces<K>,
  footer: StatementFooter<F>,
  sums: ColumnSums<F>,
): { flaws: DayFlaw[]; fees: FeeAgreement | null } {
  const flaws: DayFlaw[] = []
  let fees: FeeAgreement | null = null
  for (const key of namesOf(form.footer)) {
    const { names, unit, of } = form.footer[key]
    const name = names[0] ?? key
    const [sum, said] = [sums[key], footer.values[key]]
    const isThere = of === null || places[of] >= 0
    if (!Number.isSafeInteger(sum)) flaws.push(flawOf('too_large', { name }))
    if (said === undefined) {
      const isUnreadable = name in footer.texts
      if (isThere && !isUnreadable) flaws.push(flawOf('missing_footer', { name }))
      continue
    }
    const agreement = agreementOf(unit, sum, said)
    if (unit === 'fee') fees = agreement
    if (agreement !== null) continue
    flaws.push(flawOf('footer_differs', { name, said: footer.texts[name] ?? '', sum, unit: unit_words[unit] }))
  }
  return { flaws, fees }
}

const unit_words: Readonly<Record<FooterUnit, string>> = { count: 'rows', fen: 'fen', fee: 'milli_fen' }

function agreementOf(unit: FooterUnit, sum: number, said: number): FeeAgreement | null {
  if (sum === said) return 'exact'
  const isRounded = unit === 'fee' && said % fee_units_per_fen === 0
  return isRounded && Math.abs(sum - said) * 2 <= fee_units_per_fen ? 'fen' : null
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 40))
}
