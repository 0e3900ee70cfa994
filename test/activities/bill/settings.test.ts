import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { differenceId } from '../../../domain/ids.ts'
import { default_bill_settings } from '../../../domain/merchant/bill.ts'
import type { BillSettings } from '../../../domain/merchant/bill.ts'
import { default_settings } from '../../../domain/merchant/record.ts'
import { mchid, merchantSample, paymentSample } from '../../store/samples.ts'
import { day, Desk, tradeFile } from './desk.ts'

const tx = '4200000001202611220000000001'

describe('what a merchant says about its bills', () => {
  let desk: Desk
  beforeEach(async () => {
    desk = await Desk.open()
  })
  afterEach(async () => await desk.drop())

  const says = async (bills: Partial<BillSettings>) =>
    await desk.store.merchants.updateSettings(mchid, {
      ...default_settings,
      bills: { ...default_bill_settings, ...bills },
    })
  const seen = async () =>
    (await desk.store.differences.ofDay(day, null, 500)).map(({ kind, state }) => `${kind} ${state}`)
  const found = async () => await desk.store.reconciliations.find(day)

  const agreed = (rate_ppm: number, day_tolerance = 0) => ({
    fee_contract: { rates: [{ from_date: '2026-01-01', rate_ppm }], line_tolerance: 1, day_tolerance },
  })
  const paid = async () => {
    const given = { out_trade_no: 'T20261122-1', appid: 'wx8888888888888888' }
    await desk.store.payments.insert(paymentSample(tx, { ...given, success_time: '2026-11-22T10:00:00.000+08:00' }))
  }

  it('makes one difference of a day whose fees are not as agreed, until they are', async () => {
    await paid()
    desk.issue(tradeFile([{}]))
    await says(agreed(6_000))
    await desk.looked()
    expect(await seen()).toEqual([])
    expect((await found())?.fees).toMatchObject({ charged: 6_000, expected: 6_000, match_count: 1, over_count: 0 })
    await says(agreed(2_000))
    await desk.looked()
    expect(await seen()).toEqual(['fee open'])
    expect(await desk.store.differences.find(differenceId(day, 'fee', 'day'))).toMatchObject({
      amount: 4,
      fields: ['over: 1 payments, ¥0.04000 above the rate'],
      bill: { charged: 6_000, lines: [{ transaction_id: tx, expected: 2_000, charged: 6_000 }] },
      weft: { expected: 2_000 },
    })
    await says(agreed(2_000, 4))
    await desk.looked()
    expect(await seen()).toEqual(['fee healed'])
  })

  it('cannot make a fee of parts of a fen right', async () => {
    await paid()
    desk.issue(tradeFile([{ 手续费: '0.06001' }]))
    await desk.looked()
    expect(await seen()).toEqual(['fee open'])
    expect((await found())?.fees).toMatchObject({ fractional_count: 1, expected: null })
  })

  it('tells what is under its prefix from what another system sold', async () => {
    desk.issue(
      tradeFile([
        { 公众账号ID: merchantSample().appids[0] ?? '' },
        { 微信订单号: '42000002', 商户订单号: 'SHOP-2' },
        { 微信订单号: '42000003', 商户订单号: 'SHOP-31' },
      ]),
    )
    await desk.looked()
    expect([await seen(), (await found())?.rows]).toMatchObject([[], { foreign: 3 }])
    await says({ number_prefixes: ['T2026'] })
    await desk.looked()
    expect(await seen()).toEqual(['missing_here waiting'])
    expect((await found())?.foreign).toMatchObject({
      ...{ payment_count: 2, payment_amount: 1_980 },
      groups: [{ appid: 'wx8888888888888888', pattern: 'A-9', example: 'SHOP-2', payment_count: 2, refund_amount: 0 }],
    })
  })
})
