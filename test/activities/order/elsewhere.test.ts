import { expect, it } from 'vitest'
import { done } from '../../stage/acts.ts'
import { World } from '../../stage/world.ts'
import { orderSample, placed } from '../../store/samples.ts'

it('an answer about one order that is handed to another’s run is booked by its own alone', async () => {
  const world = await World.open('confirm', [])
  const { store, wechat, key } = world
  await store.orders.apply(key, placed())
  wechat.is_placed = true
  wechat.transactions.push({ id: 'T1', total: 990 })
  const { mchid } = key
  const other = { mchid, out_trade_no: 'OTHER-1' }
  await store.orders.insert(orderSample('OTHER-1', { _id: `${mchid}/OTHER-1`, mchid, state: 'awaiting_payment' }))
  const said = await done<{ evidence_id: string }>(world, 'askUntilAnswered', { order: key })
  const found = { evidence_id: said.evidence_id }
  expect(await done(world, 'recordPayment', { order: other, found })).toBe('unproven')
  expect(await store.payments.find(mchid, 'T1')).toBeNull()
  await done(world, 'recordPayment', { order: key, found })
  expect(await store.payments.find(mchid, 'T1')).toMatchObject({
    order_id: `${mchid}/${key.out_trade_no}`,
    role: 'order',
  })
  expect((await world.record()).state).toBe('paid')
})
