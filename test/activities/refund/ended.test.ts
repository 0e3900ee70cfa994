import { describe, expect, it } from 'vitest'
import {
  approved,
  asked,
  attentionsIn,
  balanceIn,
  done,
  findingsIn,
  paidOrder,
  refundIn,
  refused,
  reserved,
  sent,
  told,
} from '../../stage/acts.ts'
import type { World } from '../../stage/world.ts'

/** What the merchant as a whole should look at. */
async function merchantsAttentions(world: World): Promise<string[]> {
  return ((await world.store.merchants.find(world.key.mchid))?.attentions ?? []).map(({ code }) => code)
}

/** WeChat's notification about what it has under this number, as the intake archives it. */
async function notified(world: World, out_refund_no: string): Promise<{ evidence_id: string }> {
  const there = world.wechat.refunds.find((one) => one.out_refund_no === out_refund_no)
  if (there === undefined) throw new Error(`WeChat has no refund ${out_refund_no}`)
  return { evidence_id: await world.refundNotified(there) }
}

const outcomeOf = async (world: World, { evidence_id }: { evidence_id: string }) =>
  (await world.store.evidence.find(evidence_id))?.outcome

describe('what WeChat says of a refund that has ended otherwise here', () => {
  it('is a refund made outside, where a second person did not let ours go', async () => {
    const world = await paidOrder({ refund_approval: { above: 100 } })
    const refund = await reserved(world, 'X-1', 'T1', 400)
    await approved(world, refund, 'reject')
    await told(world, refund)
    world.wechat.refundOutside('X-1', 'T1', 400)
    const found = await notified(world, 'X-1')
    expect(await done(world, 'settleNews', { refund, found, outcome: 'linked' })).toBe('ask')
    const says = await done<{ evidence_id: string }>(world, 'askRefundUntilAnswered', { refund })
    expect(await done(world, 'recordRefundAnswer', { refund, ...says })).toMatchObject({
      adopted: 'R1@wechat',
      adopted_by: says.evidence_id,
    })
    expect(await done(world, 'settleNews', { refund, found, outcome: 'linked', is_asked: true })).toBeNull()
    const adopted = { mchid: world.key.mchid, out_refund_no: 'R1@wechat' }
    await asked(world, adopted)
    await told(world, adopted)
    const states = (await world.refunds()).map(({ out_refund_no, state }) => `${out_refund_no} ${state}`)
    expect(states.toSorted()).toEqual(['R1@wechat succeeded', 'X-1 rejected'])
    expect([await balanceIn(world, 'wechat.refund_transit'), await findingsIn(world)]).toEqual([-400, []])
    expect(await merchantsAttentions(world)).toEqual([])
  })

  it('is a refund made outside, where ours had no room and was never sent', async () => {
    const world = await paidOrder()
    const all = await reserved(world, 'A-1', 'T1', 600)
    const refund = await reserved(world, 'X-1', 'T1', 600)
    expect((await refundIn(world, refund)).state).toBe('refused')
    world.wechat.refundOutside('X-1', 'T1', 300)
    await asked(world, refund)
    const adopted = { mchid: world.key.mchid, out_refund_no: 'R1@wechat' }
    await asked(world, adopted)
    await told(world, adopted)
    expect([(await refundIn(world, adopted)).state, (await refundIn(world, all)).state]).toEqual([
      'succeeded',
      'processing',
    ])
    expect([await balanceIn(world, 'sales'), await findingsIn(world)]).toEqual([-690, []])
  })

  it('is counted once, where the same number is then asked for here with the same amount', async () => {
    const world = await paidOrder()
    const refund = await reserved(world, 'X-1', 'T1', 400)
    await refused(world, refund)
    world.wechat.refundOutside('X-1', 'T1', 300)
    await asked(world, refund)
    const before = await refundIn(world, refund)
    const next_action = { what: 'reserve' as const, time: before.create_time }
    const begun = { state: 'created' as const, timeline: [], failure: null, next_action }
    const anew = { ...before, ...begun, amount: { ...before.amount, refund: 300 } }
    expect(await world.store.refunds.replaceUnsent(anew, before)).toBe(true)
    await done(world, 'reserveRefund', { refund })
    await asked(world, refund)
    const payment = await world.store.payments.find(world.key.mchid, 'T1')
    const held = payment?.refunds.filter(({ state }) => state === 'accepted' || state === 'succeeded') ?? []
    expect(held.map(({ out_refund_no }) => out_refund_no)).toEqual(['R1@wechat'])
  })

  it.each(['closed', 'returned_to_merchant'] as const)('calls a person where ours was %s', async (state) => {
    const world = await paidOrder()
    const [fate, word] = state === 'closed' ? (['CLOSED', 'SUCCESS'] as const) : (['RETURNED', 'CLOSED'] as const)
    world.wechat.fates.push([fate])
    const refund = await reserved(world, 'R-1', 'T1', 400)
    await sent(world, refund)
    world.wechat.progress()
    await asked(world, refund)
    await told(world, refund)
    expect((await refundIn(world, refund)).state).toBe(state)
    const [there] = world.wechat.refunds
    if (there === undefined) throw new Error('WeChat has no refund')
    there.status = word
    const found = await notified(world, 'R-1')
    expect(await done(world, 'settleNews', { refund, found, outcome: 'linked' })).toBe('ask')
    expect(await done(world, 'askRefundUntilAnswered', { refund })).toEqual({ kind: 'nothing_new' })
    await done(world, 'settleNews', { refund, found, outcome: 'linked', is_asked: true })
    expect(await merchantsAttentions(world)).toEqual(['evidence_unapplied'])
    // The answer is evidence as well, which the sweeper hands over.
    const { mchid, out_trade_no } = world.key
    const left = (await world.store.evidence.ofOrder(mchid, out_trade_no)).filter(({ outcome }) => outcome === null)
    expect(left.map(({ kind }) => kind)).toEqual(['query'])
    for (const { _id } of left)
      await done(world, 'settleNews', { refund, found: { evidence_id: _id }, outcome: 'linked', is_asked: true })
    expect(await findingsIn(world)).toEqual([])
  })

  it('calls a person where ours was refused, and a query that lags does not know it', async () => {
    const world = await paidOrder()
    const refund = await reserved(world, 'R-1', 'T1', 400)
    await refused(world, refund)
    world.wechat.refundOutside('R-1', 'T1', 400)
    const found = await notified(world, 'R-1')
    world.wechat.refunds.length = 0
    expect(await done(world, 'settleNews', { refund, found, outcome: 'linked' })).toBe('ask')
    expect(await done(world, 'askRefundUntilAnswered', { refund })).toMatchObject({ kind: 'not_found' })
    await done(world, 'settleNews', { refund, found, outcome: 'linked', is_asked: true })
    expect(await merchantsAttentions(world)).toEqual(['evidence_unapplied'])
  })

  it.each(['CLOSED', 'SUCCESS'] as const)('adds nothing where it says %s and that is known', async (status) => {
    const world = await paidOrder()
    world.wechat.fates.push([status])
    const refund = await reserved(world, 'R-1', 'T1', 400)
    await sent(world, refund)
    world.wechat.progress()
    await asked(world, refund)
    const found = await notified(world, 'R-1')
    expect(await done(world, 'settleNews', { refund, found, outcome: 'linked' })).toBeNull()
    expect([await outcomeOf(world, found), await merchantsAttentions(world)]).toEqual(['linked', []])
  })

  it('waits while a second person has still to decide about ours', async () => {
    const world = await paidOrder({ refund_approval: { above: 100 } })
    const refund = await reserved(world, 'X-1', 'T1', 400)
    world.wechat.refundOutside('X-1', 'T1', 300)
    const found = await notified(world, 'X-1')
    expect(await done(world, 'settleNews', { refund, found, outcome: 'linked' })).toBeNull()
    expect(await outcomeOf(world, found)).toBeNull()
    await approved(world, refund, 'reject')
    expect(await done(world, 'settleNews', { refund, found, outcome: 'linked' })).toBe('ask')
    await asked(world, refund)
    expect((await world.refunds()).map(({ state }) => state).toSorted()).toEqual(['processing', 'rejected'])
  })
})

