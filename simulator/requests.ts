import { z } from 'zod'
import { isTime } from '../domain/calendar.ts'
import { out_refund_no_pattern, out_trade_no_pattern } from '../domain/ids.ts'
import type { SimulatedTradeType } from './records.ts'
import { CallRefusal } from './refusal.ts'
import type { RefusalDetail } from './refusal.ts'

const too_long = 'too many bytes'

/** Text of up to `length` bytes, none of whose characters takes four (docs/wechat-pay.md §1.2). */
const text = (length: number, least = 1) =>
  z
    .string()
    .min(least)
    .refine((value) => Buffer.byteLength(value) <= length, { message: too_long, params: { maximum: length } })
    .refine((value) => !/[\u{10000}-\u{10FFFF}]/u.test(value), { message: '4-byte characters' })

const rfc3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/
const time = text(64).refine((value) => rfc3339.test(value) && isTime(value), { message: 'not RFC 3339' })

/** Whether the text is an absolute http(s) address with a host. */
function isWebAddress(value: string): boolean {
  return URL.canParse(value) && /^https?:\/\/[^/?#]/i.test(value)
}

const goods = z.strictObject({
  merchant_goods_id: text(32),
  wechatpay_goods_id: text(32).optional(),
  goods_name: text(256).optional(),
  quantity: z.int().positive(),
  unit_price: z.int().nonnegative(),
})

/** What the bodies of `POST /v3/pay/transactions/{native,jsapi,app,h5}` have in common (docs/wechat-pay.md §2.1). */
const orderFields = {
  appid: text(32),
  mchid: text(32),
  description: text(127),
  out_trade_no: z.string().min(6).max(32).regex(out_trade_no_pattern),
  time_expire: time.optional(),
  attach: text(128, 0).optional(),
  notify_url: text(255).refine(isWebAddress, { message: 'not a web address' }),
  goods_tag: text(256, 0).optional(),
  support_fapiao: z.boolean().optional(),
  limit_pay: z.array(z.enum(['no_balance', 'no_credit', 'no_debit', 'balance_only'])).optional(),
  amount: z.strictObject({ total: z.int().positive().max(10_000_000_000), currency: z.literal('CNY').optional() }),
  detail: z
    .strictObject({
      cost_price: z.int().nonnegative().optional(),
      invoice_id: text(32).optional(),
      goods_detail: z.array(goods).min(1).max(6000).optional(),
    })
    .refine((detail) => Buffer.byteLength(JSON.stringify(detail)) <= 6144, { message: 'longer than 6144 bytes' })
    .optional(),
  settle_info: z.strictObject({ profit_sharing: z.boolean().optional() }).optional(),
}

const scene = z.strictObject({
  payer_client_ip: z.union([z.ipv4(), z.ipv6()]),
  device_id: text(32).optional(),
  store_info: z
    .strictObject({
      id: text(32),
      name: text(256).optional(),
      area_code: text(32).optional(),
      address: text(512).optional(),
    })
    .optional(),
})

const h5Scene = scene.extend({
  h5_info: z.strictObject({
    type: z.enum(['iOS', 'Android', 'Wap']),
    app_name: text(64).optional(),
    app_url: text(128).optional(),
    bundle_id: text(128).optional(),
    package_name: text(128).optional(),
  }),
})

const plainOrder = z.strictObject({ ...orderFields, scene_info: scene.optional() })

export type PlaceBody = z.infer<typeof plainOrder> & { payer?: { openid: string } }

/** The body of an order by its product: who pays is asked for JSAPI only, and where, for H5 only. */
export const placeBodies: Record<SimulatedTradeType, z.ZodType<PlaceBody>> = {
  NATIVE: plainOrder,
  APP: plainOrder,
  JSAPI: plainOrder.extend({ payer: z.strictObject({ openid: text(128) }) }),
  MWEB: z.strictObject({ ...orderFields, scene_info: h5Scene }),
}

/** The body of a close: the merchant's number and nothing else (docs/wechat-pay.md §2.3). */
export const closeBody = z.strictObject({ mchid: text(32) })

const refundNumber = z.string().min(1).max(64).regex(out_refund_no_pattern)

/** The body of `POST /v3/refund/domestic/refunds` (docs/wechat-pay.md §2.4). */
export const refundBody = z.strictObject({
  transaction_id: text(32).optional(),
  out_trade_no: z.string().min(6).max(32).regex(out_trade_no_pattern).optional(),
  out_refund_no: refundNumber,
  reason: text(80).optional(),
  notify_url: text(256).refine(isWebAddress, { message: 'not a web address' }).optional(),
  funds_account: z.enum(['AVAILABLE', 'UNSETTLED']).optional(),
  amount: z.strictObject({
    refund: z.int().positive(),
    total: z.int().positive(),
    currency: z.literal('CNY'),
    from: z
      .array(z.strictObject({ account: z.enum(['AVAILABLE', 'UNAVAILABLE']), amount: z.int().positive() }))
      .min(1)
      .max(2)
      .optional(),
  }),
  goods_detail: z
    .array(
      z.strictObject({
        merchant_goods_id: text(32),
        wechatpay_goods_id: text(32).optional(),
        goods_name: text(256).optional(),
        unit_price: z.int().nonnegative(),
        refund_amount: z.int().nonnegative(),
        refund_quantity: z.int().positive(),
      }),
    )
    .min(1)
    .optional(),
})

export type RefundBody = z.infer<typeof refundBody>

/** The body of the abnormal-refund call; what is encrypted is opened and checked later. */
export const abnormalRefundBody = z.strictObject({
  out_refund_no: refundNumber,
  type: z.enum(['USER_BANK_CARD', 'MERCHANT_BANK_CARD']),
  bank_type: text(16).optional(),
  bank_account: text(1024).optional(),
  real_name: text(1024).optional(),
})

export type AbnormalRefundBody = z.infer<typeof abnormalRefundBody>

/** WeChat Pay's Chinese names of the fields, as its error messages use them. */
const labels: Record<string, string> = {
  '/appid': '公众账号ID',
  '/mchid': '直连商户号',
  '/description': '商品描述',
  '/out_trade_no': '商户订单号',
  '/time_expire': '支付结束时间',
  '/attach': '商户数据包',
  '/notify_url': '商户回调地址',
  '/amount': '订单金额',
  '/amount/total': '总金额',
  '/amount/currency': '货币类型',
  '/payer': '支付者',
  '/payer/openid': '用户标识',
  '/scene_info': '场景信息',
  '/scene_info/payer_client_ip': '用户终端IP',
  '/scene_info/h5_info': 'H5场景信息',
  '/scene_info/h5_info/type': '场景类型',
  '/amount/refund': '退款金额',
  '/amount/from': '退款出资账户及金额',
  '/transaction_id': '微信支付订单号',
  '/out_refund_no': '商户退款单号',
  '/reason': '退款原因',
  '/funds_account': '退款资金来源',
  '/goods_detail': '退款商品',
  '/type': '异常退款处理方式',
  '/bank_type': '开户银行',
  '/bank_account': '收款银行卡号',
  '/real_name': '收款用户姓名',
}

/**
 * Reads the body of a call by its schema. Throws the CallRefusal PARAM_ERROR, as WeChat Pay does, for a text that is
 * not JSON and for a field that is missing, too long, unknown, null, or holds characters of four bytes.
 */
export function readBody<T>(bytes: Buffer, schema: z.ZodType<T>, nulls: 'refuse' | 'absent'): T {
  const parsed = parseJson(bytes)
  const given = nulls === 'absent' ? withoutNulls(parsed) : parsed
  const outcome = schema.safeParse(given)
  if (outcome.success) return outcome.data
  const [issue] = outcome.error.issues
  if (issue === undefined) throw new CallRefusal('PARAM_ERROR')
  throw fieldRefusal(issue, given)
}

/** Parses a JSON object. Throws CallRefusal for anything else. */
function parseJson(bytes: Buffer): unknown {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  } catch {
    // refused below, like any other text that is not an object
  }
  throw new CallRefusal('PARAM_ERROR', { message: '请求体不是有效的JSON对象', detail: { location: 'body', value: '' } })
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (typeof value !== 'object' || value === null) return value
  const kept = Object.entries(value).filter(([, inner]) => inner !== null)
  return Object.fromEntries(kept.map(([name, inner]) => [name, withoutNulls(inner)]))
}

