import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { FlowRow, TradeRow } from '../../../domain/bill/row.ts'
import {
  feePostings,
  flowPostings,
  flowSubject,
  indexSheets,
  isOfBills,
  openingEntry,
  sheetOf,
  wholeFee,
} from '../../../domain/bill/sheet.ts'
import type { RowOwner } from '../../../domain/bill/sheet.ts'
import { reversalEntry } from '../../../domain/journal.ts'

const time = '2026-11-22T10:00:00.000+08:00'
const bill = { _id: '1900000001/2026-11-22/trade/1', mchid: '1900000001', bill_date: '2026-11-22', version: 1 }

const trade = (given: Partial<TradeRow> = {}): TradeRow => ({
  ...{ line: 2, kind: 'payment', time, appid: 'wx1', mchid: '1900000001', transaction_id: 'tx', out_trade_no: 'TEA' },
  ...{ trade_type: 'NATIVE', trade_state: 'SUCCESS', currency: 'CNY', settled_total: 990, total: 990, refund_id: null },
  ...{ out_refund_no: null, settlement_refund: 0, refund: 0, refund_status: null, fee: 6_000, rate: '0.60%' },
  ...given,
})

const flow = (given: Partial<FlowRow> = {}): FlowRow => ({
  ...{ line: 2, time, business_no: 'tx', flow_no: 'f1', name: '交易', type: '交易', direction: 'in', amount: 990 },
  ...{ balance: 990, applicant: 'system', remark: '', voucher_no: 'TEA' },
  ...given,
})

const said = (postings: readonly { account: string; key: string; amount: number }[]) =>
  postings.map(({ account, key, amount }) => `${account}/${key} ${amount}`)

describe('a fee of the trade bill', () => {
  it('is an expense that waits to be taken, and is given back with the refund, whatever its sign', () => {
    expect(said(feePostings(trade(), 'ours'))).toEqual(['fee.expense/tx 6', 'fee.clearing/tx -6'])
    const refund = { kind: 'refund', refund_id: 'r1' } as const
    for (const fee of [-6_000, 6_000])
      expect(said(feePostings(trade({ ...refund, fee }), 'ours'))).toEqual(['fee.expense/r1 -6', 'fee.clearing/r1 6'])
    expect(said(feePostings(trade({ kind: 'reversal', fee: -6_000 }), 'ours'))).toEqual([
      'fee.expense/tx -6',
      'fee.clearing/tx 6',
    ])
  })

  it('of nothing, and of another system, is not ours', () => {
    expect(feePostings(trade({ fee: 0 }), 'ours')).toEqual([])
    expect(feePostings(trade(), 'foreign')).toEqual([])
  })

  it.each([
    [5_940, 6],
    [5_500, 6],
    [5_499, 5],
    [499, 0],
    [-5_500, -6],
    [-5_499, -5],
    [-499, 0],
    [7_790_000, 7_790],
  ])('of %i/1000 fen is %i fen, half up from zero', (fee, fen) => {
    expect(wholeFee(fee)).toBe(fen)
  })
})

describe('a movement of the fund flow', () => {
  const out = { direction: 'out' } as const
  it.each<[string, Partial<FlowRow>, string[]]>([
    ['交易', {}, ['wechat.pending/tx -990']],
    ['扣除交易手续费', { ...out, amount: 6 }, ['fee.clearing/tx 6']],
    ['退款', { ...out, business_no: 'r1' }, ['wechat.refund_transit/r1 990']],
    ['退款关闭', { business_no: 'r1' }, ['wechat.refund_transit/r1 -990']],
    ['退还交易手续费', { business_no: 'r1', amount: 6 }, ['fee.clearing/r1 -6']],
    ['手续费', { ...out, amount: 6 }, ['fee.clearing/tx 6']],
    ['手续费', { business_no: 'r1', amount: 6 }, ['fee.clearing/r1 -6']],
    ['退款退回', { business_no: 'r1' }, ['merchant.bank/- -990']],
    ['提现', { ...out, business_no: null }, ['merchant.bank/- 990']],
    ['充值', { business_no: null }, ['merchant.bank/- -990']],
    ['分账', out, ['other.分账/f1 990']],
    ['企业 付款', { ...out, flow_no: '' }, ['other.企业付款/tx 990']],
    ['代金券', { flow_no: '', business_no: null }, ['other.代金券/line-2 -990']],
    [`${'字'.repeat(39)}🍵🍵`, out, [`other.${'字'.repeat(39)}🍵/f1 990`]],
  ])('of %s stands on its other side', (type, given, expected) => {
    expect(said(flowPostings(flow({ type, ...given }), 'ours', null))).toEqual(expected)
  })

  it('that goes the other way than its word says is nothing known', () => {
    expect(said(flowPostings(flow({ direction: 'out' }), 'ours', null))).toEqual(['other.交易/f1 990'])
    expect(said(flowPostings(flow({ type: 'constructor' }), 'ours', null))).toEqual(['other.constructor/f1 -990'])
  })

  it('of another system is foreign where its word is known, and asked for only there', () => {
    expect(said(flowPostings(flow(), 'foreign', null))).toEqual(['foreign/tx -990'])
    expect(said(flowPostings(flow({ type: '分账' }), 'foreign', null))).toEqual(['other.分账/f1 -990'])
    expect(flowSubject(flow())).toBe('payment')
    expect(flowSubject(flow({ type: '退还交易手续费' }))).toBe('either')
    expect(flowSubject(flow({ type: '分账' }))).toBe('none')
    expect(flowSubject(flow({ business_no: null }))).toBe('none')
  })

  it('that is net of its fee clears all of the payment, and the fee', () => {
    const net = flow({ amount: 984 })
    expect(said(flowPostings(net, 'ours', { total: 990, fee: 6 }))).toEqual([
      'wechat.pending/tx -990',
      'fee.clearing/tx 6',
    ])
    expect(said(flowPostings(flow(), 'ours', { total: 990, fee: 6 }))).toEqual(['wechat.pending/tx -990'])
    const refund = flow({ type: '退款', direction: 'out', business_no: 'r1', amount: 984 })
    expect(said(flowPostings(refund, 'ours', { total: 990, fee: 6 }))).toEqual([
      'wechat.refund_transit/r1 990',
      'fee.clearing/r1 -6',
    ])
  })
})

