import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { isDeepStrictEqual } from 'node:util'
import mongoose from 'mongoose'
import { clearDatabase, startDatabase } from '../dev/servers/servers.ts'
import type { MatchKind } from '../match/verdict.ts'
import type { GeneratedDay } from '../simulator/bills/generator.ts'
import { createSealer } from '../store/sealer.ts'
import { openStore } from '../store/store.ts'
import { benchDay, day_mchid, writeBill, writeRecords } from './billday.ts'
import { insertDay } from './daystore.ts'
import { roundTo } from './figures.ts'
import { measureNeighbours } from './neighbours.ts'
import { compile, compiled } from './processes.ts'
import { measurePostings } from './postings.ts'
import type { PassResult } from './reconcileworker.ts'
import { printVerdicts } from './report.ts'

/** of the day whose bills are posted; its records are in the database by then */
const posted_rows = { full: 100_000, small: 5_000 }
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
    for (const size_of_day of wanted) {
      const day = benchDay(size_of_day)
      const bill = join(directory, 'bill.csv.gz')
      const rows = await writeBill(bill, day, size_of_day)
      const source = records?.uri ?? join(directory, 'records.json.gz')
      await (records?.fill(size_of_day) ?? writeRecords(source, day))
      say(`${rows} rows are written`)
      const bare = await runPass(['bare', bill, source])
      const match = await runPass(['match', bill, source, join(directory, 'match'), String(2 * size_of_day)])
      say(`read in ${spentLine(bare)}`)
      say(`matched in ${spentLine(match)}`)
      assertFound(match, day)
      measured.push({ rows, bare, match })
    }
    if (records === null) return printVerdicts(figures(measured))
    const { lines, seconds } = await measurePostings(records.uri, posted_rows[size])
    say(`${lines} lines are posted in ${roundTo(seconds, 1)} s`)
    // Last, on servers of its own: its day may be over too soon, and then the figures above have been said.
    const orders_p95_ratio = roundTo(await measureNeighbours(size, say), 2)
    const postings_per_s = roundTo(lines / seconds)
    printVerdicts({ ...figures(measured), postings_per_s, orders_p95_ratio })
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
function assertFound({ match }: PassResult, { plants }: GeneratedDay): void {
  const found = (kind: MatchKind) => match?.counts[kind] ?? 0
  const of_both = (kind: 'missing_here' | 'missing_there' | 'amount' | 'number') =>
    found(kind) + found(`refund_${kind}`)
  const { missing_here, missing_there, amount, number, duplicate, foreign } = plants
  const counted = [of_both('missing_here'), of_both('missing_there'), of_both('amount'), of_both('number')]
  const wanted = [missing_here, missing_there, amount, number, duplicate, foreign]
  const is_found = isDeepStrictEqual([...counted, found('duplicate'), match?.rows.foreign], wanted)
  if (!is_found || match === null || match.flaws.length > 0)
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
  /** makes the records of a day of so many rows the ones that it holds */
  fill(rows: number): Promise<void>
  close(): Promise<void>
}

async function openRecords(directory: string, say: (line: string) => void): Promise<DayDatabase> {
  const data_dir = join(directory, 'database')
  const configured = process.env.WEFT_TEST_MONGODB
  const database = await startDatabase({ data_dir, progress: say, ...(configured && { uri: configured }) })
  const uri = new URL(database.uri)
  uri.pathname = `/weft_bench_${process.pid}`
  const sealer = createSealer({ keys: [{ id: 'bench', key: randomBytes(32).toString('base64') }] })
  const store = await openStore({ uri: uri.href, sealer })
  for (const collection of [store.payments, store.refunds]) await collection.ensureIndexes()
  await store.close()
  const connection = await mongoose.createConnection(uri.href).asPromise()
  let filled = 0
  return {
    uri: uri.href,
    description: `${database.kind} ${database.found.version}`,
    async fill(rows) {
      if (rows < filled) throw new RangeError('days are filled from the smallest to the largest')
      await insertDay(connection, day_mchid, benchDay(rows).records(filled))
      filled = rows
    },
    async close() {
      await connection.dropDatabase()
      await connection.close()
      await database.stop()
      if (!configured) clearDatabase(data_dir)
    },
  }
}
