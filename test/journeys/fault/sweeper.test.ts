import { PassThrough } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startApi } from '../../../api/main.ts'
import { beijingTime } from '../../../domain/calendar.ts'
import type { OrderView } from '../../../domain/event/view.ts'
import { evidenceId } from '../../../domain/ids.ts'
import type { OrderKey } from '../../../domain/ids.ts'
import { createLogger, silentLogger } from '../../../runtime/logger.ts'
import { publicId } from '../../../store/ids.ts'
import { expectFulfilledOnce } from '../../stage/audit.ts'
import { Stage } from '../../stage/stage.ts'
import { until } from '../../stage/until.ts'

describe('the sweeper', () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await Stage.open({ time_scale: 60, settings: { fulfilment: { mode: 'confirm' } } })
  })
  afterAll(async () => await stage.close())

  async function paid(): Promise<OrderKey> {
    const order = await stage.ordered()
    stage.pay(order)
    await stage.reaches(order, 'paid')
    return order
  }
  const confirm = ({ out_trade_no }: OrderKey) =>
    stage.call<OrderView>('POST', `/v1/orders/${out_trade_no}/fulfilment`, { result: 'fulfilled' })
  const unsettled = async ({ mchid, out_trade_no }: OrderKey) =>
    (await stage.store.evidence.ofOrder(mchid, out_trade_no)).filter(({ outcome }) => outcome === null)

  it('hands over the word of a merchant that found no worker, at once, also when its run has ended meanwhile', async () => {
    const orders = [await paid(), await paid(), await paid()]
    await stage.worker?.close()
    stage.worker = null
    await stage.api?.close()
    const said = new PassThrough()
    stage.api = await startApi({
      config: stage.config,
      log: createLogger({ level: 'info', service: 'api', stream: said }),
    })
    const answers = await Promise.all(orders.map(confirm))
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202])
    const lines = String(said.read())
    expect(lines).toContain('a command was not answered in time')
    expect(lines).not.toContain('wechat_request') // a log names an order, and does not tell it
    await stage.startWorker({ sweeps: false })
    // Temporal may remember the word by itself, or not; what was kept needs its outcome all the same.
    const [first] = orders
    if (first) await stage.run(first).terminate('so that only what was kept is left of the word')
    for (const order of orders.slice(1)) await stage.reaches(order, 'fulfilled')
    for (const order of orders.slice(1)) await stage.rests(order)
    for (const order of orders) {
      // It leaves to others what is younger than two minutes, which here are two seconds.
      await until('the sweeper has handed it over', async () => {
        await stage.worker?.sweeper.sweep()
        return (await unsettled(order)).length === 0
      })
      await stage.reaches(order, 'fulfilled')
      await stage.rests(order)
      await expectFulfilledOnce(stage, order)
    }
  })

  it('is not held up by evidence that it cannot hand over', async () => {
    await stage.worker?.close()
    await stage.startWorker()
    const order = await stage.ordered()
    const out_trade_no = stage.number()
    const _id = evidenceId.merchant(stage.mchid, `fulfilment:${out_trade_no}`)
    const fields = { mchid: stage.mchid, transaction_id: null, out_refund_no: null, serial_no: null, body_sha256: '' }
    await stage.store.evidence.archive({
      _id,
      id: publicId('evd', _id),
      ...fields,
      kind: 'merchant',
      subject: 'payment',
      out_trade_no,
      verdict: 'verified',
      raw: { ...stage.store.sealer.seal('{}', 'nowhere'), sealed: 'AAAA' },
      receive_time: beijingTime(Date.now() - 30_000),
      unapplied: true,
      outcome: null,
      applied_time: null,
      applied_to: null,
    })
    stage.simulator.control.addFault({ operation: 'query', fault: 'SYSTEM_ERROR', mchid: stage.mchid })
    // An API that does not reach Temporal: it keeps what it is told, and only the sweeper can hand it over.
    await stage.api?.close()
    const temporal = { ...stage.config.temporal, address: '127.0.0.1:1' }
    stage.api = await startApi({ config: { ...stage.config, temporal }, log: silentLogger })
    stage.pay(order)
    const record = await stage.reaches(order, 'paid')
    expect(record.payment?.found_by).toBe('notification')
    expect((await stage.store.evidence.find(_id))?.outcome).toBeNull()
  })
})
