import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import mongoose from 'mongoose'
import { clearDatabase, startDatabase } from '../dev/servers/servers.ts'
import type { DayPayment, DayRecord, DayRefund } from '../domain/bill/record.ts'
import { dayRecords, day_mchid, expectedClasses, writeBill, writeRecords } from './billday.ts'
import { roundTo } from './figures.ts'
import { compile, compiled } from './processes.ts'
import type { PassResult } from './reconcileworker.ts'
import { printVerdicts } from './report.ts'

const sizes = { full: [300_000, 1_000_000, 3_000_000], small: [20_000] }

interface Measured {
  rows: number
  bare: PassResult
  match: PassResult
}

/**
 * How fast and in how much memory a day's bill is read, joined both ways with our records and classified, against a pass
 * that only reads both. `WEFT_BENCH_RECORDS=file`: the records come from a file, so that the database is in no figure.
 * `WEFT_BENCH_ROWS=300000,1000000`: other sizes.
 */
export async function measureReconcile(size: 'full' | 'small'): Promise<void> {
  const begin = performance.now()
  const say = (line: string) => console.log(`[${Math.round((performance.now() - begin) / 1_000)} s] ${line}`)
  const directory = mkdtempSync(join(tmpdir(), 'weft-bench-'))
  const wanted = process.env.WEFT_BENCH_ROWS?.split(',').map(Number) ?? sizes[size]
  const is_file = process.env.WEFT_BENCH_RECORDS === 'file'
  const load = loadavg().map((average) => roundTo(average, 1))
  say(`${cpus().length} × ${cpus()[0]?.model}, Node ${process.version}, load before ${load.join(' ')}`)
  const records = is_file ? null : await openRecords(directory, say)
  say(`records from ${records?.description ?? 'a file'}`)
  try {
    await compile(directory)
    const measured: Measured[] = []
    for (const places of wanted) {
      const bill = join(directory, 'bill.csv.gz')
      const rows = await writeBill(bill, places)
      const source = records?.uri ?? join(directory, 'records.json.gz')
      await (records?.fill(places) ?? writeRecords(source, places))
      say(`${rows} rows are written`)
      const bare = await runPass(['bare', bill, source])
      const match = await runPass(['match', bill, source, join(directory, 'match'), String(2 * places)])
      say(`read in ${spentLine(bare)}`)
      say(`matched in ${spentLine(match)}`)
      assertFound(match, places)
      measured.push({ rows, bare, match })
    }
    printVerdicts(figures(measured))
  } finally {
    await records?.close()
    rmSync(directory, { recursive: true, force: true })
  }
}

function spentLine({ seconds, processor_seconds, rss_max_mb }: PassResult): string {
  return `${roundTo(seconds, 1)} s, ${roundTo(processor_seconds, 1)} s of processor time, ${roundTo(rss_max_mb)} MB`
}

/** Of the largest day, but for the list. */
function figures(measured: readonly Measured[]): Record<string, number | number[]> {
  const largest = measured.at(-1)
  if (largest === undefined) throw new RangeError('nothing was measured')
  const per_million = measured.map(({ rows, match }) => roundTo((match.seconds / rows) * 1_000_000, 1))
  return {
    rows: largest.rows,
    seconds: roundTo(largest.match.seconds, 1),
    rss_max_mb: roundTo(Math.max(...measured.map(({ match }) => match.rss_max_mb))),
    pass_ratio: roundTo(largest.bare.seconds / largest.match.seconds, 2),
    seconds_per_million: per_million,
    seconds_per_million_spread: roundTo(Math.max(...per_million) / Math.min(...per_million), 2),
  }
}

/** Throws unless the match found what the day was made of: a fast answer that is wrong is no figure. */
function assertFound({ match }: PassResult, places: number): void {
  const { agreeing, foreign, missing_here, missing_there, amount } = expectedClasses(places)
  const wrong = match === null || match.flaws.length > 0 || match.rows.matched !== agreeing
  const { number: _number, refund_amount = 0, amount: amounts = 0, ...counts } = match?.counts ?? {}
  const here = (counts.missing_here ?? 0) + (counts.refund_missing_here ?? 0)
  const there = (counts.missing_there ?? 0) + (counts.refund_missing_there ?? 0)
  const is_found = here === missing_here && there === missing_there && amounts + refund_amount === amount
  if (wrong || !is_found || match.rows.foreign !== foreign)
    throw new Error(`not what the day is: ${JSON.stringify(match)}`)
}

