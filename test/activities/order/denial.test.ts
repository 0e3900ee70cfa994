import { describe, expect, it } from 'vitest'
import { beijingDay, beijingTime } from '../../../domain/calendar.ts'
import { differenceId, evidenceId } from '../../../domain/ids.ts'
import { paymentCorrections } from '../../../domain/bill/acceptance.ts'
import type { DifferenceEvent } from '../../../domain/bill/difference.ts'
import type { OrderWriteResult } from '../../../domain/messages.ts'
import { newDifference } from '../../../activities/bill/differences.ts'
import { rawPlace } from '../../../store/evidence.ts'
import { mchid } from '../../store/samples.ts'
import {
  answered,
  attentionsIn,
  decided,
  done,
  findingsIn,
  interrupted,
  paidOrder,
  refused,
  told,
} from '../../stage/acts.ts'
import type { World } from '../../stage/world.ts'
import { evidenceSample } from '../../store/samples.ts'

const day = (world: World) => ({ mchid, bill_date: beijingDay(world.now_ms) })
const phantom = (world: World) => differenceId(day(world), 'phantom_payment', 'T1')

/** What the proof of the payment's day does when WeChat denies it. */
async function opened(world: World): Promise<void> {
  const { out_trade_no } = world.key
  const sides = {
    transaction_id: 'T1',
    out_trade_no,
    found_time: beijingTime(world.now_ms),
    patience_time: beijingTime(world.now_ms),
  }
  await world.store.differences.note([newDifference(day(world), 'phantom_payment', 'T1', sides)])
}

async function moved(world: World, event: DifferenceEvent): Promise<void> {
  const actor = { kind: 'weft', id: null } as const
  await world.store.differences.apply(phantom(world), ({ revision }) => {
    return { event, operation_id: `${event}:${revision}`, time: beijingTime(world.now_ms), actor }
  })
}

/** Archives what WeChat says of T1 for a bill; `unknown`: neither host knows it, which is not signed. */
async function said(world: World, trade_state: 'NOTPAY' | 'CLOSED' | 'SUCCESS' | 'unknown'): Promise<string> {
  const body = JSON.stringify({
    ...JSON.parse(world.wechat.transaction({ id: 'T1', total: 990 })),
    ...(trade_state !== 'unknown' && { trade_state }),
  })
  const _id = evidenceId.billLine(mchid, 'T1', trade_state)
  const { evidence } = await world.store.evidence.archive({
    ...evidenceSample('bill'),
    ...{ _id, kind: 'bill_line', transaction_id: 'T1', out_trade_no: world.key.out_trade_no },
    verdict: trade_state === 'unknown' ? 'unsigned' : 'verified',
    raw: world.store.sealer.seal(JSON.stringify({ headers: {}, body }), rawPlace({ _id })),
  })
  return evidence._id
}

const heard = async (world: World, evidence_id: string) =>
  await done<OrderWriteResult>(world, 'recordPayment', { order: world.key, found: { evidence_id } })
const events = async (world: World) => (await world.record()).timeline.slice(2).map(({ event }) => event)
const types = async (world: World) => (await world.record()).timeline.flatMap(({ event_type }) => event_type ?? [])

