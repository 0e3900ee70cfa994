import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startApi } from '../../../api/main.ts'
import type { OrderKey } from '../../../domain/ids.ts'
import { silentLogger } from '../../../runtime/logger.ts'
import { expectFulfilledOnce } from '../../stage/audit.ts'
import { startOwnServers } from '../../stage/outage.ts'
import type { OwnServers } from '../../stage/outage.ts'
import { Stage } from '../../stage/stage.ts'
import { until } from '../../stage/until.ts'
import { Wire } from '../../stage/wire.ts'

describe('a notification', () => {
  let servers: OwnServers
  let stage: Stage
  beforeAll(async () => {
    servers = await startOwnServers()
    stage = await Stage.open({
      time_scale: 30,
      temporal_address: servers.temporal.address,
      mongodb_uri: servers.database.uri,
      simulator: { time_scale: 60 },
    })
    // The API keeps the keys of merchants it has heard of; without any, an absence of the database can only be a 500.
    const order = await stage.ordered()
    stage.pay(order)
    await stage.reaches(order, 'fulfilled')
  })
  afterAll(async () => {
    try {
      await stage.close()
    } finally {
      await servers.clear()
    }
  })
  /** An order whose payment no question finds first: what is told of it can only have been the notification. */
  beforeEach(() => {
    stage.simulator.control.removeFaults(null)
    stage.simulator.control.addFault({ operation: 'query', fault: 'SYSTEM_ERROR', mchid: stage.mchid })
  })

  const attemptsFor = (order: OrderKey) =>
    stage.simulator.control.view(order.mchid, order.out_trade_no).notifications.flatMap(({ attempts }) => attempts)
  /** In time, or it has no status: the simulator hangs up after WeChat's five seconds, by a timer set as it sends. */
  const firstAnswer = (order: OrderKey) => until('the first notification is answered', () => attemptsFor(order)[0])

  async function endsFulfilled(order: OrderKey): Promise<void> {
    await stage.reaches(order, 'fulfilled')
    await stage.rests(order)
    const record = await expectFulfilledOnce(stage, order)
    expect(record.payment?.found_by).toBe('notification')
  }

  it('that finds Temporal away is acknowledged, kept, and handed over when Temporal is back', async () => {
    const order = await stage.ordered()
    servers.temporal.kill()
    stage.pay(order)
    const { status } = await firstAnswer(order)
    expect(status).toBe(204)
    const [evidence] = await stage.store.evidence.ofOrder(order.mchid, order.out_trade_no)
    expect(evidence).toMatchObject({ kind: 'notification', verdict: 'verified', outcome: null })
    expect((await stage.record(order)).state).toBe('awaiting_payment')

    const refused = await stage.create({ out_trade_no: 'WHILETEMPORALISAWAY' })
    expect([refused.status, refused.body]).toMatchObject([503, { code: 'unavailable' }])

    await servers.temporal.restart()
    await endsFulfilled(order)
    expect(attemptsFor(order)).toHaveLength(1)
    // The order that was refused is written down all the same, and is placed now; a repeat is told so.
    const { status: repeated, body } = await until('the refused order is placed', async () => {
      const answered = await stage.create({ out_trade_no: 'WHILETEMPORALISAWAY' })
      return answered.body.state === 'awaiting_payment' ? answered : null
    })
    expect([repeated, body.out_trade_no]).toEqual([200, 'WHILETEMPORALISAWAY'])
  })

  it('that finds the database away travels in a signal and is booked when the database is back', async () => {
    const order = await stage.ordered()
    servers.database.kill()
    stage.pay(order)
    const { status } = await firstAnswer(order)
    expect(status).toBe(204)
    const { events } = await stage.run(order).fetchHistory()
    const signal = events?.find(
      ({ workflowExecutionSignaledEventAttributes }) => workflowExecutionSignaledEventAttributes,
    )
    const payload = signal?.workflowExecutionSignaledEventAttributes?.input?.payloads?.[0]?.data
    const carried = Buffer.from(payload ?? []).toString('utf8')
    expect(JSON.parse(carried)).toMatchObject({
      envelope: { headers: { 'wechatpay-serial': expect.any(String) as string } },
    })
    expect(carried).not.toContain('openid') // still encrypted: Temporal holds nothing personal

    await servers.database.restart()
    await endsFulfilled(order)
    expect(attemptsFor(order)).toHaveLength(1)
  })

  it('that finds both away is refused, and heals when WeChat comes again', async () => {
    const order = await stage.ordered()
    servers.temporal.kill()
    servers.database.kill()
    stage.pay(order)
    const { status } = await firstAnswer(order)
    expect(status).toBe(500)
    await Promise.all([servers.temporal.restart(), servers.database.restart()])
    await endsFulfilled(order)
    expect(attemptsFor(order).at(-1)?.status).toBe(204)
  })
})

describe('a server that is silent: it takes what is sent, and never answers', () => {
  let stage: Stage
  let database: Wire
  let temporal: Wire
  beforeAll(async () => {
    stage = await Stage.open({ time_scale: 30, worker: false, api: false, simulator: { time_scale: 60 } })
    database = await Wire.to(new URL(stage.config.mongodb_uri).host)
    temporal = await Wire.to(stage.config.temporal.address)
    const mongodb_uri = `mongodb://${database.address}/?directConnection=true`
    const config = { ...stage.config, mongodb_uri }
    await stage.startWorker({ config })
    const intake = { ...config, temporal: { ...config.temporal, address: temporal.address } }
    stage.api = await startApi({ config: intake, log: silentLogger })
    for (const wire of [database, temporal]) stage.endsWith(() => wire.close())
    const warming = await stage.ordered()
    stage.pay(warming)
    await stage.reaches(warming, 'fulfilled')
  })
  afterAll(async () => {
    void database.release()
    void temporal.release()
    await stage.close()
  })

  it.each(['database', 'temporal'] as const)(
    '(%s) delays a notification, and not by as much as WeChat would mind',
    async (name) => {
      const wire = { database, temporal }[name]
      stage.simulator.control.removeFaults(null)
      stage.simulator.control.addFault({ operation: 'query', fault: 'SYSTEM_ERROR', mchid: stage.mchid })
      const order = await stage.ordered()
      wire.hold()
      stage.pay(order)
      const { status } = await until(
        'the notification is answered',
        () => stage.simulator.control.view(order.mchid, order.out_trade_no).notifications[0]?.attempts[0],
      )
      expect(status).toBe(204)
        void wire.release() // all that was sent arrives now, late
      const record = await stage.reaches(order, 'fulfilled')
      expect(record.payment?.found_by).toBe('notification')
      await stage.rests(order)
      await expectFulfilledOnce(stage, order)
    },
  )
})
