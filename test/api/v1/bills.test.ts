import { createHash, randomBytes } from 'node:crypto'
import { request } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TemporalUnavailable } from '../../../api/temporal/calls.ts'
import type { BillRecord } from '../../../domain/bill/reconciliation.ts'
import { beijingDay } from '../../../domain/calendar.ts'
import { readFlow } from '../../../activities/bill/flow.ts'
import { flawTexts } from '../../../domain/bill/flaw.ts'
import { verifyArchive } from '../../../proof/archive.ts'
import type { ArchiveVerdict } from '../../../proof/archive.ts'
import { inActivity } from '../../activities/bill/desk.ts'
import { layouts, line, written } from '../../wechat/statement/file.ts'
import { openApiStage } from '../apistage.ts'
import { at } from '../../store/samples.ts'
import { bill_date, day, daySample, differenceSample, keepBill } from './billsample.ts'

const stage = await openApiStage()
afterAll(() => stage.close())

const [first, second] = [randomBytes(20_000), randomBytes(30_000)]
const now_ms = Date.parse('2026-11-29T12:00:00.000+08:00')
const daysAgo = (days: number) => beijingDay(now_ms - days * 86_400_000)
const dayOf = (of: string) => ({ mchid: day.mchid, bill_date: of })
const sha1 = (bytes: Buffer) => createHash('sha1').update(bytes).digest('hex')

beforeAll(async () => {
  // So that WeChat Pay still has the bill of a day, or has it no more, whenever this runs.
  stage.ahead_ms = now_ms - Date.now()
  await stage.store.reconciliations.begin(daySample())
  await stage.store.reconciliations.begin(daySample({ bill_date: '2026-11-21' }))
  await keepBill(stage.store, { type: 'trade', version: 1, bytes: first })
  await keepBill(stage.store, { type: 'trade', version: 2, bytes: second })
  await keepBill(stage.store, { type: 'fundflow', bytes: null })
})

interface Download {
  status: number
  headers: IncomingHttpHeaders
  bytes: Buffer
  is_whole: boolean
}

/** A download as it comes over the wire: nothing is decoded, and one that is cut off is told. */
function download(path: string, headers: Record<string, string> = {}): Promise<Download> {
  return new Promise((resolve, reject) => {
    const authorization = `Bearer ${stage.key.token}`
    const sent = request(`${stage.url}${path}`, { agent: false, headers: { authorization, ...headers } }, (answer) => {
      const pieces: Buffer[] = []
      const done = (is_whole: boolean) =>
        resolve({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          bytes: Buffer.concat(pieces),
          is_whole,
        })
      answer.on('data', (bytes: Buffer) => pieces.push(bytes))
      answer.on('end', () => done(answer.complete))
      answer.on('error', () => done(false))
    })
    sent.on('error', reject)
    sent.end()
  })
}

const content = `/v1/bills/${bill_date}/trade/content`

describe('the bills that are kept', () => {
  it('are listed by day, newest first, each with all of its versions', async () => {
    const { body } = await stage.call<{ data: unknown[] }>('GET', '/v1/bills')
    expect(body.data).toMatchObject([
      {
        bill_date,
        bills: [
          { type: 'trade', version: 2, versions: [{ version: 1, sha1: sha1(first) }, { signed_sha1: sha1(second) }] },
          { type: 'fundflow', version: 1, versions: [{ state: 'none', sha1: null, byte_count: 0 }] },
        ],
      },
      { bill_date: '2026-11-21', bills: [] },
    ])
    const { body: none } = await stage.call<{ data: unknown[] }>('GET', '/v1/bills?bill_date_to=2026-11-20')
    expect(none.data).toEqual([])
  })

  it('are told one by one', async () => {
    const { body } = await stage.call('GET', `/v1/bills/${bill_date}/trade`)
    expect(body).toMatchObject({ object: 'bill', bill_date, type: 'trade', version: 2 })
  })

  it('are refused where there is none, the day is no day, or the key may not read money', async () => {
    const statuses = async (path: string, key = stage.key) => (await stage.call('GET', path, undefined, { key })).status
    const key = await stage.newKey({ scopes: ['orders:read', 'money:write'] })
    expect(await statuses('/v1/bills/2026-11-20/trade')).toBe(404)
    expect(await statuses('/v1/bills/2026-11-31/trade')).toBe(400)
    expect(await statuses(`/v1/bills/${bill_date}/salary`)).toBe(400)
    expect(await statuses(`${content}?version=3`)).toBe(404)
    expect(await statuses(`${content}?version=0`)).toBe(400)
    const none = await stage.call('GET', `/v1/bills/${bill_date}/fundflow/content`)
    expect([none.status, none.body['code']]).toEqual([404, 'original_absent'])
    expect(none.body['detail']).toMatch(/the fundflow bill of .*: version 1 has no file/)
    for (const path of ['/v1/bills', `/v1/bills/${bill_date}/trade`, content])
      expect([path, await statuses(path, key)]).toEqual([path, 403])
  })
})

