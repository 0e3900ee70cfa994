import { createPublicKey, randomBytes } from 'node:crypto'
import { afterAll, describe, expect, it } from 'vitest'
import type { ProblemBody } from '../../../api/http/problem.ts'
import { order_shape, order_with_timeline } from '../../../api/v1/orders/shape.ts'
import type { OrderView } from '../../../domain/event/view.ts'
import { default_settings } from '../../../domain/merchant/record.ts'
import { trade_types } from '../../../domain/order/method.ts'
import type { TradeType } from '../../../domain/order/method.ts'
import type { PlacedCode } from '../../../domain/order/record.ts'
import { newToken, tokenHash } from '../../../runtime/secrets.ts'
import { createSealer } from '../../../store/sealer.ts'
import type { WeChatAccount } from '../../../wechat/accounts.ts'
import type { ClientCall } from '../../../wechat/clientcall.ts'
import { bodyWithOpenid } from '../../../wechat/payments.ts'
import { payMessage, verify } from '../../../wechat/signature.ts'
import { memoryStore } from '../../stage/memory.ts'
import { mchid } from '../../store/samples.ts'
import { privateKey } from '../../wechat/vectors.ts'
import { newNumber, now, orderBecomes } from '../apistage.ts'
import { playApi } from '../playedapi.ts'

const sealer = createSealer({ keys: [{ id: 'one', key: randomBytes(32).toString('base64') }] })
const stage = await playApi(memoryStore(sealer))
afterAll(() => stage.close())

const private_key = privateKey('doc-merchant')
const account = { mchid, client: { credentials: { private_key } } } as unknown as WeChatAccount
stage.accounts.find = () => Promise.resolve(account)

const first = (await stage.store.merchants.find(mchid))?.appids[0] ?? ''
const openid = 'oUpF8uMuAJO_M2pxb1Q9zNjWeS6o'
const secret = 'a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6'

/** What the merchant’s file says. */
async function becomes(given: { products?: TradeType[]; mode?: 'live' | 'test' } = {}): Promise<void> {
  const merchant = await stage.store.merchants.find(mchid)
  if (merchant === null) throw new Error('no merchant')
  const apps = stage.store.merchants.sealApps(mchid, [
    { appid: 'wx_mini', kind: 'mini_program', secret },
    { appid: 'wx_account', kind: 'official_account', secret },
    { appid: 'wx_phone', kind: 'mobile_app' },
  ])
  const settings = { ...default_settings, products: given.products ?? [...trade_types] }
  const appids = [first, 'wx_mini', 'wx_account', 'wx_phone']
  await stage.store.merchants.save({ ...merchant, apps, appids, settings, mode: given.mode ?? 'test' })
}
await becomes()

type Answer = OrderView & ProblemBody & { client: ClientCall | null }
const post = async (body: unknown) => await stage.call<Answer>('POST', '/v1/orders', body)
const scene = (payer_client_ip = '203.0.113.7') => ({ payer_client_ip, h5_info: { type: 'Wap' } })
const needs = { NATIVE: {}, JSAPI: { payer: { openid } }, MWEB: { scene_info: scene() }, APP: {} } as const
const tea = (trade_type: TradeType, more: object = {}) => ({
  ...{ out_trade_no: newNumber(), description: '龙井茶', amount: { total: 990 }, trade_type },
  ...needs[trade_type],
  ...more,
})
const handed_out = {
  NATIVE: { url: 'weixin://wxpay/1' },
  JSAPI: { prepay_id: 'wx1' },
  MWEB: { h5_url: 'https://wx.tenpay.com/checkmweb?prepay_id=wx1' },
  APP: { prepay_id: 'wx1' },
} as const

/** Has an order accepted, as the run would then place it; `age_ms` ago. */
async function placedTea(trade_type: TradeType, more: object = {}, age_ms = 0): Promise<string> {
  const request = tea(trade_type, more)
  expect((await post(request)).status).toBe(202)
  const placed_time = new Date(Date.now() - age_ms).toISOString()
  const code = { ...handed_out[trade_type], placed_time } as PlacedCode
  await orderBecomes(stage, { mchid, ...request }, { event: 'placed', code, next_query_time: now() })
  return request.out_trade_no
}
const shown = async (out_trade_no: string) => (await stage.call<Answer>('GET', `/v1/orders/${out_trade_no}`)).body
const recordOf = async (out_trade_no: string) => {
  const order = await stage.store.orders.find({ mchid, out_trade_no })
  if (order === null) throw new Error('no order')
  return order
}

