import { describe, expect, it } from 'vitest'
import { dayRange } from '../../domain/bill/reconciliation.ts'
import { milliseconds } from '../../domain/calendar.ts'
import type { TimeRange } from '../../store/collection.ts'
import { recordsOf, slicesOfDay } from '../../store/side.ts'
import { mchid, paymentSample } from './samples.ts'

const day = { mchid, bill_date: '2026-11-22' }
const { from_ms, to_ms } = dayRange(day.bill_date)
const second = 1_000
const hour = 3_600 * second

/** Moments of a day that can be asked for a time, and what was asked. */
function momentsAt(moments: readonly number[]) {
  const asked: { length_ms: number; count: number }[] = []
  const read = ({ from_time, to_time }: TimeRange, limit: number) => {
    const [from, to] = [milliseconds(from_time), milliseconds(to_time)]
    const found = moments.filter((moment) => moment >= from && moment < to).slice(0, limit)
    asked.push({ length_ms: to - from, count: found.length })
    return Promise.resolve(found)
  }
  return { asked, read }
}

async function all<T>(slices: AsyncIterable<T[]>): Promise<T[]> {
  const found: T[] = []
  for await (const slice of slices) found.push(...slice)
  return found
}

describe('a day that is read slice by slice', () => {
  it('asks a few questions where there are few records, or none', async () => {
    for (const moments of [[], [from_ms, from_ms + 9 * hour, to_ms - 1]]) {
      const { asked, read } = momentsAt(moments)
      expect(await all(slicesOfDay(day, read))).toEqual(moments)
      expect(asked).toHaveLength(3)
    }
  })

  it('has every record once, however they lie, and few slices are read in vain', async () => {
    const at_once = Array.from({ length: 1_900 }, () => from_ms + 11 * hour)
    const evening = Array.from({ length: 20_000 }, (_, n) => from_ms + 19 * hour + n * 300)
    const moments = [from_ms, ...at_once, ...evening, to_ms - 1]
    const { asked, read } = momentsAt(moments)
    expect(await all(slicesOfDay(day, read))).toEqual(moments)
    const in_vain = asked.filter(({ count }) => count === 2_000)
    expect(in_vain.length).toBeLessThan(10)
    expect(asked.length).toBeLessThan(60)
  })

  it('says so where more come in one millisecond than are read at once', async () => {
    const { read } = momentsAt(Array.from({ length: 2_000 }, () => from_ms + 5 * hour))
    await expect(all(slicesOfDay(day, read))).rejects.toThrow('more than 2000 records of one millisecond')
  })

  it('has payments and refunds, and asks no more of a small day than a handful', async () => {
    const payment = paymentSample('tx-1', { success_time: '2026-11-22T12:00:00.000+08:00' })
    let asked = 0
    const takenIn = (found: readonly unknown[]) => (_: string, range: TimeRange) => {
      asked += 1
      const noon_ms = from_ms + 12 * hour
      const is_noon = milliseconds(range.from_time) <= noon_ms && noon_ms < milliseconds(range.to_time)
      return Promise.resolve(is_noon ? found : [])
    }
    const store = { payments: { takenIn: takenIn([payment]) }, refunds: { takenIn: takenIn([]) } }
    const found = await all(recordsOf(store as never, day))
    expect(found).toMatchObject([{ kind: 'payment', transaction_id: 'tx-1' }])
    expect(asked).toBeLessThan(9)
  })
})
