import { setTimeout as pause } from 'node:timers/promises'
import { allowanceId } from '../domain/ids.ts'
import { afterId, Collection } from './collection.ts'
import { StoreUnavailable } from './connection.ts'
import type { Connections } from './connection.ts'
import { recordSchema } from './record.ts'

interface AllowanceRecord {
  /** <mchid>/<Beijing day>/<place, 8 digits> */
  _id: string
  mchid: string
  day: string
  /** from 1 on, without a gap */
  place: number
  /** what took the place: a refund, as it was asked for this time, or WeChat's word on a difference that was accepted */
  claim: string
  /** fen */
  amount: number
  /** fen of this place and all before it */
  total: number
}

const schema = recordSchema({
  _id: String,
  mchid: String,
  day: String,
  place: Number,
  claim: String,
  amount: Number,
  total: Number,
})
schema.index({ mchid: 1, day: 1, claim: 1 })

/** How often a place is looked for behind those that others took meanwhile. */
const most_places_taken = 200

/**
 * What a merchant's refunds, and what was accepted of WeChat's word, have taken on a Beijing day by one person's word:
 * places 1, 2, 3 … without a gap, each with the sum so far. A place is only taken behind the last one, and its number is its `_id`: so of two refunds that saw the
 * same sum one is given the place, and the other adds to the sum that holds then. Places are never given back, also where
 * WeChat refuses the refund later: a sum that only grows lets nobody slip under the limit, whatever is read late.
 */
export class Allowances {
  readonly #allowances: Collection<AllowanceRecord>

  constructor(connections: Connections) {
    this.#allowances = new Collection(connections, 'allowances', schema)
  }

  /**
   * Takes a place for `amount` fen where the day's sum stays at `above` or below it. False: it would be more. The same
   * claim again has its place already; two attempts of it at the very same moment may count it twice, never not at all.
   */
  async claim(
    { claim, amount }: Pick<AllowanceRecord, 'claim' | 'amount'>,
    { mchid, day, above }: { mchid: string; day: string; above: number },
  ): Promise<boolean> {
    if ((await this.#allowances.findOne({ mchid, day, claim })) !== null) return true
    for (let taken = 0; taken < most_places_taken; taken += 1) {
      if (taken > 0) await pause(Math.random() * 5 * Math.min(taken, 10))
      const last = await this.#last(mchid, day)
      const [place, total] = [last.place + 1, last.total + amount]
      if (total > above) return false
      const _id = allowanceId(mchid, day, place)
      if (await this.#allowances.insert({ _id, mchid, day, place, claim, amount, total })) return true
    }
    throw new StoreUnavailable(new Error(`${most_places_taken} places of ${mchid} on ${day} were taken by others`))
  }

  /** Whether `claim` would be given a place now; none is taken. */
  async hasRoom(
    { claim, amount }: Pick<AllowanceRecord, 'claim' | 'amount'>,
    { mchid, day, above }: { mchid: string; day: string; above: number },
  ): Promise<boolean> {
    if ((await this.#allowances.findOne({ mchid, day, claim })) !== null) return true
    return (await this.#last(mchid, day)).total + amount <= above
  }

  async #last(mchid: string, day: string): Promise<Pick<AllowanceRecord, 'place' | 'total'>> {
    const [last = { place: 0, total: 0 }] = await this.#allowances.find(afterId(`${mchid}/${day}`, null), {
      limit: 1,
      sort: { _id: -1 },
    })
    return last
  }

  async ensureIndexes(): Promise<void> {
    await this.#allowances.ensureIndexes()
  }
}
