import { createHash } from 'node:crypto'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import type { BillRecord } from '../../domain/bill/reconciliation.ts'
import type { Store } from '../../store/store.ts'

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

/** The plain bytes of a bill as it was fetched. Throws BillDamaged at its end where they are not those of its hash. */
export async function* readOriginal({ bills }: Pick<Store, 'bills'>, bill: BillRecord): AsyncGenerator<Buffer> {
  const hash = createHash('sha1')
  const plain = createGunzip()
  // What breaks the source ends the loop below by its own error; the promise says it a second time.
  pipeline(partsOf({ bills }, bill), plain).catch(() => undefined)
  try {
    for await (const bytes of plain as AsyncIterable<Buffer>) {
      hash.update(bytes)
      yield bytes
    }
  } catch (error) {
    const { code, message } = error as { code?: unknown; message: string }
    throw typeof code === 'string' && code.startsWith('Z_') ? new BillDamaged(bill, message) : error
  }
  const found = hash.digest('hex')
  if (found !== bill.plain_sha1)
    throw new BillDamaged(bill, `its SHA-1 is ${found}, and was ${bill.plain_sha1 ?? 'none'} when it was fetched`)
}

async function* partsOf({ bills }: Pick<Store, 'bills'>, bill: BillRecord): AsyncGenerator<Buffer> {
  const { part_count } = bill
  for (let number = 0; number < part_count; number += 1) {
    const part = await bills.part(bill, number)
    if (part === null) throw new BillDamaged(bill, `its piece ${number} of ${part_count} is gone`)
    yield part
  }
}