/** Runs a pass in a process of its own, whose memory is then its alone. */
async function runPass(args: readonly string[]): Promise<PassResult> {
  const child = spawn(process.execPath, [join(compiled, 'bench', 'reconcileworker.js'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const said = await text(child.stdout)
  if (said === '') throw new Error('the pass ended without a result')
  return JSON.parse(said) as PassResult
}

/** A database with our records of a day in it. */
interface DayDatabase {
  uri: string
  description: string
  /** makes the records of a day of `places` the ones that it holds */
  fill(places: number): Promise<void>
  close(): Promise<void>
}

async function openRecords(directory: string, say: (line: string) => void): Promise<DayDatabase> {
  const data_dir = join(directory, 'database')
  const configured = process.env.WEFT_TEST_MONGODB
  const database = await startDatabase({ data_dir, progress: say, ...(configured && { uri: configured }) })
  const uri = new URL(database.uri)
  uri.pathname = `/weft_bench_${process.pid}`
  const connection = await mongoose.createConnection(uri.href).asPromise()
  const [payments, refunds] = [connection.collection('payments'), connection.collection('refunds')]
  await payments.createIndex({ mchid: 1, success_time: -1 })
  await refunds.createIndex({ mchid: 1, 'facts.accepted_time': -1 })
  let filled = 0
  return {
    uri: uri.href,
    description: `${database.kind} ${database.found.version}`,
    async fill(places) {
      if (places < filled) throw new RangeError('days are filled from the smallest to the largest')
      await insertAll(connection, skip(dayRecords(places), filled))
      filled = places
    },
    async close() {
      await connection.dropDatabase()
      await connection.close()
      await database.stop()
      if (!configured) clearDatabase(data_dir)
    },
  }

  /** Those that lie behind the first `places`: a larger day begins with the smaller one. */
  function* skip(records: Iterable<DayRecord>, places: number): Generator<DayRecord> {
    for (const record of records)
      if (Number((record.kind === 'payment' ? record.transaction_id : record.refund_id).slice(-18)) >= places)
        yield record
  }
}

async function insertAll(connection: mongoose.Connection, records: Iterable<DayRecord>): Promise<void> {
  const names = { payment: 'payments', refund: 'refunds' } as const
  const pending = { payment: [] as object[], refund: [] as object[] }
  const insert = async (kind: DayRecord['kind']) => {
    const documents = pending[kind].splice(0)
    if (documents.length > 0) await connection.collection(names[kind]).insertMany(documents, { ordered: false })
  }
  for (const record of records) {
    pending[record.kind].push(record.kind === 'payment' ? storedPayment(record) : storedRefund(record))
    if (pending[record.kind].length === 2_000) await insert(record.kind)
  }
  await insert('payment')
  await insert('refund')
}

/** As store/payments.ts keeps one: what is not compared is there too, since a read passes over it. */
function storedPayment({ kind: _kind, total, currency, success_time, ...payment }: DayPayment): object {
  return {
    _id: `${day_mchid}/${payment.transaction_id}`,
    mchid: day_mchid,
    ...payment,
    order_id: `${day_mchid}/${payment.out_trade_no}`,
    revision: 1,
    evidence_id: `notification/${payment.transaction_id}`,
    trade_type: 'NATIVE',
    bank_type: 'OTHERS',
    success_time: new Date(success_time),
    amount: { total, currency, payer_total: total },
    refunds: [],
    last_refund_time: null,
    acceptance: null,
  }
}

function storedRefund(record: DayRefund): object {
  const { kind: _kind, refund_id, refund, settlement_refund, accepted_time, success_time, ...rest } = record
  return {
    _id: `${day_mchid}/${rest.out_refund_no}`,
    mchid: day_mchid,
    ...rest,
    amount: { refund, total: refund, currency: 'CNY' },
    facts: {
      ...{ refund_id, settlement_refund, channel: 'ORIGINAL', payer_refund: refund, user_received_account: '零钱' },
      accepted_time: new Date(accepted_time),
      success_time: success_time && new Date(success_time),
    },
  }
}
