import { describe, expect, it } from 'vitest'
import type { FlowRow, TradeRow } from '../../../domain/bill/row.ts'
import { remarkAmounts } from '../../../wechat/statement/remark.ts'
import { as_refund, layouts, line, official_rows, readFile, written } from './file.ts'
import type { ReadFile } from './file.ts'

/** What is expected of a file: the columns of its rows that matter, its malformed lines, its flaws. */
interface Expected {
  rows: Partial<TradeRow | FlowRow>[]
  malformed?: { line: number; reason: RegExp }[]
  flaws?: string[]
}
type Form = [name: string, file: () => ReadFile<'trade' | 'fundflow'>, expected: Expected]

type SomeFile = ReadFile<'trade' | 'fundflow'>
const { ALL, SUCCESS, REFUND, old, fundflow } = layouts
const trade = (columns: readonly string[], rows: string[], summary_columns: string[], summary: string[]): SomeFile =>
  readFile('trade', written({ columns, rows, summary_columns, summary }))
const all = (rows: string[], summary: string[]) => trade(ALL.columns, rows, ALL.summary_columns, summary)
const flow = (rows: string[], summary: string[], summary_columns = fundflow.summary_columns): SomeFile =>
  readFile('fundflow', written({ columns: fundflow.columns, rows, summary_columns, summary }))

const payment = (change: Record<string, string> = {}) => line(ALL.columns, change)
const one = ['1', '9.90', '0.00', '0.00', '0.06', '9.90', '0.00']
const two = ['2', '19.80', '0.00', '0.00', '0.12', '19.80', '0.00']
const none = ['0', '0.00', '0.00', '0.00', '0.00', '0.00', '0.00']
const movement = (change: Record<string, string> = {}) => line(fundflow.columns, change)
const one_out = ['1.0', '0.0', '0.00', '1.0', '9.90']
const replaced = (names: readonly string[], from: string, to: string) =>
  names.map((name) => (name === from ? to : name))

