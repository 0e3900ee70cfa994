import mongoose from 'mongoose'
import { database_uri } from '../store/database.ts'

/** Writes past all doors of the store, as a fault would. */
export function writerInto(database: string) {
  return async (collection: string, documents: object[]): Promise<void> => {
    const connection = await mongoose.createConnection(database_uri, { dbName: database }).asPromise()
    await connection.collection(collection).insertMany(documents)
    await connection.close()
  }
}

/** Removes what matches, or changes it, past all doors of the store. */
export function breakerOf(database: string) {
  return async (
    collection: string,
    filter: Record<string, unknown>,
    update: Record<string, unknown> | null,
  ): Promise<void> => {
    const connection = await mongoose.createConnection(database_uri, { dbName: database }).asPromise()
    const records = connection.collection(collection)
    const { length } = await records.find(filter).toArray()
    if (length === 0) throw new Error(`nothing to break among ${collection}`)
    if (update === null) await records.deleteMany(filter)
    else await records.updateMany(filter, update)
    await connection.close()
  }
}
