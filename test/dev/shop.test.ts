import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { Webhook } from 'standardwebhooks'
import { afterEach, describe, expect, it } from 'vitest'
import { startShop } from '../../dev/shop/shop.ts'
import type { ShopOptions } from '../../dev/shop/shop.ts'
import { freePort } from '../../dev/servers/servers.ts'
import { beijingDay } from '../../domain/calendar.ts'

const began_ms = Date.now()

const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
const cleanups: (() => Promise<void> | void)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

type Answer = { status: number; body?: object }

/** Weft as the shop meets it: keeps what it was asked, answers what the test says. */
class WeftDouble {
  readonly asked: { call: string; body: string; authorization: string }[] = []
  readonly answers = new Map<string, Answer[]>()
  readonly endpoints: { id: string; url: string; role: string }[] = []
  readonly #server: Server

  constructor() {
    this.#server = createServer((request, response) => {
      void text(request).then((body) => {
        const call = `${request.method} ${request.url}`
        this.asked.push({ call, body, authorization: request.headers.authorization ?? '' })
        const { status, body: answer } = this.answers.get(call)?.shift() ?? this.#usual(call, body)
        response.writeHead(status, { 'content-type': 'application/json' }).end(answer && JSON.stringify(answer))
      })
    })
  }

  async open(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    cleanups.push(() => new Promise((resolve) => void this.#server.close(() => resolve()).closeAllConnections()))
    return this
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  of(call: string): string[] {
    return this.asked.filter((one) => one.call === call).map(({ body }) => body)
  }

  #usual(call: string, body: string): Answer {
    if (call === 'POST /v1/orders' || call === 'POST /v1/checkouts') {
      return { status: 201, body: { checkout_url: 'http://weft.test/pay/token', state: 'awaiting_payment' } }
    }
    if (call === 'POST /v1/refunds') return { status: 201, body: { state: 'processing' } }
    if (call === 'GET /v1/endpoints') return { status: 200, body: { data: this.endpoints } }
    if (call === 'POST /v1/endpoints') {
      const endpoint = { id: `ep_${this.endpoints.length}`, ...(JSON.parse(body) as { url: string; role: string }) }
      this.endpoints.push(endpoint)
      return { status: 201, body: { ...endpoint, secret } }
    }
    if (call.startsWith('DELETE /v1/endpoints/')) {
      this.endpoints.splice(0)
      return { status: 204 }
    }
    return { status: 200, body: {} }
  }
}

async function openShop(weft: WeftDouble, given: Partial<ShopOptions> = {}) {
  const shop = await startShop({ port: 0, weft_url: weft.url, weft_key: 'weft_test_key', ...given })
  const running = { is_open: true }
  const close = async () => {
    if (running.is_open) await shop.close()
    running.is_open = false
  }
  cleanups.push(close)
  return { url: shop.url, close }
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'weft-shop-'))
  cleanups.push(() => rmSync(path, { recursive: true }))
  return path
}

const buy = (shop: { url: string }, wish = 'ship') =>
  fetch(`${shop.url}/buy?lang=en`, {
    method: 'POST',
    body: new URLSearchParams({ tea: 'longjing', wish }),
    redirect: 'manual',
  })

/** Buys, and answers the number under which Weft was asked. */
async function bought(shop: { url: string }, weft: WeftDouble, wish?: string, kind = 'orders'): Promise<string> {
  expect((await buy(shop, wish)).status).toBe(303)
  const body = JSON.parse(weft.of(`POST /v1/${kind}`).at(-1) ?? '') as { out_trade_no: string }
  return body.out_trade_no
}

interface Told {
  type?: string
  sequence?: number
  state?: string
  id?: string
  /** the number of the checkout that the order is one of */
  checkout?: string
  /** of an event about a refund */
  refund?: { out_refund_no: string; transaction_id: string; state: string; amount: { refund: number } }
}

function event(out_trade_no: string, given: Told = {}) {
  const { type = 'order.paid', sequence = 1, state = type.split('.')[1] ?? '', refund, checkout = null } = given
  const amount = { total: 12_800 }
  const order = {
    object: 'order',
    out_trade_no,
    checkout,
    transaction_id: '4200-own',
    state,
    description: 'tea',
    amount,
  }
  const id = given.id ?? `evt_${out_trade_no}_${sequence}`
  return JSON.stringify({ type, timestamp: new Date().toISOString(), id, sequence, data: { refund, order } })
}

