import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startSimulator } from '../stage/simulator.ts'
import { Client, makeMerchant, numbering, send } from './client.ts'

const clock = { ms: Date.now() }
const open = (loopback_payer: 'allow' | 'refuse') =>
  startSimulator({ port: 0, probe_rate: 0, loopback_payer }, { now: () => clock.ms })
const simulator = await open('allow')
const client = new Client(simulator.url, makeMerchant('1900000064'))
const { mchid } = client.merchant
const freshNumber = numbering('H5')
const merchant = { products: ['MWEB'], h5_domains: ['pay.shop.example', 'm.shop.example'] }

beforeAll(() => client.register(merchant))
afterAll(() => simulator.close())

const referer = 'https://pay.shop.example/pay/abc'
async function placed(payer_client_ip = '127.0.0.1', own = client) {
  const no = freshNumber()
  const scene_info = { payer_client_ip, h5_info: { type: 'Wap' } }
  const { json } = await own.placeBy('h5', no, { scene_info }, { timestamp: Math.floor(clock.ms / 1000) })
  return { no, h5_url: String(json['h5_url']) }
}

/** A browser at an address: which page it shows, what that says, and where it leads back to. */
async function visit(url: string, headers: Record<string, string | null> = {}) {
  const all = { referer, 'user-agent': 'Mozilla/5.0 (iPhone) Safari', ...headers }
  const kept = Object.entries(all).filter((pair): pair is [string, string] => pair[1] !== null)
  return shown((await send(url, { method: 'GET', headers: Object.fromEntries(kept) })).text)
}
async function press(text: string, story: string, headers: Record<string, string> = {}) {
  const fields = [...text.matchAll(/name="(h5_url|back)" value="([^"]*)"/g)].map(([, name = '', value = '']) => [
    name,
    plain(value),
  ])
  const body = new URLSearchParams({ ...(Object.fromEntries(fields) as Record<string, string>), story }).toString()
  const form = { 'content-type': 'application/x-www-form-urlencoded', ...headers }
  return shown((await send(`${simulator.url}/phone/h5`, { method: 'POST', headers: form, body })).text)
}
const plain = (text: string) => text.replaceAll(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)))
const shown = (text: string) => ({
  text,
  screen: /data-screen="(\w+)"/.exec(text)?.[1],
  said: /role="status">([^<]*)</.exec(text)?.[1],
  back: plain(/href="([^"]*)" data-back/.exec(text)?.[1] ?? ''),
})
const stateOf = (no: string) => simulator.control.view(mchid, no).orders[0]?.trade_state

describe('an h5_url', () => {
  it('shows who asks for how much, is paid, and leads back to redirect_url', async () => {
    const { no, h5_url } = await placed()
    const back = 'https://m.shop.example/orders/1?a=b'
    const page = await visit(`${h5_url}&redirect_url=${encodeURIComponent(back)}`)
    expect([page.screen, page.text.includes('1.00')]).toEqual(['h5', true])
    const end = await press(page.text, 'pay')
    expect([end.screen, end.back, stateOf(no)]).toEqual(['h5_paid', back, 'SUCCESS'])
  })

  it('is left without paying, and leads back to where it was opened', async () => {
    const { no, h5_url } = await placed()
    const end = await press((await visit(h5_url)).text, 'cancel')
    expect([end.screen, end.back, stateOf(no)]).toEqual(['h5_left', referer, 'NOTPAY'])
    expect((await visit(h5_url)).screen).toBe('h5') // once more by the same person
  })

  it.each([
    ['without a Referer', {}, { referer: null }, '商家参数格式有误，请联系商家解决'],
    ['from another domain', {}, { referer: 'https://shop.example/' }, '商家存在未配置的参数，请联系商家解决'],
    ['with more than redirect_url', { '&x=1': '' }, {}, '商家参数格式有误，请联系商家解决'],
    [
      'to lead back elsewhere',
      { '&redirect_url=https%3A%2F%2Fevil.example': '' },
      {},
      '商家存在未配置的参数，请联系商家解决',
    ],
    ['in WeChat', {}, { 'user-agent': 'iPhone MicroMessenger/8.0' }, '请在微信外打开订单，进行支付'],
  ])('is not opened %s', async (_, added, headers, said) => {
    const { h5_url } = await placed()
    const page = await visit(h5_url + Object.keys(added).join(''), headers)
    expect([page.screen, page.said]).toEqual(['h5_refused', said])
  })

  it('is dead after five minutes', async () => {
    const { h5_url } = await placed()
    const page = await visit(h5_url)
    clock.ms += 300_000
    const gone = { screen: 'h5_refused', said: '支付请求已失效，请重新发起支付' }
    expect(await visit(h5_url)).toMatchObject(gone)
    expect(await press(page.text, 'pay')).toMatchObject(gone)
  })

  it('is for one person', async () => {
    const { no, h5_url } = await placed()
    const page = await visit(h5_url, { cookie: 'simulated_payer=anna' })
    const bob = { cookie: 'simulated_payer=bob' }
    const gone = { screen: 'h5_refused', said: '支付请求已失效，请重新发起支付' }
    expect(await visit(h5_url, bob)).toMatchObject(gone)
    expect(await press(page.text, 'pay', bob)).toMatchObject(gone)
    expect(await press(page.text, 'pay', { cookie: 'simulated_payer=anna' })).toMatchObject({ screen: 'h5_paid' })
    const appid = client.merchant.appid
    const { payments } = simulator.control.view(mchid, no)
    expect(payments[0]?.payer.openid).toBe(simulator.control.openid({ appid, payer: 'anna' }).openid)
  })

  it('of a paid or closed order says so', async () => {
    const { no, h5_url } = await placed()
    const page = await visit(h5_url)
    await client.close(no, { timestamp: Math.floor(clock.ms / 1000) })
    expect((await visit(h5_url)).said).toBe('该订单已关闭')
    expect((await press(page.text, 'pay')).said).toBe('该订单已关闭')
    const paid = await placed()
    simulator.control.pay({ mchid, out_trade_no: paid.no })
    expect((await visit(paid.h5_url)).said).toBe('该订单已支付')
  })

  it('that nobody made says that it is gone', async () => {
    const { h5_url } = await placed()
    expect((await visit(h5_url.replace('prepay_id=wx', 'prepay_id=wy'))).said).toBe('支付请求已失效，请重新发起支付')
  })
})

describe('the address that the merchant gave as the payer’s', () => {
  const said = '网络环境未能通过安全验证，请稍后再试'

  it('may not be of this machine or of a private network, unless that is allowed', async () => {
    const strict = await open('refuse')
    try {
      const own = new Client(strict.url, client.merchant)
      await own.register(merchant)
      for (const address of ['127.0.0.1', '::1', '::ffff:127.0.0.1', '192.168.1.5', '10.0.0.1', '100.64.0.1']) {
        expect([address, await visit((await placed(address, own)).h5_url)]).toMatchObject([address, { said }])
        expect((await visit((await placed(address)).h5_url)).screen).toBe('h5')
      }
      // this machine's browser has no public address to compare with
      expect((await visit((await placed('14.23.150.211', own)).h5_url)).screen).toBe('h5')
    } finally {
      await strict.close()
    }
  })
})
