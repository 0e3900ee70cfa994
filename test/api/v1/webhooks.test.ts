import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { beijingTime } from '../../../domain/calendar.ts'
import type { ProblemBody } from '../../../api/http/problem.ts'
import { urlObjection } from '../../../runtime/address.ts'
import type { FulfilmentMode } from '../../../domain/merchant/record.ts'
import { Stage } from '../../stage/stage.ts'

const stage = await Stage.open({ worker: false })
afterAll(async () => {
  await stage.close()
})

interface EndpointAnswer extends ProblemBody {
  id: string
  role: string
  url: string
  secret?: string
  secrets: { hint: string }[]
}
const add = (body: object) => stage.call<EndpointAnswer>('POST', '/v1/endpoints', body)
const list = async () => (await stage.call<{ data: EndpointAnswer[] }>('GET', '/v1/endpoints')).body.data
const remove = (id: string) => stage.call<ProblemBody>('DELETE', `/v1/endpoints/${id}`)

async function setMode(mode: FulfilmentMode): Promise<void> {
  const merchant = await stage.store.merchants.find(stage.mchid)
  if (!merchant) throw new Error('no merchant')
  const { settings } = merchant
  await stage.store.merchants.updateSettings(stage.mchid, { ...settings, fulfilment: { ...settings.fulfilment, mode } })
}

beforeEach(async () => {
  await setMode('none')
  for (const { id } of await list()) await remove(id)
})