/** Sends an event as Weft does, signed by the Standard Webhooks library; `given` says what is wrong with it. */
async function tell(
  shop: { url: string },
  body: string,
  given: { secret?: string; time?: Date; sent?: string; signature?: (right: string) => string } = {},
) {
  const { id } = JSON.parse(body) as { id: string }
  const time = given.time ?? new Date()
  const right = new Webhook(given.secret ?? secret).sign(id, time, body)
  const answer = await fetch(`${shop.url}/weft-events`, {
    method: 'POST',
    headers: {
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(time.getTime() / 1_000)),
      'webhook-signature': given.signature?.(right) ?? right,
    },
    body: given.sent ?? body,
  })
  return { status: answer.status, text: await answer.text() }
}

const refundOf = (out_refund_no: string, state: string, given: { transaction_id?: string; refund?: number } = {}) => {
  const { transaction_id = '4200-own', refund = 12_800 } = given
  return { out_refund_no, transaction_id, state, amount: { refund } }
}

const page = async (shop: { url: string }, path: string) => (await fetch(`${shop.url}${path}`)).text()
const orderPage = (shop: { url: string }, number: string) => page(shop, `/orders/${number}?lang=en`)
/** What the order's page says under a heading. */
const says = (html: string, name: string) => new RegExp(`<dt>${name}</dt>\\s*<dd>([^<]*)</dd>`).exec(html)?.[1]

describe('the shop’s counter', () => {
  it('sells in Chinese and in English', async () => {
    const shop = await openShop(await new WeftDouble().open())
    const english = await page(shop, '/?lang=en')
    expect(english).toContain('West Lake Longjing')
    expect(english).toContain('¥128.00')
    expect(await page(shop, '/?lang=zh-CN')).toContain('西湖龙井')
  })

  it('sends the payer to the checkout page of an order it has made', async () => {
    const weft = await new WeftDouble().open()
    const shop = await openShop(weft)
    const answer = await buy(shop)
    expect(answer.status).toBe(303)
    expect(answer.headers.get('location')).toBe('http://weft.test/pay/token')
    const request = JSON.parse(weft.of('POST /v1/orders')[0] ?? '') as Record<string, unknown>
    expect(request).toMatchObject({ description: 'West Lake Longjing', amount: { total: 12_800, currency: 'CNY' } })
    expect(request['out_trade_no']).toMatch(/^[0-9A-Za-z_\-|*]{6,32}$/)
    // The Beijing day, as the bill has it; a test may run at midnight.
    const days = [began_ms, Date.now()].map((ms) => beijingDay(ms).replaceAll('-', ''))
    expect(days).toContain(String(request['out_trade_no']).slice(1, 9))
    expect(request).not.toHaveProperty('return_url') // Weft takes https only
    expect(weft.asked.at(-1)?.authorization).toBe('Bearer weft_test_key')
  })

  it('names its own page to return to where it has https', async () => {
    const weft = await new WeftDouble().open()
    const port = await freePort()
    await openShop(weft, { port, public_url: 'https://tea.example.cn' })
    const number = await bought({ url: `http://127.0.0.1:${port}` }, weft)
    expect(weft.endpoints[0]?.url).toBe('https://tea.example.cn/weft-events')
    expect(weft.of('POST /v1/orders')[0]).toContain(`"return_url":"https://tea.example.cn/orders/${number}"`)
  })

  it('asks again with the same bytes when Weft is silent, and never makes two orders of one', async () => {
    const weft = await new WeftDouble().open()
    const shop = await openShop(weft)
    weft.answers.set('POST /v1/orders', [{ status: 503 }, { status: 500 }])
    await bought(shop, weft)
    const sent = weft.of('POST /v1/orders')
    expect(sent).toHaveLength(3)
    expect(new Set(sent).size).toBe(1)
  })

  it('keeps the number of an order that could not be placed, for another try', async () => {
    const weft = await new WeftDouble().open()
    const shop = await openShop(weft)
    const problem = { code: 'merchant_not_ready', detail: 'Keys are missing.', remedy: 'Add them.' }
    weft.answers.set('POST /v1/orders', [{ status: 409, body: problem }])
    const failed = await buy(shop)
    expect(failed.status).toBe(502)
    const html = await failed.text()
    expect(html).toContain('Keys are missing.')
    const again = /action="(\/orders\/[^"]+\/pay)/.exec(html)?.[1] ?? ''
    await fetch(`${shop.url}${again}`, { method: 'POST', redirect: 'manual' })
    const sent = weft.of('POST /v1/orders')
    expect(sent).toHaveLength(2)
    expect(sent[1]).toBe(sent[0])
  })
})

