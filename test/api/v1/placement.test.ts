import { createPublicKey, randomBytes } from 'node:crypto'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import type { CheckoutView } from '../../../domain/checkout/view.ts'
import type { OrderView } from '../../../domain/event/view.ts'
import type { OrderKey } from '../../../domain/ids.ts'
import { trade_types } from '../../../domain/merchant/product.ts'
import { default_settings } from '../../../domain/merchant/record.ts'
import type { MerchantRecord } from '../../../domain/merchant/record.ts'
import type { OrderOccurrence } from '../../../domain/order/record.ts'
import { order_with_timeline } from '../../../api/v1/orders/shape.ts'
import { openOpenid } from '../../../store/openid.ts'
import { createSealer } from '../../../store/sealer.ts'
import type { WeChatAccount } from '../../../wechat/accounts.ts'
import type { ClientCall } from '../../../wechat/clientcall.ts'
import { payMessage, verify } from '../../../wechat/signature.ts'
import { memoryStore } from '../../stage/memory.ts'
import { closeAsked, closedAtWeChat, mchid, paymentFound, placed } from '../../store/samples.ts'
import { privateKey } from '../../wechat/vectors.ts'
import { newNumber, now } from '../apistage.ts'
import { playApi } from '../playedapi.ts'

const sealer = createSealer({ keys: [{ id: 'test', key: randomBytes(32).toString('base64') }] })
const store = memoryStore(sealer)
const stage = await playApi(store)
afterAll(() => stage.close())
const private_key = privateKey('doc-merchant')
const account = { mchid, client: { credentials: { private_key } } } as unknown as WeChatAccount
stage.accounts.find = () => Promise.resolve(account)

async function saveMerchant(given: Partial<MerchantRecord>): Promise<void> {
  const merchant = await store.merchants.find(mchid)
  if (merchant !== null) await store.merchants.save({ ...merchant, ...given })
}

const refusedBy = (failure: object) =>
  ({
    event: 'placement_refused',
    operation_id: 'placement_refused',
    time: now(),
    actor: { kind: 'wechat', id: null },
    failure,
  }) as unknown as OrderOccurrence

const cancelAsked = {
  event: 'cancel_asked',
  operation_id: 'cancel_asked',
  time: now(),
  actor: { kind: 'merchant', id: 'key_1' },
} as const

/** What the run of an order brings about: by default it is placed, by what its way to pay is handed. */
const places = (occurrence: Partial<OrderOccurrence> = {}) => {
  stage.on.prepay = async (key: OrderKey) => {
    const code = { prepay_id: `wx1${key.out_trade_no}`, placed_time: now() }
    const order = await store.orders.find(key)
    await store.orders.apply(key, { ...placed(), code, next_query_time: now(), ...occurrence } as OrderOccurrence)
    return { kind: 'state', state: order?.state ?? 'created', revision: 1 }
  }
}

beforeEach(async () => {
  stage.on = {}
  places()
  await saveMerchant({
    state: 'enabled',
    mode: 'test',
    appids: ['wx_account', 'wx_mini', 'wx_phone'],
    apps: store.merchants.sealApps(mchid, [
      { appid: 'wx_account', kind: 'official_account', secret: 's'.repeat(32) },
      { appid: 'wx_mini', kind: 'mini_program' },
      { appid: 'wx_phone', kind: 'mobile_app' },
    ]),
    settings: { ...default_settings, products: [...trade_types] },
  })
})

type Opened = OrderView & { client: ClientCall | null; errors: { field: string; code: string }[] }
const openid = 'oUpF8uMuAJO_M2pxb1Q9zNjWeS6o'
const mini = { trade_type: 'JSAPI', appid: 'wx_mini', payer: { openid } }
const app = { trade_type: 'APP' }
const h5 = (payer_client_ip = '203.0.113.7') => ({
  trade_type: 'MWEB',
  scene_info: { payer_client_ip, h5_info: { type: 'iOS', app_name: '茶铺' } },
})

async function made(more: object = {}): Promise<string> {
  const out_trade_no = newNumber()
  const request = { out_trade_no, description: '龙井茶', amount: { total: 990 }, ...more }
  const { body } = await stage.call<CheckoutView>('POST', '/v1/checkouts', request)
  return body.out_trade_no
}
const open = (number: string, body: unknown, key = stage.key) =>
  stage.call<Opened>('POST', `/v1/checkouts/${number}/orders`, body, { key })
const orderOf = async (out_trade_no: string) => await store.orders.find({ mchid, out_trade_no })

