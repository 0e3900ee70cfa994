import axe from 'axe-core'
import type { BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { check_results, unavailablePage, unknownPage } from '../../../api/checkout/page.ts'
import { scenes } from '../../../api/checkout/scene.ts'
import { advices, errand_results, way_obstacles } from '../../../api/checkout/way.ts'
import { languages } from '../../../api/http/language.ts'
import type { CheckoutRecord } from '../../../domain/checkout/record.ts'
import type { OrderRecord } from '../../../domain/order/record.ts'
import { collectComplaints, openBrowser } from '../../stage/browser.ts'
import { refundSample } from '../../stage/dossiers.ts'
import { until } from '../../stage/until.ts'
import { paymentSample } from '../../store/samples.ts'
import { agents } from '../../browser/agents.ts'
import { fromNow, minute_ms, openCounter, paid, payment } from '../counter.ts'
import { gallery_assets, pageOf, scene_samples, viewOf } from './gallery.ts'
import { BufferingProxy } from './proxy.ts'

const [counter, browser] = await Promise.all([openCounter(), openBrowser()])
const visits: BrowserContext[] = []
const complaints: string[] = []

afterAll(async () => {
  await browser.close()
  await counter.close()
})

afterEach(async () => {
  await Promise.all(visits.splice(0).map((visit) => visit.close()))
  expect(complaints.splice(0)).toEqual([])
})

async function visitor(options: BrowserContextOptions = {}): Promise<BrowserContext> {
  const visit = await browser.newContext({ locale: 'zh-CN', ...options })
  visits.push(visit)
  return visit
}

async function open(order: OrderRecord, visit?: BrowserContext, url = counter.url): Promise<Page> {
  const page = await (visit ?? (await visitor())).newPage()
  collectComplaints(page, complaints)
  await page.goto(`${url}/pay/${order.checkout_token}`)
  return page
}

/** Resolves once the page's stream is open, so that a change is seen by way of it. */
async function openStreaming(order: OrderRecord, on?: BrowserContext): Promise<Page> {
  const visit = on ?? (await visitor())
  const streaming = visit.waitForEvent('response', (response) => response.url().includes('/events'))
  const page = await open(order, visit)
  await streaming
  return page
}

/** What iOS 14 and Android's web-view 86 lack of what scripts could use. */
const take_away_what_is_young = `
  for (const [owner, ...names] of [
    [AbortSignal, 'timeout', 'any'],
    [Performance.prototype, 'timeOrigin'],
    [Object, 'hasOwn', 'groupBy'],
    [Promise, 'withResolvers', 'try'],
    [URL, 'canParse', 'parse'],
    [window, 'structuredClone', 'scheduler'],
    [Array.prototype, 'at', 'findLast', 'findLastIndex', 'toSorted', 'toReversed', 'toSpliced', 'with'],
    [String.prototype, 'at', 'isWellFormed'],
    [Crypto.prototype, 'randomUUID'],
    [Element.prototype, 'checkVisibility', 'setHTMLUnsafe'],
  ]) for (const name of names) delete owner[name]`

const shows = (page: Page, text: string) => page.getByRole('heading', { name: text, level: 2 }).waitFor()

describe('an open page', () => {
  it('shows the payment at once, then the confirmation, without a reload', async () => {
    const order = await counter.insert()
    const visit = await visitor()
    await visit.route('**/order?*', () => undefined) // its own questions are never answered: this comes by the stream
    const page = await openStreaming(order, visit)
    await page.evaluate('window.is_same_page = true')
    await counter.apply(order, paid())
    await shows(page, '付款成功')
    await page.getByText('正在通知商家').waitFor()
    expect(await page.locator('#qr').isVisible()).toBe(false)
    await counter.apply(order, { event: 'fulfilled' })
    await page.getByText('商家已确认您的订单').waitFor()
    expect(await page.evaluate('window.is_same_page')).toBe(true)
  })

  it('shows a code as soon as there is one', async () => {
    const order = await counter.insert({ state: 'created', revision: 0, code: null })
    const page = await openStreaming(order)
    await shows(page, '正在准备二维码')
    const code = { url: 'weixin://wxpay/bizpayurl?pr=fresh', placed_time: fromNow(0) }
    await counter.apply(order, { event: 'placed', code, next_query_time: fromNow(30_000) })
    await page.locator('#qr img').waitFor()
    await shows(page, '等待付款')
    const phone = await page.locator('#test-phone').getAttribute('href')
    expect(phone).toContain(encodeURIComponent(code.url))
  })

  it('says that the shop closed the order, and leads back to it', async () => {
    const order = await counter.insert({ return_url: 'https://shop.example.cn/back' })
    const page = await openStreaming(order)
    await counter.apply(order, { event: 'close_asked', close_reason: 'merchant' })
    await counter.apply(order, { event: 'closed_at_wechat' })
    await shows(page, '订单已关闭')
    expect(await page.locator('.qr.faded').isVisible()).toBe(true)
    const back = page.getByRole('link', { name: '返回商家重新下单' })
    expect(await back.getAttribute('href')).toBe(`https://shop.example.cn/back?out_trade_no=${order.out_trade_no}`)
  })

  it('goes by itself to the shop’s page after the payment, naming the order', async () => {
    const order = await counter.insert({ return_url: 'https://shop.example.cn/back' })
    const page = await openStreaming(order)
    await page.route('https://shop.example.cn/**', (route) => route.fulfill({ body: 'the shop' }))
    const told = page.getByText('即将自动返回商家').waitFor() // shown for five seconds
    await counter.apply(order, paid())
    await told
    await page.waitForURL(`https://shop.example.cn/back?out_trade_no=${order.out_trade_no}`)
  })

  it('tells that late money goes back, also when it rested as closed before', async () => {
    const order = await counter.insert({ state: 'closed', close_reason: 'expired' })
    const page = await open(order)
    await shows(page, '订单已过期')
    await counter.apply(order, {
      event: 'late_payment_found',
      payment: payment('late'),
      choice: 'refund',
      deadline_time: fromNow(minute_ms),
    })
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await shows(page, '款项将原路退回')
  })
})

describe('a page that is hidden', () => {
  const turn = (page: Page, state: 'hidden' | 'visible') =>
    page.evaluate(`
      Object.defineProperty(document, 'hidden', { value: ${state === 'hidden'}, configurable: true })
      document.dispatchEvent(new Event('visibilitychange'))`)

  it('lets its stream go, and opens another when it is seen again', async () => {
    const order = await counter.insert()
    const visit = await visitor()
    const page = await openStreaming(order, visit)
    const let_go = page.waitForEvent('requestfailed', (request) => request.url().includes('/events'))
    await turn(page, 'hidden')
    await let_go
    const again = page.waitForEvent('response', (response) => response.url().includes('/events'))
    await turn(page, 'visible')
    await again
    await counter.apply(order, paid())
    await shows(page, '付款成功')
  })
})

describe('a page that is opened where nobody sees it', () => {
  it('takes no stream, of which a browser has six, and asks instead', async () => {
    const order = await counter.insert()
    const visit = await visitor()
    await visit.addInitScript("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
    await visit.clock.install()
    const streams: string[] = []
    visit.on('request', (request) => void (request.url().includes('/events') && streams.push(request.url())))
    const page = await open(order, visit)
    await counter.apply(order, paid())
    await visit.clock.fastForward(10_000)
    await shows(page, '付款成功')
    expect(streams).toEqual([])
  })
})

describe('a page without a stream', () => {
  it('asks by itself and shows the payment all the same', async () => {
    const order = await counter.insert()
    const visit = await visitor()
    await visit.route('**/events?*', (route) => route.fulfill({ status: 429 }))
    await visit.clock.install()
    const page = await open(order, visit)
    await counter.apply(order, paid())
    await visit.clock.fastForward(3_000)
    await shows(page, '付款成功')
  })

  it('says that the connection is unsteady, and goes on when it is back', async () => {
    const order = await counter.insert()
    const visit = await visitor()
    await visit.route('**/events?*', (route) => route.fulfill({ status: 429 }))
    await visit.route('**/order?*', (route) => route.abort())
    await visit.clock.install()
    const page = await open(order, visit)
    await visit.clock.fastForward(3_000)
    await page.getByText('网络不稳定').waitFor()
    await visit.unroute('**/order?*')
    await visit.clock.fastForward(3_000)
    await page.getByText('付款后本页会自动更新').waitFor()
  })
})

describe('a page whose stream is open and mute', () => {
  it('learns of the payment all the same where a proxy keeps back what comes by streams', async () => {
    const order = await counter.insert()
    const proxy = await BufferingProxy.to(counter.url, 'streams')
    const visit = await visitor()
    await visit.clock.install()
    const page = await open(order, visit, proxy.url)
    await until('the page streams', () => proxy.taken > 0)
    await counter.apply(order, paid())
    await visit.clock.fastForward(3_000)
    await shows(page, '付款成功')
    await proxy.close()
  })

  it('learns of it where the connection died without a word, lets go of it and streams anew', async () => {
    const order = await counter.insert()
    const proxy = await BufferingProxy.to(counter.url, 'nothing')
    const visit = await visitor()
    await visit.clock.install()
    const page = await open(order, visit, proxy.url)
    const code = { url: 'weixin://wxpay/bizpayurl?pr=heard', placed_time: fromNow(0) }
    await counter.apply(order, { event: 'code_renewed', code, next_query_time: fromNow(30_000) })
    await page.locator('#qr img').waitFor() // came by the stream: it is alive
    proxy.fallSilent()
    await counter.apply(order, paid())
    await visit.clock.fastForward(12_000)
    await page.getByText('正在通知商家').waitFor()
    await visit.clock.fastForward(14_000)
    await until('the dead stream is let go', () => proxy.open === 0)
    await visit.clock.fastForward(30_000)
    await until('another one is opened', () => proxy.taken > 1)
    await proxy.close()
  })
})

describe('a checkout’s page', () => {
  const wechat = { userAgent: agents['WeChat on Android'].agent }
  const goTo = async (visit: BrowserContext, address: string) => {
    const page = await visit.newPage()
    collectComplaints(page, complaints)
    await page.goto(address)
    return page
  }

  it('that nobody sees makes no order, and does once it is seen', async () => {
    const checkout = await counter.insertCheckout()
    const visit = await visitor()
    await visit.addInitScript("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
    const asked: string[] = []
    visit.on('request', (request) => void (request.method() === 'POST' && asked.push(request.url())))
    const page = await goTo(visit, `${counter.url}/pay/${checkout.token}`) // its script has run by then
    expect(asked).toEqual([])
    await page.evaluate(`
      Object.defineProperty(document, 'hidden', { value: false, configurable: true })
      document.dispatchEvent(new Event('visibilitychange'))`)
    await shows(page, '等待付款')
    expect(asked).toHaveLength(1)
  })

  it('goes on by itself where its payer tapped, once: a reload pays nothing', async () => {
    const checkout = await counter.insertCheckout()
    const visit = await visitor(wechat)
    await visit.route('https://open.weixin.qq.com/**', (route) => {
      const url = new URL(route.request().url())
      const back = `${url.searchParams.get('redirect_uri')}?code=c1&state=${url.searchParams.get('state')}`
      return route.fulfill({ status: 302, headers: { location: back } })
    })
    await visit.addInitScript(
      "window.WeixinJSBridge = { invoke: (_, __, done) => done({ err_msg: 'get_brand_wcpay_request:cancel' }) }",
    )
    counter.wishes.length = 0
    const page = await goTo(visit, `${counter.url}/pay/${checkout.token}`)
    await page.locator('#pay-button').click()
    await page.getByText('付款已取消').waitFor()
    expect(counter.wishes).toHaveLength(1)
    expect(new URL(page.url()).search).toBe('?lang=zh-CN')
    await page.reload()
    await shows(page, '等待付款')
    expect(counter.wishes).toHaveLength(1)
  })

  it('shows what WeChat says where it cannot open the payment, for the payer to tell the shop', async () => {
    const checkout = await counter.insertCheckout()
    const visit = await visitor(wechat)
    const failing = { err_msg: 'get_brand_wcpay_request:fail', err_desc: '当前页面的URL未注册' }
    await visit.addInitScript(`window.WeixinJSBridge = { invoke: (_, __, done) => done(${JSON.stringify(failing)}) }`)
    await visit.route('**/pay?*', (route) => route.fulfill({ json: { ...shown, call: { kind: 'jsapi' } } }))
    const page = await goTo(visit, `${counter.url}/pay/${checkout.token}`)
    const shown = await page.evaluate<object>('fetch(`${location.pathname}/order`).then((answer) => answer.json())')
    await page.locator('#pay-button').click()
    await page.getByText('微信没能打开支付，请再点一次。 微信提示：当前页面的URL未注册').waitFor()
  })

  it('has WeChat Pay asked where WeChat never says what became of the pay sheet', async () => {
    const checkout = await counter.insertCheckout()
    const visit = await visitor(wechat)
    await visit.addInitScript('window.WeixinJSBridge = { invoke: () => (window.is_called = true) }')
    await visit.route('**/pay?*', (route) => route.fulfill({ json: { ...shown, call: { kind: 'jsapi' } } }))
    await visit.clock.install()
    const page = await goTo(visit, `${counter.url}/pay/${checkout.token}`)
    const shown = await page.evaluate<object>('fetch(`${location.pathname}/order`).then((answer) => answer.json())')
    await page.locator('#pay-button').click()
    await until('the pay sheet was called up', () => page.evaluate('window.is_called'))
    const asked = page.waitForRequest((request) => request.url().includes('/check'))
    await visit.clock.fastForward(120_000)
    await asked
    await page.getByText('微信还没有答复').waitFor()
    expect(await page.locator('#pay-button').getAttribute('aria-disabled')).toBe('false')
  })

  /** Taps in a WeChat whose pay sheet answers so; how the order stands is as it was. */
  async function tapIn(answer: string, checkout: CheckoutRecord, seen: BrowserContext): Promise<Page> {
    await seen.addInitScript(`window.WeixinJSBridge = { invoke: (_, __, done) => { ${answer} } }`)
    await seen.route('**/pay?*', (route) => route.fulfill({ json: { ...shown, call: { kind: 'jsapi' } } }))
    const page = await goTo(seen, `${counter.url}/pay/${checkout.token}`)
    const shown = await page.evaluate<object>('fetch(`${location.pathname}/order`).then((answer) => answer.json())')
    await page.locator('#pay-button').click()
    return page
  }
  const ok = "done({ err_msg: 'get_brand_wcpay_request:ok' })"

  it('says that nothing has come where WeChat calls paid what is not, and lets the payer go on', async () => {
    const page = await tapIn(ok, await counter.insertCheckout(), await visitor(wechat))
    await page.getByText('微信支付还没有收到这笔付款').waitFor()
    expect(await page.getByText('正在向微信支付确认').count()).toBe(0)
    expect(await page.locator('#pay-button').getAttribute('aria-disabled')).toBe('false')
  })

  it('takes the first word of a pay sheet that answers twice', async () => {
    const cancelled = "done({ err_msg: 'get_brand_wcpay_request:cancel' })"
    const page = await tapIn(`${cancelled}; ${ok}`, await counter.insertCheckout(), await visitor(wechat))
    await page.getByText('付款已取消').waitFor()
    expect(await page.getByText('正在向微信支付确认').count()).toBe(0)
  })

  it('calls one pay sheet up where its payer taps again before WeChat’s bridge is there', async () => {
    const checkout = await counter.insertCheckout()
    const visit = await visitor(wechat)
    await visit.route('**/pay?*', (route) => route.fulfill({ json: { ...shown, call: { kind: 'jsapi' } } }))
    await visit.addInitScript(`
      Object.assign(window, { wishes: 0, streams: 0, calls: 0 })
      const send = fetch
      window.fetch = (...given) => ((window.wishes += Number(String(given[0]).includes('/pay?'))), send(...given))
      window.EventSource = class extends EventSource { constructor(...given) { super(...given); window.streams++ } }`)
    const page = await goTo(visit, `${counter.url}/pay/${checkout.token}`)
    const shown = await page.evaluate<object>('fetch(`${location.pathname}/order`).then((answer) => answer.json())')
    const tap = 'document.getElementById("pay").requestSubmit()'
    await page.evaluate(tap)
    await until('the answer to the first tap was taken up', () => page.evaluate('window.streams > 1'))
    await page.evaluate(tap)
    expect(await page.evaluate('window.wishes')).toBe(1)
    await page.evaluate(`
      const answer = (_, __, done) => { window.calls++; done({ err_msg: 'get_brand_wcpay_request:cancel' }) }
      window.WeixinJSBridge = { invoke: answer }
      document.dispatchEvent(new Event('WeixinJSBridgeReady'))`)
    await page.getByText('付款已取消').waitFor()
    expect(await page.evaluate('window.calls')).toBe(1)
  })

  it('says no more of the pay sheet once the payment is there, and that it goes back to the shop', async () => {
    const checkout = await counter.insertCheckout({ return_url: 'https://shop.example.cn/back' })
    const visit = await visitor(wechat)
    await visit.route('**/check?*', async (route) => {
      const { note, ...view } = (await (await route.fetch()).json()) as { note: object }
      const returned = 'https://shop.example.cn/back?out_trade_no=1'
      const paid_view = { ...view, scene: 'paid', state: 'paid', check: 'paid', return_url: returned }
      await route.fulfill({ json: { ...paid_view, note: { ...note, title: '付款成功' } } })
    })
    await visit.addInitScript('setTimeout = new Proxy(setTimeout, { apply: () => 0 })') // it stays where it is
    const page = await tapIn(ok, checkout, visit)
    await shows(page, '付款成功')
    expect(await page.locator('#check-result').textContent()).toBe('即将自动返回商家…')
  })

  it('within a mini program that only the page itself is told of has its stream say so as well', async () => {
    const checkout = await counter.insertCheckout()
    const visit = await visitor(wechat)
    await counter.onOpen(checkout, { trade_type: 'NATIVE' })
    const streams: URL[] = []
    visit.on('request', (request) => void (request.url().includes('/events') && streams.push(new URL(request.url()))))
    const page = await goTo(visit, `${counter.url}/pay/${checkout.token}`)
    await page.locator('#pay-button').waitFor()
    await until('the page streams', () => streams.length === 1)
    await page.evaluate(`
      window.__wxjs_environment = 'miniprogram'
      document.dispatchEvent(new Event('WeixinJSBridgeReady'))`)
    await until('it streams anew', () => streams.length === 2)
    expect(streams.map(({ searchParams }) => searchParams.get('in'))).toEqual([null, 'mini_program'])
    await shows(page, '请在微信里打开本页')
  })

  it('within a mini program that only the page itself is told of says what else can be done', async () => {
    const checkout = await counter.insertCheckout()
    const visit = await visitor(wechat)
    counter.wishes.length = 0
    const page = await goTo(visit, `${counter.url}/pay/${checkout.token}`)
    await page.locator('#pay-button').waitFor()
    await page.evaluate(`
      window.__wxjs_environment = 'miniprogram'
      document.dispatchEvent(new Event('WeixinJSBridgeReady'))`)
    await shows(page, '请在微信里打开本页')
    expect(await page.locator('#pay-button').isVisible()).toBe(false)
    const asked = page.waitForRequest((request) => request.url().includes('/order'))
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect((await asked).url()).toContain('in=mini_program')
    expect(counter.wishes).toEqual([])
  })

  it.each([
    ['the browser is still here', (visit: BrowserContext) => visit.clock.fastForward(15_000)],
    [
      'the payer goes back to it',
      (_visit: BrowserContext, page: Page) =>
        page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))"),
    ],
  ])('has its button again where nobody got to WeChat: %s', async (_name, happen) => {
    const checkout = await counter.insertCheckout()
    const visit = await visitor(wechat)
    await visit.clock.install()
    await visit.route('https://open.weixin.qq.com/**', (route) => route.fulfill({ status: 204 }))
    const page = await goTo(visit, `${counter.url}/pay/${checkout.token}`)
    const gone = page.waitForRequest((request) => request.url().startsWith('https://open.weixin.qq.com/'))
    await page.locator('#pay-button').click()
    await gone
    expect(await page.locator('#pay-button').getAttribute('aria-disabled')).toBe('true')
    await happen(visit, page)
    expect(await page.locator('#pay-button').getAttribute('aria-disabled')).toBe('false')
    expect(await page.locator('#pay-button').textContent()).toBe('微信支付 ¥9.90')
  })

  it('works in the oldest browsers that phones still have', async () => {
    const checkout = await counter.insertCheckout()
    const visit = await visitor({ userAgent: agents['Safari on an iPhone'].agent })
    await visit.addInitScript(take_away_what_is_young)
    await visit.route('https://wx.tenpay.com/**', (route) => route.fulfill({ body: 'WeChat' }))
    const page = await goTo(visit, `${counter.url}/pay/${checkout.token}`)
    const answered = page.waitForResponse((response) => response.url().includes('/order'))
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await answered
    expect(await page.locator('#left').textContent()).toMatch(/^\d\d:\d\d$/)
    await page.locator('#pay-button').click()
    await page.waitForURL('https://wx.tenpay.com/**')
  })

  it('says so where an order is there and nothing opens WeChat', async () => {
    const checkout = await counter.insertCheckout()
    const visit = await visitor({ userAgent: agents['Safari on an iPhone'].agent })
    await visit.route('**/pay?*', async (route) => {
      const { call: _, ...view } = (await (await route.fetch()).json()) as { call: unknown; scene: string }
      expect(view.scene).toBe('tap')
      await route.fulfill({ json: view })
    })
    const page = await goTo(visit, `${counter.url}/pay/${checkout.token}`)
    await page.locator('#pay-button').click()
    await page.getByText('暂时无法下单').waitFor()
  })

  it('shows whichever of its orders was paid, though another had changed more often', async () => {
    const checkout = await counter.insertCheckout()
    const visit = await visitor({ userAgent: agents['Safari on an iPhone'].agent })
    const newest = { turn: 2, revision: 7, out_trade_no: `${checkout.out_trade_no}-2` }
    let given: object = newest
    await visit.route('**/order?*', async (route) => {
      const view = (await (await route.fetch()).json()) as { note: object }
      const title = given === newest ? '等待付款' : '付款成功'
      await route.fulfill({ json: { ...view, ...given, note: { ...view.note, title } } })
    })
    await visit.route('**/events?*', (route) => route.fulfill({ status: 429 }))
    await visit.clock.install()
    const page = await goTo(visit, `${counter.url}/pay/${checkout.token}`)
    const next = async () => {
      const answered = page.waitForResponse((response) => response.url().includes('/order'))
      await visit.clock.fastForward(5_000)
      await (await answered).finished()
    }
    await next()
    given = { turn: 2, revision: 3, out_trade_no: checkout.out_trade_no, scene: 'paid', state: 'paid', money: {} }
    await next()
    await shows(page, '付款成功')
    given = newest
    await next() // was on its way since before
    await shows(page, '付款成功')
  })

  it.each([
    ['rate_limited', '暂时无法下单'],
    ['checkout_over', '这里无法付款'],
  ])('says so where no order can be made, and has its button again: %s', async (code, said) => {
    const checkout = await counter.insertCheckout()
    const visit = await visitor({ userAgent: agents['Safari on an iPhone'].agent })
    await visit.route('**/pay?*', (route) => route.fulfill({ status: 409, json: { code } }))
    const page = await goTo(visit, `${counter.url}/pay/${checkout.token}`)
    await page.locator('#pay-button').click()
    await page.getByText(said).waitFor()
    expect(await page.locator('#pay-button').textContent()).toBe('去微信付款 ¥9.90')
    expect(await page.locator('#pay-button').getAttribute('aria-disabled')).toBe('false')
  })
})

describe('the countdown', () => {
  it('ends at the server’s time and takes the code away', async () => {
    const visit = await visitor()
    await visit.addInitScript(() => {
      const now = performance.now.bind(performance)
      performance.now = () => now() - 3_600_000 // a browser whose clock is an hour slow
    })
    /** The page of an order that lives for seconds; null: on a busy machine they were over before it was open. */
    const counting = async (seconds: number) => {
      const order = await counter.insert({ time_expire: fromNow(seconds * 1_000) })
      const page = await open(order, visit)
      const left = await page.locator('#left').textContent()
      const left_s = Number(/^00:([0-5]\d)$/.exec(left ?? '')?.[1] ?? NaN)
      return left_s <= seconds ? { order, page } : null
    }
    const opened = (await counting(6)) ?? (await counting(25)) ?? (await counting(59))
    if (opened === null) throw new Error('no page counted down to the end of its order')
    const { order, page } = opened
    await shows(page, '正在向微信支付确认')
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(order.time_expire) - 1_000)
    expect(await page.locator('#qr').isVisible()).toBe(false)
  })
})

