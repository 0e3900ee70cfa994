import { describe, expect, it } from 'vitest'
import { Misuse } from '../../cli/audit.ts'
import { dayLine, dayRest, readReconcileRequest } from '../../cli/reconcile.ts'
import { newReconciliation } from '../../domain/bill/reconciliation.ts'
import { at, mchid, noon } from '../store/samples.ts'

/** noon of 2026-11-23 in Beijing */
const read = (...args: string[]) => readReconcileRequest(args, noon)

describe('npm run reconcile', () => {
  it('is about yesterday of all merchants, unless it says more', () => {
    expect(read()).toEqual({ days: ['2026-11-22'], mchid: null })
    expect(read('2026-11-20', '--merchant', mchid)).toEqual({ days: ['2026-11-20'], mchid })
    expect(read('2026-11-20', '--to', '2026-11-22').days).toEqual(['2026-11-20', '2026-11-21', '2026-11-22'])
    expect(read('2026-10-31', '--to', '2026-11-01').days).toEqual(['2026-10-31', '2026-11-01'])
  })

  it('knows yesterday at the first and the last moment of a day in Beijing', () => {
    expect(readReconcileRequest([], Date.parse('2026-11-22T16:00:00Z')).days).toEqual(['2026-11-22'])
    expect(readReconcileRequest([], Date.parse('2026-11-22T15:59:59.999Z')).days).toEqual(['2026-11-21'])
  })

  it.each([
    [['2026-11-23'], 'is not over yet'],
    [['2026-11-22', '--to', '2026-11-23'], 'is not over yet'],
    [['2099-01-01'], 'is not over yet'],
    [['2026-11-22', '--to', '2026-11-21'], 'is before'],
    [['22.11.2026'], 'is no day'],
    [['2026-11-31'], 'no day of the calendar'],
    [['2026-11-22', '--to', 'then'], 'is no day'],
    [['2026-11-21', '2026-11-22'], 'is too much'],
    [['2026-08-24'], 'older than WeChat Pay keeps'],
    [['2026-08-24', '--to', '2026-11-22'], 'older than WeChat Pay keeps'],
    [['--fast'], '--fast'],
    [['--to'], '--to'],
    [['--merchant'], '--merchant'],
  ])('refuses %j', (args, why) => {
    expect(() => read(...args)).toThrow(Misuse)
    expect(() => read(...args)).toThrow(why)
  })

  it('takes the oldest day that WeChat Pay still has a bill of', () => {
    expect(read('2026-08-25').days).toEqual(['2026-08-25'])
  })

  it('prints a day in one line', () => {
    const begun = newReconciliation({ mchid, bill_date: '2026-11-22' }, at(0), 'run')
    expect(dayLine(begun)).toBe(`2026-11-22  ${mchid}  waiting_for_bill  0 rows  ¥0.00  0 healed  not proven`)
    const counts = { all: 1_204, matched: 1_204, waiting: 0, different: 0, foreign: 0, malformed: 0 }
    const sums = { payment_count: 1_204, payment_amount: 8_841_230, refund_count: 0, refund_amount: 0 }
    const proven = {
      ...begun,
      state: 'balanced',
      rows: counts,
      wechat: sums,
      healed_count: 2,
      is_proven: true,
    } as const
    expect(dayLine(proven)).toBe(`2026-11-22  ${mchid}  balanced  1,204 rows  ¥88,412.30  2 healed  proven`)
    const shared = { ...proven, rows: { ...counts, all: 1_210, foreign: 6 } }
    expect(dayLine(shared)).toContain('1,210 rows  ¥88,412.30  6 foreign  2 healed')
  })

  it('says below it what is left, where that is found, and why the day is not proven', () => {
    const day = { bill_date: '2026-11-22', differences: {}, flaws: [] }
    expect(dayRest(day)).toEqual([])
    expect(dayRest({ ...day, differences: { amount: 1, missing_there: 2, fee: 0 }, flaws: ['so'] })).toEqual([
      'differences left: amount 1, missing_there 2; GET /v1/differences?bill_date=2026-11-22',
      'so',
    ])
  })
})
