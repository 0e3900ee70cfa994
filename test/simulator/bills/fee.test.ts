import { describe, expect, it } from 'vitest'
import { returnedFee } from '../../../simulator/bills/fee.ts'
import { flowDetails } from '../../../simulator/bills/flow.ts'
import { tradeDetails } from '../../../simulator/bills/trade.ts'
import type { BillScope } from '../../../simulator/bills/trade.ts'
import type { Payment } from '../../../simulator/records.ts'
import { refundAmounts } from '../../../simulator/refund.ts'
import type { Refund } from '../../../simulator/refund.ts'
import { SimulatorState } from '../../../simulator/state.ts'
import { memoryStorage } from '../../../simulator/storage.ts'
import { beijing } from './samples.ts'

const noon = beijing('2026-11-20 12:00:00')
const payment: Payment = {
  transaction_id: '4200000000202611200000000001',
  mchid: '1900000001',
  out_trade_no: 'ORDER_000001',
  openid: 'oPayer',
  total: 100,
  currency: 'CNY',
  nocash_amount: 0,
  cash_amount: 0,
  bank_type: 'OTHERS',
  success_time: noon,
  fee_rate: '0.60%',
  fee_account: 'BASIC',
}

/** A refund that was taken `minute` minutes after the payment, and closed a minute later if at all. */
function refundOf(amount: number, minute: number, earlier: Refund[], end: 'stays' | 'closed' = 'stays'): Refund {
  const create_time = noon + minute * 60_000
  const history: Refund['history'] = [{ time: create_time, status: 'PROCESSING', returned: false }]
  if (end === 'closed') history.push({ time: create_time + 60_000, status: 'CLOSED', returned: false })
  return {
    ...{ mchid: payment.mchid, transaction_id: payment.transaction_id, out_trade_no: payment.out_trade_no },
    ...refundAmounts(payment, earlier, amount),
    refund_id: `503000000020261120000000000${minute}`,
    out_refund_no: `REFUND_${minute}`,
    ...{ source: 'api', reason: null, notify_url: null, parameters: '', funds_account: 'AVAILABLE' },
    ...{ channel: 'ORIGINAL', user_received_account: '支付用户零钱' },
    ...{ create_time, status: end === 'closed' ? 'CLOSED' : 'PROCESSING', history },
    ...{ success_time: null, finish_time: null, abnormal_type: null },
  }
}

describe('the fee that refunds give back', () => {
  it('comes to the whole fee once all is refunded, however it was divided', () => {
    for (const parts of [[50, 50], [1, 99], [33, 33, 34], [100]]) {
      const refunds: Refund[] = []
      for (const [index, part] of parts.entries()) refunds.push(refundOf(part, index + 1, refunds))
      const returned = refunds.map((refund) => returnedFee(payment, refunds, refund, 'counts'))
      expect([parts, returned.reduce((sum, fee) => sum + fee, 0)]).toEqual([parts, 1])
    }
    const halves = [refundOf(50, 1, [])]
    halves.push(refundOf(50, 2, halves))
    // the fee of 100 is one fen, and of 50 none
    expect(halves.map((refund) => returnedFee(payment, halves, refund, 'counts'))).toEqual([1, 0])
  })

  it('is kept when a refund is closed, or charged again, and stands once in all', () => {
    const closed = refundOf(100, 1, [], 'closed')
    const refunds = [closed, refundOf(100, 5, [closed])]
    expect(refunds.map((refund) => returnedFee(payment, refunds, refund, 'counts'))).toEqual([1, 0])
    expect(refunds.map((refund) => returnedFee(payment, refunds, refund, 'is_left_out'))).toEqual([1, 1])

    const state = new SimulatorState(memoryStorage, [], { order_life_ms: 1, max_orders: 10 })
    state.keepPayment(payment)
    for (const refund of refunds) state.keepRefund(refund)
    const bill = (closed_fee: BillScope['closed_fee']) => {
      const scope = { mchid: payment.mchid, bill_date: '2026-11-20', as_of: Infinity, closed_fee }
      const flows = flowDetails(state, scope, { account: 'BASIC', opening: 0, fees: 'own_lines' })
      const fees = tradeDetails(state, scope).reduce((sum, { fee }) => sum + fee, 0)
      return { lines: flows.map(({ type, amount }) => `${type} ${amount}`), fees, balance: flows.at(-1)?.balance }
    }
    const begun = ['交易 100', '扣除交易手续费 1', '退款 100', '退还交易手续费 1', '退款关闭 100']
    expect(bill('kept_back')).toEqual({ lines: [...begun, '退款 100'], fees: 0, balance: 0 })
    expect(bill('charged_again')).toEqual({
      lines: [...begun, '扣除交易手续费 1', '退款 100', '退还交易手续费 1'],
      fees: 0,
      balance: 0,
    })
  })
})