describe('a page whose code’s picture does not come', () => {
  it('asks for it again, and shows it', async () => {
    const order = await counter.insert({ state: 'created', revision: 0, code: null })
    const visit = await visitor()
    await visit.clock.install()
    let failures = 2
    await visit.route('**/code.svg?*', (route) => (failures-- > 0 ? route.abort() : route.continue()))
    const page = await openStreaming(order, visit)
    const failed = page.waitForEvent('requestfailed', (request) => request.url().includes('/code.svg'))
    const code = { url: 'weixin://wxpay/bizpayurl?pr=again', placed_time: fromNow(0) }
    await counter.apply(order, { event: 'placed', code, next_query_time: fromNow(30_000) })
    await failed
    const failed_again = page.waitForEvent('requestfailed', (request) => request.url().includes('/code.svg'))
    await visit.clock.fastForward(3_000)
    await failed_again
    await visit.clock.fastForward(3_000)
    await page.locator('#qr img').waitFor()
  })
})

describe('a page whose script does not come, or breaks', () => {
  it.each([
    ['does not come', 'screen.js', ''],
    ['breaks', 'pace.js', 'throw new Error("broken")'],
  ])('still asks by its button, and shows what came of it: %s', async (_name, file, body) => {
    const order = await counter.insert()
    counter.onCheck = () => counter.store.orders.noteAsked(order, fromNow(0))
    const visit = await visitor()
    await visit.route(`**/assets/${file}?*`, (route) =>
      body === '' ? route.abort() : route.fulfill({ contentType: 'text/javascript', body }),
    )
    const page = await visit.newPage()
    await page.goto(`${counter.url}/pay/${order.checkout_token}`)
    await page.getByRole('button', { name: '我已支付' }).click()
    await page.getByText('还没有收到这笔付款').waitFor()
    await counter.apply(order, paid())
    await page.reload()
    await shows(page, '付款成功')
  })
})

