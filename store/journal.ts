import { assertBalanced, isSamePostings } from '../domain/journal.ts'
import type { Account, JournalEntry } from '../domain/journal.ts'
import { Collection } from './collection.ts'
import type { Connections } from './connection.ts'
import { part, recordSchema } from './record.ts'

const schema = recordSchema({
  _id: String,
  mchid: String,
  kind: String,
  occurred_time: Date,
  booked_time: Date,
  out_trade_no: String,
  out_refund_no: String,
  postings: [part({ account: String, key: String, amount: Number })],
  evidence_id: String,
  reverses: String,
})
schema.index({ mchid: 1, out_trade_no: 1 })
schema.index({ mchid: 1, booked_time: -1 })

/** One cause was booked twice with different amounts: never overwritten, always an alarm (money.md). */
export class JournalConflict extends Error {
  override readonly name = 'JournalConflict'
  readonly existing: JournalEntry

  constructor(existing: JournalEntry) {
    super(`the journal entry ${existing._id} is there already with other postings`)
    this.existing = existing
  }
}

const most_of_order = 1_000

/** The book. It only grows: there is no function that changes or removes an entry. */
export class Journal {
  readonly #entries: Collection<JournalEntry>

  constructor(connections: Connections) {
    this.#entries = new Collection(connections, 'journal', schema)
  }

  /**
   * Books an entry once. The same `_id` with the same postings is `posted_before`; with others it throws
   * `JournalConflict`. Throws a RangeError for postings that do not sum to zero.
   */
  async post(entry: JournalEntry): Promise<'posted' | 'posted_before'> {
    assertBalanced(entry.postings)
    const answer = await this.#entries.insertOrFind(entry)
    if (answer.inserted) return 'posted'
    const { existing } = answer
    if (existing.mchid !== entry.mchid || !isSamePostings(existing.postings, entry.postings)) {
      throw new JournalConflict(existing)
    }
    return 'posted_before'
  }

  /** In the order of booking. */
  async ofOrder(mchid: string, out_trade_no: string): Promise<JournalEntry[]> {
    return this.#entries.find({ mchid, out_trade_no }, { limit: most_of_order, sort: { booked_time: 1, _id: 1 } })
  }

  /** Every account that was ever booked, by name, in fen, debit positive: they sum to zero. */
  async balances(mchid: string): Promise<{ account: Account; amount: number }[]> {
    const rows = await this.#entries.aggregate<{ _id: Account; amount: number }>([
      { $match: { mchid } },
      { $unwind: '$postings' },
      { $group: { _id: '$postings.account', amount: { $sum: '$postings.amount' } } },
      { $sort: { _id: 1 } },
    ])
    return rows.map(({ _id, amount }) => ({ account: _id, amount }))
  }

  async ensureIndexes(): Promise<void> {
    await this.#entries.ensureIndexes()
  }
}
