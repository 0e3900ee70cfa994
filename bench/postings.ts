import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { MockActivityEnvironment } from '@temporalio/testing'
import { DefaultLogger } from '@temporalio/worker'
import { readFlow } from '../activities/bill/flow.ts'
import { postBills } from '../activities/bill/post.ts'
import type { GatewayContext } from '../activities/gateway.ts'
import { default_bill_policy, newReconciliation } from '../domain/bill/reconciliation.ts'
import type { ReconciliationRecord } from '../domain/bill/reconciliation.ts'
import type { BillType } from '../domain/bill/row.ts'
import { beijingTime } from '../domain/calendar.ts'
import { billId } from '../domain/ids.ts'
import { createSealer } from '../store/sealer.ts'
import { openStore } from '../store/store.ts'
import type { Store } from '../store/store.ts'
import { benchDay, day_date, day_mchid } from './billday.ts'

const day = { mchid: day_mchid, bill_date: day_date }
const part_bytes = 1024 * 1024
const opening = 100_000_000

export interface PostingResult {
  /** of both bills */
  lines: number
  seconds: number
  lines_per_s: number
  rss_max_mb: number
}

/** Posts both bills of a day of so many rows into the database that holds its records (bench/reconcile.ts). */
export async function measurePostings(uri: string, rows: number): Promise<PostingResult> {
  const sealer = createSealer({ keys: [{ id: 'bench', key: Buffer.alloc(32, 1).toString('base64') }] })
  const store = await openStore({ uri, sealer, answer_within_ms: 30_000 })
  try {
    await store.ensureIndexes()
    // Of a day whose bills are right: of one that is planted the book would say so.
    const made = benchDay(rows, 0)
    const trades = await keepBill(store, 'trade', made.bill())
    const flows = await keepBill(store, 'fundflow', made.flows(opening))
    const begun = newReconciliation(day, beijingTime(Date.now()), 'bench')
    const { run } = await store.reconciliations.begin(begun)
    const context = { store, now: Date.now } as unknown as GatewayContext
    const environment = new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') })
    const flow = await store.bills.newest(day, 'fundflow')
    if (flow === null) throw new Error('the bill was not kept')
    const moved: unknown = await environment.run(() => readFlow(store, day, { ...flow, type: 'fundflow' }))
    const { balance } = moved as Awaited<ReturnType<typeof readFlow>>
    await store.reconciliations.write(day, run, { versions: { trade: 1, fundflow: 1 }, balance })
    const begin = performance.now()
    const outcome: unknown = await environment.run(() => postBills(context, default_bill_policy, { day, run }))
    const posted = outcome as ReconciliationRecord | null
    const seconds = (performance.now() - begin) / 1_000
    if (posted?.book?.flaws.length !== 0) throw new Error(`not what the bills say: ${JSON.stringify(posted?.book)}`)
    const lines = trades + flows
    const rss_max_mb = process.resourceUsage().maxRSS / 1_024
    return { lines, seconds, lines_per_s: lines / seconds, rss_max_mb }
  } finally {
    await store.close()
  }
}

/** Keeps a bill as a fetch does; answers how many lines it has. */
async function keepBill(store: Store, type: BillType, text: Iterable<Buffer>): Promise<number> {
  const hash = createHash('sha1')
  const parts_key = `${day.mchid}/${day.bill_date}/${type}/bench`
  let [lines, byte_count, part_count] = [0, 0, 0]
  let held: Buffer[] = []
  const keep = async () => {
    await store.bills.putPart(parts_key, part_count, gzipSync(Buffer.concat(held), { level: 1 }))
    part_count += 1
    held = []
  }
  for (const bytes of text) {
    hash.update(bytes)
    byte_count += bytes.length
    for (const byte of bytes) if (byte === 0x0a) lines += 1
    held.push(bytes)
    if (held.reduce((sum, { length }) => sum + length, 0) > 4 * part_bytes) await keep()
  }
  await keep()
  await store.bills.add({
    ...{ _id: billId(day, type, 1), ...day, type, version: 1, state: 'ready', hash_value: null },
    ...{ plain_sha1: hash.digest('hex'), byte_count, part_count, parts_key, fetch_time: beijingTime(Date.now()) },
  })
  // without the names of the columns and the sums
  return lines - 3
}
