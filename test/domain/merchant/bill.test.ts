import { describe, expect, it } from 'vitest'
import { billSettings, default_bill_settings, ratesOn } from '../../../domain/merchant/bill.ts'

describe('what a merchant said about its bills', () => {
  it('is nothing of a merchant of an earlier version', () => {
    expect(billSettings({})).toEqual(default_bill_settings)
    expect(billSettings({ bills: { keep_days: 400 } })).toEqual({ ...default_bill_settings, keep_days: 400 })
  })

  const contract = {
    rates: [
      { from_date: '2026-07-01', rate_ppm: 5_400 },
      { from_date: '2026-01-01', rate_ppm: 6_000 },
      { from_date: '2026-03-01', rate_ppm: 10_000, trade_type: 'MWEB' },
    ],
    line_tolerance: 1,
    day_tolerance: 0,
  }
  it.each([
    ['2025-12-31', null],
    ['2026-01-01', { base: 6_000, by_trade_type: {} }],
    ['2026-06-30', { base: 6_000, by_trade_type: { MWEB: 10_000 } }],
    ['2026-07-01', { base: 5_400, by_trade_type: { MWEB: 10_000 } }],
  ])('is the rate that holds on %s', (bill_date, rates) => {
    expect(ratesOn(contract, bill_date)).toEqual(rates)
  })
})
