import { createHash } from 'node:crypto'
import { open, stat } from 'node:fs/promises'
import { createReadStream } from 'node:fs'
import { openPromise } from 'yauzl'
import type { Entry, ZipFile } from 'yauzl'
import { archive_files, archive_seal, archivedBillName, seal_digits } from '../domain/bill/archive.ts'
import type { ArchivedResult, ArchiveManifest } from '../domain/bill/archive.ts'
import { bill_types } from '../domain/bill/row.ts'
import { createBillScan } from './billscan.ts'
import type { BillScan, ScannedBill } from './billscan.ts'
import { contradictions } from './result.ts'
import { DifferenceLines, readManifest, readResult } from './archivefile.ts'

/** The file is no archive of a day, or one that is not opened; `message` says why. */
export class ArchiveRefused extends Error {
  override readonly name = 'ArchiveRefused'
}

/** What an archive says, checked with nothing but itself. */
export interface ArchiveVerdict {
  mchid: string
  bill_date: string
  result: ArchivedResult
  /** why it is not proven; none: it is */
  flaws: string[]
}

/** Far above any day of one merchant: with more, somebody means to fill this machine. */
export const archive_limits = {
  entries: 1_000,
  json_bytes: 16 * 1024 * 1024,
  /** of one file, plain, and of all; beyond `free_bytes` no file is more than `ratio` times what it takes in the archive */
  file_bytes: 12 * 1024 ** 3,
  all_bytes: 100 * 1024 ** 3,
  free_bytes: 16 * 1024 * 1024,
  ratio: 200,
}

/**
 * Checks the archive of a day with nothing but itself: every byte by the seal, every file by its hash, every bill by the
 * SHA-1 that WeChat Pay signed; then reads the compared bills anew and holds them against the result. Throws
 * ArchiveRefused for what is no such archive.
 */
export async function verifyArchive(path: string): Promise<ArchiveVerdict> {
  const seal_flaws = await sealFlaws(path)
  const zip = await openPromise(path, { autoClose: false }).catch((error: unknown) =>
    refuse(`it is no ZIP archive: ${messageOf(error)}`),
  )
  try {
    const entries = await entriesOf(zip)
    const found = await readEntries(zip, entries)
    const { manifest, result } = found
    const flaws = [
      ...seal_flaws,
      ...fileFlaws(manifest, found),
      ...billFlaws(manifest, found),
      ...contradictions(manifest, result, found),
    ]
    return { mchid: manifest.mchid, bill_date: manifest.bill_date, result, flaws: [...new Set(flaws)] }
  } finally {
    zip.close()
  }
}

