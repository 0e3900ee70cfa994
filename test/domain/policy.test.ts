import { describe, expect, it } from 'vitest'
import { default_policy, nextQueryDelay, retryDelay, scaledPolicy } from '../../domain/policy.ts'

const second = 1000
const minute = 60 * second

describe('the polling plan', () => {
  it('asks 30 s, 1, 3, 5, 10 and 30 min after placing, and then every 30 min', () => {
    const moments: number[] = []
    let elapsed = 0
    while (moments.length < 9) {
      elapsed += nextQueryDelay(default_policy, elapsed)
      moments.push(elapsed)
    }
    expect(moments).toEqual([30 * second, ...[1, 3, 5, 10, 30, 60, 90, 120].map((minutes) => minutes * minute)])
  })

  it('is never in the past and never further away than half an hour', () => {
    for (let elapsed = 0; elapsed < 8 * 24 * 60 * minute; elapsed += 7 * minute + 13) {
      const delay = nextQueryDelay(default_policy, elapsed)
      expect(delay).toBeGreaterThan(0)
      expect(delay).toBeLessThanOrEqual(30 * minute)
    }
  })
})

describe('a retry plan', () => {
  it('repeats its last wait for ever', () => {
    const waits = [1, 2, 3, 4, 5, 6, 7, 99].map(
      (attempt) => retryDelay(default_policy.place_retry_ms, attempt) / second,
    )
    expect(waits).toEqual([1, 2, 5, 10, 30, 60, 60, 60])
  })

  it('of deliveries lasts 27 h 42 m 35 s', () => {
    const total = default_policy.delivery_retry_ms.reduce((sum, wait) => sum + wait, 0)
    expect(total).toBe((27 * 60 + 42) * minute + 35 * second)
  })
})

describe('a scaled policy', () => {
  it('divides every duration and keeps the order of things', () => {
    const quick = scaledPolicy(default_policy, 60)
    expect(quick.first_query_ms).toBe(500)
    expect(quick.attention_ms.close_uncertain).toBe(30 * second)
    expect(quick.query_plan_ms).toEqual([...quick.query_plan_ms].sort((a, b) => a - b))
  })

  it('never slows time down', () => {
    expect(() => scaledPolicy(default_policy, 0.5)).toThrow('1 or more')
  })
})
