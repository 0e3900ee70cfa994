import { describe, expect, it } from 'vitest'
import type { ActivityContext } from '../../../activities/context.ts'
import { createRuns } from '../../../activities/runs.ts'
import type { CheckoutRecord } from '../../../domain/checkout/record.ts'
import { memoryStore } from '../../stage/memory.ts'
import { toOptions } from '../../stage/world.ts'
import { at, checkoutSample, mchid, orderSample } from '../../store/samples.ts'

/** What the run of `number`, an order that a checkout made, is told right before it places. */
async function verdict(number: string, given: Partial<Omit<CheckoutRecord, 'orders'>> | null, ...claimed: string[]) {
  const store = memoryStore(null as never)
  const asked: string[] = []
  const workflow = {
    start: () => Promise.resolve(),
    getHandle: (id: string) => ({ startUpdate: (name: string) => Promise.resolve(void asked.push(`${name} ${id}`)) }),
  }
  if (given !== null) await store.checkouts.insert(checkoutSample('TEA-1', { ...given, orders: claimed }))
  for (const [place, out_trade_no] of claimed.entries()) {
    const create_time = at(60 * (place + 1))
    await store.orders.insert(
      orderSample(out_trade_no, { checkout_id: `${mchid}/TEA-1`, reference: 'TEA-1', create_time }),
    )
  }
  const runs = createRuns({ store } as unknown as ActivityContext, { client: { workflow }, toOptions } as never)
  const answer = await runs.closeOlder({ order: { mchid, out_trade_no: number } }).then(
    ({ kind }) => kind,
    (error: unknown) => String(error),
  )
  return { answer, asked }
}

describe('an order that a checkout made is placed', () => {
  it('while the checkout is open and its number is the newest, behind those before it', async () => {
    expect(await verdict('TEA-1', {}, 'TEA-1')).toEqual({ answer: 'clear', asked: [] })
    const second = await verdict('TEA-1-2', {}, 'TEA-1', 'TEA-1-2')
    expect(second.answer).toContain('older numbers of the same sale are being closed')
    expect(second.asked).toEqual([`close order/${mchid}/TEA-1`])
  })

  it('never behind a newer number: who claimed it was slow, or died and is swept up later', async () => {
    expect(await verdict('TEA-1', {}, 'TEA-1', 'TEA-1-2')).toEqual({ answer: 'not_wanted', asked: [] })
  })

  it.each(['closing', 'cancelled', 'expired', 'paid'] as const)('never once that is %s', async (state) => {
    expect((await verdict('TEA-1', { state }, 'TEA-1')).answer).toBe('not_wanted')
  })

  it('never while the checkout is missing: a backup has to be restored', async () => {
    expect((await verdict('TEA-1', null, 'TEA-1')).answer).toContain('restore it')
  })
})
