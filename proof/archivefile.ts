import { z } from 'zod'
import { archive_format, archive_format_before } from '../domain/bill/archive.ts'
import type { ArchivedResult, ArchiveManifest } from '../domain/bill/archive.ts'
import { difference_kinds, difference_states, unsettled_states } from '../domain/bill/difference.ts'
import { dayRange, reconciliation_states } from '../domain/bill/reconciliation.ts'
import { bill_types } from '../domain/bill/row.ts'
import { dayBefore } from '../domain/calendar.ts'

const sha = (digits: number) => z.string().regex(new RegExp(`^[0-9a-fA-F]{${digits}}$`))
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

const difference_shape = z.looseObject({ kind: z.enum(difference_kinds), state: z.enum(difference_states) })

/** How many differences of the archive are not over, by kind. */
export type OpenKinds = Partial<Record<string, number>>

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

/** Counts a difference. Throws for what is none. */
export function readDifferenceLine(line: string, left: OpenKinds): void {
  if (line === '') return
  const { kind, state } = read('differences.jsonl', difference_shape, line)
  if (unsettled_states.includes(state)) left[kind] = (left[kind] ?? 0) + 1
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