describe('the file of a bill', () => {
  it('comes byte by byte as it was fetched, the newest version unless another is asked for', async () => {
    const newest = await download(content)
    expect(newest.bytes.equals(second)).toBe(true)
    expect(newest.headers).toMatchObject({
      'content-type': 'text/csv; charset=utf-8',
      'content-length': String(second.length),
      'content-disposition': `attachment; filename="${day.mchid}-${bill_date}-trade-v2.csv"`,
      'weft-bill-sha1': sha1(second),
      vary: 'Accept-Encoding',
    })
    expect(newest.headers['content-encoding']).toBeUndefined()
    expect((await download(`${content}?version=1`)).bytes.equals(first)).toBe(true)
  })

  it('comes as gzip to who takes that, and says so', async () => {
    const { bytes, headers, is_whole } = await download(content, { 'accept-encoding': 'br, gzip' })
    expect([headers['content-encoding'], headers['content-length'], is_whole]).toEqual(['gzip', undefined, true])
    expect(gunzipSync(bytes).equals(second)).toBe(true)
    expect(headers['weft-bill-sha1']).toBe(sha1(second))
    const refused = await download(content, { 'accept-encoding': 'gzip;q=0' })
    expect(refused.bytes.equals(second)).toBe(true)
  })

  const problem = async (path: string) => {
    const { status, body, headers } = await stage.call('GET', path)
    return { status, code: body.code, body, retry_after: headers.get('retry-after') }
  }
  const looksAt = (date: string) =>
    stage.given.filter(({ command, arguments: [of] }) => command === 'startDay' && isDeepStrictEqual(of, dayOf(date)))

  it.each(['identity', 'gzip'])('that is another one’s here is never sent, and is fetched anew: %s', async (coding) => {
    const bytes = randomBytes(200_000)
    const date = daysAgo(coding === 'gzip' ? 30 : 31)
    const bill = await keepBill(stage.store, { type: 'trade', bytes, date, piece: 50_000 })
    const path = `/v1/bills/${date}/trade/content`
    expect((await download(path, { 'accept-encoding': coding })).is_whole).toBe(true)
    const other = gzipSync(randomBytes(bytes.length))
    await stage.store.bills.dropParts(bill.parts_key)
    for (let number = 0; number < bill.part_count; number += 1)
      await stage.store.bills.putPart(bill.parts_key, number, other.subarray(number * 50_000, (number + 1) * 50_000))
    const damaged = await download(path, { 'accept-encoding': coding })
    expect([damaged.status, damaged.headers['content-type'], damaged.headers['retry-after']]).toEqual([
      ...[503, 'application/problem+json', '30'],
    ])
    expect(JSON.parse(damaged.bytes.toString())).toMatchObject({
      code: 'original_damaged',
      bill_date: date,
      version: 1,
    })
    expect(damaged.bytes.toString()).toContain('its SHA-1 is')
    expect(stage.logged).toContain('the original of a bill is damaged')
    // The day's run fetches it anew; of many who ask one has it started.
    expect(await problem(path)).toMatchObject({ status: 503, code: 'original_damaged' })
    expect(looksAt(date)).toHaveLength(1)
    expect((await stage.call('GET', `/v1/bills/${date}/trade`)).body).toMatchObject({
      versions: [{ damaged_time: expect.any(String) as string }],
    })
    const statement = await download(`/v1/reconciliations/${date}/statement?lang=en`)
    expect(statement.status).toBe(404)
    await stage.store.reconciliations.begin(daySample({ bill_date: date }))
    const told = await download(`/v1/reconciliations/${date}/statement`)
    expect(told.bytes.toString()).toMatch(/"本系统保存的原始账单","本系统保存的交易账单（版本 1）于 .* 发现损坏/)
    await renew(bill, bytes)
    const renewed = await download(path, { 'accept-encoding': coding })
    expect([renewed.status, renewed.is_whole]).toEqual([200, true])
  })

  /** What a fetch does that has got the same file again. */
  async function renew(bill: BillRecord, bytes: Buffer): Promise<void> {
    const parts_key = `${bill.parts_key}-anew`
    await stage.store.bills.putPart(parts_key, 0, gzipSync(bytes))
    const { plain_sha1, byte_count, fetch_time } = bill
    await stage.store.bills.replaceParts(bill, { parts_key, part_count: 1, plain_sha1, byte_count, fetch_time })
  }

  it('that is too large to be read before it is sent breaks the connection where it is damaged', async () => {
    const date = daysAgo(32)
    const large = { byte_count: 65 * 1024 ** 2, piece: 50_000 }
    const bill = await keepBill(stage.store, { type: 'trade', bytes: randomBytes(400_000), date, ...large })
    const parts = bill.part_count
    await stage.store.bills.dropParts(bill.parts_key)
    const other = gzipSync(randomBytes(400_000))
    for (let number = 0; number < parts; number += 1)
      await stage.store.bills.putPart(bill.parts_key, number, other.subarray(number * 50_000, (number + 1) * 50_000))
    stage.logged.length = 0
    const cut = await download(`/v1/bills/${date}/trade/content`, { 'accept-encoding': 'gzip' })
    expect([cut.status, cut.is_whole]).toEqual([200, false])
    expect(stage.logged).toEqual([
      'the original of a bill is damaged',
      'an answer broke off, since what it is made of failed',
    ])
    expect(looksAt(date)).toHaveLength(1)
    // Now it is known, and said at once.
    expect(await problem(`/v1/bills/${date}/trade/content`)).toMatchObject({ status: 503, code: 'original_damaged' })
  })

  it('whose piece is gone, and that WeChat Pay does not give any more, is said to be lost', async () => {
    for (const [date, versions] of [
      [daysAgo(33), 2],
      [daysAgo(121), 1],
    ] as const) {
      const bill = await keepBill(stage.store, { type: 'trade', bytes: first, date })
      if (versions === 2) await keepBill(stage.store, { type: 'trade', bytes: second, date, version: 2 })
      await stage.store.bills.dropParts(bill.parts_key)
      const lost = await problem(`/v1/bills/${date}/trade/content?version=1`)
      expect([lost.status, lost.code, lost.body['flaw']]).toEqual([
        410,
        'original_lost',
        `${bill._id}: its piece 0 of 21 is gone`,
      ])
      expect(looksAt(date)).toEqual([])
    }
  })

  it('is still said to be damaged while Temporal is away', async () => {
    const date = daysAgo(34)
    const bill = await keepBill(stage.store, { type: 'trade', bytes: first, date })
    await stage.store.bills.dropParts(bill.parts_key)
    stage.on.startDay = () => Promise.reject(new TemporalUnavailable(new Error('away')))
    expect(await problem(`/v1/bills/${date}/trade/content`)).toMatchObject({ status: 503, code: 'original_damaged' })
    delete stage.on.startDay
  })
})

describe('what finance takes away of a day', () => {
  const path = `/v1/reconciliations/${bill_date}/statement`
  const of = async (at: string, headers: Record<string, string> = {}) => {
    const { bytes, ...answer } = await download(at, headers)
    return { ...answer, text: bytes.toString() }
  }

  beforeAll(async () => {
    const many = Array.from({ length: 1_003 }, (_, index) =>
      differenceSample({
        transaction_id: `4200${String(index).padStart(24, '0')}`,
        state: index % 2 ? 'open' : 'healed',
      }),
    )
    await stage.store.differences.note(many)
  })

  it('is CSV in Chinese unless something else is asked for, with every difference', async () => {
    const { headers, text } = await of(path)
    expect(headers).toMatchObject({
      'content-type': 'text/csv; charset=utf-8',
      'content-language': 'zh-CN',
      'content-disposition': `attachment; filename="${day.mchid}-${bill_date}-statement-zh-run1.csv"`,
    })
    expect(text.startsWith('\uFEFF"对账单"')).toBe(true)
    expect(text.match(/"missing_here"/g)).toHaveLength(1_003)
    expect((await of(`${path}?lang=en`)).text).toContain('"Reconciliation statement"')
    expect((await of(path, { 'accept-language': 'en-GB' })).headers['content-language']).toBe('en')
    expect((await of(`${path}?lang=zh`, { 'accept-language': 'en' })).headers['content-language']).toBe('zh-CN')
  })

  it('is a page for a browser, and says that it does not show all', async () => {
    const accept = 'text/html,application/xhtml+xml,*/*;q=0.8'
    const { headers, text } = await of(path, { accept })
    expect(headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'content-disposition': `inline; filename="${day.mchid}-${bill_date}-statement-zh-run1.html"`,
    })
    expect(headers['content-security-policy']).toContain("default-src 'none'")
    expect(text).toContain('完整清单见 CSV')
    expect((await of(`${path}?format=csv`, { accept })).headers['content-type']).toContain('text/csv')
    expect((await of(`${path}?format=html`)).headers['content-type']).toContain('text/html')
  })

  it('is exported difference by difference, as a filter takes them', async () => {
    const count = (text: string) => text.match(/"missing_here"/g)?.length ?? 0
    expect(count((await of(`/v1/differences.csv?bill_date=${bill_date}`)).text)).toBe(1_003)
    expect(count((await of('/v1/differences.csv?state=open')).text)).toBe(501)
    expect(count((await of('/v1/differences.csv?kind=amount')).text)).toBe(0)
  })

  it('is refused for a day nobody looked at, a wrong day, form, language or filter, and a key that may not', async () => {
    const key = await stage.newKey({ scopes: ['orders:read'] })
    const status = async (at: string, given = stage.key) =>
      (await stage.call('GET', at, undefined, { key: given })).status
    expect(await status('/v1/reconciliations/2026-11-19/statement')).toBe(404)
    expect(await status('/v1/reconciliations/2026-13-19/statement')).toBe(400)
    expect(await status(`${path}?format=pdf`)).toBe(400)
    expect(await status(`${path}?lang=fr`)).toBe(400)
    expect(await status('/v1/differences.csv?state=lost')).toBe(400)
    expect(await status(path, key)).toBe(403)
    expect(await status('/v1/differences.csv', key)).toBe(403)
  })
})

