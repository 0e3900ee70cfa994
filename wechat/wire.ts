import { z } from 'zod'

/** An amount in fen. */
export const fen = z.int().min(0)

/** A moment as WeChat Pay writes it; fractions and `Z` are legal (docs/wechat-pay.md §1.2), empty means none. */
export const time_text = z
  .string()
  .refine((text) => text === '' || (/^\d{4}-\d{2}-\d{2}T/.test(text) && !Number.isNaN(Date.parse(text))))

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
