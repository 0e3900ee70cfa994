import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createBatcher } from '../../store/batcher.ts'
import type { BatchOutcome } from '../../store/batcher.ts'

/** A database that is asked in batches and answers when the test says so: each item in capitals. */
function playDatabase() {
  const calls: { items: readonly string[]; answer: (failure?: Error) => void }[] = []
  const outcomeOf = (item: string): BatchOutcome<string> =>
    item === 'broken' ? { error: new Error('it is broken') } : { answer: item.toUpperCase() }
  const ask = createBatcher<string, string>({
    run: (items) =>
      new Promise((resolve, reject) => {
        const answer = (failure?: Error) => (failure ? reject(failure) : resolve(items.map(outcomeOf)))
        calls.push({ items, answer })
      }),
    laneOf: (item) => item.charAt(0),
  })
  return { calls, ask }
}

const settled = () => vi.advanceTimersByTimeAsync(0)

describe('a batcher', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('asks for a lone item at once, and for all that come meanwhile together', async () => {
    const { calls, ask } = playDatabase()
    const answers = Promise.all(['a1', 'a2', 'a3'].map(ask))
    expect(calls.map(({ items }) => items)).toEqual([['a1']])
    calls[0]?.answer()
    await settled()
    expect(calls.map(({ items }) => items)).toEqual([['a1'], ['a2', 'a3']])
    calls[1]?.answer()
    expect(await answers).toEqual(['A1', 'A2', 'A3'])
    void ask('a4')
    expect(calls[2]?.items).toEqual(['a4'])
  })

  it('answers nobody before the batch of its own has answered', async () => {
    const { calls, ask } = playDatabase()
    const answered: string[] = []
    for (const item of ['a1', 'a2']) void ask(item).then((answer) => answered.push(answer))
    calls[0]?.answer()
    await settled()
    expect(answered).toEqual(['A1'])
    calls[1]?.answer()
    await settled()
    expect(answered).toEqual(['A1', 'A2'])
  })

  it('serves lanes in turn, 64 items at once', async () => {
    const { calls, ask } = playDatabase()
    for (const item of ['x', ...Array.from({ length: 100 }, (_, n) => `a${n}`), 'b', 'c']) void ask(item)
    calls[0]?.answer()
    await settled()
    expect(calls[1]?.items).toHaveLength(64)
    expect(calls[1]?.items.slice(0, 4)).toEqual(['a0', 'b', 'c', 'a1'])
    calls[1]?.answer()
    await settled()
    expect(calls[2]?.items).toHaveLength(38)
  })

  it('lets what is broken fail alone', async () => {
    const { calls, ask } = playDatabase()
    const answers = Promise.allSettled(['a1', 'broken', 'a2'].map(ask))
    calls[0]?.answer()
    await settled()
    calls[1]?.answer()
    expect(await answers).toMatchObject([{ value: 'A1' }, { reason: { message: 'it is broken' } }, { value: 'A2' }])
  })

  it('does a batch that fails at once again item by item', async () => {
    const { calls, ask } = playDatabase()
    const answers = Promise.allSettled(['a1', 'a2', 'a3'].map(ask))
    calls[0]?.answer()
    await settled()
    calls[1]?.answer(new Error('one of them cannot be written'))
    await settled()
    expect(calls.slice(2).map(({ items }) => items)).toEqual([['a2'], ['a3']])
    calls[2]?.answer(new Error('this one'))
    calls[3]?.answer()
    expect(await answers).toMatchObject([{ value: 'A1' }, { reason: { message: 'this one' } }, { value: 'A3' }])
  })

  it('lets nobody wait for a batch that is slow, and does not repeat one that fails slowly', async () => {
    const { calls, ask } = playDatabase()
    const answers = Promise.allSettled([ask('a1'), ...Array.from({ length: 70 }, (_, n) => ask(`b${n}`))])
    await vi.advanceTimersByTimeAsync(249)
    expect(calls).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(calls.map(({ items }) => items.length)).toEqual([1, 64, 6])
    await vi.advanceTimersByTimeAsync(1_000)
    for (const call of calls) call.answer(new Error('the database is away'))
    expect((await answers).every(({ status }) => status === 'rejected')).toBe(true)
    expect(calls).toHaveLength(3)
    void ask('c')
    expect(calls[3]?.items).toEqual(['c'])
  })
})
