import type { Time } from '../calendar.ts'
import { flow_accounts } from '../merchant/bill.ts'
import type { FlowAccount } from '../merchant/bill.ts'

/** The bills of one day that Weft reads: trades, and the movements of each account; `fundflow` are those of the basic one. */
export const bill_types = ['trade', 'fundflow', 'fundflow_operation', 'fundflow_fees'] as const
export type BillType = (typeof bill_types)[number]
export type FlowBill = Exclude<BillType, 'trade'>

/** Those that every merchant's day has. */
export const common_bills = ['trade', 'fundflow'] as const satisfies readonly BillType[]

const account_bills = {
  BASIC: 'fundflow',
  OPERATION: 'fundflow_operation',
  FEES: 'fundflow_fees',
} as const satisfies Record<FlowAccount, FlowBill>

/** The bill of an account's movements. */
export function billOfAccount(account: FlowAccount): FlowBill {
  return account_bills[account]
}

/** The account that a bill's movements are of. */
export function accountOfBill(type: FlowBill): FlowAccount {
  const account = flow_accounts.find((one) => account_bills[one] === type)
  if (account === undefined) throw new RangeError(`not a fund flow: ${String(type)}`)
  return account
}

export function isFlowBill(type: BillType): type is FlowBill {
  return type !== 'trade'
}

/** `reversal`: a REVOKED row, by which money went back without a refund number. */
export type TradeKind = 'payment' | 'refund' | 'reversal'

/**
 * TradeRow is a line of the trade bill (docs/wechat-pay.md §5). Amounts in fen, fees in 1/1000 fen, as the bill has
 * five decimals of a yuan. Text that merchants set is not in it: it is never compared.
 */
export interface TradeRow {
  /** of the line in the file, from 1; of a record of several lines, the first */
  line: number
  kind: TradeKind
  /** of a payment its success, of a refund its acceptance; Beijing */
  time: Time
  appid: string
  mchid: string
  transaction_id: string
  out_trade_no: string
  trade_type: string
  trade_state: string
  currency: string
  /** 应结订单金额: total less what the merchant gave away himself; of older layouts 总金额 */
  settled_total: number
  /** 订单金额; null: the file has no such column */
  total: number | null
  refund_id: string | null
  out_refund_no: string | null
  /** 退款金额: what left the merchant's account */
  settlement_refund: number
  /** 申请退款金额; null: the file has no such column */
  refund: number | null
  /** SUCCESS, PROCESSING, FAIL, CHANGE, or a word that is not known yet; null: of a payment */
  refund_status: string | null
  /** 1/1000 fen, negative where a refund gave some of it back */
  fee: number
  rate: string
}

/** What a row is about, in fen: 订单金额, 申请退款金额; where a layout has no such column, the settled amount. */
export function rowTotal(row: TradeRow): number {
  return row.kind === 'payment' ? (row.total ?? row.settled_total) : (row.refund ?? row.settlement_refund)
}

/** FlowRow is a line of the fund-flow bill: one movement of the account. Amounts in fen. */
export interface FlowRow {
  line: number
  time: Time
  /** 微信支付业务单号: transaction_id, refund_id, or another's; null: none, as of withdrawals */
  business_no: string | null
  /** 资金流水单号: not unique in a file */
  flow_no: string
  /** 业务名称 and 业务类型: open lists */
  name: string
  type: string
  direction: 'in' | 'out'
  amount: number
  /** 账户结余, after this movement */
  balance: number
  applicant: string
  remark: string
  /** 业务凭证号: usually the merchant's number */
  voucher_no: string
}

export type BillRow<T extends BillType> = T extends 'trade' ? TradeRow : FlowRow

/** A line that cannot be read. It stops nothing and is never lost, and a day with one is not proven. */
export interface MalformedLine {
  line: number
  /** as they came, at most 4 KiB, in base64 */
  bytes: string
  reason: string
}
