import { describe, expect, it } from 'vitest'
import { createRuns } from '../../../activities/runs.ts'
import type { ActivityContext } from '../../../activities/context.ts'
import type { LoadedOrder, OrderWriteResult } from '../../../domain/messages.ts'
import type { OrderRecord } from '../../../domain/order/record.ts'
import { done, found, interrupted, requester } from '../../stage/acts.ts'
import { toOptions, World } from '../../stage/world.ts'
import { at, closeAsked, closedAtWeChat, mchid, orderSample, placed } from '../../store/samples.ts'

/** An order of a sale that was closed and paid all the same: a person has to decide. */
async function lateMoney(given: Partial<OrderRecord> = { reference: 'sale-1' }): Promise<World> {
  const world = await World.open('confirm', [], null, given)
  const merchant = await world.store.merchants.find(mchid)
  if (merchant === null) throw new Error('the merchant is gone')
  await world.store.merchants.save({ ...merchant, settings: { ...merchant.settings, late_payment: 'hold' } })
  await world.store.orders.apply(world.key, placed())
  world.wechat.is_placed = true
  for (const occurrence of [closeAsked(), closedAtWeChat()]) await world.store.orders.apply(world.key, occurrence)
  world.wechat.transactions.push({ id: 'T1', total: 990 })
  await found(world, 'T1')
  return world
}

/** A newer number of the sale, made meanwhile. */
const newer = async ({ store }: World, out_trade_no: string, given: Partial<OrderRecord> = {}) =>
  await store.orders.insert(orderSample(out_trade_no, { reference: 'sale-1', create_time: at(90), ...given }))

const accept = (world: World) => ({
  order: world.key,
  ...{ operation_id: 'review:1', actor: requester, reason: 'the customer wants it', decision: 'accept' },
  transaction_id: null,
})
const siblingsOf = ({ siblings = [] }: Pick<OrderWriteResult, 'siblings'>) => siblings

describe('late money that a person takes', () => {
  it('has the numbers of its sale closed that can still be paid, and no others', async () => {
    const world = await lateMoney()
    await newer(world, 'TEA-2')
    await newer(world, 'TEA-3', { state: 'awaiting_payment' })
    await newer(world, 'TEA-4', { state: 'closing' })
    await newer(world, 'TEA-5', { state: 'failed' })
    await newer(world, 'TEA-6', { reference: 'sale-2' })
    expect(siblingsOf(await done(world, 'recordReview', accept(world)))).toEqual(['TEA-2', 'TEA-3'])
  })

  it('has none closed where the money goes back, where there is no sale, and where another number keeps it', async () => {
    const [rejected, alone, overtaken] = [await lateMoney(), await lateMoney({}), await lateMoney()]
    for (const world of [rejected, alone, overtaken]) await newer(world, 'TEA-2')
    await overtaken.store.references.claim(mchid, 'sale-1', 'TEA-2')
    const refuse = { ...accept(rejected), decision: 'reject' }
    expect(siblingsOf(await done(rejected, 'recordReview', refuse))).toEqual([])
    for (const world of [alone, overtaken])
      expect(siblingsOf(await done(world, 'recordReview', accept(world)))).toEqual([])
  })

  it('has them closed wherever the worker died behind the decision', async () => {
    for (let left = 1; left <= 8; left++) {
      const world = await lateMoney()
      await newer(world, 'TEA-2')
      await interrupted(world, left, 'recordReview', accept(world))
      const again = siblingsOf(await done(world, 'recordReview', accept(world)))
      const begun_anew = siblingsOf(await done<LoadedOrder>(world, 'load', world.key))
      expect([left, again, begun_anew]).toEqual([left, ['TEA-2'], ['TEA-2']])
    }
  })

  it('asks each of them to close, by one command however often', async () => {
    const { store } = await lateMoney()
    const asked: string[] = []
    const workflow = {
      start: () => Promise.resolve(),
      getHandle: (id: string) => ({
        startUpdate: (name: string, { updateId }: { updateId: string }) =>
          Promise.resolve(void asked.push(`${name} ${id} ${updateId}`)),
      }),
    }
    const runs = createRuns({ store } as ActivityContext, { client: { workflow }, toOptions } as never)
    await runs.closeSiblings({ order: { mchid, out_trade_no: 'TEA-1' }, siblings: ['TEA-2', 'TEA-3'] })
    expect(asked).toEqual([`close order/${mchid}/TEA-2 sale_kept:TEA-1`, `close order/${mchid}/TEA-3 sale_kept:TEA-1`])
  })
})