describe('an order of a method', () => {
  it('tells WeChat Pay the payer’s address as IPv4 where it is, though Node has it mapped into IPv6', async () => {
    const request = tea('MWEB', { scene_info: scene('::ffff:203.0.113.7') })
    await post(request)
    const { wechat_request } = await recordOf(request.out_trade_no)
    expect(JSON.parse(wechat_request.body)).toMatchObject({ scene_info: { payer_client_ip: '203.0.113.7' } })
  })

  it.each([
    ['JSAPI without a payer', tea('JSAPI', { payer: undefined }), ['/payer', 'openid_missing']],
    ['NATIVE with a payer', tea('NATIVE', { payer: { openid } }), ['/payer', 'openid_unwanted']],
    ['MWEB without a scene', tea('MWEB', { scene_info: undefined }), ['/scene_info', 'scene_missing']],
    [
      'MWEB that does not say which browser',
      tea('MWEB', { scene_info: { payer_client_ip: '203.0.113.7' } }),
      ['/scene_info/h5_info', 'h5_missing'],
    ],
    ['APP with a browser', tea('APP', { scene_info: scene() }), ['/scene_info/h5_info', 'h5_unwanted']],
    [
      'an address that is none',
      tea('MWEB', { scene_info: scene('shop') }),
      ['/scene_info/payer_client_ip', 'ip_address'],
    ],
    [
      'an address with a zone',
      tea('MWEB', { scene_info: scene('fe80::1%eth0') }),
      ['/scene_info/payer_client_ip', 'ip_address'],
    ],
    ['an openid that is none', tea('JSAPI', { payer: { openid: 'o"' } }), ['/payer/openid', 'openid']],
  ])('is refused for %s', async (_what, request, expected) => {
    const { status, body } = await post(request)
    expect([status, body.errors.map(({ field, code }) => [field, code])]).toEqual([400, [expected]])
  })

  it.each([
    ['NATIVE', undefined, first, undefined],
    ['JSAPI', undefined, 'wx_mini', 'mini_program'],
    ['JSAPI', 'wx_account', 'wx_account', 'official_account'],
    ['APP', undefined, 'wx_phone', 'mobile_app'],
    ['MWEB', undefined, first, undefined],
  ] as const)('%s for appid %s is placed under %s', async (trade_type, asked, appid, kind) => {
    const request = tea(trade_type, { appid: asked })
    await post(request)
    const { app_kind, wechat_request, ...order } = await recordOf(request.out_trade_no)
    expect([order.appid, app_kind, order.trade_type]).toEqual([appid, kind, trade_type])
    expect(JSON.parse(wechat_request.body)).toMatchObject({ appid, out_trade_no: request.out_trade_no })
  })

  it.each([
    ['JSAPI', 'wx_phone'],
    ['JSAPI', first],
    ['APP', 'wx_mini'],
    ['NATIVE', 'wx_of_another'],
  ] as const)('%s for appid %s names the kinds that fit', async (trade_type, appid) => {
    const { status, body } = await post(tea(trade_type, { appid }))
    expect([status, body.code, body['appid']]).toEqual([409, 'app_missing', appid])
    expect(body.remedy).toMatch(/apps/)
  })

  it('is refused where the merchant has not enabled it, with what is', async () => {
    await becomes({ products: ['JSAPI'] })
    const { status, body } = await post(tea('MWEB'))
    const native = await post(tea('NATIVE'))
    await becomes()
    expect([status, body.code, body['enabled']]).toEqual([409, 'product_not_enabled', ['JSAPI']])
    expect(native.body.code).toBe('product_not_enabled')
  })
})

describe('the openid of a request', () => {
  it('is nowhere in the record but sealed, and in the bytes that are sent', async () => {
    const request = tea('JSAPI')
    const { body } = await post(request)
    const order = await recordOf(request.out_trade_no)
    expect(JSON.stringify([order, body])).not.toContain(openid)
    expect(JSON.parse(bodyWithOpenid(order.wechat_request.body, openid))).toMatchObject({ payer: { openid } })
    expect(stage.logged).toEqual([])
  })

  it('decides whether a repeat is the same request', async () => {
    const request = tea('JSAPI', { out_trade_no: newNumber() })
    await placedTea('JSAPI', request)
    expect((await post(request)).status).toBe(200)
    const other = await post({ ...request, payer: { openid: `${openid.slice(0, -1)}X` } })
    expect([other.status, other.body['fields']]).toEqual([409, ['/payer/openid']])
    const none = await post({ ...request, trade_type: 'NATIVE', payer: null })
    expect(none.body['fields']).toEqual(['/payer/openid', '/trade_type'])
  })
})

describe('the payer’s address', () => {
  it('that came differently the second time is another request: the frozen one stays', async () => {
    const request = tea('MWEB')
    await post(request)
    const frozen = (await recordOf(request.out_trade_no)).wechat_request
    const { status, body } = await post({ ...request, scene_info: scene('203.0.113.8') })
    expect([status, body['fields']]).toEqual([409, ['/scene_info/payer_client_ip']])
    expect((await recordOf(request.out_trade_no)).wechat_request).toEqual(frozen)
  })
})

