import mongoose from 'mongoose'
import { describe, expect, it } from 'vitest'
import { Collection } from '../../store/collection.ts'
import { runOperation, StoreUnavailable } from '../../store/connection.ts'
import type { Connections } from '../../store/connection.ts'
import { recordSchema } from '../../store/record.ts'

interface Thing {
  _id: string
  size: number
}

const duplicate = 11000

/** A collection over a driver that says what the test has it say to an insert of many. */
function playCollection(answer: (ids: readonly string[]) => Error | null, existing: readonly Thing[] = []) {
  const sent: string[][] = []
  const collection = {
    insertMany: (documents: readonly Thing[], options: { ordered: boolean }) => {
      expect(options).toEqual({ ordered: false })
      const ids = documents.map(({ _id }) => _id)
      sent.push(ids)
      const failure = answer(ids)
      return failure === null ? Promise.resolve() : Promise.reject(failure)
    },
    findOne: ({ _id }: Thing) => Promise.resolve(existing.find((one) => one._id === _id) ?? null),
  }
  const model = () => ({ collection })
  const connections = { fast: { model }, slow: { model }, run: runOperation } as unknown as Connections
  const schema = recordSchema({ _id: String, size: Number })
  return { sent, things: new Collection<Thing>(connections, 'things', schema) }
}

/** What the driver throws: which documents failed, and what became of the write as a whole. */
function bulkError(failed: readonly { index: number; code: number }[], concern?: string): Error {
  const writeErrors = failed.map((one) => ({ ...one, errmsg: `E${one.code}` }))
  const result = { getWriteConcernError: () => (concern === undefined ? undefined : { errmsg: concern }) }
  return new mongoose.mongo.MongoBulkWriteError(
    { message: 'some were not written', code: 1, writeErrors: writeErrors as never },
    result as never,
  )
}

const thing = (_id: string, size = 1): Thing => ({ _id, size })

describe('many records that are inserted in one command', () => {
  it('go to the database in the order of their ids, and are answered in the order they were given', async () => {
    const held = thing('b', 7)
    const atB = (ids: readonly string[]) => bulkError([{ index: ids.indexOf('b'), code: duplicate }])
    const { sent, things } = playCollection(atB, [held])
    const outcomes = await things.insertOrFindEach([thing('c'), thing('b'), thing('a')])
    // Two batches that hold records for which the other waits would stand still: one order for all.
    expect(sent).toEqual([['a', 'b', 'c']])
    expect(outcomes).toEqual([
      { answer: { inserted: true } },
      { answer: { inserted: false, existing: held } },
      { answer: { inserted: true } },
    ])
  })

  it('fail each for itself where the database says why', async () => {
    const { things } = playCollection(() => bulkError([{ index: 1, code: 121 }]))
    const outcomes = await things.insertOrFindEach([thing('a'), thing('b')])
    expect(outcomes).toEqual([{ answer: { inserted: true } }, { error: expect.any(StoreUnavailable) as unknown }])
  })

  it.each([
    ['none failed by itself', []],
    ['some were there before', [{ index: 0, code: duplicate }]],
  ] as const)('are none of them taken as written while no majority has them, though %s', async (_, failed) => {
    const { things } = playCollection(() => bulkError(failed, 'waiting for replication timed out'), [thing('a')])
    const inserting = things.insertOrFindEach([thing('a'), thing('b')])
    await expect(inserting).rejects.toBeInstanceOf(StoreUnavailable)
  })

  it('are none of them taken as written when the driver does not say which failed', async () => {
    const { things } = playCollection(() => bulkError([]))
    await expect(things.insertOrFindEach([thing('a'), thing('b')])).rejects.toBeInstanceOf(StoreUnavailable)
  })
})
