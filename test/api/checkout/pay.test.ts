import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { Problem } from '../../../api/http/problem.ts'
import type { CheckoutRecord } from '../../../domain/checkout/record.ts'
import type { OrderRecord } from '../../../domain/order/record.ts'
import { agents } from '../../browser/agents.ts'
import { refundSample } from '../../stage/dossiers.ts'
import { browsersAt, locationOf, payer_address } from './visitor.ts'
import {
  fromNow,
  minute_ms,
  openCounter,
  openNext,
  page_appid,
  paid,
  payer_openid,
  tradingMerchant,
} from '../counter.ts'

const counter = await openCounter()

afterAll(async () => {
  await counter.close()
})

beforeEach(async () => {
  counter.wishes.length = 0
  counter.exchanges.length = 0
  counter.warnings.length = 0
  counter.onOpen = onOpen
  counter.onExchange = () => ({ kind: 'openid', openid: payer_openid })
  const { mchid } = tradingMerchant(counter.store)
  const current = await counter.store.merchants.find(mchid)
  await counter.store.merchants.save({ ...tradingMerchant(counter.store), revision: current?.revision ?? 0 })
  await counter.store.merchants.liftAttention(mchid, 'payer_unknown')
})

const { onOpen } = counter
const browser = browsersAt(counter)
const windows = agents['Chrome on Windows'].agent
const iphone = agents['Safari on an iPhone'].agent
const android = agents['Chrome on Android'].agent
const wechat = agents['WeChat on an iPhone'].agent

/** A browser inside WeChat whose payer is known. */
async function knownPayer(checkout: CheckoutRecord) {
  const visitor = browser(wechat)
  const { errand_url } = await visitor.pay(checkout)
  await visitor.errand(checkout, errand_url)
  return visitor
}

describe('opening a checkout’s page', () => {
  it.each(Object.entries(agents))('places nothing, whatever is read of it: %s', async (_name, { agent }) => {
    const checkout = await counter.insertCheckout()
    const visitor = browser(agent)
    for (const path of ['', '/order', '/events', '/code.svg', '/wechat?code=1&state=2', '?paying=1'])
      await (await visitor.request(`/pay/${checkout.token}${path}`)).text()
    await visitor.request(`/pay/${checkout.token}`, 'HEAD')
    expect(counter.wishes).toEqual([])
    expect(counter.exchanges).toEqual([])
    expect((await counter.store.checkouts.findById(checkout._id))?.orders).toEqual([])
  })

  it('says how it is paid there, and tells nobody what is the merchant’s', async () => {
    const checkout = await counter.insertCheckout({ attach: 'attached-for-us', reference: 'sale-7' })
    expect(await browser(windows).view(checkout)).toMatchObject({ scene: 'ready', way: { trade_type: 'NATIVE' } })
    expect(await browser(wechat).view(checkout)).toMatchObject({ scene: 'ready', way: { trade_type: 'JSAPI' } })
    expect(await browser(iphone).view(checkout)).toMatchObject({ scene: 'ready', way: { trade_type: 'MWEB' } })
    const mini = browser(agents['a mini program’s web-view on Android'].agent)
    expect(await mini.view(checkout)).toMatchObject({ scene: 'advised', way: { advice: 'open_in_wechat' } })
    const text = JSON.stringify(await browser(windows).view(checkout)) + (await browser(windows).page(checkout))
    for (const secret of [checkout.mchid, page_appid, 'for-the-merchant-only', 'attached-for-us', 'sale-7'])
      expect(text).not.toContain(secret)
  })

  it('keeps the address from WeChat but for the site, and only where it leads there', async () => {
    const checkout = await counter.insertCheckout()
    const policyIn = async (agent: string) =>
      (await browser(agent).request(`/pay/${checkout.token}`)).headers.get('referrer-policy')
    expect([await policyIn(iphone), await policyIn(windows), await policyIn(wechat)]).toEqual([
      'origin',
      'no-referrer',
      'no-referrer',
    ])
  })
})

describe('a computer', () => {
  it('is given a code to scan', async () => {
    const checkout = await counter.insertCheckout()
    const visitor = browser(windows)
    const answer = await visitor.pay(checkout)
    expect(counter.wishes).toEqual([{ trade_type: 'NATIVE' }])
    expect(answer).toMatchObject({
      scene: 'waiting',
      turn: 1,
      code: { url: expect.stringContaining('weixin://') as string },
    })
    expect(answer['call']).toBeUndefined()
    expect((await visitor.request(`/pay/${checkout.token}/code.svg`)).status).toBe(200)
  })

  it('is given the page’s own link as a code where only phones can pay', async () => {
    const checkout = await counter.insertCheckout({ methods: ['JSAPI'] })
    const page = await browser(windows).page(checkout)
    expect(page).toContain('请用手机打开本页')
    expect(page).toContain('aria-label="本页链接的二维码"')
    expect((await browser(windows).pay(checkout))['scene']).toBe('advised')
    expect(counter.wishes).toEqual([])
  })
})

