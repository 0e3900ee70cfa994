import { describe, expect, it } from 'vitest'
import { operationId } from '../../../domain/ids.ts'
import { automaticReason } from '../../../domain/order/owed.ts'
import { order_states } from '../../../domain/order/record.ts'
import { newRefund } from '../../../domain/refund/record.ts'
import { proof_patience } from '../../../proof/finding.ts'
import { rawPlace } from '../../../store/evidence.ts'
import {
  answered,
  approved,
  asked,
  askedToStop,
  attentionsIn,
  balanceIn,
  decided,
  done,
  findingsIn,
  found,
  interrupted,
  later,
  orphanRefund,
  owedIn,
  paidAgain,
  paidOrder,
  refundIn,
  refused,
  requester,
  reserved,
  sent,
  told,
} from '../../stage/acts.ts'
import { World } from '../../stage/world.ts'
import { evidenceSample, orderSample, paymentSample } from '../../store/samples.ts'

const automatic_origins = [
  'late_payment',
  'second_payment',
  'fulfilment_refused',
  'fulfilment_overdue',
  'review_rejected',
] as const
const day_ms = 24 * 60 * 60 * 1000

describe('money that is owed to the payer', () => {
  it('waits for a person when WeChat’s limit of fifty refunds lets nothing more go back', async () => {
    const world = await paidOrder()
    for (let number = 1; number <= 50; number += 1) {
      const part = await reserved(world, `R${number}`, 'T1', 1)
      await sent(world, part)
      world.wechat.progress()
      await asked(world, part)
      await told(world, part)
    }
    await answered(world, 'fulfilment_refused')
    const owed = await owedIn(world)
    await done(world, 'reserveRefund', { refund: owed })
    expect((await refundIn(world, owed)).failure?.code).toBe('refund_limit_reached')
    await told(world, owed)
    expect(await attentionsIn(world)).toEqual(['refund_refused', 'refund_refused'])
    // It can only be paid by hand, and that is then recorded as any other.
    const payout = { operation_id: 'payout', actor: requester, reason: 'by bank', proof: 'slip 7' }
    expect(await done(world, 'recordPayout', { refund: owed, ...payout })).toMatchObject({ outcome: 'done' })
    await told(world, owed)
    expect((await world.record()).state).toBe('refunded')
    expect([await attentionsIn(world), await findingsIn(world)]).toEqual([[], []])
  })

  it('waits for a person when the payment is older than a year', async () => {
    const world = await World.open('confirm', [])
    world.wechat.is_placed = true
    world.wechat.transactions.push({ id: 'T1', total: 991 })
    await found(world, 'T1')
    later(world, 366 * day_ms)
    await decided(world, 'reject')
    const owed = await owedIn(world)
    await done(world, 'reserveRefund', { refund: owed })
    expect((await refundIn(world, owed)).failure?.code).toBe('refund_window_closed')
    expect(await attentionsIn(world)).toContain('refund_refused')
  })

  it('of a rejected second payment waits for a person when a refund asked for before is closed', async () => {
    const world = await paidOrder({ is_paid_twice: true })
    world.wechat.fates.push(['CLOSED'])
    const part = await reserved(world, 'R1', 'T2', 400)
    await sent(world, part)
    await decided(world, 'reject', 'T2')
    const owed = await owedIn(world)
    expect(owed.amount.refund).toBe(590)
    await done(world, 'reserveRefund', { refund: owed })
    await sent(world, owed)
    world.wechat.progress()
    for (const refund of [part, owed]) {
      await asked(world, refund)
      await told(world, refund)
    }
    expect((await world.record()).attention?.code).toBe('refund_closed')
    const rest = await reserved(world, 'R2', 'T2', 400)
    await sent(world, rest)
    world.wechat.progress()
    await asked(world, rest)
    await told(world, rest)
    expect((await world.record()).attention).toBeUndefined()
    expect(await balanceIn(world, 'suspense')).toBe(0)
  })

  it('of a rejected second payment waits for a person when the refund that held it is not approved', async () => {
    const world = await paidOrder({ refund_approval: { above: 0 }, is_paid_twice: true })
    const waiting = await reserved(world, 'R1', 'T2', 990)
    await decided(world, 'reject', 'T2')
    await approved(world, waiting, 'reject')
    await told(world, waiting)
    expect((await world.record()).attention?.code).toBe('refund_refused')
  })

  it('keeps its attention when a second payment comes and is decided', async () => {
    const world = await paidOrder()
    world.wechat.fates.push(['CLOSED'])
    const refund = await reserved(world, 'R1', 'T1', 990)
    await askedToStop(world, refund)
    await sent(world, refund)
    world.wechat.progress()
    await asked(world, refund)
    await told(world, refund)
    expect((await world.record()).attention?.code).toBe('refund_closed')
    await paidAgain(world)
    await decided(world, 'accept', 'T2')
    const { state, attention } = await world.record()
    expect([state, attention?.code]).toEqual(['refunding', 'refund_closed'])
  })

  it('is refunded by Weft or left to a person, and never both', async () => {
    const world = await paidOrder()
    world.wechat.fates.push(['CLOSED'])
    const part = await reserved(world, 'R1', 'T1', 600)
    await reserved(world, 'R2', 'T1', 390)
    await sent(world, part)
    await answered(world, 'fulfilment_refused')
    world.wechat.progress()
    await asked(world, part)
    // The order's run begins anew to hear of it.
    expect(await done(world, 'load', world.key)).toMatchObject({ refunds: [] })
    await told(world, part)
    expect((await world.record()).attention?.code).toBe('refund_closed')
    expect(await world.refunds()).toHaveLength(2)
  })
})

