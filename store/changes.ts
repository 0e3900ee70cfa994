import { Schema } from 'mongoose'
import type { LineChange } from '../domain/bill/change.ts'
import type { BillRecord } from '../domain/bill/reconciliation.ts'
import { Collection } from './collection.ts'
import type { Page, PageRequest } from './collection.ts'
import type { Connections } from './connection.ts'
import { partSchema, recordSchema } from './record.ts'

/** A change of a line as it is kept, with the day that a page is sorted by. */
export interface KeptChange extends LineChange {
  /** <bill>/<its place in the list> */
  _id: string
  bill_date: string
}

const schema = recordSchema({
  _id: String,
  bill_date: String,
  kind: String,
  line_before: Number,
  line_after: Number,
  numbers: Schema.Types.Mixed,
  amount: Number,
  fields: [partSchema({ column: String, before: Schema.Types.Mixed, after: Schema.Types.Mixed })],
})

const written_at_once = 200
const digits = 6

function idOf({ _id }: Pick<BillRecord, '_id'>, place: number): string {
  return `${_id}/${String(place).padStart(digits, '0')}`
}

function rangeOf({ _id }: Pick<BillRecord, '_id'>) {
  return { _id: { $gt: `${_id}/`, $lt: `${_id}/~` } }
}

/** What versions of bills changed of those before them, line by line. A list is whole once its bill has the sums. */
export class Changes {
  readonly #changes: Collection<KeptChange>

  constructor(connections: Connections) {
    this.#changes = new Collection(connections, 'bill_changes', schema)
  }

  /** Keeps the list of a version. Repeatable: the same two files have the same list. */
  async keep(bill: BillRecord, listed: readonly LineChange[]): Promise<void> {
    const { bill_date } = bill
    for (let from = 0; from < listed.length; from += written_at_once)
      await this.#changes.insertMissing(
        listed
          .slice(from, from + written_at_once)
          .map((change, at) => ({ _id: idOf(bill, from + at), bill_date, ...change })),
      )
  }

  /** In the order of the lines. */
  async list(bill: BillRecord, page: Pick<PageRequest, 'limit' | 'cursor'>): Promise<Page<KeptChange>> {
    return this.#changes.page(rangeOf(bill), 'bill_date', { ...page, order: 'asc' }, { unit: 'day' })
  }

  /** Drops the list of a version whose file is no longer kept. */
  async drop(bill: Pick<BillRecord, '_id'>): Promise<void> {
    await this.#changes.remove(rangeOf(bill))
  }

  async ensureIndexes(): Promise<void> {
    await this.#changes.ensureIndexes()
  }
}