/** Of each odd form that was met, by its number in the list of them: at least one file. */
const forms: Form[] = [
  [
    '1 old words and columns',
    () => trade(old.columns, [line(old.columns)], old.summary_columns, ['1', '9.90', '0.00', '0.00', '0.06']),
    { rows: [{ settled_total: 990, total: null, refund: null, fee: 6_000, rate: '0.60%' }] },
  ],
  [
    '1 other old words for coupons',
    () =>
      trade(
        replaced(old.columns, '企业红包金额', '代金券或立减优惠金额'),
        [line(old.columns)],
        replaced(old.summary_columns, '总企业红包退款金额', '总代金券或立减优惠退款金额'),
        ['1', '9.90', '0.00', '0.00', '0.06'],
      ),
    { rows: [{ settled_total: 990 }] },
  ],
  [
    '1 a column that nobody knows: the others are read, and the day is not proven',
    () => trade([...ALL.columns, '汇率'], [`${payment()},\`7.1`], ALL.summary_columns, one),
    { rows: [{ settled_total: 990 }], flaws: ['unknown_column'] },
  ],
  [
    '1 an unknown word where a needed one is missing: no row is read',
    () => trade(replaced(ALL.columns, '应结订单金额', '结算金额'), [payment()], ALL.summary_columns, one),
    {
      rows: [],
      malformed: [{ line: 2, reason: /header lacks/ }],
      flaws: ['unknown_column', 'missing_column', 'malformed_lines'],
    },
  ],
  [
    '1 a column twice under two of its words: neither counts',
    () => trade([...ALL.columns, '总金额'], [`${payment()},\`9.90`], ALL.summary_columns, one),
    {
      rows: [],
      malformed: [{ line: 2, reason: /header lacks/ }],
      flaws: ['doubled_column', 'missing_column', 'malformed_lines'],
    },
  ],
  [
    '2 SUCCESS has its own columns and sums',
    () => trade(SUCCESS.columns, [line(SUCCESS.columns)], SUCCESS.summary_columns, ['1', '9.90', '0.06', '9.90']),
    { rows: [{ kind: 'payment', fee: 6_000, total: 990, refund: null, refund_id: null, settlement_refund: 0 }] },
  ],
  [
    '2 REFUND has two moments in its middle',
    () =>
      trade(
        REFUND.columns,
        [
          line(REFUND.columns, {
            ...as_refund,
            退款申请时间: '2026-11-22 10:00:00',
            退款成功时间: '2026-11-22 10:05:00',
          }),
        ],
        REFUND.summary_columns,
        ['1.0', '0.0', '9.90', '0.0', '-0.06000', '0.0', '9.90'],
      ),
    {
      rows: [{ kind: 'refund', refund_id: as_refund.微信退款单号, settlement_refund: 990, refund: 990, fee: -6_000 }],
    },
  ],
  [
    '3 commas within a value',
    () => all([payment({ 商品名称: '充值，送书：《三国》,', 商户数据包: 'Tea, 2 cups, "hot"; 1,000' })], [...one]),
    { rows: [{ settled_total: 990, fee: 6_000 }] },
  ],
  [
    '4 line breaks within values: the record goes on in the next lines',
    () => all([payment({ 商品名称: 'Tea\nfor two\r\n\r\nhot', 商户数据包: 'a\rb' })], one),
    { rows: [{ line: 2, settled_total: 990, fee: 6_000 }] },
  ],
  [
    '4 a value that goes on as the footer begins',
    () => all([payment({ 商品名称: 'Tea\n总交易单数' }), payment({ 商户数据包: 'a\n总交易单数\n总交易单数,b' })], two),
    { rows: [{ line: 2, settled_total: 990 }, { line: 4 }] },
  ],
  [
    '4 a record that never gets its cells, before another one and before the footer',
    () => all([payment().slice(0, -40), 'no such thing', payment(), payment().slice(0, -40)], one),
    {
      rows: [{ line: 4, settled_total: 990 }],
      malformed: [
        { line: 2, reason: /it has 18 cells, and the header 27/ },
        { line: 3, reason: /goes on from line 2/ },
        { line: 5, reason: /it has 18 cells/ },
      ],
      flaws: ['malformed_lines'],
    },
  ],
  [
    '5 a back-tick within a value',
    () => all([payment({ 商品名称: 'A`B', 商户数据包: '`' })], one),
    { rows: [{ total: 990 }] },
  ],
  [
    '5 a comma and a back-tick within a value',
    () => all([payment({ 商品名称: 'A,`B' })], one),
    {
      rows: [],
      malformed: [{ line: 2, reason: /28 cells, and the header 27/ }],
      flaws: ['malformed_lines', 'footer_differs', 'footer_differs', 'footer_differs', 'footer_differs'],
    },
  ],
  ['6 a day without trade', () => all([], none), { rows: [] }],
  [
    '6 sums of rows that are not there',
    () => all([], ['3', '1299.02', '0.00', '0.00', '0.00', '1299.02', '0.00']),
    { rows: [], flaws: ['footer_differs', 'footer_differs', 'footer_differs'] },
  ],
  ['7 a count as a decimal', () => all([payment()], ['1.0', ...one.slice(1)]), { rows: [{ total: 990 }] }],
  [
    '7 a count with a fraction',
    () => all([payment()], ['1.5', ...one.slice(1)]),
    { rows: [{ total: 990 }], flaws: ['unreadable_footer'] },
  ],
  [
    '8 fees of five decimals and less than nothing',
    () =>
      all(
        [payment({ 手续费: '0.05940' }), payment({ 手续费: '0.00000' }), payment({ ...as_refund, 手续费: '-0.05940' })],
        ['3', '19.80', '9.90', '0.00', '0.00000', '19.80', '9.90'],
      ),
    { rows: [{ fee: 5_940 }, { fee: 0 }, { kind: 'refund', fee: -5_940 }] },
  ],
  [
    '9 amounts with two decimals, one and none in one row',
    () => all([payment({ 订单金额: '9.9', 代金券金额: '0', 退款金额: '0.0' })], one),
    { rows: [{ settled_total: 990, total: 990, settlement_refund: 0 }] },
  ],
  [
    '9 an amount with three decimals',
    () => all([payment({ 订单金额: '9.900' }), payment()], one),
    {
      rows: [{ line: 3 }],
      malformed: [{ line: 2, reason: /订单金额 is no amount in yuan: "9.900"/ }],
      flaws: ['malformed_lines'],
    },
  ],
  [
    '10 zero and nothing mean that there is no refund',
    () => all([payment({ 商户退款单号: '', 退款金额: '0', 充值券退款金额: '0' })], one),
    { rows: [{ kind: 'payment', refund_id: null, out_refund_no: null, refund_status: null, settlement_refund: 0 }] },
  ],
  [
    '10 a REVOKED row gives money back without a number',
    () =>
      all(
        [payment({ ...as_refund, 交易状态: 'REVOKED', 微信退款单号: '0', 商户退款单号: '0', 手续费: '0' })],
        ['1', '0', '9.90', '0', '0', '0', '9.90'],
      ),
    { rows: [{ kind: 'reversal', refund_id: null, out_refund_no: null, settlement_refund: 990 }] },
  ],
  [
    '10 rows that are at odds with their own state',
    () =>
      all(
        [
          payment({ 微信退款单号: as_refund.微信退款单号 }),
          payment({ 退款金额: '0.01' }),
          payment({ ...as_refund, 微信退款单号: '0' }),
          payment({ 交易状态: 'PAYERROR' }),
          payment(),
        ],
        one,
      ),
    {
      rows: [{ line: 6 }],
      malformed: [
        { line: 2, reason: /a payment has a refund number/ },
        { line: 3, reason: /a payment has an amount that was refunded/ },
        { line: 4, reason: /a refund has no number/ },
        { line: 5, reason: /交易状态 is no state that is known/ },
      ],
      flaws: ['malformed_lines'],
    },
  ],
  [
    '11 runs of blanks between day and time',
    () => all([payment({ 交易时间: '2016-05-04  02:18:18' })], one),
    { rows: [{ time: '2016-05-04T02:18:18.000+08:00' }] },
  ],
  [
    '11 times that stand in documents only, and days that are none',
    () =>
      all(
        [
          '2014-11-10 16：33：45',
          '2014-11-1016:33:45',
          '2014-11-1016：33：45',
          '2026-02-29 10:00:00',
          '2026-11-22 24:00:00',
          '',
        ]
          .map((time) => payment({ 交易时间: time }))
          .concat(payment({ 交易时间: '2024-02-29 23:59:59' })),
        one,
      ),
    {
      rows: [{ line: 8, time: '2024-02-29T23:59:59.000+08:00' }],
      malformed: [2, 3, 4, 5, 6, 7].map((number) => ({ line: number, reason: /交易时间 is no time/ })),
      flaws: ['malformed_lines'],
    },
  ],
  [
    '12 a refund before its payment, and a payment of another day',
    () =>
      all(
        [
          payment({ ...as_refund, 交易时间: '2026-11-22 12:00:00' }),
          payment(),
          payment({ ...as_refund, 微信订单号: '4200000001202611210000000009', 交易时间: '2026-11-22 09:00:00' }),
        ],
        ['3', '9.90', '19.80', '0.00', '-0.06', '9.90', '19.80'],
      ),
    { rows: [{ kind: 'refund' }, { kind: 'payment' }, { kind: 'refund' }] },
  ],
  [
    '13 a refund under way, and one whose word nobody knows',
    () =>
      all(
        [payment({ ...as_refund, 退款状态: 'PROCESSING' }), payment({ ...as_refund, 退款状态: 'QUEUED' })],
        ['2', '0', '19.80', '0', '-0.12', '0', '19.80'],
      ),
    { rows: [{ refund_status: 'PROCESSING' }, { refund_status: 'QUEUED' }] },
  ],
  [
    '14 rates are text',
    () =>
      all(
        ['39.00%', '1.00%', '0.60%', ''].map((rate) => payment({ 费率: rate, 费率备注: '特惠' })),
        ['4', '39.60', '0', '0', '0.24', '39.60', '0'],
      ),
    { rows: [{ rate: '39.00%' }, { rate: '1.00%' }, { rate: '0.60%' }, { rate: '' }] },
  ],
  [
    '14 what stands where a rate belongs is none',
    () => all([payment({ 费率: '特惠' }), payment()], one),
    { rows: [{ line: 3 }], malformed: [{ line: 2, reason: /费率 is no rate/ }], flaws: ['malformed_lines'] },
  ],
  [
    '15 what merchants write is opaque',
    () =>
      all(
        ['{"a":"乌龙茶","b":[1,2]}', 'undefined…', '', '\\ \\n'].map((attach) =>
          payment({ 商户数据包: attach, 用户标识: '', 设备号: 'iOS_SDK' }),
        ),
        ['4', '39.60', '0', '0', '0.24', '39.60', '0'],
      ),
    { rows: [{}, {}, {}, {}] },
  ],
  [
    '16 a bill that some SDK wrapped in JSON',
    () =>
      readFile('trade', Buffer.from(JSON.stringify({ data: `${ALL.columns.join(',')}\r\n`, return_code: 'SUCCESS' }))),
    { rows: [], malformed: [{ line: 1, reason: /no header/ }], flaws: ['not_a_bill', 'malformed_lines', 'no_header'] },
  ],
  [
    '17 remarks with semicolons and amounts',
    () =>
      flow(
        [
          movement({ 备注: '结算总金额 0.01 元;含手续费 0.00 元' }),
          movement({ 备注: '退款总金额0.01元;含手续费0.00元' }),
        ],
        ['2.0', '2.0', '19.8', '0.0', '0'],
      ),
    { rows: [{ remark: '结算总金额 0.01 元;含手续费 0.00 元' }, { remark: '退款总金额0.01元;含手续费0.00元' }] },
  ],
  [
    '18 of a refund the business number is the refund’s',
    () =>
      flow(
        [movement({ 收支类型: '支出', 业务类型: '退款', 微信支付业务单号: '50300000012026112200000000001' })],
        one_out,
      ),
    {
      rows: [
        { business_no: '50300000012026112200000000001', flow_no: '4200000001202611220000000001', direction: 'out' },
      ],
    },
  ],
  [
    '19 kinds of movements that nobody knows',
    () =>
      flow(
        ['扣除交易手续费', '退还交易手续费', '订单入账', '从未见过 的'].map((type) =>
          movement({ 业务类型: type, 业务名称: type }),
        ),
        ['4', '4', '39.6', '0', '0'],
      ),
    { rows: ['扣除交易手续费', '退还交易手续费', '订单入账', '从未见过 的'].map((type) => ({ type, name: type })) },
  ],
  [
    '20 a withdrawal with empty cells',
    () =>
      flow(
        [
          movement({
            收支类型: '支出',
            业务类型: '提现',
            微信支付业务单号: '',
            资金变更提交申请人: '',
            业务凭证号: '',
          }),
        ],
        one_out,
      ),
    { rows: [{ business_no: null, applicant: '', remark: '', voucher_no: '' }] },
  ],
  [
    '21 who asked for a movement is text',
    () =>
      flow(
        ['system', '1900000001API', '张三@shop'].map((applicant) => movement({ 资金变更提交申请人: applicant })),
        ['3', '3', '29.70', '0', '0'],
      ),
    { rows: [{ applicant: 'system' }, { applicant: '1900000001API' }, { applicant: '张三@shop' }] },
  ],
  [
    '22 a footer as one flat row',
    () => {
      const flat = '资金流水总笔数,1,收入笔数,1,收入金额,9.90,支出笔数,0,支出金额,0'
      const bytes = written({ ...fundflow, rows: [movement(), flat], summary: null })
      return readFile('fundflow', bytes)
    },
    { rows: [{ amount: 990, balance: 10_990 }], flaws: ['unknown_footer', 'no_footer'] },
  ],
]

