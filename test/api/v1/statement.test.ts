import Papa from 'papaparse'
import { describe, expect, it } from 'vitest'
import { statementPage } from '../../../api/v1/bills/page.ts'
import {
  differenceHeader,
  differenceRow,
  differencesCsv,
  differenceTable,
  statementCsv,
  statementTables,
} from '../../../api/v1/bills/statement.ts'
import { fieldText } from '../../../api/v1/bills/sentence.ts'
import { differenceText, directionText } from '../../../api/v1/bills/words.ts'
import type { DifferenceKind, DifferenceRecord } from '../../../domain/bill/difference.ts'
import { difference_kinds } from '../../../domain/bill/difference.ts'
import type { BillRecord, ReconciliationRecord } from '../../../domain/bill/reconciliation.ts'
import { flawOf } from '../../../domain/bill/flaw.ts'
import { feeText } from '../../../domain/money.ts'
import { createStatementReader } from '../../../wechat/statement/reader.ts'
import { layouts, line } from '../../wechat/statement/file.ts'
import { daySample, differenceSample } from './billsample.ts'

const hostile = differenceSample({
  kind: 'missing_there',
  out_trade_no: '=HYPERLINK("http://x")',
  fields: ['=cmd|calc', 'b'],
  bill: null,
  weft: { kind: 'payment', total: 990, settled_total: 890 },
})

