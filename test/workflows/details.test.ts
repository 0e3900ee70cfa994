import { describe, expect, it } from 'vitest'
import { flawOf } from '../../domain/bill/flaw.ts'
import { newReconciliation } from '../../domain/bill/reconciliation.ts'
import type { ReconciliationRecord } from '../../domain/bill/reconciliation.ts'
import { dayDetails } from '../../workflows/details.ts'
import { mchid } from '../store/samples.ts'

const begun = newReconciliation({ mchid, bill_date: '2026-11-22' }, '2026-11-23T10:30:00.000+08:00', 'look')
const counts = { all: 9, matched: 5, waiting: 1, different: 0, foreign: 2, malformed: 1 }
const sums = { payment_count: 6, payment_amount: 123_450, refund_count: 1, refund_amount: 990 }

const linesOf = (given: Partial<ReconciliationRecord>) => dayDetails({ ...begun, ...given }).split('\n')

describe('what Temporal UI shows of a day', () => {
  it('is that it waits, before there is a bill', () => {
    const lines = linesOf({})
    expect(lines[0]).toBe(`**waiting_for_bill** · 2026-11-22 · merchant \`${mchid}\``)
    expect(lines[2]).toBe('Waiting for WeChat’s bills, which it makes after 9:00 of the next day.')
    expect(lines.slice(4)).toEqual([])
  })

  it('is a report once it was compared: both sides by class and in yuan, what differs, and why it is not proven', () => {
    const end_time = '2026-11-23T10:31:00.000+08:00'
    const lines = linesOf({
      ...{
        state: 'different',
        end_time,
        rows: counts,
        records: { ...counts, all: 0, matched: 0, waiting: 0, foreign: 0, malformed: 0 },
      },
      ...{ wechat: sums, weft: { ...sums, payment_count: 5 }, healed_count: 2 },
      ...{ differences: { missing_there: 1, malformed: 1 }, flaws: ['the fund flow breaks', flawOf('no_footer')] },
      changes: [{ type: 'trade', version: 2, added: 1, removed: 0, changed: 3 }],
    })
    expect(lines[0]).toBe(`**different** · not proven · 2026-11-22 · merchant \`${mchid}\``)
    expect(lines.slice(4)).toEqual([
      '- **differences: 1 missing_there, 1 malformed**',
      '- not proven: the fund flow breaks',
      '- not proven: the file has no footer, so it is not whole',
      '- version 2 of the trade bill: 1 lines added, 0 removed, 3 changed',
      '- healed: 2',
      '- WeChat: 6 payments ¥1234.50, 1 refunds ¥9.90; 9 lines: 5 matched, 1 waiting, 2 foreign, 1 malformed',
      '- here: 5 payments ¥1234.50, 1 refunds ¥9.90; 0 records',
    ])
  })

  it('says proven only of a look that has ended', () => {
    const end_time = '2026-11-23T10:31:00.000+08:00'
    expect(linesOf({ state: 'balanced', is_proven: true, end_time })[0]).toContain('**balanced** · proven · 2026-11-22')
    // The record of a look that has begun anew still holds what the one before came to.
    expect(linesOf({ state: 'running', is_proven: true })[0]).toContain('**running** · 2026-11-22')
  })
})
