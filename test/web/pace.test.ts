import { describe, expect, it } from 'vitest'
import { askingInterval, isMute, isResting } from '../../web/pace.js'
import type { HeardStream, PacedPage } from '../../web/pace.js'
import { order_states } from '../../domain/order/record.ts'
import { isOrderResting } from '../../domain/order/record.ts'

const now_ms = 1_000_000
const stream = (heard_s: number | null, opened_s = 600): HeardStream => ({
  opened_ms: now_ms - opened_s * 1_000,
  heard_ms: heard_s === null ? null : now_ms - heard_s * 1_000,
})
const every = (given: Partial<PacedPage>) =>
  askingInterval({
    view: { state: 'awaiting_payment', scene: 'waiting' },
    is_hidden: false,
    stream: null,
    now_ms,
    ...given,
  })

describe('a page on which the payer has still to choose', () => {
  it.each(['ready', 'again', 'advised'] as const)(
    'asks every five seconds, for it may be paid elsewhere: %s',
    (scene) => {
      expect(every({ view: { state: 'open', scene } })).toBe(5_000)
      expect(every({ view: { state: 'open', scene }, is_hidden: true })).toBe(10_000)
      expect(isResting({ state: 'open' })).toBe(false)
    },
  )

  it.each(['expired', 'cancelled'] as const)('rests once it is %s', (state) => {
    expect(every({ view: { state, scene: 'expired' } })).toBe(30_000)
  })
})

describe('a page that waits', () => {
  it.each([
    ['without a stream', null, 2_500],
    ['by a stream that is open and has said nothing yet', stream(null, 1), 2_500],
    ['by a stream that was heard a moment ago', stream(0), 12_000],
    ['by a stream that was heard one heartbeat and a bit ago', stream(14), 12_000],
    ['by a stream that has fallen silent', stream(25), 2_500],
    ['by a stream that was silent from the first', stream(null), 2_500],
  ])('asks %s as often as it must', (_which, given, expected) => {
    expect(every({ stream: given })).toBe(expected)
  })

  it('never leaves more than 15 s between two questions, whatever its stream is like', () => {
    for (const heard_s of [null, ...Array.from({ length: 120 }, (_, s) => s)]) {
      for (const is_hidden of [true, false]) {
        for (const state of ['created', 'awaiting_payment', 'closing', 'paid'] as const) {
          const asked = every({ stream: stream(heard_s), is_hidden, view: { state, scene: 'waiting' } })
          expect(asked).not.toBeNull()
          expect(asked).toBeLessThanOrEqual(15_000)
        }
      }
    }
  })
})

describe('a stream', () => {
  it('is mute when nothing came for longer than two heartbeats, also when nothing ever came', () => {
    expect(isMute(stream(24), now_ms)).toBe(false)
    expect(isMute(stream(25), now_ms)).toBe(true)
    expect(isMute(stream(null, 24), now_ms)).toBe(false)
    expect(isMute(stream(null, 25), now_ms)).toBe(true)
  })

  it('is held for the states in which the server has one to give', () => {
    for (const state of order_states) expect(isResting({ state })).toBe(isOrderResting(state))
  })
})

describe('a page whose order rests', () => {
  it('asks every five seconds where somebody or some money is still moving, else rarely, and not unseen', () => {
    expect(every({ view: { state: 'review', scene: 'review' } })).toBe(5_000)
    expect(every({ view: { state: 'refunding', scene: 'late' } })).toBe(5_000)
    expect(every({ view: { state: 'fulfilled', scene: 'fulfilled' } })).toBe(30_000)
    expect(every({ view: { state: 'review', scene: 'review' }, is_hidden: true })).toBeNull()
  })
})
