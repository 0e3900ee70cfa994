import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { CheckoutRecord } from '../../../domain/checkout/record.ts'
import { startSimulator } from '../../stage/simulator.ts'
import { createDispatcher } from '../../../wechat/connection.ts'
import { fetchOpenid, wechat_oauth } from '../../../wechat/openid.ts'
import { agents } from '../../browser/agents.ts'
import { openCounter, page_appid } from '../counter.ts'
import { Client, makeMerchant } from '../../simulator/client.ts'
import { browsersAt, locationOf } from './visitor.ts'

/** The page with a WeChat that really answers, or not. */
const [counter, simulator] = await Promise.all([
  openCounter(),
  startSimulator({ port: 0, probe_rate: 0, hold_ms: 100 }),
])
const dispatcher = createDispatcher()
const browser = browsersAt(counter)
const mchid = '1900000001'

beforeAll(async () => {
  const app = {
    appid: page_appid,
    kind: 'official_account',
    secret: 'the-secret-of-the-app',
    oauth_domain: '127.0.0.1',
  }
  await new Client(simulator.url, makeMerchant(mchid)).register({ apps: [app] })
  const origins = { ...wechat_oauth, exchange: simulator.url }
  counter.onExchange = (exchange) => fetchOpenid({ dispatcher, origins }, exchange)
})

afterEach(async () => {
  simulator.control.removeFaults(null)
  await counter.store.merchants.liftAttention(mchid, 'payer_unknown')
  counter.exchanges.length = 0
})

afterAll(async () => {
  await dispatcher.close()
  await simulator.close()
  await counter.close()
})

const attentionOf = async () =>
  (await counter.store.merchants.find(mchid))?.attentions?.find(({ code }) => code === 'payer_unknown')?.detail

/** A payer in WeChat taps, and is sent to WeChat and back until he is left on the page again. */
async function tap(checkout: CheckoutRecord, given = browser(agents['WeChat on Android'].agent)) {
  let url = String((await given.pay(checkout))['errand_url'])
  for (let ways = 1; ways <= 3; ways += 1) {
    const { search } = new URL(url)
    const headers = { 'user-agent': agents['WeChat on Android'].agent }
    const back = await fetch(`${simulator.url}/connect/oauth2/authorize${search}`, { headers, redirect: 'manual' })
    const answer = await given.request(locationOf(back))
    url = new URL(locationOf(answer), `${counter.url}/pay/${checkout.token}/wechat`).href
    if (!url.startsWith(wechat_oauth.authorise)) return { visitor: given, query: new URL(url).search, ways }
  }
  throw new Error('the payer is sent to WeChat a third time')
}

const known = { query: '?lang=zh-CN&paying=1', attention: undefined }
const press_again = { query: '?lang=zh-CN&wechat=failed', says: '请再点一次按钮' }