describe('a phone’s browser', () => {
  it('is led to WeChat and back to this page, by the payer’s own address', async () => {
    const checkout = await counter.insertCheckout({ return_url: 'https://shop.example.cn/thanks' })
    const phone = browser(android)
    await phone.page(checkout)
    const { call } = (await phone.pay(checkout)) as { call: { kind: string; h5_url: string } }
    const wish = { trade_type: 'MWEB', payer_client_ip: payer_address, h5_type: 'Android' }
    expect(counter.wishes).toMatchObject([wish])
    expect(call.kind).toBe('h5')
    expect(new URL(call.h5_url).searchParams.get('redirect_url')).toBe(checkout.checkout_url)
  })

  it('is the same payer when its address changes, and another than the phone beside it', async () => {
    const checkout = await counter.insertCheckout()
    const [phone, beside] = [browser(android), browser(android)]
    for (const one of [phone, beside]) await one.page(checkout)
    await phone.pay(checkout)
    await (await phone.request(`/pay/${checkout.token}/pay`, 'POST', { 'x-forwarded-for': '2001:db8::7' })).text()
    await phone.page(checkout)
    await phone.pay(checkout)
    await beside.pay(checkout)
    const [first, ...others] = counter.wishes.map(({ known_by }) => known_by)
    expect(first).toMatch(/^[0-9a-f]{32}$/)
    expect(others.map((name) => name === first)).toEqual([true, true, false])
    expect(counter.wishes.map(({ payer_client_ip }) => payer_client_ip)).toEqual([
      payer_address,
      '2001:db8::7',
      payer_address,
      payer_address,
    ])
  })

  it('that keeps no cookies is one payer with all that keep none: its addresses must not use the checkout up', async () => {
    const checkout = await counter.insertCheckout()
    const addresses = [payer_address, '2001:db8::7', '203.0.114.9']
    for (const address of addresses) {
      const phone = browser(android, { address })
      await phone.page(checkout)
      phone.jar.clear()
      await phone.pay(checkout)
    }
    const wished = counter.wishes.map(({ payer_client_ip, known_by }) => [payer_client_ip, known_by])
    expect(wished).toEqual(addresses.map((address) => [address, 'unknown']))
  })

  it('has a name of its own again once its page is opened, where it wished to pay when that had ended', async () => {
    const checkout = await counter.insertCheckout()
    const phone = browser(android)
    await phone.pay(checkout)
    await phone.page(checkout)
    await phone.pay(checkout)
    expect(counter.wishes.map(({ known_by }) => known_by)).toEqual([
      'unknown',
      expect.stringMatching(/^[0-9a-f]{32}$/) as string,
    ])
  })

  it('that keeps no cookies is not led to WeChat by what was placed for somebody else', async () => {
    const checkout = await counter.insertCheckout()
    const phone = browser(iphone, { accept: 'text/html,*/*;q=0.8' })
    await phone.request(`/pay/${checkout.token}/pay`, 'POST')
    phone.jar.clear()
    expect(await phone.page(checkout)).toContain('wx.tenpay.com')
    expect(await browser(iphone, { address: '203.0.114.8' }).page(checkout)).not.toContain('wx.tenpay.com')
  })

  it('is told to open the page in WeChat where the merchant has no H5', async () => {
    const checkout = await counter.insertCheckout({ methods: ['NATIVE', 'JSAPI'] })
    const page = await browser(iphone).page(checkout)
    expect(page).toContain('请在微信里打开本页')
    expect(page).toContain(`<code id="link">${checkout.checkout_url}</code>`)
  })

  it('is told why not where its address is not known, which WeChat would refuse', async () => {
    const { store } = counter
    const merchant = await store.merchants.find('1900000001')
    if (merchant) await store.merchants.save({ ...merchant, mode: 'live' })
    const checkout = await counter.insertCheckout()
    for (const address of ['192.168.1.5', '127.0.0.1', 'unknown']) {
      const visitor = browser(iphone, { address })
      expect(await visitor.pay(checkout)).toMatchObject({
        scene: 'advised',
        way: { trade_type: null, advice: 'open_in_wechat', obstacle: 'no_address' },
      })
      expect(await visitor.page(checkout)).toContain('无法确认您的网络地址')
    }
    expect(counter.wishes).toEqual([])
    expect(await browser(iphone).view(checkout)).toMatchObject({ way: { trade_type: 'MWEB' } })
  })

  it('without scripts is led by a button to the page, which then has the way to WeChat', async () => {
    const checkout = await counter.insertCheckout()
    const visitor = browser(iphone, { accept: 'text/html,*/*;q=0.8' })
    expect(await visitor.page(checkout, '?lang=en')).toContain(`action="${checkout.token}/pay?lang=en"`)
    const answer = await visitor.request(`/pay/${checkout.token}/pay?lang=en`, 'POST')
    expect([answer.status, locationOf(answer)]).toEqual([303, `../${checkout.token}?lang=en`])
    expect(await visitor.page(checkout, '?lang=en')).toMatch(
      /<noscript>\s*<a class="primary" href="https:\/\/wx\.tenpay\.com[^"]*redirect_url=[^"]*" referrerpolicy="origin">/,
    )
  })
})