describe('a page whose code has grown old', () => {
  it('gets a fresh one by itself', async () => {
    const order = await counter.insert({
      time_expire: fromNow(600 * minute_ms),
      code: { url: 'weixin://old', placed_time: fromNow(-115 * minute_ms) },
    })
    counter.onRefresh = () =>
      counter.apply(order, {
        event: 'code_renewed',
        code: { url: 'weixin://wxpay/bizpayurl?pr=young', placed_time: fromNow(0) },
        next_query_time: fromNow(30_000),
      })
    const page = await open(order)
    await page.locator('#qr img').waitFor()
    expect(await page.locator('#test-phone').getAttribute('href')).toContain('young')
  })
})

describe('“I have paid”', () => {
  it('says in words that nothing has come yet, and then that it has', async () => {
    const order = await counter.insert()
    counter.onCheck = () => counter.store.orders.noteAsked(order, fromNow(0))
    const page = await open(order)
    const button = page.getByRole('button', { name: '我已支付' })
    await button.click()
    await page.getByText('还没有收到这笔付款').waitFor()
    await counter.store.orders.noteAsked(order, fromNow(0))
    await counter.apply(order, paid())
    await button.click({ force: true }).catch(() => undefined) // the page may have seen it before us
    await shows(page, '付款成功')
    expect(await page.getByText('还没有收到这笔付款').count()).toBe(0)
  })

  it('works where scripts do not run', async () => {
    const order = await counter.insert()
    counter.onCheck = () => counter.store.orders.noteAsked(order, fromNow(0))
    const page = await open(order, await visitor({ javaScriptEnabled: false }))
    expect(await page.locator('#qr svg').isVisible()).toBe(true)
    await page.getByRole('button', { name: '我已支付' }).click()
    await page.getByText('还没有收到这笔付款').waitFor()
    await counter.apply(order, paid())
    await shows(page, '付款成功') // by the refresh that the page carries
  })
})

