import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventId } from '../../../domain/ids.ts'
import type { OrderKey } from '../../../domain/ids.ts'
import { paidSequence } from '../../../domain/order/timeline.ts'
import { expectFulfilledOnce } from '../../stage/audit.ts'
import { Stage } from '../../stage/stage.ts'
import { until } from '../../stage/until.ts'

describe('a worker that is to end while the shop is thinking', () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await Stage.open({ time_scale: 30, settings: { fulfilment: { mode: 'event' } } })
  })
  afterAll(async () => await stage.close())

  async function attemptsOf(order: OrderKey): Promise<string[]> {
    const sequence = paidSequence(await stage.record(order))
    const deliveries = await stage.store.deliveries.ofEvent(order.mchid, eventId(order, sequence))
    return deliveries.flatMap(({ attempts }) => attempts.map(({ read_as }) => read_as))
  }

  it.each([
    ['in an activity', { is_known_as_quick: false }],
    ['in line', { is_known_as_quick: true }],
  ])('hears its answer, and its successor asks nobody twice: asked %s', async (_how, { is_known_as_quick }) => {
    if (stage.worker === null) await stage.startWorker()
    // On a busy machine it may not be known as quick, and is asked in an activity again.
    if (is_known_as_quick) await stage.rests(await stage.fulfilled())
    const [asked, late] = [await stage.ordered(), await stage.ordered()]
    let answer = () => {}
    const thought = new Promise<void>((resolve) => (answer = resolve))
    stage.shop.answer = () => ({ status: 200, body: '{"fulfilment":"fulfilled"}', after: thought })
    stage.pay(asked)
    await until('the shop was asked', () => stage.shop.typesOf(asked.out_trade_no).includes('order.paid'))
    const ended = stage.worker?.close()
    stage.worker = null
    stage.pay(late)
    answer()
    await ended
    expect(await attemptsOf(asked)).toEqual(['fulfilled'])
    await stage.startWorker()
    for (const order of [asked, late]) {
      await stage.reaches(order, 'fulfilled')
      await stage.rests(order)
      await expectFulfilledOnce(stage, order)
      expect(stage.shop.typesOf(order.out_trade_no).filter((type) => type === 'order.paid')).toHaveLength(1)
    }
  })
})
