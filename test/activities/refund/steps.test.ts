import { describe, expect, it } from 'vitest'
import {
  answered,
  approved,
  approver,
  asked,
  balanceIn,
  decided,
  done,
  findingsIn,
  interrupted,
  owedIn,
  paidOrder,
  refundIn,
  refused,
  requester,
  reserved,
} from '../../stage/acts.ts'
import type { World } from '../../stage/world.ts'

/** T1 is the order's own, T2 lies in suspense. */
const paidTwice = () => paidOrder({ mode: 'none', is_paid_twice: true })
const accept = (world: World) => decided(world, 'accept', 'T2')
const expectProven = async (world: World) => expect(await findingsIn(world)).toEqual([])

describe('money in suspense that a person accepts', () => {
  it('comes back to sales when a refund of it is closed afterwards', async () => {
    const world = await paidTwice()
    world.wechat.fates.push(['CLOSED'])
    const refund = await reserved(world, 'R1', 'T2', 400)
    await done(world, 'submitRefund', { refund })
    await asked(world, refund)
    await accept(world)
    world.wechat.progress()
    await asked(world, refund)
    expect(await balanceIn(world, 'suspense')).toBe(0)
    await expectProven(world)
  })

  it.each([0, 1, 2, 3, 4])(
    'is booked whole when a refund is taken at the same time, and its worker dies after %i writes',
    async (writes) => {
      const world = await paidTwice()
      const refund = await reserved(world, 'R1', 'T2', 400)
      await done(world, 'submitRefund', { refund })
      const { evidence_id } = await done<{ evidence_id: string }>(world, 'askRefundUntilAnswered', { refund })
      await interrupted(world, writes, 'recordRefundAnswer', { refund, evidence_id })
      await accept(world)
      await done(world, 'recordRefundAnswer', { refund, evidence_id })
      expect(await balanceIn(world, 'suspense')).toBe(0)
      await expectProven(world)
    },
  )

  it('pays by hand out of sales what WeChat refused before', async () => {
    const world = await paidTwice()
    const refund = await reserved(world, 'R1', 'T2', 400)
    await refused(world, refund)
    await accept(world)
    const payout = { operation_id: 'payout-1', actor: approver, reason: 'by bank', proof: 'slip 7' }
    await done(world, 'recordPayout', { refund, ...payout })
    expect(await balanceIn(world, 'suspense')).toBe(0)
    await expectProven(world)
  })
})

describe('a refund that WeChat refused', () => {
  it('is not paid by hand once another refund holds its money', async () => {
    const world = await paidTwice()
    const refund = await reserved(world, 'R1', 'T2', 990)
    await refused(world, refund)
    await reserved(world, 'R2', 'T2', 600)
    const payout = { operation_id: 'payout-1', actor: approver, reason: 'by bank', proof: 'slip 7' }
    expect(await done(world, 'recordPayout', { refund, ...payout })).toMatchObject({ outcome: 'illegal' })
    expect((await world.store.refunds.find(refund))?.payout).toBeNull()
  })

  it('plans nothing when somebody asks about it and WeChat is silent', async () => {
    const world = await paidTwice()
    const refund = await reserved(world, 'R1', 'T2', 400)
    await refused(world, refund)
    await done(world, 'noteToldToOrder', { refund, revision: 2 })
    world.wechat.silence = 'before'
    expect(await world.perform('askRefundUntilAnswered', { refund })).toHaveProperty('failure')
    expect(await world.store.refunds.find(refund)).not.toHaveProperty('next_action')
  })
})

describe('a refund that leaves the payer without money', () => {
  it('waits for a person only until the payer has all of it by another number', async () => {
    const world = await paidTwice()
    await decided(world, 'reject', 'T2')
    const owed = await owedIn(world)
    await done(world, 'reserveRefund', { refund: owed })
    await refused(world, owed)
    expect((await refundIn(world, owed)).attention?.code).toBe('refund_refused')
    const refund = await reserved(world, 'R1', 'T2', 990)
    await done(world, 'submitRefund', { refund })
    await asked(world, refund)
    expect((await refundIn(world, owed)).attention?.code).toBe('refund_refused')
    world.wechat.progress()
    await asked(world, refund)
    expect(await refundIn(world, owed)).not.toHaveProperty('attention')
  })
})

describe('money of which nothing is left', () => {
  it('cannot be accepted any more, only rejected', async () => {
    const world = await paidTwice()
    const refund = await reserved(world, 'R1', 'T2', 990)
    await done(world, 'submitRefund', { refund })
    await asked(world, refund)
    expect((await decided(world, 'accept', 'T2')).outcome).toBe('illegal')
    expect((await decided(world, 'reject', 'T2')).outcome).toBe('done')
  })
})

