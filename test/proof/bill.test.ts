import { beforeEach, describe, expect, it } from 'vitest'
import { flawTexts } from '../../domain/bill/flaw.ts'
import { correctBook } from '../../cli/correct.ts'
import type { Finding } from '../../proof/finding.ts'
import { proveMerchant } from '../../proof/passage.ts'
import { BillBook, fee_cells, flowCells, tradeCells, transaction } from '../activities/bill/billbook.ts'
import { refundSample } from '../stage/dossiers.ts'
import { mchid } from '../store/samples.ts'

const dayAfter = (count: number) => ({ mchid, bill_date: `2026-11-${22 + count}` })
const three_days = [1, 2, 3]

describe('the audit of what bills say in the book', () => {
  let book: BillBook
  beforeEach(async () => {
    book = new BillBook()
    await book.store.merchants.save({ mchid } as never)
  })

  /** Of these kinds only: the payments here have no events and no evidence. */
  async function findings(): Promise<Finding[]> {
    const kinds = [
      'sheets_differ',
      'balance_differs',
      'clearing_open',
      'totals_differ',
      'entry_unexplained',
      'entry_unbalanced',
      'entry_foreign',
      'entry_doubled',
    ]
    const found: Finding[] = []
    const proof = proveMerchant(book.store, mchid, { now: () => book.now_ms + 3_600_000, patience: null })
    for await (const part of proof) found.push(...part.findings)
    return found.filter(({ kind }) => kinds.includes(kind))
  }

  /** A day with one payment that is whole, and the days behind it without movement. */
  async function posted(flows = [flowCells(1), flowCells(1, fee_cells)], quiet_days = three_days): Promise<void> {
    await book.pay(1)
    await book.post(await book.issue([tradeCells(1)], flows))
    for (const count of quiet_days) {
      book.now_ms += 86_400_000
      await book.post(await book.issue([], [], { key: dayAfter(count) }), dayAfter(count))
    }
  }

  it('finds nothing where records, book and bills are one', async () => {
    await posted()
    expect(await findings()).toEqual([])
  })

  it('finds what the fund flow has not brought in three days, with its age', async () => {
    await posted([flowCells(1)], [1, 2])
    expect(await findings()).toEqual([])
    book.now_ms += 86_400_000
    const written = await book.post(await book.issue([], [], { key: dayAfter(3) }), dayAfter(3))
    expect(flawTexts(written?.book?.flaws ?? [])).toEqual([
      `of 2026-11-22 ¥-0.06 still stands on fee.clearing after 3 days, under 1 numbers: ${transaction(1)} ¥-0.06`,
    ])
    expect(await findings()).toMatchObject([
      {
        kind: 'clearing_open',
        amount: 6,
        detail: `¥-0.06 of 2026-11-22 stands on fee.clearing/${transaction(1)} after 3 days`,
      },
    ])
  })

  it('finds a payment that came short, and one that a bill of another day has brought in time', async () => {
    await book.pay(1)
    await book.pay(2)
    const short = flowCells(1, { '收支金额(元)': '9.80' })
    await book.post(await book.issue([], [short]))
    await book.post(await book.issue([], [flowCells(2)], { key: dayAfter(1), opening: 10_980 }), dayAfter(1))
    book.now_ms += 3 * 86_400_000
    await book.post(await book.issue([], [], { key: dayAfter(2) }), dayAfter(2))
    await book.post(await book.issue([], [], { key: dayAfter(3) }), dayAfter(3))
    expect(await findings()).toMatchObject([{ kind: 'clearing_open', amount: 10 }])
  })

  it('finds a sheet that nobody posted, one that is changed, and one that is lost', async () => {
    await posted()
    const [sheet] = await book.store.journal.findAll([`bill:${mchid}:2026-11-22:fundflow:1:1`])
    if (sheet === undefined) throw new Error('no sheet')
    await book.store.journal.postAll([{ ...sheet, _id: `bill:${mchid}:2026-11-22:fundflow:1:2` }])
    expect((await findings()).map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['sheets_differ', 'balance_differs', 'clearing_open']),
    )
    // the next look takes it back
    await book.post(
      await book.begin({ versions: { trade: 1, fundflow: 1 }, balance: { opening: 10_000, closing: 10_984 } }),
    )
    expect(await findings()).toEqual([])
    await book.store.journal.postAll([{ ...sheet, _id: `bill:${mchid}:2026-11-11:fundflow:1:1` }])
    expect((await findings()).map(({ kind }) => kind)).toContain('entry_unexplained')
  })

  it('lets the account open anew behind days that are not in the book, until they are', async () => {
    const openings = async () =>
      (await book.standing()).filter((id) => id.startsWith('open:')).map((id) => /basic:([\d-]+)/.exec(id)?.[1])
    const gap = flowCells(7, { '收支金额(元)': '90.10' })
    await book.post(await book.issue([], [flowCells(6)], { key: dayAfter(3), opening: 20_000 }), dayAfter(3))
    await book.post(await book.issue([], [flowCells(5)]))
    expect(await openings()).toEqual(['2026-11-22', '2026-11-25'])
    expect(await book.balances()).toMatchObject({ 'wechat.basic -': 20_990, 'other.opening -': -19_010 })
    expect(await findings()).toEqual([])
    await book.post(await book.issue([], [], { key: dayAfter(1) }), dayAfter(1))
    await book.post(await book.issue([], [gap], { key: dayAfter(2), opening: 10_990 }), dayAfter(2))
    expect(await openings()).toEqual(['2026-11-22'])
    expect(await book.balances()).toMatchObject({ 'wechat.basic -': 20_990, 'other.opening -': -10_000 })
    expect(await findings()).toEqual([])
  })

  it('finds two days that do not go on from each other', async () => {
    await book.post(await book.issue([], [flowCells(5)]))
    await book.post(await book.issue([], [flowCells(6)], { key: dayAfter(1), opening: 10_991 }), dayAfter(1))
    expect(await findings()).toMatchObject([{ kind: 'balance_differs', amount: 1 }])
  })

  it.each([
    ['processing', []],
    ['closed', [{ kind: 'clearing_open', amount: 990 }]],
  ] as const)('of a refund that is %s takes what went out with it for this', async (state, expected) => {
    const back = { 业务类型: '退款', 收支类型: '支出', 微信支付业务单号: 'w-R1', 资金流水单号: 'f' }
    await book.pay(1)
    const payment = { out_trade_no: 'T20261122-1', transaction_id: transaction(1), order_id: null }
    const asked = refundSample('R1', { ...payment, amount: { refund: 990, total: 990, currency: 'CNY' } })
    const accepted_time = '2026-11-22T11:00:00.000+08:00'
    const facts = { refund_id: 'w-R1', channel: 'ORIGINAL', user_received_account: '', accepted_time }
    const taken = { ...facts, success_time: null, payer_refund: 990, settlement_refund: 990 }
    await book.store.refunds.insert({ ...asked, state, create_time: accepted_time, facts: taken })
    await book.post(await book.issue([tradeCells(1)], [flowCells(1), flowCells(1, fee_cells), back]))
    for (const count of three_days) {
      book.now_ms += 86_400_000
      await book.post(await book.issue([], [], { key: dayAfter(count) }), dayAfter(count))
    }
    expect(await book.balances()).toMatchObject({ 'wechat.refund_transit w-R1': 990 })
    expect((await findings()).filter(({ kind }) => kind === 'clearing_open')).toMatchObject(expected)
  })

  it('leaves to a correction of one number what is under it, and no sheet', async () => {
    await posted()
    const before = await book.standing()
    const lines: string[] = []
    await correctBook({
      store: book.store,
      request: { mchid, out_trade_no: 'T20261122-1', by: 'lin', reason: 'a try', is_posting: true },
      now: () => book.now_ms + 3_600_000,
      print: (line) => void lines.push(line),
    })
    expect(lines.join('\n')).not.toContain('bill:')
    expect(await book.standing()).toEqual(before)
  })
})
