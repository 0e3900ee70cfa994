import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ProblemBody } from '../../../api/http/problem.ts'
import { beijingDay } from '../../../domain/calendar.ts'
import { createSealer } from '../../../store/sealer.ts'
import { memoryStore } from '../../stage/memory.ts'
import { until } from '../../stage/until.ts'
import { deliverySample, mchid, orderSample } from '../../store/samples.ts'
import { playApi } from '../playedapi.ts'

const sealer = createSealer({ keys: [{ id: 'one', key: randomBytes(32).toString('base64') }] })
const stage = await playApi(memoryStore(sealer))
afterAll(() => stage.close())

async function send(path: string, body?: string, headers: Record<string, string> = {}) {
  const answer = await fetch(`${stage.url}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${stage.key.token}`, 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body }),
  })
  const text = await answer.text()
  return { status: answer.status, text, problem: () => JSON.parse(text) as ProblemBody }
}

describe('a query', () => {
  it.each([
    ['of more than 4 kB', `?state=${'x'.repeat(4_097)}`, 'query_size'],
    ['of more than 64 parameters', `?${'a=1&'.repeat(65)}`, 'query_size'],
    ['with a parameter that comes twice', '?limit=1&limit=2', 'repeated'],
    ['with a name that objects have', '?__proto__=1', 'unknown'],
  ])('%s is refused', async (_what, query, rule) => {
    const { status, problem } = await send(`/v1/orders${query}`)
    expect([status, problem().code, problem().errors[0]?.code]).toEqual([400, 'invalid_request', rule])
    if (rule === 'repeated') expect(problem().errors[0]?.field).toBe('/query/limit')
  })

  it('is read as before within its bounds', async () => {
    expect((await send('/v1/orders?limit=2&state=paid%2Creview&order=')).status).toBe(400)
    expect((await send('/v1/orders?limit=2&state=paid%2Creview')).status).toBe(200)
  })
})

