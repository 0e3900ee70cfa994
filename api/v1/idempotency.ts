import { createHash } from 'node:crypto'
import type { z } from 'zod'
import type { Language } from '../http/language.ts'
import { Problem } from '../http/problem.ts'
import { ruleError } from '../http/validation.ts'

/** A request as sent: what a repeat of it is compared with. */
export interface SentRequest {
  body: string
  sha256: string
}

export function sentRequest(sent: unknown): SentRequest {
  const body = sentBody(sent)
  return { body, sha256: createHash('sha256').update(body, 'utf8').digest('hex') }
}

/** The request in canonical form: fields as sent, names sorted, nulls left out; never our defaults. */
export function sentBody(sent: unknown): string {
  return JSON.stringify(canonicalValue(sent))
}

function canonicalValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonicalValue)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([, inner]) => inner !== null)
  return Object.fromEntries(
    entries.sort(([left], [right]) => (left < right ? -1 : 1)).map(([name, inner]) => [name, canonicalValue(inner)]),
  )
}

/** Where two sent bodies differ, as JSON Pointers; empty when they are the same request. */
export function differingFields(existing: string, again: string): string[] {
  if (existing === again) return []
  const [left, right] = [leafValues(JSON.parse(existing)), leafValues(JSON.parse(again))]
  return [...new Set([...left.keys(), ...right.keys()])].filter((field) => left.get(field) !== right.get(field))
}

/** The number that a body names in `field`, where it has the form of one; null: it has none. */
export function namedNumber(sent: unknown, field: string, form: z.ZodType<string>): string | null {
  const named = typeof sent === 'object' && sent !== null ? (sent as Record<string, unknown>)[field] : null
  return form.safeParse(named).data ?? null
}

/** The problem `order_number_reused`: an order or a checkout has this number, and `fields` of it are other ones. */
export function reusedNumberProblem(out_trade_no: string, fields: string[], language: Language): Problem {
  const errors = fields.map((field) => ruleError(field, 'differs', language))
  return new Problem('order_number_reused', { values: { out_trade_no, fields }, errors })
}

function leafValues(value: unknown, path = ''): Map<string, string> {
  if (typeof value !== 'object' || value === null) return new Map([[path, JSON.stringify(value)]])
  const inner = Object.entries(value).map(([name, item]) => leafValues(item, `${path}/${name}`))
  return new Map(inner.flatMap((map) => [...map]))
}
