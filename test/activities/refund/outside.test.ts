import { describe, expect, it } from 'vitest'
import { isAutomaticOrigin } from '../../../domain/refund/record.ts'
import {
  asked,
  attentionsIn,
  balanceIn,
  done,
  findingsIn,
  interrupted,
  paidOrder,
  refundIn,
  reserved,
  told,
} from '../../stage/acts.ts'
import type { World } from '../../stage/world.ts'

interface Submitted {
  kind: string
  failure: { code: string; message: string }
  evidence_id: string
}

/** The request goes to WeChat, a minute after anything else of the payment. */
async function submitted(world: World, out_refund_no: string): Promise<Submitted> {
  world.now_ms += 62_000
  return await done<Submitted>(world, 'submitRefund', { refund: { mchid: world.key.mchid, out_refund_no } })
}

describe('a refund number that WeChat knows with another amount', () => {
  it('is refused with WeChat’s code, its room is free, a person is told, and the other refund is adopted', async () => {
    const world = await paidOrder()
    world.wechat.refundOutside('X-1', 'T1', 300)
    const refund = await reserved(world, 'X-1', 'T1', 400)
    expect((await submitted(world, 'X-1')).failure.code).toBe('INVALID_REQUEST')
    await asked(world, refund)
    expect(await refundIn(world, refund)).toMatchObject({
      state: 'refused',
      failure: { code: 'INVALID_REQUEST' },
      attention: { code: 'refund_number_taken' },
    })
    await told(world, refund)
    const adopted = { mchid: world.key.mchid, out_refund_no: 'R1@wechat' }
    expect(await refundIn(world, adopted)).toMatchObject({ origin: 'outside', amount: { refund: 300 } })
    await asked(world, adopted)
    await told(world, adopted)
    expect((await refundIn(world, adopted)).state).toBe('succeeded')
    const payment = await world.store.payments.find(world.key.mchid, 'T1')
    expect(payment?.refunds.map(({ state, amount }) => `${state} ${amount}`)).toEqual(['released 400', 'succeeded 300'])
    expect([await balanceIn(world, 'sales'), await balanceIn(world, 'wechat.refund_transit')]).toEqual([-690, -300])
    expect(await findingsIn(world)).toEqual([])
    expect(world.wechat.violations).toEqual([])
  })

  it('ends so at whichever write the worker dies', async () => {
    for (const writes of [0, 1, 2, 3, 4, 5, 6]) {
      const world = await paidOrder()
      world.wechat.refundOutside('X-1', 'T1', 300)
      const refund = await reserved(world, 'X-1', 'T1', 400)
      await submitted(world, 'X-1')
      const says = await done<{ evidence_id: string }>(world, 'askRefundUntilAnswered', { refund })
      const answer = { refund, evidence_id: says.evidence_id }
      await interrupted(world, writes, 'recordRefundAnswer', answer)
      expect(await done(world, 'recordRefundAnswer', answer)).toMatchObject({ adopted: 'R1@wechat' })
      const states = (await world.refunds()).map(({ out_refund_no, state }) => `${out_refund_no} ${state}`)
      expect(states.toSorted()).toEqual(['R1@wechat processing', 'X-1 refused'])
    }
  })

  it('is refused also where the request was never answered', async () => {
    const world = await paidOrder()
    const refund = await reserved(world, 'X-1', 'T1', 400)
    world.wechat.silence = 'before'
    await world.perform('submitRefund', { refund })
    world.wechat.refundOutside('X-1', 'T1', 300)
    const again = await submitted(world, 'X-1')
    await done(world, 'recordRefundAnswer', { refund, evidence_id: again.evidence_id })
    expect(await refundIn(world, refund)).toMatchObject({ state: 'refused', failure: { code: 'refund_number_taken' } })
  })

  it('is left to WeChat’s own answer while it has not been sent', async () => {
    const world = await paidOrder()
    world.wechat.refundOutside('X-1', 'T1', 300)
    const refund = await reserved(world, 'X-1', 'T1', 400)
    await asked(world, refund)
    expect((await world.refunds()).map(({ state }) => state)).toEqual(['processing'])
  })

  it('stops nothing of the order by the room that ours had reserved', async () => {
    const world = await paidOrder()
    world.wechat.refundOutside('X-1', 'T1', 300)
    const refund = await reserved(world, 'X-1', 'T1', 690)
    await submitted(world, 'X-1')
    await asked(world, refund)
    const adopted = await refundIn(world, { ...refund, out_refund_no: 'R1@wechat' })
    expect([adopted.is_full, isAutomaticOrigin(adopted.origin)]).toEqual([false, false])
  })

  it('is a matter of the number alone where the money was not ours', async () => {
    const world = await paidOrder()
    world.wechat.seconds.push({ id: 'T9', total: 300 })
    world.wechat.refundOutside('X-1', 'T9', 300)
    const refund = await reserved(world, 'X-1', 'T1', 300)
    await submitted(world, 'X-1')
    await asked(world, refund)
    expect((await world.refunds()).map(({ state }) => state)).toEqual(['refused'])
    expect(await attentionsIn(world)).toEqual(['refund_number_taken'])
    expect(await world.store.refunds.liftNoticed(refund, 'refund_number_taken')).toBe(true)
    expect(await attentionsIn(world)).toEqual([])
  })
})
