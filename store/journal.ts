import { beijingTime, milliseconds } from '../domain/calendar.ts'
import type { Time } from '../domain/calendar.ts'
import type { DayKey } from '../domain/bill/reconciliation.ts'
import type { BillType } from '../domain/bill/row.ts'
import { journalId, openingsOf, sheetsOf } from '../domain/ids.ts'
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
  occurred_time_from?: Time | undefined
  occurred_time_to?: Time | undefined
}

/** two clocks never disagree by more */
const clock_difference_ms = 60 * 60_000

function beforeByClocks(time: Time): Time {
  return beijingTime(milliseconds(time) - clock_difference_ms)
}

const most_of_order = 1_000
/** of one cause: whoever needs more has another fault */
export const most_corrections = 20
const page_of_sheets = 5_000
const few_sheets = 20

/** What the ids of a day's sheets begin with, and those of their reversals. */
function sheetPrefixes(day: DayKey, type: BillType): string[] {
  const prefix = sheetsOf(day, type)
  return [prefix, journalId.reversal(prefix)]
}

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

  /**
   * Posts many entries in one command, each as `post` does but for corrections, and answers the ids of those that were
   * not there. Throws `JournalConflict`, when the others may be posted.
   */
  async postAll(entries: readonly JournalEntry[]): Promise<string[]> {
    if (entries.length === 0) return []
    for (const { reverses, postings } of entries) if (reverses === null) assertBalanced(postings)
    const outcomes = await this.#entries.insertOrFindEach(entries, { is_large: true })
    return entries.flatMap(({ _id, mchid, postings }, place) => {
      const outcome = outcomes[place] ?? { error: new Error(`nothing is known of ${_id}`) }
      if ('error' in outcome) throw outcome.error
      if (outcome.answer.inserted) return [_id]
      const { existing } = outcome.answer
      if (existing.mchid !== mchid || !hasSamePostings(existing.postings, postings)) throw new JournalConflict(existing)
      return []
    })
  }

  /** What stands under a cause after all reversals, and the id under which it is posted next. */
  async ofCause(cause_id: string): Promise<{ standing: JournalEntry[]; next_id: string }> {
    const ids = Array.from({ length: most_corrections }, (_, n) => journalId.anew(cause_id, n + 1))
    const all = [...ids, ...ids.map(journalId.reversal)]
    const found = await this.#entries.find({ _id: { $in: all } }, { limit: all.length })
    const taken = new Set(found.map(({ _id }) => _id))
    const next_id = ids.find((id) => !taken.has(id))
    if (next_id === undefined) throw new RangeError(`${cause_id} was posted ${most_corrections} times`)
    const reversed = new Set(found.map(({ reverses }) => reverses))
    return { standing: found.filter((entry) => entry.reverses === null && !reversed.has(entry._id)), next_id }
  }

  async findAll(ids: readonly string[]): Promise<JournalEntry[]> {
    return ids.length === 0 ? [] : this.#entries.scan({ _id: { $in: [...ids] } }, { limit: ids.length })
  }

  /** Of all sheets of a day's bill, and of what takes them back, the ids. */
  async sheets(day: DayKey, type: BillType): Promise<Pick<JournalEntry, '_id' | 'reverses'>[]> {
    const found: JournalEntry[] = []
    for (const prefix of sheetPrefixes(day, type)) {
      for (let after = prefix; ;) {
        const filter = { _id: { $gt: after, $lt: `${prefix}~` } }
        const page = await this.#entries.scan(filter, {
          limit: page_of_sheets,
          sort: { _id: 1 },
          fields: ['_id', 'reverses'],
        })
        found.push(...page)
        const last = page.at(-1)
        if (last === undefined || page.length < page_of_sheets) break
        after = last._id
      }
    }
    return found
  }

  /** All sheets of a day's bill, and what takes them back, a few at a time: each has hundreds of postings. */
  async *sheetEntries(day: DayKey, type: BillType): AsyncGenerator<JournalEntry[]> {
    for (const prefix of sheetPrefixes(day, type)) {
      for (let after = prefix; ;) {
        const filter = { _id: { $gt: after, $lt: `${prefix}~` } }
        const page = await this.#entries.scan(filter, { limit: few_sheets, sort: { _id: 1 } })
        if (page.length > 0) yield page
        const last = page.at(-1)
        if (last === undefined || page.length < few_sheets) break
        after = last._id
      }
    }
  }

  /** What the sheets of a day's bill come to by account, after what was taken back, in fen. */
  async sumsOfSheets(day: DayKey, type: BillType): Promise<Map<string, number>> {
    return this.#sums(sheetsOf(day, type))
  }

  /** The same of what an account was opened with. */
  async sumsOfOpenings(mchid: string, account: Account): Promise<Map<string, number>> {
    return this.#sums(openingsOf(mchid, account))
  }

  async #sums(id_prefix: string): Promise<Map<string, number>> {
    const sums = new Map<string, number>()
    for (const prefix of [id_prefix, journalId.reversal(id_prefix)]) {
      const rows = await this.#entries.aggregate<{ _id: string; amount: number }>([
        { $match: { _id: { $gt: prefix, $lt: `${prefix}~` } } },
        { $unwind: '$postings' },
        { $group: { _id: '$postings.account', amount: { $sum: '$postings.amount' } } },
      ])
      for (const { _id, amount } of rows) sums.set(_id, (sums.get(_id) ?? 0) + amount)
    }
    return new Map([...sums].filter(([, amount]) => amount !== 0))
  }

  /** All entries that hold one of these sub-keys, at most `limit`. */
  async ofKeys(mchid: string, keys: readonly string[], limit: number): Promise<JournalEntry[]> {
    return this.#entries.scan({ mchid, 'postings.key': { $in: [...keys] } }, { limit })
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
      inRange('occurred_time', filter.occurred_time_from, filter.occurred_time_to),
      // Nothing is booked before it happened, so the index by booked_time ends the search.
      inRange('booked_time', filter.occurred_time_from && beforeByClocks(filter.occurred_time_from), undefined),
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