describe('a way to WeChat by H5', () => {
  it('is given to the payer alone for whose address it was placed', async () => {
    const checkout = await counter.insertCheckout()
    const payer = browser(iphone)
    await payer.pay(checkout)
    expect(await payer.page(checkout)).toContain('wx.tenpay.com')
    for (const other of [browser(iphone, { address: '203.0.114.8' }), browser(android)]) {
      expect(await other.view(checkout)).toMatchObject({ scene: 'tap' })
      expect(await other.page(checkout)).not.toContain('wx.tenpay.com')
    }
  })
})

describe('what keeps a payer from an order', () => {
  it.each([
    ['rate_limited', '暂时无法下单'],
    ['unavailable', '暂时无法下单'],
    ['checkout_exhausted', '这里无法付款'],
    ['reference_paid', '这里无法付款'],
    ['checkout_over', '这里无法付款'],
    ['merchant_paused', '这里无法付款'],
  ] as const)('is logged and told, with scripts and without: %s', async (code, said) => {
    const checkout = await counter.insertCheckout()
    counter.onOpen = () => Promise.reject(new Problem(code))
    expect(await browser(iphone).pay(checkout)).toMatchObject({ code })
    expect(counter.warnings).toEqual([code])
    const visitor = browser(iphone, { accept: 'text/html,*/*;q=0.8' })
    const answer = await visitor.request(`/pay/${checkout.token}/pay`, 'POST')
    expect(counter.warnings).toEqual([code, code])
    expect(await visitor.page(checkout, new URL(locationOf(answer), checkout.checkout_url).search)).toContain(
      `<p id="check-result" role="status">${said}`,
    )
  })
})

