import { z } from 'zod'

/** An amount in fen. */
export const fen = z.int().min(0)

/** A moment as WeChat Pay writes it; fractions and `Z` are legal (docs/wechat-pay.md §1.2), empty means none. */
export const time_text = z
  .string()
  .refine((text) => text === '' || (/^\d{4}-\d{2}-\d{2}T/.test(text) && !Number.isNaN(Date.parse(text))))

/**
 * A field that decides nothing: in a form that nobody knows it counts as absent, since a statement about money must not
 * be lost for what stands beside it.
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

/** From the inside out: what a list held of nulls is a hole by the time that the list itself is looked at. */
function withoutNull(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter((entry) => entry !== undefined)
  return value === null ? undefined : value
}
