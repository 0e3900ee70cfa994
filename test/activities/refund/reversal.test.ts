import { describe, expect, it } from 'vitest'
import { beijingTime, milliseconds } from '../../../domain/calendar.ts'
import type { RefundKey } from '../../../domain/ids.ts'
import { reversalEntry } from '../../../domain/journal.ts'
import { isOvertaken } from '../../../domain/refund/record.ts'
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
  sent,
  told,
} from '../../stage/acts.ts'
import type { World } from '../../stage/world.ts'

/** A refund that the payer had, and that the payer's bank has sent back as the first of `fate`. */
async function sentBack(
  world: World,
  amount: number,
  ...fate: ('ABNORMAL' | 'CLOSED' | 'SUCCESS' | 'RETURNED')[]
): Promise<RefundKey> {
  world.wechat.fates.push(['SUCCESS', ...fate])
  const refund = await reserved(world, 'R-1', 'T1', amount)
  await sent(world, refund)
  world.wechat.progress()
  await asked(world, refund)
  await told(world, refund)
  world.wechat.progress()
  return refund
}

/** What the run does with a notification that says so: it asks, and writes down what it is told. */
async function heard(world: World, refund: RefundKey): Promise<void> {
  const [there] = world.wechat.refunds
  const found = { evidence_id: there ? await world.refundNotified(there) : null }
  expect(await done(world, 'settleNews', { refund, found, outcome: 'linked' })).toBe('ask')
  await asked(world, refund)
  await told(world, refund)
  expect(await done(world, 'settleNews', { refund, found, outcome: 'applied', is_asked: true })).toBeNull()
}

async function entryIds(world: World): Promise<string[]> {
  const entries = await world.store.journal.ofOrder(world.key.mchid, world.key.out_trade_no)
  return entries.map(({ _id }) => _id.replaceAll(`${world.key.mchid}:`, '')).toSorted()
}

