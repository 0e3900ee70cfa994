import { describe, expect, it } from 'vitest'
import { beijingTime } from '../../domain/calendar.ts'
import { asked, attentionsIn, balanceIn, done, paidOrder, refundIn, reserved, sent } from '../stage/acts.ts'
import { sealer, World } from '../stage/world.ts'
import { placed } from '../store/samples.ts'

/** Signed by WeChat and yet not what was asked: what each may decide, and who hears of it. */

async function waitingOrder(): Promise<World> {
  const world = await World.open('confirm', [])
  await world.store.orders.apply(world.key, placed())
  world.wechat.is_placed = true
  return world
}

async function merchantAttentions(world: World): Promise<string[]> {
  const merchant = await world.store.merchants.find(world.key.mchid)
  return (merchant?.attentions ?? []).map(({ code }) => code)
}

describe('an answer to a question about an order', () => {
  it.each([
    ['is closed', { out_trade_no: 'OTHER-1', trade_state: 'CLOSED' }],
    [
      'is paid',
      {
        out_trade_no: 'OTHER-1',
        trade_state: 'SUCCESS',
        transaction_id: 'T9',
        success_time: '2026-11-23T12:00:00+08:00',
        amount: { total: 990, currency: 'CNY' },
      },
    ],
  ])('that another number %s decides nothing, and nothing is booked of it', async (_, said) => {
    const world = await waitingOrder()
    world.wechat.twists.push((answer) => ({ ...answer, ...said }))
    expect(await world.perform('askUntilAnswered', { order: world.key })).toHaveProperty('failure')
    expect((await world.record()).state).toBe('awaiting_payment')
    expect(await world.store.payments.find(world.key.mchid, 'T9')).toBeNull()
    expect(await done(world, 'askUntilAnswered', { order: world.key })).toEqual({ kind: 'unpaid', is_known: true })
  })

  it('that another merchant’s order is closed closes nothing, and a person hears of it', async () => {
    const world = await waitingOrder()
    world.wechat.twists.push((answer) => ({ ...answer, mchid: '1900000099', trade_state: 'CLOSED' }))
    expect(await world.perform('askUntilAnswered', { order: world.key })).toHaveProperty('failure')
    expect(await merchantAttentions(world)).toEqual(['evidence_unapplied'])
  })

  it.each([
    ['no total', { amount: {} }],
    ['a total of nothing', { amount: { total: 0, currency: 'CNY' } }],
    ['no transaction', { transaction_id: '' }],
    ['no moment', { success_time: undefined }],
  ])('that says paid with %s books nothing, and a person hears of it', async (_, said) => {
    const world = await waitingOrder()
    world.wechat.transactions.push({ id: 'T1', total: 990 })
    world.wechat.twists.push((answer) => ({ ...answer, ...said }))
    expect(await world.perform('askUntilAnswered', { order: world.key })).toHaveProperty('failure')
    expect(await merchantAttentions(world)).toEqual(['evidence_unapplied'])
    expect((await world.record()).state).toBe('awaiting_payment')
  })
})

describe('what WeChat says rightly after it was said wrongly', () => {
  it.each([
    ['no total', { amount: {} }],
    ['no moment', { success_time: undefined }],
    ['another merchant', { mchid: '1900000099' }],
  ])('of %s counts: the order is paid by it', async (_, said) => {
    const world = await waitingOrder()
    world.wechat.transactions.push({ id: 'T1', total: 990 })
    world.wechat.twists.push((answer) => ({ ...answer, ...said }))
    expect(await world.perform('askUntilAnswered', { order: world.key })).toHaveProperty('failure')
    const found = await done<{ evidence_id: string }>(world, 'askUntilAnswered', { order: world.key })
    await done(world, 'recordPayment', { order: world.key, found })
    expect((await world.record()).state).toBe('paid')
  })

  it('and again is the same evidence, whatever decides nothing', async () => {
    const world = await waitingOrder()
    world.wechat.transactions.push({ id: 'T1', total: 990 })
    const first = await done(world, 'askUntilAnswered', { order: world.key })
    world.wechat.twists.push((answer) => ({ ...answer, trade_state_desc: '支付成功' }))
    expect(await done(world, 'askUntilAnswered', { order: world.key })).toEqual(first)
  })
})

describe('the same word of WeChat’s, where the seal of its evidence is broken,', () => {
  it.each([
    ['in the same bytes', {}],
    ['in others', { trade_state_desc: '支付成功' }],
  ])('counts when it is said again %s: it is kept beside', async (_, said) => {
    const [before, world] = [await waitingOrder(), await waitingOrder()]
    for (const { wechat } of [before, world]) wechat.transactions.push({ id: 'T1', total: 990 })
    const first = await done<{ evidence_id: string }>(before, 'askUntilAnswered', { order: before.key })
    const evidence = await before.store.evidence.find(first.evidence_id)
    if (evidence === null) throw new Error('nothing was kept')
    await world.store.evidence.archive({ ...evidence, raw: sealer.seal('{}', 'another place') })
    for (const time of ['first', 'second']) {
      world.wechat.twists.push((answer) => ({ ...answer, ...said }))
      const found = await done<{ evidence_id: string }>(world, 'askUntilAnswered', { order: world.key })
      expect([time, found.evidence_id.startsWith(`${first.evidence_id}/`)]).toEqual([time, true])
      await done(world, 'recordPayment', { order: world.key, found })
      expect((await world.record()).state).toBe('paid')
    }
    expect(await world.store.evidence.ofOrder(world.key.mchid, world.key.out_trade_no)).toHaveLength(2)
  })
})

