import Papa from 'papaparse'
import { describe, expect, it } from 'vitest'
import { statementPage } from '../../../api/v1/bills/page.ts'
import {
  differenceHeader,
  differenceRow,
  differencesCsv,
  statementCsv,
  statementTables,
} from '../../../api/v1/bills/statement.ts'
import { differenceText, directionText } from '../../../api/v1/bills/words.ts'
import type { DifferenceRecord } from '../../../domain/bill/difference.ts'
import { difference_kinds } from '../../../domain/bill/difference.ts'
import type { BillRecord, ReconciliationRecord } from '../../../domain/bill/reconciliation.ts'
import { flawOf } from '../../../domain/bill/flaw.ts'
import { feeText } from '../../../domain/money.ts'
import { daySample, differenceSample } from './billsample.ts'

const hostile = differenceSample({
  kind: 'missing_there',
  out_trade_no: '=HYPERLINK("http://x")',
  fields: ['=cmd|calc', 'b'],
  bill: null,
  weft: { kind: 'payment', total: 990, settled_total: 890 },
})

async function* listed(...differences: DifferenceRecord[]) {
  yield await Promise.resolve(differences)
}

async function csvOf(day: ReconciliationRecord, language: 'zh-CN' | 'en', ...differences: DifferenceRecord[]) {
  let text = ''
  for await (const piece of statementCsv(day, listed(...differences), language)) text += piece
  return text
}

/** The cell beside a name, as another program reads it. */
const cellsOf = (text: string, name: string) =>
  Papa.parse<string[]>(text.slice(1))
    .data.find(([first]) => first === name)
    ?.slice(1)

describe('a statement as CSV', () => {
  it('has a byte-order mark once, CRLF everywhere, Chinese headings and amounts in yuan', async () => {
    const text = await csvOf(daySample(), 'zh-CN', differenceSample(), differenceSample({ transaction_id: '4200-2' }))
    expect(text.match(/\uFEFF/g)).toHaveLength(1)
    expect(text.startsWith('\uFEFF"对账单"\r\n"项目","内容"\r\n')).toBe(true)
    expect(text.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/)
    expect(cellsOf(text, '收款金额')).toEqual(['19.80', '19.80', '0.00'])
    expect(text).toContain('"退款金额",9.90,9.90,0.00\r\n')
    expect(cellsOf(text, '净额（收款减退款）')).toEqual(['9.90', '9.90', '0.00'])
    expect(cellsOf(text, '手续费净额')).toEqual(['0.05940'])
    expect(cellsOf(text, '退还的手续费')).toEqual(['0.05940'])
    expect(cellsOf(text, '余额变动')).toEqual(['9.84'])
    expect(cellsOf(text, '结论')).toEqual(['已核实，分文不差'])
  })

  it('has what each other account held, by WeChat Pay’s name for it', async () => {
    const balances = { fundflow_operation: { opening: 500, closing: 250 }, fundflow_fees: null }
    const day = daySample({ balances, versions: { trade: 1, fundflow: 1, fundflow_operation: 2, fundflow_fees: 1 } })
    const text = await csvOf(day, 'zh-CN')
    expect(cellsOf(text, '资金账单版本（运营账户）')).toEqual(['2'])
    expect(cellsOf(text, '期初余额（运营账户）')).toEqual(['5.00'])
    expect(cellsOf(text, '期末余额（运营账户）')).toEqual(['2.50'])
    expect(cellsOf(text, '余额变动（运营账户）')).toEqual(['-2.50'])
    expect(cellsOf(text, '资金账单版本（手续费账户）')).toEqual(['1'])
    expect(cellsOf(text, '期初余额（手续费账户）')).toBeUndefined()
    expect(cellsOf(await csvOf(day, 'en'), 'balance before the day (operation account)')).toEqual(['5.00'])
  })

  it('keeps every digit of a number, and lets no text be a formula', async () => {
    const text = await csvOf(daySample(), 'zh-CN', hostile)
    expect(text).toContain('"\t4200000000000000000000000001"')
    expect(text).toContain(`"\t'=HYPERLINK(""http://x"")"`)
    expect(text).toContain(`"'=cmd|calc; b"`)
    for (const cell of Papa.parse<string[]>(text.slice(1)).data.flat())
      expect(/^[=+@]/.test(cell) || (cell.startsWith('-') && Number.isNaN(Number(cell)))).toBe(false)
  })

  it('says why a day is not proven, and what each side has too much', async () => {
    const weft = { payment_count: 3, payment_amount: 2_970, refund_count: 1, refund_amount: 990 }
    const opening = flawOf('opening_differs', { opening: 100, bill_date: '2026-11-21', ended: 200 }, 'fundflow')
    const flaws = ['a break that an earlier version kept', opening]
    const differences = { missing_there: 1 }
    const day = daySample({ state: 'different', is_proven: false, flaws, weft, differences })
    const text = await csvOf(day, 'zh-CN', hostile)
    expect(cellsOf(text, '结论')).toEqual(['未核实'])
    const why = (written: string, name: string) =>
      Papa.parse<string[]>(written.slice(1)).data.flatMap(([first, cell]) => (first === name ? [cell] : []))
    const [first] = flaws
    expect(why(text, '未核实的原因')).toEqual([first, '资金账单的期初余额为 ¥1.00，而 2026-11-21 的期末余额为 ¥2.00'])
    expect(why(await csvOf(day, 'en'), 'why not')).toEqual([
      first,
      'the fund flow begins with ¥1.00, and that of 2026-11-21 ended with ¥2.00',
    ])
    expect(cellsOf(text, '收款金额')).toEqual(['19.80', '29.70', '-9.90'])
    expect(cellsOf(text, '未了结的差异笔数')).toEqual(['1'])
    expect(text).toContain('"本系统有一笔当日收款，账单中没有","短款","待处理",9.90,,9.90,')
  })

  it('says what the bills move in the book, what a bill that was issued anew changed, and which is damaged here', async () => {
    const accounts = [
      { account: 'wechat.basic', amount: 984 },
      { account: 'other.提现', amount: -984 },
    ]
    const changes = [{ type: 'trade' as const, version: 2, added: 1, removed: 0, changed: 3 }]
    const day = daySample({ book: { post_time: null, sheet_count: 2, accounts, flaws: [] }, changes })
    const damaged = { ...day, type: 'fundflow', version: 1, damaged_time: '2026-11-24T08:00:00.000+08:00' }
    let text = ''
    for await (const piece of statementCsv(day, listed(), 'zh-CN', [damaged as unknown as BillRecord])) text += piece
    expect(cellsOf(text, 'wechat.basic')).toEqual(['微信支付基本账户', '9.84'])
    expect(text).toContain('"other.提现","提现",-9.84\r\n')
    expect(cellsOf(text, '交易账单重新出具后的变化')).toEqual(['版本 2：新增 1 行，删除 0 行，变更 3 行'])
    expect(cellsOf(text, '本系统保存的原始账单')?.[0]).toMatch(/资金账单已损坏|资金账单（版本 1）/)
  })

  it('of a day that has not ended says so, and claims nothing', async () => {
    const begun = { end_time: null, rows: null, records: null, wechat: null, weft: null, balance: null, fees: null }
    const text = await csvOf(daySample({ ...begun, state: 'waiting_for_bill', is_proven: true }), 'en')
    expect(cellsOf(text, 'conclusion')).toEqual(['not proven'])
    expect(cellsOf(text, 'why not')).toEqual(['the look at this day has not ended'])
  })

  it('has as many cells in each line as in its heading', async () => {
    const { data } = Papa.parse<string[]>((await csvOf(daySample(), 'en', hostile)).slice(1))
    const at = data.findIndex(([first]) => first === 'id')
    expect(data[at + 1]).toHaveLength(data[at]?.length ?? 0)
    for (const { columns, rows } of statementTables(daySample(), 'en'))
      for (const row of rows) expect(row).toHaveLength(columns.length)
    expect(differenceRow(hostile, 'zh-CN')).toHaveLength(differenceHeader('zh-CN').length)
  })
})

