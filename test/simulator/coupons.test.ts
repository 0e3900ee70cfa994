import { describe, expect, it } from 'vitest'
import { couponsOf, discountsOf, payerTotal } from '../../simulator/coupons.ts'
import { seededRandom } from '../../simulator/random.ts'
import type { Payment } from '../../simulator/records.ts'

const payment = (total: number, nocash_amount: number, cash_amount: number): Payment => ({
  transaction_id: '4200000000202601010000000001',
  mchid: '1900000001',
  out_trade_no: 'ORDER_000001',
  openid: 'oPayer',
  total,
  currency: 'CNY',
  nocash_amount,
  cash_amount,
  bank_type: 'OTHERS',
  success_time: 0,
})

describe('the discounts of a refund', () => {
  it('are in proportion and rounded down', () => {
    const none = { refund: 0, nocash: 0, cash: 0 }
    expect(discountsOf(payment(1000, 300, 100), none, 500)).toEqual({ nocash: 150, cash: 50 })
    expect(discountsOf(payment(1000, 333, 0), none, 10)).toEqual({ nocash: 3, cash: 0 })
    expect(discountsOf(payment(1000, 0, 0), none, 10)).toEqual({ nocash: 0, cash: 0 })
  })

  it('never give a coupon or the payer more than went in, and all of it with the last, some refunds closed between', () => {
    const random = seededRandom(7)
    const upTo = (most: number): number => Math.floor(random() * (most + 1))
    for (let round = 0; round < 2_000; round++) {
      const total = 1 + upTo(200)
      const nocash_amount = upTo(total)
      const paid = payment(total, nocash_amount, upTo(total - nocash_amount))
      const before = { refund: 0, nocash: 0, cash: 0 }
      while (before.refund < total) {
        const refund = 1 + upTo(Math.min(total - before.refund - 1, 60))
        const { nocash, cash } = discountsOf(paid, before, refund)
        expect(Math.min(nocash, cash, refund - nocash - cash)).toBeGreaterThanOrEqual(0)
        if (random() < 0.2 && before.refund + refund < total) continue // closed: as if it had never been
        before.refund += refund
        before.nocash += nocash
        before.cash += cash
        const payer = before.refund - before.nocash - before.cash
        expect(before.nocash).toBeLessThanOrEqual(paid.nocash_amount)
        expect(before.cash).toBeLessThanOrEqual(paid.cash_amount)
        expect(payer).toBeLessThanOrEqual(payerTotal(paid))
      }
      expect(before).toEqual({ refund: total, nocash: paid.nocash_amount, cash: paid.cash_amount })
    }
  })
})

describe('the coupons of a payment', () => {
  it('are those that covered something', () => {
    expect(couponsOf(payment(100, 0, 0))).toEqual([])
    expect(couponsOf(payment(100, 5, 0)).map(({ type, amount }) => [type, amount])).toEqual([['NOCASH', 5]])
    expect(couponsOf(payment(100, 5, 6)).map(({ type }) => type)).toEqual(['NOCASH', 'CASH'])
  })
})
