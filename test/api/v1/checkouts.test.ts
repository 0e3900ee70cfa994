import { randomBytes } from 'node:crypto'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import type { ApiContext } from '../../../api/http/context.ts'
import { createQuestions } from '../../../api/temporal/question.ts'
import { currentOrder, openOrder } from '../../../api/v1/checkouts/order.ts'
import type { PayerWish } from '../../../api/v1/checkouts/order.ts'
import { checkout_shape, checkout_with_orders } from '../../../api/v1/checkouts/shape.ts'
import { milliseconds } from '../../../domain/calendar.ts'
import type { CheckoutRecord } from '../../../domain/checkout/record.ts'
import type { CheckoutView } from '../../../domain/checkout/view.ts'
import type { OrderView } from '../../../domain/event/view.ts'
import type { OrderKey } from '../../../domain/ids.ts'
import { trade_types } from '../../../domain/merchant/product.ts'
import { default_settings } from '../../../domain/merchant/record.ts'
import type { MerchantRecord } from '../../../domain/merchant/record.ts'
import { createSealer } from '../../../store/sealer.ts'
import { memoryStore } from '../../stage/memory.ts'
import { until } from '../../stage/until.ts'
import { closeAsked, closedAtWeChat, mchid, orderSample, paymentFound, placed } from '../../store/samples.ts'
import { newNumber, now } from '../apistage.ts'
import { playApi } from '../playedapi.ts'

const sealer = createSealer({ keys: [{ id: 'test', key: randomBytes(32).toString('base64') }] })
const store = memoryStore(sealer)
const stage = await playApi(store)
afterAll(() => stage.close())

const settings = { ...default_settings, products: [...trade_types] }
const secret = { sealed: 'c2VhbGVk', key_id: 'test' }
const apps = [{ appid: 'wx0000000000000001', kind: 'official_account', secret, hint: null } as const]

async function saveMerchant(given: Partial<MerchantRecord>): Promise<void> {
  const merchant = await store.merchants.find(mchid)
  if (merchant !== null) await store.merchants.save({ ...merchant, ...given })
}

beforeEach(async () => {
  stage.given.length = 0
  stage.on = {
    prepay: async (key) => {
      await store.orders.apply(key, placed())
      return { kind: 'state', state: 'awaiting_payment', revision: 1 }
    },
  }
  await saveMerchant({ settings, apps: [...apps], state: 'enabled' })
})

type Shown = CheckoutView & { orders: OrderView[]; timeline: { event: string }[] }
const tea = (more: object = {}) => ({
  out_trade_no: newNumber(),
  description: '龙井茶',
  amount: { total: 990 },
  ...more,
})
const post = (body: unknown) => stage.call<Shown>('POST', '/v1/checkouts', body)
const get = async (number: string) => (await stage.call<Shown>('GET', `/v1/checkouts/${number}`)).body
const cancel = (number: string) => stage.call<Shown>('POST', `/v1/checkouts/${number}/cancel`)

async function made(more: object = {}): Promise<CheckoutRecord> {
  const { body } = await post(tea(more))
  const checkout = await store.checkouts.find({ mchid, out_trade_no: body.out_trade_no })
  if (checkout === null) throw new Error(`not made: ${JSON.stringify(body)}`)
  return checkout
}

/** As a process of its own: what one keeps in mind, another does not know. */
const anotherProcess = (more: Partial<ApiContext> = {}): ApiContext => ({
  ...stage.context,
  questions: createQuestions(Date.now),
  ...more,
})
const open = (checkout: CheckoutRecord, wish: PayerWish = { trade_type: 'NATIVE' }, context = anotherProcess()) =>
  openOrder(context, checkout, wish)
/** The wish of somebody in WeChat. */
const other = (openid: string): PayerWish => ({ trade_type: 'JSAPI', openid })
const refused = (opening: Promise<unknown>) =>
  opening.then(
    () => 'not refused',
    (error: unknown) => (error as { code?: string }).code ?? String(error),
  )
/** Orders of which none can be inserted. */
const dyingBehindClaim = () =>
  new Proxy(store.orders, {
    get: (orders, name) => {
      if (name === 'insert') return () => Promise.reject(new Error('died'))
      const value: unknown = Reflect.get(orders, name)
      return typeof value === 'function' ? (value.bind(orders) as unknown) : value
    },
  })
