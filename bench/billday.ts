import { createWriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { constants, createGzip } from 'node:zlib'
import type { DayRecord } from '../domain/bill/record.ts'
import { GeneratedDay } from '../simulator/bills/generator.ts'
import type { GeneratedKind } from '../simulator/bills/generator.ts'

export const day_mchid = '1900000001'
export const day_appid = 'wx0000000000000001'
export const day_prefix = 'T'
export const day_date = '2026-11-22'

const turns = (kind: GeneratedKind, times: number) => Array.from({ length: times }, () => kind)

/** A day of so many payments and refunds: one in fifty is of another system, and few differ. */
export function benchDay(rows: number): GeneratedDay {
  return new GeneratedDay({
    rows,
    mchid: day_mchid,
    appid: day_appid,
    bill_date: day_date,
    number_prefix: day_prefix,
    refund_share: 0.05,
    difference_share: 1 / 50,
    kinds: [...turns('foreign', 95), 'missing_here', 'missing_there', 'amount', 'number', 'duplicate'],
  })
}

/** Writes the trade bill of a day, compressed as WeChat Pay sends it. Answers how many rows it has. */
export async function writeBill(path: string, day: GeneratedDay, rows: number): Promise<number> {
  await writeCompressed(path, day.bill())
  const { missing_there, duplicate } = day.plants
  return rows - missing_there + duplicate
}

function* recordText(records: Iterable<DayRecord>): Generator<string> {
  let text = ''
  for (const record of records) {
    text += `${JSON.stringify(record)}\n`
    if (text.length < 100_000) continue
    yield text
    text = ''
  }
  yield text
}

/** Writes our records of the day, a line of JSON for each. */
export async function writeRecords(path: string, day: GeneratedDay): Promise<void> {
  await writeCompressed(path, recordText(day.records()))
}

async function writeCompressed(path: string, pieces: Iterable<string | Buffer>): Promise<void> {
  const gzip = createGzip({ level: constants.Z_BEST_SPEED })
  await pipeline(Readable.from(pieces), gzip, createWriteStream(path))
}
