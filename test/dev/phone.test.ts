import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { PhoneWindows } from '../../dev/phone.ts'
import { startSimulator } from '../stage/simulator.ts'
import { Client, makeMerchant, numbering } from '../simulator/client.ts'

const simulator = await startSimulator({ port: 0, probe_rate: 0, loopback_payer: 'allow' })
const windows = new PhoneWindows({ simulator_url: simulator.url, headless: true })
const client = new Client(simulator.url, makeMerchant('1900000065'))
const freshNumber = numbering('PHONEWAY')
const account = 'wxaccount00000005'
const openid = simulator.control.openid({ appid: account }).openid

/** The merchant's page, as strict as a page that takes money has to be: it may load and ask nothing but itself. */
const script = `
document.body.dataset.said = 'without a bridge'
const parameters = JSON.parse(document.body.dataset.parameters)
document.addEventListener('WeixinJSBridgeReady', () => { document.body.dataset.said = 'ready' })
document.querySelector('button').addEventListener('click', () =>
  WeixinJSBridge.invoke('getBrandWCPayRequest', parameters, ({ err_msg }) => { document.body.dataset.said = err_msg }))
`
const shown = { body: '' }
const shop = createServer((request, response) => {
  if (request.url === '/pay/script.js') return response.setHeader('content-type', 'text/javascript').end(script)
  response.setHeader('content-security-policy', "default-src 'none'; script-src 'self'; form-action 'self'")
  response.setHeader('referrer-policy', 'origin')
  response
    .setHeader('content-type', 'text/html')
    .end(`<!doctype html><meta charset="utf-8"><title>shop</title>${shown.body}`)
})
const shopUrl = () => `http://127.0.0.1:${(shop.address() as AddressInfo).port}`

beforeAll(async () => {
  await new Promise<void>((resolve) => shop.listen(0, '127.0.0.1', () => resolve()))
  await client.register({
    products: ['JSAPI', 'MWEB'],
    apps: [{ appid: account, kind: 'official_account' }],
    pay_directories: [`${shopUrl()}/pay/`],
    h5_domains: ['127.0.0.1'],
  })
})
afterAll(async () => {
  await windows.close()
  await new Promise((resolve) => shop.close(resolve))
  await simulator.close()
})

const stateOf = (no: string) => simulator.control.view(client.merchant.mchid, no).orders[0]?.trade_state
/** Waits until the page has said this: its script writes it on the body. */
const hasSaid = (page: Page, words: string) => page.waitForSelector(`body[data-said="${words}"]`)

async function jsapiPage(): Promise<{ no: string; page: Page }> {
  const no = freshNumber()
  const { json } = await client.placeBy('jsapi', no, { appid: account, payer: { openid } })
  const [timeStamp, nonceStr, name] = ['1554208460', 'nonce', `prepay_id=${String(json['prepay_id'])}`]
  const paySign = client.paySign(account, timeStamp, nonceStr, name)
  const parameters = { appId: account, timeStamp, nonceStr, package: name, signType: 'RSA', paySign }
  shown.body = `<body data-parameters='${JSON.stringify(parameters)}'><button>pay</button><script src="/pay/script.js"></script></body>`
  const page = await windows.open(`${shopUrl()}/pay/abc`, 'wechat')
  page.context().setDefaultTimeout(120_000)
  return { no, page }
}

describe('a link that is opened in WeChat', () => {
  it('has a bridge after it has loaded, whose sheet is paid, and is told so', async () => {
    const { no, page } = await jsapiPage()
    expect(await page.evaluate('navigator.userAgent')).toContain('MicroMessenger')
    await hasSaid(page, 'ready')
    const [sheet] = await Promise.all([page.waitForEvent('popup'), page.click('button')])
    expect(await sheet.textContent('[data-amount]')).toBe('1.00')
    await sheet.click('[data-story=pay]')
    await hasSaid(page, 'get_brand_wcpay_request:ok')
    expect(stateOf(no)).toBe('SUCCESS')
    await page.close()
  })

  it('is told that the payer cancelled, also by closing the sheet', async () => {
    const { no, page } = await jsapiPage()
    for (const leave of [(sheet: Page) => sheet.click('[data-story=cancel]'), (sheet: Page) => sheet.close()]) {
      await page.reload()
      await hasSaid(page, 'ready')
      const [sheet] = await Promise.all([page.waitForEvent('popup'), page.click('button')])
      await sheet.waitForLoadState()
      await leave(sheet)
      await hasSaid(page, 'get_brand_wcpay_request:cancel')
    }
    expect(stateOf(no)).toBe('NOTPAY')
    await page.close()
  })
})

describe('a link that is opened in the phone’s browser', () => {
  it('goes to the h5_url, is paid there, and comes back', async () => {
    const no = freshNumber()
    const scene_info = { payer_client_ip: '127.0.0.1', h5_info: { type: 'iOS' } }
    const { json } = await client.placeBy('h5', no, { scene_info })
    const address = `${String(json['h5_url'])}&redirect_url=${encodeURIComponent(`${shopUrl()}/back`)}`
    shown.body = `<body><a href="${address.replaceAll('&', '&amp;')}">pay</a></body>`
    const page = await windows.open(`${shopUrl()}/pay/abc`, 'browser')
    page.context().setDefaultTimeout(120_000)
    await page.click('a')
    await page.click('[data-story=pay]')
    await page.waitForURL(`${shopUrl()}/back`)
    expect(stateOf(no)).toBe('SUCCESS')
    await page.close()
  })
})

describe.runIf(process.platform === 'linux')('a window on a machine without a screen', () => {
  it('is refused with what to do instead', async () => {
    for (const name of ['DISPLAY', 'WAYLAND_DISPLAY']) vi.stubEnv(name, '')
    const seen = new PhoneWindows({ simulator_url: simulator.url })
    await expect(seen.open(shopUrl(), 'wechat')).rejects.toThrow(/no screen.*docs\/simulator\.md/)
    vi.unstubAllEnvs()
  })
})
