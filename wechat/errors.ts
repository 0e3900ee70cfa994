/** The kinds of calls: the answers of each are read differently, and its limits are counted apart. */
export type WeChatOperation =
  | 'place'
  | 'query'
  | 'close'
  | 'certificates'
  | 'refund'
  | 'query_refund'
  | 'abnormal_refund'
  | 'trade_bill'
  | 'fund_flow_bill'
  | 'bill_download'

/**
 * What to do next, which is all that a caller may branch on:
 * `again` the same call, same bytes · `slower` the same after `delay_ms` · `not_yet` accepted there, not finished ·
 * `setup` only a person can mend it · `refused` WeChat Pay said no to this very request (place, refund,
 * abnormal_refund and the two bills only) ·
 * `not_enough` the merchant's account there cannot pay this refund: the same call once money was added.
 */
export type WeChatFailureKind = 'again' | 'slower' | 'not_yet' | 'setup' | 'refused' | 'not_enough'

/** Where a failure came from: for logs and metrics, never for decisions. */
export type WeChatFailureReason =
  | 'answer' // WeChat Pay answered so
  | 'network' // no connection, or it broke
  | 'timeout'
  | 'unverified' // an answer came whose signature does not hold
  | 'unreadable' // a verified answer that is not what the call answers
  | 'too_large'
  | 'no_key' // no key of WeChat Pay is loaded, so no answer could be believed
  | 'limit' // our own limits; nothing was sent
  | 'breaker'

export interface WeChatFailure {
  kind: WeChatFailureKind
  reason: WeChatFailureReason
  operation: WeChatOperation
  /** HTTP status, when there was an answer */
  status?: number | null
  /** WeChat Pay's code */
  code?: string | null
  /** WeChat Pay's text, for people: one code has many, and they change */
  wechat_message?: string | null
  delay_ms?: number | null
  /** the call may have had its effect all the same */
  outcome_unknown: boolean
  /** the code is about the order number itself, or may be: only a query shows what holds */
  about_number?: boolean
  /** WeChat Pay's Request-ID, which its support asks for */
  request_id?: string | null
  cause?: unknown
}

/** WeChatPayError is a call to WeChat Pay that gave no usable answer. */
export class WeChatPayError extends Error {
  override readonly name = 'WeChatPayError'
  readonly kind: WeChatFailureKind
  readonly reason: WeChatFailureReason
  readonly operation: WeChatOperation
  readonly status: number | null
  readonly code: string | null
  readonly wechat_message: string | null
  readonly delay_ms: number | null
  readonly outcome_unknown: boolean
  readonly about_number: boolean
  readonly request_id: string | null

  constructor(failure: WeChatFailure) {
    const what = failure.code ?? failure.status ?? failure.reason
    // In the message too, since that is what Temporal UI shows of an activity's attempt.
    const request = failure.request_id ? `, Request-ID ${failure.request_id}` : ''
    super(`WeChat Pay ${failure.operation}: ${failure.kind} (${what})${request}`, { cause: failure.cause })
    this.kind = failure.kind
    this.reason = failure.reason
    this.operation = failure.operation
    this.status = failure.status ?? null
    this.code = failure.code ?? null
    this.wechat_message = failure.wechat_message ?? null
    this.delay_ms = failure.delay_ms ?? null
    this.outcome_unknown = failure.outcome_unknown
    this.about_number = failure.about_number ?? false
    this.request_id = failure.request_id ?? null
  }
}

type AnswerVerdict = WeChatFailureKind | 'refused_about_number'

/** Codes that mean the same on every call that says nothing else, old spellings included (docs/wechat-pay.md §1.11, §2.1–2.4). */
const commonVerdicts: Readonly<Record<string, AnswerVerdict>> = {
  SIGN_ERROR: 'setup',
  SIGNERROR: 'setup',
  NO_AUTH: 'setup',
  NOAUTH: 'setup',
  APPID_MCHID_NOT_MATCH: 'setup',
  MCH_NOT_EXISTS: 'setup',
  MCHID_NOT_EXIST: 'setup',
  APPID_NOT_EXIST: 'setup',
  FREQUENCY_LIMITED: 'slower',
  FREQUENCY_LIMIT: 'slower',
  RATELIMIT_EXCEEDED: 'slower',
  RATE_LIMIT: 'slower',
  SYSTEM_ERROR: 'again',
  SYSTEMERROR: 'again',
  SERVICE_UNAVAILABLE: 'again',
  BANK_ERROR: 'again',
  BANKERROR: 'again',
  USERPAYING: 'not_yet',
  USER_PAYING: 'not_yet',
}