describe('a list of differences as CSV', () => {
  it('has its heading even where there is none', async () => {
    let text = ''
    for await (const piece of differencesCsv(listed(), 'zh-CN')) text += piece
    expect(text).toMatch(/^\uFEFF"差异编号",.*\r\n$/)
  })
})

describe('a statement as a page', () => {
  it('shows the same, and no markup of what stands in a bill', () => {
    const evil = differenceRow(differenceSample({ fields: ['<script>alert(1)</script>'] }), 'zh-CN')
    const list = { title: '差异明细', columns: differenceHeader('zh-CN'), rows: [evil] }
    const tables = [...statementTables(daySample(), 'zh-CN'), list]
    const page = statementPage({ tables, language: 'zh-CN', has_more: true })
    expect(page).toContain('<html lang="zh-CN">')
    expect(page).toContain('&lt;script&gt;')
    expect(page).not.toContain('<script')
    expect(page).toContain('4200000000000000000000000001')
    expect(page).toContain('还有更多差异')
  })
})

describe('the words of a difference', () => {
  it.each(difference_kinds)('are there in both languages: %s', (kind) => {
    expect(differenceText(kind, 'zh-CN')).toMatch(/[\u4e00-\u9fff]/)
    expect(differenceText(kind, 'en')).toMatch(/^[A-Z]/)
  })

  it('name 长款 what WeChat Pay has and we have not, and a refund the other way round', () => {
    expect(directionText('missing_here', 'zh-CN')).toBe('长款')
    expect(directionText('missing_there', 'zh-CN')).toBe('短款')
    expect(directionText('refund_missing_here', 'zh-CN')).toBe('短款')
    expect(directionText('refund_missing_there', 'zh-CN')).toBe('长款')
    expect(directionText('amount', 'zh-CN')).toBe('')
  })
})

describe('a fee as text', () => {
  it.each([
    [0, '0.00000'],
    [5_940, '0.05940'],
    [-2_000, '-0.02000'],
    [12_345_678, '123.45678'],
  ])('of %i thousandths of a fen is %s', (fee, text) => {
    expect(feeText(fee)).toBe(text)
  })
})