describe('a page inside WeChat', () => {
  it('asks WeChat who its payer is, once, and then pays as him', async () => {
    const checkout = await counter.insertCheckout()
    const visitor = browser(wechat)
    const { errand_url } = await visitor.pay(checkout)
    expect(counter.wishes).toEqual([])
    const url = new URL(String(errand_url))
    expect(url.searchParams.get('scope')).toBe('snsapi_base')
    expect(url.searchParams.get('redirect_uri')).toBe(`${counter.url}/pay/${checkout.token}/wechat`)
    const { answer } = await visitor.errand(checkout, errand_url)
    expect([answer.status, locationOf(answer)]).toEqual([303, `../${checkout.token}?lang=zh-CN&paying=1`])
    expect(counter.exchanges).toEqual([{ appid: page_appid, secret: 'the-secret-of-the-app', code: '071code' }])
    const shown = await visitor.pay(checkout)
    expect(counter.wishes).toEqual([{ trade_type: 'JSAPI', appid: page_appid, openid: payer_openid }])
    expect(shown).toMatchObject({
      scene: 'tap',
      call: {
        kind: 'jsapi',
        appId: page_appid,
        package: expect.stringMatching(/^prepay_id=/) as string,
        paySign: 'signed',
      },
    })
    const told =
      JSON.stringify([shown, [...visitor.jar], await visitor.view(checkout)]) + (await visitor.page(checkout))
    expect(told).not.toContain(payer_openid)
    expect(JSON.stringify(await visitor.view(checkout))).not.toContain('prepay_id') // signed when it is asked for, and only then
  })

  it('uses a code once: a reload and a second tab use none', async () => {
    const checkout = await counter.insertCheckout()
    const visitor = browser(wechat)
    const { errand_url } = await visitor.pay(checkout)
    const { back } = await visitor.errand(checkout, errand_url)
    const again = await visitor.request(`${back.pathname}${back.search}`)
    expect([again.status, locationOf(again)]).toEqual([303, `../${checkout.token}?`])
    expect(counter.exchanges).toHaveLength(1)
    expect(await visitor.pay(checkout)).toMatchObject({ call: { kind: 'jsapi' } })
  })

  it('asks WeChat once for an errand, whoever keeps its cookie and comes back with other codes', async () => {
    const checkout = await counter.insertCheckout()
    const visitor = browser(wechat)
    const { errand_url } = await visitor.pay(checkout)
    const kept = visitor.jar.get('weft_errand') ?? ''
    const replayed = async (code: string) => {
      visitor.jar.set('weft_errand', kept)
      return await visitor.errand(checkout, errand_url, code)
    }
    await replayed('071code')
    await Promise.all(Array.from({ length: 10 }, (_, place) => replayed(`072code${place}`)))
    expect(locationOf((await replayed('073code')).answer)).toBe(`../${checkout.token}?`)
    expect(counter.exchanges.map(({ code }) => code)).toEqual(['071code'])
  })

  it.each([
    ['203.0.116.1', ''],
    ['203.0.116.2', '071 code'],
    ['203.0.116.3', '码'],
    ['203.0.116.4', 'A'.repeat(513)],
  ])('asks WeChat nothing with what is no code, whoever else is behind %s: %j', async (address, code) => {
    const moment = Date.now()
    counter.now = () => moment
    const checkout = await counter.insertCheckout()
    for (let time = 0; time < 20; time++) {
      const visitor = browser(wechat, { address })
      const { answer } = await visitor.errand(checkout, (await visitor.pay(checkout))['errand_url'], code)
      expect(locationOf(answer)).toContain('https://open.weixin.qq.com/connect/oauth2/authorize?')
    }
    expect(counter.exchanges).toEqual([])
    const payer = browser(wechat, { address })
    await payer.errand(checkout, (await payer.pay(checkout))['errand_url'])
    expect(await payer.pay(checkout)).toMatchObject({ call: { kind: 'jsapi' } })
    counter.now = Date.now
  })

  it('asks WeChat once for an errand, also where what it says cannot be written down, and the payer goes on', async () => {
    const checkout = await counter.insertCheckout()
    const visitor = browser(wechat)
    const { errand_url } = await visitor.pay(checkout)
    const kept = visitor.jar.get('weft_errand') ?? ''
    counter.onExchange = () => ({ kind: 'setup', errcode: 40125 })
    const writing = vi.spyOn(counter.store.merchants, 'noteAttention').mockRejectedValueOnce(new Error('it is away'))
    const { answer } = await visitor.errand(checkout, errand_url)
    expect(writing).toHaveBeenCalledOnce()
    writing.mockRestore()
    expect(locationOf(answer)).toBe(`../${checkout.token}?lang=zh-CN&wechat=failed`)
    visitor.jar.set('weft_errand', kept)
    await visitor.errand(checkout, errand_url, '072code')
    expect(counter.exchanges).toHaveLength(1)
  })

  it('has WeChat asked for one checkout at a pace by each address, and payers at others have theirs', async () => {
    const moment = Date.now()
    counter.now = () => moment
    const [asked, other] = [await counter.insertCheckout(), await counter.insertCheckout()]
    counter.onExchange = () => ({ kind: 'unavailable', errcode: null })
    const errands = async (checkout: CheckoutRecord, count: number, address = '203.0.115.7') => {
      const strangers = Array.from({ length: count }, () => browser(wechat, { address }))
      const begun = await Promise.all(strangers.map(async (one) => (await one.pay(checkout))['errand_url']))
      const ends = await Promise.all(strangers.map((one, place) => one.errand(checkout, begun[place])))
      return ends.map(({ answer }) => locationOf(answer))
    }
    counter.logged.length = 0
    const ends = await errands(asked, 40)
    expect(counter.exchanges).toHaveLength(20)
    const again = ends.filter((end) => end.startsWith('https://open.weixin.qq.com/')) // asked, and not answered
    expect(again).toHaveLength(20)
    const told = ends.filter((end) => end === `../${asked.token}?lang=zh-CN&wechat=failed`)
    expect(told).toHaveLength(20)
    expect(counter.logged).toEqual(['WeChat does not say who payers are'])
    await errands(other, 1)
    expect(counter.exchanges).toHaveLength(21)
    await errands(asked, 1, '203.0.115.8')
    expect(counter.exchanges).toHaveLength(22)
    counter.now = Date.now
  })

  it.each([
    ['of 6 kB', 'A'.repeat(6_000)],
    ['that is JSON and no seal', Buffer.from('null').toString('base64url')],
    ['that is a list', Buffer.from('[1]').toString('base64url')],
    ['with a key that nobody has', Buffer.from('{"sealed":"AAAA","key_id":"__proto__"}').toString('base64url')],
    ['with a number for its seal', Buffer.from('{"sealed":5,"key_id":"one"}').toString('base64url')],
    ['with deep lists', Buffer.from('['.repeat(4_000)).toString('base64url')],
  ])('counts a cookie as none: %s', async (_name, cookie) => {
    const checkout = await counter.insertCheckout()
    const visitor = browser(wechat)
    for (const name of ['errand', 'payer', 'refused']) visitor.jar.set(`weft_${name}`, cookie.slice(0, 2_300))
    const answer = await visitor.request(`/pay/${checkout.token}/wechat?code=071code&state=${'0'.repeat(32)}`)
    expect([answer.status, locationOf(answer)]).toEqual([303, `../${checkout.token}?lang=zh-CN&wechat=not_kept`])
    expect(await visitor.pay(checkout)).toHaveProperty('errand_url')
    expect(counter.exchanges).toEqual([])
  })

  it.each([40163, 40029])('with a spent code (%i) asks once more, and never a third time', async (errcode) => {
    const checkout = await counter.insertCheckout()
    const visitor = browser(wechat)
    counter.onExchange = () => ({ kind: 'spent', errcode })
    const first = await visitor.errand(checkout, (await visitor.pay(checkout))['errand_url'], 'one')
    expect(locationOf(first.answer)).toContain('https://open.weixin.qq.com/connect/oauth2/authorize?')
    const second = await visitor.errand(checkout, locationOf(first.answer), 'two')
    expect(locationOf(second.answer)).toBe(`../${checkout.token}?lang=zh-CN&wechat=failed`)
    expect(counter.exchanges.map(({ code }) => code)).toEqual(['one', 'two'])
    expect(await visitor.page(checkout, '?wechat=failed')).toContain('请再点一次按钮')
    counter.onExchange = () => ({ kind: 'openid', openid: payer_openid })
    await visitor.errand(checkout, (await visitor.pay(checkout))['errand_url'], 'three')
    expect(await visitor.pay(checkout)).toMatchObject({ call: { kind: 'jsapi' } })
  })

  it('takes no errand that another browser began, nor one of another page', async () => {
    const [checkout, other] = [await counter.insertCheckout(), await counter.insertCheckout()]
    const { errand_url } = await browser(wechat).pay(checkout)
    const victim = browser(wechat)
    const { answer } = await victim.errand(checkout, errand_url)
    expect(locationOf(answer)).toBe(`../${checkout.token}?lang=zh-CN&wechat=not_kept`)
    const payer = await knownPayer(checkout)
    expect(await payer.pay(other)).toHaveProperty('errand_url')
    expect(counter.exchanges).toHaveLength(1)
  })

  it('that keeps no cookies says so, and does not go to WeChat and back without end', async () => {
    const checkout = await counter.insertCheckout()
    const visitor = browser(wechat)
    const { errand_url } = await visitor.pay(checkout)
    visitor.jar.clear()
    const { answer } = await visitor.errand(checkout, errand_url)
    expect(answer.status).toBe(303)
    expect(await visitor.page(checkout, new URL(locationOf(answer), checkout.checkout_url).search)).toContain('Cookie')
    expect(counter.exchanges).toEqual([])
  })

  it('within a mini program that only its script knows of is told what else can be done, and never that it can pay', async () => {
    const checkout = await counter.insertCheckout()
    const visitor = browser(agents['WeChat on Android'].agent)
    const address = (of: string) => `/pay/${checkout.token}${of}?in=mini_program`
    const told = { scene: 'advised', way: { trade_type: null, advice: 'open_in_wechat' } }
    expect(await (await visitor.request(address('/order'))).json()).toMatchObject(told)
    expect(await (await visitor.request(address('/pay'), 'POST')).json()).toMatchObject(told)
    expect(counter.wishes).toEqual([])
    const computer = await (await browser(windows).request(address('/order'))).json()
    expect(computer).toMatchObject({ scene: 'ready', way: { trade_type: 'NATIVE' } })
  })

  it('asks anew where the merchant’s official account is another one now: an openid belongs to its appid', async () => {
    const checkout = await counter.insertCheckout()
    const payer = await knownPayer(checkout)
    const { store } = counter
    const merchant = await store.merchants.find(checkout.mchid)
    const app = { appid: 'wx0000000000000002', kind: 'official_account', secret: 'another-secret' } as const
    if (merchant)
      await store.merchants.save({
        ...merchant,
        appids: [app.appid],
        apps: store.merchants.sealApps(merchant.mchid, [app]),
      })
    const { errand_url } = await payer.pay(checkout)
    expect(new URL(String(errand_url)).searchParams.get('appid')).toBe(app.appid)
    expect(counter.wishes).toEqual([])
  })

  it('falls back where WeChat refuses the account itself, and a person is told what to set', async () => {
    const { store } = counter
    const checkout = await counter.insertCheckout()
    const visitor = browser(wechat)
    counter.onExchange = () => ({ kind: 'setup', errcode: 40125 })
    await visitor.errand(checkout, (await visitor.pay(checkout))['errand_url'])
    expect(await visitor.view(checkout)).toMatchObject({
      scene: 'advised',
      way: { advice: 'open_in_browser', obstacle: 'refused' },
    })
    const attentionOf = async () =>
      (await store.merchants.find(checkout.mchid))?.attentions?.find(({ code }) => code === 'payer_unknown')
    expect((await attentionOf())?.detail).toMatch(/^wx0000000000000001: 40125, .*AppSecret/)
    expect(JSON.stringify(await attentionOf())).not.toContain('the-secret-of-the-app')
    counter.onExchange = () => ({ kind: 'openid', openid: payer_openid })
    await knownPayer(await counter.insertCheckout())
    expect(await attentionOf()).toBeUndefined()
  })

  it('says what to press where WeChat shows it to a visitor without a name', async () => {
    const checkout = await counter.insertCheckout()
    const visitor = browser(wechat)
    counter.onExchange = () => ({ kind: 'visitor' })
    const { answer } = await visitor.errand(checkout, (await visitor.pay(checkout))['errand_url'])
    expect(locationOf(answer)).toContain('wechat=visitor')
    expect(await visitor.page(checkout, '?wechat=visitor')).toContain('使用完整服务')
  })

  it('without scripts says that it needs them, and leads its form to no other site', async () => {
    const checkout = await counter.insertCheckout()
    const visitor = browser(wechat, { accept: 'text/html,*/*;q=0.8' })
    const answer = await visitor.request(`/pay/${checkout.token}/pay`, 'POST')
    expect(locationOf(answer)).toBe(`../${checkout.token}?lang=zh-CN&wechat=no_script`)
    expect(await visitor.page(checkout, '?wechat=no_script')).toContain('需要运行脚本')
  })
})