/**
 * Refusals of a placement. INVALID_REQUEST is most likely "same number, other parameters" and is therefore about the
 * number; so is every code this table has never seen, because asking costs one query and guessing costs an order.
 */
const placeVerdicts: Readonly<Record<string, AnswerVerdict>> = {
  ORDERPAID: 'refused_about_number',
  ORDER_PAID: 'refused_about_number',
  ORDER_CLOSED: 'refused_about_number',
  ORDERCLOSED: 'refused_about_number',
  OUT_TRADE_NO_USED: 'refused_about_number',
  INVALID_REQUEST: 'refused_about_number',
  TRADE_ERROR: 'refused_about_number',
  TRADE_STATE_ERROR: 'refused_about_number',
  PARAM_ERROR: 'refused',
  RULE_LIMIT: 'refused',
  RULELIMIT: 'refused',
  ACCOUNT_ERROR: 'refused',
  ACCOUNTERROR: 'refused',
  NOT_ENOUGH: 'refused',
  NOTENOUGH: 'refused',
  OPENID_MISMATCH: 'refused',
  // The product is not enabled, or collecting is restricted: no repeat helps the payer, whose client has to fall back.
  NO_AUTH: 'refused',
  NOAUTH: 'refused',
}

/**
 * Refusals of a refund (docs/wechat-pay.md §2.4). Whatever is not listed keeps the number and is asked again, since a
 * second number can refund twice: also RESOURCE_NOT_EXISTS, which WeChat Pay may say of a payment that it just took.
 */
const refundVerdicts: Readonly<Record<string, AnswerVerdict>> = {
  USER_ACCOUNT_ABNORMAL: 'refused',
  TRADE_OVERDUE: 'refused',
  RULE_LIMIT: 'refused',
  RULELIMIT: 'refused',
  REFUND_FEE_MISMATCH: 'refused',
  PARAM_ERROR: 'refused',
  INVALID_REQUEST: 'refused',
  NOT_ENOUGH: 'not_enough',
  NOTENOUGH: 'not_enough',
  REQUEST_BLOCKED: 'slower',
}

/**
 * Refusals of an abnormal refund: a person typed a card in and waits. RESOURCE_NOT_EXISTS: not the refund's id. So is every
 * code this table has never seen, because the same card asked for again and again would keep him from naming another; should
 * it have been taken all the same, the plan's next question finds it.
 */
const abnormalRefundVerdicts: Readonly<Record<string, AnswerVerdict>> = {
  PARAM_ERROR: 'refused',
  INVALID_REQUEST: 'refused',
  RULE_LIMIT: 'refused',
  RULELIMIT: 'refused',
  USER_ACCOUNT_ABNORMAL: 'refused',
  RESOURCE_NOT_EXISTS: 'refused',
  NO_AUTH: 'refused',
  NOAUTH: 'refused',
  REQUEST_BLOCKED: 'slower',
}

/** Refusals of a bill: of a day that is none, or longer ago than WeChat Pay tells of (docs/wechat-pay.md §2.5). */
const billVerdicts: Readonly<Record<string, AnswerVerdict>> = {
  STATEMENT_CREATING: 'not_yet',
  PARAM_ERROR: 'refused',
  INVALID_REQUEST: 'refused',
}