describe('somebody who works by keyboard alone', () => {
  it('pays, is told of it where he was, and goes back to the shop', async () => {
    const order = await counter.insert({ return_url: 'https://shop.example.cn/back' })
    const visit = await visitor()
    await visit.route('**/events?*', (route) => route.fulfill({ status: 429 }))
    await visit.route('https://shop.example.cn/**', (route) => route.fulfill({ body: 'the shop' }))
    await visit.clock.install()
    const page = await open(order, visit)
    const focused = () => page.evaluate('document.activeElement.textContent.trim()')
    const tabTo = async (text: string) => {
      for (let steps = 0; steps < 12 && (await focused()) !== text; steps += 1) await page.keyboard.press('Tab')
      expect(await focused()).toBe(text)
    }
    counter.onCheck = () => counter.store.orders.noteAsked(order, fromNow(0))
    await tabTo('我已支付')
    await page.keyboard.press('Enter')
    await page.getByText('还没有收到这笔付款').waitFor()
    await page.getByText('上次向微信支付查询').waitFor()
    expect(await focused()).toBe('我已支付')
    await counter.apply(order, paid())
    await visit.clock.fastForward(3_000)
    await shows(page, '付款成功')
    expect(await focused()).toBe('付款成功') // the button is gone, and nobody is left behind
    await tabTo('返回商家')
    await page.keyboard.press('Enter')
    await page.waitForURL(`https://shop.example.cn/back?out_trade_no=${order.out_trade_no}`)
  })
})

