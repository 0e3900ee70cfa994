import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { afterAll, describe, expect, inject, it } from 'vitest'
import { startApi } from '../../api/main.ts'
import type { RunningApi } from '../../api/main.ts'
import { applyMerchantFile } from '../../cli/merchant.ts'
import { readConfig } from '../../runtime/config.ts'
import type { Config } from '../../runtime/config.ts'
import { silentLogger } from '../../runtime/logger.ts'
import type { LogFields } from '../../runtime/logger.ts'
import { createSealer } from '../../store/sealer.ts'
import { openStore } from '../../store/store.ts'
import { merchantFile } from '../cli/sample.ts'
import { until, within } from '../stage/until.ts'

const environment = {
  TEMPORAL_ADDRESS: inject('temporal_address'),
  MONGODB_URI: inject('mongodb_uri'),
  WEFT_DATABASE: `weft_${randomBytes(5).toString('hex')}`,
  WEFT_MASTER_KEY: randomBytes(32).toString('base64'),
  WEFT_PORT: '0',
  WEFT_METRICS_PORT: '0',
  WEFT_DRAIN_MS: '0',
}
const running: RunningApi[] = []
afterAll(async () => {
  await Promise.all(running.map((api) => api.close()))
})

async function start(given: Partial<Record<string, string>> = {}, log = silentLogger): Promise<RunningApi> {
  const api = await startApi({ config: readConfig({ ...environment, ...given }), log })
  running.push(api)
  return api
}

async function read(api: RunningApi, path: string) {
  const is_private = path === '/readyz' || path === '/metrics'
  const answer = await fetch(`${is_private ? api.metrics_url : api.url}${path}`)
  return { status: answer.status, text: await answer.text() }
}

