import { expect, it } from 'vitest'
import type { RefundLimits } from '../../../domain/merchant/record.ts'
import { needsSecondPerson } from '../../../domain/payment/record.ts'
import type { RefundElement } from '../../../domain/payment/record.ts'

const gone = (out_refund_no: string, amount: number, more: Partial<RefundElement> = {}): RefundElement => ({
  out_refund_no,
  amount,
  state: 'accepted',
  ...more,
})

it.each<[string, RefundElement[], RefundLimits | null, boolean]>([
  ['no limit', [gone('R1', 1_000)], null, false],
  ['as much as the limit', [gone('R1', 100)], { above: 100 }, false],
  ['more than the limit', [gone('R1', 101)], { above: 100 }, true],
  ['more in parts', [gone('R1', 60), gone('R2', 60)], { above: 100 }, true],
  ['more, and not held any more', [gone('R1', 60), gone('R2', 60, { state: 'closed' })], { above: 100 }, false],
  ['more of what Weft owed itself', [gone('R1', 101, { approval: 'exempt' })], { above: 100 }, true],
  ['more than a day may take', [gone('R1', 101)], { above: null, above_per_day: 100 }, true],
  ['a payment’s limit below the day’s', [gone('R1', 101)], { above: 100, above_per_day: 900 }, true],
  [
    'a second person’s word for the refund, to the payer',
    [gone('R1', 1, { approval: 'needed' })],
    { above: null, above_per_day: 100 },
    true,
  ],
  ['that word, and no limit any more', [gone('R1', 1, { approval: 'needed' })], null, true],
  ['that word for another refund', [gone('R1', 1), gone('R2', 1, { approval: 'needed' })], null, false],
])('another account is named by a second person or not, with %s', (_, refunds, limits, is_needed) => {
  expect(needsSecondPerson({ refunds }, 'R1', limits)).toBe(is_needed)
})
