import { describe, expect, it } from 'vitest'
import type { FlowRow, TradeRow } from '../../../domain/bill/row.ts'
import {
  booking_margin_ms,
  broughtByFlow,
  calledByTrade,
  DaySettlement,
  lackFlaws,
  lackReason,
} from '../../../domain/bill/settlement.ts'
import type { Lack } from '../../../domain/bill/settlement.ts'
import { paymentRow, refund, refundRow, reversalRow } from '../../match/sample.ts'

/** A movement of the fund flow, of the payment 4200… of 990 fen where nothing else is said. */
function flow(given: Partial<FlowRow> = {}): FlowRow {
  return {
    ...{ line: 2, time: '2026-11-22T10:00:00.000+08:00', business_no: paymentRow().transaction_id, flow_no: 'f1' },
    ...{
      name: '交易',
      type: '交易',
      direction: 'in',
      amount: 990,
      balance: 990,
      applicant: '',
      remark: '',
      voucher_no: '',
    },
    ...given,
  }
}
const outgoing = flow({ type: '退款', direction: 'out', business_no: refund().refund_id, amount: 495 })

function settled(trades: TradeRow[], flows: FlowRow[]): DaySettlement {
  const day = new DaySettlement()
  for (const row of trades) day.addTrade(row)
  for (const row of flows) day.addFlow('fundflow', row, null)
  return day
}

describe('what a row of the trade bill calls for on the fund flow', () => {
  it('is its payment’s money in, or what its refund took out', () => {
    const { transaction_id } = paymentRow()
    expect(calledByTrade(paymentRow())).toEqual({ account: 'wechat.pending', key: transaction_id, amount: 990 })
    const called = { account: 'wechat.refund_transit', key: refund().refund_id, amount: -495 }
    expect(calledByTrade(refundRow())).toEqual(called)
    expect(calledByTrade(reversalRow())).toBeNull()
    expect(calledByTrade(refundRow(refund(), { refund_id: null }))).toBeNull()
  })

  it('is brought by the movement with its number, and by nothing else', () => {
    expect(broughtByFlow(flow(), null)).toEqual([{ ...calledByTrade(paymentRow()), amount: -990 }])
    expect(broughtByFlow(outgoing, null)).toEqual([{ ...calledByTrade(refundRow()), amount: 495 }])
    expect(broughtByFlow(flow({ business_no: null }), null)).toEqual([])
    expect(broughtByFlow(flow({ type: '扣除交易手续费', direction: 'out', amount: 6 }), null)).toEqual([])
    const net = flow({ amount: 984 })
    expect(broughtByFlow(net, { total: 990, fee: 6 }), 'a net line names its fee').toMatchObject([{ amount: -990 }])
  })
})

describe('a day’s trade bill against its fund flow', () => {
  it('is even where each has its movement, whatever comes first', () => {
    const day = settled([paymentRow(), refundRow()], [outgoing, flow()])
    expect([day.isEven(), day.bookingIfEven(), day.unknown()]).toEqual([true, 'same_day', []])
    expect(settled([], []).bookingIfEven(), 'a day without payments shows nothing').toBeNull()
    expect(settled([refundRow()], [outgoing]).bookingIfEven()).toBeNull()
  })

  it.each([
    ['a payment without', [paymentRow()], []],
    ['a refund without', [refundRow()], []],
    ['a movement without its row', [], [flow()]],
    ['another amount', [paymentRow()], [flow({ amount: 989 })]],
    ['another number', [paymentRow()], [flow({ business_no: '42' })]],
    ['another word', [paymentRow()], [flow({ type: '分账' })]],
  ] as [string, TradeRow[], FlowRow[]][])('is not with %s', (_what, trades, flows) => {
    const day = settled(trades, flows)
    expect([day.isEven(), day.bookingIfEven()]).toEqual([false, null])
    const called = trades.map(calledByTrade).flatMap((one) => one ?? [])
    expect(called.every((one) => day.mayLack(one))).toBe(true)
  })

  it('is even where a payment moves nothing, which no fund flow has', () => {
    const free = paymentRow(undefined, { settled_total: 0 })
    expect(settled([free], []).isEven()).toBe(true)
    expect(settled([free], []).bookingIfEven()).toBeNull()
  })

  it('shows how the day’s payments were booked', () => {
    expect(settled([paymentRow()], []).booking(true)).toBe('same_day')
    expect(settled([paymentRow()], [flow({ business_no: '42' })]).booking(false), 'those of another day').toBe('later')
    expect(settled([paymentRow()], [outgoing]).booking(false)).toBeNull()
    expect(settled([refundRow()], [flow()]).booking(true)).toBeNull()
  })

  it('lists words that no rule knows, each once with all that it moved', () => {
    const split = flow({ type: '分账', direction: 'out', business_no: 'x', amount: 5 })
    expect(settled([], [split, split, { ...split, direction: 'in' }]).unknown()).toEqual([
      { account: 'BASIC', type: '分账', direction: 'out', count: 2, amount: 10 },
      { account: 'BASIC', type: '分账', direction: 'in', count: 1, amount: 5 },
    ])
    const words = Array.from({ length: 25 }, (_one, n) => ({ ...split, type: `word ${n}` }))
    const many = settled([], [...words, ...words]).unknown()
    expect(many.map(({ type, count }) => [type, count])).toEqual(words.slice(0, 20).map(({ type }) => [type, 2]))
  })
})