describe('a checkout in the merchant’s own mini program', () => {
  it('is paid by its own openid and appid: the answer opens its pay sheet, signed', async () => {
    const number = await made({ metadata: { cart: '7' } })
    const { status, body } = await open(number, mini)
    expect(status).toBe(200)
    expect(() => order_with_timeline.strict().parse(body)).not.toThrow()
    expect(body).toMatchObject({
      out_trade_no: number,
      checkout: number,
      reference: number,
      appid: 'wx_mini',
      state: 'awaiting_payment',
      metadata: { cart: '7' },
      client: { kind: 'mini_program', package: `prepay_id=wx1${number}` },
    })
    if (body.client?.kind !== 'mini_program') throw new Error('no sheet')
    const { timeStamp, nonceStr, package: pack, paySign } = body.client
    const prepay_id = pack.replace('prepay_id=', '')
    const message = payMessage({
      ...{ trade_type: 'JSAPI', appid: 'wx_mini', timestamp: timeStamp, nonce_str: nonceStr, prepay_id },
    })
    expect(verify(message, paySign, createPublicKey(private_key))).toBe(true)
    const order = await orderOf(number)
    expect(JSON.stringify(order)).not.toContain(openid)
    expect(order && openOpenid(sealer, order)).toBe(openid)
    const checkout = await store.checkouts.find({ mchid, out_trade_no: number })
    expect(checkout?.timeline[0]?.actor).toMatchObject({ kind: 'merchant' })
  })

  it('asked for again, or by ten at once, is the same order; of somebody else the next number', async () => {
    const number = await made()
    const answers = await Promise.all(Array.from({ length: 10 }, () => open(number, mini)))
    expect(new Set(answers.map(({ status, body }) => `${status} ${body.out_trade_no}`))).toEqual(
      new Set([`200 ${number}`]),
    )
    const other = await open(number, { ...mini, payer: { openid: 'oOther' } })
    expect(other.body.out_trade_no).toBe(`${number}-2`)
    expect((await open(number, { ...mini, payer: { openid: 'oOther' } })).body.out_trade_no).toBe(`${number}-2`)
  })

  it('is the same order from every network, but by H5, which WeChat Pay lets be paid from one address alone', async () => {
    const number = await made()
    const from = async (body: object, payer_client_ip: string) =>
      (await open(number, { ...body, scene_info: { payer_client_ip } })).body.out_trade_no
    const wishes = [mini, app, { trade_type: 'NATIVE' }]
    for (const [place, wish] of wishes.entries()) {
      const own = place === 0 ? number : `${number}-${place + 1}`
      expect([await from(wish, '203.0.113.7'), await from(wish, '198.51.100.9')]).toEqual([own, own])
      expect((await open(number, wish)).body.out_trade_no).toBe(own)
    }
    expect((await open(number, h5('203.0.113.7'))).body.out_trade_no).toBe(`${number}-4`)
    expect((await open(number, h5('198.51.100.9'))).body.out_trade_no).toBe(`${number}-5`)
  })

  it('is paid in an app, and by H5 with the payer’s address and app, whatever its page offers', async () => {
    const number = await made({ methods: ['NATIVE'] })
    const { body } = await open(number, app)
    expect(body.client).toMatchObject({ kind: 'app', prepayId: `wx1${number}` })
    const jump = await open(number, h5())
    expect([jump.status, jump.body.out_trade_no]).toEqual([200, `${number}-2`])
    const placement = JSON.parse((await orderOf(`${number}-2`))?.wechat_request.body ?? '{}') as object
    expect(placement).toMatchObject({ scene_info: h5().scene_info, appid: 'wx_account' })
  })

  it('is the order that has the money once there is one, for whoever asks', async () => {
    const number = await made()
    await open(number, mini)
    await store.orders.apply({ mchid, out_trade_no: number }, paymentFound(newNumber('4200')))
    await store.references.claim(mchid, number, number)
    const { status, body } = await open(number, app)
    expect([status, body.out_trade_no, body.state, body.client]).toEqual([200, number, 'paid', null])
  })

  it('waits with 202 while WeChat Pay is silent, and says then why it refused', async () => {
    const number = await made()
    stage.on.prepay = () => Promise.resolve('timeout')
    stage.context.questions.put = (
      (put) => (question, ask) =>
        // The 8 s for which a placement is awaited are not this test's subject.
        question.subject.startsWith('place:') ? Promise.resolve(null) : put(question, ask)
    )(stage.context.questions.put)
    expect((await open(number, mini)).status).toBe(202)
    const failure = { code: 'NO_AUTH', message: '商户号该产品权限未开通', number_taken: false, status: 403 }
    await store.orders.apply({ mchid, out_trade_no: number }, refusedBy(failure))
    places(refusedBy(failure))
    const { status, body } = await open(number, mini)
    expect([status, body.code]).toEqual([422, 'product_refused'])
  })

  it.each([
    ['open', 429, 'rate_limited'],
    ['closing', 409, 'checkout_over'],
  ])('that was overtaken before it was placed says so: the checkout is %s', async (state, status, code) => {
    const number = await made()
    places(refusedBy({ code: 'not_wanted', message: 'its checkout is over', number_taken: false }))
    if (state === 'closing') {
      const { prepay } = stage.on
      stage.on.prepay = async (key) => {
        await store.checkouts.apply({ _id: `${mchid}/${number}` }, cancelAsked)
        return (await prepay?.(key)) ?? 'timeout'
      }
    }
    const answer = await open(number, mini)
    expect([answer.status, answer.body.code]).toEqual([status, code])
  })
})

