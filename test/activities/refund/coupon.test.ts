import { describe, expect, it } from 'vitest'
import type { RefundKey } from '../../../domain/ids.ts'
import type { Fate } from '../../stage/playedwechat.ts'
import type { World } from '../../stage/world.ts'
import {
  asked,
  askedToStop,
  balanceIn,
  done,
  findingsIn,
  paidOrder,
  refundIn,
  reserved,
  sent,
  told,
} from '../../stage/acts.ts'

/** All of a payment of which a coupon bore `nocash` fen goes back, and WeChat has it go so. */
async function refunded(nocash: number, ...fate: Fate): Promise<{ world: World; refund: RefundKey }> {
  const world = await paidOrder({ nocash })
  world.wechat.fates.push(fate)
  const refund = await reserved(world, 'R-1', 'T1', 990)
  await askedToStop(world, refund)
  await sent(world, refund)
  await goesOn(world, refund)
  return { world, refund }
}

async function goesOn(world: World, refund: RefundKey): Promise<void> {
  world.wechat.progress()
  await asked(world, refund)
  await told(world, refund)
}

const payout = { operation_id: 'payout', actor: { kind: 'operator', id: 'li' }, reason: 'by bank', proof: 'slip 7' }

describe('a refund of what free coupons had paid', () => {
  it.each([0, 1, 989, 990])('of which they bore %i of 990 fen ends as any other', async (nocash) => {
    const { world, refund } = await refunded(nocash, 'SUCCESS')
    expect([(await refundIn(world, refund)).state, (await world.record()).state]).toEqual(['succeeded', 'refunded'])
    const accounts = ['sales', 'discount.nocash', 'refund.payable', 'wechat.refund_transit']
    const balances = await Promise.all(accounts.map((account) => balanceIn(world, account)))
    expect(balances.map((fen) => fen + 0)).toEqual([0, 0, 0, nocash - 990 + 0])
    expect(await findingsIn(world)).toEqual([])
  })

  it.each([['ABNORMAL'], ['CLOSED']] as const)(
    'of all of it can be sent back by the payer’s bank: %s',
    async (state) => {
      const { world, refund } = await refunded(990, 'SUCCESS', state)
      const [there] = world.wechat.refunds
      if (there === undefined) throw new Error('WeChat has no refund')
      world.wechat.progress()
      const found = { evidence_id: await world.refundNotified(there) }
      expect(await done(world, 'settleNews', { refund, found, outcome: 'linked' })).toBe('ask')
      await asked(world, refund)
      await told(world, refund)
      await done(world, 'settleNews', { refund, found, outcome: 'applied', is_asked: true })
      expect((await refundIn(world, refund)).state).toBe(state === 'CLOSED' ? 'closed' : 'abnormal')
      expect(await findingsIn(world)).toEqual([])
    },
  )

  it('of all of it is returned to the merchant, and paid out by hand', async () => {
    const { world, refund } = await refunded(990, 'RETURNED')
    expect((await refundIn(world, refund)).state).toBe('returned_to_merchant')
    await done(world, 'recordPayout', { refund, ...payout })
    await told(world, refund)
    expect([(await world.record()).state, await findingsIn(world)]).toEqual(['refunded', []])
  })

  it('of all of it is closed, and paid out by hand', async () => {
    const { world, refund } = await refunded(990, 'CLOSED')
    await done(world, 'recordPayout', { refund, ...payout })
    await told(world, refund)
    expect([(await world.record()).state, await findingsIn(world)]).toEqual(['refunded', []])
  })
})
