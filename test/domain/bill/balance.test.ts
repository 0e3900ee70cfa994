import { describe, expect, it } from 'vitest'
import { BalanceChain, edgeFlaws } from '../../../domain/bill/balance.ts'
import type { BalanceEdge } from '../../../domain/bill/balance.ts'
import type { BillType, FlowRow } from '../../../domain/bill/row.ts'

/** A movement that leaves `balance`: in where it is positive. */
function moved(line: number, amount: number, balance: number): FlowRow {
  const direction = amount < 0 ? 'out' : 'in'
  return {
    ...{ line, time: '2026-11-22T10:00:00.000+08:00', business_no: 'tx', flow_no: 'f1', name: '交易', type: '交易' },
    ...{ direction, amount: Math.abs(amount), balance, applicant: 'system', remark: '', voucher_no: 'TEA' },
  }
}

function chained(rows: FlowRow[], bill?: BillType) {
  const chain = new BalanceChain(bill)
  for (const row of rows) chain.add(row)
  return chain.end()
}

describe('the balances of a day', () => {
  it('go on from line to line, and say what the day began and ended with', () => {
    const rows = [moved(2, 990, 1_990), moved(3, -400, 1_590), moved(4, 0, 1_590)]
    expect(chained(rows)).toEqual({ balance: { opening: 1_000, closing: 1_590 }, flaws: [] })
    expect(chained([moved(2, -400, 600)])).toEqual({ balance: { opening: 1_000, closing: 600 }, flaws: [] })
    expect(chained([])).toEqual({ balance: null, flaws: [] })
  })

  it('of nothing are balances too', () => {
    expect(chained([moved(2, 990, 990), moved(3, -990, 0)])).toEqual({ balance: { opening: 0, closing: 0 }, flaws: [] })
    expect(chained([moved(2, -990, 0), moved(3, 10, 11)]).flaws).toHaveLength(1)
  })

  it.each([
    ['missing', [moved(2, 990, 1_990), moved(4, 5, 1_595)], { line: 4, before: 1_590, ended: 1_990 }],
    ['doubled', [moved(2, 990, 1_990), moved(3, 990, 1_990)], { line: 3, before: 1_000, ended: 1_990 }],
    ['of the other sign', [moved(2, 990, 1_990), moved(3, 400, 1_590)], { line: 3, before: 1_190, ended: 1_990 }],
  ])('break where a line is %s', (_what, rows, values) => {
    expect(chained(rows).flaws).toEqual([{ code: 'balance_breaks', bill: 'fundflow', values }])
    expect(chained(rows, 'fundflow_fees').flaws).toMatchObject([{ bill: 'fundflow_fees' }])
  })

  it('are told of one by one until it is clear that they break everywhere', () => {
    const broken = (count: number) =>
      chained(Array.from({ length: count + 1 }, (_, n) => moved(n + 2, 1, n * 10))).flaws
    expect(broken(5).map(({ code }) => code)).toEqual(Array(5).fill('balance_breaks'))
    const told = broken(6)
    expect(told.map(({ code }) => code)).toEqual([...Array<string>(5).fill('balance_breaks'), 'more_breaks'])
    expect(told.at(-1)).toEqual({ code: 'more_breaks', bill: 'fundflow', values: { count: 6 } })
  })
})

describe('the balance of a day between those around', () => {
  const day = { opening: 1_000, closing: 1_590 }
  const edge = (bill_date: string, amount: number): BalanceEdge => ({ bill_date, amount })
  const codes = (...given: Parameters<typeof edgeFlaws>) => edgeFlaws(...given).map(({ code }) => code)
  const [before, after] = [edge('2026-11-21', 1_000), edge('2026-11-23', 1_590)]

  it('goes on from the day before and into the day behind, as far as these are known', () => {
    for (const [left, right] of [[before, after] as const, [before, null] as const, [null, after] as const])
      expect(edgeFlaws(day, { before: left, after: right })).toEqual([])
    expect(edgeFlaws(day, { before: null, after: null })).toEqual([])
  })

  it('does not where one of them says otherwise', () => {
    expect(edgeFlaws(day, { before: edge('2026-11-20', 999), after }, 'fundflow_operation')).toEqual([
      {
        code: 'opening_differs',
        bill: 'fundflow_operation',
        values: { opening: 1_000, bill_date: '2026-11-20', ended: 999 },
      },
    ])
    expect(edgeFlaws(day, { before, after: edge('2026-11-24', 0) })).toEqual([
      { code: 'closing_differs', bill: 'fundflow', values: { closing: 1_590, bill_date: '2026-11-24', begins: 0 } },
    ])
    expect(codes(day, { before: edge('2026-11-20', 0), after: edge('2026-11-24', 0) })).toEqual([
      'opening_differs',
      'closing_differs',
    ])
  })

  it('of a day without movement is that of both, where both are known', () => {
    const still = (left: BalanceEdge | null, right: BalanceEdge | null) =>
      edgeFlaws(null, { before: left, after: right })
    expect(still(before, edge('2026-11-23', 1_000))).toEqual([])
    expect([still(null, after), still(before, null), still(null, null)]).toEqual([[], [], []])
    const values = { before_date: '2026-11-21', ended: 1_000, after_date: '2026-11-23', begins: 1_590 }
    expect(still(before, after)).toEqual([{ code: 'still_differs', bill: 'fundflow', values }])
  })
})
