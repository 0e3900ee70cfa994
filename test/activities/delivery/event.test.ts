import { describe, expect, it } from 'vitest'
import { asked, done, interrupted, orphanRefund, sent } from '../../stage/acts.ts'
import { World } from '../../stage/world.ts'

/** The events that no order numbers, by what they are about, with how many endpoints hear of each. */
async function orderlessEvents(world: World): Promise<string[]> {
  const { mchid } = world.key
  const { data } = await world.store.events.list(mchid, {}, { limit: 100 })
  const told = data.map(async ({ _id }) => {
    const deliveries = await world.store.deliveries.ofEvent(mchid, _id)
    return `${_id.replace(`${mchid}/`, '')} to ${deliveries.length}`
  })
  return (await Promise.all(told)).toSorted()
}

describe('the event of a refund whose payment belongs to no order', () => {
  it('comes again, under an id of its own, where the payer’s bank sent the money back and it succeeds once more', async () => {
    const world = await World.open('event', [])
    world.wechat.fates.push(['SUCCESS', 'ABNORMAL', 'SUCCESS'])
    const refund = await orphanRefund(world, 'R1', 400)
    await sent(world, refund)
    for (const _word of ['SUCCESS', 'ABNORMAL']) {
      world.wechat.progress()
      await asked(world, refund)
    }
    const once = ['refund.abnormal/R1 to 1', 'refund.succeeded/R1 to 1']
    expect(await orderlessEvents(world)).toEqual(once)
    world.wechat.progress()
    const { kind: _, ...found_there } = await done<{ kind: string }>(world, 'askRefundUntilAnswered', { refund })
    const answer = { refund, ...found_there }
    for (const writes of [0, 1, 2, 3, 4, 5, 6]) await interrupted(world, writes, 'recordRefundAnswer', answer)
    const { deliveries } = await done<{ deliveries: string[] }>(world, 'recordRefundAnswer', answer)
    expect(await orderlessEvents(world)).toEqual([...once, 'refund.succeeded/R1#2 to 1'])
    expect(deliveries.map((_id) => _id.split('/')[2])).toEqual(['R1#2'])
  })
})
