import { WorkflowNotFoundError } from '@temporalio/client'
import type { WorkflowHandle } from '@temporalio/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { OrderKey } from '../../../domain/ids.ts'
import { callsOf, expectFulfilledOnce, expectPlacedAlike, expectSound } from '../../stage/audit.ts'
import { refundCallsOf } from '../../stage/money.ts'
import { startRole } from '../../stage/role.ts'
import type { Role } from '../../stage/role.ts'
import { Stage } from '../../stage/stage.ts'
import { until } from '../../stage/until.ts'
import { Wire } from '../../stage/wire.ts'

async function hasRun(run: WorkflowHandle): Promise<boolean> {
  try {
    await run.describe()
    return true
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false
    throw error
  }
}

describe('the API, killed after it wrote an order down and before Temporal heard of it', () => {
  let stage: Stage
  let wire: Wire
  let first: Role
  beforeAll(async () => {
    stage = await Stage.open({ time_scale: 30, worker: false, api: false })
    await stage.store.ensureIndexes()
    wire = await Wire.to(stage.config.temporal.address)
    stage.endsWith(() => wire.close())
    first = await startRole(stage, 'api', { TEMPORAL_ADDRESS: wire.address })
  })
  afterAll(async () => await stage.close())

  it('leaves an order without a run, which the same request again, or the sweeper, places once', async () => {
    const requests = [stage.number(), stage.number()].map((out_trade_no) => ({
      out_trade_no,
      description: '龙井茶',
      amount: { total: 990 },
    }))
    const [repeated, forgotten] = requests.map(({ out_trade_no }) => ({ mchid: stage.mchid, out_trade_no }))
    if (!repeated || !forgotten) throw new Error('two orders are needed')
    wire.hold()
    const unanswered = requests.map((request) => stage.call('POST', '/v1/orders', request).catch(() => 'cut off'))
    for (const order of [repeated, forgotten]) await until('it is written down', () => stage.store.orders.find(order))
    await first.kill()
    expect(await Promise.all(unanswered)).toEqual(['cut off', 'cut off'])
    wire.cut() // what the dead process had sent is lost
    expect([await hasRun(stage.run(repeated)), await hasRun(stage.run(forgotten))]).toEqual([false, false])

    await stage.startApi()
    const again = stage.call('POST', '/v1/orders', requests[0])
    await until('the repeat has started its run', () => hasRun(stage.run(repeated)))
    expect(await hasRun(stage.run(forgotten))).toBe(false)
    await stage.startWorker() // and with it the sweeper
    const { status, headers, body } = await again
    expect([status, headers.get('weft-replay'), body.out_trade_no]).toEqual([200, 'true', repeated.out_trade_no])
    for (const order of [repeated, forgotten]) {
      await stage.reaches(order, 'awaiting_payment')
      stage.pay(order)
      await stage.reaches(order, 'fulfilled')
      await stage.rests(order)
      await expectFulfilledOnce(stage, order)
      expect(callsOf(stage, order, 'place')).toHaveLength(1)
    }
  })
})

describe('the API, killed after it wrote a refund down and before Temporal heard of it', () => {
  let stage: Stage
  let wire: Wire
  let first: Role
  const orders: OrderKey[] = []
  beforeAll(async () => {
    stage = await Stage.open({ time_scale: 30, simulator: { time_scale: 60 } })
    for (const order of await Promise.all([stage.fulfilled(), stage.fulfilled()])) {
      await stage.rests(order)
      orders.push(order)
    }
    await stage.worker?.close()
    await stage.api?.close()
    wire = await Wire.to(stage.config.temporal.address)
    stage.endsWith(() => wire.close())
    first = await startRole(stage, 'api', { TEMPORAL_ADDRESS: wire.address })
  })
  afterAll(async () => await stage.close())

  it('leaves a refund without a run, which the same request again, or the sweeper, makes once', async () => {
    const requests = orders.map(({ out_trade_no }) => ({
      out_refund_no: stage.refundNumber(),
      out_trade_no,
      amount: { refund: 990 },
    }))
    const [repeated = '', forgotten = ''] = requests.map(({ out_refund_no }) => out_refund_no)
    wire.hold()
    const unanswered = requests.map((request) => stage.refund(request).catch(() => 'cut off'))
    for (const number of [repeated, forgotten])
      await until('it is written down', () => stage.store.refunds.find({ mchid: stage.mchid, out_refund_no: number }))
    await first.kill()
    expect(await Promise.all(unanswered)).toEqual(['cut off', 'cut off'])
    wire.cut() // what the dead process had sent is lost
    for (const number of [repeated, forgotten]) {
      expect(await hasRun(stage.refundRun(number))).toBe(false)
      expect((await stage.refundRecord(number)).state).toBe('created')
    }

    await stage.startApi()
    const again = stage.refund(requests[0] ?? {})
    await until('the repeat has started its run', () => hasRun(stage.refundRun(repeated)))
    expect(await hasRun(stage.refundRun(forgotten))).toBe(false)
    await stage.startWorker() // and with it the sweeper
    const { status, headers, body } = await again
    expect([status, headers.get('weft-replay'), body.out_refund_no]).toEqual([200, 'true', repeated])
    for (const [index, number] of [repeated, forgotten].entries()) {
      await stage.refundReaches(number, 'succeeded')
      const { out_trade_no = '' } = orders[index] ?? {}
      await until('the merchant heard', () => stage.shop.typesOf(out_trade_no).includes('refund.succeeded'))
      expect(refundCallsOf(stage, number, 'refund')).toHaveLength(1)
    }
    expect(stage.wechat.refunds.map(({ out_refund_no }) => out_refund_no).sort()).toEqual([repeated, forgotten].sort())
  })
})

