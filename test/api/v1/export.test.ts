import { expect, it } from 'vitest'
import { differencesBy } from '../../../api/v1/bills/statements.ts'
import { weft_actor } from '../../../domain/actor.ts'
import { memoryStore } from '../../stage/memory.ts'
import { sealer } from '../../stage/world.ts'
import { mchid } from '../../store/samples.ts'
import { differenceSample } from './billsample.ts'

it('an export of differences has each of them, also those that open while it is read', async () => {
  const store = memoryStore(sealer)
  const all = Array.from({ length: 520 }, (_, index) =>
    differenceSample({
      transaction_id: `4200${String(index).padStart(24, '0')}`,
      state: 'waiting',
      due_time: new Date(Date.UTC(2026, 10, 25) + index * 1_000).toISOString(),
    }),
  )
  await store.differences.note(all)
  const seen = new Set<string>()
  for await (const some of differencesBy(store, mchid, {})) {
    for (const { _id } of some) seen.add(_id)
    // What is not read yet opens, and is due at another time from then on.
    for (const { _id } of all.filter((one) => !seen.has(one._id)).slice(0, 5))
      await store.differences.apply(_id, () => ({
        event: 'overdue',
        operation_id: 'overdue:1',
        time: '2026-11-26T10:30:00.000+08:00',
        actor: weft_actor,
      }))
  }
  expect(seen.size).toBe(520)
})
