import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createCallSlots } from '../../activities/slots.ts'
import type { CallSlots, CallTarget } from '../../activities/slots.ts'
import { limits } from '../../domain/policy.ts'

const shop: CallTarget = { kind: 'endpoint', id: 'ep_1' }
const merchant = '1900000001'
const minute = 60_000

describe('a call in line', () => {
  let slots: CallSlots
  beforeEach(() => {
    vi.useFakeTimers()
    slots = createCallSlots()
  })
  afterEach(() => vi.useRealTimers())

  /** A call that takes so long once time goes. */
  const begun = (target: CallTarget, takes_ms: number, went_well = true) => {
    const call = () => new Promise<boolean>((resolve) => setTimeout(() => resolve(went_well), takes_ms))
    return slots.watch(target, call, (is_well) => is_well)
  }
  const called = async (target: CallTarget, takes_ms: number, went_well = true) => {
    const answered = begun(target, takes_ms, went_well)
    await vi.advanceTimersByTimeAsync(takes_ms)
    return await answered
  }
  /** Whether one is made in line; its slot is given back. */
  const isInLine = (target = shop, mchid = merchant) => {
    const release = slots.take(mchid, target)
    release?.()
    return release !== null
  }

  it('is not made to who has not been called before', () => {
    expect(isInLine()).toBe(false)
  })

  it.each([
    ['endpoint', 499, true],
    ['endpoint', 501, false],
    ['placement', 699, true],
    ['placement', 701, false],
  ] as const)('by %s is made to one that took %i ms the last time: %s', async (kind, took_ms, is_made) => {
    const target = { kind, id: 'one' }
    await called(target, took_ms)
    expect(isInLine(target)).toBe(is_made)
    expect(isInLine({ kind, id: 'another' })).toBe(false)
  })

  it('is not made to one that did not go well the last time, or threw', async () => {
    await called(shop, 10)
    await called(shop, 10, false)
    expect(isInLine()).toBe(false)
    await called(shop, 10)
    expect(isInLine()).toBe(true)
    const fails = () => Promise.reject(new Error('the connection was reset'))
    await expect(slots.watch(shop, fails)).rejects.toThrow('reset')
    expect(isInLine()).toBe(false)
  })

  it('is made no more from the moment that a call under way is slow, however quick others are', async () => {
    await called(shop, 10)
    const slow = begun(shop, 2_000)
    await vi.advanceTimersByTimeAsync(499)
    expect(isInLine()).toBe(true)
    await vi.advanceTimersByTimeAsync(1)
    expect(isInLine()).toBe(false)
    await called(shop, 10)
    expect(isInLine()).toBe(false)
    await vi.advanceTimersByTimeAsync(2_000)
    await slow
    expect(isInLine()).toBe(false)
    await called(shop, 10)
    expect(isInLine()).toBe(true)
  })

  it('is one of eight of its merchant, and one of twenty of the process', async () => {
    await called(shop, 10)
    const take = (mchid: string, times: number) => Array.from({ length: times }, () => slots.take(mchid, shop))
    const taken = take('1', limits.calls_in_line_per_merchant)
    expect(taken).not.toContain(null)
    expect(isInLine(shop, '1')).toBe(false)
    expect(isInLine(shop, '2')).toBe(true)
    const others = [...take('2', 8), ...take('3', limits.calls_in_line - 16)]
    expect(others).not.toContain(null)
    expect(isInLine(shop, '4')).toBe(false)
    taken[0]?.()
    expect(isInLine(shop, '4')).toBe(true)
    expect(isInLine(shop, '1')).toBe(true)
  })

  it('is made no more for ten minutes to one that held a slot for seconds, as a shop that waits for Weft does', async () => {
    await called(shop, 10)
    const release = slots.take(merchant, shop)
    await vi.advanceTimersByTimeAsync(3_001)
    release?.()
    expect(isInLine()).toBe(false)
    await called(shop, 10)
    expect(isInLine()).toBe(false)
    await vi.advanceTimersByTimeAsync(10 * minute)
    expect(isInLine()).toBe(true)
  })
})
