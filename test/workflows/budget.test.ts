import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { workflowId } from '../../domain/ids.ts'
import type { OrderKey } from '../../domain/ids.ts'
import { order_updates, signals } from '../../domain/messages.ts'
import { textOfHistory } from '../stage/payloads.ts'
import { Stage } from '../stage/stage.ts'
import { until } from '../stage/until.ts'

/** What the UI's page of a workflow reads. */
interface Metadata {
  currentDetails: string
  definition: {
    type: string
    signalDefinitions: { name: string; description: string }[]
    updateDefinitions: { name: string; description: string }[]
  }
}

describe('the run of an order', () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await Stage.open({ settings: { fulfilment: { mode: 'event' } } })
  })
  afterAll(async () => await stage.close())

  const metadataOf = (order: OrderKey) => stage.run(order).query<Metadata>('__temporal_workflow_metadata')
  const attributesOf = async (order: OrderKey) => {
    const { typedSearchAttributes } = await stage.run(order).describe()
    const ours = typedSearchAttributes.getAll().filter(({ key }) => key.name.startsWith('Weft'))
    return Object.fromEntries(ours.map(({ key, value }) => [key.name, value]))
  }

  /** An order that is paid and answered, with its history. */
  const sold = async (story?: Parameters<Stage['pay']>[1]) => {
    const order = await stage.ordered()
    stage.pay(order, story)
    await stage.reaches(order, 'fulfilled')
    await stage.rests(order)
    return { record: await stage.record(order), history: await stage.run(order).fetchHistory() }
  }

  type History = Awaited<ReturnType<typeof sold>>['history']
  const activitiesIn = ({ events }: History) =>
    (events ?? []).flatMap(({ activityTaskScheduledEventAttributes: asked }) => asked?.activityType?.name ?? [])
  /**
   * Whether a busy machine has cost events: a task timed out, or its worker had to ask for more time; what is done in line
   * had to be done by a regular attempt; or WeChat was asked before the money was told of. `regular`: what never is in line.
   */
  const wasHeldUp = (history: History, regular: string[]) =>
    activitiesIn(history).some((name) => !regular.includes(name)) ||
    (history.events ?? []).some(
      (event, place, all) =>
        event.workflowTaskTimedOutEventAttributes ||
        (event.workflowTaskCompletedEventAttributes && all[place + 1]?.workflowTaskScheduledEventAttributes),
    )

  it('costs at most 32 events where this worker has not seen yet that all answer quickly', async () => {
    const history = await until('an order that nothing held up', async () => {
      const made = (await sold()).history
      if (!wasHeldUp(made, ['place', 'deliverPaid'])) return made
      await stage.worker?.close()
      await stage.startWorker() // which has seen nothing yet
      return null
    })
    expect(activitiesIn(history)).toEqual(['place', 'deliverPaid'])
    expect(history.events?.length).toBeLessThanOrEqual(32)
  })

  it('costs at most 22 events when it is paid before WeChat was asked, nobody observes, and all answer quickly', async () => {
    // On a busy machine nobody is quick.
    const { record, history } = await until('an order whose calls were all made in line', async () => {
      const made = await sold()
      return activitiesIn(made.history).length === 0 && made
    })
    // What is paid with is no business of whoever may look at Temporal.
    expect(record.code?.url).toMatch(/^weixin:/)
    expect(textOfHistory(history)).not.toContain('weixin:')
    expect(record.payment?.found_by).toBe('notification')
    expect(record.asked.last_time).toBeNull()
    expect(history.events?.length).toBeLessThanOrEqual(22)
  })

  it('costs no more for every notification that says the same again', async () => {
    const { events } = await until('an order that nothing held up', async () => {
      const { history } = await sold('notify_three_times')
      return !wasHeldUp(history, ['recordPayment']) && history
    })
    expect(events?.length).toBeLessThanOrEqual(42)
  })

  it('says in Temporal UI, in words, what it waits for and what can be sent to it', async () => {
    const order = await stage.ordered({ amount: { total: 12_345 } })
    const record = await stage.record(order)
    const { currentDetails, definition } = await metadataOf(order)
    const lines = currentDetails.split('\n')
    expect(lines[0]).toContain('**awaiting_payment** · ¥123.45 · order')
    expect(currentDetails).toContain('Waiting for the payer. A notification ends the wait')
    expect(currentDetails).toMatch(/Next: WeChat is asked .* after placing, then every /)
    // A moment that an activity may move would stand here when it has passed.
    expect(currentDetails).not.toContain(record.next_action?.time?.slice(0, 19).replace('T', ' '))
    expect(currentDetails).toContain(`\`${order.out_trade_no}\` of merchant \`${order.mchid}\``)
    expect(currentDetails).toContain(`can be paid until ${record.time_expire.slice(0, 19).replace('T', ' ')}`)
    const named = (definitions: { name: string; description: string }[]) =>
      definitions.filter(({ description }) => description).map(({ name }) => name)
    expect(definition.type).toBe('payOrder')
    const { differences_moved: _of_days, ...of_orders } = signals
    expect(named(definition.signalDefinitions).sort()).toEqual(Object.values(of_orders).sort())
    expect(named(definition.updateDefinitions).sort()).toEqual(Object.values(order_updates).sort())
    const description = await stage.run(order).describe()
    expect(await description.staticSummary()).toBe(`Order ${order.out_trade_no} of merchant ${order.mchid}`)
    expect(await description.staticDetails()).toContain('Waits for the payment of order')
  })

  it('names its timer, and can be found by merchant, number, state and attention', async () => {
    const order = await stage.ordered()
    const { mchid: WeftMerchant, out_trade_no: WeftOutTradeNo } = order
    // The record says so a moment before the task is done that says it to Temporal.
    const timer = await until('it waits', async () => {
      const { events } = await stage.run(order).fetchHistory()
      return events?.find(({ timerStartedEventAttributes }) => timerStartedEventAttributes)
    })
    expect(await attributesOf(order)).toEqual({ WeftMerchant, WeftOutTradeNo, WeftState: 'awaiting_payment' })
    const summary = Buffer.from(timer.userMetadata?.summary?.data ?? []).toString('utf8')
    expect(summary).toBe('"Until WeChat is asked for the first time"')
    stage.pay(order, 'wrong_amount')
    await stage.reaches(order, 'review')
    await stage.rests(order)
    const WeftAttention = 'payment_contradicted'
    expect(await attributesOf(order)).toEqual({ WeftMerchant, WeftOutTradeNo, WeftState: 'review', WeftAttention })
    const query = `WeftMerchant = "${WeftMerchant}" AND WeftAttention = "payment_contradicted"`
    const found = await until('it is listed', async () => {
      const listed = []
      for await (const run of stage.temporal.client.workflow.list({ query })) listed.push(run.workflowId)
      return listed.length > 0 && listed
    })
    expect(found).toEqual([workflowId.order(order)])
  })

  it('shares nothing with the runs beside it in the same worker', async () => {
    const orders = await Promise.all(
      Array.from({ length: 12 }, (_, i) => stage.ordered({ amount: { total: 100 + i } })),
    )
    const closed = orders.filter((_, index) => index % 3 === 0)
    const paid = orders.filter((_, index) => index % 3 === 1)
    const waiting = orders.filter((_, index) => index % 3 === 2)
    for (const order of paid) stage.pay(order)
    await Promise.all(closed.map(({ out_trade_no }) => stage.call('POST', `/v1/orders/${out_trade_no}/close`)))
    await Promise.all(paid.map((order) => stage.reaches(order, 'fulfilled')))
    await Promise.all(closed.map((order) => stage.reaches(order, 'closed')))
    for (const [index, order] of orders.entries()) {
      const { currentDetails } = await metadataOf(order)
      const named = orders.filter(({ out_trade_no }) => currentDetails.includes(out_trade_no))
      expect(named).toEqual([order])
      expect(currentDetails).toContain(`¥1.${String(index).padStart(2, '0')}`)
    }
    for (const order of waiting) {
      const { state, timeline } = await stage.record(order)
      expect([state, timeline.length]).toEqual(['awaiting_payment', 1])
      expect((await metadataOf(order)).currentDetails).toContain('**awaiting_payment**')
      expect((await stage.run(order).describe()).status.name).toBe('RUNNING')
    }
  })
})