/** Writes a value as JSON with its names in order, so that two spellings of the same parameters are one text. */
export function canonicalText(value: unknown): string {
  return JSON.stringify(canonicalValue(value))
}

function canonicalValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonicalValue)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1))
  return Object.fromEntries(entries.map(([name, inner]) => [name, canonicalValue(inner)]))
}

function fieldRefusal(issue: z.core.$ZodIssue, body: unknown): CallRefusal {
  const unknown = issue.code === 'unrecognized_keys' ? issue.keys[0] : undefined
  const path = unknown === undefined ? issue.path : [...issue.path, unknown]
  const field = path.map((part) => `/${String(part)}`).join('')
  const value = valueAt(body, path)
  if (unknown !== undefined) {
    const message = `请求中含有未在API文档中定义的参数“${field}”`
    return new CallRefusal('PARAM_ERROR', { message, number: 270924358, detail: { field, value, location: 'body' } })
  }
  return ruleRefusal({ source: '/body', field, value, location: 'body' }, ruleOf(issue, value))
}

/** Returns the refusal for one broken rule of one field, worded as WeChat Pay does. */
export function ruleRefusal(
  place: {
    source: '/body' | '/query' | '/uri_template'
    field: string
    value: unknown
    location: RefusalDetail['location']
  },
  rule: string,
): CallRefusal {
  const label = labels[place.field] ?? place.field.slice(1)
  const message = `输入源“${place.source}${place.field}”映射到字段“${label}”${rule}`
  const field = place.location === 'body' ? place.field : place.field.slice(1)
  const detail = { field, value: place.value ?? '', issue: rule, location: place.location }
  return new CallRefusal('PARAM_ERROR', { message: message.slice(0, 256), detail })
}

