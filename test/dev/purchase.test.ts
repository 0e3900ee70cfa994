import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Page } from 'playwright-core'
import { PhoneWindows } from '../../dev/phone.ts'
import { startShop } from '../../dev/shop/shop.ts'
import { trade_types } from '../../domain/merchant/product.ts'
import { default_settings } from '../../domain/merchant/record.ts'
import { languages } from '../../domain/language.ts'
import type { Language } from '../../domain/language.ts'
import { collectComplaints, openBrowser } from '../stage/browser.ts'
import {
  composePicture,
  keepPicture,
  keptPicture,
  panel_context,
  picture_size,
  sizeOfPng,
  takePanel,
  textOf,
} from '../stage/pictures.ts'
import { Stage } from '../stage/stage.ts'
import { until } from '../stage/until.ts'

const [stage, browser] = await Promise.all([
  Stage.open({ ways_to_pay: true, simulator: { loopback_payer: 'allow' } }),
  openBrowser(),
])
const here = { port: 0, weft_url: stage.config.public_url, weft_key: stage.key }
const shop = await startShop({ ...here, sells_by: 'checkout' })
const windows = new PhoneWindows({ simulator_url: stage.simulator.url, headless: true })

beforeAll(async () => {
  const fulfilment = { ...default_settings.fulfilment, mode: 'event' as const }
  const settings = { ...default_settings, fulfilment, products: [...trade_types] }
  await stage.store.merchants.updateSettings(stage.mchid, settings)
})

afterAll(async () => {
  await windows.close()
  await browser.close()
  await shop.close()
  await stage.close()
})

interface Purchase {
  checkout: Page
  phone: Page
  out_trade_no: string
  complaints: string[]
}

/** A person buys tea, sees the code, and holds a phone to it. */
async function purchase(wish: 'ship' | 'refuse' | 'later'): Promise<Purchase> {
  const visit = await browser.newContext({ locale: 'zh-CN' })
  const checkout = await visit.newPage()
  const complaints: string[] = []
  collectComplaints(checkout, complaints)
  await checkout.goto(`${shop.url}/?lang=zh-CN`)
  const tea = checkout.locator('article').first()
  await tea.locator('select').selectOption(wish)
  await tea.getByRole('button', { name: '购买' }).click()
  await checkout.getByRole('heading', { name: '等待付款' }).waitFor()
  const out_trade_no = (await checkout.locator('#number').textContent()) ?? ''
  const opening = visit.waitForEvent('page')
  await checkout.getByRole('link', { name: '打开模拟手机付款' }).click()
  const phone = await opening
  return { checkout, phone, out_trade_no, complaints }
}

/** The shop's page of the order, once it is as `isReached` wants it. */
async function orderPage(out_trade_no: string, isReached: (html: string) => boolean = () => true): Promise<string> {
  let html = ''
  await until('the shop’s page tells it', async () => {
    html = await (await fetch(`${shop.url}/orders/${out_trade_no}?lang=en`)).text()
    return isReached(html)
  })
  return html
}

/** A person buys tea on a phone, and gets as far as the page that asks for the money. */
async function phonePurchase(kind: 'wechat' | 'browser'): Promise<Page> {
  const page = await windows.open(`${shop.url}/?lang=zh-CN`, kind)
  page.context().setDefaultTimeout(120_000)
  await page.locator('article').first().getByRole('button', { name: '购买' }).click()
  await page.getByRole('heading', { name: '待付款' }).waitFor()
  return page
}

/** How the sale of the page was paid, once the shop has shipped it. */
async function paidBy(page: Page): Promise<string | undefined> {
  await page.getByText('商家已确认您的订单').waitFor()
  const out_trade_no = (await page.locator('#number').textContent()) ?? ''
  expect(await orderPage(out_trade_no)).toMatch(/<dt>Shipped<\/dt>\s*<dd>once<\/dd>/)
  const { orders } = stage.simulator.control.view(stage.mchid, null)
  const own = orders.filter((order) => order.out_trade_no.startsWith(out_trade_no) && order.trade_state === 'SUCCESS')
  expect(own).toHaveLength(1)
  await page.close()
  return own[0]?.trade_type
}