describe('who the payer is', () => {
  it('is learnt at the first try where nothing goes wrong', async () => {
    const { query, ways } = await tap(await counter.insertCheckout())
    expect({ query, ways }).toEqual({ query: known.query, ways: 1 })
  })

  it.each([
    ['40029', { ways: 2, exchanges: 2 }],
    ['40163', { ways: 2, exchanges: 2 }],
    ['42003', { ways: 2, exchanges: 2 }],
    ['-1', { ways: 2, exchanges: 2 }],
    ['45011', { ways: 2, exchanges: 2 }],
    ['502', { ways: 2, exchanges: 2 }],
    ['html', { ways: 2, exchanges: 2 }],
    ['timeout_before', { ways: 2, exchanges: 2 }],
    ['timeout_after', { ways: 2, exchanges: 2 }],
    ['disconnect_after', { ways: 2, exchanges: 2 }],
    ['slow', { ways: 1, exchanges: 1 }],
  ])('is learnt all the same where WeChat fails once, without a word to anybody: %s', async (fault, expected) => {
    simulator.control.addFault({ operation: 'access_token', fault, times: 1, delay_ms: 10 })
    const checkout = await counter.insertCheckout()
    const { query, ways, visitor } = await tap(checkout)
    expect({ query, attention: await attentionOf() }).toEqual(known)
    expect({ ways, exchanges: counter.exchanges.length }).toEqual(expected)
    expect(await visitor.pay(checkout)).toMatchObject({ call: { kind: 'jsapi' } })
  })

  it.each([
    ['-1', /^wx0000000000000001: -1, twice in a row: api\.weixin\.qq\.com has to be reachable/],
    ['45011', /^wx0000000000000001: 45011, twice in a row: WeChat refuses for now$/],
    ['html', /^wx0000000000000001: no answer, twice in a row/],
    ['502', /^wx0000000000000001: no answer, twice in a row/],
    ['timeout_before', /^wx0000000000000001: no answer, twice in a row/],
    ['timeout_after', /^wx0000000000000001: no answer, twice in a row/],
  ])('is not learnt where WeChat fails twice: the payer is told, and a person called: %s', async (fault, detail) => {
    simulator.control.addFault({ operation: 'access_token', fault, times: 2 })
    const checkout = await counter.insertCheckout()
    const { query, visitor } = await tap(checkout)
    expect(query).toBe(press_again.query)
    expect(await visitor.page(checkout, query)).toContain(press_again.says)
    expect(await attentionOf()).toMatch(detail)
    expect((await tap(checkout, visitor)).query).toBe(known.query) // the button again
    expect(await attentionOf()).toBeUndefined()
  })

  it.each(['40029', '40163', '42003'])(
    'is not learnt where WeChat takes neither of two codes; nobody is called, since anybody can make up codes: %s',
    async (fault) => {
      simulator.control.addFault({ operation: 'access_token', fault, times: 2 })
      const checkout = await counter.insertCheckout()
      const { query, visitor } = await tap(checkout)
      expect({ query, attention: await attentionOf() }).toEqual({ query: press_again.query, attention: undefined })
      expect(await visitor.page(checkout, query)).toContain(press_again.says)
    },
  )

  it.each(['40001', '40013', '40125', '40164', '48001', '50002'])(
    'is not learnt where the account is not set up: another way is told, and a person called: %s',
    async (fault) => {
      simulator.control.addFault({ operation: 'access_token', fault })
      const checkout = await counter.insertCheckout()
      const { visitor, ways } = await tap(checkout)
      expect(ways).toBe(1)
      expect(await visitor.view(checkout)).toMatchObject({
        scene: 'advised',
        way: { advice: 'open_in_browser', obstacle: 'refused' },
      })
      expect(await visitor.page(checkout)).toContain('请在手机浏览器里打开本页')
      expect(await attentionOf()).toMatch(new RegExp(`^wx0000000000000001: ${fault}, `))
    },
  )

  it('calls a person by what has to be set up, also where WeChat failed before that, and not the other way round', async () => {
    const checkout = await counter.insertCheckout()
    simulator.control.addFault({ operation: 'access_token', fault: '-1', times: 2 })
    await tap(checkout)
    expect(await attentionOf()).toMatch(/^wx0000000000000001: -1, twice in a row/)
    const since = (await counter.store.merchants.find(mchid))?.attentions?.[0]?.since_time
    simulator.control.addFault({ operation: 'access_token', fault: '40125', times: 1 })
    await tap(checkout)
    expect(await attentionOf()).toMatch(/^wx0000000000000001: 40125, /)
    simulator.control.addFault({ operation: 'access_token', fault: '-1', times: 2 })
    await tap(checkout)
    const { attentions } = (await counter.store.merchants.find(mchid)) ?? {}
    expect(attentions).toMatchObject([{ since_time: since, detail: expect.stringMatching(/: 40125, /) as string }])
  })

  it('is said to be nobody where WeChat shows the page to a visitor', async () => {
    simulator.control.addFault({ operation: 'access_token', fault: 'visitor' })
    const checkout = await counter.insertCheckout()
    const { query, visitor } = await tap(checkout)
    expect(query).toBe('?lang=zh-CN&wechat=visitor')
    expect(await visitor.page(checkout, query)).toContain('使用完整服务')
    expect(await attentionOf()).toBeUndefined()
  })
})