async function verified(bytes: Buffer): Promise<ArchiveVerdict> {
  const folder = mkdtempSync(join(tmpdir(), 'weft-day-'))
  const file = join(folder, 'day.zip')
  writeFileSync(file, bytes)
  return await verifyArchive(file).finally(() => rmSync(folder, { recursive: true }))
}

describe('the archive of a day over HTTP', () => {
  const date = '2026-11-10'
  const path = `/v1/reconciliations/${date}/day.zip`

  it('comes as a file that the command checks, the same at every request', async () => {
    await stage.store.reconciliations.begin(daySample({ bill_date: date }))
    await keepBill(stage.store, { type: 'trade', bytes: first, date })
    await keepBill(stage.store, { type: 'fundflow', bytes: null, date })
    await stage.store.differences.note([differenceSample({ bill_date: date, transaction_id: '42007' })])
    const archive = await download(path)
    expect(archive.headers).toMatchObject({
      'content-type': 'application/zip',
      'content-disposition': `attachment; filename="${day.mchid}-${date}-day.zip"`,
    })
    expect((await download(path)).bytes.equals(archive.bytes)).toBe(true)
    const { bill_date: found, flaws } = await verified(archive.bytes)
    expect(found).toBe(date)
    // Random bytes are no bill, and that is all that is wrong with the files.
    expect(flaws.filter((flaw) => /not the file|SHA|not as it was written|is missing/.test(flaw))).toEqual([])
    expect(flaws).toContain('no line names the columns')
    expect(flaws).toContain('differences are not over: 1 missing_here')
  })

  it('says why what it holds is not proven, as a look at the day does', async () => {
    const of = (days: number) => ({ mchid: day.mchid, bill_date: daysAgo(days) })
    const bytes = written({
      ...{ columns: layouts.fundflow.columns, rows: [line(layouts.fundflow.columns, { '账户结余(元)': '109.90' })] },
      ...{ summary_columns: layouts.fundflow.summary_columns, summary: ['1', '1', '9.90', '0', '0.00'] },
    })
    // Two days before it the account ended with another balance; on the day between nothing moved.
    const around = { [41]: null, [42]: { opening: 0, closing: 9_999 }, [39]: { opening: 10_991, closing: 0 } }
    for (const [days, balance] of Object.entries(around))
      await stage.store.reconciliations.begin(daySample({ ...of(Number(days)), balance }))
    const balance = { opening: 10_000, closing: 10_990 }
    await stage.store.reconciliations.begin(daySample({ ...of(40), balance }))
    await keepBill(stage.store, { type: 'trade', bytes: null, date: daysAgo(40) })
    const bill = await keepBill(stage.store, { type: 'fundflow', bytes, date: daysAgo(40) })
    const looked = await inActivity(() => readFlow(stage.store, of(40), { ...bill, type: 'fundflow' }))
    expect(flawTexts(looked.flaws)).toEqual([
      `the fund flow begins with ¥100.00, and that of ${daysAgo(42)} ended with ¥99.99`,
      `the fund flow ends with ¥109.90, and that of ${daysAgo(39)} begins with ¥109.91`,
    ])
    const archive = await download(`/v1/reconciliations/${daysAgo(40)}/day.zip`)
    expect((await verified(archive.bytes)).flaws).toEqual(expect.arrayContaining(flawTexts(looked.flaws)))
  })

  it('is not made where a bill is damaged here, and refused where there is no day, or no right', async () => {
    const damaged = daysAgo(35)
    await stage.store.reconciliations.begin(daySample({ bill_date: damaged }))
    const bill = await keepBill(stage.store, { type: 'trade', bytes: first, date: damaged })
    await stage.store.bills.dropParts(bill.parts_key)
    const { status, body } = await stage.call('GET', `/v1/reconciliations/${damaged}/day.zip`)
    expect([status, body.code]).toEqual([503, 'original_damaged'])
    const key = await stage.newKey({ scopes: ['events:read'] })
    expect((await stage.call('GET', path, undefined, { key })).status).toBe(403)
    expect((await stage.call('GET', '/v1/reconciliations/2026-11-01/day.zip')).status).toBe(404)
  })
})

