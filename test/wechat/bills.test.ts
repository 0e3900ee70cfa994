import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, it } from 'vitest'
import { fetchBill } from '../../wechat/bills.ts'
import type { BillRequest } from '../../wechat/bills.ts'
import { createLimits } from '../../wechat/limits.ts'
import type { TransportSettings } from '../../wechat/transport.ts'
import { playHost, transportTo } from './server.ts'
import type { Play, Played, PlayedHost, Seen } from './server.ts'

const open: PlayedHost[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((played) => played.close()))
})

const trade: BillRequest = { type: 'trade', date: '2026-11-22' }
const bill = Buffer.from('\ufeff交易时间,公众账号ID\r\n`2026-11-22 10:00:00,`wx8888888888888888\r\n'.repeat(40))
const sha1 = (bytes: Buffer) => createHash('sha1').update(bytes).digest('hex')
const refusal = (status: number, code: string): Played => ({ status, body: JSON.stringify({ code, message: '…' }) })
const file = (body: Played['body'], change: Partial<Played> = {}): Played => ({
  status: 200,
  signature: 'none',
  ...(body === undefined ? {} : { body }),
  ...change,
})

/** What a host says of bills, and of the file that it names. */
interface Told {
  hash?: string
  hash_type?: string
  /** of the file, beside the host's own origin */
  path?: string
  url?: string
  applied?: Played
  file?: Played
}

/** A host that answers an application with a link to itself, and the link with the file. */
async function billHost({ hash = sha1(bill), hash_type = 'SHA1', path, url, applied, file: played }: Told) {
  const paths = path ?? '/v3/billdownload/file?token=a-b_C%2F9&tartype=gzip'
  let origin = ''
  const play: Play = ({ url: asked }) => {
    if (asked === paths) return played ?? file(gzipSync(bill))
    if (applied) return applied
    return {
      status: 200,
      body: JSON.stringify({ hash_type, hash_value: hash, download_url: url ?? `${origin}${paths}` }),
    }
  }
  const host = await playHost(play)
  open.push(host)
  origin = host.origin
  return host
}

/** Fetches a bill, and what was taken of it. */
async function fetched(
  hosts: PlayedHost[],
  { request = trade, settings = {} }: { request?: BillRequest; settings?: Partial<TransportSettings> } = {},
) {
  const { transport, attempts } = transportTo(hosts[0]?.origin ?? '', hosts[1]?.origin ?? null, settings)
  const taken: Buffer[] = []
  const result = await fetchBill(transport, request, (bytes) => void taken.push(bytes)).catch((error: unknown) => error)
  return { result, taken: Buffer.concat(taken), attempts }
}
/** Tries what a busy machine may be too slow for, each time with more patience, until it happened as it should. */
async function withMoreTime(attempt: (read_timeout_ms: number) => Promise<boolean>): Promise<void> {
  const happened: boolean[] = []
  for (let ms = 250; ms <= 8_000 && !happened.includes(true); ms *= 2) happened.push(await attempt(ms))
  expect(happened).toContain(true)
}
const pathsOf = (seen: Seen[]) => seen.map(({ method, url }) => `${method} ${url}`)

