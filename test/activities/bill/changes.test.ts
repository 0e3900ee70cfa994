import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { day, Desk, tradeFile } from './desk.ts'

const [first, second, third] = ['42000001', '42000002', '42000003'].map((id, at) => ({
  微信订单号: id,
  商户订单号: `T20261122-${at + 1}`,
}))
const rows = (...lines: (Record<string, string> | undefined)[]) => tradeFile(lines.map((line) => line ?? {}))

describe('a bill that is issued anew', () => {
  let desk: Desk
  let of_day = day
  let number = 0
  beforeAll(async () => {
    desk = await Desk.open('memory')
  })
  afterAll(async () => await desk.drop())
  beforeEach(() => {
    number += 1
    of_day = { ...day, bill_date: `2026-11-${String(number).padStart(2, '0')}` }
  })

  const versions = async () => await desk.store.bills.versions(of_day, 'trade')
  const listed = async () => {
    const bill = (await versions()).at(-1)
    return bill === undefined ? [] : (await desk.store.bill_changes.list(bill, { limit: 100 })).data
  }
  const issuedTwice = async () => {
    desk.issue(rows(first, second))
    await desk.closed(of_day)
    desk.issue(rows(first, { ...third, 费率: '0.54%' }))
  }

  it('says which lines it has otherwise than before, in the day too, and the first version says nothing', async () => {
    await issuedTwice()
    expect(await desk.store.reconciliations.find(of_day)).toMatchObject({ changes: [] })
    const closed = await desk.closed(of_day)
    expect(closed.changes).toEqual([{ type: 'trade', version: 2, added: 1, removed: 1, changed: 0 }])
    const [before, after] = await versions()
    expect(before?.changes).toBeUndefined()
    expect(after?.changes).toMatchObject({
      ...{ before: { count: 2, amount: 1_980 }, after: { count: 2, amount: 1_980 }, listed_count: 2 },
      ...{ added: { count: 1, amount: 990 }, removed: { count: 1, amount: -990 } },
    })
    expect((await listed()).map(({ kind, numbers }) => [kind, numbers['transaction_id']])).toEqual([
      ['removed', '42000002'],
      ['added', '42000003'],
    ])
  })

  it('has them once, and whole, wherever the worker that finds them dies', async () => {
    for (const [what, name] of [
      [desk.store.bill_changes, 'keep'],
      [desk.store.bills, 'noteChanges'],
    ] as const) {
      number += 1
      of_day = { ...day, bill_date: `2026-11-${String(number).padStart(2, '0')}` }
      await issuedTwice()
      const { run } = await desk.perform('openDay', { day: of_day, look: 'dying' })
      for (const type of ['trade', 'fundflow'] as const) await desk.perform('fetchBill', { day: of_day, run, type })
      await desk.dying([what, name], 'matchDay', { day: of_day, run })
      const { changes } = await desk.perform('matchDay', { day: of_day, run })
      expect(changes).toMatchObject([{ added: 1, removed: 1, changed: 0 }])
      expect(await listed()).toHaveLength(2)
    }
  })

  it('is compared with nothing where the version before is not here whole, and its day goes on', async () => {
    await issuedTwice()
    const [before] = await versions()
    if (before === undefined) throw new Error('no version')
    await desk.store.bills.dropParts(before.parts_key)
    const closed = await desk.closed(of_day)
    expect([closed.versions.trade, closed.changes]).toEqual([2, []])
    const [damaged, whole] = await versions()
    expect([damaged?.damaged_time, whole?.changes]).toEqual([desk.time(), undefined])
    expect((await desk.closed(of_day)).state).toBe(closed.state)
  })
})