/** Asserts that the number in a path is one that a merchant may give. Throws CallRefusal. */
export function assertPathNumber(name: 'out_trade_no' | 'out_refund_no', value: string): void {
  const pattern = name === 'out_trade_no' ? out_trade_no_pattern : out_refund_no_pattern
  if (pattern.test(value)) return
  throw ruleRefusal({ source: '/uri_template', field: `/${name}`, value, location: 'uri_template' }, format_rule)
}

export const required_rule = '必填性规则校验失败，此字段为必填项'
export const format_rule = '字符串规则校验失败，格式不正确'

function ruleOf(issue: z.core.$ZodIssue, value: unknown): string {
  if (value === undefined) return required_rule
  if (value === null) return '规则校验失败，值不能为null'
  if (typeof value === 'string') {
    if (issue.code === 'too_big') return countedRule(value, `大于最大值 ${issue.maximum}`)
    if (issue.code === 'too_small') return countedRule(value, `小于最小值 ${issue.minimum}`)
    if (issue.code === 'custom' && issue.message === too_long)
      return countedRule(value, `大于最大值 ${String(issue.params?.['maximum'])}`)
    if (issue.message === '4-byte characters') return 'UTF8字符串规则校验失败，含有不支持的4字节字符'
    return format_rule
  }
  if (issue.code === 'too_small' || issue.code === 'too_big') return '整数规则校验失败，超出取值范围'
  return '规则校验失败，类型或取值不正确'
}

/** WeChat Pay counts the bytes of a text, not its characters. */
function countedRule(value: string, limit: string): string {
  return `字符串规则校验失败，字节数 ${Buffer.byteLength(value)}，${limit}`
}

function valueAt(body: unknown, path: PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, part) =>
      typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[part] : undefined,
    body,
  )
}
