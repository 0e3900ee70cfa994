import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { VersionLine } from '../../domain/bill/change.ts'
import type { BillType, FlowRow } from '../../domain/bill/row.ts'
import { openChanges } from '../../match/changes.ts'
import { chances, payment, paymentRow, refund, refundRow as rowOfRefund, shuffled } from './sample.ts'

const folder = mkdtempSync(join(tmpdir(), 'weft-changes-'))
afterAll(() => rmSync(folder, { recursive: true }))

type Lines = readonly VersionLine<BillType>[]

/** What leads from one file to the other; the lines are numbered as they stand. */
async function changesOf(before: Lines, after: Lines, given: { expected?: number; most_listed?: number } = {}) {
  const changes = await openChanges({ folder, expected: 10, ...given })
  for (const [at, line] of before.entries()) changes.add('before', { ...line, line: at + 2 })
  for (const [at, line] of after.entries()) changes.add('after', { ...line, line: at + 2 })
  await changes.drained()
  const found = await changes.finish()
  expect(readdirSync(folder), 'nothing is left on the disk').toEqual([])
  return found
}

const flow = (number: number, balance: number, given: Partial<FlowRow> = {}): FlowRow => ({
  ...{ line: 0, time: '2026-11-22T10:00:00+08:00', business_no: `4200${number}`, flow_no: `F${number}`, name: '交易' },
  ...{ type: '交易', direction: 'in', amount: 990, balance, applicant: 'system', remark: '', voucher_no: `T${number}` },
  ...given,
})
const ofNumber = (number: number) => ({ transaction_id: `4200${number}`, out_trade_no: `T${number}` })
const payments = (count: number) => Array.from({ length: count }, (_, at) => paymentRow(payment(ofNumber(at + 1))))
const refundRow = (number: number) => rowOfRefund(refund(ofNumber(number)))

describe('the changes between two versions of a bill', () => {
  it('are none where both say the same, in whatever order', async () => {
    const rows = [...payments(20), refundRow(21)]
    const { sums, listed } = await changesOf(rows, shuffled(rows, chances(7)))
    expect(listed).toEqual([])
    expect(sums).toMatchObject({
      before: sums.after,
      added: { count: 0 },
      removed: { count: 0 },
      changed: { count: 0 },
    })
  })

  it('are what is new, what is gone, and which columns of a line are others', async () => {
    const [first, second, third] = payments(3)
    if (!first || !second || !third) throw new Error('no rows')
    const { sums, listed } = await changesOf(
      [first, second],
      [{ ...first, settled_total: first.settled_total - 90 }, third],
    )
    expect(listed).toMatchObject([
      {
        ...{ kind: 'changed', line_before: 2, line_after: 2, amount: 0 },
        numbers: { transaction_id: first.transaction_id, out_trade_no: first.out_trade_no },
        fields: [{ column: 'settled_total', before: first.settled_total, after: first.settled_total - 90 }],
      },
      { kind: 'removed', line_before: 3, line_after: null, amount: -(second.total ?? 0) },
      { kind: 'added', line_before: null, line_after: 3, amount: third.total },
    ])
    expect(listed[2]?.fields).toContainEqual({ column: 'total', before: null, after: third.total })
    expect(sums).toMatchObject({
      before: { count: 2 },
      added: { count: 1, amount: third.total },
      removed: { count: 1, amount: -(second.total ?? 0) },
      changed: { count: 1, amount: 0 },
      listed_count: 3,
    })
  })

  it('tell a refund from its payment, and count what stands twice', async () => {
    const [row] = payments(1)
    if (!row) throw new Error('no row')
    const { sums, listed } = await changesOf([row, refundRow(1)], [row, row, refundRow(1)])
    expect(listed).toMatchObject([{ kind: 'added', line_after: 3 }])
    expect(sums).toMatchObject({ before: { count: 2 }, after: { count: 3 }, added: { count: 1, amount: row.total } })
  })

  it('of the fund flow are not each line behind one that came in between', async () => {
    const before = [flow(1, 1_000), flow(2, 1_990), flow(3, 2_980)]
    const after = [flow(1, 1_000), flow(9, 1_990), flow(2, 2_980), flow(3, 3_970, { direction: 'out' })]
    const { sums, listed } = await changesOf(before, after)
    expect(listed.map(({ kind, numbers }) => [kind, numbers['flow_no']])).toEqual([
      ['added', 'F9'],
      ['removed', 'F3'],
      ['added', 'F3'],
    ])
    expect(sums).toMatchObject({ before: { amount: 2_970 }, after: { amount: 1_980 }, added: { count: 2, amount: 0 } })
  })

  it('have lines that cannot be read in them', async () => {
    const broken = { kind: 'malformed', line: 0, bytes: 'eA==', reason: 'it has 1 cells' } as const
    const { listed } = await changesOf([broken, broken], [broken])
    expect(listed).toMatchObject([{ kind: 'removed', fields: [{ column: 'reason', before: 'it has 1 cells' }] }])
  })

  it('are listed up to a bound, the first of the file, and all counted, over however many partitions', async () => {
    const rows = payments(500)
    const changed = rows.map((row) => ({ ...row, fee: row.fee + 1 }))
    const few = await changesOf(rows, changed, { most_listed: 10 })
    const many = await changesOf(rows, changed, { most_listed: 10, expected: 200_000 })
    expect(many).toEqual(few)
    expect(few.sums).toMatchObject({ changed: { count: 500 }, listed_count: 10 })
    expect(few.listed.map(({ line_after }) => line_after)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
  })

  it('lose and double no line, whatever two versions are', async () => {
    const all = payments(60)
    for (let seed = 1; seed <= 20; seed += 1) {
      const mixed = shuffled(all, chances(seed))
      const before = mixed.slice(0, 40)
      const after = mixed.slice(20).map((row, at) => (at % 3 === 0 ? { ...row, rate: '0.54%' } : row))
      // `finish` throws unless the changes lead from one to the other.
      const { sums } = await changesOf(before, after)
      expect([sums.added.count, sums.removed.count]).toEqual([20, 20])
    }
  })
})
