import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ProblemBody } from '../../../api/http/problem.ts'
import { beijingTime, milliseconds } from '../../../domain/calendar.ts'
import type { OrderView } from '../../../domain/event/view.ts'
import type { OrderKey } from '../../../domain/ids.ts'
import { orderStart } from '../../../domain/messages.ts'
import { startOptions } from '../../../runtime/temporal.ts'
import { rawPlace } from '../../../store/evidence.ts'
import { callsOf } from '../../stage/audit.ts'
import { Stage } from '../../stage/stage.ts'
import { until } from '../../stage/until.ts'

const stage = await Stage.open({ settings: { fulfilment: { mode: 'confirm' } } })
afterAll(async () => {
  await stage.close()
})

const pathOf = (order: Pick<OrderKey, 'out_trade_no'>, what: string) =>
  `/v1/orders/${encodeURIComponent(order.out_trade_no)}/${what}`
/** Until it is decided: a busy machine answers first that it is not. */
const ask = (order: Pick<OrderKey, 'out_trade_no'>, what: string, body?: unknown) =>
  stage.insist<OrderView & ProblemBody>('POST', pathOf(order, what), body)
const askOnce = (order: Pick<OrderKey, 'out_trade_no'>, what: string, body?: unknown) =>
  stage.call<OrderView & ProblemBody>('POST', pathOf(order, what), body)

async function paidOrder(): Promise<OrderKey> {
  const order = await stage.ordered()
  stage.pay(order)
  await stage.reaches(order, 'paid')
  return order
}

describe.concurrent('closing', () => {
  it('answers when WeChat says closed, and the same again', async () => {
    const order = await stage.ordered()
    const first = await ask(order, 'close')
    const again = await ask(order, 'close')
    expect([first.status, first.body.state, first.body.close_reason]).toEqual([200, 'closed', 'merchant'])
    expect([again.status, again.body.sequence]).toEqual([200, first.body.sequence])
  })

  it('takes a number with every character that WeChat allows', async () => {
    const order = await stage.ordered({ out_trade_no: `a|*_-${stage.number()}` })
    expect((await ask(order, 'close')).status).toBe(200)
  })

  it('is refused when the money is here', async () => {
    const { status, body } = await ask(await paidOrder(), 'close')
    expect([status, body.code, body['state']]).toEqual([409, 'order_paid', 'paid'])
  })

  it('is answered 202 while WeChat cannot say', async () => {
    const order = await stage.ordered()
    const { out_trade_no } = order
    const { fault_id } = stage.simulator.control.addFault({ operation: 'query', fault: '500', out_trade_no })
    const { status, body } = await askOnce(order, 'close')
    expect([status, body.state]).toEqual([202, 'closing'])
    stage.simulator.control.removeFaults(fault_id)
  })

  it('of nothing is not found', async () => {
    expect((await ask({ out_trade_no: 'NO-SUCH-ORDER' }, 'close')).status).toBe(404)
  })
})

describe.concurrent('asking WeChat now', () => {
  it('finds a payment whose notification was lost', async () => {
    const order = await stage.ordered()
    stage.pay(order, 'lose_notification')
    // A machine that is busy answers what it knows so far; asked again it answers what has come of it meanwhile.
    const body = await until('the answer shows the payment', async () => {
      const answer = await ask(order, 'check')
      expect(answer.status).toBe(200)
      return answer.body.state !== 'awaiting_payment' && answer.body
    })
    expect([body.state, body.found_by]).toEqual(['paid', 'query'])
  })

  it('answers the last answer when asked again within five seconds', async () => {
    /** Asked twice; null: on a busy machine WeChat was not heard in time, or the five seconds were over meanwhile. */
    const twice = async () => {
      const order = await stage.ordered()
      const first = await ask(order, 'check')
      const again = await ask(order, 'check')
      const { last_check_time } = first.body
      return last_check_time !== null && Date.now() - milliseconds(last_check_time) < 5_000 && { order, first, again }
    }
    const { order, first, again } = await until('both were asked in time', twice)
    expect(again.body.last_check_time).toBe(first.body.last_check_time)
    expect(callsOf(stage, order, 'query')).toHaveLength(1)
  })
})

describe.concurrent('a code', () => {
  it('is the stored one while it is young', async () => {
    const order = await stage.ordered()
    const { code } = await stage.record(order)
    const { status, body } = await ask(order, 'code')
    expect([status, body.code_url]).toEqual([200, code?.url])
  })

  it('is not given for an order that is paid or closed', async () => {
    const closed = await stage.ordered()
    await ask(closed, 'close')
    const refused = await ask(closed, 'code')
    expect([refused.status, refused.body.code, refused.body['allowed']]).toEqual([
      409,
      'order_state',
      ['awaiting_payment'],
    ])
    expect((await ask(await paidOrder(), 'code')).body.code).toBe('order_paid')
  })
})

