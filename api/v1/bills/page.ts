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
.number { font: .9em ui-monospace, Menlo, Consolas, monospace }
@media print { body { padding: 0 } section { break-inside: avoid } }
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

function tableSection({ title, columns, rows }: StatementTable, language: Language): SafeHtml {
  if (rows.length === 0)
    return html`<h2>${title}</h2>
      <p>${statement_words.none[language]}</p>`
  return html`<h2>${title}</h2>
    <section>
      <table>
        <thead>
          <tr>
            ${columns.map((column) => html`<th>${column}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${rows.map(
            (row) =>
              html`<tr>
                ${row.map(cellElement)}
              </tr> `,
          )}
        </tbody>
      </table>
    </section>`
}

function cellElement(cell: CsvCell): SafeHtml {
  if (cell === null) return html`<td></td>`
  if (typeof cell === 'string') return html`<td>${cell}</td>`
  if (typeof cell === 'number') return html`<td class="amount">${cell}</td>`
  return 'yuan' in cell ? html`<td class="amount">${cell.yuan}</td>` : html`<td class="number">${cell.number}</td>`
}
