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
  fee_rate: '0.60%',
  fee_account: 'BASIC',
})

describe('the discounts of a refund', () => {
  it('are in proportion and rounded down', () => {
    const none = { refund: 0, nocash: 0, cash: 0 }
    expect(discountsOf(payment(1000, 300, 100), none, 500)).toEqual({ nocash: 150, cash: 50 })
    expect(discountsOf(payment(1000, 333, 0), none, 10)).toEqual({ nocash: 3, cash: 0 })
    expect(discountsOf(payment(1000, 0, 0), none, 10)).toEqual({ nocash: 0, cash: 0 })
  })

  it('are in proportion of all that was refunded so far', () => {
    const half = { refund: 500, nocash: 150, cash: 50 }
    expect(discountsOf(payment(1000, 300, 100), half, 250)).toEqual({ nocash: 75, cash: 25 })
  })

  it('never give a coupon or the payer more than went in, and all of it with the last, whichever were closed', () => {
    const random = seededRandom(7)
    const upTo = (most: number): number => Math.floor(random() * (most + 1))
    for (let round = 0; round < 2_000; round++) {
      const total = 1 + upTo(200)
      const nocash_amount = upTo(total)
      const paid = payment(total, nocash_amount, upTo(total - nocash_amount))
      const live: { refund: number; nocash: number; cash: number }[] = []
      const sum = (of: 'refund' | 'nocash' | 'cash'): number => live.reduce((all, one) => all + one[of], 0)
      const before = () => ({ refund: sum('refund'), nocash: sum('nocash'), cash: sum('cash') })
      for (let closings = 10; sum('refund') < total;) {
        const refund = 1 + upTo(Math.min(total - sum('refund') - 1, 60))
        live.push({ refund, ...discountsOf(paid, before(), refund) })
        for (const part of live) {
          expect(Math.min(part.nocash, part.cash, part.refund - part.nocash - part.cash)).toBeGreaterThanOrEqual(0)
        }
        const { refund: refunded, nocash, cash } = before()
        expect(nocash).toBeLessThanOrEqual(paid.nocash_amount)
        expect(cash).toBeLessThanOrEqual(paid.cash_amount)
        expect(refunded - nocash - cash).toBeLessThanOrEqual(payerTotal(paid))
        if (closings > 0 && random() < 0.3) {
          closings -= 1
          live.splice(upTo(live.length - 1), 1) // closed: what it gave back is to be given again
        }
      }
      expect(before()).toEqual({ refund: total, nocash: paid.nocash_amount, cash: paid.cash_amount })
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
