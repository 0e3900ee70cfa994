import { describe, expect, it } from 'vitest'
import { createStatementReader } from '../../../wechat/statement/reader.ts'
import { as_refund, layouts, line, readFile, written } from './file.ts'

const { ALL, SUCCESS, REFUND, old, fundflow } = layouts
const payment = (change: Record<string, string> = {}) => line(ALL.columns, change)
const one = ['1', '9.90', '0.00', '0.00', '0.06', '9.90', '0.00']
const all = (rows: string[], summary: string[] | null) => written({ ...ALL, rows, summary })

describe('a file that is whole', () => {
  it.each([
    ['all', 'trade', ALL, one],
    ['success', 'trade', SUCCESS, ['1', '9.90', '0.06', '9.90']],
    ['refund', 'trade', REFUND, one],
    ['old', 'trade', old, ['1', '9.90', '0', '0', '0.06']],
    ['fundflow', 'fundflow', fundflow, ['1', '1', '9.90', '0', '0']],
  ] as const)('says its layout: %s', (layout, type, columns, summary) => {
    const read = readFile(type, written({ ...columns, rows: [line(columns.columns)], summary }))
    expect(read.end).toMatchObject({ layout, rows: 1, flaws: [] })
    expect(read.end.lines).toEqual({ all: 4, header: 1, rows: 1, malformed: 0, footer: 2, blank: 0 })
  })

  it('has its known columns in any order', () => {
    const columns = ALL.columns.toReversed()
    const rows = [line(columns)]
    const summary_columns = ALL.summary_columns.toReversed()
    const read = readFile('trade', written({ columns, rows, summary_columns, summary: one.toReversed() }))
    expect(read.end).toMatchObject({ layout: 'other', rows: 1, flaws: [] })
  })

  it.each(['\r\n', '\n'])('ends its lines with %j, with a mark at its beginning or without', (eol) => {
    const file = { ...ALL, rows: [payment()], summary: one }
    for (const mark of ['\ufeff', '']) {
      const bytes = written(file, eol, mark)
      expect(readFile('trade', bytes).end).toMatchObject({ rows: 1, flaws: [] })
      expect(readFile('trade', bytes.subarray(0, -eol.length)).end).toMatchObject({ rows: 1, flaws: [] })
      expect(readFile('trade', Buffer.concat([bytes, Buffer.from(eol)])).end.lines).toMatchObject({ all: 5, blank: 1 })
    }
  })

  it('says brackets of its units full-width or not', () => {
    const columns = fundflow.columns.map((name) => name.replace('(元)', '（元）'))
    const rows = [line(fundflow.columns)]
    const { end } = readFile('fundflow', written({ ...fundflow, columns, rows, summary: ['1', '1', '9.9', '0', '0'] }))
    expect(end).toMatchObject({ layout: 'fundflow', flaws: [] })
  })

  it('tells its sums, its footer and its first and last moment', () => {
    const refund = payment({ ...as_refund, 交易时间: '2026-11-22 00:00:00' })
    const { end } = readFile('trade', all([payment(), refund], ['2.0', '9.9', '9.9', '0', '0.00000', '9.9', '9.90']))
    expect(end.sums).toEqual({
      rows: 2,
      settled_total: 990,
      settlement_refund: 990,
      coupon_refund: 0,
      fee: 0,
      total: 990,
      refund: 990,
    })
    expect(end.footer?.values).toEqual(end.sums)
    expect(end.footer?.texts).toMatchObject({ 总交易单数: '2.0', 应结订单总金额: '9.9' })
    expect([end.earliest, end.latest]).toEqual(['2026-11-22T00:00:00.000+08:00', '2026-11-22T10:00:00.000+08:00'])
  })
})

describe('the fees of a file', () => {
  const fees = (fee: string, said: string) => readFile('trade', all([payment({ 手续费: fee })], one.with(4, said))).end
  it.each([
    ['0.05940', '0.05940', 'exact', 0],
    ['0.06000', '0.06', 'exact', 0],
    ['0.05940', '0.06', 'fen', 0],
    ['0.06500', '0.07', 'fen', 0],
    ['0.06500', '0.06', 'fen', 0],
    ['-0.01600', '-0.02000', 'fen', 0],
    ['0.05499', '0.06', null, 1],
    ['0.05940', '0.05941', null, 1],
    ['0.05940', '0.05950', null, 1],
    ['0.05940', '0.07', null, 1],
  ])('%s in the rows and %s in the footer: %s', (fee, said, agreement, flaws) => {
    expect(fees(fee, said)).toMatchObject({ fees: agreement, flaws: { length: flaws } })
  })
})

