import { request as httpRequest } from 'node:http'
import { afterAll, describe, expect, it } from 'vitest'
import { example_names } from '../../../api/reference/example.ts'
import { catalogue } from '../../../api/http/catalogue.ts'
import { Problem } from '../../../api/http/problem.ts'
import type { ProblemBody } from '../../../api/http/problem.ts'
import { createRateLimiter } from '../../../api/http/ratelimit.ts'
import { beijingTime } from '../../../domain/calendar.ts'
import type { KeyRecord } from '../../../domain/merchant/record.ts'
import { newToken, randomId, tokenHash } from '../../../runtime/secrets.ts'
import { Stage } from '../../stage/stage.ts'

const stage = await Stage.open({ worker: false })
afterAll(async () => {
  await stage.close()
})

async function keyWith(given: Partial<KeyRecord>): Promise<string> {
  const token = newToken('test')
  await stage.store.keys.add({
    _id: tokenHash(token),
    id: randomId('key'),
    mchid: stage.mchid,
    mode: 'test',
    name: 'test',
    scopes: ['orders:read'],
    hint: token.slice(-4),
    create_time: beijingTime(Date.now()),
    expire_time: null,
    revoke_time: null,
    last_use_time: null,
    ...given,
  })
  return token
}

const url = (path: string) => `http://127.0.0.1:${stage.config.port}${path}`

async function send(path: string, options: RequestInit & { token?: string | null } = {}) {
  const { token = stage.key, headers, ...rest } = options
  const answer = await fetch(url(path), {
    ...rest,
    headers: { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...headers },
  })
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as ProblemBody }
}

const json = { 'content-type': 'application/json' }

describe('a key', () => {
  it.each([
    ['is missing', null],
    ['is unknown', newToken('test')],
    ['is no key at all', 'hunter2'],
  ])('that %s is not let in', async (_, token) => {
    const { status, headers, body } = await send('/v1/orders', { token })
    expect([status, body.code, headers.get('www-authenticate')]).toEqual([
      401,
      'unauthenticated',
      'Bearer realm="weft"',
    ])
  })

  it('that has expired or was revoked is not let in', async () => {
    const past = beijingTime(Date.now() - 1_000)
    const future = beijingTime(Date.now() + 60_000)
    const tokens = [{ expire_time: past }, { revoke_time: past }, { expire_time: future }].map(keyWith)
    const answers = await Promise.all(tokens.map(async (token) => send('/v1/orders', { token: await token })))
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 200])
  })

  it('does only what its scopes say, and is told which one it lacks', async () => {
    const token = await keyWith({ scopes: ['orders:read'] })
    const { status, body } = await send('/v1/orders', { token, method: 'POST', headers: json, body: '{}' })
    expect([status, body.code, body['required_scope']]).toEqual([403, 'forbidden', 'orders:write'])
    expect(body.remedy).toContain('orders:write')
  })

  it('of one merchant does not see another', async () => {
    const other = await keyWith({ mchid: '1900000999', scopes: ['settings:read', 'orders:read'] })
    const { out_trade_no } = { out_trade_no: stage.number() }
    expect((await send(`/v1/orders/${out_trade_no}`, { token: other })).status).toBe(404)
    expect((await send(`/v1/merchants/${stage.mchid}`, { token: other })).status).toBe(404)
    expect((await send(`/v1/merchants/${stage.mchid}`)).status).toBe(200)
  })

  it('has its last use noted', async () => {
    const token = await keyWith({})
    await send('/v1/orders', { token })
    const { until } = await import('../../stage/until.ts')
    const key = await until('the use noted', async () => {
      const found = await stage.store.keys.findByHash(tokenHash(token))
      return found?.last_use_time ? found : null
    })
    expect(Date.parse(key.last_use_time ?? '')).toBeGreaterThan(Date.now() - 60_000)
  })

  it('of a merchant that is live does not order for one that is not', async () => {
    const token = await keyWith({ mode: 'live', scopes: ['orders:write'] })
    const body = JSON.stringify({ out_trade_no: stage.number(), description: 'tea', amount: { total: 1 } })
    expect((await send('/v1/orders', { token, method: 'POST', headers: json, body })).status).toBe(404)
  })
})

describe('a body', () => {
  const post = (body: string | Buffer<ArrayBuffer>, headers: Record<string, string> = json) =>
    send('/v1/orders', { method: 'POST', headers, body })

  it('that is not JSON is refused', async () => {
    expect((await post('{"a":')).body.code).toBe('malformed_json')
    expect((await post(Buffer.from([0x22, 0xff, 0x22]))).body.code).toBe('malformed_json')
  })

  it('of another type or encoding is refused', async () => {
    expect((await post('a=b', { 'content-type': 'application/x-www-form-urlencoded' })).status).toBe(415)
    expect((await post('{}', { ...json, 'content-encoding': 'gzip' })).status).toBe(415)
    expect((await post('{}', { 'content-type': 'application/json; charset=utf-8' })).status).toBe(400)
  })

  it('above 64 KiB is refused, whether it says so or not', async () => {
    const large = JSON.stringify({ description: 'x'.repeat(65_536) })
    expect((await post(large)).body.code).toBe('body_too_large')
    expect(await chunked(large)).toBe(413)
  })

  it('that is missing is named field by field', async () => {
    const { status, body } = await send('/v1/orders', { method: 'POST' })
    expect([status, body.code]).toEqual([400, 'invalid_request'])
  })

  function chunked(text: string): Promise<number | undefined> {
    return new Promise((resolve, reject) => {
      const headers = { ...json, authorization: `Bearer ${stage.key}`, 'transfer-encoding': 'chunked' }
      const sent = httpRequest(url('/v1/orders'), { method: 'POST', headers }, (answer) => {
        answer.resume()
        resolve(answer.statusCode)
      })
      sent.on('error', reject)
      sent.end(text)
    })
  }
})

