import { describe, expect, it } from 'vitest'
import { weft_actor } from '../../../domain/actor.ts'
import {
  applyDifferenceEvent,
  difference_events,
  difference_kinds,
  difference_states,
  differenceFlaw,
  exposureByAge,
  firstDifferenceState,
  isDifferenceOverdue,
  most_difference_entries,
  openingRevision,
  workDueTime,
} from '../../../domain/bill/difference.ts'
import type {
  DifferenceEvent,
  DifferenceKind,
  DifferenceRecord,
  DifferenceState,
} from '../../../domain/bill/difference.ts'
import { beijingTime, milliseconds } from '../../../domain/calendar.ts'
import { at, mchid, noon } from '../../store/samples.ts'

function difference(state: DifferenceState): DifferenceRecord {
  return {
    ...{ _id: `${mchid}/2026-11-22/missing_here/T1`, id: 'dif_1', mchid, bill_date: '2026-11-22' },
    ...{ kind: 'missing_here', state, revision: 3, timeline: [], amount: 990, fields: [], bill: null, weft: null },
    ...{ transaction_id: 'T1', out_trade_no: 'TEA-1', refund_id: null, out_refund_no: null, due_time: at(60) },
  }
}

/** Where each event takes each state, in words of its own; what is not here is illegal. */
const table: Record<DifferenceState, Partial<Record<DifferenceEvent, DifferenceState>>> = {
  waiting: {
    ...{ overdue: 'open', vanished: 'healed', ignored: 'ignored', refund_asked: 'waiting' },
    ...{ assigned: 'waiting', noted: 'waiting', check_asked: 'waiting' },
  },
  open: {
    ...{ vanished: 'healed', ignored: 'ignored', refund_asked: 'open', proposed: 'open', accept_asked: 'settling' },
    ...{ assigned: 'open', noted: 'open', check_asked: 'open' },
  },
  settling: {
    ...{ vanished: 'healed', accepted: 'settled', not_acceptable: 'open', assigned: 'settling', noted: 'settling' },
    check_asked: 'settling',
  },
  healed: { returned: 'open', assigned: 'healed', noted: 'healed' },
  ignored: { reopened: 'open', returned: 'open', assigned: 'ignored', noted: 'ignored' },
  settled: { reopened: 'open', returned: 'open', vanished: 'healed', assigned: 'settled', noted: 'settled' },
}

/** The day after the difference's own, at noon. */
const due_after = (hours: number) => beijingTime(milliseconds(at(1)) + hours * 3_600_000)

describe('a difference', () => {
  const pairs = difference_states.flatMap((state) => difference_events.map((event) => ({ state, event })))
  it.each(pairs)('that is $state, at $event', ({ state, event }) => {
    const occurrence = { event, operation_id: `${event}:3`, time: at(1), actor: weft_actor, reason: 'why' }
    const to = table[state][event]
    const change = applyDifferenceEvent(difference(state), occurrence)
    if (to === undefined) return expect(change).toBeNull()
    expect(change).toEqual({
      entry: {
        revision: 4,
        operation_id: `${event}:3`,
        event,
        from: state,
        to,
        time: at(1),
        actor: weft_actor,
        reason: 'why',
      },
      set: { state: to, ...(to === 'open' && state !== 'open' && { due_time: due_after(48) }) },
      unset: to === state ? [] : ['proposal'],
    })
  })

  it('waits where the other side may still come by itself, and is else for a person', () => {
    const waiting = difference_kinds.filter((kind) => firstDifferenceState(kind) === 'waiting')
    expect(waiting).toEqual(['missing_here', 'missing_there', 'refund_missing_here', 'refund_missing_there'])
    expect(
      difference_kinds.map(firstDifferenceState).filter((state) => state !== 'waiting' && state !== 'open'),
    ).toEqual([])
  })

  it('is overdue from its due time on, while it waits', () => {
    expect(isDifferenceOverdue(difference('waiting'), noon + 59_999)).toBe(false)
    expect(isDifferenceOverdue(difference('waiting'), noon + 60_000)).toBe(true)
    expect(isDifferenceOverdue(difference('open'), noon + 60_000)).toBe(false)
  })

  it('takes what a person says of it, until its timeline is full', () => {
    const noted = {
      event: 'noted',
      operation_id: 'n',
      time: at(1),
      actor: weft_actor,
      note: 'asked their support',
    } as const
    expect(applyDifferenceEvent(difference('open'), noted)?.set).toEqual({ state: 'open', note: noted.note })
    const entry = { revision: 1, operation_id: 'n', event: 'noted', from: 'open', to: 'open', time: at(1) } as const
    const one = { ...entry, actor: weft_actor, reason: null }
    const full = { ...difference('open'), timeline: Array.from({ length: most_difference_entries }, () => one) }
    expect(applyDifferenceEvent(full, noted)).toBeNull()
    expect(applyDifferenceEvent(full, { ...noted, event: 'ignored' }), 'what ends it is never refused').not.toBeNull()
  })

  it.each<[DifferenceKind, number, number]>([
    ['phantom_payment', 1, 24],
    ['malformed', 0, 72],
    ['refund_state', 999_999, 72],
    ['refund_state', 1_000_000, 24],
    ['missing_there', 1, 48],
  ])('%s of %d fen is due in %d hours', (kind, amount, hours) => {
    expect(workDueTime({ kind, amount, bill_date: '2026-11-22' }, at(1))).toBe(due_after(hours))
  })

  it('is due before WeChat forgets its day, and not before it opens', () => {
    const about = { kind: 'malformed', amount: 0 } as const
    const old = { ...about, bill_date: '2026-09-05' }
    expect(workDueTime(old, at(1))).toBe('2026-11-24T00:00:00.000+08:00')
    expect(workDueTime({ ...about, bill_date: '2026-08-01' }, at(1))).toBe(at(1))
  })

  it('opened at the revision that last took it to a person', () => {
    const entry = (revision: number, from: DifferenceState, to: DifferenceState) =>
      ({ revision, from, to, operation_id: '', event: 'noted', time: at(1), actor: weft_actor, reason: null }) as const
    expect(openingRevision({ timeline: [] })).toBe(0)
    const timeline = [entry(1, 'open', 'healed'), entry(2, 'healed', 'open'), entry(3, 'open', 'open')]
    expect(openingRevision({ timeline })).toBe(2)
  })

  it('counts by the age of its day', () => {
    const noon_ms = milliseconds('2026-11-23T12:00:00.000+08:00')
    const days = ['2026-11-23', '2026-11-22', '2026-11-21', '2026-11-16', '2026-11-15', '2026-08-01']
    const ages = exposureByAge(
      days.map((bill_date, at) => ({ bill_date, count: 1, amount: 10 ** at })),
      noon_ms,
    )
    expect(ages).toEqual([
      { days_from: 0, days_to: 1, count: 2, amount: 11 },
      { days_from: 1, days_to: 3, count: 1, amount: 100 },
      { days_from: 3, days_to: 7, count: 1, amount: 1_000 },
      { days_from: 7, days_to: 30, count: 1, amount: 10_000 },
      { days_from: 30, days_to: null, count: 1, amount: 100_000 },
    ])
    expect(exposureByAge([], noon_ms).map(({ count }) => count)).toEqual([0, 0, 0, 0, 0])
  })

  it('without a flaw is worked with', () => {
    expect(differenceFlaw({ ...difference('waiting'), revision: 0 })).toBeNull()
    expect(differenceFlaw({ ...difference('waiting'), revision: 0, state: 'odd' as DifferenceState })).not.toBeNull()
  })
})
