import type { BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import type { CheckoutRecord } from '../../domain/checkout/record.ts'
import type { OrderKey } from '../../domain/ids.ts'
import { trade_types } from '../../domain/merchant/product.ts'
import { collectComplaints, openBrowser } from '../stage/browser.ts'
import { ForwardClock } from '../stage/clock.ts'
import { expectProven } from '../stage/money.ts'
import { Stage } from '../stage/stage.ts'
import { until } from '../stage/until.ts'
import { agents } from './agents.ts'
import { playAndroid } from './android.ts'

/** One Weft, one simulator and one browser for all journeys: each has a checkout of its own. */
const clock = new ForwardClock()
const [stage, browser] = await Promise.all([
  Stage.open({
    ways_to_pay: true,
    now: clock.now,
    simulator: { loopback_payer: 'allow' },
    settings: { fulfilment: { mode: 'none' } },
  }),
  openBrowser(),
])
const visits: BrowserContext[] = []
const complaints: string[] = []

afterEach(async () => {
  await Promise.all(visits.splice(0).map((visit) => visit.close()))
  expect(complaints.splice(0)).toEqual([])
})

afterAll(async () => {
  await browser.close()
  await stage.close()
})

async function newCheckout(given: object = {}): Promise<CheckoutRecord> {
  const out_trade_no = stage.number()
  const request = { out_trade_no, description: '龙井茶', amount: { total: 990 }, ...given }
  const { status, body } = await stage.insist('POST', '/v1/checkouts', request)
  if (status !== 201 && status !== 200) throw new Error(`no checkout: ${status} ${JSON.stringify(body)}`)
  return await recordOf({ mchid: stage.mchid, out_trade_no })
}

async function recordOf(key: OrderKey): Promise<CheckoutRecord> {
  const checkout = await stage.store.checkouts.find(key)
  if (checkout === null) throw new Error(`no checkout ${key.out_trade_no}`)
  return checkout
}

/** A browser of its own, with this phone's WeChat in its pages where it is one. */
async function visitor(name: keyof typeof agents): Promise<BrowserContext> {
  const { agent, kind } = agents[name]
  const visit = await browser.newContext({ locale: 'zh-CN', userAgent: agent })
  visits.push(visit)
  if (kind === 'wechat' || kind === 'mini_program' || kind === 'wechat_desktop')
    await visit.addInitScript(await (await fetch(`${stage.simulator.url}/phone/bridge.js`)).text())
  if (name === 'WeChat on Android') await playAndroid(visit)
  return visit
}

async function open(checkout: CheckoutRecord, name: keyof typeof agents): Promise<Page> {
  const page = await (await visitor(name)).newPage()
  collectComplaints(page, complaints)
  await page.goto(checkout.checkout_url)
  return page
}

function keyOf({ mchid, out_trade_no }: OrderKey): OrderKey {
  return { mchid, out_trade_no }
}

/** Whether the code of the checkout's first order could be paid, of which Weft is told nothing. */
function scanned(checkout: CheckoutRecord): boolean {
  try {
    return stage.pay(keyOf(checkout), 'lose_notification').outcome === 'paid'
  } catch {
    return false // it was closed before: then the phone's is the one
  }
}

const shows = (page: Page, title: string) => page.getByRole('heading', { name: title, level: 2 }).waitFor()
const payButton = (page: Page) => page.locator('#pay-button')

/** Taps, and answers on the pay sheet that WeChat opens and that closes by itself: a browser is not closed beside that. */
async function onSheet(page: Page, story: 'pay' | 'cancel'): Promise<void> {
  const opened = page.waitForEvent('popup')
  await payButton(page).click()
  const sheet = await opened
  const closed = sheet.waitForEvent('close')
  await sheet.locator(`[data-story="${story}"]`).click()
  await closed
}

/** Answers on the page that H5 leads to; it comes back by itself. */
async function onH5(page: Page, checkout: CheckoutRecord, story: 'pay' | 'cancel'): Promise<void> {
  await page.locator(`[data-story="${story}"]`).click()
  await page.waitForURL((url) => url.href.startsWith(checkout.checkout_url))
}

async function paidBy(checkout: CheckoutRecord, trade_type: string): Promise<OrderKey> {
  const { paid_by, orders } = await until('the checkout is paid', async () => {
    await stage.store.checkouts.settle(checkout, new Date(clock.now()).toISOString())
    const record = await recordOf(checkout)
    return record.state === 'paid' && record
  })
  const order = orders.find(({ out_trade_no }) => out_trade_no === paid_by)
  expect(order?.trade_type).toBe(trade_type)
  const key = { mchid: stage.mchid, out_trade_no: paid_by ?? '' }
  await stage.reaches(key, 'fulfilled')
  // The page asks while the notification comes, and an answer that was overtaken is settled by the sweeper, minutes later.
  clock.setTo(clock.now() + 3 * 60_000)
  await stage.worker?.sweeper.sweep()
  await expectProven(stage, key)
  return key
}

describe('a checkout’s page, opened on a computer', () => {
  it.each(['Chrome on Windows', 'WeChat on Windows', 'WeChat on a Mac'] as const)(
    'shows a code by itself, which is scanned and paid: %s',
    async (name) => {
      const checkout = await newCheckout()
      const page = await open(checkout, name)
      await shows(page, '等待付款')
      await page.locator('#qr').waitFor()
      stage.pay(keyOf(checkout))
      await shows(page, '付款成功')
      await paidBy(checkout, 'NATIVE')
    },
  )
})

describe('opened inside WeChat', () => {
  it.each(['WeChat on an iPhone', 'WeChat on Android'] as const)('is paid with one tap: %s', async (name) => {
    const checkout = await newCheckout()
    const page = await open(checkout, name)
    await shows(page, '待付款')
    await onSheet(page, 'pay')
    await shows(page, '付款成功')
    const order = await paidBy(checkout, 'JSAPI')
    expect((await stage.record(order)).payer?.openid).toHaveProperty('sealed')
  })

  it('that is cancelled says so, and is paid by the same order after all', async () => {
    const checkout = await newCheckout()
    const page = await open(checkout, 'WeChat on an iPhone')
    await onSheet(page, 'cancel')
    await page.getByText('付款已取消').waitFor()
    await onSheet(page, 'pay')
    await shows(page, '付款成功')
    await paidBy(checkout, 'JSAPI')
    expect((await recordOf(checkout)).orders).toHaveLength(1)
  })

  it('uses each code of WeChat’s once: the address that brought it leads to the page, and no further', async () => {
    const checkout = await newCheckout()
    const visit = await visitor('WeChat on Android')
    const codes: string[] = []
    visit.on('request', (request) => void (request.url().includes('/wechat?') && codes.push(request.url())))
    const page = await visit.newPage()
    await page.goto(checkout.checkout_url)
    await onSheet(page, 'cancel')
    const [used = ''] = codes
    const second = await visit.newPage()
    await second.goto(used)
    await shows(second, '等待付款')
    await onSheet(second, 'pay')
    await shows(second, '付款成功')
    await shows(page, '付款成功')
    expect(codes).toEqual([used, used])
    await paidBy(checkout, 'JSAPI')
  })
})

describe('opened in a phone’s browser', () => {
  it.each(['Safari on an iPhone', 'Chrome on Android'] as const)('leads to WeChat and back: %s', async (name) => {
    const checkout = await newCheckout()
    const page = await open(checkout, name)
    await payButton(page).click()
    await onH5(page, checkout, 'pay')
    await shows(page, '付款成功')
    await paidBy(checkout, 'MWEB')
  })

  it('that comes back without a result asks, and offers both what one may want', async () => {
    const checkout = await newCheckout()
    const page = await open(checkout, 'Chrome on Android')
    await payButton(page).click()
    const asked = page.waitForRequest((request) => request.url().includes('/check'))
    await onH5(page, checkout, 'cancel')
    await asked
    await shows(page, '等待付款')
    await page.getByRole('button', { name: '我已支付' }).waitFor()
    await page.getByRole('button', { name: '再去微信付款' }).click()
    await onH5(page, checkout, 'pay')
    await shows(page, '付款成功')
    await paidBy(checkout, 'MWEB')
  })

  it('gets another way to WeChat once the first is older than five minutes', async () => {
    const checkout = await newCheckout()
    const page = await open(checkout, 'Safari on an iPhone')
    await payButton(page).click()
    await page.locator('[data-story="cancel"]').waitFor()
    const dead = page.url()
    clock.setTo(clock.now() + 5 * 60_000 + 1_000)
    await page.goto(dead, { referer: stage.config.public_url })
    await page.getByText('支付请求已失效').waitFor()
    await page.goto(checkout.checkout_url)
    await payButton(page).click()
    await onH5(page, checkout, 'pay')
    await shows(page, '付款成功')
    await paidBy(checkout, 'MWEB')
    expect((await recordOf(checkout)).orders).toHaveLength(1)
  })

  it('without H5 says how it is opened in WeChat', async () => {
    const checkout = await newCheckout({ methods: ['NATIVE', 'JSAPI'] })
    const page = await open(checkout, 'Chrome on Android')
    await shows(page, '请在微信里打开本页')
    expect(await page.locator('#link').textContent()).toBe(checkout.checkout_url)
  })
})

describe('opened where nothing can be paid', () => {
  it.each(['a mini program’s web-view on an iPhone', 'Alipay on Android'] as const)(
    'says what to do: %s',
    async (name) => {
      const page = await open(await newCheckout(), name)
      await shows(page, '请在微信里打开本页')
      await page.getByRole('button', { name: '复制本页链接' }).waitFor()
      expect(await payButton(page).isVisible()).toBe(false)
    },
  )
})

describe('opened in two places', () => {
  it('is paid in WeChat after the computer has shown its code, which is closed first', async () => {
    const checkout = await newCheckout()
    const computer = await open(checkout, 'Chrome on Windows')
    await shows(computer, '等待付款')
    const phone = await open(checkout, 'WeChat on an iPhone')
    await shows(phone, '已在另一处打开付款')
    await onSheet(phone, 'pay')
    await shows(phone, '付款成功')
    await shows(computer, '付款成功')
    const order = await paidBy(checkout, 'JSAPI')
    expect(order.out_trade_no).toBe(`${checkout.out_trade_no}-2`)
    await stage.reaches(checkout, 'closed')
  })

  it('and paid in both at once keeps one payment, whichever came first', async () => {
    const checkout = await newCheckout()
    const computer = await open(checkout, 'Chrome on Windows')
    await shows(computer, '等待付款')
    const phone = await open(checkout, 'WeChat on Android')
    await shows(phone, '已在另一处打开付款')
    const opened = phone.waitForEvent('popup').then((sheet) => sheet.locator('[data-story="pay"]').click())
    await payButton(phone).click()
    const is_scanned = scanned(checkout)
    await Promise.race([opened.catch(() => undefined), shows(phone, '付款成功')])
    for (const page of [computer, phone]) await shows(page, '付款成功')
    const order = await paidBy(checkout, is_scanned ? 'NATIVE' : 'JSAPI')
    const { orders } = await recordOf(checkout)
    const others = orders.filter(({ out_trade_no }) => out_trade_no !== order.out_trade_no)
    const states = await Promise.all(others.map(async (other) => (await stage.record({ ...order, ...other })).state))
    expect(states.filter((state) => state === 'paid' || state === 'fulfilled')).toEqual([])
  })
})

describe('paid by a code that was scanned before the payer went on with his phone', () => {
  it('keeps the one payment, and the other goes back by itself: both pages say so', async () => {
    const checkout = await newCheckout()
    const computer = await open(checkout, 'Chrome on Windows')
    await shows(computer, '等待付款')
    const phone = await open(checkout, 'WeChat on an iPhone')
    await onSheet(phone, 'pay')
    await shows(phone, '付款成功')
    await stage.reaches(checkout, 'closed')
    stage.pay(keyOf(checkout), 'pay_after_close') // WeChat takes it all the same
    const kept = await paidBy(checkout, 'JSAPI')
    expect(kept.out_trade_no).toBe(`${checkout.out_trade_no}-2`)
    const late = await stage.reaches(checkout, 'refunded')
    expect(late.payment?.role).toBe('late')
    const [refund, ...more] = await stage.store.refunds.ofOrder(checkout.mchid, checkout.out_trade_no)
    expect(more).toEqual([])
    expect(refund).toMatchObject({ state: 'succeeded', origin: 'late_payment', amount: { refund: 990 } })
    await expectProven(stage, keyOf(checkout))
    for (const page of [computer, phone]) {
      await page.reload()
      await shows(page, '付款成功')
      await page.getByText('另一次付款的退款').waitFor()
      await page.getByText('¥9.90 已原路退回').waitFor()
    }
  })
})

describe('a method that WeChat does not let the merchant use', () => {
  it('is fallen back from with a reason, and a person is called', async () => {
    const { mchid } = stage
    await stage.simulator.control.register({ mchid, products: ['NATIVE', 'JSAPI'] })
    const checkout = await newCheckout()
    const page = await open(checkout, 'Safari on an iPhone')
    await payButton(page).click()
    await shows(page, '请在微信里打开本页')
    await page.getByText('商家暂时不能在这里用微信支付收款').waitFor()
    const attention = await until('a person is called', async () =>
      (await stage.store.merchants.find(stage.mchid))?.attentions?.find(({ code }) => code === 'product_not_enabled'),
    )
    expect(attention.detail).toContain('MWEB')
    const phone = await open(checkout, 'WeChat on an iPhone')
    await onSheet(phone, 'pay')
    await shows(phone, '付款成功')
    await shows(page, '付款成功')
    await paidBy(checkout, 'JSAPI')
    await stage.simulator.control.register({ mchid, products: [...trade_types] })
    await stage.store.merchants.liftAttention(stage.mchid, 'product_not_enabled')
  })
})