describe('an address', () => {
  it('that does not exist is not found', async () => {
    expect((await send('/v2/orders')).body.code).toBe('not_found')
  })

  it('says which methods it answers', async () => {
    const { status, headers, body } = await send('/v1/orders', { method: 'PUT' })
    expect([status, body.code, headers.get('allow')]).toEqual([405, 'method_not_allowed', 'GET, POST'])
    // Not PATCH, which /v1/differences/{difference_id} answers.
    const exposure = await send('/v1/differences/exposure', { method: 'PUT' })
    expect([exposure.status, exposure.headers.get('allow')]).toEqual([405, 'GET'])
  })
})

describe('every answer', () => {
  it('carries the request’s id, the caller’s own when it is one', async () => {
    const own = await send('/v1/orders/nothing', { headers: { 'request-id': 'my-id_1' } })
    expect([own.headers.get('request-id'), own.body.request_id]).toEqual(['my-id_1', 'my-id_1'])
    const bad = await send('/v1/orders/nothing', { headers: { 'request-id': 'spaces are not' } })
    expect(bad.body.request_id).toMatch(/^req_[a-z2-7]{26}$/)
    expect(bad.headers.get('weft-version')).toMatch(/^\d+\.\d+\.\d+/)
  })

  it('tells the pace of its key', async () => {
    const { headers } = await send('/v1/orders')
    expect(headers.get('ratelimit-policy')).toBe('"key";q=400;w=2')
    expect(headers.get('ratelimit')).toMatch(/^"key";r=\d+;t=\d+$/)
  })
})

describe('a problem', () => {
  it('has every field, and its text in the reader’s language', async () => {
    const chinese = await send('/v1/orders/nothing', { headers: { 'accept-language': 'zh-CN,zh;q=0.9' } })
    const english = await send('/v1/orders/nothing', { headers: { 'accept-language': 'en-GB' } })
    expect(chinese.headers.get('content-type')).toBe('application/problem+json')
    expect(chinese.headers.get('content-language')).toBe('zh-CN')
    expect(chinese.body).toMatchObject({
      type: `${stage.config.public_url}/docs/errors/not_found`,
      title: '未找到',
      retryable: false,
      errors: [],
    })
    expect(english.body.title).toBe(catalogue.not_found.title.en)
    const fields = [
      'code',
      'detail',
      'errors',
      'remedy',
      'request_id',
      'retryable',
      'status',
      'title',
      'type',
      'wechat',
    ]
    expect(Object.keys(english.body).sort()).toEqual(fields)
  })

  it.each(['zh', 'zh-TW, zh;q=0.8, en;q=0.2', 'zh-Hans-CN'])('is Chinese for %s', async (language) => {
    const { body } = await send('/v1/orders?limit=x', { headers: { 'accept-language': language } })
    expect(body.title).toBe('请求参数有误')
    expect(body.errors[0]?.detail).toMatch(/[\u4e00-\u9fff]/)
  })

  it.each(Object.entries(catalogue))(
    '%s says what, why and the remedy in both languages, and has its page',
    async (code, entry) => {
      for (const words of [entry.title, entry.detail, entry.remedy]) {
        expect(words.en.length).toBeGreaterThan(5)
        expect(words['zh-CN']).toMatch(/[\u4e00-\u9fff]/)
      }
      const page = await fetch(url(`/docs/errors/${code}`), { headers: { 'accept-language': 'zh-CN' } })
      const text = await page.text()
      expect([page.status, page.headers.get('content-language')]).toEqual([200, 'zh-CN'])
      expect(text).toContain(entry.title['zh-CN'])
      expect(text).not.toMatch(/\{[a-z_]+\}/)
      for (const [, name] of `${entry.detail.en} ${entry.remedy.en}`.matchAll(/\{(\w+)\}/g))
        expect(example_names).toContain(name)
    },
  )
})

describe('a key’s pace', () => {
  const pace = { per_second: 10, burst: 5 }

  it('lets a burst through, then one request every tenth of a second', () => {
    const clock = { ms: 0 }
    const limiter = createRateLimiter(() => clock.ms, pace)
    const passes = () => {
      try {
        return Boolean(limiter.take('key_1'))
      } catch (error) {
        if (error instanceof Problem && error.parts.headers?.['Retry-After'] === '1') return false
        throw error
      }
    }
    expect([1, 2, 3, 4, 5, 6].map(passes)).toEqual([true, true, true, true, true, false])
    clock.ms = 100
    expect([passes(), passes()]).toEqual([true, false])
    clock.ms = 0 // a clock set back gives nothing away
    expect(passes()).toBe(false)
  })

  it('is each key’s own', () => {
    const limiter = createRateLimiter(() => 0, { per_second: 1, burst: 1 })
    limiter.take('key_1')
    expect(() => limiter.take('key_1')).toThrow(Problem)
    expect(limiter.take('key_2').RateLimit).toBe('"key";r=0;t=1')
  })
})
