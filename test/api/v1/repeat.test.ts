import { afterAll, describe, expect, it } from 'vitest'
import { sentRequest } from '../../../api/v1/idempotency.ts'
import { memoryStore } from '../../stage/memory.ts'
import { refundSample } from '../../stage/dossiers.ts'
import { sealer } from '../../stage/world.ts'
import { checkoutSample, mchid, orderSample, paymentSample } from '../../store/samples.ts'
import { playApi } from '../playedapi.ts'

/** What an earlier version took and today's rules refuse: safe to repeat all the same. */
const stage = await playApi(memoryStore(sealer))
afterAll(() => stage.close())

const long = '茶'.repeat(60) // 180 bytes: once 128 characters were allowed
const amount = { total: 990 }

type Case = [what: string, path: string, sent: Record<string, unknown>, keep: (body: unknown) => Promise<unknown>]
const cases: Case[] = [
  [
    'an order',
    '/v1/orders',
    { out_trade_no: 'LONG-1', description: '茶', amount, attach: long },
    (body) => {
      const kept = { sent: sentRequest(body), state: 'awaiting_payment' } as const
      return stage.store.orders.insert(orderSample('LONG-1', kept))
    },
  ],
  [
    'a refund',
    '/v1/refunds',
    { out_refund_no: 'LONG-R1', out_trade_no: 'LONG-1', amount: { refund: 1 }, reason: long },
    (body) => {
      const refund = refundSample('LONG-R1', {
        ...paymentSample('T1'),
        amount: { refund: 1, total: 990, currency: 'CNY' },
      })
      return stage.store.refunds.insert({ ...refund, state: 'processing', sent: sentRequest(body) })
    },
  ],
  [
    'a checkout',
    '/v1/checkouts',
    { out_trade_no: 'LONG-C1', description: '茶', amount, attach: long },
    (body) => stage.store.checkouts.insert(checkoutSample('LONG-C1', { sent: sentRequest(body) })),
  ],
]

describe('a repeat of what is refused today', () => {
  it.each(cases)('of %s is answered from the record', async (_, path, sent, keep) => {
    const before = await stage.call('POST', path, sent)
    expect([before.status, before.body.code]).toEqual([400, 'invalid_request'])
    await keep(sent)
    const again = await stage.call('POST', path, sent)
    expect([again.status, again.headers.get('weft-replay')]).toEqual([200, 'true'])
    expect(again.body['mchid']).toBe(mchid)
    const other = await stage.call('POST', path, { ...sent, metadata: { a: 'b' } })
    expect([other.status, other.body.code]).toEqual([400, 'invalid_request'])
  })

  it.each([[{}], [[]], [null], ['x'], [{ out_trade_no: { $gt: '' } }], [{ out_trade_no: null }]])(
    'is none: %j',
    async (sent) => {
      for (const path of ['/v1/orders', '/v1/refunds', '/v1/checkouts'])
        expect((await stage.call('POST', path, sent)).status).toBe(400)
    },
  )
})
