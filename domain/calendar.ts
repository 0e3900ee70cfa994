/** RFC 3339 with milliseconds and the Beijing offset, `2026-11-23T12:00:05.412+08:00`: on the wire and in Temporal. */
export type Time = string

const beijing_offset_ms = 8 * 60 * 60 * 1000

/** The moment `ms` (Unix milliseconds) as Weft writes it everywhere. China has had no daylight saving since 1991. */
export function beijingTime(ms: number): Time {
  return new Date(ms + beijing_offset_ms).toISOString().replace('Z', '+08:00')
}

/** The same moment as WeChat Pay writes it: no fraction (docs/wechat-pay.md §1.2). */
export function wechatTime(ms: number): string {
  return beijingTime(ms).replace(/\.\d{3}/, '')
}

/** Unix milliseconds of any RFC 3339 text, whatever its offset. Throws on anything else: a time is never guessed. */
export function milliseconds(time: Time): number {
  const ms = Date.parse(time)
  if (!isWritable(ms) || !isOnCalendar(time)) throw new RangeError(`not an RFC 3339 time: ${time}`)
  return ms
}

/** Date.parse carries a day or an hour too many over into the next: 31 November is 1 December to it. */
function isOnCalendar(time: string): boolean {
  const [day] = /^\d{4}-\d{2}-\d{2}(?=T([01]\d|2[0-3]))/.exec(time) ?? []
  return day !== undefined && new Date(day).toISOString().startsWith(day)
}

const first_ms = Date.parse('0001-01-01T00:00:00+08:00')
const end_ms = Date.parse('9999-12-31T24:00:00+08:00')

/**
 * Whether a moment can be written with a year of four digits: an offset moves a legal text out of them, and nobody could
 * read back what is written of it then. The year 0 is left out for what is reckoned back from a moment.
 */
export function isWritable(ms: number): boolean {
  return ms >= first_ms && ms < end_ms
}

/** Whether a text is a time that `milliseconds` can read. */
export function isTime(text: string): boolean {
  try {
    milliseconds(text)
    return true
  } catch {
    return false
  }
}

/** The Beijing day of a moment, `2026-11-23`: what bills and reports are cut by. */
export function beijingDay(ms: number): string {
  return beijingTime(ms).slice(0, 10)
}

/** The Beijing day that was over when the day of this moment began. */
export function dayBefore(ms: number): string {
  return beijingDay(ms - 24 * 60 * 60 * 1000)
}
