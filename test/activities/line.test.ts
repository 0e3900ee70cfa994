import type { ApplicationFailure } from '@temporalio/common'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { DeliveryOutcome } from '../../activities/delivery/attempt.ts'
import type { PlacementOutcome } from '../../activities/order/gateway.ts'
import type { NotTried } from '../../activities/slots.ts'
import { milliseconds } from '../../domain/calendar.ts'
import { eventId } from '../../domain/ids.ts'
import { limits } from '../../domain/policy.ts'
import { done, interrupted, later, paidOrder } from '../stage/acts.ts'
import { World } from '../stage/world.ts'
import type { ShopAnswer } from '../stage/world.ts'

const not_tried = { kind: 'not_tried' }
const fulfilled = { kind: 'answered', answer: { result: 'fulfilled', reason: null } }

/** What Temporal is told by an activity that did not come to an answer: why, and in how many ms it comes again. */
async function failureOf(world: World, name: string, argument: unknown) {
  const answer = await world.perform(name, argument)
  if ('value' in answer) throw new Error(`it answered ${JSON.stringify(answer.value)}`)
  const { message, nextRetryDelay } = answer.failure as ApplicationFailure
  return { message, delay_ms: Number(nextRetryDelay) }
}

/** All slots of the process are taken, by other merchants. */
function fillSlots(world: World): void {
  const per_merchant = limits.calls_in_line_per_merchant
  for (let taken = 0; taken < limits.calls_in_line; taken += 1)
    expect(world.slots.take(`other-${Math.floor(taken / per_merchant)}`, world.targets.shop)).not.toBeNull()
}

describe('order.paid in line', () => {
  /** An order that is paid, in a process that has seen its shop be quick. */
  const paid = async (shop: ShopAnswer[] = []) => {
    const world = await paidOrder({ mode: 'event' })
    world.shop.push(...shop)
    await world.warm()
    return world
  }
  const argumentOf = async (world: World) => {
    const { deadline_time } = (await world.record()).fulfilment
    return { order: world.key, sequence: 1, deadline_time }
  }
  const tellInLine = async (world: World) =>
    await done<DeliveryOutcome | NotTried>(world, 'deliverPaidInLine', await argumentOf(world))
  const deliveryOf = async ({ store, key }: World) => {
    const [delivery] = await store.deliveries.ofEvent(key.mchid, eventId(key, 1))
    if (delivery === undefined) throw new Error('no delivery')
    return delivery
  }
  /** The event's id and the attempt's number, call by call. */
  const callsOf = ({ calls }: World) => calls.map((headers) => [headers['webhook-id'], headers['weft-attempt']])

  it.each([
    ['fulfilled', fulfilled],
    ['refused', { kind: 'answered', answer: { result: 'refused', reason: expect.any(String) as string } }],
    ['pending', { kind: 'answered', answer: { result: 'pending', reason: null } }],
  ] as const)('is answered %s, and its attempt is kept', async (answer, outcome) => {
    const world = await paid([answer])
    expect(await tellInLine(world)).toEqual(outcome)
    const delivery = await deliveryOf(world)
    expect(delivery).toMatchObject({ state: 'delivered', attempts: [{ number: 1, read_as: answer }] })
    expect(callsOf(world)).toEqual([[delivery.event_public_id, '1']])
    expect(await tellInLine(world)).toEqual(outcome) // a worker that takes over reads it
    expect(world.calls).toHaveLength(1)
  })

  it('is not tried at a shop that this process has not called, and its record stays as it is', async () => {
    const world = await paidOrder({ mode: 'event' })
    const before = [await deliveryOf(world), await world.record()]
    expect(await tellInLine(world)).toEqual(not_tried)
    expect([await deliveryOf(world), await world.record()]).toEqual(before)
    expect(world.calls).toEqual([])
    expect(await done(world, 'deliverPaid', await argumentOf(world))).toEqual(fulfilled)
    expect(world.slots.take('any', world.targets.shop)).not.toBeNull()
  })

  it('is not tried while all slots are taken', async () => {
    const world = await paid()
    fillSlots(world)
    expect(await tellInLine(world)).toEqual(not_tried)
    expect(world.calls).toEqual([])
  })

  it.each(['away', 'unreachable'] as const)(
    'that is not heard (%s) goes on by its schedule, under the same id, and not in line',
    async (silence) => {
      const world = await paid([silence])
      const { message, delay_ms } = await failureOf(world, 'deliverPaidInLine', await argumentOf(world))
      expect(message).toContain('not heard')
      const { next_attempt_time, attempts, event_public_id } = await deliveryOf(world)
      expect(attempts).toMatchObject([{ number: 1, read_as: 'not heard' }])
      expect(Math.abs(milliseconds(next_attempt_time ?? '') - world.now_ms - delay_ms)).toBeLessThanOrEqual(1)
      expect((await world.record()).next_action).toEqual({ what: 'deliver', time: next_attempt_time })
      await world.warm()
      expect(await tellInLine(world)).toEqual(not_tried)
      const waiting = await failureOf(world, 'deliverPaid', await argumentOf(world))
      expect(waiting.message).toBe('the next attempt is due later')
      expect(world.calls).toHaveLength(1)
      later(world, waiting.delay_ms)
      expect(await done(world, 'deliverPaid', await argumentOf(world))).toEqual(fulfilled)
      expect(callsOf(world)).toEqual([
        [event_public_id, '1'],
        [event_public_id, '2'],
      ])
    },
  )

  it('is told again under the same id when the worker dies before it writes the answer down', async () => {
    const world = await paid()
    await interrupted(world, 0, 'deliverPaidInLine', await argumentOf(world))
    expect(await deliveryOf(world)).toMatchObject({ state: 'waiting', attempts: [] })
    expect(await tellInLine(world)).toEqual(fulfilled)
    const { event_public_id } = await deliveryOf(world)
    expect(callsOf(world)).toEqual([
      [event_public_id, '1'],
      [event_public_id, '1'],
    ])
  })

  it('is over where the question is over, or nobody is to be asked', async () => {
    const world = await paid()
    later(world, 10 * 24 * 3_600_000)
    world.shop.push(...Array.from({ length: limits.delivery_failing_attempts }, () => 'away' as const))
    for (let attempt = 1; attempt <= limits.delivery_failing_attempts; attempt += 1)
      later(world, (await failureOf(world, 'deliverPaid', await argumentOf(world))).delay_ms)
    await done(world, 'deliverPaid', await argumentOf(world))
    expect(await tellInLine(world)).toEqual({ kind: 'cancelled' })
    const alone = await paidOrder({ mode: 'confirm' })
    expect(await tellInLine(alone)).toEqual({ kind: 'no_endpoint' })
    const { deadline_time } = (await alone.record()).fulfilment
    expect((await alone.record()).next_action).toEqual({ what: 'await_fulfilment', time: deadline_time })
  })

  describe('at a shop that turns slow', () => {
    afterEach(() => vi.useRealTimers())

    it('keeps its slot, tells Temporal nothing meanwhile, and no other is tried there', async () => {
      const world = await paid()
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] })
      let answer = () => {}
      const asked = new Promise<void>((resolve) => {
        world.pauses.shop = () => {
          resolve()
          return new Promise<void>((answered) => (answer = answered))
        }
      })
      const telling = tellInLine(world)
      await asked
      const isTried = () => world.slots.take('any', world.targets.shop) !== null
      await vi.advanceTimersByTimeAsync(499)
      expect(isTried()).toBe(true)
      await vi.advanceTimersByTimeAsync(1)
      expect(isTried()).toBe(false)
      await vi.advanceTimersByTimeAsync(7_000)
      answer()
      expect(await telling).toEqual(fulfilled)
      expect(isTried()).toBe(false)
      expect(world.heartbeats).toBe(0)
    })
  })
})