describe('an odd form of a bill', () => {
  it.each(forms)('%s', (_, file, { rows, malformed = [], flaws = [] }) => {
    const read = file()
    expect(read.malformed.map(({ line: number, reason }) => `${number} ${reason}`)).toEqual(
      malformed.map(
        ({ line: number, reason }) => expect.stringMatching(new RegExp(`^${number} .*${reason.source}`)) as string,
      ),
    )
    expect(read.rows).toMatchObject(rows)
    expect(read.flaws).toEqual(flaws)
  })

  it('is here of every number', () => {
    const numbers = new Set(forms.map(([name]) => Number.parseInt(name)))
    expect([...numbers].sort((a, b) => a - b)).toEqual(Array.from({ length: 22 }, (_, at) => at + 1))
  })

  it('17 names a fee in two spellings, and all else is text', () => {
    expect(remarkAmounts('结算总金额 0.01 元;含手续费 0.00 元')).toEqual({ total: 1, fee: 0 })
    expect(remarkAmounts('退款总金额12.5元;含手续费0.08元')).toEqual({ total: 1_250, fee: 8 })
    for (const text of ['', '提现', '退款总金额1.234元;含手续费0.00元', '退款总金额0.01元', '含手续费0.00元'])
      expect(remarkAmounts(text)).toBeNull()
  })
})

describe('a real file', () => {
  it('is read as its publisher’s documents show it, whole and in pieces of any size', () => {
    const summary = ['3.0', '0.04', '0.01', '0.0', '0.01', '0.04', '0.01']
    const bytes = written({ ...ALL, rows: official_rows, summary })
    const whole = readFile('trade', bytes)
    expect(whole.flaws).toEqual([])
    expect(whole.end).toMatchObject({ layout: 'all', rows: 3, fees: 'exact' })
    expect(whole.rows.map(({ kind }) => kind)).toEqual(['refund', 'payment', 'payment'])
    for (const piece of [1, 2, 3, 7, 61, 1024]) expect(readFile('trade', bytes, piece)).toEqual(whole)
  })
})
