import { describe, expect, it } from 'vitest'
import { isDenial, isMoneyFact } from '../../../domain/payment/fact.ts'
import type { MoneyFact, TradeState } from '../../../domain/payment/fact.ts'
import { at } from '../../store/samples.ts'

const fact: MoneyFact = {
  mchid: '1900000001',
  appid: 'wx1',
  out_trade_no: 'T1',
  transaction_id: '4200001',
  trade_state: 'SUCCESS',
  trade_type: 'NATIVE',
  bank_type: 'OTHERS',
  success_time: at(1),
  amount: { total: 990, currency: 'CNY', payer_total: 990 },
  nocash_amount: 0,
}

const states: TradeState[] = ['SUCCESS', 'REFUND', 'NOTPAY', 'CLOSED', 'REVOKED', 'USERPAYING', 'PAYERROR']

describe('a fact', () => {
  it('is about money only when something was taken and all of it is known', () => {
    expect(states.filter((trade_state) => isMoneyFact({ ...fact, trade_state }))).toEqual(['SUCCESS', 'REFUND'])
    expect(isMoneyFact({ ...fact, transaction_id: null })).toBe(false)
    expect(isMoneyFact({ ...fact, success_time: null })).toBe(false)
    expect(isMoneyFact({ ...fact, amount: null })).toBe(false)
  })

  it('is about one fen at least: less is not understood', () => {
    const amounts = [1, 0, -1].map((total) => isMoneyFact({ ...fact, amount: { ...fact.amount, total } }))
    expect(amounts).toEqual([true, false, false])
  })

  it('denies a payment by every word that says no money is there', () => {
    expect(states.filter((trade_state) => !isDenial({ trade_state }))).toEqual(['SUCCESS', 'REFUND'])
  })
})
