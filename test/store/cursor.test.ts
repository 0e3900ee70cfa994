import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { beijingTime } from '../../domain/calendar.ts'
import { CursorMalformed, decodeCursor, encodeCursor, listMark } from '../../store/cursor.ts'

const places = fc.record({
  time: fc.integer({ min: 0, max: Date.UTC(9999, 11, 31) }).map(beijingTime),
  _id: fc.string({ unit: 'grapheme', maxLength: 200 }),
})

describe('a cursor', () => {
  it('finds its place again, whatever the place', () => {
    fc.assert(
      fc.property(places, (place) => void expect(decodeCursor(encodeCursor(place, 'one'), 'one')).toEqual(place)),
    )
  })

  it('belongs to its list, and one of earlier versions to any', () => {
    const place = { time: beijingTime(0), _id: 'a' }
    const [one, other] = [
      ['orders', { state: 'paid' }],
      ['orders', { state: 'closed' }],
    ].map(listMark)
    expect(() => decodeCursor(encodeCursor(place, one ?? ''), other)).toThrow(CursorMalformed)
    expect(decodeCursor(Buffer.from('[0,"a"]').toString('base64url'), one)).toEqual(place)
  })

  it('can stand in a URL as it is', () => {
    fc.assert(fc.property(places, (place) => void expect(encodeCursor(place, 'one')).toMatch(/^[A-Za-z0-9_-]+$/)))
  })

  it.each([
    '',
    'x',
    'null',
    '!!',
    'a'.repeat(5000),
    ...[
      '{}',
      '[]',
      '[1]',
      '["2026-11-23","a"]',
      '[1.5,"a"]',
      '[-1,"a"]',
      '[1e20,"a"]',
      '[1,2]',
      '[1,"a",3]',
      '[1,"a","b","c"]',
      '[1,{"$gt":""}]',
    ].map((text) => Buffer.from(text).toString('base64url')),
  ])('that was not given out is refused: %s', (cursor) => {
    expect(() => decodeCursor(cursor)).toThrow(CursorMalformed)
  })

  it('made of any text is refused or read, and nothing else', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          decodeCursor(text)
        } catch (error) {
          expect(error).toBeInstanceOf(CursorMalformed)
        }
      }),
    )
  })
})
