import type { BillType } from '../../domain/bill/row.ts'
import { countOf, feeOf, signedFenOf } from './cell.ts'
import type { BillForm, ColumnSums, FooterUnit } from './form.ts'
import { namesOf, readHeader } from './header.ts'
import type { ColumnPlaces, Header } from './header.ts'

/** Why a file does not prove itself. Any one of them leaves its day unproven. */
export type StatementFlawCode =
  | 'not_a_bill'
  | 'no_header'
  | 'unknown_column'
  | 'doubled_column'
  | 'missing_column'
  | 'malformed_lines'
  | 'no_footer'
  | 'unknown_footer'
  | 'missing_footer'
  | 'unreadable_footer'
  | 'footer_differs'
  | 'too_large'

export interface StatementFlaw {
  code: StatementFlawCode
  /** for people */
  text: string
}

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

/** Whether a line that begins with no back-tick names the sums of the file. */
export function readFooterHeader<F extends string>(
  line: string,
  footer: Readonly<Record<F, { names: readonly string[] }>>,
): Header<F> | null {
  const names = Object.fromEntries(namesOf(footer).map((key) => [key, footer[key].names]))
  return readHeader(line, names as Record<F, readonly string[]>, 'first')
}

/** Reads the numbers under the footer's own names. */
export function readFooter<F extends string>(
  form: { footer: Readonly<Record<F, { names: readonly string[]; unit: FooterUnit }>> },
  header: Header<F>,
  cells: readonly string[],
): { footer: StatementFooter<F>; flaws: StatementFlaw[] } {
  const footer: StatementFooter<F> = { texts: {}, values: {} }
  const flaws: StatementFlaw[] = []
  for (const key of namesOf(form.footer)) {
    const place = header.places[key]
    if (place < 0) continue
    const { names, unit } = form.footer[key]
    const text = cells[place] ?? ''
    const value = readers[unit](text)
    footer.texts[names[0] ?? key] = text
    if (Number.isNaN(value))
      flaws.push({ code: 'unreadable_footer', text: `${names[0]} is no number: ${quoted(text)}` })
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
): { flaws: StatementFlaw[]; fees: FeeAgreement | null } {
  const flaws: StatementFlaw[] = []
  let fees: FeeAgreement | null = null
  for (const key of namesOf(form.footer)) {
    const { names, unit, of } = form.footer[key]
    const name = names[0] ?? key
    const [sum, said] = [sums[key], footer.values[key]]
    const isThere = of === null || places[of] >= 0
    if (!Number.isSafeInteger(sum)) flaws.push({ code: 'too_large', text: `${name} of the rows is no exact number` })
    if (said === undefined) {
      const isUnreadable = name in footer.texts
      if (isThere && !isUnreadable) flaws.push({ code: 'missing_footer', text: `the footer does not say ${name}` })
      continue
    }
    const agreement = agreementOf(unit, sum, said)
    if (unit === 'fee') fees = agreement
    if (agreement !== null) continue
    const told = `the footer says ${name} ${footer.texts[name]}, and the rows come to ${sum} ${unit_names[unit]}`
    flaws.push({ code: 'footer_differs', text: told })
  }
  return { flaws, fees }
}

const unit_names: Readonly<Record<FooterUnit, string>> = { count: 'rows', fen: 'fen', fee: '1/1000 fen' }

function agreementOf(unit: FooterUnit, sum: number, said: number): FeeAgreement | null {
  if (sum === said) return 'exact'
  const isRounded = unit === 'fee' && said % fee_units_per_fen === 0
  return isRounded && Math.abs(sum - said) * 2 <= fee_units_per_fen ? 'fen' : null
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 40))
}