const bill_time = '2026-11-23T10:31:00.000+08:00'

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
    expect(await csvOf(daySample(), 'zh-CN', differenceSample({ out_trade_no: '-2026_TEA' }))).toContain(
      '"\t-2026_TEA"',
    )
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
    expect(cellsOf(text, '净额（收款减退款）')).toEqual(['9.90', '19.80', '-9.90'])
    expect(cellsOf(text, '未了结的差异笔数')).toEqual(['1'])
    expect(text).toContain('"本系统有一笔当日收款，账单中没有","短款","待处理",9.90,,9.90,')
  })

  it('counts money that went back at WeChat Pay alone as 短款, so that the lines come to the net', async () => {
    const weft = { payment_count: 2, payment_amount: 1_980, refund_count: 0, refund_amount: 0 }
    const text = await csvOf(daySample({ weft }), 'zh-CN')
    expect(cellsOf(text, '退款笔数')).toEqual(['1', '0', '-1'])
    expect(cellsOf(text, '退款金额')).toEqual(['9.90', '0.00', '-9.90'])
    expect(cellsOf(text, '净额（收款减退款）')).toEqual(['9.90', '19.80', '-9.90'])
  })

  it('leads from what was paid to what the account moved by, to the fen', async () => {
    const settled = { payment_amount: 1_880, refund_amount: 890 }
    const fees = { charged: 11_880, returned: -5_940, expected: null, under: 0, over: 0 }
    const balance = { opening: 100_000, closing: 100_984 }
    const text = await csvOf(daySample({ settled, fees, balance }), 'zh-CN')
    const rows = Papa.parse<string[]>(text.slice(1)).data
    const from = rows.findIndex(([first]) => first === '从交易账单到账户余额') + 2
    const amounts = rows.slice(from, from + 7).map(([, amount]) => Number(amount))
    expect(amounts).toEqual([19.8, -1, -8.9, -0.0594, 0, -0.0006, 9.84])
    expect(await csvOf(daySample(), 'en')).toContain('"From the trade bill to the account"')
  })

  it('names the merchant, who works on a difference, and who moved it last', async () => {
    const difference = differenceSample({
      owner: '李会计',
      note: '已致电',
      answer: { asked_time: bill_time, says: 'unknown', evidence_id: null },
    })
    let text = ''
    for await (const piece of statementCsv(daySample(), listed(difference), 'zh-CN', { merchant_name: '茶馆' }))
      text += piece
    expect(cellsOf(text, '商户')).toEqual(['茶馆'])
    expect(text).toContain('"查无此单号"')
    expect(text).toContain('"发现"')
    expect(text).toContain('"系统","李会计","已致电"\r\n')
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
    for await (const piece of statementCsv(day, listed(), 'zh-CN', { bills: [damaged as unknown as BillRecord] }))
      text += piece
    expect(cellsOf(text, 'wechat.basic')).toEqual(['微信支付基本账户', '9.84'])
    expect(text).toContain('"other.提现","提现",-9.84\r\n')
    expect(cellsOf(text, '交易账单重新出具后的变化')).toEqual(['版本 2：新增 1 行，删除 0 行，变更 3 行'])
    expect(cellsOf(text, '本系统保存的原始账单')?.[0]).toMatch(/资金账单已损坏|资金账单（版本 1）/)
  })

  it('says of a bill that WeChat Pay does not have which version that is', async () => {
    const day = daySample({ versions: { trade: 2, fundflow: 1 } })
    const bill = (type: string, version: number, state: string) => ({ ...day, type, version, state })
    // The older version of the trade bill is not the one that was compared.
    const bills = [bill('trade', 1, 'none'), bill('trade', 2, 'ready'), bill('fundflow', 1, 'none')]
    let text = ''
    for await (const piece of statementCsv(day, listed(), 'en', { bills: bills as unknown as BillRecord[] }))
      text += piece
    expect(text.match(/version \d has no file: WeChat Pay said that there was nothing to list/g)).toEqual([
      'version 1 has no file: WeChat Pay said that there was nothing to list',
    ])
  })

  it('says of a difference that nobody has moved yet when it was found', async () => {
    const text = await csvOf(daySample(), 'en', differenceSample({ timeline: [], found_time: bill_time }))
    expect(text).toContain(`,"found","${bill_time.slice(0, 19).replace('T', ' ')}",,"Weft",`)
  })

  it('says by whom and why a difference is what it is, whatever was noted since, in the reader’s language', async () => {
    const [first] = differenceSample().timeline
    if (first === undefined) throw new Error('no entry')
    const entry = (given: object) => ({ ...first, ...given })
    const person = { kind: 'merchant', id: 'key_1' } as const
    const ignored = entry({ event: 'ignored', from: 'open', to: 'ignored', actor: person, reason: 'case 8812' })
    const noted = entry({ event: 'noted', from: 'ignored', to: 'ignored', actor: person, reason: 'a note' })
    const text = await csvOf(daySample(), 'en', differenceSample({ state: 'ignored', timeline: [ignored, noted] }))
    expect(text).toMatch(/"ignored","[^"]*","case 8812","merchant key_1"/)
    const reason = 'it is in the bill of 2026-11-23'
    const healed = entry({
      event: 'vanished',
      from: 'waiting',
      to: 'healed',
      actor: { kind: 'wechat', id: null },
      reason,
    })
    const of_weft = differenceSample({ state: 'healed', timeline: [healed] })
    expect(await csvOf(daySample(), 'zh-CN', of_weft)).toContain('"在 2026-11-23 的账单中"')
    expect(await csvOf(daySample(), 'en', of_weft)).toContain(`"${reason}"`)
    const of_person = differenceSample({ timeline: [{ ...ignored, reason }] })
    expect(await csvOf(daySample(), 'zh-CN', of_person)).toContain(`"${reason}"`)
  })

  it('says in Chinese too why a line cannot be read, whatever the reason', () => {
    const header = layouts.ALL.columns.join(',')
    const footer = layouts.ALL.summary_columns.join(',')
    const long = `\`${'x'.repeat(70_000)}`
    const files = [
      'no header\r\n`1,`2\r\n',
      `${header}\r\n\`1,\`2\r\n\`3,\`4\r\n`,
      `${header}\r\n\`1\r\nmore\r\n${long}\r\n${'`1,'.repeat(40)}\r\nnot a value\r\n`,
      `${header}\r\n${footer}\r\n\`1\r\n\`2\r\nx\r\n`,
      `${header.replace('订单金额', '别的')}\r\n\`1\r\n`,
      `${header}\r\n\`1\r\n${`${'y'.repeat(20_000)}\r\n`.repeat(5)}`,
      `${header}\r\n${layouts.ALL.columns.map(() => '`?').join(',')}\r\n`,
      ...[{ 微信退款单号: '5030' }, { 退款金额: '0.01' }, { 交易状态: 'REFUND' }].map(
        (change) => `${header}\r\n${line(layouts.ALL.columns, change)}\r\n`,
      ),
      `${layouts.SUCCESS.columns.join(',')}\r\n${line(layouts.SUCCESS.columns, { 交易状态: 'REVOKED' })}\r\n`,
    ]
    const reasons = new Set<string>()
    for (const file of files) {
      const reader = createStatementReader('trade')
      const take = (entry: object) =>
        void ('malformed' in entry && reasons.add((entry.malformed as { reason: string }).reason))
      reader.push(Buffer.from(file), take)
      reader.end(take)
    }
    const untold = [...reasons].filter((reason) => fieldText(reason, 'zh-CN') === reason)
    expect(untold).toEqual([])
    expect(reasons.size, [...reasons].join('; ')).toBeGreaterThanOrEqual(14)
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
    const list = differenceTable(
      [differenceSample({ fields: ['<script>alert(1)</script>'], amount: 123_456_789 })],
      'zh-CN',
    )
    const tables = [...statementTables(daySample(), 'zh-CN'), list]
    const page = statementPage({ tables, language: 'zh-CN', has_more: true })
    expect(page).toContain('<html lang="zh-CN">')
    expect(page).toContain('&lt;script&gt;')
    expect(page).not.toContain('<script')
    expect(page).toContain('4200000000000000000000000001')
    expect(page).toContain('还有更多差异')
    expect(page).toContain('1,234,567.89')
    // So that a sheet of paper takes them, a line has few columns, and all else stands below it.
    expect(list.columns).toHaveLength(7)
    expect(list.details?.[0]?.map(([name]) => name)).toEqual(expect.arrayContaining(['商户订单号', '不一致的内容']))
  })
})

