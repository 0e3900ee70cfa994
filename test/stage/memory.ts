import { isDeepStrictEqual } from 'node:util'
import mongoose from 'mongoose'
import { Allowances } from '../../store/allowances.ts'
import { Bills } from '../../store/bills.ts'
import { Changes } from '../../store/changes.ts'
import { Checkouts } from '../../store/checkouts.ts'
import { runOperation } from '../../store/connection.ts'
import type { Connections } from '../../store/connection.ts'
import { Deliveries } from '../../store/deliveries.ts'
import { Differences } from '../../store/differences.ts'
import { Endpoints } from '../../store/endpoints.ts'
import { Events } from '../../store/events.ts'
import { Evidence } from '../../store/evidence.ts'
import { Journal } from '../../store/journal.ts'
import { Keys } from '../../store/keys.ts'
import { Leases } from '../../store/leases.ts'
import { Merchants } from '../../store/merchants.ts'
import { Orders } from '../../store/orders.ts'
import { Payments } from '../../store/payments.ts'
import { Probes } from '../../store/probes.ts'
import { Reconciliations } from '../../store/reconciliations.ts'
import { References } from '../../store/references.ts'
import { Reports } from '../../store/reports.ts'
import { Refunds } from '../../store/refunds.ts'
import { Rejections } from '../../store/rejections.ts'
import type { Sealer } from '../../store/sealer.ts'
import type { Store } from '../../store/store.ts'

type Fields = Record<string, unknown>
type Document = Fields & { _id: string }

/** How many writes there still are before the worker dies; from then on none has an effect. */
export interface Writes {
  left: number
}

/**
 * The real store over a database in memory, for thousands of stories a minute. It knows the filters and updates that the
 * store uses and throws on any other; what MongoDB and FerretDB make of them is proven in test/store.
 */
export function memoryStore(sealer: Sealer, writes: Writes = { left: Infinity }): Store {
  const connections = memoryConnections(writes)
  const payments = new Payments(connections)
  const orders = new Orders(connections, payments)
  const references = new References(connections)
  const kept = {
    orders,
    checkouts: new Checkouts(connections, orders, references),
    payments,
    refunds: new Refunds(connections),
    allowances: new Allowances(connections),
    references,
    evidence: new Evidence(connections),
    journal: new Journal(connections),
    events: new Events(connections),
    deliveries: new Deliveries(connections),
    endpoints: new Endpoints(connections, sealer),
    merchants: new Merchants(connections, sealer),
    keys: new Keys(connections),
    leases: new Leases(connections),
    probes: new Probes(connections),
    rejections: new Rejections(connections),
    bills: new Bills(connections, sealer),
    bill_changes: new Changes(connections),
    reconciliations: new Reconciliations(connections),
    reports: new Reports(connections),
    differences: new Differences(connections),
    sealer,
    isReachable: () => Promise.resolve(true),
  }
  return kept as Partial<Store> as Store
}

export function memoryConnections(writes: Writes): Connections {
  const collections = new Map<string, MemoryCollection>()
  const model = (name: string) => {
    const collection = collections.get(name) ?? new MemoryCollection(writes)
    collections.set(name, collection)
    return { collection, aggregate: (pipeline: Fields[]) => ({ exec: () => collection.aggregate(pipeline) }) }
  }
  return {
    fast: { model },
    slow: { model },
    run: runOperation,
    ping: () => Promise.resolve(),
    close: () => Promise.resolve(),
  } as unknown as Connections
}

/** As much of the driver's collection as the store calls. */
class MemoryCollection {
  readonly #documents = new Map<string, Document>()
  readonly #writes: Writes

  constructor(writes: Writes) {
    this.#writes = writes
  }

