import { describe, expect, it } from 'vitest'
import type { RefundKey } from '../../domain/ids.ts'
import type { Actor } from '../../domain/order.ts'
import { proveNumbers } from '../../store/proving.ts'
import { placed } from '../store/samples.ts'
import { World } from '../stage/world.ts'

const requester: Actor = { kind: 'merchant', id: 'key-1' }
const approver: Actor = { kind: 'operator', id: 'li' }

/** An order that two transactions paid: T1 is its own, T2 lies in suspense. */
async function paidTwice(): Promise<World> {
  const world = await World.open('none', [])
  await world.store.orders.apply(world.key, placed())
  world.wechat.is_placed = true
  world.wechat.transactions.push({ id: 'T1', total: 990 })
  world.wechat.seconds.push({ id: 'T2', total: 990 })
  for (const transaction of [...world.wechat.transactions, ...world.wechat.seconds]) {
    await done(world, 'recordPayment', { order: world.key, found: { evidence_id: await world.notified(transaction) } })
  }
  return world
}

/** Performs an activity that must succeed. */
async function done(world: World, name: string, argument: unknown): Promise<unknown> {
  const answer = await world.perform(name, argument)
  if ('failure' in answer) throw answer.failure
  return answer.value
}

async function reserved(world: World, out_refund_no: string, amount: number): Promise<RefundKey> {
  const key = await world.askRefund(out_refund_no, 'T2', amount, requester)
  if (key === null) throw new Error('no payment')
  await done(world, 'reserveRefund', { refund: key })
  return key
}

/** WeChat is asked, and what it says is written. */
async function answered(world: World, refund: RefundKey): Promise<void> {
  const says = (await done(world, 'askRefundUntilAnswered', { refund })) as { evidence_id: string }
  await done(world, 'recordRefundAnswer', { refund, evidence_id: says.evidence_id })
}

async function accept(world: World): Promise<void> {
  const command = { operation_id: 'accept-1', actor: approver, reason: 'it is ours', decision: 'accept' }
  await done(world, 'recordReview', { order: world.key, ...command, transaction_id: 'T2' })
}

async function expectProven(world: World): Promise<void> {
  const { mchid, out_trade_no } = world.key
  const options = { now: () => world.now_ms, patience: null }
  const findings = await proveNumbers(world.store, mchid, [out_trade_no], options)
  expect(findings.map(({ kind, detail }) => `${kind}: ${detail}`)).toEqual([])
}

const balance = async (world: World, account: string) =>
  (await world.store.journal.balances(world.key.mchid)).find((one) => one.account === account)?.amount ?? 0

describe('money in suspense that a person accepts', () => {
  it('comes back to sales when a refund of it is closed afterwards', async () => {
    const world = await paidTwice()
    world.wechat.fates.push(['CLOSED'])
    const refund = await reserved(world, 'R1', 400)
    await done(world, 'submitRefund', { refund })
    await answered(world, refund)
    await accept(world)
    world.wechat.progress()
    await answered(world, refund)
    expect(await balance(world, 'suspense')).toBe(0)
    await expectProven(world)
  })

  it.each([0, 1, 2, 3, 4])(
    'is booked whole when a refund is taken at the same time, and its worker dies after %i writes',
    async (writes) => {
      const world = await paidTwice()
      const refund = await reserved(world, 'R1', 400)
      await done(world, 'submitRefund', { refund })
      const { evidence_id } = (await done(world, 'askRefundUntilAnswered', { refund })) as { evidence_id: string }
      world.writes.left = writes
      await world.perform('recordRefundAnswer', { refund, evidence_id })
      world.writes.left = Infinity
      await accept(world)
      await done(world, 'recordRefundAnswer', { refund, evidence_id })
      expect(await balance(world, 'suspense')).toBe(0)
      await expectProven(world)
    },
  )

  it('pays by hand out of sales what WeChat refused before', async () => {
    const world = await paidTwice()
    const refund = await reserved(world, 'R1', 400)
    await done(world, 'recordRefundRefused', { refund, failure: { code: 'TRADE_OVERDUE', message: '' } })
    await accept(world)
    const payout = { operation_id: 'payout-1', actor: approver, reason: 'by bank', proof: 'slip 7' }
    await done(world, 'recordPayout', { refund, ...payout })
    expect(await balance(world, 'suspense')).toBe(0)
    await expectProven(world)
  })
})

describe('a refund that WeChat refused', () => {
  it('is not paid by hand once another refund holds its money', async () => {
    const world = await paidTwice()
    const refund = await reserved(world, 'R1', 990)
    await done(world, 'recordRefundRefused', { refund, failure: { code: 'TRADE_OVERDUE', message: '' } })
    await reserved(world, 'R2', 600)
    const payout = { operation_id: 'payout-1', actor: approver, reason: 'by bank', proof: 'slip 7' }
    expect(await done(world, 'recordPayout', { refund, ...payout })).toMatchObject({ outcome: 'illegal' })
    expect((await world.store.refunds.find(refund))?.payout).toBeNull()
  })

  it('plans nothing when somebody asks about it and WeChat is silent', async () => {
    const world = await paidTwice()
    const refund = await reserved(world, 'R1', 400)
    await done(world, 'recordRefundRefused', { refund, failure: { code: 'TRADE_OVERDUE', message: '' } })
    await done(world, 'noteToldToOrder', { refund, revision: 2 })
    world.wechat.silence = 'before'
    expect(await world.perform('askRefundUntilAnswered', { refund })).toHaveProperty('failure')
    expect(await world.store.refunds.find(refund)).not.toHaveProperty('next_action')
  })
})

describe('a refund that leaves the payer without money', () => {
  it('waits for a person only until the payer has all of it by another number', async () => {
    const world = await paidTwice()
    await done(world, 'recordReview', {
      order: world.key,
      ...{ operation_id: 'reject-1', actor: approver, reason: 'not ours', decision: 'reject', transaction_id: 'T2' },
    })
    const [owed] = await world.refunds()
    if (owed === undefined) throw new Error('nothing is owed')
    await done(world, 'reserveRefund', { refund: owed })
    await done(world, 'recordRefundRefused', { refund: owed, failure: { code: 'TRADE_OVERDUE', message: '' } })
    expect((await world.store.refunds.find(owed))?.attention?.code).toBe('refund_refused')
    const refund = await reserved(world, 'R1', 990)
    await done(world, 'submitRefund', { refund })
    await answered(world, refund)
    expect((await world.store.refunds.find(owed))?.attention?.code).toBe('refund_refused')
    world.wechat.progress()
    await answered(world, refund)
    expect(await world.store.refunds.find(owed)).not.toHaveProperty('attention')
  })
})

describe('money of which nothing is left', () => {
  it('cannot be accepted any more, only rejected', async () => {
    const world = await paidTwice()
    const refund = await reserved(world, 'R1', 990)
    await done(world, 'submitRefund', { refund })
    await answered(world, refund)
    const word = { order: world.key, actor: approver, reason: 'it is ours', transaction_id: 'T2' }
    expect(await done(world, 'recordReview', { ...word, operation_id: 'accept-1', decision: 'accept' })).toMatchObject({
      outcome: 'illegal',
      decided: null,
    })
    expect(await done(world, 'recordReview', { ...word, operation_id: 'reject-1', decision: 'reject' })).toMatchObject({
      outcome: 'done',
      decided: 'reject',
    })
  })
})
