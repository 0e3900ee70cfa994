import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { orderId } from '../../../domain/ids.ts'
import type { OrderKey } from '../../../domain/ids.ts'
import { signals } from '../../../domain/messages.ts'
import { expectFulfilledOnce } from '../../stage/audit.ts'
import { breakerOf } from '../../stage/book.ts'
import { Stage } from '../../stage/stage.ts'
import { until } from '../../stage/until.ts'

interface Shown {
  data: {
    kind: string
    code: string
    out_trade_no: string
    run: { workflow_id: string; step: string; error: string }
  }[]
}

describe('a run that cannot go on', () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await Stage.open({ time_scale: 60, settings: { fulfilment: { mode: 'event' } } })
  })
  afterAll(async () => await stage.close())

  /** A round of the watch, and what the merchant's list then says of stuck runs. */
  async function seen({ out_trade_no }: OrderKey) {
    await stage.worker?.watch.watch()
    const { body } = await stage.call<Shown>('GET', '/v1/attention')
    return body.data.filter((one) => one.code === 'run_stuck' && one.out_trade_no === out_trade_no)
  }

  it.concurrent('because its workflow task fails is seen, and no more once it goes on', async () => {
    const order = await stage.ordered()
    const run = stage.run(order)
    // The one signal at which the SDK itself throws: what stands for all mistakes in workflow code.
    await run.signal('__temporal_unknown')
    await until('a person is told', async () => (await seen(order)).length > 0)
    expect(await seen(order)).toEqual([
      expect.objectContaining({
        kind: 'run',
        run: expect.objectContaining({ workflow_id: run.workflowId, step: 'workflow_task' }) as unknown,
      }),
    ])
    expect((await seen(order))[0]?.run.error).toContain('reserved prefix')
    await run.terminate('as the attention says')
    stage.pay(order)
    await stage.reaches(order, 'fulfilled')
    await stage.rests(order)
    await until('nobody is told any more', async () => (await seen(order)).length === 0)
    await expectFulfilledOnce(stage, order)
  })

  it.concurrent('because an activity fails is seen too, and one that only waits is not', async () => {
    const [order, waiting] = [await stage.ordered(), await stage.ordered()]
    stage.simulator.control.addFault({ operation: 'query', fault: 'SYSTEM_ERROR', ...waiting })
    const write = breakerOf(stage.config.database)
    await write('orders', { _id: orderId(order) }, { $set: { state: 'no_such_state' } })
    await stage.run(order).signal(signals.check_requested)
    await until('a person is told', async () => (await seen(order)).length > 0)
    const [told] = await seen(order)
    expect(told?.run.error).toContain('cannot be used')
    expect(await seen(waiting)).toEqual([])
    await write('orders', { _id: orderId(order) }, { $set: { state: 'awaiting_payment' } })
    await until('nobody is told any more', async () => (await seen(order)).length === 0)
    stage.pay(order)
    await stage.reaches(order, 'fulfilled')
    await stage.rests(order)
  })
})
