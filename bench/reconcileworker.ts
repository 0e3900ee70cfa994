import { randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { createGunzip } from 'node:zlib'
import { recordsOf } from '../store/side.ts'
import type { DayRecord } from '../domain/bill/record.ts'
import type { TradeRow } from '../domain/bill/row.ts'
import { openMatch } from '../match/match.ts'
import type { MatchResult } from '../match/match.ts'
import { createSealer } from '../store/sealer.ts'
import { openStore } from '../store/store.ts'
import { createStatementReader } from '../wechat/statement/reader.ts'
import { day_appid, day_date, day_mchid, day_prefix } from './billday.ts'

/** One pass over a day, in a process of its own: what it took, and what it found. */
export interface PassResult {
  seconds: number
  /** of this process: steadier than elapsed time where others want the processors too */
  processor_seconds: number
  rss_max_mb: number
  row_count: number
  record_count: number
  /** null: of a bare pass */
  match: Pick<MatchResult, 'rows' | 'records' | 'counts' | 'flaws'> | null
}

/** What a pass does with a row or record, and what it waits for after each piece. */
interface Sink {
  addRow(row: TradeRow): void
  addRecord(record: DayRecord): void
  drained(): Promise<void>
}

async function readBill(path: string, sink: Sink): Promise<void> {
  const reader = createStatementReader('trade')
  const take: Parameters<typeof reader.push>[1] = (entry) => {
    if (!('row' in entry)) throw new Error(`a line of the bench's own bill is malformed: ${entry.malformed.reason}`)
    sink.addRow(entry.row)
  }
  for await (const piece of createReadStream(path).pipe(createGunzip())) {
    reader.push(piece as Buffer, take)
    await sink.drained()
  }
  const { flaws } = reader.end(take)
  if (flaws.length > 0) throw new Error(`the bench's own bill has flaws: ${JSON.stringify(flaws)}`)
}

async function* fileRecords(path: string): AsyncGenerator<DayRecord[]> {
  let rest = ''
  for await (const piece of createReadStream(path).pipe(createGunzip())) {
    const lines = (rest + (piece as Buffer).toString()).split('\n')
    rest = lines.pop() ?? ''
    yield lines.map((line) => JSON.parse(line) as DayRecord)
  }
}

/** As a look at a day reads them. */
async function* storedRecords(uri: string): AsyncGenerator<DayRecord[]> {
  const sealer = createSealer({ keys: [{ id: 'bench', key: randomBytes(32).toString('base64') }] })
  const store = await openStore({ uri, sealer })
  try {
    yield* recordsOf(store, { mchid: day_mchid, bill_date: day_date })
  } finally {
    await store.close()
  }
}

async function pass(bill: string, records: string, sink: Sink): Promise<{ row_count: number; record_count: number }> {
  let [row_count, record_count] = [0, 0]
  const addRow = (row: TradeRow) => {
    row_count += 1
    sink.addRow(row)
  }
  const readRecords = async () => {
    for await (const batch of records.startsWith('mongodb') ? storedRecords(records) : fileRecords(records)) {
      for (const record of batch) sink.addRecord(record)
      record_count += batch.length
      await sink.drained()
    }
  }
  // Side by side: while one waits for the database, the other has the processor.
  await Promise.all([readBill(bill, { ...sink, addRow }), readRecords()])
  return { row_count, record_count }
}

/** `bare <bill> <records>`, or `match <bill> <records> <folder> <expected>` */
async function main([what = '', bill = '', records = '', folder = '', expected = '0']: string[]): Promise<PassResult> {
  const begin = performance.now()
  const measured = () => {
    const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage()
    const processor_seconds = (userCPUTime + systemCPUTime) / 1_000_000
    return { seconds: (performance.now() - begin) / 1_000, processor_seconds, rss_max_mb: maxRSS / 1_024 }
  }
  if (what === 'bare') {
    const nothing = () => undefined
    const sink = { addRow: nothing, addRecord: nothing, drained: async () => undefined }
    return { ...(await pass(bill, records, sink)), ...measured(), match: null }
  }
  const match = await openMatch({
    folder,
    expected: Number(expected),
    settings: {
      ...{ mchid: day_mchid, number_prefixes: [day_prefix], appids: [day_appid] },
      fee: { rate_ppm: 6_000, tolerance: 1 },
    },
  })
  const counts = await pass(bill, records, {
    addRow: (row) => match.addRow(row),
    addRecord: (record) => match.addRecord(record),
    drained: () => match.drained(),
  })
  const { rows, records: of_records, counts: kinds, flaws } = await match.finish()
  return { ...counts, ...measured(), match: { rows, records: of_records, counts: kinds, flaws } }
}

main(process.argv.slice(2)).then(
  (result) => console.log(JSON.stringify(result)),
  (error: unknown) => {
    console.error(error)
    process.exitCode = 1
  },
)
