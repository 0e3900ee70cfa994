import { describe, expect, it } from 'vitest'
import { refundDestination } from '../../../domain/refund/change.ts'
import { refund_events, refund_states } from '../../../domain/refund/record.ts'
import type { RefundEvent, RefundState } from '../../../domain/refund/record.ts'

/** The table of docs/architecture.md §8, typed out a second time: two independent copies must agree. */
const written: [RefundState[], RefundEvent, RefundState | 'same' | 'by_approval'][] = [
  [['created'], 'reserved', 'by_approval'],
  [['created'], 'not_reserved', 'refused'],
  [['awaiting_approval'], 'approved', 'processing'],
  [['awaiting_approval'], 'rejected', 'rejected'],
  [['awaiting_approval'], 'approval_expired', 'rejected'],
  [['processing', 'refused'], 'accepted', 'processing'],
  [['processing', 'succeeded'], 'abnormal', 'abnormal'],
  [['processing'], 'refused', 'refused'],
  [['abnormal'], 'resumed', 'processing'],
  [['processing', 'abnormal'], 'succeeded', 'succeeded'],
  [['processing', 'abnormal', 'succeeded'], 'closed', 'closed'],
  [['processing', 'abnormal'], 'returned_to_merchant', 'returned_to_merchant'],
  [['closed', 'refused', 'returned_to_merchant'], 'paid_out', 'same'],
]

function expected(state: RefundState, event: RefundEvent, needs_approval: boolean): RefundState | null {
  const to = written.find(([states, name]) => name === event && states.includes(state))?.[2] ?? null
  if (to === 'same') return state
  return to === 'by_approval' ? (needs_approval ? 'awaiting_approval' : 'processing') : to
}

describe('the refund table', () => {
  it('says where every event takes every state, and that all other pairs are illegal', () => {
    for (const state of refund_states) {
      for (const event of refund_events) {
        for (const needs_approval of [true, false]) {
          const to = refundDestination(state, event, needs_approval)
          expect([state, event, needs_approval, to]).toEqual([
            state,
            event,
            needs_approval,
            expected(state, event, needs_approval),
          ])
        }
      }
    }
  })
})
