import { describe, expect, it } from 'vitest'
import { newReport, noFigures } from '../../domain/bill/report.ts'
import { createMetrics } from '../../runtime/metrics.ts'
import { createSealer } from '../../store/sealer.ts'
import { refreshShares } from '../../worker/share.ts'
import { memoryStore } from '../stage/memory.ts'
import { mchid, merchantSample } from '../store/samples.ts'

describe('the share of payments that no notification told first', () => {
  it('is that of the newest day, of each merchant that has one', async () => {
    const store = memoryStore(createSealer({ keys: [{ id: 'one', key: Buffer.alloc(32, 1).toString('base64') }] }))
    await store.merchants.save(merchantSample())
    await store.merchants.save(merchantSample({ _id: '1900000002', mchid: '1900000002' }))
    const metrics = createMetrics()
    const told = (of: string, share: number) => metrics.found_by_query_share.set({ mchid: of }, share)
    const day = (bill_date: string, found_by: Record<string, number>) =>
      store.reports.write(
        newReport({ mchid, bill_date }, 1, `${bill_date}T23:00:00.000+08:00`, { ...noFigures(), found_by }),
      )
    await day('2026-11-22', { notification: 3, query: 1 })
    await day('2026-11-21', { query: 9 })
    await refreshShares({ store, told })
    const read = async () =>
      (await metrics.found_by_query_share.get()).values.map(({ labels, value }) => [labels.mchid, value])
    expect(await read()).toEqual([[mchid, 0.25]])
    await day('2026-11-23', { notification: 3 })
    await refreshShares({ store, told })
    expect(await read()).toEqual([[mchid, 0]])
  })
})