describe('a sale that may be paid in every way', () => {
  const openSale = async () => {
    const weft = await new WeftDouble().open()
    const shop = await openShop(weft, { sells_by: 'checkout' })
    const number = await bought(shop, weft, 'later', 'checkouts')
    return { weft, shop, number, second: `${number}-2` }
  }

  it('is a checkout, whose number leaves room for those of its orders', async () => {
    const { weft, number } = await openSale()
    expect(number.length).toBeLessThanOrEqual(28)
    expect(weft.of('POST /v1/orders')).toEqual([])
  })

  it('is shipped and given back by the number of the order that was paid', async () => {
    const { weft, shop, number, second } = await openSale()
    await tell(shop, event(number, { checkout: number, type: 'order.closed', sequence: 3 }))
    expect(says(await orderPage(shop, number), 'State')).toBe('waiting for payment')
    expect((await tell(shop, event(second, { checkout: number }))).text).toBe('{"fulfilment":"pending"}')
    expect(says(await orderPage(shop, number), 'State')).toBe('paid, to be shipped')
    await fetch(`${shop.url}/orders/${number}/ship`, { method: 'POST', redirect: 'manual' })
    expect(weft.of(`POST /v1/orders/${second}/fulfilment`)).toHaveLength(1)
    await fetch(`${shop.url}/orders/${number}/refund`, { method: 'POST', redirect: 'manual' })
    expect(JSON.parse(weft.of('POST /v1/refunds')[0] ?? '')).toMatchObject({ out_trade_no: second })
    expect(says(await orderPage(shop, number), 'Shipped')).toBe('once')
  })

  it('keeps its state when money for another of its orders comes and goes back', async () => {
    const { shop, number, second } = await openSale()
    await tell(shop, event(second, { checkout: number }))
    const late = { checkout: number, state: 'closed', refund: refundOf('R-late', 'succeeded') }
    await tell(shop, event(number, { ...late, type: 'refund.succeeded', sequence: 9 }))
    const html = await orderPage(shop, number)
    expect(says(html, 'State')).toBe('paid, to be shipped')
    expect(html).toContain('Ship now')
  })

  it('is over when its checkout is, unless it was paid', async () => {
    for (const is_paid of [false, true]) {
      const { shop, number } = await openSale()
      if (is_paid) await tell(shop, event(number, { checkout: number }))
      const message = { id: `evt_${number}_over`, type: 'checkout.expired', timestamp: new Date().toISOString() }
      const told = { ...message, sequence: null, data: { checkout: { out_trade_no: number, state: 'expired' } } }
      expect((await tell(shop, JSON.stringify(told))).status).toBe(204)
      expect(says(await orderPage(shop, number), 'State')).toBe(is_paid ? 'paid, to be shipped' : 'closed')
    }
  })
})