describe('a sheet', () => {
  const any_row = fc.record({
    type: fc.constantFrom(
      '交易',
      '退款',
      '扣除交易手续费',
      '退还交易手续费',
      '退款关闭',
      '提现',
      '充值',
      '分账',
      ' x ',
    ),
    direction: fc.constantFrom('in' as const, 'out' as const),
    amount: fc.nat(100_000),
    business_no: fc.option(fc.constantFrom('a', 'b', 'c')),
    flow_no: fc.constantFrom('', 'f'),
  })
  const any_owner = fc.constantFrom<RowOwner>('ours', 'foreign')
  const any_named = fc.option(fc.record({ total: fc.nat(100_000), fee: fc.nat(100) }))

  it('of any rows balances, holds what the account moved by, and is made the same again', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(any_row, any_owner, any_named), { maxLength: 20 }), (given) => {
        const rows = given.map(([row, owner, named]) => ({ row: flow(row), owner, named }))
        const flows = { ...bill, type: 'fundflow' as const }
        const entry = sheetOf(flows, 3, rows, time)
        const moved = rows.reduce((sum, { row }) => sum + (row.direction === 'in' ? row.amount : -row.amount), 0)
        const cash = entry?.postings.filter(({ account }) => account === 'wechat.basic') ?? []
        expect(cash.reduce((sum, { amount }) => sum + amount, 0)).toBe(moved)
        expect(entry?.postings.reduce((sum, { amount }) => sum + amount, 0) ?? 0).toBe(0)
        expect(sheetOf(flows, 3, rows, time)).toEqual(entry)
      }),
    )
  })

  it('is named by its bill and place, at the latest moment of its rows, and none where nothing moves', () => {
    const later = '2026-11-22T11:00:00.000+08:00'
    const rows = [trade(), trade({ transaction_id: 'ty', time: later })]
    const entry = sheetOf({ ...bill, type: 'trade' }, 2, owned(rows), time)
    expect(entry).toMatchObject({
      _id: 'bill:1900000001:2026-11-22:trade:1:2',
      kind: 'bill_fees',
      occurred_time: later,
      evidence_id: bill._id,
      out_trade_no: null,
    })
    expect(entry?.postings).toHaveLength(4)
    expect(sheetOf({ ...bill, type: 'trade' }, 1, owned([trade({ fee: 0 })]), time)).toBeNull()
    expect(sheetOf({ ...bill, type: 'trade' }, 1, [], time)).toBeNull()
  })

  const owned = (rows: TradeRow[]) => rows.map((row) => ({ row, owner: 'ours' as const, named: null }))

  it('stands until it is taken back', () => {
    const [one, two] = [1, 2].map((n) => sheetOf({ ...bill, type: 'trade' }, n, owned([trade()]), time))
    if (!one || !two) throw new Error('no sheets')
    const back = reversalEntry(one, { occurred_time: time, booked_time: time, evidence_id: '' })
    const { standing, taken } = indexSheets([one, two, back, { ...one, _id: `${one._id}#2` }])
    expect([...standing]).toEqual([
      [2, [two._id]],
      [1, [`${one._id}#2`]],
    ])
    expect(taken.has(one._id)).toBe(true)
    expect(isOfBills(back)).toBe(true)
  })

  it('opens an account with what it held, and not with nothing', () => {
    expect(openingEntry('fundflow', bill, { amount: 0, time, bill_id: 'b' }, time)).toBeNull()
    const entry = openingEntry('fundflow', bill, { amount: -5, time, bill_id: 'b' }, time)
    expect(said(entry?.postings ?? [])).toEqual(['wechat.basic/- -5', 'other.opening/- 5'])
  })
})
