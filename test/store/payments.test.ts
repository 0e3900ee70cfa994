import { afterAll, describe, expect, it } from 'vitest'
import type { RefundRecord } from '../../domain/refund/record.ts'
import { openStore } from '../../store/store.ts'
import { database_uri, freshStore, sealerOf } from './database.ts'
import { at, mchid, noon, paymentSample } from './samples.ts'

const { store, database, drop } = await freshStore()
const options = { uri: database_uri, database, sealer: sealerOf('one'), answer_within_ms: 30_000 }
const stores = [store, await openStore(options), await openStore(options)]
afterAll(async () => {
  for (const one of stores.slice(1)) await one.close()
  await drop()
})

/** Twenty at once, spread over three connections. */
function twenty<T>(attempt: (through: typeof store, n: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: 20 }, (_, n) => attempt(stores[n % stores.length] ?? store, n)))
}

describe('refunds of one day', () => {
  it('go out by one person’s word up to the limit together, over all processes and payments', async () => {
    const limit = { mchid, day: '2026-11-23', above: 500 }
    const claims = await twenty(({ allowances }, n) => allowances.claim({ claim: `R${n}/0`, amount: 120 }, limit))
    expect(claims.filter(Boolean)).toHaveLength(4)
    const again = await twenty(({ allowances }, n) => allowances.claim({ claim: `R${n}/0`, amount: 120 }, limit))
    expect(again).toEqual(claims)
    expect(await store.allowances.claim({ claim: 'R20/0', amount: 21 }, limit)).toBe(false)
    expect(await store.allowances.claim({ claim: 'R20/0', amount: 20 }, limit)).toBe(true)
    expect(await store.allowances.claim({ claim: 'R21/0', amount: 500 }, { ...limit, day: '2026-11-24' })).toBe(true)
    expect(await store.allowances.claim({ claim: 'R21/0', amount: 500 }, { ...limit, mchid: '1900000002' })).toBe(true)
  })
})

