import { describe, expect, it } from 'vitest'
import { evidenceId } from '../../domain/ids.ts'
import { newEvidence, rawPlace } from '../../store/evidence.ts'
import { attentionsIn, done, paidOrder, refundIn, requester, reserved, sent } from '../stage/acts.ts'
import { sealer } from '../stage/world.ts'
import type { World } from '../stage/world.ts'

/** Somebody at Temporal's own tools signals a run with the id of evidence that is another's: it stays for whom it is for. */

async function outcomeOf(world: World, evidence_id: string) {
  const evidence = await world.store.evidence.find(evidence_id)
  if (evidence === null) throw new Error(`no evidence ${evidence_id}`)
  return evidence.outcome
}

describe('a refund’s run', () => {
  it('leaves a payment’s notification for its order', async () => {
    const world = await paidOrder()
    const refund = await reserved(world, 'R-1', 'T1', 400)
    await sent(world, refund)
    world.wechat.seconds.push({ id: 'T2', total: 990 })
    const evidence_id = await world.notified({ id: 'T2', total: 990 })
    await done(world, 'settleNews', { refund, found: { evidence_id }, outcome: 'linked' })
    expect(await outcomeOf(world, evidence_id)).toBeNull()
    await done(world, 'recordPayment', { order: world.key, found: { evidence_id } })
    expect(await attentionsIn(world)).toContain('second_payment')
  })

  it('leaves what is said of another refund', async () => {
    const world = await paidOrder()
    const one = await reserved(world, 'R-1', 'T1', 400)
    const other = await reserved(world, 'R-2', 'T1', 300)
    await sent(world, one)
    await sent(world, other)
    world.wechat.progress()
    const { evidence_id } = await done<{ evidence_id: string }>(world, 'askRefundUntilAnswered', { refund: other })
    await done(world, 'settleNews', { refund: one, found: { evidence_id }, outcome: 'linked' })
    expect(await outcomeOf(world, evidence_id)).toBeNull()
    await done(world, 'recordRefundAnswer', { refund: other, evidence_id })
    expect((await refundIn(world, other)).state).toBe('succeeded')
  })
})

describe('an order’s run', () => {
  it('is not stopped by a refund of a second payment, all of which goes back', async () => {
    const world = await paidOrder({ is_paid_twice: true })
    const { out_refund_no } = await reserved(world, 'R-1', 'T2', 990)
    const word = { operation_id: 'stop', actor: requester, reason: null }
    await done(world, 'recordRefundRequested', { order: world.key, out_refund_no, ...word })
    expect((await world.record()).state).toBe('paid')
  })

  it('leaves what is said of a refund for that', async () => {
    const world = await paidOrder()
    const refund = await reserved(world, 'R-1', 'T1', 400)
    await sent(world, refund)
    world.wechat.progress()
    const { evidence_id } = await done<{ evidence_id: string }>(world, 'askRefundUntilAnswered', { refund })
    expect(await done(world, 'recordPayment', { order: world.key, found: { evidence_id } })).toBe('unproven')
    expect(await outcomeOf(world, evidence_id)).toBeNull()
  })

  it('leaves a merchant’s confirmation that no worker took', async () => {
    const world = await paidOrder()
    const { mchid, out_trade_no } = world.key
    const _id = evidenceId.merchant(mchid, 'confirmation:1')
    const body = '{}'
    const raw = sealer.seal(body, rawPlace({ _id, body_sha256: '' }))
    const kept = { _id, mchid, kind: 'merchant', subject: 'payment', out_trade_no, raw, body, unapplied: true } as const
    await world.store.evidence.archive(newEvidence({ ...kept, receive_time: '2026-11-23T12:00:00.000+08:00' }))
    expect(await done(world, 'recordPayment', { order: world.key, found: { evidence_id: _id } })).toBe('unproven')
    expect(await outcomeOf(world, _id)).toBeNull()
  })
})
