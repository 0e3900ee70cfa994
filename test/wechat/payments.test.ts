import { afterEach, describe, expect, it } from 'vitest'
import {
  bodyWithOpenid,
  closeOrder,
  paymentFact,
  placeBody,
  placeOrder,
  placePath,
  queryOrder,
  readTransaction,
  sealed_openid,
} from '../../wechat/payments.ts'
import { checkSignature } from '../../wechat/signature.ts'
import { mchid, playHost, transportTo } from './server.ts'
import type { Played, PlayedHost } from './server.ts'
import { publicKey } from './vectors.ts'

const open: PlayedHost[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((played) => played.close()))
})

/** A transport to a WeChat Pay that gives one answer to everything. */
async function answering(played: Played) {
  const main = await playHost(() => played)
  open.push(main)
  return { main, transport: transportTo(main.origin, null).transport }
}
const refusal = (status: number, code: string): Played => ({ status, body: JSON.stringify({ code, message: '…' }) })

const order = {
  appid: 'wxd678efh567hg6787',
  mchid,
  description: '测试商品 A',
  out_trade_no: 'T20260101000000000001',
  time_expire: '2026-01-01T04:30:00.999Z',
  attach: '{"k":1}',
  notify_url: 'https://pay.example.com/notify/wechat',
  amount: { total: 1, currency: 'CNY' },
}

describe('the request that places an order', () => {
  it('is the same bytes every time, with whole seconds in Beijing time', () => {
    expect(placeBody(order)).toBe(
      '{"appid":"wxd678efh567hg6787","mchid":"1900007291","description":"测试商品 A",' +
        '"out_trade_no":"T20260101000000000001","time_expire":"2026-01-01T12:30:00+08:00","attach":"{\\"k\\":1}",' +
        '"notify_url":"https://pay.example.com/notify/wechat","amount":{"total":1,"currency":"CNY"}}',
    )
  })

  it('leaves out what there is not, since WeChat Pay takes no null', () => {
    expect(placeBody({ ...order, attach: null })).not.toContain('attach')
    expect(placeBody({ ...order, attach: '' })).not.toContain('attach')
  })

  it('of a method says where the payer is and who may pay, the openid last', () => {
    const h5_info = { type: 'iOS', app_name: '茶铺', app_url: null, package_name: '' } as const
    const scene_info = { payer_client_ip: '203.0.113.7', h5_info }
    const base = placeBody(order).slice(0, -1)
    const scene = '{"payer_client_ip":"203.0.113.7","h5_info":{"type":"iOS","app_name":"茶铺"}}'
    expect(placeBody({ ...order, scene_info })).toBe(`${base},"scene_info":${scene}}`)
    expect(placeBody({ ...order, openid: 'oA' })).toBe(`${base},"payer":{"openid":"oA"}}`)
    expect(placeBody({ ...order, scene_info: { payer_client_ip: '::1' }, openid: 'oA' })).toBe(
      `${base},"scene_info":{"payer_client_ip":"::1"},"payer":{"openid":"oA"}}`,
    )
  })

  it('is kept without the openid, and sent as if it had been made with it, whatever the shop’s texts say', () => {
    const imitation = `,"payer":{"openid":"${sealed_openid}"}}`
    for (const attach of [null, sealed_openid, imitation]) {
      const kept = placeBody({ ...order, attach, openid: sealed_openid })
      expect(bodyWithOpenid(kept, 'oUpxs$&4')).toBe(placeBody({ ...order, attach, openid: 'oUpxs$&4' }))
      expect(() => bodyWithOpenid(placeBody({ ...order, attach }), 'oA')).toThrow(RangeError)
    }
  })

  it('takes no time that is none', () => {
    expect(() => placeBody({ ...order, time_expire: 'tomorrow' })).toThrow(RangeError)
  })
})

