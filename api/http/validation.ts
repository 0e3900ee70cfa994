import type { z } from 'zod'
import { limits } from '../../domain/policy.ts'
import { issueText } from './issue.ts'
import type { Bilingual, Language } from './language.ts'
import { Problem } from './problem.ts'
import type { FieldError } from './problem.ts'

/**
 * The texts of our own rules, by name. A schema gives the rule's name where zod wants a message, and behind a colon what it
 * allows.
 */
const rule_texts: Record<string, Bilingual> = {
  out_trade_no: {
    en: 'must be 6 to 32 of letters, digits, _ - | *',
    'zh-CN': '须为 6–32 位的字母、数字或 _ - | *',
  },
  checkout_no: {
    en: 'must be 6 to 28 of letters, digits, _ - | *',
    'zh-CN': '须为 6–28 位的字母、数字或 _ - | *',
  },
  out_refund_no: {
    en: 'must be 1 to 64 of letters, digits, _ - | * @',
    'zh-CN': '须为 1–64 位的字母、数字或 _ - | * @',
  },
  wechat_text: {
    en: 'must not contain control characters or characters of 4 bytes such as emoji: WeChat Pay refuses them',
    'zh-CN': '不能包含控制字符或表情等 4 字节字符，微信支付会拒绝',
  },
  text: { en: 'must not contain control characters', 'zh-CN': '不能包含控制字符' },
  blank: { en: 'has nothing to read in it', 'zh-CN': '没有可读的内容' },
  one_expiry: {
    en: 'give expire_in or time_expire, not both',
    'zh-CN': 'expire_in 与 time_expire 只能二选一',
  },
  return_url: { en: 'must be an https URL of at most 512 bytes', 'zh-CN': '须为不超过 512 字节的 https 地址' },
  wechat_bytes: {
    en: 'is too long: WeChat Pay counts the bytes of UTF-8, in which a Han character takes three',
    'zh-CN': '过长：微信支付按 UTF-8 字节数计算长度，一个汉字占 3 字节',
  },
  metadata_bytes: {
    en: 'must be at most 6 kB long as JSON in UTF-8',
    'zh-CN': '序列化为 JSON 后不能超过 6 kB（UTF-8）',
  },
  metadata_size: { en: 'may have at most 20 keys', 'zh-CN': '最多 20 个键' },
  time: {
    en: 'must be an RFC 3339 time with seconds and an offset, such as 2026-11-23T12:00:00+08:00',
    'zh-CN': '须为带秒和时区的 RFC 3339 时间，例如 2026-11-23T12:00:00+08:00',
  },
  day: {
    en: 'must be a day of the calendar, such as 2026-11-22',
    'zh-CN': '须为日历中的日期，例如 2026-11-22',
  },
  day_over: {
    en: 'must be a day that is over in Beijing: WeChat Pay makes its bill after it',
    'zh-CN': '须为北京时间已结束的日期：微信支付在次日生成账单',
  },
  day_gone: {
    en: 'must be one of the last 90 days: WeChat Pay keeps no older bills',
    'zh-CN': '须为最近 90 天内的日期：微信支付不保留更早的账单',
  },
  day_range: {
    en: 'must not be before `from`, and at most 92 days with it',
    'zh-CN': '不能早于 from，且合计不超过 92 天',
  },
  day_order: { en: 'must not be before bill_date_from', 'zh-CN': '不能早于 bill_date_from' },
  reason_required: { en: 'say why, when result is refused', 'zh-CN': 'result 为 refused 时必须说明原因' },
  texts: { en: 'must be values with commas between them, at most 50', 'zh-CN': '须为以逗号分隔的取值，最多 50 个' },
  list: {
    en: 'must be one or several of these, with commas between them: {known}',
    'zh-CN': '须为以下一个或多个取值，以逗号分隔：{known}',
  },
  mchid: { en: 'must be 8 to 32 digits', 'zh-CN': '须为 8–32 位数字' },
  fulfilment_hears_all: {
    en: 'the fulfilment endpoint receives every event: leave event_types out or send ["*"]',
    'zh-CN': '履约地址会收到全部事件：请省略 event_types 或填写 ["*"]',
  },
  endpoint_differs: {
    en: 'differs from what the endpoint of this URL has',
    'zh-CN': '与该 URL 已登记的设置不一致',
  },
  fen: {
    en: 'must be a whole number of fen: 990 is ¥9.90',
    'zh-CN': '须为整数分，例如 990 表示 9.90 元',
  },
  fen_range: {
    en: 'must be from 1 to 10,000,000,000 fen',
    'zh-CN': '须为 1 至 10,000,000,000 分',
  },
  order_amount: {
    en: 'must be an object: {"total": 990} is ¥9.90',
    'zh-CN': '须为对象，例如 {"total": 990} 表示 9.90 元',
  },
  refund_amount: {
    en: 'must be an object: {"refund": 990} is ¥9.90',
    'zh-CN': '须为对象，例如 {"refund": 990} 表示 9.90 元',
  },
  appid: { en: 'is not an appid', 'zh-CN': '不是有效的 appid' },
  openid: { en: 'is not an openid', 'zh-CN': '不是有效的 openid' },
  openid_missing: {
    en: 'JSAPI needs payer.openid: the payer’s openid of this appid',
    'zh-CN': 'JSAPI 下单必须提供 payer.openid，即付款人在该 appid 下的 openid',
  },
  openid_unwanted: {
    en: 'only JSAPI takes a payer; leave it out',
    'zh-CN': '只有 JSAPI 下单可以提供 payer，请删除',
  },
  ip_address: { en: 'must be an address of IPv4 or IPv6', 'zh-CN': '须为 IPv4 或 IPv6 地址' },
  public_address: {
    en: 'must be the payer’s own public address: WeChat Pay refuses payers behind a private one',
    'zh-CN': '须为付款人自己的公网地址：微信支付会拒绝内网地址的付款',
  },
  scene_missing: {
    en: 'MWEB needs scene_info: payer_client_ip and h5_info',
    'zh-CN': 'MWEB 下单必须提供 scene_info（payer_client_ip 和 h5_info）',
  },
  h5_missing: { en: 'MWEB needs h5_info.type', 'zh-CN': 'MWEB 下单必须提供 h5_info.type' },
  h5_unwanted: { en: 'only MWEB takes h5_info; leave it out', 'zh-CN': '只有 MWEB 下单可以提供 h5_info，请删除' },
  differs: { en: 'differs from what was sent under this number', 'zh-CN': '与此单号首次提交的内容不一致' },
  one_payment: {
    en: 'name the payment by out_trade_no or by transaction_id, not both',
    'zh-CN': 'out_trade_no 与 transaction_id 必须且只能填一个',
  },
  payment_total: { en: 'the payment’s total is {total}', 'zh-CN': '该笔支付的总金额为 {total}' },
  second_payment: {
    en: 'must name a second payment of this order; undecided are: {known}',
    'zh-CN': '须为该订单某笔重复付款的 transaction_id；待处理的有：{known}',
  },
  nothing_left: {
    en: 'nothing of this payment is left to accept, all of it went back: reject it',
    'zh-CN': '该笔付款已全部退回，无可接受：请选择 reject',
  },
  bytes: { en: 'has too many bytes in UTF-8', 'zh-CN': '按 UTF-8 计算的字节数过多' },
  nothing_given: { en: 'owner or note must be given', 'zh-CN': '须提供 owner 或 note' },
  refund_named: {
    en: 'must be given for the action refund, and for no other',
    'zh-CN': '操作 refund 必须提供此项，其他操作不得提供',
  },
  bank_account: { en: 'must be 6 to 40 digits', 'zh-CN': '须为 6–40 位数字' },
  payers_card: {
    en: 'USER_BANK_CARD needs bank_type, bank_account and real_name; MERCHANT_BANK_CARD takes none of them',
    'zh-CN': 'USER_BANK_CARD 必须提供 bank_type、bank_account 和 real_name；MERCHANT_BANK_CARD 不能提供这些字段',
  },
  expiry_range: {
    en: 'must lie between {min} and {max} seconds from now',
    'zh-CN': '须在当前时间之后 {min} 至 {max} 秒之间',
  },
  repeated: { en: 'must be given once', 'zh-CN': '只能出现一次' },
  query_size: {
    en: 'must be at most 4 kB and 64 parameters long',
    'zh-CN': '不能超过 4 kB 或 64 个参数',
  },
  cursor: { en: 'is not a next_cursor of this list', 'zh-CN': '不是本列表返回的 next_cursor' },
  missing: { en: 'is required', 'zh-CN': '必填' },
  body_missing: {
    en: 'the body is empty; it must be a JSON object',
    'zh-CN': '请求体为空，须为 JSON 对象',
  },
  unknown: { en: 'is not a known field', 'zh-CN': '未知字段' },
}

