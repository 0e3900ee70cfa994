import mongoose from 'mongoose'
import { afterAll, describe, expect, it } from 'vitest'
import { newRefund } from '../../domain/refund/record.ts'
import { RecordUnreadable } from '../../store/connection.ts'
import { database_uri, freshStore } from './database.ts'
import { at, mchid, orderSample, paymentFound, paymentSample } from './samples.ts'

const { store, database, drop } = await freshStore()
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

  it('is the failure of its own reader only, where many read together', async () => {
    await store.orders.insert(orderSample('LOST-2', { state: 'paused' as never }))
    await store.orders.insert(orderSample('SOUND-2'))
    const numbers = ['SOUND-2', 'LOST-2', 'NEVER-WAS', 'SOUND-2', 'LOST-2']
    const read = await Promise.allSettled(
      numbers.map((out_trade_no) => store.orders.findTogether({ mchid, out_trade_no })),
    )
    const is_lost = { status: 'rejected', reason: { name: 'RecordUnreadable' } }
    const is_sound = { status: 'fulfilled', value: { out_trade_no: 'SOUND-2' } }
    expect(read).toMatchObject([is_sound, is_lost, { value: null }, is_sound, is_lost])
    const connection = await mongoose.createConnection(database_uri, { dbName: database }).asPromise()
    await connection.collection('orders').deleteMany({ out_trade_no: { $in: ['LOST-2', 'SOUND-2'] } })
    await connection.close()
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
