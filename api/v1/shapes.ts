import { z } from 'zod'
import { attention_codes } from '../../domain/attention.ts'
import { isTime } from '../../domain/calendar.ts'
import { out_refund_no_pattern, out_trade_no_pattern } from '../../domain/ids.ts'
import { limits } from '../../domain/policy.ts'
import { order_states } from '../../domain/order/record.ts'

/** Shapes that several resources share. A rule of ours is given by its name; its texts are in api/http/validation. */

function hasOffset(text: string): boolean {
  return /(Z|[+-]\d{2}:\d{2})$/i.test(text)
}

/** An RFC 3339 time with any offset, in requests. */
export const request_time = z
  .string()
  .max(40)
  .refine((text) => isTime(text) && hasOffset(text), 'time')
  .meta({ format: 'date-time', description: 'RFC 3339, any offset' })

/** A time in answers: Beijing, with milliseconds. */
export const time = z.string().meta({ format: 'date-time', description: 'RFC 3339, +08:00, with milliseconds' })

export const out_trade_no = z
  .string()
  .regex(out_trade_no_pattern, 'out_trade_no')
  .meta({ description: 'the merchant’s order number, 6–32 of letters, digits, _ - | *', examples: ['T20261123000001'] })

export const out_refund_no = z
  .string()
  .regex(out_refund_no_pattern, 'out_refund_no')
  .meta({ description: 'the refund’s number, 1–64 of letters, digits, _ - | * @', examples: ['R20261123000001'] })

/** WeChat Pay refuses control characters and characters beyond the basic plane (docs/wechat-pay.md §2.1, §7). */
export const isWechatText = (text: string) => !/[\p{Cc}\p{Cs}\u{10000}-\u{10FFFF}]/u.test(text)
export const isPlainText = (text: string) => !/[\p{Cc}\p{Cs}]/u.test(text)
const isTextWithLines = (text: string) => !/(?![\t\n\r])[\p{Cc}\p{Cs}]/u.test(text)

export const fen = z
  .int()
  .min(1)
  .max(limits.total_fen)
  .meta({ description: 'fen, an integer of at most 10,000,000,000' })

/** The merchant's own words about an order or a refund, in requests. */
export const metadata = z
  .record(z.string().min(1).max(40).refine(isPlainText, 'text'), z.string().max(500).refine(isTextWithLines, 'text'))
  .refine((given) => Object.keys(given).length <= 20, 'metadata_size')
  .refine((given) => Buffer.byteLength(JSON.stringify(given)) <= limits.metadata_bytes, 'metadata_bytes')
  .meta({ description: 'at most 20 keys and 6 kB of JSON; never leaves Weft except to the merchant' })

/** The reason of a decision, in requests: it goes into the timeline. */
export const request_reason = z.string().min(1).max(200).refine(isPlainText, 'text')

/** `a,b` as a list of known values: commas mean “or”. */
export function filterOf<const Values extends readonly [string, ...string[]]>(values: Values) {
  const known = z.enum(values)
  return z
    .string()
    .max(500)
    .transform((text, context): Values[number][] => {
      const parsed = z.array(known).safeParse(text.split(','))
      if (parsed.success) return parsed.data
      context.addIssue({ code: 'custom', message: 'list' })
      return z.NEVER
    })
    .meta({ description: `one or several, comma-separated, of: ${values.join(', ')}` })
}

/** `a,b` as a list of texts. */
export const text_filter = z
  .string()
  .min(1)
  .max(2_000)
  .transform((text) => text.split(',').filter((part) => part !== ''))
  .refine((parts) => parts.length >= 1 && parts.length <= 50, 'list')
  .meta({ description: 'one or several, comma-separated' })

export const order_state_filter = filterOf(order_states)
export const attention_filter = filterOf(['any', ...attention_codes])

export const paging_params = {
  limit: z.coerce.number().int().min(1).max(100).default(50).meta({ description: 'entries per page' }),
  cursor: z.string().min(1).max(2_048).optional().meta({ description: 'next_cursor of the page before' }),
}

export const time_order = z.enum(['asc', 'desc']).default('desc').meta({ description: 'oldest or newest first' })

/** A page of a list. */
export function listOf(name: string, item: z.ZodType) {
  return z
    .object({
      data: z.array(item),
      next_cursor: z.string().optional().meta({ description: 'absent on the last page' }),
    })
    .meta({ id: `${name}List` })
}

/** What a page of the store becomes on the wire: no cursor when there is no next page. */
export function pageView<T, V>(page: { data: T[]; next_cursor: string | null }, view: (item: T) => V) {
  return { data: page.data.map(view), ...(page.next_cursor === null ? {} : { next_cursor: page.next_cursor }) }
}

export const nullable_text = z.string().nullable()
export const nullable_time = time.nullable()

export const actor = z.object({
  kind: z.enum(['weft', 'merchant', 'operator', 'payer', 'wechat', 'temporal_ui']),
  id: nullable_text,
})

/** Why a person should look, and since when. */
export const attention = z.object({ code: z.enum(attention_codes), since_time: time })

/** The fields of the shape of what `View` is: a field more, less or of another type does not compile. */
export type FieldsOf<View> = { [Name in keyof View]: z.ZodType<View[Name]> }
