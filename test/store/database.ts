import { randomBytes } from 'node:crypto'
import mongoose from 'mongoose'
import { inject } from 'vitest'
import { createSealer } from '../../store/sealer.ts'
import type { Sealer } from '../../store/sealer.ts'
import { openStore } from '../../store/store.ts'
import type { Store } from '../../store/store.ts'

export const database_uri = inject('mongodb_uri')

export function sealerOf(...ids: string[]): Sealer {
  return createSealer({ keys: ids.map((id) => ({ id, key: Buffer.alloc(32, id).toString('base64') })) })
}

/**
 * A store in a database of its own that `drop` takes away again. It has its indexes where `is_indexed` is not false: to
 * make them takes longer than most tests, and a few records are found without.
 */
export async function freshStore({ is_indexed = true } = {}): Promise<{
  store: Store
  database: string
  drop: () => Promise<void>
}> {
  const database = `store_test_${randomBytes(6).toString('hex')}`
  const store = await openStore({ uri: database_uri, database, sealer: sealerOf('one'), answer_within_ms: 30_000 })
  if (is_indexed) await store.ensureIndexes()
  const drop = async () => {
    await store.close()
    const connection = await mongoose.createConnection(database_uri, { dbName: database }).asPromise()
    await connection.dropDatabase()
    await connection.close()
  }
  return { store, database, drop }
}
