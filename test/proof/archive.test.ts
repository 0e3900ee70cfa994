import { createHash, randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fromBufferPromise } from 'yauzl'
import { ZipFile } from 'yazl'
import { dayArchive } from '../../api/v1/bills/archive.ts'
import type { ArchiveParts } from '../../api/v1/bills/archive.ts'
import { readVerifyRequest, verifyDay } from '../../cli/reconcile.ts'
import type { BalanceEdges } from '../../domain/bill/balance.ts'
import type { DifferenceRecord } from '../../domain/bill/difference.ts'
import { archive_seal, seal_digits } from '../../domain/bill/archive.ts'
import type { ArchiveManifest } from '../../domain/bill/archive.ts'
import { flawOf } from '../../domain/bill/flaw.ts'
import type { BillRecord, ReconciliationRecord } from '../../domain/bill/reconciliation.ts'
import type { BillType } from '../../domain/bill/row.ts'
import { archive_limits, ArchiveRefused, verifyArchive } from '../../proof/archive.ts'
import { readManifest } from '../../proof/archivefile.ts'
import { day, daySample, differenceSample } from '../api/v1/billsample.ts'
import { as_refund, layouts, line, written } from '../wechat/statement/file.ts'

const folder = mkdtempSync(join(tmpdir(), 'weft-archive-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** A file of these bytes. */
function kept(bytes: Buffer): string {
  const path = join(folder, `${randomUUID()}.zip`)
  writeFileSync(path, bytes)
  return path
}

const { ALL, fundflow } = layouts
const sha1 = (bytes: Buffer) => createHash('sha1').update(bytes).digest('hex')

/** Two payments and a refund of 9.90, and what they do to an account of 100 yuan. */
const trades = (rows: string[] = trade_rows) => {
  const sums: Record<string, string> = {
    ...{ 总交易单数: '3', 应结订单总金额: '19.80', 退款总金额: '9.90', 手续费总金额: '0.06000' },
    ...{ 订单总金额: '19.80', 申请退款总金额: '9.90' },
  }
  const summary = ALL.summary_columns.map((name) => sums[name] ?? '0.00')
  return written({ columns: ALL.columns, rows, summary_columns: ALL.summary_columns, summary })
}
const trade_rows = [
  line(ALL.columns),
  line(ALL.columns, { 微信订单号: '42001', 商户订单号: 'T2' }),
  line(ALL.columns, as_refund),
]
const flows = (balances = ['109.90', '119.80', '109.90']) => {
  const kinds = ['收入', '收入', '支出']
  const rows = balances.map((balance, at) =>
    line(fundflow.columns, { 收支类型: kinds[at] ?? '', '账户结余(元)': balance }),
  )
  const summary = ['3', '2', '19.80', '1', '9.90']
  return written({ columns: fundflow.columns, rows, summary_columns: fundflow.summary_columns, summary })
}

function billOf(type: BillType, bytes: Buffer | null, version = 1): BillRecord {
  const hash = bytes && sha1(bytes)
  return {
    _id: '',
    ...day,
    type,
    version,
    state: bytes === null ? 'none' : 'ready',
    hash_value: hash,
    plain_sha1: hash,
    byte_count: bytes?.length ?? 0,
    part_count: 1,
    parts_key: '',
    fetch_time: '2026-11-23T10:30:00.000+08:00',
  }
}

interface Made {
  result?: Partial<ReconciliationRecord>
  trade?: Buffer | null
  flow?: Buffer | null
  edges?: BalanceEdges
  differences?: DifferenceRecord[]
  parts?: Partial<ArchiveParts>
}

/** The archive of a proven day, unless `made` says otherwise. */
async function archived({
  result,
  trade = trades(),
  flow = flows(),
  edges = { before: { bill_date: '2026-11-20', amount: 10_000 }, after: null },
  ...made
}: Made = {}) {
  const content: Partial<Record<BillType, Buffer | null>> = { trade, fundflow: flow }
  const parts: ArchiveParts = {
    day: daySample({
      balance: { opening: 10_000, closing: 10_990 },
      fees: { charged: 12_000, returned: -6_000, expected: null, under: 0, over: 0 },
      ...result,
    }),
    edges: { fundflow: edges },
    bills: [billOf('trade', trade), billOf('fundflow', flow)],
    original: ({ type }) => Readable.from([content[type] ?? Buffer.alloc(0)]),
    differences: () => Readable.from([made.differences ?? []], { objectMode: true }),
    ...made.parts,
  }
  const pieces: Buffer[] = []
  for await (const bytes of dayArchive(parts)) pieces.push(bytes)
  return Buffer.concat(pieces)
}

const flawsOf = async (bytes: Buffer) => (await verifyArchive(kept(bytes))).flaws
const nothing = { all: 0, matched: 0, waiting: 0, different: 0, foreign: 0, malformed: 0 }

describe('the archive of a day', () => {
  let whole: Buffer
  beforeAll(async () => {
    whole = await archived()
  })

  it('is proven with nothing but itself', async () => {
    const { mchid, bill_date, flaws } = await verifyArchive(kept(whole))
    expect({ mchid, bill_date, flaws }).toEqual({ ...day, flaws: [] })
  })

  it('has the same bytes whenever and wherever it is made', async () => {
    const zone = process.env['TZ']
    process.env['TZ'] = 'America/New_York'
    try {
      expect((await archived()).equals(whole)).toBe(true)
    } finally {
      if (zone === undefined) delete process.env['TZ']
      else process.env['TZ'] = zone
    }
  })

  it('is not proven, or not opened, once a byte of it is another, wherever it stands', async () => {
    const places = Array.from({ length: whole.length }, (_, at) => at)
    const tried = places.filter((at) => at % 101 === 0 || (at > whole.length - 160 && at % 4 === 0))
    expect(tried.length).toBeGreaterThan(80)
    for (const at of tried) {
      const changed = Buffer.from(whole)
      changed[at] = (changed[at] ?? 0) ^ 0x10
      const flaws = await flawsOf(changed).catch((error: unknown) => error)
      expect(flaws instanceof ArchiveRefused || (flaws as string[]).length > 0, `byte ${at}`).toBe(true)
    }
  })

  it('is not proven, or not opened, when it is cut off or something is added', async () => {
    const others = [
      ...[0.1, 0.5, 0.9].map((part) => whole.subarray(0, Math.floor(whole.length * part))),
      whole.subarray(0, -1),
      Buffer.concat([whole, Buffer.from('x')]),
      Buffer.concat([Buffer.from('x'), whole]),
      Buffer.alloc(0),
    ]
    for (const other of others) {
      const flaws = await flawsOf(other).catch((error: unknown) => error)
      expect(flaws instanceof ArchiveRefused || (flaws as string[]).length > 0).toBe(true)
    }
  })

  it('without a trade has no files of bills, and is proven', async () => {
    const zero = { payment_count: 0, payment_amount: 0, refund_count: 0, refund_amount: 0 }
    const fees = { charged: 0, returned: 0, expected: null, under: 0, over: 0 }
    const empty = { rows: nothing, records: nothing, wechat: zero, weft: zero, balance: null, fees }
    expect(await flawsOf(await archived({ result: empty, trade: null, flow: null }))).toEqual([])
  })

  it('holds every version, and is read by the one that was compared', async () => {
    const first = trades([line(ALL.columns)])
    const bills = [billOf('trade', first), billOf('trade', trades(), 2), billOf('fundflow', flows())]
    const original = ({ type, version }: BillRecord) =>
      Readable.from([type === 'fundflow' ? flows() : version === 1 ? first : trades()])
    const parts = { bills, original }
    expect(await flawsOf(await archived({ parts, result: { versions: { trade: 2, fundflow: 1 } } }))).toEqual([])
    const of_first = await flawsOf(await archived({ parts, result: { versions: { trade: 1, fundflow: 1 } } }))
    expect(of_first).toContain('lines of the bill: the result says 3, and the bill 1')
  })

  describe('with the fund flow of another account', () => {
    const balances = { fundflow_operation: { opening: 10_000, closing: 10_990 } }
    const bills = [billOf('trade', trades()), billOf('fundflow', flows()), billOf('fundflow_operation', flows())]
    const original = ({ type }: BillRecord) => Readable.from([type === 'trade' ? trades() : flows()])
    const versions = { trade: 1, fundflow: 1, fundflow_operation: 1 }
    const made = async (result: Partial<ReconciliationRecord> = {}, parts: Partial<ArchiveParts> = {}) =>
      await flawsOf(await archived({ result: { versions, balances, ...result }, parts: { bills, original, ...parts } }))

    it('is proven by each of them', async () => {
      expect(await made()).toEqual([])
    })

    it('is not proven where the account held something else, or before', async () => {
      const other = { fundflow_operation: { opening: 10_000, closing: 10_991 } }
      expect(await made({ balances: other })).toEqual([
        'the balance of the result is not that of the fund flow of OPERATION',
      ])
      const before = { bill_date: '2026-11-20', amount: 9_999 }
      expect(await made({}, { edges: { fundflow_operation: { before, after: null } } })).toEqual([
        'the fund flow of OPERATION begins with ¥100.00, and that of 2026-11-20 ended with ¥99.99',
      ])
    })

    it('is not proven without it', async () => {
      expect(await made({}, { bills: bills.slice(0, 2) })).toEqual([
        'version 1 of the fundflow_operation bill, which was compared, is not in the archive',
      ])
    })
  })

  it('has foreign lines and coupons in its sums as far as the bill can tell', async () => {
    const coupon = line(ALL.columns, { 微信订单号: '42001', 应结订单金额: '8.90', 代金券金额: '1.00' })
    const summed = trades([trade_rows[0] ?? '', coupon, trade_rows[2] ?? ''])
    const bytes = Buffer.from(summed.toString().replace('`3,`19.80', '`3,`18.80'))
    const result = {
      rows: { ...nothing, all: 3, matched: 2, foreign: 1 },
      wechat: { payment_count: 1, payment_amount: 990, refund_count: 1, refund_amount: 990 },
      foreign: { payment_count: 1, payment_amount: 890, refund_count: 0, refund_amount: 0 },
    }
    expect(await flawsOf(await archived({ trade: bytes, result }))).toEqual([])
    const wrong = { ...result, foreign: { ...result.foreign, payment_amount: 889 } }
    expect((await flawsOf(await archived({ trade: bytes, result: wrong })))[0]).toContain('payments in yuan')
  })
})

const sums = { payment_count: 2, payment_amount: 1_980, refund_count: 1, refund_amount: 990 }
const counts = { ...nothing, all: 3, matched: 3 }

/** What a careful forger would write: the archive is sealed and hashed anew, and says something else than its bills. */
const forgeries: [what: string, made: Made, why: string][] = [
  ['a fen more at WeChat Pay', { result: { wechat: { ...sums, payment_amount: 1_981 } } }, 'payments in yuan'],
  ['a refund less', { result: { wechat: { ...sums, refund_amount: 980 } } }, 'refunds in yuan'],
  ['a payment less', { result: { wechat: { ...sums, payment_count: 1 } } }, 'payments: the result says 1'],
  ['classes that do not add up', { result: { rows: { ...counts, matched: 2 } } }, 'of 3 rows only 2'],
  ['a record in no class', { result: { records: { ...counts, matched: 4 } } }, 'of 3 records only 4'],
  ['a line less', { result: { rows: { ...counts, all: 2, matched: 2 } } }, 'lines of the bill'],
  ['other records than their sums', { result: { weft: { ...sums, payment_count: 3 } } }, '3 records are not'],
  ['another balance', { result: { balance: { opening: 10_000, closing: 10_991 } } }, 'the balance of the result'],
  [
    'other fees',
    { result: { fees: { charged: 1, returned: 0, expected: null, under: 0, over: 0 } } },
    'the result has fees',
  ],
  ['a flow that is broken', { flow: flows(['109.90', '119.70', '109.80']) }, 'the balance of line'],
  [
    'a day before that ended otherwise',
    { edges: { before: { bill_date: '2026-11-20', amount: 9_999 }, after: null } },
    'the fund flow begins with ¥100.00, and that of 2026-11-20 ended with ¥99.99',
  ],
  [
    'a day behind it that begins otherwise',
    { edges: { before: null, after: { bill_date: '2026-11-23', amount: 10_991 } } },
    'the fund flow ends with ¥109.90, and that of 2026-11-23 begins with ¥109.91',
  ],
  ['a footer that differs', { trade: trades(trade_rows.slice(0, 2)) }, 'the footer says'],
  ['no footer', { trade: trades().subarray(0, 600) }, 'the file has no footer'],
  ['an open difference', { differences: [differenceSample()] }, 'differences are not over: 1 missing_here'],
  ['a flaw, and yet proven', { result: { flaws: ['a break'] } }, 'the result calls the day proven'],
  ['another state than it was proven with', { result: { state: 'different' } }, 'calls the day proven, and its state'],
  [
    'lines of another merchant number',
    { trade: Buffer.from(trades().toString().replace('`1900000001', '`1900000009')) },
    'lines of merchant number 1900000009',
  ],
  [
    'a difference of another day',
    { differences: [differenceSample({ state: 'healed', bill_date: '2026-11-21' })] },
    'differences.jsonl has a difference of another day: line 1',
  ],
  [
    'a difference of another merchant',
    { differences: [differenceSample({ state: 'healed', mchid: '1900000009' })] },
    'differences.jsonl has a difference of another day: line 1',
  ],
  ['an unproven day', { result: { is_proven: false, flaws: [flawOf('no_footer')] } }, 'the file has no footer'],
  ['an unproven day of an earlier version', { result: { is_proven: false, flaws: ['a break'] } }, 'a break'],
  ['a day proven since', { result: { is_proven: false, differences: { amount: 1 } } }, 'look at it again'],
  ['a look that had not ended', { result: { end_time: null } }, 'had not ended'],
  ['a version that is not there', { result: { versions: { trade: 3, fundflow: 1 } } }, 'version 3 of the trade bill'],
  ['no version', { result: { versions: { trade: 1 } } }, 'which fundflow bill was compared'],
  [
    'a bill that WeChat Pay did not sign',
    { parts: { bills: [{ ...billOf('trade', trades()), hash_value: '0'.repeat(40) }, billOf('fundflow', flows())] } },
    'WeChat Pay signed 0000',
  ],
  [
    'another file than was fetched',
    {
      parts: { original: ({ type }) => Readable.from([type === 'trade' ? trades(trade_rows.toReversed()) : flows()]) },
    },
    'was fetched with',
  ],
]

describe('the archive of an earlier version', () => {
  it('knows how the day before ended, and is read', () => {
    const before = { format: 'weft-day/1', ...day, closing_before: 10_000, bills: [], files: [] }
    expect(readManifest(JSON.stringify(before))).toEqual({
      ...{ format: 'weft-day/2', ...day, bills: [], files: [] },
      edges: { fundflow: { before: { bill_date: '2026-11-21', amount: 10_000 }, after: null } },
    })
    const unknown = readManifest(JSON.stringify({ ...before, closing_before: null }))
    expect(unknown.edges).toEqual({ fundflow: { before: null, after: null } })
  })
})

describe('an archive that was made anew', () => {
  it.each(forgeries)('is not proven with %s', async (_what, made, why) => {
    const flaws = await flawsOf(await archived(made))
    expect(flaws.join('\n')).toContain(why)
  })
})

/** The same files, or others, in an archive that is hashed and sealed anew; `change` has the last word on its manifest. */
async function remade(
  whole: Buffer,
  {
    change = () => undefined,
    files = {},
  }: { change?: (manifest: ArchiveManifest) => void; files?: Record<string, string> },
): Promise<Buffer> {
  const old = await fromBufferPromise(whole)
  const contents = new Map<string, Buffer>()
  for await (const entry of old.eachEntry()) {
    const pieces: Buffer[] = []
    for await (const bytes of (await old.openReadStreamPromise(entry)) as AsyncIterable<Buffer>) pieces.push(bytes)
    contents.set(entry.fileName, Buffer.concat(pieces))
  }
  for (const [name, text] of Object.entries(files)) contents.set(name, Buffer.from(text))
  const manifest = JSON.parse(contents.get('manifest.json')?.toString() ?? '') as ArchiveManifest
  for (const file of manifest.files) {
    const content = contents.get(file.name) ?? Buffer.alloc(0)
    file.byte_count = content.length
    file.sha256 = createHash('sha256').update(content).digest('hex')
  }
  change(manifest)
  contents.set('manifest.json', Buffer.from(JSON.stringify(manifest)))
  const zip = new ZipFile()
  for (const [name, content] of contents) zip.addBuffer(content, name)
  zip.end({ forceZip64Format: false, comment: archive_seal + '0'.repeat(seal_digits) })
  const pieces: Buffer[] = []
  for await (const bytes of zip.outputStream as AsyncIterable<Buffer>) pieces.push(bytes)
  const unsealed = Buffer.concat(pieces).subarray(0, -seal_digits)
  return Buffer.concat([unsealed, Buffer.from(createHash('sha256').update(unsealed).digest('hex'))])
}

describe('an archive whose files were put together anew', () => {
  it('is proven with hashes in capitals, and in another order', async () => {
    const change = ({ files, bills }: ArchiveManifest) => {
      files.reverse()
      for (const file of files) file.sha256 = file.sha256.toUpperCase()
      for (const bill of bills) bill.sha1 = bill.sha1?.toUpperCase() ?? null
    }
    expect(await flawsOf(await remade(await archived(), { change }))).toEqual([])
  })

  it.each<[what: string, made: Parameters<typeof remade>[1], why: string]>([
    [
      'a line of differences that is none',
      { files: { 'differences.jsonl': '{"kind":"amount"\n{}\n' } },
      'differences.jsonl cannot be read: line 1 is no JSON',
    ],
    [
      'a last line that is cut',
      { files: { 'differences.jsonl': '{"kind"' } },
      'differences.jsonl cannot be read: line 1',
    ],
    [
      'a file that is named twice, otherwise',
      { change: ({ files }) => files.unshift({ name: 'statement.csv', byte_count: 1, sha256: '0'.repeat(64) }) },
      'the manifest names statement.csv twice',
    ],
    [
      'a bill that is named twice',
      { change: ({ bills }) => bills.push(...bills.slice(0, 1)) },
      'the manifest names version 1 of the trade bill twice',
    ],
    [
      'another size of a bill',
      { change: ({ bills }) => bills.forEach((bill) => (bill.byte_count = 1)) },
      'bills/trade-v1.csv was fetched with 1 bytes',
    ],
  ])('is not proven with %s', async (_what, made, why) => {
    expect((await flawsOf(await remade(await archived(), made))).join('\n')).toContain(why)
  })
})

/** A zip of these files, sealed as an archive is not; `names` are replaced by others of the same length. */
async function zipped(entries: [name: string, content: Buffer][], names: Record<string, string> = {}): Promise<Buffer> {
  const zip = new ZipFile()
  for (const [name, content] of entries) zip.addBuffer(content, name)
  zip.end()
  const pieces: Buffer[] = []
  for await (const bytes of zip.outputStream as AsyncIterable<Buffer>) pieces.push(bytes)
  const text = Object.entries(names).reduce(
    (all, [name, other]) => all.replaceAll(name, other),
    Buffer.concat([...pieces]).toString('latin1'),
  )
  return Buffer.from(text, 'latin1')
}

describe('a file that is no archive of a day', () => {
  const some = Buffer.from('x'.repeat(200))
  const bomb = Buffer.alloc(archive_limits.free_bytes + 1)
  const kinds: [what: string, bytes: () => Promise<Buffer> | Buffer, why: string][] = [
    ['is no zip', () => Buffer.alloc(500, 'a'), 'it is no ZIP archive'],
    ['is too short', () => Buffer.from('PK'), 'too short'],
    [
      'has a name that leaves the folder',
      () => zipped([['ab/cd/evil', some]], { 'ab/cd/evil': '../../evil' }),
      'relative',
    ],
    ['has an absolute name', () => zipped([['x/etc/passwd', some]], { 'x/etc/passwd': '//etc/passwd' }), 'absolute'],
    ['has a back-slash', () => zipped([['bills/trade-v1.csv', some]], { 'bills/tr': 'bills\\tr' }), ''],
    [
      'has a file twice',
      () =>
        zipped(
          [
            ['result.json', some],
            ['xesult.json', some],
          ],
          { xesult: 'result' },
        ),
      'twice',
    ],
    ['has a file that no archive has', () => zipped([['evil.exe', some]]), 'that no archive of a day has: "evil.exe"'],
    ['would fill the disk', () => zipped([['bills/trade-v1.csv', bomb]]), 'would unpack to'],
    ['has no manifest', () => zipped([['result.json', Buffer.from('{}'.padEnd(200))]]), 'has no manifest.json'],
    [
      'has a manifest of another form',
      () =>
        zipped([
          ['manifest.json', Buffer.from('{"format":"weft-day/9"}'.padEnd(200))],
          ['result.json', some],
        ]),
      'manifest.json is not of the form',
    ],
  ]

  it.each(kinds)('is refused with a word when it %s', async (_what, bytes, why) => {
    const failure: unknown = await verifyArchive(kept(await bytes())).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(ArchiveRefused)
    expect((failure as Error).message).toContain(why)
  })
})

describe('npm run reconcile -- --verify', () => {
  const said = async (bytes: Buffer | string) => {
    const lines: string[] = []
    const code = await verifyDay(typeof bytes === 'string' ? bytes : kept(bytes), (line) => lines.push(line))
    return [code, lines.join('\n')] as const
  }

  it('ends with 0 for a proven day, 1 for another, 2 for what it does not understand', async () => {
    const [proven, line] = await said(await archived())
    expect([proven, line]).toEqual([0, '2026-11-22  1900000001  balanced  3 rows  ¥19.80  0 healed  proven'])
    const [unproven, lines] = await said(await archived({ differences: [differenceSample()] }))
    expect([unproven, lines.split('\n').length]).toEqual([1, 2])
    expect(lines).toContain('not proven')
    expect((await said(Buffer.alloc(500)))[0]).toBe(2)
    expect((await said(join(folder, 'none.zip')))[0]).toBe(2)
  })

  it('takes one file and nothing else', () => {
    expect(readVerifyRequest(['--verify', 'day.zip'])).toBe('day.zip')
    expect(readVerifyRequest(['2026-11-22'])).toBeNull()
    expect(() => readVerifyRequest(['--verify'])).toThrow()
    expect(() => readVerifyRequest(['--verify', 'day.zip', '2026-11-22'])).toThrow()
    expect(() => readVerifyRequest(['--verify', 'one.zip', '--verify=other.zip'])).toThrow('--verify is there twice')
  })
})
