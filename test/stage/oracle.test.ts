import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { oracleDifferences } from './oracle.ts'
import type { OracleRefund, OracleSources, StoredEntry } from './oracle.ts'

const payment = { transaction_id: 't1', out_trade_no: 'TEA', amount: { total: 990 } }
const paid = { type: 'order.paid', transaction_id: 't1' }
const nobody: OracleSources = { wechat: { payments: [], refunds: [] }, coupons: new Map(), events: [], decisions: [] }
const sale: OracleSources = { ...nobody, wechat: { payments: [payment], refunds: [] }, events: [paid] }
const unsold: OracleSources = { ...sale, events: [{ type: 'order.late_payment', transaction_id: 't1' }] }

function withRefund(sources: OracleSources, given: Partial<OracleRefund>): OracleSources {
  const refund: OracleRefund = {
    refund_id: 'r1',
    out_refund_no: 'BACK',
    transaction_id: 't1',
    status: 'SUCCESS',
    user_received_account: '招商银行信用卡0403',
    amount: { refund: 400, settlement_refund: 400 },
    ...given,
  }
  return { ...sources, wechat: { ...sources.wechat, refunds: [refund] } }
}

function withPayout(sources: OracleSources, amount = 400): OracleSources {
  const answer = { out_refund_no: 'BACK', transaction_id: 't1', amount: { refund: amount } }
  const decision = { path: '/v1/refunds/BACK/payout', request: { proof: 'slip 7' }, answer }
  return { ...sources, decisions: [decision, decision] }
}

/** One entry with these balances: what an account's sum must be, by account and sub-key. */
const stored = (lines: Record<string, number>): StoredEntry[] => [
  {
    out_trade_no: 'TEA',
    postings: Object.entries(lines).map(([line, amount]) => {
      const [account = '', key = ''] = line.split(' ')
      return { account, key, amount }
    }),
  },
]

const stories: Record<string, { sources: OracleSources; lines: Record<string, number> }> = {
  'money that pays an order is a sale': {
    sources: sale,
    lines: { 'wechat.pending t1': 990, 'sales TEA': -990 },
  },
  'money that no order was told of is in suspense': {
    sources: unsold,
    lines: { 'wechat.pending t1': 990, 'suspense t1': -990 },
  },
  'money that the merchant accepted is a sale': {
    sources: {
      ...unsold,
      decisions: [
        { path: '/v1/orders/TEA/review', request: { decision: 'accept', transaction_id: 't1' }, answer: {} },
        { path: '/v1/orders/TEA/review', request: { decision: 'reject', transaction_id: 't2' }, answer: {} },
      ],
    },
    lines: { 'wechat.pending t1': 990, 'sales TEA': -990 },
  },
  'a coupon of the merchant is given away': {
    sources: { ...sale, coupons: new Map([['t1', 300]]) },
    lines: { 'wechat.pending t1': 690, 'discount.nocash TEA': 300, 'sales TEA': -990 },
  },
  'a refund on its way is owed': {
    sources: withRefund(sale, { status: 'PROCESSING' }),
    lines: { 'wechat.pending t1': 990, 'sales TEA': -590, 'refund.payable BACK': -400 },
  },
  'a refund of suspense leaves sales alone': {
    sources: withRefund(unsold, { status: 'ABNORMAL' }),
    lines: { 'wechat.pending t1': 990, 'suspense t1': -590, 'refund.payable BACK': -400 },
  },
  'a refund that the payer has is in transit': {
    sources: withRefund(sale, {}),
    lines: { 'wechat.pending t1': 990, 'sales TEA': -590, 'wechat.refund_transit r1': -400 },
  },
  'a refund of a coupon gives the coupon back': {
    sources: withRefund(
      { ...sale, coupons: new Map([['t1', 300]]) },
      { amount: { refund: 400, settlement_refund: 279 } },
    ),
    lines: {
      'wechat.pending t1': 690,
      'discount.nocash TEA': 179,
      'sales TEA': -590,
      'wechat.refund_transit r1': -279,
    },
  },
  'a closed refund moved nothing': {
    sources: withRefund(sale, { status: 'CLOSED' }),
    lines: { 'wechat.pending t1': 990, 'sales TEA': -990 },
  },
  'a refund that the merchant got back is still owed': {
    sources: withRefund(sale, { user_received_account: '商户基本账户' }),
    lines: {
      'wechat.pending t1': 990,
      'sales TEA': -590,
      'wechat.refund_transit r1': -400,
      'merchant.bank -': 400,
      'refund.payable BACK': -400,
    },
  },
  'a refund that the merchant got back and paid out is over': {
    sources: withPayout(withRefund(sale, { user_received_account: '商户基本账户' })),
    lines: { 'wechat.pending t1': 990, 'sales TEA': -590, 'wechat.refund_transit r1': -400 },
  },
  'a closed refund that was paid out left the bank': {
    sources: withPayout(withRefund(sale, { status: 'CLOSED' })),
    lines: { 'wechat.pending t1': 990, 'sales TEA': -590, 'merchant.bank -': -400 },
  },
  'a refused refund that was paid out bears the share of the coupon, rounded up': {
    sources: withPayout({ ...sale, coupons: new Map([['t1', 300]]) }),
    lines: { 'wechat.pending t1': 690, 'discount.nocash TEA': 179, 'sales TEA': -590, 'merchant.bank -': -279 },
  },
}

