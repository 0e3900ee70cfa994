import { createHash, randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { MockActivityEnvironment } from '@temporalio/testing'
import { DefaultLogger } from '@temporalio/worker'
import type { GatewayContext } from '../../../activities/gateway.ts'
import { postBills } from '../../../activities/bill/post.ts'
import type { SheetPlace } from '../../../activities/bill/sheets.ts'
import { default_bill_policy, newReconciliation } from '../../../domain/bill/reconciliation.ts'
import type { DayKey, ReconciliationRecord } from '../../../domain/bill/reconciliation.ts'
import { bill_types } from '../../../domain/bill/row.ts'
import type { BillType, FlowBill } from '../../../domain/bill/row.ts'
import { beijingTime } from '../../../domain/calendar.ts'
import { billId, orderId } from '../../../domain/ids.ts'
import { paymentEntry } from '../../../domain/journal.ts'
import type { JournalEntry } from '../../../domain/journal.ts'
import { createSealer } from '../../../store/sealer.ts'
import type { Store } from '../../../store/store.ts'
import { memoryStore } from '../../stage/memory.ts'
import type { Writes } from '../../stage/memory.ts'
import { mchid, noon, orderSample, paymentSample } from '../../store/samples.ts'
import { layouts, line, written } from '../../wechat/statement/file.ts'

export const day: DayKey = { mchid, bill_date: '2026-11-22' }

const sealer = createSealer({ keys: [{ id: 'test', key: randomBytes(32).toString('base64') }] })
const quiet = new DefaultLogger('ERROR')

type Cells = Record<string, string>

export const transaction = (n: number) => `42000000012026112200000${String(n).padStart(5, '0')}`

/** The cells of a payment's row in the trade bill. */
export function tradeCells(n: number, change: Cells = {}): Cells {
  return { 微信订单号: transaction(n), 商户订单号: `T20261122-${n}`, ...change }
}

/** The cells of a movement of 9.90 in the fund flow, without its balance. */
export function flowCells(n: number, change: Cells = {}): Cells {
  return { 微信支付业务单号: transaction(n), 资金流水单号: transaction(n), 业务凭证号: `T20261122-${n}`, ...change }
}

export const fee_cells = { 业务类型: '扣除交易手续费', 收支类型: '支出', '收支金额(元)': '0.06', 业务凭证号: '' }

/** The bytes of a fund flow whose balances follow each other; of its sums only what is read here is there. */
export function flowFile(
  rows: readonly Cells[],
  opening = 10_000,
): { bytes: Buffer; opening: number; closing: number } {
  const { columns, summary_columns } = layouts.fundflow
  let balance = opening
  const lines = rows.map((cells) => {
    const amount = Math.round(Number(cells['收支金额(元)'] ?? '9.90') * 100)
    balance += cells['收支类型'] === '支出' ? -amount : amount
    return line(columns, { ...cells, '账户结余(元)': (balance / 100).toFixed(2) })
  })
  const bytes = written({ columns, rows: lines, summary_columns, summary: summary_columns.map(() => '0') })
  return { bytes, opening, closing: balance }
}

export function tradeBytes(rows: readonly Cells[]): Buffer {
  const { columns, summary_columns } = layouts.ALL
  const summary = summary_columns.map(() => '0')
  return written({ columns, rows: rows.map((cells) => line(columns, cells)), summary_columns, summary })
}

/** The movements of other accounts than the basic one. */
type OtherFlows = Partial<Record<FlowBill, readonly Cells[]>>

/** Bills of days, and the book that they are posted in, in memory; `writes` ends the worker. */
export class BillBook {
  readonly writes: Writes = { left: Infinity }
  readonly store: Store = memoryStore(sealer, this.writes)
  now_ms = noon
  heartbeats: unknown[] = []
  readonly #context = {
    store: this.store,
    now: () => this.now_ms,
  } as unknown as GatewayContext

  /** A payment of 9.90 that is recorded and booked; `S` of it is settled. */
  async pay(n: number, given: { settled_total?: number; success_time?: string } = {}): Promise<void> {
    const out_trade_no = `T20261122-${n}`
    await this.store.orders.insert(orderSample(out_trade_no))
    const payment = paymentSample(transaction(n), {
      out_trade_no,
      order_id: orderId({ mchid, out_trade_no }),
      success_time: '2026-11-22T10:00:00.000+08:00',
      ...given,
    })
    await this.store.payments.insert(payment)
    await this.store.journal.post(paymentEntry(payment, beijingTime(this.now_ms)))
  }

  /** Keeps a file as the next version of a day's bill. */
  async keep(type: BillType, bytes: Buffer | null, key = day): Promise<number> {
    const version = ((await this.store.bills.newest(key, type))?.version ?? 0) + 1
    const parts_key = `${key.bill_date}/${type}/${version}`
    if (bytes !== null) await this.store.bills.putPart(parts_key, 0, gzipSync(bytes))
    await this.store.bills.add({
      _id: billId(key, type, version),
      ...key,
      type,
      version,
      state: bytes === null ? 'none' : 'ready',
      hash_value: null,
      plain_sha1: bytes && createHash('sha1').update(bytes).digest('hex'),
      byte_count: bytes?.length ?? 0,
      part_count: bytes === null ? 0 : 1,
      parts_key,
      fetch_time: beijingTime(this.now_ms),
    })
    return version
  }

  /** Keeps both bills and begins the look that has compared them. */
  async issue(
    trades: readonly Cells[],
    flows: readonly Cells[],
    { opening, key = day, others = {} }: { opening?: number; key?: DayKey; others?: OtherFlows } = {},
  ): Promise<number> {
    const flow = flowFile(flows, opening)
    const versions: ReconciliationRecord['versions'] = {
      trade: await this.keep('trade', tradeBytes(trades), key),
      fundflow: await this.keep('fundflow', flow.bytes, key),
    }
    const balance = flows.length === 0 ? null : { opening: flow.opening, closing: flow.closing }
    const balances: ReconciliationRecord['balances'] = {}
    for (const [type, rows] of Object.entries(others) as [FlowBill, Cells[]][]) {
      const other = flowFile(rows, opening)
      versions[type] = await this.keep(type, other.bytes, key)
      balances[type] = rows.length === 0 ? null : { opening: other.opening, closing: other.closing }
    }
    const bills = bill_types.filter((type) => versions[type] !== undefined)
    const more = Object.keys(balances).length > 0 && { balances }
    return await this.begin({ versions, balance, bills, ...more }, key)
  }

  async begin(found: Partial<ReconciliationRecord>, key = day): Promise<number> {
    const begun = newReconciliation(key, beijingTime(this.now_ms), randomBytes(4).toString('hex'))
    const { run } = await this.store.reconciliations.begin(begun)
    await this.store.reconciliations.write(key, run, { state: 'running', ...found })
    return run
  }

  async post(run: number, key = day, resumed?: SheetPlace): Promise<ReconciliationRecord | null> {
    const environment = new MockActivityEnvironment(resumed ? { heartbeatDetails: resumed } : {}, { logger: quiet })
    environment.on('heartbeat', (details: unknown) => this.heartbeats.push(details))
    const outcome: unknown = await environment.run(() =>
      postBills(this.#context, default_bill_policy, { day: key, run }),
    )
    return outcome as ReconciliationRecord | null
  }

  async entries(): Promise<JournalEntry[]> {
    const all: JournalEntry[] = []
    for (let cursor: string | undefined; ;) {
      const page = await this.store.journal.list(mchid, {}, { limit: 1_000, cursor })
      all.push(...page.data)
      if (page.next_cursor === null) return all
      cursor = page.next_cursor
    }
  }

  /** The ids of what is posted of bills and not taken back. */
  async standing(): Promise<string[]> {
    const all = await this.entries()
    const reversed = new Set(all.flatMap(({ reverses }) => reverses ?? []))
    return all
      .filter(({ _id, reverses }) => reverses === null && !reversed.has(_id) && !_id.startsWith('pay:'))
      .map(({ _id }) => _id)
      .sort()
  }

  /** Fen by account and sub-key, what is zero left out. */
  async balances(): Promise<Record<string, number>> {
    const sums = new Map<string, number>()
    for (const { postings } of await this.entries())
      for (const { account, key, amount } of postings)
        sums.set(`${account} ${key}`, (sums.get(`${account} ${key}`) ?? 0) + amount)
    return Object.fromEntries([...sums].filter(([, amount]) => amount !== 0).sort())
  }
}
