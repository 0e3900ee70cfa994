import { z } from 'zod'
import { beijingTime, isWritable } from '../domain/calendar.ts'
import type { Time } from '../domain/calendar.ts'

/** An amount in fen. */
export const fen = z.int().min(0)

/** A moment as WeChat Pay writes it; fractions and `Z` are legal (docs/wechat-pay.md §1.2), empty means none. */
export const time_text = z.string().refine((text) => text === '' || momentOf(text) !== null)

/** Date, time of day with an optional fraction, and an offset; WeChat Pay's old API left the offset out, and the T. */
const moment_pattern = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)(Z|[+-]\d{2}:?\d{2})?$/i

/**
 * Unix milliseconds of a moment as WeChat Pay writes it; null where it is none. Without an offset it is Beijing's, whatever
 * time zone this host is set to.
 */
export function momentOf(text: string): number | null {
  const [, day, time, offset = '+08:00'] = moment_pattern.exec(text) ?? []
  if (day === undefined || time === undefined) return null
  const ms = Date.parse(`${day}T${time}${offset.replace(/^([+-]\d{2})(\d{2})$/, '$1:$2')}`)
  return isWritable(ms) ? ms : null
}

/** The same as Weft writes it; null of nothing. Throws RangeError for what `time_text` would not take. */
export function timeOf(text: string | undefined): Time | null {
  if (!text) return null
  const ms = momentOf(text)
  if (ms === null) throw new RangeError(`not a time of WeChat Pay's: ${text}`)
  return beijingTime(ms)
}

/**
 * The schema of a field that decides nothing: a value that `schema` cannot read counts as absent, since a statement
 * about money must not be lost for it.
 */
export const lenient = <T extends z.ZodType>(schema: T) => schema.optional().catch(undefined).optional()

/**
 * The value of a JSON text with its nulls left out, in lists too, since a null means that there is none; undefined when
 * it is no JSON.
 */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text, (_key, value: unknown) => withoutNull(value))
  } catch {
    return undefined
  }
}

/** Drops nulls from the inside out: a null in a list has become a hole when the reviver reaches the list itself. */
function withoutNull(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter((entry) => entry !== undefined)
  return value === null ? undefined : value
}