describe('a bill', () => {
  it.each<[BillRequest, string]>([
    [trade, '/v3/bill/tradebill?bill_date=2026-11-22&bill_type=ALL&tar_type=GZIP'],
    ...(['BASIC', 'OPERATION', 'FEES'] as const).map((account): [BillRequest, string] => [
      { type: 'fundflow', date: '2026-11-22', account },
      `/v3/bill/fundflowbill?bill_date=2026-11-22&account_type=${account}&tar_type=GZIP`,
    ]),
  ])('is applied for, and downloaded under its link as given: %j', async (request, path) => {
    const host = await billHost({})
    const { result, taken, attempts } = await fetched([host], { request })
    expect(result).toEqual({
      kind: 'downloaded',
      is_signed: true,
      is_compressed: true,
      plain_bytes: bill.length,
      sha1: sha1(bill),
      signed_sha1: sha1(bill),
      mistake: null,
    })
    expect(taken).toEqual(bill)
    expect(pathsOf(host.seen)).toEqual([`GET ${path}`, 'GET /v3/billdownload/file?token=a-b_C%2F9&tartype=gzip'])
    expect(attempts.map(({ operation, status }) => [operation, status])).toEqual([
      [request.type === 'trade' ? 'trade_bill' : 'fund_flow_bill', 200],
      ['bill_download', 200],
    ])
  })

  it('is of a day, or is not asked for', async () => {
    const host = await billHost({})
    const { result } = await fetched([host], { request: { type: 'trade', date: '2026-11-22&x=1' } })
    expect(result).toBeInstanceOf(RangeError)
    expect(host.seen).toEqual([])
  })

  it.each([
    ['hash_type', { hash_type: 'MD5' }],
    ['hash_value', { hash: 'none' }],
    ['download_url', { url: '' }],
  ])('has a link whose %s can be read', async (_, told) => {
    const { result } = await fetched([await billHost(told)])
    expect(result).toMatchObject({ kind: 'again', reason: 'unreadable', operation: 'trade_bill' })
  })

  it('is believed only when its link is signed', async () => {
    const body = JSON.stringify({ hash_type: 'SHA1', hash_value: sha1(bill), download_url: 'http://127.0.0.1/' })
    const { result } = await fetched([await billHost({ applied: { status: 200, body, signature: 'wrong' } })])
    expect(result).toMatchObject({ kind: 'again', reason: 'unverified' })
  })
})

describe('a day without a bill', () => {
  const none = (code: string) => billHost({ applied: refusal(400, code) })

  it.each(['NO_STATEMENT_EXIST', 'no_statement_exist', 'NO Bill Exist', 'No Bill Exist', ' No  Statement_Exist'])(
    'is told as %j, and asked of the other host as well',
    async (code) => {
      const hosts = [await none(code), await none('NO_STATEMENT_EXIST')]
      const { result } = await fetched(hosts)
      expect(result).toEqual({ kind: 'none', code: 'NO_STATEMENT_EXIST' })
      expect(hosts.map(({ seen }) => seen.length)).toEqual([1, 1])
    },
  )

  it('is believed of the only host that there is', async () => {
    expect((await fetched([await none('No Bill Exist')])).result).toEqual({ kind: 'none', code: 'NO_BILL_EXIST' })
  })

  it('is none when the other host has a bill', async () => {
    const { result, taken } = await fetched([await none('NO_STATEMENT_EXIST'), await billHost({})])
    expect(result).toMatchObject({ kind: 'downloaded', is_signed: true })
    expect(taken).toEqual(bill)
  })

  it.each([
    [400, 'STATEMENT_CREATING', 'not_yet'],
    [500, 'NO_STATEMENT_EXIST', 'again'],
    [403, 'NO_AUTH', 'setup'],
  ])('is open while the other host says %i %s', async (status, code, kind) => {
    const other = await billHost({ applied: refusal(status, code) })
    expect((await fetched([await none('NO_STATEMENT_EXIST'), other])).result).toMatchObject({ kind, code })
  })
})