describe('the oracle', () => {
  it.each(Object.entries(stories))('agrees that %s', (_, { sources, lines }) => {
    const total = Object.values(lines).reduce((sum, amount) => sum + amount, 0)
    expect(total).toBe(0)
    expect(oracleDifferences(sources, stored(lines))).toEqual([])
  })

  it.each(Object.entries(stories))('sees every line that is a fen off where %s', (_, { sources, lines }) => {
    for (const [line, amount] of Object.entries(lines)) {
      const differences = oracleDifferences(sources, stored({ ...lines, [line]: amount + 1 }))
      expect(differences).toEqual([{ out_trade_no: 'TEA', line, expected: amount, stored: amount + 1 }])
    }
  })

  it('sees money that stands in the wrong account, and what nothing explains', () => {
    const wrong = oracleDifferences(sale, stored({ 'wechat.pending t1': 990, 'suspense t1': -990 }))
    expect(wrong.map(({ line }) => line).sort()).toEqual(['sales TEA', 'suspense t1'])
    expect(oracleDifferences(nobody, stored({ 'sales TEA': -1 }))).toHaveLength(1)
  })

  it('reads in bills what they move, what they cost, and what the account began with', () => {
    const trade =
      '\ufeff交易状态,微信订单号,微信退款单号,手续费\r\n`SUCCESS,`t1,`0,`0.06000\r\n`SUCCESS,`t9,`0,`0.06000\r\n总数\r\n`2\r\n'
    const header = '业务类型,收支类型,微信支付业务单号,资金流水单号,收支金额(元),账户结余(元)'
    const flow = `${header}\r\n\`交易,\`收入,\`t1,\`f1,\`9.90,\`19.90\r\n\`扣除交易手续费,\`支出,\`t1,\`f2,\`0.06,\`19.84\r\n\`分账,\`支出,\`,\`f3,\`1.00,\`18.84\r\n\`交易,\`收入,\`t9,\`f4,\`2.00,\`20.84\r\n总\r\n\`4\r\n`
    const bill_date = '2026-11-22'
    const bills = [
      { bill_date, type: 'trade', text: trade },
      { bill_date, type: 'fundflow', text: flow },
    ] as const
    const lines = {
      ...{ 'wechat.pending t1': -990, 'fee.expense t1': 6, 'other.分账 f3': 100, 'foreign t9': -200 },
      ...{ 'wechat.basic -': 2_084, 'other.opening -': -1_000 },
    }
    const postings = Object.entries(lines).map(([line, amount]) => {
      const [account = '', key = ''] = line.split(' ')
      return { account, key, amount }
    })
    const of_sale = stored({ 'wechat.pending t1': 990, 'sales TEA': -990 })
    const entries = [...of_sale, { out_trade_no: null, postings }]
    expect(oracleDifferences({ ...sale, bills }, entries)).toEqual([])
    expect(oracleDifferences({ ...sale, bills }, of_sale)).toHaveLength(6)
  })

  it('reads what goes between accounts, each from its own bill', () => {
    const header = '业务类型,收支类型,微信支付业务单号,资金流水单号,收支金额(元),账户结余(元)'
    const out = `${header}\r\n\`转出,\`支出,\`x1,\`f1,\`5.00,\`5.00\r\n总\r\n\`1\r\n`
    const into = `${header}\r\n\`转入,\`收入,\`x1,\`f2,\`5.00,\`7.00\r\n\`企业付款,\`支出,\`x2,\`f3,\`1.00,\`6.00\r\n总\r\n\`2\r\n`
    const bill_date = '2026-11-22'
    const bills = [
      { bill_date, type: 'fundflow', text: out },
      { bill_date, type: 'fundflow_operation', text: into },
    ] as const
    const lines = {
      'wechat.basic -': 500,
      'wechat.operation -': 600,
      'other.企业付款 f3': 100,
      'other.opening -': -1_200,
    }
    const postings = Object.entries(lines).map(([line, amount]) => {
      const [account = '', key = ''] = line.split(' ')
      return { account, key, amount }
    })
    expect(oracleDifferences({ ...nobody, bills }, [{ out_trade_no: null, postings }])).toEqual([])
  })

  it('misses what was not booked', () => {
    expect(oracleDifferences(sale, []).map(({ line }) => line)).toEqual(['wechat.pending t1', 'sales TEA'])
  })

  it('shares no code with what it judges', () => {
    const source = readFileSync(new URL('./oracle.ts', import.meta.url), 'utf8')
    expect(source).not.toMatch(/\bimport\b.*from|\bimport\(|\brequire\(/)
  })
})
