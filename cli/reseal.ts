import type { Store } from '../store/store.ts'

/**
 * Seals everything anew that the newest master key did not seal, or that was sealed before places were part of a seal.
 * Repeatable, and beside running processes: each write is conditional on what was read. A call that
 * finds nothing to do says that older master keys can be taken out of WEFT_MASTER_KEY.
 */
export async function resealAll(store: Store): Promise<string> {
  const counts = { merchants: 0, endpoints: 0, answers: 0, payers: 0, 'pieces of bills': 0 }
  for (const merchant of await store.merchants.list()) {
    if (await store.merchants.reseal(merchant)) counts.merchants += 1
    for (const endpoint of await store.endpoints.list(merchant.mchid)) {
      if (await store.endpoints.reseal(endpoint)) counts.endpoints += 1
    }
  }
  for (let after: string | null = ''; after !== null;) {
    const { changed, last } = await store.evidence.resealSome(store.sealer, after)
    counts.answers += changed
    after = last
  }
  for (let after: string | null = ''; after !== null;) {
    const { changed, last } = await store.orders.resealSome(store.sealer, after)
    counts.payers += changed
    after = last
  }
  for (let after: string | null = ''; after !== null;) {
    const { changed, last } = await store.bills.resealSome(after)
    counts['pieces of bills'] += changed
    after = last
  }
  const done = `sealed anew: ${Object.entries(counts)
    .map(([what, count]) => `${count} ${what}`)
    .join(', ')}`
  const is_clean = Object.values(counts).every((count) => count === 0)
  return is_clean
    ? 'all is sealed with the newest master key; older ones can be taken out of WEFT_MASTER_KEY'
    : `${done}; run it again until nothing is left, then take older keys out of WEFT_MASTER_KEY`
}