describe('a refund that looked like all of it when it was reserved', () => {
  it('stops nothing once another that waited beside it is not approved', async () => {
    const world = await paidOrder({ refund_approval: { above: 0 } })
    const first = await reserved(world, 'R1', 'T1', 400)
    const second = await reserved(world, 'R2', 'T1', 590)
    await approved(world, first, 'reject')
    await told(world, first)
    await approved(world, second, 'approve')
    await askedToStop(world, second)
    expect((await world.record()).state).toBe('paid')
  })

  it('stops the order when all of it is approved, whichever was asked for first', async () => {
    const world = await paidOrder({ refund_approval: { above: 0 } })
    const first = await reserved(world, 'R1', 'T1', 400)
    const second = await reserved(world, 'R2', 'T1', 590)
    await approved(world, second, 'approve')
    await askedToStop(world, second)
    expect((await world.record()).state).toBe('paid')
    await approved(world, first, 'approve')
    await askedToStop(world, first)
    expect((await world.record()).state).toBe('refunding')
  })

  it('stops nothing when what it was added to had been given up before the order was asked', async () => {
    const world = await paidOrder()
    const first = await reserved(world, 'R1', 'T1', 400)
    const second = await reserved(world, 'R2', 'T1', 590)
    expect((await refundIn(world, second)).is_full).toBe(true)
    await refused(world, first)
    await told(world, first)
    await askedToStop(world, second)
    expect((await world.record()).state).toBe('paid')
  })
})

describe('money in review', () => {
  it.each(['on its way back', 'back'])('is not accepted when all of it is %s', async (where) => {
    const world = await paidOrder({ refund_approval: { above: 0 } })
    const refund = await reserved(world, 'R1', 'T1', 990)
    await answered(world, 'fulfilment_overdue')
    await approved(world, refund, 'approve')
    await askedToStop(world, refund)
    await sent(world, refund)
    if (where === 'back') {
      world.wechat.progress()
      await asked(world, refund)
    }
    expect((await decided(world, 'accept')).outcome).toBe('illegal')
    expect((await world.record()).state).toBe('review')
  })
})

describe('an orphan whose order comes later', () => {
  it('takes along what was refunded of it meanwhile, and the order is told', async () => {
    const world = await World.open('confirm', [])
    const refund = await orphanRefund(world, 'R1', 990)
    await sent(world, refund)
    await found(world, 'T1')
    await decided(world, 'reject')
    expect((await world.record()).state).toBe('refunding')
    world.wechat.progress()
    await asked(world, refund)
    expect((await refundIn(world, refund)).next_action?.what).toBe('tell_order')
    await told(world, refund)
    expect((await world.record()).state).toBe('refunded')
  })
})

