import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BillDamaged } from '../../../store/original.ts'
import type { BillRecord } from '../../../domain/bill/reconciliation.ts'
import { StoreUnavailable } from '../../../store/connection.ts'
import { day, Desk, inActivity, tradeFile } from './desk.ts'
import { readOriginal } from '../../../store/original.ts'

describe('the original of a bill', () => {
  let desk: Desk
  beforeAll(async () => {
    desk = await Desk.open()
  })
  afterAll(async () => await desk.drop())

  it('is read back byte by byte, of however many pieces', async () => {
    const bytes = randomBytes(2_500_000)
    desk.issue(bytes)
    const bill = await desk.perform('fetchBill', { day, run: 1, type: 'trade' })
    expect(bill).toMatchObject({ state: 'ready', version: 1, byte_count: bytes.length, part_count: 3 })
    expect((await desk.plain(bill)).equals(bytes)).toBe(true)
  })

  it('that lacks a piece, or has a strange one, is damaged, and no error is left to the process', async () => {
    desk.issue(tradeFile([{}]))
    const bill = await desk.perform('fetchBill', { day: { ...day, bill_date: '2026-11-21' }, run: 1, type: 'trade' })
    const damaged = async (of: BillRecord) =>
      await desk.plain(of).then(
        () => null,
        (error: unknown) => error,
      )
    expect(await damaged({ ...bill, part_count: 2 })).toBeInstanceOf(BillDamaged)
    expect(await damaged({ ...bill, parts_key: 'gone' })).toBeInstanceOf(BillDamaged)
    expect(await damaged({ ...bill, plain_sha1: '0'.repeat(40) })).toBeInstanceOf(BillDamaged)
    await desk.store.bills.putPart('strange', 0, Buffer.from('no gzip'))
    expect(await damaged({ ...bill, parts_key: 'strange' })).toBeInstanceOf(BillDamaged)
  })

  it('fails as the database does while that is away', async () => {
    const bills = { part: () => Promise.reject(new StoreUnavailable(new Error('away'))) }
    const bill = { _id: 'b', parts_key: 'k', part_count: 1, plain_sha1: null } as BillRecord
    const read = inActivity(async () => {
      for await (const _ of readOriginal({ bills } as never, bill));
    })
    await expect(read).rejects.toBeInstanceOf(StoreUnavailable)
  })
})
