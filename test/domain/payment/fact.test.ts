import { describe, expect, it } from 'vitest'
import { isDenial, isMoneyFact } from '../../../domain/payment/fact.ts'
import type { TradeState } from '../../../domain/payment/fact.ts'
import { factSample as fact } from '../../store/samples.ts'

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
