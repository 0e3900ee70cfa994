import { createServer } from 'node:http'
import type { RequestListener, Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import { Webhook, WebhookVerificationError } from 'standardwebhooks'
import { afterEach, describe, expect, it } from 'vitest'
import { createCourier, webhookHeaders } from '../../../activities/delivery/courier.ts'
import { createPublicLookup } from '../../../activities/delivery/lookup.ts'
import type { Courier, CourierSettings } from '../../../activities/delivery/courier.ts'
import { urlObjection } from '../../../runtime/address.ts'

describe('a courier', () => {
  const open: (() => Promise<unknown>)[] = []
  afterEach(async () => {
    for (const close of open.splice(0)) await close()
  })

  function courier(allow_private: boolean, given: Partial<CourierSettings> = {}): Courier {
    const made = createCourier({ allow_private, ...given })
    open.push(() => made.close())
    return made
  }

  async function endpoint(listener: RequestListener): Promise<string> {
    const server: Server = createServer(listener)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    open.push(() => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(resolve))
    })
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  }

  it('carries the bytes as they are and brings the answer back, and of it the first KiB for the record', async () => {
    const seen: string[] = []
    const url = await endpoint((request, response) => {
      request.on('data', (chunk: Buffer) => seen.push(chunk.toString()))
      request.on('end', () => response.end('茶'.repeat(5_000)))
    })
    const reply = await courier(true).send(url, { 'content-type': 'application/json' }, '{"a": 1}')
    expect(seen.join('')).toBe('{"a": 1}')
    expect(reply).toMatchObject({ status: 200, error: null, body: '茶'.repeat(5_000) })
    expect(reply.answer).toBe('茶'.repeat(341)) // 1,023 bytes: half a character is none
  })

  it('reads 64 KiB and no byte more: a longer answer is not there to be read, only its beginning', async () => {
    const answering = (bytes: number) => endpoint((_, response) => response.end('x'.repeat(bytes)))
    const longest = await courier(true).send(await answering(65_536), {}, '{}')
    expect(longest.body).toHaveLength(65_536)
    const longer = await courier(true).send(await answering(65_537), {}, '{}')
    expect(longer).toMatchObject({ status: 200, error: null, body: null, answer: 'x'.repeat(1024) })
  })

  it('reads over the mark that some platforms put before their text', async () => {
    const url = await endpoint((_, response) => response.end('\uFEFF{"fulfilment":"refused"}'))
    expect((await courier(true).send(url, {}, '{}')).body).toBe('{"fulfilment":"refused"}')
  })

  const refusal = '{"fulfilment":"refused","reason":"卖完了"}'
  const answeringWith = (bytes: Buffer, headers: Record<string, string>) =>
    endpoint((_, response) => response.writeHead(200, headers).end(bytes))
  const readOf = async (bytes: Buffer, headers: Record<string, string>) => {
    const { status, body, unreadable } = await courier(true).send(await answeringWith(bytes, headers), {}, '{}')
    return { status, body, unreadable }
  }

  it.each([
    ['gzip', gzipSync(refusal)],
    ['deflate', deflateSync(refusal)],
    ['deflate', deflateRawSync(refusal)],
    ['br', brotliCompressSync(refusal)],
    ['GZIP', gzipSync(refusal)],
    ['gzip, br', brotliCompressSync(gzipSync(refusal))],
    ['identity', Buffer.from(refusal)],
  ])('says which encodings it opens, and opens %s', async (encoding, bytes) => {
    let accepted = ''
    const url = await endpoint((request, response) => {
      accepted = String(request.headers['accept-encoding'])
      response.writeHead(200, { 'content-encoding': encoding }).end(bytes)
    })
    expect((await courier(true).send(url, {}, '{}')).body).toBe(refusal)
    expect(accepted).toBe('gzip, deflate, br')
  })

  it.each([
    ['what is not in the encoding it names', Buffer.from(refusal), { 'content-encoding': 'gzip' }],
    ['what was cut', gzipSync(refusal).subarray(0, -9), { 'content-encoding': 'gzip' }],
    ['an encoding that it does not know', Buffer.from(refusal), { 'content-encoding': 'zstd' }],
    ['little that becomes much', gzipSync(Buffer.alloc(10_000_000)), { 'content-encoding': 'gzip' }],
    ['JSON in a charset that it does not name', Buffer.from([0x7b, 0x22, 0xc2, 0xf4]), {}],
    [
      'JSON whose letters are not those of the charset',
      Buffer.from(refusal),
      { 'content-type': 'text/plain; charset=utf-16' },
    ],
    ['zstd that is not named', Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x20, 0x41]), { 'content-type': 'text/plain' }],
    ['gzip that is not named', gzipSync(refusal), { 'content-type': 'text/plain' }],
    ['zlib that is not named', deflateSync(refusal), { 'content-type': 'text/plain' }],
    ['bare deflate that is not named', deflateRawSync(refusal), {}],
    ['brotli that is not named', brotliCompressSync(refusal), { 'content-type': 'text/html; charset=utf-8' }],
    ['JSON in a charset that nobody knows', Buffer.from(refusal), { 'content-type': 'application/json; charset=x-9' }],
  ])('says that it cannot read %s', async (_, bytes, headers) => {
    expect(await readOf(bytes, headers)).toEqual({ status: 200, body: null, unreadable: expect.any(String) as string })
  })

  it('reads the charset that is named', async () => {
    const gbk = Buffer.concat([Buffer.from('{"reason":"'), Buffer.from([0xc2, 0xf4]), Buffer.from('"}')])
    const read = await readOf(gbk, { 'content-type': 'application/json; charset=GBK' })
    expect(read.body).toBe('{"reason":"卖"}')
  })

  it.each([
    ['UTF-8 or GB18030 where none is named', {}, [0xb3, 0xc9, 0xb9, 0xa6], '成功'],
    [
      'GB18030 under the name of UTF-8',
      { 'content-type': 'text/html; charset=utf-8' },
      [0xb3, 0xc9, 0xb9, 0xa6],
      '成功',
    ],
    [
      'UTF-8 under a name that nobody knows',
      { 'content-type': 'text/plain; charset=utf8mb4' },
      [...Buffer.from('成功')],
      '成功',
    ],
  ])('reads text that is no JSON in %s', async (_, headers, bytes, text) => {
    expect((await readOf(Buffer.from(bytes), headers)).body).toBe(text)
  })

  it.each<[string, Buffer, string]>([
    ['half a character at the end', Buffer.from('已发货').subarray(0, 7), '已发\uFFFD'],
    ['half a character of GBK', Buffer.from([0xb3, 0xc9, 0xb9, 0xa6, 0xb3]), '\uFFFD\u0279\uFFFD\uFFFD'],
    ['half a character before a word', Buffer.from('\xe5refused', 'latin1'), '\uFFFDrefused'],
    ['Latin-1', Buffer.from('Commande expédiée', 'latin1'), 'Commande exp\uFFFDdi\uFFFDe'],
    ['the colours of a debugger', Buffer.from('\x1b[32msuccess\x1b[0m'), '\x1b[32msuccess\x1b[0m'],
    ['what begins like bare deflate', Buffer.from('success\x07 '), 'success\x07 '],
    ['a bell and a vertical tab', Buffer.from('ok\x07\x0b'), 'ok\x07\x0b'],
  ])('reads what it can of text that is no JSON with %s', async (_, bytes, text) => {
    expect(await readOf(bytes, { 'content-type': 'text/html; charset=utf-8' })).toMatchObject({
      body: text,
      unreadable: null,
    })
  })

  it('does not follow a redirect: where it leads nobody has checked', async () => {
    let followed = false
    const inner = await endpoint((_, response) => {
      followed = true
      response.end()
    })
    const url = await endpoint((_, response) => response.writeHead(302, { location: inner }).end())
    expect((await courier(true).send(url, {}, '{}')).status).toBe(302)
    expect(followed).toBe(false)
  })

  it('never calls loopback, whether written as an address or hidden behind a name', async () => {
    let called = false
    const url = new URL(
      await endpoint((_, response) => {
        called = true
        response.end()
      }),
    )
    const guarded = courier(false)
    const replies = await Promise.all(
      [
        `https://127.0.0.1:${url.port}/`,
        `https://localhost:${url.port}/`,
        `https://[::ffff:127.0.0.1]:${url.port}/`,
        `https://[::7f00:1]:${url.port}/`,
      ].map((target) => guarded.send(target, {}, '{}')),
    )
    expect(replies.map(({ status }) => status)).toEqual([null, null, null, null])
    expect(new Set(replies.map(({ error }) => error))).toEqual(
      new Set(['the URL is not called: its address is private']),
    )
    expect(called).toBe(false)
  })

  it('says the same of a name that leads inside and of one that nobody has', async () => {
    const find = createPublicLookup()
    const said = (name: string) =>
      new Promise((resolve) => find(name, {}, (error) => resolve(error === null ? null : String(error))))
    expect(await said('localhost')).toBe('Error: the name has no public address')
    // Played: a connection has five seconds, and a busy machine's name servers may need more, or be away.
    const no_name = Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' })
    const nowhere = { ask: () => Promise.resolve([]), askSystem: () => Promise.reject(no_name) }
    const reply = await courier(false, { resolvers: nowhere }).send('https://no-such-name.invalid/', {}, '{}')
    expect([reply.error, reply.duration_ms]).toEqual(['the name has no public address', 0])
  })

  it('obeys a Retry-After that is a date, as far as it lies ahead', async () => {
    const made = courier(true)
    const asking = (date: Date) =>
      endpoint((_, response) => response.writeHead(503, { 'retry-after': date.toUTCString() }).end())
    const soon = await made.send(await asking(new Date(Date.now() + 1_800_000)), {}, '{}')
    expect(soon.retry_after_ms).toBeGreaterThan(0)
    expect(soon.retry_after_ms).toBeLessThanOrEqual(1_800_000)
    expect((await made.send(await asking(new Date('2099-01-01')), {}, '{}')).retry_after_ms).toBe(3_600_000)
    expect((await made.send(await asking(new Date('2020-01-01')), {}, '{}')).retry_after_ms).toBe(0)
  })

  it('obeys Retry-After up to an hour', async () => {
    const asking = (seconds: string) =>
      endpoint((_, response) => response.writeHead(503, { 'retry-after': seconds }).end())
    const made = courier(true)
    expect((await made.send(await asking('7'), {}, '{}')).retry_after_ms).toBe(7_000)
    expect((await made.send(await asking('86400'), {}, '{}')).retry_after_ms).toBe(3_600_000)
    expect((await made.send(await asking('soon'), {}, '{}')).retry_after_ms).toBeNull()
    expect((await made.send(await asking(''), {}, '{}')).retry_after_ms).toBeNull()
  })

  it('reads every form of a Retry-After that HTTP has, wherever the machine is, and nothing else', async () => {
    const zone = process.env['TZ']
    process.env['TZ'] = 'Asia/Shanghai'
    const made = courier(true)
    const [, week_day = '', day = '', month = '', year = '', time = ''] =
      /^(\w{3}), (\d{2}) (\w{3}) \d{2}(\d{2}) ([\d:]+) GMT$/.exec(new Date(Date.now() + 1_800_000).toUTCString()) ?? []
    const long_name = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'].find((name) =>
      name.startsWith(week_day),
    )
    const asked = async (text: string) => {
      const url = await endpoint((_, response) => response.writeHead(503, { 'retry-after': text }).end())
      return (await made.send(url, {}, '{}')).retry_after_ms
    }
    for (const date of [
      `${long_name}, ${day}-${month}-${year} ${time} GMT`,
      `${week_day} ${month} ${day.replace(/^0/, ' ')} ${time} 20${year}`,
    ]) {
      const ms = await asked(date)
      expect([date, ms !== null && ms > 0 && ms <= 1_800_000]).toEqual([date, true])
    }
    expect(await asked('1.5')).toBe(1_500)
    expect(await Promise.all(['0x10', '1e3', '-5', '5 s', 'Sun Nov 31 25:61:00 2026'].map(asked))).toEqual(
      Array(5).fill(null),
    )
    if (zone === undefined) delete process.env['TZ']
    else process.env['TZ'] = zone
  })

  it('answers with the reason when nobody is there', async () => {
    const reply = await courier(true).send('http://127.0.0.1:1/', {}, '{}') // a port that nobody is ever given
    expect(reply.status).toBeNull()
    expect(reply.error).toMatch(/ECONNREFUSED/)
  })
})

