import { describe, expect, it } from 'vitest'
import { isAutomaticOrigin } from '../../../domain/refund/record.ts'
import {
  asked,
  attentionsIn,
  balanceIn,
  decided,
  done,
  findingsIn,
  interrupted,
  paidOrder,
  refundIn,
  reserved,
  sent,
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

describe('a refund that WeChat refuses because the console had given the money back', () => {
  it('leads to a question about the payment, a person is told, and the refund made outside is adopted', async () => {
    const world = await paidOrder()
    world.wechat.refundOutside('CONSOLE-1', 'T1', 990)
    world.wechat.refund_refusals.push('INVALID_REQUEST')
    const refund = await reserved(world, 'X-1', 'T1', 990)
    const { failure } = await submitted(world, 'X-1')
    expect(await done(world, 'askRefundUntilAnswered', { refund })).toEqual({ kind: 'not_found' })
    await done(world, 'recordRefundRefused', { refund, failure })
    await told(world, refund)
    const evidence = await world.store.evidence.ofOrder(world.key.mchid, world.key.out_trade_no)
    const left = evidence.find(({ kind, unapplied }) => kind === 'query' && unapplied === true)
    // What the sweeper hands over.
    await done(world, 'recordPayment', { order: world.key, found: { evidence_id: left?._id } })
    expect(await attentionsIn(world)).toEqual(['refunded_outside'])
    const outside = { mchid: world.key.mchid, out_refund_no: 'CONSOLE-1' }
    const says = await done<{ evidence_id: string }>(world, 'askRefundUntilAnswered', { refund: outside })
    await done(world, 'adoptRefund', { refund: outside, evidence_id: says.evidence_id })
    await done(world, 'recordRefundAnswer', { refund: outside, evidence_id: says.evidence_id })
    await told(world, outside)
    expect(await attentionsIn(world)).toEqual([])
    expect(await balanceIn(world, 'sales')).toBe(0)
  })
})

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

describe('a refund that WeChat refuses as too much, for which the refunds that are known leave room', () => {
  /** Asked for, refused, proven, and the order told; what the sweeper then hands over to the order's run. */
  async function refusedAndHandedOver(world: World, transaction_id: string, amount: number): Promise<void> {
    world.wechat.refund_refusals.push('INVALID_REQUEST')
    const refund = await reserved(world, 'X-1', transaction_id, amount)
    const { failure } = await submitted(world, 'X-1')
    await done(world, 'askRefundUntilAnswered', { refund })
    await done(world, 'recordRefundRefused', { refund, failure })
    await told(world, refund)
    const { mchid, out_trade_no } = world.key
    const unapplied = (await world.store.evidence.ofOrder(mchid, out_trade_no)).filter((one) => one.unapplied === true)
    for (const { _id, kind } of unapplied)
      if (kind === 'query') await done(world, 'recordPayment', { order: world.key, found: { evidence_id: _id } })
  }

  it('asks a person, also where a part went back through Weft before and WeChat’s word on that is known', async () => {
    const world = await paidOrder()
    const part = await reserved(world, 'R-1', 'T1', 300)
    await sent(world, part)
    world.wechat.progress()
    await asked(world, part)
    await told(world, part)
    const known = await done<{ evidence_id: string }>(world, 'askUntilAnswered', { order: world.key })
    await done(world, 'recordPayment', { order: world.key, found: known })
    expect(await attentionsIn(world)).toEqual([])
    world.wechat.refundOutside('CONSOLE-1', 'T1', 690)
    await refusedAndHandedOver(world, 'T1', 200)
    expect(await attentionsIn(world)).toEqual(['refunded_outside'])
  })

  it('asks a person about a second payment, which the order’s number does not tell of', async () => {
    const world = await paidOrder({ is_paid_twice: true })
    await decided(world, 'accept', 'T2')
    expect(await attentionsIn(world)).toEqual([])
    world.wechat.refundOutside('CONSOLE-1', 'T2', 990)
    await refusedAndHandedOver(world, 'T2', 990)
    expect(await attentionsIn(world)).toEqual(['refunded_outside'])
  })

  it('asks nobody where what is known of the payment leaves no room for it', async () => {
    const world = await paidOrder()
    const part = await reserved(world, 'R-1', 'T1', 300)
    await sent(world, part)
    world.wechat.progress()
    await asked(world, part)
    await told(world, part)
    const refund = await reserved(world, 'X-1', 'T1', 690)
    world.wechat.refundOutside('CONSOLE-1', 'T1', 690)
    world.wechat.refund_refusals.push('INVALID_REQUEST')
    const { failure } = await submitted(world, 'X-1')
    await done(world, 'askRefundUntilAnswered', { refund })
    const outside = { mchid: world.key.mchid, out_refund_no: 'CONSOLE-1' }
    const says = await done<{ evidence_id: string }>(world, 'askRefundUntilAnswered', { refund: outside })
    await done(world, 'adoptRefund', { refund: outside, evidence_id: says.evidence_id })
    await done(world, 'recordRefundAnswer', { refund: outside, evidence_id: says.evidence_id })
    await told(world, outside)
    await done(world, 'recordRefundRefused', { refund, failure })
    const { mchid, out_trade_no } = world.key
    const unapplied = (await world.store.evidence.ofOrder(mchid, out_trade_no)).filter((one) => one.unapplied === true)
    for (const { _id, kind, subject } of unapplied)
      if (kind === 'query' && subject === 'payment')
        await done(world, 'recordPayment', { order: world.key, found: { evidence_id: _id } })
    expect(await attentionsIn(world)).toEqual([])
  })
})

describe('a second payment that the console had given back, of which no notification came', () => {
  const seen = async (operation_id: string) => {
    const world = await paidOrder({ is_paid_twice: true })
    await decided(world, 'accept', 'T2')
    world.wechat.refundOutside('CONSOLE-1', 'T2', 990)
    world.now_ms += 60_000
    await done(world, 'askOnRequest', { order: world.key, operation_id })
    const { mchid, out_trade_no } = world.key
    const evidence = await world.store.evidence.ofOrder(mchid, out_trade_no)
    for (const { _id, outcome } of evidence)
      if (outcome === null) await done(world, 'recordPayment', { order: world.key, found: { evidence_id: _id } })
    return await attentionsIn(world)
  }

  it('is seen when the merchant has WeChat asked, and a payer’s question is about the order alone', async () => {
    expect(await seen('check:merchant:1')).toEqual(['refunded_outside'])
    expect(await seen('check:payer:1')).toEqual([])
  })
})
