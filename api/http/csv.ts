import { stringify } from 'csv-stringify/sync'

/**
 * CsvCell is a value of a CSV file: a text, a count, nothing, or what a spreadsheet would spoil. `yuan`: an amount as
 * text, a number to a spreadsheet; `number`: an order number or the like, text to a spreadsheet.
 */
export type CsvCell = string | number | null | { yuan: string } | { number: string }

export const csv_type = 'text/csv; charset=utf-8'

/** What Excel knows UTF-8 by. Stands once, before the first line. */
export const byte_order_mark = '\uFEFF'

/** What can only be a number of ours or of WeChat Pay's: behind the tab nothing of it is a formula. */
const isPlainNumber = /^[\w|*-]+$/

/** Spreadsheets pass over blanks in front, some of them. */
const beginsFormula = /^\s*[=+\-@＝＋－＠]|^[\t\r\n]/

/**
 * Lines of CSV (RFC 4180), each with its CRLF. Texts are quoted, and one that would be a formula begins with an
 * apostrophe, since what stands in a bill may have been chosen by anybody. Order numbers begin with a tab: a spreadsheet
 * takes them for text then, keeps all their digits and leading zeros, and shows them as they are. `="…"` would do the
 * same, but is a formula, which other programs and cautious spreadsheets show as it stands.
 */
export function csvLines(rows: readonly (readonly CsvCell[])[]): string {
  return stringify(rows as CsvCell[][], {
    record_delimiter: 'windows',
    quoted_string: true,
    cast: {
      string: (text) => ({ value: safeText(text), quoted: true }),
      object: (cell) => {
        if ('yuan' in cell) return { value: String(cell['yuan']), quoted: false }
        const number = String(cell['number'])
        return { value: `\t${isPlainNumber.test(number) ? number : safeText(number)}`, quoted: true }
      },
    },
  })
}

function safeText(text: string): string {
  return beginsFormula.test(text) ? `'${text}` : text
}
