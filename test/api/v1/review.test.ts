import { afterAll, afterEach, describe, expect, it } from 'vitest'
import type { OrderView } from '../../../domain/event/view.ts'
import type { ReviewDecision } from '../../../domain/messages.ts'
import type { OrderRecord } from '../../../domain/order/record.ts'
import { at } from '../../store/samples.ts'
import { newNumber, openApiStage, orderBecomes, paidOrder } from '../apistage.ts'

const stage = await openApiStage()
afterAll(() => stage.close())
afterEach(() => {
  stage.on = {}
  stage.given.length = 0
})

const decide = (order: { out_trade_no: string }, body: object, key = stage.key) =>
  stage.call<OrderView>('POST', `/v1/orders/${order.out_trade_no}/review`, { reason: 'looked', ...body }, { key })
const sent = () => stage.given.map(({ arguments: [, decision] }) => decision as ReviewDecision)

/** A run that records what it is told. */
const recording = {
  resolveReview: async (order: { mchid: string; out_trade_no: string }, given: ReviewDecision) => {
    const { decision, reason, actor, operation_id, transaction_id } = given
    const cause = { reason, actor, operation_id }
    const { payment } = (await stage.store.orders.find(order)) ?? {}
    const { state, revision } =
      transaction_id !== payment?.transaction_id && transaction_id !== null
        ? await orderBecomes(stage, order, {
            event: decision === 'accept' ? 'second_accepted' : 'second_rejected',
            transaction_id,
            ...cause,
          })
        : decision === 'accept'
          ? await orderBecomes(stage, order, { event: 'accepted', deadline_time: at(0), ...cause })
          : await orderBecomes(stage, order, { event: 'rejected', ...cause })
    return { kind: 'state', state, revision } as const
  },
}

async function inReview(): Promise<OrderRecord> {
  const { order } = await paidOrder(stage)
  return await orderBecomes(stage, order, { event: 'fulfilment_overdue', choice: 'hold' })
}

async function withSecond(): Promise<{ order: OrderRecord; transaction_id: string }> {
  const { order } = await paidOrder(stage, { order: { state: 'fulfilled' } })
  const transaction_id = newNumber('4200')
  return { order: await orderBecomes(stage, order, { event: 'second_payment_found', transaction_id }), transaction_id }
}

describe('an order in review', () => {
  it.each([
    ['accept', 'paid'],
    ['reject', 'refunding'],
  ])('is left by %s, and says who decided', async (decision, state) => {
    stage.on = recording
    const order = await inReview()
    const { status, body } = await decide(order, { decision })
    expect([status, body.state]).toEqual([200, state])
    const { transaction_id } = order.payment ?? {}
    expect(sent()).toMatchObject([{ decision, transaction_id, reason: 'looked', actor: { id: stage.key.id } }])
  })

  it('is decided once: the same again is 200, another answer is 409 and shows the first', async () => {
    stage.on = recording
    const order = await inReview()
    await decide(order, { decision: 'reject' })
    const again = await decide(order, { decision: 'reject', reason: 'again' })
    const other = await decide(order, { decision: 'accept' })
    expect([again.status, again.body.state]).toEqual([200, 'refunding'])
    expect([other.status, other.body.code, other.body['result']]).toEqual([409, 'already_decided', 'reject'])
    expect(sent()).toHaveLength(1)
  })

  it('that came there a second time is decided anew', async () => {
    stage.on = recording
    const order = await inReview()
    await decide(order, { decision: 'accept' })
    await orderBecomes(stage, order, { event: 'fulfilment_overdue', choice: 'hold' })
    expect((await decide(order, { decision: 'accept' })).body.state).toBe('paid')
    expect(new Set(sent().map(({ operation_id }) => operation_id)).size).toBe(2)
  })

  it('may have its payment named', async () => {
    stage.on = recording
    const order = await inReview()
    const { transaction_id } = order.payment ?? {}
    expect((await decide(order, { decision: 'accept', transaction_id })).status).toBe(200)
    expect(sent()[0]?.transaction_id).toBe(transaction_id)
  })

  it('is not said to be decided when nobody recorded it', async () => {
    const order = await inReview()
    const silent = await decide(order, { decision: 'accept' })
    stage.on = { resolveReview: () => Promise.resolve('unavailable') }
    const away = await decide(order, { decision: 'accept' })
    expect([silent, away].map(({ status, body }) => [status, body['part']])).toEqual([
      [503, 'workers'],
      [503, 'temporal'],
    ])
  })

  it('is decided with a reason, by a key that may', async () => {
    const order = await inReview()
    const key = await stage.newKey({ scopes: ['orders:write'] })
    expect((await decide(order, { decision: 'accept' }, key)).body['required_scope']).toBe('orders:decide')
    expect((await decide(order, { decision: 'accept', reason: '' })).status).toBe(400)
  })
})

describe('an order that waits for nobody', () => {
  it('is not decided on', async () => {
    const { order } = await paidOrder(stage)
    const { status, body } = await decide(order, { decision: 'accept' })
    expect([status, body.code, body['state'], body['allowed']]).toEqual([409, 'order_state', 'paid', ['review']])
    expect(sent()).toEqual([])
  })

  it('is not found when there is none', async () => {
    expect((await decide({ out_trade_no: 'NO-SUCH-ORDER' }, { decision: 'accept' })).status).toBe(404)
  })
})

describe('a second payment', () => {
  it('is decided by its number, once, and the order stays', async () => {
    stage.on = recording
    const { order, transaction_id } = await withSecond()
    const first = await decide(order, { decision: 'reject', transaction_id })
    const again = await decide(order, { decision: 'reject', transaction_id })
    const other = await decide(order, { decision: 'accept', transaction_id })
    expect([first.status, first.body.state, first.body.attention]).toEqual([200, 'fulfilled', null])
    expect([again.status, other.status, other.body.code]).toEqual([200, 409, 'already_decided'])
    expect(sent()).toMatchObject([{ transaction_id, decision: 'reject' }])
  })

  it('is never guessed: without its number, or with another one, the undecided ones are named', async () => {
    stage.on = recording
    const { order, transaction_id } = await withSecond()
    for (const given of [{}, { transaction_id: '4200other' }]) {
      const { status, body } = await decide(order, { decision: 'accept', ...given })
      expect([status, body.errors[0]?.field]).toEqual([400, '/transaction_id'])
      expect(body.errors[0]?.detail).toContain(transaction_id)
    }
    expect(sent()).toEqual([])
  })
})
