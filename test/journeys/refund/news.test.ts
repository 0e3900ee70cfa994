import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { orderStart, signals } from '../../../domain/messages.ts'
import { startOptions } from '../../../runtime/temporal.ts'
import { Gate } from '../../stage/gate.ts'
import { expectHeard } from '../../stage/money.ts'
import { Stage } from '../../stage/stage.ts'

describe('a refund that has ended and has not told its order yet', () => {
  let stage: Stage
  let gate: Gate
  beforeAll(async () => {
    stage = await Stage.open({ time_scale: 60, worker: false, simulator: { time_scale: 60 } })
    gate = await Gate.to(stage.config.temporal.address)
    stage.endsWith(() => gate.close())
    const temporal = { ...stage.config.temporal, address: gate.address }
    await stage.startWorker({ config: { ...stage.config, temporal } })
  })
  afterAll(async () => await stage.close())

  it('is heard of before its order is refunded, also when the payment is told once more in between', async () => {
    const order = await stage.ordered()
    await stage.insist('POST', `/v1/orders/${order.out_trade_no}/close`)
    await stage.reaches(order, 'closed')
    let goOn = () => {}
    const ended = new Promise<void>((resolve) => {
      gate.watch = async ({ kind, body }) => {
        if (kind !== 'activity' || !body.includes(`refund/${stage.mchid}/`)) return 'pass'
        const [refund] = await stage.store.refunds.ofOrder(order.mchid, order.out_trade_no)
        if (refund?.state !== 'succeeded') return 'pass'
        resolve()
        return await new Promise<'pass'>((pass) => (goOn = () => pass('pass')))
      }
    })
    stage.pay(order, 'pay_after_close')
    await ended
    // As the sweeper does with evidence that seems to have had no effect.
    const evidence = await stage.store.evidence.ofOrder(order.mchid, order.out_trade_no)
    const told = evidence.find(({ kind, subject }) => kind === 'notification' && subject === 'payment')
    const start = orderStart(order)
    await stage.temporal.client.workflow.signalWithStart(start.workflow_type, {
      ...startOptions(start, stage.config.queue_prefix),
      signal: signals.payment_found,
      signalArgs: [{ evidence_id: told?._id }],
    })
    await stage.rests(order)
    const { state } = await stage.record(order)
    goOn()
    expect(state).toBe('refunding')
    await stage.reaches(order, 'refunded')
    await expectHeard(stage, order, 'order.closed', 'order.late_payment', 'refund.succeeded', 'order.refunded')
  })
})
