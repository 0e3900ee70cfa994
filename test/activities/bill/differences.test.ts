import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { matchedRecord } from '../../../activities/bill/differences.ts'
import type { DayRecord } from '../../../domain/bill/record.ts'
import type { TradeRow } from '../../../domain/bill/row.ts'
import { beijingTime } from '../../../domain/calendar.ts'
import { differenceId } from '../../../domain/ids.ts'
import { payment, paymentRow, refund, refundRow, reversalRow } from '../../match/sample.ts'
import { paymentSample } from '../../store/samples.ts'
import { as_refund } from '../../wechat/statement/file.ts'
import { day, Desk, due_ms, tradeFile } from './desk.ts'

const due = { found_time: '2026-11-23T10:30:00.000+08:00', patience_time: '2026-11-26T10:30:00.000+08:00' } as const

function atStake(
  kind: 'duplicate' | 'state' | 'amount' | 'refund_amount',
  row: TradeRow | null,
  record: DayRecord | null,
) {
  const subject = row?.kind ?? record?.kind ?? 'payment'
  return matchedRecord(day, { kind, class: 'different', subject, row, record, fields: [] }, due).amount
}

describe('the fen at stake', () => {
  const paid = payment({ total: 40_499, settled_total: 40_000 })
  const given_back = refund({ refund: 700, settlement_refund: 700 })

  it('of a line that is there once more are the whole line’s, recorded or not', () => {
    expect(atStake('duplicate', paymentRow(paid), null)).toBe(40_499)
    expect(atStake('duplicate', paymentRow(paid), paid)).toBe(40_499)
    expect(atStake('duplicate', refundRow(given_back), given_back)).toBe(700)
  })

  it('of a REVOKED line are what went back, in whichever columns it is named', () => {
    const elsewhere = { settled_total: 40_000, total: 40_499, settlement_refund: 0, refund: 0 }
    for (const record of [paid, null])
      for (const more of [{}, elsewhere]) expect(atStake('state', reversalRow(paid, more), record)).toBe(40_499)
  })

  it('of two amounts are what they are apart', () => {
    expect(atStake('amount', paymentRow(paid, { total: 40_500 }), paid)).toBe(1)
    expect(atStake('amount', paymentRow(paid, { settled_total: 40_100 }), paid)).toBe(100)
    expect(atStake('refund_amount', refundRow(given_back, { refund: 500 }), given_back)).toBe(200)
  })
})

describe('a difference that is named by its line', () => {
  const paid = (digit: number) => ({
    微信订单号: `420000000120261122000000000${digit}`,
    商户订单号: `T20261122-${digit}`,
  })
  const revoked = { ...as_refund, 交易状态: 'REVOKED', 微信退款单号: '0', 商户退款单号: '0' }
  let desk: Desk
  beforeEach(async () => {
    desk = await Desk.open('memory')
    for (const digit of [1, 2]) {
      const { 微信订单号: transaction_id, 商户订单号: out_trade_no } = paid(digit)
      const of_order = { out_trade_no, order_id: `${day.mchid}/${out_trade_no}`, appid: 'wx8888888888888888' }
      const success_time = '2026-11-22T10:00:00.000+08:00'
      await desk.store.payments.insert(paymentSample(transaction_id, { ...of_order, success_time }))
    }
  })
  afterEach(async () => await desk.drop())

  it.each([
    ['duplicate', {}],
    ['state', revoked],
  ] as const)('is another matter once that line of the bill is about another payment: %s', async (kind, change) => {
    const _id = differenceId(day, kind, 'line-4')
    const looked = async (digit: number | null) => {
      desk.issue(tradeFile([paid(1), paid(2), ...(digit === null ? [] : [{ ...paid(digit), ...change }])]))
      await desk.looked()
      return await desk.store.differences.find(_id)
    }
    const of = (digit: number) => {
      const { 微信订单号: transaction_id, 商户订单号: out_trade_no } = paid(digit)
      return { state: 'open', amount: 990, transaction_id, out_trade_no, bill: { transaction_id } }
    }
    expect(await looked(1)).toMatchObject(of(1))
    const person = { operation_id: 'i', time: beijingTime(due_ms), actor: { kind: 'merchant', id: 'key_1' } } as const
    await desk.store.differences.apply(_id, { ...person, event: 'ignored' })
    expect(await looked(1)).toMatchObject({ ...of(1), state: 'ignored' })
    expect(await looked(2)).toMatchObject(of(2))
    expect(await looked(null)).toMatchObject({ state: 'healed' })
    expect(await looked(1)).toMatchObject(of(1))
  })
})