const numbersOf = async ({ _id }: CheckoutRecord) =>
  (await store.checkouts.findById(_id))?.orders.map(({ out_trade_no }) => out_trade_no)
const prepaid = () =>
  stage.given.flatMap(({ command, arguments: [key] }) => (command === 'prepay' ? [(key as OrderKey).out_trade_no] : []))

describe('a new checkout', () => {
  it('is answered with its page, and nothing of it is placed', async () => {
    const request = tea({ metadata: { cart: '17' }, locale: 'en', expire_in: 3_600 })
    const { status, body } = await post(request)
    expect(status).toBe(201)
    expect(() => checkout_with_orders.strict().parse(body)).not.toThrow()
    expect(body).toMatchObject({
      object: 'checkout',
      out_trade_no: request.out_trade_no,
      reference: request.out_trade_no,
      state: 'open',
      metadata: { cart: '17' },
      methods: ['NATIVE', 'JSAPI', 'MWEB'],
      orders: [],
      orders_opened: [],
      paid_by: null,
      amount: { total: 990, currency: 'CNY' },
    })
    expect(body.checkout_url).toMatch(/\/pay\/[A-Za-z0-9_-]{43}$/)
    expect(milliseconds(body.expire_time) - milliseconds(body.create_time)).toBeGreaterThan(3_598_000)
    expect(stage.given.map(({ command }) => command)).not.toContain('prepay')
  })

  it('sent again with the same body is the same checkout, and with another one refused by its fields', async () => {
    const request = tea()
    const first = await post(request)
    const again = await post(request)
    expect([again.status, again.headers.get('weft-replay')]).toEqual([200, 'true'])
    expect(again.body.checkout_url).toBe(first.body.checkout_url)
    const differing = await post({ ...request, amount: { total: 991 }, methods: ['NATIVE'] })
    expect([differing.status, differing.body.code]).toEqual([409, 'order_number_reused'])
    expect(differing.body.errors.map(({ field }) => field).sort()).toEqual(['/amount/total', '/methods/0'])
  })

  it('sent by ten callers at once is one checkout', async () => {
    const request = tea()
    const answers = await Promise.all(Array.from({ length: 10 }, () => post(request)))
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array<number>(9).fill(200), 201])
    expect(new Set(answers.map(({ body }) => body.checkout_url)).size).toBe(1)
  })

  it('is refused for a number that is an order’s, or so long that its orders’ would not fit', async () => {
    const out_trade_no = newNumber()
    await store.orders.insert(orderSample(out_trade_no))
    const { status, body } = await post(tea({ out_trade_no }))
    expect([status, body.code]).toEqual([409, 'order_number_reused'])
    const long = await post(tea({ out_trade_no: 'T'.repeat(29) }))
    expect(long.body.errors).toMatchObject([{ field: '/out_trade_no', code: 'checkout_no' }])
  })

  it('is refused for a way to pay that is not enabled, and for a sale that is paid', async () => {
    await saveMerchant({ settings: default_settings })
    const { status, body } = await post(tea({ methods: ['NATIVE', 'MWEB'] }))
    expect([status, body.code]).toEqual([409, 'product_not_enabled'])
    expect((await post(tea())).body.methods).toEqual(['NATIVE'])
    await store.references.claim(mchid, 'sale-paid', 'OTHER-1')
    expect((await post(tea({ reference: 'sale-paid' }))).body.code).toBe('reference_paid')
  })

  it('is refused for a way to pay that its page has no app for', async () => {
    await saveMerchant({ settings: { ...settings, products: ['NATIVE', 'JSAPI'] }, apps: [] })
    expect((await post(tea({ methods: ['JSAPI'] }))).body.code).toBe('app_missing')
    expect((await post(tea())).body.methods).toEqual(['NATIVE'])
    await saveMerchant({ settings: { ...settings, products: ['JSAPI'] } })
    expect((await post(tea())).body.code).toBe('app_missing')
  })

  it('is listed, filtered, and walked by cursor', async () => {
    const reference = newNumber('sale')
    const numbers = [newNumber(), newNumber(), newNumber()]
    for (const out_trade_no of numbers) await post(tea({ out_trade_no, reference }))
    await cancel(numbers[1] ?? '')
    const list = async (query: string) =>
      (
        await stage.call<{ data: CheckoutView[]; next_cursor: string | null }>(
          'GET',
          `/v1/checkouts?reference=${reference}${query}`,
        )
      ).body
    expect((await list('&state=cancelled')).data.map(({ out_trade_no }) => out_trade_no)).toEqual([numbers[1]])
    const first = await list('&limit=2')
    const rest = await list(`&limit=2&cursor=${encodeURIComponent(first.next_cursor ?? '')}`)
    const walked = [...first.data, ...rest.data]
    expect(walked.map(({ out_trade_no }) => out_trade_no).sort()).toEqual([...numbers].sort())
    expect(rest.next_cursor).toBeNull()
    expect(() => checkout_shape.strict().parse(walked[0])).not.toThrow()
  })

  it('is nobody else’s', async () => {
    expect((await stage.call('GET', '/v1/checkouts/UNKNOWN-1')).status).toBe(404)
    expect((await stage.call('POST', '/v1/checkouts/UNKNOWN-1/cancel')).status).toBe(404)
  })
})

