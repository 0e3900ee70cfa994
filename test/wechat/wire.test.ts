import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { milliseconds } from '../../domain/calendar.ts'
import { momentOf, time_text, timeOf } from '../../wechat/wire.ts'

const beijing_noon = Date.UTC(2026, 10, 23, 4)

describe('a moment as WeChat Pay writes it', () => {
  it.each([
    '2026-11-23T12:00:00+08:00',
    '2026-11-23T12:00:00.000+08:00',
    '2026-11-23T12:00:00+0800',
    '2026-11-23T04:00:00Z',
    '2026-11-23T12:00:00',
    '2026-11-23T12:00',
    '2026-11-23 12:00:00',
  ])('%s is noon in Beijing', (text) => {
    expect([momentOf(text), timeOf(text)]).toEqual([beijing_noon, '2026-11-23T12:00:00.000+08:00'])
  })

  it.each(['20261123120000', '2026-11-23', 'yesterday', '2026-13-41T00:00:00'])('%s is none', (text) =>
    expect([momentOf(text), time_text.safeParse(text).success]).toEqual([null, false]),
  )

  it.each(['9999-12-31T23:59:59-12:00', '9999-12-31T20:00:00Z', '0000-01-01T00:00:00+14:00'])(
    '%s lies outside the years that Weft can write and read back, and is none',
    (text) => expect([momentOf(text), time_text.safeParse(text).success]).toEqual([null, false]),
  )

  it.each(['9999-12-31T23:59:59+08:00', '0001-01-01T00:00:00+08:00'])('%s can still be read back', (text) =>
    expect(milliseconds(timeOf(text) ?? '')).toBe(momentOf(text)),
  )

  it.each([
    ['UTC', 0],
    ['Asia/Shanghai', -480],
    ['America/New_York', 300],
  ])('is Beijing’s without an offset on a host in %s', (TZ, offset) => {
    vi.stubEnv('TZ', TZ) // Node reads it anew when it is set
    onTestFinished(() => void vi.unstubAllEnvs())
    expect(new Date('2026-11-23T04:00:00Z').getTimezoneOffset()).toBe(offset)
    expect(momentOf('2026-11-23T12:00:00')).toBe(beijing_noon)
  })
})