describe('a payment that WeChat says was never made', () => {
  it.each(['NOTPAY', 'CLOSED', 'unknown'] as const)(
    'takes its order into review once, however often it says %s',
    async (trade_state) => {
      const world = await paidOrder({ mode: 'event' })
      await opened(world)
      const evidence_id = await said(world, trade_state)
      expect(await heard(world, evidence_id)).toMatchObject({ outcome: 'done', order: { state: 'review' } })
      expect(await heard(world, evidence_id)).toMatchObject({ outcome: 'done_before', order: { state: 'review' } })
      expect(await events(world)).toEqual(['fulfilment_stopped', 'payment_denied'])
      expect(await types(world)).toEqual(['order.paid', 'order.fulfilment_cancelled', 'order.review'])
      expect(await attentionsIn(world)).toEqual(['phantom_payment'])
      expect(await world.store.evidence.find(evidence_id)).toMatchObject({ outcome: 'applied' })
      expect(await findingsIn(world)).toEqual([])
    },
  )

  it('is denied by its day alone: what is told late, or was never proven, moves nothing', async () => {
    const world = await paidOrder({ mode: 'event' })
    const evidence_id = await said(world, 'CLOSED')
    await heard(world, evidence_id)
    await opened(world)
    await moved(world, 'vanished')
    await heard(world, evidence_id)
    expect(await events(world)).toEqual([])
    await moved(world, 'returned')
    await heard(world, await said(world, 'SUCCESS'))
    expect(await events(world)).toEqual([])
  })

  it('only asks a person where it was shipped, until a person has ignored it', async () => {
    const world = await paidOrder()
    await answered(world, 'fulfilled')
    await opened(world)
    const evidence_id = await said(world, 'CLOSED')
    await heard(world, evidence_id)
    expect((await events(world)).slice(1)).toEqual(['payment_denied'])
    expect([(await world.record()).state, await attentionsIn(world)]).toEqual(['fulfilled', ['phantom_payment']])
    await moved(world, 'ignored')
    await heard(world, evidence_id)
    expect([(await world.record()).state, await attentionsIn(world)]).toEqual(['fulfilled', []])
    await moved(world, 'reopened')
    await heard(world, evidence_id)
    expect(await attentionsIn(world)).toEqual(['phantom_payment'])
  })

  it('comes back when WeChat says that it was paid, and is asked about anew', async () => {
    const world = await paidOrder({ mode: 'event' })
    await opened(world)
    await heard(world, await said(world, 'CLOSED'))
    await moved(world, 'vanished')
    const paid = await said(world, 'SUCCESS')
    await heard(world, paid)
    await heard(world, paid)
    expect((await events(world)).slice(2)).toEqual(['payment_restored'])
    expect(await world.record()).toMatchObject({ state: 'paid', fulfilment: { result: null } })
    expect([await attentionsIn(world), (await types(world)).at(-1)]).toEqual([[], 'order.paid'])
    await moved(world, 'returned')
    await heard(world, await said(world, 'CLOSED'))
    expect((await world.record()).state).toBe('review')
  })

  it('is decided by a person, once for each denial', async () => {
    const world = await paidOrder({ mode: 'event' })
    await opened(world)
    const evidence_id = await said(world, 'CLOSED')
    await heard(world, evidence_id)
    expect(await decided(world, 'accept')).toMatchObject({ outcome: 'done' })
    await heard(world, evidence_id)
    expect([(await world.record()).state, await attentionsIn(world)]).toEqual(['paid', []])
    expect(await findingsIn(world)).toEqual([])
  })

  /** A person has accepted that T1 was never made, and the book has nothing of it any more. */
  const accepted = async (world: World) => {
    const denial = { time: beijingTime(world.now_ms), by: 'key_a', reason: 'why', evidence_id: 'said' }
    const payment = await world.store.payments.deny({ mchid, transaction_id: 'T1' }, denial)
    if (payment === null) throw new Error('something holds it')
    const booked = await world.store.journal.ofOrder(mchid, world.key.out_trade_no)
    const correction = { by: 'key_a', reason: 'why', booked_time: beijingTime(world.now_ms) }
    for (const entry of paymentCorrections(payment, booked, correction)) await world.store.journal.post(entry)
    await world.store.refunds.liftSetbacks(payment)
    await moved(world, 'accept_asked')
    await moved(world, 'accepted')
  }

  it('and that is accepted, leaves nothing to give back: rejected, its order is refunded at once', async () => {
    const world = await paidOrder({ mode: 'event' })
    await opened(world)
    const evidence_id = await said(world, 'CLOSED')
    await heard(world, evidence_id)
    await accepted(world)
    await heard(world, evidence_id)
    expect((await world.record()).state, 'in review a person still decides').toBe('review')
    expect(await decided(world, 'accept'), 'nobody ships for nothing').toMatchObject({ outcome: 'illegal' })
    expect(await decided(world, 'reject')).toMatchObject({ outcome: 'done', refunds: [] })
    expect((await events(world)).slice(2)).toEqual(['rejected', 'refunded'])
    expect([await attentionsIn(world), await findingsIn(world)]).toEqual([[], []])
  })

  it('and was to be given back before that is accepted, is over once its order hears of it', async () => {
    const world = await paidOrder({ mode: 'event' })
    await opened(world)
    const evidence_id = await said(world, 'unknown')
    await heard(world, evidence_id)
    const { refunds } = (await decided(world, 'reject')) as OrderWriteResult
    expect((await world.record()).state).toBe('refunding')
    const refund = { mchid, out_refund_no: refunds[0] ?? '' }
    await done(world, 'reserveRefund', { refund })
    await refused(world, refund)
    await told(world, refund)
    expect(await attentionsIn(world)).toContain('refund_refused')
    await accepted(world)
    await heard(world, evidence_id)
    expect([(await world.record()).state, await attentionsIn(world)]).toEqual(['refunded', []])
  })

  it('and that is accepted, asks nobody any more where it was shipped', async () => {
    const world = await paidOrder()
    await answered(world, 'fulfilled')
    await opened(world)
    const evidence_id = await said(world, 'CLOSED')
    await heard(world, evidence_id)
    await accepted(world)
    await heard(world, evidence_id)
    expect([(await world.record()).state, await attentionsIn(world)]).toEqual(['fulfilled', []])
    expect(await findingsIn(world)).toEqual([])
  })

  it('ends the same wherever its worker died', async () => {
    for (let writes = 0; writes < 14; writes += 1) {
      const world = await paidOrder({ mode: 'event' })
      await opened(world)
      const evidence_id = await said(world, 'CLOSED')
      await interrupted(world, writes, 'recordPayment', { order: world.key, found: { evidence_id } })
      await heard(world, evidence_id)
      expect(await types(world), `after ${writes}`).toEqual([
        'order.paid',
        'order.fulfilment_cancelled',
        'order.review',
      ])
      expect(await findingsIn(world)).toEqual([])
    }
  })
})
