import { describe, expect, it } from 'vitest'
import { openThings } from './witness.ts'
import type { MerchantNote, Scene } from './witness.ts'

/** One sale of 990 fen, a third of it given back, all at rest. */
function calm(): Scene {
  const published = ['order.paid', 'order.fulfilled', 'refund.succeeded'].map((type, index) => ({
    id: `evt_${index + 1}`,
    type,
    sequence: index + 1,
    out_trade_no: 'T1',
  }))
  return {
    notes: [note({})],
    checkouts: [{ out_trade_no: 'T1', state: 'paid', paid_by: 'T1', orders_opened: ['T1'] }],
    received: [published[0], published[2]].flatMap((event) =>
      event ? [{ ...event, endpoint: 'first', was_answered: true }] : [],
    ),
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
    day: { state: 'balanced', is_proven: true, flaws: [], differences: {} },
  }
}

/** Of 990 fen that were shipped, a third goes back. */
function note(changes: Partial<MerchantNote>): MerchantNote {
  const refunds = new Map([['R1', { fen: 330, is_rejected: false }]])
  return { out_trade_no: 'T1', decision: 'fulfilled', refunds, seconds: new Map(), ...changes }
}

/** A second payment of 990 fen, and what a person has decided about it. */
function withSecond(decision: 'accept' | 'reject' | 'leave' | null, is_asked: boolean): Scene {
  const scene = calm()
  const second = { transaction_id: 't2', out_trade_no: 'T1', amount: { total: 990 } }
  return {
    ...scene,
    notes: [note({ seconds: new Map(decision === null ? [] : [['t2', decision]]) })],
    wechat: { ...scene.wechat, payments: [...scene.wechat.payments, second] },
    attention: is_asked ? [{ code: 'second_payment', out_trade_no: 'T1', transaction_id: 't2' }] : [],
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
      { ...calm(), attention: [{ code: 'run_stuck', out_trade_no: 'T1', transaction_id: null }] },
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
      { ...calm(), notes: [note({ refunds: new Map() })] },
      'where the merchant asked for 0',
    ],
    [
      'goods kept back and money kept',
      { ...calm(), notes: [note({ decision: 'refused' })] },
      'only 330 of 990 fen went back',
    ],
    [
      'an event that was never received',
      { ...calm(), received: calm().received.slice(0, 1) },
      'refund.succeeded (3) was never',
    ],
    [
      'fen that went back although a second person said no',
      { ...calm(), notes: [note({ refunds: new Map([['R1', { fen: 330, is_rejected: true }]]) })] },
      'refund R1 is SUCCESS at WeChat',
    ],
    ['a second payment that nobody is told of', withSecond(null, false), 'nobody is told of the second payment t2'],
    ['a second payment that was rejected and kept', withSecond('reject', false), 'reject, and 0 fen went back'],
    ['a second payment that is asked about for ever', withSecond('accept', true), 'decided and still asked about'],
    [
      'a checkout that is not over',
      { ...calm(), checkouts: [{ out_trade_no: 'T1', state: 'open', paid_by: null, orders_opened: [] }] },
      'checkout T1 (open): is not over',
    ],
    [
      'a checkout that was shipped twice',
      {
        ...calm(),
        notes: [note({}), note({ out_trade_no: 'T1-2' })],
        checkouts: [{ out_trade_no: 'T1', state: 'paid', paid_by: 'T1', orders_opened: ['T1', 'T1-2'] }],
      },
      'was shipped 2 times: T1, T1-2',
    ],
    [
      'a checkout that names another order than the one that keeps it',
      { ...calm(), checkouts: [{ out_trade_no: 'T1', state: 'paid', paid_by: 'T1-2', orders_opened: ['T1', 'T1-2'] }] },
      'is kept by T1, and says T1-2',
    ],
    [
      'a day that is not proven',
      { ...calm(), day: { state: 'differences', is_proven: false, flaws: [{ text: 'cut off' }], differences: {} } },
      'the day is differences and not proven: cut off',
    ],
    [
      'an event that one of two endpoints never received',
      {
        ...calm(),
        received: [
          ...calm().received,
          ...calm()
            .received.slice(0, 1)
            .map((event) => ({ ...event, endpoint: 'second' })),
        ],
      },
      'refund.succeeded (3) was never received by the second endpoint',
    ],
    [
      'an event that was told under two ids',
      { ...calm(), received: [...calm().received, ...calm().received.map((event) => ({ ...event, id: 'evt_9' }))] },
      'order.paid was received and never published',
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