describe('a payer who opens a checkout', () => {
  it('is given an order of its number, whose page is the checkout’s', async () => {
    const checkout = await made({ attach: 'shelf 4', reference: newNumber('sale') })
    const order = await open(checkout)
    expect(order).toMatchObject({
      out_trade_no: checkout.out_trade_no,
      reference: checkout.reference,
      checkout_id: checkout._id,
      checkout_url: checkout.checkout_url,
      attach: 'shelf 4',
      state: 'awaiting_payment',
    })
    expect(milliseconds(order.time_expire)).toBeLessThanOrEqual(milliseconds(checkout.expire_time))
    const shown = await get(checkout.out_trade_no)
    expect(shown).toMatchObject({
      orders_opened: [checkout.out_trade_no],
      orders: [{ out_trade_no: checkout.out_trade_no, checkout: checkout.out_trade_no }],
      timeline: [{ event: 'order_opened' }],
    })
    expect(() => checkout_with_orders.strict().parse(shown)).not.toThrow()
    expect(await currentOrder(stage.context, checkout)).toBeNull() // as it was read before
  })

  it('gives no caller of POST /v1/orders its order', async () => {
    const checkout = await made()
    await open(checkout)
    const { out_trade_no, description, amount } = checkout
    const { status, body } = await stage.call('POST', '/v1/orders', { out_trade_no, description, amount })
    expect([status, body.code]).toEqual([409, 'order_number_reused'])
  })

  it('twice at once, in two processes, is given one order that is placed once', async () => {
    const checkout = await made()
    const orders = await Promise.all([1, 2, 3].map(() => open(checkout)))
    expect(new Set(orders.map(({ out_trade_no }) => out_trade_no))).toEqual(new Set([checkout.out_trade_no]))
    expect(prepaid()).toEqual([checkout.out_trade_no])
    expect(await numbersOf(checkout)).toEqual([checkout.out_trade_no])
  })

  it('elsewhere, or as somebody else, is given the next number: the first one’s own again is the one after', async () => {
    const checkout = await made()
    const { out_trade_no } = checkout
    const numbers = [
      (await open(checkout)).out_trade_no,
      (await open(checkout, other('a'))).out_trade_no,
      (await open(checkout, other('a'))).out_trade_no,
      (await open(checkout)).out_trade_no,
    ]
    expect(numbers).toEqual([out_trade_no, `${out_trade_no}-2`, `${out_trade_no}-2`, `${out_trade_no}-3`])
    const [first, second] = (await get(out_trade_no)).orders
    expect(milliseconds(second?.create_time ?? '')).toBeGreaterThan(milliseconds(first?.create_time ?? ''))
  })

  it('with many others at once leaves one number for each, and none twice', async () => {
    const checkout = await made()
    const wishes = ['a', 'b', 'c', 'd'].map(other)
    const orders = await Promise.all([...wishes, ...wishes].map((wish) => open(checkout, wish)))
    const numbers = (await numbersOf(checkout)) ?? []
    expect(new Set(numbers).size).toBe(numbers.length)
    expect(new Set(orders.map((order) => order.out_trade_no)).size).toBeGreaterThanOrEqual(4)
    expect(new Set(prepaid()).size).toBe(prepaid().length)
  })

  it('is given the same number where the process died behind its claim, and it is placed', async () => {
    const checkout = await made()
    const dying = anotherProcess({ store: { ...store, orders: dyingBehindClaim() } })
    expect(await refused(open(checkout, other('a'), dying))).toContain('died')
    expect(await numbersOf(checkout)).toEqual([checkout.out_trade_no])
    const order = await open(checkout, other('a'))
    expect([order.out_trade_no, order.state]).toEqual([checkout.out_trade_no, 'awaiting_payment'])
    expect(await numbersOf(checkout)).toEqual([checkout.out_trade_no])
  })

  it('passes over a later number that the merchant gave to an order of its own', async () => {
    const checkout = await made()
    const { out_trade_no } = checkout
    const payable = { state: 'awaiting_payment', time_expire: checkout.expire_time } as const
    await store.orders.insert(orderSample(`${out_trade_no}-2`, payable))
    expect((await open(checkout)).out_trade_no).toBe(out_trade_no)
    expect((await open(checkout, other('a'))).out_trade_no).toBe(`${out_trade_no}-3`)
    expect((await open(checkout, other('a'))).out_trade_no).toBe(`${out_trade_no}-3`)
    expect((await get(out_trade_no)).orders).toHaveLength(2)
  })

  it('is told that the sale is paid where the merchant’s own order under a later number has it', async () => {
    const checkout = await made()
    const { out_trade_no, reference } = checkout
    await open(checkout)
    const dying = anotherProcess({ store: { ...store, orders: dyingBehindClaim() } })
    await refused(open(checkout, other('a'), dying))
    const own = { out_trade_no: `${out_trade_no}-2`, description: '龙井茶', amount: { total: 990 }, reference }
    expect((await stage.call('POST', '/v1/orders', own)).status).toBe(201)
    await store.orders.apply({ mchid, ...own }, paymentFound(newNumber('4200')))
    await store.references.claim(mchid, reference, own.out_trade_no)
    expect(await refused(open(checkout))).toBe('reference_paid')
    expect(await refused(open(checkout, other('a')))).toBe('reference_paid')
    const settled = await store.checkouts.settle(checkout, now())
    expect([settled?.state, settled?.paid_by]).toEqual(['open', null])
  })

  it('is refused where an order of the merchant’s own has the sale’s number: both would be kept', async () => {
    const checkout = await made()
    const { out_trade_no, expire_time: time_expire } = checkout
    const order = { out_trade_no, description: '龙井茶', amount: { total: 990 } }
    expect((await stage.call<Shown>('POST', '/v1/orders', order)).body.code).toBe('order_number_reused')
    // As when both requests came at once, and neither saw the other's record.
    await store.orders.insert(orderSample(out_trade_no, { state: 'awaiting_payment', time_expire }))
    expect(await refused(open(checkout))).toBe('checkout_over')
    expect(await refused(open(checkout, other('a')))).toBe('checkout_over')
    expect(prepaid()).toEqual([])
  })

  it('is given the order that has the money, also as somebody else', async () => {
    const checkout = await made()
    const order = await open(checkout)
    await store.orders.apply(order, paymentFound(newNumber('4200')))
    await store.references.claim(mchid, checkout.reference, order.out_trade_no)
    expect((await open(checkout, other('a'))).out_trade_no).toBe(order.out_trade_no)
    expect(prepaid()).toEqual([order.out_trade_no])
  })

  it('is refused what the checkout does not offer, and what its merchant does not take', async () => {
    const checkout = await made({ methods: ['NATIVE'] })
    expect(await refused(open(checkout, { trade_type: 'JSAPI', openid: 'a' }))).toBe('method_not_offered')
    await saveMerchant({ state: 'paused' })
    expect(await refused(open(checkout))).toBe('merchant_paused')
    await saveMerchant({ state: 'enabled' })
    stage.on.orderQueueBacklogAge = () => Promise.resolve(11)
    expect(await refused(open(checkout))).toBe('unavailable')
    expect(await numbersOf(checkout)).toEqual([])
  })

  it('is refused once it is cancelled, or a moment before its end', async () => {
    const checkout = await made({ expire_in: 130 })
    const late = anotherProcess({ now: () => milliseconds(checkout.create_time) + 32_000 })
    expect(await refused(open(checkout, other('a'), late))).toBe('checkout_over')
    await cancel(checkout.out_trade_no)
    expect(await refused(open(checkout))).toBe('checkout_over')
  })

  it('is given an order of one that lasts as short as it may', async () => {
    const checkout = await made({ expire_in: 120 })
    const soon = anotherProcess({ now: () => milliseconds(checkout.create_time) + 15_000 })
    const order = await open(checkout, other('a'), soon)
    expect([order.state, order.time_expire]).toEqual(['awaiting_payment', checkout.expire_time])
  })

  it('who makes one order after another is slowed down, and others are not', async () => {
    const [checkout, neighbour] = [await made(), await made()]
    const moment = Date.now() // its clock stands still: however long the six take, none is given back meanwhile
    const process = anotherProcess({ questions: createQuestions(() => moment) })
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) await open(checkout, other(name), process)
    expect(await refused(open(checkout, other('g'), process))).toBe('rate_limited')
    const known = (await store.checkouts.findById(checkout._id)) ?? checkout
    expect((await open(known, other('f'), process)).out_trade_no).toBe(`${checkout.out_trade_no}-6`)
    expect((await open(neighbour, other('g'), process)).out_trade_no).toBe(neighbour.out_trade_no)
  })

  it('has a bounded number of orders', async () => {
    const checkout = await made()
    for (let place = 1; place <= 20; place++) await open(checkout, other(`payer ${place}`))
    expect((await get(checkout.out_trade_no)).attention).toBeNull()
    expect(await refused(open(checkout, other('one more')))).toBe('checkout_exhausted')
  })

  it('that is refused one more calls a person, until the checkout is over', async () => {
    const checkout = await made()
    for (let place = 1; place <= 20; place++) await open(checkout, other(`payer ${place}`))
    for (const name of ['one more', 'another']) await refused(open(checkout, other(name)))
    const listed = async () => {
      const { body } = await stage.call<{ data: CheckoutView[] }>('GET', '/v1/checkouts?attention=checkout_exhausted')
      return body.data.map(({ out_trade_no }) => out_trade_no)
    }
    expect((await get(checkout.out_trade_no)).attention?.code).toBe('checkout_exhausted')
    expect(await listed()).toContain(checkout.out_trade_no)
    stage.on.close = async (key) => {
      await store.orders.apply(key, { ...closeAsked(), time: now() })
      await store.orders.apply(key, closedAtWeChat())
      return { kind: 'state', state: 'closed', revision: 3 }
    }
    await cancel(checkout.out_trade_no)
    expect((await get(checkout.out_trade_no)).attention).toBeNull()
    expect(await listed()).not.toContain(checkout.out_trade_no)
  })

  it('whose address is written in another form has not moved, and WeChat Pay is told it in one', async () => {
    const checkout = await made()
    const given: string[] = []
    const at = async (payer_client_ip: string) => {
      const { out_trade_no } = await open(checkout, { trade_type: 'MWEB', payer_client_ip, h5_type: 'iOS' })
      given.push(out_trade_no)
    }
    for (const address of ['::ffff:203.0.113.7', '203.0.113.7', '::FFFF:CB00:7107']) await at(address)
    for (const address of ['2408:8000:0:0:0:0:0:7', '2408:8000::7']) await at(address)
    const { out_trade_no: first } = checkout
    expect(given).toEqual([first, first, first, `${first}-2`, `${first}-2`])
    const bodies = await Promise.all([first, `${first}-2`].map((out_trade_no) => store.orders.find({ mchid, out_trade_no })))
    const told = bodies.map((order) => JSON.parse(order?.wechat_request.body ?? '') as { scene_info: object })
    expect(told.map(({ scene_info }) => scene_info)).toMatchObject([
      { payer_client_ip: '203.0.113.7' },
      { payer_client_ip: '2408:8000::7' },
    ])
  })

  it('whose address changes at each tap does not use the checkout up', async () => {
    const checkout = await made()
    const phone = (payer_client_ip: string): PayerWish => ({
      ...{ trade_type: 'MWEB', payer_client_ip, known_by: '203.0.113.7', h5_type: 'Android' },
    })
    const taps = ['203.0.113.7', '2001:db8::7', '203.0.113.7', '2001:db8::7', '203.0.113.7']
    const given: string[] = []
    for (const address of taps) given.push((await open(checkout, phone(address))).out_trade_no)
    const { out_trade_no } = checkout
    const second = `${out_trade_no}-2`
    expect(given).toEqual([out_trade_no, second, second, second, second])
    const order = await store.orders.find({ mchid, out_trade_no: second })
    expect(order?.wechat_request.body).toContain('2001:db8::7')
    const minute = anotherProcess({ now: () => Date.now() + 61_000 })
    expect((await open(checkout, phone('203.0.113.7'), minute)).out_trade_no).toBe(`${out_trade_no}-3`)
  })
})