  insertOne(document: Document): Promise<void> {
    if (this.#isDead()) return death()
    if (this.#documents.has(document._id)) {
      return Promise.reject(Object.assign(new Error(`duplicate ${document._id}`), { code: 11000 }))
    }
    this.#documents.set(document._id, structuredClone(document))
    return Promise.resolve()
  }

  /** Unordered: whatever can be inserted is. */
  async insertMany(documents: readonly Document[]): Promise<void> {
    const errors: { index: number; code: number; errmsg: string }[] = []
    for (const [index, document] of documents.entries()) {
      await this.insertOne(document).catch((error: Error & { code?: number }) => {
        if (error.code !== 11000) throw error
        errors.push({ index, code: error.code, errmsg: error.message })
      })
    }
    if (errors.length === 0) return
    const result = { getWriteConcernError: () => undefined } as never
    throw new mongoose.mongo.MongoBulkWriteError(
      { message: 'duplicates', code: 11000, writeErrors: errors as never },
      result,
    )
  }

  findOne(filter: Fields): Promise<Document | null> {
    return Promise.resolve(structuredClone(this.#matching(filter)[0] ?? null))
  }

  find(filter: Fields, options: { sort?: Record<string, 1 | -1>; skip?: number; limit?: number }) {
    const { sort = {}, skip = 0, limit = Infinity } = options
    const found = this.#matching(filter).sort((one, other) => inOrder(one, other, sort))
    return { toArray: () => Promise.resolve(structuredClone(found.slice(skip, skip + limit))) }
  }

  countDocuments(filter: Fields, { limit = Infinity }: { limit?: number } = {}): Promise<number> {
    return Promise.resolve(Math.min(this.#matching(filter).length, limit))
  }

  findOneAndUpdate(filter: Fields, update: Fields): Promise<Document | null> {
    if (this.#isDead()) return death()
    const found = this.#matching(filter)[0]
    if (found === undefined) return Promise.resolve(null)
    change(found, update)
    return Promise.resolve(structuredClone(found))
  }

  replaceOne(filter: Fields, document: Fields, { upsert = false } = {}): Promise<{ matchedCount: number }> {
    if (this.#isDead()) return death()
    const found = this.#matching(filter)[0]
    if (found === undefined && !upsert) return Promise.resolve({ matchedCount: 0 })
    const _id = found?._id ?? String(filter['_id'])
    this.#documents.set(_id, structuredClone({ ...document, _id }))
    return Promise.resolve({ matchedCount: 1 })
  }

  async updateOne(filter: Fields, update: Fields): Promise<{ matchedCount: number }> {
    return { matchedCount: (await this.findOneAndUpdate(filter, update)) === null ? 0 : 1 }
  }

  deleteMany(filter: Fields): Promise<{ deletedCount: number }> {
    if (this.#isDead()) return death()
    const found = this.#matching(filter)
    for (const { _id } of found) this.#documents.delete(_id)
    return Promise.resolve({ deletedCount: found.length })
  }

  aggregate(pipeline: Fields[]): Promise<unknown[]> {
    return Promise.resolve(pipeline.reduce<unknown[]>(stageOf, structuredClone([...this.#documents.values()])))
  }

  #isDead(): boolean {
    this.#writes.left -= 1
    return this.#writes.left < 0
  }

  #matching(filter: Fields): Document[] {
    return [...this.#documents.values()].filter((document) => matches(document, filter))
  }
}

function death(): Promise<never> {
  return Promise.reject(new Error('the worker died'))
}

/** One stage of a sum over entries: as much as the journal asks for. */
function stageOf(rows: unknown[], stage: Fields): unknown[] {
  const [operator, operand] = Object.entries(stage)[0] ?? ['nothing', null]
  switch (operator) {
    case '$match':
      return rows.filter((row) => matches(row as Document, operand as Fields))
    case '$unwind': {
      const field = String(operand).slice(1)
      return rows.flatMap((row) =>
        ((row as Fields)[field] as unknown[]).map((one) => ({ ...(row as Fields), [field]: one })),
      )
    }
    case '$group':
      return grouped(rows, operand as { _id: string | null; amount: { $sum: string } })
    case '$sort':
      return (rows as Document[]).sort((one, other) => inOrder(one, other, operand as Record<string, 1 | -1>))
    default:
      throw new Error(`the database in memory does not know ${operator}`)
  }
}

function grouped(rows: unknown[], { _id, amount }: { _id: string | null; amount: { $sum: string } }): unknown[] {
  const at = (row: unknown, path: string) => valuesAt(row, path.slice(1).split('.'))[0]
  const sums = new Map<unknown, number>()
  for (const row of rows) {
    const key = _id === null ? null : at(row, _id)
    sums.set(key, (sums.get(key) ?? 0) + Number(at(row, amount.$sum)))
  }
  return [...sums].map(([key, sum]) => ({ _id: key, amount: sum }))
}

function matches(document: Document, filter: Fields): boolean {
  return Object.entries(filter).every(([field, wanted]) => {
    if (field === '$and') return (wanted as Fields[]).every((one) => matches(document, one))
    if (field === '$or') return (wanted as Fields[]).some((one) => matches(document, one))
    const held = valuesAt(document, field.split('.'))
    return isOperators(wanted)
      ? Object.entries(wanted).every(([operator, operand]) => holds(held, operator, operand))
      : held.some((value) => isSame(value, wanted)) || (held.length === 0 && wanted === null) // null is what is not there
  })
}

/** What stands at a path, through lists as MongoDB goes through them; empty when nothing does. */
function valuesAt(value: unknown, [field, ...rest]: string[]): unknown[] {
  if (Array.isArray(value)) return value.flatMap((one) => valuesAt(one, field === undefined ? [] : [field, ...rest]))
  if (field === undefined) return value === undefined ? [] : [value]
  return typeof value === 'object' && value !== null ? valuesAt((value as Fields)[field], rest) : []
}

function isOperators(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && Object.keys(value).some((key) => key.startsWith('$'))
}

function holds(held: unknown[], operator: string, operand: unknown): boolean {
  switch (operator) {
    case '$exists':
      return held.length > 0 === operand
    case '$ne':
      return !held.some((value) => isSame(value, operand)) && !(held.length === 0 && operand === null)
    case '$in':
      return (operand as unknown[]).some((one) => held.some((value) => isSame(value, one)))
    case '$nin':
      return !holds(held, '$in', operand)
    case '$lt':
      return held.some((value) => compare(value, operand) < 0)
    case '$lte':
      return held.some((value) => compare(value, operand) <= 0)
    case '$gt':
      return held.some((value) => compare(value, operand) > 0)
    case '$gte':
      return held.some((value) => compare(value, operand) >= 0)
    default:
      throw new Error(`the database in memory does not know ${operator}`)
  }
}

function isSame(one: unknown, other: unknown): boolean {
  return isDeepStrictEqual(one, other)
}

/** NaN, which is true of nothing, for values of different kinds. */
function compare(one: unknown, other: unknown): number {
  if (one instanceof Date && other instanceof Date) return one.getTime() - other.getTime()
  if (typeof one === 'number' && typeof other === 'number') return one - other
  if (typeof one === 'string' && typeof other === 'string') return one < other ? -1 : one > other ? 1 : 0
  return NaN
}

function inOrder(one: Document, other: Document, sort: Record<string, 1 | -1>): number {
  for (const [field, direction] of Object.entries(sort)) {
    const difference = compare(valuesAt(one, field.split('.'))[0], valuesAt(other, field.split('.'))[0])
    if (difference) return difference * direction
  }
  return 0
}

function change(document: Document, update: Fields): void {
  for (const [operator, fields] of Object.entries(structuredClone(update))) {
    for (const [path, operand] of Object.entries(fields as Fields))
      changeAt(document, path.split('.'), operator, operand)
  }
}

function changeAt(holder: Fields, [field = '', ...rest]: string[], operator: string, operand: unknown): void {
  if (rest.length > 0) {
    holder[field] ??= {}
    return changeAt(holder[field] as Fields, rest, operator, operand)
  }
  const held = holder[field]
  switch (operator) {
    case '$set':
      holder[field] = operand
      return
    case '$unset':
      delete holder[field]
      return
    case '$inc':
      holder[field] = ((held as number | undefined) ?? 0) + (operand as number)
      return
    case '$max':
      if (held === undefined || held === null || compare(operand, held) > 0) holder[field] = operand
      return
    case '$push':
      holder[field] = [...((held as unknown[] | undefined) ?? []), ...pushed(operand)]
      return
    case '$pull':
      holder[field] = ((held as unknown[] | undefined) ?? []).filter((one) => !isPulled(one, operand))
      return
    default:
      throw new Error(`the database in memory does not know ${operator}`)
  }
}

function pushed(operand: unknown): unknown[] {
  return isOperators(operand) && Array.isArray(operand.$each) ? operand.$each : [operand]
}

function isPulled(one: unknown, operand: unknown): boolean {
  const is_condition = typeof operand === 'object' && operand !== null
  return is_condition ? matches(one as Document, operand as Fields) : isSame(one, operand)
}
