import type { AttentionCode } from './attention.ts'
import type { Language } from './language.ts'

/** What an attention is about, as far as a call names it. */
export interface RemedySubject {
  out_trade_no?: string
  out_refund_no?: string
  transaction_id?: string | null
}

type Call = (subject: RemedySubject, language: Language) => string

/** A number as it stands in a URL. */
function word(number = '…'): string {
  return encodeURIComponent(number).replaceAll('%40', '@')
}

/** What a person chooses between, in a body. */
function either(one: string, other: string, language: Language): string {
  return `"${one}" ${language === 'en' ? 'or' : '或'} "${other}"`
}

const decide: Call = ({ out_trade_no }, language) =>
  `POST /v1/orders/${word(out_trade_no)}/review {"decision":${either('accept', 'reject', language)},"reason":"…"}`
const ask: Call = ({ out_trade_no }) => `POST /v1/orders/${word(out_trade_no)}/check`
const refundAgain: Call = ({ transaction_id }) =>
  `POST /v1/refunds {"out_refund_no":"…","transaction_id":"${transaction_id ?? '…'}","amount":{"refund":…},"reason":"…"}`

/** What an operator sends to settle an attention of an order, a checkout or a refund. A code without a row is mended elsewhere. */
const calls: Partial<Record<AttentionCode, Call>> = {
  payment_contradicted: decide,
  refunded_outside: decide,
  late_payment_held: decide,
  phantom_payment: decide,
  second_payment: ({ out_trade_no, transaction_id }, language) =>
    `POST /v1/orders/${word(out_trade_no)}/review {"decision":${either('accept', 'reject', language)},"transaction_id":"${transaction_id ?? '…'}","reason":"…"}`,
  fulfilment_pending: ({ out_trade_no }) => `POST /v1/orders/${word(out_trade_no)}/fulfilment {"result":"fulfilled"}`,
  fulfilment_overdue: ({ out_trade_no }) => `POST /v1/orders/${word(out_trade_no)}/fulfilment {"result":"fulfilled"}`,
  delivery_failing: ({ out_trade_no }) => `GET /v1/deliveries?out_trade_no=${word(out_trade_no)}`,
  undelivered: ({ out_trade_no }) => `GET /v1/deliveries?out_trade_no=${word(out_trade_no)}&state=undelivered`,
  not_placed: ask,
  checkout_exhausted: ({ out_trade_no }) => `POST /v1/checkouts/${word(out_trade_no)}/cancel`,
  close_uncertain: ask,
  refund_closed: refundAgain,
  refund_refused: refundAgain,
  refund_owed: refundAgain,
  refund_slow: ({ out_refund_no }) => `GET /v1/refunds/${word(out_refund_no)}`,
  refund_abnormal: ({ out_refund_no }) =>
    `POST /v1/refunds/${word(out_refund_no)}/abnormal {"type":"MERCHANT_BANK_CARD","reason":"…"}`,
  refund_number_taken: ({ out_refund_no }) =>
    `POST /v1/attention/refund_number_taken/settlement {"out_refund_no":"${out_refund_no}","reason":"…"}`,
  returned_to_merchant: ({ out_refund_no }) =>
    `POST /v1/refunds/${word(out_refund_no)}/payout {"proof":"…","reason":"…"}`,
  approval_waiting: ({ out_refund_no }, language) =>
    `POST /v1/refunds/${word(out_refund_no)}/approval {"decision":${either('approve', 'reject', language)},"reason":"…"}`,
}

/** The call that settles an attention, or shows what to settle; null: there is none, and its text says what to do. */
export function remedyCall(code: string, subject: RemedySubject, language: Language): string | null {
  return (calls as Record<string, Call | undefined>)[code]?.(subject, language) ?? null
}

/** The codes that have a call. */
export const callable_codes = Object.keys(calls) as AttentionCode[]
