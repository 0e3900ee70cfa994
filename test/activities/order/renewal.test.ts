import { describe, expect, it } from 'vitest'
import { beijingTime } from '../../../domain/calendar.ts'
import { done } from '../../stage/acts.ts'
import { World } from '../../stage/world.ts'
import { placed } from '../../store/samples.ts'

describe('a code that WeChat gave anew', () => {
  it('stays when a reset run writes down an older one, which WeChat no longer takes', async () => {
    const world = await World.open('confirm', [])
    await world.store.orders.apply(world.key, placed())
    const renew = async (name: string, placed_ms: number) =>
      await done<{ outcome: string }>(world, 'recordRenewed', {
        order: world.key,
        code: { url: `weixin://wxpay/${name}`, placed_time: beijingTime(placed_ms) },
        operation_id: name,
        actor: { kind: 'merchant', id: 'key-1' },
      })
    expect(await renew('newer', world.now_ms + 60_000)).toMatchObject({ outcome: 'done' })
    expect(await renew('older', world.now_ms + 30_000)).toMatchObject({ outcome: 'illegal' })
    expect((await world.record()).code?.url).toBe('weixin://wxpay/newer')
    expect(await renew('newer', world.now_ms + 60_000)).toMatchObject({ outcome: 'done_before' })
  })
})
