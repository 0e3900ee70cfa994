/**
 * RefusalDetail says where a refused value stood (docs/wechat-pay.md §1.11): a JSON Pointer in the body, a bare name
 * elsewhere.
 */
export interface RefusalDetail {
  field?: string
  value?: unknown
  issue?: string
  location: 'body' | 'query' | 'url' | 'uri_template' | 'authorization'
  sign_information?: {
    method: string
    url: string
    truncated_sign_message: string
    sign_message_length: number
  }
}

interface RefusalEntry {
  status: number
  message: string
  /** WeChat Pay's internal error number, the end of the Request-ID (docs/wechat-pay.md §2.7) */
  number: number
}

/** The error codes this simulator speaks, each with its usual status, text and internal number. */
const catalogue = {
  PARAM_ERROR: { status: 400, message: '参数错误', number: 268435461 },
  INVALID_REQUEST: { status: 400, message: '无效请求', number: 268435461 },
  APPID_MCHID_NOT_MATCH: { status: 400, message: 'appid和mch_id不匹配，请检查后再试', number: 268445527 },
  MCH_NOT_EXISTS: { status: 400, message: '商户号不存在', number: 268443715 },
  NO_STATEMENT_EXIST: { status: 400, message: '请求的账单文件不存在', number: 268435461 },
  STATEMENT_CREATING: { status: 400, message: '账单生成中', number: 268435461 },
  ORDER_CLOSED: { status: 400, message: '该订单已关闭', number: 268447914 },
  ORDERPAID: { status: 400, message: '该订单已支付', number: 268449538 },
  ORDER_PAID: { status: 400, message: '该订单已支付', number: 268449538 },
  SIGN_ERROR: { status: 401, message: '签名错误', number: 268443699 },
  NO_AUTH: { status: 403, message: '商户无权限', number: 268448010 },
  NOT_ENOUGH: { status: 403, message: '基本账户余额不足，请充值后重新发起', number: 268448010 },
  USER_ACCOUNT_ABNORMAL: { status: 403, message: '退款请求失败，用户账户异常或已注销', number: 268448010 },
  TRADE_OVERDUE: { status: 403, message: '订单已经超过退款期限', number: 268447914 },
  REFUND_FEE_MISMATCH: { status: 400, message: '订单金额或退款金额与之前请求不一致，请核实后再试', number: 268498688 },
  REQUEST_BLOCKED: { status: 403, message: '请求受限', number: 268448010 },
  OUT_TRADE_NO_USED: { status: 403, message: '商户订单号重复', number: 268498688 },
  RULE_LIMIT: { status: 403, message: '业务规则限制', number: 268448010 },
  TRADE_ERROR: { status: 403, message: '交易错误', number: 268447843 },
  ORDER_NOT_EXIST: { status: 404, message: '订单不存在', number: 268512771 },
  RESOURCE_NOT_EXISTS: { status: 404, message: '查询的资源不存在', number: 268512771 },
  FREQUENCY_LIMITED: { status: 429, message: '频率超限，请降低请求频率', number: 268447840 },
  RATELIMIT_EXCEEDED: { status: 429, message: '频率超限，请降低请求频率', number: 268447840 },
  SYSTEM_ERROR: { status: 500, message: '系统异常，请稍后重试', number: 268435457 },
  SERVICE_UNAVAILABLE: { status: 503, message: '服务不可用，过载保护', number: 268435458 },
  USER_PAYING: { status: 202, message: '用户支付中，需要输入密码', number: 0 },
} as const satisfies Record<string, RefusalEntry>

type RefusalCode = keyof typeof catalogue

/**
 * CallRefusal is the error response to a call, as WeChat Pay words it. Gateway catches it and leaves it unsigned,
 * because only 2xx is signed (docs/wechat-pay.md §1.4).
 */
export class CallRefusal extends Error {
  override readonly name = 'CallRefusal'
  readonly status: number
  readonly code: string
  readonly number: number
  readonly detail: RefusalDetail | undefined

  constructor(
    code: RefusalCode,
    difference: { status?: number; message?: string; number?: number; detail?: RefusalDetail } = {},
  ) {
    const entry: RefusalEntry = catalogue[code]
    super(difference.message ?? entry.message)
    this.status = difference.status ?? entry.status
    this.code = code
    this.number = difference.number ?? entry.number
    this.detail = difference.detail
  }

  get body(): object {
    return { code: this.code, message: this.message, ...(this.detail && { detail: this.detail }) }
  }
}

function isRefusalCode(text: string): text is RefusalCode {
  return Object.hasOwn(catalogue, text)
}

/** Returns the error response that a code or a bare status names; null for any other name. */
export function findRefusal(name: string): { status: number; code: string; message: string; number: number } | null {
  if (isRefusalCode(name)) return { code: name, ...catalogue[name] }
  const byStatus: Record<string, RefusalCode> = {
    '400': 'PARAM_ERROR',
    '401': 'SIGN_ERROR',
    '403': 'NO_AUTH',
    '404': 'RESOURCE_NOT_EXISTS',
    '429': 'FREQUENCY_LIMITED',
    '500': 'SYSTEM_ERROR',
    '502': 'SERVICE_UNAVAILABLE',
    '503': 'SERVICE_UNAVAILABLE',
  }
  const code = byStatus[name]
  return code === undefined ? null : { code, ...catalogue[code], status: Number(name) }
}

/** ControlError refuses a request to the control side or the phone. createApp answers it as `{code, message}`. */
export class ControlError extends Error {
  override readonly name = 'ControlError'
  readonly status: 400 | 404 | 409
  readonly code: string

  constructor(status: 400 | 404 | 409, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}