describe('a paid order', () => {
  it('is shipped once, however often it is told', async () => {
    const weft = await new WeftDouble().open()
    const shop = await openShop(weft)
    const number = await bought(shop, weft)
    const body = event(number)
    const answers = await Promise.all([tell(shop, body), tell(shop, body), tell(shop, body)])
    for (const answer of answers) expect(answer).toEqual({ status: 200, text: '{"fulfilment":"fulfilled"}' })
    const html = await orderPage(shop, number)
    expect(says(html, 'Shipped')).toBe('once')
    expect(says(html, 'State')).toBe('shipped')
  })

  it('stays shipped once when the shop starts anew', async () => {
    const weft = await new WeftDouble().open()
    const data_dir = folder()
    const port = await freePort()
    const first = await openShop(weft, { data_dir, port })
    const number = await bought(first, weft)
    await tell(first, event(number))
    await first.close()
    const second = await openShop(weft, { data_dir, port })
    expect((await tell(second, event(number, { sequence: 2 }))).text).toBe('{"fulfilment":"fulfilled"}')
    const html = await orderPage(second, number)
    expect(says(html, 'Tea')).toBe('West Lake Longjing') // remembered, not made up from the event
    expect(says(html, 'Shipped')).toBe('once')
    expect(html.match(/order\.paid/g)).toHaveLength(2)
    expect(weft.of('POST /v1/endpoints')).toHaveLength(1) // the secret was kept
  })

  it('is refused, with a reason, when the shop cannot ship', async () => {
    const weft = await new WeftDouble().open()
    const shop = await openShop(weft)
    const number = await bought(shop, weft, 'refuse')
    const answer = await tell(shop, event(number))
    expect(answer.status).toBe(200)
    expect(JSON.parse(answer.text)).toEqual({
      fulfilment: 'refused',
      reason: expect.stringContaining('Out of stock') as string,
    })
    expect(says(await orderPage(shop, number), 'Shipped')).toBe('0 times')
  })

  it('may be answered later: then once, and only when Weft has taken the answer', async () => {
    const weft = await new WeftDouble().open()
    const shop = await openShop(weft)
    const number = await bought(shop, weft, 'later')
    expect(await tell(shop, event(number))).toEqual({ status: 202, text: '{"fulfilment":"pending"}' })
    const confirm = `POST /v1/orders/${number}/fulfilment`
    const press = () => fetch(`${shop.url}/orders/${number}/ship`, { method: 'POST', redirect: 'manual' })
    weft.answers.set(confirm, [{ status: 409, body: { code: 'already_decided' } }])
    expect((await press()).status).toBe(409)
    expect(says(await orderPage(shop, number), 'Shipped')).toBe('0 times')
    const both = await Promise.all([press(), press()])
    expect(both.map(({ status }) => status)).toEqual([303, 303])
    expect(new Set(weft.of(confirm))).toEqual(new Set(['{"result":"fulfilled"}']))
    expect(says(await orderPage(shop, number), 'Shipped')).toBe('once')
    expect((await tell(shop, event(number))).text).toBe('{"fulfilment":"fulfilled"}')
  })

  it('made with the shop’s key elsewhere is shipped too', async () => {
    const shop = await openShop(await new WeftDouble().open())
    expect((await tell(shop, event('T-by-curl-1'))).text).toBe('{"fulfilment":"fulfilled"}')
    expect(says(await orderPage(shop, 'T-by-curl-1'), 'Shipped')).toBe('once')
  })
})

describe('an order whose question Weft takes back', () => {
  const stop = (number: string) => event(number, { type: 'order.fulfilment_cancelled', sequence: 2, state: 'paid' })

  it('is heard and never shipped, even when it is asked for again', async () => {
    const weft = await new WeftDouble().open()
    const shop = await openShop(weft)
    const number = await bought(shop, weft, 'later')
    await tell(shop, event(number))
    expect(await tell(shop, stop(number))).toEqual({ status: 204, text: '' })
    const html = await orderPage(shop, number)
    expect(says(html, 'State')).toBe('no longer shipped')
    expect(html).not.toContain('Ship now')
    expect((await tell(shop, event(number, { sequence: 3 }))).text).toContain('"fulfilment":"refused"')
    await fetch(`${shop.url}/orders/${number}/ship`, { method: 'POST', redirect: 'manual' })
    expect(says(await orderPage(shop, number), 'Shipped')).toBe('0 times')
  })

  it('is said to be shipped when it has been', async () => {
    const weft = await new WeftDouble().open()
    const shop = await openShop(weft)
    const number = await bought(shop, weft)
    await tell(shop, event(number))
    expect(await tell(shop, stop(number))).toEqual({ status: 200, text: '{"fulfilment":"fulfilled"}' })
    expect(says(await orderPage(shop, number), 'Shipped')).toBe('once')
  })
})

