import { describe, expect, it } from 'vitest'
import { workflowId } from '../../../domain/ids.ts'
import { payment_methods } from '../../../domain/order/method.ts'
import type { TradeType } from '../../../domain/order/method.ts'
import type { OrderRecord, PlacedCode } from '../../../domain/order/record.ts'
import { sealOpenid } from '../../../store/openid.ts'
import { openWords } from '../../../store/words.ts'
import { bodyWithOpenid, placeBody, placePath, sealed_openid } from '../../../wechat/payments.ts'
import { done } from '../../stage/acts.ts'
import { sealer, World } from '../../stage/world.ts'
import { at, mchid } from '../../store/samples.ts'

const openid = 'oUpF8uMuAJO_M2pxb1Q9zNjWeS6o'
const scene_info = { payer_client_ip: '203.0.113.7', h5_info: { type: 'Wap' } } as const

/** An order of the method, as the API makes it. */
function orderOf(trade_type: TradeType): Partial<OrderRecord> {
  const { needs_openid, needs_scene_info } = payment_methods[trade_type]
  const body = placeBody({
    ...{ appid: 'wx0000000000000001', mchid, description: '一壶茶', out_trade_no: 'TEA-1', time_expire: at(1800) },
    ...{ attach: null, notify_url: 'https://weft.example.cn/n', amount: { total: 990, currency: 'CNY' } },
    openid: needs_openid ? sealed_openid : null,
    scene_info: needs_scene_info ? scene_info : null,
  })
  return {
    trade_type,
    wechat_request: { path: placePath(trade_type), body },
    ...(needs_openid && { payer: { openid: sealOpenid(sealer, { _id: `${mchid}/TEA-1` }, openid) } }),
  }
}

const worldOf = async (trade_type: TradeType) => await World.open('confirm', [], null, orderOf(trade_type))
const place = async (world: World) =>
  await done<{ kind: string; code: PlacedCode }>(world, 'place', { order: world.key })

async function placedAt(world: World): Promise<PlacedCode> {
  const { code } = await place(world)
  await done(world, 'recordPlaced', { order: world.key, code })
  return code
}