describe('a public address', () => {
  it.each([
    'https://10.0.0.1/',
    'https://172.16.9.9/',
    'https://192.168.1.1/',
    'https://169.254.169.254/latest/meta-data',
    'https://100.64.0.1/',
    'https://0.0.0.0/',
    'https://[::1]/',
    'https://[fd00::1]/',
    'https://[fe80::1]/',
    'https://[64:ff9b::7f00:1]/',
    'https://[::7f00:1]/',
    'https://[::127.0.0.1]/',
    'https://[::a00:1]/',
    'https://[1::1]/',
    'https://[4000::1]/',
    'https://[2002:7f00:1::]/',
    'https://[2001::1]/',
    'https://[2001:db8::1]/',
    'https://[3fff::1]/',
    'https://[5f00::1]/',
    'https://localhost/',
    'https://printer/',
    'https://db.internal/',
    'https://0x7f000001/',
    'https://2130706433/',
    'http://example.com/',
    'ftp://example.com/',
  ])('is not %s', (url) => {
    expect(urlObjection(url, false)).not.toBeNull()
  })

  it.each(['https://93.184.216.34/', 'https://shop.example.com/weft', 'https://[2606:2800:220:1::1]/'])(
    'may be %s',
    (url) => {
      expect(urlObjection(url, false)).toBeNull()
    },
  )
})

describe('a signed event', () => {
  const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
  const other = `whsec_${Buffer.alloc(32, 8).toString('base64')}`
  const body = '{"type":"order.paid"}'
  const seconds = Math.floor(Date.now() / 1000)

  it('verifies with the Standard Webhooks library under each live secret, and under no other', () => {
    const headers = webhookHeaders('evt_1', seconds, body, [secret, other])
    expect(new Webhook(secret).verify(body, headers)).toEqual({ type: 'order.paid' })
    expect(new Webhook(other).verify(body, headers)).toEqual({ type: 'order.paid' })
    const stranger = `whsec_${Buffer.alloc(32, 9).toString('base64')}`
    expect(() => new Webhook(stranger).verify(body, headers)).toThrow(WebhookVerificationError)
    expect(() => new Webhook(secret).verify(`${body} `, headers)).toThrow(WebhookVerificationError)
  })
})