describe('the payer’s address of a live order', () => {
  it('is a public one, as WeChat Pay wants it; a test merchant’s payer may sit beside its WeChat Pay', async () => {
    const token = newToken('live')
    const given = { name: 'live', scopes: ['orders:write'], hint: token.slice(-4), create_time: now() }
    const ends = { expire_time: null, revoke_time: null, last_use_time: null }
    await stage.store.keys.add({ _id: tokenHash(token), id: 'key_live', mchid, mode: 'live', ...given, ...ends })
    await becomes({ mode: 'live' })
    const addresses = ['127.0.0.1', '10.1.2.3', '192.168.1.9', '::1', '203.0.113.7', '8.8.8.8', '2400:3200::1']
    const answers = []
    for (const address of addresses) {
      const request = tea('MWEB', { scene_info: scene(address) })
      answers.push(await stage.call('POST', '/v1/orders', request, { key: { id: 'key_live', token } }))
    }
    await becomes()
    expect(answers.map(({ status }) => status)).toEqual([400, 400, 400, 400, 400, 202, 202])
    expect(answers[0]?.body.errors).toMatchObject([{ code: 'public_address' }])
    expect((await post(tea('MWEB', { scene_info: scene('127.0.0.1') }))).status).toBe(202)
  })
})

describe('what the payer’s client is handed', () => {
  const call_kinds = [
    ['JSAPI', 'wx_account', 'jsapi'],
    ['JSAPI', 'wx_mini', 'mini_program'],
    ['APP', 'wx_phone', 'app'],
    ['MWEB', undefined, 'h5'],
  ] as const

  it.each(call_kinds)(
    'of %s under %s is one finished %s, of the order’s own appid',
    async (trade_type, appid, kind) => {
      const { client, ...order } = await shown(await placedTea(trade_type, { appid }))
      expect(client?.kind).toBe(kind)
      expect(order.code_url).toBeNull()
      expect(order.code_expire_time).not.toBeNull()
      if (client?.kind === 'jsapi' || client?.kind === 'app') expect(client.appId).toBe(order.appid)
      if (client?.kind === 'h5') return
      const signature = client?.kind === 'app' ? client.sign : (client?.paySign ?? '')
      const { timeStamp: timestamp = '', nonceStr: nonce_str = '' } = client ?? {}
      const signed = { appid: order.appid, timestamp, nonce_str, prepay_id: 'wx1' }
      const message = payMessage({ ...signed, trade_type: trade_type === 'APP' ? 'APP' : 'JSAPI' })
      expect(verify(message, signature, createPublicKey(private_key))).toBe(true)
    },
  )

  it('is null for a code to scan, which is shown as it was', async () => {
    const { client, code_url } = await shown(await placedTea('NATIVE'))
    expect([client, code_url]).toEqual([null, 'weixin://wxpay/1'])
  })

  it.each([
    ['MWEB', 5 * 60_000],
    ['JSAPI', 120 * 60_000],
  ] as const)('of %s is null once it is dead', async (trade_type, life_ms) => {
    const living = await shown(await placedTea(trade_type, { expire_in: 604_800 }, life_ms - 30_000))
    const dead = await shown(await placedTea(trade_type, { expire_in: 604_800 }, life_ms))
    expect([living.client === null, dead.client]).toEqual([false, null])
  })

  it('stands in the order by itself and in no list', async () => {
    const out_trade_no = await placedTea('JSAPI')
    const list = await stage.call<{ data: OrderView[] }>('GET', `/v1/orders?out_trade_no=${out_trade_no}`)
    expect(() => order_shape.strict().parse(list.body.data[0])).not.toThrow()
    expect(JSON.stringify(list.body)).not.toContain('wx1')
    expect(() => order_with_timeline.strict().parse({ ...list.body.data[0], timeline: [], client: null })).not.toThrow()
  })

  it('is renewed by the life of its method, with the operation of the code that it replaces', async () => {
    for (const [trade_type, age_ms, renewals] of [
      ['MWEB', 4 * 60_000, 1],
      ['JSAPI', 4 * 60_000, 0],
    ] as const) {
      const out_trade_no = await placedTea(trade_type, {}, age_ms)
      stage.given.length = 0
      stage.on.refresh = async (order, { operation_id }) => {
        const code = { ...handed_out[trade_type], placed_time: now() } as PlacedCode
        await orderBecomes(stage, order, { event: 'code_renewed', operation_id, code, next_query_time: now() })
        return 'timeout'
      }
      await stage.call('POST', `/v1/orders/${out_trade_no}/code`)
      expect(stage.given.filter(({ command }) => command === 'refresh')).toHaveLength(renewals)
    }
  })
})
