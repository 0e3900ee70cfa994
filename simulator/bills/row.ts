/** BillKind is what a bill lists: trades, or movements of the merchant's basic account. */
export type BillKind = 'trade' | 'fundflow'

/** TradeDetail is what a line of the trade bill says. Times are Unix milliseconds, amounts fen, the fee 1/1000 fen. */
export interface TradeDetail {
  kind: 'payment' | 'refund'
  /** of a payment its success, of a refund its acceptance */
  time: number
  /** of a refund the success of its payment: 交易时间 in a REFUND bill */
  payment_time: number
  appid: string
  mchid: string
  device_id: string
  transaction_id: string
  out_trade_no: string
  openid: string
  trade_type: string
  trade_state: string
  bank_type: string
  currency: string
  settled_total: number
  total: number
  coupon: number
  /** `0`: none */
  refund_id: string
  out_refund_no: string
  settlement_refund: number
  refund: number
  /** the part of the refund that coupons with money behind them take */
  coupon_refund: number
  refund_type: string
  refund_status: string
  refund_success_time: number | null
  description: string
  attach: string
  /** less than zero: given back */
  fee: number
  rate: string
}

/** What the line of a payment says in the columns of refunds. */
export const no_refund = {
  refund_id: '0',
  out_refund_no: '0',
  settlement_refund: 0,
  refund: 0,
  coupon_refund: 0,
  refund_type: '',
  refund_status: '',
  refund_success_time: null,
} as const satisfies Partial<TradeDetail>

/** The line of a payment that went back without a refund number: in the columns of refunds, as docs/wechat-pay.md §5.2 has it. */
export function reversalOf(row: TradeDetail, trade_state = 'REVOKED'): TradeDetail {
  const { settled_total, total, fee } = row
  const given_back = { settlement_refund: settled_total, refund: total, fee: 0 - fee }
  return { ...row, trade_state, settled_total: 0, total: 0, coupon: 0, ...given_back }
}

/** FlowDetail is what a line of the fund-flow bill says. */
export interface FlowDetail {
  time: number
  business_no: string
  flow_no: string
  name: string
  type: string
  direction: '收入' | '支出'
  amount: number
  /** after this movement */
  balance: number
  applicant: string
  remark: string
  voucher_no: string
  /** what the movement is of, for plants; never in the file */
  out_trade_no: string
}

/** Fen by which a movement changes its account. */
export function signedAmount({ direction, amount }: Pick<FlowDetail, 'direction' | 'amount'>): number {
  return direction === '收入' ? amount : -amount
}

export type BillDetail<K extends BillKind> = K extends 'trade' ? TradeDetail : FlowDetail

/** BillLine is a detail on its way into the file; `form` is the odd form that it is written in. */
export interface BillLine<Detail> {
  detail: Detail
  form: OddForm | null
}

/** The odd forms in which one line can be written. */
export const odd_forms = [
  /** a half-width comma in a text, which WeChat Pay escapes, and some files do not */
  'comma',
  /** a comma and a back-tick in a text: one cell too many */
  'false_cell',
  'back_tick',
  /** CR LF in a text: the record goes on in the next line */
  'line_break',
  /** three decimals of a yuan */
  'decimals',
  /** as few decimals as the amount needs */
  'few_decimals',
  'double_blank',
  'full_width_colons',
  'missing_blank',
  /** the last cell is missing */
  'short_line',
  /** the line ends in the middle of its cells */
  'cut_line',
] as const

export type OddForm = (typeof odd_forms)[number]