describe('refunds of one payment', () => {
  it('never exceed it: of twenty at once exactly those that fit succeed, the others are told why', async () => {
    const key = { mchid, transaction_id: 'race' }
    await store.payments.insert(paymentSample('race'))
    const answers = await twenty(({ payments }, n) =>
      payments.reserveRefund(key, { out_refund_no: `R${n}`, amount: 100 }, noon),
    )
    expect(answers.filter((answer) => 'element' in answer)).toHaveLength(9)
    const refusals = answers.flatMap((answer) => ('refusal' in answer ? [answer.refusal] : []))
    expect(refusals).toEqual(Array.from({ length: 11 }, () => 'refund_exceeds_payment'))
    const kept = await store.payments.find(mchid, 'race')
    expect(kept?.refunds.reduce((sum, { amount }) => sum + amount, 0)).toBe(900)
  })

  it('go out by one person’s word up to the limit together: of twenty at once the others need a second one', async () => {
    const key = { mchid, transaction_id: 'limit' }
    await store.payments.insert(paymentSample('limit'))
    await twenty(({ payments }, n) =>
      payments.reserveRefund(key, { out_refund_no: `R${n}`, amount: 45, approval: { above: 100 } }, noon),
    )
    const kept = await store.payments.find(mchid, 'limit')
    expect(kept?.refunds.filter(({ approval }) => approval === undefined)).toHaveLength(2)
    expect(kept?.refunds.filter(({ approval }) => approval === 'needed')).toHaveLength(18)
  })

  it('hold one reservation under one number, however often it is asked for', async () => {
    const key = { mchid, transaction_id: 'same' }
    await store.payments.insert(paymentSample('same'))
    const answers = await twenty(({ payments }) =>
      payments.reserveRefund(key, { out_refund_no: 'R', amount: 600 }, noon),
    )
    expect(answers.every((answer) => 'element' in answer)).toBe(true)
    expect((await store.payments.find(mchid, 'same'))?.refunds).toEqual([
      { out_refund_no: 'R', amount: 600, state: 'reserved' },
    ])
  })

  it('share one minute: of twenty that claim it one has it, until it is over', async () => {
    const key = { mchid, transaction_id: 'minute' }
    await store.payments.insert(paymentSample('minute'))
    const claims = await twenty(({ payments }) => payments.claimRefundMinute(key, noon, 61_000))
    expect(claims.filter(Boolean)).toHaveLength(1)
    expect(await store.payments.claimRefundMinute(key, noon + 60_999, 61_000)).toBe(false)
    expect(await store.payments.claimRefundMinute(key, noon + 61_000, 61_000)).toBe(true)
  })

  it('go forwards only, and are paid by hand only where there is room', async () => {
    const key = { mchid, transaction_id: 'forwards' }
    const refunds = [{ out_refund_no: 'R1', amount: 990, state: 'closed' as const }]
    await store.payments.insert(paymentSample('forwards', { refunds, last_refund_time: at(1) }))
    const settle = (state: 'accepted' | 'settled') =>
      store.payments.moveRefund({ ...key, out_refund_no: 'R1', amount: { refund: 990 }, timeline: [] }, state)
    expect((await settle('accepted'))?.refunds).toEqual(refunds)
    await store.payments.reserveRefund(key, { out_refund_no: 'R2', amount: 1 }, noon)
    expect(await settle('settled')).toBeNull()
    await store.payments.moveRefund({ ...key, out_refund_no: 'R2', amount: { refund: 990 }, timeline: [] }, 'released')
    expect((await settle('settled'))?.refunds[0]?.state).toBe('settled')
  })

  it('are taken back after SUCCESS only by who knows of it: what read the refund before was held up', async () => {
    const key = { mchid, transaction_id: 'held-up' }
    await store.payments.insert(
      paymentSample('held-up', { refunds: [{ out_refund_no: 'R1', amount: 990, state: 'succeeded' }] }),
    )
    const refund = { ...key, out_refund_no: 'R1', amount: { refund: 990 } }
    const stale = await store.payments.moveRefund({ ...refund, timeline: [] }, 'accepted')
    expect(stale?.refunds[0]?.state).toBe('succeeded')
    const timeline = [{ event: 'succeeded' }] as unknown as RefundRecord['timeline']
    expect((await store.payments.moveRefund({ ...refund, timeline }, 'accepted'))?.refunds[0]?.state).toBe('accepted')
  })

  it('leave what the merchant gets of a payment to be corrected, until one was paid by hand', async () => {
    const key = { mchid, transaction_id: 'coupon' }
    await store.payments.insert(paymentSample('coupon', { settled_total: 990 }))
    const corrected = await twenty(({ payments }) => payments.correctSettledTotal(key, 980))
    expect(new Set(corrected.map((payment) => `${payment?.settled_total} ${payment?.revision}`)).size).toBe(1)
    expect(corrected[0]).toMatchObject({ settled_total: 980 })
    const by_hand = { out_refund_no: 'HAND', amount: 90, state: 'settled' as const }
    await store.payments.insert(paymentSample('by_hand', { settled_total: 990, refunds: [by_hand] }))
    const kept = { mchid, transaction_id: 'by_hand' }
    expect(await store.payments.correctSettledTotal(kept, 980)).toBeNull()
    expect(await store.payments.correctSettledTotal(kept, 990), 'it says so already').not.toBeNull()
    expect(await store.payments.find(mchid, 'by_hand')).toMatchObject({ settled_total: 990 })
  })

  it('made outside are taken in whatever was left, once', async () => {
    const key = { mchid, transaction_id: 'outside' }
    const ours = { out_refund_no: 'OURS', amount: 990, state: 'reserved' as const }
    const theirs = { out_refund_no: 'THEIRS', amount: 500, state: 'accepted' as const }
    await store.payments.insert(paymentSample('outside', { refunds: [ours] }))
    await twenty(({ payments }) => payments.adoptRefund(key, theirs))
    const taken = { ...theirs, incomes: { accepted: 'sales' } }
    expect((await store.payments.find(mchid, 'outside'))?.refunds).toEqual([ours, taken])
  })
})
