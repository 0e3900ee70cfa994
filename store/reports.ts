import { Schema } from 'mongoose'
import { dayId } from '../domain/ids.ts'
import type { ReportRecord } from '../domain/bill/report.ts'
import { Collection } from './collection.ts'
import type { Connections } from './connection.ts'
import { recordSchema } from './record.ts'

const schema = recordSchema({
  _id: String,
  mchid: String,
  bill_date: String,
  run: Number,
  write_time: Date,
  figures: Schema.Types.Mixed,
})

const most_days = 100

/** The numbers of each merchant's days, one small record for each. */
export class Reports {
  readonly #reports: Collection<ReportRecord>

  constructor(connections: Connections) {
    this.#reports = new Collection(connections, 'reports', schema)
  }

  /** Decides which look's numbers stand: the last that began. Repeatable; false: a newer one has written. */
  async write(report: ReportRecord): Promise<boolean> {
    const made = await this.#reports.insertOrFind(report)
    if (made.inserted) return true
    const { _id, run, write_time, figures } = report
    return this.#reports.update({ _id, run: { $lte: run } }, { $set: { run, write_time, figures } })
  }

  /** The days from one to another, both inclusive, oldest first; days that nobody looked at have none. */
  async between(mchid: string, [first, last]: readonly [string, string]): Promise<ReportRecord[]> {
    const range = { _id: { $gte: dayId({ mchid, bill_date: first }), $lte: dayId({ mchid, bill_date: last }) } }
    return this.#reports.scan(range, { limit: most_days, sort: { _id: 1 } })
  }

  /** The newest day of a merchant; null: there is none. */
  async newest(mchid: string): Promise<ReportRecord | null> {
    const range = { _id: { $gt: `${mchid}/`, $lt: `${mchid}/~` } }
    const [found] = await this.#reports.scan(range, { limit: 1, sort: { _id: -1 } })
    return found ?? null
  }

  async ensureIndexes(): Promise<void> {
    await this.#reports.ensureIndexes()
  }
}