describe('a merchant’s refund', () => {
  it('is shown as it goes, in parts and whole, on an open page and after a reload', async () => {
    const found = payment()
    const order = await counter.insert({ state: 'fulfilled', payment: found })
    const [{ store }, now] = [counter, fromNow(0)]
    const income = { transaction_id: found.transaction_id, out_trade_no: order.out_trade_no, order_id: order._id }
    await store.payments.insert(paymentSample(found.transaction_id, { ...income, success_time: found.success_time }))
    /** A refund that WeChat has; what is answered has it succeed. */
    const give = async (amount: number) => {
      const out_refund_no = `R${amount}${order.out_trade_no}`.slice(0, 32)
      const sample = refundSample(out_refund_no, { ...income, amount: { refund: amount, total: 990, currency: 'CNY' } })
      const refund = { ...sample, state: 'processing' } as const
      await store.payments.reserveRefund({ ...order, ...income }, { out_refund_no, amount }, Date.now())
      await store.refunds.insert(refund)
      return async () => {
        await store.payments.moveRefund(refund, 'succeeded')
        await store.refunds.apply(refund, () => ({
          event: 'succeeded',
          operation_id: `done:${out_refund_no}`,
          time: fromNow(0),
          actor: { kind: 'weft', id: null },
          facts: {
            refund_id: `50${amount}`,
            channel: 'ORIGINAL',
            user_received_account: '支付用户零钱',
            accepted_time: now,
            success_time: now,
            payer_refund: amount,
            settlement_refund: amount,
          },
        }))
      }
    }
    const visit = await visitor()
    await visit.clock.install()
    const page = await open(order, visit)
    await page.getByText('商家已确认您的订单').waitFor()
    const succeedFirst = await give(300)
    await visit.clock.fastForward(30_000)
    await shows(page, '退款中 ¥3.00')
    await succeedFirst()
    await visit.clock.fastForward(5_000)
    await shows(page, '已部分退款 ¥3.00')
    await page.getByText('已退回微信零钱').waitFor()
    const succeedSecond = await give(690)
    await page.reload()
    await shows(page, '退款中 ¥6.90')
    await succeedSecond()
    await visit.clock.fastForward(5_000)
    await shows(page, '已全额退款')
    await page.reload()
    await shows(page, '已全额退款')
    expect(await page.getByText('已退回微信零钱').count()).toBe(2)
  })
})

