import { afterAll, describe, expect, it } from 'vitest'
import type { ProblemBody } from '../../../api/http/problem.ts'
import { order_shape, order_with_timeline } from '../../../api/v1/orders/shape.ts'
import { milliseconds } from '../../../domain/calendar.ts'
import type { OrderView } from '../../../domain/event/view.ts'
import { Stage } from '../../stage/stage.ts'
import { until } from '../../stage/until.ts'

const stage = await Stage.open({ settings: { fulfilment: { mode: 'confirm' } } })
afterAll(async () => {
  await stage.close()
})

const post = (body: unknown) => stage.call<OrderView & ProblemBody>('POST', '/v1/orders', body)
/** On a busy machine the code comes only after the first answer, and a repeat of it tells. */
const decided = (body: unknown) => stage.insist<OrderView & ProblemBody>('POST', '/v1/orders', body)
const tea = (more: object = {}) => ({
  out_trade_no: stage.number(),
  description: '龙井茶',
  amount: { total: 990 },
  ...more,
})
/** Within seven days whatever day it is, so that only the calendar can refuse it. */
const hourTooLate = () => `${new Date().toISOString().slice(0, 10)}T24:00:00Z`
const fieldsOf = ({ errors }: ProblemBody) => errors.map(({ field }) => field)