describe('a purchase at the tea shop on a phone', () => {
  it('is paid in WeChat with one tap', async () => {
    const page = await phonePurchase('wechat')
    const opened = page.waitForEvent('popup')
    await page.locator('#pay-button').click()
    await (await opened).locator('[data-story="pay"]').click()
    expect(await paidBy(page)).toBe('JSAPI')
  })

  it('is paid in the phone’s browser, which WeChat leads back to', async () => {
    const page = await phonePurchase('browser')
    await page.locator('#pay-button').click()
    await page.locator('[data-story="pay"]').click()
    expect(await paidBy(page)).toBe('MWEB')
  })
})

describe('a purchase at the tea shop', () => {
  it('ends as shipped once: bought, paid on the phone, confirmed on the checkout page without a reload', async () => {
    const { checkout, phone, out_trade_no, complaints } = await purchase('ship')
    await checkout.evaluate('window.is_same_page = true')
    await phone.locator('[data-story="pay"]').click()
    await checkout.getByText('商家已确认您的订单').waitFor()
    expect(await checkout.evaluate('window.is_same_page')).toBe(true)
    expect(await orderPage(out_trade_no)).toMatch(/<dt>Shipped<\/dt>\s*<dd>once<\/dd>/)
    expect(complaints).toEqual([])
  })

  it('is found by “I have paid” when the notification got lost', async () => {
    const { checkout, phone, out_trade_no } = await purchase('ship')
    await phone.locator('[data-story="lose_notification"]').click()
    await checkout.getByRole('button', { name: '我已支付' }).click()
    await checkout.getByText('商家已确认您的订单').waitFor()
    const order = await stage.record({ mchid: stage.mchid, out_trade_no })
    expect(order.payment?.found_by).toBe('query')
  })

  it('that the shop cannot ship ends with the payer’s money back, on every page without a reload', async () => {
    const { checkout, phone, out_trade_no, complaints } = await purchase('refuse')
    await checkout.evaluate('window.is_same_page = true')
    await phone.locator('[data-story="pay"]').click()
    await checkout.getByRole('heading', { name: '已全额退款' }).waitFor()
    expect(await checkout.evaluate('window.is_same_page')).toBe(true)
    expect(complaints).toEqual([])
    const told = await orderPage(out_trade_no, (html) => html.includes('order.refunded'))
    expect(told).toMatch(/<dt>Shipped<\/dt>\s*<dd>0 times<\/dd>/)
    expect(told).toMatch(/<dt>Refund<\/dt>\s*<dd>¥128.00 · back with the payer<\/dd>/)
    const events = [...told.matchAll(/<code>((?:order|refund)\.\w+)<\/code>/g)].map(([, type]) => type)
    expect(events).toEqual(['order.paid', 'order.refunding', 'refund.succeeded', 'order.refunded'])
    await phone.reload()
    expect(await phone.locator('[data-refund="SUCCESS"]').count()).toBe(1)
  })

  it('that was shipped is paid back when the shop wishes, and the checkout page tells it', async () => {
    const { checkout, phone, out_trade_no } = await purchase('ship')
    const checkout_url = checkout.url()
    await phone.locator('[data-story="pay"]').click()
    await checkout.getByText('商家已确认您的订单').waitFor()
    await checkout.goto(`${shop.url}/orders/${out_trade_no}?lang=zh-CN`)
    await checkout.getByRole('button', { name: '全额退款' }).click()
    await checkout.getByText('付款人已收到退款').waitFor()
    await checkout.goto(checkout_url)
    await checkout.getByRole('heading', { name: '已全额退款' }).waitFor()
    expect(await orderPage(out_trade_no)).toMatch(/<dt>Shipped<\/dt>\s*<dd>once<\/dd>/)
    const order = await stage.record({ mchid: stage.mchid, out_trade_no })
    expect(order.state).toBe('fulfilled')
  })

  it('that is paid back before the shop has answered is not shipped any more', async () => {
    const { checkout, phone, out_trade_no } = await purchase('later')
    await phone.locator('[data-story="pay"]').click()
    await orderPage(out_trade_no, (html) => html.includes('Ship now'))
    await fetch(`${shop.url}/orders/${out_trade_no}/refund`, { method: 'POST', redirect: 'manual' })
    await checkout.getByRole('heading', { name: '已全额退款' }).waitFor()
    const told = await orderPage(out_trade_no, (html) => html.includes('order.refunded'))
    expect(told).toContain('order.fulfilment_cancelled')
    expect(told).not.toContain('Ship now')
    expect(told).toMatch(/<dt>Shipped<\/dt>\s*<dd>0 times<\/dd>/)
  })

  it('that the shop answers later is confirmed when it has, and tells what is given back later still', async () => {
    const { checkout, phone, out_trade_no } = await purchase('later')
    await phone.locator('[data-story="pay"]').click()
    await checkout.getByRole('heading', { name: '付款成功 · 商家处理中' }).waitFor()
    await orderPage(out_trade_no, (html) => html.includes('Ship now'))
    await fetch(`${shop.url}/orders/${out_trade_no}/ship`, { method: 'POST', redirect: 'manual' })
    await checkout.getByText('商家已确认您的订单').waitFor()
    expect(await orderPage(out_trade_no)).toMatch(/<dt>Shipped<\/dt>\s*<dd>once<\/dd>/)
    await stage.refundReaches(await stage.refunding({ out_trade_no, amount: { refund: 300 } }), 'succeeded')
    await checkout.reload()
    await checkout.getByRole('heading', { name: '已部分退款 ¥3.00' }).waitFor()
  })
})