describe('placing', () => {
  const request = { path: placePath('NATIVE'), body: placeBody(order) }

  it('brings the code, and sends the frozen bytes', async () => {
    const { main, transport } = await answering({ status: 200, body: '{"code_url":"weixin://wxpay/x","more":1}' })
    await expect(placeOrder(transport, 'NATIVE', request)).resolves.toEqual({ code_url: 'weixin://wxpay/x' })
    expect(main.seen[0]).toMatchObject({ method: 'POST', url: '/v3/pay/transactions/native', body: request.body })
  })

  it.each([
    ['JSAPI', '/v3/pay/transactions/jsapi', { prepay_id: 'wx1' }],
    ['APP', '/v3/pay/transactions/app', { prepay_id: 'wx1' }],
    ['MWEB', '/v3/pay/transactions/h5', { h5_url: 'https://wx.tenpay.com/1' }],
  ] as const)('of %s is at %s and brings what its client needs', async (trade_type, path, handed_out) => {
    const { main, transport } = await answering({ status: 200, body: JSON.stringify({ ...handed_out, more: 1 }) })
    const placement = { path: placePath(trade_type), body: placeBody(order) }
    await expect(placeOrder(transport, trade_type, placement)).resolves.toEqual(handed_out)
    expect(main.seen[0]).toMatchObject({ method: 'POST', url: path })
    const other = await answering({ status: 200, body: '{"code_url":"weixin://wxpay/x"}' })
    const unreadable = { kind: 'again', reason: 'unreadable', outcome_unknown: true }
    await expect(placeOrder(other.transport, trade_type, placement)).rejects.toMatchObject(unreadable)
  })

  it.each([
    [refusal(400, 'ORDERPAID'), { kind: 'refused', about_number: true, code: 'ORDERPAID', outcome_unknown: false }],
    [refusal(400, 'PARAM_ERROR'), { kind: 'refused', about_number: false }],
    [refusal(401, 'SIGN_ERROR'), { kind: 'setup' }],
    [refusal(429, 'FREQUENCY_LIMITED'), { kind: 'slower' }],
    [refusal(500, 'SYSTEM_ERROR'), { kind: 'again', outcome_unknown: true }],
    [{ status: 202 }, { kind: 'not_yet', outcome_unknown: true }],
    [{ status: 404 }, { kind: 'again', outcome_unknown: true }],
    [
      { status: 200, body: '{}' },
      { kind: 'again', reason: 'unreadable', outcome_unknown: true },
    ],
    [
      { status: 200, body: 'no json' },
      { kind: 'again', reason: 'unreadable', outcome_unknown: true },
    ],
    [{ status: 204 }, { kind: 'again', outcome_unknown: true }],
  ])('answered by %o fails as %o', async (played, failure) => {
    const { transport } = await answering(played)
    await expect(placeOrder(transport, 'NATIVE', request)).rejects.toMatchObject(failure)
  })
})

describe('asking', () => {
  const number = { mchid, out_trade_no: 'T2026|0101' }
  const paid = {
    appid: order.appid,
    mchid,
    out_trade_no: 'T2026|0101',
    transaction_id: '4200009999202601010000000001',
    trade_type: 'NATIVE',
    trade_state: 'SUCCESS',
    trade_state_desc: '支付成功',
    success_time: '2026-01-01T12:00:05+08:00',
    amount: { total: 100, payer_total: 90, currency: 'CNY', payer_currency: 'CNY' },
  }

  it('sends the number percent-encoded and brings the transaction with proof that can be checked again', async () => {
    const { main, transport } = await answering({ status: 200, body: JSON.stringify(paid) })
    const result = await queryOrder(transport, number)
    if (result.kind !== 'found') throw new Error(result.kind)
    expect(main.seen[0]?.url).toBe(`/v3/pay/transactions/out-trade-no/T2026%7C0101?mchid=${mchid}`)
    expect(paymentFact(result.transaction)).toMatchObject({ trade_state: 'SUCCESS', amount: { total: 100 } })
    const { headers, body } = result.raw
    expect(checkSignature({ headers, body }, () => publicKey('go-sdk'), Date.now()).verdict).toBe('verified')
  })

  it.each(['ORDER_NOT_EXIST', 'ORDERNOTEXIST'])('is told of no such order by %s', async (code) => {
    const { transport } = await answering(refusal(404, code))
    await expect(queryOrder(transport, number)).resolves.toMatchObject({
      kind: 'not_found',
      code,
      raw: { status: 404 },
    })
  })

  it.each([
    ['another 404', refusal(404, 'RESOURCE_NOT_EXISTS'), 'again'],
    ['an empty 404', { status: 404 }, 'again'],
    ['the code with another status', refusal(400, 'ORDER_NOT_EXIST'), 'again'],
    ['a refusal', refusal(403, 'RULE_LIMIT'), 'again'],
    ['a set-up fault', refusal(400, 'MCH_NOT_EXISTS'), 'setup'],
    ['a transaction of no known state', { status: 200, body: '{"trade_state":"?"}' }, 'again'],
  ])('takes %s for no knowledge at all', async (_what, played, kind) => {
    const { transport } = await answering(played)
    await expect(queryOrder(transport, number)).rejects.toMatchObject({ kind, operation: 'query' })
  })
})

describe('closing', () => {
  const number = { mchid, out_trade_no: 'T20260101000000000001' }

  it('sends the mchid and nothing else', async () => {
    const { main, transport } = await answering({ status: 204 })
    await expect(closeOrder(transport, number)).resolves.toEqual({ kind: 'closed' })
    expect(main.seen[0]).toMatchObject({
      method: 'POST',
      url: '/v3/pay/transactions/out-trade-no/T20260101000000000001/close',
      body: `{"mchid":"${mchid}"}`,
    })
  })

  it.each([
    [refusal(400, 'ORDER_PAID'), { kind: 'paid', code: 'ORDER_PAID' }],
    [refusal(403, 'ORDERPAID'), { kind: 'paid', code: 'ORDERPAID' }],
    [refusal(202, 'USER_PAYING'), { kind: 'uncertain', code: 'USER_PAYING' }],
    [{ status: 202 }, { kind: 'uncertain', code: 'USER_PAYING' }],
    [refusal(400, 'USERPAYING'), { kind: 'uncertain', code: 'USERPAYING' }],
    [refusal(400, 'ORDER_CLOSED'), { kind: 'uncertain', code: 'ORDER_CLOSED' }],
    [refusal(404, 'ORDER_NOT_EXIST'), { kind: 'uncertain', code: 'ORDER_NOT_EXIST' }],
    [refusal(403, 'TRADE_ERROR'), { kind: 'uncertain', code: 'TRADE_ERROR' }],
  ])('answered by %o is %o', async (played, result) => {
    const { transport } = await answering(played)
    await expect(closeOrder(transport, number)).resolves.toEqual(result)
  })

  it.each([
    [refusal(500, 'SYSTEM_ERROR'), 'again'],
    [refusal(429, 'FREQUENCY_LIMITED'), 'slower'],
    [refusal(401, 'SIGN_ERROR'), 'setup'],
    [{ status: 404 }, 'again'],
  ])('answered by %o fails as %s', async (played, kind) => {
    const { transport } = await answering(played)
    await expect(closeOrder(transport, number)).rejects.toMatchObject({ kind, operation: 'close' })
  })
})

