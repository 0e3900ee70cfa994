import { beforeEach, describe, expect, it } from 'vitest'
import { evidenceId } from '../../../domain/ids.ts'
import { done } from '../../stage/acts.ts'
import { World } from '../../stage/world.ts'
import { placed } from '../../store/samples.ts'

const payment = { id: 'T1', total: 990 }

describe('the answer to a question that the notification of its payment overtakes', () => {
  let world: World
  beforeEach(async () => {
    world = await World.open('confirm', [])
    await world.store.orders.apply(world.key, placed())
    world.wechat.is_placed = true
    world.wechat.transactions.push(payment)
  })

  async function asked() {
    await done(world, 'askOnRequest', { order: world.key, operation_id: 'check:payer:1' })
  }

  async function notified(total = payment.total) {
    const evidence_id = await world.notified({ ...payment, total })
    await done(world, 'recordPayment', { order: world.key, found: { evidence_id }, has_open_question: true })
  }

  async function outcomeOfAnswer() {
    const { mchid, out_trade_no } = world.key
    return (await world.store.evidence.find(evidenceId.query(mchid, out_trade_no, 'SUCCESS', 'T1')))?.outcome
  }

  it('is linked by the step that books the money, where it was there before', async () => {
    await asked()
    expect(await outcomeOfAnswer()).toBeNull()
    await notified()
    expect(await outcomeOfAnswer()).toBe('linked')
  })

  it('is linked as it comes, where the money was booked before', async () => {
    await notified()
    await asked()
    expect(await outcomeOfAnswer()).toBe('linked')
  })

  it('is left for the run where it says another amount', async () => {
    await notified(980)
    await asked()
    expect(await outcomeOfAnswer()).toBeNull()
  })

  it('is left for the run where it proves the payment itself', async () => {
    await asked()
    const { mchid, out_trade_no } = world.key
    const evidence_id = evidenceId.query(mchid, out_trade_no, 'SUCCESS', 'T1')
    await done(world, 'recordPayment', { order: world.key, found: { evidence_id } })
    expect(await outcomeOfAnswer()).toBe('applied')
  })
})