describe('a checkout that is opened in two places', () => {
  it('is paid where it was opened last, once somebody says so there, and both places tell', async () => {
    const checkout = await counter.insertCheckout()
    const desktop = browser(windows)
    await desktop.pay(checkout)
    const phone = await knownPayer(checkout)
    expect(await phone.view(checkout)).toMatchObject({ scene: 'elsewhere', turn: 1 })
    expect(counter.wishes).toHaveLength(1)
    expect(await phone.pay(checkout)).toMatchObject({ scene: 'tap', turn: 2, call: { kind: 'jsapi' } })
    expect(await desktop.view(checkout)).toMatchObject({ scene: 'elsewhere', turn: 2, code: null })
    expect(await desktop.page(checkout)).toContain('在这里显示二维码')
  })

  it('shows the payment in both, by whichever order it came', async () => {
    const checkout = await counter.insertCheckout()
    const orders: OrderRecord[] = []
    counter.onOpen = async (...given) => {
      const order = await onOpen(...given)
      orders.push(order)
      return order
    }
    const [desktop, phone] = [browser(windows), await knownPayer(checkout)]
    await desktop.pay(checkout)
    await phone.pay(checkout)
    const [first] = orders
    if (!first) throw new Error('no order was made')
    await counter.apply(first, paid())
    const cause = { operation_id: 'paid', time: fromNow(0), actor: { kind: 'weft', id: null } } as const
    await counter.store.checkouts.apply(checkout, { event: 'paid', out_trade_no: first.out_trade_no, ...cause })
    for (const visitor of [desktop, phone])
      expect(await visitor.view(checkout)).toMatchObject({ scene: 'paid', out_trade_no: first.out_trade_no })
  })
})

