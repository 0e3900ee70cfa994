import { afterAll, describe, expect, it } from 'vitest'
import type { OrderRecord } from '../../../domain/order/record.ts'
import { fromNow, minute_ms, openCounter, paid, payment } from '../counter.ts'

const counter = await openCounter()

afterAll(async () => {
  await counter.close()
})

const get = (path: string, headers: Record<string, string> = {}) =>
  fetch(`${counter.url}${path}`, { headers, redirect: 'manual' })
const post = (path: string, headers: Record<string, string> = { accept: 'application/json' }) =>
  fetch(`${counter.url}${path}`, { method: 'POST', headers, redirect: 'manual' })
const pageOf = async (order: OrderRecord, headers: Record<string, string> = {}, query = '') =>
  (await get(`/pay/${order.checkout_token}${query}`, headers)).text()
const viewOf = async (order: OrderRecord) =>
  (await (await get(`/pay/${order.checkout_token}/order`)).json()) as Record<string, unknown>

describe('the checkout page', () => {
  it('stands without scripts: amount, merchant, item, code, time left, order number', async () => {
    const order = await counter.insert()
    const page = await pageOf(order, { 'accept-language': 'zh-CN' })
    for (const part of ['¥9.90', '山月茶铺', '一壶茶', '微信扫一扫', '剩余支付时间', order.out_trade_no]) {
      expect(page).toContain(part)
    }
    expect(page).toMatch(/<div class="qr" id="qr" role="img" aria-label="微信支付二维码"\s*><svg/)
    expect(page).toMatch(/>14:5\d<\/time/)
    expect(page).toMatch(/<noscript\s*><meta http-equiv="refresh" content="5"/)
  })

  it('speaks the language of its reader, and the one asked for before that', async () => {
    const order = await counter.insert()
    expect(await pageOf(order, { 'accept-language': 'en-GB,en;q=0.9' })).toContain('<html lang="en">')
    expect(await pageOf(order, { 'accept-language': 'zh-TW' })).toContain('<html lang="zh-CN">')
    expect(await pageOf(order, { 'accept-language': 'fr' })).toContain('<html lang="zh-CN">')
    expect(await pageOf(order, { 'accept-language': 'zh-CN' }, '?lang=en')).toContain('Waiting for your payment')
    const english = await counter.insert({ locale: 'en' })
    expect(await pageOf(english, { 'accept-language': 'zh-CN' })).toContain('<html lang="en">')
    expect(await pageOf(english, { 'accept-language': 'zh-CN' }, '?lang=zh-CN')).toContain('<html lang="zh-CN">')
    expect(await viewOf(english)).toMatchObject({ note: { title: 'Waiting for your payment' } })
  })

  it('keeps its address to itself and runs nothing that is not its own', async () => {
    const order = await counter.insert()
    const answer = await get(`/pay/${order.checkout_token}`)
    const policy = answer.headers.get('content-security-policy') ?? ''
    expect(policy).toContain("default-src 'none'")
    expect(policy).not.toContain('unsafe')
    expect(policy).toContain('frame-src weixin:;') // by such frames WeChat on Android is called
    expect(policy).toContain("frame-ancestors 'none'")
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.headers.get('referrer-policy')).toBe('no-referrer')
    expect(answer.headers.get('x-robots-tag')).toContain('noindex')
    const page = await answer.text()
    expect(page).not.toMatch(/ on[a-z]+=|<style|style="/)
  })

  it('shows what merchants write as text, never as markup', async () => {
    const attack = '</script><script>alert(1)</script><img src=x onerror="alert(2)">'
    const order = await counter.insert({ description: attack, return_url: 'javascript:alert(3)' })
    const page = await pageOf(order)
    expect(page).not.toContain('<script>alert')
    expect(page).not.toContain('<img')
    expect(page).not.toContain('javascript:')
    expect(page).toContain('&lt;img src=x onerror=&quot;alert(2)&quot;&gt;')
  })

  it('answers an unknown link in both languages, and does not ask the database about nonsense', async () => {
    const unknown = await get(`/pay/${'x'.repeat(43)}`)
    expect(unknown.status).toBe(404)
    const page = await unknown.text()
    expect(page).toContain('没有这笔订单')
    expect(page).toContain('No such order')
    counter.is_database_away = true
    const nonsense = await get('/pay/..%2f..%2fetc')
    counter.is_database_away = false
    expect(nonsense.status).toBe(404)
    const program = await get(`/pay/${'x'.repeat(43)}/order`)
    expect(program.status).toBe(404)
    expect(((await program.json()) as { code: string }).code).toBe('not_found')
  })

  it('says that nothing is lost when the records cannot be read', async () => {
    const order = await counter.insert()
    counter.is_database_away = true
    const answer = await get(`/pay/${order.checkout_token}`)
    counter.is_database_away = false
    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).toBe('5')
    const page = await answer.text()
    expect(page).toContain('您的订单和付款不会丢失')
    counter.is_database_away = true
    counter.logged.length = 0
    for (const _ of [1, 2, 3]) await (await get(`/pay/${order.checkout_token}`)).text()
    counter.is_database_away = false
    expect(counter.logged).toEqual([]) // once a minute, whoever looks, and the first look was told
    const retry = /assets\/retry\.js\?v=[0-9a-f]{12}/.exec(page)?.[0]
    expect((await get(`/pay/${retry}`)).status).toBe(200)
  })

  it('is shown whatever apps have added to its link, the same once more at each time that it was handed on', async () => {
    const { checkout_token } = await counter.insert()
    const handed_on = 'from=singlemessage&isappinstalled=0&from=timeline&lang=en&lang=zh-CN'
    for (const query of [handed_on, 'utm=1&'.repeat(200), `x=${'y'.repeat(5_000)}`]) {
      const answer = await get(`/pay/${checkout_token}?${query}`)
      expect([answer.status, (await answer.text()).includes('一壶茶')]).toEqual([200, true])
    }
    expect(await (await get(`/pay/${checkout_token}?${handed_on}`)).text()).toContain('<html lang="en">')
    expect((await get(`/pay/${checkout_token}/order?${handed_on}`)).status).toBe(200)
  })

  it('tells phones that this code must be scanned from another screen', async () => {
    const order = await counter.insert()
    const phone = { 'user-agent': 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Mobile MicroMessenger/8.0' }
    expect(await pageOf(order, phone)).toContain('另一台设备')
    expect(await pageOf(order, { 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64)' })).not.toContain('另一台设备')
  })

  it('leads test orders to the simulated phone, with their code', async () => {
    const order = await counter.insert()
    const page = await pageOf(order)
    expect(page).toContain('测试模式')
    const code = encodeURIComponent(order.code?.url ?? '')
    expect(page).toContain(`http://127.0.0.1:7701/phone?code_url=${code}`)
  })

  it('serves its style and script for ever, under an address that changes with them', async () => {
    const page = await pageOf(await counter.insert())
    const address = /assets\/checkout\.js\?v=[0-9a-f]{12}/.exec(page)?.[0]
    const script = await get(`/pay/${address}`)
    expect(script.status).toBe(200)
    expect(script.headers.get('content-type')).toContain('text/javascript')
    expect(script.headers.get('cache-control')).toContain('immutable')
    const [imported] = /\.\/screen\.js\?v=[0-9a-f]{12}/.exec(await script.text()) ?? []
    expect((await get(`/pay/assets/${imported?.slice(2)}`)).headers.get('cache-control')).toContain('immutable')
    expect(page).toContain(`rel="modulepreload" href="assets/${imported?.slice(2)}"`)
    expect((await get('/pay/assets/..%2fpackage.json')).status).toBe(404)
  })

  it('has nobody keep a script under the version of another, as while a new version of Weft is brought in', async () => {
    for (const address of [
      'assets/checkout.js?v=0123456789ab',
      'assets/screen.js?v=0123456789ab',
      'assets/checkout.js',
    ]) {
      const { status, headers } = await get(`/pay/${address}`)
      expect([status, headers.get('cache-control')]).toEqual([200, 'no-store'])
    }
  })

  it('loads every script once, and asks for all of them at once', async () => {
    const page = await pageOf(await counter.insert())
    const named = [...page.matchAll(/assets\/([a-z]+\.js)\?v=[0-9a-f]{12}/g)]
    expect(named.map(([, name]) => name).toSorted()).toEqual([
      'bridge.js',
      'checkout.js',
      'pace.js',
      'question.js',
      'screen.js',
    ])
    const imported = new Set<string>()
    for (const [address] of named) {
      const text = await (await get(`/pay/${address}`)).text()
      for (const [, each = ''] of text.matchAll(/from '\.\/([^']+)'/g)) imported.add(`assets/${each}`)
    }
    expect([...imported].filter((address) => !page.includes(`rel="modulepreload" href="${address}"`))).toEqual([])
  })
})

describe('the headers of a page’s stream', () => {
  it('are answered at once, hold no place, and are those of the stream', async () => {
    const order = await counter.insert()
    for (let turn = 0; turn < 25; turn += 1) {
      const answer = await fetch(`${counter.url}/pay/${order.checkout_token}/events`, { method: 'HEAD' })
      expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8'])
    }
  })
})

describe('what a payer is told of an order', () => {
  it('is what he needs to pay it, and nothing of the merchant’s', async () => {
    const order = await counter.insert({ attach: 'attached-for-us', reference: 'sale-7' })
    const view = await viewOf(order)
    expect(Object.keys(view).sort()).toEqual(
      [
        'amount',
        'checkout_url',
        'code',
        'description',
        'last_check_time',
        'merchant_name',
        'money',
        'note',
        'object',
        'out_trade_no',
        'return_url',
        'returns',
        'revision',
        'scene',
        'server_time',
        'state',
        'support',
        'test_mode',
        'test_phone_url',
        'time_expire',
        'turn',
        'way',
      ].sort(),
    )
    const text = JSON.stringify(view)
    for (const secret of [order.mchid, order.appid, 'for-the-merchant-only', 'attached-for-us', 'sale-7']) {
      expect(text).not.toContain(secret)
    }
  })

  const late = payment('late')
  const scenes: [string, string, Partial<OrderRecord>][] = [
    ['a code that is not there yet', 'preparing', { state: 'created', code: null }],
    ['a code to scan', 'waiting', {}],
    ['no code once the time is over', 'confirming', { time_expire: fromNow(-1_000) }],
    [
      'no code that has died',
      'stale',
      { time_expire: fromNow(600 * minute_ms), code: { url: 'weixin://old', placed_time: fromNow(-121 * minute_ms) } },
    ],
    ['that WeChat is being asked', 'confirming', { state: 'closing', close_reason: 'expired' }],
    ['the payment', 'paid', { state: 'paid', payment: payment() }],
    ['that the shop has confirmed', 'fulfilled', { state: 'fulfilled', payment: payment() }],
    ['that the time ran out', 'expired', { state: 'closed', close_reason: 'expired' }],
    ['that the shop closed it', 'closed', { state: 'closed', close_reason: 'merchant' }],
    ['that it could not be placed', 'failed', { state: 'failed' }],
    ['that a person looks', 'review', { state: 'review', payment: payment('contradicted') }],
    ['that late money goes back', 'late', { state: 'refunding', payment: late }],
    ['that the money goes back', 'refunding', { state: 'refunding', payment: payment() }],
    ['that the money is back', 'refunded', { state: 'refunded', payment: late }],
  ]
  it.each(scenes)('is %s (%s)', async (_what, scene, given) => {
    const order = await counter.insert(given)
    const view = await viewOf(order)
    expect(view.scene).toBe(scene)
    expect(view.code === null).toBe(scene !== 'waiting')
    const page = await pageOf(order)
    expect(page).toContain(`data-scene="${scene}"`)
    expect(page.includes('weixin://')).toBe(scene === 'waiting')
    const drawing = await get(`/pay/${order.checkout_token}/code.svg`)
    expect(drawing.status).toBe(scene === 'waiting' ? 200 : 404)
  })

  it('names the order to the shop’s page only once it is paid or over', async () => {
    const return_url = 'https://shop.example.cn/back?from=weft'
    const waiting = await counter.insert({ return_url })
    expect((await viewOf(waiting)).return_url).toBe(return_url)
    await counter.apply(waiting, paid())
    expect((await viewOf(waiting)).return_url).toBe(`${return_url}&out_trade_no=${waiting.out_trade_no}`)
    const expired = await counter.insert({ return_url, state: 'closed', close_reason: 'expired' })
    expect((await viewOf(expired)).return_url).toBe(`${return_url}&out_trade_no=${expired.out_trade_no}`)
  })
})

describe('“I have paid”', () => {
  const answered = (order: OrderRecord) => (key: { mchid: string; out_trade_no: string }) =>
    counter.store.orders.noteAsked({ ...order, ...key }, fromNow(0))
  const check = async (order: OrderRecord) =>
    (await (await post(`/pay/${order.checkout_token}/check`)).json()) as Record<string, unknown>

  it('asks WeChat once, and says that nothing has come yet', async () => {
    const order = await counter.insert()
    counter.onCheck = answered(order)
    counter.checks.length = 0
    const moment = Date.now()
    counter.now = () => moment
    expect((await check(order)).check).toBe('not_yet')
    expect((await check(order)).check).toBe('not_yet') // within 5 s: the last answer
    counter.now = Date.now
    expect(counter.checks).toHaveLength(1)
  })

  it('says paid when the question finds the payment', async () => {
    const order = await counter.insert()
    counter.onCheck = () => counter.apply(order, paid())
    expect(await check(order)).toMatchObject({ check: 'paid', scene: 'paid' })
  })

  it('says closed, and asks nobody, when the order has ended', async () => {
    const order = await counter.insert({ state: 'closed', close_reason: 'merchant' })
    counter.checks.length = 0
    expect(await check(order)).toMatchObject({ check: 'closed', scene: 'closed' })
    expect(counter.checks).toHaveLength(0)
  })

  it('asks at most 20 times for one order', async () => {
    const order = await counter.insert({ asked: { last_time: fromNow(-minute_ms), on_request: 20 } })
    counter.checks.length = 0
    expect((await check(order)).check).toBe('limit')
    expect(counter.checks).toHaveLength(0)
  })

  it('works without scripts: back to the page, which says what came of it', async () => {
    const order = await counter.insert()
    counter.onCheck = answered(order)
    const answer = await post(`/pay/${order.checkout_token}/check?lang=en`, { accept: 'text/html,*/*;q=0.8' })
    expect(answer.status).toBe(303)
    const location = new URL(answer.headers.get('location') ?? '', `${counter.url}/pay/${order.checkout_token}/check`)
    expect(location.pathname).toBe(`/pay/${order.checkout_token}`)
    expect(await (await fetch(location)).text()).toContain('has not received this payment yet')
  })
})

describe('a code', () => {
  it('that is young is not renewed', async () => {
    const order = await counter.insert()
    counter.refreshes.length = 0
    const answer = await post(`/pay/${order.checkout_token}/code`)
    expect(((await answer.json()) as { scene: string }).scene).toBe('waiting')
    expect(counter.refreshes).toHaveLength(0)
  })

  it('older than 110 min is placed again, once for all pages that ask', async () => {
    const placed_time = fromNow(-111 * minute_ms)
    const order = await counter.insert({
      time_expire: fromNow(600 * minute_ms),
      code: { url: 'weixin://old', placed_time },
    })
    counter.refreshes.length = 0
    const code = { url: 'weixin://new', placed_time: fromNow(0) }
    counter.onRefresh = (_key, command) =>
      counter.apply(order, {
        event: 'code_renewed',
        operation_id: `renewed:${command.operation_id}`,
        code,
        next_query_time: fromNow(30_000),
      })
    const answers = await Promise.all([1, 2].map(() => post(`/pay/${order.checkout_token}/code`)))
    for (const answer of answers) expect(await answer.json()).toMatchObject({ code: { url: 'weixin://new' } })
    expect(new Set(counter.refreshes.map(({ operation_id }) => operation_id)).size).toBe(1)
    expect(counter.refreshes[0]?.actor).toEqual({ kind: 'payer', id: null })
  })
})
