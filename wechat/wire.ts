import { z } from 'zod'

/** An amount in fen. */
export const fen = z.int().min(0)

/** A moment as WeChat Pay writes it; fractions and `Z` are legal (docs/wechat-pay.md §1.2), empty means none. */
export const moment = z
  .string()
  .refine((text) => text === '' || (/^\d{4}-\d{2}-\d{2}T/.test(text) && !Number.isNaN(Date.parse(text))))

/** The value of a JSON text with its nulls left out, since a null means an absent field; undefined when it is no JSON. */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text, (_key, value: unknown) => (value === null ? undefined : value))
  } catch {
    return undefined
  }
}