describe('refunds of what another order of the checkout was paid by', () => {
  const account = '招商银行信用卡0403'
  const refundOf = async ({ out_trade_no, _id, payment }: OrderRecord) => {
    const amount = { refund: 990, total: 990, currency: 'CNY' }
    const order = { out_trade_no, order_id: _id, transaction_id: payment?.transaction_id ?? '', amount }
    const facts = {
      refund_id: `50${out_trade_no}`,
      channel: 'ORIGINAL',
      user_received_account: account,
      accepted_time: fromNow(-2_000),
      success_time: fromNow(-1_000),
      payer_refund: 990,
      settlement_refund: 990,
      asked_time: fromNow(0),
    }
    await counter.store.refunds.insert({ ...refundSample(`R${out_trade_no}`, order), state: 'succeeded', facts })
  }

  it('are shown without the account, which may be somebody else’s', async () => {
    const checkout = await counter.insertCheckout()
    const first = await counter.onOpen(checkout, { trade_type: 'NATIVE' })
    await counter.onOpen(checkout, {
      trade_type: 'MWEB',
      payer_client_ip: '1.1.1.1',
      known_by: '1.1.1.1',
      h5_type: 'iOS',
    })
    await refundOf(await counter.apply(first, paid()))
    const visitor = browser(windows)
    const { returns } = await visitor.view(checkout)
    expect(returns).toMatchObject([{ state: 'done', amount: 990, account: null }])
    expect(await visitor.page(checkout)).toContain('已原路退回')
    expect(await visitor.page(checkout)).not.toContain(account)
  })

  it('are never those of an order of the merchant’s own, whose number the checkout claimed', async () => {
    const checkout = await counter.insertCheckout()
    const own = await counter.insert()
    await refundOf(await counter.apply(own, paid()))
    const claim = { out_trade_no: own.out_trade_no, trade_type: 'NATIVE', payer: 'somebody' } as const
    const cause = { operation_id: 'opened:1', time: fromNow(0), actor: { kind: 'payer', id: null } } as const
    await counter.store.checkouts.apply(checkout, { event: 'order_opened', order: claim, ...cause })
    await counter.onOpen(checkout, { trade_type: 'NATIVE' })
    expect(await browser(windows).view(checkout)).toMatchObject({ turn: 2, returns: [] })
  })

  it('are not looked for where nothing was paid', async () => {
    const checkout = await counter.insertCheckout()
    await counter.onOpen(checkout, { trade_type: 'NATIVE' })
    counter.refund_reads = 0
    await browser(windows).view(checkout)
    await counter.onOpen(checkout, { trade_type: 'NATIVE' })
    await browser(windows).view(checkout)
    expect(counter.refund_reads).toBe(0)
  })
})

