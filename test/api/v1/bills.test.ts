import { createHash, randomBytes } from 'node:crypto'
import { request } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { verifyArchive } from '../../../proof/archive.ts'
import { openApiStage } from '../apistage.ts'
import { at } from '../../store/samples.ts'
import { bill_date, day, daySample, differenceSample, keepBill } from './billsample.ts'

const stage = await openApiStage()
afterAll(() => stage.close())

const [first, second] = [randomBytes(20_000), randomBytes(30_000)]
const sha1 = (bytes: Buffer) => createHash('sha1').update(bytes).digest('hex')

beforeAll(async () => {
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
    const { body: none } = await stage.call<{ data: unknown[] }>('GET', '/v1/bills?bill_date_to=2026-11-21')
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
    expect(await statuses(`/v1/bills/${bill_date}/fundflow/content`)).toBe(404)
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

  it.each(['identity', 'gzip'])('that is another one’s here is never sent as a whole one: %s', async (coding) => {
    const bytes = randomBytes(200_000)
    const date = coding === 'gzip' ? '2026-11-11' : '2026-11-12'
    const bill = await keepBill(stage.store, { type: 'trade', bytes, date, piece: 50_000 })
    const path = `/v1/bills/${date}/trade/content`
    expect((await download(path, { 'accept-encoding': coding })).is_whole).toBe(true)
    const other = gzipSync(randomBytes(bytes.length))
    await stage.store.bills.dropParts(bill.parts_key)
    for (let number = 0; number < bill.part_count; number += 1)
      await stage.store.bills.putPart(bill.parts_key, number, other.subarray(number * 50_000, (number + 1) * 50_000))
    const damaged = await download(path, { 'accept-encoding': coding })
    expect(damaged.status === 500 || !damaged.is_whole).toBe(true)
  })

  it('whose last piece is gone is cut off before its end', async () => {
    const date = '2026-11-13'
    const bill = await keepBill(stage.store, { type: 'trade', bytes: randomBytes(200_000), date, piece: 50_000 })
    await stage.store.bills.dropParts(bill.parts_key)
    await stage.store.bills.putPart(bill.parts_key, 0, Buffer.from('1f8b0800000000000003', 'hex'))
    for (const coding of ['gzip', 'identity']) {
      const cut = await download(`/v1/bills/${date}/trade/content`, { 'accept-encoding': coding })
      expect(cut.status === 500 || !cut.is_whole).toBe(true)
    }
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
      'content-disposition': `attachment; filename="${day.mchid}-${bill_date}-statement.csv"`,
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
    expect([headers['content-type'], headers['content-disposition']]).toEqual(['text/html; charset=utf-8', undefined])
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
    const folder = mkdtempSync(join(tmpdir(), 'weft-day-'))
    const file = join(folder, 'day.zip')
    writeFileSync(file, archive.bytes)
    const { bill_date: found, flaws } = await verifyArchive(file).finally(() => rmSync(folder, { recursive: true }))
    expect(found).toBe(date)
    // Random bytes are no bill, and that is all that is wrong with the files.
    expect(flaws.filter((flaw) => /not the file|SHA|not as it was written|is missing/.test(flaw))).toEqual([])
    expect(flaws).toContain('no line names the columns')
    expect(flaws).toContain('differences are not over: 1 missing_here')
  })

  it('is cut off where a bill is damaged here, and refused where there is no day, or no right', async () => {
    const damaged = '2026-11-09'
    await stage.store.reconciliations.begin(daySample({ bill_date: damaged }))
    const bill = await keepBill(stage.store, { type: 'trade', bytes: first, date: damaged })
    await stage.store.bills.dropParts(bill.parts_key)
    expect((await download(`/v1/reconciliations/${damaged}/day.zip`)).is_whole).toBe(false)
    const key = await stage.newKey({ scopes: ['events:read'] })
    expect((await stage.call('GET', path, undefined, { key })).status).toBe(403)
    expect((await stage.call('GET', '/v1/reconciliations/2026-11-01/day.zip')).status).toBe(404)
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
