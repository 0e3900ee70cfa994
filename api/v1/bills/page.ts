import { createHash } from 'node:crypto'
import type { CsvCell } from '../../http/csv.ts'
import type { Language } from '../../http/language.ts'
import { html, trustedHtml } from '../../http/markup.ts'
import type { SafeHtml } from '../../http/markup.ts'
import type { StatementTable } from './statement.ts'
import { statement_words } from './words.ts'

const style = `
:root { color-scheme: light dark; font: 15px/1.6 system-ui, "PingFang SC", "Microsoft YaHei", sans-serif }
body { max-width: 72rem; margin: 0 auto; padding: 2rem 1rem 4rem }
section { overflow-x: auto }
table { border-collapse: collapse; margin: .5rem 0 2rem }
th, td { text-align: left; vertical-align: top; padding: .3rem .9rem .3rem 0; border-bottom: 1px solid #8883 }
.amount { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
.number { font: .9em ui-monospace, Menlo, Consolas, monospace; overflow-wrap: anywhere }
.more > td { border-bottom: 0; padding-bottom: 0 }
.details { padding-top: 0; font-size: .87em }
.details span { display: inline-block; margin-right: 1.2rem }
.details b { font-weight: 400; opacity: .7 }
@page { size: A4 landscape; margin: 12mm }
@media print {
  :root { color-scheme: light; font-size: 11px }
  body { max-width: none; padding: 0 }
  section { overflow: visible }
  h2 { break-after: avoid }
  thead { display: table-header-group }
  tr { break-inside: avoid }
  .more { break-after: avoid }
}
`
const style_element = trustedHtml(`<style>${style}</style>`)
const style_hash = createHash('sha256').update(style, 'utf8').digest('base64')

/** What the page may load: its own style, and nothing else. */
export const page_policy = `default-src 'none'; style-src 'sha256-${style_hash}'; frame-ancestors 'none'`

export interface StatementPage {
  tables: readonly StatementTable[]
  language: Language
  /** the last table is not whole */
  has_more: boolean
}

/** A day's statement to be read and printed: no script, nothing loaded. */
export function statementPage({ tables, language, has_more }: StatementPage): string {
  const title = statement_words.title[language]
  const page = html`<html lang="${language}">
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <title>${title}</title>
      ${style_element}
    </head>
    <body>
      ${tables.map((table) => tableSection(table, language))}
      ${has_more ? html`<p>${statement_words.more_differences[language]}</p>` : null}
    </body>
  </html>`
  return `<!doctype html>${page.toString()}`
}

function tableSection({ title, columns, rows, details = [] }: StatementTable, language: Language): SafeHtml {
  if (rows.length === 0)
    return html`<h2>${title}</h2>
      <p>${statement_words.none[language]}</p>`
  return html`<h2>${title}</h2>
    <section>
      <table>
        <thead>
          <tr>
            ${columns.map((column, at) => headElement(column, rows[0]?.[at] ?? null))}
          </tr>
        </thead>
        <tbody>
          ${rows.map(
            (row, at) =>
              html`<tr class="${details[at] ? 'more' : ''}">
                  ${row.map(cellElement)}
                </tr>
                ${details[at] ? detailElement(details[at], columns.length) : null}`,
          )}
        </tbody>
      </table>
    </section>`
}

/** A name stands above its amounts, at their side. */
function headElement(column: string, first: CsvCell): SafeHtml {
  return isAmount(first) ? html`<th class="amount">${column}</th>` : html`<th>${column}</th>`
}

function isAmount(cell: CsvCell): boolean {
  return typeof cell === 'number' || (cell !== null && typeof cell === 'object' && 'yuan' in cell)
}

function detailElement(details: readonly [string, CsvCell][], columns: number): SafeHtml {
  return html`<tr>
    <td class="details" colspan="${columns}">
      ${details.map(([name, cell]) => html`<span><b>${name}</b> ${shownCell(cell)}</span> `)}
    </td>
  </tr>`
}

function shownCell(cell: CsvCell): string {
  if (cell === null || typeof cell !== 'object') return String(cell ?? '')
  return 'yuan' in cell ? grouped(cell.yuan) : cell.number
}

/** `1234567.89` → `1,234,567.89`: as people read it; files for programs have no commas. */
function grouped(yuan: string): string {
  const [whole = '', ...rest] = yuan.split('.')
  return [whole.replace(/\B(?=(\d{3})+$)/g, ','), ...rest].join('.')
}

function cellElement(cell: CsvCell): SafeHtml {
  if (cell === null) return html`<td></td>`
  if (typeof cell === 'string') return html`<td>${cell}</td>`
  if (typeof cell === 'number') return html`<td class="amount">${cell}</td>`
  return 'yuan' in cell
    ? html`<td class="amount">${grouped(cell.yuan)}</td>`
    : html`<td class="number">${cell.number}</td>`
}