describe('the page of an order that a checkout made', () => {
  it('is the checkout’s, in which the payer has the choice', async () => {
    const checkout = await counter.insertCheckout()
    const order = await counter.onOpen(checkout, { trade_type: 'NATIVE' })
    const page = { ...checkout, token: order.checkout_token }
    expect(await browser(windows).view(page)).toMatchObject({ scene: 'waiting', checkout_url: checkout.checkout_url })
    const phone = browser(iphone)
    expect(await phone.view(page)).toMatchObject({ scene: 'elsewhere', turn: 1 })
    expect(await phone.pay(page)).toMatchObject({ scene: 'tap', turn: 2, call: { kind: 'h5' } })
  })
})

describe('a checkout whose order ended unpaid', () => {
  const ended = async (given: Partial<CheckoutRecord> = {}) => {
    const checkout = await counter.insertCheckout(given)
    const payer = await knownPayer(checkout)
    const order = await counter.onOpen(checkout, { trade_type: 'JSAPI' })
    await counter.apply(order, { event: 'close_asked', close_reason: 'expired' })
    await counter.apply(order, { event: 'closed_at_wechat' })
    return { checkout, payer }
  }

  it('is paid again as long as its own time lasts', async () => {
    const { checkout, payer } = await ended()
    expect(await payer.view(checkout)).toMatchObject({ scene: 'again', time_expire: checkout.expire_time })
    expect(await payer.pay(checkout)).toMatchObject({ scene: 'tap', turn: 2 })
  })

  it('has expired after that, and no button is left', async () => {
    const { checkout, payer } = await ended({ expire_time: fromNow(3_000) })
    counter.now = () => Date.now() + minute_ms
    expect(await payer.view(checkout)).toMatchObject({ scene: 'expired' })
    counter.now = Date.now
  })

  it('is closed where the merchant has cancelled it', async () => {
    const { checkout, payer } = await ended()
    const cause = { operation_id: 'cancel', time: fromNow(0), actor: { kind: 'merchant', id: null } } as const
    await counter.store.checkouts.apply(checkout, { event: 'cancel_asked', ...cause })
    expect(await payer.view(checkout)).toMatchObject({ scene: 'closed' })
  })
})

