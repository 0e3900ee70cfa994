import { describe, expect, it } from 'vitest'
import { attentionsIn, paidOrder, reserved, sent } from '../stage/acts.ts'
import type { World } from '../stage/world.ts'

const minute_ms = 60_000

async function merchantAttentions(world: World): Promise<string[] | undefined> {
  const merchant = await world.store.merchants.find(world.key.mchid)
  return merchant?.attentions?.map(({ code }) => code)
}

describe('a key of WeChat Pay’s that is missing here', () => {
  it.each([
    ['is missing', true, 'wechat_key_missing'],
    ['is there, and WeChat refuses the merchant', false, 'wechat_setup'],
  ] as const)('%s: the merchant and what waits say so, until a call succeeds', async (_what, is_missing, code) => {
    const world = await paidOrder()
    const refund = await reserved(world, 'R1', 'T1', 400)
    world.wechat.is_key_missing = is_missing
    if (!is_missing) world.wechat.refund_refusals.push('401 SIGN_ERROR')
    world.now_ms += 2 * minute_ms
    expect(await world.perform('submitRefund', { refund })).toHaveProperty('failure')
    expect([await attentionsIn(world), await merchantAttentions(world)]).toEqual([[code], [code]])
    world.wechat.is_key_missing = false
    world.now_ms += 20 * minute_ms
    await sent(world, refund)
    expect([await attentionsIn(world), await merchantAttentions(world)]).toEqual([[], []])
  })
})
