import { milliseconds } from '../domain/calendar.ts'
import type { Time } from '../domain/calendar.ts'
import { journalId } from '../domain/ids.ts'
import { assertBalanced, hasSamePostings } from '../domain/journal.ts'
import type { Account, JournalEntry } from '../domain/journal.ts'
import { Collection, inRange, matchAny } from './collection.ts'
import type { OneOrMore, Page, PageRequest } from './collection.ts'
import type { Connections } from './connection.ts'
import { partSchema, recordSchema } from './record.ts'

const schema = recordSchema({
  _id: String,
  mchid: String,
  kind: String,
  occurred_time: Date,
  booked_time: Date,
  out_trade_no: String,
  out_refund_no: String,
  postings: [partSchema({ account: String, key: String, amount: Number })],
  evidence_id: String,
  reverses: String,
  correction: partSchema({ by: String, reason: String }),
})
schema.index({ mchid: 1, out_trade_no: 1 })
schema.index({ mchid: 1, out_refund_no: 1 })
schema.index({ mchid: 1, booked_time: -1, _id: -1 })
schema.index({ mchid: 1, 'postings.key': 1 })

/** One cause was posted twice with different amounts: never overwritten, always an alarm (money.md). */
export class JournalConflict extends Error {
  override readonly name = 'JournalConflict'
  readonly existing: JournalEntry

  constructor(existing: JournalEntry) {
    super(`the journal entry ${existing._id} is there already with other postings`)
    this.existing = existing
  }
}

export interface JournalFilter {
  out_trade_no?: OneOrMore | undefined
  out_refund_no?: OneOrMore | undefined
  kind?: OneOrMore | undefined
  booked_time_from?: Time | undefined
  booked_time_to?: Time | undefined
}

const most_of_order = 1_000
/** of one cause: whoever needs more has another fault */
export const most_corrections = 20

/** The journal. It only grows: there is no function that changes or removes an entry. */
export class Journal {
  readonly #entries: Collection<JournalEntry>

  constructor(connections: Connections) {
    this.#entries = new Collection(connections, 'journal', schema)
  }

  /**
   * Posts an entry once. The same `_id` with the same postings is `posted_before`, and so is a cause that a correction
   * has posted anew with them; with others it throws `JournalConflict`. Throws a RangeError for postings that do not sum
   * to zero, unless they take back an entry that does not either.
   */
  async post(entry: JournalEntry): Promise<'posted' | 'posted_before'> {
    if (entry.reverses === null) assertBalanced(entry.postings)
    const answer = await this.#entries.insertOrFind(entry)
    if (answer.inserted) return 'posted'
    const { existing } = answer
    const is_same = existing.mchid === entry.mchid && hasSamePostings(existing.postings, entry.postings)
    if (!is_same && !(await this.#isCorrected(entry))) throw new JournalConflict(existing)
    return 'posted_before'
  }

  /** Whether what stands for the entry's cause, after corrections, has its postings. */
  async #isCorrected({ _id, mchid, postings }: JournalEntry): Promise<boolean> {
    const causes = Array.from({ length: most_corrections }, (_, n) => journalId.anew(_id, n + 1))
    const ids = [...causes, ...causes.map(journalId.reversal)]
    const found = await this.#entries.find({ _id: { $in: ids } }, { limit: ids.length })
    const reversed = new Set(found.map(({ reverses }) => reverses))
    const standing = found.filter((entry) => entry.reverses === null && !reversed.has(entry._id))
    return standing.some((entry) => entry.mchid === mchid && hasSamePostings(entry.postings, postings))
  }

  /**
   * The id under which a cause is posted for the `time`-th time: ids whose entry a correction has taken back are past.
   * Throws a RangeError after twenty of them.
   */
  async idOf(cause_id: string, time: number): Promise<string> {
    const ids = Array.from({ length: most_corrections }, (_, n) => journalId.anew(cause_id, n + 1))
    const reversals = await this.#entries.find({ _id: { $in: ids.map(journalId.reversal) } }, { limit: ids.length })
    const corrected = new Set(reversals.flatMap(({ reverses, correction }) => (correction ? [reverses] : [])))
    const id = ids.filter((one) => !corrected.has(one))[time - 1]
    if (id === undefined) throw new RangeError(`${cause_id} was corrected ${most_corrections} times`)
    return id
  }

  /** In the order of posting. */
  async ofOrder(mchid: string, out_trade_no: string): Promise<JournalEntry[]> {
    return this.#entries.find({ mchid, out_trade_no }, { limit: most_of_order, sort: { booked_time: 1, _id: 1 } })
  }

  /** Newest first by booked_time. */
  async list(mchid: string, filter: JournalFilter, page: PageRequest): Promise<Page<JournalEntry>> {
    const conditions = [
      { mchid },
      matchAny('out_trade_no', filter.out_trade_no),
      matchAny('out_refund_no', filter.out_refund_no),
      matchAny('kind', filter.kind),
      inRange('booked_time', filter.booked_time_from, filter.booked_time_to),
    ]
    return this.#entries.page({ $and: conditions }, 'booked_time', page)
  }

  /**
   * The balance of every account up to `until`, by name, in fen, debit positive: they sum to zero. Without
   * `until`, of all that was ever posted. Throws RangeError for a sum beyond 2^53, which would not be exact to the fen.
   */
  async balances(mchid: string, until?: Time): Promise<{ account: Account; amount: number }[]> {
    // An aggregation is not mapped: its times must be the Dates that are stored.
    const booked = until === undefined ? {} : { booked_time: { $lte: new Date(milliseconds(until)) } }
    const rows = await this.#entries.aggregate<{ _id: Account; amount: number }>([
      { $match: { mchid, ...booked } },
      { $unwind: '$postings' },
      { $group: { _id: '$postings.account', amount: { $sum: '$postings.amount' } } },
      { $sort: { _id: 1 } },
    ])
    const inexact = rows.find(({ amount }) => !Number.isSafeInteger(amount))
    if (inexact !== undefined) throw new RangeError(`the sum of ${inexact._id} is too large to be exact to the fen`)
    return rows.map(({ _id, amount }) => ({ account: _id, amount }))
  }

  /** All entries under these numbers. */
  async ofNumbers(mchid: string, numbers: readonly string[], limit: number): Promise<JournalEntry[]> {
    return this.#entries.scan({ mchid, out_trade_no: { $in: [...numbers] } }, { limit })
  }

  /** The entries posted before `time`, in that order, page by page. */
  async bookedBefore(mchid: string, time: Time, page: PageRequest): Promise<Page<JournalEntry>> {
    const filter = { mchid, ...inRange('booked_time', undefined, time) }
    return this.#entries.page(filter, 'booked_time', { ...page, order: 'asc' })
  }

  async ensureIndexes(): Promise<void> {
    await this.#entries.ensureIndexes()
  }
}