const pages = {
  en: {
    readme: 'README.md',
    buy: 'Buy',
    phone: 'Open the simulated phone',
    asked: 'I have paid',
    done: 'The shop has confirmed your order',
  },
  'zh-CN': {
    readme: 'README.zh-CN.md',
    buy: '购买',
    phone: '打开模拟手机付款',
    asked: '我已支付',
    done: '商家已确认您的订单',
  },
} as const satisfies Record<Language, object>

describe('the picture in the README', () => {
  it.each(languages)('in %s shows the pages as they are now; if not: npm run pictures', async (language) => {
    const { readme, buy, phone: open_phone, asked, done } = pages[language]
    const visit = await browser.newContext({ locale: language, ...panel_context })
    const checkout = await visit.newPage()
    await checkout.goto(`${shop.url}/?lang=${language}`)
    const tea = checkout.locator('article').first()
    await tea.locator('select').selectOption('ship')
    await tea.getByRole('button', { name: buy }).click()
    await checkout.locator('#qr').waitFor()
    const waiting = await takePanel(checkout)
    const opening = visit.waitForEvent('page')
    await checkout.getByRole('link', { name: open_phone }).click()
    const phone = await opening
    await phone.locator('[data-story="lose_notification"]').waitFor()
    const paying = await takePanel(phone)
    await phone.locator('[data-story="lose_notification"]').click()
    await checkout.getByRole('button', { name: asked }).click()
    await checkout.getByText(done).waitFor()
    const panels = [waiting, paying, await takePanel(checkout)]
    const png = await composePicture(browser, panels)
    await visit.close()
    if (process.env['WEFT_PICTURES'] === 'keep') await keepPicture(language, png, panels)
    const kept = await keptPicture(language)
    expect(kept.text).toBe(textOf(panels))
    expect([sizeOfPng(png), sizeOfPng(kept.png)]).toEqual([picture_size, picture_size])
    // Shown as it is: a width or height beside it would stretch it on a narrow page.
    expect(await readFile(readme, 'utf8')).toMatch(/^!\[[^\]]+\]\(docs\/images\/checkout(\.zh-CN)?\.png\)$/m)
  })
})