describe('the limit above which a second person decides', () => {
  const states = async (world: World) =>
    (await world.refunds())
      .toSorted((a, b) => a.out_refund_no.localeCompare(b.out_refund_no))
      .map(({ out_refund_no, state }) => `${out_refund_no} ${state}`)

  it('holds for all refunds of a payment together that nobody has approved', async () => {
    const world = await paidOrder({ refund_approval: { above: 100 } })
    for (let n = 0; n < 5; n += 1) await reserved(world, `R${n}`, 'T1', 100)
    const waiting = ['R1', 'R2', 'R3', 'R4'].map((number) => `${number} awaiting_approval`)
    expect(await states(world)).toEqual(['R0 processing', ...waiting])
    await expectProven(world)
  })

  it('counts neither what was approved, nor what never went, nor what came back', async () => {
    const world = await paidOrder({ refund_approval: { above: 100 } })
    const large = await reserved(world, 'R1', 'T1', 200)
    await approved(world, large, 'approve')
    const small = await reserved(world, 'R2', 'T1', 100)
    await refused(world, small)
    const other = await reserved(world, 'R3', 'T1', 101)
    await approved(world, other, 'reject')
    await reserved(world, 'R4', 'T1', 60)
    await reserved(world, 'R5', 'T1', 40)
    await reserved(world, 'R6', 'T1', 1)
    expect(await states(world)).toEqual([
      'R1 processing',
      'R2 refused',
      'R3 rejected',
      'R4 processing',
      'R5 processing',
      'R6 awaiting_approval',
    ])
    await expectProven(world)
  })

  const daily = (above_per_day: number) =>
    paidOrder({ mode: 'none', is_paid_twice: true, refund_approval: { above: 400, above_per_day } })
  const day = 24 * 60 * 60 * 1000

  it('holds for a merchant’s day too: splitting over payments avoids nothing', async () => {
    const world = await daily(500)
    await reserved(world, 'R1', 'T1', 300)
    await reserved(world, 'R2', 'T2', 201)
    await reserved(world, 'R3', 'T2', 200)
    await reserved(world, 'R4', 'T1', 1)
    expect(await states(world)).toEqual([
      'R1 processing',
      'R2 awaiting_approval',
      'R3 processing',
      'R4 awaiting_approval',
    ])
    world.now_ms += day
    await reserved(world, 'R5', 'T1', 100)
    expect((await states(world)).at(-1)).toBe('R5 processing')
    await expectProven(world)
  })

  it('of a day alone needs none of a payment', async () => {
    const world = await paidOrder({ refund_approval: { above: null, above_per_day: 500 } })
    await reserved(world, 'R1', 'T1', 500)
    await reserved(world, 'R2', 'T1', 1)
    expect(await states(world)).toEqual(['R1 processing', 'R2 awaiting_approval'])
  })

  it('of a day counts nothing that a second person decides, and nothing that Weft owes', async () => {
    const world = await daily(500)
    const large = await reserved(world, 'R1', 'T1', 401)
    await approved(world, large, 'approve')
    await decided(world, 'reject', 'T2')
    await done(world, 'reserveRefund', { refund: await owedIn(world) })
    await reserved(world, 'R2', 'T1', 400)
    expect((await states(world)).slice(0, 2)).toEqual(['R1 processing', 'R2 processing'])
  })

  it('of a payment does not count what the day’s limit has a second person decide', async () => {
    const world = await daily(300)
    await reserved(world, 'R1', 'T1', 300)
    const above = await reserved(world, 'R2', 'T1', 100)
    await approved(world, above, 'approve')
    world.now_ms += day
    await reserved(world, 'R3', 'T1', 100)
    expect(await states(world)).toEqual(['R1 processing', 'R2 processing', 'R3 processing'])
  })

  it.each([0, 1, 2, 3, 4, 5])('of a day counts a refund once whose worker dies after %i writes', async (writes) => {
    const world = await daily(500)
    const first = await world.askRefund('R1', 'T1', 300, requester)
    await interrupted(world, writes, 'reserveRefund', { refund: first })
    await done(world, 'reserveRefund', { refund: first })
    const second = await world.askRefund('R2', 'T2', 201, requester)
    await interrupted(world, writes, 'reserveRefund', { refund: second })
    await done(world, 'reserveRefund', { refund: second })
    await reserved(world, 'R3', 'T2', 200)
    expect(await states(world)).toEqual(['R1 processing', 'R2 awaiting_approval', 'R3 processing'])
    const payment = await world.store.payments.find(world.key.mchid, 'T2')
    expect(payment?.refunds.map(({ approval }) => approval)).toEqual(['needed', undefined])
    await expectProven(world)
  })

  it('asks nobody for what Weft owes by itself', async () => {
    const world = await paidOrder({ refund_approval: { above: 0 } })
    await answered(world, 'fulfilment_refused')
    const owed = await owedIn(world)
    await done(world, 'reserveRefund', { refund: owed })
    expect(await states(world)).toEqual([`${owed.out_refund_no} processing`])
  })
})
