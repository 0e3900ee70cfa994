import { describe, expect, it } from 'vitest'
import { billBytes, file_flaws, flowLayout, tradeLayouts } from '../../../simulator/bills/layout.ts'
import { flawsOf, movedRows, plant_names, plantFlows, plantTrades } from '../../../simulator/bills/plants.ts'
import type { BillPlant, PlantName } from '../../../simulator/bills/plants.ts'
import { odd_forms } from '../../../simulator/bills/row.ts'
import type { OddForm, TradeDetail } from '../../../simulator/bills/row.ts'
import { Faults } from '../../../simulator/faults.ts'
import type { FaultRequest } from '../../../simulator/faults.ts'
import { beijing, sampleFlow, samplePayment, sampleRefund } from './samples.ts'

const bill = {
  mchid: '1921000401',
  bill_date: '2019-02-19',
  start: beijing('2019-02-19 00:00:00'),
  appid: 'wxdd0000000000000001',
}
const plant = (fault: PlantName, more: Partial<BillPlant> = {}): BillPlant => ({
  ...{ bill: 'trade', fault, bill_date: null, out_trade_no: null, out_refund_no: null },
  ...{ original_type: null, value: null, rows: 1 },
  ...more,
})

const one = samplePayment({ out_trade_no: 'ORDER_1', total: 1_000, settled_total: 700, fee: 4_000 })
const two = samplePayment({ out_trade_no: 'ORDER_2', transaction_id: '4200000000000000000000000002' })
const refund = sampleRefund({ out_trade_no: 'ORDER_1', out_refund_no: 'REFUND_1' })
const planted = (...plants: BillPlant[]): TradeDetail[] =>
  plantTrades([one, two, refund], plants, bill).map(({ detail }) => detail)

describe('a plant in a row', () => {
  it('takes the next row that no other has, or the one that it names', () => {
    expect(planted(plant('omitted'))).toEqual([two, refund])
    expect(planted(plant('omitted'), plant('omitted'))).toEqual([refund])
    expect(planted(plant('omitted', { rows: 3 }))).toEqual([])
    expect(planted(plant('omitted', { out_trade_no: 'ORDER_2' }))).toEqual([one, refund])
    expect(planted(plant('omitted', { out_trade_no: 'ORDER_1' }))).toEqual([two, refund])
    expect(planted(plant('omitted', { out_trade_no: 'ORDER_1', original_type: 'refund' }))).toEqual([one, two])
    expect(planted(plant('omitted', { original_type: 'refund' }))).toEqual([one, two])
    expect(planted(plant('omitted', { out_refund_no: 'REFUND_1' }))).toEqual([one, two])
    expect(planted(plant('omitted', { out_trade_no: 'ORDER_9' }))).toEqual([one, two, refund])
    expect(planted(plant('duplicated', { out_trade_no: 'ORDER_2' }))).toEqual([one, two, two, refund])
  })

  it('changes a payment and a refund each in its own columns', () => {
    const change = (fault: PlantName, more: Partial<BillPlant> = {}) => [
      planted(plant(fault, { out_trade_no: 'ORDER_1', ...more }))[0],
      planted(plant(fault, { out_refund_no: 'REFUND_1', ...more }))[2],
    ]
    expect(change('amount')).toEqual([
      { ...one, total: 1_001, settled_total: 701 },
      { ...refund, refund: 2, settlement_refund: 2 },
    ])
    expect(change('amount', { value: '-1' })[0]).toEqual({ ...one, total: 999, settled_total: 699 })
    expect(change('state')).toEqual([
      {
        ...{ ...one, trade_state: 'REVOKED', total: 0, settled_total: 0, coupon: 0 },
        ...{ refund: 1_000, settlement_refund: 700, fee: -4_000 },
      },
      { ...refund, refund_status: 'FAIL' },
    ])
    expect(change('state', { value: 'CHANGE' })[1]).toEqual({ ...refund, refund_status: 'CHANGE' })
    expect(change('number')).toEqual([
      { ...one, out_trade_no: 'ORDER_1X' },
      { ...refund, out_refund_no: 'REFUND_1X' },
    ])
    expect(change('settled', { value: '2' })).toEqual([
      { ...one, settled_total: 702 },
      { ...refund, settlement_refund: 3 },
    ])
    expect(change('fee', { value: '2' })[0]).toEqual({ ...one, fee: 6_000 })
  })

  it('moves it to the next day, and says which rows that were', () => {
    const moved = [plant('moved', { out_trade_no: 'ORDER_2' })]
    expect(planted(...moved)).toEqual([one, refund])
    expect(movedRows([one, two, refund], moved)).toEqual([two])
  })

  it('invents rows, the same each time', () => {
    const foreign = [plant('foreign_payment', { rows: 2 }), plant('foreign_appid'), plant('foreign_refund')]
    const rows = planted(...foreign).slice(3)
    expect(planted(...foreign).slice(3)).toEqual(rows)
    expect(rows.map(({ kind }) => kind)).toEqual(['payment', 'payment', 'payment', 'refund'])
    expect(new Set(rows.map(({ transaction_id }) => transaction_id)).size).toBe(4)
    expect(rows.map(({ transaction_id }) => transaction_id.length)).toEqual([28, 28, 28, 28])
    expect(rows.map(({ appid }) => appid === bill.appid)).toEqual([true, true, false, true])
    expect(planted(plant('foreign_payment', { value: 'ORDER_9' })).at(-1)?.out_trade_no).toBe('ORDER_9')
  })

  it('of fund flow changes amount, kind, number or balance', () => {
    const flows = [sampleFlow(), sampleFlow({ name: '退款', type: '退款', voucher_no: 'REFUND_1' })]
    const change = (fault: PlantName, more: Partial<BillPlant> = {}) =>
      plantFlows(flows, [plant(fault, { bill: 'fundflow', ...more })]).map(({ detail }) => detail)
    expect(change('omitted', { out_refund_no: 'REFUND_1' })).toEqual([flows[0]])
    expect(change('amount')[0]).toMatchObject({ amount: 4, balance: 100_003 })
    expect(change('broken_chain', { value: '7' })[0]).toMatchObject({ amount: 3, balance: 100_010 })
    expect(change('state')[0]).toMatchObject({ type: '未知业务' })
    expect(change('number', { original_type: 'refund' })[1]).toMatchObject({ voucher_no: 'REFUND_1X' })
  })
})