describe('a placement in line', () => {
  let sent = 0
  const opened = async () => {
    const world = await World.open('none', [])
    world.pauses.wechat = () => {
      sent += 1
      return Promise.resolve()
    }
    await world.warm()
    sent = 0
    return world
  }
  const placement = async (world: World) => (await world.record()).placement
  const place = async (world: World, name: 'place' | 'placeInLine' = 'placeInLine') =>
    await done<PlacementOutcome | NotTried>(world, name, { order: world.key })

  it('gives the code, and is counted before it is sent', async () => {
    const world = await opened()
    world.pauses.wechat = async () => {
      expect(await placement(world)).toMatchObject({ attempts: 1, unanswered: true })
    }
    expect(await place(world)).toMatchObject({ kind: 'placed' })
    expect(world.wechat.is_placed).toBe(true)
  })

  it('is not tried where WeChat was not quick or not called, all slots are taken, or the breaker is not closed', async () => {
    const cold = await World.open('none', [])
    const full = await opened()
    fillSlots(full)
    const open = await opened()
    open.breaker = 'open'
    for (const world of [cold, full, open]) {
      expect(await place(world)).toEqual(not_tried)
      expect(await placement(world)).toMatchObject({ attempts: 0, unanswered: false })
    }
    expect(sent).toBe(0)
    expect(await place(cold, 'place')).toMatchObject({ kind: 'placed' })
    expect(cold.slots.take('any', cold.targets.wechat)).not.toBeNull()
  })

  it('that is refused says that nothing came before it', async () => {
    const world = await opened()
    world.wechat.refusals.push('RULE_LIMIT')
    expect(await place(world)).toMatchObject({
      kind: 'refused',
      failure: { code: 'RULE_LIMIT' },
      earlier_unknown: false,
    })
    expect(await placement(world)).toMatchObject({ attempts: 1, unanswered: false })
    expect(world.slots.take('any', world.targets.wechat)).toBeNull()
  })

  it('that is not answered is repeated at its time and not before, by whatever run, and a refusal then proves nothing', async () => {
    const world = await opened()
    world.wechat.silence = 'after'
    const { delay_ms } = await failureOf(world, 'placeInLine', { order: world.key })
    expect(await placement(world)).toMatchObject({ attempts: 1, unanswered: true })
    const { next_action } = await world.record()
    expect(next_action?.what).toBe('place')
    expect(milliseconds(next_action?.time ?? '')).toBe(world.now_ms + delay_ms)
    await world.warm()
    expect(await place(world)).toEqual(not_tried)
    later(world, delay_ms - 1)
    expect(await failureOf(world, 'place', { order: world.key })).toMatchObject({
      message: 'the next placement is due later',
      delay_ms: 1,
    })
    expect(sent).toBe(1)
    expect(await placement(world)).toMatchObject({ attempts: 1 })
    later(world, 1)
    world.wechat.refusals.push('RULE_LIMIT')
    expect(await place(world, 'place')).toMatchObject({ kind: 'refused', earlier_unknown: true })
    expect(await placement(world)).toMatchObject({ attempts: 2, unanswered: true })
    expect(sent).toBe(2)
  })

  it('whose worker died is sent again at once: nobody has planned when', async () => {
    const world = await opened()
    await interrupted(world, 1, 'placeInLine', { order: world.key })
    expect(await placement(world)).toMatchObject({ attempts: 1, unanswered: true })
    expect(await place(world)).toEqual(not_tried)
    expect(await place(world, 'place')).toMatchObject({ kind: 'placed' })
    expect(sent).toBe(2)
  })
})
