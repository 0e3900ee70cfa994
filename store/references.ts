import { setTimeout as pause } from 'node:timers/promises'
import { referenceId } from '../domain/ids.ts'
import { Collection } from './collection.ts'
import type { Contention } from './collection.ts'
import { StoreUnavailable } from './connection.ts'
import type { Connections } from './connection.ts'
import { recordSchema } from './record.ts'

interface ReferenceRecord {
  /** <mchid>/<reference> */
  _id: string
  mchid: string
  reference: string
  /** the number that keeps the sale; the record is there only while one does */
  paid_by: string
}

const schema = recordSchema({ _id: String, mchid: String, reference: String, paid_by: String })

/**
 * How often a claim is tried against others of the same sale. Each try that fails has met one that was given free before
 * it could be read, so another number was served meanwhile; pauses of chance length part those who meet again and again.
 */
const contention: Contention = {
  attempts: 60,
  pauseBefore: (attempt) => Math.random() * 5 * Math.min(attempt - 1, 10),
}

/** Which number of a sale keeps it, where a merchant made several numbers for one sale. */
export class References {
  readonly #references: Collection<ReferenceRecord>

  constructor(connections: Connections) {
    this.#references = new Collection(connections, 'references', schema)
  }

  /**
   * Decides the race of two payments for one sale: the first claim holds, and every claim, the same one repeated
   * included, is answered with the number that holds it.
   */
  async claim(mchid: string, reference: string, out_trade_no: string): Promise<{ paid_by: string }> {
    const _id = referenceId(mchid, reference)
    for (let attempt = 1; attempt <= contention.attempts; attempt++) {
      if (attempt > 1) await pause(contention.pauseBefore(attempt))
      if (await this.#references.insert({ _id, mchid, reference, paid_by: out_trade_no })) {
        return { paid_by: out_trade_no }
      }
      const paid_by = await this.findHolder(mchid, reference)
      // Null: given free since the insert met it, or not yet to be read; the next read decides.
      if (paid_by !== null) return { paid_by }
    }
    throw new StoreUnavailable(new Error(`the claim of ${_id} was taken and released again, over and over`))
  }

  /** The number that keeps the sale, or null: none yet. */
  async findHolder(mchid: string, reference: string): Promise<string | null> {
    const found = await this.#references.findOne({ _id: referenceId(mchid, reference) })
    return found?.paid_by ?? null
  }

  /** The claims of these references, as [reference, number that holds it]: for proofs. */
  async ofReferences(mchid: string, references: readonly string[]): Promise<[string, string][]> {
    const ids = references.map((reference) => referenceId(mchid, reference))
    const found = await this.#references.scan({ _id: { $in: ids } }, { limit: ids.length })
    return found.map(({ reference, paid_by }) => [reference, paid_by])
  }

  /** Gives the sale free; nothing happens when another number holds it. */
  async release(mchid: string, reference: string, out_trade_no: string): Promise<void> {
    await this.#references.remove({ _id: referenceId(mchid, reference), paid_by: out_trade_no })
  }

  async ensureIndexes(): Promise<void> {
    await this.#references.ensureIndexes()
  }
}