describe('a bill that cannot be had', () => {
  it.each([
    [400, 'STATEMENT_CREATING', 'not_yet'],
    [400, 'Statement Creating', 'not_yet'],
    [400, 'PARAM_ERROR', 'refused'],
    [403, 'NO_AUTH', 'setup'],
    [429, 'FREQUENCY_LIMITED', 'slower'],
    [429, 'NO_STATEMENT_EXIST', 'slower'],
    [500, 'SYSTEM_ERROR', 'again'],
    [400, '账单', 'again'],
  ])('is answered %i %s: %s', async (status, code, kind) => {
    const { result } = await fetched([await billHost({ applied: refusal(status, code) })])
    expect(result).toMatchObject({ kind, operation: 'trade_bill', status })
  })

  it.each([
    [403, 'NO_AUTH', 'setup'],
    [401, 'SIGN_ERROR', 'setup'],
    [400, 'PARAM_ERROR', 'again'],
    [404, 'RESOURCE_NOT_EXISTS', 'again'],
    [429, 'FREQUENCY_LIMITED', 'slower'],
    [502, '', 'again'],
  ])('has a link that is answered %i %s, as one of another merchant or an old one: %s', async (status, code, kind) => {
    const { result, taken, attempts } = await fetched([await billHost({ file: refusal(status, code) })])
    expect(result).toMatchObject({ kind, operation: 'bill_download', status, request_id: 'R-2' })
    expect(taken).toHaveLength(0)
    expect(attempts.at(-1)).toMatchObject({ operation: 'bill_download', status, reason: null })
  })

  it.each([
    'https://files.example.com/v3/billdownload/file?token=1',
    'http://127.0.0.1:1@ORIGIN/file',
    'http://ORIGIN@files.example.com/file',
    'http://ORIGIN.example.com/file',
    'http://ORIGIN\\@files.example.com/file',
    'http://ORIGIN#/file',
    'http://ORIGIN',
    'http://ORIGIN/file name',
    'http://ORIGIN/file\r\nhost: files.example.com',
    'http://ORIGIN/账单',
    '//ORIGIN/file',
    '/v3/billdownload/file',
    'file:///etc/passwd',
    'https://ORIGIN/file',
  ])('has a link to a stranger, or none that can be sent as it is: %j', async (url) => {
    const host = await playHost((_, count) => {
      const download_url = url.replace('ORIGIN', new URL(host.origin).host)
      const body = JSON.stringify({ hash_type: 'SHA1', hash_value: sha1(bill), download_url })
      return count === 1 ? { status: 200, body } : file(bill)
    })
    open.push(host)
    expect((await fetched([host])).result).toMatchObject({ kind: 'setup', operation: 'bill_download' })
    expect(host.seen).toHaveLength(1)
  })

  it('has a link to the other host, which is WeChat Pay’s too', async () => {
    const path = '/v3/billdownload/file?token=1'
    const other = await billHost({ path })
    const { result } = await fetched([await billHost({ url: `${other.origin}${path}` }), other])
    expect(result).toMatchObject({ kind: 'downloaded', is_signed: true })
  })
})

