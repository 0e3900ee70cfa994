import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { damage_texts } from '../domain/bill/damage.ts'
import type { BillRecord } from '../domain/bill/reconciliation.ts'
import type { Bills } from './bills.ts'

/** The original of a bill here is not what was fetched: its pieces are gone, or are another file's. */
export class BillDamaged extends Error {
  override readonly name = 'BillDamaged'

  constructor(
    readonly bill: BillRecord,
    why: string,
  ) {
    super(`${bill._id}: ${why}`)
  }
}

/** As much of the store as an original lies in. */
interface OriginalStore {
  bills: Pick<Bills, 'part'>
}

/**
 * The plain bytes of a bill as it was fetched. The last of them come only when all have the bill's hash: a reader that
 * gets to the end has what was fetched. Throws BillDamaged.
 */
export async function* readOriginal({ bills }: OriginalStore, bill: BillRecord): AsyncGenerator<Buffer> {
  const hash = createHash('sha1')
  const plain = createGunzip()
  // What breaks the source ends the loop below by its own error; the promise says it a second time.
  pipeline(partsOf({ bills }, bill), plain).catch(() => undefined)
  let held: Buffer | null = null
  try {
    for await (const bytes of plain as AsyncIterable<Buffer>) {
      if (held !== null) yield held
      hash.update(bytes)
      held = bytes
    }
  } catch (error) {
    throw damageOf(bill, error)
  }
  assertHash(bill, hash.digest('hex'))
  if (held !== null) yield held
}

/** The same as gzip, in the pieces that are kept; the last of them, too, comes only when the bytes within are proven. */
export async function* readCompressed({ bills }: OriginalStore, bill: BillRecord): AsyncGenerator<Buffer> {
  const hash = createHash('sha1')
  const plain = createGunzip()
  const judged = pipeline(plain, async (source: AsyncIterable<Buffer>) => {
    for await (const bytes of source) hash.update(bytes)
  })
  judged.catch(() => undefined) // it is awaited below, unless the source fails first
  let held: Buffer | null = null
  try {
    for await (const part of partsOf({ bills }, bill)) {
      if (held !== null) yield held
      held = part
      if (!plain.write(part)) await Promise.race([once(plain, 'drain'), judged])
    }
    plain.end()
    await judged
  } catch (error) {
    throw damageOf(bill, error)
  } finally {
    plain.destroy()
  }
  assertHash(bill, hash.digest('hex'))
  if (held !== null) yield held
}

async function* partsOf({ bills }: OriginalStore, bill: BillRecord): AsyncGenerator<Buffer> {
  const { part_count } = bill
  for (let number = 0; number < part_count; number += 1) {
    const part = await bills.part(bill, number)
    if (part === null) throw new BillDamaged(bill, damage_texts.piece_gone(number, part_count))
    yield part
  }
}

function damageOf(bill: BillRecord, error: unknown): unknown {
  const { code, message } = error as { code?: unknown; message: string }
  return typeof code === 'string' && code.startsWith('Z_')
    ? new BillDamaged(bill, damage_texts.not_compressed(message))
    : error
}

function assertHash(bill: BillRecord, found: string): void {
  if (found !== bill.plain_sha1) throw new BillDamaged(bill, damage_texts.other_hash(found, bill.plain_sha1))
}