describe('money that goes back', () => {
  const call = 'POST /v1/refunds'
  const press = (shop: { url: string }, number: string) =>
    fetch(`${shop.url}/orders/${number}/refund?lang=en`, { method: 'POST', redirect: 'manual' })

  async function soldOrder(wish?: string) {
    const weft = await new WeftDouble().open()
    const shop = await openShop(weft)
    const number = await bought(shop, weft, wish)
    await tell(shop, event(number))
    return { weft, shop, number }
  }

  it('by itself is followed to the end, without anybody’s request', async () => {
    const { weft, shop, number } = await soldOrder('refuse')
    await tell(shop, event(number, { type: 'order.refunding', sequence: 2 }))
    const refund = refundOf(`${number}@1`, 'succeeded')
    await tell(shop, event(number, { type: 'refund.succeeded', sequence: 3, state: 'refunding', refund }))
    expect(await orderPage(shop, number)).toContain('http-equiv="refresh"')
    await tell(shop, event(number, { type: 'order.refunded', sequence: 4 }))
    const html = await orderPage(shop, number)
    expect(says(html, 'State')).toBe('refunded')
    expect(says(html, 'Refund')).toBe('¥128.00 · back with the payer')
    expect(says(html, 'Shipped')).toBe('0 times')
    expect(html).toContain('all of it is back: the end')
    expect(html).not.toContain('http-equiv="refresh"')
    expect(weft.of(call)).toEqual([])
  })

  it('on request is asked for once, under a number of the shop’s own, and shown until the payer has it', async () => {
    const { weft, shop, number } = await soldOrder()
    expect(await orderPage(shop, number)).toContain('Give the money back')
    expect((await press(shop, number)).status).toBe(303)
    expect((await press(shop, number)).status).toBe(303)
    const asked = weft.of(call).map((body) => JSON.parse(body) as Record<string, unknown>)
    expect(asked).toEqual([expect.objectContaining({ out_trade_no: number, amount: { refund: 12_800 } })])
    const out_refund_no = String(asked[0]?.['out_refund_no'])
    expect(out_refund_no).toMatch(/^[0-9A-Za-z_\-|*]{6,64}$/)
    const before = await orderPage(shop, number)
    expect(says(before, 'State')).toBe('money on its way back')
    expect(before).not.toContain('Give the money back')
    const refund = refundOf(out_refund_no, 'succeeded')
    await tell(shop, event(number, { type: 'refund.succeeded', sequence: 3, state: 'fulfilled', refund }))
    const after = await orderPage(shop, number)
    expect(says(after, 'State')).toBe('refunded')
    expect(says(after, 'Refund')).toBe('¥128.00 · back with the payer')
    expect(says(after, 'Shipped')).toBe('once')
  })

  it('is asked for in the same words after silence, in whatever language', async () => {
    const { weft, shop, number } = await soldOrder()
    weft.answers.set(
      call,
      Array.from({ length: 4 }, () => ({ status: 503 })),
    )
    expect((await press(shop, number)).status).toBe(303)
    const html = await orderPage(shop, number)
    expect(says(html, 'Refund')).toBe('¥128.00 · being asked for')
    expect(html).toContain('Give the money back')
    await fetch(`${shop.url}/orders/${number}/refund?lang=zh-CN`, { method: 'POST', redirect: 'manual' })
    expect(weft.of(call)).toHaveLength(5)
    expect(new Set(weft.of(call)).size).toBe(1)
  })

  it('that Weft refuses is not on its way, and its number stays free', async () => {
    const { weft, shop, number } = await soldOrder()
    weft.answers.set(call, [{ status: 409, body: { code: 'refund_exceeds_payment' } }])
    expect((await press(shop, number)).status).toBe(409)
    const html = await orderPage(shop, number)
    expect(says(html, 'Refund')).toBeUndefined()
    expect(says(html, 'State')).toBe('shipped')
    await press(shop, number)
    expect(new Set(weft.of(call)).size).toBe(1)
  })

  it.each([
    ['a second payment', { transaction_id: '4200-second' }],
    ['a part', { refund: 100 }],
  ])('of %s leaves the sale', async (_what, given) => {
    const { shop, number } = await soldOrder()
    const refund = refundOf(`${number}@5`, 'succeeded', given)
    await tell(shop, event(number, { type: 'refund.succeeded', sequence: 4, state: 'fulfilled', refund }))
    const html = await orderPage(shop, number)
    expect(says(html, 'State')).toBe('shipped')
    expect(says(html, 'Refund')).toMatch(/back with the payer/)
  })

  it('that WeChat closed may be asked for again, under the next number', async () => {
    const { weft, shop, number } = await soldOrder()
    await press(shop, number)
    const { out_refund_no } = JSON.parse(weft.of(call)[0] ?? '') as { out_refund_no: string }
    const refund = refundOf(out_refund_no, 'closed')
    await tell(shop, event(number, { type: 'refund.closed', sequence: 2, state: 'fulfilled', refund }))
    await press(shop, number)
    expect(new Set(weft.of(call)).size).toBe(2)
  })

  it('cannot be asked for where nothing was sold', async () => {
    const weft = await new WeftDouble().open()
    const shop = await openShop(weft)
    const number = await bought(shop, weft)
    expect(await orderPage(shop, number)).not.toContain('Give the money back')
    expect((await press(shop, number)).status).toBe(303)
    expect(weft.of(call)).toEqual([])
  })
})