describe('a transaction', () => {
  const least = {
    appid: 'wx1',
    mchid,
    out_trade_no: 'T20260101',
    trade_state: 'NOTPAY',
    trade_state_desc: '订单未支付',
  }
  const factOf = (change: object) => {
    const read = readTransaction(JSON.stringify({ ...least, ...change }))
    return read && paymentFact(read)
  }

  it('that is unpaid says little', () => {
    expect(factOf({})).toEqual({
      mchid,
      appid: 'wx1',
      out_trade_no: 'T20260101',
      transaction_id: null,
      trade_state: 'NOTPAY',
      trade_type: null,
      bank_type: null,
      success_time: null,
      amount: null,
      nocash_amount: 0,
    })
  })

  it('may leave out the currency, which is CNY then, and bring an empty attach or none', () => {
    expect(factOf({ amount: { total: 5 } })?.amount).toEqual({ total: 5, currency: 'CNY', payer_total: null })
    expect(factOf({ attach: '' })).toEqual(factOf({}))
    expect(factOf({ attach: null, amount: null })).toEqual(factOf({}))
  })

  it('sums what the merchant gave away without being paid', () => {
    const promotion_detail = [
      { coupon_id: '1', type: 'NOCASH', amount: 10, scope: 'GLOBAL' },
      { coupon_id: '2', type: 'CASH', amount: 5 },
      { coupon_id: '3', type: 'NOCASH', amount: 3 },
    ]
    expect(factOf({ promotion_detail })?.nocash_amount).toBe(13)
    expect(factOf({ promotion_detail })?.has_unread_promotions).toBeUndefined()
    expect(factOf({ promotion_detail: [null] })).toEqual(factOf({}))
  })

  it.each([
    ['an amount that is none', { type: 'NOCASH', amount: '5' }],
    ['no amount', { type: 'NOCASH' }],
    ['an amount below nothing', { type: 'NOCASH', amount: -1 }],
    ['a kind that nobody knows', { type: 'GIFT', amount: 5 }],
    ['no kind', { amount: 5 }],
    ['a text in its place', 'coupon'],
  ])('keeps its amounts with a promotion of %s, and says that it was not understood', (_what, odd) => {
    const promotion_detail = [odd, { type: 'NOCASH', amount: 10 }]
    const fact = { nocash_amount: 10, has_unread_promotions: true, amount: { total: 50, currency: 'CNY' } }
    expect(factOf({ amount: { total: 50 }, promotion_detail })).toMatchObject(fact)
    expect(factOf({ promotion_detail: 'none' })).toMatchObject({ nocash_amount: 0, has_unread_promotions: true })
  })

  it.each([
    ['bank_type', { bank_type: 5 }],
    ['trade_type', { trade_type: 'N'.repeat(33) }],
    ['trade_state_desc', { trade_state_desc: ['paid'] }],
    ['payer', { payer: 'oPayer' }],
    ['attach', { attach: { k: 1 } }],
    ['payer_total', { amount: { total: 5, payer_total: '5', payer_currency: 156 } }],
  ])('is read whatever form its %s has, since nothing is decided by that', (_field, odd) => {
    expect(factOf({ amount: { total: 5 }, ...odd })).toEqual(factOf({ amount: { total: 5 } }))
  })

  it('has its time in Beijing, whatever offset it was written with', () => {
    expect(factOf({ success_time: '2026-01-01T04:00:05.5Z' })?.success_time).toBe('2026-01-01T12:00:05.500+08:00')
    expect(factOf({ success_time: '2026-01-01 12:00:05' })?.success_time).toBe('2026-01-01T12:00:05.000+08:00')
    expect(factOf({ success_time: '' })?.success_time).toBeNull()
  })

  it.each([
    { trade_state: 'PAID' },
    { mchid: '' },
    { out_trade_no: undefined },
    { amount: { total: '100' } },
    { amount: { total: 100, currency: 156 } },
    { transaction_id: 4200 },
    { amount: { total: 2 ** 53 } },
    { success_time: 'yesterday' },
    { success_time: '5' },
  ])('with %o is none', (change) => {
    expect(factOf(change)).toBeNull()
  })
})