/** The line of a payment, written in this form. */
const lineIn = (form: OddForm): string =>
  billBytes(tradeLayouts.ALL, plantTrades([one], [plant(form)], bill), new Set())
    .toString()
    .split('\r\n')
    .slice(1, -3)
    .join('⏎')

describe('an odd form', () => {
  const cases: Record<OddForm, string> = {
    comma: '`autotest, 2 cups,`',
    false_cell: '`autotest,`2,`',
    back_tick: '`autotest`B,`',
    line_break: '`autotest⏎第二行,`',
    decimals: '`39.00%,`10.005,`',
    few_decimals: '`39.00%,`10,`',
    double_blank: '`2019-02-19  01:51:59,`',
    full_width_colons: '`2019-02-19 01：51：59,`',
    missing_blank: '`2019-02-1901:51:59,`',
    short_line: '`39.00%,`10.00,`0.00',
    cut_line: '`OTHERS,`CNY,`7.00',
  }

  it.each(odd_forms)('%s is written into the line', (form) => {
    expect(lineIn(form)).toContain(cases[form])
    const count = lineIn(form).split(',`').length
    const counts: Partial<Record<OddForm, number>> = { false_cell: 28, short_line: 26, cut_line: 13 }
    expect(count).toBe(counts[form] ?? 27)
  })

  it('leaves the sums of the file as they are', () => {
    const sums = (lines: string) => lines.split('\r\n').at(-2)
    const plain = billBytes(tradeLayouts.ALL, plantTrades([one], [], bill), new Set()).toString()
    for (const form of odd_forms)
      expect(sums(billBytes(tradeLayouts.ALL, plantTrades([one], [plant(form)], bill), new Set()).toString())).toBe(
        sums(plain),
      )
  })

  it('of fund flow is written where that bill has such a cell', () => {
    const lines = (form: OddForm) =>
      billBytes(flowLayout, plantFlows([sampleFlow()], [plant(form, { bill: 'fundflow' })]), new Set()).toString()
    expect(lines('comma')).toContain('元, 2 cups,`')
    expect(lines('decimals')).toContain('`收入,`0.035,`')
    expect(lines('full_width_colons')).toContain('01：51：59')
  })
})

describe('a flaw of a file', () => {
  const text = (...plants: PlantName[]): string =>
    billBytes(
      tradeLayouts.ALL,
      plantTrades([one, refund], [], bill),
      flawsOf(plants.map((name) => plant(name))),
    ).toString()
  const plain = text()

  it.each(file_flaws)('%s changes the file', (flaw) => {
    expect(text(flaw)).not.toBe(plain)
  })

  it('is what its name says', () => {
    expect(plain).toContain('`2.0,`7.0,`0.01,`0.0,`0.04,`10.0,`0.01')
    expect(text('wrong_footer')).toContain('`2.0,`7.01,`0.02,`0.01,`0.05,`10.01,`0.02')
    expect(text('fractional_count')).toContain('\r\n`2.5,')
    expect(text('details_removed').split('\r\n')).toHaveLength(4)
    expect(text('details_removed')).toContain('\r\n`2.0,')
    expect(text('no_footer')).not.toContain('总交易单数')
    expect(text('flat_footer')).toContain('\r\n总交易单数,2.0,应结订单总金额,7.0,')
    expect(text('unknown_column')).toContain('交易时间,未知列,公众账号ID')
    expect(text('no_byte_order_mark').startsWith('交易时间')).toBe(true)
    expect(text('bare_line_feeds')).not.toContain('\r')
    expect(JSON.parse(text('json_wrapped'))).toEqual({ data: plain.slice(1), return_code: 'SUCCESS' })
  })
})

describe('the request for a plant', () => {
  const faults = new Faults(
    () => 0,
    () => 0,
  )
  it('stays until it is deleted, for its merchant and bill', () => {
    const ask = (request: FaultRequest) => faults.add(request)
    ask({ operation: 'trade_bill_content', fault: 'omitted', mchid: 'one', bill_date: '2019-02-19', rows: 2 })
    ask({ operation: 'fund_flow_bill_content', fault: 'broken_chain', value: '5' })
    const first = plant('omitted', { bill_date: '2019-02-19', rows: 2 })
    const second = plant('broken_chain', { bill: 'fundflow', value: '5' })
    for (const round of [1, 2]) expect([round, faults.plantsOf('one')]).toEqual([round, [first, second]])
    expect(faults.plantsOf('other')).toEqual([second])
  })

  it('knows the names of each bill', () => {
    expect(plant_names.trade).not.toContain('broken_chain')
    expect(plant_names.fundflow).not.toContain('fee')
    expect(new Set(plant_names.trade).size).toBe(plant_names.trade.length)
  })
})