describe('the end of the time to pay', () => {
  it('is announced a minute before it comes', async () => {
    const order = await counter.insert({ time_expire: fromNow(10 * minute_ms) })
    const visit = await visitor()
    await visit.clock.install()
    const page = await open(order, visit)
    expect(await page.locator('#ending').textContent()).toBe('')
    await visit.route('**/order?*', (route) => route.abort())
    await visit.clock.fastForward(9 * minute_ms + 1_000)
    await page.getByRole('status').filter({ hasText: '支付时间还剩不到 1 分钟' }).waitFor()
  })
})

describe('every scene', () => {
  /** One document into which scene after scene is put: their styles are the same, and their script has no part in this. */
  async function gallery(): Promise<Page> {
    const visit = await visitor({ viewport: { width: 320, height: 900 } })
    await visit.route('http://gallery.test/**', async (route) => {
      const { pathname, search } = new URL(route.request().url())
      const asset = gallery_assets.get(`${pathname.slice(1)}${search}`)
      if (asset)
        return await route.fulfill({ contentType: asset.type, body: asset.name.endsWith('.css') ? asset.content : '' })
      return await route.fulfill({ contentType: 'text/html', body: await pageOf(viewOf(scene_samples.waiting), 'en') })
    })
    const page = await visit.newPage()
    await page.goto('http://gallery.test/')
    await page.evaluate("document.documentElement.dataset.script = 'runs'")
    await page.evaluate(axe.source)
    return page
  }

  async function show(page: Page, html: string): Promise<void> {
    await page.evaluate(`{
      const shown = new DOMParser().parseFromString(${JSON.stringify(html)}, 'text/html')
      document.documentElement.lang = shown.documentElement.lang
      document.title = shown.title
      document.body.replaceWith(shown.body)
    }`)
  }

  async function faults(page: Page, rules: string[] | null): Promise<string[]> {
    const options = rules ? { runOnly: { type: 'rule', values: rules } } : {}
    const found = `axe.run(document, ${JSON.stringify(options)}).then((result) => result.violations)`
    const list = await page.evaluate<{ id: string; nodes: { html: string }[] }[]>(found)
    return list.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
  }

  /** How well the edge of a button can be told from its ground, by WCAG's contrast of two opaque colours. */
  async function edgeContrast(page: Page): Promise<number> {
    const colours = await page.evaluate<string[]>(`[
      getComputedStyle(document.querySelector('.primary')).borderTopColor,
      getComputedStyle(document.querySelector('.sheet')).backgroundColor,
    ]`)
    const [light = 0, dark = 0] = colours.map(luminance).sort((a, b) => b - a)
    return (light + 0.05) / (dark + 0.05)
  }

  function luminance(colour: string): number {
    const [red = 0, green = 0, blue = 0] = (colour.match(/\d+/g) ?? []).map((part) => {
      const share = Number(part) / 255
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
  }

  /** Judges what `page` shows, in light and in the dark. */
  async function expectFaultless(page: Page, what: string): Promise<void> {
    await page.emulateMedia({ colorScheme: 'light' })
    const light = await faults(page, null)
    await page.emulateMedia({ colorScheme: 'dark' })
    const dark = await faults(page, ['color-contrast', 'link-in-text-block'])
    const width = await page.evaluate('document.documentElement.scrollWidth')
    expect({ what, light, dark, width }).toEqual({ what, light: [], dark: [], width: 320 })
  }

  it.each(languages)('has no fault that axe can find, in light and dark, and fits 320 px: %s', async (language) => {
    const page = await gallery()
    for (const scene of scenes) {
      await show(page, await pageOf(viewOf(scene_samples[scene]), language, { is_phone: scene === 'waiting' }))
      await expectFaultless(page, scene)
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme })
        expect(await edgeContrast(page)).toBeGreaterThanOrEqual(3)
      }
    }
  })

  it.each(languages)('nor has any advice: %s', async (language) => {
    const page = await gallery()
    const obstacles = [...advices.map(() => null), ...way_obstacles] // what is in the way changes the line alone
    for (const [place, obstacle] of obstacles.entries()) {
      const way = { trade_type: null, advice: advices[place] ?? 'open_in_wechat', obstacle }
      await show(page, await pageOf({ ...viewOf(scene_samples.advised), way }, language))
      await expectFaultless(page, `${way.advice} ${obstacle}`)
      expect(await widthOfLargeText(page)).toBe(320)
    }
  })

  it.each(languages)('nor has what is said below a button: %s', async (language) => {
    const page = await gallery()
    for (const errand_result of errand_results) {
      await show(page, await pageOf(viewOf(scene_samples.ready), language, { errand_result }))
      if (errand_result === 'not_kept') await expectFaultless(page, errand_result)
      expect({ errand_result, width: await widthOfLargeText(page) }).toEqual({ errand_result, width: 320 })
    }
    for (const check_result of check_results) {
      await show(page, await pageOf(viewOf(scene_samples.tap), language, { check_result }))
      if (check_result === 'not_yet') await expectFaultless(page, check_result)
      expect({ check_result, width: await widthOfLargeText(page) }).toEqual({ check_result, width: 320 })
    }
  })

  it('fits 320 px with text of double size, in every scene, also for the largest amount', async () => {
    const page = await gallery()
    for (const scene of scenes) {
      const view = { ...viewOf(scene_samples[scene]), amount: { total: 10_000_000_000, currency: 'CNY' } }
      await show(page, await pageOf(view, 'en', { is_phone: scene === 'waiting' }))
      expect({ scene, width: await widthOfLargeText(page) }).toEqual({ scene, width: 320 })
    }
  })

  /** How wide what is shown becomes where WeChat’s own setting makes the text twice as large. */
  const widthOfLargeText = (page: Page) =>
    page.evaluate<number>(`{
      const sizes = [...document.body.querySelectorAll('*')].map((part) => [part, parseFloat(getComputedStyle(part).fontSize)])
      for (const [part, size] of sizes) part.style.fontSize = 2 * size + 'px'
      document.documentElement.scrollWidth
    }`)

  it('is printed as dark ink on white paper, also by who reads in the dark, and without buttons', async () => {
    const page = await gallery()
    await show(page, await pageOf(viewOf(scene_samples.part_refunded), 'en'))
    await page.emulateMedia({ media: 'print', colorScheme: 'dark' })
    const ink = await page.evaluate<string>("getComputedStyle(document.querySelector('.receipt dd')).color")
    expect(luminance(ink)).toBeLessThan(0.05)
    expect(await page.getByRole('button').count()).toBe(0)
  })

  it('nor have the pages without an order', async () => {
    const page = await gallery()
    await show(page, unknownPage(''))
    await expectFaultless(page, 'unknown')
    await show(page, unavailablePage('', ''))
    await expectFaultless(page, 'unavailable')
  })
})

