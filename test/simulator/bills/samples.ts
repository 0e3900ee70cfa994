import type { FlowDetail, TradeDetail } from '../../../simulator/bills/row.ts'

export const beijing = (text: string): number => Date.parse(`${text.replace(' ', 'T')}+08:00`)

/** A line of a real file (test/vectors/bills.json), a payment with a coupon; `more` makes others of it. */
export const samplePayment = (more: Partial<TradeDetail> = {}): TradeDetail => ({
  kind: 'payment',
  time: beijing('2019-02-19 01:51:59'),
  payment_time: beijing('2019-02-19 01:51:59'),
  appid: 'wxab8acd895ab1638a',
  mchid: '1921000401',
  device_id: '',
  transaction_id: '4200000263201902167700136502',
  out_trade_no: 'autotest_20190219015157_13391',
  openid: 'wxab8acd865bb1637e',
  trade_type: 'NATIVE',
  trade_state: 'SUCCESS',
  bank_type: 'OTHERS',
  currency: 'CNY',
  settled_total: 3,
  total: 3,
  coupon: 1,
  refund_id: '0',
  out_refund_no: '0',
  settlement_refund: 0,
  refund: 0,
  coupon_refund: 0,
  refund_type: '',
  refund_status: '',
  refund_success_time: null,
  description: 'autotest',
  attach: '',
  fee: 1_000,
  rate: '39.00%',
  ...more,
})

/** A refund of the same file. */
export const sampleRefund = (more: Partial<TradeDetail> = {}): TradeDetail =>
  samplePayment({
    kind: 'refund',
    time: beijing('2019-02-19 05:01:46'),
    device_id: 'harryma007',
    transaction_id: '4200000263201902167700134212',
    trade_state: 'REFUND',
    settled_total: 0,
    total: 0,
    coupon: 0,
    refund_id: '50000709672019011908420787722',
    out_refund_no: 'REF4200000263201902167700963919',
    settlement_refund: 1,
    refund: 1,
    refund_type: 'ORIGINAL',
    refund_status: 'SUCCESS',
    refund_success_time: beijing('2019-02-19 05:01:50'),
    fee: 0,
    ...more,
  })

export const sampleFlow = (more: Partial<FlowDetail> = {}): FlowDetail => ({
  time: beijing('2019-02-19 01:51:59'),
  business_no: '4200000263201902167700136502',
  flow_no: '4200000263201902167700136502',
  name: '交易',
  type: '交易',
  direction: '收入',
  amount: 3,
  balance: 100_003,
  applicant: 'system',
  remark: '结算总金额 0.03 元;含手续费 0.01 元',
  voucher_no: 'autotest_20190219015157_13391',
  out_trade_no: 'autotest_20190219015157_13391',
  ...more,
})
