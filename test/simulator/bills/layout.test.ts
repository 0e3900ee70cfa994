import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { escapeRemark, escapeText, feeOf, feeText, sumText, yuan } from '../../../simulator/bills/form.ts'
import { billBytes, flowLayout, headerOf, tradeLayouts } from '../../../simulator/bills/layout.ts'
import type { TradeDetail } from '../../../simulator/bills/row.ts'
import { samplePayment, sampleRefund } from './samples.ts'

interface Vectors {
  trade: Record<'ALL' | 'SUCCESS' | 'REFUND', { columns: string[]; summary_columns: string[] }>
  fundflow: { columns: string[]; summary_columns: string[] }
  sample_all: { lines: string[] }
}
const vectors = JSON.parse(readFileSync(new URL('../../vectors/bills.json', import.meta.url), 'utf8')) as Vectors

const plain = (details: TradeDetail[]) => details.map((detail) => ({ detail, form: null }))

describe('a trade bill', () => {
  it.each(['ALL', 'SUCCESS', 'REFUND'] as const)('has the columns and the summary of %s', (name) => {
    const { columns, footer } = tradeLayouts[name]
    expect(columns.map(({ title }) => title)).toEqual(vectors.trade[name].columns)
    expect(footer.map(({ title }) => title)).toEqual(vectors.trade[name].summary_columns)
  })

  it('writes a real payment and a real refund as the real file does', () => {
    const given = [
      sampleRefund({
        out_trade_no: 'autotest_20190216081946_82335',
        openid: 'oHkLxtx0vUqe-18p_AXTZ1innxkCY',
        description: '系统拨测-cheeryin-test_micropay_succ',
      }),
      samplePayment(),
    ]
    const lines = billBytes(tradeLayouts.ALL, plain(given), new Set()).toString().split('\r\n')
    const [header, real_refund = '', , real_payment] = vectors.sample_all.lines
    expect(lines[0]).toBe(`\uFEFF${header}`)
    // the real refund is of a JSAPI payment; the simulator knows Native orders only
    expect(lines[1]).toBe(real_refund.replace('JSAPI', 'NATIVE'))
    expect(lines[2]).toBe(real_payment)
    expect(lines.slice(3)).toEqual([
      vectors.trade.ALL.summary_columns.join(','),
      '`2.0,`0.03,`0.01,`0.0,`0.01,`0.03,`0.01',
      '',
    ])
  })

  it('shows in a REFUND bill when the refund was asked for, when it ended and when its payment was', () => {
    const given = [sampleRefund(), sampleRefund({ refund_success_time: null, refund_status: 'PROCESSING' })]
    const [, first = '', second = ''] = billBytes(tradeLayouts.REFUND, plain(given), new Set()).toString().split('\r\n')
    const cells = first.slice(1).split(',`')
    expect(cells).toHaveLength(29)
    expect([cells[0], cells[14], cells[15]]).toEqual([
      '2019-02-19 01:51:59',
      '2019-02-19 05:01:46',
      '2019-02-19 05:01:50',
    ])
    expect(second.slice(1).split(',`')[15]).toBe('')
  })

  it('has the old words and 24 columns in the old layout', () => {
    const { columns, footer } = tradeLayouts.OLD
    const titles = columns.map(({ title }) => title)
    expect(titles).toHaveLength(24)
    expect(titles).toEqual(expect.arrayContaining(['子商户号', '总金额', '企业红包金额', '企业红包退款金额']))
    expect(footer.map(({ title }) => title)).toEqual([
      ...['总交易单数', '总交易额', '总退款金额', '总企业红包退款金额', '手续费总金额'],
    ])
  })
})

describe('a fund-flow bill', () => {
  it('has the columns and the summary of the format page', () => {
    expect(headerOf(flowLayout)).toBe(vectors.fundflow.columns.join(','))
    expect(flowLayout.footer.map(({ title }) => title)).toEqual(vectors.fundflow.summary_columns)
  })
})

describe('a value', () => {
  it('is written as real files write it', () => {
    expect([0, 1, 10, 12_345, -5].map(yuan)).toEqual(['0.00', '0.01', '0.10', '123.45', '-0.05'])
    expect([0, 1_000, 5_940, -5_940].map(feeText)).toEqual(['0.00000', '0.01000', '0.05940', '-0.05940'])
    expect([0, 47_000, 4_500_000, 100_000, 5_940].map(sumText)).toEqual(['0.0', '0.47', '45.0', '1.0', '0.0594'])
    expect(escapeText('茶,两杯\r\n热的\n')).toBe('茶\\ 两杯\\n热的\\n')
    expect(escapeRemark('a\u0001b\r\nc')).toBe('a b\\r\\nc')
  })

  it('of a fee is rounded half-up to the fen', () => {
    expect([83, 84, 250, 1, 10_000_000_000].map((amount) => feeOf(amount, '0.60%'))).toEqual([0, 1, 2, 0, 60_000_000])
    expect(feeOf(3, '39.00%')).toBe(1)
    expect(feeOf(100, '0.00%')).toBe(0)
  })
})