describe('a worker that dies, and a run that nobody repeats', () => {
  it('leaves an order that owes a refund to the sweeper, and the next run makes that refund', async () => {
    const world = await paidOrder()
    const refusal = { operation_id: 'answer', actor: requester, reason: 'sold out' }
    await interrupted(world, 1, 'recordFulfilment', { order: world.key, event: 'fulfilment_refused', ...refusal })
    expect([(await world.record()).state, await world.refunds()]).toEqual(['refunding', []])
    const due = await world.store.orders.findDue(order_states, later(world, 5 * day_ms), 10)
    expect(due).toEqual([expect.objectContaining(world.key)])
    const loaded = await done<{ refunds: string[] }>(world, 'load', world.key)
    expect(loaded.refunds).toEqual([(await owedIn(world)).out_refund_no])
    expect(await world.record()).not.toHaveProperty('next_action')
  })

  it('tells the payer in his language why the money comes back', async () => {
    const world = await paidOrder()
    await answered(world, 'fulfilment_refused')
    const owed = await owedIn(world)
    await done(world, 'reserveRefund', { refund: owed })
    const { reason, wechat_request } = await refundIn(world, owed)
    expect(reason).toBe('商家无法发货')
    expect(JSON.parse(wechat_request?.body ?? '{}')).toMatchObject({ reason: '商家无法发货' })
    for (const origin of automatic_origins) expect(Buffer.byteLength(automaticReason(origin))).toBeLessThanOrEqual(80)
  })

  it('keeps the claim of an accepted sale', async () => {
    const world = await World.open('confirm', [])
    const order = orderSample('TEA-9', { reference: 'SALE' })
    await world.store.orders.insert(order)
    const key = { mchid: order.mchid, out_trade_no: 'TEA-9' }
    const body = { id: 'T9', total: 991 }
    world.wechat.transactions.push(body)
    const payment = paymentSample('T9', { out_trade_no: 'TEA-9', order_id: order._id, role: 'contradicted' })
    await world.store.payments.insert(payment)
    const time = later(world, 0)
    const paid = { transaction_id: 'T9', role: 'contradicted', success_time: time, found_by: 'query' } as const
    await world.store.orders.apply(key, {
      event: 'payment_contradicted',
      ...{ operation_id: operationId.payment('T9'), actor: requester, time, choice: 'hold', deadline_time: time },
      payment: { ...paid, found_time: time, bank_type: null },
    })
    const word = { operation_id: 'accept', actor: requester, reason: 'ours', decision: 'accept', transaction_id: null }
    await interrupted(world, 1, 'recordReview', { order: key, ...word })
    await done(world, 'load', key)
    expect(await world.store.references.findHolder(order.mchid, 'SALE')).toBe('TEA-9')
  })

  it('calls no payout adrift that is still being written', async () => {
    const world = await paidOrder()
    const refund = await reserved(world, 'R1', 'T1', 400)
    await refused(world, refund)
    await told(world, refund)
    later(world, day_ms)
    const payout = { operation_id: 'payout', actor: requester, reason: 'by bank', proof: 'slip 7' }
    await interrupted(world, 1, 'recordPayout', { refund, ...payout })
    expect(await findingsIn(world, proof_patience)).toEqual([])
    expect(await done(world, 'recordPayout', { refund, ...payout })).toMatchObject({ outcome: 'done_before' })
    expect(await findingsIn(world)).toEqual([])
  })
})