describe('an endpoint', () => {
  it('is given its secret once, and keeps it sealed', async () => {
    const { status, body } = await add({ url: 'https://shop.example.cn/weft', event_types: ['order.paid'] })
    expect(status).toBe(201)
    expect(body.secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
    expect(body).toMatchObject({ role: 'observer', secrets: [{ hint: body.secret?.slice(-4) }] })
    const shown = await stage.call<EndpointAnswer>('GET', `/v1/endpoints/${body.id}`)
    expect(JSON.stringify(shown.body)).not.toContain(body.secret)
    const stored = await stage.store.endpoints.findPublic(stage.mchid, body.id)
    expect(JSON.stringify(stored)).not.toContain(body.secret)
    expect(stored && stage.store.endpoints.openSecrets(stored, Date.now())).toEqual([body.secret])
  })

  it('of the same URL is the existing one, without its secret', async () => {
    const first = await add({ url: 'https://shop.example.cn/weft' })
    const again = await add({ url: 'https://shop.example.cn/weft' })
    expect([again.status, again.body.id, again.headers.get('weft-replay')]).toEqual([200, first.body.id, 'true'])
    expect(again.body).not.toHaveProperty('secret')
  })

  it('of the same URL with other wishes is refused, and the answer names them', async () => {
    const first = await add({ url: 'https://shop.example.cn/weft', event_types: ['order.paid', 'order.closed'] })
    const same = await add({ url: 'https://shop.example.cn/weft#', event_types: ['order.closed', 'order.paid'] })
    expect([same.status, same.body.id]).toEqual([200, first.body.id])
    const twice = await add({
      url: 'https://shop.example.cn/weft?',
      event_types: ['order.paid', 'order.paid', 'order.closed'],
    })
    expect([twice.status, twice.body.id]).toEqual([200, first.body.id])
    const other = await add({ url: 'https://shop.example.cn/weft', role: 'fulfilment' })
    expect([other.status, other.body.code, other.body['endpoint_id']]).toEqual([409, 'endpoint_exists', first.body.id])
    expect(other.body.errors.map(({ field }) => field)).toEqual(['/role', '/event_types'])
    expect((await list()).map(({ url }) => url)).toEqual(['https://shop.example.cn/weft'])
  })

  it('that was moved is known by where its events go, and is not taken for one where they went', async () => {
    const { body } = await add({ url: 'https://old.example.cn/weft' })
    await stage.store.endpoints.move(stage.mchid, body.id, 'https://new.example.cn/weft')
    const there = await add({ url: 'https://new.example.cn/weft' })
    expect([there.status, there.body.id]).toEqual([200, body.id])
    const before = await add({ url: 'https://old.example.cn/weft' })
    expect([before.status, before.body.code, before.body['endpoint_id']]).toEqual([409, 'endpoint_exists', body.id])
    expect(before.body.errors.map(({ field }) => field)).toEqual(['/url'])
    expect(await list()).toHaveLength(1)
  })

  it('that was disabled is enabled by hand, and is not pinged before', async () => {
    const { body } = await add({ url: 'https://shop.example.cn/weft' })
    const stored = await stage.store.endpoints.findPublic(stage.mchid, body.id)
    await stage.store.endpoints.disable(stored?._id ?? '', 'answered 410 Gone', stored?.create_time ?? '')
    const ping = await stage.call<ProblemBody>('POST', `/v1/endpoints/${body.id}/ping`)
    expect([ping.status, ping.body.code]).toEqual([409, 'endpoint_disabled'])
    expect(ping.body.remedy).toContain(`/v1/endpoints/${body.id}/enable`)
    const enabled = await stage.call<EndpointAnswer>('POST', `/v1/endpoints/${body.id}/enable`)
    expect([enabled.status, enabled.body]).toMatchObject([200, { state: 'enabled', disable_reason: null }])
    expect((await stage.call<ProblemBody>('POST', '/v1/endpoints/ep_nothing/enable')).status).toBe(404)
  })

  it('is one of sixteen at most, also when many are added at once', async () => {
    const urls = Array.from({ length: 20 }, (_, number) => `https://shop.example.cn/weft/${number}`)
    const answers = await Promise.all(urls.map((url) => add({ url })))
    const refused = answers.filter(({ status }) => status === 409)
    expect(new Set(refused.map(({ body }) => body.code))).toEqual(new Set(['endpoint_limit_reached']))
    expect(refused.length).toBeGreaterThanOrEqual(4)
    const left = await list()
    expect(left.length).toBeLessThanOrEqual(16)
    for (let number = left.length; number < 16; number += 1)
      expect((await add({ url: `https://shop.example.cn/more/${number}` })).status).toBe(201)
    expect((await add({ url: 'https://shop.example.cn/beyond' })).body.code).toBe('endpoint_limit_reached')
    expect((await add({ url: left[0]?.url })).status).toBe(200)
  })

  it('is one of sixteen at most, though the process that added the last has a clock that is ahead', async () => {
    for (let number = 0; number < 15; number += 1) await add({ url: `https://shop.example.cn/weft/${number}` })
    const [one] = await stage.store.endpoints.list(stage.mchid)
    if (one === undefined) throw new Error('no endpoint was added')
    const ahead = { _id: `${one._id}-16`, id: `${one.id}16`, url: 'https://shop.example.cn/weft/16' }
    await stage.store.endpoints.add({ ...one, ...ahead, create_time: beijingTime(Date.now() + 60_000) })
    expect((await add({ url: 'https://shop.example.cn/beyond' })).body.code).toBe('endpoint_limit_reached')
    expect(await list()).toHaveLength(16)
  })

  it('that is deleted is gone', async () => {
    const { body } = await add({ url: 'https://shop.example.cn/weft' })
    expect((await remove(body.id)).status).toBe(204)
    expect((await remove(body.id)).status).toBe(404)
    expect(await list()).toEqual([])
  })
})

describe('the fulfilment endpoint', () => {
  it('is one: a second is refused and leaves no trace', async () => {
    const first = await add({ url: 'https://shop.example.cn/a', role: 'fulfilment' })
    const second = await add({ url: 'https://shop.example.cn/b', role: 'fulfilment' })
    expect([second.status, second.body.code, second.body['endpoint_id']]).toEqual([
      409,
      'fulfilment_endpoint_exists',
      first.body.id,
    ])
    expect((await list()).map(({ url }) => url)).toEqual(['https://shop.example.cn/a'])
  })

  it('is one even when many are added at once', async () => {
    const urls = Array.from({ length: 8 }, (_, n) => `https://shop.example.cn/${n}`)
    const answers = await Promise.all(urls.map((url) => add({ url, role: 'fulfilment' })))
    const made = answers.filter(({ status }) => status === 201)
    expect(made).toHaveLength(1)
    expect((await list()).map(({ id }) => id)).toEqual(made.map(({ body }) => body.id))
    const merchant = await stage.store.merchants.find(stage.mchid)
    expect(merchant?.fulfilment_endpoint_id).toBe(made[0]?.body.id)
  })

  it('gives its place to another when it is told to, and stays as an observer', async () => {
    const { body: before } = await add({ url: 'https://shop.example.cn/a', role: 'fulfilment' })
    const { body: mine } = await add({ url: 'https://shop.example.cn/b', event_types: ['order.paid'] })
    await setMode('event')
    const promote = () => stage.call<EndpointAnswer>('POST', `/v1/endpoints/${mine.id}/fulfilment`)
    expect((await promote()).body).toMatchObject({ id: mine.id, role: 'fulfilment', event_types: ['*'] })
    expect((await promote()).status).toBe(200)
    expect((await stage.store.merchants.find(stage.mchid))?.fulfilment_endpoint_id).toBe(mine.id)
    expect((await list()).map(({ id, role }) => [id, role])).toEqual([
      [before.id, 'observer'],
      [mine.id, 'fulfilment'],
    ])
    expect((await remove(before.id)).status).toBe(204)
  })

  it('cannot be deleted while its answers decide, and leaves its place free when it goes', async () => {
    const { body } = await add({ url: 'https://shop.example.cn/a', role: 'fulfilment' })
    await setMode('event')
    const refused = await remove(body.id)
    expect([refused.status, refused.body.code]).toEqual([409, 'endpoint_in_use'])
    await setMode('confirm')
    expect((await remove(body.id)).status).toBe(204)
    expect((await add({ url: 'https://shop.example.cn/b', role: 'fulfilment' })).status).toBe(201)
  })

  it('is completed by the repeat when a crash left it without its place and nobody saw its secret', async () => {
    const request = { url: 'https://shop.example.cn/a', role: 'fulfilment' }
    const { body: first } = await add(request)
    await stage.store.merchants.setFulfilmentEndpoint(stage.mchid, null, first.id)
    const again = await add(request)
    expect([again.status, again.body.id]).toEqual([201, first.id])
    expect((await stage.store.merchants.find(stage.mchid))?.fulfilment_endpoint_id).toBe(first.id)
    const stored = await stage.store.endpoints.findPublic(stage.mchid, first.id)
    const signing = stored && stage.store.endpoints.openSecrets(stored, Date.now())
    expect(signing).toEqual([first.secret, again.body.secret])
    const third = await add(request)
    expect([third.status, third.body.secret]).toEqual([200, undefined])
  })

  it('hears everything: it does not choose its events', async () => {
    const { status, body } = await add({ url: 'https://a.cn/', role: 'fulfilment', event_types: ['order.paid'] })
    expect([status, body.errors[0]?.field]).toEqual([400, '/event_types'])
  })
})

describe('a URL for events', () => {
  it.each([
    'http://shop.example.cn/',
    'https://localhost/',
    'https://shop.local/',
    'https://db.internal/',
    'https://intranet/',
    'https://127.0.0.1/',
    'https://10.0.0.8/',
    'https://192.168.1.1/',
    'https://169.254.169.254/latest/meta-data',
    'https://100.64.0.1/',
    'https://0.0.0.0/',
    'https://2130706433/',
    'https://[::1]/',
    'https://[::ffff:10.0.0.1]/',
    'https://[fd00::1]/',
    'https://user:password@shop.example.cn/',
    'https://shop.example.cn/#part',
    'ftp://shop.example.cn/',
    'shop.example.cn',
  ])('may not be %s', (url) => {
    expect(urlObjection(url, false)).not.toBeNull()
  })

  it.each([
    'https://shop.example.cn/weft?x=1',
    'https://203.119.24.1/',
    'https://[::ffff:203.119.24.1]/',
    'https://[2606:4700::1111]/',
  ])('may be %s', (url) => {
    expect(urlObjection(url, false)).toBeNull()
  })

  it('may be on this machine in development only', async () => {
    expect(urlObjection('http://127.0.0.1:3000/weft', true)).toBeNull()
    const refused = await add({ url: 'ftp://shop.example.cn/' })
    expect([refused.status, refused.body.code]).toEqual([422, 'endpoint_url_forbidden'])
  })
})
