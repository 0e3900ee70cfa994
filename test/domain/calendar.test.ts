import { describe, expect, it } from 'vitest'
import { beijingTime, milliseconds } from '../../domain/calendar.ts'

describe('a time', () => {
  it.each([
    ['2026-11-23T12:00:05.412+08:00', '2026-11-23T12:00:05.412+08:00'],
    ['2026-11-30T23:59:59Z', '2026-12-01T07:59:59.000+08:00'],
    ['2028-02-29T00:00:00-05:00', '2028-02-29T13:00:00.000+08:00'],
    ['0001-01-01T00:00:00+08:00', '0001-01-01T00:00:00.000+08:00'],
  ])('%s is %s in Beijing, whatever its offset', (written, beijing) => {
    expect(beijingTime(milliseconds(written))).toBe(beijing)
  })

  it.each([
    ['a day that no calendar has', '2026-11-31T00:00:00+08:00'],
    ['a day of a leap year in another', '2027-02-29T00:00:00+08:00'],
    ['an hour after the last', '2026-11-29T24:00:00+08:00'],
    ['a month after the last', '2026-13-01T00:00:00+08:00'],
    ['no time', '2026-11-23'],
    ['no date', 'tomorrow'],
    ['a year that an offset makes one of five digits', '9999-12-31T23:59:59-12:00'],
    ['a year that an offset moves before the first', '0000-01-01T00:00:00+14:00'],
  ])('is not guessed from %s', (_what, written) => {
    expect(() => milliseconds(written)).toThrow(RangeError)
  })
})
