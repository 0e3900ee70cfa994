import { randomBytes } from 'node:crypto'
import { gunzipSync, gzipSync } from 'node:zlib'
import mongoose from 'mongoose'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { BillDamaged } from '../../../store/original.ts'
import { dayRange } from '../../../domain/bill/reconciliation.ts'
import type { BillRecord } from '../../../domain/bill/reconciliation.ts'
import { default_bill_settings } from '../../../domain/merchant/bill.ts'
import { mchid } from '../../store/samples.ts'
import { StoreUnavailable } from '../../../store/connection.ts'
import { day, Desk, inActivity, tradeFile } from './desk.ts'
import { readOriginal } from '../../../store/original.ts'

interface KeptPiece {
  _id: string
  bytes: unknown
  key_id?: string | undefined
}

/** Reaches the pieces past all doors of the store. */
async function altered<T>(desk: Desk, act: (parts: mongoose.mongo.Collection<KeptPiece>) => Promise<T>): Promise<T> {
  const connection = await mongoose.createConnection(inject('mongodb_uri'), { dbName: desk.database }).asPromise()
  try {
    return await act(connection.collection<KeptPiece>('bill_parts'))
  } finally {
    await connection.close()
  }
}

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

  const pieces = async () => await altered(desk, (parts) => parts.find({}).sort({ _id: 1 }).toArray())

  it('names no payer to whoever reads the database, and is read where an earlier version left it open', async () => {
    const bytes = tradeFile([{ 用户标识: 'openid-of-a-payer' }])
    const of_day = { ...day, bill_date: '2026-11-20' }
    desk.issue(bytes)
    const bill = await desk.perform('fetchBill', { day: of_day, run: 1, type: 'trade' })
    const kept = (await pieces()).find(({ _id }) => _id === `${bill.parts_key}/0`)
    const sealed = Buffer.from((kept?.bytes as { buffer: Uint8Array }).buffer)
    expect(() => gunzipSync(sealed)).toThrow()
    expect(kept?.key_id).toBe(desk.store.sealer.newest_key_id)
    const open = { $set: { bytes: gzipSync(bytes) }, $unset: { key_id: 1 } } as const
    await altered(desk, async (parts) => void (await parts.updateOne({ _id: `${bill.parts_key}/0` }, open)))
    expect((await desk.plain(bill)).equals(bytes)).toBe(true)
    expect(await desk.store.bills.resealSome(bill.parts_key)).toMatchObject({ changed: 1 })
    expect((await desk.plain(bill)).equals(bytes)).toBe(true)
    const elsewhere = { $set: { bytes: sealed, key_id: kept?.key_id } }
    await altered(desk, async (parts) => void (await parts.updateOne({ _id: 'other/0' }, elsewhere, { upsert: true })))
    expect(await desk.store.bills.part({ parts_key: 'other' }, 0), 'sealed for another place').toBeNull()
  })

  it('that is older than it is kept goes, and what is known of it and of its day stays', async () => {
    const of_day = { ...day, bill_date: '2026-11-19' }
    desk.issue(tradeFile([]))
    const bill = await desk.perform('fetchBill', { day: of_day, run: 1, type: 'trade' })
    await desk.perform('fetchBill', { day: of_day, run: 1, type: 'fundflow' })
    const { run } = await desk.perform('openDay', { day: of_day, look: 'first' })
    await desk.perform('matchDay', { day: of_day, run })
    const proven = await desk.perform('closeDay', { day: of_day, run })
    const merchant = await desk.store.merchants.find(mchid)
    const plain = { serial_no: '1', private_key: 'p', apiv3_key: 'a', public_key_id: null, public_key: null }
    if (merchant !== null)
      await desk.store.merchants.save({
        ...merchant,
        wechat: desk.store.merchants.sealSetup(mchid, plain, null),
        settings: { ...merchant.settings, bills: { ...default_bill_settings, keep_days: 120 } },
      })
    const gone_ms = dayRange('2026-11-19').to_ms + 120 * 86_400_000
    const morning = async (ms: number) => {
      desk.now_ms = ms
      await desk.perform('startDays', { due_ms: ms })
      return await desk.store.bills.part(bill, 0)
    }
    expect(await morning(gone_ms - 1)).not.toBeNull()
    expect(await morning(gone_ms)).toBeNull()
    expect(await desk.store.bills.newest(of_day, 'trade')).toEqual({ ...bill, dropped_time: desk.time() })
    const again = await desk.perform('openDay', { day: of_day, look: 'again' })
    await desk.perform('fetchBill', { day: of_day, run: again.run, type: 'trade' })
    await desk.perform('matchDay', { day: of_day, run: again.run })
    await desk.perform('postBills', { day: of_day, run: again.run })
    const closed = await desk.perform('closeDay', { day: of_day, run: again.run })
    expect([closed.state, closed.rows, closed.versions]).toEqual([proven.state, proven.rows, proven.versions])
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
      for await (const _ of readOriginal({ bills }, bill));
    })
    await expect(read).rejects.toBeInstanceOf(StoreUnavailable)
  })
})
