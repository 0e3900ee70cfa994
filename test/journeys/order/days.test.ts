import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { beijingTime, milliseconds } from '../../../domain/calendar.ts'
import type { DeliveryAttempt } from '../../../domain/event/delivery.ts'
import type { OrderView } from '../../../domain/event/view.ts'
import { endpointId, eventId } from '../../../domain/ids.ts'
import type { OrderKey } from '../../../domain/ids.ts'
import { publicId } from '../../../store/ids.ts'
import { callsOf } from '../../stage/audit.ts'
import { Days, expectMoments, expectWaits, slack } from '../../stage/days.ts'
import { MerchantDouble } from '../../stage/merchant.ts'
import type { Stage } from '../../stage/stage.ts'
import { until } from '../../stage/until.ts'

const second = 1_000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

describe('over days', () => {
  let days: Days
  let stage: Stage
  beforeAll(async () => {
    days = await Days.open({ settings: { fulfilment: { mode: 'event' } } })
    stage = days.stage
  })
  afterAll(async () => await days.close())
  afterEach(() => {
    stage.shop.answer = () => ({ status: 200, body: '{"fulfilment":"fulfilled"}' })
    stage.simulator.control.removeFaults(null)
  })

  /** Milliseconds from `begin` to each call of `operation` that WeChat heard. */
  function momentsOf(order: OrderKey, operation: string, begin: number): number[] {
    return callsOf(stage, order, operation).map(({ time }) => milliseconds(time) - begin)
  }

  describe('an order that lives seven days and is never paid', () => {
    it('is asked about at every moment of the plan, expires, and is closed at WeChat before it says closed', async () => {
      const order = await stage.ordered({ expire_in: 7 * 24 * 3600 })
      const { code, time_expire } = await stage.record(order)
      const placed = milliseconds(code?.placed_time ?? '')
      await days.pass(milliseconds(time_expire) - days.clock.now() - minute)
      // The first comes up to five seconds later, at random: half of them on either side.
      const first = [32.5 * second, minute, 3 * minute, 5 * minute, 10 * minute]
      const half_hours = Array.from({ length: 335 }, (_, index) => (index + 1) * 30 * minute)
      const questions = momentsOf(order, 'query', placed)
      expectMoments(questions, [...first, ...half_hours])
      expect(questions[0]).toBeGreaterThanOrEqual(30 * second)
      const waiting = await stage.record(order)
      expect(waiting.state).toBe('awaiting_payment')
      expect(waiting.next_action).toMatchObject({ what: 'ask_wechat', time: time_expire })
      expect(callsOf(stage, order, 'close')).toEqual([])

      await days.pass(2 * minute)
      const closed = await stage.reaches(order, 'closed')
      expect(closed.close_reason).toBe('expired')
      expect(closed.timeline.map(({ event }) => event)).toEqual(['placed', 'close_asked', 'closed_at_wechat'])
      const [, asked] = closed.timeline
      const late = milliseconds(asked?.time ?? '') - milliseconds(time_expire)
      expect(late).toBeGreaterThanOrEqual(0)
      expect(late).toBeLessThan(slack)
      expect(callsOf(stage, order, 'close')).toHaveLength(1)
      expect(stage.wechat.orders.map(({ trade_state }) => trade_state)).toEqual(['CLOSED'])
      await until('the merchant is told', () => stage.shop.typesOf(order.out_trade_no).includes('order.closed'))
    })

    it('keeps a short history all the same: one activity is the whole plan', async () => {
      const order = await stage.ordered({ expire_in: 24 * 3600 })
      await days.pass(25 * hour)
      await stage.reaches(order, 'closed')
      await stage.rests(order)
      const { events } = await stage.run(order).fetchHistory()
      expect(callsOf(stage, order, 'query').length).toBeGreaterThan(50)
      expect(events?.length).toBeLessThan(50)
    })
  })

  describe('a code that grows old', () => {
    const code = async ({ out_trade_no }: OrderKey) =>
      (await stage.call<OrderView>('POST', `/v1/orders/${out_trade_no}/code`)).body.code_url

    it('is renewed after 110 minutes when somebody wants it, not before, and only the new one can be paid', async () => {
      const order = await stage.ordered({ expire_in: 4 * 3600 })
      const first = await code(order)
      await days.pass(109 * minute)
      expect(await code(order)).toBe(first)
      await days.pass(2 * minute)
      expect(callsOf(stage, order, 'place')).toHaveLength(1)
      const second_code = await code(order)
      expect(second_code).not.toBe(first)
      expect(callsOf(stage, order, 'place')).toHaveLength(2)
      expect((await stage.record(order)).timeline.map(({ event }) => event)).toEqual(['placed', 'code_renewed'])
      const pay = (code_url: string | null) =>
        stage.simulator.control.pay({ code_url: code_url ?? '', story: 'lose_notification' })
      expect(() => pay(first)).toThrow()
      pay(second_code)
      await days.pass(minute)
      expect((await stage.reaches(order, 'fulfilled')).payment?.found_by).toBe('query')
    })
  })

  describe('an order that WeChat does not take', () => {
    it('is placed again and again, wants a person after two minutes, and is placed once WeChat works', async () => {
      const order = { mchid: stage.mchid, out_trade_no: stage.number() }
      stage.simulator.control.addFault({ operation: 'place', fault: '500', ...order })
      const creating = stage.create({ out_trade_no: order.out_trade_no })
      await until('WeChat was asked to place it', () => callsOf(stage, order, 'place').length > 0)
      const begin = milliseconds((await stage.record(order)).create_time)
      await days.clock.refresh()
      await days.pass(begin + 100 * second - days.clock.now())
      expect((await stage.record(order)).attention).toBeUndefined()
      await days.pass(begin + 190 * second - days.clock.now())
      const stuck = await stage.record(order)
      expect([stuck.state, stuck.attention?.code]).toEqual(['created', 'not_placed'])
      const tried = momentsOf(order, 'place', begin)
      expectMoments(tried.slice(0, 1), [0])
      expectWaits(
        tried,
        [1, 2, 5, 10, 30, 60, 60].map((s) => s * second),
      )
      stage.simulator.control.removeFaults(null)
      await days.pass(minute)
      const placed = await stage.reaches(order, 'awaiting_payment')
      expect(placed.attention).toBeUndefined()
      expect([201, 202]).toContain((await creating).status)
    })
  })

  describe('a close that WeChat never confirms', () => {
    it('stays open, is tried by the plan, wants a person after 30 minutes, and ends once a query proves it', async () => {
      const order = await stage.ordered({ expire_in: 120 })
      stage.simulator.control.addFault({
        operation: 'close',
        fault: 'error',
        status: 202,
        code: 'USER_PAYING',
        ...order,
      })
      await days.pass(2 * minute + second)
      const closing = await stage.reaches(order, 'closing')
      const begin = milliseconds(closing.timeline.at(-1)?.time ?? '')
      await days.pass(begin + 29 * minute - days.clock.now())
      expect((await stage.record(order)).attention).toBeUndefined()
      await days.pass(2 * minute)
      const stuck = await stage.record(order)
      expect([stuck.state, stuck.attention]).toEqual([
        'closing',
        {
          code: 'close_uncertain',
          since_time: closing.timeline.at(-1)?.time,
          detail: expect.stringContaining('USER_PAYING') as string,
        },
      ])
      await days.pass(2 * hour)
      const tried = momentsOf(order, 'close', begin)
      expectMoments([...tried.slice(0, 1), ...tried.slice(8, 9)], [0, 30 * minute])
      expectWaits(
        tried.slice(0, 8),
        [2, 5, 15, 30, 60, 300, 600].map((s) => s * second),
      )
      expectWaits(tried.slice(8), Array<number>(4).fill(30 * minute))
      expect((await stage.record(order)).next_action?.what).toBe('close')
      stage.simulator.control.removeFaults(null)
      await days.pass(30 * minute)
      const closed = await stage.reaches(order, 'closed')
      expect(closed.attention).toBeUndefined()
      expect(closed.timeline.map(({ event }) => event)).toEqual(['placed', 'close_asked', 'closed_at_wechat'])
    })
  })

  describe('an endpoint that is down', () => {
    const planned = [5 * second, 30 * second, 2 * minute, 10 * minute, 30 * minute, hour, 2 * hour, 4 * hour, 8 * hour]

    async function paid(): Promise<OrderKey> {
      const order = await stage.ordered()
      stage.pay(order, 'lose_notification')
      await days.pass(40 * second)
      await stage.reaches(order, 'paid')
      return order
    }

    async function attemptsOf(order: OrderKey): Promise<DeliveryAttempt[]> {
      const [delivery] = await stage.store.deliveries.ofEvent(order.mchid, eventId(order, 1))
      return delivery?.attempts ?? []
    }

    it('is tried eleven times in 27 h 42 min, with attention from the fifth; the order is overdue after 48 h', async () => {
      stage.shop.answer = () => ({ status: 503 })
      const order = await paid()
      const begin = milliseconds((await stage.record(order)).timeline.at(-1)?.time ?? '')
      await days.pass(5 * minute)
      expect(await attemptsOf(order)).toHaveLength(4)
      expect((await stage.record(order)).attention).toBeUndefined()
      await days.pass(10 * minute)
      expect(await attemptsOf(order)).toHaveLength(5)
      expect((await stage.record(order)).attention?.code).toBe('delivery_failing')

      await days.pass(begin + 31 * hour - days.clock.now())
      const attempts = await attemptsOf(order)
      expect(attempts.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
      const waits = attempts.map(({ time }) => milliseconds(time))
      for (const [index, wait_ms] of [...planned, 12 * hour].entries()) {
        const waited = (waits[index + 1] ?? 0) - (waits[index] ?? 0)
        expect(waited).toBeGreaterThanOrEqual(0.9 * wait_ms)
        expect(waited).toBeLessThanOrEqual(1.1 * wait_ms + slack)
      }
      const given_up = await stage.record(order)
      expect([given_up.state, given_up.attention?.code]).toEqual(['paid', 'undelivered'])

      await days.pass(begin + 2 * day - minute - days.clock.now())
      expect((await stage.record(order)).state).toBe('paid')
      await days.pass(2 * minute)
      const overdue = await stage.reaches(order, 'review')
      expect(overdue.attention?.code).toBe('fulfilment_overdue')
      expect(overdue.timeline.at(-1)).toMatchObject({ event: 'fulfilment_overdue', event_type: 'order.review' })
      await stage.rests(order)
      expect(await attemptsOf(order)).toHaveLength(11)
    })

    it('is left alone for as long as it asks', async () => {
      stage.shop.answer = ({ attempt }) =>
        attempt === 1 ? { status: 429, headers: { 'retry-after': '1800' } } : { status: 200 }
      const order = await paid()
      await days.pass(29 * minute)
      expect(await attemptsOf(order)).toHaveLength(1)
      await days.pass(2 * minute)
      await stage.reaches(order, 'fulfilled')
      const [first, then] = await attemptsOf(order)
      const waited = milliseconds(then?.time ?? '') - milliseconds(first?.time ?? '')
      expect(waited).toBeGreaterThanOrEqual(1800 * second)
      expect(waited).toBeLessThan(1800 * second + slack)
    })

    it('that answers 202 and then never, wants a person after half of the 48 h and leaves the order to one after all', async () => {
      stage.shop.answer = () => ({ status: 202 })
      const order = await paid()
      await until('the answer was heard', async () => (await stage.record(order)).fulfilment.result === 'pending')
      await days.pass(day - 5 * minute)
      expect((await stage.record(order)).attention).toBeUndefined()
      await days.pass(10 * minute)
      const { state, attention, next_action, fulfilment } = await stage.record(order)
      expect([state, attention?.code]).toEqual(['paid', 'fulfilment_pending'])
      expect(next_action).toEqual({ what: 'await_fulfilment', time: fulfilment.deadline_time })
      await days.pass(day - 15 * minute)
      expect((await stage.record(order)).state).toBe('paid')
      await days.pass(15 * minute)
      expect((await stage.reaches(order, 'review')).attention?.code).toBe('fulfilment_overdue')
      expect(await attemptsOf(order)).toHaveLength(1)
    })
  })

  describe('an observer that is down', () => {
    it('is disabled when it has failed for five days, and the merchant’s feed says so', async () => {
      const gone = await new MerchantDouble().open()
      const { url } = gone
      await gone.close()
      const _id = endpointId(stage.mchid, url)
      const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
      await stage.store.endpoints.add({
        _id,
        id: publicId('ep', _id),
        mchid: stage.mchid,
        url,
        role: 'observer',
        event_types: ['order.paid'],
        description: null,
        state: 'enabled',
        disable_reason: null,
        secrets: [stage.store.endpoints.sealSecret(_id, secret)],
        create_time: beijingTime(days.clock.now()),
        last_success_time: null,
        failing_since_time: null,
      })
      const endpoint = () => stage.store.endpoints.findPublic(stage.mchid, publicId('ep', _id))
      const sell = async () => {
        const order = await stage.ordered()
        stage.pay(order, 'lose_notification')
        await days.pass(40 * second)
        await stage.reaches(order, 'fulfilled') // what observers do does not hold up an order
        return order
      }
      await sell()
      await days.pass(5 * day - hour)
      expect((await endpoint())?.state).toBe('enabled')
      await days.pass(hour)
      const order = await sell()
      await until('it is disabled', async () => (await endpoint())?.state === 'disabled')
      await days.pass(minute)
      const deliveries = await stage.store.deliveries.ofEvent(order.mchid, eventId(order, 1))
      expect(deliveries.map(({ state }) => state).sort()).toEqual(['cancelled', 'delivered'])
      const { body } = await stage.call<{ data: { type: string }[] }>('GET', '/v1/events?type=endpoint.disabled')
      expect(body.data.map(({ type }) => type)).toEqual(['endpoint.disabled'])
    })
  })
})
