import { randomBytes } from 'node:crypto'
import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { endpoints } from '../../../api/app.ts'
import { TemporalUnavailable } from '../../../api/temporal/calls.ts'
import { maskText } from '../../../runtime/mask.ts'
import { createSealer } from '../../../store/sealer.ts'
import { memoryStore } from '../../stage/memory.ts'
import { mchid, orderSample } from '../../store/samples.ts'
import { checkoutSample } from '../checkout/gallery.ts'
import { playApi } from '../playedapi.ts'

const limit_ms = 50
const line_limit_ms = 15
const token = 'walk-token-of-an-order'
const checkout_token = 'walk-token-of-a-checkout'

const sealer = createSealer({ keys: [{ id: 'one', key: randomBytes(32).toString('base64') }] })
const stage = await playApi(memoryStore(sealer))
beforeAll(async () => {
  stage.on = {
    close: () => Promise.resolve('unavailable'),
    checkRefund: () => Promise.reject(new TemporalUnavailable()),
  }
  const merchant = await stage.store.merchants.find(mchid)
  const app = { appid: 'wxd678efh567hg6787', kind: 'official_account', secret: 'the-secret-of-the-app' } as const
  if (merchant)
    await stage.store.merchants.save({
      ...merchant,
      apps: stage.store.merchants.sealApps(mchid, [app]),
      settings: { ...merchant.settings, products: ['NATIVE', 'JSAPI', 'MWEB'] },
    })
  const now = new Date().toISOString()
  // All of its numbers are used up, so that a wish to pay looks at twenty orders and makes none.
  const orders = Array.from({ length: 20 }, (_, place) => ({
    ...{ out_trade_no: place === 0 ? 'WALK-C' : `WALK-C-${place + 1}`, trade_type: 'NATIVE' as const },
    ...{ payer: 'x'.repeat(43), time: now },
  }))
  const expire_time = new Date(Date.now() + 600_000).toISOString()
  const number = { _id: `${mchid}/WALK-C`, out_trade_no: 'WALK-C', reference: 'WALK-C' }
  await stage.store.checkouts.insert(
    checkoutSample({ ...number, token: checkout_token, create_time: now, expire_time, orders }),
  )
  for (const { out_trade_no } of orders)
    await stage.store.orders.insert(
      orderSample(out_trade_no, { state: 'closed', reference: 'WALK-C', checkout_id: number._id }),
    )
  await stage.store.orders.insert(
    orderSample('WALK-1', {
      state: 'awaiting_payment',
      checkout_token: token,
      time_expire: new Date(Date.now() + 600_000).toISOString(),
      asked: { last_time: new Date(Date.now() + 600_000).toISOString(), on_request: 20 }, // so that none is waited for
      code: { url: `weixin://wxpay/bizpayurl?pr=${'x'.repeat(40)}`, placed_time: new Date().toISOString() },
    }),
  )
})
afterAll(() => stage.close())