/** Codes of queries and closes, which are never refused for good: they are repeated, and their age raises attention. */
const operationVerdicts: Readonly<Record<WeChatOperation, Readonly<Record<string, AnswerVerdict>>>> = {
  place: placeVerdicts,
  query: {},
  close: {},
  certificates: {},
  refund: refundVerdicts,
  query_refund: { REQUEST_BLOCKED: 'slower' },
  abnormal_refund: abnormalRefundVerdicts,
  trade_bill: billVerdicts,
  fund_flow_bill: billVerdicts,
  // A link that is too old is answered by some refusal or other: a fresh one is asked for each time.
  bill_download: {},
}
const unlistedVerdicts: Readonly<Record<WeChatOperation, AnswerVerdict>> = {
  place: 'refused_about_number',
  query: 'again',
  close: 'again',
  certificates: 'again',
  refund: 'again',
  query_refund: 'again',
  abnormal_refund: 'refused',
  trade_bill: 'again',
  fund_flow_bill: 'again',
  bill_download: 'again',
}

/** The codes that Weft knows for this operation; any other has `unlistedVerdicts`. */
export function knownCodes(operation: WeChatOperation): string[] {
  return [...Object.keys(commonVerdicts), ...Object.keys(operationVerdicts[operation])]
}

/** What an answer that is no success means for this operation: by status and code, never by its text. */
export function classifyAnswer(
  operation: WeChatOperation,
  status: number,
  code: string | null,
): { kind: WeChatFailureKind; about_number: boolean; outcome_unknown: boolean } {
  const verdict = verdictOn(operation, status, code)
  if (verdict === 'refused_about_number') return { kind: 'refused', about_number: true, outcome_unknown: false }
  // A refusal, an empty account and a set-up fault are definite. A limit is not: 429 does not prove that nothing was
  // done.
  const outcome_unknown = verdict === 'again' || verdict === 'slower' || verdict === 'not_yet'
  return { kind: verdict, about_number: false, outcome_unknown }
}

/** Said with HTTP 500 in WeChat Pay's own table, and a refusal of the request's words all the same. */
const refusals_of_any_status: ReadonlySet<string | null> = new Set(['OPENID_MISMATCH'])

function verdictOn(operation: WeChatOperation, status: number, code: string | null): AnswerVerdict {
  if (operation === 'place' && refusals_of_any_status.has(code)) return 'refused'
  if (status === 429) return 'slower'
  if (status >= 500) return 'again'
  if (status === 202) return 'not_yet'
  if (status === 401) return 'setup'
  // Without a code it was not WeChat Pay's business logic that spoke, but a proxy, a wrong path or a wrong host.
  if (status < 400 || code === null) return 'again'
  return operationVerdicts[operation][code] ?? commonVerdicts[code] ?? unlistedVerdicts[operation]
}

/** Whether a placement's code refuses a way to pay to the merchant, and not this one order. */
export function isProductRefusal(code: string): boolean {
  return code === 'NO_AUTH' || code === 'NOAUTH'
}

/** The failure that an HTTP answer is. `delay_ms` of `slower` is 1–5 s, spread so that waiters do not return as one. */
export function failureOf(
  operation: WeChatOperation,
  answer: {
    status: number
    code: string | null
    message: string | null
    request_id: string | null
    unanswered_before: boolean
  },
): WeChatPayError {
  const verdict = classifyAnswer(operation, answer.status, answer.code)
  return new WeChatPayError({
    ...verdict,
    outcome_unknown: verdict.outcome_unknown || answer.unanswered_before,
    reason: 'answer',
    operation,
    status: answer.status,
    code: answer.code,
    wechat_message: answer.message,
    delay_ms: verdict.kind === 'slower' ? slowerDelay() : null,
    request_id: answer.request_id,
  })
}

/** The failure of a verified answer that cannot be read. It is no reason to believe that nothing happened. */
export function unreadableAnswer(
  operation: WeChatOperation,
  { status, request_id }: { status: number; request_id: string | null },
  cause?: unknown,
): WeChatPayError {
  const failure = { kind: 'again', reason: 'unreadable', outcome_unknown: true } as const
  return new WeChatPayError({ ...failure, operation, status, request_id, cause })
}

/** 1–5 s, in ms. */
export function slowerDelay(): number {
  return 1_000 + Math.floor(Math.random() * 4_000)
}
