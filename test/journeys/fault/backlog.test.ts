import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { clearDatabase, startDatabase } from '../../../dev/servers/servers.ts'
import type { DatabaseServer } from '../../../dev/servers/servers.ts'
import type { OrderKey } from '../../../domain/ids.ts'
import { expectFulfilledOnce } from '../../stage/audit.ts'
import { Stage } from '../../stage/stage.ts'
import { until, within } from '../../stage/until.ts'

/** More than a worker has slots for workflow tasks (40). */
const paid_meanwhile = 60
const waiting_meanwhile = 5
/** 30 rounds of the local attempts, and regular ones until their waits are the longest they can be. */
const outage_ms = 60_000

describe('a database that is away for a minute', () => {
  const directory = mkdtempSync(join(tmpdir(), 'weft-backlog-'))
  const data_dir = join(directory, 'database')
  let database: DatabaseServer
  let stage: Stage
  let neighbour: Stage
  const paid: OrderKey[] = []
  const waiting: OrderKey[] = []
  beforeAll(async () => {
    database = await startDatabase({ data_dir })
    const settings = { fulfilment: { mode: 'event' as const } }
    // WeChat tells of a few at a time, so that how long one is answered says nothing of how many there are.
    const simulator = { time_scale: 60, notify_concurrency: 8 }
    stage = await Stage.open({ time_scale: 30, mongodb_uri: database.uri, settings, simulator })
    neighbour = await Stage.open({ time_scale: 30 })
    const warming = await stage.ordered()
    stage.pay(warming)
    await stage.reaches(warming, 'fulfilled')
    for (let n = 0; n < waiting_meanwhile; n += 1) waiting.push(await stage.ordered())
    while (paid.length < paid_meanwhile)
      paid.push(...(await Promise.all(Array.from({ length: 10 }, () => stage.ordered()))))
  })
  afterAll(async () => {
    try {
      await Promise.all([stage.close(), neighbour.close()])
    } finally {
      await database.stop()
      clearDatabase(data_dir)
      rmSync(directory, { recursive: true, force: true })
    }
  })

  const attemptsFor = (order: OrderKey) =>
    stage.simulator.control.view(order.mchid, order.out_trade_no).notifications.flatMap(({ attempts }) => attempts)
  const isRunning = async (order: OrderKey) => (await stage.run(order).describe()).status.name === 'RUNNING'

  it('holds up only what needs it, loses nothing, and everything ends right when it is back', async () => {
    database.kill()
    const away_since = performance.now()
    for (const order of paid) stage.pay(order)
    await until('every payment is durable somewhere', () =>
      paid.every((order) => attemptsFor(order).some(({ status }) => status === 204)),
    )
    // WeChat's five seconds are the simulator's, by a timer set as it sends.
    expect(paid.flatMap(attemptsFor).filter(({ error }) => error === 'no answer in time')).toEqual([])

    // An order of other records goes all its way, in the same namespace.
    const elsewhere = await neighbour.ordered()
    neighbour.pay(elsewhere)
    await neighbour.reaches(elsewhere, 'fulfilled')
    // A query needs a slot for workflow tasks: the worker whose 60 orders are blocked still has some.
    for (const order of waiting) await within(10_000, () => stage.run(order).query('__temporal_workflow_metadata'))
    await pause(Math.max(0, outage_ms - (performance.now() - away_since)))
    expect((await Promise.all([...paid, ...waiting].map(isRunning))).every(Boolean)).toBe(true)

    await database.restart()
    for (const order of paid) await stage.reaches(order, 'fulfilled')
    for (const order of waiting) {
      await stage.reaches(order, 'awaiting_payment')
      stage.pay(order)
    }
    for (const order of waiting) await stage.reaches(order, 'fulfilled')
    for (const order of [...paid, ...waiting]) {
      await stage.rests(order)
      await expectFulfilledOnce(stage, order)
      expect(stage.shop.typesOf(order.out_trade_no)).toContain('order.paid')
    }
  }, 600_000)
})
