import { Schema } from 'mongoose'
import type { SchemaDefinition } from 'mongoose'
import { beijingTime, milliseconds } from '../domain/calendar.ts'

/** A record as the database keeps it: its times are Dates, all else is as the domain has it. */
export type StoredDocument = { _id: string } & Record<string, unknown>

/** Fields of a record. They name what there is, for indexes, and say what is a time, for `RecordMapping`. */
export function recordSchema(fields: SchemaDefinition<StoredDocument>): Schema<StoredDocument> {
  return new Schema<StoredDocument>(fields, { versionKey: false, id: false, minimize: false })
}

/** A part of a record: kept whole, and null when the record says so. */
export function partSchema(fields: SchemaDefinition<StoredDocument>): Schema<StoredDocument> {
  return new Schema<StoredDocument>(fields, { _id: false, id: false, minimize: false })
}

/**
 * Both ways between the RFC 3339 text of records and the Dates of the database, in the one place where this happens.
 * A schema says which fields are times, so that a merchant's own metadata is never taken for one. By hand rather than
 * by hydrated documents of mongoose: those take four times the processor time of an insert, and know defaults.
 */
export class RecordMapping<T extends { _id: string }> {
  readonly #fields: ReadonlySet<string>
  readonly #times: ReadonlySet<string>

  constructor(schema: Schema<StoredDocument>) {
    this.#fields = new Set(Object.keys(schema.obj))
    this.#times = new Set(timesOf(schema))
  }

  /** A record, a filter or the fields of an update, with Dates. Throws for a field that the schema does not name. */
  stored(value: Record<string, unknown>): Record<string, unknown> {
    return this.#dated(value, '') as Record<string, unknown>
  }

  /** What was read, as the record it is. Changes `document`, which nobody else has. */
  record(document: StoredDocument): T {
    return replaceDatesByText(document) as T
  }

  #dated(value: unknown, path: string): unknown {
    if (typeof value === 'string') return this.#times.has(path) ? new Date(milliseconds(value)) : value
    if (Array.isArray(value)) return value.map((one) => this.#dated(one, path))
    if (typeof value !== 'object' || value === null || value instanceof Date || isBytes(value)) return value
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, this.#dated(inner, this.#at(path, key))]),
    )
  }

  /** Operators leave the path as it is: `{ create_time: { $lt: … } }` is about `create_time`. */
  #at(path: string, key: string): string {
    if (key.startsWith('$')) return path
    if (path !== '') return `${path}.${key}`
    const field = key.split('.', 1)[0] ?? key
    if (!this.#fields.has(field)) throw new RangeError(`no such field: ${key}`)
    return key
  }
}

/** Paths of all times, those within parts and lists of parts included: `timeline.time`. */
function timesOf(schema: Schema<StoredDocument>): string[] {
  return Object.entries(schema.paths).flatMap(([path, type]) => {
    const inner = type.schema as Schema<StoredDocument> | undefined
    if (inner !== undefined) return timesOf(inner).map((time) => `${path}.${time}`)
    return type.instance === 'Date' ? [path] : []
  })
}

function replaceDatesByText(value: unknown): unknown {
  if (value instanceof Date) return beijingTime(value.getTime())
  if (typeof value !== 'object' || value === null) return value
  const holder = value as Record<string, unknown>
  for (const key of Object.keys(holder)) {
    const inner = holder[key]
    if (typeof inner === 'object' && inner !== null) {
      if (inner instanceof Date) holder[key] = beijingTime(inner.getTime())
      else if (isBytes(inner)) holder[key] = bytesOf(inner)
      else replaceDatesByText(inner)
    }
  }
  return value
}

/** The driver hands bytes out as its own Binary. */
interface BinaryValue {
  _bsontype: 'Binary'
  buffer: Uint8Array
  position: number
}

function isBytes(value: object): value is Uint8Array | BinaryValue {
  return value instanceof Uint8Array || (value as Partial<BinaryValue>)._bsontype === 'Binary'
}

function bytesOf(value: Uint8Array | BinaryValue): Buffer {
  return Buffer.from(value instanceof Uint8Array ? value : value.buffer.subarray(0, value.position))
}
