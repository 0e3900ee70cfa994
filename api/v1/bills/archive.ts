import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { ZipFile } from 'yazl'
import {
  archive_files,
  archive_format,
  archive_seal,
  archivedBill,
  archivedBillName,
  archivedResult,
  isKept,
  seal_digits,
} from '../../../domain/bill/archive.ts'
import type { ArchivedFile, ArchiveManifest } from '../../../domain/bill/archive.ts'
import type { DifferenceRecord } from '../../../domain/bill/difference.ts'
import type { BillRecord, ReconciliationRecord } from '../../../domain/bill/reconciliation.ts'
import { differencesCsv, statementCsv } from './statement.ts'

/** What the archive of a day is made of. Each of the sources is read once for each call. */
export interface ArchiveParts {
  day: ReconciliationRecord
  edges: ArchiveManifest['edges']
  /** all versions of both bills */
  bills: readonly BillRecord[]
  original: (bill: BillRecord) => AsyncIterable<Buffer>
  differences: () => AsyncIterable<readonly DifferenceRecord[]>
}

type Source = AsyncIterable<Buffer | string>

/** A zip has the digits of local time: so these are the same in every time zone, and the archive is the same everywhere. */
const entryOptions = () => ({
  mtime: new Date(1980, 0, 2, 12),
  mode: 0o100644,
  compress: true,
  forceDosTimestamp: true,
})

/**
 * The archive of a day, made while it is read. The same records make the same bytes, so that two people who took it can
 * compare a hash; it is sealed by its comment (domain/bill/archive.ts).
 */
export async function* dayArchive(parts: ArchiveParts): AsyncGenerator<Buffer> {
  const zip = new ZipFile()
  const output = zip.outputStream as Readable
  zip.on('error', (error: Error) => output.destroy(error))
  const files: ArchivedFile[] = []
  let current: Readable | null = null
  const add = (name: string, source: () => Source) =>
    zip.addReadStreamLazy(name, entryOptions(), (take) => {
      const stream = Readable.from(measured(name, source(), files), { objectMode: false })
      stream.on('error', (error) => output.destroy(error))
      current = stream
      take(null, stream)
    })
  add(archive_files.note, () => text(note))
  for (const bill of parts.bills) if (isKept(bill)) add(archivedBillName(bill), () => parts.original(bill))
  add(archive_files.result, () => text(json(archivedResult(parts.day))))
  add(archive_files.differences, () => differenceLines(parts.differences()))
  add(archive_files.differences_csv, () => differencesCsv(parts.differences(), 'zh-CN'))
  add(archive_files.statement, () => statementCsv(parts.day, parts.differences(), 'zh-CN'))
  add(archive_files.manifest, () => text(json(manifestOf(parts, files))))
  zip.end({ forceZip64Format: false, comment: archive_seal + '0'.repeat(seal_digits) })
  try {
    yield* sealed(output)
  } finally {
    // Who reads may have left in the middle.
    output.destroy()
    ;(current as Readable | null)?.destroy()
  }
}

function manifestOf({ day, edges, bills }: ArchiveParts, files: ArchivedFile[]): ArchiveManifest {
  const { mchid, bill_date } = day
  return { format: archive_format, mchid, bill_date, edges, bills: bills.map(archivedBill), files: [...files] }
}

/** Passes a file on, and notes how long it was and what its hash is. */
async function* measured(name: string, source: Source, files: ArchivedFile[]): AsyncGenerator<Buffer> {
  const hash = createHash('sha256')
  let byte_count = 0
  for await (const piece of source) {
    const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece
    hash.update(bytes)
    byte_count += bytes.length
    yield bytes
  }
  files.push({ name, byte_count, sha256: hash.digest('hex') })
}

/** Replaces the last digits, which are those of the comment, by the hash of all that came before them. */
async function* sealed(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const hash = createHash('sha256')
  let held = Buffer.alloc(0)
  for await (const bytes of source) {
    const all = Buffer.concat([held, bytes])
    const end = Math.max(0, all.length - seal_digits)
    const out = all.subarray(0, end)
    held = all.subarray(end)
    if (out.length === 0) continue
    hash.update(out)
    yield out
  }
  yield Buffer.from(hash.digest('hex'))
}

async function* differenceLines(differences: AsyncIterable<readonly DifferenceRecord[]>): AsyncGenerator<string> {
  for await (const some of differences)
    yield some.map(({ _id, ...difference }) => `${JSON.stringify(difference)}\n`).join('')
}

async function* text(content: string): AsyncGenerator<string> {
  yield await Promise.resolve(content)
}

function json(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`
}

const note = `Weft: one day of a merchant number, as WeChat Pay's bills and Weft's records have it.
本文件夹：某商户号一天的微信支付账单与 Weft 的核对结果。

bills/              the bills, byte by byte as WeChat Pay made them, every version / 微信支付原始账单（所有版本）
result.json         what the day's comparison came to / 当日核对结果
differences.jsonl   its differences, one JSON object per line / 差异，每行一个 JSON
differences.csv     the same for a spreadsheet / 差异（表格）
statement.csv       the statement for finance / 财务对账单
manifest.json       every file with its SHA-256, every bill with the SHA-1 that WeChat Pay signed / 文件清单与哈希

To check all of it without database or network / 无需数据库和网络即可验证:
  npm run reconcile -- --verify day.zip
`.replaceAll('\n', '\r\n')
