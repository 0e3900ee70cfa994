import { createHash, randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { asyncLocalStorage } from '@temporalio/activity'
import type { Context } from '@temporalio/activity'
import { postSheets, SheetProgress } from '../activities/bill/sheets.ts'
import type { ActivityContext } from '../activities/context.ts'
import { dayRange, newReconciliation } from '../domain/bill/reconciliation.ts'
import type { BillRecord } from '../domain/bill/reconciliation.ts'
import type { BillType } from '../domain/bill/row.ts'
import { beijingTime } from '../domain/calendar.ts'
import { billId, billPartsKey } from '../domain/ids.ts'
import { createSealer } from '../store/sealer.ts'
import { openStore } from '../store/store.ts'
import type { Store } from '../store/store.ts'
import { benchDay, day_date, day_mchid } from './billday.ts'

/** What posting the bills of a day took. */
export interface PostingResult {
  lines: number
  seconds: number
}

const day = { mchid: day_mchid, bill_date: day_date }
const now_ms = dayRange(day_date).to_ms
const opening = 100_000_000

/** Keeps a bill as a fetch does, in one piece. Answers how many lines it has. */
async function keepBill(store: Store, type: BillType, pieces: Iterable<Buffer>): Promise<[BillRecord, number]> {
  const bytes = Buffer.concat([...pieces])
  const parts_key = billPartsKey(day, type, randomBytes(8).toString('hex'))
  await store.bills.putPart(parts_key, 0, gzipSync(bytes))
  const plain_sha1 = createHash('sha1').update(bytes).digest('hex')
  const bill: BillRecord = {
    ...{ _id: billId(day, type, 1), ...day, type, version: 1, state: 'ready', hash_value: plain_sha1, plain_sha1 },
    ...{ byte_count: bytes.length, part_count: 1, parts_key, fetch_time: beijingTime(now_ms) },
  }
  await store.bills.add(bill)
  // Without the header and the two lines of the footer.
  return [bill, bytes.filter((byte) => byte === 0x0a).length - 3]
}

/** `<uri> <rows>`: posts both bills of a day of so many rows, whose records are in the database. */
async function main([uri = '', rows = '0']: string[]): Promise<PostingResult> {
  const sealer = createSealer({ keys: [{ id: 'bench', key: randomBytes(32).toString('base64') }] })
  const store = await openStore({ uri, sealer, answer_within_ms: 30_000 })
  for (const collection of [store.journal, store.bills, store.reconciliations]) await collection.ensureIndexes()
  const made = benchDay(Number(rows))
  const kept = [
    await keepBill(store, 'trade', made.bill()),
    await keepBill(store, 'fundflow', made.flows(opening)),
  ] as const
  const { run } = await store.reconciliations.begin(newReconciliation(day, beijingTime(now_ms), 'bench'))
  const context = { store, now: () => now_ms } as unknown as ActivityContext
  const activity = { heartbeat: () => undefined, info: {} } as unknown as Context
  const begin = performance.now()
  for (const [bill] of kept) {
    const post = () => postSheets(context, { day, run }, bill, new SheetProgress(null))
    if (!(await asyncLocalStorage.run(activity, post))) throw new Error('the posting did not come to its end')
  }
  const seconds = (performance.now() - begin) / 1_000
  await store.close()
  return { lines: kept[0][1] + kept[1][1], seconds }
}

main(process.argv.slice(2)).then(
  (result) => console.log(JSON.stringify(result)),
  (error: unknown) => {
    console.error(error)
    process.exitCode = 1
  },
)