describe('a cancelled checkout', () => {
  it('of which nothing was opened is over at once, and stays so', async () => {
    const { out_trade_no } = await made()
    const first = await cancel(out_trade_no)
    expect([first.status, first.body.state]).toEqual([200, 'cancelled'])
    const again = await cancel(out_trade_no)
    expect([again.status, again.body.state]).toEqual([200, 'cancelled'])
    expect(again.body.timeline.map(({ event }) => event)).toEqual(['cancel_asked', 'cancelled'])
  })

  it('has its open order closed first', async () => {
    const checkout = await made()
    const order = await open(checkout)
    stage.on.close = async (key) => {
      await store.orders.apply(key, { ...closeAsked(), time: now() })
      await store.orders.apply(key, closedAtWeChat())
      return { kind: 'state', state: 'closed', revision: 3 }
    }
    const { status, body } = await cancel(checkout.out_trade_no)
    expect([status, body.state]).toEqual([200, 'cancelled'])
    expect(body.orders).toMatchObject([{ out_trade_no: order.out_trade_no, state: 'closed' }])
  })

  it('has each of its orders closed once, however many cancel it at once', async () => {
    const checkout = await made()
    const order = await open(checkout)
    let answer = () => {}
    const silence = new Promise<void>((resolve) => (answer = resolve))
    stage.on.close = async (key) => {
      await silence
      await store.orders.apply(key, { ...closeAsked(), time: now() })
      await store.orders.apply(key, closedAtWeChat())
      return { kind: 'state', state: 'closed', revision: 3 }
    }
    const closes = () => stage.given.filter(({ command }) => command === 'close')
    const asked = Promise.all(Array.from({ length: 20 }, () => cancel(checkout.out_trade_no)))
    await until('the first is asked for', () => closes().length > 0)
    answer()
    const ends = (await asked).map(({ status, body }) => [status, body.state])
    expect(new Set(ends.map(String))).toEqual(new Set(['200,cancelled']))
    expect(closes()).toHaveLength(1)
    expect(await store.orders.find(order)).toMatchObject({ state: 'closed' })
  })

  it('is being cancelled though too much of its merchant is under way to close its order now', async () => {
    const checkout = await made()
    await open(checkout)
    let finish = () => {}
    const end = new Promise<void>((resolve) => (finish = resolve))
    const others = Array.from({ length: 64 }, (_, place) => {
      const question = { subject: `other:${place}`, mchid, every_ms: 0, asked_by: 'merchant' } as const
      return stage.context.questions.put(question, () => end)
    })
    const { status, body } = await cancel(checkout.out_trade_no)
    finish()
    await Promise.all(others)
    expect([status, body.state]).toEqual([202, 'closing'])
    // The sweeper sees it through.
    const kept = await store.checkouts.find(checkout)
    expect(kept).toMatchObject({ state: 'closing', next_action: { what: 'end' } })
  })

  it('that is paid in the same moment is paid', async () => {
    const checkout = await made()
    const order = await open(checkout)
    stage.on.close = async (key) => {
      await store.references.claim(mchid, checkout.reference, key.out_trade_no)
      await store.orders.apply(key, paymentFound(newNumber('4200')))
      return { kind: 'refused', code: 'order_paid', state: 'paid' }
    }
    const { status, body } = await cancel(checkout.out_trade_no)
    expect([status, body.code]).toEqual([409, 'checkout_paid'])
    expect(await get(checkout.out_trade_no)).toMatchObject({ state: 'paid', paid_by: order.out_trade_no })
    expect((await cancel(checkout.out_trade_no)).status).toBe(409)
  })
})
