import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startSimulator } from '../stage/simulator.ts'
import { Client, makeMerchant, numbering } from './client.ts'

const mchid = '1900000040'
const clock = { ms: Date.now() }
const simulator = await startSimulator({ port: 0, probe_rate: 0 }, { now: () => clock.ms })
const client = new Client(simulator.url, makeMerchant(mchid))
const freshNumber = numbering('PHONE')

beforeAll(() => client.register({ name: '一间<茶>店' }))
afterAll(() => simulator.close())

async function placed(more: Record<string, unknown> = {}, no = freshNumber()): Promise<{ no: string; code: string }> {
  const { json } = await client.place(no, more, { timestamp: Math.floor(clock.ms / 1000) })
  return { no, code: String(json.code_url) }
}
const read = async (path: string, headers: Record<string, string> = {}): Promise<string> =>
  (await fetch(simulator.url + path, { headers })).text()
const pageOf = (code: string, language = 'zh-CN'): Promise<string> =>
  read(`/phone?${new URLSearchParams({ code_url: code, lang: language }).toString()}`)
const press = async (code: string, story: string): Promise<string> => {
  const body = new URLSearchParams({ code_url: code, story, lang: 'en' })
  const answer = await fetch(`${simulator.url}/phone`, { method: 'POST', body })
  expect(answer.redirected).toBe(true)
  return answer.text()
}
const buttons = (page: string): string[] => [...page.matchAll(/data-story="(\w+)"/g)].map((match) => match[1] ?? '')
const screen = (page: string): string | undefined => /data-screen="(\w+)"/.exec(page)?.[1]

describe('the phone', () => {
  it('shows amount, merchant and item, and what a payer can do', async () => {
    const { code, no } = await placed({ description: '龙井 & <b>', amount: { total: 12_305 } })
    const page = await pageOf(code)
    expect(screen(page)).toBe('open')
    expect(page).toContain('123.05')
    expect(page).toContain('一间&#60;茶&#62;店')
    expect(page).toContain('龙井 &#38; &#60;b&#62;')
    expect(page).toContain(no)
    expect(buttons(page)).toEqual([
      'pay',
      'cancel',
      'lose_notification',
      'notify_three_times',
      'notify_late',
      'pay_while_closing',
      'pay_after_close_sent',
      'forge_notification',
      'wrong_amount',
    ])
  })

  it('shows below a button what whoever started it has to say about the story, and else nothing', async () => {
    const notes = { wrong_amount: { en: 'proven <there>', 'zh-CN': '见彼处' } }
    const noted = await startSimulator({ port: 0, probe_rate: 0 }, { now: () => clock.ms, notes })
    const other = new Client(noted.url, makeMerchant(mchid))
    await other.register()
    const { json } = await other.place(freshNumber(), {}, { timestamp: Math.floor(clock.ms / 1000) })
    const address = (language: string) =>
      `/phone?${new URLSearchParams({ code_url: String(json.code_url), lang: language }).toString()}`
    const page = async (language: string) => (await fetch(noted.url + address(language))).text()
    const lines = (text: string) =>
      [...text.matchAll(/<small data-note="(\w+)">([^<]*)</g)].map(([, ...found]) => found)
    expect(lines(await page('en'))).toEqual([['wrong_amount', 'proven &#60;there&#62;']])
    expect(lines(await page('zh-CN'))).toEqual([['wrong_amount', '见彼处']])
    expect(lines(await pageOf((await placed()).code))).toEqual([])
    await noted.close()
  })

  it('pays, and shows that it did', async () => {
    const { code, no } = await placed()
    const page = await press(code, 'pay')
    expect(screen(page)).toBe('paid')
    const { transaction_id } = simulator.control.view(mchid, no).orders[0] ?? {}
    expect(page).toContain(String(transaction_id))
    expect(buttons(page)).toEqual(['second_payment'])
    expect(await press(code, 'pay')).toContain('The order is paid already.')
  })

  it('shows what came back, what is on its way and what did not', async () => {
    const { code, no } = await placed({ amount: { total: 1_000, currency: 'CNY' } })
    await press(code, 'pay')
    expect(await pageOf(code)).not.toContain('data-refund')
    const ends = [
      { refund: 100, status: 'SUCCESS' },
      { refund: 250, status: 'ABNORMAL' },
      { refund: 301, status: 'CLOSED' },
      { refund: 202 },
    ] as const
    for (const end of ends)
      simulator.control.createConsoleRefund({ mchid, out_trade_no: no, reason: '茶<凉>了', ...end })
    const returned = simulator.control.createConsoleRefund({ mchid, out_trade_no: no, refund: 303 })
    const { refund_id } = returned
    simulator.control.finishRefund({ refund_id, status: 'SUCCESS', received_by: 'merchant_basic_account' })
    const page = await pageOf(code)
    expect(screen(page)).toBe('paid')
    const items = page.split('data-refund="').slice(1)
    const expected = [
      ['SUCCESS', '¥1.00', '已退款', '支付用户零钱'],
      ['ABNORMAL', '¥2.50', '退款异常', '原因: 茶&#60;凉&#62;了'],
      ['CLOSED', '¥3.01', '没有退回', '原因: 茶&#60;凉&#62;了'],
      ['PROCESSING', '¥2.02', '退款中', '原因: 茶&#60;凉&#62;了'],
      ['SUCCESS', '¥3.03', '已退回商户', '商户基本账户'],
    ]
    for (const [index, texts] of expected.entries()) {
      for (const text of texts) expect(items[index]).toContain(text)
    }
    expect(items).toHaveLength(expected.length)
    expect(items[0]).not.toContain('原因') // one yuan or less, and not all of it
    expect(await pageOf(code, 'en')).toContain('On its way')
  })

  it('cancels without paying', async () => {
    const { code, no } = await placed()
    const page = await press(code, 'cancel')
    expect([screen(page), page.includes('Nothing was paid.')]).toEqual(['open', true])
    expect(simulator.control.view(mchid, no).orders[0]?.trade_state).toBe('NOTPAY')
  })

  it('waits for the merchant to close where the story needs it', async () => {
    const { code } = await placed()
    const page = await press(code, 'pay_while_closing')
    expect([screen(page), page.includes('http-equiv="refresh"')]).toEqual(['armed', true])
    expect(buttons(page)).toEqual(['pay', 'cancel'])
  })

  it('says why a code cannot be paid', async () => {
    const { code: dead, no: twice } = await placed()
    await placed({}, twice)
    expect(await pageOf(dead, 'en')).toContain('This code is dead')
    const { code: closed, no } = await placed()
    await client.close(no, { timestamp: Math.floor(clock.ms / 1000) })
    expect(screen(await pageOf(closed))).toBe('closed')
    const { code: late } = await placed({ time_expire: new Date(clock.ms + 60_000).toISOString() })
    clock.ms += 61_000
    const page = await pageOf(late, 'en')
    expect([screen(page), page.includes('The time to pay is over.')]).toEqual(['expired', true])
    expect(buttons(page)).toEqual([])
  })

  it('speaks the language that is asked for by link or by the browser, else Chinese', async () => {
    const { code } = await placed()
    expect(await pageOf(code, 'en')).toContain('lang="en"')
    expect(await read('/phone')).toContain('付款人的手机')
    expect(await read('/phone', { 'accept-language': 'en-GB,zh;q=0.5' })).toContain('The payer&#39;s phone')
    expect(await read('/phone', { 'accept-language': 'fr, zh-CN' })).toContain('付款人的手机')
  })

  it('without a code explains itself and lists what can be paid', async () => {
    const { code } = await placed()
    const page = await read('/phone')
    expect(screen(page)).toBe('start')
    expect(page).toContain(
      `/phone?${new URLSearchParams({ code_url: code, lang: 'zh-CN' }).toString()}`.replaceAll('&', '&#38;'),
    )
    expect(await pageOf('weixin://never')).toContain('没有这个二维码对应的订单。')
  })

  it('draws the code and is styled without asking any other host', async () => {
    const { code } = await placed()
    const picture = await fetch(`${simulator.url}/phone/qr.svg?code_url=${encodeURIComponent(code)}`)
    expect(picture.headers.get('content-type')).toContain('image/svg+xml')
    expect(await picture.text()).toContain('<svg')
    const style = await fetch(`${simulator.url}/phone/style.css`)
    expect(style.headers.get('content-type')).toContain('text/css')
    const policy = (await fetch(`${simulator.url}/phone`)).headers.get('content-security-policy')
    expect(policy).toContain("default-src 'none'")
  })

  it('shows the product of each order, in the list and on its page', async () => {
    const { code } = await placed()
    expect(await pageOf(code)).toMatch(/<dd data-product="NATIVE">Native支付<\/dd>/)
    expect(await read('/phone')).toContain('data-product="NATIVE"')
  })
})

