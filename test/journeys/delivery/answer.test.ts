import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { eventId } from '../../../domain/ids.ts'
import type { OrderKey } from '../../../domain/ids.ts'
import type { MerchantAnswer } from '../../stage/merchant.ts'
import { Stage } from '../../stage/stage.ts'
import { until } from '../../stage/until.ts'

const fulfilled: MerchantAnswer = { status: 200, body: '{"fulfilment":"fulfilled"}' }

describe('a merchant that fulfils by its answer', () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await Stage.open({ time_scale: 100, settings: { fulfilment: { mode: 'event' } } })
  })
  afterEach(() => {
    stage.shop.answer = () => fulfilled
  })
  afterAll(async () => await stage.close())

  const paidOrder = async () => {
    const order = await stage.ordered()
    stage.pay(order)
    return order
  }
  const deliveriesOf = (order: OrderKey) => stage.store.deliveries.ofEvent(order.mchid, eventId(order, 1))
  const say = (order: OrderKey, result: string, reason?: string) =>
    stage.insist('POST', `/v1/orders/${order.out_trade_no}/fulfilment`, { result, ...(reason && { reason }) })

  it('is told again with the same id until it hears, and every attempt is kept', async () => {
    stage.shop.answer = ({ attempt }) => (attempt < 4 ? { status: 500, body: 'oops' } : fulfilled)
    const order = await paidOrder()
    await stage.reaches(order, 'fulfilled')
    const heard = stage.shop.of(order.out_trade_no)
    expect(heard.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4])
    expect(new Set(heard.map(({ id }) => id)).size).toBe(1)
    const [delivery] = await deliveriesOf(order)
    expect(delivery?.state).toBe('delivered')
    expect(delivery?.attempts.map(({ status, read_as }) => [status, read_as])).toEqual([
      [500, 'not heard'],
      [500, 'not heard'],
      [500, 'not heard'],
      [200, 'fulfilled'],
    ])
  })

  it('that is slow is waited for', async () => {
    stage.shop.answer = () => ({ ...fulfilled, after_ms: 3_000 })
    const order = await paidOrder()
    await stage.reaches(order, 'fulfilled')
    expect(stage.shop.of(order.out_trade_no)).toHaveLength(1)
  })

  it('that refuses sends the order on its way back to the payer', async () => {
    stage.shop.answer = () => ({ status: 200, body: '{"fulfilment":"refused","reason":"卖完了"}' })
    const order = await paidOrder()
    const record = await stage.reaches(order, 'refunded')
    expect(record.fulfilment).toMatchObject({ result: 'refused', reason: '卖完了' })
    expect(record.attention).toBeUndefined()
    await until('it is told', () => stage.shop.typesOf(order.out_trade_no).includes('order.refunding'))
  })

  it('may refuse at length: the payer’s money never hangs on how many words it takes', async () => {
    const reason = '卖完了，'.repeat(300)
    stage.shop.answer = () => ({ status: 200, body: JSON.stringify({ fulfilment: 'refused', reason }) })
    const order = await paidOrder()
    const record = await stage.reaches(order, 'refunded')
    expect(record.fulfilment).toMatchObject({ result: 'refused', reason: reason.slice(0, 200) })
  })

  it('that answers 202 decides later by itself, once', async () => {
    stage.shop.answer = () => ({ status: 202 })
    const order = await paidOrder()
    await until('the answer is pending', async () => (await stage.record(order)).fulfilment.result === 'pending')
    expect((await stage.record(order)).state).toBe('paid')
    const { status, body } = await say(order, 'fulfilled')
    expect([status, body.state]).toEqual([200, 'fulfilled'])
    expect((await say(order, 'fulfilled')).status).toBe(200)
    const other = await say(order, 'refused', 'changed my mind')
    expect([other.status, other.body.code]).toEqual([409, 'already_decided'])
    expect(stage.shop.typesOf(order.out_trade_no)).toEqual(['order.paid'])
  })

  it('may answer by a call while its endpoint is down; the event is then not sent again', async () => {
    stage.shop.answer = () => ({ status: 503 })
    const order = await paidOrder()
    await until('it was tried', () => stage.shop.of(order.out_trade_no).length > 0)
    const { status, body } = await say(order, 'fulfilled')
    expect([status, body.state]).toEqual([200, 'fulfilled'])
    await stage.rests(order)
    const [delivery] = await deliveriesOf(order)
    expect(delivery?.state).toBe('cancelled')
  })

  it('may answer by a call while no run carries its order: nothing it hears later waits for the old question', async () => {
    stage.shop.answer = () => ({ status: 503 })
    const order = await paidOrder()
    await until('it was tried', () => stage.shop.of(order.out_trade_no).length > 0)
    await stage.run(order).terminate('the run is lost')
    stage.shop.answer = () => fulfilled
    expect((await say(order, 'refused', '卖完了')).body.state).toBe('refunding')
    await until('what came after is heard', () => stage.shop.typesOf(order.out_trade_no).includes('order.refunding'))
  })

  it('that never answers leaves the order with a person when its time is over', async () => {
    const merchant = await stage.store.merchants.find(stage.mchid)
    if (!merchant) throw new Error('no merchant')
    const fulfilment = { ...merchant.settings.fulfilment, deadline_in: 4 }
    await stage.store.merchants.updateSettings(stage.mchid, { ...merchant.settings, fulfilment })
    stage.shop.answer = () => ({ status: 500 })
    const order = await paidOrder()
    const record = await stage.reaches(order, 'review')
    expect(record.timeline.at(-1)?.event).toBe('fulfilment_overdue')
    expect(record.attention?.code).toBe('fulfilment_overdue')
    // The merchant finds its desk again: its word still counts.
    const { status, body } = await say(order, 'fulfilled')
    expect([status, body.state]).toEqual([200, 'fulfilled'])
  })
})