describe.each(['JSAPI', 'MWEB', 'APP'] as const)('an order of %s', (trade_type) => {
  const { hands_out } = payment_methods[trade_type]

  it('keeps what WeChat handed out, which goes through Temporal sealed', async () => {
    const world = await worldOf(trade_type)
    const code = await placedAt(world)
    const kept = (await world.record()).code
    if (hands_out === 'code_url') throw new Error('a code to scan has tests of its own')
    expect(kept?.[hands_out]).toMatch(/wx1/)
    expect(code[hands_out]).toMatch(/^sealed:/)
    expect(openWords(sealer, workflowId.order(world.key), code)).toEqual(kept)
  })

  it.each<[string, Record<string, unknown>]>([
    ['nothing', {}],
    ['a number', { code_url: 5, prepay_id: 5, h5_url: 5 }],
    ['an empty text', { code_url: '', prepay_id: '', h5_url: '' }],
    ['an endless text', { code_url: 'x'.repeat(513), prepay_id: 'x'.repeat(513), h5_url: 'x'.repeat(513) }],
    ['what another way to pay hands out', { code_url: 'weixin://wxpay/bizpayurl?pr=1' }],
  ])('that is answered with %s is neither placed nor failed, and a person hears of it', async (_, said) => {
    const world = await worldOf(trade_type)
    for (let attempt = 0; attempt < 4; attempt += 1) {
      world.wechat.twists.push(() => said)
      expect(await world.perform('place', { order: world.key })).toHaveProperty('failure')
      world.now_ms += 60_000
    }
    const { state, placement, attention } = await world.record()
    expect({ state, unanswered: placement.unanswered }).toEqual({ state: 'created', unanswered: true })
    expect(attention?.code).toBe('not_placed')
    await placedAt(world)
    expect((await world.record()).state).toBe('awaiting_payment')
  })

  it('is sent as the same bytes after silence, a dead worker and by another process', async () => {
    const world = await worldOf(trade_type)
    const frozen = (await world.record()).wechat_request.body
    const sent = payment_methods[trade_type].needs_openid ? bodyWithOpenid(frozen, openid) : frozen
    world.wechat.silence = 'after'
    await world.perform('place', { order: world.key })
    world.now_ms += 60_000
    world.writes.left = 0
    await world.perform('place', { order: world.key })
    world.writes.left = Infinity
    world.now_ms += 60_000
    await placedAt(world)
    expect(world.wechat.placements.length).toBeGreaterThanOrEqual(2)
    expect(new Set(world.wechat.placements)).toEqual(new Set([sent]))
  })

  it('is placed anew with the frozen request when what was handed out is too old, and not before', async () => {
    const world = await worldOf(trade_type)
    await placedAt(world)
    const { life } = payment_methods[trade_type]
    const renewal_ms = life === 'h5' ? 240_000 : 110 * 60_000
    world.policy.place_margin_ms = -Infinity
    world.now_ms += renewal_ms - 1_000
    expect((await place(world)).kind).toBe('state')
    world.now_ms += 1_000
    expect((await place(world)).kind).toBe('placed')
    expect(new Set(world.wechat.placements).size).toBe(1)
  })

  it('fails for good when the product is not enabled, and tells the merchant until one is placed', async () => {
    const world = await worldOf(trade_type)
    world.wechat.refusals.push('403 NO_AUTH')
    const said = await done<{ kind: string; failure: { code: string } }>(world, 'place', { order: world.key })
    expect([said.kind, said.failure.code]).toEqual(['refused', 'NO_AUTH'])
    const told = async () => (await world.store.merchants.find(mchid))?.attentions ?? []
    expect(await told()).toMatchObject([{ code: 'product_not_enabled', detail: trade_type }])
    const other = trade_type === 'APP' ? 'JSAPI' : 'APP'
    await world.store.merchants.noteProductRefused(mchid, other, at(5))
    const code = 'product_not_enabled'
    expect(await told()).toMatchObject([
      { code, detail: trade_type },
      { code, detail: other },
    ])
    world.now_ms += 120_000
    await place(world)
    expect(await told()).toMatchObject([{ code: 'product_not_enabled', detail: other }])
    await world.store.merchants.liftProductRefused(mchid, other)
    expect(await told()).toEqual([])
  })
})

describe('what an earlier version said of several products at once', () => {
  it('ends with the first of them that works, and of no other code', async () => {
    const world = await worldOf('JSAPI')
    await world.store.merchants.noteAttention(mchid, 'product_not_enabled', at(1), 'NATIVE, JSAPI')
    await world.store.merchants.noteAttention(mchid, 'payer_unknown', at(2), 'JSAPI')
    await place(world)
    const { attentions } = (await world.store.merchants.find(mchid)) ?? {}
    expect(attentions).toMatchObject([{ code: 'payer_unknown' }])
  })
})

describe('the openid of an order’s payer', () => {
  it('is opened for the request alone: no record, timeline, event or word through Temporal has it', async () => {
    const world = await worldOf('JSAPI')
    const answers = [await place(world)]
    await done(world, 'recordPlaced', { order: world.key, code: answers[0]?.code })
    const kept = JSON.stringify([await world.record(), answers])
    expect(world.wechat.placements[0]).toContain(openid)
    expect(kept).not.toContain(openid)
  })

  it('that another order’s record was given does not open there', async () => {
    const world = await World.open('confirm', [], null, {
      ...orderOf('JSAPI'),
      payer: { openid: sealOpenid(sealer, { _id: `${mchid}/TEA-2` }, openid) },
    })
    await expect(world.perform('place', { order: world.key })).rejects.toThrow('does not open')
    expect(world.wechat.placements).toEqual([])
    expect((await world.record()).placement.attempts).toBe(0)
  })
})