describe('a body', () => {
  const named = (count: number) =>
    `{"metadata":{${Array.from({ length: count }, (_, index) => `"a${index}":""`).join()}}}`
  const nested = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`

  it.each([
    ['names a field twice', '{"out_trade_no":"A-100001","out_trade_no":"A-100002"}'],
    ['names a field twice, once in escapes', '{"metadata":{"a":"1","\\u0061":"2"}}'],
    ['names __proto__', '{"metadata":{"__proto__":{"a":"1"}}}'],
    ['names __proto__ in escapes', '{"metadata":{"\\u005f_proto__":"1"}}'],
    ['is deeper than 16 levels', nested(17)],
    ['has over 256 names in an object', named(257)],
    ['is deeper than any stack', `{"metadata":{"__proto__":${nested(3_000)}}}`],
  ])('that %s is no JSON to us', async (_what, body) => {
    const { status, problem } = await send('/v1/orders', body)
    expect([status, problem().code]).toEqual([400, 'malformed_json'])
  })

  it('may have one name in two objects, quotes and brackets in texts, and 16 levels', async () => {
    const odd = { amount: { total: 1 }, metadata: { total: '{"a":1,"a":[[[', 'a"': '"a":' } }
    const read = await send('/v1/orders', JSON.stringify(odd))
    expect(read.problem().code).toBe('invalid_request')
    expect(read.problem().errors.map(({ field }) => field)).toEqual(['/out_trade_no', '/description'])
    expect((await send('/v1/orders', nested(16))).problem().code).toBe('invalid_request')
    expect((await send('/v1/orders', named(256))).problem().code).toBe('invalid_request')
  })

  it('is never answered with more than it said', async () => {
    const names = Array.from({ length: 150 }, (_, index) => `"${String(index).repeat(60)}"`)
    const { text, problem } = await send('/v1/orders', `{"metadata":{${names.map((name) => `${name}:0`).join()}}}`)
    expect(problem().errors.length).toBeLessThanOrEqual(20)
    expect(text.length).toBeLessThan(16 * 1024)
  })
})

describe('a request that starts a run', () => {
  beforeAll(() => void (stage.still_ms = Date.now())) // a moment, however long a busy machine needs for it
  afterAll(() => void (stage.still_ms = null))

  const statuses = async (count: number, path: (index: number) => string) => {
    const answers = await Promise.all(Array.from({ length: count }, (_, index) => send(path(index), '')))
    return answers.map(({ status }) => status)
  }
  const started = (command: string) => stage.given.filter((one) => one.command === command).length

  it('sends an event once more, however often it is asked to in a moment', async () => {
    const delivery = deliverySample('T-1', 1, { state: 'delivered' })
    await stage.store.deliveries.insertMissing([delivery])
    expect(new Set(await statuses(100, () => `/v1/deliveries/${delivery.id}/redeliver`))).toEqual(new Set([202]))
    expect(started('redeliver')).toBe(1)
  })

  it('is one of 100 days that may be looked at, and then of one in five seconds', async () => {
    const yesterday = (stage.still_ms ?? 0) - 86_400_000
    // One after the other: those that ask at once about one day share one look.
    const answered: number[] = []
    for (let index = 0; index < 130; index += 1) {
      const bill_date = beijingDay(yesterday - (index % 50) * 86_400_000)
      answered.push((await send(`/v1/reconciliations/${bill_date}`, '')).status)
    }
    expect(started('startDay')).toBe(100)
    expect(answered.filter((status) => status === 429)).toHaveLength(30)
  })
})

describe('a request', () => {
  it('with more than 8 kB of headers is not read', async () => {
    expect((await send('/healthz', undefined, { 'x-long': 'x'.repeat(8 * 1024) })).status).toBe(431)
  })

  it('to the notify address that breaks off, or is longer than it may be, is no fault of Weft', async () => {
    const { hostname, port } = new URL(stage.url)
    for (const [length, sent] of [
      [100, '{'],
      [100_000_000, ''],
    ] as const) {
      const socket = connect(Number(port), hostname)
      socket.end(`POST /wechat/notify/${mchid} HTTP/1.1\r\nHost: weft\r\nContent-Length: ${length}\r\n\r\n${sent}`)
      socket.resume()
    }
    const told = async () =>
      (await stage.context.metrics.acknowledgements.get()).values.map(({ labels }) => labels.status)
    await until('both are counted', async () => new Set(await told()).size === 2)
    expect(new Set(await told())).toEqual(new Set(['400', '413']))
  })

  it('to the notify address of no merchant number finds nothing, and nobody is asked for it', async () => {
    stage.accounts = { find: () => Promise.reject(new Error('asked')), forget: () => undefined }
    expect((await send(`/wechat/notify/${'1'.repeat(7_000)}`, '{}')).status).toBe(404)
  })

  it.each(['/HEALTHZ', '/healthz/', '/V1/orders', '/v1/orders/', '/metrics', '/readyz', '/wechat/Notify/1900000001'])(
    'for %s finds nothing there',
    async (path) => {
      expect((await send(path)).status).toBe(404)
    },
  )
})

describe('an end that many ask for at once', () => {
  it('is one call to the order’s run, whose outcome all of them share', async () => {
    await stage.store.orders.insert(orderSample('CLOSE-1', { state: 'awaiting_payment' }))
    let answer = () => {}
    const silence = new Promise<void>((resolve) => (answer = resolve))
    stage.on.close = async () => {
      await silence
      return 'unavailable'
    }
    const closes = () => stage.given.filter(({ command }) => command === 'close')
    const asked = Promise.all(Array.from({ length: 20 }, () => send('/v1/orders/CLOSE-1/close', '')))
    await until('the first is asked for', () => closes().length > 0)
    // They share it only while it lasts: the others are given the time to come.
    await until('all have come', async () => (await send('/v1/orders/CLOSE-1')).status === 200)
    answer()
    expect(new Set((await asked).map(({ status }) => status))).toEqual(new Set([503]))
    expect(closes().length).toBeLessThan(20)
  })
})
