import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { flawTexts } from '../../../domain/bill/flaw.ts'
import { proveDays } from '../../../proof/bill.ts'
import type { Finding } from '../../../proof/finding.ts'
import { bill_date, day, Market, mchid } from './market.ts'
import type { Look } from './market.ts'

const next_day = '2026-11-23'

/** Four days behind this one, on which nothing moves, and what the audit says then. */
async function findingsLater(market: Market): Promise<Finding[]> {
  for (const date of ['2026-11-24', '2026-11-25', '2026-11-26']) await market.look(date)
  const found: Finding[] = []
  const moment = { now_ms: Date.parse('2026-11-27T12:00:00+08:00') } as Parameters<typeof proveDays>[2]
  for await (const { findings } of proveDays(market.store, mchid, moment, new Set())) found.push(...findings)
  return found
}

describe('a merchant that has all its accounts followed', () => {
  let market: Market
  let look: Look
  beforeAll(async () => {
    market = await Market.open('memory')
    await market.follow(['BASIC', 'OPERATION', 'FEES'])
    const { control } = market.simulator
    await control.register({ mchid, fee_account: 'FEES' })
    control.transfer({ mchid, from: 'BANK', to: 'FEES', amount: 1_000 })
    await market.sold()
    await market.givenBack()
    control.transfer({ mchid, from: 'BASIC', to: 'OPERATION', amount: 500 })
    market.wait(1)
    control.transfer({ mchid, from: 'BASIC', to: 'BANK', amount: 200 })
    market.wait(1)
    control.transfer({ mchid, from: 'OPERATION', to: 'BASIC', amount: 50, out_word: '转出', in_word: '转入' })
    look = await market.look()
  })
  afterAll(async () => await market.close())

  it('has the bill of each, and holds in each what it shows', async () => {
    expect(look.record).toMatchObject({ is_proven: true, flaws: [], booking: 'same_day' })
    // WeChat Pay's words for transfers are not documented: the two lines prove each other.
    expect(look.record.unknown_movements).toEqual([
      { account: 'BASIC', type: '转入', direction: 'in', count: 1, amount: 50 },
      { account: 'OPERATION', type: '转出', direction: 'out', count: 1, amount: 50 },
    ])
    expect(look.record.versions).toEqual({ trade: 1, fundflow: 1, fundflow_operation: 1, fundflow_fees: 1 })
    expect(look.record.balances).toEqual({
      fundflow_operation: { opening: 0, closing: 450 },
      fundflow_fees: { opening: 0, closing: 990 },
    })
    const balances = await market.store.journal.balances(mchid)
    const held = new Map(balances.map(({ account, amount }) => [account as string, amount]))
    expect(held.get('wechat.operation')).toBe(450)
    expect(held.get('wechat.fees')).toBe(990)
    expect(held.get('wechat.basic')).toBe(look.record.balance?.closing)
    // Only what the bank gave and got; what went between the accounts has cleared.
    expect(held.get('merchant.bank')).toBe(200 - 1_000)
    expect(held.get('wechat.transfer') ?? 0).toBe(0)
    expect(held.get('fee.clearing') ?? 0).toBe(0)
  })

  it('is the same after a second look', async () => {
    const again = await market.look()
    expect(again.record.book).toEqual(look.record.book)
    expect(await market.store.bills.versions(day, 'fundflow_operation')).toHaveLength(1)
  })

  it('is told which account a plant is in', async () => {
    market.plant('fundflow', 'broken_chain', { account: 'OPERATION' })
    market.simulator.control.issueBills({ mchid, bill_date })
    const { record } = await market.look()
    expect(flawTexts(record.flaws)).toEqual([
      expect.stringMatching(/^the balance of line 3 of the fund flow of OPERATION goes on from ¥5\.00/),
      expect.stringMatching(/^the book moves wechat\.operation by ¥4\.50/),
    ])
    market.simulator.control.removeFaults(null)
    market.simulator.control.issueBills({ mchid, bill_date })
    expect((await market.look()).record.is_proven).toBe(true)
  })

  it('goes on from day to day, over one on which an account has no bill', async () => {
    await market.look(next_day)
    expect(await market.store.bills.versions({ mchid, bill_date: next_day }, 'fundflow_fees')).toMatchObject([
      { state: 'none' },
    ])
    expect(await findingsLater(market)).toEqual([])
  })

  it('keeps an account of a day that it follows no more, and asks for it on no other', async () => {
    await market.follow(['BASIC'])
    expect((await market.look()).record.versions).toHaveProperty('fundflow_operation')
    expect((await market.look('2026-11-27')).record.versions).toEqual({ trade: 1, fundflow: 1 })
  })
})

describe('a merchant that begins to follow an account', () => {
  it('opens it with what it held, and on earlier days when they are looked at again', async () => {
    const market = await Market.open('memory')
    const { control } = market.simulator
    control.transfer({ mchid, from: 'BANK', to: 'OPERATION', amount: 700 })
    await market.look()
    market.morningAfter()
    control.transfer({ mchid, from: 'OPERATION', to: 'BANK', amount: 100 })
    await market.follow(['BASIC', 'OPERATION'])
    const { record } = await market.look(next_day)
    expect(record).toMatchObject({ is_proven: true, balances: { fundflow_operation: { opening: 700, closing: 600 } } })
    const opened = () => market.store.journal.sumsOfOpenings(mchid, 'wechat.operation')
    expect((await opened()).get('wechat.operation')).toBe(700)
    await market.look()
    expect((await opened()).get('wechat.operation') ?? 0).toBe(0)
    expect((await market.store.journal.balances(mchid)).find(({ account }) => account === 'wechat.operation')).toEqual({
      account: 'wechat.operation',
      amount: 600,
    })
    await market.close()
  })
})