describe('an answer about a refund', () => {
  it('in another currency is never booked, and a person hears of it', async () => {
    const world = await paidOrder()
    const refund = await reserved(world, 'R-1', 'T1', 400)
    world.wechat.twists.push((answer) => ({ ...answer, amount: { ...(answer['amount'] as object), currency: 'USD' } }))
    expect(await world.perform('submitRefund', { refund })).toHaveProperty('failure')
    expect(await merchantAttentions(world)).toEqual(['evidence_unapplied'])
    const { facts, attention } = await refundIn(world, refund)
    expect(facts).toBeNull()
    expect(attention).toMatchObject({ code: 'evidence_unapplied', detail: expect.stringContaining('USD') as string })
    expect((await world.refunds()).map(({ out_refund_no }) => out_refund_no)).toEqual(['R-1'])
  })

  it('in another currency is asked for again: said otherwise, the refund goes on and nobody is called any more', async () => {
    const world = await paidOrder()
    const refund = await reserved(world, 'R-1', 'T1', 400)
    world.wechat.twists.push((answer) => ({ ...answer, amount: { ...(answer['amount'] as object), currency: 'USD' } }))
    expect(await world.perform('submitRefund', { refund })).toHaveProperty('failure')
    await sent(world, refund)
    expect(await refundIn(world, refund)).toMatchObject({ state: 'processing', facts: { refund_id: 'R1' } })
    expect(await attentionsIn(world)).toEqual([])
  })

  it.each([
    ['another currency', { amount: { refund: 400, total: 990, currency: 'USD' } }],
    ['another amount', { amount: { refund: 1, total: 990, currency: 'CNY' } }],
    ['another payment', { transaction_id: 'T9' }],
  ])('that is taken, of %s, is asked for again and moves nothing', async (_, said) => {
    const world = await paidOrder()
    const refund = await reserved(world, 'R-1', 'T1', 400)
    await sent(world, refund)
    world.wechat.progress()
    world.wechat.twists.push((answer) => ({ ...answer, ...said }))
    world.now_ms += 3_600_000
    expect(await world.perform('pollRefund', { refund })).toHaveProperty('failure')
    expect(await attentionsIn(world)).toEqual(['evidence_unapplied'])
    world.now_ms += 3_600_000
    await asked(world, refund)
    expect((await refundIn(world, refund)).state).toBe('succeeded')
    expect(await attentionsIn(world)).toEqual([])
  })

  it('that is taken calls a person no more once WeChat says rightly what is known, and calls him for nothing else less', async () => {
    const world = await paidOrder()
    const refund = await reserved(world, 'R-1', 'T1', 400)
    await sent(world, refund)
    const ask = async (said?: object) => {
      world.now_ms += 3_600_000
      if (said) world.wechat.twists.push((answer) => ({ ...answer, ...said }))
      return await world.perform('askRefund', { refund })
    }
    expect(await ask({ status: 'SUCCESS', transaction_id: 'T9' })).toHaveProperty('failure')
    expect(await ask({ transaction_id: 'T9' })).toEqual({ value: { kind: 'nothing_new' } })
    expect(await attentionsIn(world)).toEqual(['evidence_unapplied'])
    expect((await refundIn(world, refund)).asked.confirmed_time).toBeUndefined()
    expect(await ask()).toEqual({ value: { kind: 'nothing_new' } })
    expect(await attentionsIn(world)).toEqual([])
    const since_time = beijingTime(world.now_ms)
    await world.store.refunds.noteAttention(refund, 'processing', { code: 'refund_slow', since_time })
    expect(await ask()).toEqual({ value: { kind: 'nothing_new' } })
    expect(await attentionsIn(world)).toEqual(['refund_slow'])
  })

  describe('that is abnormal', () => {
    const card = {
      type: 'USER_BANK_CARD',
      bank_type: 'ICBC_DEBIT',
      bank_account: 'x',
      real_name: 'x',
      serial_no: 'PUB',
    }

    async function abnormal() {
      const world = await paidOrder()
      const refund = await reserved(world, 'R-1', 'T1', 400)
      world.wechat.fates.push(['ABNORMAL'])
      await sent(world, refund)
      world.wechat.progress()
      await asked(world, refund)
      return { world, refund }
    }

    it('and that took another account is not handed it again, whatever it says: a person hears, and a question decides', async () => {
      const { world, refund } = await abnormal()
      world.wechat.twists.push((answer) => ({ ...answer, transaction_id: 'T9' }))
      expect(await world.perform('handleAbnormal', { refund, ...card })).toEqual({ value: { kind: 'state' } })
      const { attention } = await refundIn(world, refund)
      expect(attention).toMatchObject({ code: 'evidence_unapplied', detail: expect.stringContaining('T9') as string })
      expect(await merchantAttentions(world)).toEqual(['evidence_unapplied'])
      await asked(world, refund)
      expect((await refundIn(world, refund)).state).toBe('processing')
      expect(await attentionsIn(world)).toEqual([])
    })

    it('still waits for another account once WeChat says so rightly again', async () => {
      const { world, refund } = await abnormal()
      const { attention } = await refundIn(world, refund)
      for (const said of [{ status: 'SUCCESS', transaction_id: 'T9' }, {}]) {
        world.now_ms += 3_600_000
        world.wechat.twists.push((answer) => ({ ...answer, ...said }))
        await world.perform('askRefund', { refund })
        expect((await attentionsIn(world)).length).toBe(1)
      }
      expect((await refundIn(world, refund)).attention).toEqual(attention)
    })
  })

  it.each([
    ['400 NEVER_HEARD_OF', 'wechat_answer_unclear', '400 NEVER_HEARD_OF'],
    ['404 RESOURCE_NOT_EXISTS', 'wechat_answer_unclear', '404 RESOURCE_NOT_EXISTS'],
    ['429 FREQUENCY_LIMITED', 'wechat_answer_unclear', '429 FREQUENCY_LIMITED'],
    ['500 SYSTEM_ERROR', 'wechat_unreachable', '500 SYSTEM_ERROR'],
    ['403 -', 'wechat_unreachable', '403'],
  ])('that stays %s calls a person by %s, in WeChat’s own words', async (answer, code, detail) => {
    const world = await paidOrder()
    const refund = await reserved(world, 'R-1', 'T1', 400)
    for (let minute = 0; minute < 7; minute += 1) {
      world.now_ms += 62_000
      world.wechat.refund_refusals.push(answer)
      expect(await world.perform('submitRefund', { refund })).toHaveProperty('failure')
    }
    expect((await refundIn(world, refund)).attention).toMatchObject({ code, detail })
    await sent(world, refund)
    expect(await attentionsIn(world)).toEqual([])
  })

  it('that changes its code is quoted as it is now, and counts from when it began', async () => {
    const world = await paidOrder()
    const refund = await reserved(world, 'R-1', 'T1', 400)
    for (const answer of ['400 FIRST_CODE', '400 FIRST_CODE', '403 SECOND_CODE']) {
      world.wechat.refund_refusals.push(answer)
      await world.perform('submitRefund', { refund })
      world.now_ms += 6 * 60_000
    }
    const since_time = beijingTime(world.now_ms - 2 * 6 * 60_000)
    expect((await refundIn(world, refund)).attention).toMatchObject({ since_time, detail: '403 SECOND_CODE' })
  })

  it('by which more left the account than was refunded is booked as the refund alone', async () => {
    const world = await paidOrder()
    const refund = await reserved(world, 'R-1', 'T1', 400)
    const more = { settlement_refund: 999_999, payer_refund: 999_999 }
    world.wechat.twists.push((answer) => ({ ...answer, amount: { ...(answer['amount'] as object), ...more } }))
    await sent(world, refund)
    expect((await refundIn(world, refund)).facts).toMatchObject({ settlement_refund: 400, payer_refund: null })
    expect(await balanceIn(world, 'refund.payable')).toBe(-400)
    expect(await balanceIn(world, 'discount.nocash')).toBe(0)
  })

  it('to a first sending after hours of waiting raises none yet: nobody was kept waiting by WeChat', async () => {
    const world = await paidOrder()
    const refund = await reserved(world, 'R-1', 'T1', 400)
    world.now_ms += 6 * 3_600_000
    world.wechat.refund_refusals.push('500 -')
    expect(await world.perform('submitRefund', { refund })).toHaveProperty('failure')
    expect(await attentionsIn(world)).toEqual([])
    world.now_ms += 6 * 60_000
    world.wechat.refund_refusals.push('500 -')
    expect(await world.perform('submitRefund', { refund })).toHaveProperty('failure')
    expect(await attentionsIn(world)).toEqual(['wechat_unreachable'])
  })

  it('that the account is empty is an answer: what is sent after it begins anew', async () => {
    const world = await paidOrder()
    const refund = await reserved(world, 'R-1', 'T1', 400)
    for (const answer of ['500 -', '403 NOT_ENOUGH', '500 -']) {
      world.wechat.refund_refusals.push(answer)
      await world.perform('submitRefund', { refund })
      world.now_ms += 6 * 60_000
    }
    expect(await attentionsIn(world)).toEqual([])
  })

  it('to questions puts no alarm off: who is not let send hears of it, however often somebody asks', async () => {
    const world = await paidOrder()
    const refund = await reserved(world, 'R-1', 'T1', 400)
    for (let minute = 0; minute < 10; minute += 1) {
      world.now_ms += 62_000
      world.wechat.refund_refusals.push('500 -')
      expect(await world.perform('submitRefund', { refund })).toHaveProperty('failure')
      await world.perform('askRefund', { refund })
    }
    expect(await attentionsIn(world)).toEqual(['wechat_unreachable'])
  })
})