describe('a page whose order cannot be read', () => {
  it('looks again by itself until it can', async () => {
    const order = await counter.insert()
    counter.is_database_away = true
    const visit = await visitor()
    await visit.clock.install()
    const page = await open(order, visit)
    await page.getByText('您的订单和付款不会丢失').waitFor()
    counter.is_database_away = false
    await visit.clock.fastForward(5_000)
    await shows(page, '等待付款')
  })
})

describe('the order number', () => {
  it('is copied with one press', async () => {
    const order = await counter.insert()
    const visit = await visitor()
    await visit.grantPermissions(['clipboard-read', 'clipboard-write'])
    await visit.clock.install()
    const page = await open(order, visit)
    // The button says so for two seconds: by the page's clock, which stands still here.
    await visit.clock.pauseAt(Date.now() + minute_ms) // later than it gets there on a busy machine
    await page.getByRole('button', { name: '复制' }).click()
    await page.getByRole('button', { name: '已复制' }).waitFor()
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe(order.out_trade_no)
  })
})

describe('a small screen in the dark', () => {
  it('shows everything without scrolling sideways', async () => {
    const order = await counter.insert({
      description: '特级明前西湖龙井'.repeat(8),
      return_url: 'https://shop.example.cn',
    })
    const page = await open(
      order,
      await visitor({
        viewport: { width: 320, height: 600 },
        colorScheme: 'dark',
        locale: 'en-GB',
      }),
    )
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(320)
    const tile = await page.evaluate("getComputedStyle(document.querySelector('.tile')).backgroundColor")
    expect(tile).toBe('rgb(255, 255, 255)') // cameras need black on white, whatever the scheme
  })
})