describe('events of one order', () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await Stage.open({ time_scale: 100, settings: { late_payment: 'hold' } })
  })
  afterAll(async () => await stage.close())

  it('arrive in their order, however the endpoint fails in between', async () => {
    const failures = new Map<string, number>()
    stage.shop.answer = ({ id }) => {
      const failed = failures.get(id) ?? 0
      failures.set(id, failed + 1)
      return failed < 2 ? { status: 500 } : { status: 204 }
    }
    const order = await stage.ordered()
    stage.pay(order)
    await stage.reaches(order, 'fulfilled')
    stage.pay(order, 'second_payment')
    const heard = await until('all were heard', () => {
      const all = stage.shop.of(order.out_trade_no)
      return all.some(({ type, attempt }) => type === 'order.second_payment' && attempt === 3) && all
    })
    const sequences = heard.map(({ sequence }) => sequence)
    expect(sequences).toEqual([...sequences].sort((a, b) => a - b))
    expect(new Set(heard.map(({ type }) => type))).toEqual(
      new Set(['order.paid', 'order.fulfilled', 'order.second_payment']),
    )
  })

  it('can be read as a feed by a shop without a public address', async () => {
    const order = await stage.ordered()
    stage.pay(order)
    await stage.reaches(order, 'fulfilled')
    // Events are derived right after the state that numbered them.
    const told = await until('both events', async () => {
      const { body } = await stage.call<{ data: { type: string; sequence: number }[] }>(
        'GET',
        `/v1/events?out_trade_no=${order.out_trade_no}&order=asc`,
      )
      return body.data.length >= 2 && body.data
    })
    expect(told.map(({ type, sequence }) => [type, sequence])).toEqual([
      ['order.paid', 1],
      ['order.fulfilled', 2],
    ])
  })
})

describe('an address that is not public', () => {
  it('is never called, and the delivery says why', async () => {
    const stage = await Stage.open({ time_scale: 100, allow_private_endpoints: false })
    try {
      const order = await stage.ordered()
      stage.pay(order)
      await stage.reaches(order, 'fulfilled')
      const delivery = await until('an attempt was kept', async () => {
        const [first] = await deliveriesOf(stage, order)
        return first && first.attempts.length > 0 && first
      })
      expect(delivery.attempts[0]).toMatchObject({ status: null, error: 'the URL is not called: it is not https' })
      expect(stage.shop.heard).toEqual([])
    } finally {
      await stage.close()
    }
  })
})

function deliveriesOf(stage: Stage, order: OrderKey) {
  return stage.store.deliveries.ofEvent(order.mchid, eventId(order, 1))
}
