import { z } from 'zod'
import { attention_codes } from '../../domain/attention.ts'
import { isTime } from '../../domain/calendar.ts'
import { checkout_no_pattern, out_refund_no_pattern, out_trade_no_pattern } from '../../domain/ids.ts'
import { limits } from '../../domain/policy.ts'
import { order_states } from '../../domain/order/record.ts'

/** Shapes that several resources share. A rule of ours is given by its name; its texts are in api/http/validation. */

/** The grammar of RFC 3339 §5.6 in upper case: seconds and an offset are there. */
const rfc3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/

/** `t` and `z` may be small (RFC 3339 §5.6). */
function capitalTime(text: string): string {
  return text.toUpperCase()
}

/** A `+` that was not written as `%2B` came as a space, and before an offset a space can mean nothing else. */
function restoredPlus(text: string): string {
  return text.replace(/ (?=\d{2}:\d{2}$)/, '+')
}

/** An RFC 3339 time with any offset, in bodies. */
export const request_time = timeShape(capitalTime, 'RFC 3339, any offset')

/** The same in a query. */
export const query_time = timeShape((text) => capitalTime(restoredPlus(text)), 'RFC 3339, any offset')

function timeShape(read: (text: string) => string, description: string) {
  return z
    .string('time')
    .max(40, 'time')
    .refine((text) => rfc3339.test(read(text)) && isTime(read(text)), 'time')
    .transform(read)
    .meta({ format: 'date-time', description })
}

/** A time in answers: Beijing, with milliseconds. */
export const time = z.string().meta({ format: 'date-time', description: 'RFC 3339, +08:00, with milliseconds' })

export const out_trade_no = z
  .string()
  .regex(out_trade_no_pattern, 'out_trade_no')
  .meta({ description: 'the merchant’s order number, 6–32 of letters, digits, _ - | *', examples: ['T20261123000001'] })

/** As an order's, and short enough for those of its later orders, which end in `-2` and so on. */
export const checkout_no = z
  .string()
  .regex(checkout_no_pattern, 'checkout_no')
  .meta({
    description: 'the merchant’s number of the sale, 6–28 of letters, digits, _ - | *; its first order has it too',
    examples: ['T20261123000001'],
  })

export const out_refund_no = z
  .string()
  .regex(out_refund_no_pattern, 'out_refund_no')
  .meta({ description: 'the refund’s number, 1–64 of letters, digits, _ - | * @', examples: ['R20261123000001'] })

/**
 * Whether WeChat Pay takes the text: it refuses control characters and characters beyond the basic plane
 * (docs/wechat-pay.md §2.1, §7). Like the two rules below this one is no pattern of the contract: PCRE and Rust's regex,
 * which generated clients use, refuse `\u` and surrogates.
 */
export function isWeChatText(text: string): boolean {
  return /^[ -~\u00a0-\ud7ff\ue000-\uffff]*$/.test(text)
}

/** Whether the text has no control characters and no half of a surrogate pair. */
export function isPlainText(text: string): boolean {
  return /^[^\u0000-\u001f\u007f-\u009f\ud800-\udfff]*$/u.test(text)
}

/** Whether a text that is not empty has anything to read in it: blanks and invisible characters say nothing. */
export function isReadable(text: string): boolean {
  return text === '' || /[^\p{C}\p{Z}]/u.test(text)
}

/** Whether the text is plain but for lines and tabs. */
function isTextWithLines(text: string): boolean {
  return /^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\ud800-\udfff]*$/u.test(text)
}

/** A text of at most `most_bytes` that goes to WeChat Pay: three bytes for a Han character (docs/wechat-pay.md §1.2). */
export function wechatText(most_bytes: number, least = 1) {
  return z
    .string()
    .min(least)
    .max(most_bytes)
    .refine(isWeChatText, 'wechat_text')
    .refine((text) => text.length > most_bytes || Buffer.byteLength(text) <= most_bytes, 'wechat_bytes')
}

export const fen = z
  .int('fen')
  .min(1, 'fen_range')
  .max(limits.total_fen, 'fen_range')
  .meta({ description: 'fen, an integer of at most 10,000,000,000' })

/** The merchant's own words about an order or a refund, in requests. */
export const metadata = z
  .record(z.string().min(1).max(40).refine(isPlainText, 'text'), z.string().max(500).refine(isTextWithLines, 'text'))
  .refine((given) => Object.keys(given).length <= 20, 'metadata_size')
  .refine((given) => Buffer.byteLength(JSON.stringify(given)) <= limits.metadata_bytes, 'metadata_bytes')
  .meta({ description: 'at most 20 keys and 6 kB of JSON; never leaves Weft except to the merchant' })

/** Why money goes back, in the payer's words. */
export const refund_reason = wechatText(limits.wechat_bytes.refund_reason)
  .nullish()
  .meta({ description: 'the payer sees it; at most 80 bytes in UTF-8' })

/** The reason of a decision, in requests: it goes into the timeline. */
export const request_reason = z.string().min(1).max(200).refine(isPlainText, 'text').refine(isReadable, 'blank')

/** `a,b` as a list of known values: commas mean “or”. */
export function filterOf<const Values extends readonly [string, ...string[]]>(values: Values) {
  const value = `(?:${values.map((text) => text.replaceAll('.', '\\.')).join('|')})`
  return z
    .string()
    .max(2_000)
    .regex(new RegExp(`^${value}(?:,${value})*$`), `list: ${values.join(', ')}`)
    .transform((text) => text.split(',') as Values[number][])
    .meta({ description: `one or several, comma-separated, of: ${values.join(', ')}` })
}

/** `a,b` as a list of texts. */
export const text_filter = z
  .string()
  .min(1)
  .max(2_000)
  .regex(/[^,]/, 'texts')
  .transform((text) => text.split(',').filter((part) => part !== ''))
  .refine((parts) => parts.length <= 50, 'texts')
  .meta({ description: 'one or several, comma-separated' })

/** The same of texts that may hold commas themselves: one is found as a whole, too. */
export const free_text_filter = z
  .string()
  .min(1)
  .max(2_000)
  .transform((text) => [...new Set([text, ...text.split(',').filter((part) => part !== '')])])
  .refine((parts) => parts.length <= 50, 'texts')
  .meta({ description: 'one or several, comma-separated; one that holds commas itself is found as well' })

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
      next_cursor: z.string().nullable().meta({ description: 'null on the last page' }),
    })
    .meta({ id: `${name}List` })
}

/** What a page of the store becomes on the wire. */
export function pageView<T, V>(page: { data: T[]; next_cursor: string | null }, view: (item: T) => V) {
  return { data: page.data.map(view), next_cursor: page.next_cursor }
}

export const nullable_text = z.string().nullable()
export const nullable_time = time.nullable()

export const actor = z.object({
  kind: z.enum(['weft', 'merchant', 'operator', 'payer', 'wechat', 'temporal_ui']),
  id: nullable_text,
})

/** Why a person should look, and since when. */
export const attention_detail = nullable_text.meta({
  description: 'which of several things is meant, or what WeChat Pay itself said; null where the code says all',
})
export const attention = z.object({ code: z.enum(attention_codes), since_time: time, detail: attention_detail })

/** The fields of the shape of what `View` is: a field more, less or of another type does not compile. */
export type FieldsOf<View> = { [Name in keyof View]: z.ZodType<View[Name]> }