function refuse(why: string): never {
  throw new ArchiveRefused(why)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The last digits are the hash of all bytes before them. */
async function sealFlaws(path: string): Promise<string[]> {
  const { size } = await stat(path).catch(() => refuse(`there is no file ${path}`))
  const begin = size - seal_digits - archive_seal.length
  if (begin <= 0) refuse('it is too short to be the archive of a day')
  const file = await open(path)
  const end = Buffer.alloc(archive_seal.length + seal_digits)
  try {
    await file.read(end, 0, end.length, begin)
  } finally {
    await file.close()
  }
  const hash = createHash('sha256')
  for await (const bytes of createReadStream(path, { end: size - seal_digits - 1 })) hash.update(bytes as Buffer)
  const said = end.toString('latin1')
  if (said === archive_seal + hash.digest('hex')) return []
  return ['the archive is not as it was written: its bytes do not have the SHA-256 that stands at its end']
}

/** The entries in their order. Refuses what no archive of a day has, before a byte of a file is read. */
async function entriesOf(zip: ZipFile): Promise<Entry[]> {
  if (zip.entryCount > archive_limits.entries) refuse(`it has ${zip.entryCount} files`)
  const entries: Entry[] = []
  try {
    for await (const entry of zip.eachEntry()) entries.push(entry)
  } catch (error) {
    // Names that leave the folder are refused by the reader itself: `invalid relative path`, `absolute path`.
    refuse(messageOf(error))
  }
  const names = new Set<string>()
  let all = 0
  for (const { fileName, compressedSize, uncompressedSize } of entries) {
    const shown = JSON.stringify(fileName)
    if (names.has(fileName)) refuse(`it has the file ${shown} twice`)
    names.add(fileName)
    if (!isKnownName(fileName)) refuse(`it has a file that no archive of a day has: ${shown}`)
    all += uncompressedSize
    const is_bomb =
      uncompressedSize > archive_limits.free_bytes && uncompressedSize > compressedSize * archive_limits.ratio
    if (is_bomb || uncompressedSize > archive_limits.file_bytes || all > archive_limits.all_bytes)
      refuse(`${shown} would unpack to ${uncompressedSize} bytes, from ${compressedSize}`)
  }
  return entries
}

const known_names = new Set<string>(Object.values(archive_files))

function isKnownName(name: string): boolean {
  return known_names.has(name) || billOfName(name) !== null
}

function billOfName(name: string): { type: (typeof bill_types)[number]; version: number } | null {
  const [, type, digits] = /^bills\/(\w+)-v([1-9]\d{0,5})\.csv$/.exec(name) ?? []
  const known = bill_types.find((one) => one === type)
  return known === undefined ? null : { type: known, version: Number(digits) }
}

/** What was read of the files, each once. */
export interface ArchiveContent {
  manifest: ArchiveManifest
  result: ArchivedResult
  files: Map<string, { byte_count: number; sha256: string }>
  bills: Map<string, ScannedBill>
  differences: DifferenceLines
  broken: string[]
}

async function readEntries(zip: ZipFile, entries: readonly Entry[]): Promise<ArchiveContent> {
  const files: ArchiveContent['files'] = new Map()
  const bills: ArchiveContent['bills'] = new Map()
  const differences = new DifferenceLines()
  const broken: string[] = []
  const texts = new Map<string, string>()
  for (const entry of entries) {
    const { fileName: name } = entry
    const bill = billOfName(name)
    const scan: BillScan | null = bill && createBillScan(bill.type)
    const lines = name === archive_files.differences ? lineReader((line) => differences.take(line)) : null
    const is_json = name === archive_files.manifest || name === archive_files.result
    if (is_json && entry.uncompressedSize > archive_limits.json_bytes) refuse(`${name} is too large`)
    const pieces: Buffer[] = []
    const hash = createHash('sha256')
    let byte_count = 0
    try {
      const stream = (await zip.openReadStreamPromise(entry)) as AsyncIterable<Buffer>
      for await (const bytes of stream) {
        hash.update(bytes)
        byte_count += bytes.length
        scan?.push(bytes)
        lines?.push(bytes)
        if (is_json) pieces.push(bytes)
      }
    } catch (error) {
      broken.push(`${name} cannot be unpacked: ${messageOf(error)}`)
    }
    lines?.end()
    files.set(name, { byte_count, sha256: hash.digest('hex') })
    if (scan !== null) bills.set(name, scan.end())
    if (is_json) texts.set(name, Buffer.concat(pieces).toString())
  }
  const textOf = (name: string) => texts.get(name) ?? refuse(`it has no ${name}`)
  try {
    const manifest = readManifest(textOf(archive_files.manifest))
    const result = readResult(textOf(archive_files.result))
    return { manifest, result, files, bills, differences, broken }
  } catch (error) {
    return refuse(broken[0] ?? messageOf(error))
  }
}

const longest_line = 1024 * 1024

/** Cuts a file into lines, of which each is bounded. */
function lineReader(take: (line: string) => void) {
  let rest = Buffer.alloc(0)
  return {
    push(bytes: Buffer): void {
      rest = Buffer.concat([rest, bytes])
      for (let at = rest.indexOf(0x0a); at >= 0; at = rest.indexOf(0x0a)) {
        take(rest.subarray(0, at).toString())
        rest = rest.subarray(at + 1)
      }
      if (rest.length > longest_line)
        refuse(`${archive_files.differences} has a line of more than ${longest_line} bytes`)
    },
    end(): void {
      if (rest.length > 0) take(rest.toString())
    },
  }
}

/** Every file that is named is there and has its hash, and no other is there. */
function fileFlaws({ files, bills }: ArchiveManifest, found: ArchiveContent): string[] {
  const flaws = [
    ...found.broken,
    ...namedTwice(files.map(({ name }) => name)),
    ...namedTwice(bills.map(({ type, version }) => `version ${version} of the ${type} bill`)),
  ]
  const named = new Map(files.map((file) => [file.name, file]))
  for (const [name, { byte_count, sha256 }] of named) {
    const seen = found.files.get(name)
    if (seen === undefined) flaws.push(`${name} is missing`)
    else if (seen.sha256 !== sha256 || seen.byte_count !== byte_count)
      flaws.push(`${name} is not the file that was written`)
  }
  for (const name of Object.values(archive_files))
    if (name !== archive_files.manifest && !named.has(name)) flaws.push(`${name} is named nowhere`)
  for (const name of found.files.keys())
    if (name !== archive_files.manifest && !named.has(name)) flaws.push(`${name} is there and named nowhere`)
  for (const { name } of bills) if (name !== null && !named.has(name)) flaws.push(`${name} is missing`)
  return flaws
}

/** What is named twice may be named otherwise, and only one of the two would be looked at. */
function namedTwice(names: readonly string[]): string[] {
  const twice = new Set(names.filter((name, at) => names.indexOf(name) !== at))
  return [...twice].map((name) => `the manifest names ${name} twice`)
}

/** Every bill has the hash that WeChat Pay signed. */
function billFlaws({ bills }: ArchiveManifest, found: ArchiveContent): string[] {
  const flaws: string[] = []
  const known = new Set(bills.map(({ name }) => name))
  for (const bill of bills) {
    if (bill.name === null) continue
    if (bill.name !== archivedBillName(bill)) flaws.push(`${bill.name} is not where its version belongs`)
    const seen = found.bills.get(bill.name)
    if (seen === undefined) continue
    const byte_count = found.files.get(bill.name)?.byte_count
    if (byte_count !== bill.byte_count)
      flaws.push(`${bill.name} was fetched with ${bill.byte_count} bytes, and has ${byte_count}`)
    if (seen.sha1 !== bill.sha1)
      flaws.push(`${bill.name} has the SHA-1 ${seen.sha1}, and was fetched with ${bill.sha1}`)
    if (bill.sha1 !== bill.signed_sha1)
      flaws.push(`${bill.name} was fetched with the SHA-1 ${bill.sha1}, and WeChat Pay signed ${bill.signed_sha1}`)
  }
  for (const name of found.bills.keys()) if (!known.has(name)) flaws.push(`${name} belongs to no bill of the manifest`)
  return flaws
}