/** Sends one request as it stands and answers its status; nothing of it is checked on this side. */
function send(method: string, path: string, headers: Record<string, string>, body: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(`${stage.url}`, { path, method, headers, agent: false }, (answer) => {
      answer.resume()
      answer.on('end', () => resolve(answer.statusCode ?? 0))
      answer.on('error', reject)
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

const yardstick = JSON.stringify(Object.fromEntries(Array.from({ length: 6_500 }, (_, index) => [`a${index}`, 0])))
/** What it takes to read the yardstick on a processor that nothing else uses. */
const yardstick_ms = 3

function processorMs(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since)
  return (user + system) / 1_000
}

/** How much longer the same piece of work takes now than on a processor of its own; 1 at least. */
function slowness(): number {
  const begun = process.cpuUsage()
  for (let turn = 0; turn < 3; turn += 1) JSON.parse(yardstick)
  return Math.max(1, processorMs(begun) / 3 / yardstick_ms)
}

/**
 * The least processor time, in ms, that some of these requests took: three, and more while each was above `limit`. A
 * processor that is shared with something else counts the other's share of its caches too: so what was above is divided by
 * what the same did to the yardstick.
 */
async function cost(one: () => Promise<number>, limit = limit_ms, refusals = [429, 431]): Promise<number> {
  expect(refusals).not.toContain(await one()) // nothing was looked at
  const taken: number[] = []
  while (taken.length < 3 || (Math.min(...taken) > limit && taken.length < 20)) {
    const begun = process.cpuUsage()
    await one()
    const ms = processorMs(begun)
    taken.push(ms > limit ? ms / slowness() : ms)
  }
  return Math.min(...taken)
}

/** Bodies of 64 kB, each bad in its own way. */
const size = 64 * 1024 - 1_024
const filled = (part: (index: number) => string, [begin, end]: [string, string]) => {
  const parts: string[] = []
  for (let length = 0, index = 0; length < size; index += 1)
    length += parts.push(part(index)) && (parts.at(-1) ?? '').length + 1
  return `${begin}${parts.join(',')}${end}`
}
const bodies: Record<string, string> = {
  'too many names': filled((index) => `"a${index}":0`, ['{"metadata":{', '}}']),
  'unknown fields': filled((index) => `"${`a${index}`.padEnd(260, 'a')}":0`, ['{', '}']),
  'wrong metadata': filled((index) => `"${`b${index}`.padEnd(260, 'b')}":0`, ['{"metadata":{', '}}']),
  'one long text': `{"out_trade_no":"${'o'.repeat(size)}","reason":"${'r'.repeat(500)}"}`,
  'a long list': filled(() => '"x"', ['{"event_types":[', ']}']),
  'deep lists': `${'['.repeat(size / 2)}${']'.repeat(size / 2)}`,
  'deep names': `{"metadata":{"__proto__":${'{"a":'.repeat(3_000)}1${'}'.repeat(3_000)}}}`,
  'many quotes': `{"description":"${'\\"'.repeat(size / 2)}"}`,
}

const queries = [
  'a&'.repeat(3_500),
  'a=1&'.repeat(1_700),
  `state=${','.repeat(3_900)}`,
  `cursor=${'%25'.repeat(1_300)}`,
]
const long_name = 'z'.repeat(3_000)

/** Every address that this process answers, with the longest name that fits into its place. */
const routes: [method: string, path: string][] = [
  ...endpoints.map(({ method, path }): [string, string] => [method, path.replace(/\{\w+\}/g, long_name)]),
  ...endpoints.map(({ method, path }): [string, string] => [method, path.replace(/\{\w+\}/g, 'WALK-1')]),
  ...['', '/cancel'].map((below): [string, string] => [below === '' ? 'GET' : 'POST', `/v1/checkouts/WALK-C${below}`]),
  ...['', '/order', '/code.svg'].map((below): [string, string] => ['GET', `/pay/${token}${below}`]),
  ...['/check', '/code'].map((below): [string, string] => ['POST', `/pay/${token}${below}`]),
  ...[token, checkout_token].map((each): [string, string] => ['GET', `/pay/${each}/wechat`]),
  ...['', '/order', '/code.svg'].map((below): [string, string] => ['GET', `/pay/${checkout_token}${below}`]),
  ...['/check', '/code', '/pay'].map((below): [string, string] => ['POST', `/pay/${checkout_token}${below}`]),
  ['GET', `/pay/${long_name}`],
  ['HEAD', `/pay/${token}/events`],
  ['GET', '/pay/assets/checkout.js'],
  ['POST', `/wechat/notify/${mchid}`],
  ['POST', `/wechat/notify/${long_name}`],
  ['GET', '/healthz'],
  ['GET', '/openapi.json'],
  ['GET', '/docs'],
  ['GET', `/docs/errors/${long_name}`],
  ['GET', `/${long_name}`],
]

/** 6 kB of headers: with the address they are just short of the 8 kB that are read at all. */
const headers = {
  accept: 'application/json,'.repeat(50),
  'accept-language': 'zh;q=0.9,'.repeat(100),
  'request-id': 'i'.repeat(500),
  'user-agent': 'u'.repeat(500),
  'wechatpay-signature': 's'.repeat(344),
  'wechatpay-serial': 'S'.repeat(300),
  'wechatpay-nonce': 'n'.repeat(300),
}

describe('one log line, whatever is in it', () => {
  it.each(['z', 'z-', 'o', 'Bearer ', 'weft_test_', '"token":"', 'a://b:', '-----BEGIN A PRIVATE KEY-----', 'openid='])(
    'costs little processor time: %s again and again',
    async (part) => {
      const text = part.repeat(12_000 / part.length)
      const ms = await cost(() => Promise.resolve(maskText(text).length), line_limit_ms)
      expect(ms).toBeLessThan(line_limit_ms)
    },
  )
})

describe('one request, however long it is', () => {
  const each = routes.map(([method, path]) => ({ name: `${method} ${path.slice(0, 60)}`, method, path }))

  it.each(each)('costs little processor time: $name', async ({ method, path }) => {
    const is_long = path.includes(long_name)
    // A checkout takes few wishes in a row, and what it refuses is looked at all the same.
    const refusals = path.endsWith('/pay') ? [431] : [429, 431]
    const asked = { 'accept-language': 'zh', 'accept-encoding': 'gzip, deflate, br' }
    const key = { authorization: `Bearer ${stage.key.token}`, ...asked }
    const costs: Record<string, number> = {}
    for (const query of is_long ? [''] : queries)
      costs[`?${query.slice(0, 8)}`] = await cost(() => send(method, `${path}?${query}`, key, ''), limit_ms, refusals)
    const json = { ...key, ...headers, 'content-type': 'application/json' }
    for (const [name, body] of method === 'POST' && !is_long ? Object.entries(bodies) : [])
      costs[name] = await cost(() => send(method, path, json, body), limit_ms, refusals)
    expect(Object.entries(costs).filter(([, ms]) => ms > limit_ms)).toEqual([])
  })
})
