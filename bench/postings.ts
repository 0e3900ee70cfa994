import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { createGunzip, gzipSync } from 'node:zlib'
import { MockActivityEnvironment } from '@temporalio/testing'
import { DefaultLogger } from '@temporalio/worker'
import { postBills } from '../activities/bill/post.ts'
import type { ActivityContext } from '../activities/context.ts'
import { newReconciliation } from '../domain/bill/reconciliation.ts'
import type { ReconciliationRecord } from '../domain/bill/reconciliation.ts'
import type { BillType } from '../domain/bill/row.ts'
import { beijingTime } from '../domain/calendar.ts'
import { billId } from '../domain/ids.ts'
import { yuanText } from '../domain/money.ts'
import { createSealer } from '../store/sealer.ts'
import { openStore } from '../store/store.ts'
import type { Store } from '../store/store.ts'
import { day_from, day_mchid, dayRecords } from './billday.ts'

const day = { mchid: day_mchid, bill_date: day_from.slice(0, 10) }
const part_bytes = 1024 * 1024
const opening = 100_000_000

export interface PostingResult {
  /** of both bills */
  lines: number
  seconds: number
  lines_per_s: number
  rss_max_mb: number
}

/**
 * Posts the bills of a day of `places` into the database that holds its records (bench/reconcile.ts): the trade bill as
 * it is written by `writeBill`, and a fund flow with a movement for each payment, fee and refund.
 */
export async function measurePostings(uri: string, bill_path: string, places: number): Promise<PostingResult> {
  const sealer = createSealer({ keys: [{ id: 'bench', key: Buffer.alloc(32, 1).toString('base64') }] })
  const store = await openStore({ uri, sealer, answer_within_ms: 30_000 })
  try {
    await store.ensureIndexes()
    const trades = await keepBill(store, 'trade', createReadStream(bill_path).pipe(createGunzip()))
    const flow = flowOf(places)
    const flows = await keepBill(store, 'fundflow', flow.text())
    const begun = newReconciliation(day, beijingTime(Date.now()), 'bench')
    const { run } = await store.reconciliations.begin(begun)
    const balance = { opening, closing: flow.closing() }
    await store.reconciliations.write(day, run, { versions: { trade: 1, fundflow: 1 }, balance })
    const context = { store, now: Date.now } as unknown as ActivityContext
    const environment = new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') })
    const begin = performance.now()
    const outcome: unknown = await environment.run(() => postBills(context, { day, run }))
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
async function keepBill(store: Store, type: BillType, text: AsyncIterable<Buffer> | Iterable<Buffer>): Promise<number> {
  const hash = createHash('sha1')
  const parts_key = `${day.mchid}/${day.bill_date}/${type}/bench`
  let [lines, byte_count, part_count] = [0, 0, 0]
  let held: Buffer[] = []
  const keep = async () => {
    await store.bills.putPart(parts_key, part_count, gzipSync(Buffer.concat(held), { level: 1 }))
    part_count += 1
    held = []
  }
  for await (const bytes of text) {
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

const flow_header =
  '记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),资金变更提交申请人,备注,业务凭证号'
const flow_footer = '资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额'

function flowOf(places: number): { text: () => Generator<Buffer>; closing: () => number } {
  let balance = opening
  const row = (time: string, id: string, type: string, amount: number, voucher: string): string => {
    balance += amount
    const cells = [time.slice(0, 19).replace('T', ' '), id, id, type, type, amount > 0 ? '收入' : '支出']
    const rest = [yuanText(Math.abs(amount)), yuanText(balance), 'system', '', voucher]
    return `${[...cells, ...rest].map((cell) => `\`${cell}`).join(',')}\r\n`
  }
  function* text(): Generator<Buffer> {
    let held = `\uFEFF${flow_header}\r\n`
    for (const record of dayRecords(places)) {
      if (record.kind === 'payment') {
        const { success_time, transaction_id, settled_total, out_trade_no } = record
        const fee = Math.floor((settled_total * 6 + 500) / 1_000)
        held += row(success_time, transaction_id, '交易', settled_total, out_trade_no)
        if (fee > 0) held += row(success_time, transaction_id, '扣除交易手续费', 0 - fee, '')
      } else held += row(record.accepted_time, record.refund_id, '退款', 0 - record.refund, record.out_refund_no)
      if (held.length < 100_000) continue
      yield Buffer.from(held)
      held = ''
    }
    yield Buffer.from(`${held}${flow_footer}\r\n\`0,\`0,\`0,\`0,\`0\r\n`)
  }
  return { text, closing: () => balance }
}
