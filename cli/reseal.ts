import type { ResealedPage } from '../store/sealer.ts'
import type { Store } from '../store/store.ts'

/**
 * Seals everything anew that the newest master key did not seal, or that was sealed before places were part of a seal.
 * Repeatable, and beside running processes: each write is conditional on what was read. A call that
 * finds nothing to do says that older master keys can be taken out of WEFT_MASTER_KEY. What was altered, or moved from another
 * place, opens with none of them: it is named, and holds up nothing else. Throws where a master key is not the one that sealed.
 */
export async function resealAll(store: Store): Promise<string> {
  const counts = { merchants: 0, endpoints: 0, answers: 0, payers: 0, 'pieces of bills': 0 }
  const broken: string[] = []
  const note = (what: keyof typeof counts, changed: number, found: readonly string[]) => {
    counts[what] += changed
    broken.push(...found)
  }
  const merchants = await store.merchants.list()
  store.merchants.assertOpen(merchants)
  for (const merchant of merchants) {
    const keys = await store.merchants.reseal(merchant)
    note('merchants', Math.min(keys.changed, 1), keys.broken)
    for (const endpoint of await store.endpoints.list(merchant.mchid)) {
      const secrets = await store.endpoints.reseal(endpoint)
      note('endpoints', Math.min(secrets.changed, 1), secrets.broken)
    }
  }
  const pages: readonly [keyof typeof counts, (after: string) => Promise<ResealedPage>][] = [
    ['answers', (after) => store.evidence.resealSome(store.sealer, after)],
    ['payers', (after) => store.orders.resealSome(store.sealer, after)],
    ['pieces of bills', (after) => store.bills.resealSome(after)],
  ]
  for (const [what, reseal] of pages) {
    for (let after: string | null = ''; after !== null;) {
      const page: ResealedPage = await reseal(after)
      note(what, page.changed, page.broken)
      after = page.last
    }
  }
  const done = `sealed anew: ${Object.entries(counts)
    .map(([what, count]) => `${count} ${what}`)
    .join(', ')}`
  const is_clean = Object.values(counts).every((count) => count === 0)
  const said = is_clean
    ? 'all is sealed with the newest master key; older ones can be taken out of WEFT_MASTER_KEY'
    : `${done}; run it again until nothing is left, then take older keys out of WEFT_MASTER_KEY`
  return [said, ...brokenLines(broken)].join('\n')
}

/** the rest is counted */
const most_named = 20

function brokenLines(broken: readonly string[]): string[] {
  if (broken.length === 0) return []
  const more = broken.length - most_named
  return [
    `${broken.length} sealed values open with no key here, since they were altered or moved; only a backup, or a new value, mends them:`,
    ...broken.slice(0, most_named).map((place) => `  ${place}`),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ]
}
