import { describe, expect, it } from 'vitest'
import { operationId } from '../../../domain/ids.ts'
import { World } from '../../stage/world.ts'
import { placed } from '../../store/samples.ts'

async function waitingOrder(): Promise<World> {
  const world = await World.open('none', [])
  await world.store.orders.apply(world.key, placed())
  world.wechat.is_placed = true
  return world
}

describe('a question on request', () => {
  it('counts against the payer’s twenty only when the payer asks', async () => {
    const world = await waitingOrder()
    const counts: number[] = []
    for (const asker of ['merchant', 'payer', 'merchant', 'payer']) {
      world.now_ms += 60_000
      await world.perform('askOnRequest', { order: world.key, operation_id: operationId.check(asker, 'r') })
      counts.push((await world.record()).asked.on_request)
    }
    expect(counts).toEqual([0, 1, 1, 2])
  })
})