describe('what a version of a bill changed', () => {
  const date = '2026-11-08'
  const path = `/v1/bills/${date}/trade/changes`

  it('is listed line by line, page by page, with what bills call their columns', async () => {
    await keepBill(stage.store, { type: 'trade', bytes: first, date })
    const bill = await keepBill(stage.store, { type: 'trade', bytes: second, date, version: 2 })
    expect((await stage.call('GET', path)).status, 'not compared yet').toBe(404)
    const listed = Array.from({ length: 3 }, (_, at) => ({
      ...{ kind: 'changed' as const, line_before: at + 2, line_after: at + 2, amount: -90 },
      numbers: { transaction_id: `42000${at}`, out_trade_no: `T${at}`, refund_id: null, out_refund_no: null },
      fields: [
        { column: 'total', before: 990, after: 900 },
        { column: 'kind', before: 'payment', after: 'reversal' },
      ],
    }))
    await stage.store.bill_changes.keep(bill, listed)
    await stage.store.bill_changes.keep(bill, listed) // as a worker that died before it could say so
    const sum = (count: number, amount: number) => ({ count, amount })
    const sums = { before: sum(3, 2_970), after: sum(3, 2_700), added: sum(0, 0), removed: sum(0, 0) }
    const changes = { ...sums, changed: sum(3, -270), listed_count: 3 }
    await stage.store.bills.noteChanges(bill, changes)
    const page = await stage.call<{ data: unknown[]; next_cursor: string }>('GET', `${path}?limit=2`)
    expect(page.body.data[0]).toEqual({
      object: 'bill_change',
      ...listed[0],
      fields: [
        { column: 'total', title: '订单金额', before: 990, after: 900 },
        { column: 'kind', title: null, before: 'payment', after: 'reversal' },
      ],
    })
    const rest = await stage.call<{ data: unknown[] }>('GET', `${path}?version=2&cursor=${page.body.next_cursor}`)
    expect(rest.body).toMatchObject({ data: [{ line_after: 4 }], next_cursor: null })
    const { body } = await stage.call('GET', `/v1/bills/${date}/trade`)
    expect(body).toMatchObject({ versions: [{ changes: null }, { changes }] })
    const statuses = await Promise.all(
      ['?version=1', '?version=3'].map(async (query) => (await stage.call('GET', `${path}${query}`)).status),
    )
    expect(statuses).toEqual([400, 404])
    await stage.store.bills.noteDropped(bill, at(0))
    expect((await stage.call('GET', path)).body).toMatchObject({ code: 'original_dropped' })
  })
})

describe('a file that the merchant keeps no longer', () => {
  it('is said to be gone, with what is known of it', async () => {
    const date = '2026-08-01'
    await stage.store.reconciliations.begin(daySample({ bill_date: date }))
    const bill = await keepBill(stage.store, { date, type: 'trade', bytes: first })
    await stage.store.bills.noteDropped(bill, at(0))
    for (const path of [`/v1/bills/${date}/trade/content`, `/v1/reconciliations/${date}/day.zip`]) {
      const { status, body } = await stage.call('GET', path)
      expect([path, status, body['code']]).toEqual([path, 410, 'original_dropped'])
    }
    const { body } = await stage.call('GET', `/v1/bills/${date}/trade`)
    expect(body).toMatchObject({ versions: [{ sha1: sha1(first), byte_count: first.length }] })
  })
})