describe('an order of a checkout is refused', () => {
  it.each([
    ['JSAPI without a payer', { trade_type: 'JSAPI' }, '/payer', 'openid_missing'],
    ['MWEB without an address', { trade_type: 'MWEB' }, '/scene_info', 'scene_missing'],
    ['a number of its own', { ...app, out_trade_no: 'TEA-7' }, '/out_trade_no', 'unknown'],
  ])('for %s', async (_what, body, field, code) => {
    const { status, body: problem } = await open(await made(), body)
    expect([status, problem.errors.map((error) => [error.field, error.code])]).toEqual([400, [[field, code]]])
  })

  it('for an address that WeChat Pay would not let pay', async () => {
    const number = await made()
    await saveMerchant({ mode: 'live' })
    expect((await open(number, h5('192.168.1.5'))).status).toBe(404) // a key of test mode knows no live merchant
    await saveMerchant({ mode: 'test' })
    expect((await open(number, h5('192.168.1.5'))).status).toBe(200)
  })

  it('for what the merchant has not, no longer has, or may not', async () => {
    const number = await made()
    const code = async (body: unknown) => (await open(number, body)).body.code
    expect(await code({ ...mini, appid: 'wx_phone' })).toBe('app_missing')
    await saveMerchant({ settings: { ...default_settings, products: ['NATIVE'] } })
    expect(await code(mini)).toBe('product_not_enabled')
    await saveMerchant({ state: 'paused' })
    expect(await code({})).toBe('merchant_paused')
    expect((await open('UNKNOWN-1', {})).body.code).toBe('not_found')
    const reader = await stage.newKey({ scopes: ['orders:read'] })
    expect((await open(number, {}, reader)).status).toBe(403)
    expect((await store.checkouts.find({ mchid, out_trade_no: number }))?.orders).toEqual([])
  })

  it('once it is cancelled, or its sale is paid elsewhere', async () => {
    const number = await made()
    await open(number, mini)
    const key = { mchid, out_trade_no: number }
    await store.orders.apply(key, { ...closeAsked(), time: now() })
    await store.orders.apply(key, closedAtWeChat())
    await stage.call('POST', `/v1/checkouts/${number}/cancel`)
    expect((await open(number, mini)).body.code).toBe('checkout_over')
    const reference = newNumber('sale')
    const elsewhere = await made({ reference })
    await store.references.claim(mchid, reference, 'OTHER-1')
    expect((await open(elsewhere, mini)).body.code).toBe('reference_paid')
  })
})

describe('an order of the merchant’s own', () => {
  it.each([
    ['placed', {}, 201, undefined],
    ['refused by WeChat Pay', { code: 'PARAM_ERROR', number_taken: false, status: 400 }, 422, 'wechat_refused'],
    ['paid under another number', { code: 'reference_paid', number_taken: false }, 409, 'reference_paid'],
  ])('is answered by what came of it, and not before: it was %s', async (_what, failure, status, code) => {
    if ('code' in failure) places(refusedBy({ message: '', ...failure }))
    const request = { out_trade_no: newNumber(), description: '龙井茶', amount: { total: 990 }, reference: newNumber() }
    const answer = await stage.call<Opened & { code?: string }>('POST', '/v1/orders', request)
    expect([answer.status, answer.body.code]).toEqual([status, code])
  })
})
