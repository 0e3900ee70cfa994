/** How values stand in a bill (docs/wechat-pay.md §5). */
import { beijingTime } from '../../domain/calendar.ts'
import type { OddForm } from './row.ts'

/** A rate as bills write it. */
export const fee_rate_pattern = /^\d{1,2}\.\d{2}%$/

/** The fee of an amount by a rate as bills write it, `0.60%`, rounded half-up to the fen. */
export function feeOf(amount: number, rate: string): number {
  const share = Number(rate.replace(/[.%]/g, ''))
  return Math.floor((amount * share + 5_000) / 10_000)
}

/** `yyyy-MM-dd HH:mm:ss`, Beijing. */
export function billTime(ms: number): string {
  return beijingTime(ms).slice(0, 19).replace('T', ' ')
}

/** Yuan with two decimals. */
export function yuan(fen: number): string {
  const digits = String(Math.abs(fen)).padStart(3, '0')
  return `${fen < 0 ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`
}

/** A fee, given in 1/1000 fen, in yuan with five decimals. */
export function feeText(thousandths: number): string {
  const digits = String(Math.abs(thousandths)).padStart(6, '0')
  return `${thousandths < 0 ? '-' : ''}${digits.slice(0, -5)}.${digits.slice(-5)}`
}

/** A sum of the footer, given in 1/1000 fen, in yuan: without trailing zeros, but with one decimal. */
export function sumText(thousandths: number): string {
  return feeText(thousandths).replace(/0{1,4}$/, '')
}

/** A count of the footer: `45.0`. */
export function countText(count: number): string {
  return `${count}.0`
}

/** Text that people set, as trade bills escape it: a comma is a backslash and a blank, a line break is `\n`. */
export function escapeText(text: string): string {
  if (!/[,\r\n]/.test(text)) return text // almost every one, in files of millions of lines
  return text.replaceAll(',', '\\ ').replaceAll(/\r\n|\r|\n/g, '\\n')
}

/** Text as fund-flow bills escape it. */
export function escapeRemark(text: string): string {
  return text.replaceAll('\u0001', ' ').replaceAll('\r', '\\r').replaceAll('\n', '\\n')
}

/** Every value begins with a back-tick. */
export function lineOfCells(cells: readonly string[]): string {
  let line = ''
  for (const cell of cells) line += line === '' ? `\`${cell}` : `,\`${cell}`
  return line
}

const text_titles = ['商品名称', '备注']
const time_titles = ['交易时间', '记账时间']
const amount_titles = ['订单金额', '应结订单金额', '总金额', '收支金额(元)']

/** What an odd form does to one cell: the first of `titles` that the file has. */
const cellForms: Partial<Record<OddForm, { titles: string[]; change: (value: string) => string }>> = {
  comma: { titles: text_titles, change: (value) => `${value}, 2 cups` },
  false_cell: { titles: text_titles, change: (value) => `${value},\`2` },
  back_tick: { titles: text_titles, change: (value) => `${value}\`B` },
  line_break: { titles: text_titles, change: (value) => `${value}\r\n第二行` },
  decimals: { titles: amount_titles, change: (value) => `${value}5` },
  few_decimals: { titles: amount_titles, change: (value) => value.replace(/\.?0+$/, '') },
  double_blank: { titles: time_titles, change: (value) => value.replace(' ', '  ') },
  full_width_colons: { titles: time_titles, change: (value) => value.replaceAll(':', '：') },
  missing_blank: { titles: time_titles, change: (value) => value.replace(' ', '') },
}

/** The line of these cells, written in an odd form. */
export function oddLine(form: OddForm, cells: readonly string[], titles: readonly string[]): string {
  if (form === 'short_line') return lineOfCells(cells.slice(0, -1))
  if (form === 'cut_line') return lineOfCells(cells.slice(0, Math.floor(cells.length / 2)))
  const { titles: wanted = [], change = String } = cellForms[form] ?? {}
  const place = wanted.map((title) => titles.indexOf(title)).find((index) => index >= 0) ?? -1
  return lineOfCells(cells.map((cell, index) => (index === place ? change(cell) : cell)))
}
