import { z } from 'zod'
import { archive_format, archive_format_before } from '../domain/bill/archive.ts'
import type { ArchivedResult, ArchiveManifest } from '../domain/bill/archive.ts'
import { difference_kinds, difference_states, unsettled_states } from '../domain/bill/difference.ts'
import { dayRange, reconciliation_states } from '../domain/bill/reconciliation.ts'
import { bill_types } from '../domain/bill/row.ts'
import { dayBefore } from '../domain/calendar.ts'

const sha = (digits: number) =>
  z
    .string()
    .regex(new RegExp(`^[0-9a-fA-F]{${digits}}$`))
    .toLowerCase()
const count = z.int().min(0)

const edge = z.object({ bill_date: z.string(), amount: z.int() }).nullable()

const manifest_fields = {
  mchid: z.string(),
  bill_date: z.string(),
  bills: z.array(
    z.object({
      type: z.enum(bill_types),
      version: z.int().min(1),
      state: z.enum(['ready', 'none']),
      name: z.string().nullable(),
      sha1: sha(40).nullable(),
      signed_sha1: sha(40).nullable(),
      byte_count: count,
      fetch_time: z.string(),
    }),
  ),
  files: z.array(z.object({ name: z.string(), byte_count: count, sha256: sha(64) })),
}
const manifest_shape = z.discriminatedUnion('format', [
  z.object({
    ...manifest_fields,
    format: z.literal(archive_format),
    edges: z.partialRecord(z.enum(bill_types), z.object({ before: edge, after: edge })),
  }),
  z.object({
    ...manifest_fields,
    format: z.literal(archive_format_before),
    closing_before: z.int().nullable(),
  }),
])

const flaw = z.union([
  z.string(),
  z.looseObject({ code: z.string(), values: z.record(z.string(), z.union([z.string(), z.number()])) }),
])

const classes = z
  .object({ all: count, matched: count, waiting: count, different: count, foreign: count, malformed: count })
  .nullable()
const sums = z
  .object({ payment_count: count, payment_amount: z.int(), refund_count: count, refund_amount: z.int() })
  .nullable()

const balance = z.object({ opening: z.int(), closing: z.int() }).nullable()

const result_shape = z.looseObject({
  mchid: z.string(),
  bill_date: z.string(),
  state: z.enum(reconciliation_states),
  is_proven: z.boolean(),
  flaws: z.array(flaw),
  end_time: z.string().nullable(),
  bills: z.array(z.enum(bill_types)).optional(),
  versions: z.partialRecord(z.enum(bill_types), z.int()),
  rows: classes,
  records: classes,
  wechat: sums,
  weft: sums,
  foreign: sums,
  balance,
  balances: z.partialRecord(z.enum(bill_types), balance).optional(),
  fees: z.looseObject({ charged: z.int(), returned: z.int() }).nullable(),
  differences: z.record(z.string(), count),
})

const difference_shape = z.looseObject({
  mchid: z.string(),
  bill_date: z.string(),
  kind: z.enum(difference_kinds),
  state: z.enum(difference_states),
})

/** Throws for what is no manifest of this form. */
export function readManifest(text: string): ArchiveManifest {
  const manifest = read('manifest.json', manifest_shape, text)
  if (manifest.format === archive_format) return manifest
  const { closing_before, ...rest } = manifest
  const eve = dayBefore(dayRange(manifest.bill_date).from_ms)
  const before = closing_before === null ? null : { bill_date: eve, amount: closing_before }
  return { ...rest, format: archive_format, edges: { fundflow: { before, after: null } } }
}

export function readResult(text: string): ArchivedResult {
  return read('result.json', result_shape, text) as unknown as ArchivedResult
}

/** How many differences of the archive are not over, by kind. */
export type OpenKinds = Partial<Record<string, number>>

/** days of which the first line is kept: an archive has lines of one */
const most_days = 10

/** DifferenceLines is what the differences of an archive say, read line by line. */
export class DifferenceLines {
  readonly left: OpenKinds = {}
  /** the first line of each day, by its name */
  readonly days = new Map<string, number>()
  /** why the first of the lines that are none is none */
  mistake: string | null = null
  #line = 0

  take(text: string): void {
    this.#line += 1
    if (text === '') return
    try {
      const { mchid, bill_date, kind, state } = read(`line ${this.#line}`, difference_shape, text)
      const day = archivedDay({ mchid, bill_date })
      if (!this.days.has(day) && this.days.size < most_days) this.days.set(day, this.#line)
      if (unsettled_states.includes(state)) this.left[kind] = (this.left[kind] ?? 0) + 1
    } catch (error) {
      this.mistake ??= (error as Error).message
    }
  }
}

export function archivedDay({ mchid, bill_date }: Pick<ArchiveManifest, 'mchid' | 'bill_date'>): string {
  return `${mchid}/${bill_date}`
}

function read<T>(name: string, shape: z.ZodType<T>, text: string): T {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new Error(`${name} is no JSON`)
  }
  const parsed = shape.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new Error(`${name} is not of the form that is known: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`)
}