describe('the bytes of a bill', () => {
  const packed = gzipSync(bill)
  it.each<[string, Told, object]>([
    [
      'packed, whatever the headers say',
      { file: file(packed, { headers: { 'content-type': 'text/plain' } }) },
      { is_compressed: true, is_signed: true },
    ],
    [
      'plain, whatever the headers say',
      { file: file(bill, { headers: { 'content-type': 'application/x-gzip' } }) },
      { is_compressed: false, is_signed: true },
    ],
    ['under a hash in capitals', { hash: sha1(bill).toUpperCase() }, { is_signed: true, signed_sha1: sha1(bill) }],
    // Nobody could prove such a file later: it is kept plain, as its hash is documented to be (docs/wechat-pay.md §2.5).
    ['under a hash of the bytes as they come', { hash: sha1(packed) }, { is_signed: false, sha1: sha1(bill) }],
    [
      'one changed',
      { file: file(gzipSync(Buffer.concat([bill, Buffer.from('x')]))) },
      { is_signed: false, mistake: null },
    ],
    ['one lost at the end', { file: file(bill.subarray(0, -1)) }, { is_signed: false, mistake: null }],
    ['none', { file: file('') }, { is_signed: false, plain_bytes: 0 }],
    ['one', { file: file('x'), hash: sha1(Buffer.from('x')) }, { is_signed: true, plain_bytes: 1 }],
    [
      'packed and cut, though the answer is whole',
      { file: file(packed.subarray(0, -9)) },
      { is_signed: false, mistake: 'unexpected end of file' },
    ],
    [
      'packed and cut, under the hash of that',
      { hash: sha1(packed.subarray(0, -9)), file: file(packed.subarray(0, -9)) },
      { is_signed: false },
    ],
    [
      'packed and broken',
      { file: file(Buffer.concat([packed.subarray(0, 12), Buffer.alloc(90, 0xff)])) },
      { is_signed: false, mistake: expect.any(String) as string },
    ],
  ])('are %s', async (_, told, expected) => {
    expect((await fetched([await billHost(told)])).result).toMatchObject({ kind: 'downloaded', ...expected })
  })

  it.each([
    ['packed', packed.subarray(0, -20)],
    ['plain', bill.subarray(0, -20)],
  ])('break off, %s: the bill is fetched again', async (_, bytes) => {
    const { result } = await fetched([await billHost({ file: file(bytes, { after_body: 'hang_up' }) })])
    expect(result).toMatchObject({ kind: 'again', reason: 'network', operation: 'bill_download' })
  })

  it('are taken as they come, and waited for piece by piece', async () => {
    const host = await billHost({ file: file(bill, { after_body: 'silence' }) })
    await withMoreTime(async (read_timeout_ms) => {
      const { result, taken } = await fetched([host], { settings: { read_timeout_ms } })
      expect(result).toMatchObject({ kind: 'again', reason: 'timeout', operation: 'bill_download' })
      return taken.equals(bill)
    })
  })

  it('are waited for without end while some are still being taken', async () => {
    const large = Buffer.alloc(4 * 1024 * 1024, 'x')
    const host = await billHost({ hash: sha1(large), file: file(large) })
    await withMoreTime(async (read_timeout_ms) => {
      const { transport } = transportTo(host.origin, null, { read_timeout_ms })
      let is_first = true
      const result = await fetchBill(transport, trade, async () => {
        if (is_first) await new Promise((resolve) => setTimeout(resolve, read_timeout_ms * 3))
        is_first = false
      }).catch(() => null)
      return result?.kind === 'downloaded' && result.is_signed
    })
  })

  it('are packed or not by their first two, though these come apart', async () => {
    const host = await billHost({})
    async function* bytesOfFile() {
      for (const byte of packed) yield Buffer.from([byte])
    }
    const { transport } = transportTo(host.origin, null)
    const apart = { ...transport, download: () => Promise.resolve(bytesOfFile()) }
    expect(await fetchBill(apart, trade, () => undefined)).toMatchObject({ is_compressed: true, is_signed: true })
  })

  it('come in pieces, however much was packed', async () => {
    const large = Buffer.alloc(32 * 1024 * 1024)
    const host = await billHost({ hash: sha1(large), file: file(gzipSync(large)) })
    const { transport } = transportTo(host.origin, null)
    let greatest = 0
    await fetchBill(transport, trade, (bytes) => void (greatest = Math.max(greatest, bytes.length)))
    expect(greatest).toBeLessThanOrEqual(64 * 1024)
  })

  it('end when whoever takes them has failed, or gives up', async () => {
    const host = await billHost({ file: file(packed, { after_body: 'silence' }) })
    const { transport } = transportTo(host.origin, null)
    const full = new Error('the disk is full')
    await expect(fetchBill(transport, trade, () => Promise.reject(full))).rejects.toBe(full)
    const giving_up = new AbortController()
    const abort = () => giving_up.abort(new Error('enough'))
    await expect(fetchBill(transport, trade, abort, giving_up.signal)).rejects.toThrow('enough')
  })

  it('hold no slot while they come, and their link one token', async () => {
    const limits = createLimits({ now: () => 0, rates: { bill_download: { per_second: 0, burst: 1 } }, slots: 1 })
    const host = await billHost({})
    const { transport } = transportTo(host.origin, null, { limits })
    const states: number[] = []
    await fetchBill(transport, trade, () => void states.push(limits.state().in_flight))
    expect(states).toEqual([0])
    await expect(fetchBill(transport, trade, () => undefined)).rejects.toMatchObject({
      kind: 'slower',
      operation: 'bill_download',
    })
  })
})