describe.concurrent('a fulfilment', () => {
  it('is said once: the same again is 200, another answer is 409 and shows the first', async () => {
    const order = await paidOrder()
    const first = await ask(order, 'fulfilment', { result: 'fulfilled' })
    expect([first.status, first.body.state, first.body.fulfilment.result]).toEqual([200, 'fulfilled', 'fulfilled'])
    const again = await ask(order, 'fulfilment', { result: 'fulfilled' })
    expect([again.status, again.body.sequence]).toEqual([200, first.body.sequence])
    const other = await ask(order, 'fulfilment', { result: 'refused', reason: 'sold out' })
    expect([other.status, other.body.code, other.body['result']]).toEqual([409, 'already_decided', 'fulfilled'])
  })

  it('can be refused, with a reason', async () => {
    const order = await paidOrder()
    const silent = await ask(order, 'fulfilment', { result: 'refused' })
    expect([silent.status, silent.body.errors[0]?.field]).toEqual([400, '/reason'])
    const { status, body } = await ask(order, 'fulfilment', { result: 'refused', reason: 'sold out' })
    expect([status, body.state, body.fulfilment.reason]).toEqual([200, 'refunding', 'sold out'])
  })

  it('of an order nobody paid is refused', async () => {
    const { status, body } = await ask(await stage.ordered(), 'fulfilment', { result: 'fulfilled' })
    expect([status, body.code, body['state']]).toEqual([409, 'order_state', 'awaiting_payment'])
  })
})

describe('while no worker is there', () => {
  let paid: OrderKey
  let open: OrderKey
  beforeAll(async () => {
    ;[paid, open] = [await paidOrder(), await stage.ordered()]
    await stage.worker?.close()
    stage.worker = null
  })

  it.concurrent('a fulfilment is kept and a close is not promised', async () => {
    const begun = Date.now()
    const words = { result: 'fulfilled' }
    const [kept, unpromised] = await Promise.all([askOnce(paid, 'fulfilment', words), askOnce(open, 'close')])
    expect([kept.status, kept.body.state]).toEqual([202, 'paid'])
    expect([unpromised.status, unpromised.body.code, unpromised.body.retryable]).toEqual([503, 'unavailable', true])
    const [evidence] = await stage.store.evidence.findUnapplied({
      received_before: beijingTime(Date.now() + 1_000),
      kind: 'merchant',
      limit: 10,
    })
    expect(evidence).toMatchObject({ kind: 'merchant', out_trade_no: paid.out_trade_no, outcome: null })
    if (evidence === undefined || !('sealed' in evidence.raw)) throw new Error('the word is not sealed')
    expect(JSON.parse(stage.store.sealer.open(evidence.raw, rawPlace(evidence)))).toMatchObject({ result: 'fulfilled' })
    expect(milliseconds(evidence.receive_time)).toBeGreaterThanOrEqual(begun)
  })

  it.concurrent(
    'new orders are refused once the oldest has waited for ten seconds, and repeats are still answered',
    async () => {
      const waiting = orderStart({ mchid: stage.mchid, out_trade_no: stage.number() })
      const options = startOptions(waiting, stage.config.queue_prefix)
      await stage.temporal.client.workflow.start(waiting.workflow_type, options)
      const request = { out_trade_no: stage.number(), description: '龙井茶', amount: { total: 990 } }
      const accepted = await stage.create(request)
      expect([accepted.status, accepted.body.state]).toEqual([202, 'created'])
      const refused = await until('a refusal', async () => {
        const answer = await stage.call<ProblemBody>('POST', '/v1/orders', { ...request, out_trade_no: stage.number() })
        return answer.status === 503 ? answer : null
      })
      expect([refused.body.code, refused.body['part'], refused.headers.get('retry-after')]).toEqual([
        'unavailable',
        'workers',
        '2',
      ])
      expect((await stage.create(request)).status).toBe(200)
    },
  )
})

describe('while Temporal is away', () => {
  it('an order is recorded all the same, and says: the same request again', async () => {
    const alone = await Stage.open({ worker: false, temporal_address: '127.0.0.1:1' })
    const out_trade_no = alone.number()
    const first = await alone.call<ProblemBody>('POST', '/v1/orders', {
      out_trade_no,
      description: '龙井茶',
      amount: { total: 990 },
    })
    expect([first.status, first.body.code, first.body.retryable]).toEqual([503, 'unavailable', true])
    const order = await alone.record({ mchid: alone.mchid, out_trade_no })
    expect(order).toMatchObject({ state: 'created', next_action: { what: 'place' } })
    await alone.close()
  })
})
