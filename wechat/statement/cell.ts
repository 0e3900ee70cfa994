import type { Time } from '../../domain/calendar.ts'

/** Decimals of a yuan: amounts are whole fen, fees have 1/1000 fen (docs/wechat-pay.md §5.1). */
const fen_scale = 2
const fee_scale = 5

/** More digits than these, scale included, are not kept exactly. No bill has so much money. */
const most_digits = 15

/** Fen of an amount in yuan, `0.01`, `0.0` or `0`; NaN when the text is anything else, a signed amount included. */
export function fenOf(text: string): number {
  return text.charCodeAt(0) === minus ? NaN : decimal(text, fen_scale)
}

/** The same of a sum or a balance, which may be negative. */
export function signedFenOf(text: string): number {
  return decimal(text, fen_scale)
}

/** 1/1000 fen of a fee in yuan, `0.05940` or `-0.02`; NaN when the text is anything else. */
export function feeOf(text: string): number {
  return decimal(text, fee_scale)
}

/** A count, which bills write as `45` and as `45.0`; NaN when the text is anything else. */
export function countOf(text: string): number {
  const digits = text.endsWith('.0') ? text.slice(0, -2) : text
  return digits.charCodeAt(0) === minus ? NaN : decimal(digits, 0)
}

const [minus, dot, zero, nine, colon, hyphen, blank] = [45, 46, 48, 57, 58, 45, 32] as const

/**
 * A decimal number as an integer of `scale` decimals; NaN unless it is digits, with at most so many decimals. Digit by
 * digit, since no float may stand between a bill and its fen, and since a bill of millions has tens of millions.
 */
function decimal(text: string, scale: number): number {
  const isNegative = text.charCodeAt(0) === minus
  const first = isNegative ? 1 : 0
  let value = 0
  let point = -1
  for (let at = first; at < text.length; at += 1) {
    const char = text.charCodeAt(at)
    if (char >= zero && char <= nine) value = value * 10 + (char - zero)
    else if (char === dot && point < 0 && at > first) point = at
    else return NaN
  }
  const decimals = point < 0 ? 0 : text.length - point - 1
  const digits = text.length - first - (point < 0 ? 0 : 1)
  if (digits === 0 || decimals > scale || (point >= 0 && decimals === 0)) return NaN
  if (digits + scale - decimals > most_digits) return NaN
  const scaled = value * (powers[scale - decimals] ?? NaN)
  return isNegative && scaled !== 0 ? -scaled : scaled
}

const powers = [1, 10, 100, 1_000, 10_000, 100_000]

/**
 * The moment of `2019-02-19 05:01:46`, Beijing; null when it is none. Runs of blanks between day and time are met and
 * taken; a missing blank and full-width colons stand in documents only.
 */
export function momentOfCell(text: string): Time | null {
  const end = text.length - 8
  if (end < 11 || !isDay(text) || !isTimeOfDay(text, end)) return null
  for (let at = 10; at < end; at += 1) if (text.charCodeAt(at) !== blank) return null
  return `${text.slice(0, 10)}T${text.slice(end)}.000+08:00`
}

function isDay(text: string): boolean {
  if (text.charCodeAt(4) !== hyphen || text.charCodeAt(7) !== hyphen) return false
  const year = pair(text, 0) * 100 + pair(text, 2)
  const month = pair(text, 5)
  const day = pair(text, 8)
  return year >= 1900 && month >= 1 && month <= 12 && day >= 1 && day <= daysOf(year, month)
}

function daysOf(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31
}

function isTimeOfDay(text: string, at: number): boolean {
  if (text.charCodeAt(at + 2) !== colon || text.charCodeAt(at + 5) !== colon) return false
  return pair(text, at) <= 23 && pair(text, at + 3) <= 59 && pair(text, at + 6) <= 59
}

/** Two digits as a number; NaN, which no comparison holds of, when one is none. */
function pair(text: string, at: number): number {
  const tens = text.charCodeAt(at) - zero
  const ones = text.charCodeAt(at + 1) - zero
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : NaN
}

/** Whether a number or a word is there and has only what can stand in one: no blank, no control, no broken UTF-8. */
export function isPlain(text: string): boolean {
  return text !== '' && isPlainOrEmpty(text)
}

export function isPlainOrEmpty(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charCodeAt(at)
    if (char <= blank || (char >= 0x7f && (char < 0xa1 || char === 0xfffd))) return false
  }
  return true
}