describe('a new order', () => {
  it('is answered with a code that can be scanned and a page that shows it', async () => {
    const request = tea({ reference: 'sale-1', attach: 'shelf 4', metadata: { cart: '17' } })
    const { status, headers, body } = await decided(request)
    expect(status).toBe(headers.get('weft-replay') === null ? 201 : 200)
    expect(body).toMatchObject({
      object: 'order',
      mchid: stage.mchid,
      appid: stage.appid,
      out_trade_no: request.out_trade_no,
      reference: 'sale-1',
      state: 'awaiting_payment',
      attach: 'shelf 4',
      metadata: { cart: '17' },
      amount: { total: 990, currency: 'CNY', payer_total: null, refunded: 0, refund_pending: 0 },
      fulfilment: { mode: 'confirm', result: null, reason: null, deadline_time: null },
    })
    expect(body.code_url).toMatch(/^weixin:\/\//)
    expect(body.checkout_url).toMatch(new RegExp(`^${stage.config.public_url}/pay/[A-Za-z0-9_-]{43}$`))
  })

  it('keeps metadata of any name and shape of text', async () => {
    const metadata = { 'a.b': '1', $where: '2', 名称: '茶\n两盒', constructor: 'x' }
    const { body } = await post(tea({ metadata }))
    expect((await stage.call('GET', `/v1/orders/${body.out_trade_no}`)).body['metadata']).toEqual(metadata)
  })

  it('keeps the language of its payer', async () => {
    expect((await post(tea({ locale: 'en' }))).body.locale).toBe('en')
    expect((await post(tea())).body.locale).toBeNull()
    expect(fieldsOf((await post(tea({ locale: 'fr' }))).body)).toEqual(['/locale'])
  })

  it('lives as long as it asks for, and as the merchant’s setting when it does not say', async () => {
    const lifeOf = ({ create_time, time_expire }: OrderView) => milliseconds(time_expire) - milliseconds(create_time)
    const asked = (await post(tea({ expire_in: 600 }))).body
    const silent = (await post(tea())).body
    expect(lifeOf(asked)).toBeGreaterThan(598_000)
    expect(lifeOf(asked)).toBeLessThanOrEqual(600_000)
    expect(lifeOf(silent)).toBeGreaterThan(1_798_000)
  })

  it('is shown at the same address with its timeline, and in the list', async () => {
    const { body } = await decided(tea({ reference: 'sale-2' }))
    const one = await stage.call('GET', `/v1/orders/${body.out_trade_no}`)
    expect(one.status).toBe(200)
    expect(one.body).toMatchObject({
      out_trade_no: body.out_trade_no,
      timeline: [{ event: 'placed', from: 'created' }],
    })
    const list = await stage.call<{ data: OrderView[] }>('GET', '/v1/orders?reference=sale-2,other')
    expect(list.body.data.map(({ out_trade_no }) => out_trade_no)).toEqual([body.out_trade_no])
    expect(() => order_with_timeline.strict().parse(one.body)).not.toThrow()
    expect(() => order_shape.strict().parse(list.body.data[0])).not.toThrow()
  })

  it('is refused with the name of every field that is wrong', async () => {
    const { status, body } = await post({
      out_trade_no: 'short',
      description: '茶🍵',
      amount: { total: 9.9, currency: 'USD' },
      colour: 'green',
      return_url: 'ftp://x',
    })
    expect(status).toBe(400)
    expect(body.code).toBe('invalid_request')
    expect(fieldsOf(body).sort()).toEqual(
      ['/amount/currency', '/amount/total', '/colour', '/description', '/out_trade_no', '/return_url'].sort(),
    )
    expect(body.errors.every(({ detail, code }) => detail.length > 0 && code.length > 0)).toBe(true)
  })

  it.each([
    ['expire_in below two minutes', { expire_in: 119 }, '/expire_in'],
    ['expire_in above seven days', { expire_in: 604_801 }, '/expire_in'],
    ['a time_expire that is over', { time_expire: '2020-01-01T00:00:00+08:00' }, '/time_expire'],
    ['a time_expire at an hour that today does not have', { time_expire: hourTooLate() }, '/time_expire'],
    ['a time_expire without an offset', { time_expire: '2036-01-01T00:00:00' }, '/time_expire'],
    ['both ways to expire', { expire_in: 600, time_expire: '2036-01-01T00:00:00Z' }, '/time_expire'],
    ['a control character', { description: 'tea\u0007' }, '/description'],
    [
      'metadata longer than an event may hold',
      { metadata: Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`k${n}`, '茶'.repeat(500)])) },
      '/metadata',
    ],
    ['an attachment of 180 bytes', { attach: '茶'.repeat(60) }, '/attach'],
    ['an address of 516 bytes', { return_url: `https://shop.example/${'茶'.repeat(165)}` }, '/return_url'],
    ['an address with a line break, which browsers leave out', { return_url: 'https://shop.example/\nback' }, '/return_url'],
    ['an address with a blank before it', { return_url: ' https://shop.example/back' }, '/return_url'],
    ['a description of 129 bytes', { description: '茶'.repeat(43) }, '/description'],
    ['more than a hundred million yuan', { amount: { total: 10_000_000_001 } }, '/amount/total'],
    [
      'too much metadata',
      { metadata: Object.fromEntries(Array.from({ length: 21 }, (_, n) => [`k${n}`, 'v'])) },
      '/metadata',
    ],
  ])('is refused for %s', async (_, wrong, field) => {
    const { status, body } = await post(tea(wrong))
    expect([status, fieldsOf(body)]).toEqual([400, [field]])
  })

  it('is not taken while it is missing where to deliver the event that decides it', async () => {
    const merchant = await stage.store.merchants.find(stage.mchid)
    if (!merchant) throw new Error('no merchant')
    const settings = { ...merchant.settings, fulfilment: { ...merchant.settings.fulfilment, mode: 'event' as const } }
    await stage.store.merchants.updateSettings(stage.mchid, settings)
    const refused = await post(tea())
    await stage.store.merchants.updateSettings(stage.mchid, merchant.settings)
    expect([refused.status, refused.body.code]).toEqual([409, 'fulfilment_endpoint_missing'])
  })

  it('is refused when WeChat refuses it, with WeChat’s own words', async () => {
    const request = tea()
    const { out_trade_no } = request
    stage.simulator.control.addFault({ operation: 'place', fault: 'PARAM_ERROR', out_trade_no })
    const { status, body } = await post(request)
    await stage.reaches({ mchid: stage.mchid, out_trade_no }, 'failed')
    if (status !== 202) {
      // On a busy machine it is refused only after the answer.
      expect([status, body.code]).toEqual([422, 'wechat_refused'])
      expect(body.wechat).toMatchObject({ code: 'PARAM_ERROR' })
    }
    const again = await post(request)
    expect([again.status, again.body.state]).toEqual([200, 'failed'])
  })

  it('is accepted and not forgotten while WeChat is silent: 202, and placed once WeChat speaks', async () => {
    const request = tea()
    const { out_trade_no } = request
    stage.simulator.control.addFault({ operation: 'place', fault: 'disconnect', out_trade_no })
    const first = await post(request)
    expect([first.status, first.body.state, first.headers.get('retry-after')]).toEqual([202, 'created', '2'])
    stage.simulator.control.removeFaults(null)
    const again = await until('it is placed', async () => {
      const answer = await post(request)
      return answer.body.state === 'awaiting_payment' && answer
    })
    expect([again.status, again.headers.get('weft-replay')]).toEqual([200, 'true'])
  })
})

