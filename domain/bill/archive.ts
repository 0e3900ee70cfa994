import type { Time } from '../calendar.ts'
import type { BalanceEdges } from './balance.ts'
import type { BillRecord, ReconciliationRecord } from './reconciliation.ts'
import type { BillType } from './row.ts'

/** What the archive of a day calls itself; another form of it has another number. */
export const archive_format = 'weft-day/2'
/** That of archives of earlier versions, which knew of the days around only how the one before ended. */
export const archive_format_before = 'weft-day/1'

/** The files of an archive beside its bills. */
export const archive_files = {
  note: 'README.txt',
  result: 'result.json',
  differences: 'differences.jsonl',
  differences_csv: 'differences.csv',
  statement: 'statement.csv',
  /** names all others with their hashes, and comes last */
  manifest: 'manifest.json',
} as const

/**
 * The comment of the archive: this and the SHA-256 of every byte before the digits, so that a changed byte is found
 * wherever it stands, also where no file is.
 */
export const archive_seal = 'weft-day sha256 of all bytes before these digits: '
export const seal_digits = 64

/** A version of a bill as the archive has it. */
export interface ArchivedBill {
  type: BillType
  version: number
  state: BillRecord['state']
  /** null: WeChat Pay said that there was no trade, or its file was dropped since */
  name: string | null
  /** of the plain bytes, hex, and what WeChat Pay signed */
  sha1: string | null
  signed_sha1: string | null
  byte_count: number
  fetch_time: Time
}

export interface ArchivedFile {
  name: string
  byte_count: number
  sha256: string
}

/** ArchiveManifest says what an archive of a day is made of. */
export interface ArchiveManifest {
  format: typeof archive_format
  mchid: string
  bill_date: string
  /** of each fund flow what it goes on from and leads to: the nearest days around on which its account moved */
  edges: Partial<Record<BillType, BalanceEdges>>
  bills: ArchivedBill[]
  files: ArchivedFile[]
}

/** What a day's look found, as it is recorded, without what only Weft's own runs need. */
export type ArchivedResult = Omit<ReconciliationRecord, '_id' | 'look'>

export function archivedResult({ _id, look: _look, ...result }: ReconciliationRecord): ArchivedResult {
  return result
}

/** Whether there is a file, and the merchant's time for keeping it is not over. */
export function isKept({ state, dropped_time }: BillRecord): boolean {
  return state === 'ready' && dropped_time === undefined
}

export function archivedBill(bill: BillRecord): ArchivedBill {
  const { type, version, state, plain_sha1, hash_value, byte_count, fetch_time } = bill
  const name = isKept(bill) ? archivedBillName(bill) : null
  return { type, version, state, name, sha1: plain_sha1, signed_sha1: hash_value, byte_count, fetch_time }
}

/** `bills/trade-v1.csv`. */
export function archivedBillName({ type, version }: { type: BillType; version: number }): string {
  return `bills/${type}-v${version}.csv`
}