describe('an event', () => {
  it('tells the state, which an older one that comes late does not turn back', async () => {
    const weft = await new WeftDouble().open()
    const shop = await openShop(weft)
    const number = await bought(shop, weft, 'refuse')
    await tell(shop, event(number, { type: 'order.refunding', sequence: 2 }))
    expect(says(await orderPage(shop, number), 'State')).toBe('money on its way back')
    await tell(shop, event(number, { sequence: 1 }))
    expect(says(await orderPage(shop, number), 'State')).toBe('money on its way back')
  })

  const stale = new Date(Date.now() - 301_000)
  const early = new Date(Date.now() + 330_000)
  const other = `whsec_${Buffer.alloc(32, 8).toString('base64')}`
  it.each([
    ['signed with another secret', { secret: other }],
    ['whose bytes were changed', { sent: event('T-other-order') }],
    ['older than five minutes', { time: stale }],
    ['from the future', { time: early }],
    ['without a signature', { signature: () => '' }],
    ['with another version’s signature only', { signature: (right: string) => right.replace('v1,', 'v1a,') }],
  ])('%s is not heard', async (_what, given) => {
    const weft = await new WeftDouble().open()
    const shop = await openShop(weft)
    const number = await bought(shop, weft)
    expect((await tell(shop, event(number), given)).status).toBe(401)
    expect(says(await orderPage(shop, number), 'Shipped')).toBe('0 times')
    expect((await fetch(`${shop.url}/orders/T-other-order`)).status).toBe(404)
  })

  it('is heard when one of several signatures fits, as during a rotation', async () => {
    const weft = await new WeftDouble().open()
    const shop = await openShop(weft)
    const number = await bought(shop, weft)
    const signature = (right: string) => `v1,${Buffer.alloc(32).toString('base64')} ${right}`
    expect((await tell(shop, event(number), { signature })).status).toBe(200)
  })
})

describe('the shop’s endpoint', () => {
  it('is made once, for fulfilment, and replaces the one of an earlier run elsewhere', async () => {
    const weft = await new WeftDouble().open()
    weft.endpoints.push({ id: 'ep_old', url: 'http://127.0.0.1:1/weft-events', role: 'fulfilment' })
    const shop = await openShop(weft, { data_dir: folder() })
    expect(weft.asked.map(({ call }) => call)).toEqual([
      'GET /v1/endpoints',
      'DELETE /v1/endpoints/ep_old',
      'POST /v1/endpoints',
    ])
    expect(weft.endpoints).toMatchObject([{ url: `${shop.url}/weft-events`, role: 'fulfilment' }])
  })

  it('that Weft does not allow stops the start, and frees the port', async () => {
    const weft = await new WeftDouble().open()
    const refusal = { code: 'endpoint_url_forbidden', detail: 'It is private.', remedy: 'Use https.' }
    weft.answers.set('POST /v1/endpoints', [{ status: 422, body: refusal }])
    const port = await freePort()
    await expect(openShop(weft, { port })).rejects.toThrow(/endpoint_url_forbidden/)
    await openShop(weft, { port, webhook_secret: secret })
  })
})
