import { describe, expect, it } from 'vitest'
import { createPace } from '../../../activities/delivery/pace.ts'
import type { DeliveryTurn } from '../../../activities/delivery/pace.ts'

const longest_ms = 600_000
const ends = (turns: DeliveryTurn[]) => turns.flatMap((turn) => ('end' in turn ? [turn.end] : []))
const waits = (turns: DeliveryTurn[]) => turns.flatMap((turn) => ('wait_ms' in turn ? [turn.wait_ms] : []))

describe('the pace of deliveries', () => {
  it('gives one merchant eight slots and leaves the others theirs', () => {
    const pace = createPace(() => 0, longest_ms)
    const taken = ends(Array.from({ length: 10 }, () => pace.takeSlot('m1', 'e1')))
    expect(taken).toHaveLength(8)
    expect(pace.takeSlot('m2', 'e2')).toHaveProperty('end')
    taken[0]?.(true)
    expect(pace.takeSlot('m1', 'e1')).toHaveProperty('end')
  })

  it('leaves an endpoint alone for a moment after ten failures in a row, and never one that answers', () => {
    let now = 1_000
    const pace = createPace(() => now, longest_ms)
    const call = (was_heard: boolean) => {
      const turn = pace.takeSlot('m1', 'e1')
      if ('end' in turn) turn.end(was_heard)
      return 'end' in turn
    }
    for (let failure = 0; failure < 9; failure += 1) expect(call(false)).toBe(true)
    expect(call(true)).toBe(true)
    for (let failure = 0; failure < 10; failure += 1) expect(call(false)).toBe(true)
    expect(call(true)).toBe(false)
    now += 5_000
    expect(call(true)).toBe(true)
  })

  it('sends 2,000 away from a dead endpoint so that only a few come back each second, and none after long', () => {
    let now = 1_000
    const pace = createPace(() => now, longest_ms)
    for (let failure = 0; failure < 10; failure += 1) ends([pace.takeSlot('m1', 'e1')])[0]?.(false)
    const begin = now
    const again = Array.from({ length: 2_000 }, () => begin)
    let attempts = 0
    for (; now < begin + 20 * 60_000; now += 100)
      for (const [index, time] of again.entries()) {
        if (time > now) continue
        attempts += 1
        const turn = pace.takeSlot('m1', 'e1')
        if ('end' in turn) turn.end(false)
        again[index] = now + ('end' in turn ? longest_ms : turn.wait_ms)
      }
    expect(attempts).toBeLessThan(2_000 + 20 * 60 * 10)
    expect(Math.max(...again)).toBeLessThanOrEqual(now + longest_ms)
  })

  it('lets those who found it busy come back as fast as it answers', () => {
    let now = 1_000
    const pace = createPace(() => now, longest_ms)
    const lastOf = (turns: DeliveryTurn[]) => Math.max(...waits(turns))
    const burst = () => Array.from({ length: 108 }, () => pace.takeSlot('m1', 'e1'))
    const quick = burst()
    expect(Math.min(...waits(quick))).toBeGreaterThanOrEqual(500)
    expect(lastOf(quick)).toBeLessThan(2_000)
    now += 10_000
    for (const end of ends(quick)) end(true)
    now += 60_000
    expect(lastOf(burst())).toBeGreaterThan(60_000)
  })

  it('keeps nobody waiting for a dead endpoint’s sake, neither another endpoint nor its own when it answers again', () => {
    let now = 1_000
    const pace = createPace(() => now, longest_ms)
    for (let failure = 0; failure < 10; failure += 1) ends([pace.takeSlot('m1', 'dead')])[0]?.(false)
    for (let index = 0; index < 2_000; index += 1) pace.takeSlot('m1', 'dead')
    now += 5_000
    const taken = ends(Array.from({ length: 8 }, () => pace.takeSlot('m1', 'dead')))
    expect(waits([pace.takeSlot('m1', 'alive')])[0]).toBeLessThan(1_000)
    expect(waits([pace.takeSlot('m1', 'dead')])[0]).toBeGreaterThan(60_000)
    taken[0]?.(true)
    expect(pace.takeSlot('m1', 'dead')).toHaveProperty('end')
    expect(waits([pace.takeSlot('m1', 'dead')])[0]).toBeLessThan(1_000)
  })
})
