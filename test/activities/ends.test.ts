import { describe, expect, it } from 'vitest'
import { knownCodes } from '../../wechat/errors.ts'
import type { WeChatOperation } from '../../wechat/errors.ts'
import { placed } from '../store/samples.ts'
import { asked, attentionsIn, done, paidOrder, refundIn, refused, reserved, sent } from '../stage/acts.ts'
import { World } from '../stage/world.ts'

const minute_ms = 60_000
/** Codes that say nothing of the request itself. */
const again = /^(SIGN|APPID|MCH|FREQUENCY|RATE|SYSTEM|SERVICE|BANK_?ERROR|USER_?PAYING|REQUEST_BLOCKED)/
/** Longer than any patience but that for a close, whose plan is looked at by itself. */
const enough_minutes = 40

/** Whatever WeChat can say to a call that is no success: every code that Weft knows, one that it does not, and statuses alone. */
function answersTo(operation: WeChatOperation): string[] {
  const codes = [...knownCodes(operation), 'NEVER_HEARD_OF']
  return [
    ...codes,
    '403 NO_AUTH',
    '404 RESOURCE_NOT_EXISTS',
    '202 -',
    '400 -',
    '401 SIGN_ERROR',
    '429 -',
    '500 -',
    '502 -',
  ]
}

async function isPersonCalled(world: World): Promise<boolean> {
  const merchant = await world.store.merchants.find(world.key.mchid)
  return (await attentionsIn(world)).length > 0 || (merchant?.attentions ?? []).length > 0
}

/** Makes the call each minute, until it answers `ended` or a person has been called. */
async function endOf(world: World, call: () => Promise<'ended' | 'open'>): Promise<'ended' | 'person' | 'never'> {
  for (let minute = 0; minute < enough_minutes; minute += 1) {
    world.now_ms += minute_ms + 2_000
    if ((await call()) === 'ended') return 'ended'
    if (await isPersonCalled(world)) return 'person'
  }
  return 'never'
}

describe('an answer that repeats for ever ends, or calls a person', () => {
  it.each(answersTo('place'))('to a placement: %s', async (answer) => {
    const world = await World.open('confirm', [])
    const end = await endOf(world, async () => {
      world.wechat.refusals.push(answer)
      const said = await world.perform('place', { order: world.key })
      // `refused` and `about_number` end the order, the second after a question (workflows/order/placement).
      return 'value' in said ? 'ended' : 'open'
    })
    expect(end).not.toBe('never')
  })

  it.each(answersTo('refund'))('to a refund: %s', async (answer) => {
    const world = await paidOrder()
    const refund = await reserved(world, 'R-1', 'T1', 400)
    const end = await endOf(world, async () => {
      world.wechat.refund_refusals.push(answer)
      const said = await world.perform('submitRefund', { refund })
      if ('failure' in said) return 'open'
      const { kind } = said.value as { kind: string }
      // An empty account is topped up by a person (workflows/refund/steps).
      if (kind === 'not_enough') await done(world, 'noteNotEnough', { refund, next_time: '2026-11-29T12:00:00+08:00' })
      if (kind === 'refused') await refused(world, refund)
      return (await refundIn(world, refund)).state === 'refused' ? 'ended' : 'open'
    })
    expect(end).not.toBe('never')
  })

  it.each(answersTo('query'))('to the questions about an order that waits: %s', async (answer) => {
    const world = await World.open('confirm', [])
    world.wechat.is_placed = true
    await world.store.orders.apply(world.key, placed())
    const end = await endOf(world, async () => {
      world.wechat.query_refusals.push(answer, answer)
      return 'value' in (await world.perform('pollPayment', { order: world.key })) ? 'ended' : 'open'
    })
    expect(end).not.toBe('never')
  })

  it.each(answersTo('query_refund').filter((answer) => !answer.includes('RESOURCE_NOT_EXISTS')))(
    'to the questions about a refund that was taken: %s',
    async (answer) => {
      const world = await paidOrder()
      const refund = await reserved(world, 'R-1', 'T1', 400)
      await sent(world, refund)
      const end = await endOf(world, async () => {
        world.wechat.query_refusals.push(answer, answer)
        return 'value' in (await world.perform('pollRefund', { refund })) ? 'ended' : 'open'
      })
      expect(end).not.toBe('never')
    },
  )

  it('to the questions about a refund that was taken and that WeChat does not know: after days', async () => {
    const world = await paidOrder()
    const refund = await reserved(world, 'R-1', 'T1', 400)
    await sent(world, refund)
    world.now_ms += world.policy.attention_ms.refund_slow
    world.wechat.query_refusals.push('404 RESOURCE_NOT_EXISTS')
    await world.perform('pollRefund', { refund })
    expect(await isPersonCalled(world)).toBe(true)
  })

  it.each(answersTo('abnormal_refund'))('to another account for an abnormal refund: %s', async (answer) => {
    const world = await paidOrder()
    const refund = await reserved(world, 'R-1', 'T1', 400)
    world.wechat.fates.push(['ABNORMAL'])
    await sent(world, refund)
    world.wechat.progress()
    await asked(world, refund)
    const card = {
      type: 'USER_BANK_CARD',
      bank_type: 'ICBC_DEBIT',
      bank_account: 'x',
      real_name: 'x',
      serial_no: 'PUB',
    }
    const [code = '', status = '400'] = answer.split(' ').reverse()
    world.wechat.abnormal_refusals.push(answer)
    const said = await world.perform('handleAbnormal', { refund, ...card })
    // What only the merchant's set-up, a limit or silence explains is asked for again: a person is called already.
    const is_repeated =
      code === '-' || Number(status) >= 500 || status === '401' || status === '429' || again.test(code)
    if (is_repeated) expect((await refundIn(world, refund)).attention?.code).toMatch(/refund_abnormal|wechat_setup/)
    else expect(said).toMatchObject({ value: { kind: 'refused' } })
  })

  it.each(answersTo('close'))('to a close: %s', async (answer) => {
    const world = await World.open('confirm', [])
    world.wechat.is_placed = true
    await world.store.orders.apply(world.key, placed())
    const asked = {
      operation_id: 'close',
      actor: { kind: 'merchant', id: 'key-1' },
      reason: null,
      close_reason: 'asked',
    }
    await done(world, 'recordCloseAsked', { order: world.key, ...asked })
    const end = await endOf(world, async () => {
      world.wechat.close_refusals.push(answer)
      return 'value' in (await world.perform('closeAtWeChat', { order: world.key })) ? 'ended' : 'open'
    })
    expect(end).not.toBe('never')
  })

  it.each([
    ['400 NEVER_HEARD_OF', 'NEVER_HEARD_OF'],
    ['500 -', '500'],
  ])('to a close is quoted to the person who is called for it: %s', async (answer, detail) => {
    const world = await World.open('confirm', [])
    world.wechat.is_placed = true
    await world.store.orders.apply(world.key, placed())
    const actor = { kind: 'merchant', id: 'key-1' }
    const asked = { operation_id: 'close', actor, reason: null, close_reason: 'asked' }
    await done(world, 'recordCloseAsked', { order: world.key, ...asked })
    for (const minutes of [1, 31]) {
      world.now_ms += minutes * minute_ms
      world.wechat.close_refusals.push(answer)
      expect(await world.perform('closeAtWeChat', { order: world.key })).toHaveProperty('failure')
    }
    const { attention } = await world.record()
    expect(attention).toMatchObject({ code: 'close_uncertain', detail })
  })
})
