import { describe, expect, it } from 'vitest'
import { weft_actor } from '../../../domain/actor.ts'
import {
  applyDifferenceEvent,
  difference_events,
  difference_kinds,
  difference_states,
  differenceFlaw,
  firstDifferenceState,
  isDifferenceOverdue,
} from '../../../domain/bill/difference.ts'
import type { DifferenceEvent, DifferenceRecord, DifferenceState } from '../../../domain/bill/difference.ts'
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
  waiting: { overdue: 'open', vanished: 'healed', ignored: 'ignored' },
  open: { vanished: 'healed', ignored: 'ignored' },
  healed: { returned: 'open' },
  ignored: { reopened: 'open', returned: 'open' },
}

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
      set: { state: to },
      unset: [],
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

  it('without a flaw is worked with', () => {
    expect(differenceFlaw({ ...difference('waiting'), revision: 0 })).toBeNull()
    expect(differenceFlaw({ ...difference('waiting'), revision: 0, state: 'odd' as DifferenceState })).not.toBeNull()
  })
})
