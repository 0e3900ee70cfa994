import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { flawTexts } from '../../../domain/bill/flaw.ts'
import type { OrderKey } from '../../../domain/ids.ts'
import { bill_date, Market, mchid } from './market.ts'
import type { Look } from './market.ts'

const next_day = '2026-11-23'
const advice = 'look at the day again tomorrow; if it stays, ask WeChat Pay’s support for these numbers'

type Sale = OrderKey & { transaction_id: string }

/** Flaws that say what the fund flow lacks. */
const lacks = ({ record }: Look) => flawTexts(record.flaws).filter((flaw) => flaw.startsWith('the fund flow '))

describe('a fund flow', () => {
  let market: Market
  const sales: Sale[] = []
  let refund_id: string
  beforeAll(async () => {
    market = await Market.open('memory')
    for (let number = 0; number < 4; number += 1) {
      sales.push(await market.sold())
      market.wait(15)
    }
    const { out_refund_no } = await market.givenBack()
    market.wait(15)
    await market.givenBack()
    for (let number = 0; number < 2; number += 1) sales.push(await market.sold())
    const refund = await market.store.refunds.find({ mchid, out_refund_no })
    refund_id = refund?.facts?.refund_id ?? ''
  })
  afterAll(async () => await market.close())

  const nth = (place: number): Sale => sales.at(place) ?? { mchid, out_trade_no: '', transaction_id: '' }

  /** The day with these plants in its fund flow, issued anew. */
  async function lookAt(...plants: [string, object][]): Promise<Look> {
    for (const [fault, given] of plants) market.plant('fundflow', fault, { ...given })
    market.simulator.control.issueBills({ mchid, bill_date })
    const look = await market.look()
    market.simulator.control.removeFaults(null)
    return look
  }

  it('that has all of them lacks none, and shows when WeChat Pay books', async () => {
    const look = await lookAt()
    expect(lacks(look)).toEqual([])
    expect(look.record).toMatchObject({ is_proven: true, booking: 'same_day' })
  })

  it('that passed over a payment lacks it on the day itself', async () => {
    const { out_trade_no, transaction_id } = nth(1)
    const look = await lookAt(['omitted', { out_trade_no }])
    expect(lacks(look)).toContain(
      `the fund flow lacks 1 payments of this day, ¥9.90 (${transaction_id} ¥9.90), and has later ones: ${advice}`,
    )
    expect(look.record.is_proven).toBe(false)
  })

  it('that passed over a refund lacks it too', async () => {
    const refund = await market.store.refunds.ofRefundIds(mchid, [refund_id])
    const look = await lookAt(['omitted', { out_refund_no: refund[0]?.out_refund_no }])
    expect(lacks(look)).toContain(
      `the fund flow lacks 1 refunds of this day, ¥3.00 (${refund_id} ¥3.00), and has later ones: ${advice}`,
    )
  })

  it('that ends before the latest payments may have them tomorrow', async () => {
    const plants = [nth(-2), nth(-1)].map(({ out_trade_no }) => ['omitted', { out_trade_no }] as [string, object])
    for (const plant of plants) expect(lacks(await lookAt(plant)), JSON.stringify(plant)).toEqual([])
  })

  it('that names a payment by a word that nobody knows is told, with the word', async () => {
    const { out_trade_no, transaction_id } = nth(0)
    const look = await lookAt(['state', { out_trade_no, value: '新业务' }])
    expect(lacks(look)).toEqual([
      `the fund flow has 1 payments of this day, ¥9.90 (${transaction_id} ¥9.90) under the unknown 业务类型 新业务: ${advice}`,
    ])
    // The line of its fee is one more under that word.
    expect(look.record.unknown_movements).toEqual([
      { account: 'BASIC', type: '新业务', direction: 'in', count: 1, amount: 990 },
      { account: 'BASIC', type: '新业务', direction: 'out', count: 1, amount: 6 },
    ])
  })

  it('that names a payment by another number is told, with the number', async () => {
    const { out_trade_no, transaction_id } = nth(0)
    const look = await lookAt(['subject', { out_trade_no, value: '4200000000202611229999999999' }])
    expect(lacks(look)).toContain(
      `the fund flow has 1 payments of this day, ¥9.90 (${transaction_id} ¥9.90) under another number, 4200000000202611229999999999: ${advice}`,
    )
  })

  it('that has another amount of a payment is told, with the amount', async () => {
    const { out_trade_no, transaction_id } = nth(2)
    const look = await lookAt(['amount', { out_trade_no, value: '100' }])
    expect(lacks(look)).toContain(
      `the fund flow has 1 payments of this day, ¥9.90 (${transaction_id} ¥9.90) with another amount, ¥10.90: ${advice}`,
    )
  })

  it('that is empty lacks nothing while nobody knows when WeChat Pay books', async () => {
    const look = await lookAt(['empty', {}])
    expect(lacks(look)).toEqual([])
    expect(look.record.booking).toBeNull()
  })

  it('that is empty lacks all of them, where the days around had theirs on their day', async () => {
    await lookAt()
    await nextDay()
    market.plant('fundflow', 'empty', { bill_date: next_day })
    market.simulator.control.issueBills({ mchid, bill_date: next_day })
    const look = await market.look(next_day)
    market.simulator.control.removeFaults(null)
    expect(lacks(look)).toEqual([
      expect.stringMatching(/^the fund flow lacks 1 payments of this day, ¥9\.90 .*days around/),
    ])
    market.simulator.control.issueBills({ mchid, bill_date: next_day })
    expect(lacks(await market.look(next_day))).toEqual([])
  })

  /** One sale on the day after. */
  async function nextDay(): Promise<void> {
    market.morningAfter()
    await market.sold()
  }
})

describe('generated days', () => {
  it('go on from each other, and are proven one after the other', async () => {
    const market = await Market.open('memory')
    for (const [place, of] of [bill_date, next_day].entries()) {
      market.morningAfter(of)
      market.simulator.control.issueBills({ mchid, bill_date: of, generated: { rows: 20, seed: place, appid: 'wx1' } })
      const { record } = await market.look(of)
      expect([of, flawTexts(record.flaws), record.is_proven]).toEqual([of, [], true])
    }
    await market.close()
  })
})

describe('a merchant whose money comes on the next day', () => {
  it('has no false alarm, and its days are even once the next one is read', async () => {
    const market = await Market.open('memory')
    const one = await market.sold()
    market.wait(60)
    const other = await market.sold()
    market.plant('fundflow', 'moved', { out_trade_no: one.out_trade_no })
    market.plant('fundflow', 'moved', { out_trade_no: other.out_trade_no })
    const first = await market.look()
    expect(lacks(first)).toEqual([])
    await market.look(next_day)
    const again = await market.look()
    expect(lacks(again)).toEqual([])
    await market.close()
  })
})
