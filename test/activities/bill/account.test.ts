import { beforeEach, describe, expect, it } from 'vitest'
import { flawTexts } from '../../../domain/bill/flaw.ts'
import { mchid } from '../../store/samples.ts'
import { BillBook, day, fee_cells, flowCells, tradeCells, transaction } from './billbook.ts'

const sheet = (type: string, number = 1) => `bill:${mchid}:2026-11-22:${type}:1:${number}`

/** A movement of no order: 5.00 out of an account, or into it. */
const moved = (word: string, direction: '收入' | '支出', change: Record<string, string> = {}) => ({
  ...{ 微信支付业务单号: '10100001', 资金流水单号: '10100001', 业务凭证号: '', 业务名称: '充值/提现', 备注: '' },
  ...{ 业务类型: word, 收支类型: direction, '收支金额(元)': '5.00', ...change },
})
const payout = moved('企业付款', '支出', {
  微信支付业务单号: '10100009',
  资金流水单号: '10100009',
  业务名称: '企业付款',
})

describe('the accounts of a merchant', () => {
  let book: BillBook
  beforeEach(() => {
    book = new BillBook()
  })

  const sumOf = async (account: string) =>
    Object.entries(await book.balances())
      .filter(([line]) => line.startsWith(`${account} `))
      .reduce((sum, [, amount]) => sum + amount, 0)
  const postings = async (account: string) =>
    (await book.entries()).flatMap((entry) => entry.postings.filter((posting) => posting.account === account))

  it('are each moved by their own bill alone, and hold what it shows', async () => {
    await book.pay(1)
    const others = { fundflow_operation: [payout], fundflow_fees: [flowCells(1, fee_cells)] }
    const written = await book.post(await book.issue([tradeCells(1)], [flowCells(1)], { others }))
    expect(await book.balances()).toEqual({
      [`fee.expense ${transaction(1)}`]: 6,
      'other.opening -': -30_000,
      'other.企业付款 10100009': 500,
      'sales T20261122-1': -990,
      'wechat.basic -': 10_990,
      'wechat.fees -': 9_994,
      'wechat.operation -': 9_500,
    })
    expect(await book.standing()).toEqual([
      sheet('fundflow'),
      sheet('fundflow_fees'),
      sheet('fundflow_operation'),
      sheet('trade'),
      `open:${mchid}:wechat.basic:2026-11-22`,
      `open:${mchid}:wechat.fees:2026-11-22`,
      `open:${mchid}:wechat.operation:2026-11-22`,
    ])
    expect(written?.book?.flaws).toEqual([])
  })

  it.each([
    ['one account', false, false, { trade: 1, fundflow: 1 }],
    ['several, whose lines prove each other', true, false, { trade: 1, fundflow: 2, fundflow_operation: 2 }],
    ['several, on an uneven day', true, true, { trade: 2, fundflow: 2, fundflow_operation: 2 }],
  ])('of %s have each file read no more often than is needed', async (_, is_several, is_uneven, wanted) => {
    await book.pay(1)
    const others = is_several ? { fundflow_operation: [payout] } : {}
    const run = await book.issue([tradeCells(1)], [flowCells(1)], { others })
    await book.store.reconciliations.write(day, run, { state: 'running', is_uneven })
    const { bills } = book.store
    const part = bills.part.bind(bills)
    const reads: Record<string, number> = {}
    bills.part = async (bill, number) => {
      const type = bill.parts_key.split('/')[1] ?? ''
      reads[type] = (reads[type] ?? 0) + 1
      return await part(bill, number)
    }
    expect((await book.post(run))?.book?.flaws).toEqual([])
    expect(reads).toEqual(wanted)
  })

  it('give to each other what is counted once', async () => {
    const others = { fundflow_operation: [moved('充值', '收入'), payout] }
    await book.post(await book.issue([], [moved('提现', '支出')], { others }))
    expect(await sumOf('wechat.basic')).toBe(9_500)
    expect(await sumOf('wechat.operation')).toBe(10_000)
    expect(await sumOf('merchant.bank')).toBe(0)
    expect((await postings('merchant.bank')).length).toBe(0)
    expect((await postings('wechat.transfer')).map(({ key, amount }) => `${key} ${amount}`).sort()).toEqual([
      '10100001 -500',
      '10100001 500',
    ])
  })

  it('give to each other under words that nobody knows', async () => {
    const others = { fundflow_fees: [moved('转入手续费账户', '收入')] }
    await book.post(await book.issue([], [moved('转出', '支出')], { others }))
    expect(await book.balances()).toEqual({
      'other.opening -': -20_000,
      'wechat.basic -': 9_500,
      'wechat.fees -': 10_500,
    })
  })

  it.each([
    ['of another amount', { '收支金额(元)': '4.00' }],
    ['of another number', { 微信支付业务单号: '10100002' }],
    ['in the same direction', { 收支类型: '支出', 业务类型: '提现' }],
  ])('have nothing to do with a movement %s, which is the bank’s', async (_, change) => {
    const others = { fundflow_operation: [moved('充值', '收入', change)] }
    await book.post(await book.issue([], [moved('提现', '支出')], { others }))
    expect(await postings('wechat.transfer')).toEqual([])
    expect((await postings('merchant.bank')).length).toBe(2)
  })

  it('have nothing to do with three movements under one number', async () => {
    const others = { fundflow_operation: [moved('充值', '收入'), moved('充值', '收入')] }
    await book.post(await book.issue([], [moved('提现', '支出')], { others }))
    expect(await postings('wechat.transfer')).toEqual([])
  })

  it('leave what goes to the bank and back as it was where one account is followed', async () => {
    await book.post(await book.issue([], [moved('提现', '支出'), moved('充值', '收入')]))
    expect((await postings('merchant.bank')).length).toBe(2)
  })

  it('go on from each other’s days, each by itself', async () => {
    const earlier = { ...day, bill_date: '2026-11-21' }
    const others = { fundflow_operation: [payout] }
    await book.post(await book.issue([], [flowCells(1)], { opening: 5_000, others }))
    await book.post(await book.issue([], [flowCells(2)], { opening: 4_010, key: earlier }), earlier)
    // The basic account goes on; of the other nobody knows what it held on the day before.
    expect(await book.balances()).toMatchObject({ 'wechat.basic -': 5_990, 'wechat.operation -': 4_500 })
    expect(await book.standing()).toContain(`open:${mchid}:wechat.operation:2026-11-22`)
    expect(await book.standing()).not.toContain(`open:${mchid}:wechat.basic:2026-11-22`)
  })

  it('of which one does not hold what its bill shows are named', async () => {
    const run = await book.issue([], [flowCells(1)], { others: { fundflow_operation: [payout] } })
    const balances = { fundflow_operation: { opening: 10_000, closing: 10_000 } }
    await book.store.reconciliations.write(day, run, { balances })
    expect(flawTexts((await book.post(run))?.book?.flaws ?? [])).toEqual([
      'the book moves wechat.operation by ¥-5.00 on this day, and 账户结余 goes by ¥0.00',
    ])
  })

  it('end the same when the worker dies between any two writes', async () => {
    const play = async (writes: number) => {
      const one = new BillBook()
      await one.pay(1)
      const others = { fundflow_operation: [moved('充值', '收入'), payout] }
      const run = await one.issue([tradeCells(1)], [flowCells(1), moved('提现', '支出')], { others })
      one.writes.left = writes
      const died = await one.post(run).then(
        () => false,
        () => true,
      )
      one.writes.left = Infinity
      if (died) await one.post(run)
      return { died, balances: await one.balances(), standing: await one.standing() }
    }
    const whole = await play(Infinity)
    let deaths = 0
    for (let writes = 0; writes < 8; writes += 1) {
      const { died, balances, standing } = await play(writes)
      if (died) deaths += 1
      expect({ balances, standing }, `died after ${writes} writes`).toEqual({
        balances: whole.balances,
        standing: whole.standing,
      })
    }
    expect(deaths).toBeGreaterThan(4)
  })
})
