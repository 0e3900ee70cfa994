import { randomBytes } from 'node:crypto'
import { Agent, request } from 'node:http'
import { afterAll, describe, expect, it } from 'vitest'
import { endpoints } from '../../../api/app.ts'
import { TemporalUnavailable } from '../../../api/temporal/calls.ts'
import { createSealer } from '../../../store/sealer.ts'
import { memoryStore } from '../../stage/memory.ts'
import { orderSample } from '../../store/samples.ts'
import { playApi } from '../playedapi.ts'

const token = 'odd-token-of-an-order'
const stage = await playApi(
  memoryStore(createSealer({ keys: [{ id: 'one', key: randomBytes(32).toString('base64') }] })),
)
stage.on = {
  close: () => Promise.resolve('unavailable'),
  check: () => Promise.reject(new TemporalUnavailable()),
  checkRefund: () => Promise.reject(new TemporalUnavailable()),
}
await stage.store.orders.insert(orderSample('ODD-01', { state: 'closed', checkout_token: token }))
afterAll(async () => {
  agent.destroy()
  await stage.close()
})

const agent = new Agent({ keepAlive: true })

/** Sends one request as it stands and answers its status; nothing of it is checked on this side. */
function send(method: string, path: string, headers: Record<string, string>, body: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(stage.url, { path, method, headers, agent }, (answer) => {
      answer.resume()
      answer.on('end', () => resolve(answer.statusCode ?? 0))
      answer.on('error', reject)
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

/** What can stand in an address, or in a query, where a number or a name is wanted. */
const odd_parts = [
  '%00',
  'A%00B',
  '%E0%A4%A',
  '%FF',
  '%zz',
  '%',
  '..',
  '%2e%2e%2f%2e%2e',
  '%F0%9F%98%80',
  '%ED%A0%80',
  '%7B%22%24ne%22%3A1%7D',
  '$where',
  '__proto__',
  'constructor',
  'hasOwnProperty',
  '%20',
  'ODD-01%0A',
  '%EF%BB%BFODD-01',
  '1e999',
  '-0',
  'NaN',
  '2026-02-30',
  '0000-00-00',
  '9999-12-31',
  'x'.repeat(3_000),
]
const odd_values: unknown[] = [
  null,
  true,
  '',
  '\ud800',
  '\u0000',
  '😀'.repeat(40),
  1.5,
  -1,
  9_007_199_254_740_993,
  1e308,
  [],
  [null],
  {},
  { $gt: '' },
  { constructor: { name: 'x' } },
  { total: '1', currency: 'CNY' },
  '9999-12-31T23:59:59.999+14:00',
  '0000-01-01T00:00:00Z',
  'constructor',
  '__proto__',
]
const whole_bodies = [
  'null',
  '1',
  '"x"',
  '[]',
  '[{}]',
  '{}',
  '{"__proto__":{}}',
  '{"a":1,"a":2}',
  '{',
  '\ufeff{}',
  '1e999',
  '-',
]

/** The fields of a body and the parameters of a query, by the endpoint's own declaration. */
function namesIn(schema: unknown): string[] {
  const { shape, in: inner, innerType } = (schema ?? {}) as { shape?: object; in?: unknown; innerType?: unknown }
  if (shape !== undefined) return Object.keys(shape)
  const definition = (schema as { def?: unknown } | undefined)?.def
  if (inner !== undefined || innerType !== undefined) return namesIn(inner ?? innerType)
  return definition === undefined ? [] : namesIn(definition)
}

const json = { authorization: `Bearer ${stage.key.token}`, 'content-type': 'application/json', accept: 'text/csv, */*' }

function* requestsTo({ method, path, query, body }: (typeof endpoints)[number]): Generator<[string, string, string]> {
  const plain = path.replace(/\{\w+\}/g, 'ODD-01')
  if (plain !== path) for (const part of odd_parts) yield [method, path.replace(/\{\w+\}/g, part), '{}']
  for (const name of [...namesIn(query), '__proto__', 'toString'])
    for (const part of odd_parts.filter((_part, place) => place % 3 === 0))
      yield [method, `${plain}?${name}=${part}`, '']
  if (method === 'GET') return
  for (const text of whole_bodies) yield [method, plain, text]
  for (const name of namesIn(body))
    for (const value of odd_values) yield [method, plain, JSON.stringify({ [name]: value })]
}

describe('no request of a merchant is answered as a fault of Weft', () => {
  it.each(endpoints.map((endpoint) => ({ name: endpoint.name, endpoint })))('$name', async ({ endpoint }) => {
    const faults: string[] = []
    for (const [method, path, body] of requestsTo(endpoint)) {
      const status = await send(method, path, json, body)
      // 503: what this stage plays is away.
      if (status >= 500 && status !== 503) faults.push(`${status} ${method} ${path.slice(0, 80)} ${body.slice(0, 80)}`)
    }
    expect(faults).toEqual([])
  })
})

it('no request of a stranger is answered as a fault of Weft', async () => {
  const paths = odd_parts.flatMap((part) => [
    `/${part}`,
    `/pay/${part}`,
    `/pay/${token}/${part}`,
    `/docs/errors/${part}`,
  ])
  const notified = odd_parts.map((part) => `/wechat/notify/${part}`)
  const queries = odd_parts.flatMap((part) => [
    `/pay/${token}?lang=${part}`,
    `/pay/${token}?${part}`,
    `/?${part}=${part}`,
  ])
  const faults: string[] = []
  for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'OPTIONS', 'DELETE']) {
    for (const path of [...paths, ...notified, ...queries]) {
      const status = await send(method, path, {}, '')
      if (status >= 500 && status !== 503) faults.push(`${status} ${method} ${path.slice(0, 80)}`)
    }
  }
  expect(faults).toEqual([])
})