/** Where in a request a value came from; the body's own fields have no prefix. */
export type RequestPart = 'body' | 'query' | 'path'

/** Parses `value` by `schema`. Throws a problem that names every wrong field in the reader's language. */
export function validate<T>(schema: z.ZodType<T>, value: unknown, part: RequestPart, language: Language): T {
  const parsed = schema.safeParse(value, { error: (issue) => issueText(issue, language), reportInput: true })
  if (parsed.success) return parsed.data
  throw new Problem('invalid_request', { errors: fieldErrors(parsed.error.issues, part, language) })
}

/** A FieldError for a rule that no schema can check. */
export function ruleError(
  field: string,
  rule: string,
  language: Language,
  values: Record<string, number | string> = {},
): FieldError {
  const text = rule_texts[rule]?.[language] ?? rule
  return { field, code: rule, detail: text.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name])) }
}

/** The first 20 errors, each cut short: an answer is not longer than what it answers. */
function fieldErrors(issues: z.core.$ZodIssue[], part: RequestPart, language: Language): FieldError[] {
  const errors = issues.slice(0, limits.problem_errors).flatMap((issue) => {
    const path = part === 'body' ? issue.path : [part, ...issue.path]
    if (issue.code === 'unrecognized_keys') {
      const unknown = issue.keys.slice(0, limits.problem_errors)
      return unknown.map((key) => ruleError(pointer([...path, key]), 'unknown', language))
    }
    const field = pointer(path)
    if (issue.code === 'invalid_type' && issue.input === undefined)
      return ruleError(field, field === '' ? 'body_missing' : 'missing', language)
    const [, rule = '', known = ''] = /^(\w+)(?:: (.*))?$/s.exec(issue.message) ?? []
    if (Object.hasOwn(rule_texts, rule)) return ruleError(field, rule, language, { known })
    return { field, code: issue.code, detail: shortened(issue.message) }
  })
  return distinct(errors).slice(0, limits.problem_errors)
}

/** What two rules say alike of a field is said once. */
function distinct(errors: FieldError[]): FieldError[] {
  const said = errors.map(({ field, code, detail }) => JSON.stringify([field, code, detail]))
  return errors.filter((_, place) => said.indexOf(said[place] ?? '') === place)
}

function shortened(text: string): string {
  const { problem_characters } = limits
  return text.length > problem_characters ? `${text.slice(0, problem_characters)}…` : text
}

/** `path` as a JSON Pointer (RFC 6901). */
export function pointer(path: PropertyKey[]): string {
  return path.map((part) => `/${shortened(String(part)).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}
