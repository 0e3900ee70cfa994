import { randomBytes } from 'node:crypto'
import { afterAll, describe, expect, it } from 'vitest'
import { beijingTime } from '../../../domain/calendar.ts'
import { createSealer } from '../../../store/sealer.ts'
import { refundSample } from '../../stage/dossiers.ts'
import { memoryStore } from '../../stage/memory.ts'
import { at, orderSample, paymentSample } from '../../store/samples.ts'
import { playApi } from '../playedapi.ts'

const store = memoryStore(createSealer({ keys: [{ id: 'test', key: randomBytes(32).toString('base64') }] }))
const stage = await playApi(store)
stage.still_ms = Date.now() // all of it happens within the five seconds in which nothing is asked twice
afterAll(() => stage.close())

interface Checks {
  count: number
  out_trade_nos: string[]
  left_out: string[]
  time: string
  is_complete: boolean
  next_cursor: string | null
}
const ask = (body: object) => stage.call<Checks>('POST', '/v1/checks', body)
const asked = () =>
  stage.given.flatMap(({ command, arguments: [key] }) =>
    command === 'check' ? [(key as { out_trade_no: string }).out_trade_no] : [],
  )

const waiting = Array.from({ length: 130 }, (_, n) =>
  orderSample(`WAITS-${n}`, { state: 'awaiting_payment', reference: n < 3 ? 'sale-1' : null }),
)
const { transaction_id } = paymentSample('tx1')
const payment = { transaction_id, role: 'order', success_time: at(9), found_by: 'query', found_time: at(9) } as const
const moving = orderSample('MOVING', { state: 'paid', payment: { ...payment, bank_type: null } })
const closed = orderSample('CLOSED', { state: 'closed', create_time: at(500) })
const asked_before = { last_time: beijingTime(stage.still_ms), on_request: 1 }
const lately = orderSample('LATELY', { state: 'awaiting_payment', create_time: at(900), asked: asked_before })
for (const order of [...waiting, moving, closed, lately]) await store.orders.insert(order)

describe('orders about which WeChat Pay is asked, many in one call', () => {
  let page: string | null = null

  it('are counted first, those that are not decided where no state is chosen, and nothing is asked', async () => {
    const { status, body } = await ask({ preview: true })
    expect([status, body.count, body.is_complete, body.out_trade_nos]).toEqual([200, 131, true, []])
    const counts = await Promise.all(
      [
        { state: ['closed', 'paid'] },
        { reference: ['sale-1'] },
        { create_time_from: at(400) },
        { create_time_from: at(400), create_time_to: at(900) },
        { out_trade_no: ['CLOSED', 'MOVING', 'NOT-HERE'] },
      ].map(async (chosen) => (await ask({ ...chosen, preview: true })).body.count),
    )
    expect(counts).toEqual([2, 3, 1, 0, 2])
    expect(asked()).toEqual([])
  })

  it('are asked about a hundred at a time, each once, but for those that were just asked about', async () => {
    const first = await ask({})
    expect([first.status, first.body.count, first.body.is_complete]).toEqual([202, 99, false])
    expect(first.body.left_out).toEqual(['LATELY'])
    expect(Date.parse(first.body.time)).toBeGreaterThan(Date.parse(asked_before.last_time) - 1)
    page = first.body.next_cursor
    const rest = await ask({ cursor: page })
    expect([rest.body.count, rest.body.is_complete, rest.body.next_cursor]).toEqual([31, true, null])
    const told = [...first.body.out_trade_nos, ...rest.body.out_trade_nos]
    expect(asked()).toEqual(told)
    expect(told.toSorted()).toEqual(waiting.map(({ out_trade_no }) => out_trade_no).toSorted())
  })

  it('are not asked about again for five seconds, by whichever call', async () => {
    const before = asked().length
    const { body } = await ask({ reference: ['sale-1'] })
    expect([body.count, body.left_out.toSorted()]).toEqual([0, ['WAITS-0', 'WAITS-1', 'WAITS-2']])
    expect((await stage.call('POST', '/v1/orders/WAITS-0/check')).status).toBe(200)
    expect(asked()).toHaveLength(before)
  })

  it('may be named, whatever has become of them; one that is paid and being fulfilled is left out', async () => {
    const { body } = await ask({ out_trade_no: ['CLOSED', 'MOVING'] })
    expect([body.out_trade_nos, body.left_out]).toEqual([['CLOSED'], ['MOVING']])
  })

  it('are not asked about for a cursor of another choice, nor more often than the merchant has its turn', async () => {
    const other = await ask({ state: ['created'], cursor: page })
    expect(other.status).toBe(400)
    expect(other.body).toMatchObject({ errors: [{ field: '/cursor', code: 'cursor' }] })
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask({ cursor: page })))
    const refused = answers.filter(({ status }) => status === 429)
    expect(refused.length).toBeGreaterThan(0)
    for (const { headers } of refused) expect(headers.get('retry-after')).toMatch(/^([1-9]|10)$/)
    expect((await ask({ preview: true })).status).toBe(200)
  })
})

describe('a refund that somebody wonders about', () => {
  const amount = { refund: 1, total: 990, currency: 'CNY' }
  it.each(['processing', 'abnormal', 'succeeded', 'closed', 'refused', 'rejected', 'returned_to_merchant'] as const)(
    'is asked about at WeChat when it is %s: that may know otherwise',
    async (state) => {
      const refund = { ...refundSample(`WONDERS-${state}`, { ...paymentSample('tx1'), amount }), state }
      await store.refunds.insert(refund)
      stage.on.checkRefund = async (key) => void (await store.refunds.noteAsked(key, at(5)))
      const { status, body } = await stage.call('POST', `/v1/refunds/${refund.out_refund_no}/check`)
      expect([status, body['last_check_time']]).toEqual([200, at(5)])
    },
  )

  it.each(['created', 'awaiting_approval'] as const)(
    'is not asked about while it is %s: nobody has sent it',
    async (state) => {
      const refund = { ...refundSample(`WONDERS-${state}`, { ...paymentSample('tx1'), amount }), state }
      await store.refunds.insert(refund)
      const before = stage.given.length
      const { status } = await stage.call('POST', `/v1/refunds/${refund.out_refund_no}/check`)
      expect([status, stage.given.slice(before)]).toEqual([200, []])
    },
  )
})
