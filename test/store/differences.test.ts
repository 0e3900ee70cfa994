import { randomInt } from 'node:crypto'
import { afterAll, describe, expect, it } from 'vitest'
import { newDifference } from '../../activities/bill/differences.ts'
import { weft_actor } from '../../domain/actor.ts'
import type { DifferenceEvent, DifferenceKind, DifferenceRecord } from '../../domain/bill/difference.ts'
import { freshStore } from './database.ts'
import { at } from './samples.ts'

const { store, drop } = await freshStore()
afterAll(drop)

/** A merchant of its own for each test: what others noted is not counted. */
const merchant = () => ({ mchid: String(randomInt(1_000_000_000, 1_900_000_000)), bill_date: '2026-11-22' })

type Given = Partial<DifferenceRecord>
const times = { found_time: at(0), patience_time: at(60) }
async function noted(
  day: { mchid: string; bill_date: string },
  kind: DifferenceKind,
  subject: string,
  given: Given = {},
) {
  const difference = { ...newDifference(day, kind, subject, times), ...given }
  await store.differences.note([difference])
  return difference
}
const occurrence = (event: DifferenceEvent, given: object = {}) => ({
  ...{ event, operation_id: `${event}:x`, time: at(5), actor: weft_actor, reason: 'why', ...given },
})

describe('a difference', () => {
  it('is noted once, its sides brought up to date save where a person ignored what they were', async () => {
    const day = merchant()
    const one = await noted(day, 'amount', 'T1', { amount: 1 })
    expect(await store.differences.note([one])).toBe(0)
    await noted(day, 'amount', 'T1', { amount: 2, bill: { total: 3 } })
    expect(await store.differences.find(one._id)).toEqual({ ...one, amount: 2, bill: { total: 3 } })
    await store.differences.apply(one._id, occurrence('ignored'))
    await noted(day, 'amount', 'T1', { amount: 4 })
    expect(await store.differences.find(one._id)).toMatchObject({ amount: 2, state: 'ignored' })
    expect(await store.differences.findPublic(day.mchid, one.id)).toMatchObject({ _id: one._id })
    expect(await store.differences.findPublic('1900000001', one.id), 'another merchant’s').toBeNull()
  })

  it('is moved once by one operation, with what its event brings, of two at once by one', async () => {
    const day = merchant()
    const { _id } = await noted(day, 'amount', 'T1')
    const proposal = { actor: { kind: 'merchant', id: 'key_a' }, time: at(4), reason: 'so it is' } as const
    await store.differences.apply(_id, occurrence('proposed', { proposal }))
    expect(await store.differences.find(_id)).toMatchObject({ state: 'open', proposal })
    const moves = ['a', 'b'].map((operation_id) =>
      store.differences.apply(_id, occurrence('accept_asked', { operation_id })),
    )
    const outcomes = (await Promise.all(moves)).map(({ outcome }) => outcome)
    expect(outcomes.sort()).toEqual(['done', 'illegal'])
    const record = await store.differences.find(_id)
    expect(record).toMatchObject({ state: 'settling', revision: 2 })
    expect(record?.proposal).toBeUndefined()
    const again = await store.differences.apply(_id, occurrence('proposed'))
    expect(again.outcome, 'the same operation').toBe('done_before')
  })

  it('is due anew when it opens, and found by who works on it and by when', async () => {
    const day = merchant()
    const { _id } = await noted(day, 'missing_here', 'T1')
    await noted(day, 'duplicate', 'line-2')
    await store.differences.apply(_id, occurrence('assigned', { owner: 'li' }))
    const found = async (filter: object) =>
      (await store.differences.list(day.mchid, filter, { limit: 10 })).data.map(({ kind }) => kind)
    expect(await found({ owner: ['li', 'wang'] })).toEqual(['missing_here'])
    expect(await found({ due_before: at(61) })).toEqual(['missing_here'])
    expect(await store.differences.dueBefore(day.mchid, 'waiting', at(61), 10)).toHaveLength(1)
    await store.differences.apply(_id, occurrence('overdue'))
    expect(await found({ due_before: at(61) }), 'a person has two days from then on').toEqual([])
    expect(await store.differences.some(day.mchid, { kind: 'duplicate', state: ['open', 'waiting'] }, 5)).toHaveLength(
      1,
    )
  })

  it('is counted with its day, its merchant and its age, whatever is over', async () => {
    const day = merchant()
    const other = { ...day, bill_date: '2026-11-23' }
    const one = await noted(day, 'amount', 'T1', { amount: 5 })
    const two = await noted(day, 'missing_here', 'T2', { amount: 7 })
    await noted(day, 'missing_here', 'T3', { amount: 100, state: 'healed' })
    await noted(day, 'malformed', 'line-3', { state: 'ignored' })
    await noted(other, 'duplicate', 'line-4', { amount: 3 })
    await store.differences.noteTold(one._id, { revision: 0, as: 'count', batch: 'look:1' })
    await store.differences.noteTold(two._id, { revision: 0, as: 'count', batch: 'look:1' })
    expect(await store.differences.tally(day), 'untold are open ones alone').toEqual({
      ...{ kinds: { amount: 1, missing_here: 1 }, unsettled: 2, healed: 1, untold: 1 },
    })
    expect(await store.differences.unsettledByDay(day.mchid)).toEqual([
      { bill_date: '2026-11-22', count: 2, amount: 12 },
      { bill_date: '2026-11-23', count: 1, amount: 3 },
    ])
    expect(await store.differences.count(day.mchid, { kind: 'missing_here' })).toBe(2)
    expect(
      await store.differences.count(day.mchid, {
        bill_date_from: '2026-11-23',
        bill_date_to: '2026-11-23',
        state: ['open'],
      }),
    ).toBe(1)
    expect(await store.differences.count('1900009999', {})).toBe(0)
  })

  it('is told once of one opening, and anew of a later one', async () => {
    const { _id } = await noted(merchant(), 'duplicate', 'line-1')
    const told = async () => (await store.differences.find(_id))?.told
    await store.differences.noteTold(_id, { revision: 0, as: 'event', batch: 'look:1' })
    await store.differences.noteTold(_id, { revision: 0, as: 'count', batch: 'look:2' })
    expect(await told()).toEqual({ revision: 0, as: 'event', batch: 'look:1' })
    await store.differences.noteTold(_id, { revision: 2, as: 'count', batch: 'look:3' })
    await store.differences.noteTold(_id, { revision: 0, as: 'event', batch: 'late' })
    expect(await told()).toEqual({ revision: 2, as: 'count', batch: 'look:3' })
  })

  it('waits for whoever wants it checked or booked, and for none after that', async () => {
    const day = merchant()
    const { _id } = await noted(day, 'amount', 'T1')
    const awaited = async (what: 'check' | 'settling') => (await store.differences.awaited(day, what, 10)).length
    expect([await awaited('check'), await awaited('settling')]).toEqual([0, 0])
    await store.differences.noteCheck(_id, at(1))
    await store.differences.endCheck(_id, at(0))
    expect(await awaited('check'), 'somebody wanted it since').toBe(1)
    await store.differences.endCheck(_id, at(1))
    await store.differences.apply(_id, occurrence('accept_asked'))
    expect([await awaited('check'), await awaited('settling')]).toEqual([0, 1])
  })
})
