import { afterAll, describe, expect, it } from 'vitest'
import { silentLogger } from '../../runtime/logger.ts'
import { closeLeftProbes } from '../../worker/probes.ts'
import { freshStore } from '../store/database.ts'
import { at, noon } from '../store/samples.ts'

const { store, drop } = await freshStore({ is_indexed: false })
afterAll(drop)

describe('the probe orders that were left behind', () => {
  it('of a merchant that none can be closed of do not keep another’s from its turn', async () => {
    const [broken, sound] = ['1900000001', '1900000002']
    const numbers = Array.from({ length: 60 }, (_, place) => `WEFTPROBE-${String(place).padStart(2, '0')}`)
    for (const [place, out_trade_no] of numbers.entries()) {
      await store.probes.note({ mchid: broken, out_trade_no, create_time: at(place) })
    }
    await store.probes.note({ mchid: sound, out_trade_no: 'WEFTPROBE-NEWEST', create_time: at(60) })
    const asked: string[] = []
    const accounts = { find: async (mchid: string) => (asked.push(mchid), null) }
    const now = () => noon + 60 * 60_000
    await closeLeftProbes({ store, accounts, now, log: silentLogger })
    expect(asked.filter((mchid) => mchid === sound)).toHaveLength(1)
    expect(asked.filter((mchid) => mchid === broken)).toHaveLength(5)
  })
})