describe('a form of the phone', () => {
  const post = (
    path: string,
    fields: Record<string, string>,
    headers: Record<string, string> = {},
    to = simulator.url,
  ) => fetch(to + path, { method: 'POST', body: new URLSearchParams(fields), headers, redirect: 'manual' })

  it('says whose phone the browser is, who then pays', async () => {
    const { code, no } = await placed()
    const changed = await post('/phone/payer', { payer: '安娜' })
    const cookie = String(changed.headers.get('set-cookie')).split(';')[0] ?? ''
    expect(await read('/phone', { cookie })).toContain('value="安娜"')
    await post('/phone', { code_url: code, story: 'pay' }, { cookie })
    const { openid } = simulator.control.openid({ appid: client.merchant.appid, payer: '安娜' })
    expect(simulator.control.view(mchid, no).payments[0]?.payer).toEqual({ openid })
  })

  it('opens a link where whoever started it has a browser, and says so where not', async () => {
    const opened: string[] = []
    const browser = (link: string, kind: string) => {
      opened.push(`${kind} ${link}`)
      return link.includes('fails') ? Promise.reject(new Error('no screen')) : Promise.resolve()
    }
    const own = await startSimulator({ port: 0 }, { browser })
    const told = async (link: string, kind: string, to = own.url) =>
      /told=(\w+)/.exec((await post('/phone/link', { link, kind }, {}, to)).headers.get('location') ?? '')?.[1]
    const answers = [
      await told('http://127.0.0.1:7700/pay/a', 'wechat'),
      await told('http://127.0.0.1:7700/pay/fails', 'browser'),
      await told('javascript:alert(1)', 'wechat'),
      await told('http://127.0.0.1:7700/pay/a', 'a telephone box'),
      await told('http://127.0.0.1:7700/pay/a', 'wechat', simulator.url),
    ]
    await own.close()
    expect(answers).toEqual(['link_opened', 'no_window', 'no_link', 'no_link', 'no_window'])
    expect(opened).toEqual(['wechat http://127.0.0.1:7700/pay/a', 'browser http://127.0.0.1:7700/pay/fails'])
    expect(await read('/phone?told=no_window&lang=en')).toContain('npm run phone')
  })

  it('is not taken from another site', async () => {
    const headers = { origin: 'https://evil.example' }
    const answers = [await post('/phone/link', {}, headers), await post('/phone/payer', { payer: 'x' }, headers)]
    expect(answers.map(({ status }) => status)).toEqual([409, 409])
  })
})