describe('a number that was refused here and never sent', () => {
  it('holds nothing, although an attempt that was given up on reserved it meanwhile', async () => {
    const world = await paidOrder()
    const refund = await world.askRefund('R1', 'T1', 400, requester)
    if (refund === null) throw new Error('no payment')
    const payment = { mchid: refund.mchid, transaction_id: 'T1' }
    await world.store.payments.reserveRefund(payment, { out_refund_no: 'R1', amount: 400 }, world.now_ms)
    const failure = { code: 'refund_exceeds_payment', message: '' }
    const cause = { operation_id: 'reserved:0', actor: requester, time: later(world, 0) }
    await world.store.refunds.apply(refund, { event: 'not_reserved', failure, ...cause })
    await done(world, 'reserveRefund', { refund })
    await done(world, 'loadRefund', refund)
    expect((await world.store.payments.find(refund.mchid, 'T1'))?.refunds).toEqual([
      { out_refund_no: 'R1', amount: 400, state: 'released' },
    ])
    expect(await findingsIn(world)).toEqual([])
  })

  it('reserves the new amount when it is asked for anew', async () => {
    const world = await paidOrder()
    const refund = await reserved(world, 'R1', 'T1', 992)
    const seen = await refundIn(world, refund)
    expect(seen.state).toBe('refused')
    const payment = await world.store.payments.find(refund.mchid, 'T1')
    if (payment === null) throw new Error('no payment')
    // What an attempt that was given up on may have left behind.
    await world.store.payments.reserveRefund(payment, { out_refund_no: 'R1', amount: 400 }, world.now_ms)
    const given = { origin: 'api', requested_by: requester, notify_url: seen.notify_url, is_full: false } as const
    const anew = newRefund(payment, { ...given, out_refund_no: 'R1', amount: 100, create_time: later(world, 0) })
    expect(await world.store.refunds.replaceUnsent(anew, seen)).toBe(true)
    await done(world, 'reserveRefund', { refund })
    await sent(world, refund)
    expect(world.wechat.refunded('T1')).toBe(100)
  })
})

describe('an answer of the merchant’s that was kept while no worker was there', () => {
  /** `operator`: as versions before this one kept it, which is read on. */
  async function kept(kind: 'merchant' | 'operator', result: 'fulfilled' | 'refused'): Promise<World> {
    const world = await paidOrder()
    const operation_id = operationId.confirmation('TEA-1', 1, result)
    const word = { operation_id, actor: requester, reason: 'sold out', result }
    const evidence = evidenceSample('word', { kind, transaction_id: null, out_trade_no: 'TEA-1' })
    const _id = `${world.key.mchid}/${kind}/${operation_id}`
    const raw = world.store.sealer.seal(JSON.stringify(word), rawPlace({ ...evidence, _id }))
    await world.store.evidence.archive({ ...evidence, _id, raw })
    return world
  }

  it.each([
    ['merchant', 'fulfilled', 'fulfilled'],
    ['merchant', 'refused', 'refunding'],
    ['operator', 'fulfilled', 'fulfilled'],
    ['operator', 'refused', 'refunding'],
  ] as const)('as %s, that says %s, goes before what its silence would bring about', async (kept_as, result, state) => {
    const world = await kept(kept_as, result)
    expect((await answered(world, 'fulfilment_overdue')).order.state).toBe(state)
    const evidence = await world.store.evidence.ofOrder(world.key.mchid, 'TEA-1')
    expect(evidence.find(({ kind }) => kind === kept_as)?.outcome).toBe('applied')
  })
})

describe('evidence', () => {
  it('of a transaction that paid another order moves nothing, and a person hears of it', async () => {
    const world = await paidOrder()
    const other = orderSample('TEA-2')
    await world.store.orders.insert(other)
    const key = { mchid: other.mchid, out_trade_no: 'TEA-2' }
    const evidence_id = await world.notified({ id: 'T1', total: 990 })
    expect(await done(world, 'recordPayment', { order: key, found: { evidence_id } })).toBe('unproven')
    expect((await world.store.orders.find(key))?.state).toBe('created')
    const merchant = await world.store.merchants.find(world.key.mchid)
    expect(merchant?.attentions?.map(({ code }) => code)).toEqual(['evidence_unapplied'])
  })

  it('of no money at all blocks nothing that comes after it', async () => {
    const world = await World.open('confirm', [])
    world.wechat.is_placed = true
    const evidence_id = await world.notified({ id: 'T0', total: 0 })
    expect(await done(world, 'recordPayment', { order: world.key, found: { evidence_id } })).toBe('unproven')
    world.wechat.transactions.push({ id: 'T1', total: 990 })
    await found(world, 'T1')
    expect((await world.record()).payment?.transaction_id).toBe('T1')
  })
})
