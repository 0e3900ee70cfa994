import { afterAll, beforeAll, describe, it } from 'vitest'
import { expectBook, expectHeard, expectProven } from '../../stage/money.ts'
import { Stage } from '../../stage/stage.ts'

describe('a tea that is paid, shipped and given back', () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await Stage.open({ time_scale: 60 }) // all of Weft's waits divided by 60
  })
  afterAll(async () => await stage.close()) // judges all that happened, then shuts down

  it.concurrent('leaves nothing of the sale', async () => {
    const order = await stage.fulfilled() // ordered, paid, shipped
    const refund = await stage.refunding({ out_trade_no: order.out_trade_no, amount: { refund: 990 } })
    await stage.refundReaches(refund, 'succeeded') // waits for a fact
    await expectHeard(stage, order, 'order.paid', 'order.fulfilled', 'refund.succeeded')
    await expectBook(stage, order, { 'wechat.pending': 990, 'wechat.refund_transit': -990 })
    await expectProven(stage, order)
  })
})
