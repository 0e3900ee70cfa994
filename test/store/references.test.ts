import { describe, expect, it } from 'vitest'
import { runOperation, StoreUnavailable } from '../../store/connection.ts'
import type { Connections } from '../../store/connection.ts'
import { References } from '../../store/references.ts'
import { mchid } from '../store/samples.ts'

/** Claims over a database in which others take the sale, and give it free before it can be read, so many times. */
function crossed(times: number) {
  let met = 0
  const collection = {
    insertOne: () => {
      met += 1
      return met > times ? Promise.resolve() : Promise.reject(Object.assign(new Error('taken'), { code: 11000 }))
    },
    findOne: () => Promise.resolve(null),
  }
  const model = () => ({ collection })
  return new References({ fast: { model }, slow: { model }, run: runOperation } as unknown as Connections)
}

describe('a claim', () => {
  it('is decided however often others take the sale and give it free meanwhile', async () => {
    expect(await crossed(30).claim(mchid, 'sale', 'A-NUMBER')).toEqual({ paid_by: 'A-NUMBER' })
  })

  it('is to be made again where that never ends', async () => {
    await expect(crossed(Infinity).claim(mchid, 'sale', 'A-NUMBER')).rejects.toBeInstanceOf(StoreUnavailable)
  })
})
