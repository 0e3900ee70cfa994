import { randomInt } from 'node:crypto'
import { afterAll, describe, expect, it } from 'vitest'
import { newReconciliation } from '../../domain/bill/reconciliation.ts'
import { freshStore } from './database.ts'
import { at } from './samples.ts'

const { store, drop } = await freshStore()
afterAll(drop)

/** Of a merchant of its own for each test. */
const freshDay = () => ({ mchid: String(randomInt(1_000_000_000, 1_900_000_000)), bill_date: '2026-11-22' })
const begin = async (day: ReturnType<typeof freshDay>, look: string) =>
  await store.reconciliations.begin(newReconciliation(day, at(0), look))

describe('a day', () => {
  it('is begun once by one look, however often that step is repeated', async () => {
    const day = freshDay()
    expect(await begin(day, 'one')).toMatchObject({ run: 1, state: 'waiting_for_bill' })
    expect(await begin(day, 'one')).toMatchObject({ run: 1 })
    await store.reconciliations.write(day, 1, { state: 'balanced', is_proven: true, end_time: at(1) })
    expect(await begin(day, 'two')).toMatchObject({ run: 2, state: 'waiting_for_bill', end_time: null })
    const both = await Promise.all([begin(day, 'two'), begin(day, 'two')])
    expect(both.map(({ run }) => run)).toEqual([2, 2])
  })

  it('is written by the look that began last alone', async () => {
    const day = freshDay()
    await begin(day, 'one')
    await begin(day, 'two')
    expect(await store.reconciliations.write(day, 1, { flaws: ['old'] })).toBeNull()
    expect(await store.reconciliations.write(day, 2, { flaws: ['new'] })).toMatchObject({ flaws: ['new'] })
    expect(await store.reconciliations.hasFlawed(day.mchid)).toBe(true)
    await store.reconciliations.write(day, 2, { flaws: [] })
    expect(await store.reconciliations.hasFlawed(day.mchid)).toBe(false)
  })

  it('has its neighbours in the book on which the account moved', async () => {
    const { mchid } = freshDay()
    const book = { post_time: null, sheet_count: 0, accounts: [], flaws: [] }
    const balance = { opening: 1, closing: 2 }
    const days = [{ book, balance }, { book, balance: null }, { balance }, { book, balance }]
    for (const [place, found] of days.entries()) {
      const day = { mchid, bill_date: `2026-11-0${place + 1}` }
      await begin(day, 'one')
      await store.reconciliations.write(day, 1, found)
    }
    const of = async (bill_date: string, side: 'before' | 'after') =>
      (await store.reconciliations.neighbour({ mchid, bill_date }, side, 'fundflow'))?.bill_date ?? null
    expect(await of('2026-11-04', 'before')).toBe('2026-11-01')
    expect(await of('2026-11-01', 'before')).toBeNull()
    expect(await of('2026-11-01', 'after')).toBe('2026-11-04')
    const posted = await store.reconciliations.inBook(mchid, '2026-11-01', 5)
    expect(posted.map(({ bill_date }) => bill_date)).toEqual(['2026-11-02', '2026-11-04'])
  })

  it('is concluded as it was counted, or not at all', async () => {
    const day = freshDay()
    const read = await begin(day, 'one')
    const told = { number: 1, digest: 'abc', time: at(2) }
    await store.reconciliations.noteMoved(day)
    expect(await store.reconciliations.movedDays(day.mchid, 10)).toMatchObject([day])
    const result = { state: 'different', differences: { amount: 1 }, told } as const
    expect(await store.reconciliations.conclude(read, result), 'one was moved since').toBeNull()
    const anew = await store.reconciliations.find(day)
    if (anew === null) throw new Error('no such day')
    expect(await store.reconciliations.conclude(anew, result)).toMatchObject({ ...result, moved: 1, is_moved: false })
    expect(await store.reconciliations.movedDays(day.mchid, 10)).toEqual([])
    expect(await store.reconciliations.conclude(anew, result), 'it is in another state').toBeNull()
    await begin(day, 'two')
    const late = { ...anew, state: 'waiting_for_bill' } as const
    expect(await store.reconciliations.conclude(late, result), 'another look began').toBeNull()
  })

  it('that nobody looked at is not made by moving what it has not', async () => {
    const day = freshDay()
    await store.reconciliations.noteMoved(day)
    expect(await store.reconciliations.find(day)).toBeNull()
  })

  it('is listed newest first, by state and date, and the unproven ones oldest first', async () => {
    const mchid = '1900002002'
    for (const [bill_date, state] of [
      ['2026-11-01', 'different'],
      ['2026-11-02', 'balanced'],
      ['2026-11-03', 'different'],
    ] as const) {
      await begin({ mchid, bill_date }, 'one')
      await store.reconciliations.write({ mchid, bill_date }, 1, { state, is_proven: state === 'balanced' })
    }
    const dates = (found: { bill_date: string }[]) => found.map(({ bill_date }) => bill_date.slice(-2))
    const list = async (filter: object, page: object = {}) =>
      await store.reconciliations.list(mchid, filter, { limit: 2, ...page })
    const first = await list({})
    expect(dates(first.data)).toEqual(['03', '02'])
    expect(dates((await list({}, { cursor: first.next_cursor })).data)).toEqual(['01'])
    expect(dates((await list({ state: ['different'] })).data)).toEqual(['03', '01'])
    expect(dates((await list({ bill_date_from: '2026-11-02', bill_date_to: '2026-11-02' })).data)).toEqual(['02'])
    expect(dates(await store.reconciliations.unproven(mchid, '2026-11-01'))).toEqual(['01', '03'])
    expect(dates(await store.reconciliations.unproven(mchid, '2026-11-02'))).toEqual(['03'])
  })
})
