import { beforeEach, describe, expect, it } from 'vitest'
import { flawTexts } from '../../../domain/bill/flaw.ts'
import { JournalConflict } from '../../../store/journal.ts'
import { mchid } from '../../store/samples.ts'
import { as_refund } from '../../wechat/statement/file.ts'
import { BillBook, day, fee_cells, flowCells, tradeCells, transaction } from './billbook.ts'

const sheet = (type: string, version: number, number: number) => `bill:${mchid}:2026-11-22:${type}:${version}:${number}`
const opening = `open:${mchid}:wechat.basic:2026-11-22`
const places = (count: number) => Array.from({ length: count }, (_, n) => n + 1)

describe('the bills of a day', () => {
  let book: BillBook
  beforeEach(() => {
    book = new BillBook()
  })

  it('clear what was paid and what it cost, to the account that WeChat Pay shows', async () => {
    await book.pay(1)
    const run = await book.issue([tradeCells(1)], [flowCells(1), flowCells(1, fee_cells)])
    const written = await book.post(run)
    expect(await book.balances()).toEqual({
      [`fee.expense ${transaction(1)}`]: 6,
      'other.opening -': -10_000,
      'sales T20261122-1': -990,
      'wechat.basic -': 10_984,
    })
    expect(await book.standing()).toEqual([sheet('fundflow', 1, 1), sheet('trade', 1, 1), opening])
    expect(written?.book).toMatchObject({ sheet_count: 2, flaws: [] })
  })

  it('say nothing of foreign money but that it is there', async () => {
    const flows = [flowCells(7), flowCells(7, fee_cells)]
    await book.post(await book.issue([tradeCells(7)], flows, { opening: 0 }))
    expect(await book.balances()).toEqual({ [`foreign ${transaction(7)}`]: -984, 'wechat.basic -': 984 })
  })

  it('are posted once, however often they are posted', async () => {
    await book.pay(1)
    const run = await book.issue([tradeCells(1)], [flowCells(1), flowCells(1, fee_cells)])
    await book.post(run)
    const before = await book.entries()
    await book.post(run)
    await book.post(await book.begin({ versions: { trade: 1, fundflow: 1 } }))
    expect(await book.entries()).toEqual(before)
  })

  it('go by five hundred rows into a sheet, and on from where another worker was', async () => {
    const rows = places(10_600)
    const run = await book.issue(
      rows.map((n) => tradeCells(n)),
      rows.map((n) => flowCells(n)),
    )
    for (const n of [1, 5_001, 10_600]) await book.pay(n)
    await book.post(run)
    expect((await book.standing()).filter((id) => id.includes(':fundflow:'))).toHaveLength(22)
    expect(book.heartbeats.at(-1)).toEqual({ type: 'fundflow', version: 1, sheet: 22 })
    const other = new BillBook()
    await other.issue(
      rows.map((n) => tradeCells(n)),
      rows.map((n) => flowCells(n)),
    )
    await other.post(1, day, { type: 'fundflow', version: 1, sheet: 20 })
    expect(await other.standing()).toEqual([sheet('fundflow', 1, 21), sheet('fundflow', 1, 22), opening])
  })

  it('that were issued anew take back the sheets that change, and leave the others', async () => {
    const rows = places(1_200)
    const flows = rows.map((n) => flowCells(n))
    await book.post(await book.issue([], flows))
    const changed = rows.map((n) => flowCells(n, n === 600 ? { '收支金额(元)': '9.80' } : {}))
    const again = await book.post(await book.issue([], changed))
    expect(await book.standing()).toEqual([
      sheet('fundflow', 1, 1),
      sheet('fundflow', 1, 3),
      sheet('fundflow', 2, 2),
      opening,
    ])
    expect(again?.book?.flaws).toEqual([])
    // … and shorter ones take back what they do not have any more
    await book.post(await book.issue([], changed.slice(0, 500)))
    expect(await book.standing()).toEqual([sheet('fundflow', 1, 1), opening])
    // … and what stood before stands again under the next number
    await book.post(await book.issue([], flows))
    expect(await book.standing()).toEqual([
      sheet('fundflow', 1, 1),
      sheet('fundflow', 4, 2),
      sheet('fundflow', 4, 3),
      opening,
    ])
  })

  it('end the same when the worker dies between any two writes, and when the bill changes meanwhile', async () => {
    const rows = places(520)
    const first = rows.map((n) => flowCells(n))
    const second = rows.slice(1).map((n) => flowCells(n))
    const play = async (dies: readonly number[]) => {
      const one = new BillBook()
      await one.pay(1)
      await one.pay(2)
      const issue = async (flows: typeof first, writes: number | undefined) => {
        const run = await one.issue([tradeCells(1), tradeCells(2)], flows)
        one.writes.left = writes ?? Infinity
        const died = await one.post(run).then(
          () => false,
          () => true,
        )
        one.writes.left = Infinity
        return { run, died }
      }
      const before = await issue(first, dies[0])
      const after = await issue(second, dies[1])
      if (after.died) await one.post(after.run)
      return { died: [before.died, after.died], standing: await one.standing(), balances: await one.balances() }
    }
    const whole = await play([])
    let deaths = 0
    for (let writes = 0; writes < 9; writes += 1) {
      for (const dies of [[writes], [Infinity, writes], [writes, 3]]) {
        const { died, standing, balances } = await play(dies)
        deaths += died.filter(Boolean).length
        expect(balances, `died after ${dies.join(' and ')} writes`).toEqual(whole.balances)
        expect(standing.length).toBe(whole.standing.length)
      }
    }
    expect(deaths).toBeGreaterThan(15)
  })

  it('of a look that a newer one overtook are not posted', async () => {
    const old = await book.issue([], [flowCells(1)])
    const newer = await book.issue([], [flowCells(2)])
    expect((await book.post(old))?.run).toBe(newer)
    expect(await book.standing()).toEqual([])
    await book.post(newer)
    expect(await book.standing()).toEqual([sheet('fundflow', 2, 1), opening])
  })

  it('that a worker wrote when a newer version had been posted are taken back by it', async () => {
    const old = await book.issue([], [flowCells(1)])
    // It has looked whether it is overtaken, and stands still before it writes.
    const { reconciliations } = book.store
    const find = reconciliations.find.bind(reconciliations)
    let looks = 0
    reconciliations.find = async (key) => {
      const found = await find(key)
      looks += 1
      if (looks !== 2) return found
      await book.post(await book.issue([], [flowCells(2)]))
      return found
    }
    await book.post(old)
    expect(await book.standing()).toEqual([sheet('fundflow', 2, 1), opening])
  })

  it('become ours when the payment is recorded at last', async () => {
    const run = await book.issue([tradeCells(1)], [flowCells(1)])
    await book.post(run)
    expect(await book.balances()).toMatchObject({ [`foreign ${transaction(1)}`]: -990 })
    await book.pay(1)
    await book.post(await book.begin({ versions: { trade: 1, fundflow: 1 } }))
    expect(await book.balances()).not.toHaveProperty(`foreign ${transaction(1)}`)
    expect(await book.balances()).not.toHaveProperty(`wechat.pending ${transaction(1)}`)
    expect(await book.standing()).toContain(`${sheet('fundflow', 1, 1)}#2`)
  })

  it('open the account on the first day in the book, and anew when an earlier one comes', async () => {
    const earlier = { ...day, bill_date: '2026-11-21' }
    await book.post(await book.issue([], [flowCells(1)], { opening: 5_000 }))
    expect(await book.balances()).toMatchObject({ 'other.opening -': -5_000, 'wechat.basic -': 5_990 })
    await book.post(await book.issue([], [flowCells(2)], { opening: 4_010, key: earlier }), earlier)
    expect(await book.balances()).toMatchObject({ 'other.opening -': -4_010, 'wechat.basic -': 5_990 })
  })

  it('that find another sheet under their id are an alarm', async () => {
    const run = await book.issue([], [flowCells(1)])
    const { journal } = book.store
    const sheets = journal.sheets.bind(journal)
    journal.sheets = async (key, type) => {
      const found = await sheets(key, type)
      const entry = await journal.findAll([sheet('fundflow', 1, 1)])
      if (type === 'fundflow' && entry.length === 0) {
        const postings = [
          { account: 'wechat.basic', key: '-', amount: 1 },
          { account: 'foreign', key: 'x', amount: -1 },
        ] as const
        const time = '2026-11-22T10:00:00.000+08:00'
        await journal.post({
          ...{ _id: sheet('fundflow', 1, 1), mchid, kind: 'bill_flow', occurred_time: time, booked_time: time },
          ...{ out_trade_no: null, out_refund_no: null, postings: [...postings], evidence_id: '', reverses: null },
        })
      }
      return found
    }
    await expect(book.post(run)).rejects.toThrow(JournalConflict)
    // whoever looks again finds it, and takes it back
    await book.post(run)
    expect(await book.balances()).toMatchObject({ [`foreign ${transaction(1)}`]: -990 })
  })

  it('whose balances are not what the rows come to are no proof', async () => {
    const run = await book.issue([], [flowCells(1)])
    await book.store.reconciliations.write(day, run, { balance: { opening: 10_000, closing: 10_000 } })
    expect(flawTexts((await book.post(run))?.book?.flaws ?? [])).toEqual([
      'the book moves wechat.basic by ¥9.90 on this day, and 账户结余 goes by ¥0.00',
    ])
  })

  it('give back the fee with the refund', async () => {
    await book.pay(1)
    const refund = { ...tradeCells(1), ...as_refund, 微信订单号: transaction(1) }
    await book.post(await book.issue([tradeCells(1), refund], []))
    expect(await book.balances()).toMatchObject({ 'fee.expense 50300000012026112200000000001': -6 })
  })
})