it('what WeChat says of a refund that stands beside ours is signalled to its run, and a start without it is none', async () => {
  const world = await paidOrder()
  const calls: unknown[] = []
  const workflow = {
    start: async (_type: string, { workflowId: id }: { workflowId: string }) => void calls.push(['start', id]),
    signalWithStart: async (_type: string, { workflowId: id, signal, signalArgs }: Record<string, unknown>) =>
      void calls.push([id, signal, signalArgs]),
  }
  world.client = { workflow } as unknown as World['client']
  const told = { order: world.key, refunds: ['R1@wechat'] }
  await done(world, 'startRefunds', { ...told, evidence_id: 'evidence-1' })
  await done(world, 'startRefunds', told)
  const id = `refund/${world.key.mchid}/R1@wechat`
  expect(calls).toEqual([
    [id, 'refundChanged', [{ evidence_id: 'evidence-1' }]],
    ['start', id],
  ])
})

describe('a refund made outside under a number of ours, which the payer’s bank sends back', () => {
  it('is told to its own run, which asks, moves the book and calls a person', async () => {
    const world = await paidOrder()
    world.wechat.refundOutside('X-1', 'T1', 300)
    const refund = await reserved(world, 'X-1', 'T1', 400)
    world.now_ms += 62_000
    await done(world, 'submitRefund', { refund })
    await asked(world, refund)
    await told(world, refund)
    const adopted = { mchid: world.key.mchid, out_refund_no: 'R1@wechat' }
    await asked(world, adopted)
    await told(world, adopted)
    expect((await refundIn(world, adopted)).state).toBe('succeeded')
    const [there] = world.wechat.refunds
    if (there === undefined) throw new Error('WeChat has no refund')
    there.status = 'CLOSED'
    world.now_ms += 60_000
    // What the run of our number does with the notification, and the other run with what it is told.
    const found = await notified(world, 'X-1')
    const says = await done<{ evidence_id: string }>(world, 'askRefundUntilAnswered', { refund })
    expect(await done(world, 'recordRefundAnswer', { refund, ...says })).toMatchObject({ adopted_by: says.evidence_id })
    expect(await done(world, 'settleNews', { refund, found, outcome: 'linked' })).toBeNull()
    const passed_on = { refund: adopted, found: { evidence_id: says.evidence_id } }
    expect(await done(world, 'settleNews', { ...passed_on, outcome: 'linked' })).toBe('ask')
    await asked(world, adopted)
    await told(world, adopted)
    expect((await refundIn(world, adopted)).state).toBe('closed')
    expect(await attentionsIn(world)).toEqual(['refund_number_taken', 'refund_closed'])
    expect([await balanceIn(world, 'sales'), await findingsIn(world)]).toEqual([-990, []])
  })
})
