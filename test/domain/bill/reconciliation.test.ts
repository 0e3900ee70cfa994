import { describe, expect, it } from 'vitest'
import {
  assertClassified,
  dayRange,
  default_bill_policy,
  newReconciliation,
  scaledBillPolicy,
} from '../../../domain/bill/reconciliation.ts'
import { at, mchid } from '../../store/samples.ts'

describe('a day', () => {
  it('lasts from midnight to midnight in Beijing', () => {
    expect(dayRange('2026-11-22')).toEqual({
      from_ms: Date.parse('2026-11-21T16:00:00Z'),
      to_ms: Date.parse('2026-11-22T16:00:00Z'),
    })
    expect(dayRange('2028-02-29').to_ms - dayRange('2028-02-29').from_ms).toBe(86_400_000)
    expect(dayRange('2026-12-31').to_ms).toBe(dayRange('2027-01-01').from_ms)
  })

  it.each(['', 'yesterday', '2026-13-01', '2026-11-32', '2026-02-30', '2027-02-29'])('%j is none', (day) => {
    expect(() => dayRange(day)).toThrow()
  })

  it('that is begun says nothing yet', () => {
    expect(newReconciliation({ mchid, bill_date: '2026-11-22' }, at(0), 'run')).toMatchObject({
      ...{ _id: `${mchid}/2026-11-22`, state: 'waiting_for_bill', run: 1, start_time: at(0), end_time: null },
      ...{ rows: null, records: null, differences: {}, flaws: [], is_proven: false },
    })
  })
})

describe('the classes of a side', () => {
  const counts = { all: 15, matched: 1, waiting: 2, different: 3, foreign: 4, malformed: 5 }
  it('come to all of it', () => {
    expect(() => assertClassified('rows', counts)).not.toThrow()
  })
  it.each(['all', 'matched', 'waiting', 'different', 'foreign', 'malformed'] as const)(
    'do not where one is lost or counted twice: %s',
    (name) => {
      for (const by of [1, -1]) {
        expect(() => assertClassified('rows', { ...counts, [name]: counts[name] + by })).toThrow(/rows only/)
      }
    },
  )
})

describe('the waits of a day', () => {
  it('go faster by a scale, and the calendar does not', () => {
    const fast = scaledBillPolicy(default_bill_policy, 60)
    expect(fast).toEqual({ ...default_bill_policy, not_ready_ms: 10_000, healing_ms: 2_000, look_ms: 33 })
    expect(scaledBillPolicy(default_bill_policy, 1e9)).toMatchObject({ not_ready_ms: 1, healing_ms: 1, look_ms: 1 })
    expect(scaledBillPolicy(default_bill_policy, 1)).toEqual(default_bill_policy)
  })
})