describe('what is open at the end of its day', () => {
  const latest_ms = 1_000_000_000
  const lack = (given: Partial<Lack> = {}): Lack => ({
    ...{ account: 'wechat.pending', key: 'tx', amount: 990, out_no: 'TEA', time_ms: latest_ms, instead: null },
    ...given,
  })
  const refunded = { account: 'wechat.refund_transit', key: 'r1', amount: -495 } as const

  it('is missing where another movement stands in its place, whatever the time', () => {
    for (const reason of ['other_word', 'other_number', 'other_amount'] as const)
      for (const latest of [null, latest_ms])
        expect(lackReason(lack({ instead: { reason, found: 'x' } }), { latest_ms: latest, usual: null })).toBe(reason)
  })

  it('is missing where later ones came, by more than WeChat takes to book', () => {
    const behind = (ms: number) => lackReason(lack({ time_ms: latest_ms - ms }), { latest_ms, usual: 'same_day' })
    expect(booking_margin_ms).toBe(600_000)
    expect([0, 600_000, 600_001].map(behind)).toEqual([null, null, 'passed_over'])
  })

  it('is missing where none came, of payments that come on their day', () => {
    const none = { latest_ms: null } as const
    expect(lackReason(lack(), { ...none, usual: 'same_day' })).toBe('none_came')
    expect(lackReason(lack(), { ...none, usual: 'later' })).toBeNull()
    expect(lackReason(lack(), { ...none, usual: null })).toBeNull()
    expect(lackReason(lack(refunded), { ...none, usual: 'same_day' })).toBeNull()
  })

  it('is told once for each reason and kind, with the first of the numbers', () => {
    const seven = Array.from({ length: 7 }, (_one, n) => ({
      lack: lack({ key: `t${n}` }),
      reason: 'none_came' as const,
    }))
    const found = [...seven, { lack: lack(refunded), reason: 'passed_over' as const }]
    const named = 't0 ¥9.90, t1 ¥9.90, t2 ¥9.90, t3 ¥9.90, t4 ¥9.90'
    const payments = { what: 'payments', amount: 6_930, named, advice: 'look_again' }
    const refunds = { count: 1, what: 'refunds', amount: 495, named: 'r1 ¥4.95', advice: 'look_again' }
    expect(lackFlaws(found, false)).toEqual([
      { code: 'none_came', values: { count: 7, ...payments } },
      { code: 'passed_over', values: refunds },
    ])
    expect(lackFlaws(seven, true)).toEqual([{ code: 'none_came', values: { count: '> 7', ...payments } }])
    expect(lackFlaws([], false)).toEqual([])
  })

  it('names the words that stand in its place, and each word by itself', () => {
    const other = (found: string, reason: 'other_word' | 'other_number') => ({
      lack: lack({ instead: { reason, found } }),
      reason,
    })
    const found = [other('分账', 'other_word'), other('分账', 'other_word'), other('代付', 'other_word')]
    expect(lackFlaws(found, false).map(({ values }) => [values['count'], values['found']])).toEqual([
      [2, '分账'],
      [1, '代付'],
    ])
    const numbers = [other('a', 'other_number'), other('b', 'other_number'), other('a', 'other_number')]
    expect(lackFlaws(numbers, false).map(({ values }) => [values['count'], values['found']])).toEqual([[3, 'a, b']])
  })
})
