import { describe, expect, it } from 'vitest'
import { orderId, refundId } from '../../../domain/ids.ts'
import { done, paidOrder, refundIn, requester, reserved } from '../../stage/acts.ts'
import type { World } from '../../stage/world.ts'

const timelineOf = async (world: World) => (await world.record()).timeline.map(({ event }) => event)

/** A refund of all of a payment, under the number of another order of the same merchant. */
async function strangersRefund(world: World): Promise<string> {
  const key = await reserved(world, 'R-OWN', 'T1', 990)
  const refund = await refundIn(world, key)
  const out_refund_no = 'R-OTHER'
  const other = { ...refund, out_refund_no, out_trade_no: 'OTHER-1' }
  const { mchid } = world.key
  await world.store.refunds.insert({
    ...other,
    _id: refundId({ mchid, out_refund_no }),
    order_id: orderId({ mchid, out_trade_no: 'OTHER-1' }),
  })
  return out_refund_no
}

describe('news of a refund that is none of this order’s', () => {
  it('change nothing and keep nothing waiting, where there is no such refund', async () => {
    const world = await paidOrder({ mode: 'event' })
    const before = await timelineOf(world)
    const told = await done(world, 'recordRefundNews', { order: world.key, out_refund_no: 'NONE-1' })
    expect(told).toMatchObject({ outcome: 'illegal', order: { state: 'paid' } })
    expect(await timelineOf(world)).toEqual(before)
  })

  it('change nothing where it is another order’s', async () => {
    const world = await paidOrder({ mode: 'event' })
    const out_refund_no = await strangersRefund(world)
    const before = await timelineOf(world)
    await done(world, 'recordRefundNews', { order: world.key, out_refund_no })
    const command = { operation_id: 'x', actor: requester, reason: null, out_refund_no }
    await done(world, 'recordRefundRequested', { order: world.key, ...command })
    expect(await timelineOf(world)).toEqual(before)
    expect((await world.record()).state).toBe('paid')
  })
})