describe('the same order sent again', () => {
  it('is answered with the order as it is, however its JSON is written', async () => {
    const request = tea({ reference: null, metadata: { a: '1', b: '2' } })
    const first = await decided(request)
    const { out_trade_no, description, amount } = request
    const again = await post({ metadata: { b: '2', a: '1' }, amount, description, out_trade_no })
    expect(again.status).toBe(200)
    expect(again.headers.get('weft-replay')).toBe('true')
    expect(again.body).toMatchObject({ code_url: first.body.code_url, checkout_url: first.body.checkout_url })
  })

  it('is a conflict that names the fields when its body differs', async () => {
    const request = tea({ attach: 'a' })
    await post(request)
    const { status, body } = await post({ ...request, amount: { total: 991 }, attach: null })
    expect([status, body.code, body['fields']]).toEqual([409, 'order_number_reused', ['/amount/total', '/attach']])
  })

  it('is a conflict when a default is now spelled out: what was sent is compared, never what it means', async () => {
    const request = tea()
    await post(request)
    const { body } = await post({ ...request, expire_in: 1800 })
    expect([body.code, body['fields']]).toEqual(['order_number_reused', ['/expire_in']])
  })

  it('at the same moment, many times, makes one order and one code', async () => {
    const request = tea()
    const answers = await Promise.all(Array.from({ length: 15 }, () => post(request)))
    const made = answers.filter(({ headers }) => headers.get('weft-replay') === null)
    // 202: its code came only after the answer.
    expect(made.map(({ status }) => (status === 202 ? 201 : status))).toEqual([201])
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(14)
    await stage.reaches({ mchid: stage.mchid, out_trade_no: request.out_trade_no }, 'awaiting_payment')
    const { code_url } = (await decided(request)).body
    expect(new Set(answers.map(({ body }) => body.code_url ?? code_url))).toEqual(new Set([code_url]))
  })
})

describe('the list of orders', () => {
  it('goes from page to page without losing or repeating one', async () => {
    const placed = await Promise.all([1, 2, 3, 4, 5].map(() => post(tea({ reference: 'paging' }))))
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const query = `/v1/orders?reference=paging&limit=2${cursor === undefined ? '' : `&cursor=${cursor}`}`
      const page = await stage.call<{ data: OrderView[]; next_cursor: string | null }>('GET', query)
      seen.push(...page.body.data.map(({ out_trade_no }) => out_trade_no))
      cursor = page.body.next_cursor ?? undefined
    } while (cursor !== undefined)
    expect(seen.toSorted()).toEqual(placed.map(({ body }) => body.out_trade_no).toSorted())
  })

  it('refuses filters and cursors it does not know', async () => {
    const wrong = await stage.call<ProblemBody>('GET', '/v1/orders?state=paid,sold&colour=red&limit=0')
    expect(fieldsOf(wrong.body).sort()).toEqual(['/query/colour', '/query/limit', '/query/state'])
    const cursor = await stage.call<ProblemBody>('GET', '/v1/orders?cursor=nonsense')
    expect([cursor.status, fieldsOf(cursor.body)]).toEqual([400, ['/query/cursor']])
    const { body } = await stage.call<{ next_cursor: string }>('GET', '/v1/orders?limit=1')
    const elsewhere = await stage.call<ProblemBody>('GET', `/v1/orders?limit=1&state=paid&cursor=${body.next_cursor}`)
    expect([elsewhere.status, fieldsOf(elsewhere.body)]).toEqual([400, ['/query/cursor']])
  })

  it('takes an offset whose plus was not encoded, small letters, and a reference with a comma', async () => {
    const { out_trade_no } = await stage.ordered({ reference: 'sale 7, second try' })
    const found = async (query: string) => {
      const { status, body } = await stage.call<{ data: OrderView[] }>('GET', `/v1/orders?${query}`)
      return [status, body.data.map((order) => order.out_trade_no)]
    }
    const since = 'create_time_from=2026-01-01t00:00:00+08:00&create_time_to=2099-01-01T00:00:00z'
    expect(await found(`reference=${encodeURIComponent('sale 7, second try')}&${since}`)).toEqual([200, [out_trade_no]])
    const loose = await stage.call<ProblemBody>('GET', '/v1/orders?create_time_from=2026-01-01T00:00%2B08:00')
    expect([loose.status, fieldsOf(loose.body)]).toEqual([400, ['/query/create_time_from']])
  })
})

describe('an order that belongs to another sale or merchant', () => {
  it('is refused when another number of its reference is paid', async () => {
    const order = await stage.ordered({ reference: 'twice' })
    stage.pay(order)
    await stage.reaches(order, 'paid')
    const request = tea({ reference: 'twice' })
    const { status, body } = await post(request)
    expect([status, body.code, body['paid_by']]).toEqual([409, 'reference_paid', order.out_trade_no])
    const { out_trade_no } = request
    expect(await stage.store.orders.find({ mchid: stage.mchid, out_trade_no })).toBeNull()
  })

  it('is not found by a stranger’s number', async () => {
    const { status, body } = await stage.call<ProblemBody>('GET', '/v1/orders/NOBODYS-NUMBER')
    expect([status, body.code]).toEqual([404, 'not_found'])
  })
})
