import { describe, expect, it } from 'vitest'
import { openThings } from './witness.ts'
import type { Scene } from './witness.ts'

/** One sale of 990 fen, a third of it given back, all at rest. */
function calm(): Scene {
  const published = ['order.paid', 'order.fulfilled', 'refund.succeeded'].map((type, index) => ({
    id: `evt_${index + 1}`,
    type,
    sequence: index + 1,
    out_trade_no: 'T1',
  }))
  return {
    notes: [{ out_trade_no: 'T1', decision: 'fulfilled', refunds: new Map([['R1', 330]]) }],
    received: [published[0], published[2]].flatMap((event) => (event ? [{ ...event, was_answered: true }] : [])),
    wechat: {
      payments: [{ transaction_id: 't1', out_trade_no: 'T1', amount: { total: 990 } }],
      refunds: [{ out_refund_no: 'R1', transaction_id: 't1', status: 'SUCCESS', amount: { refund: 330 } }],
    },
    orders: new Map([
      [
        'T1',
        {
          out_trade_no: 'T1',
          state: 'fulfilled',
          transaction_id: 't1',
          attention: null,
          amount: { total: 990, refunded: 330, refund_pending: 0 },
        },
      ],
    ]),
    events: published,
    followed: new Set(published.map(({ id }) => id)),
    open_deliveries: [],
    attention: [],
    running: [],
  }
}

/** The same with its order, its payment's refund, or the whole changed. */
function withOrder(changes: object): Scene {
  const scene = calm()
  const order = scene.orders.get('T1')
  if (order === undefined) throw new Error('there is an order')
  return { ...scene, orders: new Map([['T1', { ...order, ...changes }]]) }
}

describe('the witness of a chaos', () => {
  it('finds nothing where all is at rest', () => {
    expect(openThings(calm())).toEqual([])
  })

  it.each<[string, Scene, string]>([
    ['a run', { ...calm(), running: ['order/1/T1'] }, 'order/1/T1 still runs'],
    ['a delivery', { ...calm(), open_deliveries: ['dlv_1'] }, 'delivery dlv_1 is still open'],
    [
      'what waits for a person',
      { ...calm(), attention: [{ code: 'run_stuck', out_trade_no: 'T1' }] },
      'attention run_stuck',
    ],
    [
      'an event that the feed left out',
      { ...calm(), followed: new Set(['evt_1', 'evt_2']) },
      'never showed refund.succeeded',
    ],
    ['an order under way', withOrder({ state: 'paid' }), 'is not at rest'],
    ['an order that nobody knows', { ...calm(), orders: new Map() }, 'unknown to the API'],
    [
      'money that only WeChat knows',
      withOrder({ transaction_id: null, state: 'closed' }),
      'that the order does not know',
    ],
    [
      'fen that went back unnoticed',
      withOrder({ amount: { total: 990, refunded: 0, refund_pending: 0 } }),
      'WeChat says 330',
    ],
    [
      'a refund that nobody asked for',
      { ...calm(), notes: [{ out_trade_no: 'T1', decision: 'fulfilled', refunds: new Map() }] },
      'where the merchant asked for 0',
    ],
    [
      'goods kept back and money kept',
      { ...calm(), notes: [{ out_trade_no: 'T1', decision: 'refused', refunds: new Map([['R1', 330]]) }] },
      'only 330 of 990 fen went back',
    ],
    [
      'an event that was never received',
      { ...calm(), received: calm().received.slice(0, 1) },
      'refund.succeeded (3) was never',
    ],
    ['events in the wrong order', { ...calm(), received: calm().received.toReversed() }, 'before an earlier one'],
    [
      'a gap in the events',
      { ...calm(), events: calm().events.filter(({ sequence }) => sequence !== 2) },
      'a gap at 3',
    ],
  ])('finds %s', (_what, scene, line) => {
    expect(openThings(scene).join('\n')).toContain(line)
  })
})
