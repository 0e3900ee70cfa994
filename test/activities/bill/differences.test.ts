import { describe, expect, it } from 'vitest'
import { matchedRecord } from '../../../activities/bill/differences.ts'
import type { DayRecord } from '../../../domain/bill/record.ts'
import type { TradeRow } from '../../../domain/bill/row.ts'
import { payment, paymentRow, refund, refundRow, reversalRow } from '../../match/sample.ts'

const day = { mchid: '1900000001', bill_date: '2026-11-22' }
const due = { found_time: '2026-11-23T10:30:00.000+08:00', patience_time: '2026-11-26T10:30:00.000+08:00' } as const

function atStake(
  kind: 'duplicate' | 'state' | 'amount' | 'refund_amount',
  row: TradeRow | null,
  record: DayRecord | null,
) {
  const subject = row?.kind ?? record?.kind ?? 'payment'
  return matchedRecord(day, { kind, class: 'different', subject, row, record, fields: [] }, due).amount
}

describe('the fen at stake', () => {
  const paid = payment({ total: 40_499, settled_total: 40_000 })
  const given_back = refund({ refund: 700, settlement_refund: 700 })

  it('of a line that is there once more are the whole line’s, recorded or not', () => {
    expect(atStake('duplicate', paymentRow(paid), null)).toBe(40_499)
    expect(atStake('duplicate', paymentRow(paid), paid)).toBe(40_499)
    expect(atStake('duplicate', refundRow(given_back), given_back)).toBe(700)
  })

  it('of a REVOKED line are what went back, in whichever columns it is named', () => {
    const elsewhere = { settled_total: 40_000, total: 40_499, settlement_refund: 0, refund: 0 }
    for (const record of [paid, null])
      for (const more of [{}, elsewhere]) expect(atStake('state', reversalRow(paid, more), record)).toBe(40_499)
  })

  it('of two amounts are what they are apart', () => {
    expect(atStake('amount', paymentRow(paid, { total: 40_500 }), paid)).toBe(1)
    expect(atStake('amount', paymentRow(paid, { settled_total: 40_100 }), paid)).toBe(100)
    expect(atStake('refund_amount', refundRow(given_back, { refund: 500 }), given_back)).toBe(200)
  })
})