describe('a refund that the payer’s bank sends back after SUCCESS', () => {
  it('is abnormal again: the payer is owed, the order is refunding, a person is told, and it may succeed once more', async () => {
    const world = await paidOrder()
    const refund = await sentBack(world, 990, 'ABNORMAL', 'SUCCESS')
    await done(world, 'recordRefundRequested', {
      order: world.key,
      operation_id: 'refund_requested:R-1',
      actor: { kind: 'merchant', id: 'key-1' },
      reason: null,
      out_refund_no: 'R-1',
    })
    await told(world, refund)
    expect((await world.record()).state).toBe('refunded')
    await heard(world, refund)
    expect([(await refundIn(world, refund)).state, (await world.record()).state]).toEqual(['abnormal', 'refunding'])
    expect(await attentionsIn(world)).toEqual(['refund_abnormal'])
    const owed = ['refund.payable', 'wechat.refund_transit', 'sales'] as const
    expect(await Promise.all(owed.map((account) => balanceIn(world, account)))).toEqual([-990, 0, 0])
    expect(await findingsIn(world)).toEqual([])
    world.wechat.progress()
    await asked(world, refund)
    await told(world, refund)
    expect([(await refundIn(world, refund)).state, (await world.record()).state]).toEqual(['succeeded', 'refunded'])
    expect(await Promise.all(owed.map((account) => balanceIn(world, account)))).toEqual([0, -990, 0])
    expect(await entryIds(world)).toEqual([
      'pay:T1',
      'refund:R-1:accepted',
      'refund:R-1:success',
      'refund:R-1:success#2',
      'rev:refund:R-1:success',
    ])
    expect([await findingsIn(world), await attentionsIn(world)]).toEqual([[], []])
  })

  it('is closed: the money is a sale again, and a person is told, whoever had asked for it', async () => {
    const world = await paidOrder()
    const refund = await sentBack(world, 400, 'CLOSED')
    await heard(world, refund)
    expect(await refundIn(world, refund)).toMatchObject({ state: 'closed', attention: { code: 'refund_closed' } })
    expect([await balanceIn(world, 'sales'), await balanceIn(world, 'wechat.refund_transit')]).toEqual([-990, 0])
    expect(await findingsIn(world)).toEqual([])
    const payout = { operation_id: 'payout', actor: { kind: 'operator', id: 'li' }, reason: 'by bank', proof: 'slip 7' }
    await done(world, 'recordPayout', { refund, ...payout })
    await told(world, refund)
    expect([await findingsIn(world), await attentionsIn(world)]).toEqual([[], []])
  })

  it('and that a person had sent to the merchant’s own account is owed again, until it is paid by hand', async () => {
    const world = await paidOrder()
    const refund = await sentBack(world, 400, 'RETURNED')
    await heard(world, refund)
    const code = 'returned_to_merchant'
    expect(await refundIn(world, refund)).toMatchObject({ state: code, attention: { code } })
    const accounts = ['sales', 'refund.payable', 'wechat.refund_transit', 'merchant.bank'] as const
    const balances = () => Promise.all(accounts.map((account) => balanceIn(world, account)))
    expect(await balances()).toEqual([-590, -400, -400, 400])
    expect(await findingsIn(world)).toEqual([])
    const payout = { operation_id: 'payout', actor: { kind: 'operator', id: 'li' }, reason: 'by bank', proof: 'slip 7' }
    await done(world, 'recordPayout', { refund, ...payout })
    await told(world, refund)
    expect([await balances(), await findingsIn(world), await attentionsIn(world)]).toEqual([[-590, 0, -400, 0], [], []])
  })

  it('is booked once, at whichever write the worker dies', async () => {
    for (const writes of [0, 1, 2, 3, 4, 5]) {
      const world = await paidOrder()
      const refund = await sentBack(world, 400, 'CLOSED')
      const says = await done<{ evidence_id: string }>(world, 'askRefundUntilAnswered', { refund })
      const answer = { refund, evidence_id: says.evidence_id }
      await interrupted(world, writes, 'recordRefundAnswer', answer)
      await done(world, 'recordRefundAnswer', answer)
      await done(world, 'loadRefund', refund)
      await told(world, refund)
      expect([await balanceIn(world, 'sales'), await findingsIn(world)]).toEqual([-990, []])
    }
  })

  it('is taken back also where a correction had posted its SUCCESS anew', async () => {
    const world = await paidOrder()
    const refund = await sentBack(world, 990, 'ABNORMAL', 'SUCCESS')
    const { journal } = world.store
    const entries = await journal.ofOrder(world.key.mchid, world.key.out_trade_no)
    const success = entries.find(({ _id }) => _id.endsWith(':success'))
    if (success === undefined) throw new Error('SUCCESS is not posted')
    const correction = { by: 'li', reason: 'a wrong amount stood here' }
    await journal.post({ ...reversalEntry(success, success), correction })
    await journal.post({ ...success, _id: `${success._id}#2`, correction })
    await heard(world, refund)
    expect([await balanceIn(world, 'refund.payable'), await findingsIn(world)]).toEqual([-990, []])
    world.wechat.progress()
    await asked(world, refund)
    await told(world, refund)
    expect((await entryIds(world)).slice(2)).toEqual([
      'refund:R-1:success',
      'refund:R-1:success#2',
      'refund:R-1:success#3',
      'rev:refund:R-1:success',
      'rev:refund:R-1:success#2',
    ])
    expect([await balanceIn(world, 'refund.payable'), await findingsIn(world)]).toEqual([0, []])
  })

  it('is told to a person where WeChat’s query does not say so', async () => {
    const world = await paidOrder()
    const refund = await sentBack(world, 400, 'ABNORMAL')
    const [there] = world.wechat.refunds
    if (there === undefined) throw new Error('WeChat has no refund')
    const found = { evidence_id: await world.refundNotified(there) }
    expect(await done(world, 'settleNews', { refund, found, outcome: 'linked' })).toBe('ask')
    await done(world, 'settleNews', { refund, found, outcome: 'linked', is_asked: true })
    const merchant = await world.store.merchants.find(world.key.mchid)
    expect(merchant?.attentions?.map(({ code }) => code)).toEqual(['evidence_unapplied'])
  })

  it.each([
    ['SUCCESS', []],
    ['ABNORMAL', ['evidence_unapplied']],
  ] as const)('is told to a person where a look at a bill was answered %s: %j', async (status, told_of) => {
    const world = await paidOrder()
    world.wechat.fates.push(['SUCCESS'])
    const refund = await reserved(world, 'R-1', 'T1', 400)
    await sent(world, refund)
    world.wechat.progress()
    await asked(world, refund)
    await told(world, refund)
    const [there] = world.wechat.refunds
    if (there === undefined) throw new Error('WeChat has no refund')
    there.status = status
    const found = { evidence_id: await world.refundAnswered(refund) }
    there.status = 'SUCCESS'
    expect(await done(world, 'settleNews', { refund, found, outcome: 'linked' })).toBe('ask')
    expect(await done(world, 'settleNews', { refund, found, outcome: 'linked', is_asked: true })).toBeNull()
    const merchant = await world.store.merchants.find(world.key.mchid)
    expect((merchant?.attentions ?? []).map(({ code }) => code)).toEqual(told_of)
  })

  it('is not taken back by an older answer that a reset run writes down', async () => {
    const world = await paidOrder()
    world.wechat.fates.push(['ABNORMAL', 'SUCCESS', 'ABNORMAL'])
    const refund = await reserved(world, 'R-1', 'T1', 990)
    await sent(world, refund)
    const answer = async () => {
      world.wechat.progress()
      world.now_ms += 60_000
      return await done<object>(world, 'askRefundUntilAnswered', { refund })
    }
    const write = async (says: object) => await done(world, 'recordRefundAnswer', { refund, ...says })
    const abnormal = await answer()
    await write(abnormal)
    await write(await answer())
    await write(abnormal)
    expect([(await refundIn(world, refund)).state, await findingsIn(world)]).toEqual(['succeeded', []])
    // The payer's bank sends it back after all: the same words, asked for later, count.
    await write(await answer())
    expect((await refundIn(world, refund)).state).toBe('abnormal')
  })

  it('is not taken back by an answer that was never written down, once WeChat has said later that it succeeded', async () => {
    const world = await paidOrder()
    const refund = await sentBack(world, 990, 'ABNORMAL', 'SUCCESS')
    const abnormal = await done<object>(world, 'askRefundUntilAnswered', { refund })
    world.wechat.progress()
    world.now_ms += 60_000
    expect(await done(world, 'askRefundUntilAnswered', { refund })).toEqual({ kind: 'nothing_new' })
    await done(world, 'recordRefundAnswer', { refund, ...abnormal })
    expect([(await refundIn(world, refund)).state, await findingsIn(world)]).toEqual(['succeeded', []])
  })

  it('is not taken back by an older answer where an earlier version wrote what is known', async () => {
    const world = await paidOrder()
    const refund = await sentBack(world, 990, 'ABNORMAL')
    const { facts, timeline, asked: asked_last } = await refundIn(world, refund)
    if (facts === null) throw new Error('WeChat has not taken it')
    const { asked_time = '', ...old_facts } = facts
    const known = { facts: old_facts, timeline, asked: asked_last }
    const written_ms = Math.max(...timeline.map(({ time }) => milliseconds(time)))
    expect(milliseconds(asked_time)).toBeLessThanOrEqual(written_ms)
    expect(isOvertaken(known, beijingTime(written_ms - 1))).toBe(true)
    expect(isOvertaken(known, beijingTime(written_ms))).toBe(false)
  })

  it('stays as it is by an older answer that comes late', async () => {
    const world = await paidOrder()
    const refund = await sentBack(world, 400)
    const [there] = world.wechat.refunds
    if (there) there.status = 'PROCESSING'
    expect(await done(world, 'askRefundUntilAnswered', { refund })).toEqual({ kind: 'nothing_new' })
    expect((await refundIn(world, refund)).state).toBe('succeeded')
  })
})
