import { afterAll, describe, expect, it } from 'vitest'
import { newRefund } from '../../domain/refund/record.ts'
import { RecordUnreadable } from '../../store/connection.ts'
import { freshStore } from './database.ts'
import { at, mchid, orderSample, paymentFound, paymentSample } from './samples.ts'

const { store, drop } = await freshStore()
afterAll(drop)

const page = { limit: 10 }
const draft = { origin: 'api', requested_by: { kind: 'weft', id: null }, notify_url: 'http://localhost' } as const

describe('a record that no rule knows', () => {
  it('stops the work on it, by its name, and nothing is written', async () => {
    await store.orders.insert(orderSample('LOST-1', { state: 'paused' as never }))
    const key = { mchid, out_trade_no: 'LOST-1' }
    const says = `the record ${mchid}/LOST-1 of orders cannot be used: its state is paused`
    await expect(store.orders.find(key)).rejects.toThrow(RecordUnreadable)
    await expect(store.orders.find(key)).rejects.toThrow(says)
    await expect(store.orders.findByToken('token-LOST-1')).rejects.toThrow(says)
    await expect(store.orders.apply(key, paymentFound('t1'))).rejects.toThrow(says)
    expect((await store.orders.inTurn(mchid, null, 10)).map(({ revision }) => revision)).toEqual([0])
  })

  it('is found among refunds and payments too', async () => {
    await store.payments.insert(paymentSample('t2', { settled_total: 9.5 }))
    await expect(store.payments.find(mchid, 't2')).rejects.toThrow(`the record ${mchid}/t2 of payments`)
    const given = { ...draft, out_refund_no: 'R2', is_full: true, create_time: at(1), amount: 990 }
    await store.refunds.insert({ ...newRefund(paymentSample('t2'), given), state: 'lost' as never })
    await expect(store.refunds.find({ mchid, out_refund_no: 'R2' })).rejects.toThrow(RecordUnreadable)
    await expect(store.refunds.ofOrder(mchid, 'TEA-1')).rejects.toThrow(`the record ${mchid}/R2 of refunds`)
  })

  it('hides no other one from a list, the sweeper or an open page, and is there for a proof to name', async () => {
    await store.orders.insert(orderSample('SOUND-1', { create_time: at(1) }))
    const { data } = await store.orders.list(mchid, {}, page)
    expect(data.map(({ out_trade_no }) => out_trade_no)).toEqual(['SOUND-1', 'LOST-1'])
    const glimpses = await store.orders.findGlimpses([`${mchid}/LOST-1`, `${mchid}/SOUND-1`])
    expect(glimpses).toHaveLength(2)
    expect(await store.orders.findDue(['created'], at(60), 10)).toHaveLength(1)
    expect(await store.refunds.findDue(at(60), 10)).toHaveLength(1)
    expect(await store.payments.inTurn(mchid, null, 10)).toHaveLength(1)
  })
})