describe('the process', () => {
  it('is up, ready, and tells its numbers', async () => {
    const api = await start()
    expect((await read(api, '/healthz')).status).toBe(200)
    expect(JSON.parse((await read(api, '/readyz')).text)).toEqual({ status: 'ready', database: 'ok', temporal: 'ok' })
    await read(api, '/v1/orders')
    const metrics = await read(api, '/metrics')
    expect(metrics.text).toMatch(/weft_http_request_seconds_count\{method="GET",route="\/v1\/orders",status="401"\} 1/)
  })

  it('shows its numbers and its state on their own port only, whatever the spelling', async () => {
    const api = await start()
    for (const path of ['/metrics', '/METRICS', '/readyz', '/readyz/', '/HEALTHZ', '/healthz/', '/V1/orders', '/DOCS'])
      expect([path, (await fetch(`${api.url}${path}`)).status]).toEqual([path, 404])
  })

  it('says on /readyz that it ends, and takes requests until the balancer has read it', async () => {
    /** What is answered while it ends in so many milliseconds; null: a busy machine was too slow to ask within them. */
    const answered = async (drain_ms: number) => {
      const api = await start({ WEFT_DRAIN_MS: String(drain_ms) })
      const closed = api.close()
      const ask = async () => [await read(api, '/readyz'), await fetch(`${api.url}/healthz`)] as const
      const answers = await ask().catch(() => null)
      await closed
      await expect(fetch(`${api.url}/healthz`)).rejects.toThrow()
      return answers
    }
    const answers = (await answered(1_500)) ?? (await answered(10_000)) ?? (await answered(60_000))
    const [ready, health] = answers ?? []
    expect(JSON.parse(ready?.text ?? '{}')).toMatchObject({ status: 'draining' })
    expect([health?.status, health?.headers.get('connection')]).toEqual([200, 'close'])
  })

  it('starts without Temporal and without a database, and says which of them is away', async () => {
    const warned: [string, LogFields][] = []
    const warn = (message: string, fields: LogFields = {}) => void warned.push([message, fields])
    const away = { TEMPORAL_ADDRESS: '127.0.0.1:1', MONGODB_URI: 'mongodb://127.0.0.1:1' }
    const api = await start(away, { ...silentLogger, warn })
    const said = new Map(warned)
    expect(said.get('Temporal is not there yet; orders are taken once it is')).toMatchObject({
      setting: 'TEMPORAL_ADDRESS',
      address: '127.0.0.1:1',
    })
    const unfit = said.get('the database is not there yet; the settings are held against its merchants once it is')
    expect(String(unfit?.['error'])).toContain('the database at 127.0.0.1:1, which MONGODB_URI names, did not answer')
    const { status, text } = await read(api, '/readyz')
    expect(status).toBe(503)
    expect(JSON.parse(text)).toEqual({ status: 'waiting', database: 'away', temporal: 'away' })
    expect((await read(api, '/healthz')).status).toBe(200)
    const token = `weft_test_${randomBytes(32).toString('base64url')}`
    const answer = await fetch(`${api.url}/v1/orders`, { headers: { authorization: `Bearer ${token}` } })
    const problem = (await answer.json()) as { code: string; retryable: boolean; part: string }
    expect([answer.status, problem.code, problem.retryable, problem.part]).toEqual([
      503,
      'unavailable',
      true,
      'database',
    ])
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
  })

  it('lets a request under way end before it closes', async () => {
    const config = readConfig({ ...environment, WEFT_DATABASE: `weft_${randomBytes(5).toString('hex')}` })
    const sealer = createSealer({ keys: config.master_keys })
    const store = await openStore({ uri: config.mongodb_uri, database: config.database, sealer })
    const file = merchantFile({ keys: [{ name: 'shop', scopes: ['orders:write'] }] })
    const { keys } = await applyMerchantFile(store, config, file)
    await store.close()
    const api = await startApi({ config, log: silentLogger })
    const headers = {
      authorization: `Bearer ${keys[0]?.token}`,
      'content-type': 'application/json',
      expect: '100-continue',
    }
    const sent = request(`${api.url}/v1/orders`, { method: 'POST', headers })
    const answered = once(sent, 'response')
    sent.flushHeaders()
    await once(sent, 'continue') // the server has it, and waits for the body
    const closed = api.close()
    const isRefused = () =>
      read(api, '/healthz').then(
        () => false,
        () => true,
      )
    await until('no other request is taken', isRefused)
    sent.end('{}')
    const [answer] = (await answered) as [IncomingMessage]
    answer.resume()
    expect(answer.statusCode).toBe(400)
    await within(10_000, () => closed) // requests under way have 24 s, and this one has ended
  })

  it('does not start where time is scaled and a live merchant is', async () => {
    const config: Config = readConfig({
      ...environment,
      WEFT_DATABASE: `weft_${randomBytes(5).toString('hex')}`,
      WEFT_PUBLIC_URL: 'https://pay.example.cn',
    })
    const sealer = createSealer({ keys: config.master_keys })
    const store = await openStore({ uri: config.mongodb_uri, database: config.database, sealer })
    await applyMerchantFile(store, config, merchantFile({ mode: 'live', notify_url: 'https://pay.example.cn/n' }))
    await store.close()
    const other = [{ id: '1', key: randomBytes(32).toString('base64') }]
    await expect(startApi({ config: { ...config, master_keys: other }, log: silentLogger })).rejects.toThrow(
      /WEFT_MASTER_KEY does not open/,
    )
    await expect(startApi({ config: { ...config, time_scale: 60 }, log: silentLogger })).rejects.toThrow(
      /WEFT_TIME_SCALE/,
    )
  })

  it('takes over a port that is held for it until it listens, so that nobody else can have it meanwhile', async () => {
    const holder = createServer().listen(0, '127.0.0.1')
    await once(holder, 'listening')
    const { port } = holder.address() as AddressInfo
    const config = readConfig({ ...environment, WEFT_PORT: String(port) })
    const freePort = async () => void (await once(holder.close(), 'close'))
    const api = await startApi({ config, log: silentLogger, freePort })
    running.push(api)
    expect([api.url, holder.listening]).toEqual([`http://127.0.0.1:${port}`, false])
  })

  it('says which port is taken', async () => {
    const api = await start()
    await expect(start({ WEFT_PORT: new URL(api.url).port })).rejects.toThrow(/WEFT_PORT \d+ is taken/)
  })
})

describe('the documentation', () => {
  it('is served as OpenAPI and as a page that loads nothing from elsewhere', async () => {
    const api = await start()
    const document = JSON.parse((await read(api, '/openapi.json')).text) as { openapi: string }
    expect(document.openapi).toBe('3.1.0')
    const page = await read(api, '/docs')
    expect(page.text).toContain('/v1/orders/{out_trade_no}/fulfilment')
    expect(page.text).not.toMatch(/(src|href)="https?:/)
    expect(page.text).toContain('Have an order paid')
    const chinese = await fetch(`${api.url}/`, { headers: { 'accept-language': 'zh-CN' } })
    expect([chinese.url, chinese.headers.get('content-language')]).toEqual([`${api.url}/docs`, 'zh-CN'])
    expect(await chinese.text()).toContain('创建订单')
    expect((await read(api, '/docs/errors/no_such_code')).status).toBe(404)
  })
})