describe('a worker, killed while orders wait', () => {
  let stage: Stage
  const workers: Role[] = []
  /** One order per state in which a run can wait; what they are doing is made sure of before the kill. */
  const orders = {} as Record<Waiting, OrderKey>
  type Waiting =
    | 'taken_unanswered'
    | 'unsent'
    | 'timer'
    | 'between_questions'
    | 'question'
    | 'close'
    | 'closed'
    | 'first_delivery'
    | 'delivery'
    | 'pending'

  beforeAll(async () => {
    stage = await Stage.open({ time_scale: 10, worker: false, settings: { fulfilment: { mode: 'event' } } })
    workers.push(await startRole(stage, 'worker'))
    let is_thinking = true
    stage.shop.answer = (event) => {
      const number = event.data.order?.out_trade_no
      if (number === orders.first_delivery.out_trade_no && is_thinking) return 'hang'
      if (number === orders.delivery.out_trade_no && event.attempt === 1) return { status: 503 }
      if (number === orders.delivery.out_trade_no && is_thinking) return 'hang'
      if (number === orders.pending.out_trade_no) return { status: 202 }
      return { status: 200, body: '{"fulfilment":"fulfilled"}' }
    }
    await bringIntoStates()
    await workers[0]?.kill()
    is_thinking = false
    stage.simulator.control.removeFaults(null)
    await payWhileNobodyWorks()
    workers.push(await startRole(stage, 'worker'))
  })
  afterAll(async () => await stage.close())

  const key = (): OrderKey => ({ mchid: stage.mchid, out_trade_no: stage.number() })
  /** Lasts until the worker is killed, however long it takes to bring all orders into their states. */
  const fault = (
    operation: 'place' | 'query' | 'close',
    kind: string,
    { mchid, out_trade_no }: OrderKey,
    times?: number,
  ) => stage.simulator.control.addFault({ operation, fault: kind, mchid, out_trade_no, ...(times && { times }) })
  /** What a run waits for. A call in line is made within its workflow task, and what that calls off still stands there. */
  const pending = async (order: OrderKey) => {
    const { pendingActivities, pendingWorkflowTask } = (await stage.run(order).describe()).raw
    if (pendingWorkflowTask) return ['in line']
    return (pendingActivities ?? []).map(({ activityType }) => activityType?.name)
  }
  /** The call is at WeChat, which never answers it. */
  const isAsked = (order: OrderKey, operation: string) =>
    until(`${operation} is under way`, () => callsOf(stage, order, operation).some(({ status }) => status === null))

  const isFirstOf = (activity: string) => (doing: string[]) => ['in line', activity].includes(doing.join())

  async function bringIntoStates(): Promise<void> {
    orders.first_delivery = await stage.ordered()
    orders.delivery = await stage.ordered()
    orders.pending = await stage.ordered()
    stage.pay(orders.pending)
    await until('the shop will answer later', async () => {
      return (await stage.record(orders.pending)).fulfilment.result === 'pending'
    })
    orders.between_questions = await stage.ordered()
    orders.question = await stage.ordered()
    fault('query', 'timeout_before', orders.question)
    orders.close = await stage.ordered()
    orders.closed = await stage.ordered()
    fault('close', 'timeout_before', orders.close)
    fault('close', 'timeout_after', orders.closed)
    await until('the first question was asked', () => callsOf(stage, orders.between_questions, 'query').length > 0)
    stage.pay(orders.first_delivery)
    await until('the shop thinks', () => stage.shop.of(orders.first_delivery.out_trade_no).length > 0)
    stage.pay(orders.delivery)
    orders.taken_unanswered = key()
    orders.unsent = key()
    fault('place', 'timeout_after', orders.taken_unanswered)
    fault('place', 'disconnect', orders.unsent, 2) // the first call, which is repeated at once
    fault('place', 'timeout_before', orders.unsent)
    for (const { out_trade_no } of [orders.taken_unanswered, orders.unsent])
      void stage.create({ out_trade_no }).catch(() => undefined)
    for (const { out_trade_no } of [orders.close, orders.closed])
      void stage.call('POST', `/v1/orders/${out_trade_no}/close`).catch(() => undefined)
    await Promise.all([
      isAsked(orders.taken_unanswered, 'place'),
      isAsked(orders.unsent, 'place'),
      isAsked(orders.question, 'query'),
      isAsked(orders.close, 'close'),
      // Nor does a question tell that it is closed.
      isAsked(orders.closed, 'close').then(() => fault('query', 'timeout_before', orders.closed)),
      until('the shop thinks', () => stage.shop.of(orders.delivery.out_trade_no).length > 1),
    ])
    const lookAround = async () => {
      const doing = await Promise.all(Object.values(orders).map(pending))
      return Object.fromEntries(Object.keys(orders).map((name, index) => [name, doing[index]]))
    }
    // Last: its first question is only three seconds away. One that was asked about already is not the one to look at.
    const doing = await until('an order waits for its first question', async () => {
      orders.timer = await stage.ordered()
      const seen = await lookAround()
      return seen['timer']?.length === 0 && seen
    })
    expect(doing).toEqual({
      // In line where the worker has seen that WeChat and the shop are quick, as they are but on a busy machine.
      taken_unanswered: expect.toSatisfy(isFirstOf('place')) as string[],
      unsent: ['place'],
      timer: [],
      between_questions: ['pollPayment'],
      question: ['pollPayment'],
      close: ['closeAtWeChat'],
      closed: ['closeAtWeChat'],
      first_delivery: expect.toSatisfy(isFirstOf('deliverPaid')) as string[],
      delivery: ['deliverPaid'],
      pending: [],
    })
  }

  async function payWhileNobodyWorks(): Promise<void> {
    // A machine that was too busy for the kill to come before its first question would find the money by repeating that.
    fault('query', 'SYSTEM_ERROR', orders.timer)
    stage.pay(orders.timer)
    stage.pay(orders.between_questions, 'lose_notification')
    stage.pay(orders.question, 'lose_notification')
    stage.pay(orders.taken_unanswered)
    await until('the notifications were acknowledged', () => {
      const sent = stage.wechat.notifications.flatMap(({ out_trade_no, attempts }) =>
        attempts.some(({ status }) => status === 204) ? [out_trade_no] : [],
      )
      return sent.includes(orders.timer.out_trade_no) && sent.includes(orders.taken_unanswered.out_trade_no)
    })
  }

  async function endsFulfilled(order: OrderKey): Promise<void> {
    await stage.reaches(order, 'fulfilled')
    await until('its run has ended', async () => (await stage.run(order).describe()).status.name === 'COMPLETED')
    await expectFulfilledOnce(stage, order)
  }

  it('before its first question, loses no payment', async () => {
    await endsFulfilled(orders.timer)
    expect((await stage.record(orders.timer)).payment?.found_by).toBe('notification')
  })

  it('between two questions, finds the payment by the next one', async () => {
    await endsFulfilled(orders.between_questions)
    expect((await stage.record(orders.between_questions)).payment?.found_by).toBe('query')
  })

  it('while a question is unanswered, asks again', async () => {
    await endsFulfilled(orders.question)
    expect((await stage.record(orders.question)).payment?.found_by).toBe('query')
  })

  it('while WeChat takes an order and does not say so, books the payment that comes meanwhile', async () => {
    await endsFulfilled(orders.taken_unanswered)
  })

  it('while WeChat is silent about an order, places the same bytes again', async () => {
    await stage.reaches(orders.unsent, 'awaiting_payment')
    stage.pay(orders.unsent)
    await endsFulfilled(orders.unsent)
    expect(callsOf(stage, orders.unsent, 'place').length).toBeGreaterThanOrEqual(2)
  })

  it.each(['close', 'closed'] as const)('while it closes, closes on (%s)', async (state) => {
    const record = await stage.reaches(orders[state], 'closed')
    expect(record.timeline.map(({ event }) => event)).toEqual(['placed', 'close_asked', 'closed_at_wechat'])
    expectSound(record)
    expectPlacedAlike(stage, orders[state])
    const [held] = stage.simulator.control.view(stage.mchid, orders[state].out_trade_no).orders
    expect(held?.trade_state).toBe('CLOSED')
  })

  it.each([
    ['first_delivery', 2],
    ['delivery', 3],
  ] as const)(
    'while the shop thinks, tells it again under the same id and hears one decision (%s)',
    async (name, times) => {
      await endsFulfilled(orders[name])
      const heard = stage.shop.of(orders[name].out_trade_no).filter(({ type }) => type === 'order.paid')
      expect(heard.length).toBeGreaterThanOrEqual(times)
      expect(new Set(heard.map(({ id }) => id)).size).toBe(1)
    },
  )

  it('while the shop’s word is awaited, still takes it', async () => {
    const path = `/v1/orders/${orders.pending.out_trade_no}/fulfilment`
    const told = await until('the word is taken', async () => {
      const { status, body } = await stage.call('POST', path, { result: 'fulfilled' })
      if (status === 200) return body
      throw new Error(`${status} ${JSON.stringify(body)}`)
    })
    expect(told.state).toBe('fulfilled')
    await endsFulfilled(orders.pending)
    expect(stage.shop.typesOf(orders.pending.out_trade_no)).toEqual(['order.paid'])
  })
})