describe('the words of a difference', () => {
  it.each(difference_kinds)('are there in both languages: %s', (kind) => {
    expect(differenceText(kind, 'zh-CN')).toMatch(/[\u4e00-\u9fff]/)
    expect(differenceText(kind, 'en')).toMatch(/^[A-Z]/)
  })

  it('name 长款 what WeChat Pay has and we have not, and a refund the other way round', () => {
    const of = (kind: DifferenceKind, bill: DifferenceRecord['bill'], weft: DifferenceRecord['weft']) =>
      directionText({ kind, bill, weft }, 'zh-CN')
    const payment = (total: number, settled_total = total) => ({ kind: 'payment', total, settled_total })
    const refund = (fen: number) => ({ kind: 'refund', refund: fen, settlement_refund: fen })
    expect(of('missing_here', payment(1), null)).toBe('长款')
    expect(of('missing_there', null, payment(1))).toBe('短款')
    expect(of('refund_missing_here', refund(1), null)).toBe('短款')
    expect(of('refund_missing_there', null, refund(1))).toBe('长款')
    expect(of('amount', payment(100_102), payment(100_002))).toBe('长款')
    expect(of('amount', payment(990, 980), payment(990))).toBe('短款')
    expect(of('amount', { ...payment(990), currency: 'USD' }, payment(990))).toBe('')
    expect(of('refund_amount', refund(2), refund(1))).toBe('短款')
    expect(of('duplicate', payment(1), payment(1))).toBe('长款')
    expect(of('duplicate', refund(1), null)).toBe('短款')
    expect(of('state', { ...refund(1), kind: 'reversal' }, payment(1))).toBe('短款')
    expect(of('number', payment(1), payment(1))).toBe('')
  })

  it.each([
    [
      'total: 100102 in the bill, 100002 here',
      'total: ¥1001.02 in the bill, ¥1000.02 here',
      '订单金额：账单 ¥1001.02，本系统 ¥1000.02',
    ],
    [
      'trade_state: REVOKED in the bill,  here',
      'trade_state: REVOKED in the bill, nothing here',
      '交易状态：账单 REVOKED，本系统 无',
    ],
    [
      'trade_state: CLOSED at WeChat, SUCCESS here',
      'trade_state: CLOSED at WeChat Pay, SUCCESS here',
      '交易状态：微信支付 CLOSED，本系统 SUCCESS',
    ],
    [
      'over: 1 payments, ¥0.04000 above the rate',
      'charged too much: 1 payment, ¥0.04000 above the rate',
      '多收：1 笔，超出约定 ¥0.04000',
    ],
    ['the bill of 2026-11-21 has it too', 'the bill of 2026-11-21 has it too', '2026-11-21 的账单中也有'],
    ['of a form that is not known', 'of a form that is not known', 'of a form that is not known'],
  ])('say what disagrees in yuan and in the reader’s language: %s', (kept, english, chinese) => {
    expect([fieldText(kept, 'en'), fieldText(kept, 'zh-CN')]).toEqual([english, chinese])
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