describe('a method that WeChat refuses to the merchant', () => {
  it('is not offered to this payer again, and what is left is', async () => {
    const checkout = await counter.insertCheckout()
    counter.onOpen = async (given, wish) => {
      const order = await openNext(counter.store, given, wish, { state: 'created', revision: 0, code: null })
      const failure = { code: 'NO_AUTH', message: '商户无此产品权限', number_taken: false }
      return await counter.apply(order, { event: 'placement_refused', failure })
    }
    const visitor = browser(iphone)
    const fallen = { scene: 'advised', way: { advice: 'open_in_wechat', obstacle: 'refused' } }
    expect(await visitor.pay(checkout)).toMatchObject(fallen)
    expect(await visitor.view(checkout)).toMatchObject(fallen)
    expect(await browser(wechat).view(checkout)).toMatchObject({ scene: 'again', way: { trade_type: 'JSAPI' } })
    counter.onOpen = onOpen
    await (await knownPayer(checkout)).pay(checkout)
    expect(await visitor.view(checkout)).toMatchObject(fallen) // although the refused order is not the last one any more
  })
})

describe('wishes to pay', () => {
  it('are not taken of an order that the merchant made itself: its way is chosen', async () => {
    const order = await counter.insert()
    const answer = await browser(windows).request(`/pay/${order.checkout_token}/pay`, 'POST')
    expect(answer.status).toBe(404)
    expect(counter.wishes).toEqual([])
  })

  it('come from one address a hundred at once, and then in turn', async () => {
    const checkout = await counter.insertCheckout({ methods: [] })
    const moment = Date.now()
    counter.now = () => moment
    const [greedy, other] = [browser(windows, { address: '203.0.114.99' }), browser(windows)]
    const statuses = await Promise.all(
      Array.from({ length: 101 }, async () => (await greedy.request(`/pay/${checkout.token}/pay`, 'POST')).status),
    )
    expect(statuses.filter((status) => status === 429)).toHaveLength(1)
    expect((await other.request(`/pay/${checkout.token}/pay`, 'POST')).status).toBe(200)
    expect(counter.logged.filter((message) => message.includes('too fast'))).toHaveLength(1)
    const form = browser(windows, { address: '203.0.114.99', accept: 'text/html' })
    const led = await form.request(`/pay/${checkout.token}/pay`, 'POST')
    expect([led.status, locationOf(led)]).toEqual([303, `../${checkout.token}?lang=zh-CN&wechat=not_placed`])
    expect(counter.logged.filter((message) => message.includes('too fast'))).toHaveLength(1) // one line a minute
    counter.now = Date.now
  })

  it('come from one house of IPv6 as from one address', async () => {
    const checkout = await counter.insertCheckout({ methods: [] })
    const moment = Date.now()
    counter.now = () => moment
    const statusFrom = async (address: string) =>
      (await browser(windows, { address }).request(`/pay/${checkout.token}/pay`, 'POST')).status
    const house = Array.from({ length: 101 }, (_, place) => statusFrom(`2400:3200:1:2::${place.toString(16)}`))
    expect((await Promise.all(house)).filter((status) => status === 429)).toHaveLength(1)
    expect(await statusFrom('2400:3200:1:3::1')).toBe(200)
    counter.now = Date.now
  })

  it('come from a proxy for each page by itself: who has one of them stops nobody else', async () => {
    const [own, elses] = [await counter.insertCheckout({ methods: [] }), await counter.insertCheckout({ methods: [] })]
    const moment = Date.now()
    counter.now = () => moment
    const proxied = browser(windows, { address: '10.0.0.7' })
    const statuses = await Promise.all(
      Array.from({ length: 101 }, async () => (await proxied.request(`/pay/${own.token}/pay`, 'POST')).status),
    )
    expect(statuses.filter((status) => status === 429)).toHaveLength(1)
    expect((await proxied.request(`/pay/${elses.token}/pay`, 'POST')).status).toBe(200)
    counter.now = Date.now
  })
})
