import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createCommands } from '../../../api/temporal/commands.ts'
import { beijingTime } from '../../../domain/calendar.ts'
import { evidenceId } from '../../../domain/ids.ts'
import type { OrderKey } from '../../../domain/ids.ts'
import { shownTo } from '../../../runtime/config.ts'
import { silentLogger } from '../../../runtime/logger.ts'
import { createMetrics } from '../../../runtime/metrics.ts'
import { publicId } from '../../../store/ids.ts'
import { callsOf, expectFulfilledOnce } from '../../stage/audit.ts'
import { Stage } from '../../stage/stage.ts'
import { until } from '../../stage/until.ts'
import { Wire } from '../../stage/wire.ts'

describe('a placement that worked and was never answered', () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await Stage.open({ time_scale: 30 })
  })
  afterAll(async () => await stage.close())

  it.each(['timeout_after', 'disconnect_after'])(
    'is sent again with the same bytes and leaves one order (%s)',
    async (fault) => {
      const order = { mchid: stage.mchid, out_trade_no: stage.number() }
      stage.simulator.control.addFault({ operation: 'place', fault, times: 1, ...order })
      const { status, body } = await stage.create({ out_trade_no: order.out_trade_no })
      expect([201, 202]).toContain(status)
      const record = await stage.reaches(order, 'awaiting_payment')
      expect(callsOf(stage, order, 'place').length).toBeGreaterThanOrEqual(2)
      // The code that counts is the one that the last answer brought: the one before it is dead.
      const [placed] = stage.simulator.control.view(order.mchid, order.out_trade_no).orders
      expect(record.code?.url).toBe(placed?.code_url)
      expect(body.out_trade_no).toBe(order.out_trade_no)
      stage.pay(order)
      await stage.reaches(order, 'fulfilled')
      await stage.rests(order)
      await expectFulfilledOnce(stage, order)
    },
  )
})

describe('a write that the database receives long after its attempt was given up', () => {
  let stage: Stage
  let wire: Wire
  beforeAll(async () => {
    stage = await Stage.open({ time_scale: 30, worker: false, settings: { fulfilment: { mode: 'event' } } })
    wire = await Wire.to(new URL(stage.config.mongodb_uri).host)
    const mongodb_uri = `mongodb://${wire.address}/?directConnection=true`
    await stage.startWorker({ config: { ...stage.config, mongodb_uri } })
    stage.endsWith(() => wire.close())
  })
  afterAll(async () => {
    await wire.release()
    await stage.close()
  })

  /** The first command to `collection` that holds all of `words`, and with it whatever follows on that connection. */
  const commandWith =
    (...words: string[]) =>
    (sent: Buffer) =>
      words.every((word) => sent.includes(word))

  it.each([
    ['says placed', ['findAndModify', 'orders', 'placed_time']],
    ['keeps the payment', ['insert', 'payments', 'transaction_id']],
    ['posts to the journal', ['insert', 'journal', 'postings']],
    ['says paid', ['findAndModify', 'orders', 'payment_found']],
    ['inserts the delivery', ['insert', 'deliveries', 'next_attempt_time']],
    ['tells the event', ['insert', 'events', 'order.paid']],
    ['keeps the attempt', ['findAndModify', 'deliveries', 'read_as']],
    ['says fulfilled', ['findAndModify', 'orders', 'answered:1:fulfilled']],
  ])('changes nothing twice when it %s', async (_, words) => {
    const caught = wire.caught
    wire.catchFirst(commandWith(...words))
    const created = await stage.create()
    const order = { mchid: stage.mchid, out_trade_no: created.body.out_trade_no }
    await stage.reaches(order, 'awaiting_payment')
    stage.pay(order)
    await stage.reaches(order, 'fulfilled')
    await stage.rests(order)
    const before = await stage.record(order)
    expect(wire.caught).toBe(caught + 1)
    await wire.release()
    expect(await stage.record(order)).toEqual(before)
    await expectFulfilledOnce(stage, order)
    expect((await stage.store.deliveries.ofEvent(order.mchid, `${before._id}/1`)).map(({ state }) => state)).toEqual([
      'delivered',
    ])
  })
})

describe('a payment told again at the very moment its run completes', () => {
  let stage: Stage
  beforeAll(async () => {
    // Real time: the sweeper, which would find what was lost, comes only after two minutes.
    stage = await Stage.open({ settings: { fulfilment: { mode: 'event' } } })
    // On a busy machine a query would find the money before its notification is sent.
    stage.simulator.control.addFault({ operation: 'query', fault: 'SYSTEM_ERROR', mchid: stage.mchid })
  })
  afterAll(async () => await stage.close())

  it('never stays without an outcome', async () => {
    const { client, namespace, connection } = stage.temporal
    const temporal = { client, namespace, connection, close: () => Promise.resolve() }
    const queue_prefix = stage.config.queue_prefix
    const log = silentLogger
    const commands = createCommands({
      client: temporal,
      intake: temporal,
      sealer: stage.store.sealer,
      queue_prefix,
      shown: shownTo(stage.config),
      log,
      metrics: createMetrics(),
    })
    const told: Promise<boolean>[] = []

    /** The same money under another notification's id: evidence of its own, which its run must settle. */
    async function tellAgain(order: OrderKey, copy: number, delay_ms: number): Promise<boolean> {
      const [first] = await stage.store.evidence.ofOrder(order.mchid, order.out_trade_no)
      if (!first) throw new Error('the first notification is not archived')
      const _id = evidenceId.notification(order.mchid, `${order.out_trade_no}-${copy}`)
      const blank = { outcome: null, applied_time: null, applied_to: null, unapplied: true } as const
      const receive_time = beijingTime(Date.now())
      await stage.store.evidence.archive({ ...first, ...blank, _id, id: publicId('evd', _id), receive_time })
      await pause(delay_ms)
      // The intake has 1.5 s for this, and a machine that is busy may need more: then the same is told once more.
      return await until('Temporal has it', () => commands.signalPaymentFound(order, { evidence_id: _id }))
    }

    stage.shop.answer = ({ data }) => {
      const order = { mchid: stage.mchid, out_trade_no: data.order?.out_trade_no ?? '' }
      for (const copy of [1, 2]) told.push(tellAgain(order, copy, Math.random() * 150))
      return { status: 200, body: '{"fulfilment":"fulfilled"}', after_ms: 30 }
    }
    const orders: OrderKey[] = []
    while (orders.length < 60) {
      const some = await Promise.all(Array.from({ length: 6 }, () => stage.ordered()))
      for (const order of some) stage.pay(order)
      orders.push(...some)
    }
    for (const order of orders) await stage.reaches(order, 'fulfilled')
    expect(await Promise.all(told)).toEqual(Array.from({ length: 120 }, () => true))
    for (const order of orders) {
      await stage.rests(order)
      const evidence = await until('all evidence has an outcome', async () => {
        const all = await stage.store.evidence.ofOrder(order.mchid, order.out_trade_no)
        return all.length === 3 && all.every(({ outcome }) => outcome !== null) ? all : null
      })
      expect(evidence.map(({ outcome }) => outcome).toSorted()).toEqual(['applied', 'linked', 'linked'])
      await expectFulfilledOnce(stage, order)
    }
  })
})
