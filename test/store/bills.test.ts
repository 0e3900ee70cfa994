import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { BillRecord } from '../../domain/bill/reconciliation.ts'
import { billId, billPartsKey } from '../../domain/ids.ts'
import type { Store } from '../../store/store.ts'
import { freshStore } from './database.ts'
import { at, mchid } from './samples.ts'

const day = { mchid, bill_date: '2026-11-22' }

function billSample(version: number, given: Partial<BillRecord> = {}): BillRecord {
  return {
    _id: billId({ ...day, ...given }, 'trade', version),
    ...{ ...day, type: 'trade', version, state: 'ready', hash_value: 'a', plain_sha1: 'b' },
    ...{ byte_count: 3, part_count: 1, parts_key: billPartsKey(day, 'trade', `fetch-${version}`), fetch_time: at(0) },
    ...given,
  }
}

describe('the originals of bills', () => {
  let store: Store
  let drop: () => Promise<void>
  beforeAll(async () => {
    ;({ store, drop } = await freshStore())
  })
  afterAll(async () => await drop())

  it('have versions, of which the highest number is the newest, and each is added once', async () => {
    expect(await store.bills.newest(day, 'trade')).toBeNull()
    // 10 comes before 2 in the order of ids.
    const added = await Promise.all([1, 2, 10].map((version) => store.bills.add(billSample(version))))
    expect(added).toEqual([true, true, true])
    expect(await store.bills.add(billSample(2, { hash_value: 'another' }))).toBe(false)
    expect((await store.bills.versions(day, 'trade')).map(({ version }) => version)).toEqual([1, 2, 10])
    expect(await store.bills.newest(day, 'trade')).toEqual(billSample(10))
    expect(await store.bills.find(day, 'trade', 2)).toEqual(billSample(2))
    expect(await store.bills.newest(day, 'fundflow')).toBeNull()
    expect(await store.bills.newest({ ...day, mchid: `${mchid}1` }, 'trade')).toBeNull()
  })

  it('are kept in pieces, which one key does not share with another', async () => {
    const bytes = randomBytes(100_000)
    await store.bills.putPart('1/one', 0, bytes)
    await store.bills.putPart('1/one', 0, Buffer.from('the same piece, sent once more'))
    expect((await store.bills.part({ parts_key: '1/one' }, 0))?.equals(bytes)).toBe(true)
    expect(await store.bills.part({ parts_key: '1/one' }, 1)).toBeNull()
    expect(await store.bills.part({ parts_key: '1/on' }, 0)).toBeNull()
  })

  it('drop all pieces of a key, twenty at a time, and none of another', async () => {
    for (let number = 0; number < 25; number += 1) await store.bills.putPart('2/gone', number, Buffer.from('x'))
    for (const key of ['2/gon', '2/gone1']) await store.bills.putPart(key, 0, Buffer.from('x'))
    expect([await store.bills.dropParts('2/gone'), await store.bills.dropParts('2/gone')]).toEqual([20, 5])
    expect(await store.bills.dropParts('2/gone')).toBe(0)
    for (const parts_key of ['2/gon', '2/gone1']) expect(await store.bills.part({ parts_key }, 0)).not.toBeNull()
  })

  it('know the fetches that nobody ended, the oldest first', async () => {
    for (const [key, seconds] of Object.entries({ c: 30, a: 10, b: 20, d: 40 }))
      await store.bills.beginFetch(key, at(seconds))
    await store.bills.beginFetch('a', at(50))
    await store.bills.endFetch('b')
    expect(await store.bills.fetchesBefore(at(40), 10)).toEqual(['a', 'c'])
    expect(await store.bills.fetchesBefore(at(40), 1)).toEqual(['a'])
  })

  it('know whether a version has the pieces of a key', async () => {
    expect(await store.bills.hasVersionOf(billSample(1).parts_key)).toBe(true)
    expect(await store.bills.hasVersionOf(billPartsKey(day, 'trade', 'fetch-3'))).toBe(false)
  })

  it('are damaged until they have other pieces, which the first fetch gives them', async () => {
    const next = { ...day, bill_date: '2026-11-23' }
    const bill = billSample(1, next)
    await store.bills.add(bill)
    await store.bills.noteDamaged({ ...bill, parts_key: 'others' }, at(60))
    expect((await store.bills.newest(next, 'trade'))?.damaged_time).toBeUndefined()
    await store.bills.noteDamaged(bill, at(60))
    expect((await store.bills.newest(next, 'trade'))?.damaged_time).toBe(at(60))
    const copy = { parts_key: 'new', part_count: 2, plain_sha1: 'b', byte_count: 3, fetch_time: at(70) }
    expect(await store.bills.replaceParts(bill, copy)).toEqual({ ...bill, ...copy })
    expect(await store.bills.replaceParts(bill, { ...copy, parts_key: 'late' })).toBeNull()
    expect(await store.bills.newest(next, 'trade')).toEqual({ ...bill, ...copy })
    expect(await store.bills.fetchesBefore(at(71), 10), 'its old pieces are to be dropped').toContain(bill.parts_key)
  })
})