describe('a file that does not prove itself', () => {
  it.each<[string, Buffer, string[]]>([
    ['is empty', Buffer.alloc(0), ['empty_file']],
    ['has a header only', written({ ...ALL, rows: [], summary: null }), ['no_footer']],
    ['has no header', Buffer.from(`${payment()}\r\n`), ['malformed_lines', 'no_header']],
    [
      'is the other bill',
      written({ ...fundflow, rows: [], summary: ['0', '0', '0', '0', '0'] }),
      ['malformed_lines', 'no_header'],
    ],
    [
      'is an XML error',
      Buffer.from('<xml><return_code>FAIL</return_code></xml>'),
      ['not_a_bill', 'malformed_lines', 'no_header'],
    ],
    ['is cut before its footer', all([payment()], null), ['no_footer']],
    ['is cut within its footer', all([payment()], ['1', '9.90']), ['malformed_lines', 'no_footer']],
    [
      'has a footer in other words',
      Buffer.from(all([payment()], one).toString().replace('手续费总金额', '费用')),
      ['unknown_footer', 'missing_footer'],
    ],
    [
      'has a footer with a word twice',
      Buffer.from(all([payment()], one).toString().replace(',订单总金额', ',应结订单总金额')),
      ['doubled_column', 'missing_footer', 'missing_footer'],
    ],
    ['goes on after its footer', Buffer.concat([all([payment()], one), Buffer.from(payment())]), ['malformed_lines']],
    [
      'has a footer that says less',
      written({
        ...ALL,
        summary_columns: ALL.summary_columns.slice(0, 6),
        rows: [payment()],
        summary: one.slice(0, 6),
      }),
      ['missing_footer'],
    ],
    [
      'has a footer of columns that it lacks',
      written({
        ...SUCCESS,
        summary_columns: ALL.summary_columns,
        rows: [line(SUCCESS.columns)],
        summary: one.with(2, '0.01'),
      }),
      ['footer_differs'],
    ],
    [
      'has refunds without the columns for them',
      written({ ...SUCCESS, rows: [line(SUCCESS.columns, { 交易状态: 'REFUND' })], summary: ['0', '0', '0', '0'] }),
      ['malformed_lines'],
    ],
    [
      'says some of its refunds',
      written({ ...ALL, columns: ALL.columns.filter((name) => name !== '退款状态'), rows: [], summary: one }),
      ['missing_column'],
    ],
  ])('%s', (_, bytes, flaws) => {
    expect(readFile('trade', bytes).flaws).toEqual(flaws)
  })

  it.each(one.map((_, at) => at))('has another number in place %i of its footer', (at) => {
    expect(readFile('trade', all([payment()], one.with(at, '7'))).flaws).toEqual(['footer_differs'])
  })

  it.each(['', '0', '1,00', '１', '1e1', '+1', ' 1', '0x1', '1.', '.5', '1.2.3', '12345678901234', 'NaN', '-'])(
    'has %j where an amount belongs',
    (text) => {
      const { malformed, flaws } = readFile('trade', all([payment({ 订单金额: text }), payment()], one))
      expect(readFile('trade', all([payment({ 代金券金额: text })], one)).malformed).toHaveLength(text === '0' ? 0 : 1)
      const isZero = text === '0'
      expect(malformed).toHaveLength(isZero ? 0 : 1)
      expect(flaws).toEqual(isZero ? ['footer_differs', 'footer_differs', 'footer_differs'] : ['malformed_lines'])
    },
  )

  it('comes to more than can be counted exactly', () => {
    const rows = Array.from({ length: 10 }, () => payment({ 订单金额: '9999999999999.99' }))
    const summary = ['10', '99.00', '0', '0', '0.60', '99999999999999.9', '0']
    expect(readFile('trade', all(rows, summary)).flaws).toContain('too_large')
  })

  it('has a number that is empty, broken or blank', () => {
    const rows = [
      payment({ 微信订单号: '' }),
      payment({ 微信订单号: '4200 1' }),
      payment({ 商户订单号: 'T\u0000' }),
      payment({ 公众账号ID: 'wx\ufffd' }),
      payment({ 商户号: '' }),
    ]
    expect(readFile('trade', all(rows, one)).malformed).toHaveLength(5)
  })
})

describe('a line that cannot be read', () => {
  it('is kept with its number and its bytes, whatever they are', () => {
    const bytes = Buffer.concat([Buffer.from('`\xff\xfe\x80,`b', 'latin1'), Buffer.from('\r')])
    const header = Buffer.from(`${ALL.columns.join(',')}\n`)
    const { malformed } = readFile('trade', Buffer.concat([header, bytes, Buffer.from('\n'), Buffer.from(payment())]))
    expect(malformed).toEqual([
      { line: 2, bytes: bytes.toString('base64'), reason: 'it has 2 cells, and the header 27' },
    ])
  })

  it('is kept as it came when its record has several lines, in pieces of any size', () => {
    const short = payment({ 商品名称: 'Tea\nfor two\r\n' }).slice(0, -10)
    const bytes = all([short, payment()], one)
    const whole = readFile('trade', bytes)
    const kept = whole.malformed.map((line) => Buffer.from(line.bytes, 'base64').toString())
    expect(kept.join('\n')).toBe(`${short}\r`)
    for (let piece = 1; piece < bytes.length; piece += 1) expect(readFile('trade', bytes, piece)).toEqual(whole)
  })

  it('is kept to 4 KiB, and one without an end takes no memory', () => {
    const reader = createStatementReader('trade')
    const seen: unknown[] = []
    const take = (entry: unknown) => void seen.push(entry)
    reader.push(Buffer.from(`${ALL.columns.join(',')}\n\``), take)
    const piece = Buffer.alloc(1024 * 1024, 'x')
    const before = process.memoryUsage().arrayBuffers
    for (let pushed = 0; pushed < 200; pushed += 1) reader.push(piece, take)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20 * 1024 * 1024)
    reader.push(Buffer.from(`\n${payment()}\n`), take)
    const end = reader.end(take)
    expect(end.lines).toMatchObject({ all: 3, header: 1, rows: 1, malformed: 1 })
    const [{ malformed }] = seen as [{ malformed: { line: number; bytes: string; reason: string } }]
    expect(malformed).toMatchObject({ line: 2, reason: 'the line has 209715201 bytes, more than 65536' })
    expect(Buffer.from(malformed.bytes, 'base64')).toHaveLength(4096)
  })

  it('is a record whose lines never end', () => {
    const lines = Array.from({ length: 3_000 }, () => 'a line of forty bytes, without a cell ..')
    const { end, malformed } = readFile('trade', all([payment().slice(0, -60), ...lines, payment()], one))
    expect(end.rows).toBe(1)
    expect(end.lines.malformed).toBe(3_001)
    expect(malformed[0]?.reason).toMatch(/more than 65536 bytes/)
  })
})
