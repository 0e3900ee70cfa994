import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { calledFor, clearing_accounts, ClearingSums, clearingFlaws } from '../../../domain/bill/clearance.ts'
import { flawText } from '../../../domain/bill/flaw.ts'
import type { OpenClearing } from '../../../domain/bill/clearance.ts'
import type { DayRefund } from '../../../domain/bill/record.ts'

const refund: DayRefund = {
  ...{ kind: 'refund', refund_id: 'r1', out_refund_no: 'R', transaction_id: 'tx', out_trade_no: 'TEA', refund: 500 },
  ...{ settlement_refund: 400, state: 'succeeded', accepted_time: '', success_time: null },
}

describe('what waits for the fund flow', () => {
  it('is what is settled of a payment, and what left with a refund that was not closed', () => {
    const payment = { kind: 'payment', transaction_id: 'tx', out_trade_no: 'TEA', appid: 'wx', total: 1_000 } as const
    const more = { settled_total: 990, currency: 'CNY', success_time: '', role: 'order' } as const
    expect(calledFor({ ...payment, ...more })).toEqual([{ account: 'wechat.pending', key: 'tx', amount: 990 }])
    expect(calledFor(refund)).toEqual([{ account: 'wechat.refund_transit', key: 'r1', amount: -400 }])
    expect(calledFor({ ...refund, settlement_refund: null })).toMatchObject([{ amount: -500 }])
    expect(calledFor({ ...refund, state: 'closed' })).toEqual([])
  })

  it('is found among any number of keys, and nothing else but by chance', () => {
    const any_key = fc.string({ minLength: 1, maxLength: 8, unit: 'grapheme-ascii' })
    const any_one = fc.tuple(fc.constantFrom(...clearing_accounts), any_key, fc.integer({ min: -99_999, max: 99_999 }))
    fc.assert(
      fc.property(
        fc.array(any_one, { maxLength: 200 }),
        fc.array(fc.boolean(), { maxLength: 200 }),
        (given, is_open) => {
          const sums = new ClearingSums()
          const balances = new Map<string, OpenClearing>()
          given.forEach(([account, key, amount], place) => {
            const parts = is_open[place] ? [amount] : [amount, -amount]
            for (const part of parts) {
              sums.add({ account, key, amount: part })
              const known = balances.get(`${account} ${key}`) ?? { account, key, amount: 0 }
              balances.set(`${account} ${key}`, { ...known, amount: known.amount + part })
            }
          })
          for (const one of balances.values()) if (one.amount !== 0) expect(sums.mayBeOpen(one)).toBe(true)
          const is_all_zero = [...balances.values()].every(({ amount }) => amount === 0)
          if (is_all_zero) for (const one of balances.values()) expect(sums.mayBeOpen(one)).toBe(false)
        },
      ),
    )
  })

  it('does not hide behind another that is wrong by as much', () => {
    const sums = new ClearingSums()
    for (let n = 0; n < 400; n += 2) {
      const one = { account: 'wechat.pending', key: `k${n}`, amount: 5 } as const
      const other = { account: 'wechat.pending', key: `k${n + 1}`, amount: -5 } as const
      for (const open of [one, other]) sums.add(open)
      expect([n, sums.mayBeOpen(one), sums.mayBeOpen(other)]).toEqual([n, true, true])
      for (const open of [one, other]) sums.add({ ...open, amount: -open.amount })
      expect([sums.mayBeOpen(one), sums.mayBeOpen(other)]).toEqual([false, false])
    }
  })

  it('is told by account, with its first numbers', () => {
    const open = Array.from({ length: 7 }, (_, n) => ({ account: 'wechat.pending' as const, key: `t${n}`, amount: 10 }))
    expect(clearingFlaws({ open, is_cut: false }, '2026-11-19', 3).map((flaw) => flawText(flaw))).toEqual([
      'of 2026-11-19 ¥0.70 still stands on wechat.pending after 3 days, under 7 numbers: t0 ¥0.10, t1 ¥0.10, t2 ¥0.10, t3 ¥0.10, t4 ¥0.10',
    ])
    expect(clearingFlaws({ open: [], is_cut: false }, '2026-11-19', 3)).toEqual([])
  })
})
