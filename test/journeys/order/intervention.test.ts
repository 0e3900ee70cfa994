import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventId, orderId, workflowId } from '../../../domain/ids.ts'
import type { OrderKey } from '../../../domain/ids.ts'
import { signals } from '../../../domain/messages.ts'
import { callsOf, expectFulfilledOnce, expectSound } from '../../stage/audit.ts'
import { Stage } from '../../stage/stage.ts'
import { until } from '../../stage/until.ts'

/** What an operator can do to a run from Temporal UI. None of it may cost money, or ship anything twice. */
describe('a run', () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await Stage.open({ time_scale: 30, settings: { fulfilment: { mode: 'event' } } })
  })
  afterAll(async () => await stage.close())

  const tradeState = (order: OrderKey) =>
    stage.simulator.control.view(order.mchid, order.out_trade_no).orders[0]?.trade_state

  /** From now on the shop hears and says nothing, until it decides that it has shipped. */
  function thinkingShop() {
    let decides = () => {}
    const decided = new Promise<void>((resolve) => (decides = resolve))
    stage.shop.answer = () => ({ status: 200, body: '{"fulfilment":"fulfilled"}', after: decided })
    return { decides }
  }

  describe('that was terminated', () => {
    it('while it waited is begun anew by the notification', async () => {
      const order = await stage.ordered()
      await stage.run(order).terminate('by mistake')
      stage.pay(order)
      await stage.reaches(order, 'fulfilled')
      await stage.rests(order)
      await expectFulfilledOnce(stage, order)
    })

    it('while it waited is begun anew by the sweeper, and finds a payment nobody told of', async () => {
      const order = await stage.ordered()
      stage.pay(order, 'lose_notification')
      await stage.run(order).terminate('by mistake')
      const record = await stage.reaches(order, 'fulfilled')
      expect(record.payment?.found_by).toBe('query')
      await stage.rests(order)
      await expectFulfilledOnce(stage, order)
    })

    it('while it placed is placed with the same bytes', async () => {
      const order = { mchid: stage.mchid, out_trade_no: stage.number() }
      stage.simulator.control.addFault({ operation: 'place', fault: 'timeout_after', times: 1, ...order })
      const creating = stage.create({ out_trade_no: order.out_trade_no })
      await until('WeChat has it', () => callsOf(stage, order, 'place').length > 0)
      await stage.run(order).terminate('by mistake')
      await creating
      await stage.reaches(order, 'awaiting_payment')
      stage.pay(order)
      await stage.reaches(order, 'fulfilled')
      await stage.rests(order)
      await expectFulfilledOnce(stage, order)
      expect(callsOf(stage, order, 'place').length).toBeGreaterThanOrEqual(2)
    })

    it('while it closed is closed all the same', async () => {
      const order = await stage.ordered()
      stage.simulator.control.addFault({ operation: 'close', fault: 'SYSTEM_ERROR', times: 1, ...order })
      const closing = stage.call('POST', `/v1/orders/${order.out_trade_no}/close`)
      await until('a close was sent', () => callsOf(stage, order, 'close').length > 0)
      await stage.run(order).terminate('by mistake')
      await closing
      const record = await stage.reaches(order, 'closed')
      expectSound(record)
      expect(tradeState(order)).toBe('CLOSED')
    })

    it('while the shop was told is told under the same id, and decided once', async () => {
      let is_slow = true
      const order = await stage.ordered()
      stage.shop.answer = (event) => {
        if (event.data.order?.out_trade_no === order.out_trade_no && is_slow) return { status: 503 }
        return { status: 200, body: '{"fulfilment":"fulfilled"}' }
      }
      stage.pay(order)
      await until('the shop was told', () => stage.shop.of(order.out_trade_no).length > 0)
      await stage.run(order).terminate('by mistake')
      is_slow = false
      await stage.reaches(order, 'fulfilled')
      await stage.rests(order)
      await expectFulfilledOnce(stage, order)
    })
  })

  describe('that was cancelled', () => {
    it('closes its order at WeChat and only then says closed', async () => {
      const order = await stage.ordered()
      await stage.run(order).cancel()
      const record = await stage.reaches(order, 'closed')
      expect(record.timeline.map(({ event }) => event)).toEqual(['placed', 'close_asked', 'closed_at_wechat'])
      expect(record.close_reason).toBe('temporal_ui')
      expect(tradeState(order)).toBe('CLOSED')
      await stage.rests(order)
      expect((await stage.run(order).describe()).status.name).toBe('COMPLETED')
    })

    it('is fulfilled when the payer was faster', async () => {
      const order = await stage.ordered()
      stage.pay(order, 'pay_while_closing')
      await stage.run(order).cancel()
      const record = await stage.reaches(order, 'fulfilled')
      expect(record.timeline.map(({ event }) => event)).toContain('close_asked')
      await stage.rests(order)
      await expectFulfilledOnce(stage, order)
    })

    it('while it placed closes what WeChat may have taken', async () => {
      const order = { mchid: stage.mchid, out_trade_no: stage.number() }
      stage.simulator.control.addFault({ operation: 'place', fault: 'timeout_after', times: 1, ...order })
      const creating = stage.create({ out_trade_no: order.out_trade_no })
      await until('WeChat has it', () => callsOf(stage, order, 'place').length > 0)
      await stage.run(order).cancel()
      await creating
      const record = await stage.reaches(order, 'closed')
      expectSound(record)
      expect(tradeState(order)).toBe('CLOSED')
    })

    it('while the shop was told goes on: what is paid cannot be closed', async () => {
      const order = await stage.ordered()
      const shop = thinkingShop()
      stage.pay(order)
      await until('the shop was told', () => stage.shop.of(order.out_trade_no).length > 0)
      await stage.run(order).cancel()
      shop.decides()
      await stage.reaches(order, 'fulfilled')
      stage.shop.answer = () => ({ status: 200, body: '{"fulfilment":"fulfilled"}' })
      await stage.rests(order)
      const record = await expectFulfilledOnce(stage, order)
      expect(record.timeline.map(({ event }) => event)).toEqual(['placed', 'payment_found', 'fulfilled'])
      expect(stage.shop.typesOf(order.out_trade_no)).toEqual(['order.paid'])
    })
  })

  describe('that was sent what nobody can read', () => {
    /** As `temporal workflow signal` does it: the bytes that it was given, or none. */
    async function signalBytes({ out_trade_no, mchid }: OrderKey, signalName: string, text?: string): Promise<void> {
      const { connection, namespace } = stage.temporal
      const payload = { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from(text ?? '') }
      await connection.workflowService.signalWorkflowExecution({
        namespace,
        workflowExecution: { workflowId: workflowId.order({ mchid, out_trade_no }) },
        signalName,
        input: { payloads: text === undefined ? [] : [payload] },
      })
    }

    it('asks WeChat when it was a check without input, drops the rest, and is paid as ever', async () => {
      const order = await stage.ordered()
      await signalBytes(order, signals.check_requested)
      await until('WeChat was asked', () => callsOf(stage, order, 'query').length > 0)
      for (const name of Object.values(signals))
        for (const text of [undefined, 'null', '7', '"x"', '[]', '{"operation_id":', '{"evidence_id":3}'])
          await signalBytes(order, name, text)
      await signalBytes(order, 'nobodyKnowsThis', '{')
      const refused = stage.run(order).executeUpdate('close', { args: [{ operation_id: 7 }] })
      const failure: unknown = await refused.catch((error: unknown) => (error as Error).cause)
      expect(String(failure)).toContain('close cannot be read')
      stage.pay(order)
      await stage.reaches(order, 'fulfilled')
      await stage.rests(order)
      await expectFulfilledOnce(stage, order)
    })
  })

  describe('that delivers an event', () => {
    it.each(['terminate', 'cancel'] as const)(
      'is carried on after a %s: the event is heard, under one id',
      async (wish) => {
        const order = await stage.ordered()
        let is_open = false
        stage.shop.answer = () => ({ status: is_open ? 200 : 503 })
        await stage.insist('POST', `/v1/orders/${order.out_trade_no}/close`)
        await until('the shop was told', () => stage.shop.of(order.out_trade_no).length > 0)
        const [delivery] = await stage.store.deliveries.ofEvent(order.mchid, eventId(order, 1))
        if (!delivery) throw new Error('no delivery')
        await stage.temporal.client.workflow.getHandle(workflowId.delivery(delivery._id))[wish]()
        is_open = true
        await until(
          'it is delivered',
          async () => (await stage.store.deliveries.find(delivery._id))?.state === 'delivered',
        )
        stage.shop.answer = () => ({ status: 200, body: '{"fulfilment":"fulfilled"}' })
        expect(new Set(stage.shop.of(order.out_trade_no).map(({ id }) => id)).size).toBe(1)
        expect(stage.shop.of(order.out_trade_no).map(({ type }) => type)).toContain('order.closed')
      },
    )
  })

  describe('that was reset', () => {
    /** Numbers of the events an operator can choose in Temporal UI: every workflow task that was completed. */
    async function resetPoints(order: OrderKey): Promise<number[]> {
      const { events } = await stage.run(order).fetchHistory()
      return (events ?? [])
        .filter((event) => event.workflowTaskCompletedEventAttributes)
        .map(({ eventId }) => Number(eventId))
    }

    async function reset(order: OrderKey, point: number, run_id: string): Promise<void> {
      const { connection, namespace } = stage.temporal
      await connection.workflowService.resetWorkflowExecution({
        namespace,
        workflowExecution: { workflowId: stage.run(order).workflowId, runId: run_id },
        reason: 'an operator wants to see it again',
        workflowTaskFinishEventId: point as never,
        requestId: randomUUID(),
      })
    }

    const runId = async (order: OrderKey) => (await stage.run(order).describe()).runId

    /** Everything outside the order's own run that a second life could have touched. */
    async function footprint(order: OrderKey) {
      const { timeline, state, revision } = await stage.record(order)
      const { orders, calls } = stage.simulator.control.view(order.mchid, order.out_trade_no)
      const [payments, entries, events] = await Promise.all([
        stage.store.payments.ofOrder(order.mchid, orderId(order)),
        stage.store.journal.ofOrder(order.mchid, order.out_trade_no),
        stage.call<{ data: { id: string }[] }>('GET', `/v1/events?out_trade_no=${order.out_trade_no}`),
      ])
      return {
        record: { timeline, state, revision },
        wechat: { orders, placements: calls.filter(({ operation }) => operation !== 'query') },
        booked: [payments, entries],
        events: events.body.data.map(({ id }) => id),
        heard: stage.shop.of(order.out_trade_no).map(({ id }) => id),
      }
    }

    /**
     * A fact in the middle of a step gives the operator a point at which that step is still under way: once a task of
     * the run has been completed behind it, since the server hands over together whatever came meanwhile.
     */
    async function disturb(order: OrderKey): Promise<void> {
      const disturbances = async () => {
        const { events } = await stage.run(order).fetchHistory()
        const isOne = (name?: string | null) => name === signals.check_requested
        const places = (events ?? []).flatMap((event, place) =>
          isOne(event.workflowExecutionSignaledEventAttributes?.signalName) ? [place] : [],
        )
        const behind = (events ?? []).slice(places.at(-1))
        return { count: places.length, is_handled: behind.some((event) => event.workflowTaskCompletedEventAttributes) }
      }
      const { count } = await disturbances()
      await stage.run(order).signal(signals.check_requested, { operation_id: 'disturb' })
      await until('the run heard it in the middle of its step', async () => {
        const now = await disturbances()
        return now.count > count && now.is_handled
      })
    }

    it('to any earlier event after it was paid and fulfilled does nothing a second time', async () => {
      const order = { mchid: stage.mchid, out_trade_no: stage.number() }
      stage.simulator.control.addFault({ operation: 'place', fault: 'slow', delay_ms: 1_500, times: 1, ...order })
      const shop = thinkingShop()
      const creating = stage.create({ out_trade_no: order.out_trade_no })
      await until('it is being placed', async () => (await stage.record(order)).placement.attempts > 0)
      await disturb(order)
      await creating
      stage.pay(order)
      await until('the shop was told', () => stage.shop.of(order.out_trade_no).length > 0)
      await disturb(order)
      shop.decides()
      await stage.reaches(order, 'fulfilled')
      stage.shop.answer = () => ({ status: 200, body: '{"fulfilment":"fulfilled"}' })
      await stage.rests(order)
      const before = await footprint(order)
      const first_run = await runId(order)
      const points = await resetPoints(order)
      expect(points.length).toBeGreaterThanOrEqual(5)
      for (const point of points) {
        await reset(order, point, first_run)
        expect(await runId(order)).not.toBe(first_run)
        await stage.rests(order)
        expect((await stage.run(order).describe()).status.name).toBe('COMPLETED')
        expect(await footprint(order), `reset to ${point}`).toEqual(before)
      }
      await expectFulfilledOnce(stage, order)
    })

    it('to any earlier event after it was closed does nothing a second time', async () => {
      const order = await stage.ordered()
      await stage.insist('POST', `/v1/orders/${order.out_trade_no}/close`)
      await stage.reaches(order, 'closed')
      await stage.rests(order)
      await until('the shop knows', () => stage.shop.typesOf(order.out_trade_no).includes('order.closed'))
      const before = await footprint(order)
      const first_run = await runId(order)
      for (const point of await resetPoints(order)) {
        await reset(order, point, first_run)
        await stage.rests(order)
        expect(await footprint(order), `reset to ${point}`).toEqual(before)
      }
    })

    it('while it waits goes on waiting, and is paid once', async () => {
      const order = await stage.ordered()
      for (const position of [-1, 0, -1]) {
        const points = await resetPoints(order)
        const point = points.at(position) ?? 0
        await reset(order, point, await runId(order))
        // Of its history the new run keeps what was before the point; then it has done a task of its own.
        await until('the new run waits', async () => (await resetPoints(order)).length > points.indexOf(point))
      }
      stage.pay(order)
      await stage.reaches(order, 'fulfilled')
      await stage.rests(order)
      await expectFulfilledOnce(stage, order)
      expect(callsOf(stage, order, 'place')).toHaveLength(1)
    })

    it('after the shop gave its word later does not wait for that word again', async () => {
      const order = await stage.ordered()
      stage.shop.answer = () => ({ status: 202 })
      stage.pay(order)
      await until('the shop will answer later', async () => (await stage.record(order)).fulfilment.result === 'pending')
      await stage.insist('POST', `/v1/orders/${order.out_trade_no}/fulfilment`, { result: 'fulfilled' })
      await stage.rests(order)
      stage.shop.answer = () => ({ status: 200, body: '{"fulfilment":"fulfilled"}' })
      const before = await footprint(order)
      const first_run = await runId(order)
      for (const point of await resetPoints(order)) {
        await reset(order, point, first_run)
        await stage.rests(order)
        expect(await footprint(order), `reset to ${point}`).toEqual(before)
      }
      await expectFulfilledOnce(stage, order)
    })

    it('while the shop thinks hears one decision, however often the shop is asked under that id', async () => {
      const order = await stage.ordered()
      const shop = thinkingShop()
      stage.pay(order)
      await until('the shop was told', () => stage.shop.of(order.out_trade_no).length > 0)
      await reset(order, (await resetPoints(order))[0] ?? 0, await runId(order))
      shop.decides()
      await stage.reaches(order, 'fulfilled')
      stage.shop.answer = () => ({ status: 200, body: '{"fulfilment":"fulfilled"}' })
      await stage.rests(order)
      await expectFulfilledOnce(stage, order)
    })
  })
})
