import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { MockActivityEnvironment } from '@temporalio/testing'
import { DefaultLogger } from '@temporalio/worker'
import { postBills } from '../activities/bill/post.ts'
import type { ActivityContext } from '../activities/context.ts'
import { newReconciliation } from '../domain/bill/reconciliation.ts'
import type { ReconciliationRecord } from '../domain/bill/reconciliation.ts'
import type { BillType } from '../domain/bill/row.ts'
import { beijingTime } from '../domain/calendar.ts'
import { billId } from '../domain/ids.ts'
import type { GeneratedDay } from '../simulator/bills/generator.ts'
import { createSealer } from '../store/sealer.ts'
import { openStore } from '../store/store.ts'
import type { Store } from '../store/store.ts'
import { createStatementReader } from '../wechat/statement/reader.ts'
import { day_date, day_mchid } from './billday.ts'

const key = { mchid: day_mchid, bill_date: day_date }
const part_bytes = 4 * 1024 * 1024
const opening = 100_000_000

interface PostingResult {
  /** rows of both bills */
  rows: number
  seconds: number
  rows_per_s: number
  rss_max_mb: number
}

/** Posts both bills of a day into the database that holds its records (bench/daystore.ts), as the step of its run does. */
export async function measurePostings(uri: string, day: GeneratedDay): Promise<PostingResult> {
  const sealer = createSealer({ keys: [{ id: 'bench', key: Buffer.alloc(32, 1).toString('base64') }] })
  const store = await openStore({ uri, sealer, answer_within_ms: 30_000 })
  try {
    await store.ensureIndexes()
    const trades = await keepBill(store, 'trade', day.bill())
    const flows = await keepBill(store, 'fundflow', day.flows(opening))
    const { run } = await store.reconciliations.begin(newReconciliation(key, beijingTime(Date.now()), 'bench'))
    const balance = { opening, closing: flows.closing ?? opening }
    await store.reconciliations.write(key, run, { versions: { trade: 1, fundflow: 1 }, balance })
    const context = { store, now: Date.now } as unknown as ActivityContext
    const environment = new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') })
    const begin = performance.now()
    const outcome: unknown = await environment.run(() => postBills(context, { day: key, run }))
    const seconds = (performance.now() - begin) / 1_000
    const { book } = outcome as ReconciliationRecord
    if (book?.flaws.length !== 0) throw new Error(`not what the bills say: ${JSON.stringify(book)}`)
    const rows = trades.rows + flows.rows
    return { rows, seconds, rows_per_s: rows / seconds, rss_max_mb: process.resourceUsage().maxRSS / 1_024 }
  } finally {
    await store.close()
  }
}

/** Keeps a bill as a fetch does; answers how many rows it has, and the balance of the last one. */
async function keepBill(
  store: Store,
  type: BillType,
  pieces: Iterable<Buffer>,
): Promise<{ rows: number; closing: number | null }> {
  const hash = createHash('sha1')
  const reader = createStatementReader(type)
  const parts_key = `${day_mchid}/${day_date}/${type}/bench`
  let [byte_count, part_count, held_bytes] = [0, 0, 0]
  let closing: number | null = null
  let held: Buffer[] = []
  const take: Parameters<typeof reader.push>[1] = (entry) => {
    if ('row' in entry && 'balance' in entry.row) closing = entry.row.balance
  }
  const keep = async () => {
    await store.bills.putPart(parts_key, part_count, gzipSync(Buffer.concat(held), { level: 1 }))
    part_count += 1
    held_bytes = 0
    held = []
  }
  for (const bytes of pieces) {
    hash.update(bytes)
    reader.push(bytes, take)
    held.push(bytes)
    byte_count += bytes.length
    held_bytes += bytes.length
    if (held_bytes >= part_bytes) await keep()
  }
  await keep()
  const { rows } = reader.end(take)
  await store.bills.add({
    ...{ _id: billId(key, type, 1), ...key, type, version: 1, state: 'ready', hash_value: null },
    ...{ plain_sha1: hash.digest('hex'), byte_count, part_count, parts_key, fetch_time: beijingTime(Date.now()) },
  })
  return { rows, closing }
}
