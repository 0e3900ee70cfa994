import { unheardShare } from '../domain/bill/report.ts'
import type { Store } from '../store/store.ts'

/** A day's numbers are new once a day; this only says how soon every worker tells the same. */
export const share_every_ms = 10 * 60_000

export interface ShareRound {
  store: Pick<Store, 'merchants' | 'reports'>
  told: (mchid: string, share: number) => void
}

/**
 * Tells of each merchant which share of its payments, on the newest day that has a report, no notification told first.
 * Read from the report by every worker, so that none goes on telling what another has known better since.
 */
export async function refreshShares({ store, told }: ShareRound): Promise<void> {
  for (const { mchid } of await store.merchants.list()) {
    const report = await store.reports.newest(mchid)
    const share = report && unheardShare(report.figures)
    if (share !== null) told(mchid, share)
  }
}
