import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addDuration, durationAt } from '../../../domain/bill/duration.ts'
import type { DurationTally } from '../../../domain/bill/duration.ts'
import { addFees, noFigures, sumOfFigures, unheardShare } from '../../../domain/bill/report.ts'

const tallyOf = (durations: readonly number[]) => {
  const tally: DurationTally = {}
  for (const ms of durations) addDuration(tally, ms)
  return tally
}

describe('a tally of durations', () => {
  it('knows each share of them to within 2.5 %, however they came', () => {
    const durations = fc.array(fc.integer({ min: 1, max: 30 * 86_400_000 }), { minLength: 1, maxLength: 50 })
    fc.assert(
      fc.property(durations, fc.constantFrom(0.5, 0.99), (given, share) => {
        const sorted = given.toSorted((left, right) => left - right)
        const exact = sorted[Math.ceil(sorted.length * share) - 1] ?? 0
        expect(Math.abs((durationAt(tallyOf(given), share) ?? NaN) - exact)).toBeLessThanOrEqual(exact * 0.026 + 1)
      }),
    )
  })

  it('is none of nothing, and 0 of what came at once or before', () => {
    expect(durationAt({}, 0.5)).toBeNull()
    expect(durationAt(tallyOf([0, -5_000]), 0.99)).toBe(0)
  })

  it('stays small, however many there are', () => {
    const tally = tallyOf(Array.from({ length: 20_000 }, (_, index) => index * 130_000))
    expect(Object.keys(tally).length).toBeLessThan(450)
  })
})

describe('the figures of several days', () => {
  it('are added up, counts by name and durations too', () => {
    const one = { ...noFigures(), paid_count: 2, found_by: { query: 1 }, lag: tallyOf([100]) }
    const other = { ...noFigures(), paid_count: 3, found_by: { query: 1, bill: 4 }, lag: tallyOf([100, 9_000]) }
    const sum = sumOfFigures([one, other])
    expect(sum).toMatchObject({ paid_count: 5, found_by: { query: 2, bill: 4 } })
    expect(durationAt(sum.lag, 0.5)).toBe(durationAt(one.lag, 0.5))
    expect(one.found_by).toEqual({ query: 1 })
  })

  it('are read of older records, which lack what was not counted then', () => {
    expect(sumOfFigures([{ paid_count: 1 }])).toEqual({ ...noFigures(), paid_count: 1 })
  })

  it('know what a contract says only of days that had one', () => {
    const figures = noFigures()
    addFees(figures, null)
    addFees(figures, { charged: 10, returned: -4, expected: null, under: 0, over: 0 })
    expect(figures).toMatchObject({ fee_charged: 10, fee_returned: -4, fee_days: 0 })
  })

  it('say which share of the payments no notification told first', () => {
    expect(unheardShare({ found_by: {} })).toBeNull()
    expect(unheardShare({ found_by: { notification: 9, query: 1 } })).toBe(0.1)
    expect(unheardShare({ found_by: { bill: 2 } })).toBe(1)
  })
})
